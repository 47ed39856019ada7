//! Replays the committed txns in the order of their zxids and holds every answer against the tree.

use std::collections::BTreeMap;

use zk_wire::{Code, Stat};

use super::record::{Call, Calls, Committed, Found, History, Kind, Reply, Request, Rule, Touch};
use crate::drive::model::{Answer, Change, Model};

/// Codes that the tree decides. Others (an expired session, a full disk) are not its business.
const DECIDED: [Code; 5] = [
    Code::NO_NODE,
    Code::NODE_EXISTS,
    Code::BAD_VERSION,
    Code::NOT_EMPTY,
    Code::NO_CHILDREN_FOR_EPHEMERALS,
];

/// The znode that shows the configuration.
const CONFIG: &str = "/zookeeper/config";

/// What the replay has shown.
#[derive(Debug, Default)]
pub struct Replayed {
    /// What happened to each path, by zxid.
    pub touches: BTreeMap<String, Vec<(i64, Touch)>>,
    /// Where each session ended: zxid and the leader's time in ms.
    pub ends: BTreeMap<i64, (i64, i64)>,
    /// The zxid of each write that is in the log, by session and xid.
    pub zxids: BTreeMap<(i64, i32), i64>,
    /// Reads that were held against the tree.
    pub reads: usize,
}

/// The time that each zxid was given, learned from stats.
#[derive(Debug, Default)]
struct Times(BTreeMap<i64, i64>);

impl Times {
    /// Takes the times out of a stat; false when one of them contradicts what was told before.
    fn strip(&mut self, stat: &mut Stat) -> bool {
        let mut fits = true;
        for (zxid, time_ms) in [(stat.czxid, stat.ctime_ms), (stat.mzxid, stat.mtime_ms)] {
            fits &= *self.0.entry(zxid).or_insert(time_ms) == time_ms;
        }
        (stat.ctime_ms, stat.mtime_ms) = (0, 0);
        fits
    }

    fn strip_answer(&mut self, answer: &mut Answer) -> bool {
        match answer {
            Answer::Created(_, Some(stat)) | Answer::Changed(stat) => self.strip(stat),
            Answer::Created(_, None) | Answer::Done => true,
        }
    }

    fn strip_reply(&mut self, reply: &mut Reply) -> bool {
        match reply {
            Reply::Data(_, stat) | Reply::Stat(stat) | Reply::Children(_, stat) => self.strip(stat),
            Reply::Changed(answer) => self.strip_answer(answer),
            // Not `all`: each stat is to lose its times.
            Reply::Multi(list) => list.iter_mut().fold(true, |fits, a| self.strip_answer(a) & fits),
            Reply::MultiFailed(..) | Reply::Done | Reply::Failed(_) => true,
        }
    }
}

struct Replay<'h, 'f> {
    model: Model,
    times: Times,
    calls: &'h Calls<'h>,
    out: Replayed,
    found: &'f mut Found,
}

/// Replays a history.
pub fn replay(history: &History, calls: &Calls<'_>, found: &mut Found) -> Replayed {
    let (model, times, out) = (Model::fresh(), Times::default(), Replayed::default());
    let mut replay = Replay { model, times, calls, out, found };
    let mut reads: Vec<(i64, usize)> = Vec::new();
    for (at, call) in calls.list.iter().enumerate() {
        if let (Some(_), Some((zxid, _))) = (call.request.read_path(), call.returned) {
            reads.push((zxid, at));
        }
    }
    reads.sort_unstable();
    let mut reads = reads.into_iter().peekable();
    let mut last = i64::MIN;
    for txn in &history.txns {
        if txn.zxid <= last {
            let text = format!("{:#x} is logged behind {last:#x}", txn.zxid);
            replay.found.add(Rule::TxnOrder, text);
            continue;
        }
        while let Some((_, at)) = reads.next_if(|(zxid, _)| *zxid < txn.zxid) {
            replay.read(&calls.list[at]);
        }
        replay.txn(txn);
        last = txn.zxid;
    }
    for (_, at) in reads {
        replay.read(&calls.list[at]);
    }
    replay.acknowledged();
    replay.out
}

/// What a multi or a change would be answered.
fn answer_of(outcome: Result<Vec<Answer>, (usize, Code)>, request: &Request) -> Reply {
    match (outcome, request) {
        (Ok(list), Request::Multi(_)) => Reply::Multi(list),
        (Ok(mut list), _) => Reply::Changed(list.remove(0)),
        (Err((at, code)), Request::Multi(_)) => Reply::MultiFailed(at, code),
        (Err((_, code)), _) => Reply::Failed(code),
    }
}

impl Replay<'_, '_> {
    fn touch(&mut self, path: &str, zxid: i64, touch: Touch) {
        self.out.touches.entry(path.to_owned()).or_default().push((zxid, touch));
        if matches!(touch, Touch::Created | Touch::Deleted) {
            let parent = &path[..path.rfind('/').unwrap_or(0)];
            // Clients call the root "/", the tree calls it "".
            let parent = if parent.is_empty() { "/" } else { parent };
            let list = self.out.touches.entry(parent.to_owned()).or_default();
            list.push((zxid, Touch::Children));
        }
    }

    fn txn(&mut self, txn: &Committed) {
        match &txn.kind {
            Kind::Begin => {}
            Kind::End => {
                // It may end by its client's wish and by silence at once: the second end does nothing.
                self.out.ends.entry(txn.session).or_insert((txn.zxid, txn.time_ms));
                let owned = self.model.nodes.iter();
                let owned = owned.filter(|(_, node)| node.stat.ephemeral_owner == txn.session);
                let owned: Vec<String> = owned.map(|(path, _)| path.clone()).collect();
                self.model.close_session(txn.session, txn.zxid);
                owned.iter().for_each(|path| self.touch(path, txn.zxid, Touch::Deleted));
            }
            Kind::Reaped(path) => {
                let change = Change::Delete(path.clone(), -1);
                match self.model.change(&change, 0, txn.zxid, 0) {
                    Ok(_) => self.touch(path, txn.zxid, Touch::Deleted),
                    Err(code) => {
                        let text = format!("{path} is reaped at {:#x}: {code:?}", txn.zxid);
                        self.found.add(Rule::Result, text);
                    }
                }
            }
            Kind::Write | Kind::Refused(_) => self.write(txn),
        }
    }

    fn write(&mut self, txn: &Committed) {
        let key = (txn.session, txn.cxid);
        let name = format!("{:#x} of session {:#x}, xid {}", txn.zxid, key.0, key.1);
        let Some(&at) = self.calls.by_cxid.get(&key) else {
            return self.found.add(Rule::Invented, format!("nobody asked for {name}"));
        };
        if let Some(before) = self.out.zxids.insert(key, txn.zxid) {
            return self.found.add(Rule::Once, format!("{name} was done at {before:#x}"));
        }
        let call = &self.calls.list[at];
        if self.out.ends.contains_key(&txn.session) && txn.kind == Kind::Write {
            self.found.add(Rule::SessionEnd, format!("{name} comes after the session's end"));
        }
        let changes = match call.request {
            Request::Change(change) => std::slice::from_ref(change),
            Request::Multi(changes) => changes,
            Request::Reconfig(..) => return self.reconfig(txn, &name, call),
            // It came too late, or from another server than the session's.
            Request::Close if matches!(txn.kind, Kind::Refused(_)) => return,
            other => return self.found.add(Rule::Invented, format!("{name} was {other:?}")),
        };
        let wanted = match txn.kind {
            Kind::Refused(code) if !DECIDED.contains(&code) => Reply::Failed(code),
            _ => self.change(txn, changes, call.request),
        };
        let done = !matches!(wanted, Reply::Failed(_) | Reply::MultiFailed(..));
        if done != (txn.kind == Kind::Write) {
            let text = format!("{name} is logged as {:?}, and should be {wanted:?}", txn.kind);
            self.found.add(Rule::Result, text);
        }
        let Some((zxid, reply)) = call.returned else { return };
        if zxid != txn.zxid {
            self.found.add(Rule::Durable, format!("{name} was acknowledged as {zxid:#x}"));
        }
        self.compare(Rule::Result, &name, reply, &wanted);
    }

    /// A configuration is no znode of the model: of its answer the place in the order is held.
    fn reconfig(&mut self, txn: &Committed, name: &str, call: &Call<'_>) {
        if txn.kind == Kind::Write {
            self.touch(CONFIG, txn.zxid, Touch::Data);
        }
        let Some((zxid, reply)) = call.returned else { return };
        if zxid != txn.zxid {
            self.found.add(Rule::Durable, format!("{name} was acknowledged as {zxid:#x}"));
        }
        let fits = match (&txn.kind, reply) {
            (Kind::Refused(code), Reply::Failed(told)) => code == told,
            (Kind::Write, Reply::Data(Some(_), stat)) => stat.mzxid == zxid,
            _ => false,
        };
        if !fits {
            let text = format!("{name} is logged as {:?}, and answered {reply:?}", txn.kind);
            self.found.add(Rule::Result, text);
        }
    }

    /// Does the changes; says what the client is to be answered.
    fn change(&mut self, txn: &Committed, changes: &[Change], request: &Request) -> Reply {
        let outcome = match changes {
            [change] if matches!(request, Request::Change(_)) => {
                let done = self.model.change(change, txn.session, txn.zxid, 0);
                done.map(|answer| vec![answer]).map_err(|code| (0, code))
            }
            _ => self.model.multi(changes, txn.session, txn.zxid, 0),
        };
        if let Ok(answers) = &outcome {
            for (change, answer) in changes.iter().zip(answers) {
                match (change, answer) {
                    (Change::Create(..), Answer::Created(path, _)) => {
                        self.touch(path, txn.zxid, Touch::Created)
                    }
                    (Change::Delete(path, _), _) => self.touch(path, txn.zxid, Touch::Deleted),
                    (Change::SetData(path, ..), _) => self.touch(path, txn.zxid, Touch::Data),
                    _ => {}
                }
            }
        }
        answer_of(outcome, request)
    }

    fn compare(&mut self, rule: Rule, name: &str, reply: &Reply, wanted: &Reply) {
        let mut reply = reply.clone();
        if !self.times.strip_reply(&mut reply) {
            self.found.add(Rule::Time, format!("{name} tells another time than before: {reply:?}"));
        }
        if reply != *wanted {
            self.found.add(rule, format!("{name} was answered {reply:?}, should be {wanted:?}"));
        }
    }

    fn read(&mut self, call: &Call<'_>) {
        let (Some((path, _)), Some((zxid, reply))) = (call.request.read_path(), call.returned)
        else {
            return;
        };
        if matches!(reply, Reply::Failed(code) if *code != Code::NO_NODE) {
            return;
        }
        self.out.reads += 1;
        let key = if path == "/" { "" } else { path };
        let wanted = match (self.model.stat(key), call.request) {
            (None, _) => Reply::Failed(Code::NO_NODE),
            (Some(stat), Request::GetData(..)) => {
                Reply::Data(self.model.nodes[key].data.clone(), stat)
            }
            (Some(stat), Request::Children(..)) => Reply::Children(self.model.children(key), stat),
            (Some(stat), _) => Reply::Stat(stat),
        };
        // The model keeps no time: only the znodes that everybody has from the beginning are at 0.
        let name = format!("{:?} at {zxid:#x}", call.request);
        self.compare(Rule::Read, &name, reply, &wanted);
    }

    /// What was acknowledged is in the log.
    fn acknowledged(&mut self) {
        for call in &self.calls.list {
            let Some((zxid, reply)) = call.returned.filter(|_| call.request.is_write()) else {
                continue;
            };
            let decided = match reply {
                Reply::Failed(code) => DECIDED.contains(code),
                _ => true,
            };
            let logged = match call.request {
                Request::Close => self.out.ends.get(&call.session).map(|(zxid, _)| *zxid),
                _ => self.out.zxids.get(&(call.session, call.cxid)).copied(),
            };
            if decided && logged != Some(zxid) {
                let name = format!("{:?} of session {:#x}", call.request, call.session);
                let text = format!("{name} was acknowledged as {zxid:#x} and is at {logged:x?}");
                self.found.add(Rule::Durable, text);
            }
        }
    }
}
