//! Finds a number by the hash of a path: open addressing in shards that grow one at a time.
//!
//! A slot is 8 bytes: 32 bits of the hash and the number. The path itself is not kept; who asks
//! brings a comparison. Shards grow by half at seven eighths, so that a slot costs 8 to 14 bytes and
//! no single insertion moves more than one 256th of the table.

const SHARD_BITS: u32 = 8;
const SLOTS_MIN: usize = 8;

/// A table from hash to number.
#[derive(Debug)]
pub struct PathIndex {
    shards: Vec<Shard>,
}

#[derive(Debug, Default)]
struct Shard {
    /// `hash << 32 | number + 1`; 0 is an empty slot.
    slots: Vec<u64>,
    used: usize,
}

fn home(slot: u64, slots: usize) -> usize {
    (((slot >> 32) * slots as u64) >> 32) as usize
}

impl Shard {
    fn insert(&mut self, slot: u64) {
        if (self.used + 1) * 8 > self.slots.len() * 7 {
            self.resize((self.slots.len() * 3 / 2).max(SLOTS_MIN));
        }
        self.place(slot);
        self.used += 1;
    }

    fn place(&mut self, slot: u64) {
        let count = self.slots.len();
        let mut at = home(slot, count);
        while self.slots[at] != 0 {
            at = if at + 1 == count { 0 } else { at + 1 };
        }
        self.slots[at] = slot;
    }

    fn resize(&mut self, count: usize) {
        let old = std::mem::replace(&mut self.slots, vec![0; count]);
        for slot in old.into_iter().filter(|slot| *slot != 0) {
            self.place(slot);
        }
    }

    /// Empties a slot and moves those behind it up, so that no search ends too early.
    fn remove_at(&mut self, mut hole: usize) {
        let count = self.slots.len();
        let mut at = hole;
        loop {
            at = if at + 1 == count { 0 } else { at + 1 };
            let slot = self.slots[at];
            if slot == 0 {
                break;
            }
            let home = home(slot, count);
            let reaches = (at + count - home) % count >= (at + count - hole) % count;
            if reaches {
                self.slots[hole] = slot;
                hole = at;
            }
        }
        self.slots[hole] = 0;
        self.used -= 1;
    }
}

impl Default for PathIndex {
    fn default() -> PathIndex {
        let mut shards = Vec::new();
        shards.resize_with(1 << SHARD_BITS, Shard::default);
        PathIndex { shards }
    }
}

impl PathIndex {
    fn shard(hash: u64) -> usize {
        (hash >> (64 - SHARD_BITS)) as usize
    }

    /// Makes room for so many entries in all, spread evenly.
    pub fn reserve(&mut self, entries: usize) {
        // A little above the mean, for the spread of the hash.
        let mean = entries >> SHARD_BITS;
        let slots = (mean + mean / 16 + 8) * 8 / 7;
        for shard in &mut self.shards {
            if shard.slots.len() < slots {
                shard.resize(slots);
            }
        }
    }

    /// Adds an entry. The caller knows that it is not there.
    pub fn insert(&mut self, hash: u64, number: u32) {
        let slot = (hash << 32) | (u64::from(number) + 1);
        self.shards[PathIndex::shard(hash)].insert(slot);
    }

    /// The number under this hash for which `same` says yes.
    #[inline]
    pub fn find(&self, hash: u64, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        let shard = &self.shards[PathIndex::shard(hash)];
        let count = shard.slots.len();
        if count == 0 {
            return None;
        }
        let wanted = hash as u32;
        let mut at = home(hash << 32, count);
        loop {
            let slot = shard.slots[at];
            if slot == 0 {
                return None;
            }
            if (slot >> 32) as u32 == wanted {
                let number = (slot as u32).wrapping_sub(1);
                if same(number) {
                    return Some(number);
                }
            }
            at = if at + 1 == count { 0 } else { at + 1 };
        }
    }

    /// Touches the slots where a search for this hash begins, so that they are in the cache.
    #[inline]
    pub fn touch(&self, hash: u64) -> u64 {
        let slots = &self.shards[PathIndex::shard(hash)].slots;
        slots.get(home(hash << 32, slots.len())).copied().unwrap_or(0)
    }

    /// The first number under this hash, which need not be the right one.
    #[inline]
    pub fn guess(&self, hash: u64) -> Option<u32> {
        self.find(hash, |_| true)
    }

    /// Removes an entry, which must be there.
    pub fn remove(&mut self, hash: u64, number: u32) {
        let shard = &mut self.shards[PathIndex::shard(hash)];
        let slot = (hash << 32) | (u64::from(number) + 1);
        let count = shard.slots.len();
        assert!(count > 0, "an entry is removed from an empty shard");
        let mut at = home(slot, count);
        while shard.slots[at] != slot {
            assert!(shard.slots[at] != 0, "an entry is removed that is not there");
            at = if at + 1 == count { 0 } else { at + 1 };
        }
        shard.remove_at(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::{Rng, hash};
    use std::collections::BTreeMap;

    /// Goal: the table agrees with a plain map under random insertions and removals.
    #[test]
    fn agrees_with_a_map() {
        let mut index = PathIndex::default();
        let mut model: BTreeMap<u32, u64> = BTreeMap::new();
        let mut rng = Rng::new(3);
        for _ in 0..200_000 {
            let number = rng.below(20_000) as u32;
            // Few distinct low bits, so that chains are long.
            let h = hash(9, &number.to_le_bytes()) & 0xff00_0000_0fff_0000;
            if model.remove(&number).is_some() {
                index.remove(h, number);
            } else {
                index.insert(h, number);
                model.insert(number, h);
            }
            let probe = rng.below(20_000) as u32;
            let h = hash(9, &probe.to_le_bytes()) & 0xff00_0000_0fff_0000;
            let found = index.find(h, |n| n == probe);
            assert_eq!(found, model.contains_key(&probe).then_some(probe));
        }
    }
}
