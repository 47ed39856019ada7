//! Which servers there are, and which one is tried next.
//!
//! A connection string is taken apart here, and a list of addresses is walked. When the list
//! changes, clients move with the probabilities of Apache's client, so that each server ends with
//! an equal share without everybody moving (ZOOKEEPER-1355). Resolves no names itself and has no
//! chance of its own: addresses come in, and the seed of its choices too.

use std::net::SocketAddr;

use crate::error::{Error, Result};

/// The port where none is given.
pub const PORT: u16 = 2181;

/// Most servers that a connection string may name, and most addresses that are kept.
pub const HOSTS_MAX: usize = 1000;

/// One server as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// A name or an address, an IPv6 address without its brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl HostPort {
    /// The address, when the host is one; a name is `None`.
    pub fn address(&self) -> Option<SocketAddr> {
        self.host.parse().ok().map(|ip| SocketAddr::new(ip, self.port))
    }
}

/// `host:port`, an IPv6 address in brackets.
impl std::fmt::Display for HostPort {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(to, "[{}]:{}", self.host, self.port),
            false => write!(to, "{}:{}", self.host, self.port),
        }
    }
}

/// `host[:port][,host[:port]...][/chroot]`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectString {
    /// The servers, at least one.
    pub hosts: Vec<HostPort>,
    /// The path that stands before every path of this client; empty without one.
    pub chroot: String,
}

impl ConnectString {
    /// Takes a connection string apart. An IPv6 address stands in brackets when a port follows, or
    /// by itself without one. Errors name the part that is wrong.
    pub fn parse(text: &str) -> Result<ConnectString> {
        let bad = |why: String| Error::argument("servers", why);
        let (list, chroot) = match text.find('/') {
            Some(at) => (&text[..at], &text[at..]),
            None => (text, ""),
        };
        let chroot = if chroot == "/" { "" } else { chroot };
        if !chroot.is_empty() {
            zk_wire::path::check(chroot).map_err(|e| bad(format!("chroot {chroot:?}: {e}")))?;
        }
        let mut hosts = Vec::new();
        for part in list.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            hosts.push(host_port(part).map_err(bad)?);
        }
        match hosts.len() {
            0 => Err(bad(format!("{text:?} names no server; give host:port"))),
            count if count > HOSTS_MAX => Err(bad(format!("{count} servers; {HOSTS_MAX} at most"))),
            _ => Ok(ConnectString { hosts, chroot: chroot.to_owned() }),
        }
    }
}

fn host_port(part: &str) -> std::result::Result<HostPort, String> {
    let (host, port) = if let Some(rest) = part.strip_prefix('[') {
        let (host, rest) =
            rest.split_once(']').ok_or_else(|| format!("{part:?} has no closing bracket"))?;
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(format!("{part:?} holds no IPv6 address in its brackets"));
        }
        match rest {
            "" => (host, None),
            rest => match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None => return Err(format!("{part:?} has something other than :port behind ]")),
            },
        }
    } else if part.parse::<std::net::Ipv6Addr>().is_ok() {
        (part, None)
    } else {
        match part.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (part, None),
        }
    };
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err(format!("{part:?} names no host"));
    }
    let port = match port {
        None => PORT,
        Some(text) => match text.parse::<u16>() {
            Ok(port) if port > 0 && text.bytes().all(|b| b.is_ascii_digit()) => port,
            _ => return Err(format!("{part:?} has a port that is not 1 to 65535")),
        },
    };
    Ok(HostPort { host: host.to_owned(), port })
}

/// Small deterministic chance (splitmix64): the seed decides everything.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Chance from a seed.
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 up to but without `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.draw() % end.max(1) as u64) as usize
    }

    /// A number from 0 up to but without 1.
    pub fn fraction(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Which half of a changed list is tried, and with what probability.
#[derive(Clone, Debug)]
struct Moving {
    /// Servers that were in the list before the change, not tried yet.
    old: Vec<SocketAddr>,
    /// Servers that the change brought, not tried yet.
    new: Vec<SocketAddr>,
    /// Probability to try one of `new`.
    new_probability: f64,
}

/// The addresses, and the one whose turn it is.
#[derive(Clone, Debug)]
pub struct HostList {
    addresses: Vec<SocketAddr>,
    /// Index of the next address; equal to the length at the end of a round.
    next: usize,
    shuffle: bool,
    chance: Chance,
    moving: Option<Moving>,
}

impl HostList {
    /// An empty list. With `shuffle` the order of each new list is by chance.
    pub fn new(seed: u64, shuffle: bool) -> HostList {
        HostList {
            addresses: Vec::new(),
            next: 0,
            shuffle,
            chance: Chance::new(seed),
            moving: None,
        }
    }

    /// The addresses, in the order in which they are tried.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The chance of this list, for waits that should not fall together.
    pub fn chance(&mut self) -> &mut Chance {
        &mut self.chance
    }

    /// Takes a new list. `current` is the server that is connected or being connected. Returns true
    /// when the client has to leave it: because it is not in the list, or for the sake of balance.
    pub fn set(&mut self, mut list: Vec<SocketAddr>, current: Option<SocketAddr>) -> bool {
        let mut seen = std::collections::HashSet::new();
        list.retain(|address| seen.insert(*address));
        list.truncate(HOSTS_MAX);
        let before = std::mem::take(&mut self.addresses);
        let same = before.len() == list.len() && list.iter().all(|a| before.contains(a));
        if same {
            self.addresses = before;
            return false;
        }
        if self.shuffle {
            for at in (1..list.len()).rev() {
                list.swap(at, self.chance.below(at + 1));
            }
        }
        self.addresses = list;
        self.next = 0;
        let (old, new): (Vec<_>, Vec<_>) =
            self.addresses.iter().partition(|address| before.contains(address));
        self.moving = None;
        let Some(current) = current else { return false };
        let (before, after) = (before.len() as f64, self.addresses.len() as f64);
        let stays = self.addresses.contains(&current);
        let new_probability = if after > before {
            // The list grew: so many move that the new servers get their share.
            if stays && self.chance.fraction() < before / after {
                return false;
            }
            1.0
        } else if stays {
            return false;
        } else {
            let (kept, gone) = (old.len() as f64, before - old.len() as f64);
            let old_probability =
                if gone > 0.0 { kept * (before - after) / (after * gone) } else { 1.0 };
            1.0 - old_probability
        };
        self.moving = Some(Moving { old, new, new_probability });
        true
    }

    /// The next address to try, and whether with it a round over all of them begins anew. `None`
    /// when there is no address.
    pub fn take_next(&mut self) -> Option<(SocketAddr, bool)> {
        if let Some(moving) = &mut self.moving {
            let to_new = self.chance.fraction() <= moving.new_probability;
            let pick = match to_new {
                true => moving.new.pop().or_else(|| moving.old.pop()),
                false => moving.old.pop().or_else(|| moving.new.pop()),
            };
            match pick {
                Some(address) => return Some((address, false)),
                None => self.moving = None,
            }
        }
        if self.addresses.is_empty() {
            return None;
        }
        let around = self.next >= self.addresses.len();
        if around {
            self.next = 0;
        }
        let address = self.addresses[self.next];
        self.next += 1;
        Some((address, around))
    }

    /// Passes one address over.
    pub fn skip(&mut self) {
        if !self.addresses.is_empty() {
            self.next = (self.next + 1) % self.addresses.len();
        }
    }

    /// The connection stands: the next time the walk goes on behind it, a full round.
    pub fn connected(&mut self, address: SocketAddr) {
        self.moving = None;
        if let Some(at) = self.addresses.iter().position(|a| *a == address) {
            // The server that was good stands last, so that a round tries every other one first.
            self.addresses.rotate_left(at + 1);
        }
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, u16)> {
        let parsed = ConnectString::parse(text).unwrap();
        parsed.hosts.into_iter().map(|h| (h.host, h.port)).collect()
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn strings_are_taken_apart() {
        assert_eq!(parsed("a"), [("a".to_owned(), 2181)]);
        assert_eq!(parsed("a:1, b:2,"), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
        assert_eq!(parsed("[::1]:3,::1"), [("::1".to_owned(), 3), ("::1".to_owned(), 2181)]);
        assert_eq!(ConnectString::parse("a:1/x/y").unwrap().chroot, "/x/y");
        assert_eq!(ConnectString::parse("a:1/").unwrap().chroot, "");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, named) in [
            ("", "names no server"),
            (",,", "names no server"),
            ("/x", "names no server"),
            ("a:0", "port"),
            ("a:65536", "port"),
            ("a:+1", "port"),
            ("a:", "port"),
            (":1", "names no host"),
            ("a b:1", "names no host"),
            ("[::1", "closing bracket"),
            ("[a]:1", "IPv6"),
            ("[::1]x", "behind ]"),
            ("a:1/x/", "ends with /"),
            ("a:1//x", "empty component"),
        ] {
            let error = ConnectString::parse(text).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn every_address_gets_its_turn() {
        let mut hosts = HostList::new(1, true);
        assert!(!hosts.set((1..=4).map(address).collect(), None));
        for round in 0..3 {
            let mut seen: Vec<u16> = Vec::new();
            for at in 0..4 {
                let (address, around) = hosts.take_next().unwrap();
                assert_eq!(around, round > 0 && at == 0);
                seen.push(address.port());
            }
            seen.sort_unstable();
            assert_eq!(seen, [1, 2, 3, 4]);
        }
        hosts.connected(address(2));
        assert!((0..3).all(|_| hosts.take_next().unwrap().0 != address(2)));
        assert_eq!(hosts.take_next(), Some((address(2), false)));
    }

    #[test]
    fn one_address_is_passed_over() {
        let mut hosts = HostList::new(1, false);
        hosts.skip();
        hosts.set((1..=3).map(address).collect(), None);
        hosts.skip();
        assert_eq!(hosts.take_next(), Some((address(2), false)));
        hosts.skip();
        assert_eq!(hosts.take_next(), Some((address(1), false)));
    }

    /// Of many clients on 3 servers that learn of a fourth, a quarter moves, and to the new one;
    /// when one of 4 goes, only its clients move.
    #[test]
    fn a_changed_list_moves_no_more_clients_than_it_must() {
        let mut moved = 0;
        for seed in 0..4000 {
            let mut hosts = HostList::new(seed, true);
            hosts.set((1..=3).map(address).collect(), None);
            if hosts.set((1..=4).map(address).collect(), Some(address(1))) {
                moved += 1;
                assert_eq!(hosts.take_next().unwrap().0, address(4));
            }
            assert!(!hosts.set((1..=3).map(address).collect(), Some(address(1))));
            assert!(hosts.set(vec![address(2), address(3)], Some(address(1))));
        }
        assert!((900..1100).contains(&moved), "{moved} of 4000");
    }

    /// 2 of 5 servers are replaced by one new one (4 left, 3 of them old): the clients of those
    /// that went spread so that all four end even.
    #[test]
    fn clients_of_lost_servers_spread_evenly() {
        let mut to_new = 0;
        for seed in 0..4000 {
            let mut hosts = HostList::new(seed, false);
            hosts.set((1..=5).map(address).collect(), None);
            let list = vec![address(1), address(2), address(3), address(9)];
            assert!(hosts.set(list, Some(address(5))));
            to_new += i32::from(hosts.take_next().unwrap().0 == address(9));
        }
        // pOld = 3 * (5 - 4) / (4 * (5 - 3)) = 0.375.
        assert!((2400..2600).contains(&to_new), "{to_new} of 4000");
    }
}
