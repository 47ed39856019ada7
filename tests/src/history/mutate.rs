//! Plants one anomaly in a correct history, for the checker to be checked with.
//!
//! Each kind names the rule that must find it. A kind that does not fit a history plants nothing, so
//! what was planted is always wrong.

use std::collections::BTreeMap;

use zk_wire::{Code, Stat};

use super::record::{
    Call, Calls, Committed, Entry, Event, Found, History, Kind, Reply, Request, Rule,
};
use super::replay::{Replayed, replay};
use crate::drive::model::Answer;
use crate::rng::Rng;

/// A kind of anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plant {
    /// An acknowledged write is lost.
    LostWrite,
    /// A write is done twice.
    DoneTwice,
    /// A txn that nobody asked for.
    Invented,
    /// Two txns are in the wrong order.
    LogDisorder,
    /// A write takes effect before one that was answered before it was asked for.
    SwappedWrites,
    /// A read shows other data.
    WrongData,
    /// A read shows another version.
    WrongVersion,
    /// A read shows a child more.
    WrongChildren,
    /// A read does not find a znode.
    LostZnode,
    /// A read finds a znode that is not there, such as an ephemeral of a dead session.
    Ghost,
    /// Two stats tell different times for one zxid.
    WrongTime,
    /// A session goes back in time.
    BackInTime,
    /// Answers in the wrong order.
    AnswerDisorder,
    /// A read behind a sync shows what was before it.
    StaleSync,
    /// A sequential znode gets a wrong number.
    WrongNumber,
    /// An answer within a multi is missing.
    PartialMulti,
    /// A refused write is told the wrong reason.
    WrongError,
    /// A watch event never comes.
    LostEvent,
    /// A watch event comes behind the answer that shows its change.
    LateEvent,
    /// A watch event comes twice.
    TwiceToldEvent,
    /// A watch event for a path that is not watched.
    WrongEvent,
    /// A session is told that it expired, and lives.
    FalseExpiry,
    /// A session that was told its end has none in the log.
    LostEnd,
    /// A session expires before its time.
    EarlyExpiry,
    /// A session writes after its end.
    WriteAfterEnd,
}

/// All kinds, each with the rule that finds it.
pub const PLANTS: &[(Plant, Rule)] = &[
    (Plant::LostWrite, Rule::Durable),
    (Plant::DoneTwice, Rule::Once),
    (Plant::Invented, Rule::Invented),
    (Plant::LogDisorder, Rule::TxnOrder),
    (Plant::SwappedWrites, Rule::RealTime),
    (Plant::WrongData, Rule::Read),
    (Plant::WrongVersion, Rule::Read),
    (Plant::WrongChildren, Rule::Read),
    (Plant::LostZnode, Rule::Read),
    (Plant::Ghost, Rule::Read),
    (Plant::WrongTime, Rule::Time),
    (Plant::BackInTime, Rule::SessionOrder),
    (Plant::AnswerDisorder, Rule::SessionOrder),
    (Plant::StaleSync, Rule::Sync),
    (Plant::WrongNumber, Rule::Result),
    (Plant::PartialMulti, Rule::Result),
    (Plant::WrongError, Rule::Result),
    (Plant::LostEvent, Rule::WatchMissed),
    (Plant::LateEvent, Rule::WatchMissed),
    (Plant::TwiceToldEvent, Rule::WatchUnexpected),
    (Plant::WrongEvent, Rule::WatchUnexpected),
    (Plant::FalseExpiry, Rule::SessionEnd),
    (Plant::LostEnd, Rule::SessionEnd),
    (Plant::EarlyExpiry, Rule::SessionEnd),
    (Plant::WriteAfterEnd, Rule::SessionEnd),
];

/// Plants an anomaly; `None` when there is no place for it.
pub fn plant(history: &History, kind: Plant, rng: &mut Rng) -> Option<History> {
    let mut out = history.clone();
    let calls = Calls::of(history).expect("a correct history");
    match kind {
        Plant::LostWrite
        | Plant::DoneTwice
        | Plant::Invented
        | Plant::LogDisorder
        | Plant::LostEnd
        | Plant::EarlyExpiry
        | Plant::WriteAfterEnd => in_log(&mut out, history, &calls, kind, rng)?,
        Plant::SwappedWrites => swap_writes(&mut out, history, &calls, rng)?,
        Plant::BackInTime
        | Plant::AnswerDisorder
        | Plant::LostEvent
        | Plant::LateEvent
        | Plant::TwiceToldEvent
        | Plant::WrongEvent
        | Plant::FalseExpiry => in_time(&mut out, history, &calls, kind, rng)?,
        Plant::StaleSync => stale_sync(&mut out, history, &calls, rng)?,
        Plant::WrongTime => wrong_time(&mut out, history, rng)?,
        _ => in_answer(&mut out, history, &calls, kind, rng)?,
    }
    Some(out)
}

fn one<T: Copy>(rng: &mut Rng, list: impl Iterator<Item = T>) -> Option<T> {
    let list: Vec<T> = list.collect();
    if list.is_empty() { None } else { Some(*rng.pick(&list)) }
}

fn returned<'a>(calls: &Calls<'a>, txn: &Committed) -> Option<Call<'a>> {
    let at = calls.by_cxid.get(&(txn.session, txn.cxid))?;
    Some(calls.list[*at]).filter(|call| call.returned.is_some())
}

fn in_log(
    out: &mut History,
    history: &History,
    calls: &Calls<'_>,
    kind: Plant,
    rng: &mut Rng,
) -> Option<()> {
    let txns = history.txns.iter().enumerate();
    let last = history.txns.last()?.zxid;
    match kind {
        Plant::LostWrite => {
            let fits = |txn: &Committed| txn.kind == Kind::Write && returned(calls, txn).is_some();
            let at = one(rng, txns.filter(|(_, txn)| fits(txn)).map(|(at, _)| at))?;
            out.txns.remove(at);
        }
        Plant::DoneTwice => {
            let at = one(rng, txns.filter(|(_, t)| t.kind == Kind::Write).map(|(at, _)| at))?;
            out.txns.push(Committed { zxid: last + 1, ..history.txns[at].clone() });
        }
        Plant::Invented => {
            let at = one(rng, txns.filter(|(_, t)| t.kind == Kind::Write).map(|(at, _)| at))?;
            let twin = history.txns[at].clone();
            out.txns.push(Committed { zxid: last + 1, cxid: i32::MAX, ..twin });
        }
        Plant::LogDisorder => {
            let at = rng.below(history.txns.len() - 1);
            out.txns.swap(at, at + 1);
        }
        Plant::LostEnd => {
            let told = history.entries.iter().filter_map(|entry| match entry.event {
                Event::Expired { session } => Some(session),
                _ => None,
            });
            let session = one(rng, told)?;
            out.txns.retain(|txn| txn.session != session || txn.kind != Kind::End);
        }
        Plant::EarlyExpiry => {
            let closes = |session: i64| {
                let mut list = calls.list.iter().filter(|call| call.session == session);
                list.any(|call| matches!(call.request, Request::Close))
            };
            let heard = |session: i64| {
                let mut list = calls.list.iter().filter(|call| call.session == session);
                list.any(|call| call.returned.is_some_and(|(zxid, _)| zxid > 0))
            };
            let fits =
                |t: &Committed| t.kind == Kind::End && !closes(t.session) && heard(t.session);
            let at = one(rng, txns.filter(|(_, txn)| fits(txn)).map(|(at, _)| at))?;
            out.txns[at].time_ms = 0;
        }
        _ => {
            // An end takes the place of a refused write that nobody was told of.
            let unheard =
                |t: &Committed| matches!(t.kind, Kind::Refused(_)) && returned(calls, t).is_none();
            let at = one(rng, txns.filter(|(_, txn)| unheard(txn)).map(|(at, _)| at))?;
            let later = history.txns[at..].iter().filter(|txn| txn.kind == Kind::Write);
            let session = one(rng, later.map(|txn| txn.session))?;
            out.txns[at] = Committed { session, cxid: 0, kind: Kind::End, ..out.txns[at] };
        }
    }
    Some(())
}

/// Exchanges the zxids of two writes of which one was answered before the other was asked for.
fn swap_writes(
    out: &mut History,
    history: &History,
    calls: &Calls<'_>,
    rng: &mut Rng,
) -> Option<()> {
    let mut done: Vec<(usize, u64, i64)> = Vec::new();
    let mut made: BTreeMap<u64, usize> = BTreeMap::new();
    for (at, entry) in history.entries.iter().enumerate() {
        match &entry.event {
            Event::Invoke { call, .. } => drop(made.insert(*call, at)),
            Event::Return { call, zxid, reply: Reply::Changed(_) } => {
                done.push((at, *call, *zxid));
            }
            _ => {}
        }
    }
    let (first_at, first, first_zxid) = one(rng, done.iter().copied())?;
    let later = done.iter().filter(|(_, call, _)| made[call] > first_at).copied();
    let (_, second, second_zxid) = one(rng, later)?;
    for entry in &mut out.entries {
        if let Event::Return { call, zxid, .. } = &mut entry.event {
            match *call {
                c if c == first => *zxid = second_zxid,
                c if c == second => *zxid = first_zxid,
                _ => {}
            }
        }
    }
    let key = |call: u64| {
        let call = &calls.list[calls.by_number[&call]];
        (call.session, call.cxid)
    };
    for txn in &mut out.txns {
        if txn.zxid == first_zxid {
            (txn.session, txn.cxid) = key(second);
        } else if txn.zxid == second_zxid {
            (txn.session, txn.cxid) = key(first);
        }
    }
    Some(())
}

fn stat_of(reply: &mut Reply) -> Option<&mut Stat> {
    match reply {
        Reply::Data(_, stat) | Reply::Stat(stat) | Reply::Children(_, stat) => Some(stat),
        _ => None,
    }
}

fn reply_at(entry: &mut Entry) -> Option<&mut Reply> {
    match &mut entry.event {
        Event::Return { reply, .. } => Some(reply),
        _ => None,
    }
}

fn wrong_time(out: &mut History, history: &History, rng: &mut Rng) -> Option<()> {
    let mut told: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (at, entry) in out.entries.iter_mut().enumerate() {
        if let Some(stat) = reply_at(entry).and_then(stat_of).filter(|stat| stat.czxid > 0) {
            told.entry(stat.czxid).or_default().push(at);
        }
    }
    let at = one(rng, told.values().filter(|list| list.len() > 1).flatten().copied())?;
    assert!(at < history.entries.len());
    stat_of(reply_at(&mut out.entries[at])?)?.ctime_ms += 1;
    Some(())
}

/// Changes what a call was answered; false when the kind does not fit.
fn spoil(kind: Plant, request: &Request, reply: &mut Reply) -> bool {
    match (kind, reply) {
        (Plant::WrongData, Reply::Data(Some(data), _)) => data.push(b'!'),
        (Plant::WrongVersion, reply) => match stat_of(reply) {
            Some(stat) => stat.version += 1,
            None => return false,
        },
        (Plant::WrongChildren, Reply::Children(names, _)) => drop(names.insert("ghost".into())),
        (Plant::LostZnode, reply @ (Reply::Data(..) | Reply::Stat(_) | Reply::Children(..))) => {
            *reply = Reply::Failed(Code::NO_NODE);
        }
        (Plant::Ghost, reply @ Reply::Failed(Code::NO_NODE)) => match request {
            Request::Exists(..) => *reply = Reply::Stat(Stat::default()),
            Request::GetData(..) => *reply = Reply::Data(None, Stat::default()),
            _ => return false,
        },
        (Plant::WrongNumber, Reply::Changed(Answer::Created(path, _)))
            if path.ends_with(char::is_numeric) =>
        {
            let last = path.pop().expect("not empty");
            path.push(if last == '9' { '0' } else { (last as u8 + 1) as char });
        }
        (Plant::PartialMulti, Reply::Multi(list)) => drop(list.pop()),
        (Plant::WrongError, Reply::Failed(code)) if request.is_write() => {
            *code = if *code == Code::NO_NODE { Code::NOT_EMPTY } else { Code::NO_NODE };
        }
        (Plant::WrongError, Reply::MultiFailed(at, _)) => *at += 1,
        _ => return false,
    }
    true
}

fn in_answer(
    out: &mut History,
    history: &History,
    calls: &Calls<'_>,
    kind: Plant,
    rng: &mut Rng,
) -> Option<()> {
    let fits = |entry: &Entry| match &entry.event {
        Event::Return { call, reply, .. } => {
            let request = calls.list[calls.by_number[call]].request;
            let expired = *reply == Reply::Failed(Code::SESSION_EXPIRED);
            !expired && spoil(kind, request, &mut reply.clone())
        }
        _ => false,
    };
    let entries = history.entries.iter().enumerate();
    let at = one(rng, entries.filter(|(_, entry)| fits(entry)).map(|(at, _)| at))?;
    let Event::Return { call, reply, .. } = &mut out.entries[at].event else { return None };
    spoil(kind, calls.list[calls.by_number[call]].request, reply);
    Some(())
}

fn session_of(calls: &Calls<'_>, event: &Event) -> i64 {
    match event {
        Event::Attached { session, .. }
        | Event::Detached { session }
        | Event::Expired { session }
        | Event::Invoke { session, .. }
        | Event::Watch { session, .. } => *session,
        Event::Return { call, .. } => calls.list[calls.by_number[call]].session,
    }
}

/// Pairs of entries of one session that follow each other on one connection: first one of `first`,
/// and the next one of `second`.
fn pairs(
    history: &History,
    calls: &Calls<'_>,
    first: impl Fn(&Event) -> bool,
    second: impl Fn(&Event, &Event) -> bool,
) -> Vec<(usize, usize)> {
    let mut open: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    let mut found = Vec::new();
    for (at, Entry { event, .. }) in history.entries.iter().enumerate() {
        let list = open.entry(session_of(calls, event)).or_default();
        if matches!(event, Event::Detached { .. }) {
            list.clear();
        }
        let paired = |from: &usize| second(&history.entries[*from].event, event);
        found.extend(list.iter().filter(|from| paired(from)).map(|from| (*from, at)));
        list.retain(|from| !paired(from));
        if first(event) {
            list.push(at);
        }
    }
    found
}

/// An answer that is none of the errors that come without a txn.
fn answered(event: &Event) -> bool {
    matches!(event, Event::Return { zxid, reply, .. }
        if *zxid > 0 && !matches!(reply, Reply::Failed(_)))
}

fn in_time(
    out: &mut History,
    history: &History,
    calls: &Calls<'_>,
    kind: Plant,
    rng: &mut Rng,
) -> Option<()> {
    let number = |at: usize| match history.entries[at].event {
        Event::Return { call, .. } => call,
        _ => 0,
    };
    // Both were under way at the same time.
    let overlap = |(from, to): &(usize, usize)| {
        let second = number(*to);
        let mut before = history.entries[..*from].iter().map(|entry| &entry.event);
        before.any(|event| matches!(event, Event::Invoke { call, .. } if *call == second))
    };
    match kind {
        Plant::BackInTime => {
            let list = pairs(history, calls, answered, |_, to| answered(to));
            let (from, to) = one(rng, list.into_iter())?;
            let Event::Return { zxid: before, .. } = history.entries[from].event else {
                return None;
            };
            let Event::Return { zxid, .. } = &mut out.entries[to].event else { return None };
            *zxid = before - 1;
        }
        Plant::AnswerDisorder => {
            let list = pairs(history, calls, answered, |_, to| answered(to));
            let (from, to) = one(rng, list.into_iter().filter(overlap))?;
            out.entries.swap(from, to);
        }
        Plant::FalseExpiry => {
            let ended =
                |name: i64| history.txns.iter().any(|t| t.session == name && t.kind == Kind::End);
            let sessions = calls.list.iter().map(|call| call.session);
            let session = one(rng, sessions.filter(|session| !ended(*session)))?;
            let at_ms = history.entries.last()?.at_ms;
            out.entries.push(Entry { at_ms, event: Event::Expired { session } });
        }
        _ => return in_events(out, history, calls, kind, rng),
    }
    Some(())
}

fn in_events(
    out: &mut History,
    history: &History,
    calls: &Calls<'_>,
    kind: Plant,
    rng: &mut Rng,
) -> Option<()> {
    let fired = |event: &Event| matches!(event, Event::Watch { zxid: Some(_), .. });
    // The answer that shows the change of a watch event.
    let shows = |from: &Event, to: &Event| match (from, to) {
        (Event::Watch { zxid: Some(changed), .. }, Event::Return { zxid, .. }) => {
            answered(to) && zxid >= changed
        }
        _ => false,
    };
    // Before the first answer of a connection nobody knows since when a watch stands again.
    let settled = |(from, _): &(usize, usize)| {
        let name = session_of(calls, &history.entries[*from].event);
        let before = history.entries[..*from].iter().rev().map(|entry| &entry.event);
        let mut own = before.filter(|event| session_of(calls, event) == name);
        own.find_map(|event| match event {
            Event::Attached { .. } => Some(false),
            event => answered(event).then_some(true),
        }) == Some(true)
    };
    let events = history.entries.iter().enumerate();
    let events = events.filter(|(_, entry)| matches!(entry.event, Event::Watch { .. }));
    match kind {
        Plant::LostEvent | Plant::LateEvent => {
            let list = pairs(history, calls, fired, shows);
            let (from, to) = one(rng, list.into_iter().filter(settled))?;
            let entry = out.entries.remove(from);
            if kind == Plant::LateEvent {
                out.entries.insert(to, entry);
            }
        }
        Plant::TwiceToldEvent => {
            let at = one(rng, events.map(|(at, _)| at))?;
            out.entries.insert(at, history.entries[at].clone());
        }
        _ => {
            let at = one(rng, events.map(|(at, _)| at))?;
            let Event::Watch { path, .. } = &mut out.entries[at].event else { return None };
            path.push_str("/nobody");
        }
    }
    Some(())
}

/// What a session knew, and what a sync of it promised.
#[derive(Clone, Copy, Default)]
struct Synced {
    /// Newest zxid of the session's answers.
    newest: i64,
    /// The same before the sync was answered.
    before: i64,
    /// Newest zxid that anybody had seen when it was called.
    floor: i64,
    /// Where its answer stands, while the next event of the session is awaited.
    at: Option<usize>,
}

/// Answers a sync, and the read behind it, as of before the sync was called; the znode that is read
/// did not change since, so that nothing but the zxid tells.
fn stale_sync(
    out: &mut History,
    history: &History,
    calls: &Calls<'_>,
    rng: &mut Rng,
) -> Option<()> {
    let replayed: Replayed = replay(history, calls, &mut Found::default());
    let mut places = Vec::new();
    let mut sessions: BTreeMap<i64, Synced> = BTreeMap::new();
    let mut floors: BTreeMap<u64, i64> = BTreeMap::new();
    let mut seen = 0;
    for (at, Entry { event, .. }) in history.entries.iter().enumerate() {
        let name = session_of(calls, event);
        let session = sessions.entry(name).or_default();
        match event {
            Event::Invoke { call, .. } => drop(floors.insert(*call, seen)),
            Event::Return { call, zxid, .. } => {
                seen = seen.max(*zxid);
                let request = calls.list[calls.by_number[call]].request;
                let quiet = |path: &str, from: i64| {
                    let list = replayed.touches.get(path).map_or(&[][..], Vec::as_slice);
                    !list.iter().any(|(touch, _)| *touch > from && touch <= zxid)
                };
                if let (Some((path, false)), Some(sync)) = (request.read_path(), session.at)
                    && session.before < session.floor
                    && session.before > 0
                    && quiet(path, session.before)
                {
                    places.push((sync, at, session.before));
                }
                session.at = None;
                if matches!(request, Request::Sync) {
                    (session.at, session.floor) = (Some(at), floors[call]);
                    (session.before, session.newest) = (session.newest, *zxid);
                } else {
                    session.newest = session.newest.max(*zxid);
                }
            }
            // A watch event in between would tell the age of the answer, too.
            _ => session.at = None,
        }
    }
    let (sync, read, old) = one(rng, places.into_iter())?;
    for at in [sync, read] {
        let Event::Return { zxid, .. } = &mut out.entries[at].event else { return None };
        *zxid = old;
    }
    Some(())
}
