//! A target for what other servers send: the election port, the quorum port, and what is dialed.
//!
//! The input is a list of things that happen to one server of three, of which the first byte says
//! which. It begins with what really happened to it in an ensemble; no socket, no clock, and a disk
//! that is always quick.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

use zk_core::{
    Config, ConnId, Effect, Effects, EmptyDisk, EnsembleConfig, Event, Member, Members, Now,
    PeerId, Port, Replica,
};
use zk_wire::Op;
use zk_wire::header::RequestHeader;

use super::base;
use crate::record;
use crate::sim::disk::Disk;

/// Servers.
const COUNT: usize = 3;
/// Things the disk may have to do after one event, far above what any needs.
const WORK_MAX: usize = 1000;
/// Connections that were dialed have numbers from here on in an input.
const DIALED: u8 = 128;

/// What a tick is counted in.
const TICK_MS: i64 = 50;

const ACCEPT_ELECTION: u8 = 0;
const ACCEPT_QUORUM: u8 = 1;
const CONNECTED: u8 = 2;
const BYTES: u8 = 3;
const CLOSED: u8 = 4;
const TICK: u8 = 5;
const CLIENT: u8 = 6;
const KINDS: u8 = 7;

/// What a server wants of the network.
enum Out {
    Dial(PeerId, usize, Port),
    Send(PeerId, Vec<u8>),
    Close(PeerId),
}

/// A server and its disk.
struct Server {
    config: Config,
    replica: Replica,
    disk: Disk,
    now: Now,
    serving: bool,
    clients: BTreeSet<u32>,
    closing: Vec<u32>,
    out: Vec<Out>,
}

fn member(number: usize) -> Member {
    let place = |port| vec![(format!("host{number}"), port)];
    Member { quorum: place(2888), election: place(3888), observer: false }
}

impl Server {
    fn new(number: usize) -> Server {
        let servers = (1..=COUNT).map(|at| (at as i64, member(at))).collect();
        let config = Config {
            session_tag: number as u8,
            tick_ms: 1000,
            session_timeout_min_ms: 2_000,
            session_timeout_max_ms: 20_000,
            ensemble: Some(EnsembleConfig {
                me: number as i64,
                members: Members { servers, text: "version=0".to_owned(), ..Members::default() },
                proposed: None,
                init_ticks: 10,
                sync_ticks: 5,
                settle_ms: 25,
                cluster: Default::default(),
                fresh_cluster: 1,
                empty_disk: EmptyDisk::Votes,
            }),
            ..Config::default()
        };
        let now = Now { mono_ms: 1_000, wall_ms: 1_700_000_000_000 };
        let disk = Disk::new(1);
        let recovered = disk.load(&config).expect("an empty disk can be loaded");
        let replica = Replica::new(config.clone(), recovered, now);
        let mut server = Server {
            config,
            replica,
            disk,
            now,
            serving: false,
            clients: BTreeSet::new(),
            closing: Vec::new(),
            out: Vec::new(),
        };
        server.give(Event::Tick);
        server
    }

    /// An event, and whatever the disk has to do with it.
    fn give(&mut self, event: Event<'_>) {
        self.step(event);
        for _ in 0..WORK_MAX {
            if self.disk.wants_sync() {
                self.disk.sync(0);
            }
            for number in std::mem::take(&mut self.closing) {
                self.clients.remove(&number);
                self.step(Event::ClientClosed { conn: ConnId(number) });
            }
            match self.disk.finish(&self.config) {
                Some(done) => done.tell(|event| self.step(event)),
                None if self.replica.snapshot_runs() => {
                    self.step(Event::SnapshotSlice { bytes_max: 10_000 });
                }
                None => return,
            }
        }
        panic!("the disk is never done");
    }

    fn step(&mut self, event: Event<'_>) {
        let mut effects = Effects::new();
        self.replica.step(self.now, event, &mut effects);
        let bytes = &effects.bytes;
        for effect in &effects.list {
            if self.disk.carry_out_at_once(effect, bytes) {
                continue;
            }
            match effect {
                Effect::Dial { peer, addresses, port } => {
                    let host = addresses.first().map_or("", |(host, _)| host);
                    let to = host.strip_prefix("host").and_then(|number| number.parse().ok());
                    self.out.push(Out::Dial(*peer, to.unwrap_or(0), *port));
                }
                Effect::SendPeer { peer, bytes: range } => {
                    self.out.push(Out::Send(*peer, bytes[range.clone()].to_vec()));
                }
                Effect::ClosePeer { peer } => self.out.push(Out::Close(*peer)),
                Effect::Serve { on } => self.serving = *on,
                Effect::Close { conn } => self.closing.push(conn.0),
                _ => {}
            }
        }
    }

    fn tick(&mut self, ms: i64) {
        self.now.mono_ms += ms;
        self.now.wall_ms += ms;
        self.give(Event::Tick);
    }

    /// A frame of a client, who connects when it isn't there.
    fn client(&mut self, number: u32, frame: &[u8]) {
        let conn = ConnId(number);
        if self.clients.insert(number) {
            self.give(Event::ClientOpened { conn, peer: IpAddr::V4(Ipv4Addr::LOCALHOST) });
        }
        self.give(Event::ClientRequest { conn, frame });
    }
}

/// Whatever happens to a server, it goes on when everybody has left, and what it has on disk can be
/// loaded.
pub fn peer_stream(input: &[u8]) {
    let Some((me, rest)) = input.split_first() else { return };
    let mut server = Server::new(1 + usize::from(*me) % COUNT);
    for peer in replay(&mut server, rest) {
        server.give(Event::PeerClosed { peer });
    }
    for _ in 0..30 {
        server.tick(1_000);
    }
    assert!(!server.serving, "nobody is there, and it serves");
    server.disk.load(&server.config).expect("what was made durable can be loaded");
}

/// Gives a server what the input says has happened, as far as it can have. Who is still connected.
fn replay(server: &mut Server, mut rest: &[u8]) -> BTreeSet<PeerId> {
    let (mut open, mut used) = (BTreeSet::new(), BTreeSet::new());
    let mut dialed = Vec::new();
    book(server, &mut dialed, &mut open);
    while let Some(([kind, conn, high, low], behind)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (bytes, behind) = behind.split_at(length.min(behind.len()));
        rest = behind;
        let peer = match conn.checked_sub(DIALED) {
            Some(at) => dialed.get(usize::from(at)).copied(),
            None => Some(PeerId(PeerId::ACCEPTED + u64::from(*conn))),
        };
        let Some(peer) = peer else { continue };
        let accepted = *conn < DIALED;
        match kind % KINDS {
            kind @ (ACCEPT_ELECTION | ACCEPT_QUORUM) if accepted && used.insert(peer) => {
                let port = if kind == ACCEPT_ELECTION { Port::Election } else { Port::Quorum };
                open.insert(peer);
                server.give(Event::PeerAccepted { peer, port });
            }
            CONNECTED if !accepted && used.insert(peer) => {
                open.insert(peer);
                server.give(Event::PeerConnected { peer });
            }
            BYTES if open.contains(&peer) => server.give(Event::PeerBytes { peer, bytes }),
            CLOSED if open.remove(&peer) || (!accepted && used.insert(peer)) => {
                server.give(Event::PeerClosed { peer });
            }
            TICK => server.tick(i64::from(*conn) * TICK_MS),
            CLIENT if server.serving => server.client(u32::from(*conn), bytes),
            _ => {}
        }
        book(server, &mut dialed, &mut open);
    }
    open
}

/// What the server wants of the network. Whoever is sent something takes it at once.
fn book(server: &mut Server, dialed: &mut Vec<PeerId>, open: &mut BTreeSet<PeerId>) {
    while !server.out.is_empty() {
        for out in std::mem::take(&mut server.out) {
            match out {
                Out::Dial(peer, ..) => dialed.push(peer),
                Out::Close(peer) => drop(open.remove(&peer)),
                Out::Send(peer, _) if open.contains(&peer) && peer.0 >= PeerId::ACCEPTED => {
                    server.give(Event::PeerDrained { peer });
                }
                Out::Send(..) => {}
            }
        }
    }
}

/// A network between three servers, and what happens to one of them.
struct World {
    servers: Vec<Option<Server>>,
    /// The other end of a connection.
    links: HashMap<(usize, PeerId), (usize, PeerId)>,
    accepted: u64,
    queue: VecDeque<(usize, u8, PeerId, Vec<u8>)>,
    me: usize,
    dialed: Vec<PeerId>,
    taken: Vec<PeerId>,
    input: Vec<u8>,
}

impl World {
    fn note(&mut self, kind: u8, conn: u8, bytes: &[u8]) {
        let length = bytes.len().min(usize::from(u16::MAX));
        self.input.extend_from_slice(&[kind, conn]);
        self.input.extend_from_slice(&(length as u16).to_be_bytes());
        self.input.extend_from_slice(&bytes[..length]);
    }

    /// The name of a connection of the one that is looked at.
    fn name(&mut self, peer: PeerId) -> u8 {
        let (list, base) = match peer.0 >= PeerId::ACCEPTED {
            true => (&mut self.taken, 0),
            false => (&mut self.dialed, DIALED),
        };
        let at = list.iter().position(|known| *known == peer).unwrap_or_else(|| {
            list.push(peer);
            list.len() - 1
        });
        base + u8::try_from(at).expect("a short life")
    }

    fn deliver(&mut self, to: usize, kind: u8, peer: PeerId, bytes: &[u8]) {
        let peer_name = if to == self.me { Some(self.name(peer)) } else { None };
        let Some(server) = &mut self.servers[to] else { return };
        match kind {
            ACCEPT_ELECTION => server.give(Event::PeerAccepted { peer, port: Port::Election }),
            ACCEPT_QUORUM => server.give(Event::PeerAccepted { peer, port: Port::Quorum }),
            CONNECTED => server.give(Event::PeerConnected { peer }),
            BYTES => server.give(Event::PeerBytes { peer, bytes }),
            _ => server.give(Event::PeerClosed { peer }),
        }
        if let Some(name) = peer_name {
            self.note(kind, name, bytes);
        }
        self.carry(to);
    }

    fn carry(&mut self, from: usize) {
        while let Some(server) = self.servers[from].as_mut().filter(|s| !s.out.is_empty()) {
            for out in std::mem::take(&mut server.out) {
                self.carry_out(from, out);
            }
        }
    }

    fn carry_out(&mut self, from: usize, out: Out) {
        match out {
            Out::Dial(peer, number, port) => {
                if from == self.me {
                    self.name(peer);
                }
                let to = number.wrapping_sub(1);
                if self.servers.get(to).is_none_or(Option::is_none) {
                    return self.queue.push_back((from, CLOSED, peer, Vec::new()));
                }
                self.accepted += 1;
                let other = PeerId(PeerId::ACCEPTED + self.accepted);
                self.links.insert((from, peer), (to, other));
                self.links.insert((to, other), (from, peer));
                let accept = if port == Port::Election { ACCEPT_ELECTION } else { ACCEPT_QUORUM };
                self.queue.push_back((to, accept, other, Vec::new()));
                self.queue.push_back((from, CONNECTED, peer, Vec::new()));
            }
            Out::Send(peer, bytes) => {
                let Some((to, other)) = self.links.get(&(from, peer)).copied() else { return };
                self.queue.push_back((to, BYTES, other, bytes));
                let server = self.servers[from].as_mut().expect("it has sent");
                if peer.0 >= PeerId::ACCEPTED {
                    server.give(Event::PeerDrained { peer });
                }
            }
            Out::Close(peer) => {
                if let Some((to, other)) = self.links.remove(&(from, peer)) {
                    self.links.remove(&(to, other));
                    self.queue.push_back((to, CLOSED, other, Vec::new()));
                }
            }
        }
    }

    /// Lets things happen for some ms.
    fn pass(&mut self, ms: usize) {
        for _ in 0..ms / TICK_MS as usize {
            while let Some((to, kind, peer, bytes)) = self.queue.pop_front() {
                self.deliver(to, kind, peer, &bytes);
            }
            for at in 0..COUNT {
                if let Some(server) = &mut self.servers[at] {
                    server.tick(TICK_MS);
                    self.carry(at);
                }
            }
            self.note(TICK, 1, &[]);
        }
    }

    fn client(&mut self, at: usize, frames: &[Vec<u8>]) {
        for frame in frames {
            let Some(server) = &mut self.servers[at] else { return };
            server.client(0, frame);
            self.carry(at);
            if at == self.me {
                self.note(CLIENT, 0, frame);
            }
            self.pass(100);
        }
    }
}

/// The frames of a client that writes.
fn frames() -> Vec<Vec<u8>> {
    let requests = [
        (Op::CREATE, record::create("/a", b"data", 0)),
        (Op::CREATE2, record::create("/e", b"", 1)),
        (Op::SET_DATA, record::set_data("/a", Some(b"more"), 0)),
        (Op::SYNC, record::path("/")),
    ];
    let mut frames = vec![base::handshake(Some(false))];
    for (xid, (op, record)) in (1..).zip(requests) {
        let mut body = Vec::new();
        RequestHeader { xid, op }.encode(&mut body);
        body.extend_from_slice(&record);
        frames.push(body);
    }
    frames
}

/// What happened to one server of an ensemble: an election, clients, an end of who leads, another
/// election, and one that comes late.
fn recorded(me: usize) -> Vec<u8> {
    let mut world = World {
        servers: (1..=COUNT).map(|number| (number != 1).then(|| Server::new(number))).collect(),
        links: HashMap::new(),
        accepted: 0,
        queue: VecDeque::new(),
        me,
        dialed: Vec::new(),
        taken: Vec::new(),
        input: vec![me as u8],
    };
    (0..COUNT).for_each(|at| world.carry(at));
    world.pass(500);
    world.client(2, &frames());
    world.client(1, &frames());
    if me != 0 {
        world.servers[0] = Some(Server::new(1));
        world.carry(0);
    }
    world.pass(2_000);
    world.client(1, &frames()[..2]);
    assert!(world.servers[2].as_ref().is_some_and(|server| server.serving), "two make a quorum");
    world.input
}

/// What happened to the one that leads, and to one that follows.
pub fn corpus() -> Vec<Vec<u8>> {
    vec![recorded(1), recorded(2)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: mutations begin deep inside: what was recorded makes the server lead, or follow, again.
    #[test]
    fn what_was_recorded_happens_again() {
        for input in corpus() {
            let mut server = Server::new(1 + usize::from(input[0]));
            replay(&mut server, &input[1..]);
            assert!(server.serving, "server {} serves", input[0] + 1);
            assert!(server.disk.durable_log().len() >= 7, "clients have written");
        }
    }
}
