//! From a committed txn to the tree, the watchers and the answer.
//!
//! One at a time, in zxid order. What watchers are told stands in the effects before the answer, so
//! that no session sees a reply that shows a change before the event of that change.

use zk_wire::multi::{encode_end, encode_error, encode_header};
use zk_wire::watch::event;
use zk_wire::{Code, Op, Writer, Zxid, path, perms};

use super::ensemble::Role;
use super::{HISTORY_EVERY, HISTORY_MAX, Replica};
use crate::audit::Audit;
use crate::bugs::{self, Bug};
use crate::conn::{Phase, Waiting, letters};
use crate::effect::{Effect, Effects, Level};
use crate::load::replay;
use crate::pending::Pending;
use crate::request::read::put_event;
use crate::session::auth::permitted;
use crate::time::Now;
use crate::tree::Warmer;
use crate::tree::watch_table::mark;
use crate::txn::{Body, Txn, TxnHeader};
use crate::zab::learner;

impl Replica {
    /// Applies every txn up to this zxid.
    pub(super) fn apply_through(&mut self, now: Now, zxid: Zxid, effects: &mut Effects) {
        if self.pending.is_empty() {
            return;
        }
        let mut warmer = Warmer::new(&self.tree);
        self.pending.warm(zxid, &mut warmer);
        warmer.finish();
        let bytes = self.pending.take_bytes();
        // Connections whose session opened: what they sent meanwhile is taken when all is applied.
        let mut opened = Vec::new();
        while let Some(mut entry) = self.pending.pop_through(zxid) {
            let txn = Txn::decode(entry.txn(&bytes)).expect("txns decode before they are logged");
            if let Some(us) = &mut self.ensemble {
                let serves = !matches!(&us.role, Role::Learning(learner) if !learner.serves());
                if serves || !bugs::on(Bug::Zk4925) {
                    us.history.push(entry.zxid, entry.txn(&bytes));
                }
                self.claim(&mut entry, &txn);
                self.pass_syncs(now, entry.client, effects);
            }
            self.apply(now, &entry, &txn, effects, &mut opened);
        }
        self.pending.put_bytes(bytes);
        for (id, serial, slot) in opened {
            if self.asker(Some((id, serial))).is_some_and(|(_, c)| c.phase == Phase::Opening) {
                self.opened(now, id, slot, effects);
            }
        }
        if self.ensemble.is_some() {
            self.release_syncs(now, effects);
            self.on_applied(now, effects);
        }
    }

    fn apply(
        &mut self,
        now: Now,
        entry: &Pending,
        txn: &Txn<'_>,
        effects: &mut Effects,
        opened: &mut Vec<(crate::ids::ConnId, u64, u32)>,
    ) {
        let zxid = entry.zxid;
        let told = effects.list.len();
        let mut answer = std::mem::take(&mut self.scratch);
        answer.clear();
        let code = self.apply_body(&txn.header, &txn.body, &mut answer, effects);
        if let Some(asked) = &entry.asked {
            effects.audit(asked.lines(txn.header.session, Some(&txn.body)));
        }
        self.tree.applied(zxid);
        self.outstanding.settle(zxid);
        if let Some(digest) = txn.digest {
            let have = self.tree.digest();
            if self.ensemble.is_none() {
                assert_eq!(have, digest, "the tree's digest after {zxid} is not the txn's");
            } else if have != digest && self.config.digest_enabled {
                self.on_digest_mismatch(zxid, effects);
            }
        }
        self.remember_digest(zxid);
        let opens = matches!(txn.body, Body::CreateSession(_));
        if opens && self.upgraded(txn.header.session, effects) {
            // Nobody asked for it by itself.
        } else if entry.op == Op::CREATE_SESSION {
            if let (Some((id, serial)), Some(slot)) =
                (entry.client, self.sessions.slot(txn.header.session))
            {
                opened.push((id, serial, slot));
            }
            self.stats.answered(now, entry.arrived_ms);
        } else {
            let refused = entry.refused.filter(|_| matches!(txn.body, Body::Error(_)));
            self.reply(now, entry, refused.unwrap_or(code), &answer, effects);
        }
        if bugs::on(Bug::EventBehindReply) {
            effects.list[told..].reverse();
        }
        if entry.op == Op::CLOSE_SESSION && code == Code::OK {
            self.end_session(txn.header.session, effects);
        }
        self.scratch = answer;
    }

    fn reply(
        &mut self,
        now: Now,
        entry: &Pending,
        code: Code,
        answer: &[u8],
        effects: &mut Effects,
    ) {
        let Some((id, conn)) = self.asker(entry.client) else { return };
        if conn.phase != Phase::Open {
            return;
        }
        let first = conn.waiting.pop_front();
        assert!(matches!(first, Some(Waiting::Write)), "{first:?} stands before a write");
        conn.outstanding -= u32::from(entry.xid > 0);
        if code == Code::SESSION_MOVED {
            // Its client is elsewhere, and knows; nobody is told.
            return self.close(id, effects);
        }
        // Apache shows no operation for a write that failed.
        let shown = if code == Code::OK { letters(entry.op) } else { "NA" };
        let start = zk_wire::frame::begin(&mut effects.bytes);
        let header = zk_wire::header::ReplyHeader { xid: entry.xid, zxid: entry.zxid, code };
        header.encode(&mut effects.bytes);
        effects.bytes.extend_from_slice(answer);
        zk_wire::frame::end(&mut effects.bytes, start);
        effects.send(id, start);
        conn.answered(now, entry.arrived_ms, shown, entry.xid, entry.zxid);
        self.stats.answered(now, entry.arrived_ms);
        self.drain(now, id, effects);
    }

    /// Whether this server is brought up by a leader. The database of an Apache leader holds some of
    /// the txns behind the zxid it stands at: they come again, and when all have come it is whole.
    fn catches_up(&mut self) -> bool {
        self.ensemble.is_some()
            && self
                .learner()
                .is_some_and(|learner| !matches!(learner.phase, learner::Phase::Serving))
    }

    /// The leader's tree and ours are not the same: an operator must know, and which one is right
    /// nobody can tell here.
    #[cold]
    fn on_digest_mismatch(&mut self, zxid: Zxid, effects: &mut Effects) {
        if self.catches_up() {
            return;
        }
        self.digest_mismatches += 1;
        if self.digest_mismatches == 1 {
            let line =
                format!("ensemble: digest_mismatch zxid={zxid}: this tree is not the leader's");
            effects.log(Level::Error, line);
        }
    }

    /// A txn does not fit the tree. One of our own always does; what a leader has made may not, when
    /// its tree and ours are not the same. Then it does what it does at a start and to Apache's
    /// learners, so that whoever reads the log comes to the same tree, and an operator is told.
    #[cold]
    fn unfit(&mut self, zxid: Zxid, code: Code, effects: &mut Effects) -> Code {
        let learns = self.ensemble.is_some() && self.learner().is_some();
        assert!(learns, "txn {zxid} was judged when it was made, and now it is {code}");
        self.on_digest_mismatch(zxid, effects);
        code
    }

    fn remember_digest(&mut self, zxid: Zxid) {
        // A database that is not whole yet has no digest worth telling.
        if zxid.0 % HISTORY_EVERY == 0 && self.config.digest_enabled && !self.catches_up() {
            if self.history.len() == HISTORY_MAX {
                self.history.pop_front();
            }
            self.history.push_back((zxid, self.tree.digest()));
        }
    }

    /// Changes the tree, tells watchers, writes the body of the answer.
    fn apply_body(
        &mut self,
        header: &TxnHeader,
        body: &Body<'_>,
        answer: &mut Vec<u8>,
        effects: &mut Effects,
    ) -> Code {
        if self.catches_up() && !matches!(body, Body::CreateSession(_) | Body::Error(_)) {
            self.tree.replaying = true;
            replay(&mut self.tree, header, body);
            self.tree.replaying = false;
            return Code::OK;
        }
        match body {
            Body::CreateSession(timeout_ms) => {
                self.sessions.add(header.session, *timeout_ms);
                if self.closed_early.remove(&header.session)
                    && let Some(session) = self.sessions.find_mut(header.session)
                {
                    session.closing = true;
                }
            }
            Body::CloseSession(paths) => self.apply_close(header, paths.as_deref(), effects),
            Body::Error(code) => return *code,
            Body::Multi(list) => return self.apply_multi(header, list, answer, effects),
            Body::Check(_) => {}
            Body::Create(_) | Body::Delete(_) | Body::SetData(..) | Body::SetAcl(..) => {
                let done = self.apply_change(header, header.op, body, answer, effects);
                return done
                    .map_or_else(|code| self.unfit(header.zxid, code, effects), |()| Code::OK);
            }
        }
        Code::OK
    }

    fn apply_multi(
        &mut self,
        header: &TxnHeader,
        list: &[(Op, Body<'_>)],
        answer: &mut Vec<u8>,
        effects: &mut Effects,
    ) -> Code {
        let failed = list.iter().any(|(_, body)| matches!(body, Body::Error(_)));
        let failed = failed && !bugs::on(Bug::MultiInPart);
        for (op, body) in list {
            match body {
                Body::Error(code) => encode_error(answer, *code),
                _ if failed => encode_error(answer, Code::OK),
                Body::Check(_) => encode_header(answer, Op::CHECK.0, false, 0),
                _ => {
                    // What shows a stat in its result is answered as create2.
                    let shown = match *op {
                        Op::CREATE_CONTAINER | Op::CREATE_TTL => Op::CREATE2,
                        op => op,
                    };
                    let start = answer.len();
                    encode_header(answer, shown.0, false, 0);
                    if let Err(code) = self.apply_change(header, *op, body, answer, effects) {
                        answer.truncate(start);
                        encode_error(answer, self.unfit(header.zxid, code, effects));
                    }
                }
            }
        }
        encode_end(answer);
        let moved = |(_, body): &(Op, Body<'_>)| matches!(body, Body::Error(Code::SESSION_MOVED));
        // What failed is told in the body, but for this.
        if list.iter().any(moved) { Code::SESSION_MOVED } else { Code::OK }
    }

    /// One change of the tree. That it is possible was judged when the txn was made.
    fn apply_change(
        &mut self,
        header: &TxnHeader,
        op: Op,
        body: &Body<'_>,
        answer: &mut Vec<u8>,
        effects: &mut Effects,
    ) -> Result<(), Code> {
        let zxid = header.zxid;
        match body {
            Body::Create(txn) => {
                let number = self.tree.create(txn, header.session, zxid, header.time_ms)?;
                answer.put_string(&txn.path);
                if op != Op::CREATE {
                    self.tree.stat(number).encode(answer);
                }
                self.tell_created(&txn.path, number, zxid, effects);
            }
            Body::Delete(path) => {
                let acl = self.tree.delete(path, zxid)?;
                self.tell_deleted(path, acl, zxid, effects);
            }
            Body::SetData(path, data, version) => {
                let number = self.tree.set_data(path, *data, *version, zxid, header.time_ms)?;
                if op == Op::RECONFIG {
                    // Its answer shows the new configuration.
                    answer.put_buffer(*data);
                }
                self.tree.stat(number).encode(answer);
                let acl = self.tree.node(number).acl;
                self.watches.begin();
                let exact = mark::DATA | mark::PERSISTENT | mark::RECURSIVE;
                self.tell(event::DATA_CHANGED, path, exact, acl, zxid, effects);
            }
            Body::SetAcl(path, acl, version) => {
                let number = self.tree.set_acl(path, acl.bytes(), *version)?;
                self.tree.stat(number).encode(answer);
            }
            other => unreachable!("{other:?} is no single change"),
        }
        Ok(())
    }

    fn apply_close(
        &mut self,
        header: &TxnHeader,
        paths: Option<&[std::borrow::Cow<'_, str>]>,
        effects: &mut Effects,
    ) {
        let zxid = header.zxid;
        if self.opens_locally() {
            self.locals.note_end(header.session);
        }
        if bugs::on(Bug::Zk2355) && self.forwards() {
            return;
        }
        for path in paths.unwrap_or(&[]) {
            match self.tree.delete(path, zxid) {
                Ok(acl) => self.tell_deleted(path, acl, zxid, effects),
                Err(code) => drop(self.unfit(zxid, code, effects)),
            }
            self.audit_ephemeral(header.session, path, effects);
        }
        for path in self.tree.ephemerals_of(header.session) {
            if paths.is_some() {
                // It is missing from the list.
                self.unfit(zxid, Code::NOT_EMPTY, effects);
            }
            let acl = self.tree.delete(&path, zxid).expect("it was there just now");
            self.tell_deleted(&path, acl, zxid, effects);
            self.audit_ephemeral(header.session, &path, effects);
        }
    }

    fn audit_ephemeral(&self, session: i64, path: &str, effects: &mut Effects) {
        if self.config.audit {
            effects.list.push(Effect::Audit(Box::new(Audit::ephemeral(session, path))));
        }
    }

    fn end_session(&mut self, session: i64, effects: &mut Effects) {
        let Some(ended) = self.sessions.remove(session) else { return };
        if let Some(conn) = ended.owner {
            self.close(conn, effects);
        }
        for peer in ended.asked {
            if self.follower(peer).is_some() {
                self.tell_alive(peer, session, false, effects);
            }
        }
    }

    fn tell_created(&mut self, path: &str, number: u32, zxid: Zxid, effects: &mut Effects) {
        if self.watches.is_empty() {
            return;
        }
        let acl = self.tree.node(number).acl;
        self.watches.begin();
        let exact = mark::DATA | mark::PERSISTENT | mark::RECURSIVE;
        self.tell(event::CREATED, path, exact, acl, zxid, effects);
        self.tell_parent(path, zxid, effects);
    }

    fn tell_deleted(&mut self, path: &str, acl: u32, zxid: Zxid, effects: &mut Effects) {
        if self.watches.is_empty() {
            return;
        }
        self.watches.begin();
        let exact = mark::DATA | mark::PERSISTENT | mark::RECURSIVE;
        self.tell(event::DELETED, path, exact, acl, zxid, effects);
        // The same firing: who was told of the deletion is not told twice.
        self.tell(event::DELETED, path, mark::CHILD | mark::PERSISTENT, acl, zxid, effects);
        self.tell_parent(path, zxid, effects);
    }

    fn tell_parent(&mut self, path: &str, zxid: Zxid, effects: &mut Effects) {
        let parent = match path::parent(path) {
            None | Some("") => "/",
            Some(parent) => parent,
        };
        let Some(number) = self.tree.find(parent) else { return };
        let acl = self.tree.node(number).acl;
        self.watches.begin();
        let exact = mark::CHILD | mark::PERSISTENT;
        self.tell(event::CHILDREN_CHANGED, parent, exact, acl, zxid, effects);
    }

    /// Sends an event to whom it concerns and who may read the znode. One encoding serves all.
    fn tell(
        &mut self,
        kind: i32,
        path: &str,
        exact: u32,
        acl: u32,
        zxid: Zxid,
        effects: &mut Effects,
    ) {
        let told = self.watches.fire(path, exact, exact & mark::RECURSIVE != 0);
        if told.is_empty() {
            return;
        }
        let start = effects.bytes.len();
        put_event(&mut effects.bytes, zxid, kind, path);
        let frames = start..effects.bytes.len();
        for id in told {
            let Some(conn) = self.conns.get_mut(id.0 as usize).and_then(Option::as_mut) else {
                continue;
            };
            let may = permitted(&self.config, &self.tree.acls, acl, perms::READ, &conn.ids);
            if may && conn.phase != Phase::Closing {
                conn.stats.sent += 1;
                self.stats.sent += 1;
                effects.list.push(Effect::Send { conn: *id, frames: frames.clone() });
            }
        }
    }
}
