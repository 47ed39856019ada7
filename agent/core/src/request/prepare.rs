//! Judges writes: from a request to the body of a txn, or to the error that answers it.
//!
//! The order of the checks is the protocol: the first that fails decides the error (Apache's
//! PrepRequestProcessor). What passes enters its changes in [`Outstanding`] and cannot fail later.

use std::collections::BTreeSet;

use zk_wire::ensemble::Ensemble;
use zk_wire::multi::{SubRequest, SubRequests};
use zk_wire::request::{CreateRequest, PathVersionRequest, SetAclRequest, SetDataRequest, flags};
use zk_wire::{Acl, Code, DecodeError, Id, Op, StatPersisted, Writer, Zxid, path, perms};

use super::outstanding::{Outstanding, View};
use crate::bugs::{self, Bug};
use crate::config::Config;
use crate::members::Members;
use crate::session::auth::{fix_up, permitted};
use crate::tree::acl_table::OPEN;
use crate::tree::digest::{crc_of, digested, node_digest};
use crate::tree::quota::Verdict;
use crate::tree::znode::{CONTAINER_OWNER, TTL_MAX_MS};
use crate::tree::{DataTree, Kind};
use crate::txn;

/// Where the configuration of the ensemble stands.
pub const CONFIG_PATH: &str = "/zookeeper/config";
/// Paths that cannot be deleted.
const RESERVED: [&str; 4] = ["/", "/zookeeper", "/zookeeper/quota", CONFIG_PATH];

/// Everything a write is judged against, and the digest that it leads to.
#[derive(Debug)]
pub struct Preparer<'a> {
    /// Switches.
    pub config: &'a Config,
    /// The state; only its table of ACL lists is added to.
    pub tree: &'a mut DataTree,
    /// What is under way.
    pub outstanding: &'a mut Outstanding,
    /// Identities of the caller.
    pub ids: &'a [Id],
    /// Session of the caller; 0 for the server itself.
    pub session: i64,
    /// The zxid that the txn will have.
    pub zxid: Zxid,
    /// Its time, wall clock in ms.
    pub time_ms: i64,
    /// Digest of the tree after everything prepared so far.
    pub digest: u64,
    /// Soft limits that were exceeded.
    pub soft_quota: bool,
    /// Why the caller may have no ephemerals, if so.
    pub no_ephemerals: Option<Code>,
}

type Prepared = Result<(), Code>;

/// The version after this one: 32 bits, and never -1.
fn next_version(version: i32) -> i32 {
    match version.wrapping_add(1) {
        -1 => 0,
        next => next,
    }
}

fn check_version(current: i32, expected: i32) -> Prepared {
    if expected != -1 && expected != current { Err(Code::BAD_VERSION) } else { Ok(()) }
}

/// Whether a znode without children goes by itself: a container that had some, or that was never used
/// for as long as the setting says, and one with a TTL that was left alone for longer than that.
pub fn is_due(kind: Kind, cversion: i32, age_ms: i64, config: &Config) -> bool {
    let never_used_ms = config.container_never_used_ms;
    match kind {
        Kind::Container if cversion > 0 => true,
        Kind::Container => never_used_ms != 0 && age_ms > never_used_ms,
        Kind::Ttl(ttl_ms) => age_ms > ttl_ms || bugs::on(Bug::TtlIgnored),
        _ => false,
    }
}

impl Preparer<'_> {
    fn view(&self, path: &str) -> Option<View> {
        self.outstanding.view(self.tree, path)
    }

    fn permit(&self, view: &View, wanted: i32) -> Prepared {
        match permitted(self.config, &self.tree.acls, view.acl, wanted, self.ids) {
            true => Ok(()),
            false => Err(Code::NO_AUTH),
        }
    }

    /// Enters a change and moves the digest along.
    fn put(&mut self, path: &str, before: Option<&View>, after: View) {
        if self.config.digest_enabled && digested(path) {
            if let Some(before) = before {
                self.digest = self.digest.wrapping_sub(node_digest(before.crc, &before.stat));
            }
            if after.exists {
                self.digest = self.digest.wrapping_add(node_digest(after.crc, &after.stat));
            }
        }
        self.outstanding.put(self.tree, path, self.zxid, after);
    }

    /// The number and the bytes of the list that is stored for the list that is asked for.
    fn acl(&mut self, asked: &zk_wire::request::AclList<'_>) -> Result<u32, Code> {
        if asked.bytes() == self.tree.acls.bytes(OPEN) {
            return Ok(OPEN);
        }
        let list = fix_up(self.config, &asked.decode(), self.ids)?;
        let mut bytes = Vec::new();
        Acl::encode_list(&list, &mut bytes);
        Ok(self.tree.acls.intern(&bytes))
    }

    /// The create family. `op` decides what is stored, the flags decide about suffix and owner.
    pub fn create(&mut self, op: Op, request: &CreateRequest<'_>, out: &mut Vec<u8>) -> Prepared {
        check_flags(op, request)?;
        let ephemeral = matches!(request.flags, flags::EPHEMERAL | flags::EPHEMERAL_SEQUENTIAL);
        if let Some(code) = self.no_ephemerals.filter(|_| ephemeral) {
            return Err(code);
        }
        // Apache's server trips over a null path here, and the request counts as undecodable.
        let asked = request.path.as_deref().ok_or(Code::MARSHALLING_ERROR)?;
        if !asked.contains('/') || asked.contains('\0') {
            return Err(Code::BAD_ARGUMENTS);
        }
        let acl = self.acl(&request.acl)?;
        let parent_path = path::parent(asked).expect("there is a slash");
        let parent = self.view(parent_path).ok_or(Code::NO_NODE)?;
        self.permit(&parent, perms::CREATE)?;
        let sequential = matches!(
            request.flags,
            flags::PERSISTENT_SEQUENTIAL
                | flags::EPHEMERAL_SEQUENTIAL
                | flags::PERSISTENT_SEQUENTIAL_TTL
        );
        let numbered;
        let path: &str = if sequential {
            numbered = format!("{asked}{:010}", parent.stat.cversion);
            &numbered
        } else {
            asked
        };
        path::check(path).map_err(|_| Code::BAD_ARGUMENTS)?;
        if self.view(path).is_some() {
            return Err(Code::NODE_EXISTS);
        }
        if let Kind::Ephemeral(_) = self.kind(&parent) {
            return Err(Code::NO_CHILDREN_FOR_EPHEMERALS);
        }
        let data_bytes = request.data.map_or(0, <[u8]>::len);
        self.check_quota(path, 1, data_bytes as i64)?;
        let counted = parent.stat.cversion.wrapping_add(1);
        let list = self.tree.acls.bytes(acl);
        let ttl = request.ttl_ms;
        txn::encode_create(out, op, path, request.data, list, ephemeral, counted, ttl);
        let ephemeral_owner = match op {
            Op::CREATE_CONTAINER => CONTAINER_OWNER,
            Op::CREATE_TTL => Kind::ttl_owner(request.ttl_ms),
            _ if ephemeral => self.session,
            _ => 0,
        };
        let stat = StatPersisted {
            czxid: self.zxid.0,
            mzxid: self.zxid.0,
            pzxid: self.zxid.0,
            ctime_ms: self.time_ms,
            mtime_ms: self.time_ms,
            ephemeral_owner,
            ..StatPersisted::default()
        };
        let crc = crc_of(path, request.data);
        self.put(path, None, View { exists: true, stat, children: 0, acl, data_bytes, crc });
        let mut after = parent;
        after.children += 1;
        // At 2^31 - 1 the count stays where it is, as it does when the txn is applied.
        if counted > parent.stat.cversion {
            after.stat.cversion = counted;
            after.stat.pzxid = self.zxid.0;
        }
        self.put(parent_path, Some(&parent), after);
        Ok(())
    }

    fn kind(&self, view: &View) -> Kind {
        Kind::of(view.stat.ephemeral_owner, self.config.emulate_353_ttl)
    }

    fn check_quota(&mut self, path: &str, count: i64, bytes: i64) -> Prepared {
        if !self.config.enforce_quota {
            return Ok(());
        }
        match self.tree.check_quota(path, count, bytes) {
            Verdict::Within => Ok(()),
            Verdict::Soft => {
                self.soft_quota = true;
                Ok(())
            }
            Verdict::Hard => Err(Code::QUOTA_EXCEEDED),
        }
    }

    /// delete.
    pub fn delete(&mut self, request: &PathVersionRequest<'_>, out: &mut Vec<u8>) -> Prepared {
        let path = request.path.as_deref().ok_or(Code::MARSHALLING_ERROR)?;
        if !path.contains('/') || path.contains('\0') || RESERVED.contains(&path) {
            return Err(Code::BAD_ARGUMENTS);
        }
        let parent_path = path::parent(path).expect("there is a slash");
        let parent = self.view(parent_path).ok_or(Code::NO_NODE)?;
        self.permit(&parent, perms::DELETE)?;
        let view = self.view(path).ok_or(Code::NO_NODE)?;
        check_version(view.stat.version, request.version)?;
        if view.children > 0 {
            return Err(Code::NOT_EMPTY);
        }
        out.put_string(path);
        self.put_delete(path, &view);
        Ok(())
    }

    /// Enters a delete, here and at the parent.
    fn put_delete(&mut self, path: &str, view: &View) {
        self.put(path, Some(view), View { exists: false, ..*view });
        let parent_path = path::parent(path).expect("only the root has none");
        let parent = self.view(parent_path).expect("a znode has a parent");
        let mut after = parent;
        after.children -= 1;
        after.stat.pzxid = after.stat.pzxid.max(self.zxid.0);
        self.put(parent_path, Some(&parent), after);
    }

    /// deleteContainer, which only the server itself asks for.
    pub fn reap(&mut self, path: &str, out: &mut Vec<u8>) -> Prepared {
        assert!(!RESERVED.contains(&path), "a reserved znode is no container");
        let view = self.view(path).ok_or(Code::NO_NODE)?;
        if view.children > 0 {
            return Err(Code::NOT_EMPTY);
        }
        // What is under way may have touched it since it was found.
        let (stat, age_ms) = (&view.stat, self.time_ms - view.stat.mtime_ms);
        if !is_due(self.kind(&view), stat.cversion, age_ms, self.config) {
            return Err(Code::BAD_VERSION);
        }
        out.put_string(path);
        self.put_delete(path, &view);
        Ok(())
    }

    /// setData.
    pub fn set_data(&mut self, request: &SetDataRequest<'_>, out: &mut Vec<u8>) -> Prepared {
        let path = request.path.as_deref().unwrap_or("");
        path::check(path).map_err(|_| Code::BAD_ARGUMENTS)?;
        let view = self.view(path).ok_or(Code::NO_NODE)?;
        self.permit(&view, perms::WRITE)?;
        let data_bytes = request.data.map_or(0, <[u8]>::len);
        self.check_quota(path, 0, data_bytes as i64 - view.data_bytes as i64)?;
        check_version(view.stat.version, request.version)?;
        let mut after = view;
        after.stat.version = next_version(view.stat.version);
        after.stat.mzxid = self.zxid.0;
        after.stat.mtime_ms = self.time_ms;
        after.data_bytes = data_bytes;
        after.crc = crc_of(path, request.data);
        out.put_string(path);
        out.put_buffer(request.data);
        out.put_int(after.stat.version);
        self.put(path, Some(&view), after);
        Ok(())
    }

    /// reconfig, when everything about the list is judged. It gets its version here; what is
    /// returned is in the body.
    pub fn reconfig(&mut self, mut next: Ensemble, out: &mut Vec<u8>) -> Result<Members, Code> {
        let view = self.view(CONFIG_PATH).ok_or(Code::NO_NODE)?;
        self.permit(&view, perms::WRITE)?;
        next.version = self.zxid.0;
        let members = Members::of(&next);
        let data = Some(members.text.as_bytes());
        let mut after = view;
        after.stat.version = -1;
        after.stat.mzxid = self.zxid.0;
        after.stat.mtime_ms = self.time_ms;
        after.data_bytes = members.text.len();
        after.crc = crc_of(CONFIG_PATH, data);
        out.put_string(CONFIG_PATH);
        out.put_buffer(data);
        out.put_int(after.stat.version);
        self.put(CONFIG_PATH, Some(&view), after);
        Ok(members)
    }

    /// setACL.
    pub fn set_acl(&mut self, request: &SetAclRequest<'_>, out: &mut Vec<u8>) -> Prepared {
        let path = &*request.path;
        path::check(path).map_err(|_| Code::BAD_ARGUMENTS)?;
        let acl = self.acl(&request.acl)?;
        let view = self.view(path).ok_or(Code::NO_NODE)?;
        self.permit(&view, perms::ADMIN)?;
        check_version(view.stat.aversion, request.version)?;
        let mut after = view;
        after.stat.aversion = next_version(view.stat.aversion);
        after.acl = acl;
        out.put_string(path);
        out.extend_from_slice(self.tree.acls.bytes(acl));
        out.put_int(after.stat.aversion);
        self.put(path, Some(&view), after);
        Ok(())
    }

    /// The check of a multi.
    fn check(&mut self, request: &PathVersionRequest<'_>, out: &mut Vec<u8>) -> Prepared {
        let path = request.path.as_deref().unwrap_or("");
        path::check(path).map_err(|_| Code::BAD_ARGUMENTS)?;
        let view = self.view(path).ok_or(Code::NO_NODE)?;
        self.permit(&view, perms::READ)?;
        check_version(view.stat.version, request.version)?;
        out.put_string(path);
        out.put_int(next_version(view.stat.version));
        Ok(())
    }

    /// multi: all of it or nothing. Writes the body in either case; an inner error is one that
    /// Apache's server cannot pin to an operation, and nothing was done.
    pub fn multi(
        &mut self,
        mut subs: SubRequests<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Prepared, DecodeError> {
        let mut requests = Vec::new();
        while let Some(sub) = subs.read_next()? {
            requests.push(sub);
        }
        if requests.iter().any(|sub| sub.is_read() || sub.path().is_none()) {
            return Ok(Err(Code::MARSHALLING_ERROR));
        }
        Ok(self.all_or_nothing(&requests, out))
    }

    fn all_or_nothing(&mut self, requests: &[SubRequest<'_>], out: &mut Vec<u8>) -> Prepared {
        let digest = self.digest;
        let start = out.len();
        out.put_int(requests.len() as i32);
        self.outstanding.record();
        let mut failed = None;
        for (number, sub) in requests.iter().enumerate() {
            if failed.is_some() {
                encode_sub_error(Code::RUNTIME_INCONSISTENCY, out);
                continue;
            }
            let at = out.len();
            // Type and length are known once the body is there.
            out.extend_from_slice(&[0; 8]);
            match self.sub(sub, out) {
                Ok(op) => {
                    let length = (out.len() - at - 8) as i32;
                    out[at..at + 4].copy_from_slice(&op.0.to_be_bytes());
                    out[at + 4..at + 8].copy_from_slice(&length.to_be_bytes());
                }
                Err(Code::MARSHALLING_ERROR) => {
                    self.outstanding.rollback();
                    self.digest = digest;
                    return Err(Code::MARSHALLING_ERROR);
                }
                Err(code) => {
                    out.truncate(at);
                    encode_sub_error(code, out);
                    failed = Some(number);
                }
            }
        }
        assert!(out.len() > start, "a multi has at least its count");
        if failed.is_some() {
            self.outstanding.rollback();
            self.digest = digest;
        } else {
            self.outstanding.commit();
        }
        Ok(())
    }

    fn sub(&mut self, sub: &SubRequest<'_>, out: &mut Vec<u8>) -> Result<Op, Code> {
        match sub {
            SubRequest::Create(op, request) => self.create(*op, request, out).map(|()| *op),
            SubRequest::Delete(request) => self.delete(request, out).map(|()| Op::DELETE),
            SubRequest::SetData(request) => self.set_data(request, out).map(|()| Op::SET_DATA),
            SubRequest::Check(request) => self.check(request, out).map(|()| Op::CHECK),
            SubRequest::GetData(_) | SubRequest::GetChildren(_) => {
                unreachable!("reads were refused when the multi was decoded")
            }
        }
    }

    /// closeSession: every ephemeral of the session goes under one zxid. True when the paths are
    /// listed; without the list no digest may follow, because a reader would take it for one.
    pub fn close_session(&mut self, out: &mut Vec<u8>) -> bool {
        let mut paths: BTreeSet<String> =
            self.tree.ephemerals_of(self.session).into_iter().collect();
        for (path, exists) in self.outstanding.ephemerals(self.session) {
            match exists {
                true => paths.insert(path.to_owned()),
                false => paths.remove(path),
            };
        }
        // What was its ephemeral may be another znode by the time this is applied.
        let owned = |view: &View| view.stat.ephemeral_owner == self.session;
        let any = bugs::on(Bug::EphemeralsOfOthers);
        paths.retain(|path| self.view(path).is_some_and(|view| any || owned(&view)));
        for path in &paths {
            let view = self.view(path).expect("an ephemeral under way or there exists");
            self.put_delete(path, &view);
        }
        let bytes: usize = paths.iter().map(|path| path.len() + 4).sum();
        // Servers read no string table above their packet limit, so a longer list is left out.
        if !self.config.close_session_paths || bytes > self.config.request_bytes_max {
            return false;
        }
        let paths: Vec<String> = paths.into_iter().collect();
        out.put_strings(&paths);
        true
    }
}

fn encode_sub_error(code: Code, out: &mut Vec<u8>) {
    out.put_int(Op::ERROR.0);
    out.put_int(4);
    out.put_int(code.0);
}

/// Flags and TTL, before anything is looked at.
fn check_flags(op: Op, request: &CreateRequest<'_>) -> Prepared {
    let ttl = match request.flags {
        flags::PERSISTENT..=flags::CONTAINER => false,
        flags::PERSISTENT_TTL | flags::PERSISTENT_SEQUENTIAL_TTL => true,
        _ => return Err(Code::BAD_ARGUMENTS),
    };
    // A createTTL without a TTL flag breaks Apache's server when it is applied: refused here.
    let fits = if ttl { (1..=TTL_MAX_MS).contains(&request.ttl_ms) } else { request.ttl_ms < 0 };
    if !fits || (op == Op::CREATE_TTL && !ttl) { Err(Code::BAD_ARGUMENTS) } else { Ok(()) }
}
