//! A simulated ensemble: replicas, disks, a network and clients in one thread, from one seed.
//!
//! The same `Replica` as in the server, with the bytes that servers exchange. Faults come at random;
//! what must hold is asserted after every step. Same seed, same run.

pub mod client;
pub mod disk;
mod run;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use zk_core::{
    Config, ConnId, Effect, Effects, EnsembleConfig, Event, Member, Members, Now, PeerId, Port,
    Replica,
};
use zk_wire::Zxid;

use crate::rng::Rng;
use client::{Asked, Client};
use disk::{Disk, Done, Work};

/// What a run is made of.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Voters.
    pub voters: usize,
    /// Observers.
    pub observers: usize,
    /// Clients.
    pub clients: usize,
    /// Simulated time of the part with faults, in ms.
    pub faults_ms: i64,
    /// How often a fault comes, mean in ms.
    pub fault_every_ms: usize,
}

impl Plan {
    /// The plan of a seed: three servers mostly, up to five and two observers.
    pub fn of(seed: u64) -> Plan {
        let mut rng = Rng::new(seed ^ 0x5eed);
        Plan {
            voters: *rng.pick(&[1, 2, 3, 3, 3, 3, 3, 5, 5, 5]),
            observers: *rng.pick(&[0, 0, 0, 1, 2]),
            clients: 1 + rng.below(6),
            faults_ms: 20_000,
            fault_every_ms: *rng.pick(&[0, 300, 1_000, 1_000, 3_000]),
        }
    }
}

/// Faults that came, by kind.
#[derive(Clone, Debug, Default)]
pub struct Tally(pub BTreeMap<&'static str, u64>);

impl Tally {
    fn count(&mut self, kind: &'static str) {
        *self.0.entry(kind).or_default() += 1;
    }
}

struct Server {
    config: Config,
    replica: Option<Replica>,
    disk: Disk,
    serving: bool,
    conns: BTreeMap<u32, usize>,
    next_conn: u32,
    /// It hears nothing and does nothing until then.
    paused_until_ms: i64,
    restart_at_ms: Option<i64>,
    boots: u64,
}

/// One end of a connection between servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    server: usize,
    boot: u64,
    peer: PeerId,
}

#[derive(Debug)]
enum Packet {
    Accepted(Port),
    Connected,
    Bytes(Vec<u8>),
    Drained,
    Closed,
    ToServer(u32, Vec<u8>),
    ToClient(usize, Vec<u8>),
    ClientClosed(usize),
}

/// Everything.
pub struct World {
    plan: Plan,
    now: Now,
    rng: Rng,
    servers: Vec<Server>,
    clients: Vec<Client>,
    /// What is on its way: time and order, to whom, what.
    flying: BTreeMap<(i64, u64), (End, Packet)>,
    order: u64,
    links: BTreeMap<End, End>,
    /// The time of the last packet in each direction: streams keep their order.
    last: BTreeMap<End, i64>,
    cut: BTreeSet<(usize, usize)>,
    /// Ends that lost bytes.
    deaf: BTreeSet<End>,
    next_accepted: u64,
    effects: Effects,
    /// Content of every txn ever logged, by zxid.
    txns: BTreeMap<Zxid, Vec<u8>>,
    /// Digest of every state that was ever served.
    digests: BTreeMap<Zxid, u64>,
    leaders: BTreeMap<i64, usize>,
    /// What happened, newest last.
    pub trace: VecDeque<String>,
    /// Faults.
    pub tally: Tally,
    /// Print everything.
    pub verbose: bool,
    steps: u64,
}

fn config(plan: &Plan, server: usize, seed: u64) -> Config {
    let member = |number: usize| Member {
        quorum: vec![(format!("host{number}"), 2888)],
        election: vec![(format!("host{number}"), 3888)],
        observer: number > plan.voters,
    };
    let count = plan.voters + plan.observers;
    let servers = (1..=count).map(|number| (number as i64, member(number))).collect();
    let members = Members { servers, text: "version=0".to_owned(), ..Members::default() };
    Config {
        session_tag: (server + 1) as u8,
        seed: seed ^ server as u64,
        tick_ms: 1000,
        session_timeout_min_ms: 2_000,
        session_timeout_max_ms: 20_000,
        snapshot_txns: 60,
        ensemble: Some(EnsembleConfig {
            me: server as i64 + 1,
            members,
            proposed: None,
            init_ticks: 10,
            sync_ticks: 5,
            settle_ms: 25,
            empty_disk: zk_core::EmptyDisk::Asks,
        }),
        ..Config::default()
    }
}

impl World {
    /// Servers that are about to start, on empty disks.
    pub fn new(plan: Plan, seed: u64) -> World {
        let mut world = World {
            plan,
            now: Now { mono_ms: 1, wall_ms: 1_700_000_000_000 },
            rng: Rng::new(seed),
            servers: Vec::new(),
            clients: (0..plan.clients).map(Client::new).collect(),
            flying: BTreeMap::new(),
            order: 0,
            links: BTreeMap::new(),
            last: BTreeMap::new(),
            cut: BTreeSet::new(),
            deaf: BTreeSet::new(),
            next_accepted: PeerId::ACCEPTED,
            effects: Effects::new(),
            txns: BTreeMap::new(),
            digests: BTreeMap::new(),
            leaders: BTreeMap::new(),
            trace: VecDeque::new(),
            tally: Tally::default(),
            verbose: false,
            steps: 0,
        };
        for number in 0..plan.voters + plan.observers {
            world.servers.push(Server {
                config: config(&plan, number, seed),
                replica: None,
                disk: Disk::default(),
                serving: false,
                conns: BTreeMap::new(),
                next_conn: 0,
                paused_until_ms: 0,
                restart_at_ms: Some(1),
                boots: 0,
            });
        }
        world
    }

    /// Simulated time, in ms.
    pub fn now_ms(&self) -> i64 {
        self.now.mono_ms
    }

    /// Steps of replicas.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    fn note(&mut self, line: String) {
        let line = format!("{:>8} {line}", self.now.mono_ms);
        if self.verbose {
            println!("{line}");
        }
        self.trace.push_back(line);
        if self.trace.len() > 400 {
            self.trace.pop_front();
        }
    }

    fn send(&mut self, from: Option<End>, to: End, packet: Packet) {
        let delay = 1 + if self.rng.one_in(20) { self.rng.below(80) } else { self.rng.below(3) };
        let mut at = self.now.mono_ms + delay as i64;
        if from.is_some() {
            let last = self.last.entry(to).or_insert(0);
            at = at.max(*last);
            *last = at;
        }
        self.order += 1;
        self.flying.insert((at, self.order), (to, packet));
    }

    fn start(&mut self, server: usize) {
        let state = &mut self.servers[server];
        state.boots += 1;
        state.restart_at_ms = None;
        let recovered = state.disk.load(&state.config);
        let epochs = recovered.epochs;
        let last = recovered.tree.last_zxid();
        state.replica = Some(Replica::new(state.config.clone(), recovered, self.now));
        self.note(format!("S{} starts {epochs:?} {last}", server + 1));
        self.step(server, Event::Tick);
    }

    /// The process ends; the disk keeps what is durable, and perhaps more.
    pub fn crash(&mut self, server: usize) {
        if self.servers[server].replica.take().is_none() {
            return;
        }
        self.note(format!("S{} crashes", server + 1));
        let state = &mut self.servers[server];
        state.serving = false;
        state.disk.crash(&mut self.rng);
        let boot = state.boots;
        let clients: Vec<usize> = std::mem::take(&mut state.conns).into_values().collect();
        for client in clients {
            self.clients[client].disconnected();
        }
        let gone: Vec<(End, End)> = self
            .links
            .iter()
            .filter(|(end, _)| end.server == server && end.boot == boot)
            .map(|(end, other)| (*end, *other))
            .collect();
        for (end, other) in gone {
            self.links.remove(&end);
            self.send(Some(end), other, Packet::Closed);
        }
    }

    fn step(&mut self, server: usize, event: Event<'_>) {
        let Some(mut replica) = self.servers[server].replica.take() else { return };
        let mut effects = std::mem::take(&mut self.effects);
        replica.step(self.now, event, &mut effects);
        self.steps += 1;
        self.servers[server].replica = Some(replica);
        self.carry_out(server, &effects);
        effects.clear();
        self.effects = effects;
        self.check(server);
    }

    fn disk_ms(&mut self) -> i64 {
        let slow = self.rng.one_in(30);
        self.now.mono_ms + if slow { self.rng.below(200) } else { 1 + self.rng.below(4) } as i64
    }

    fn carry_out(&mut self, server: usize, effects: &Effects) {
        let boot = self.servers[server].boots;
        let bytes = &effects.bytes;
        for effect in &effects.list {
            let end = |peer: PeerId| End { server, boot, peer };
            match effect {
                Effect::Dial { peer, addresses, port } => {
                    self.dial(end(*peer), addresses, *port);
                }
                Effect::SendPeer { peer, bytes: range } => {
                    if let Some(other) = self.links.get(&end(*peer)).copied() {
                        let mut rest = &bytes[range.clone()];
                        // Cut anywhere, as a stream is.
                        while !rest.is_empty() {
                            let count = 1 + self.rng.below(rest.len().min(4000));
                            let (now, later) = rest.split_at(count);
                            self.send(Some(end(*peer)), other, Packet::Bytes(now.to_vec()));
                            rest = later;
                        }
                        self.send(None, end(*peer), Packet::Drained);
                    }
                }
                Effect::ClosePeer { peer } => {
                    if let Some(other) = self.links.remove(&end(*peer)) {
                        self.send(Some(end(*peer)), other, Packet::Closed);
                    }
                }
                Effect::Send { conn, frames } => {
                    if let Some(client) = self.servers[server].conns.get(&conn.0).copied() {
                        let to = End { server, boot, peer: PeerId(u64::from(conn.0)) };
                        let packet = Packet::ToClient(client, bytes[frames.clone()].to_vec());
                        self.send(
                            Some(to),
                            End { peer: PeerId(u64::MAX - client as u64), ..to },
                            packet,
                        );
                    }
                }
                Effect::Close { conn } => {
                    if let Some(client) = self.servers[server].conns.get(&conn.0).copied() {
                        let to = End { server, boot, peer: PeerId(u64::from(conn.0)) };
                        let other = End { peer: PeerId(u64::MAX - client as u64), ..to };
                        self.send(Some(to), other, Packet::ClientClosed(client));
                    }
                }
                Effect::Serve { on } => {
                    self.servers[server].serving = *on;
                    self.note(format!("S{} serves={on}", server + 1));
                }
                Effect::Log { line, .. } => self.note(format!("S{} {line}", server + 1)),
                Effect::Pause { .. } | Effect::Resume { .. } => {}
                of_disk => self.carry_out_on_disk(server, of_disk, bytes),
            }
        }
        self.flush(server);
    }

    fn carry_out_on_disk(&mut self, server: usize, effect: &Effect, bytes: &[u8]) {
        match effect {
            Effect::Append { zxid, txn } => {
                let txn = &bytes[txn.clone()];
                let known = self.txns.entry(*zxid).or_insert_with(|| txn.to_vec());
                assert_eq!(known, txn, "zxid {zxid} has two contents");
                self.servers[server].disk.append(*zxid, txn);
            }
            Effect::SaveEpochs { epochs } => {
                self.flush(server);
                let at = self.disk_ms();
                self.servers[server].disk.push(at, Work::Epochs(*epochs));
            }
            Effect::Reload { cut } => {
                self.flush(server);
                let at = self.disk_ms();
                self.servers[server].disk.push(at, Work::Reload(*cut));
            }
            Effect::SnapshotBegin { zxid, replaces } => {
                self.flush(server);
                self.servers[server].disk.begin_snapshot(*zxid, *replaces);
            }
            Effect::SnapshotAbandon => self.servers[server].disk.abandon_snapshot(),
            Effect::SnapshotBytes { piece, last } => {
                let at = self.disk_ms();
                let disk = &mut self.servers[server].disk;
                disk.snapshot_piece(&bytes[piece.clone()], *last, at);
            }
            // Durable at once: the contract is "before anything that is asked for behind it".
            Effect::MembersProposed { members } => {
                let told = self.servers[server].config.ensemble.as_mut();
                told.expect("it is in an ensemble").proposed = Some((**members).clone());
            }
            Effect::MembersInForce { kept: false, .. } => {}
            Effect::MembersInForce { members, .. } => {
                let told = self.servers[server].config.ensemble.as_mut();
                told.expect("it is in an ensemble").members = (**members).clone();
            }
            other => unreachable!("{other:?} is not the disk's"),
        }
    }

    fn flush(&mut self, server: usize) {
        if self.servers[server].disk.wants_sync() {
            let at = self.disk_ms();
            self.servers[server].disk.sync(at);
        }
    }

    fn dial(&mut self, from: End, addresses: &[(String, u16)], port: Port) {
        let host = addresses.first().map_or("", |(host, _)| host);
        let number: Option<usize> = host.strip_prefix("host").and_then(|n| n.parse().ok());
        let Some(number) = number else { return self.send(None, from, Packet::Closed) };
        let to = number - 1;
        let up = self.servers[to].replica.is_some();
        if !up || self.cut.contains(&(from.server, to)) || self.cut.contains(&(to, from.server)) {
            return self.send(None, from, Packet::Closed);
        }
        self.next_accepted += 1;
        let boot = self.servers[to].boots;
        let other = End { server: to, boot, peer: PeerId(self.next_accepted) };
        self.links.insert(from, other);
        self.links.insert(other, from);
        self.send(Some(from), other, Packet::Accepted(port));
        self.send(Some(other), from, Packet::Connected);
    }

    fn deliver(&mut self, to: End, packet: Packet) {
        if let Packet::ToClient(client, bytes) = &packet {
            let conn = self.clients[*client].at;
            let still = conn.is_some_and(|(server, _)| server == to.server);
            if still
                && self.servers[to.server].boots == to.boot
                && self.clients[*client].take(bytes)
            {
                self.disconnect(*client);
            }
            return;
        }
        if let Packet::ClientClosed(client) = packet {
            if self.clients[client].at.is_some_and(|(server, _)| server == to.server) {
                self.disconnect(client);
            }
            return;
        }
        let server = &self.servers[to.server];
        if server.boots != to.boot || server.replica.is_none() {
            return;
        }
        if server.paused_until_ms > self.now.mono_ms {
            let at = server.paused_until_ms;
            self.order += 1;
            self.flying.insert((at, self.order), (to, packet));
            return;
        }
        if let Packet::ToServer(conn, frame) = packet {
            if server.conns.contains_key(&conn) {
                let conn = ConnId(conn);
                self.step(to.server, Event::ClientRequest { conn, frame: &frame });
            }
            return;
        }
        let peer = to.peer;
        let linked = self.links.get(&to).copied();
        match packet {
            Packet::Closed => {
                self.links.remove(&to);
                self.step(to.server, Event::PeerClosed { peer });
            }
            _ if linked.is_none() => {}
            Packet::Accepted(port) => self.step(to.server, Event::PeerAccepted { peer, port }),
            Packet::Connected => self.step(to.server, Event::PeerConnected { peer }),
            Packet::Bytes(bytes) => {
                let from = linked.map_or(0, |other| other.server);
                // A stream has no holes: once bytes are lost nothing more comes through.
                if self.cut.contains(&(from, to.server)) {
                    self.deaf.insert(to);
                }
                if self.deaf.contains(&to) {
                    return;
                }
                self.step(to.server, Event::PeerBytes { peer, bytes: &bytes });
            }
            Packet::Drained => self.step(to.server, Event::PeerDrained { peer }),
            _ => unreachable!("handled above"),
        }
    }

    fn disconnect(&mut self, client: usize) {
        if let Some((server, conn)) = self.clients[client].at {
            self.clients[client].disconnected();
            if self.servers[server].conns.remove(&conn).is_some() {
                self.step(server, Event::ClientClosed { conn: ConnId(conn) });
            }
        }
    }

    fn drive_client(&mut self, number: usize) {
        let now_ms = self.now.mono_ms;
        let client = &mut self.clients[number];
        if client.asked != Asked::Nothing && now_ms > client.patience_ms {
            return self.disconnect(number);
        }
        if client.asked != Asked::Nothing || now_ms < client.next_ms {
            return;
        }
        client.next_ms = now_ms + 1 + self.rng.below(40) as i64;
        client.patience_ms = now_ms + 4_000;
        let Some((server, conn)) = client.at else {
            let server = self.rng.below(self.servers.len());
            let state = &mut self.servers[server];
            if state.replica.is_none() || !state.serving {
                return;
            }
            state.next_conn += 1;
            let conn = state.next_conn;
            state.conns.insert(conn, number);
            let boot = state.boots;
            self.clients[number].at = Some((server, conn));
            let frame = self.clients[number].connect();
            let peer = std::net::IpAddr::from([10, 0, 0, number as u8]);
            self.step(server, Event::ClientOpened { conn: ConnId(conn), peer });
            let to = End { server, boot, peer: PeerId(u64::from(conn)) };
            return self.send(Some(to), to, Packet::ToServer(conn, frame));
        };
        let frame = client.ask(&mut self.rng);
        let boot = self.servers[server].boots;
        let to = End { server, boot, peer: PeerId(u64::from(conn)) };
        self.send(Some(to), to, Packet::ToServer(conn, frame));
    }

    /// One ms.
    fn tick(&mut self) {
        self.now.mono_ms += 1;
        self.now.wall_ms += 1;
        let now_ms = self.now.mono_ms;
        while let Some(entry) = self.flying.first_entry() {
            if entry.key().0 > now_ms {
                break;
            }
            let (to, packet) = entry.remove();
            self.deliver(to, packet);
        }
        for server in 0..self.servers.len() {
            self.tick_server(server);
        }
        for client in 0..self.clients.len() {
            self.drive_client(client);
        }
    }

    fn tick_server(&mut self, server: usize) {
        let now = self.now;
        let state = &mut self.servers[server];
        if state.replica.is_none() {
            if state.restart_at_ms.is_some_and(|at| now.mono_ms >= at) {
                self.start(server);
            }
            return;
        }
        if state.paused_until_ms > now.mono_ms {
            return;
        }
        while self.servers[server].disk.work.front().is_some_and(|(at, _)| *at <= now.mono_ms) {
            let state = &mut self.servers[server];
            let Some(done) = state.disk.finish(&state.config) else { break };
            match done {
                Done::Durable(zxid) => self.step(server, Event::Durable { zxid }),
                Done::Epochs(epochs) => self.step(server, Event::EpochsSaved { epochs }),
                Done::Taken(zxid) => self.step(server, Event::SnapshotTaken { zxid }),
                Done::Reloaded(recovered) => {
                    self.step(server, Event::Reloaded { recovered: &mut Some(recovered) });
                }
            }
        }
        let Some(replica) = &self.servers[server].replica else { return };
        if replica.deadline(now) <= now.mono_ms {
            self.step(server, Event::Tick);
        }
        let Some(replica) = &self.servers[server].replica else { return };
        if replica.snapshot_runs() {
            self.step(server, Event::SnapshotSlice { bytes_max: 2_000 });
        }
    }

    /// What must hold after every step.
    fn check(&mut self, server: usize) {
        let state = &self.servers[server];
        let Some(replica) = &state.replica else { return };
        let tree = replica.tree();
        if state.serving {
            let known = *self.digests.entry(tree.last_zxid()).or_insert(tree.digest());
            let zxid = tree.last_zxid();
            assert_eq!(known, tree.digest(), "S{}: another state at {zxid}", server + 1);
        }
        if let Some(epoch) = replica.leads() {
            let first = *self.leaders.entry(epoch).or_insert(server);
            assert_eq!(first, server, "epoch {epoch} has two leaders");
        }
        let epochs = state.disk.epochs();
        assert!(epochs.current <= epochs.accepted, "S{}: {epochs:?}", server + 1);
    }
}
