//! A set of 32-bit values for sets that are mostly tiny and sometimes huge.
//!
//! A value is a key in the upper bits and marks in the lower ones. One value costs no allocation;
//! a large set costs 4 to 7 bytes for each value (open addressing, growth by half at seven eighths).

/// Marks in the lower bits of a value; the key is what stands above them.
pub const MARK_BITS: u32 = 4;
const MARK_MASK: u32 = (1 << MARK_BITS) - 1;
/// A key may not need more bits than this.
pub const KEY_MAX: u32 = (u32::MAX >> MARK_BITS) - 1;
const SLOTS_MIN: usize = 4;

/// A map from keys up to `KEY_MAX` to marks of `MARK_BITS` bits that are not all 0.
#[derive(Debug, Default)]
pub struct CompactSet {
    /// Values plus `1 << MARK_BITS`, so that 0 is an empty slot. One slot is kept for a single
    /// value, none for none.
    slots: Box<[u32]>,
    used: u32,
}

fn home(key: u32, count: usize) -> usize {
    ((u64::from(key.wrapping_mul(0x9e37_79b1)) * count as u64) >> 32) as usize
}

fn key_of(slot: u32) -> u32 {
    (slot >> MARK_BITS) - 1
}

impl CompactSet {
    /// Number of keys.
    pub fn len(&self) -> usize {
        self.used as usize
    }

    /// True when there is no key.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    fn find(&self, key: u32) -> Option<usize> {
        let count = self.slots.len();
        if count == 0 {
            return None;
        }
        let mut at = home(key, count);
        for _ in 0..count {
            match self.slots[at] {
                0 => return None,
                slot if key_of(slot) == key => return Some(at),
                _ => at = if at + 1 == count { 0 } else { at + 1 },
            }
        }
        None
    }

    /// The marks of a key, 0 when it is not there.
    pub fn get(&self, key: u32) -> u32 {
        self.find(key).map_or(0, |at| self.slots[at] & MARK_MASK)
    }

    /// Adds marks to a key; returns those that it had before.
    pub fn add(&mut self, key: u32, marks: u32) -> u32 {
        assert!(key <= KEY_MAX, "key {key} is too large for a compact set");
        assert!(marks != 0 && marks <= MARK_MASK, "marks {marks} are no marks");
        if let Some(at) = self.find(key) {
            let before = self.slots[at] & MARK_MASK;
            self.slots[at] |= marks;
            return before;
        }
        self.grow();
        self.place(((key + 1) << MARK_BITS) | marks);
        self.used += 1;
        0
    }

    fn place(&mut self, slot: u32) {
        let count = self.slots.len();
        let mut at = home(key_of(slot), count);
        while self.slots[at] != 0 {
            at = if at + 1 == count { 0 } else { at + 1 };
        }
        self.slots[at] = slot;
    }

    fn grow(&mut self) {
        let (used, count) = (self.used as usize, self.slots.len());
        let fits = if count <= 1 { used < count } else { (used + 1) * 8 <= count * 7 };
        if !fits {
            self.resize(if used == 0 { 1 } else { (count * 3 / 2).max(SLOTS_MIN) });
        }
    }

    fn resize(&mut self, count: usize) {
        let old = std::mem::replace(&mut self.slots, vec![0; count].into_boxed_slice());
        for slot in old.iter().filter(|slot| **slot != 0) {
            self.place(*slot);
        }
    }

    /// Takes marks from a key, and the key itself when none are left; returns those it had before.
    pub fn remove(&mut self, key: u32, marks: u32) -> u32 {
        let Some(at) = self.find(key) else { return 0 };
        let before = self.slots[at] & MARK_MASK;
        let left = before & !marks;
        if left != 0 {
            self.slots[at] = (self.slots[at] & !MARK_MASK) | left;
            return before;
        }
        self.remove_at(at);
        self.used -= 1;
        if self.used == 0 {
            self.slots = Box::default();
        } else if self.slots.len() > 64 && (self.used as usize) * 4 < self.slots.len() {
            self.resize(self.slots.len() / 2);
        }
        before
    }

    fn remove_at(&mut self, mut hole: usize) {
        let count = self.slots.len();
        let mut at = hole;
        for _ in 1..count {
            at = if at + 1 == count { 0 } else { at + 1 };
            let slot = self.slots[at];
            if slot == 0 {
                break;
            }
            let home = home(key_of(slot), count);
            if (at + count - home) % count >= (at + count - hole) % count {
                self.slots[hole] = slot;
                hole = at;
            }
        }
        self.slots[hole] = 0;
    }

    /// Every key with its marks, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.slots.iter().filter(|s| **s != 0).map(|s| (key_of(*s), s & MARK_MASK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Rng;
    use std::collections::BTreeMap;

    /// Goal: the set agrees with a plain map, tiny and huge.
    #[test]
    fn agrees_with_a_map() {
        for bound in [3u64, 40, 5000] {
            let (mut set, mut model) = (CompactSet::default(), BTreeMap::<u32, u32>::new());
            let mut rng = Rng::new(bound);
            for _ in 0..60_000 {
                let key = rng.below(bound) as u32;
                let marks = 1 + rng.below(15) as u32;
                let before = model.get(&key).copied().unwrap_or(0);
                if rng.below(2) == 0 {
                    assert_eq!(set.add(key, marks), before);
                    model.insert(key, before | marks);
                } else {
                    assert_eq!(set.remove(key, marks), before);
                    model.insert(key, before & !marks);
                }
                model.retain(|_, marks| *marks != 0);
                assert_eq!(set.len(), model.len());
            }
            let all: BTreeMap<u32, u32> = set.iter().collect();
            assert_eq!(all, model);
        }
    }

    /// Goal: a large set costs at most 8 bytes for each key, at every size on the way.
    #[test]
    fn a_key_costs_at_most_eight_bytes() {
        let mut set = CompactSet::default();
        for key in 0..100_000 {
            set.add(key, 1);
            assert!(set.len() < 8 || set.slots.len() * 4 <= set.len() * 8, "{key}");
        }
    }
}
