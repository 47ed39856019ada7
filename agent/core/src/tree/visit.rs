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

    /// Brings the znodes of some paths into the cache. A look-up waits for memory three times, each
    /// time for an address that the one before gave; side by side the waits of many overlap.
    pub fn warm<'a>(&self, paths: impl Iterator<Item = &'a [u8]>) {
        const SIDE_BY_SIDE: usize = 32;
        let mut hashes = [0u64; SIDE_BY_SIDE];
        let (mut paths, mut sum) = (paths.peekable(), 0u64);
        while paths.peek().is_some() {
            let mut count = 0;
            for (place, path) in hashes.iter_mut().zip(paths.by_ref()) {
                *place = hash(self.seed, path);
                sum ^= self.index.touch(*place);
                count += 1;
                if count == SIDE_BY_SIDE {
                    break;
                }
            }
            let mut found = [ROOT; SIDE_BY_SIDE];
            for (place, hash) in found.iter_mut().zip(&hashes[..count]) {
                *place = self.index.guess(*hash).unwrap_or(ROOT);
                let node = self.nodes.get(*place);
                sum ^= node.czxid as u64 ^ u64::from(node.name_length);
            }
            for number in &found[..count] {
                let content = self.content(*number);
                sum ^= u64::from(*content.first().unwrap_or(&0));
                sum ^= u64::from(*content.get(64).unwrap_or(&0));
            }
        }
        std::hint::black_box(sum);
    }
}
