//! Who wants to be told of what: the watches of one handle.
//!
//! Five tables as in every client: data, exists on a missing znode, children, persistent and
//! persistent recursive. Paths are those of the server, with the chroot. What a watcher is, the
//! caller decides: anything that can be cloned, compared and hashed. Ordered by path and by
//! registration, so that the same calls give the same bytes.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;

use zk_wire::request::SetWatchesRequest;
use zk_wire::watch::event;

/// The table that a watch stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WatchKind {
    /// Left by get, and by exists when the znode is there.
    Data,
    /// Left by exists when the znode is not there.
    Exist,
    /// Left by children.
    Children,
    /// Stays; data and children of one znode.
    Persistent,
    /// Stays; a znode and all below.
    Recursive,
}

const KINDS: [WatchKind; 5] = [
    WatchKind::Data,
    WatchKind::Exist,
    WatchKind::Children,
    WatchKind::Persistent,
    WatchKind::Recursive,
];

/// Bytes of paths in one setWatches, as Apache's Java client splits them: a server may take 1 MiB.
const SET_WATCHES_BYTES_MAX: usize = 128 << 10;

/// Paths and who watches them, each list in the order of registration.
type Table<W> = BTreeMap<String, Vec<W>>;

/// All watches of a handle.
#[derive(Debug)]
pub struct Watches<W> {
    tables: [Table<W>; 5],
}

impl<W> Default for Watches<W> {
    fn default() -> Watches<W> {
        Watches { tables: Default::default() }
    }
}

impl<W: Clone + Eq + Hash> Watches<W> {
    /// Adds a watcher; the same one on the same path and kind stands there once.
    pub fn add(&mut self, kind: WatchKind, path: &str, watcher: W) {
        let table = &mut self.tables[kind as usize];
        match table.get_mut(path) {
            Some(list) if list.contains(&watcher) => {}
            Some(list) => list.push(watcher),
            None => {
                table.insert(path.to_owned(), vec![watcher]);
            }
        }
    }

    /// Who is to be told of an event, each once, in the order children, exists, data (that of
    /// Apache's C client), persistent, recursive from the root down. Those that fire once are gone
    /// with it.
    pub fn fire(&mut self, kind: i32, path: &str) -> Vec<W> {
        let once: &[WatchKind] = match kind {
            event::CREATED | event::DATA_CHANGED => &[WatchKind::Exist, WatchKind::Data],
            event::CHILDREN_CHANGED => &[WatchKind::Children],
            event::DELETED => &[WatchKind::Children, WatchKind::Exist, WatchKind::Data],
            _ => return Vec::new(),
        };
        let mut told = Distinct::default();
        for kind in once {
            for watcher in self.tables[*kind as usize].remove(path).unwrap_or_default() {
                told.add(watcher);
            }
        }
        told.add_all(self.tables[WatchKind::Persistent as usize].get(path));
        let recursive = &self.tables[WatchKind::Recursive as usize];
        // Children of a znode are events of their own for who watches the subtree.
        if kind != event::CHILDREN_CHANGED && !recursive.is_empty() {
            told.add_all(recursive.get("/"));
            for (at, _) in path.match_indices('/').skip(1) {
                told.add_all(recursive.get(&path[..at]));
            }
            if path != "/" {
                told.add_all(recursive.get(path));
            }
        }
        told.list
    }

    /// Whether a watch of this kind is there; of this watcher, or with `None` of anyone.
    pub fn holds(&self, kind: WatchKind, path: &str, watcher: Option<&W>) -> bool {
        self.tables[kind as usize]
            .get(path)
            .is_some_and(|list| watcher.is_none_or(|watcher| list.contains(watcher)))
    }

    /// Forgets a watcher, or with `None` all of that path and kind. Returns whether one was there.
    pub fn forget(&mut self, kind: WatchKind, path: &str, watcher: Option<&W>) -> bool {
        let table = &mut self.tables[kind as usize];
        let Some(list) = table.get_mut(path) else { return false };
        let before = list.len();
        list.retain(|other| watcher.is_some_and(|watcher| watcher != other));
        let gone = before != list.len();
        if list.is_empty() {
            table.remove(path);
        }
        gone
    }

    /// Every watcher once, in the order children, exists, data, persistent, recursive: the order in
    /// which Apache's client tells them of the session.
    pub fn everyone(&self) -> Vec<W> {
        let mut told = Distinct::default();
        for kind in [
            WatchKind::Children,
            WatchKind::Exist,
            WatchKind::Data,
            WatchKind::Persistent,
            WatchKind::Recursive,
        ] {
            for list in self.tables[kind as usize].values() {
                told.add_all(Some(list));
            }
        }
        told.list
    }

    /// Number of paths that are watched, a path in two tables counted twice.
    pub fn len(&self) -> usize {
        self.tables.iter().map(BTreeMap::len).sum()
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.tables = Default::default();
    }

    /// The requests that leave all watches again on a new connection, in pieces that any server
    /// takes, and whether each needs setWatches2: older servers know the first form only.
    pub fn again(&self, relative_zxid: i64) -> Vec<(SetWatchesRequest<'_>, bool)> {
        let blank = || SetWatchesRequest {
            relative_zxid,
            lists: std::array::from_fn(|_| Some(Vec::new())),
        };
        let mut pieces = Vec::new();
        let (mut piece, mut bytes, mut two) = (blank(), 0, false);
        for (at, kind) in KINDS.iter().enumerate() {
            for path in self.tables[*kind as usize].keys() {
                if bytes > 0 && bytes + path.len() > SET_WATCHES_BYTES_MAX {
                    pieces.push((std::mem::replace(&mut piece, blank()), two));
                    (bytes, two) = (0, false);
                }
                let list = piece.lists[at].as_mut().expect("every list of a blank one is there");
                list.push(Some(Cow::Borrowed(path.as_str())));
                bytes += path.len() + 4;
                two |= at >= 3;
            }
        }
        if bytes > 0 {
            pieces.push((piece, two));
        }
        pieces
    }
}

/// A list without repetitions, in the order of the first appearance.
struct Distinct<W> {
    list: Vec<W>,
    seen: HashSet<W>,
}

impl<W> Default for Distinct<W> {
    fn default() -> Distinct<W> {
        Distinct { list: Vec::new(), seen: HashSet::new() }
    }
}

impl<W: Clone + Eq + Hash> Distinct<W> {
    fn add(&mut self, watcher: W) {
        // Nearly every event has one watcher: the set is for the others.
        if self.list.is_empty() {
            self.list.push(watcher);
            return;
        }
        if self.seen.is_empty() {
            self.seen.insert(self.list[0].clone());
        }
        if self.seen.insert(watcher.clone()) {
            self.list.push(watcher);
        }
    }

    fn add_all(&mut self, list: Option<&Vec<W>>) {
        for watcher in list.into_iter().flatten() {
            self.add(watcher.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_reaches_its_tables_once() {
        let mut watches = Watches::default();
        watches.add(WatchKind::Data, "/a", 1);
        watches.add(WatchKind::Data, "/a", 1);
        watches.add(WatchKind::Exist, "/a", 2);
        watches.add(WatchKind::Children, "/a", 3);
        watches.add(WatchKind::Persistent, "/a", 1);
        watches.add(WatchKind::Recursive, "/", 4);
        watches.add(WatchKind::Recursive, "/a", 5);
        assert_eq!(watches.everyone(), [3, 2, 1, 4, 5]);
        assert_eq!(watches.fire(event::CHILDREN_CHANGED, "/a"), [3, 1]);
        assert_eq!(watches.fire(event::DATA_CHANGED, "/a"), [2, 1, 4, 5]);
        assert_eq!(watches.fire(event::DELETED, "/a"), [1, 4, 5]);
        assert_eq!(watches.fire(event::CREATED, "/a/b"), [4, 5]);
        assert_eq!(watches.fire(event::CREATED, "/ab"), [4]);
        assert_eq!(watches.fire(event::CREATED, "/"), [4]);
        assert_eq!(watches.fire(99, "/a"), []);
        assert_eq!(watches.len(), 3);
    }

    #[test]
    fn watchers_are_forgotten_one_by_one_or_all() {
        let mut watches = Watches::default();
        watches.add(WatchKind::Data, "/a", 1);
        watches.add(WatchKind::Data, "/a", 2);
        assert!(!watches.forget(WatchKind::Data, "/a", Some(&3)));
        assert!(watches.forget(WatchKind::Data, "/a", Some(&1)));
        assert!(!watches.holds(WatchKind::Data, "/a", Some(&1)));
        assert!(watches.holds(WatchKind::Data, "/a", None));
        assert!(watches.forget(WatchKind::Data, "/a", None));
        assert!(watches.is_empty());
    }

    #[test]
    fn watches_are_left_again_in_pieces() {
        let mut watches = Watches::default();
        for number in 0..20_000 {
            watches.add(WatchKind::Children, &format!("/a/path/of/some/length/{number}"), 1);
        }
        watches.add(WatchKind::Recursive, "/r", 1);
        let pieces = watches.again(7);
        assert!(pieces.len() > 4);
        let mut paths = 0;
        for (at, (piece, two)) in pieces.iter().enumerate() {
            assert_eq!((piece.relative_zxid, *two), (7, at + 1 == pieces.len()));
            let mut out = Vec::new();
            piece.encode(&mut out, *two);
            assert!(out.len() < SET_WATCHES_BYTES_MAX + 200, "{}", out.len());
            paths += piece.lists.iter().flatten().map(Vec::len).sum::<usize>();
        }
        assert_eq!(paths, 20_001);
        assert!(Watches::<u8>::default().again(1).is_empty());
    }
}
