//! The server list: `server.N`, `group.G`, `weight.N`, line by line.
//!
//! What a line means is `zk_wire::ensemble`'s; here stands where it was given.

use std::collections::BTreeMap;

use zk_core::{Member, Members};
use zk_wire::ensemble::{Ensemble, Fault, Rules};

use crate::settings::given::{Origin, Refusal};

/// Host and port; an empty host is any.
pub type HostPort = (String, u16);

/// A file may name several addresses of a server, and its port for clients with TLS.
const RULES: Rules = Rules { standalone: false, several_addresses: true, secure_clients: true };

/// One server's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLine {
    /// Its addresses and role.
    pub member: Member,
    /// Where its clients connect, if the line says so; an empty host is any.
    pub client: Option<HostPort>,
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
    /// What all lines say.
    pub ensemble: Ensemble,
}

impl ServerList {
    /// Adds one key of the list. The error says what is wrong with it.
    pub fn add(&mut self, key: &str, value: &str, origin: Origin) -> Result<(), Fault> {
        self.ensemble.add(key, value, &RULES)?;
        let Some(id) = key.strip_prefix("server.").and_then(|id| id.parse().ok()) else {
            return Ok(());
        };
        let members = Members::of(&self.ensemble);
        let member = members.servers[&id].clone();
        let any = |host: &str| host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_unspecified());
        let client = members.clients.get(&id);
        let client = client.map(|place| match any(&place.host) {
            true => (String::new(), place.port),
            false => (place.host.clone(), place.port),
        });
        let given = format!("{key}={value}");
        self.servers.insert(id, ServerLine { member, client, given, origin });
        Ok(())
    }

    /// How many servers vote, and how many don't.
    pub fn counts(&self) -> (usize, usize) {
        let voters = self.ensemble.voters().count();
        (voters, self.servers.len() - voters)
    }

    /// Judges the list as a whole.
    pub fn complete(&mut self) -> Result<(), Refusal> {
        let Err(error) = self.ensemble.complete(&RULES) else { return Ok(()) };
        let key = error.key.strip_prefix("server.").and_then(|id| id.parse().ok());
        let remedy = "correct the groups, or leave out groups and weights";
        let line = key.and_then(|id: i64| self.servers.get(&id)).or(self.servers.values().next());
        let line = line.expect("a list without servers has no groups");
        let named = format!("server.{}", key.unwrap_or(-1));
        let reason = match error.key == named {
            true => error.fault.to_string(),
            false => error.to_string(),
        };
        Err(line.refuse(&reason, remedy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let mut list = ServerList::default();
        for (key, value) in [
            ("server.1", "a:2888:3888"),
            ("server.2", "a:2888:3888:PARTICIPANT;2181"),
            ("server.3", "[::1]:2888:3888:observer;[::1]:2181;2281"),
            ("server.4", "a:1:2|b:3:4;;2281"),
            ("group.1", "1:2:4"),
            ("weight.1", "0"),
        ] {
            assert_eq!(list.add(key, value, Origin::CommandLine), Ok(()), "{key}={value}");
        }
        assert_eq!(list.counts(), (3, 1));
        assert_eq!(list.servers[&2].client, Some((String::new(), 2181)));
        assert_eq!(list.servers[&3].client, Some(("0:0:0:0:0:0:0:1".to_owned(), 2181)));
        assert_eq!(list.servers[&4].client, None);
        assert_eq!(list.servers[&4].member.quorum, [("a".to_owned(), 1), ("b".to_owned(), 3)]);
        assert_eq!(list.servers[&4].member.election, [("a".to_owned(), 2), ("b".to_owned(), 4)]);
        assert_eq!(list.complete(), Ok(()));
        assert_eq!(list.ensemble.weights, [(1, 0), (2, 1), (4, 1)].into());
    }

    #[test]
    fn a_list_that_does_not_fit_together_is_refused() {
        let mut list = ServerList::default();
        for (key, value) in [("server.1", "a:1:2"), ("server.2", "b:1:2"), ("group.1", "1")] {
            list.add(key, value, Origin::CommandLine).unwrap();
        }
        let refusal = list.complete().unwrap_err();
        assert_eq!((refusal.given.as_str(), refusal.reason.as_str()), {
            ("server.2=b:1:2", "votes and is in no group")
        });
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
            ("server.1", "a:1:2:participant|b:1:2:observer"),
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
}
