//! Names of servers become addresses, off the way of events.
//!
//! Addresses need no look-up. For names a thread is started that ends with its answer, because the
//! operating system's resolver blocks for as long as it likes.

use std::net::{SocketAddr, ToSocketAddrs};

use crate::hosts::HostPort;

/// The addresses, when no name needs to be looked up.
pub fn without_look_up(hosts: &[HostPort]) -> Option<Vec<SocketAddr>> {
    hosts.iter().map(HostPort::address).collect()
}

/// Looks all names up, one after the other. Names that fail are left out and told in the log.
pub fn look_up(hosts: &[HostPort]) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for host in hosts {
        match (host.host.as_str(), host.port).to_socket_addrs() {
            Ok(found) => addresses.extend(found),
            Err(error) => {
                log::warn!("servers: {}:{} was not found: {error}", host.host, host.port);
            }
        }
    }
    addresses
}

/// Looks names up in a thread of its own and hands the addresses to `then`.
pub fn look_up_aside(hosts: Vec<HostPort>, then: impl FnOnce(Vec<SocketAddr>) + Send + 'static) {
    let builder = std::thread::Builder::new().name("zkc-names".to_owned());
    // The closure is lost when there is no thread for it, so it stands where both can take it.
    let then = std::sync::Arc::new(crate::sync::Mutex::new(Some(then)));
    let take = |slot: &crate::sync::Mutex<Option<_>>| slot.lock().ok().and_then(|mut s| s.take());
    let inside = then.clone();
    let spawned = builder.spawn(move || {
        let addresses = look_up(&hosts);
        if let Some(then) = take(&inside) {
            then(addresses);
        }
    });
    if let Err(error) = spawned {
        log::error!("servers: no thread to look names up, trying again: {error}");
        if let Some(then) = then.lock().ok().and_then(|mut slot| slot.take()) {
            then(Vec::new());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_no_look_up_and_bad_names_hold_up_nobody() {
        let host = |host: &str| HostPort { host: host.to_owned(), port: 7 };
        let found = without_look_up(&[host("127.0.0.1"), host("::1")]).unwrap();
        assert_eq!(found, ["127.0.0.1:7".parse().unwrap(), "[::1]:7".parse().unwrap()]);
        assert_eq!(without_look_up(&[host("localhost")]), None);
        let (send, seen) = std::sync::mpsc::channel();
        let hosts = vec![host("no such name."), host("127.0.0.1")];
        look_up_aside(hosts, move |addresses| send.send(addresses).unwrap());
        assert_eq!(seen.recv().unwrap(), ["127.0.0.1:7".parse().unwrap()]);
    }
}
