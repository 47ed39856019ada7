//! Connections, and the way of each frame to its answer.

use std::net::IpAddr;

use zk_wire::header::{ReplyHeader, RequestHeader, xid};
use zk_wire::jute::Reader;
use zk_wire::request::{AuthPacket, SetWatchesRequest};
use zk_wire::{Code, Op, Zxid, frame};

use super::Replica;
use crate::bugs::{self, Bug};
use crate::conn::{Conn, Keeper, Phase, Waiting, letters};
use crate::effect::{Effect, Effects, Level};
use crate::ids::ConnId;
use crate::request::read::{Read, Refused};
use crate::session::auth::{Verdict, authenticate};
use crate::time::Now;
use crate::zab::leader::SyncFrom;

/// What the pipeline does with an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Read,
    Write,
    Unknown,
}

pub(super) fn way(op: Op) -> Way {
    match op {
        Op::EXISTS
        | Op::GET_DATA
        | Op::GET_ACL
        | Op::GET_CHILDREN
        | Op::GET_CHILDREN2
        | Op::SYNC
        | Op::PING
        | Op::CHECK_WATCHES
        | Op::REMOVE_WATCHES
        | Op::MULTI_READ
        | Op::SET_WATCHES
        | Op::SET_WATCHES2
        | Op::GET_EPHEMERALS
        | Op::GET_ALL_CHILDREN_NUMBER
        | Op::ADD_WATCH
        | Op::WHO_AM_I => Way::Read,
        Op::CREATE
        | Op::CREATE2
        | Op::CREATE_CONTAINER
        | Op::CREATE_TTL
        | Op::DELETE
        | Op::SET_DATA
        | Op::SET_ACL
        | Op::MULTI
        | Op::RECONFIG
        | Op::CLOSE_SESSION => Way::Write,
        // deleteContainer and createSession are the server's own: a client that sends them would
        // go round permissions and session ids.
        _ => Way::Unknown,
    }
}

impl Replica {
    pub(super) fn on_opened(&mut self, now: Now, conn: ConnId, peer: IpAddr) {
        let at = conn.0 as usize;
        if self.conns.len() <= at {
            self.conns.resize_with(at + 1, || None);
        }
        assert!(self.conns[at].is_none(), "connection {at} is opened twice");
        self.serial += 1;
        self.conns[at] = Some(Conn::new(self.serial, peer, now.wall_ms));
        self.conn_count += 1;
    }

    pub(super) fn on_closed(&mut self, now: Now, conn: ConnId, effects: &mut Effects) {
        let Some(state) = self.conns.get_mut(conn.0 as usize).and_then(Option::take) else {
            return;
        };
        self.conn_count -= 1;
        self.watches.drop_conn(conn);
        if let Some(session) = self.sessions.find_mut(state.session)
            && session.owner == Some(conn)
        {
            session.owner = None;
        }
        self.locals.disown(state.session, conn);
        self.forget_stalled(now, conn, &state, effects);
    }

    /// A whole frame of a client.
    pub(super) fn on_frame(&mut self, now: Now, id: ConnId, bytes: &[u8], effects: &mut Effects) {
        let Some(conn) = self.conn(id) else { return };
        if conn.phase == Phase::Closing {
            return;
        }
        conn.stats.received += 1;
        let phase = conn.phase;
        if phase == Phase::Opening {
            conn.park(bytes);
            return self.pause_if_needed(id, effects);
        }
        self.stats.received += 1;
        match phase {
            Phase::Fresh => self.on_connect(now, id, bytes, effects),
            _ => self.on_request(now, id, bytes, effects),
        }
    }

    pub(super) fn on_request(&mut self, now: Now, id: ConnId, bytes: &[u8], effects: &mut Effects) {
        let mut reader = Reader::new(bytes);
        let Ok(header) = RequestHeader::decode(&mut reader) else {
            effects.log(Level::Debug, format!("client: {id:?} sent a frame without header"));
            return self.close(id, effects);
        };
        match header.op {
            Op::AUTH => return self.on_auth(now, id, header, &mut reader, effects),
            Op::SASL => return self.on_sasl(now, id, header, &mut reader, effects),
            _ => {}
        }
        if !self.config.enforced_schemes.is_empty() && !self.is_enforced_met(id) {
            let code = Code::SESSION_CLOSED_REQUIRE_SASL_AUTH;
            self.answer(now, id, header.xid, header.op, Zxid::ZERO, code, &[], effects);
            return self.close(id, effects);
        }
        let conn = self.conns[id.0 as usize].as_mut().expect("the caller has it");
        if conn.phase != Phase::Open {
            return;
        }
        if !self.touch(id) {
            return;
        }
        if self.must_stall() {
            return self.stall(now, id, bytes, None, effects);
        }
        self.carry_out(now, id, header, reader, bytes, effects);
    }

    /// A request whose turn has come; the reader stands behind its header.
    #[inline]
    pub(super) fn carry_out(
        &mut self,
        now: Now,
        id: ConnId,
        header: RequestHeader,
        mut reader: Reader<'_>,
        bytes: &[u8],
        effects: &mut Effects,
    ) {
        if self.read_only.on && self.refuse_read_only(now, id, header, effects) {
            return;
        }
        let conn = self.conns[id.0 as usize].as_mut().expect("the caller has it");
        match way(header.op) {
            Way::Read
                if header.op == Op::SYNC
                    && self.ensemble.is_some()
                    && !bugs::on(Bug::SyncLocal) =>
            {
                let conn = self.conns[id.0 as usize].as_mut().expect("the caller has it");
                conn.outstanding += u32::from(header.xid > 0);
                conn.waiting_bytes += bytes.len();
                conn.waiting.push_back(Waiting::Sync(bytes.into()));
                let (serial, session) = (conn.serial, conn.session);
                if self.forwards() {
                    self.forward(now, (id, serial), session, header, reader.rest(), effects);
                } else {
                    self.want_sync(now, SyncFrom::Client(id, serial), effects);
                }
            }
            Way::Unknown => {
                let code = Code::UNIMPLEMENTED;
                self.answer(now, id, header.xid, header.op, Zxid::NONE, code, &[], effects);
                return self.close(id, effects);
            }
            Way::Read if conn.waiting.is_empty() || bugs::on(Bug::ReadOvertakes) => {
                return self.read(now, id, header, &mut reader, effects);
            }
            Way::Read => {
                conn.outstanding += u32::from(header.xid > 0);
                conn.park(bytes);
            }
            Way::Write if header.op == Op::CLOSE_SESSION && conn.keeper == Keeper::Own => {
                return self.close_local(now, id, header, bytes, effects);
            }
            Way::Write => {
                conn.outstanding += u32::from(header.xid > 0);
                self.write(now, id, header, reader, effects);
            }
        }
        self.pause_if_needed(id, effects);
    }

    fn is_enforced_met(&self, id: ConnId) -> bool {
        let conn = self.conns[id.0 as usize].as_ref().expect("the caller has it");
        let schemes = &self.config.enforced_schemes;
        conn.ids.iter().any(|id| schemes.iter().any(|scheme| scheme == id.scheme()))
    }

    fn is_crowded(&self) -> bool {
        let max = self.config.outstanding_max;
        self.pending.len() > max || self.stalled.len() > max
    }

    pub(super) fn pause_if_needed(&mut self, id: ConnId, effects: &mut Effects) {
        let crowded = self.is_crowded();
        let Some(conn) = self.conn(id) else { return };
        if !conn.paused && (conn.is_full() || (crowded && conn.outstanding >= 1)) {
            conn.paused = true;
            effects.list.push(Effect::Pause { conn: id });
        }
    }

    pub(super) fn resume_if_possible(&mut self, id: ConnId, effects: &mut Effects) {
        let crowded = self.is_crowded();
        let Some(conn) = self.conn(id) else { return };
        if conn.paused && !conn.is_full() && (!crowded || conn.outstanding == 0) {
            conn.paused = false;
            effects.list.push(Effect::Resume { conn: id });
        }
    }

    fn on_auth(
        &mut self,
        now: Now,
        id: ConnId,
        header: RequestHeader,
        reader: &mut Reader<'_>,
        effects: &mut Effects,
    ) {
        let Ok(packet) = AuthPacket::decode(reader) else { return self.close(id, effects) };
        let scheme = packet.scheme.as_deref().unwrap_or("");
        match authenticate(&self.config, scheme, packet.auth) {
            Verdict::Accepted(ids) => {
                let conn = self.conn(id).expect("the caller has it");
                for identity in ids {
                    conn.add_id(identity);
                }
                self.answer(now, id, header.xid, header.op, Zxid::ZERO, Code::OK, &[], effects);
            }
            Verdict::Failed => {
                self.stats.auth_failed += 1;
                let code = Code::AUTH_FAILED;
                self.answer(now, id, header.xid, header.op, Zxid::ZERO, code, &[], effects);
                self.close(id, effects);
            }
            Verdict::CloseNow => self.close(id, effects),
        }
    }

    /// As a server without SASL: a null token, and the client goes on unauthenticated.
    fn on_sasl(
        &mut self,
        now: Now,
        id: ConnId,
        header: RequestHeader,
        reader: &mut Reader<'_>,
        effects: &mut Effects,
    ) {
        // A null token is no token: Apache's server closes on it.
        let Ok(Some(_)) = reader.buffer("GetSASLRequest.token") else {
            return self.close(id, effects);
        };
        let null = (-1i32).to_be_bytes();
        self.answer(now, id, header.xid, header.op, Zxid::ZERO, Code::OK, &null, effects);
    }

    /// Answers a read whose turn has come.
    #[inline]
    fn read(
        &mut self,
        now: Now,
        id: ConnId,
        header: RequestHeader,
        reader: &mut Reader<'_>,
        effects: &mut Effects,
    ) {
        let conn = self.conns[id.0 as usize].as_mut().expect("the caller has it");
        let zxid = self.tree.last_zxid();
        let mut read = Read {
            config: &self.config,
            tree: &self.tree,
            watches: &mut self.watches,
            cache: &mut self.cache,
            ids: &conn.ids,
            conn: id,
            session: conn.session,
        };
        let out = &mut effects.bytes;
        let start = out.len();
        let mut refused = Ok(());
        if matches!(header.op, Op::SET_WATCHES | Op::SET_WATCHES2) {
            match SetWatchesRequest::decode(reader, header.op == Op::SET_WATCHES2) {
                Ok(request) => {
                    let (events, answer) = read.set_watches(&request, out);
                    refused = answer;
                    conn.stats.sent += events;
                    self.stats.sent += events;
                }
                Err(error) => refused = Err(Refused::from(error)),
            }
        }
        let at = frame::begin(out);
        let echo = if header.op == Op::PING { xid::PING } else { header.xid };
        let body = out.len() + ReplyHeader::BYTES;
        ReplyHeader { xid: echo, zxid, code: Code::OK }.encode(out);
        if !matches!(header.op, Op::SET_WATCHES | Op::SET_WATCHES2) {
            refused = read.answer(header.op, reader, out);
        }
        if let Err(Refused { code, keep_body }) = refused {
            if !keep_body {
                out.truncate(body);
            }
            out[body - 4..body].copy_from_slice(&code.0.to_be_bytes());
        }
        frame::end(out, at);
        effects.send(id, start);
        self.stats.answered(now, now.mono_ms);
        let conn = self.conns[id.0 as usize].as_mut().expect("looked up before");
        conn.answered(now, now.mono_ms, letters(header.op), header.xid, zxid);
    }

    /// Writes a reply whose body is known.
    #[expect(clippy::too_many_arguments, reason = "a reply is that many things")]
    pub(super) fn answer(
        &mut self,
        now: Now,
        id: ConnId,
        xid: i32,
        op: Op,
        zxid: Zxid,
        code: Code,
        body: &[u8],
        effects: &mut Effects,
    ) {
        let start = frame::begin(&mut effects.bytes);
        ReplyHeader { xid, zxid, code }.encode(&mut effects.bytes);
        effects.bytes.extend_from_slice(body);
        frame::end(&mut effects.bytes, start);
        effects.send(id, start);
        self.stats.answered(now, now.mono_ms);
        if let Some(conn) = self.conn(id) {
            conn.answered(now, now.mono_ms, letters(op), xid, zxid);
        }
    }

    /// A write of this connection was answered: so are the reads behind it, up to the next write.
    pub(super) fn drain(&mut self, now: Now, id: ConnId, effects: &mut Effects) {
        while let Some(conn) = self.conn(id).filter(|conn| conn.phase == Phase::Open) {
            match conn.waiting.front() {
                None | Some(Waiting::Write | Waiting::Sync(_)) => break,
                Some(_) => {}
            }
            match conn.waiting.pop_front().expect("looked at just now") {
                Waiting::Write | Waiting::Sync(_) => unreachable!("these stay until they are done"),
                Waiting::Refused(xid, op, code) => {
                    conn.outstanding -= u32::from(xid > 0);
                    let zxid = self.tree.last_zxid();
                    self.answer(now, id, xid, op, zxid, code, &[], effects);
                }
                Waiting::Frame(bytes) => {
                    conn.waiting_bytes -= bytes.len();
                    let mut reader = Reader::new(&bytes);
                    let header = RequestHeader::decode(&mut reader).expect("decoded before");
                    conn.outstanding -= u32::from(header.xid > 0);
                    match header.op {
                        Op::CLOSE_SESSION => self.answer_close(now, id, header, effects),
                        _ => self.read(now, id, header, &mut reader, effects),
                    }
                }
            }
        }
        self.resume_if_possible(id, effects);
    }

    /// A frame above the limit whose body is skipped: its session need not suffer. Apache's server
    /// closes the connection.
    pub(super) fn on_oversized(
        &mut self,
        now: Now,
        id: ConnId,
        head: &[u8],
        effects: &mut Effects,
    ) {
        let mut reader = Reader::new(head);
        let Some(conn) = self.conn(id) else { return };
        if conn.phase == Phase::Closing {
            return;
        }
        conn.stats.received += 1;
        let (phase, header) = (conn.phase, RequestHeader::decode(&mut reader));
        self.stats.received += 1;
        match header {
            Ok(header) if phase == Phase::Open => {
                let stalls = self.must_stall();
                let known = self.touch(id);
                let conn = self.conns[id.0 as usize].as_mut().expect("looked up before");
                if known && stalls {
                    self.stall(now, id, head, Some(Code::CONNECTION_LOSS), effects);
                } else if known {
                    // A genuine server ends the connection, and clients tell their callers so:
                    // this number makes them say the same, without the loss.
                    conn.outstanding += u32::from(header.xid > 0);
                    self.refuse(now, id, header, Code::CONNECTION_LOSS, effects);
                }
            }
            _ => self.close(id, effects),
        }
    }

    /// Answers with an error, in the order of the session and without a txn.
    pub(super) fn refuse(
        &mut self,
        now: Now,
        id: ConnId,
        header: RequestHeader,
        code: Code,
        effects: &mut Effects,
    ) {
        let conn = self.conn(id).expect("the caller has it");
        conn.waiting.push_back(Waiting::Refused(header.xid, header.op, code));
        self.drain(now, id, effects);
    }
}

impl Conn {
    /// Books an answer.
    #[inline]
    pub(super) fn answered(
        &mut self,
        now: Now,
        arrived_ms: i64,
        op: &'static str,
        xid: i32,
        zxid: Zxid,
    ) {
        let latency_ms = now.mono_ms - arrived_ms;
        let stats = &mut self.stats;
        stats.sent += 1;
        stats.count += 1;
        stats.last_op = Some(op);
        stats.last_cxid = i64::from(xid);
        stats.last_zxid = zxid.0;
        stats.last_response_ms = now.mono_ms;
        stats.last_latency_ms = latency_ms;
        stats.min_latency_ms = stats.min_latency_ms.min(latency_ms);
        stats.max_latency_ms = stats.max_latency_ms.max(latency_ms);
        stats.total_latency_ms += latency_ms;
    }
}
