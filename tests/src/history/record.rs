//! The records of a history: calls, replies, watch events, sessions, and committed txns.

use std::collections::{BTreeMap, BTreeSet};

use zk_wire::{Code, Stat};

use crate::drive::model::{Answer, Change};

/// Anomalies that are told of one rule; the first ones say the most.
pub const ANOMALIES_MAX: usize = 8;

/// What a client asks for.
#[derive(Clone, Debug)]
pub enum Request {
    /// One change of the tree.
    Change(Change),
    /// Several, all or none.
    Multi(Vec<Change>),
    /// getData, with a watch or without.
    GetData(String, bool),
    /// exists, with a watch or without.
    Exists(String, bool),
    /// getChildren2, with a watch or without.
    Children(String, bool),
    /// reconfig: lines of servers to add, and ids to remove, each separated by commas.
    Reconfig(String, String),
    /// sync.
    Sync,
    /// closeSession.
    Close,
}

impl Request {
    /// Whether it becomes a txn.
    pub fn is_write(&self) -> bool {
        !matches!(self, Request::Sync) && self.read_path().is_none()
    }

    /// The path of a read, and whether it leaves a watch.
    pub fn read_path(&self) -> Option<(&str, bool)> {
        match self {
            Request::GetData(path, watch)
            | Request::Exists(path, watch)
            | Request::Children(path, watch) => Some((path, *watch)),
            _ => None,
        }
    }
}

/// What a client is answered, without the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Of a change.
    Changed(Answer),
    /// Of a multi that was done.
    Multi(Vec<Answer>),
    /// Of a multi that was not: which change failed, and why.
    MultiFailed(usize, Code),
    /// Of getData, and of a reconfig.
    Data(Option<Vec<u8>>, Stat),
    /// Of exists.
    Stat(Stat),
    /// Of getChildren2.
    Children(BTreeSet<String>, Stat),
    /// Of sync and closeSession.
    Done,
    /// The error of the reply header.
    Failed(Code),
}

/// The kind of a watch event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Touch {
    /// The znode appeared.
    Created,
    /// It went.
    Deleted,
    /// Its data was set.
    Data,
    /// A child of it appeared or went.
    Children,
}

/// One thing that a client did or saw. Calls are numbered by the recorder.
#[derive(Clone, Debug)]
pub enum Event {
    /// A connection serves the session: a new one or the next one.
    Attached {
        /// The session.
        session: i64,
        /// The timeout that was agreed on, in ms.
        timeout_ms: i64,
    },
    /// The connection is gone; what was asked for and not answered never will be.
    Detached {
        /// The session.
        session: i64,
    },
    /// The client was told that its session has expired.
    Expired {
        /// The session.
        session: i64,
    },
    /// A request goes out.
    Invoke {
        /// The number of the call, never used twice.
        call: u64,
        /// The session.
        session: i64,
        /// The xid, unique among the writes of the session.
        cxid: i32,
        /// What is asked for.
        request: Request,
    },
    /// Its answer has come.
    Return {
        /// The number of the call.
        call: u64,
        /// The zxid of the reply header.
        zxid: i64,
        /// The answer.
        reply: Reply,
    },
    /// A watch event has come.
    Watch {
        /// The session.
        session: i64,
        /// The zxid of the event, when the server gives one.
        zxid: Option<i64>,
        /// What happened.
        touch: Touch,
        /// Where.
        path: String,
    },
}

/// An event with its time. The order of the entries is the order in real time.
#[derive(Clone, Debug)]
pub struct Entry {
    /// In ms, on a clock that the leaders share (see [`Committed::time_ms`]).
    pub at_ms: i64,
    /// What happened.
    pub event: Event,
}

impl Entry {
    /// Whether a client is told here that its session has expired.
    pub fn is_expiry(&self) -> bool {
        matches!(self.event, Event::Expired { .. })
    }
}

/// What a committed txn was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The write of a client, done.
    Write,
    /// The write of a client, refused.
    Refused(Code),
    /// A session begins.
    Begin,
    /// A session ends, closed or expired.
    End,
    /// The server deleted this container or TTL znode by itself.
    Reaped(String),
}

/// A txn from the logs of the members, which must agree about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its zxid.
    pub zxid: i64,
    /// The session; 0 for what the server did by itself.
    pub session: i64,
    /// The xid of the request; 0 for sessions.
    pub cxid: i32,
    /// The leader's clock, in ms.
    pub time_ms: i64,
    /// What it was.
    pub kind: Kind,
}

/// What happened.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// What clients did and saw.
    pub entries: Vec<Entry>,
    /// What was committed, in the order of the log.
    pub txns: Vec<Committed>,
}

/// What is promised beyond Apache's guarantees, or measured in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promises {
    /// A read behind a `sync` shows everything that anybody saw before the sync was called.
    pub linearizable_sync: bool,
    /// A session expires no earlier than its timeout, less this many ms, after it was last heard
    /// of. `None`: the clocks say nothing.
    pub expiry_slack_ms: Option<i64>,
}

/// The promise that is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The record itself contradicts itself: the recorder is wrong, not the server.
    Malformed,
    /// Zxids of the log ascend.
    TxnOrder,
    /// A request is done once at most.
    Once,
    /// Every txn was asked for.
    Invented,
    /// What was acknowledged is in the log, at the zxid that was told.
    Durable,
    /// A write is answered as the tree before it says.
    Result,
    /// A read shows the tree as it was at its zxid.
    Read,
    /// All stats tell the same time for the same zxid.
    Time,
    /// What is called later has the higher zxid.
    RealTime,
    /// A session's answers come in order, and none is older than one before.
    SessionOrder,
    /// A read behind a sync is up to date.
    Sync,
    /// A session does nothing after its end, and ends when it should.
    SessionEnd,
    /// A watch event comes before the answer that shows the change.
    WatchMissed,
    /// No watch event without a watch and a change.
    WatchUnexpected,
    /// Watch events come in the order of the changes.
    WatchOrder,
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// Which promise is broken.
    pub rule: Rule,
    /// What was seen, and what should have been.
    pub text: String,
}

impl std::fmt::Display for Anomaly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.text)
    }
}

/// Collects anomalies.
#[derive(Debug, Default)]
pub struct Found(Vec<Anomaly>);

impl Found {
    /// One more.
    pub fn add(&mut self, rule: Rule, text: String) {
        if self.0.iter().filter(|anomaly| anomaly.rule == rule).count() < ANOMALIES_MAX {
            self.0.push(Anomaly { rule, text });
        }
    }

    /// None, or all of them.
    pub fn finish(self) -> Result<(), Vec<Anomaly>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

/// A call with its answer.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The session.
    pub session: i64,
    /// The xid.
    pub cxid: i32,
    /// What was asked for.
    pub request: &'a Request,
    /// Zxid and answer, if it came.
    pub returned: Option<(i64, &'a Reply)>,
}

/// All calls of a history.
#[derive(Debug)]
pub struct Calls<'a> {
    /// In the order in which they were made.
    pub list: Vec<Call<'a>>,
    /// Place in the list by number.
    pub by_number: BTreeMap<u64, usize>,
    /// Place in the list of the writes, by session and xid.
    pub by_cxid: BTreeMap<(i64, i32), usize>,
}

impl<'a> Calls<'a> {
    /// Pairs calls with answers.
    pub fn of(history: &'a History) -> Result<Calls<'a>, Anomaly> {
        let mut calls =
            Calls { list: Vec::new(), by_number: BTreeMap::new(), by_cxid: BTreeMap::new() };
        let bad = |text: String| Err(Anomaly { rule: Rule::Malformed, text });
        for Entry { event, .. } in &history.entries {
            match event {
                Event::Invoke { call, session, cxid, request } => {
                    let at = calls.list.len();
                    let (session, cxid) = (*session, *cxid);
                    calls.list.push(Call { session, cxid, request, returned: None });
                    if calls.by_number.insert(*call, at).is_some() {
                        return bad(format!("call {call} is made twice"));
                    }
                    if request.is_write() && calls.by_cxid.insert((session, cxid), at).is_some() {
                        return bad(format!("session {session:#x} uses xid {cxid} twice"));
                    }
                }
                Event::Return { call, zxid, reply } => {
                    let at = calls.by_number.get(call).copied();
                    match at.map(|at| &mut calls.list[at].returned) {
                        Some(slot @ None) => *slot = Some((*zxid, reply)),
                        Some(Some(_)) => return bad(format!("call {call} is answered twice")),
                        None => return bad(format!("call {call} is answered, not made")),
                    }
                }
                _ => {}
            }
        }
        Ok(calls)
    }
}
