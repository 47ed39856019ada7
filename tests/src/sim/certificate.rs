//! What clients were told, held against what was committed.
//!
//! The history of a run is what its clients recorded, and the txns that were served, with the bytes
//! that stand in the logs. `history::check` does the rest.

use std::collections::{BTreeMap, BTreeSet};

use zk_core::LocalSessions;
use zk_core::txn::{Body, Txn};
use zk_wire::{Code, Op, Zxid};

use super::World;
use super::invariants::{Held, broken};
use crate::history::record::{Calls, Found};
use crate::history::search::search;
use crate::history::{
    Committed, Event, History, Kind, Promises, Reply, Request, Summary, check, replay,
};

/// One run of so many is held against the search as well, which believes no zxid.
const SEARCHED_ONE_IN: u64 = 8;
/// Steps of the search for each znode.
const SEARCH_STEPS_MAX: usize = 20_000;

/// A session that only its server knows has no txn of its own, at its end as little as before. And the
/// leader, which does not know it, says that it has expired, where the server knows better.
fn leave_out_local(history: &mut History) {
    let begins = history.txns.iter().filter(|txn| matches!(txn.kind, Kind::Begin));
    let shared: BTreeSet<i64> = begins.map(|txn| txn.session).collect();
    let mut closes = BTreeSet::new();
    history.entries.retain(|entry| match &entry.event {
        Event::Invoke { call, session, request: Request::Close, .. } => {
            shared.contains(session) || !closes.insert(*call)
        }
        Event::Return { call, .. } => !closes.contains(call),
        _ => true,
    });
    let codes = [Code::EPHEMERAL_ON_LOCAL_SESSION, Code::SESSION_EXPIRED];
    for entry in &mut history.entries {
        if let Event::Return { reply, .. } = &mut entry.event
            && let Reply::Failed(code) | Reply::MultiFailed(_, code) = reply
            && codes.contains(code)
        {
            *reply = Reply::Failed(Code::SESSION_EXPIRED);
        }
    }
    for txn in &mut history.txns {
        if txn.kind == Kind::Refused(Code::EPHEMERAL_ON_LOCAL_SESSION) {
            txn.kind = Kind::Refused(Code::SESSION_EXPIRED);
        }
    }
}

impl World {
    /// The committed txns, as the checker wants them.
    fn committed(&self) -> Vec<Committed> {
        let proposed = &self.monitor.proposed;
        let txns = self.monitor.chain.iter().map(|zxid| {
            let known = &proposed[zxid];
            let txn = Txn::decode(&known.txn).expect("what was served decodes");
            let header = txn.header;
            let kind = match &txn.body {
                Body::CreateSession(_) => Kind::Begin,
                Body::CloseSession(_) => Kind::End,
                Body::Error(code) => Kind::Refused(*code),
                Body::Delete(path) if header.op == Op::DELETE_CONTAINER => {
                    Kind::Reaped(path.clone().into_owned())
                }
                Body::Multi(list) => match list.iter().find_map(|(_, body)| match body {
                    Body::Error(code) if *code != Code::OK => Some(*code),
                    _ => None,
                }) {
                    Some(code) => Kind::Refused(code),
                    None => Kind::Write,
                },
                _ => Kind::Write,
            };
            let (session, cxid) = (header.session, header.cxid);
            // The clock that all servers share here; theirs jump.
            Committed { zxid: zxid.0, session, cxid, time_ms: known.at_ms, kind }
        });
        txns.collect()
    }

    /// The newest txn at or below a zxid: an idle leader's answers carry the beginning of its epoch,
    /// which others never see.
    fn settled(&self, zxid: i64) -> i64 {
        if zxid <= 0 || Zxid(zxid).counter() != 0 {
            return zxid;
        }
        let below = self.monitor.chain.partition_point(|known| known.0 <= zxid);
        below.checked_sub(1).map_or(0, |at| self.monitor.chain[at].0)
    }

    /// Who only reads shows all of its log behind a start, as Apache's servers do; the end of that may
    /// never have been committed. There is no such state to hold these sessions against.
    fn leave_out_phantoms(&self, history: &mut History) {
        let mut sessions = BTreeMap::new();
        let mut phantoms: BTreeSet<i64> = BTreeSet::new();
        let chain = &self.monitor.chain;
        let missing = |zxid: i64| zxid > 0 && chain.binary_search(&Zxid(zxid)).is_err();
        for entry in &history.entries {
            match &entry.event {
                Event::Invoke { call, session, .. } => drop(sessions.insert(*call, *session)),
                Event::Return { call, zxid, .. } if missing(*zxid) => {
                    phantoms.extend(self.record.limited.get(&sessions[call]));
                }
                _ => {}
            }
        }
        history.entries.retain(|entry| {
            let session = match &entry.event {
                Event::Return { call, .. } => sessions[call],
                Event::Attached { session, .. }
                | Event::Detached { session }
                | Event::Expired { session }
                | Event::Invoke { session, .. }
                | Event::Watch { session, .. } => *session,
            };
            !phantoms.contains(&session)
        });
    }

    /// The history of the run.
    pub fn history(&self) -> History {
        let mut entries = self.record.entries.clone();
        for entry in &mut entries {
            if let Event::Return { zxid, .. } = &mut entry.event {
                *zxid = self.settled(*zxid);
            }
        }
        let mut history = History { entries, txns: self.committed() };
        self.leave_out_phantoms(&mut history);
        if self.plan.read_only || self.plan.local_sessions != LocalSessions::Off {
            leave_out_local(&mut history);
        }
        history
    }

    /// 26: what clients were told fits what was committed.
    pub(super) fn i26_client_promises(&self) -> Held<Summary> {
        let history = self.history();
        // Learners tell their leader what they heard with the next ping: only who is alone knows at
        // once.
        let calm = self.plan.fault_every_ms == 0 && self.servers.len() == 1;
        let promises = Promises { linearizable_sync: true, expiry_slack_ms: calm.then_some(2_500) };
        let found = check(&history, &promises);
        let mut summary = found.map_err(|anomalies| {
            // One of each kind: the cause is often not the first.
            let mut told = Vec::new();
            for anomaly in &anomalies {
                if told.iter().all(|(rule, _)| *rule != anomaly.rule) {
                    told.push((anomaly.rule, anomaly.to_string()));
                }
            }
            let told: Vec<String> = told.into_iter().map(|(_, text)| text).collect();
            let count = anomalies.len();
            broken("i26_client_promises", format!("{count} anomalies: {}", told.join("; ")))
        })?;
        self.check_mirrors(&history)?;
        if self.seed.is_multiple_of(SEARCHED_ONE_IN) {
            let searched = search(&history.entries, SEARCH_STEPS_MAX);
            let searched = searched.map_err(|text| broken("i26_client_promises", text))?;
            (summary.searched, summary.undecided) = (searched.operations, searched.undecided);
        }
        Ok(summary)
    }

    fn check_mirrors(&self, history: &History) -> Held {
        let mirrors: Vec<_> =
            self.clients.iter().filter_map(|client| client.mirror.as_ref()).collect();
        if mirrors.is_empty() {
            return Ok(());
        }
        let bad = |text: String| broken("i26_client_promises", format!("persistent watch: {text}"));
        let calls = Calls::of(history).map_err(|anomaly| bad(anomaly.to_string()))?;
        let replayed = replay::replay(history, &calls, &mut Found::default());
        for mirror in mirrors {
            mirror.check(&replayed.touches).map_err(bad)?;
        }
        Ok(())
    }
}
