//! The configuration of an ensemble as text: who belongs to it, where, and with which vote.
//!
//! The text stands in the dynamic configuration file, in notifications, NEWLEADER, reconfigs and
//! `/zookeeper/config`. It is read as Apache's servers read it, and written to the byte as they
//! write it. What they accept by accident (an empty host, one with blanks, a negative id,
//! weight or version) is refused: such a text must not go on.
//!
//! ```text
//! server.<sid>=<host>:<quorum port>:<election port>[|..]:<role>[;<host>:<client port>[;..]]
//! group.<g>=<sid>:<sid>..      weight.<sid>=<w>      hierarchical quorums only
//! version=<hex>                                      no newline behind it
//! ```

mod fault;
mod host;

use std::collections::BTreeMap;

use crate::properties;

pub use fault::{ConfigError, Fault};
pub use host::HostPort;

/// Longest text that is taken, in bytes: what fits into a notification.
pub const TEXT_BYTES_MAX: usize = 512 << 10;

/// What a reader allows: the settings that it shares with the other servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// `standaloneEnabled`.
    pub standalone: bool,
    /// `multiAddress.enabled`.
    pub several_addresses: bool,
    /// Whether a line may name a client port with TLS, as from 3.10 on; older servers refuse the
    /// whole text then.
    pub secure_clients: bool,
}

/// One address of a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// Host, without brackets.
    pub host: String,
    /// For proposals.
    pub quorum_port: u16,
    /// For votes; another one.
    pub election_port: u16,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where its peers reach it; at least one, sorted by host.
    pub addresses: Vec<Address>,
    /// It has no vote.
    pub observer: bool,
    /// Where its clients connect, if the line says so.
    pub client: Option<HostPort>,
    /// Where they connect with TLS, if the line says so.
    pub secure_client: Option<HostPort>,
}

/// A configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ensemble {
    /// Zxid of the reconfig that made it; 0 for what stands in a static file.
    pub version: i64,
    /// All servers by id, which is 0 or more and below `i64::MAX`.
    pub servers: BTreeMap<i64, Server>,
    /// Whether quorums are hierarchical.
    pub hierarchical: bool,
    /// The group of each server that is in one.
    pub groups: BTreeMap<i64, i64>,
    /// Weights, 0 or more. A voter of a hierarchical ensemble always has one.
    pub weights: BTreeMap<i64, i64>,
}

/// The parts of a text between separators, as Java's `split` has them: empty ones at the end are
/// none.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts: Vec<&str> = text.split(separator).collect();
    while parts.len() > 1 && parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    parts
}

impl Server {
    /// Reads what stands behind `server.N=`, or behind `N=` in a reconfig.
    pub fn parse(line: &str, rules: &Rules) -> Result<Server, Fault> {
        let parts = split(line, ';');
        if parts.len() > if rules.secure_clients { 3 } else { 2 } {
            return Err(Fault::Form);
        }
        // In Apache's order, so that of two faults it is the same one that is told.
        let client = |at: usize| match parts.get(at).filter(|text| !text.is_empty()) {
            Some(text) => HostPort::of_client(text).map(Some),
            None => Ok(None),
        };
        let (client, secure_client) = (client(1)?, client(2)?);
        let texts = split(parts[0], '|');
        if texts.len() > 1 && !rules.several_addresses {
            return Err(Fault::SeveralAddresses);
        }
        let (mut addresses, mut role) = (Vec::<Address>::new(), None);
        for text in texts {
            let fields = host::fields(text)?;
            let [host, quorum, election, rest @ ..] = &fields[..] else {
                return Err(Fault::Form);
            };
            let host = host::normal(host)?;
            let quorum_port = host::port(quorum)?;
            let election_port = host::port(election)?;
            if quorum_port == election_port {
                return Err(Fault::SamePorts);
            }
            if addresses.iter().any(|address| address.host == host) {
                return Err(Fault::SameHost);
            }
            addresses.push(Address { host, quorum_port, election_port });
            let observer = match rest {
                [] => continue,
                [text] if text.trim().eq_ignore_ascii_case("participant") => false,
                [text] if text.trim().eq_ignore_ascii_case("observer") => true,
                [_] => return Err(Fault::Role),
                _ => return Err(Fault::Form),
            };
            if *role.get_or_insert(observer) != observer {
                return Err(Fault::RolesDiffer);
            }
        }
        addresses.sort();
        Ok(Server { addresses, observer: role.unwrap_or(false), client, secure_client })
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, address) in self.addresses.iter().enumerate() {
            let between = if at == 0 { "" } else { "|" };
            let host = host::bracketed(&address.host);
            write!(f, "{between}{host}:{}:{}", address.quorum_port, address.election_port)?;
        }
        f.write_str(if self.observer { ":observer" } else { ":participant" })?;
        match (&self.client, &self.secure_client) {
            (None, None) => Ok(()),
            (Some(client), None) => write!(f, ";{client}"),
            (None, Some(secure)) => write!(f, ";;{secure}"),
            (Some(client), Some(secure)) => write!(f, ";{client};{secure}"),
        }
    }
}

fn number(text: &str, fault: Fault) -> Result<i64, Fault> {
    text.parse().map_err(|_| fault)
}

/// The number behind the first dot of a key.
fn key_number(key: &str, fault: Fault) -> Result<i64, Fault> {
    number(key.split_once('.').map_or(key, |(_, rest)| rest), fault)
}

impl Ensemble {
    /// Reads a text.
    ///
    /// # Errors
    /// What is wrong, and with which key; [`Fault::stops_elections`] says what an Apache server
    /// would have suffered from it.
    pub fn parse(text: &str, rules: &Rules) -> Result<Ensemble, ConfigError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(Fault::Length.at("the text"));
        }
        let entries = properties::parse(text).map_err(|_| Fault::Escape.at("the text"))?;
        // The last of equal keys wins.
        let entries = entries.into_iter().map(|entry| (entry.key, entry.value));
        let entries: BTreeMap<String, String> = entries.collect();
        let mut ensemble = Ensemble::default();
        for (key, value) in &entries {
            ensemble.add(key, value, rules).map_err(|fault| fault.at(key))?;
        }
        ensemble.complete(rules)?;
        Ok(ensemble)
    }

    /// Adds what stands behind one key. [`Ensemble::complete`] has to follow the last one.
    ///
    /// # Errors
    /// What is wrong with the key or the value.
    pub fn add(&mut self, key: &str, value: &str, rules: &Rules) -> Result<(), Fault> {
        if key.starts_with("server.") {
            let sid = key_number(key, Fault::Sid)?;
            if !(0..i64::MAX).contains(&sid) {
                return Err(Fault::Sid);
            }
            self.servers.insert(sid, Server::parse(value, rules)?);
        } else if key.starts_with("group") {
            self.hierarchical = true;
            let group = key_number(key, Fault::Group)?;
            for sid in split(value, ':') {
                if self.groups.insert(number(sid, Fault::Group)?, group).is_some() {
                    return Err(Fault::TwoGroups);
                }
            }
        } else if key.starts_with("weight") {
            self.hierarchical = true;
            let weight = number(value, Fault::Weight)?;
            // Sums of weights stay far from the end of 63 bits.
            if !(0..1 << 32).contains(&weight) {
                return Err(Fault::Weight);
            }
            self.weights.insert(key_number(key, Fault::Weight)?, weight);
        } else if key == "version" {
            self.version = i64::from_str_radix(value, 16).map_err(|_| Fault::Version)?;
            if self.version < 0 {
                return Err(Fault::Version);
            }
        } else {
            return Err(Fault::Key);
        }
        Ok(())
    }

    /// Judges what can only be said of all of it, and weighs who has no weight.
    ///
    /// # Errors
    /// What is wrong, and with what.
    pub fn complete(&mut self, rules: &Rules) -> Result<(), ConfigError> {
        let voters: Vec<i64> = self.voters().collect();
        if self.hierarchical {
            for sid in &voters {
                if !self.groups.contains_key(sid) {
                    return Err(Fault::NoGroup.at(&format!("server.{sid}")));
                }
                self.weights.entry(*sid).or_insert(1);
            }
            if let Some(sid) = self.groups.keys().find(|sid| !self.weights.contains_key(sid)) {
                return Err(
                    Fault::Stranger.at(&format!("server {sid} of group {}", self.groups[sid]))
                );
            }
        }
        let observers = self.servers.len() - voters.len();
        let alone = match voters.len() {
            0 => !rules.standalone || observers > 0,
            1 => rules.standalone && observers > 0,
            _ => false,
        };
        if alone { Err(Fault::Voters.at("the text")) } else { Ok(()) }
    }

    /// The servers with a vote.
    pub fn voters(&self) -> impl Iterator<Item = i64> + '_ {
        self.servers.iter().filter(|(_, server)| !server.observer).map(|(sid, _)| *sid)
    }

    /// Whether this can be sent to any Apache server from 3.5 on without stopping its elections,
    /// whatever its settings: no server of it may refuse it in a way that ends a thread.
    pub fn is_harmless(&self) -> bool {
        let voters = self.voters().count();
        voters > 1 || (voters == 1 && self.servers.len() == 1)
    }

    /// Whether the members, ids, roles, addresses, groups and weights are the same, whatever the
    /// version.
    pub fn same_members(&self, other: &Ensemble) -> bool {
        self.servers == other.servers
            && self.groups == other.groups
            && self.weights == other.weights
            && self.hierarchical == other.hierarchical
    }
}

impl std::fmt::Display for Ensemble {
    /// The text, to the byte as an Apache server writes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for sid in hash_order(self.servers.keys()) {
            writeln!(f, "server.{sid}={}", self.servers[&sid])?;
        }
        if self.hierarchical {
            let mut groups: BTreeMap<i64, Vec<String>> = BTreeMap::new();
            for sid in hash_order(self.groups.keys()) {
                groups.entry(self.groups[&sid]).or_default().push(sid.to_string());
            }
            for group in hash_order(groups.keys()) {
                writeln!(f, "group.{group}={}", groups[&group].join(":"))?;
            }
            for sid in hash_order(self.weights.keys()) {
                writeln!(f, "weight.{sid}={}", self.weights[&sid])?;
            }
        }
        write!(f, "version={:x}", self.version)
    }
}

/// The order in which a `java.util.HashMap` with these keys is walked: by bucket. Keys that share
/// one stand there as they were put in, which depends on more than we know; then the lower is first.
fn hash_order<'a>(keys: impl Iterator<Item = &'a i64>) -> Vec<i64> {
    let mut keys: Vec<i64> = keys.copied().collect();
    let mut buckets = 16u32;
    while keys.len() > buckets as usize / 4 * 3 {
        buckets *= 2;
    }
    let bucket = |key: &i64| {
        let hash = (key ^ ((*key as u64) >> 32) as i64) as u32;
        (hash ^ (hash >> 16)) & (buckets - 1)
    };
    keys.sort_by_key(|key| (bucket(key), *key));
    keys
}
