//! Goes through a history in real time: the order between sessions, within each, and of watches.

use std::collections::{BTreeMap, VecDeque};

use super::record::{Call, Calls, Event, Found, History, Promises, Reply, Request, Rule, Touch};
use super::replay::Replayed;
use zk_wire::Code;

/// What a one-shot watch waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// The znode itself.
    Data,
    /// Its children.
    Children,
}

impl Class {
    fn fits(self, touch: Touch) -> bool {
        match self {
            Class::Data => touch != Touch::Children,
            Class::Children => matches!(touch, Touch::Children | Touch::Deleted),
        }
    }
}

/// A watch that a client has set and not heard of.
#[derive(Clone, Copy, Debug)]
struct Armed {
    /// What will fire it.
    trigger: Option<(i64, Touch)>,
    /// The connection went since, and nothing was answered on the next one yet: what happened
    /// meanwhile is told in sum.
    loose: bool,
    /// It waits for a znode to appear.
    absent: bool,
}

#[derive(Debug, Default)]
struct Session {
    attached: bool,
    timeout_ms: i64,
    /// It was told that it ended.
    over: bool,
    outstanding: VecDeque<usize>,
    /// Newest zxid of its answers.
    seen: i64,
    /// Newest change that an event told of, on this connection.
    told: i64,
    /// What a read must show because of a sync.
    synced: i64,
    /// When a request was sent that was answered.
    heard_ms: Option<i64>,
    watches: BTreeMap<(String, Class), Armed>,
}

/// What holds at the moment a call is made.
#[derive(Clone, Copy, Debug, Default)]
struct Made {
    at_ms: i64,
    /// Newest zxid that anybody had seen.
    seen: i64,
}

struct Scan<'h, 'f> {
    promises: &'h Promises,
    calls: &'h Calls<'h>,
    replayed: &'h Replayed,
    found: &'f mut Found,
    sessions: BTreeMap<i64, Session>,
    made: Vec<Made>,
    /// Newest zxid that anybody has seen so far.
    seen: i64,
    watches: usize,
}

/// Scans a history; says how many watch events there were.
pub fn scan(
    history: &History,
    promises: &Promises,
    calls: &Calls<'_>,
    replayed: &Replayed,
    found: &mut Found,
) -> usize {
    let (sessions, made) = (BTreeMap::new(), vec![Made::default(); calls.list.len()]);
    let mut scan = Scan { promises, calls, replayed, found, sessions, made, seen: 0, watches: 0 };
    for entry in &history.entries {
        scan.event(entry.at_ms, &entry.event);
    }
    scan.expiries();
    scan.watches
}

impl Scan<'_, '_> {
    fn event(&mut self, at_ms: i64, event: &Event) {
        match event {
            Event::Attached { session, timeout_ms } => {
                let name = *session;
                let session = self.sessions.entry(name).or_default();
                if session.over {
                    self.found.add(Rule::SessionEnd, format!("{name:#x} is served after its end"));
                }
                (session.attached, session.timeout_ms) = (true, *timeout_ms);
            }
            Event::Detached { session } => {
                let session = self.sessions.entry(*session).or_default();
                session.attached = false;
                session.outstanding.clear();
                session.told = 0;
                session.watches.values_mut().for_each(|watch| watch.loose = true);
            }
            Event::Expired { session } => {
                if !self.replayed.ends.contains_key(session) {
                    let text = format!("{session:#x} is told that it expired, and did not");
                    self.found.add(Rule::SessionEnd, text);
                }
                self.sessions.entry(*session).or_default().over = true;
            }
            Event::Invoke { call, .. } => self.invoke(at_ms, self.calls.by_number[call]),
            Event::Return { call, zxid, reply } => {
                self.returned(self.calls.by_number[call], *zxid, reply)
            }
            Event::Watch { session, zxid, touch, path } => {
                self.watches += 1;
                self.fired(*session, *zxid, *touch, path);
            }
        }
    }

    fn invoke(&mut self, at_ms: i64, at: usize) {
        let call = &self.calls.list[at];
        self.made[at] = Made { at_ms, seen: self.seen };
        let logged = match call.request {
            Request::Close => self.replayed.ends.get(&call.session).map(|(zxid, _)| *zxid),
            _ => self.replayed.zxids.get(&(call.session, call.cxid)).copied(),
        };
        // A session may have expired before it asked for its end.
        let expired = matches!(call.request, Request::Close)
            && !matches!(call.returned, Some((_, Reply::Done)));
        if let Some(zxid) = logged.filter(|zxid| *zxid <= self.seen && !expired) {
            let text =
                format!("{:?} is {zxid:#x}, but {:#x} was seen before", call.request, self.seen);
            self.found.add(Rule::RealTime, text);
        }
        let session = self.sessions.entry(call.session).or_default();
        if !session.attached {
            let text = format!("{:#x} asks without a connection", call.session);
            self.found.add(Rule::Malformed, text);
        }
        session.outstanding.push_back(at);
    }

    fn returned(&mut self, at: usize, zxid: i64, reply: &Reply) {
        let call = &self.calls.list[at];
        let failed = matches!(reply, Reply::Failed(code) if *code != Code::NO_NODE);
        // An epoch begins with a zxid that no txn carries: who has the one before has as much.
        if zxid & 0xffff_ffff != 0 {
            self.seen = self.seen.max(zxid);
        }
        let session = self.sessions.entry(call.session).or_default();
        let first = session.outstanding.pop_front();
        if first != Some(at) || !session.attached {
            let text = format!("{:#x} hears of {:?} out of order", call.session, call.request);
            self.found.add(Rule::SessionOrder, text);
        }
        // Errors that are told without a txn come with any zxid. A read at 0 is none of these: it
        // shows what a server has that has nothing, and its watch stands.
        if zxid < 0 || (failed && (zxid == 0 || !call.request.is_write())) {
            return;
        }
        let newest = session.seen.max(session.told);
        if zxid < newest {
            let text = format!("{:#x} sees {zxid:#x} after {newest:#x}", call.session);
            self.found.add(Rule::SessionOrder, text);
        }
        session.seen = session.seen.max(zxid);
        // Who is told that its session is gone was not heard in time.
        if *reply != Reply::Failed(Code::SESSION_EXPIRED) {
            session.heard_ms = session.heard_ms.max(Some(self.made[at].at_ms));
        }
        self.late_watches(call.session, zxid);
        self.settle_watches(call.session, zxid);
        let ended = self.replayed.ends.get(&call.session).map(|(end, _)| *end);
        let session = self.sessions.entry(call.session).or_default();
        let closes = matches!(call.request, Request::Close);
        let after = session.over || ended.is_some_and(|end| zxid >= end);
        if after && !closes && !matches!(reply, Reply::Failed(_)) {
            let text = format!("{:#x} is served at {zxid:#x}, after its end", call.session);
            self.found.add(Rule::SessionEnd, text);
        }
        session.over |= closes;
        match call.request {
            Request::Sync => session.synced = session.synced.max(self.made[at].seen),
            request => {
                let stale = self.promises.linearizable_sync && zxid < session.synced;
                if stale && request.read_path().is_some() {
                    let text = format!("{request:?} is {zxid:#x}, synced {:#x}", session.synced);
                    self.found.add(Rule::Sync, text);
                }
                self.arm(call, zxid, reply);
            }
        }
    }

    fn trigger(&self, path: &str, class: Class, after: i64) -> Option<(i64, Touch)> {
        let list = self.replayed.touches.get(path)?;
        let from = list.partition_point(|(zxid, _)| *zxid <= after);
        list[from..].iter().find(|(_, touch)| class.fits(*touch)).copied()
    }

    fn arm(&mut self, call: &Call<'_>, zxid: i64, reply: &Reply) {
        let Some((path, true)) = call.request.read_path() else { return };
        let absent = *reply == Reply::Failed(Code::NO_NODE);
        let exists = matches!(call.request, Request::Exists(..));
        if absent && !exists {
            return;
        }
        let class = match call.request {
            Request::Children(..) => Class::Children,
            _ => Class::Data,
        };
        let armed = Armed { trigger: self.trigger(path, class, zxid), loose: false, absent };
        let session = self.sessions.entry(call.session).or_default();
        session.watches.entry((path.to_owned(), class)).or_insert(armed);
    }

    /// Whether a znode that was not there at first is not there at `zxid`.
    fn is_absent(&self, path: &str, zxid: i64) -> bool {
        let list = self.replayed.touches.get(path).map_or(&[][..], Vec::as_slice);
        let until = list.partition_point(|(touched, _)| *touched <= zxid);
        let lives = [Touch::Created, Touch::Deleted];
        let last = list[..until].iter().rev().find(|(_, touch)| lives.contains(touch));
        last.is_none_or(|(_, touch)| *touch == Touch::Deleted)
    }

    /// Watches that had to fire before an answer at `zxid`.
    fn late_watches(&mut self, name: i64, zxid: i64) {
        let Some(session) = self.sessions.get(&name) else { return };
        let late = |path: &str, watch: &Armed| {
            // Who waits for a znode that came and went while it was away hears nothing.
            let excused = watch.loose && watch.absent && self.is_absent(path, zxid);
            watch.trigger.is_some_and(|(trigger, _)| trigger <= zxid) && !excused
        };
        let list = session.watches.iter().filter(|((path, _), watch)| late(path, watch));
        let keys: Vec<_> = list.map(|(key, _)| key.clone()).collect();
        for key in keys {
            let session = self.sessions.entry(name).or_default();
            let watch = session.watches.remove(&key).expect("just found");
            let text = format!("{name:#x} sees {zxid:#x} without {watch:x?} at {key:?}");
            self.found.add(Rule::WatchMissed, text);
        }
    }

    /// Behind the first answer of a connection, watches are set again: each one that has not fired
    /// by then stands, and waits for a change behind that answer.
    fn settle_watches(&mut self, name: i64, zxid: i64) {
        let mut watches = std::mem::take(&mut self.sessions.entry(name).or_default().watches);
        for ((path, class), watch) in watches.iter_mut().filter(|(_, watch)| watch.loose) {
            watch.loose = false;
            watch.trigger = self.trigger(path, *class, zxid);
        }
        self.sessions.entry(name).or_default().watches = watches;
    }

    fn fired(&mut self, name: i64, zxid: Option<i64>, touch: Touch, path: &str) {
        let session = self.sessions.entry(name).or_default();
        let mut changed = None;
        for class in [Class::Data, Class::Children] {
            let key = (path.to_owned(), class);
            let Some(watch) = session.watches.get(&key) else { continue };
            let Some((at, wanted)) = watch.trigger else { continue };
            let fits = match watch.loose {
                true => class.fits(touch),
                false => touch == wanted && zxid.is_none_or(|zxid| zxid == at),
            };
            if fits && session.attached {
                // Of what was told in sum nobody knows which change it was.
                changed = changed.max(Some(if watch.loose { 0 } else { at }));
                session.watches.remove(&key);
            }
        }
        let Some(changed) = changed else {
            let text = format!("{name:#x} hears of {touch:?} at {path}, zxid {zxid:x?}");
            return self.found.add(Rule::WatchUnexpected, text);
        };
        if changed != 0 && changed < session.told {
            let text = format!("{name:#x} hears of {changed:#x} behind {:#x}", session.told);
            self.found.add(Rule::WatchOrder, text);
        }
        session.told = session.told.max(changed);
        self.seen = self.seen.max(changed);
    }

    /// Sessions that ended without being asked to did so late enough.
    fn expiries(&mut self) {
        let Some(slack_ms) = self.promises.expiry_slack_ms else { return };
        let closes = self.calls.list.iter();
        let closes = closes.filter(|call| matches!(call.request, Request::Close));
        let asked: Vec<i64> = closes.map(|call| call.session).collect();
        for (name, (zxid, time_ms)) in &self.replayed.ends {
            let Some(session) = self.sessions.get(name) else { continue };
            let Some(heard_ms) = session.heard_ms.filter(|_| !asked.contains(name)) else {
                continue;
            };
            let earliest_ms = heard_ms + session.timeout_ms - slack_ms;
            if *time_ms < earliest_ms {
                let text = format!(
                    "{name:#x} expired ({zxid:#x}) at {time_ms} ms, {earliest_ms} ms at best"
                );
                self.found.add(Rule::SessionEnd, text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use zk_wire::Op;

    use super::*;
    use crate::drive::model::{Answer, Change};
    use crate::history::{Committed, Entry, Kind, Summary, check};

    const PROMISES: Promises = Promises { linearizable_sync: true, expiry_slack_ms: None };

    fn history(events: Vec<Event>) -> History {
        let entries = events.into_iter().enumerate();
        let entries = entries.map(|(at, event)| Entry { at_ms: at as i64, event }).collect();
        let txn = |zxid, session, cxid, kind| Committed { zxid, session, cxid, time_ms: 1, kind };
        let txns =
            vec![txn(1, 7, 0, Kind::Begin), txn(2, 8, 0, Kind::Begin), txn(3, 8, 1, Kind::Write)];
        History { entries, txns }
    }

    /// A client of a server that has nothing yet looks for a znode that comes later.
    fn early_watch(read_zxid: i64, event_zxid: i64) -> Vec<Event> {
        let (exists, path) = (Request::Exists("/c".to_owned(), true), "/c".to_owned());
        let create = Change::Create(Op::CREATE, path.clone(), None, 0, -1);
        let created = Reply::Changed(Answer::Created(path.clone(), None));
        vec![
            Event::Attached { session: 7, timeout_ms: 4_000 },
            Event::Attached { session: 8, timeout_ms: 4_000 },
            Event::Invoke { call: 1, session: 7, cxid: 1, request: exists },
            Event::Return { call: 1, zxid: read_zxid, reply: Reply::Failed(Code::NO_NODE) },
            Event::Invoke { call: 2, session: 8, cxid: 1, request: Request::Change(create) },
            Event::Return { call: 2, zxid: 3, reply: created },
            Event::Watch { session: 7, zxid: Some(event_zxid), touch: Touch::Created, path },
        ]
    }

    /// A server whose disk does nothing answers reads at zxid 0 to a session that a quorum has
    /// opened; the watches that they leave are watches.
    #[test]
    fn a_watch_of_a_read_at_zxid_0_stands() {
        for zxid in [0, 2] {
            let found = check(&history(early_watch(zxid, 3)), &PROMISES);
            let seen = Summary { calls: 2, reads: 1, txns: 3, watches: 1, ..Summary::default() };
            assert_eq!(found, Ok(seen), "read at {zxid}");
        }
        let found = check(&history(early_watch(0, 2)), &PROMISES).unwrap_err();
        assert_eq!(found[0].rule, Rule::WatchUnexpected, "the event of another change");
        let mut unseen = early_watch(0, 3);
        unseen.pop();
        let again = Request::Exists("/c".to_owned(), false);
        unseen.push(Event::Invoke { call: 3, session: 7, cxid: 2, request: again });
        let reply = Reply::Failed(Code::NO_NODE);
        unseen.push(Event::Return { call: 3, zxid: 3, reply });
        let found = check(&history(unseen), &PROMISES).unwrap_err();
        assert!(found.iter().any(|anomaly| anomaly.rule == Rule::WatchMissed), "{found:?}");
    }
}
