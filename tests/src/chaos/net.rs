//! The network: a namespace for each server, a bridge, a proxy for each pair, and what cuts them.
//!
//! Server `i` has the address 10.0.0.i, the hub 10.0.0.254. What `i` sends to `j` on the ports of the
//! ensemble is turned to the proxy at 10.1.i.j, which dials `j` from that address. So whatever goes
//! from `i` to `j`, on connections of either side, has 10.1.i.j or 10.1.j.i at its other end, and each
//! direction can be cut in the namespace of its sender.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use super::proxy::{Faults, listen};
use super::tool::{feed, run};

/// Ports of the ensemble: quorum and election.
pub const PORTS: [u16; 2] = [2888, 3888];

/// How traffic is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Packets vanish.
    Drop,
    /// Connections are reset.
    Reset,
}

impl Cut {
    fn set(self) -> &'static str {
        match self {
            Cut::Drop => "dropped",
            Cut::Reset => "refused",
        }
    }
}

/// The network of so many servers, the first with number 1.
#[derive(Debug)]
pub struct Net {
    count: usize,
    faults: Vec<Arc<Faults>>,
}

impl Net {
    /// Makes it.
    pub fn new(count: usize, seed: u64) -> Net {
        run("ip", &["link", "set", "lo", "up"]);
        run("ip", &["link", "add", "hub", "type", "bridge"]);
        run("ip", &["link", "set", "hub", "up"]);
        run("ip", &["address", "add", "10.0.0.254/24", "dev", "hub"]);
        run("ip", &["route", "add", "local", "10.1.0.0/16", "dev", "lo"]);
        for number in 1..=count {
            add_namespace(number, count);
        }
        let mut net = Net { count, faults: Vec::new() };
        for (from, to) in net.pairs() {
            let faults = Arc::new(Faults::default());
            for port in PORTS {
                let via = SocketAddrV4::new(via(from, to), port);
                let target = SocketAddrV4::new(address(to), port);
                let seed = seed ^ (from as u64) << 8 ^ (to as u64) << 16 ^ u64::from(port) << 24;
                listen(via, target, Arc::clone(&faults), seed);
            }
            net.faults.push(faults);
        }
        net
    }

    /// All ordered pairs of servers.
    pub fn pairs(&self) -> Vec<(usize, usize)> {
        let all = 1..=self.count;
        all.clone().flat_map(|a| all.clone().map(move |b| (a, b))).filter(|(a, b)| a != b).collect()
    }

    /// What the proxy does to connections that `from` opens to `to`.
    pub fn faults(&self, from: usize, to: usize) -> &Faults {
        let at = self.pairs().iter().position(|pair| *pair == (from, to));
        &self.faults[at.expect("a pair of servers")]
    }

    /// Cuts what `from` sends to `to`.
    pub fn cut(&self, from: usize, to: usize, how: Cut) {
        let list = format!("{{ {}, {} }}", via(from, to), via(to, from));
        nft(from, &["add", "element", "ip", "chaos", how.set(), &list]);
    }

    /// Cuts both ways.
    pub fn part(&self, a: usize, b: usize, how: Cut) {
        self.cut(a, b, how);
        self.cut(b, a, how);
    }

    /// Cuts a server from its clients.
    pub fn cut_clients(&self, number: usize, how: Cut) {
        nft(number, &["add", "element", "ip", "chaos", how.set(), "{ 10.0.0.254 }"]);
    }

    /// Everything goes through again.
    pub fn heal(&self) {
        for number in 1..=self.count {
            for how in [Cut::Drop, Cut::Reset] {
                nft(number, &["flush", "set", "ip", "chaos", how.set()]);
            }
        }
        self.faults.iter().for_each(|faults| faults.clear());
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for number in 1..=self.count {
            let _ = std::process::Command::new("ip").args(["netns", "del", &name(number)]).status();
        }
        let _ = std::process::Command::new("ip").args(["link", "del", "hub"]).status();
    }
}

/// The namespace of a server.
pub fn name(number: usize) -> String {
    format!("n{number}")
}

/// The address of a server.
pub fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, number as u8)
}

fn via(from: usize, to: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, from as u8, to as u8)
}

fn nft(number: usize, arguments: &[&str]) {
    let name = name(number);
    let all: Vec<&str> = ["netns", "exec", &name, "nft"].iter().chain(arguments).copied().collect();
    run("ip", &all);
}

fn add_namespace(number: usize, count: usize) {
    let (name, device) = (name(number), format!("v{number}"));
    run("ip", &["netns", "add", &name]);
    let veth = ["link", "add", &device, "type", "veth", "peer", "name", "eth0", "netns", &name];
    run("ip", &veth);
    run("ip", &["link", "set", &device, "master", "hub", "up"]);
    let inside = |arguments: &[&str]| {
        let all: Vec<&str> = ["-n", &name].iter().chain(arguments).copied().collect();
        run("ip", &all);
    };
    inside(&["link", "set", "lo", "up"]);
    inside(&["address", "add", &format!("{}/24", address(number)), "dev", "eth0"]);
    inside(&["link", "set", "eth0", "up"]);
    inside(&["route", "add", "default", "via", "10.0.0.254"]);
    let mut turned = String::new();
    for to in (1..=count).filter(|to| *to != number) {
        turned += &format!(
            "ip daddr {} tcp dport {{ {}, {} }} dnat to {}\n",
            address(to),
            PORTS[0],
            PORTS[1],
            via(number, to)
        );
    }
    let rules = format!(
        "table ip chaos {{\n\
         set dropped {{\ntype ipv4_addr\n}}\n\
         set refused {{\ntype ipv4_addr\n}}\n\
         chain turn {{\ntype nat hook output priority -100\n{turned}}}\n\
         chain cut {{\ntype filter hook output priority 0\n\
         ip daddr @dropped drop\n\
         ip daddr @refused meta l4proto tcp reject with tcp reset\n\
         ip daddr @refused drop\n}}\n}}\n"
    );
    feed("ip", &["netns", "exec", &name, "nft", "-f", "-"], &rules);
}
