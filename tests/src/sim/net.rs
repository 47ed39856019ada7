//! The network: connections, what is on its way, and who does not hear whom.
//!
//! A connection keeps its order; nothing is ordered between two of them. Bytes that are lost make
//! the rest of that direction unreadable, as a stream has no holes.

use std::collections::{BTreeMap, BTreeSet};

use zk_core::{PeerId, Port};

use crate::rng::Rng;

/// One end of a connection between servers, or of a client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    pub server: usize,
    pub boot: u64,
    pub peer: PeerId,
}

/// Something on its way.
#[derive(Clone, Debug)]
pub enum Packet {
    Accepted(Port),
    Connected,
    Bytes(Vec<u8>),
    Drained,
    Closed,
    ToServer(u32, Vec<u8>),
    Gone(u32),
    ToClient(usize, u32, Vec<u8>),
    ClientClosed(usize, u32),
}

/// The network.
#[derive(Debug)]
pub struct Net {
    /// What is on its way: time and order, to whom, what.
    flying: BTreeMap<(i64, u64), (End, Packet)>,
    order: u64,
    pub links: BTreeMap<End, End>,
    /// The port that a connection goes to, by both of its ends.
    pub ports: BTreeMap<End, Port>,
    /// The time of the last packet in each direction: streams keep their order.
    last: BTreeMap<End, i64>,
    /// Who (first) is not heard by whom.
    pub cut: BTreeSet<(usize, usize)>,
    /// Ends that lost bytes.
    pub deaf: BTreeSet<End>,
    /// Ends that will be told that everything is sent.
    draining: BTreeSet<End>,
    next_accepted: u64,
    late_one_in: usize,
}

impl Net {
    /// A whole network.
    pub fn new(late_one_in: usize) -> Net {
        Net {
            flying: BTreeMap::new(),
            order: 0,
            links: BTreeMap::new(),
            ports: BTreeMap::new(),
            last: BTreeMap::new(),
            cut: BTreeSet::new(),
            deaf: BTreeSet::new(),
            draining: BTreeSet::new(),
            next_accepted: PeerId::ACCEPTED,
            late_one_in,
        }
    }

    /// When the next packet arrives.
    pub fn next_ms(&self) -> i64 {
        self.flying.first_key_value().map_or(i64::MAX, |((at, _), _)| *at)
    }

    /// The next packet that has arrived.
    pub fn pop(&mut self, now_ms: i64) -> Option<(End, Packet)> {
        let entry = self.flying.first_entry()?;
        if entry.key().0 > now_ms {
            return None;
        }
        let (to, packet) = entry.remove();
        if matches!(packet, Packet::Drained) {
            self.draining.remove(&to);
        }
        Some((to, packet))
    }

    /// Sends something; behind what went to the same end before when it is of a stream.
    pub fn send(&mut self, rng: &mut Rng, now_ms: i64, streamed: bool, to: End, packet: Packet) {
        let late = rng.one_in(self.late_one_in);
        let mut at = now_ms + 1 + if late { rng.below(80) } else { rng.below(3) } as i64;
        if streamed {
            let last = self.last.entry(to).or_insert(0);
            at = at.max(*last);
            *last = at;
        }
        self.put(at, to, packet);
    }

    /// Something arrives at that time.
    pub fn put(&mut self, at: i64, to: End, packet: Packet) {
        self.order += 1;
        self.flying.insert((at, self.order), (to, packet));
    }

    /// Tells an end that everything it sent has left.
    pub fn drained(&mut self, now_ms: i64, to: End) {
        if self.draining.insert(to) {
            self.put(now_ms + 1, to, Packet::Drained);
        }
    }

    /// Whether `to` hears `from`.
    pub fn hears(&self, from: usize, to: usize) -> bool {
        !self.cut.contains(&(from, to))
    }

    /// Makes a connection; says what its other end is.
    pub fn connect(&mut self, from: End, to: usize, boot: u64, port: Port) -> End {
        self.next_accepted += 1;
        let other = End { server: to, boot, peer: PeerId(self.next_accepted) };
        self.links.insert(from, other);
        self.links.insert(other, from);
        self.ports.insert(from, port);
        self.ports.insert(other, port);
        other
    }

    /// Connections of a server's process.
    pub fn links_of(&self, server: usize, boot: u64) -> Vec<(End, End)> {
        let ends = self.links.iter();
        let ends = ends.filter(|(end, _)| end.server == server && end.boot == boot);
        ends.map(|(end, other)| (*end, *other)).collect()
    }

    /// An end of a connection is of no use any more.
    pub fn forget(&mut self, end: End) {
        self.links.remove(&end);
        self.ports.remove(&end);
        self.deaf.remove(&end);
        self.last.remove(&end);
    }
}
