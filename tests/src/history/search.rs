//! Looks for an order of what was done to one znode that fits real time: linearizability by search.
//!
//! Where [`check`](super::check) takes the order from the zxids that servers tell, this believes no
//! zxid and asks only whether there is any order at all, as Wing and Gong do it, with the states
//! remembered that were seen before. What counts are writes, and reads right behind a sync of the
//! same session: such a pair is one operation, from the call of the sync to the answer of the read.
//! Each znode for itself, with its data and version. Exact where it decides; it gives up after so
//! many steps.
//!
//! Needs `Promises::linearizable_sync`. No server, socket or clock in here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use zk_wire::{Code, Stat};

use super::order::{Act, NEVER, Operation, Outcome, Owner, is_linearizable};
use super::record::{Entry, Event, Reply, Request};
use crate::drive::model::{Answer, Change};

/// Flags of a create, as requests have them: whose znodes go with a session, whose names are
/// completed, and which ones the server deletes by itself.
const EPHEMERAL: [i32; 2] = [1, 3];
const SEQUENTIAL: [i32; 3] = [2, 3, 6];
const REAPED: [i32; 2] = [4, 5];

/// How a search went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// Znodes whose operations fit.
    pub znodes: usize,
    /// Operations in these.
    pub operations: usize,
    /// Znodes given up on.
    pub undecided: usize,
}

/// The operations of one znode, as they are gathered.
#[derive(Default)]
struct Register {
    operations: Vec<Operation>,
}

/// Goes through a record and sorts what was done by znode.
struct Gather<'e> {
    registers: BTreeMap<&'e str, Register>,
    data: HashMap<Option<&'e [u8]>, usize>,
    calls: BTreeMap<u64, Called<'e>>,
    /// The last call of each session that asked for a sync last, and where that was.
    synced: BTreeMap<i64, (u64, usize)>,
    /// Syncs that came to nothing.
    failed: BTreeSet<u64>,
}

struct Called<'e> {
    session: i64,
    request: &'e Request,
    from: usize,
    /// The sync right before it, and where that was called.
    sync: Option<(u64, usize)>,
}

impl<'e> Gather<'e> {
    fn number(&mut self, data: Option<&'e [u8]>) -> usize {
        let next = self.data.len();
        *self.data.entry(data).or_insert(next)
    }

    fn add(&mut self, path: &'e str, acts: Vec<(Act, Outcome)>, from: usize, to: usize) {
        let operation = Operation { acts, from, to };
        self.registers.entry(path).or_default().operations.push(operation);
    }

    fn act(&mut self, change: &'e Change, session: i64, at: usize) -> (&'e str, Act) {
        match change {
            Change::Create(_, path, data, flags, _) => {
                let owner = match flags {
                    flags if EPHEMERAL.contains(flags) => Owner::Session(session),
                    flags if REAPED.contains(flags) => Owner::Container(at),
                    _ => Owner::Nobody,
                };
                (path, Act::Create { data: self.number(data.as_deref()), owner })
            }
            Change::Delete(path, version) => (path, Act::Delete { version: *version }),
            Change::SetData(path, data, version) => {
                (path, Act::Set { data: self.number(data.as_deref()), version: *version })
            }
            Change::Check(path, version) => (path, Act::Check { version: *version }),
        }
    }

    fn changes(
        &mut self,
        changes: &'e [Change],
        session: i64,
        (from, to): (usize, usize),
        outcome: impl Fn(usize) -> Outcome,
    ) {
        let mut acts: BTreeMap<&str, Vec<(Act, Outcome)>> = BTreeMap::new();
        for (number, change) in changes.iter().enumerate() {
            if matches!(change, Change::Create(_, _, _, flags, _) if SEQUENTIAL.contains(flags)) {
                // Its name is not known beforehand; no znode that is looked at has such a name.
                continue;
            }
            let (path, act) = self.act(change, session, from);
            let outcome = outcome(number);
            acts.entry(path).or_default().push((act, outcome));
            let may_be = !matches!(outcome, Outcome::Failed(_) | Outcome::Nothing);
            if let (Act::Create { owner, .. }, true) = (act, may_be && to > from)
                && owner != Owner::Nobody
            {
                self.add(path, vec![(Act::Ends(owner), Outcome::Unknown)], from, NEVER);
            }
        }
        for (path, acts) in acts {
            self.add(path, acts, from, to);
        }
    }

    fn returned(&mut self, call: Called<'e>, to: usize, reply: Option<&'e Reply>) {
        let Called { session, request, from, sync } = call;
        let place = (from, if reply.is_some() { to } else { NEVER });
        match (request, reply) {
            (Request::Change(change), reply) => {
                let outcome = outcome_of(reply);
                self.changes(std::slice::from_ref(change), session, place, |_| outcome);
            }
            (Request::Multi(changes), reply) => {
                self.changes(changes, session, place, |number| match reply {
                    Some(Reply::Multi(answers)) => Outcome::Done(shown(&answers[number])),
                    // What stood before the failure may have changed what it failed at.
                    Some(_) => Outcome::Nothing,
                    None => Outcome::Unknown,
                });
            }
            (_, Some(reply)) => {
                let sync = sync.filter(|(call, _)| !self.failed.contains(call));
                let Some(((path, _), (_, from))) = request.read_path().zip(sync) else { return };
                let seen = match reply {
                    Reply::Data(data, stat) => {
                        Some((stat.version, Some(self.number(data.as_deref()))))
                    }
                    Reply::Stat(stat) | Reply::Children(_, stat) => Some((stat.version, None)),
                    Reply::Failed(Code::NO_NODE) => None,
                    _ => return,
                };
                self.add(path, vec![(Act::Read(seen), Outcome::Done(None))], from, to);
            }
            _ => {}
        }
    }

    fn event(&mut self, at: usize, event: &'e Event) {
        match event {
            Event::Invoke { call, session, request, .. } => {
                let sync = self.synced.remove(session);
                if matches!(request, Request::Sync) {
                    self.synced.insert(*session, (*call, at));
                }
                let (session, from) = (*session, at);
                self.calls.insert(*call, Called { session, request, from, sync });
            }
            Event::Return { call, reply, .. } => {
                if matches!(reply, Reply::Failed(_)) {
                    self.failed.insert(*call);
                }
                let Some(call) = self.calls.remove(call) else { return };
                self.returned(call, at, Some(reply));
            }
            Event::Detached { session } => {
                self.synced.remove(session);
            }
            _ => {}
        }
    }
}

fn shown(answer: &Answer) -> Option<i32> {
    let version = |stat: &Stat| Some(stat.version);
    match answer {
        Answer::Created(_, stat) => stat.as_ref().and_then(version),
        Answer::Changed(stat) => version(stat),
        Answer::Done => None,
    }
}

fn outcome_of(reply: Option<&Reply>) -> Outcome {
    match reply {
        None => Outcome::Unknown,
        Some(Reply::Changed(answer)) => Outcome::Done(shown(answer)),
        Some(Reply::Failed(code)) => Outcome::Failed(*code),
        Some(_) => Outcome::Nothing,
    }
}

/// A name that a sequential create may have given.
fn is_numbered(path: &str) -> bool {
    path.len() >= 10 && path.bytes().rev().take(10).all(|byte| byte.is_ascii_digit())
}

/// Searches an order for each znode of a record. `steps_max`: for each of them.
///
/// # Errors
/// The path of a znode whose operations have no order that fits, and how many they are.
pub fn search(entries: &[Entry], steps_max: usize) -> Result<Searched, String> {
    let mut gather = Gather {
        registers: BTreeMap::new(),
        data: HashMap::new(),
        calls: BTreeMap::new(),
        synced: BTreeMap::new(),
        failed: BTreeSet::new(),
    };
    for (at, entry) in entries.iter().enumerate() {
        gather.event(at, &entry.event);
    }
    // What was never answered may have been done, whenever.
    for (_, call) in std::mem::take(&mut gather.calls) {
        gather.returned(call, NEVER, None);
    }
    let known = BTreeSet::from(["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"]);
    let mut searched = Searched::default();
    for (path, register) in &gather.registers {
        if is_numbered(path) || known.contains(path) {
            continue;
        }
        match is_linearizable(&register.operations, steps_max) {
            Some(true) => {
                searched.znodes += 1;
                searched.operations += register.operations.len();
            }
            Some(false) => {
                let count = register.operations.len();
                return Err(format!("{path}: no order of {count} operations fits what was told"));
            }
            None => searched.undecided += 1,
        }
    }
    Ok(searched)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/r";

    /// A record in which each line is a session's call (`+`) or the answer to its oldest one (`-`).
    struct Script {
        entries: Vec<Entry>,
        waiting: BTreeMap<i64, Vec<u64>>,
        calls: u64,
    }

    impl Script {
        fn new() -> Script {
            Script { entries: Vec::new(), waiting: BTreeMap::new(), calls: 0 }
        }

        fn call(&mut self, session: i64, request: Request) -> &mut Script {
            self.calls += 1;
            let (call, cxid) = (self.calls, self.calls as i32);
            self.waiting.entry(session).or_default().push(call);
            let event = Event::Invoke { call, session, cxid, request };
            self.entries.push(Entry { at_ms: 0, event });
            self
        }

        fn answer(&mut self, session: i64, reply: Reply) -> &mut Script {
            let call = self.waiting.get_mut(&session).unwrap().remove(0);
            self.entries.push(Entry { at_ms: 0, event: Event::Return { call, zxid: 1, reply } });
            self
        }

        fn set(&mut self, session: i64, data: &str) -> &mut Script {
            let data = Some(data.as_bytes().to_vec());
            self.call(session, Request::Change(Change::SetData(PATH.to_owned(), data, -1)))
        }

        fn is_set(&mut self, session: i64, version: i32) -> &mut Script {
            let stat = Stat { version, ..Stat::default() };
            self.answer(session, Reply::Changed(Answer::Changed(stat)))
        }

        fn create(&mut self, session: i64, flags: i32) -> &mut Script {
            let path = PATH.to_owned();
            let op = zk_wire::Op::CREATE;
            let data = Some(b"new".to_vec());
            self.call(session, Request::Change(Change::Create(op, path.clone(), data, flags, -1)));
            self.answer(session, Reply::Changed(Answer::Created(path, None)))
        }

        fn look(&mut self, session: i64) -> &mut Script {
            self.call(session, Request::Sync);
            self.call(session, Request::GetData(PATH.to_owned(), false))
        }

        fn sees(&mut self, session: i64, version: i32, data: &str) -> &mut Script {
            self.answer(session, Reply::Done);
            let stat = Stat { version, ..Stat::default() };
            self.answer(session, Reply::Data(Some(data.as_bytes().to_vec()), stat))
        }

        fn sees_nothing(&mut self, session: i64) -> &mut Script {
            self.answer(session, Reply::Done);
            self.answer(session, Reply::Failed(Code::NO_NODE))
        }

        fn found(&self) -> Result<Searched, String> {
            search(&self.entries, 10_000)
        }
    }

    #[test]
    fn what_happens_one_after_the_other_has_one_order() {
        let mut script = Script::new();
        script.create(1, 0).set(1, "a").is_set(1, 1).look(2).sees(2, 1, "a");
        assert_eq!(script.found(), Ok(Searched { znodes: 1, operations: 3, undecided: 0 }));
        script.look(3).sees(3, 0, "new");
        assert!(script.found().is_err(), "an old value behind a new one");
    }

    #[test]
    fn what_overlaps_may_come_in_either_order() {
        for (first, second) in [("a", "b"), ("b", "a")] {
            let mut script = Script::new();
            script.create(1, 0).set(1, "a").set(2, "b").look(3).sees(3, 1, first);
            script.look(3).sees(3, 2, second);
            script.is_set(1, if first == "a" { 1 } else { 2 });
            script.is_set(2, if first == "b" { 1 } else { 2 });
            assert!(script.found().is_ok(), "{first}");
            script.look(3).sees(3, 1, first);
            assert!(script.found().is_err(), "{first}: back again");
        }
    }

    #[test]
    fn who_was_not_answered_may_have_been_heard_or_not() {
        for (version, data) in [(0, "new"), (1, "lost")] {
            let mut script = Script::new();
            script.create(1, 0).set(2, "lost").look(3).sees(3, version, data);
            assert!(script.found().is_ok(), "{data}");
        }
        let mut script = Script::new();
        script.create(1, 0).set(2, "lost").look(3).sees(3, 1, "lost").look(3).sees(3, 0, "new");
        assert!(script.found().is_err(), "heard, and then not");
    }

    #[test]
    fn ephemerals_go_by_themselves_and_others_do_not() {
        for (flags, goes) in [(0, false), (1, true), (4, true)] {
            let mut script = Script::new();
            script.create(1, flags).look(2).sees_nothing(2);
            assert_eq!(script.found().is_ok(), goes, "{flags}");
            script.look(2).sees(2, 0, "new");
            assert!(script.found().is_err(), "{flags}: it does not come back");
        }
    }

    #[test]
    fn it_gives_up_in_time() {
        let mut script = Script::new();
        script.create(1, 0);
        for session in 2..40 {
            script.set(session, &format!("{session}"));
        }
        script.look(1).sees(1, 38, "nobody wrote this");
        let found = script.found();
        assert_eq!(found, Ok(Searched { znodes: 0, operations: 0, undecided: 1 }));
    }
}
