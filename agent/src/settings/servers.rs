//! The server list: `server.N`, `group.G`, `weight.N`, line by line, and its normal form.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use zk_core::Member;

use crate::settings::given::{Origin, Refusal};

/// Host and port; an empty host is any.
pub type HostPort = (String, u16);

/// One server's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLine {
    /// Its addresses and role.
    pub member: Member,
    /// Where its clients connect, if the line says so; an empty host is any.
    pub client: Option<HostPort>,
    /// Where its clients connect with TLS, if the line says so.
    pub secure: Option<HostPort>,
    /// The line as given.
    pub given: String,
    /// Where it stands.
    pub origin: Origin,
}

impl ServerLine {
    /// A refusal of this line.
    pub fn refuse(&self, reason: &str, remedy: &str) -> Refusal {
        Refusal {
            origin: self.origin.clone(),
            given: self.given.clone(),
            reason: reason.to_owned(),
            remedy: remedy.to_owned(),
        }
    }
}

/// The list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerList {
    /// Each server by its id.
    pub servers: BTreeMap<i64, ServerLine>,
    /// The group of each server that is in one.
    pub groups: BTreeMap<i64, i64>,
    /// The weights that are given.
    pub weights: BTreeMap<i64, i64>,
    /// Whether a group or a weight is given.
    pub hierarchical: bool,
}

impl ServerList {
    /// Adds one key of the list. The error says what is wrong with the value.
    pub fn add(&mut self, key: &str, value: &str, origin: Origin) -> Result<(), &'static str> {
        let Some(id) = key.strip_prefix("server.") else {
            self.hierarchical = true;
            return self.add_group_or_weight(key, value);
        };
        let id: i64 = id.parse().map_err(|_| "the id after server. is no whole number")?;
        if !(0..i64::MAX).contains(&id) {
            return Err("the id after server. is out of range");
        }
        let (member, client, secure) = server(value)?;
        let given = format!("{key}={value}");
        self.servers.insert(id, ServerLine { member, client, secure, given, origin });
        Ok(())
    }

    fn add_group_or_weight(&mut self, key: &str, value: &str) -> Result<(), &'static str> {
        let (_, id) = key.split_once('.').ok_or("wants a number after a dot")?;
        let id = id.parse().map_err(|_| "the number after the dot is no whole number")?;
        if key.starts_with("weight") {
            let weight = value.trim().parse().map_err(|_| "a weight is a whole number")?;
            if weight < 0 {
                return Err("a weight is 0 or more");
            }
            self.weights.insert(id, weight);
            return Ok(());
        }
        for sid in value.split(':') {
            let sid = sid.trim().parse();
            let sid = sid.map_err(|_| "a group is a list of ids such as 1:2:3")?;
            if self.groups.insert(sid, id).is_some() {
                return Err("a server of it is in another group too");
            }
        }
        Ok(())
    }

    /// How many servers vote, and how many don't.
    pub fn counts(&self) -> (usize, usize) {
        let observers = self.servers.values().filter(|line| line.member.observer).count();
        (self.servers.len() - observers, observers)
    }

    /// The list as Apache's servers write it, `version` last and without a newline behind it.
    pub fn text(&self, version: i64) -> String {
        let mut lines = Vec::new();
        let ids: Vec<i64> = self.servers.keys().copied().collect();
        for id in java_order(&ids) {
            lines.push(format!("server.{id}={}", line_text(&self.servers[&id])));
        }
        if self.hierarchical {
            let mut groups: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
            let members: Vec<i64> = self.groups.keys().copied().collect();
            for sid in java_order(&members) {
                groups.entry(self.groups[&sid]).or_default().push(sid);
            }
            let ids: Vec<i64> = groups.keys().copied().collect();
            for id in java_order(&ids) {
                let sids: Vec<String> = groups[&id].iter().map(ToString::to_string).collect();
                lines.push(format!("group.{id}={}", sids.join(":")));
            }
            let weights = self.all_weights();
            let ids: Vec<i64> = weights.keys().copied().collect();
            lines.extend(java_order(&ids).iter().map(|id| format!("weight.{id}={}", weights[id])));
        }
        lines.push(format!("version={version:x}"));
        lines.join("\n")
    }

    /// The weights that are given, and 1 for each other voter.
    fn all_weights(&self) -> BTreeMap<i64, i64> {
        let voters = self.servers.iter().filter(|(_, line)| !line.member.observer);
        let mut weights: BTreeMap<i64, i64> = voters.map(|(id, _)| (*id, 1)).collect();
        weights.extend(&self.weights);
        weights
    }
}

/// The order in which a `java.util.HashMap` with these keys is walked.
fn java_order(ids: &[i64]) -> Vec<i64> {
    let mut buckets = 16u64;
    while ids.len() as u64 > buckets * 3 / 4 {
        buckets *= 2;
    }
    let bucket = |id: i64| {
        let hash = (id ^ ((id as u64) >> 32) as i64) as u32;
        u64::from(hash ^ (hash >> 16)) & (buckets - 1)
    };
    let mut ids = ids.to_vec();
    ids.sort_by_key(|id| (bucket(*id), *id));
    ids
}

fn line_text(line: &ServerLine) -> String {
    let member = &line.member;
    let pairs = member.quorum.iter().zip(&member.election);
    let mut addresses: Vec<(&str, String)> = pairs
        .map(|((host, quorum), (_, election))| {
            (host.as_str(), format!("{}:{quorum}:{election}", host_text(host)))
        })
        .collect();
    addresses.sort();
    let addresses: Vec<String> = addresses.into_iter().map(|(_, text)| text).collect();
    let role = if member.observer { "observer" } else { "participant" };
    let mut text = format!("{}:{role}", addresses.join("|"));
    if let Some((host, port)) = &line.client {
        let host = if host.is_empty() { "0.0.0.0".to_owned() } else { host_text(host) };
        text.push_str(&format!(";{host}:{port}"));
    }
    text
}

/// A host as Java writes it: IPv6 addresses in brackets and in full.
fn host_text(host: &str) -> String {
    match host.parse::<Ipv6Addr>() {
        Ok(address) => {
            let groups: Vec<String> =
                address.segments().iter().map(|group| format!("{group:x}")).collect();
            format!("[{}]", groups.join(":"))
        }
        Err(_) => host.to_owned(),
    }
}

fn server(value: &str) -> Result<(Member, Option<HostPort>, Option<HostPort>), &'static str> {
    const FORM: &str = "wants host:quorumPort:electionPort[:role][;[host:]clientPort]";
    let mut parts = value.split(';');
    let addresses = parts.next().unwrap_or("");
    let plain = client_address(parts.next())?;
    let secure = client_address(parts.next())?;
    if parts.next().is_some() {
        return Err(FORM);
    }
    let mut member = Member { quorum: Vec::new(), election: Vec::new(), observer: false };
    for address in addresses.split('|') {
        let Parsed { host, quorum, election, observer } = parse(address.trim()).ok_or(FORM)?;
        if quorum == election {
            return Err("the quorum port and the election port must differ");
        }
        if !member.quorum.is_empty() && member.observer != observer {
            return Err("all addresses of a server must have the same role");
        }
        member.observer = observer;
        member.quorum.push((host.clone(), quorum));
        member.election.push((host, election));
    }
    Ok((member, plain, secure))
}

fn client_address(text: Option<&str>) -> Result<Option<HostPort>, &'static str> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match port.parse() {
        Ok(port) => Ok(Some((host.to_owned(), port))),
        Err(_) => Err("the client port is no port"),
    }
}

struct Parsed {
    host: String,
    quorum: u16,
    election: u16,
    observer: bool,
}

/// Reads `host:quorumPort:electionPort[:role]`, where an IPv6 host stands in brackets.
fn parse(address: &str) -> Option<Parsed> {
    let (host, rest) = match address.strip_prefix('[') {
        Some(rest) => rest.split_once("]:")?,
        None => address.split_once(':')?,
    };
    let mut fields = rest.split(':');
    let quorum: u16 = fields.next()?.parse().ok()?;
    let election: u16 = fields.next()?.parse().ok()?;
    let observer = match fields.next().map(str::to_ascii_lowercase).as_deref() {
        None | Some("participant") => false,
        Some("observer") => true,
        Some(_) => return None,
    };
    let good = !host.is_empty() && fields.next().is_none();
    good.then(|| Parsed { host: host.to_owned(), quorum, election, observer })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(lines: &[(&str, &str)]) -> ServerList {
        let mut list = ServerList::default();
        for (key, value) in lines {
            assert_eq!(list.add(key, value, Origin::CommandLine), Ok(()), "{key}={value}");
        }
        list
    }

    #[test]
    fn lines_are_read() {
        let list = list(&[
            ("server.1", "a:2888:3888"),
            ("server.2", "a:2888:3888:PARTICIPANT;2181"),
            ("server.3", "[::1]:2888:3888:observer;[::1]:2181;2281"),
            ("server.4", "a:1:2|b:3:4;;2281"),
            ("group.1", "1:2"),
            ("weight.1", "0"),
        ]);
        assert_eq!(list.counts(), (3, 1));
        assert_eq!(list.servers[&2].client, Some((String::new(), 2181)));
        assert_eq!(list.servers[&3].client, Some(("::1".to_owned(), 2181)));
        assert_eq!(list.servers[&4].client, None);
        assert_eq!(list.servers[&4].member.quorum, [("a".to_owned(), 1), ("b".to_owned(), 3)]);
        assert_eq!(list.servers[&4].member.election, [("a".to_owned(), 2), ("b".to_owned(), 4)]);
        assert_eq!(list.groups, [(1, 1), (2, 1)].into());
        assert!(list.hierarchical);
    }

    #[test]
    fn bad_lines_are_refused() {
        for (key, value) in [
            ("server.x", "a:1:2"),
            ("server.-1", "a:1:2"),
            ("server.1", ""),
            ("server.1", "a:1"),
            ("server.1", "a:1:1"),
            ("server.1", ":1:2"),
            ("server.1", "a:1:2:king"),
            ("server.1", "a:1:2:observer:x"),
            ("server.1", "a:1:70000"),
            ("server.1", "a:1:2;port"),
            ("server.1", "a:1:2;1;2;3"),
            ("server.1", "a:1:2|b:1:2:observer"),
            ("group.1", "1,2"),
            ("group.1", "1:2:1"),
            ("weight.1", "heavy"),
            ("weight.1", "-1"),
            ("weight", "1"),
        ] {
            let refused = ServerList::default().add(key, value, Origin::CommandLine);
            assert!(refused.is_err(), "{key}={value}");
        }
    }

    /// Goal: the text is Apache's to the byte, because its servers compare and parse it.
    /// Method: what `QuorumMaj.toString` and `QuorumHierarchical.toString` of 3.8 and 3.9 give.
    #[test]
    fn the_text_is_apaches() {
        let majority = list(&[
            ("server.17", "c.example:2888:3888"),
            ("server.1", "127.0.0.1:2888:3888:PARTICIPANT;2181"),
            ("server.2", "[::1]:2888:3888:observer;[fe80::1]:2181"),
            ("server.3", "b:1:2|a:3:4"),
        ]);
        assert_eq!(
            majority.text(0),
            "server.1=127.0.0.1:2888:3888:participant;0.0.0.0:2181\n\
             server.17=c.example:2888:3888:participant\n\
             server.2=[0:0:0:0:0:0:0:1]:2888:3888:observer;[fe80:0:0:0:0:0:0:1]:2181\n\
             server.3=a:3:4|b:1:2:participant\nversion=0"
        );
        let hierarchical = list(&[
            ("server.1", "a:1:2"),
            ("server.2", "b:1:2"),
            ("server.3", "c:1:2"),
            ("server.4", "d:1:2:observer"),
            ("group.1", "2:1"),
            ("group.2", "3"),
            ("weight.3", "0"),
        ]);
        assert_eq!(
            hierarchical.text(0x1_0000_0005),
            "server.1=a:1:2:participant\nserver.2=b:1:2:participant\nserver.3=c:1:2:participant\n\
             server.4=d:1:2:observer\ngroup.1=1:2\ngroup.2=3\nweight.1=1\nweight.2=1\nweight.3=0\n\
             version=100000005"
        );
    }
}
