//! One server of ours whose peers are played by the script, in bytes: what other versions send,
//! orders of packets that no server of ours produces, half-words and silence.
//!
//! The disk is the simulator's, and what is asked of it is done at once. Nothing happens that the
//! script does not want: time stands still until it is told to pass. No invariant is looked at here
//! but those that the script asserts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use zk_core::txn::{Txn, TxnHeader, encode_create};
use zk_core::zab::election::{State, Vote};
use zk_core::zab::notification;
use zk_core::zab::packet::{self, PROTOCOL, kind};
use zk_core::{Config, Effect, Effects, Epochs, Event, Now, PeerId, Port, Replica};
use zk_wire::{Acl, Op, Writer, Zxid};

use super::disk::{Disk, Loss, Work};
use super::{Plan, config};
use crate::rng::Rng;

/// A packet of the quorum port, as the server sent it.
pub type Said = (i32, Zxid, Option<Vec<u8>>);

/// A server, and everything that it said to its peers.
pub struct Stage {
    me: i64,
    config: Config,
    /// The server, while its process runs.
    pub replica: Option<Replica>,
    /// Its disk.
    pub disk: Disk,
    now: Now,
    effects: Effects,
    sent: BTreeMap<PeerId, Vec<u8>>,
    dialed: VecDeque<(PeerId, i64, Port)>,
    closed: BTreeSet<PeerId>,
    next_accepted: u64,
    /// Whether it serves clients.
    pub serves: bool,
    /// What it told its operator.
    pub lines: Vec<String>,
}

/// The txn that creates a znode, with a digest or without.
pub fn create_txn(zxid: Zxid, path: &str, digest: Option<u64>) -> Vec<u8> {
    let mut out = Vec::new();
    let (session, cxid, time_ms) = (7, zxid.counter() as i32, 1_700_000_000_000);
    TxnHeader { session, cxid, zxid, time_ms, op: Op::CREATE }.encode(&mut out);
    let mut acl = Vec::new();
    Acl::encode_list(&Acl::open(), &mut acl);
    encode_create(&mut out, Op::CREATE, path, Some(b"x"), &acl, false, 1, -1);
    if let Some(digest) = digest {
        zk_core::txn::encode_digest(&mut out, digest);
    }
    assert!(Txn::decode(&out).is_ok(), "the script's own txn decodes");
    out
}

impl Stage {
    /// Server `me` of `count` voters, on an empty disk.
    pub fn new(me: i64, count: usize) -> Stage {
        Stage::with_log(me, count, Epochs::default(), &[])
    }

    /// The same with a log and epochs on its disk.
    pub fn with_log(me: i64, count: usize, epochs: Epochs, log: &[(Zxid, Vec<u8>)]) -> Stage {
        let config = config(&Plan::quiet(count, 0), me as usize - 1, 1);
        let mut stage = Stage {
            me,
            config,
            replica: None,
            disk: Disk::new(1),
            now: Now { mono_ms: 1, wall_ms: 1_700_000_000_000 },
            effects: Effects::new(),
            sent: BTreeMap::new(),
            dialed: VecDeque::new(),
            closed: BTreeSet::new(),
            next_accepted: PeerId::ACCEPTED,
            serves: false,
            lines: Vec::new(),
        };
        for (zxid, txn) in log {
            stage.disk.append(*zxid, Rc::from(&txn[..]));
        }
        stage.disk.sync(0);
        stage.disk.push(0, Work::Epochs(epochs));
        while stage.disk.finish(&stage.config).is_some() {}
        stage.start();
        stage
    }

    /// Its id.
    pub fn me(&self) -> i64 {
        self.me
    }

    /// Its process starts.
    pub fn start(&mut self) {
        let recovered = self.disk.load(&self.config).expect("it starts");
        self.replica = Some(Replica::new(self.config.clone(), recovered, self.now));
        self.step(Event::Tick);
    }

    /// Its process ends, and starts again from what is on disk.
    pub fn restart(&mut self) {
        self.replica = None;
        self.disk.crash(Loss::Power, &mut Rng::new(1)).expect("what is durable is found");
        self.sent.clear();
        self.dialed.clear();
        self.serves = false;
        self.start();
    }

    /// An event, and what follows from it.
    pub fn step(&mut self, event: Event<'_>) {
        let replica = self.replica.as_mut().expect("it runs");
        let mut effects = std::mem::take(&mut self.effects);
        replica.step(self.now, event, &mut effects);
        for effect in &effects.list {
            if !self.disk.carry_out_at_once(effect, &effects.bytes) {
                self.carry_out(effect, &effects.bytes);
            }
        }
        effects.clear();
        self.effects = effects;
        if self.disk.wants_sync() {
            self.disk.sync(0);
        }
        while let Some(done) = self.disk.finish(&self.config) {
            done.tell(|event| self.step(event));
        }
        while self.replica.as_ref().is_some_and(Replica::snapshot_runs) {
            self.step(Event::SnapshotSlice { bytes_max: 1 << 16 });
        }
    }

    fn carry_out(&mut self, effect: &Effect, bytes: &[u8]) {
        match effect {
            Effect::Dial { peer, addresses, port } => {
                let host = addresses.first().and_then(|(host, _)| host.strip_prefix("host"));
                let sid = host.and_then(|number| number.parse().ok()).expect("a host of the plan");
                self.dialed.push_back((*peer, sid, *port));
            }
            Effect::SendPeer { peer, bytes: range } => {
                self.sent.entry(*peer).or_default().extend_from_slice(&bytes[range.clone()]);
            }
            Effect::ClosePeer { peer } => {
                self.closed.insert(*peer);
            }
            Effect::Serve { on } => self.serves = *on,
            Effect::Log { line, .. } => self.lines.push(line.clone()),
            // There are no clients here, and no configurations that change.
            _ => {}
        }
    }

    /// Time passes.
    pub fn pass(&mut self, ms: i64) {
        let until_ms = self.now.mono_ms + ms;
        while self.now.mono_ms < until_ms {
            let due_ms = self.replica.as_ref().expect("it runs").deadline(self.now);
            let next_ms = due_ms.clamp(self.now.mono_ms + 1, until_ms);
            self.now.wall_ms += next_ms - self.now.mono_ms;
            self.now.mono_ms = next_ms;
            self.step(Event::Tick);
        }
    }

    /// A peer connects to one of its ports.
    pub fn connect(&mut self, port: Port) -> PeerId {
        self.next_accepted += 1;
        let peer = PeerId(self.next_accepted);
        self.step(Event::PeerAccepted { peer, port });
        peer
    }

    /// Takes the call of the server to a peer, if there is one.
    pub fn take_call(&mut self, sid: i64, port: Port) -> Option<PeerId> {
        let at = self.dialed.iter().position(|call| (call.1, call.2) == (sid, port))?;
        let (peer, ..) = self.dialed.remove(at)?;
        self.step(Event::PeerConnected { peer });
        Some(peer)
    }

    /// A peer hangs up, or cannot be reached.
    pub fn hang_up(&mut self, peer: PeerId) {
        self.step(Event::PeerClosed { peer });
    }

    /// Lets the server's calls to a peer fail.
    pub fn refuse_calls(&mut self, sid: i64) -> usize {
        let (refused, others): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.dialed).into_iter().partition(|call| call.1 == sid);
        self.dialed = others;
        let count = refused.len();
        refused.into_iter().for_each(|(peer, ..)| self.step(Event::PeerClosed { peer }));
        count
    }

    /// Whether the server has ended a connection.
    pub fn is_closed(&self, peer: PeerId) -> bool {
        self.closed.contains(&peer)
    }

    /// A peer sends bytes.
    pub fn send(&mut self, peer: PeerId, bytes: &[u8]) {
        if !self.is_closed(peer) {
            self.step(Event::PeerBytes { peer, bytes });
        }
    }

    /// A peer sends a packet of the quorum port.
    pub fn say(&mut self, peer: PeerId, kind: i32, zxid: Zxid, data: Option<&[u8]>) {
        let mut out = Vec::new();
        packet::put(kind, zxid, data, &mut out);
        self.send(peer, &out);
    }

    /// What the server sent to a peer since the script last asked, as bytes.
    pub fn bytes_to(&mut self, peer: PeerId) -> Vec<u8> {
        self.sent.remove(&peer).unwrap_or_default()
    }

    /// The packets that the server sent to a peer since; pings are left out, and a SNAP ends it.
    pub fn heard(&mut self, peer: PeerId) -> Vec<Said> {
        let bytes = self.bytes_to(peer);
        let (mut rest, mut heard) = (&bytes[..], Vec::new());
        while let Ok(Some((said, length))) = packet::Packet::cut(rest) {
            rest = &rest[length..];
            if said.kind != kind::PING {
                heard.push((said.kind, said.zxid, said.data.map(<[u8]>::to_vec)));
            }
            if said.kind == kind::SNAP {
                break;
            }
        }
        heard
    }

    /// The kinds and zxids of what the server sent to a peer since.
    pub fn kinds(&mut self, peer: PeerId) -> Vec<(i32, Zxid)> {
        self.heard(peer).into_iter().map(|(kind, zxid, _)| (kind, zxid)).collect()
    }

    /// The initial message of a server on the election port.
    pub fn initial(sid: i64) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_long(-65536);
        out.put_long(sid);
        out.put_string(&format!("host{sid}:3888"));
        out
    }

    /// A connection for votes between a peer and the server.
    ///
    /// # Panics
    /// When the server has the larger id and does not call.
    pub fn vote_link(&mut self, sid: i64) -> PeerId {
        if sid > self.me {
            let peer = self.connect(Port::Election);
            self.send(peer, &Stage::initial(sid));
            return peer;
        }
        let call = self.take_call(sid, Port::Election);
        call.expect("who has the larger id calls")
    }

    /// A notification in the form of today's servers. Shorter forms are its beginning.
    pub fn notification(&self, state: State, vote: Vote) -> Vec<u8> {
        let members = &self.config.ensemble.as_ref().expect("there is an ensemble").members;
        let mut out = Vec::new();
        notification::put(state, vote, &members.text, &mut out);
        out
    }

    /// A peer says what it votes for, in so many bytes of the whole form.
    pub fn vote(&mut self, peer: PeerId, state: State, vote: Vote, bytes: usize) {
        let whole = self.notification(state, vote);
        let mut frame = Vec::new();
        frame.put_buffer(Some(&whole[..bytes.min(whole.len())]));
        self.send(peer, &frame);
    }

    /// The server, which must be server 1, learns from others that server 3 leads, and connects to it.
    /// Gives the connection once the server has introduced itself and promised the epoch.
    ///
    /// # Panics
    /// When it does not come.
    pub fn is_led(&mut self, epoch: i64) -> PeerId {
        assert_eq!(self.me, 1);
        let vote = Vote { leader: 3, zxid: Zxid::ZERO, round: 1, epoch };
        for (sid, state) in [(2, State::Following), (3, State::Leading)] {
            let link = self.vote_link(sid);
            self.vote(link, state, vote, usize::MAX);
        }
        self.pass(300);
        let leader = self.take_call(3, Port::Quorum).expect("it follows");
        assert_eq!(self.heard(leader)[0].0, kind::FOLLOWERINFO);
        let base = Zxid::new(epoch as i32, 0);
        self.say(leader, kind::LEADERINFO, base, Some(&PROTOCOL.to_be_bytes()));
        let promise = self.kinds(leader);
        assert_eq!(promise.last().map(|(kind, _)| *kind), Some(kind::ACKEPOCH), "{promise:?}");
        leader
    }

    /// The server, which must be the one with the largest id, is elected by the others. Gives the
    /// connections over which they vote.
    pub fn is_elected(&mut self) -> Vec<PeerId> {
        let links: Vec<PeerId> = (1..self.me).map(|sid| self.vote_link(sid)).collect();
        self.elect(&links, 1);
        links
    }

    /// All others vote for the server, in this round.
    pub fn elect(&mut self, links: &[PeerId], round: i64) {
        let epoch = self.disk.epochs().current;
        // Who has led stands at the beginning of its epoch.
        let zxid = self.disk.durable_last().max(Zxid::new(epoch as i32, 0));
        let vote = Vote { leader: self.me, zxid, round, epoch };
        links.iter().for_each(|link| self.vote(*link, State::Looking, vote, usize::MAX));
        self.pass(300);
    }

    /// A follower with this on its disk comes to the server, and has promised it the epoch. `info`:
    /// what it says of itself.
    ///
    /// # Panics
    /// When the server tells it no epoch.
    pub fn follower(&mut self, last: Zxid, epochs: Epochs, info: &[u8]) -> PeerId {
        let peer = self.connect(Port::Quorum);
        let accepted = Zxid::new(epochs.accepted as i32, 0);
        self.say(peer, kind::FOLLOWERINFO, accepted, Some(info));
        let asked = self.kinds(peer);
        assert_eq!(
            asked.first().map(|(kind, _)| *kind),
            Some(kind::LEADERINFO),
            "{:?}",
            self.lines
        );
        let current = (epochs.current as i32).to_be_bytes();
        self.say(peer, kind::ACKEPOCH, last, Some(&current));
        peer
    }
}

/// What a follower says of itself: its id, the protocol, and the version of its configuration, as far
/// as `longs` wants it (8, 12 or 20 bytes).
pub fn learner_info(sid: i64, bytes: usize) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_long(sid);
    out.put_int(PROTOCOL);
    out.put_long(0);
    out.truncate(bytes);
    out
}
