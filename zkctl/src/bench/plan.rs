//! What the load generator sends: names, random reads and writes, and the chores before and behind.

use std::ops::Range;

use zk_wire::request::{encode_create, encode_path_int, encode_path_watch, encode_set_data, flags};
use zk_wire::{Acl, Code, Op};

use crate::bench::engine::Load;
use crate::bench::link::Link;

/// Histograms, as in `CLASSES`.
const READ: usize = 0;
const WRITE: usize = 1;
const CREATE: usize = 2;

/// Names of the znodes of a run.
pub struct Names {
    root: String,
    acl: Vec<Acl>,
}

impl Names {
    /// Names below a root.
    pub fn new(root: &str) -> Names {
        Names { root: root.to_owned(), acl: Acl::open() }
    }

    /// A znode that is made beforehand.
    fn prepared(&self, number: u64) -> String {
        format!("{}/z{number}", self.root)
    }

    /// A znode that the run itself creates: by connection, and its number there.
    fn created(&self, link: usize, number: u64) -> String {
        format!("{}/c{link}-{number}", self.root)
    }
}

/// Small and fast chance (xorshift64*): which znode is next need not be unpredictable.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d);
        ((u128::from(high) * u128::from(bound)) >> 64) as u64
    }
}

/// The measured load of one thread.
pub struct Mix<'a> {
    names: &'a Names,
    links: Range<usize>,
    /// Paths of the prepared znodes, made once: a request should cost the generator little.
    paths: Vec<String>,
    reads_percent: u32,
    /// For each link how many znodes it has asked for; `None` when the load is not create.
    counts: Option<Vec<u64>>,
    data: Vec<u8>,
    chance: Chance,
}

impl<'a> Mix<'a> {
    /// The load of the links with these numbers.
    pub fn new(
        names: &'a Names,
        links: Range<usize>,
        znodes: u64,
        reads_percent: u32,
        creates: bool,
        data: &[u8],
    ) -> Mix<'a> {
        Mix {
            names,
            paths: (0..znodes).map(|number| names.prepared(number)).collect(),
            reads_percent,
            counts: creates.then(|| vec![0; links.len()]),
            data: data.to_vec(),
            chance: Chance(0x9e37_79b9_7f4a_7c15 ^ (links.start as u64 + 1)),
            links,
        }
    }

    /// What it may have created: numbers of links, and how many of each.
    pub fn created(&self) -> Vec<(usize, u64)> {
        match &self.counts {
            Some(counts) => self.links.clone().zip(counts.iter().copied()).collect(),
            None => Vec::new(),
        }
    }
}

impl Load for Mix<'_> {
    fn put(&mut self, at: usize, link: &mut Link, intended_ns: u64, now_ns: u64) -> bool {
        if let Some(counts) = &mut self.counts {
            let path = self.names.created(self.links.start + at, counts[at]);
            counts[at] += 1;
            let (data, acl) = (&self.data, &self.names.acl);
            link.put(Op::CREATE, CREATE, intended_ns, now_ns, |out| {
                encode_create(out, &path, Some(data), acl, flags::PERSISTENT, None);
            });
            return true;
        }
        let path = &self.paths[self.chance.below(self.paths.len() as u64) as usize];
        if self.chance.below(100) < u64::from(self.reads_percent) {
            link.put(Op::GET_DATA, READ, intended_ns, now_ns, |out| {
                encode_path_watch(out, path, false);
            });
        } else {
            link.put(Op::SET_DATA, WRITE, intended_ns, now_ns, |out| {
                encode_set_data(out, path, Some(&self.data), -1);
            });
        }
        true
    }

    fn fine(&self, code: Code) -> bool {
        code == Code::OK
    }
}

/// Znodes to make, or to delete.
pub struct Chores<'a> {
    names: &'a Names,
    /// Prepared znodes.
    znodes: u64,
    /// Created ones.
    created: Vec<(usize, u64)>,
    /// What each gets; `None` to delete.
    data: Option<&'a [u8]>,
    next: u64,
}

impl<'a> Chores<'a> {
    /// Makes the prepared znodes.
    pub fn create(names: &'a Names, znodes: u64, data: &'a [u8]) -> Chores<'a> {
        Chores { names, znodes, created: Vec::new(), data: Some(data), next: 0 }
    }

    /// Deletes everything.
    pub fn delete(names: &'a Names, znodes: u64, created: Vec<(usize, u64)>) -> Chores<'a> {
        Chores { names, znodes, created, data: None, next: 0 }
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.znodes + self.created.iter().map(|(_, count)| count).sum::<u64>()
    }

    fn name(&self, mut number: u64) -> Option<String> {
        if number < self.znodes {
            return Some(self.names.prepared(number));
        }
        number -= self.znodes;
        for (link, count) in &self.created {
            if number < *count {
                return Some(self.names.created(*link, number));
            }
            number -= count;
        }
        None
    }
}

impl Load for Chores<'_> {
    fn put(&mut self, _: usize, link: &mut Link, intended_ns: u64, now_ns: u64) -> bool {
        let Some(path) = self.name(self.next) else { return false };
        self.next += 1;
        match self.data {
            Some(data) => link.put(Op::CREATE, 0, intended_ns, now_ns, |out| {
                encode_create(out, &path, Some(data), &self.names.acl, flags::PERSISTENT, None);
            }),
            None => link.put(Op::DELETE, 0, intended_ns, now_ns, |out| {
                encode_path_int(out, &path, -1);
            }),
        }
        true
    }

    fn fine(&self, code: Code) -> bool {
        match self.data {
            Some(_) => code == Code::OK,
            None => super::gone_is_fine(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chores_name_everything_once() {
        let names = Names::new("/r");
        let chores = Chores::delete(&names, 2, vec![(0, 1), (5, 2)]);
        let all: Vec<String> = (0..chores.total()).filter_map(|n| chores.name(n)).collect();
        assert_eq!(all, ["/r/z0", "/r/z1", "/r/c0-0", "/r/c5-0", "/r/c5-1"]);
        assert_eq!(chores.name(5), None);
    }

    #[test]
    fn chance_reaches_everything() {
        let mut chance = Chance(1);
        let mut seen = [0; 10];
        (0..10_000).for_each(|_| seen[chance.below(10) as usize] += 1);
        assert!(seen.iter().all(|count| (800..1200).contains(count)), "{seen:?}");
    }
}
