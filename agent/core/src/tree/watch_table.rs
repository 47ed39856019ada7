//! Who watches what.
//!
//! One entry for each watched path, with the watching connections and the kinds of their watches as
//! marks; and for each connection the numbers of its paths. A further watcher of a path costs one
//! value in either set: 8 to 16 bytes in all.
//!
//! Watches live on a connection and go with it. Nothing here is durable or replicated.

use zk_wire::path;

use super::compact::CompactSet;
use super::index::PathIndex;
use crate::hash::hash;
use crate::ids::ConnId;

/// Kinds of watches, as marks.
pub mod mark {
    /// One-shot, left by getData or exists.
    pub const DATA: u32 = 1;
    /// One-shot, left by getChildren.
    pub const CHILD: u32 = 2;
    /// Persistent, for data and children.
    pub const PERSISTENT: u32 = 4;
    /// Persistent for the whole subtree, without changes of children.
    pub const RECURSIVE: u32 = 8;
    /// Any of them.
    pub const ALL: u32 = 15;
}

#[derive(Debug, Default)]
struct Entry {
    path: Box<str>,
    watchers: CompactSet,
}

/// Counts of watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Watches of the data registry.
    pub data: usize,
    /// Watches of the child registry.
    pub child: usize,
}

/// The table.
#[derive(Debug, Default)]
pub struct WatchTable {
    seed: u64,
    entries: Vec<Entry>,
    free: Vec<u32>,
    index: PathIndex,
    by_conn: Vec<CompactSet>,
    counts: Counts,
    recursive: usize,
    /// Which connections this firing has reached: the number of the firing, by connection.
    told: Vec<u32>,
    firing: u32,
    scratch: Vec<ConnId>,
}

fn data_marks(marks: u32) -> usize {
    (marks & (mark::DATA | mark::PERSISTENT | mark::RECURSIVE)).count_ones() as usize
}

fn child_marks(marks: u32) -> usize {
    (marks & (mark::CHILD | mark::PERSISTENT)).count_ones() as usize
}

impl WatchTable {
    /// An empty table whose hashes are seeded.
    pub fn new(seed: u64) -> WatchTable {
        WatchTable { seed, ..WatchTable::default() }
    }

    /// True when nobody watches anything.
    pub fn is_empty(&self) -> bool {
        self.counts == Counts::default()
    }

    /// Watches in each registry; a persistent one stands in both.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn find(&self, path: &str) -> Option<u32> {
        let entries = &self.entries;
        self.index.find(hash(self.seed, path.as_bytes()), |n| *entries[n as usize].path == *path)
    }

    fn count(&mut self, before: u32, after: u32) {
        self.counts.data = self.counts.data + data_marks(after) - data_marks(before);
        self.counts.child = self.counts.child + child_marks(after) - child_marks(before);
        let recursive = |marks| usize::from(marks & mark::RECURSIVE != 0);
        self.recursive = self.recursive + recursive(after) - recursive(before);
    }

    /// Sets watches of a connection on a path. Setting one again changes nothing.
    pub fn add(&mut self, conn: ConnId, path: &str, marks: u32) {
        let number = self.find(path).unwrap_or_else(|| self.open(path));
        let before = self.entries[number as usize].watchers.add(conn.0, marks);
        self.count(before, before | marks);
        if before == 0 {
            let at = conn.0 as usize;
            if self.by_conn.len() <= at {
                self.by_conn.resize_with(at + 1, CompactSet::default);
            }
            self.by_conn[at].add(number, 1);
        }
    }

    fn open(&mut self, path: &str) -> u32 {
        let entry = Entry { path: path.into(), watchers: CompactSet::default() };
        let number = match self.free.pop() {
            Some(number) => {
                self.entries[number as usize] = entry;
                number
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        self.index.insert(hash(self.seed, path.as_bytes()), number);
        number
    }

    fn close(&mut self, number: u32) {
        let entry = std::mem::take(&mut self.entries[number as usize]);
        self.index.remove(hash(self.seed, entry.path.as_bytes()), number);
        self.free.push(number);
    }

    /// The marks of a connection on exactly this path.
    pub fn get(&self, conn: ConnId, path: &str) -> u32 {
        self.find(path).map_or(0, |number| self.entries[number as usize].watchers.get(conn.0))
    }

    /// Takes marks of a connection from a path.
    pub fn remove(&mut self, conn: ConnId, path: &str, marks: u32) {
        if let Some(number) = self.find(path) {
            self.take(number, conn, marks);
        }
    }

    fn take(&mut self, number: u32, conn: ConnId, marks: u32) {
        let watchers = &mut self.entries[number as usize].watchers;
        let before = watchers.remove(conn.0, marks);
        let empty = watchers.is_empty();
        self.count(before, before & !marks);
        if before & !marks == 0 && before != 0 {
            self.by_conn[conn.0 as usize].remove(number, 1);
        }
        if empty {
            self.close(number);
        }
    }

    /// Forgets a connection.
    pub fn drop_conn(&mut self, conn: ConnId) {
        let Some(paths) = self.by_conn.get_mut(conn.0 as usize).map(std::mem::take) else { return };
        for (number, _) in paths.iter() {
            let watchers = &mut self.entries[number as usize].watchers;
            let before = watchers.remove(conn.0, mark::ALL);
            let empty = watchers.is_empty();
            self.count(before, 0);
            if empty {
                self.close(number);
            }
        }
    }

    /// Begins a firing: from here each connection is reached once by `fire`.
    pub fn begin(&mut self) {
        self.firing = self.firing.wrapping_add(1);
        if self.firing == 0 {
            self.told.fill(0);
            self.firing = 1;
        }
    }

    /// The connections that watch `path` with any of `exact`, or an ancestor recursively if
    /// `ancestors`, and that were not reached since `begin`. One-shot watches among `exact` are
    /// consumed. The list is valid until the next call.
    pub fn fire(&mut self, path: &str, exact: u32, ancestors: bool) -> &[ConnId] {
        self.scratch.clear();
        if let Some(number) = self.find(path) {
            self.reach(number, exact);
            let one_shot = exact & (mark::DATA | mark::CHILD);
            self.consume(number, one_shot);
        }
        if ancestors && self.recursive > 0 {
            let mut at = path;
            while at.len() > 1 {
                at = path::parent(at).filter(|parent| !parent.is_empty()).unwrap_or("/");
                if let Some(number) = self.find(at) {
                    self.reach(number, mark::RECURSIVE);
                }
            }
        }
        &self.scratch
    }

    fn reach(&mut self, number: u32, marks: u32) {
        for (conn, has) in self.entries[number as usize].watchers.iter() {
            let at = conn as usize;
            if has & marks == 0 {
                continue;
            }
            if self.told.len() <= at {
                self.told.resize(at + 1, 0);
            }
            if self.told[at] != self.firing {
                self.told[at] = self.firing;
                self.scratch.push(ConnId(conn));
            }
        }
    }

    fn consume(&mut self, number: u32, one_shot: u32) {
        let watchers = self.entries[number as usize].watchers.iter();
        let hit: Vec<u32> = watchers.filter(|(_, m)| m & one_shot != 0).map(|(c, _)| c).collect();
        // The entry closes with its last watcher, which can only be the last one hit.
        for conn in hit {
            self.take(number, ConnId(conn), one_shot);
        }
    }

    /// Every watched path with its watchers and their marks.
    pub fn iter(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = (ConnId, u32)> + '_)> {
        self.entries.iter().filter(|entry| !entry.watchers.is_empty()).map(|entry| {
            (&*entry.path, entry.watchers.iter().map(|(conn, marks)| (ConnId(conn), marks)))
        })
    }

    /// The paths of one connection with its marks.
    pub fn of_conn(&self, conn: ConnId) -> impl Iterator<Item = (&str, u32)> + '_ {
        self.by_conn.get(conn.0 as usize).into_iter().flat_map(CompactSet::iter).map(
            move |(number, _)| {
                let entry = &self.entries[number as usize];
                (&*entry.path, entry.watchers.get(conn.0))
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_shot_goes_persistent_stays_each_is_told_once() {
        let mut table = WatchTable::new(1);
        let (a, b) = (ConnId(1), ConnId(2));
        table.add(a, "/x", mark::DATA | mark::PERSISTENT);
        table.add(a, "/", mark::RECURSIVE);
        table.add(b, "/x", mark::CHILD);
        assert_eq!(table.counts(), Counts { data: 3, child: 2 });
        table.begin();
        let exact = mark::DATA | mark::PERSISTENT | mark::RECURSIVE;
        assert_eq!(table.fire("/x", exact, true), [a]);
        assert_eq!(table.fire("/x", mark::CHILD | mark::PERSISTENT, false), [b]);
        assert_eq!(table.get(a, "/x"), mark::PERSISTENT);
        assert_eq!(table.get(b, "/x"), 0);
        table.drop_conn(a);
        assert_eq!(table.counts(), Counts::default());
        table.begin();
        assert!(table.fire("/x/y", exact, true).is_empty());
        assert_eq!(table.iter().count(), 0);
    }
}
