//! Read-only mode: who has looked for a leader for a while serves what it has applied to clients
//! that ask for no more.
//!
//! Nothing is written here: sessions are this server's own, and end with the election.

use zk_wire::header::RequestHeader;
use zk_wire::{Code, Op};

use super::Replica;
use super::ensemble::Role;
use crate::effect::{Effects, Level};
use crate::ids::ConnId;
use crate::time::Now;

/// Where read-only mode stands.
#[derive(Debug)]
pub(super) struct ReadOnly {
    /// Clients are served read-only.
    pub on: bool,
    /// When that begins, on the monotonic clock, unless a leader is found before.
    pub due_ms: Option<i64>,
    /// What is applied is a state that there was. The database of an Apache leader is not before
    /// everything that came behind it is applied, too.
    pub whole: bool,
}

impl ReadOnly {
    /// Off.
    pub fn new() -> ReadOnly {
        ReadOnly { on: false, due_ms: None, whole: true }
    }
}

/// Whether a request is refused. createSession and closeSession are not: sessions are local.
fn is_write(op: Op) -> bool {
    matches!(
        op,
        Op::SYNC
            | Op::CREATE
            | Op::CREATE2
            | Op::CREATE_TTL
            | Op::CREATE_CONTAINER
            | Op::DELETE
            | Op::SET_DATA
            | Op::RECONFIG
            | Op::SET_ACL
            | Op::MULTI
    )
}

impl Replica {
    /// Begins to look for a leader, or begins anew with other voters.
    pub(super) fn await_read_only(&mut self, now: Now) {
        if !self.read_only.on {
            self.read_only.due_ms = self.config.read_only_after_ms.map(|ms| now.mono_ms + ms);
        }
    }

    /// Looks whether a leader was looked for long enough.
    pub(super) fn look_read_only(&mut self, now: Now, effects: &mut Effects) {
        if self.read_only.due_ms.is_none_or(|due_ms| now.mono_ms < due_ms) {
            return;
        }
        self.read_only.due_ms = None;
        let looks = matches!(&self.ensemble, Some(us) if matches!(us.role, Role::Looking));
        assert!(looks && !self.serving, "read-only mode begins beside a leader");
        if !self.read_only.whole {
            let line = "ensemble: not read-only reason=\"the database was received in part\"";
            return effects.log(Level::Warn, line.to_owned());
        }
        self.read_only.on = true;
        let zxid = self.tree.last_zxid();
        effects.log(Level::Warn, format!("ensemble: read-only zxid={zxid}"));
    }

    /// A leader is found.
    pub(super) fn end_read_only(&mut self, effects: &mut Effects) {
        self.read_only.due_ms = None;
        if self.read_only.on {
            effects.log(Level::Info, "ensemble: read-only no more".to_owned());
            self.stop_serving(effects);
        }
    }

    /// Refuses a request that a read-only server does not carry out. True when it did.
    #[cold]
    pub(super) fn refuse_read_only(
        &mut self,
        now: Now,
        id: ConnId,
        header: RequestHeader,
        effects: &mut Effects,
    ) -> bool {
        if is_write(header.op) {
            let zxid = self.tree.last_zxid();
            let code = Code::NOT_READ_ONLY;
            self.answer(now, id, header.xid, header.op, zxid, code, &[], effects);
        }
        is_write(header.op)
    }
}
