//! Sessions that only this server knows: how they begin, go on, end, and become the ensemble's.

use zk_wire::header::RequestHeader;
use zk_wire::jute::Reader;
use zk_wire::{Code, Op};

use super::Replica;
use crate::audit::Asked;
use crate::config::LocalSessions;
use crate::conn::{Keeper, Phase};
use crate::effect::{Effects, Level};
use crate::ids::ConnId;
use crate::request::ephemeral::creates_ephemeral;
use crate::time::Now;

impl Replica {
    /// Whether new sessions are known to this server only.
    pub(super) fn opens_locally(&self) -> bool {
        self.config.local_sessions != LocalSessions::Off || self.read_only.on
    }

    /// An id that no session has, of whatever kind.
    pub(super) fn fresh_session_id(&mut self) -> i64 {
        loop {
            let id = self.sessions.fresh_id();
            if !self.locals.has(id) {
                return id;
            }
        }
    }

    /// Gives a connection a new session that only this server knows.
    pub(super) fn open_local(&mut self, now: Now, id: ConnId, effects: &mut Effects) {
        let session = self.fresh_session_id();
        self.keep(now, id, session, effects);
        self.stats.answered(now, now.mono_ms);
        let conn = self.conn(id).expect("the caller has it");
        conn.stats.last_op = Some("SESS");
    }

    /// A client comes back to a session that only this server knows.
    pub(super) fn renew_local(
        &mut self,
        now: Now,
        id: ConnId,
        session: i64,
        effects: &mut Effects,
    ) {
        assert!(self.locals.table.find(session).is_some(), "session {session:#x} is not local");
        self.stats.sent += 1;
        self.keep(now, id, session, effects);
    }

    fn keep(&mut self, now: Now, id: ConnId, session: i64, effects: &mut Effects) {
        let conn = self.conns[id.0 as usize].as_mut().expect("the caller has it");
        let timeout_ms = conn.timeout_ms;
        let slot = self.locals.table.add(session, timeout_ms);
        self.locals.table.find_mut(session).expect("it is there now").owner = Some(id);
        conn.session = session;
        conn.keeper = Keeper::Own;
        conn.slot = slot;
        conn.phase = Phase::Open;
        self.answer_connect(now, id, session, timeout_ms, effects);
    }

    /// Says that the session of a connection is alive. False when it is not known any more.
    #[inline]
    pub(super) fn touch(&mut self, id: ConnId) -> bool {
        let conn = self.conns[id.0 as usize].as_ref().expect("the caller has it");
        let table = match conn.keeper {
            Keeper::All => &mut self.sessions,
            Keeper::Own => &mut self.locals.table,
            Keeper::Upgrading => return true,
            Keeper::Nobody => return false,
        };
        table.touch(conn.slot, conn.session, conn.timeout_ms)
    }

    /// closeSession of a session that only this server knows: it ends at once, and is answered in
    /// its turn.
    pub(super) fn close_local(
        &mut self,
        now: Now,
        id: ConnId,
        header: RequestHeader,
        frame: &[u8],
        effects: &mut Effects,
    ) {
        let conn = self.conns[id.0 as usize].as_mut().expect("the caller has it");
        conn.keeper = Keeper::Nobody;
        self.locals.table.remove(conn.session);
        if conn.waiting.is_empty() {
            return self.answer_close(now, id, header, effects);
        }
        conn.outstanding += u32::from(header.xid > 0);
        conn.park(frame);
    }

    /// The last answer on a connection whose session was known to this server only.
    pub(super) fn answer_close(
        &mut self,
        now: Now,
        id: ConnId,
        header: RequestHeader,
        effects: &mut Effects,
    ) {
        let zxid = self.tree.last_zxid();
        self.answer(now, id, header.xid, header.op, zxid, Code::OK, &[], effects);
        self.close(id, effects);
    }

    /// Ends the local sessions that were not heard of for too long.
    pub(super) fn expire_locals(&mut self, effects: &mut Effects) {
        for session in self.locals.table.expired() {
            self.stats.sessions_expired += 1;
            effects.log(Level::Info, format!("session: expired session={session:#x} local=true"));
            let ended = self.locals.table.remove(session).expect("it expired just now");
            if let Some(conn) = ended.owner {
                self.close(conn, effects);
            }
        }
    }

    /// Asks for the session of a connection to become the ensemble's. What it asks for behind this
    /// comes behind this everywhere.
    pub(super) fn upgrade(&mut self, now: Now, id: ConnId, effects: &mut Effects) {
        let conn = self.conns[id.0 as usize].as_mut().expect("the caller has it");
        conn.keeper = Keeper::Upgrading;
        let (session, serial, timeout_ms) = (conn.session, conn.serial, conn.timeout_ms);
        effects.log(Level::Info, format!("session: upgrading session={session:#x}"));
        self.locals.begin_upgrade(session, (id, serial));
        self.write_create_session(now, id, session, timeout_ms, effects);
    }

    /// A client of this server writes. When that takes a session of the ensemble and its own is not,
    /// that is asked for first; else the error to answer with is given.
    pub(super) fn keep_out_of_ephemerals(
        &mut self,
        now: Now,
        id: ConnId,
        op: Op,
        reader: &Reader<'_>,
        effects: &mut Effects,
    ) -> Option<Code> {
        let conn = self.conns[id.0 as usize].as_ref().expect("the caller has it");
        if conn.keeper != Keeper::Own {
            return None;
        }
        let wanted = creates_ephemeral(op, reader.clone());
        if wanted && self.config.local_sessions == LocalSessions::Upgraded {
            self.upgrade(now, id, effects);
            return None;
        }
        // Other kinds of create with such flags are refused by whoever judges them.
        let code = if wanted { Code::EPHEMERAL_ON_LOCAL_SESSION } else { Code::SESSION_EXPIRED };
        (wanted || !self.forwards()).then_some(code)
    }

    /// The write that was just handed to the leader: the error that it is answered with, if with any,
    /// as the leader cannot tell a local session from one that has ended; and what the audit log of
    /// this server will say of it, as with Apache's servers: its client is here.
    pub(super) fn keep_forwarded(&mut self, refused: Option<Code>, asked: Option<Box<Asked>>) {
        if (refused.is_some() || asked.is_some())
            && let Some(learner) = self.learner()
            && let Some(forwarded) = learner.forwarded.back_mut()
        {
            (forwarded.refused, forwarded.asked) = (refused, asked);
        }
    }

    /// A createSession is applied. True when it made a local session of this server the ensemble's.
    pub(super) fn upgraded(&mut self, session: i64, effects: &mut Effects) -> bool {
        let Some(client) = self.locals.end_upgrade(session) else { return false };
        let slot = self.sessions.slot(session).expect("it was created just now");
        if let Some((id, conn)) = self.asker(Some(client)) {
            assert_eq!(conn.keeper, Keeper::Upgrading, "session {session:#x} on {id:?}");
            conn.keeper = Keeper::All;
            conn.slot = slot;
            let found = self.sessions.find_mut(session).expect("it has a slot");
            if found.owner.is_some() || found.learner.is_some() {
                // Its client came back over another connection meanwhile.
                self.close(id, effects);
            } else {
                found.owner = Some(id);
            }
        }
        true
    }

    /// Whether a leader lets a session write that it does not know: it may be known to another
    /// server only. What has ended it knows, and this server's own ids it would know; the comparison
    /// is Apache's, by which no session seems to be of a server above 127.
    pub(super) fn tolerates(&self, session: i64) -> bool {
        match &self.ensemble {
            Some(us) if self.config.local_sessions != LocalSessions::Off => {
                session >> 56 != us.me && !self.locals.has_ended(session)
            }
            _ => false,
        }
    }

    /// Why the session of a learner's client may have no ephemerals, if so.
    pub(super) fn no_ephemerals(&self, op: Op, session: i64) -> Option<Code> {
        let creates = matches!(
            op,
            Op::CREATE | Op::CREATE2 | Op::CREATE_CONTAINER | Op::CREATE_TTL | Op::MULTI
        );
        if !creates || self.config.local_sessions == LocalSessions::Off {
            return None;
        }
        let known = self.sessions.find(session).is_some() || self.pending.opens_session(session);
        (!known).then_some(Code::SESSION_EXPIRED)
    }

    /// This server leaves the role in which it served: nobody keeps its local sessions.
    pub(super) fn forget_locals(&mut self) {
        self.locals.clear();
        self.closed_early.clear();
    }
}
