//! Correct histories, from a small ensemble that is played with maps.
//!
//! One log, written at once; servers that apply it late, each with a tree and watch tables of its
//! own; sessions that move between them. No fault can make it wrong, and it shares nothing with the
//! checker but the tree: watches fire here when a server applies a txn, there they are looked up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use zk_wire::{Code, Op, Stat};

use super::record::{Committed, Entry, Event, History, Kind, Reply, Request, Touch};
use crate::drive::model::{Answer, Change, Model};
use crate::rng::Rng;

const TIMEOUT_MS: i64 = 4_000;
const PATHS: [&str; 7] = ["/a", "/b", "/a/x", "/a/y", "/b/x", "/a/x/z", "/c"];

/// How large a history is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Servers.
    pub servers: usize,
    /// Clients at a time.
    pub clients: usize,
    /// Steps of chance.
    pub steps: usize,
}

/// Which watch: what it was left by, as clients keep them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Watch {
    Data,
    Exists,
    Children,
}

type WatchKey = (String, Watch);

struct Txn {
    committed: Committed,
    changes: Vec<Change>,
    reply: Reply,
    /// What it does to which path, in order; the parent's change stands behind the child's.
    touches: Vec<(String, Touch)>,
}

struct Server {
    model: Model,
    /// Txns of the log that are applied.
    applied: usize,
    /// Who watches, by session.
    watches: BTreeMap<WatchKey, BTreeSet<i64>>,
}

struct Pending {
    call: u64,
    request: Request,
    cxid: i32,
    /// Place in the log of the write, or what a sync waits for.
    txn: Option<usize>,
}

struct Client {
    session: i64,
    server: Option<usize>,
    cxid: i32,
    queue: VecDeque<Pending>,
    /// What is on its way to the client.
    inbox: VecDeque<(Event, Option<Request>)>,
    /// Newest zxid of an answer.
    seen: i64,
    /// What the client believes it watches.
    watches: BTreeSet<WatchKey>,
    /// Calls that were made and not answered, in order.
    asked: VecDeque<(u64, Request)>,
    heard_ms: i64,
}

/// The ensemble.
pub struct World {
    rng: Rng,
    history: History,
    now_ms: i64,
    zxid: i64,
    leader: Model,
    log: Vec<Txn>,
    servers: Vec<Server>,
    clients: Vec<Client>,
    sessions: i64,
    calls: u64,
}

/// A correct history; the same seed gives the same one.
pub fn generate(seed: u64, size: Size) -> History {
    let server = || Server { model: Model::fresh(), applied: 0, watches: BTreeMap::new() };
    let mut world = World {
        rng: Rng::new(seed),
        history: History::default(),
        now_ms: 1_000_000,
        zxid: 1 << 32,
        leader: Model::fresh(),
        log: Vec::new(),
        servers: (0..size.servers).map(|_| server()).collect(),
        clients: Vec::new(),
        sessions: 0,
        calls: 0,
    };
    for _ in 0..size.clients {
        let client = world.new_session();
        world.clients.push(client);
    }
    for _ in 0..size.steps {
        world.step();
    }
    world.history.txns = world.log.into_iter().map(|txn| txn.committed).collect();
    world.history
}

fn parent_of(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => &path[..at],
    }
}

impl World {
    fn record(&mut self, event: Event) {
        self.history.entries.push(Entry { at_ms: self.now_ms, event });
    }

    fn step(&mut self) {
        self.now_ms += self.rng.below(20) as i64;
        let at = self.rng.below(self.clients.len());
        match self.rng.below(20) {
            0..=5 if self.clients[at].server.is_some() => self.invoke(at),
            0..=5 => self.attach(at),
            6..=9 => self.serve(at),
            10..=13 => {
                let server = self.rng.below(self.servers.len());
                self.apply(server);
            }
            14..=18 => self.deliver(at),
            _ if self.rng.one_in(10) => self.detach(at),
            _ if self.rng.one_in(12) && self.clients[at].server.is_none() => self.expire(at),
            _ if self.rng.one_in(20) => {
                // A new leader: the epoch goes up, the counter begins anew.
                self.zxid = ((self.zxid >> 32) + 1) << 32;
            }
            _ => self.now_ms += 100,
        }
    }

    /// Commits a txn.
    fn commit(&mut self, session: i64, cxid: i32, request: &Request) -> usize {
        self.zxid += 1;
        let (zxid, time_ms) = (self.zxid, self.now_ms);
        let alive = session == 0 || !self.ended(session);
        let (changes, multi): (Vec<Change>, bool) = match request {
            Request::Change(change) => (vec![change.clone()], false),
            Request::Multi(changes) => (changes.clone(), true),
            _ => (Vec::new(), false),
        };
        let closes = matches!(request, Request::Close);
        let mut touches = Vec::new();
        let (kind, reply) = if !alive {
            let code = Code::SESSION_EXPIRED;
            (Kind::Refused(code), Reply::Failed(code))
        } else if closes {
            for (path, node) in &self.leader.nodes {
                if node.stat.ephemeral_owner == session {
                    touches.push((path.clone(), Touch::Deleted));
                }
            }
            self.leader.close_session(session, zxid);
            (Kind::End, Reply::Done)
        } else {
            match self.leader.multi(&changes, session, zxid, time_ms) {
                Ok(answers) => {
                    for (change, answer) in changes.iter().zip(&answers) {
                        touches.extend(touch_of(change, answer));
                    }
                    let reply = match multi {
                        true => Reply::Multi(answers),
                        false => Reply::Changed(answers[0].clone()),
                    };
                    (Kind::Write, reply)
                }
                Err((at, code)) => {
                    let failed = Reply::MultiFailed(at, code);
                    (Kind::Refused(code), if multi { failed } else { Reply::Failed(code) })
                }
            }
        };
        let done = kind == Kind::Write;
        let cxid = if closes { 0 } else { cxid };
        let committed = Committed { zxid, session, cxid, time_ms, kind };
        let changes = if done { changes } else { Vec::new() };
        self.log.push(Txn { committed, changes, reply, touches });
        self.log.len() - 1
    }

    fn ended(&self, session: i64) -> bool {
        let ends = |txn: &Txn| txn.committed.session == session && txn.committed.kind == Kind::End;
        self.log.iter().rev().any(ends)
    }

    fn new_session(&mut self) -> Client {
        self.sessions += 1;
        self.zxid += 1;
        let (session, zxid) = ((1 << 56) + self.sessions, self.zxid);
        let kind = Kind::Begin;
        let committed = Committed { zxid, session, cxid: 0, time_ms: self.now_ms, kind };
        let (changes, touches) = (Vec::new(), Vec::new());
        self.log.push(Txn { committed, changes, reply: Reply::Done, touches });
        let server = self.rng.below(self.servers.len());
        while self.servers[server].applied < self.log.len() {
            self.apply(server);
        }
        self.record(Event::Attached { session, timeout_ms: TIMEOUT_MS });
        Client {
            session,
            server: Some(server),
            cxid: 0,
            queue: VecDeque::new(),
            inbox: VecDeque::new(),
            seen: 0,
            watches: BTreeSet::new(),
            asked: VecDeque::new(),
            heard_ms: self.now_ms,
        }
    }

    fn path(&mut self) -> String {
        let numbered = self.leader.nodes.keys().filter(|path| path.ends_with(char::is_numeric));
        let numbered: Vec<&String> = numbered.collect();
        match self.rng.below(6) {
            0 if !numbered.is_empty() => (*self.rng.pick(&numbered)).clone(),
            _ => (*self.rng.pick(&PATHS)).to_owned(),
        }
    }

    fn change(&mut self) -> Change {
        let path = self.path();
        let data = Some(format!("{}", self.calls).into_bytes());
        let have = self.leader.nodes.get(&path).map_or(0, |node| node.stat.version);
        let version = *self.rng.weighted(&[(4, -1), (3, have), (1, have + 1)]);
        match self.rng.below(8) {
            0..=1 => Change::Create(Op::CREATE, path, data, 0, -1),
            2 => Change::Create(Op::CREATE2, path, data, 1, -1),
            3 => Change::Create(Op::CREATE, format!("{path}/n-"), data, 2, -1),
            4..=5 => Change::Delete(path, version),
            _ => Change::SetData(path, data, version),
        }
    }

    fn invoke(&mut self, at: usize) {
        if self.clients[at].queue.len() >= 4 {
            return;
        }
        let watch = self.rng.one_in(2);
        let root = self.rng.one_in(8);
        let request = match self.rng.below(20) {
            0..=7 => Request::Change(self.change()),
            8 => {
                let count = 1 + self.rng.below(3);
                let mut changes: Vec<Change> = (0..count).map(|_| self.change()).collect();
                if self.rng.one_in(2) {
                    changes.insert(0, Change::Check(self.path(), -1));
                }
                Request::Multi(changes)
            }
            9..=11 => Request::GetData(self.path(), watch),
            12..=13 => Request::Exists(self.path(), watch),
            14..=16 if root => Request::Children("/".to_owned(), watch),
            14..=16 => Request::Children(self.path(), watch),
            19 if self.rng.one_in(20) => Request::Close,
            _ => Request::Sync,
        };
        self.calls += 1;
        let (call, now_ms) = (self.calls, self.now_ms);
        let client = &mut self.clients[at];
        if client.asked.iter().any(|(_, asked)| matches!(asked, Request::Close)) {
            return;
        }
        client.cxid += 1;
        client.heard_ms = now_ms;
        let (session, cxid) = (client.session, client.cxid);
        client.queue.push_back(Pending { call, request: request.clone(), cxid, txn: None });
        client.asked.push_back((call, request.clone()));
        self.record(Event::Invoke { call, session, cxid, request });
    }

    /// The client's server takes the next step with the client's oldest request.
    fn serve(&mut self, at: usize) {
        let client = &self.clients[at];
        let (Some(server), Some(head)) = (client.server, client.queue.front()) else { return };
        let (request, cxid, session) = (head.request.clone(), head.cxid, client.session);
        match (head.txn, &request) {
            (None, request) if request.is_write() => {
                let txn = self.commit(session, cxid, request);
                self.clients[at].queue[0].txn = Some(txn);
            }
            (None, Request::Sync) => {
                // Everything that is committed now must be applied first.
                self.clients[at].queue[0].txn = Some(self.log.len());
            }
            (Some(wanted), Request::Sync) if self.servers[server].applied >= wanted => {
                self.reply(at, Reply::Done);
            }
            (Some(_), _) => {}
            (None, request) => {
                let reply = self.read(at, server, request);
                self.reply(at, reply);
            }
        }
    }

    fn read(&mut self, at: usize, server: usize, request: &Request) -> Reply {
        let (path, watch) = request.read_path().expect("a read");
        let session = self.clients[at].session;
        let server = &mut self.servers[server];
        let key = if path == "/" { "" } else { path };
        let reply = match (server.model.stat(key), request) {
            (None, _) => Reply::Failed(Code::NO_NODE),
            (Some(stat), Request::GetData(..)) => {
                Reply::Data(server.model.nodes[key].data.clone(), stat)
            }
            (Some(stat), Request::Children(..)) => {
                Reply::Children(server.model.children(key), stat)
            }
            (Some(stat), _) => Reply::Stat(stat),
        };
        if let Some(kind) = watch.then(|| watch_of(request, &reply)).flatten() {
            server.watches.entry((path.to_owned(), kind)).or_default().insert(session);
        }
        reply
    }

    /// Answers the client's oldest request.
    fn reply(&mut self, at: usize, reply: Reply) {
        let server = self.clients[at].server.expect("who asks is attached");
        let applied = self.servers[server].applied;
        let zxid = applied.checked_sub(1).map_or(0, |last| self.log[last].committed.zxid);
        let pending = self.clients[at].queue.pop_front().expect("it asked");
        let event = Event::Return { call: pending.call, zxid, reply };
        self.clients[at].inbox.push_back((event, Some(pending.request)));
    }

    /// A server applies the next txn: watches fire, then its writer is answered.
    fn apply(&mut self, server: usize) {
        let at = self.servers[server].applied;
        let Some(txn) = self.log.get(at) else { return };
        let Committed { zxid, session, time_ms, ref kind, .. } = txn.committed;
        let (touches, reply) = (txn.touches.clone(), txn.reply.clone());
        let place = &mut self.servers[server];
        place.applied = at + 1;
        if *kind == Kind::End {
            place.model.close_session(session, zxid);
        }
        for change in &txn.changes {
            place.model.change(change, session, zxid, time_ms).expect("the leader did it");
        }
        for (path, touch) in touches {
            self.fire(server, &path, touch, zxid);
        }
        let client = self.clients.iter().position(|client| client.session == session);
        let Some(client) = client.filter(|at| self.clients[*at].server == Some(server)) else {
            return;
        };
        let head = self.clients[client].queue.front();
        if head.is_some_and(|head| head.request.is_write() && head.txn == Some(at)) {
            self.reply(client, reply);
        }
    }

    fn fire(&mut self, server: usize, path: &str, touch: Touch, zxid: i64) {
        let kinds: &[Watch] = match touch {
            Touch::Children => &[Watch::Children],
            Touch::Deleted => &[Watch::Data, Watch::Exists, Watch::Children],
            Touch::Created | Touch::Data => &[Watch::Data, Watch::Exists],
        };
        let mut watchers = BTreeSet::new();
        for kind in kinds {
            let gone = self.servers[server].watches.remove(&(path.to_owned(), *kind));
            watchers.extend(gone.unwrap_or_default());
        }
        let told = self.rng.one_in(2).then_some(zxid);
        for client in &mut self.clients {
            if client.server == Some(server) && watchers.contains(&client.session) {
                let (session, path) = (client.session, path.to_owned());
                let event = Event::Watch { session, zxid: told, touch, path };
                client.inbox.push_back((event, None));
            }
        }
        if matches!(touch, Touch::Created | Touch::Deleted) {
            self.fire(server, parent_of(path), Touch::Children, zxid);
        }
    }

    /// The client hears the next thing.
    fn deliver(&mut self, at: usize) {
        let Some((event, request)) = self.clients[at].inbox.pop_front() else { return };
        let client = &mut self.clients[at];
        match &event {
            Event::Watch { touch, path, .. } => {
                let kinds: &[Watch] = match touch {
                    Touch::Children => &[Watch::Children],
                    Touch::Deleted => &[Watch::Data, Watch::Exists, Watch::Children],
                    Touch::Created | Touch::Data => &[Watch::Data, Watch::Exists],
                };
                for kind in kinds {
                    client.watches.remove(&(path.clone(), *kind));
                }
            }
            Event::Return { zxid, reply, .. } => {
                client.asked.pop_front();
                client.seen = client.seen.max(*zxid);
                let request = request.as_ref().expect("answers come with their request");
                if let Some((path, true)) = request.read_path() {
                    client.watches.extend(watch_of(request, reply).map(|w| (path.to_owned(), w)));
                }
            }
            _ => {}
        }
        self.record(event);
        if matches!(request, Some(Request::Close)) {
            self.gone(at);
        }
    }

    /// The session is over; the client comes back with another.
    fn gone(&mut self, at: usize) {
        let session = self.clients[at].session;
        for server in &mut self.servers {
            server.watches.values_mut().for_each(|watchers| {
                watchers.remove(&session);
            });
        }
        self.clients[at] = self.new_session();
    }

    fn detach(&mut self, at: usize) {
        let session = self.clients[at].session;
        let Some(server) = self.clients[at].server.take() else { return };
        let watches = self.servers[server].watches.values_mut();
        watches.for_each(|watchers| {
            watchers.remove(&session);
        });
        // What was sent before the cut may have come or not.
        while !self.clients[at].inbox.is_empty() && self.rng.one_in(2) {
            self.deliver(at);
            if self.clients[at].session != session {
                return;
            }
        }
        // What was asked for may be done or not.
        let queue = std::mem::take(&mut self.clients[at].queue);
        for pending in queue {
            let write = pending.request.is_write() && pending.txn.is_none();
            if write && self.rng.one_in(2) {
                self.commit(session, pending.cxid, &pending.request);
            } else if write {
                break;
            }
        }
        let client = &mut self.clients[at];
        client.inbox.clear();
        client.asked.clear();
        self.record(Event::Detached { session });
    }

    fn expire(&mut self, at: usize) {
        self.now_ms = self.now_ms.max(self.clients[at].heard_ms + TIMEOUT_MS);
        let session = self.clients[at].session;
        if !self.ended(session) {
            self.commit(session, 0, &Request::Close);
        }
    }

    /// A client connects again, to a server that is not behind what it has seen.
    fn attach(&mut self, at: usize) {
        let (session, seen) = (self.clients[at].session, self.clients[at].seen);
        if self.ended(session) {
            self.record(Event::Expired { session });
            return self.gone(at);
        }
        let server = self.rng.below(self.servers.len());
        let last = |world: &World| world.servers[server].applied.checked_sub(1);
        while last(self).is_none_or(|last| self.log[last].committed.zxid < seen) {
            if self.servers[server].applied == self.log.len() {
                break;
            }
            self.apply(server);
        }
        self.record(Event::Attached { session, timeout_ms: TIMEOUT_MS });
        self.clients[at].server = Some(server);
        self.clients[at].heard_ms = self.now_ms;
        for (path, kind) in self.clients[at].watches.clone() {
            self.catch_up(at, server, path, kind, seen);
        }
    }

    /// What setWatches does with one watch: an event at once, or it stands again.
    fn catch_up(&mut self, at: usize, server: usize, path: String, kind: Watch, seen: i64) {
        let key = if path == "/" { "" } else { path.as_str() };
        let stat: Option<Stat> = self.servers[server].model.stat(key);
        let touch = match (kind, stat) {
            (Watch::Exists, Some(_)) => Some(Touch::Created),
            (Watch::Exists, None) => None,
            (_, None) => Some(Touch::Deleted),
            (Watch::Data, Some(stat)) => (stat.mzxid > seen).then_some(Touch::Data),
            (Watch::Children, Some(stat)) => (stat.pzxid > seen).then_some(Touch::Children),
        };
        let session = self.clients[at].session;
        match touch {
            Some(touch) => {
                let event = Event::Watch { session, zxid: None, touch, path: path.clone() };
                // One event tells of the znode's end, whoever watched.
                let told = self.clients[at].inbox.iter().any(|(event, _)| {
                    matches!(event, Event::Watch { path: p, touch: t, .. }
                        if *p == path && *t == touch)
                });
                if !told {
                    self.clients[at].inbox.push_back((event, None));
                }
            }
            None => {
                let watchers = self.servers[server].watches.entry((path, kind)).or_default();
                watchers.insert(session);
            }
        }
    }
}

fn watch_of(request: &Request, reply: &Reply) -> Option<Watch> {
    let absent = *reply == Reply::Failed(Code::NO_NODE);
    match request {
        Request::Exists(..) if absent => Some(Watch::Exists),
        _ if absent => None,
        Request::Children(..) => Some(Watch::Children),
        _ => Some(Watch::Data),
    }
}

fn touch_of(change: &Change, answer: &Answer) -> Option<(String, Touch)> {
    match (change, answer) {
        (Change::Create(..), Answer::Created(path, _)) => Some((path.clone(), Touch::Created)),
        (Change::Delete(path, _), _) => Some((path.clone(), Touch::Deleted)),
        (Change::SetData(path, ..), _) => Some((path.clone(), Touch::Data)),
        _ => None,
    }
}
