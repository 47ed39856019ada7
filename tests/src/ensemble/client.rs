//! One client of a load: a session, its connection, and what it may expect.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use zk_wire::connect::{ConnectRequest, ConnectResponse};
use zk_wire::header::xid;
use zk_wire::{Code, Op, Reader};

use super::call;
use super::shared::{Plan, Shared};
use crate::drive::model::{Answer, Change};
use crate::history::record::Touch;
use crate::history::{Event, Reply, Request};
use crate::raw::{self, Raw, new_session};
use crate::record;
use crate::rng::Rng;

/// Znodes that all clients fight for.
const PATHS: [&str; 8] = ["/a", "/b", "/a/x", "/a/y", "/b/x", "/a/x/z", "/c", "/b/x/y"];

/// How long a server may be silent before the client goes elsewhere.
const SILENCE: Duration = Duration::from_secs(3);

/// How long a client waits between two attempts to connect.
const RETRY: Duration = Duration::from_millis(20);

/// Requests that are sent before the first is answered.
const BATCH_MAX: usize = 4;

/// Znodes with a number that a client makes before it deletes one of them each time.
const NUMBERED_MAX: usize = 8;

/// Which watch: what it was left by, as clients keep them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Watch {
    Data,
    Exists,
    Children,
}

/// The connection is over.
struct Gone;

/// A client.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    number: usize,
    reader: bool,
    rng: Rng,
    timeout_ms: i32,
    create2_in_multi: bool,
    session: Option<ConnectResponse>,
    cxid: i32,
    /// What was asked for and not answered, in order: call, xid, request.
    asked: VecDeque<(u64, i32, Request)>,
    watches: BTreeSet<(String, Watch)>,
    /// Znodes whose end the server tells once more, to another kind of watch that was set again. The
    /// client hears it once.
    repeats: Vec<String>,
    /// Newest zxid of an answer.
    seen: i64,
    /// The version of each znode when it was last heard of.
    versions: BTreeMap<String, i32>,
    numbered: Vec<String>,
}

impl Client {
    /// A client without a session.
    pub fn new(shared: Arc<Shared>, number: usize, plan: &Plan) -> Client {
        Client {
            shared,
            number,
            reader: number < plan.readers,
            rng: Rng::new(plan.seed.wrapping_mul(1000) + number as u64),
            timeout_ms: plan.timeout_ms,
            create2_in_multi: plan.create2_in_multi,
            session: None,
            cxid: 0,
            asked: VecDeque::new(),
            watches: BTreeSet::new(),
            repeats: Vec::new(),
            seen: 0,
            versions: BTreeMap::new(),
            numbered: Vec::new(),
        }
    }

    /// Connects and works until the end.
    pub fn run(&mut self) {
        while !self.shared.stopped() {
            let at = self.rng.below(self.shared.places.len());
            let place = &self.shared.places[at];
            if self.shared.paused() || !place.serves(self.reader) {
                std::thread::sleep(RETRY);
                continue;
            }
            let Ok(stream) = TcpStream::connect_timeout(&place.address(), SILENCE) else {
                std::thread::sleep(RETRY);
                continue;
            };
            let mut raw = Raw::over(stream);
            let Ok(session) = self.attach(&mut raw) else {
                std::thread::sleep(RETRY);
                continue;
            };
            // The connection ends somehow in any case.
            let _ = self.work(&mut raw, at);
            self.asked.clear();
            self.shared.record(Event::Detached { session });
        }
    }

    /// The handshake; the session that is served.
    fn attach(&mut self, raw: &mut Raw) -> Result<i64, Gone> {
        let old = self.session.clone();
        let mut request =
            ConnectRequest { last_zxid_seen: self.seen, ..new_session(self.timeout_ms) };
        if let Some(old) = &old {
            (request.session_id, request.password) = (old.session_id, Some(&old.password[..]));
        }
        let mut body = Vec::new();
        request.encode(&mut body);
        raw.send_frame(&body);
        let frame = raw.frame_within(SILENCE).map_err(|_| Gone)?.ok_or(Gone)?;
        let session = ConnectResponse::decode(&mut Reader::new(&frame)).expect("a ConnectResponse");
        let name = session.session_id;
        if name == 0 {
            if let Some(old) = old {
                self.shared.record(Event::Expired { session: old.session_id });
            }
            self.forget();
            return Err(Gone);
        }
        if old.is_none() {
            self.cxid = 0;
        }
        let timeout_ms = i64::from(session.timeout_ms);
        self.session = Some(session);
        self.shared.record(Event::Attached { session: name, timeout_ms });
        self.repeats.clear();
        if !self.watches.is_empty() {
            self.send_watches(raw);
        }
        Ok(name)
    }

    /// The session is over.
    fn forget(&mut self) {
        self.session = None;
        self.watches.clear();
    }

    /// Sets again what was watched on the connection before.
    fn send_watches(&mut self, raw: &mut Raw) {
        let paths: Vec<&String> = self.watches.iter().map(|(path, _)| path).collect();
        let twice = paths.windows(2).filter(|pair| pair[0] == pair[1]);
        self.repeats = twice.map(|pair| pair[0].clone()).collect();
        let list = |wanted: Watch| -> Vec<&str> {
            let fits = self.watches.iter().filter(|(_, watch)| *watch == wanted);
            fits.map(|(path, _)| path.as_str()).collect()
        };
        let lists = [list(Watch::Data), list(Watch::Exists), list(Watch::Children)];
        let lists: Vec<&[&str]> = lists.iter().map(Vec::as_slice).collect();
        let record = record::set_watches(self.seen, &lists);
        raw.send_request(xid::SET_WATCHES, Op::SET_WATCHES, &record);
    }

    fn work(&mut self, raw: &mut Raw, at: usize) -> Result<(), Gone> {
        loop {
            let leave = self.rng.one_in(150) || !self.shared.places[at].serves(self.reader);
            if leave || self.shared.paused() {
                return Err(Gone);
            }
            for _ in 0..=self.rng.below(BATCH_MAX) {
                let request = self.request();
                let close = matches!(request, Request::Close);
                self.ask(raw, request);
                if close {
                    break;
                }
            }
            while !self.asked.is_empty() {
                self.hear(raw)?;
            }
            std::thread::sleep(Duration::from_micros(self.rng.below(8000) as u64));
        }
    }

    fn ask(&mut self, raw: &mut Raw, request: Request) {
        let session = self.session.as_ref().expect("who asks has a session").session_id;
        self.cxid += 1;
        let (call, cxid) = (self.shared.call(), self.cxid);
        let (op, record) = call::encode(&request);
        self.asked.push_back((call, cxid, request.clone()));
        self.shared.record(Event::Invoke { call, session, cxid, request });
        raw.send_request(cxid, op, &record);
    }

    /// Takes the next frame.
    fn hear(&mut self, raw: &mut Raw) -> Result<(), Gone> {
        let frame = raw.frame_within(SILENCE).map_err(|_| Gone)?.ok_or(Gone)?;
        let reply = raw::Reply::parse(&frame);
        if reply.event().is_some() {
            self.on_event(&reply);
            return Ok(());
        }
        if reply.header.xid == xid::SET_WATCHES {
            self.repeats.clear();
            return Ok(());
        }
        let (call, cxid, request) = self.asked.pop_front().expect("an answer has its request");
        let place = raw.peer();
        assert_eq!(reply.header.xid, cxid, "{request:?} at {place:?}, then {:?}", self.asked);
        let zxid = reply.header.zxid.0;
        let answer = call::decode(&request, &reply);
        self.learn(&request, &answer);
        self.seen = self.seen.max(zxid);
        self.shared.record(Event::Return { call, zxid, reply: answer.clone() });
        match (request, answer) {
            (Request::Close, _) => {
                self.forget();
                Err(Gone)
            }
            (_, Reply::Failed(Code::SESSION_EXPIRED | Code::SESSION_MOVED)) => Err(Gone),
            _ => Ok(()),
        }
    }

    fn on_event(&mut self, reply: &raw::Reply) {
        let event = reply.event().expect("it is one");
        let (touch, kinds): (Touch, &[Watch]) = match event.kind {
            1 => (Touch::Created, &[Watch::Data, Watch::Exists]),
            2 => (Touch::Deleted, &[Watch::Data, Watch::Exists, Watch::Children]),
            3 => (Touch::Data, &[Watch::Data, Watch::Exists]),
            4 => (Touch::Children, &[Watch::Children]),
            other => panic!("an event of kind {other}"),
        };
        let mut known = false;
        for kind in kinds {
            known |= self.watches.remove(&(event.path.clone(), *kind));
        }
        let again = self.repeats.iter().position(|path| *path == event.path);
        if let (Touch::Deleted, false, Some(again)) = (touch, known, again) {
            self.repeats.remove(again);
            return;
        }
        let session = self.session.as_ref().expect("events come on connections").session_id;
        let zxid = Some(reply.header.zxid.0).filter(|zxid| *zxid > 0);
        self.shared.record(Event::Watch { session, zxid, touch, path: event.path });
    }

    /// Keeps what the next requests are made from.
    fn learn(&mut self, request: &Request, answer: &Reply) {
        if let Some((path, true)) = request.read_path() {
            let absent = *answer == Reply::Failed(Code::NO_NODE);
            let watch = match request {
                Request::Exists(..) if absent => Some(Watch::Exists),
                _ if matches!(answer, Reply::Failed(_)) => None,
                Request::Children(..) => Some(Watch::Children),
                _ => Some(Watch::Data),
            };
            self.watches.extend(watch.map(|watch| (path.to_owned(), watch)));
        }
        let read = request.read_path().map(|(path, _)| path.to_owned());
        match (answer, read) {
            (Reply::Data(_, stat) | Reply::Stat(stat) | Reply::Children(_, stat), Some(path)) => {
                self.versions.insert(path, stat.version);
            }
            (Reply::Changed(Answer::Changed(stat)), _) => {
                if let Request::Change(Change::SetData(path, ..)) = request {
                    self.versions.insert(path.clone(), stat.version);
                }
            }
            (Reply::Changed(Answer::Created(path, _)), _)
                if path.ends_with(|c: char| c.is_ascii_digit()) =>
            {
                self.numbered.push(path.clone());
            }
            _ => {}
        }
    }

    fn change(&mut self) -> Change {
        let path = (*self.rng.pick(&PATHS)).to_owned();
        let data = Some(format!("{}-{}-{}", self.number, self.cxid, path).into_bytes());
        let have = self.versions.get(&path).copied().unwrap_or(0);
        let version = *self.rng.weighted(&[(4, -1), (3, have), (1, have + 1)]);
        match self.rng.below(10) {
            0..=2 => Change::Create(Op::CREATE, path, data, 0, -1),
            3 => Change::Create(Op::CREATE2, path, data, 1, -1),
            4 if self.numbered.len() < NUMBERED_MAX => {
                Change::Create(Op::CREATE, format!("{path}/n-"), data, 2, -1)
            }
            4 => Change::Delete(self.numbered.remove(0), -1),
            5..=6 => Change::Delete(path, version),
            _ => Change::SetData(path, data, version),
        }
    }

    fn request(&mut self) -> Request {
        if self.rng.one_in(500) {
            return Request::Close;
        }
        let path = (*self.rng.pick(&PATHS)).to_owned();
        let watch = self.rng.one_in(2);
        match self.rng.below(if self.reader { 20 } else { 9 }) {
            0..=6 => Request::Change(self.change()),
            7 => {
                let count = 1 + self.rng.below(3);
                let mut changes: Vec<Change> = (0..count).map(|_| self.change()).collect();
                for change in &mut changes {
                    if let (Change::Create(op, ..), false) = (change, self.create2_in_multi) {
                        *op = Op::CREATE;
                    }
                }
                if self.rng.one_in(2) {
                    changes.insert(0, Change::Check(path, -1));
                }
                Request::Multi(changes)
            }
            8..=9 => Request::Sync,
            10..=13 => Request::GetData(path, watch),
            14..=15 => Request::Exists(path, watch),
            _ => Request::Children(path, watch),
        }
    }
}
