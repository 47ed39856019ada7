//! The handshake: from a ConnectRequest to a session, or to the end of the connection.

use zk_wire::Zxid;
use zk_wire::connect::{ConnectRequest, ConnectResponse, PASSWORD_BYTES, session_password};
use zk_wire::frame;
use zk_wire::jute::Reader;

use super::Replica;
use crate::bugs::{self, Bug};
use crate::conn::{Phase, Waiting};
use crate::effect::{Effects, Level};
use crate::ids::ConnId;
use crate::session::auth::same;
use crate::time::Now;

impl Replica {
    pub(super) fn on_connect(&mut self, now: Now, id: ConnId, bytes: &[u8], effects: &mut Effects) {
        let mut reader = Reader::new(bytes);
        if !self.serving && !self.read_only.on {
            return self.close(id, effects);
        }
        if !self.config.leader_serves && self.leading().is_some() {
            effects.log(Level::Debug, format!("client: {id:?} refused, the leader serves nobody"));
            return self.close(id, effects);
        }
        let Ok(request) = ConnectRequest::decode(&mut reader) else {
            effects.log(Level::Debug, format!("client: {id:?} sent no proper connect request"));
            return self.close(id, effects);
        };
        if self.read_only.on && request.read_only != Some(true) {
            effects.log(Level::Debug, format!("client: {id:?} refused, it would write"));
            return self.close(id, effects);
        }
        let behind = request.last_zxid_seen > self.tree.last_zxid().0;
        if behind && !bugs::on(Bug::SeenIgnored) {
            // The client knows more than we do: it must find a server that is not behind.
            let (seen, have) = (Zxid(request.last_zxid_seen), self.tree.last_zxid());
            effects
                .log(Level::Info, format!("client: refused, it has seen {seen}, we have {have}"));
            return self.close(id, effects);
        }
        let timeout_ms = request
            .timeout_ms
            .max(self.config.session_timeout_min_ms)
            .min(self.config.session_timeout_max_ms);
        let conn = self.conn(id).expect("looked up before");
        conn.says_read_only = request.read_only.is_some();
        conn.timeout_ms = timeout_ms;
        if request.session_id != 0 {
            return self.renew(now, id, &request, effects);
        }
        if self.opens_locally() {
            return self.open_local(now, id, effects);
        }
        if !self.disk_has_room {
            return self.close(id, effects);
        }
        let session = self.sessions.fresh_id();
        let conn = self.conn(id).expect("looked up before");
        conn.session = session;
        conn.phase = Phase::Opening;
        self.write_create_session(now, id, session, timeout_ms, effects);
    }

    /// A client comes back to its session, here or after it was on another connection.
    fn renew(&mut self, now: Now, id: ConnId, request: &ConnectRequest<'_>, effects: &mut Effects) {
        let session_id = request.session_id;
        let found = self.sessions.find(session_id);
        if self.read_only.on && self.locals.table.find(session_id).is_none() {
            // It is the ensemble's, and might be given up for an answer from here: what this server
            // does not know may have been opened since, and an end in its log be none.
            return self.close(id, effects);
        }
        let owner = found.and_then(|session| session.owner);
        let owner = owner.or_else(|| self.locals.owner(session_id));
        if let Some(owner) = owner.filter(|owner| *owner != id) {
            self.close(owner, effects);
        }
        let password = request.password.unwrap_or(&[]);
        let genuine = same(password, &session_password(session_id));
        if genuine && self.locals.table.find(session_id).is_some() {
            return self.renew_local(now, id, session_id, effects);
        }
        let alive = match self.sessions.find(session_id) {
            Some(session) => !session.closing,
            // A quorum may have opened it before this server's own disk has it.
            None => self.pending.opens_session(session_id),
        };
        let forwards = self.forwards();
        let conn = self.conn(id).expect("looked up before");
        let timeout_ms = conn.timeout_ms;
        if genuine && forwards {
            conn.phase = Phase::Opening;
            return self.revalidate(id, session_id, timeout_ms, effects);
        }
        if genuine && !alive && self.sessions.find(session_id).is_some() {
            // Its end is not committed, and may never be: whether it has expired is told then.
            return self.close(id, effects);
        }
        // A new session's answer is counted with its txn, this one here.
        self.stats.sent += 1;
        if !genuine || !alive {
            self.answer_connect(now, id, 0, 0, effects);
            return self.close(id, effects);
        }
        let slot = self.sessions.renew(session_id, timeout_ms);
        let session = self.sessions.find_mut(session_id).expect("it is alive");
        session.owner = Some(id);
        session.learner = None;
        let conn = self.conn(id).expect("looked up before");
        conn.session = session_id;
        conn.slot = slot;
        conn.phase = Phase::Open;
        self.answer_connect(now, id, session_id, timeout_ms, effects);
    }

    /// The leader has said whether the session is alive to which a client comes back.
    pub(super) fn renewed(
        &mut self,
        now: Now,
        id: ConnId,
        session: i64,
        alive: bool,
        effects: &mut Effects,
    ) {
        self.stats.sent += 1;
        if !alive {
            self.answer_connect(now, id, 0, 0, effects);
            return self.close(id, effects);
        }
        let conn = self.conn(id).expect("the caller has it");
        conn.session = session;
        let timeout_ms = conn.timeout_ms;
        let slot = self.sessions.renew(session, timeout_ms);
        self.sessions.touch(slot, session, timeout_ms);
        self.opened(now, id, slot, effects);
    }

    /// The connection has its session: says so, and takes what came in meanwhile.
    pub(super) fn opened(&mut self, now: Now, id: ConnId, slot: u32, effects: &mut Effects) {
        let conn = self.conn(id).expect("the caller has it");
        conn.slot = slot;
        conn.phase = Phase::Open;
        conn.stats.last_op = Some("SESS");
        let (session, timeout_ms) = (conn.session, conn.timeout_ms);
        self.sessions.find_mut(session).expect("it was created just now").owner = Some(id);
        self.answer_connect(now, id, session, timeout_ms, effects);
        let conn = self.conn(id).expect("the caller has it");
        conn.waiting_bytes = 0;
        for waiting in std::mem::take(&mut conn.waiting) {
            if let Waiting::Frame(bytes) = waiting {
                self.stats.received += 1;
                self.on_request(now, id, &bytes, effects);
            }
        }
        self.resume_if_possible(id, effects);
    }

    pub(super) fn answer_connect(
        &mut self,
        now: Now,
        id: ConnId,
        session: i64,
        timeout_ms: i32,
        effects: &mut Effects,
    ) {
        let zero = [0u8; PASSWORD_BYTES];
        let read_only = self.read_only.on;
        let password = if session == 0 { zero } else { session_password(session) };
        let conn = self.conn(id).expect("the caller has it");
        let response = ConnectResponse {
            protocol_version: 0,
            timeout_ms,
            session_id: session,
            password: password.to_vec(),
            read_only: conn.says_read_only.then_some(read_only),
        };
        conn.stats.sent += 1;
        conn.stats.last_response_ms = now.mono_ms;
        let start = frame::begin(&mut effects.bytes);
        response.encode(&mut effects.bytes);
        frame::end(&mut effects.bytes, start);
        effects.send(id, start);
    }
}
