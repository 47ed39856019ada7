//! Which server of the list this is, by the addresses of its host: one file for all hosts.
//!
//! Only where there is no `myid`, and only when exactly one server's line has an address of this host.
//! Apache's servers refuse to start then; this is ours.

use std::net::{IpAddr, ToSocketAddrs};

use crate::settings::servers::ServerList;

/// The addresses of this host's interfaces.
pub fn own_addresses() -> Vec<IpAddr> {
    let Ok(all) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let addresses = all.filter_map(|interface| interface.address);
    let ips = addresses.filter_map(|address| {
        let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
    });
    let mut own: Vec<IpAddr> = ips.collect();
    own.sort();
    own.dedup();
    own
}

/// The id and the address by which it was found. Waits for the system's resolver.
///
/// # Errors
/// Why none or more than one is on this host, with all that were looked at; one line.
pub fn find(list: &ServerList, own: &[IpAddr]) -> Result<(i64, IpAddr), String> {
    let mut here: Vec<(i64, IpAddr)> = Vec::new();
    let mut all = Vec::new();
    for (id, line) in &list.servers {
        let hosts = line.member.election.iter().chain(&line.member.quorum);
        let mut names: Vec<&str> = hosts.map(|(host, _)| host.as_str()).collect();
        names.sort();
        names.dedup();
        let found = names.iter().flat_map(|name| look_up(name)).find(|ip| is_own(*ip, own));
        here.extend(found.map(|ip| (*id, ip)));
        all.push(format!("server.{id} {}", names.join("|")));
    }
    match here[..] {
        [found] => Ok(found),
        [] => Err(format!(
            "there is none, and no server of the list has an address of this host ({}): {}",
            texts(own.iter().filter(|ip| !ip.is_loopback())),
            all.join(", ")
        )),
        _ => Err(format!(
            "there is none, and more than one server of the list is on this host: {}",
            texts(here.iter().map(|(id, ip)| format!("server.{id} {ip}")))
        )),
    }
}

fn texts<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    let all: Vec<String> = all.into_iter().map(|one| one.to_string()).collect();
    all.join(", ")
}

fn look_up(host: &str) -> Vec<IpAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = (bare, 0).to_socket_addrs().into_iter().flatten();
    found.map(|address| address.ip().to_canonical()).collect()
}

/// A line with the unspecified address is how some write the own one.
fn is_own(ip: IpAddr, own: &[IpAddr]) -> bool {
    // All of 127.0.0.0/8 is this host, whatever its interfaces say.
    ip.is_unspecified() || ip.is_loopback() || own.contains(&ip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::given::Origin;

    fn list(lines: &[(i64, &str)]) -> ServerList {
        let mut list = ServerList::default();
        for (id, value) in lines {
            list.add(&format!("server.{id}"), value, Origin::CommandLine).unwrap();
        }
        list
    }

    const THREE: [(i64, &str); 3] =
        [(1, "10.9.0.1:1:2"), (2, "10.9.0.2|10.8.0.2:1:2"), (3, "[fd00::3]:1:2")];

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_only_one_with_an_address_of_the_host_is_found() {
        let find = |own: &[&str]| {
            let own: Vec<IpAddr> = own.iter().map(|text| ip(text)).collect();
            find(&list(&THREE), &own)
        };
        assert_eq!(find(&["127.0.0.1", "10.9.0.1"]), Ok((1, ip("10.9.0.1"))));
        assert_eq!(find(&["fd00::3", "10.9.0.77"]), Ok((3, ip("fd00::3"))));
        let none = find(&["127.0.0.1", "10.9.0.77"]).unwrap_err();
        assert!(none.contains("(10.9.0.77)") && none.contains("server.3 [fd00::3]"), "{none}");
        let two = find(&["10.9.0.1", "10.8.0.2"]).unwrap_err();
        assert!(two.contains("server.1 10.9.0.1, server.2 10.8.0.2"), "{two}");
    }

    #[test]
    fn an_ensemble_on_loopback_is_ambiguous() {
        let all = [(1, "127.0.0.1:1:2"), (2, "localhost:3:4"), (3, "127.0.0.1:5:6")];
        let refusal = find(&list(&all), &[]).unwrap_err();
        assert!(refusal.contains("more than one"), "{refusal}");
    }

    #[test]
    fn every_host_has_addresses() {
        assert!(own_addresses().iter().any(IpAddr::is_loopback));
    }
}
