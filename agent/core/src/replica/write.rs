//! From a write to the log: judged, encoded, appended, queued.
//!
//! Every txn of this server is made here, the server's own included.

use zk_wire::header::RequestHeader;
use zk_wire::jute::Reader;
use zk_wire::multi::SubRequests;
use zk_wire::request::{CreateRequest, PathVersionRequest, SetAclRequest, SetDataRequest};
use zk_wire::{Code, DecodeError, Id, Op, Writer, Zxid};

use super::Replica;
use super::client::{Way, way};
use crate::audit::Asked;
use crate::bugs::{self, Bug};
use crate::conn::Waiting;
use crate::effect::{Effect, Effects, Level};
use crate::ids::{ConnId, PeerId};
use crate::request::prepare::Preparer;
use crate::time::Now;
use crate::txn::{TxnHeader, encode_digest};

/// Who a txn is made for.
pub(super) struct Asker<'a> {
    /// The connection; none for a learner's client.
    pub(super) client: Option<(ConnId, u64)>,
    session: i64,
    xid: i32,
    ids: &'a [Id],
    /// Why its session may have no ephemerals, if so.
    no_ephemerals: Option<Code>,
    /// For the audit log.
    asked: Option<Box<Asked>>,
}

impl Asker<'static> {
    /// The server itself, on behalf of a session.
    fn of_server(session: i64) -> Asker<'static> {
        Asker { client: None, session, xid: 0, ids: &[], no_ephemerals: None, asked: None }
    }
}

/// What became of a request's record.
pub(super) enum Made {
    /// The body is written; whether a digest may follow.
    Body { digest: bool },
    /// An error of the protocol: an error txn.
    Error(Code),
    /// The record does not decode.
    Undecodable,
}

impl From<Result<(), Code>> for Made {
    fn from(result: Result<(), Code>) -> Made {
        match result {
            Ok(()) => Made::Body { digest: true },
            Err(code) => Made::Error(code),
        }
    }
}

impl From<DecodeError> for Made {
    fn from(_: DecodeError) -> Made {
        Made::Undecodable
    }
}

fn judge(preparer: &mut Preparer<'_>, op: Op, mut reader: Reader<'_>, out: &mut Vec<u8>) -> Made {
    let reader = &mut reader;
    let made = match op {
        Op::CREATE | Op::CREATE2 | Op::CREATE_CONTAINER => {
            CreateRequest::decode(reader).map(|request| preparer.create(op, &request, out))
        }
        Op::CREATE_TTL => {
            CreateRequest::decode_ttl(reader).map(|request| preparer.create(op, &request, out))
        }
        Op::DELETE => {
            PathVersionRequest::decode(reader).map(|request| preparer.delete(&request, out))
        }
        Op::SET_DATA => {
            SetDataRequest::decode(reader).map(|request| preparer.set_data(&request, out))
        }
        Op::SET_ACL => SetAclRequest::decode(reader).map(|request| preparer.set_acl(&request, out)),
        Op::CLOSE_SESSION => return Made::Body { digest: preparer.close_session(out) },
        Op::MULTI => match preparer.multi(SubRequests::new(reader.clone()), out) {
            // Unlike other records that do not decode, this one consumes a zxid in Apache's server,
            // unless it trips over a null list.
            Err(DecodeError::Null { .. }) => return Made::Undecodable,
            Err(_) => return Made::Error(Code::MARSHALLING_ERROR),
            Ok(result) => Ok(result),
        },
        other => unreachable!("{other:?} is no write of a client"),
    };
    match made {
        Ok(result) => Made::from(result),
        Err(error) => Made::from(error),
    }
}

impl Replica {
    /// A write of a client. Prepared at once, whatever waits before it; answered in its turn.
    pub(super) fn write(
        &mut self,
        now: Now,
        id: ConnId,
        header: RequestHeader,
        reader: Reader<'_>,
        effects: &mut Effects,
    ) {
        if !self.disk_has_room {
            self.refuse(now, id, header, Code::SYSTEM_ERROR, effects);
            if header.op == Op::CLOSE_SESSION {
                self.close(id, effects);
            }
            return;
        }
        let forwards = self.forwards();
        let kept_out = self.keep_out_of_ephemerals(now, id, header.op, &reader, effects);
        let conn = self.conns[id.0 as usize].as_mut().expect("the caller has it");
        let (serial, session) = (conn.serial, conn.session);
        let asked = match self.config.audit {
            true => Asked::of(header.op, reader.clone(), &conn.ids, conn.peer),
            false => None,
        };
        if forwards {
            conn.waiting.push_back(Waiting::Write);
            self.forward(now, (id, serial), session, header, reader.rest(), effects);
            return self.keep_forwarded(kept_out, asked);
        }
        let ids = std::mem::take(&mut conn.ids);
        let client = Some((id, serial));
        let undecodable = asked.clone();
        let no_ephemerals = kept_out;
        let asker = Asker { client, session, xid: header.xid, ids: &ids, no_ephemerals, asked };
        // Who ends a session need not have it.
        let ends = header.op == Op::CLOSE_SESSION;
        let refused = if ends { None } else { self.session_error(session, None) };
        let made = match refused {
            _ if header.op == Op::RECONFIG => {
                self.write_reconfig(now, asker, reader, refused, effects)
            }
            Some(code) => self.make(now, asker, header.op, effects, |_, _| Made::Error(code)),
            None => self.make(now, asker, header.op, effects, |preparer, out| {
                judge(preparer, header.op, reader, out)
            }),
        };
        let conn = self.conns[id.0 as usize].as_mut().expect("the caller has it");
        conn.ids = ids;
        if !made {
            if let Some(asked) = undecodable {
                effects.audit(asked.lines(session, None));
            }
            return self.refuse(now, id, header, Code::MARSHALLING_ERROR, effects);
        }
        conn.waiting.push_back(Waiting::Write);
        if ends {
            self.closes(session);
        }
    }

    /// The end of a session is on its way: nothing is written for it behind that.
    fn closes(&mut self, session: i64) {
        match self.sessions.find_mut(session) {
            Some(session) => session.closing = true,
            None if self.pending.opens_and_closes_session(session) => {
                self.closed_early.insert(session);
            }
            None => {}
        }
    }

    /// A session for a connection that has just said hello.
    pub(super) fn write_create_session(
        &mut self,
        now: Now,
        id: ConnId,
        session: i64,
        timeout_ms: i32,
        effects: &mut Effects,
    ) {
        let serial = self.conn(id).expect("the caller has it").serial;
        if self.forwards() {
            let header = RequestHeader { xid: 0, op: Op::CREATE_SESSION };
            let body = timeout_ms.to_be_bytes();
            return self.forward(now, (id, serial), session, header, &body, effects);
        }
        let asker = Asker::of_server(session);
        let asker = Asker { client: Some((id, serial)), ..asker };
        self.make(now, asker, Op::CREATE_SESSION, effects, |_, out| {
            out.put_int(timeout_ms);
            Made::Body { digest: true }
        });
    }

    /// Why a session may not write: it is gone, or it went to another server. `learner`: the one
    /// that hands the write in, `None` for a client of this server.
    fn session_error(&mut self, session: i64, learner: Option<PeerId>) -> Option<Code> {
        let Some(found) = self.sessions.find_mut(session) else {
            // A quorum of learners may have opened it before this server's own disk has it.
            let known = self.tolerates(session)
                || self.locals.table.find(session).is_some()
                || self.pending.opens_session(session);
            return (!known).then_some(Code::SESSION_EXPIRED);
        };
        if found.closing && !bugs::on(Bug::Zk1208) {
            return Some(Code::SESSION_EXPIRED);
        }
        if learner.is_some() && found.learner.is_none() && found.owner.is_none() {
            found.learner = learner;
        }
        (found.learner != learner).then_some(Code::SESSION_MOVED)
    }

    /// A write of a learner's client. Whatever is wrong with it, it becomes exactly one txn, because
    /// the learner waits for one.
    #[expect(clippy::too_many_arguments, reason = "a forwarded request is that many things")]
    pub(super) fn write_forwarded(
        &mut self,
        now: Now,
        peer: PeerId,
        session: i64,
        header: RequestHeader,
        mut reader: Reader<'_>,
        ids: &[Id],
        effects: &mut Effects,
    ) -> Result<(), String> {
        let RequestHeader { xid, op } = header;
        let no_ephemerals = self.no_ephemerals(op, session);
        let asker = Asker { xid, ids, no_ephemerals, ..Asker::of_server(session) };
        if op == Op::CREATE_SESSION {
            let timeout_ms = reader.int("createSession.timeout").map_err(|e| e.to_string())?;
            self.make(now, asker, op, effects, |_, out| {
                out.put_int(timeout_ms);
                Made::Body { digest: true }
            });
            return Ok(());
        }
        let refused = match op {
            Op::CLOSE_SESSION => None,
            op if way(op) == Way::Write => self.session_error(session, Some(peer)),
            _ => Some(Code::UNIMPLEMENTED),
        };
        if op == Op::RECONFIG {
            self.write_reconfig(now, asker, reader, refused, effects);
            return Ok(());
        }
        self.make(now, asker, op, effects, |preparer, out| match refused {
            Some(code) => Made::Error(code),
            None => match judge(preparer, op, reader, out) {
                Made::Undecodable => Made::Error(Code::MARSHALLING_ERROR),
                made => made,
            },
        });
        if op == Op::CLOSE_SESSION {
            self.closes(session);
        }
        Ok(())
    }

    /// The end of a session that was not heard of for too long.
    pub(super) fn write_expire(&mut self, now: Now, session: i64, effects: &mut Effects) {
        let asker = Asker::of_server(session);
        self.make(now, asker, Op::CLOSE_SESSION, effects, |preparer, out| Made::Body {
            digest: preparer.close_session(out),
        });
        let session = self.sessions.find_mut(session).expect("it expired just now");
        session.closing = true;
    }

    /// The end of a container or TTL znode. Nothing happens if it is not one any more.
    pub(super) fn write_reap(&mut self, now: Now, path: &str, effects: &mut Effects) {
        let asker = Asker::of_server(0);
        self.make(now, asker, Op::DELETE_CONTAINER, effects, |preparer, out| {
            match preparer.reap(path, out) {
                Ok(()) => Made::Body { digest: true },
                Err(_) => Made::Undecodable,
            }
        });
    }

    /// Makes a txn: gives it the next zxid, appends it to the log and queues it. False when there
    /// was nothing to make and no zxid was used.
    pub(super) fn make(
        &mut self,
        now: Now,
        asker: Asker<'_>,
        op: Op,
        effects: &mut Effects,
        body: impl FnOnce(&mut Preparer<'_>, &mut Vec<u8>) -> Made,
    ) -> bool {
        let zxid = self.next_zxid();
        let start = effects.bytes.len();
        let out = &mut effects.bytes;
        let header =
            TxnHeader { session: asker.session, cxid: asker.xid, zxid, time_ms: now.wall_ms, op };
        header.encode(out);
        let digest = self.outstanding.digest(&self.tree);
        let mut preparer = Preparer {
            config: &self.config,
            tree: &mut self.tree,
            outstanding: &mut self.outstanding,
            ids: asker.ids,
            session: asker.session,
            zxid,
            time_ms: now.wall_ms,
            digest,
            soft_quota: false,
            no_ephemerals: asker.no_ephemerals,
        };
        let made = body(&mut preparer, out);
        let (digest, soft_quota) = (preparer.digest, preparer.soft_quota);
        match made {
            Made::Undecodable => {
                out.truncate(start);
                return false;
            }
            Made::Error(code) => {
                out.truncate(start);
                TxnHeader { op: Op::ERROR, ..header }.encode(out);
                out.put_int(code.0);
            }
            Made::Body { digest: wanted } => {
                self.outstanding.set_digest(digest);
                if wanted && self.config.digest_enabled {
                    encode_digest(out, digest);
                }
            }
        }
        if soft_quota {
            effects.log(Level::Warn, "quota: a soft limit is exceeded".to_owned());
        }
        self.append(now, zxid, asker, op, start, effects);
        true
    }

    fn append(
        &mut self,
        now: Now,
        zxid: Zxid,
        asker: Asker<'_>,
        op: Op,
        start: usize,
        effects: &mut Effects,
    ) {
        let txn = start..effects.bytes.len();
        assert!(zxid > self.logged, "txns are made in order");
        let leads = self.ensemble.is_none() || self.leading().is_some();
        assert!(leads, "{op:?} would make {zxid} here, and only a leader makes txns");
        self.logged = zxid;
        let bytes = &effects.bytes[txn.clone()];
        let entry = self.pending.push(zxid, asker.client, asker.xid, op, now.mono_ms, bytes);
        entry.asked = asker.asked;
        self.snapshot.count(bytes.len());
        if self.turns() {
            return;
        }
        effects.list.push(Effect::Append { zxid, txn: txn.clone() });
        self.propose(now, zxid, txn, effects);
    }
}
