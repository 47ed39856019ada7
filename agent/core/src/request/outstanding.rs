//! What the tree will look like once the txns that are under way are applied.
//!
//! A request is judged against the tree plus these changes, so that pipelined writes see each other.
//! Entries go when the txn that made them is applied. A failed multi takes back what its first
//! operations entered.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use zk_wire::{StatPersisted, Zxid};

use crate::tree::DataTree;

/// A znode as it will be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// False when a delete is under way.
    pub exists: bool,
    /// Its stat.
    pub stat: StatPersisted,
    /// Number of its children.
    pub children: u32,
    /// Number of its ACL.
    pub acl: u32,
    /// Bytes of its data.
    pub data_bytes: usize,
    /// CRC-32 of path and data.
    pub crc: u32,
}

#[derive(Debug, Default)]
struct Record {
    path: String,
    hash: u64,
    zxid: Zxid,
    view: View,
    /// Next record under the same hash, as number + 1.
    next: u32,
    /// Entries of the queue that name this record.
    entries: u32,
}

/// The keys are hashes already.
#[derive(Debug, Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("only u64 keys are used");
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// The changes under way.
#[derive(Debug, Default)]
pub struct Outstanding {
    records: Vec<Record>,
    free: Vec<u32>,
    /// Hash of the path to the first record under it, as number + 1.
    heads: HashMap<u64, u32, BuildHasherDefault<Ready>>,
    /// One entry for each change, in zxid order.
    queue: VecDeque<(Zxid, u32)>,
    /// The tree's digest after the newest change, while there is one.
    digest: Option<u64>,
    undo: Vec<(u32, Option<(Zxid, View)>)>,
    recording: bool,
}

impl Outstanding {
    /// Changes under way.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// True when the tree is all there is.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn find(&self, path: &str, hash: u64) -> Option<u32> {
        if self.heads.is_empty() {
            return None;
        }
        let mut at = self.heads.get(&hash).copied()?;
        while at != 0 {
            let record = &self.records[at as usize - 1];
            if record.path == path {
                return Some(at - 1);
            }
            at = record.next;
        }
        None
    }

    /// A znode as it will be; `None` when it does not exist then.
    pub fn view(&self, tree: &DataTree, path: &str) -> Option<View> {
        let path = if path == "/" { "" } else { path };
        let hash = tree.hash(path);
        if let Some(number) = self.find(path, hash) {
            return Some(self.records[number as usize].view).filter(|view| view.exists);
        }
        let node = tree.node(tree.find_hashed(path, hash)?);
        Some(View {
            exists: true,
            stat: node.persisted(),
            children: node.children,
            acl: node.acl,
            data_bytes: node.data_bytes(),
            crc: node.crc,
        })
    }

    /// Enters what a txn will make of a znode.
    pub fn put(&mut self, tree: &DataTree, path: &str, zxid: Zxid, view: View) {
        let path = if path == "/" { "" } else { path };
        let hash = tree.hash(path);
        let (number, before) = match self.find(path, hash) {
            Some(number) => {
                let record = &mut self.records[number as usize];
                let before = (record.zxid, record.view);
                record.zxid = zxid;
                record.view = view;
                (number, Some(before))
            }
            None => (self.enter(path, hash, zxid, view), None),
        };
        if self.recording {
            self.undo.push((number, before));
        }
        self.records[number as usize].entries += 1;
        self.queue.push_back((zxid, number));
    }

    fn enter(&mut self, path: &str, hash: u64, zxid: Zxid, view: View) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.records.push(Record::default());
            (self.records.len() - 1) as u32
        });
        let head = self.heads.entry(hash).or_insert(0);
        let next = std::mem::replace(head, number + 1);
        let record = &mut self.records[number as usize];
        // The string keeps its memory from one use to the next.
        record.path.clear();
        record.path.push_str(path);
        record.hash = hash;
        record.zxid = zxid;
        record.view = view;
        record.next = next;
        number
    }

    fn leave(&mut self, number: u32) {
        let (hash, next) = {
            let record = &self.records[number as usize];
            (record.hash, record.next)
        };
        let head = self.heads.get_mut(&hash).expect("a record stands under its hash");
        if *head == number + 1 {
            *head = next;
            if next == 0 {
                self.heads.remove(&hash);
            }
        } else {
            let mut at = *head;
            while self.records[at as usize - 1].next != number + 1 {
                at = self.records[at as usize - 1].next;
                assert!(at != 0, "a record is missing from its chain");
            }
            self.records[at as usize - 1].next = next;
        }
        self.free.push(number);
    }

    /// A txn was applied: what it entered is in the tree now.
    pub fn settle(&mut self, zxid: Zxid) {
        while let Some((at, number)) = self.queue.front().copied() {
            if at > zxid {
                break;
            }
            self.queue.pop_front();
            // A later change of the same znode keeps the record.
            let record = &mut self.records[number as usize];
            record.entries -= 1;
            if record.entries == 0 {
                assert_eq!(record.zxid, at, "the last change of a znode is the one it shows");
                self.leave(number);
            }
        }
        if self.queue.is_empty() {
            self.digest = None;
        }
    }

    /// The digest of the tree once everything under way is applied.
    pub fn digest(&self, tree: &DataTree) -> u64 {
        self.digest.unwrap_or_else(|| tree.digest())
    }

    /// Sets that digest. Forgotten when nothing is under way any more.
    pub fn set_digest(&mut self, digest: u64) {
        if !self.queue.is_empty() {
            self.digest = Some(digest);
        }
    }

    /// From here `rollback` can take back.
    pub fn record(&mut self) {
        self.undo.clear();
        self.recording = true;
    }

    /// Keeps what was entered since `record`.
    pub fn commit(&mut self) {
        self.undo.clear();
        self.recording = false;
    }

    /// Takes back what was entered since `record`.
    pub fn rollback(&mut self) {
        self.recording = false;
        while let Some((number, before)) = self.undo.pop() {
            let entry = self.queue.pop_back().expect("each change has an entry");
            assert_eq!(entry.1, number, "changes are taken back in order");
            self.records[number as usize].entries -= 1;
            match before {
                Some((zxid, view)) => {
                    let record = &mut self.records[number as usize];
                    record.zxid = zxid;
                    record.view = view;
                }
                None => self.leave(number),
            }
        }
    }

    /// The ephemerals of a session as they will be: paths that appear or go while under way.
    pub fn ephemerals(&self, session: i64) -> impl Iterator<Item = (&str, bool)> + '_ {
        let mut seen: Vec<u32> = self.queue.iter().map(|(_, number)| *number).collect();
        seen.sort_unstable();
        seen.dedup();
        seen.into_iter().filter_map(move |number| {
            let record = &self.records[number as usize];
            let owned = record.view.stat.ephemeral_owner == session;
            owned.then_some((record.path.as_str(), record.view.exists))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(version: i32) -> View {
        let stat = StatPersisted { version, ..StatPersisted::default() };
        View { exists: true, stat, ..View::default() }
    }

    #[test]
    fn changes_stack_settle_and_roll_back() {
        let tree = DataTree::fresh(1, false);
        let mut out = Outstanding::default();
        out.put(&tree, "/a", Zxid(1), view(1));
        out.put(&tree, "/a", Zxid(2), view(2));
        out.record();
        out.put(&tree, "/a", Zxid(3), view(3));
        out.put(&tree, "/b", Zxid(3), view(9));
        out.put(&tree, "/b", Zxid(3), View::default());
        assert_eq!(out.view(&tree, "/b"), None);
        out.rollback();
        assert_eq!(out.view(&tree, "/a").unwrap().stat.version, 2);
        assert_eq!(out.view(&tree, "/b"), None);
        out.settle(Zxid(1));
        assert_eq!(out.view(&tree, "/a").unwrap().stat.version, 2);
        out.settle(Zxid(2));
        assert_eq!(out.view(&tree, "/a"), None);
        assert!(out.is_empty());
        out.put(&tree, "/a", Zxid(4), view(1));
        out.put(&tree, "/a", Zxid(4), view(2));
        out.settle(Zxid(4));
        assert!(out.is_empty() && out.heads.is_empty());
    }
}
