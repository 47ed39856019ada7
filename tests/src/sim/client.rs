//! A simulated client: a session that outlives connections, requests in a pipeline, watches that it
//! sets again after it moved, and the record of everything that it asked and was told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use zk_wire::connect::{ConnectRequest, ConnectResponse, session_password};
use zk_wire::header::{ReplyHeader, RequestHeader, xid};
use zk_wire::jute::Reader;
use zk_wire::request::SetWatchesRequest;
use zk_wire::watch::{WatcherEvent, event};
use zk_wire::{Code, Op, frame};

use super::asks;
use super::mirror::Mirror;
use crate::drive::model::{Answer, Change};
use crate::history::record::Touch;
use crate::history::{Entry, Event, Reply, Request};
use crate::rng::Rng;

/// What all clients did and saw, in the order in which it happened.
#[derive(Debug, Default)]
pub struct Recorder {
    /// The events so far.
    pub entries: Vec<Entry>,
    /// Sessions that a server gave which only reads.
    pub limited: BTreeSet<i64>,
    /// The present, in ms.
    pub now_ms: i64,
    calls: u64,
}

impl Recorder {
    fn add(&mut self, event: Event) {
        self.entries.push(Entry { at_ms: self.now_ms, event });
    }
}

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It is not connected.
    Away,
    /// It has sent its connect request.
    Connecting,
    /// It has a session.
    Open,
}

/// What a client is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// It asks for anything.
    All,
    /// It reads and syncs, and waits for no write: nothing makes it leave a leader that lost the others.
    Reads,
    /// It keeps a copy of the tree by watches.
    Mirrors,
}

/// A watch that fires once, by what it was left by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Left {
    Data,
    Exists,
    Children,
}

#[derive(Debug)]
struct Asked {
    call: u64,
    xid: i32,
    request: Request,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    /// Its number.
    pub number: usize,
    /// The server that it is connected to, with the number of the connection.
    pub at: Option<(usize, u32)>,
    /// How far it has come.
    pub phase: Phase,
    /// When it gives up on what it waits for.
    pub patience_ms: i64,
    /// When it does the next thing.
    pub next_ms: i64,
    /// The session; 0 for none.
    pub session: i64,
    timeout_ms: i32,
    wanted_ms: i32,
    last_zxid: i64,
    xid: i32,
    asked: VecDeque<Asked>,
    watches: BTreeSet<(String, Left)>,
    /// Znodes with the versions that it was told last.
    known: BTreeMap<String, i32>,
    /// What it keeps by persistent watches, if it is one of those.
    pub mirror: Option<Mirror>,
    habit: Habit,
    /// It is content with a server that only reads.
    pub reads_only: bool,
    /// New sessions are known to their server only.
    pub locally: bool,
    /// Its session is the ensemble's, as far as it was shown.
    shared: bool,
    /// Its server only reads.
    pub limited: bool,
    sent_ms: i64,
    /// Requests that were answered.
    pub answered: u64,
    /// Sessions that it lost.
    pub expired: u64,
    /// Times that it came back to its session.
    pub moved: u64,
}

/// What became of bytes of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The connection goes on.
    Fine,
    /// The client wants to say something at once.
    Say,
    /// The client closes the connection.
    Close,
}

impl Client {
    /// A client that has not connected.
    pub fn new(number: usize, wanted_ms: i32, habit: Habit) -> Client {
        Client {
            number,
            at: None,
            phase: Phase::Away,
            patience_ms: 0,
            next_ms: 0,
            session: 0,
            timeout_ms: wanted_ms,
            wanted_ms,
            last_zxid: 0,
            xid: 0,
            asked: VecDeque::new(),
            watches: BTreeSet::new(),
            known: BTreeMap::new(),
            mirror: (habit == Habit::Mirrors).then(Mirror::default),
            habit,
            reads_only: false,
            locally: false,
            shared: false,
            limited: false,
            sent_ms: 0,
            answered: 0,
            expired: 0,
            moved: 0,
        }
    }

    /// Requests that wait for their answers.
    pub fn waits(&self) -> usize {
        self.asked.len() + usize::from(self.phase == Phase::Connecting)
    }

    /// How long it may be silent, in ms.
    pub fn ping_ms(&self) -> i64 {
        i64::from(self.timeout_ms) / 3
    }

    /// The handshake.
    pub fn connect(&mut self, now_ms: i64) -> Vec<u8> {
        self.phase = Phase::Connecting;
        self.patience_ms = now_ms + i64::from(self.timeout_ms) * 2 / 3;
        let password = session_password(self.session);
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout_ms: self.wanted_ms,
            session_id: self.session,
            password: Some(&password[..]),
            read_only: Some(self.reads_only),
        };
        let mut out = Vec::new();
        request.encode(&mut out);
        out
    }

    /// The next request of chance, or a ping: the body of its frame.
    pub fn ask(&mut self, rng: &mut Rng, record: &mut Recorder) -> Vec<u8> {
        if self.mirror.is_some() || rng.one_in(12) {
            return self.ping(record.now_ms);
        }
        let known: Vec<(String, i32)> =
            self.known.iter().map(|(path, version)| (path.clone(), *version)).collect();
        let request = match rng.below(150) {
            0 => Request::Close,
            _ if self.habit == Habit::Reads => asks::read(rng, &known),
            _ => asks::request(rng, record.calls + 1, &known),
        };
        self.ask_for(request, record)
    }

    /// The frame of a request.
    pub fn ask_for(&mut self, request: Request, record: &mut Recorder) -> Vec<u8> {
        let mut out = Vec::new();
        self.xid += 1;
        record.calls += 1;
        asks::encode(self.xid, &request, &mut out);
        let (call, session, cxid) = (record.calls, self.session, self.xid);
        record.add(Event::Invoke { call, session, cxid, request: request.clone() });
        self.asked.push_back(Asked { call, xid: cxid, request });
        self.sent(record.now_ms);
        out
    }

    fn sent(&mut self, now_ms: i64) {
        if self.waits() <= 1 {
            self.patience_ms = now_ms + i64::from(self.timeout_ms) * 2 / 3;
        }
        self.sent_ms = now_ms;
    }

    /// Whether it has asked for the end of its session.
    pub fn closes(&self) -> bool {
        self.asked.back().is_some_and(|asked| matches!(asked.request, Request::Close))
    }

    /// A ping, when one is due.
    pub fn due_ping(&mut self, now_ms: i64) -> Option<Vec<u8>> {
        (now_ms - self.sent_ms >= self.ping_ms()).then(|| self.ping(now_ms))
    }

    fn ping(&mut self, now_ms: i64) -> Vec<u8> {
        let mut out = Vec::new();
        RequestHeader { xid: xid::PING, op: Op::PING }.encode(&mut out);
        self.sent_ms = now_ms;
        out
    }

    /// What it says first on a new connection: its watches.
    pub fn greet(&mut self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let mut lists: [Vec<_>; 5] = Default::default();
        for (path, left) in &self.watches {
            let at = match left {
                Left::Data => 0,
                Left::Exists => 1,
                Left::Children => 2,
            };
            lists[at].push(Some(path.clone().into()));
        }
        if let Some(mirror) = &mut self.mirror {
            if mirror.armed {
                lists[4].push(Some("/".into()));
            } else {
                let mut out = Vec::new();
                self.xid += 1;
                asks::encode_add_watch(self.xid, "/", true, &mut out);
                mirror.asked = Some(self.xid);
                frames.push(out);
            }
        }
        if lists.iter().any(|list| !list.is_empty()) {
            let mut out = Vec::new();
            RequestHeader { xid: xid::SET_WATCHES, op: Op::SET_WATCHES2 }.encode(&mut out);
            let lists = lists.map(Some);
            SetWatchesRequest { relative_zxid: self.last_zxid, lists }.encode(&mut out, true);
            frames.push(out);
        }
        frames
    }

    /// The connection is gone.
    pub fn disconnected(&mut self, record: &mut Recorder) {
        self.at = None;
        self.asked.clear();
        if std::mem::replace(&mut self.phase, Phase::Away) == Phase::Open && self.session != 0 {
            record.add(Event::Detached { session: self.session });
        }
        if let Some(mirror) = &mut self.mirror {
            mirror.detached();
        }
    }

    /// The session is over, whoever ended it.
    fn lost(&mut self) {
        self.session = 0;
        self.shared = false;
        self.last_zxid = 0;
        self.xid = 0;
        self.timeout_ms = self.wanted_ms;
        self.watches.clear();
        self.known.clear();
        if let Some(mirror) = &mut self.mirror {
            mirror.over();
        }
    }

    /// Takes frames of the server.
    ///
    /// # Errors
    /// What no server may answer.
    pub fn take(&mut self, mut bytes: &[u8], record: &mut Recorder) -> Result<Taken, String> {
        let mut taken = Taken::Fine;
        while let frame::Cut::Frame { length } = frame::cut(bytes, 1 << 20) {
            let body = &bytes[4..4 + length];
            bytes = &bytes[4 + length..];
            match self.take_frame(body, record)? {
                Taken::Fine => {}
                Taken::Say => taken = Taken::Say,
                Taken::Close => return Ok(Taken::Close),
            }
        }
        if bytes.is_empty() { Ok(taken) } else { Err("half a frame".to_owned()) }
    }

    fn take_frame(&mut self, body: &[u8], record: &mut Recorder) -> Result<Taken, String> {
        let mut reader = Reader::new(body);
        if self.phase == Phase::Connecting {
            return self.opened(&mut reader, record);
        }
        let header = ReplyHeader::decode(&mut reader).map_err(|error| error.to_string())?;
        match header.xid {
            xid::NOTIFICATION => self.told(&header, &mut reader, record)?,
            number if self.mirror.as_ref().is_some_and(|mirror| mirror.asked == Some(number)) => {
                let mirror = self.mirror.as_mut().expect("it asked");
                mirror.arm(header.zxid.0);
                self.last_zxid = self.last_zxid.max(header.zxid.0);
            }
            number if number < 0 => {
                // A ping or the watches: the answer to the latter says how far they reach.
                if let Some(mirror) = self.mirror.as_mut().filter(|_| number == xid::SET_WATCHES) {
                    mirror.arm(header.zxid.0);
                }
            }
            _ => return self.answered(&header, &mut reader, record),
        }
        Ok(Taken::Fine)
    }

    fn opened(&mut self, reader: &mut Reader<'_>, record: &mut Recorder) -> Result<Taken, String> {
        let response = ConnectResponse::decode(reader).map_err(|error| error.to_string())?;
        if response.session_id == 0 {
            if self.session == 0 {
                return Err("a new session is refused by an answer".to_owned());
            }
            self.expired += 1;
            // Another server knows nothing of a session that was this one's.
            if self.shared {
                record.add(Event::Expired { session: self.session });
            }
            self.lost();
            return Ok(Taken::Close);
        }
        if self.session != 0 && response.session_id != self.session {
            let (asked, given) = (self.session, response.session_id);
            return Err(format!("session {asked:#x} was answered as {given:#x}"));
        }
        self.limited = response.read_only == Some(true);
        if self.limited && !self.reads_only {
            return Err("it is served by who only reads, and did not ask for that".to_owned());
        }
        self.shared |= !self.locally && !self.limited;
        if self.limited {
            record.limited.insert(response.session_id);
        }
        self.moved += u64::from(self.session != 0);
        self.session = response.session_id;
        self.timeout_ms = response.timeout_ms;
        self.phase = Phase::Open;
        record
            .add(Event::Attached { session: self.session, timeout_ms: response.timeout_ms.into() });
        Ok(Taken::Say)
    }

    fn told(
        &mut self,
        header: &ReplyHeader,
        reader: &mut Reader<'_>,
        record: &mut Recorder,
    ) -> Result<(), String> {
        let told = WatcherEvent::decode(reader).map_err(|error| error.to_string())?;
        let (touch, gone): (_, &[Left]) = match told.kind {
            event::CREATED => (Touch::Created, &[Left::Data, Left::Exists]),
            event::DATA_CHANGED => (Touch::Data, &[Left::Data, Left::Exists]),
            event::DELETED => (Touch::Deleted, &[Left::Data, Left::Exists, Left::Children]),
            event::CHILDREN_CHANGED => (Touch::Children, &[Left::Children]),
            kind => return Err(format!("a watch event of kind {kind}")),
        };
        let mut watched = false;
        for left in gone {
            watched |= self.watches.remove(&(told.path.clone(), *left));
        }
        if let Some(mirror) = &mut self.mirror {
            return mirror.told(header.zxid.0, touch, told.path);
        }
        let zxid = (header.zxid.0 > 0).then_some(header.zxid.0);
        // Who sets several watches of a znode again that is gone is told once for each; the first
        // event takes them all, and libraries drop the rest.
        if zxid.is_none() && !watched && touch == Touch::Deleted {
            return Ok(());
        }
        record.add(Event::Watch { session: self.session, zxid, touch, path: told.path });
        Ok(())
    }

    fn answered(
        &mut self,
        header: &ReplyHeader,
        reader: &mut Reader<'_>,
        record: &mut Recorder,
    ) -> Result<Taken, String> {
        let asked = self.asked.pop_front().ok_or("an answer to nothing")?;
        if header.xid != asked.xid {
            return Err(format!("answer {} where {} is due", header.xid, asked.xid));
        }
        self.answered += 1;
        self.patience_ms = record.now_ms + i64::from(self.timeout_ms) * 2 / 3;
        let reply = asks::decode(&asked.request, header, reader);
        let reply = reply.map_err(|error| format!("{:?}: {error}", asked.request))?;
        let reads = asked.request.read_path().is_some() || matches!(asked.request, Request::Close);
        if self.limited && !reads && reply != Reply::Failed(Code::NOT_READ_ONLY) {
            return Err(format!("{:?} is answered {reply:?} by who only reads", asked.request));
        }
        if header.zxid.0 > 0 {
            self.last_zxid = self.last_zxid.max(header.zxid.0);
        }
        self.learn(&asked.request, &reply);
        record.add(Event::Return { call: asked.call, zxid: header.zxid.0, reply });
        if matches!(asked.request, Request::Close) {
            record.add(Event::Detached { session: self.session });
            self.lost();
            return Ok(Taken::Close);
        }
        Ok(Taken::Fine)
    }

    /// Keeps what helps to ask well, and the watches that were left.
    fn learn(&mut self, request: &Request, reply: &Reply) {
        // A session that has an ephemeral is the ensemble's.
        self.shared |= match (request, reply) {
            (Request::Change(change), Reply::Changed(_)) => change.is_ephemeral(),
            (Request::Multi(changes), Reply::Multi(_)) => changes.iter().any(Change::is_ephemeral),
            _ => false,
        };
        let missing = *reply == Reply::Failed(Code::NO_NODE);
        if let Some((path, true)) = request.read_path() {
            let left = match (request, reply) {
                (Request::Exists(..), Reply::Failed(_)) if missing => Some(Left::Exists),
                (_, Reply::Failed(_)) => None,
                (Request::Children(..), _) => Some(Left::Children),
                _ => Some(Left::Data),
            };
            self.watches.extend(left.map(|left| (path.to_owned(), left)));
        }
        match (request, reply) {
            (_, Reply::Changed(Answer::Created(path, _))) => self.know(path.clone(), 0),
            (Request::GetData(path, _) | Request::Exists(path, _), _) if missing => {
                self.known.remove(path);
            }
            (Request::GetData(path, _), Reply::Data(_, stat)) => {
                self.know(path.clone(), stat.version);
            }
            (Request::Exists(path, _), Reply::Stat(stat)) => self.know(path.clone(), stat.version),
            _ => {}
        }
    }

    fn know(&mut self, path: String, version: i32) {
        if self.known.len() >= 12 {
            self.known.pop_first();
        }
        self.known.insert(path, version);
    }
}
