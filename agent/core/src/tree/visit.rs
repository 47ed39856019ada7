//! Going through many znodes at once, without changing any.

use super::data_tree::DataTree;
use super::znode::{NIL, ROOT};
use crate::hash::hash;

impl DataTree {
    /// Paths of a session's ephemerals, in no particular order.
    pub fn ephemerals_of(&self, session: i64) -> Vec<String> {
        let Some(set) = self.ephemerals.get(&session) else { return Vec::new() };
        set.iter().map(|(number, _)| self.path(number)).collect()
    }

    /// Every znode with its path, parents before their children; the root's path is empty.
    pub fn walk(&self, mut visit: impl FnMut(&str, u32)) {
        let (mut path, mut stack) = (String::new(), vec![(ROOT, 0)]);
        while let Some((number, above)) = stack.pop() {
            path.truncate(above);
            if number != ROOT {
                path.push('/');
                path.push_str(self.name(number));
            }
            visit(&path, number);
            let below = path.len();
            stack.extend(self.children(number).map(|child| (child, below)));
        }
    }

    /// Number of znodes below this one, without recursion: the tree may be deep.
    pub fn descendants(&self, number: u32) -> u64 {
        let (mut count, mut stack) = (0, vec![number]);
        while let Some(at) = stack.pop() {
            count += u64::from(self.nodes.get(at).children);
            stack.extend(self.children(at).filter(|n| self.nodes.get(*n).first_child != NIL));
        }
        count
    }
}

/// Brings the znodes of some paths into the cache. A look-up waits for memory three times, each
/// time for an address that the one before gave; side by side the waits of many overlap.
pub struct Warmer<'t> {
    tree: &'t DataTree,
    hashes: [u64; SIDE_BY_SIDE],
    count: usize,
    sum: u64,
}

/// Look-ups under way at once: more than a core has loads in flight gain nothing.
const SIDE_BY_SIDE: usize = 32;

impl<'t> Warmer<'t> {
    /// Warms this tree. Nothing is done for the last paths before `finish`.
    pub fn new(tree: &'t DataTree) -> Warmer<'t> {
        Warmer { tree, hashes: [0; SIDE_BY_SIDE], count: 0, sum: 0 }
    }

    /// Adds a path, which need not exist.
    #[inline]
    pub fn add(&mut self, path: &[u8]) {
        let hash = hash(self.tree.seed, path);
        self.sum ^= self.tree.index.touch(hash);
        self.hashes[self.count] = hash;
        self.count += 1;
        if self.count == SIDE_BY_SIDE {
            self.touch();
        }
    }

    /// Touches what was added since the last time.
    pub fn finish(mut self) {
        self.touch();
        std::hint::black_box(self.sum);
    }

    fn touch(&mut self) {
        let tree = self.tree;
        let mut found = [ROOT; SIDE_BY_SIDE];
        for (place, hash) in found.iter_mut().zip(&self.hashes[..self.count]) {
            *place = tree.index.guess(*hash).unwrap_or(ROOT);
            let node = tree.nodes.get(*place);
            self.sum ^= node.czxid as u64 ^ u64::from(node.name_length);
        }
        for number in &found[..self.count] {
            let content = tree.content(*number);
            self.sum ^= u64::from(*content.first().unwrap_or(&0));
            self.sum ^= u64::from(*content.get(64).unwrap_or(&0));
        }
        self.count = 0;
    }
}
