//! Containers and TTL znodes that the ensemble deletes by itself: only these, never while they have
//! children, and never before their time.
//!
//! The time is that of the leaders that made the txns, whose clocks jump. A leader that deletes must
//! find by its own clock that the znode was left alone for longer than its TTL.

use std::collections::BTreeMap;

use zk_core::txn::{Body, Txn};
use zk_wire::Op;

use super::World;
use super::invariants::{Held, broken};

/// A znode that may go by itself.
struct Doomed {
    /// `None` for a container.
    ttl_ms: Option<i64>,
    changed_ms: i64,
}

#[derive(Default)]
struct Doom {
    nodes: BTreeMap<String, Doomed>,
    /// How many went by themselves.
    reaped: u64,
}

impl Doom {
    fn take(&mut self, op: Op, body: &Body<'_>, time_ms: i64) -> Result<(), String> {
        match body {
            Body::Create(txn) => {
                let ttl_ms = (txn.op == Op::CREATE_TTL).then_some(txn.ttl_ms);
                if ttl_ms.is_some() || txn.op == Op::CREATE_CONTAINER {
                    let doomed = Doomed { ttl_ms, changed_ms: time_ms };
                    self.nodes.insert(txn.path.clone().into_owned(), doomed);
                }
            }
            Body::SetData(path, ..) => {
                if let Some(doomed) = self.nodes.get_mut(path.as_ref()) {
                    doomed.changed_ms = time_ms;
                }
            }
            Body::Delete(path) => {
                let doomed = self.nodes.remove(path.as_ref());
                if op == Op::DELETE_CONTAINER {
                    self.reaped += 1;
                    let doomed =
                        doomed.ok_or(format!("{path} is nothing that may go by itself"))?;
                    let age_ms = time_ms - doomed.changed_ms;
                    if doomed.ttl_ms.is_some_and(|ttl_ms| age_ms <= ttl_ms) {
                        return Err(format!("{path} goes at the age of {age_ms} ms"));
                    }
                    let below = format!("{path}/");
                    let child = self.nodes.range(below.clone()..).next();
                    if let Some((child, _)) = child.filter(|(child, _)| child.starts_with(&below)) {
                        return Err(format!("{path} goes before {child}"));
                    }
                }
            }
            // One that fails is done in no part.
            Body::Multi(list) if !list.iter().any(|(_, body)| matches!(body, Body::Error(_))) => {
                for (op, body) in list {
                    self.take(*op, body, time_ms)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl World {
    /// What went by itself was what may, and not too early.
    pub(super) fn what_goes_by_itself(&mut self) -> Held {
        let mut doom = Doom::default();
        for zxid in &self.monitor.chain {
            let txn = Txn::decode(&self.monitor.proposed[zxid].txn).expect("it was served");
            let taken = doom.take(txn.header.op, &txn.body, txn.header.time_ms);
            taken.map_err(|text| broken("i26_client_promises", format!("{text}, at {zxid}")))?;
        }
        self.tally.count_more("znodes that went by themselves", doom.reaped);
        Ok(())
    }
}
