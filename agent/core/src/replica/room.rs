//! An ensemble in one place, driven by hand: messages arrive at once and in order unless they are
//! held, disks are quick, and time passes when the test says so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

use zk_wire::connect::{ConnectRequest, ConnectResponse};
use zk_wire::header::{ReplyHeader, RequestHeader};
use zk_wire::jute::Reader;
use zk_wire::request::{ReconfigRequest, encode_create};
use zk_wire::{Acl, Code, Op, Zxid, frame};

use crate::config::{Config, EmptyDisk, EnsembleConfig};
use crate::effect::{Effect, Effects};
use crate::event::Event;
use crate::history::LogPiece;
use crate::ids::{ConnId, Epochs, PeerId, Port};
use crate::load::{Loader, Recovered};
use crate::members::{Members, Sid};
use crate::replica::Replica;
use crate::time::Now;

const CONN: ConnId = ConnId(0);

/// What is on its way to a server.
#[derive(Clone, Debug)]
enum Mail {
    Accepted(PeerId, Port),
    Connected(PeerId),
    Bytes(PeerId, Vec<u8>),
    Drained(PeerId),
    Closed(PeerId),
}

/// A server with its disk and one client.
pub(super) struct Node {
    pub replica: Option<Replica>,
    pub config: Config,
    pub epochs: Epochs,
    pub log: Vec<(Zxid, Vec<u8>)>,
    /// A database that was received, and the zxid it stands at.
    pub base: Option<(Zxid, Vec<Vec<u8>>)>,
    writing: Option<(Zxid, bool, Vec<Vec<u8>>)>,
    /// Behind this txn the log cannot be read.
    pub log_damaged_behind: Zxid,
    pub serves: bool,
    opened: bool,
    /// The handshake was answered.
    connected: bool,
    xid: i32,
    /// Xids and codes of what its client was answered.
    pub answers: BTreeMap<i32, Code>,
    /// Further clients.
    pub guests: BTreeMap<ConnId, Guest>,
    pub lines: Vec<String>,
}

impl Node {
    fn recover(&self) -> Recovered {
        let mut loader = Loader::new(&self.config);
        if let Some((zxid, pieces)) = &self.base {
            for piece in pieces {
                loader.piece(piece).unwrap();
            }
            loader.snapshot_end(*zxid).unwrap();
        }
        for (zxid, txn) in &self.log {
            loader.txn(*zxid, txn).unwrap();
        }
        let mut recovered = loader.finish();
        recovered.epochs = self.epochs;
        recovered
    }

    /// The next txns of the log, unless it cannot be read.
    fn read_log(&self, after: Zxid, through: Zxid) -> Option<LogPiece> {
        let below = self.log.iter().rfind(|(zxid, _)| *zxid <= after);
        let above = self.log.iter().filter(|(zxid, _)| *zxid > after && *zxid <= through);
        let bytes_above = above.clone().map(|(_, txn)| txn.len() as u64).sum();
        let mut piece = LogPiece::new(below.map(|(zxid, _)| *zxid), bytes_above);
        for (zxid, txn) in above.take(3) {
            piece.push(*zxid, txn);
        }
        (after < self.log_damaged_behind).then_some(piece)
    }

    fn hear(&mut self, conn: ConnId, mut frames: &[u8]) {
        if conn != CONN {
            return self.guests.entry(conn).or_default().hear(frames);
        }
        while let frame::Cut::Frame { length } = frame::cut(frames, usize::MAX) {
            let header = ReplyHeader::decode(&mut Reader::new(&frames[4..4 + length]));
            if let Ok(header) = header
                && self.connected
            {
                self.answers.insert(header.xid, header.code);
            }
            self.connected = true;
            frames = &frames[4 + length..];
        }
    }

    /// The snapshot is on disk.
    fn publish(&mut self) -> Zxid {
        let (zxid, replaces, pieces) = self.writing.take().expect("a snapshot is written");
        if replaces {
            self.log.clear();
            self.base = Some((zxid, pieces));
        }
        zxid
    }
}

/// A client beside the one that every server has.
#[derive(Debug, Default)]
pub(super) struct Guest {
    /// The answer to its handshake.
    pub greeted: Option<ConnectResponse>,
    /// The answers to its requests.
    pub replies: Vec<ReplyHeader>,
    /// The server has closed its connection.
    pub closed: bool,
}

impl Guest {
    fn hear(&mut self, mut frames: &[u8]) {
        while let frame::Cut::Frame { length } = frame::cut(frames, usize::MAX) {
            let mut reader = Reader::new(&frames[4..4 + length]);
            match self.greeted {
                None => self.greeted = Some(ConnectResponse::decode(&mut reader).unwrap()),
                Some(_) => self.replies.push(ReplyHeader::decode(&mut reader).unwrap()),
            }
            frames = &frames[4 + length..];
        }
    }
}

/// What a server's own disk and clients have to say.
enum Done {
    Epochs(Epochs),
    Slice,
    Taken(Zxid),
    Closed(ConnId),
    Read(PeerId, Zxid, Option<LogPiece>),
    Reloaded,
}

/// Everyone.
pub(super) struct Room {
    pub nodes: BTreeMap<Sid, Node>,
    now: Now,
    mail: VecDeque<(Sid, Mail)>,
    links: BTreeMap<(Sid, PeerId), (Sid, PeerId)>,
    next_accepted: u64,
    /// Whose disks have nothing durable for now.
    pub slow: BTreeSet<Sid>,
    /// Who gets no mail for now, and what waits for them.
    pub held: BTreeSet<Sid>,
    /// Whose network takes nothing: it hears of none that it has taken what was sent.
    pub stuck: BTreeSet<Sid>,
    waiting: Vec<(Sid, Mail)>,
    /// What is particular to the settings of its servers.
    change: Box<dyn Fn(&mut Config)>,
}

/// The line of a server in its usual place.
pub(super) fn line(sid: Sid, role: &str) -> String {
    format!("server.{sid}=h{sid}:1:2:{role};0.0.0.0:3")
}

/// A list of voters, of version 0.
pub(super) fn voters(sids: &[Sid]) -> Members {
    let lines: Vec<String> = sids.iter().map(|sid| line(*sid, "participant")).collect();
    Members::parse(&lines.join("\n")).unwrap()
}

impl Room {
    /// These servers, which know each other and have elected a leader.
    pub fn of(sids: &[Sid]) -> Room {
        Room::with(sids, |_| {})
    }

    /// The same, with other settings.
    pub fn with(sids: &[Sid], change: impl Fn(&mut Config) + 'static) -> Room {
        let mut room = Room {
            nodes: BTreeMap::new(),
            now: Now { mono_ms: 1, wall_ms: 1_700_000_000_000 },
            mail: VecDeque::new(),
            links: BTreeMap::new(),
            next_accepted: PeerId::ACCEPTED,
            slow: BTreeSet::new(),
            held: BTreeSet::new(),
            stuck: BTreeSet::new(),
            waiting: Vec::new(),
            change: Box::new(change),
        };
        for sid in sids {
            room.enter(*sid, voters(sids));
        }
        room.pass(1_000);
        assert!(room.leader().is_some(), "nobody leads: {}", room.story());
        room
    }

    /// A server comes with an empty disk and this configuration.
    pub fn enter(&mut self, sid: Sid, members: Members) {
        let ensemble = EnsembleConfig {
            me: sid,
            members,
            proposed: None,
            init_ticks: 5,
            sync_ticks: 3,
            settle_ms: 25,
            cluster: Default::default(),
            fresh_cluster: 100 + sid as u128,
            empty_disk: EmptyDisk::Votes,
        };
        let mut config = Config {
            session_tag: sid as u8,
            tick_ms: 1_000,
            reconfig_enabled: true,
            skip_acl: true,
            ensemble: Some(ensemble),
            ..Config::default()
        };
        (self.change)(&mut config);
        let node = Node {
            replica: None,
            config,
            epochs: Epochs::default(),
            log: Vec::new(),
            base: None,
            writing: None,
            log_damaged_behind: Zxid(i64::MAX),
            serves: false,
            opened: false,
            connected: false,
            xid: 0,
            answers: BTreeMap::new(),
            guests: BTreeMap::new(),
            lines: Vec::new(),
        };
        self.nodes.insert(sid, node);
        self.start(sid);
    }

    /// A server starts from its disk. The settings refuse a list that has no place for it.
    pub fn start(&mut self, sid: Sid) {
        let now = self.now;
        let node = self.nodes.get_mut(&sid).unwrap();
        if !node.config.ensemble.as_ref().unwrap().members.servers.contains_key(&sid) {
            return;
        }
        node.replica = Some(Replica::new(node.config.clone(), node.recover(), now));
        self.step(sid, Event::Tick);
    }

    /// A server starts whose list has no place for it, with one that an operator gives it: the newest
    /// that there is, and itself.
    pub fn start_with_a_list(&mut self, sid: Sid) {
        let lists = self.nodes.values().filter(|node| node.replica.is_some());
        let lists = lists.map(|node| &node.config.ensemble.as_ref().unwrap().members);
        let newest = lists.max_by_key(|members| members.version).expect("somebody runs");
        let mut text = newest.with_version(0).text;
        text.push_str(&format!("\n{}", line(sid, "participant")));
        let ensemble = self.nodes.get_mut(&sid).unwrap().config.ensemble.as_mut().unwrap();
        (ensemble.members, ensemble.proposed) = (Members::parse(&text).unwrap(), None);
        self.start(sid);
    }

    /// A server ends without a word; its disk keeps what it has.
    pub fn crash(&mut self, sid: Sid) {
        let node = self.nodes.get_mut(&sid).unwrap();
        node.replica = None;
        (node.serves, node.opened, node.connected) = (false, false, false);
        node.guests.clear();
        node.writing = None;
        self.mail.retain(|(to, _)| *to != sid);
        self.waiting.retain(|(to, _)| *to != sid);
        let of = |end: &&(Sid, PeerId)| end.0 == sid;
        for end in self.links.keys().filter(of).copied().collect::<Vec<_>>() {
            self.part(end);
        }
    }

    fn part(&mut self, end: (Sid, PeerId)) {
        if let Some((to, peer)) = self.links.remove(&end) {
            self.links.remove(&(to, peer));
            self.mail.push_back((to, Mail::Closed(peer)));
        }
    }

    pub fn step(&mut self, sid: Sid, event: Event<'_>) {
        let Some(node) = self.nodes.get_mut(&sid) else { return };
        let Some(replica) = &mut node.replica else { return };
        let mut effects = Effects::new();
        replica.step(self.now, event, &mut effects);
        let Effects { list, bytes } = effects;
        let mut done = VecDeque::new();
        for effect in list {
            self.carry_out(sid, effect, &bytes, &mut done);
        }
        for done in done {
            match done {
                Done::Epochs(epochs) => self.step(sid, Event::EpochsSaved { epochs }),
                Done::Slice => self.step(sid, Event::SnapshotSlice { bytes_max: usize::MAX }),
                Done::Taken(zxid) => self.step(sid, Event::SnapshotTaken { zxid }),
                Done::Read(peer, after, piece) => {
                    let piece = piece.as_ref();
                    self.step(sid, Event::LogRead { peer, after, piece });
                }
                Done::Closed(conn) => self.step(sid, Event::ClientClosed { conn }),
                Done::Reloaded => {
                    let mut recovered = Some(Box::new(self.nodes[&sid].recover()));
                    self.step(sid, Event::Reloaded { recovered: &mut recovered });
                }
            }
        }
        self.sync_disk(sid);
    }

    /// Makes a log durable, unless its disk is slow.
    fn sync_disk(&mut self, sid: Sid) {
        let node = self.nodes.get_mut(&sid).unwrap();
        let newest = node.log.last().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
        if self.slow.contains(&sid) {
            return;
        }
        if node.replica.as_ref().is_some_and(|replica| replica.durable < newest) {
            self.step(sid, Event::Durable { zxid: newest });
        }
    }

    fn carry_out(&mut self, sid: Sid, effect: Effect, bytes: &[u8], done: &mut VecDeque<Done>) {
        let node = self.nodes.get_mut(&sid).unwrap();
        match effect {
            Effect::Append { zxid, txn } => node.log.push((zxid, bytes[txn].to_vec())),
            Effect::Send { conn, frames } => node.hear(conn, &bytes[frames]),
            Effect::Close { conn } if conn != CONN => {
                node.guests.entry(conn).or_default().closed = true;
                done.push_back(Done::Closed(conn));
            }
            Effect::Close { conn } => {
                (node.opened, node.connected) = (false, false);
                done.push_back(Done::Closed(conn));
            }
            Effect::Serve { on } => node.serves = on,
            Effect::Log { line, .. } => node.lines.push(line),
            Effect::SaveEpochs { epochs } => {
                node.epochs = epochs;
                done.push_back(Done::Epochs(epochs));
            }
            Effect::SaveCluster { cluster } => {
                node.config.ensemble.as_mut().unwrap().cluster = cluster;
            }
            Effect::MembersProposed { members } => {
                node.config.ensemble.as_mut().unwrap().proposed = Some(*members);
            }
            Effect::MembersInForce { members, kept } if kept => {
                node.config.ensemble.as_mut().unwrap().members = *members;
            }
            Effect::ReadLog { peer, after, through, .. } => {
                done.push_back(Done::Read(peer, after, node.read_log(after, through)));
            }
            Effect::Reload { cut } => {
                node.log.retain(|(zxid, _)| cut.is_none_or(|cut| *zxid <= cut));
                done.push_back(Done::Reloaded);
            }
            Effect::SnapshotBegin { zxid, replaces } => {
                node.writing = Some((zxid, replaces, Vec::new()));
                done.push_back(Done::Slice);
            }
            Effect::SnapshotBytes { piece, last } => {
                let (_, _, pieces) = node.writing.as_mut().expect("a snapshot is written");
                pieces.push(bytes[piece].to_vec());
                match last {
                    true => done.push_back(Done::Taken(node.publish())),
                    false => done.push_back(Done::Slice),
                }
            }
            Effect::SnapshotAbandon => node.writing = None,
            Effect::Dial { peer, addresses, port } => self.dial((sid, peer), &addresses, port),
            Effect::SendPeer { peer, bytes: range } => {
                if let Some((to, there)) = self.links.get(&(sid, peer)).copied() {
                    self.mail.push_back((to, Mail::Bytes(there, bytes[range].to_vec())));
                    self.mail.push_back((sid, Mail::Drained(peer)));
                }
            }
            Effect::ClosePeer { peer } => self.part((sid, peer)),
            Effect::Pause { .. } | Effect::Resume { .. } | Effect::MembersInForce { .. } => {}
            other => panic!("server {sid} wants {other:?}"),
        }
    }

    /// A place is named `h` and the server's id, and perhaps a letter behind it.
    fn dial(&mut self, from: (Sid, PeerId), addresses: &[(String, u16)], port: Port) {
        let place = |(host, _): &(String, u16)| {
            let sid = host.trim_matches(|c: char| c.is_alphabetic()).parse::<Sid>().ok()?;
            let node = self.nodes.get(&sid).filter(|node| node.replica.is_some())?;
            let own = &node.config.ensemble.as_ref().unwrap().members.servers;
            // Who is in no list stays where it was.
            let own = own.get(&sid).is_none_or(|own| own.quorum[0].0 == *host);
            own.then_some(sid)
        };
        let Some(to) = addresses.iter().find_map(place) else {
            return self.mail.push_back((from.0, Mail::Closed(from.1)));
        };
        self.next_accepted += 1;
        let there = (to, PeerId(self.next_accepted));
        self.links.insert(from, there);
        self.links.insert(there, from);
        self.mail.push_back((to, Mail::Accepted(there.1, port)));
        self.mail.push_back((from.0, Mail::Connected(from.1)));
    }

    /// Delivers everything that is on its way.
    pub fn deliver(&mut self) {
        let mut count = 0;
        while let Some((sid, mail)) = self.mail.pop_front() {
            count += 1;
            assert!(
                count < 100_000,
                "they talk without an end: {mail:?} to {sid} {}",
                self.story()
            );
            let stuck = matches!(mail, Mail::Drained(_)) && self.stuck.contains(&sid);
            if stuck || self.held.contains(&sid) {
                self.waiting.push((sid, mail));
                continue;
            }
            match mail {
                Mail::Accepted(peer, port) => self.step(sid, Event::PeerAccepted { peer, port }),
                Mail::Connected(peer) => self.step(sid, Event::PeerConnected { peer }),
                Mail::Bytes(peer, bytes) => {
                    self.step(sid, Event::PeerBytes { peer, bytes: &bytes });
                }
                Mail::Drained(peer) => self.step(sid, Event::PeerDrained { peer }),
                Mail::Closed(peer) => {
                    self.links.remove(&(sid, peer));
                    self.step(sid, Event::PeerClosed { peer });
                }
            }
        }
    }

    /// What was held for a server arrives.
    pub fn release(&mut self, sid: Sid) {
        self.held.remove(&sid);
        self.stuck.remove(&sid);
        let waiting = std::mem::take(&mut self.waiting);
        // Before what is on its way since.
        let (mut now, later): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(to, _)| *to == sid);
        self.waiting = later;
        now.extend(std::mem::take(&mut self.mail));
        self.mail = now.into();
        self.deliver();
    }

    /// A slow disk has done what it was asked for.
    pub fn hurry(&mut self, sid: Sid) {
        self.slow.remove(&sid);
        self.sync_disk(sid);
        self.deliver();
    }

    /// What is held never arrives.
    pub fn lose_held(&mut self) {
        self.waiting.clear();
    }

    /// Lets time pass, and everything happen that comes with it.
    pub fn pass(&mut self, ms: i64) {
        let end_ms = self.now.mono_ms + ms;
        self.deliver();
        while self.now.mono_ms < end_ms {
            self.now.mono_ms += 5;
            self.now.wall_ms += 5;
            let due: Vec<Sid> =
                self.nodes.iter().filter(|(_, n)| self.is_due(n)).map(|(s, _)| *s).collect();
            for sid in due {
                self.step(sid, Event::Tick);
            }
            self.deliver();
        }
    }

    fn is_due(&self, node: &Node) -> bool {
        // As the loop does, every server wakes once a second.
        let wakes = self.now.mono_ms % 1_000 < 5;
        node.replica.as_ref().is_some_and(|r| wakes || r.deadline(self.now) <= self.now.mono_ms)
    }

    /// Who leads and serves, in the newest epoch.
    pub fn leader(&self) -> Option<Sid> {
        let leads = |(sid, node): (&Sid, &Node)| Some((node.replica.as_ref()?.leads()?, *sid));
        self.nodes.iter().filter_map(leads).max().map(|(_, sid)| sid)
    }

    /// A client of a server asks for something; its xid.
    pub fn ask(&mut self, sid: Sid, op: Op, body: impl FnOnce(&mut Vec<u8>)) -> i32 {
        if !std::mem::replace(&mut self.nodes.get_mut(&sid).unwrap().opened, true) {
            let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
            self.step(sid, Event::ClientOpened { conn: CONN, peer });
            let request = ConnectRequest {
                protocol_version: 0,
                last_zxid_seen: 0,
                timeout_ms: 20_000,
                session_id: 0,
                password: None,
                read_only: Some(false),
            };
            let mut bytes = Vec::new();
            request.encode(&mut bytes);
            self.step(sid, Event::ClientRequest { conn: CONN, frame: &bytes });
            self.deliver();
        }
        let node = self.nodes.get_mut(&sid).unwrap();
        node.xid += 1;
        let xid = node.xid;
        let mut bytes = Vec::new();
        RequestHeader { xid, op }.encode(&mut bytes);
        body(&mut bytes);
        self.step(sid, Event::ClientRequest { conn: CONN, frame: &bytes });
        self.deliver();
        xid
    }

    /// A further client of a server says hello.
    pub fn greet(&mut self, sid: Sid, conn: ConnId, request: &ConnectRequest<'_>) {
        self.nodes.get_mut(&sid).unwrap().guests.insert(conn, Guest::default());
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        self.step(sid, Event::ClientOpened { conn, peer });
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        self.step(sid, Event::ClientRequest { conn, frame: &bytes });
    }

    /// A further client asks for something.
    pub fn send(&mut self, sid: Sid, conn: ConnId, xid: i32, op: Op, body: &[u8]) {
        let mut bytes = Vec::new();
        RequestHeader { xid, op }.encode(&mut bytes);
        bytes.extend_from_slice(body);
        self.step(sid, Event::ClientRequest { conn, frame: &bytes });
    }

    /// A create; its xid.
    pub fn create(&mut self, sid: Sid, path: &str) -> i32 {
        self.ask(sid, Op::CREATE, |out| encode_create(out, path, Some(b"x"), &Acl::open(), 0, None))
    }

    /// A reconfig; its xid.
    pub fn reconfigure(&mut self, sid: Sid, joining: &[String], leaving: &str) -> i32 {
        let joining = (!joining.is_empty()).then(|| joining.join(",").into());
        let leaving = (!leaving.is_empty()).then(|| leaving.to_owned().into());
        let request = ReconfigRequest { joining, leaving, members: None, config_id: -1 };
        self.ask(sid, Op::RECONFIG, |out| request.encode(out))
    }

    /// What a client was answered.
    pub fn answer(&self, sid: Sid, xid: i32) -> Option<Code> {
        self.nodes[&sid].answers.get(&xid).copied()
    }

    /// Ids in the configuration in force, as a server that runs knows it.
    pub fn members(&self, sid: Sid) -> Vec<Sid> {
        let us = self.nodes[&sid].replica.as_ref().unwrap().ensemble.as_ref().unwrap();
        us.known.committed.servers.keys().copied().collect()
    }

    /// Whether a server has a znode.
    pub fn has(&self, sid: Sid, path: &str) -> bool {
        let replica = self.nodes[&sid].replica.as_ref();
        replica.is_some_and(|replica| replica.tree().find(path).is_some())
    }

    /// What servers said, for a failed test.
    pub fn story(&self) -> String {
        let of = |(sid, node): (&Sid, &Node)| format!("{sid}:\n  {}", node.lines.join("\n  "));
        self.nodes.iter().map(of).collect::<Vec<_>>().join("\n")
    }
}
