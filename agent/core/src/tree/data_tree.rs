//! The tree of znodes: finding, reading, and the changes that a txn makes.
//!
//! It decides nothing about requests: permissions, versions and quotas were judged when the txn was
//! made. Changes follow Apache's rules for replay, so that a txn that is already in a snapshot may
//! be applied again. Every change keeps the digest of the tree.

use std::collections::{BTreeMap, BTreeSet};

use zk_wire::{Code, Op, StatPersisted, Zxid, path};

use super::acl_table::AclTable;
use super::arena::Arena;
use super::compact::CompactSet;
use super::digest::{crc_of, digested, node_digest};
use super::index::PathIndex;
use super::quota::Quotas;
use super::snapshot::Cursor;
use super::znode::{CONTAINER_OWNER, Kind, NIL, NULL_DATA, ROOT, Slab, Znode};
use crate::hash::hash;
use crate::txn::CreateTxn;

/// The tree.
#[derive(Debug)]
pub struct DataTree {
    pub(super) seed: u64,
    pub(super) nodes: Slab,
    pub(super) index: PathIndex,
    pub(super) arena: Arena,
    /// The lists that znodes name by number.
    pub acls: AclTable,
    pub(super) ephemerals: BTreeMap<i64, CompactSet>,
    pub(super) ephemeral_count: usize,
    /// Containers and TTL znodes.
    pub(super) reapable: BTreeSet<u32>,
    /// Limits and the places of their statistics.
    pub quotas: Quotas,
    pub(super) digest: u64,
    pub(super) content_bytes: u64,
    pub(super) emulate_353: bool,
    pub(super) cursor: Cursor,
    pub(super) last_zxid: Zxid,
    /// True while txns are applied that a fuzzy snapshot may hold already.
    pub replaying: bool,
}

impl DataTree {
    /// A tree of nothing at all, not even a root: for a loader.
    pub fn bare(seed: u64, emulate_353: bool) -> DataTree {
        DataTree {
            seed,
            nodes: Slab::default(),
            index: PathIndex::default(),
            arena: Arena::default(),
            acls: AclTable::default(),
            ephemerals: BTreeMap::new(),
            ephemeral_count: 0,
            reapable: BTreeSet::new(),
            quotas: Quotas::default(),
            digest: 0,
            content_bytes: 1,
            emulate_353,
            cursor: Cursor::default(),
            last_zxid: Zxid::ZERO,
            replaying: false,
        }
    }

    /// The tree of a fresh database: the root and the three reserved znodes.
    pub fn fresh(seed: u64, emulate_353: bool) -> DataTree {
        let mut tree = DataTree::bare(seed, emulate_353);
        let zero = StatPersisted::default();
        let mut config = Vec::new();
        let read = zk_wire::Acl::new(zk_wire::perms::READ, "world", "anyone");
        zk_wire::Acl::encode_list(&[read], &mut config);
        let config = tree.acls.intern(&config);
        let config_stat = StatPersisted { aversion: -1, ..zero };
        for (path, acl, stat) in [
            ("", super::acl_table::OPEN, zero),
            ("/zookeeper", super::acl_table::OPEN, zero),
            ("/zookeeper/quota", super::acl_table::OPEN, zero),
            ("/zookeeper/config", config, config_stat),
        ] {
            tree.load(path, Some(b""), acl, &stat).expect("parents come first");
        }
        tree
    }

    /// The zxid of the last txn applied.
    pub fn last_zxid(&self) -> Zxid {
        self.last_zxid
    }

    /// Says that a txn has been applied as a whole.
    pub fn applied(&mut self, zxid: Zxid) {
        self.last_zxid = self.last_zxid.max(zxid);
    }

    /// The digest of the tree (version 2).
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Znodes, the root once.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Never: there is a root.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Bytes of paths and data, as Apache counts `approximate_data_size`.
    pub fn content_bytes(&self) -> u64 {
        self.content_bytes
    }

    /// Number of ephemeral znodes.
    pub fn ephemeral_count(&self) -> usize {
        self.ephemeral_count
    }

    /// The sessions that own ephemerals, ascending, with the numbers of those.
    pub fn owners(&self) -> impl Iterator<Item = (i64, impl Iterator<Item = u32> + '_)> + '_ {
        self.ephemerals.iter().map(|(session, set)| (*session, set.iter().map(|(n, _)| n)))
    }

    /// Containers and TTL znodes.
    pub fn reapable(&self) -> impl Iterator<Item = u32> + '_ {
        self.reapable.iter().copied()
    }

    /// Kind of a znode.
    pub fn kind(&self, number: u32) -> Kind {
        Kind::of(self.nodes.get(number).owner, self.emulate_353)
    }

    /// A stat as a client sees it.
    #[inline]
    pub fn stat(&self, number: u32) -> zk_wire::Stat {
        self.nodes.get(number).stat(self.emulate_353)
    }

    /// A znode.
    #[inline]
    pub fn node(&self, number: u32) -> &Znode {
        self.nodes.get(number)
    }

    /// The name of a znode within its parent; the root has none.
    #[inline]
    pub fn name(&self, number: u32) -> &str {
        let node = self.nodes.get(number);
        let length = node.name_length as usize;
        std::str::from_utf8(self.arena.get(node.block, length)).expect("names are UTF-8")
    }

    fn name_bytes(&self, number: u32) -> &[u8] {
        let node = self.nodes.get(number);
        self.arena.get(node.block, node.name_length as usize)
    }

    /// The data of a znode.
    #[inline]
    pub fn data(&self, number: u32) -> Option<&[u8]> {
        let node = self.nodes.get(number);
        if node.data_length == NULL_DATA {
            return None;
        }
        Some(&self.arena.get(node.block, node.block_bytes())[node.name_length as usize..])
    }

    /// Name and data as they lie in memory, one behind the other.
    pub(super) fn content(&self, number: u32) -> &[u8] {
        let node = self.nodes.get(number);
        self.arena.get(node.block, node.block_bytes())
    }

    /// The children of a znode, newest first.
    pub fn children(&self, number: u32) -> impl Iterator<Item = u32> + '_ {
        let first = self.nodes.get(number).first_child;
        std::iter::successors(Some(first).filter(|n| *n != NIL), |n| {
            Some(self.nodes.get(*n).next).filter(|n| *n != NIL)
        })
    }

    /// The path of a znode; the root is "/".
    pub fn path(&self, number: u32) -> String {
        if number == ROOT {
            return "/".to_owned();
        }
        let (mut chain, mut at) = (Vec::new(), number);
        while at != ROOT {
            chain.push(at);
            at = self.nodes.get(at).parent;
        }
        let mut path = String::new();
        for at in chain.into_iter().rev() {
            path.push('/');
            path.push_str(self.name(at));
        }
        path
    }

    /// The hash under which a path stands in the tables of this crate.
    #[inline]
    pub fn hash(&self, path: &str) -> u64 {
        hash(self.seed, path.as_bytes())
    }

    /// Finds a znode. "" and "/" are the root.
    #[inline]
    pub fn find(&self, path: &str) -> Option<u32> {
        self.find_hashed(path, self.hash(path))
    }

    /// Finds a znode by path and the hash of it.
    #[inline]
    pub fn find_hashed(&self, path: &str, hash: u64) -> Option<u32> {
        if path.len() <= 1 {
            return matches!(path, "" | "/").then_some(ROOT);
        }
        self.index.find(hash, |number| self.has_path(number, path.as_bytes()))
    }

    /// Compares from the last component up: the ancestors are few and mostly in the cache.
    #[inline]
    fn has_path(&self, mut number: u32, path: &[u8]) -> bool {
        let mut rest = path;
        while number != ROOT {
            let name = self.name_bytes(number);
            match rest.strip_suffix(name).and_then(|rest| rest.strip_suffix(b"/")) {
                Some(shorter) => rest = shorter,
                None => return false,
            }
            number = self.nodes.get(number).parent;
        }
        rest.is_empty()
    }

    /// Puts a znode of an Apache snapshot into its place. Parents come first.
    pub fn load(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl: u32,
        stat: &StatPersisted,
    ) -> Result<u32, Code> {
        if path.is_empty() || path == "/" {
            if !self.nodes.is_empty() {
                return Err(Code::NODE_EXISTS);
            }
            return Ok(self.insert(NIL, "", "", data, acl, stat));
        }
        let parent = path::parent(path).and_then(|parent| self.find(parent));
        let parent = parent.ok_or(Code::NO_NODE)?;
        if self.find(path).is_some() {
            return Err(Code::NODE_EXISTS);
        }
        Ok(self.insert(parent, path, path::name(path), data, acl, stat))
    }

    fn insert(
        &mut self,
        parent: u32,
        path: &str,
        name: &str,
        data: Option<&[u8]>,
        acl: u32,
        stat: &StatPersisted,
    ) -> u32 {
        let bytes = data.unwrap_or(&[]);
        let block = self.arena.alloc(name.len() + bytes.len());
        let content = self.arena.get_mut(block, name.len() + bytes.len());
        content[..name.len()].copy_from_slice(name.as_bytes());
        content[name.len()..].copy_from_slice(bytes);
        let number = self.nodes.insert(Znode {
            block,
            name_length: name.len() as u32,
            data_length: data.map_or(NULL_DATA, |data| data.len() as u32),
            crc: crc_of(path, data),
            generation: self.cursor.generation(),
            ..Znode::alone(stat, parent, acl)
        });
        if parent != NIL {
            self.index.insert(self.hash(path), number);
            self.link(parent, number);
        }
        self.enroll(number, path.len());
        if digested(path) {
            self.digest = self.digest.wrapping_add(self.digest_of(number));
        }
        number
    }

    /// Enters a znode into the tables that are kept beside the tree.
    pub(super) fn enroll(&mut self, number: u32, path_bytes: usize) {
        let node = self.nodes.get(number);
        let (owner, acl, data_bytes) = (node.owner, node.acl, node.data_bytes());
        match Kind::of(owner, self.emulate_353) {
            Kind::Persistent => {}
            Kind::Ephemeral(session) => {
                self.ephemerals.entry(session).or_default().add(number, 1);
                self.ephemeral_count += 1;
            }
            Kind::Container | Kind::Ttl(_) => {
                self.reapable.insert(number);
            }
        }
        self.acls.hold(acl);
        self.content_bytes += (path_bytes + data_bytes) as u64;
    }

    pub(super) fn link(&mut self, parent: u32, child: u32) {
        let first = {
            let parent = self.nodes.get_mut(parent);
            parent.children += 1;
            std::mem::replace(&mut parent.first_child, child)
        };
        self.nodes.get_mut(child).next = first;
        if first != NIL {
            self.nodes.get_mut(first).prev = child;
        }
    }

    fn unlink(&mut self, child: u32) {
        let node = self.nodes.get(child);
        let (parent, prev, next) = (node.parent, node.prev, node.next);
        if prev == NIL {
            self.nodes.get_mut(parent).first_child = next;
        } else {
            self.nodes.get_mut(prev).next = next;
        }
        if next != NIL {
            self.nodes.get_mut(next).prev = prev;
        }
        self.nodes.get_mut(parent).children -= 1;
    }

    pub(super) fn digest_of(&self, number: u32) -> u64 {
        let node = self.nodes.get(number);
        node_digest(node.crc, &node.persisted())
    }

    /// Changes a znode's fields; keeps the digest and lets a running snapshot take the old state.
    fn change(&mut self, number: u32, path: &str, change: impl FnOnce(&mut Znode)) {
        self.take_image(number);
        let counts = digested(path);
        if counts {
            self.digest = self.digest.wrapping_sub(self.digest_of(number));
        }
        change(self.nodes.get_mut(number));
        if counts {
            self.digest = self.digest.wrapping_add(self.digest_of(number));
        }
    }

    /// Applies a create. On replay the znode may be there already: then only what the parent would
    /// have learned is mended, and the ACL.
    pub fn create(
        &mut self,
        txn: &CreateTxn<'_>,
        session: i64,
        zxid: Zxid,
        time_ms: i64,
    ) -> Result<u32, Code> {
        let acl = self.acls.intern(txn.acl.bytes());
        let parent_path = path::parent(&txn.path).ok_or(Code::NO_NODE)?;
        let parent = self.find(parent_path).ok_or(Code::NO_NODE)?;
        let existing = self.find(&txn.path);
        if let Some(number) = existing {
            self.set_acl_number(number, acl);
        }
        let cversion = match txn.parent_cversion {
            -1 => self.nodes.get(parent).cversion.wrapping_add(1),
            given => given,
        };
        if cversion > self.nodes.get(parent).cversion {
            self.change(parent, parent_path, |node| {
                node.cversion = cversion;
                node.pzxid = node.pzxid.max(zxid.0);
            });
        }
        if existing.is_some() {
            return Err(Code::NODE_EXISTS);
        }
        let ephemeral_owner = match txn.op {
            Op::CREATE_CONTAINER => CONTAINER_OWNER,
            Op::CREATE_TTL => Kind::ttl_owner(txn.ttl_ms.clamp(1, super::znode::TTL_MAX_MS)),
            _ if txn.ephemeral => session,
            _ => 0,
        };
        let stat = StatPersisted {
            czxid: zxid.0,
            mzxid: zxid.0,
            pzxid: zxid.0,
            ctime_ms: time_ms,
            mtime_ms: time_ms,
            ephemeral_owner,
            ..StatPersisted::default()
        };
        let name = path::name(&txn.path);
        let number = self.insert(parent, &txn.path, name, txn.data, acl, &stat);
        let bytes = txn.data.map_or(0, <[u8]>::len);
        self.quota_created(&txn.path);
        self.account(&txn.path, 1, bytes as i64);
        Ok(number)
    }

    /// Applies a delete; gives the number of the ACL that the znode had. The parent learns of it
    /// even when the znode is gone already.
    pub fn delete(&mut self, path: &str, zxid: Zxid) -> Result<u32, Code> {
        let parent_path = path::parent(path).ok_or(Code::NO_NODE)?;
        let parent = self.find(parent_path).ok_or(Code::NO_NODE)?;
        if zxid.0 > self.nodes.get(parent).pzxid {
            self.change(parent, parent_path, |node| node.pzxid = zxid.0);
        }
        let number = self.find(path).ok_or(Code::NO_NODE)?;
        if number == ROOT {
            // No server makes such a txn; a log that somebody else wrote may hold anything.
            return Err(Code::BAD_ARGUMENTS);
        }
        let children = self.nodes.get(number).children;
        if children > 0 {
            // A snapshot of Apache's may hold children that later txns create again.
            assert!(self.replaying, "a txn deletes a znode with {children} children");
            self.prune(number, path, zxid);
        }
        self.take_image(number);
        if digested(path) {
            self.digest = self.digest.wrapping_sub(self.digest_of(number));
        }
        let node = self.nodes.get(number);
        let (owner, acl, block) = (node.owner, node.acl, node.block);
        let (data_bytes, block_bytes) = (node.data_bytes(), node.block_bytes());
        match Kind::of(owner, self.emulate_353) {
            Kind::Persistent => {}
            Kind::Ephemeral(session) => self.disown(session, number),
            Kind::Container | Kind::Ttl(_) => {
                self.reapable.remove(&number);
            }
        }
        self.acls.release(acl);
        self.index.remove(self.hash(path), number);
        self.unlink(number);
        self.arena.free(block, block_bytes);
        self.nodes.remove(number);
        self.content_bytes -= (path.len() + data_bytes) as u64;
        self.account(path, -1, -(data_bytes as i64));
        self.quota_deleted(path);
        Ok(acl)
    }

    /// Deletes what is below a znode, deepest first.
    fn prune(&mut self, number: u32, path: &str, zxid: Zxid) {
        let mut order: Vec<u32> = self.children(number).collect();
        let mut at = 0;
        while at < order.len() {
            let below: Vec<u32> = self.children(order[at]).collect();
            order.extend(below);
            at += 1;
        }
        for child in order.into_iter().rev() {
            let path = self.path(child);
            self.delete(&path, zxid).expect("the child was there just now");
        }
        debug_assert_eq!(self.find(path), Some(number));
    }

    fn disown(&mut self, session: i64, number: u32) {
        let set = self.ephemerals.get_mut(&session).expect("the owner of an ephemeral is known");
        set.remove(number, 1);
        if set.is_empty() {
            self.ephemerals.remove(&session);
        }
        self.ephemeral_count -= 1;
    }

    /// Applies a setData with the resulting version.
    pub fn set_data(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        version: i32,
        zxid: Zxid,
        time_ms: i64,
    ) -> Result<u32, Code> {
        let number = self.find(path).ok_or(Code::NO_NODE)?;
        let before = self.nodes.get(number).data_bytes();
        self.replace_data(number, path, data, |node| {
            node.version = version;
            node.mzxid = zxid.0;
            node.mtime_ms = time_ms;
        });
        let bytes = data.map_or(0, <[u8]>::len);
        self.account(path, 0, bytes as i64 - before as i64);
        Ok(number)
    }

    /// Puts other data into a znode and changes its fields with it.
    pub(super) fn replace_data(
        &mut self,
        number: u32,
        path: &str,
        data: Option<&[u8]>,
        change: impl FnOnce(&mut Znode),
    ) {
        let crc = crc_of(path, data);
        let bytes = data.unwrap_or(&[]);
        self.take_image(number);
        let node = self.nodes.get(number);
        let name_length = node.name_length as usize;
        let (old, old_bytes, new_bytes) =
            (node.block, node.block_bytes(), name_length + bytes.len());
        let mut block = old;
        if !self.arena.same_size(old_bytes, new_bytes) {
            block = self.arena.alloc(new_bytes);
            let name = self.arena.get(old, name_length).to_vec();
            self.arena.get_mut(block, new_bytes)[..name_length].copy_from_slice(&name);
            self.arena.free(old, old_bytes);
        }
        self.arena.get_mut(block, new_bytes)[name_length..].copy_from_slice(bytes);
        self.content_bytes = self.content_bytes + new_bytes as u64 - old_bytes as u64;
        self.change(number, path, |node| {
            node.block = block;
            node.data_length = data.map_or(NULL_DATA, |data| data.len() as u32);
            node.crc = crc;
            change(node);
        });
    }

    /// Applies a setACL with the resulting version.
    pub fn set_acl(&mut self, path: &str, acl: &[u8], version: i32) -> Result<u32, Code> {
        let number = self.find(path).ok_or(Code::NO_NODE)?;
        let acl = self.acls.intern(acl);
        self.set_acl_number(number, acl);
        self.change(number, path, |node| node.aversion = version);
        Ok(number)
    }

    fn set_acl_number(&mut self, number: u32, acl: u32) {
        self.take_image(number);
        let before = std::mem::replace(&mut self.nodes.get_mut(number).acl, acl);
        self.acls.hold(acl);
        self.acls.release(before);
    }
}
