//! The server list: `server.N`, `group.G`, `weight.N`, and whether they make an ensemble.
//!
//! This version serves standalone only, so the list is read to tell the operator exactly why a
//! file can't be served, and to accept the one form that Apache runs standalone too.

use std::collections::BTreeMap;

/// What a server does in its ensemble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Votes.
    Participant,
    /// Follows without a vote.
    Observer,
}

/// The list as far as it decides between standalone and ensemble.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerList {
    /// Role of each server by its id.
    pub roles: BTreeMap<i64, Role>,
    /// Client host and port of the servers whose line names them; an empty host is any.
    pub clients: BTreeMap<i64, (String, u16)>,
    /// Whether a group or a weight is given.
    pub hierarchical: bool,
}

impl ServerList {
    /// Adds one key of the list. The error says what is wrong with the value.
    pub fn add(&mut self, key: &str, value: &str) -> Result<(), &'static str> {
        let Some(id) = key.strip_prefix("server.") else {
            self.hierarchical = true;
            return check_group_or_weight(key, value);
        };
        let id: i64 = id.parse().map_err(|_| "the id after server. is no whole number")?;
        let (role, client) = server(value)?;
        self.roles.insert(id, role);
        if let Some(client) = client {
            self.clients.insert(id, client);
        }
        Ok(())
    }

    /// How many servers have a role.
    pub fn count(&self, role: Role) -> usize {
        self.roles.values().filter(|&&other| other == role).count()
    }
}

fn check_group_or_weight(key: &str, value: &str) -> Result<(), &'static str> {
    let whole = |text: &str| text.parse::<i64>().is_ok();
    let (_, id) = key.split_once('.').ok_or("wants a number after a dot")?;
    if !whole(id) {
        return Err("the number after the dot is no whole number");
    }
    match key.starts_with("weight") {
        true if !whole(value) => Err("a weight is a whole number"),
        false if !value.split(':').all(whole) => Err("a group is a list of ids such as 1:2:3"),
        _ => Ok(()),
    }
}

/// Host and port; an empty host is any.
type Client = (String, u16);

fn server(value: &str) -> Result<(Role, Option<Client>), &'static str> {
    const FORM: &str = "wants host:quorumPort:electionPort[:role][;[host:]clientPort]";
    let mut parts = value.split(';');
    let addresses = parts.next().unwrap_or("");
    let plain = client_address(parts.next())?;
    client_address(parts.next())?;
    if parts.next().is_some() {
        return Err(FORM);
    }
    let mut role = None;
    for address in addresses.split('|') {
        let this = address_role(address.trim()).ok_or(FORM)?;
        if role.is_some_and(|role| role != this) {
            return Err("all addresses of a server must have the same role");
        }
        role = Some(this);
    }
    Ok((role.ok_or(FORM)?, plain))
}

fn client_address(text: Option<&str>) -> Result<Option<Client>, &'static str> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match port.parse() {
        Ok(port) => Ok(Some((host.to_owned(), port))),
        Err(_) => Err("the client port is no port"),
    }
}

/// Reads `host:quorumPort:electionPort[:role]`, where an IPv6 host stands in brackets.
fn address_role(address: &str) -> Option<Role> {
    let (host, rest) = match address.strip_prefix('[') {
        Some(rest) => rest.split_once("]:")?,
        None => address.split_once(':')?,
    };
    let mut fields = rest.split(':');
    let quorum: u16 = fields.next()?.parse().ok()?;
    let election: u16 = fields.next()?.parse().ok()?;
    let role = match fields.next().map(str::to_ascii_lowercase).as_deref() {
        None | Some("participant") => Role::Participant,
        Some("observer") => Role::Observer,
        Some(_) => return None,
    };
    let good = !host.is_empty() && quorum != election && fields.next().is_none();
    good.then_some(role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let mut list = ServerList::default();
        for (id, value) in [
            (1, "a:2888:3888"),
            (2, "a:2888:3888:PARTICIPANT;2181"),
            (3, "[::1]:2888:3888:observer;[::1]:2181;2281"),
            (4, "a:1:2|b:1:2;;2281"),
        ] {
            assert_eq!(list.add(&format!("server.{id}"), value), Ok(()), "{value}");
        }
        assert_eq!(list.count(Role::Participant), 3);
        assert_eq!(list.count(Role::Observer), 1);
        assert!(!list.hierarchical);
        assert_eq!(list.clients[&2], (String::new(), 2181));
        assert_eq!(list.clients[&3], ("::1".to_owned(), 2181));
        assert!(!list.clients.contains_key(&4));
        assert_eq!(list.add("group.1", "1:2"), Ok(()));
        assert_eq!(list.add("weight.1", "0"), Ok(()));
        assert!(list.hierarchical);
    }

    #[test]
    fn bad_lines_are_refused() {
        for (key, value) in [
            ("server.x", "a:1:2"),
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
            ("weight.1", "heavy"),
            ("weight", "1"),
        ] {
            assert!(ServerList::default().add(key, value).is_err(), "{key}={value}");
        }
    }
}
