//! Where names and data of znodes live: blocks of fixed sizes, packed without headers.
//!
//! A million small values cost a million headers and roundings in a general allocator. Here a chunk
//! of 64 KiB holds blocks of one size class (steps of 8 bytes, later of an eighth), and a block is
//! named by a 32-bit number. Blocks above 16 KiB stand alone. A chunk whose last block is freed goes
//! back to the pool and may serve another class, so that a change of sizes costs nothing for long.

const CHUNK_BYTES: usize = 64 << 10;
const UNIT: usize = 8;
const CHUNK_UNITS: u32 = (CHUNK_BYTES / UNIT) as u32;
const SMALL_MAX: usize = 16 << 10;
const LARGE_BIT: u32 = 1 << 31;
/// Empty chunks kept for the next need; more are given back.
const SPARE_CHUNKS_MAX: usize = 16;
const NO_BLOCK: u32 = u32::MAX;

/// Names a block. `Block::NONE` is the empty value and needs no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block(u32);

impl Block {
    /// The block of no bytes.
    pub const NONE: Block = Block(NO_BLOCK);
}

#[derive(Debug)]
struct Chunk {
    bytes: Box<[u8]>,
    class: u16,
    /// Blocks in use.
    live: u32,
    /// First free block of the chain through freed blocks, as an offset in units.
    free: u32,
    /// Blocks below this number have been handed out at least once.
    fresh: u32,
    /// Whether the chunk stands in its class's list of chunks with room.
    listed: bool,
}

/// All blocks.
#[derive(Debug, Default)]
pub struct Arena {
    chunks: Vec<Chunk>,
    /// Per class: chunks that may have room.
    room: Vec<Vec<u32>>,
    /// Numbers of chunks that hold nothing.
    spare: Vec<u32>,
    large: Vec<Box<[u8]>>,
    large_free: Vec<u32>,
}

/// The class of a length of 1..=SMALL_MAX bytes, and the block size of that class.
fn class_of(length: usize) -> (usize, usize) {
    if length <= 1024 {
        let class = length.div_ceil(UNIT);
        return (class, class * UNIT);
    }
    // Eight steps per doubling above 1 KiB.
    let doubling = (length - 1).ilog2() - 10;
    let step = 128usize << doubling;
    let steps = (length - (1024 << doubling)).div_ceil(step);
    (128 + doubling as usize * 8 + steps, (1024 << doubling) + steps * step)
}

impl Arena {
    /// Takes a block of at least `length` bytes. Its bytes are whatever was there before.
    pub fn alloc(&mut self, length: usize) -> Block {
        if length == 0 {
            return Block::NONE;
        }
        if length > SMALL_MAX {
            return self.alloc_large(length);
        }
        let (class, size) = class_of(length);
        if self.room.len() <= class {
            self.room.resize_with(class + 1, Vec::new);
        }
        let number = match self.room[class].last() {
            Some(number) => *number,
            None => self.open_chunk(class),
        };
        let chunk = &mut self.chunks[number as usize];
        let at = if chunk.free != NO_BLOCK {
            let at = chunk.free;
            let start = at as usize * UNIT;
            let next: [u8; 4] = chunk.bytes[start..start + 4].try_into().expect("four bytes");
            chunk.free = u32::from_le_bytes(next);
            at
        } else {
            chunk.fresh += 1;
            (chunk.fresh - 1) * (size / UNIT) as u32
        };
        chunk.live += 1;
        if chunk.free == NO_BLOCK && (chunk.fresh as usize + 1) * size > CHUNK_BYTES {
            chunk.listed = false;
            self.room[class].pop();
        }
        Block(number * CHUNK_UNITS + at)
    }

    fn open_chunk(&mut self, class: usize) -> u32 {
        let number = self.spare.pop().unwrap_or_else(|| {
            self.chunks.push(Chunk {
                bytes: Box::default(),
                class: 0,
                live: 0,
                free: NO_BLOCK,
                fresh: 0,
                listed: false,
            });
            (self.chunks.len() - 1) as u32
        });
        assert!(number < LARGE_BIT / CHUNK_UNITS, "16 GiB of small values are in use");
        let chunk = &mut self.chunks[number as usize];
        if chunk.bytes.is_empty() {
            chunk.bytes = vec![0; CHUNK_BYTES].into_boxed_slice();
        }
        chunk.class = class as u16;
        chunk.live = 0;
        chunk.free = NO_BLOCK;
        chunk.fresh = 0;
        chunk.listed = true;
        self.room[class].push(number);
        number
    }

    fn alloc_large(&mut self, length: usize) -> Block {
        let bytes = vec![0; length].into_boxed_slice();
        let number = match self.large_free.pop() {
            Some(number) => {
                self.large[number as usize] = bytes;
                number
            }
            None => {
                self.large.push(bytes);
                (self.large.len() - 1) as u32
            }
        };
        Block(number | LARGE_BIT)
    }

    /// Gives a block back. `length` is what it was taken with.
    pub fn free(&mut self, block: Block, length: usize) {
        if block == Block::NONE {
            return;
        }
        if block.0 & LARGE_BIT != 0 {
            let number = block.0 & !LARGE_BIT;
            self.large[number as usize] = Box::default();
            self.large_free.push(number);
            return;
        }
        let (number, at) = (block.0 / CHUNK_UNITS, block.0 % CHUNK_UNITS);
        let (class, _) = class_of(length);
        let chunk = &mut self.chunks[number as usize];
        assert_eq!(usize::from(chunk.class), class, "a block comes back with another length");
        let start = at as usize * UNIT;
        chunk.bytes[start..start + 4].copy_from_slice(&chunk.free.to_le_bytes());
        chunk.free = at;
        chunk.live -= 1;
        if !chunk.listed {
            chunk.listed = true;
            self.room[class].push(number);
        }
        if chunk.live == 0 {
            self.retire(number, class);
        }
    }

    /// An empty chunk leaves its class, unless it is the only one there with room.
    fn retire(&mut self, number: u32, class: usize) {
        let list = &mut self.room[class];
        if list.len() == 1 {
            return;
        }
        // Recently used chunks stand at the end, so the search from there is short as a rule.
        let Some(at) = list.iter().rposition(|n| *n == number) else { return };
        list.swap_remove(at);
        let chunk = &mut self.chunks[number as usize];
        chunk.listed = false;
        if self.spare.len() >= SPARE_CHUNKS_MAX {
            chunk.bytes = Box::default();
        }
        self.spare.push(number);
    }

    /// The first `length` bytes of a block.
    #[inline]
    pub fn get(&self, block: Block, length: usize) -> &[u8] {
        if block == Block::NONE {
            return &[];
        }
        if block.0 & LARGE_BIT != 0 {
            return &self.large[(block.0 & !LARGE_BIT) as usize][..length];
        }
        let start = (block.0 % CHUNK_UNITS) as usize * UNIT;
        &self.chunks[(block.0 / CHUNK_UNITS) as usize].bytes[start..start + length]
    }

    /// The first `length` bytes of a block, to be written.
    #[inline]
    pub fn get_mut(&mut self, block: Block, length: usize) -> &mut [u8] {
        if block == Block::NONE {
            return &mut [];
        }
        if block.0 & LARGE_BIT != 0 {
            return &mut self.large[(block.0 & !LARGE_BIT) as usize][..length];
        }
        let start = (block.0 % CHUNK_UNITS) as usize * UNIT;
        &mut self.chunks[(block.0 / CHUNK_UNITS) as usize].bytes[start..start + length]
    }

    /// Whether blocks of both lengths are of one size, so that a block can be written over.
    #[inline]
    pub fn same_size(&self, a: usize, b: usize) -> bool {
        if a > SMALL_MAX || b > SMALL_MAX {
            return a == b;
        }
        a != 0 && b != 0 && class_of(a).0 == class_of(b).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Rng;

    #[test]
    fn classes_hold_their_lengths() {
        let mut before = 0;
        for length in 1..=SMALL_MAX {
            let (class, size) = class_of(length);
            assert!(size >= length && size % UNIT == 0, "{length} in {size}");
            assert!(size <= length + 8 || size * 8 <= length * 9 + 64, "{length} in {size}");
            assert!(class >= before);
            before = class;
        }
    }

    /// Goal: blocks never overlap, whatever the order of taking and giving back.
    #[test]
    fn random_use_keeps_every_byte() {
        let mut arena = Arena::default();
        let mut rng = Rng::new(1);
        let mut live: Vec<(Block, usize, u8)> = Vec::new();
        for round in 0..60_000u32 {
            if live.len() > 2000 || (round % 3 == 0 && !live.is_empty()) {
                let at = rng.below(live.len() as u64) as usize;
                let (block, length, mark) = live.swap_remove(at);
                assert!(arena.get(block, length).iter().all(|b| *b == mark), "{length}");
                arena.free(block, length);
            } else {
                let length = match rng.below(50) {
                    0 => rng.below(40_000) as usize,
                    _ => rng.below(300) as usize,
                };
                let block = arena.alloc(length);
                arena.get_mut(block, length).fill(round as u8);
                live.push((block, length, round as u8));
            }
        }
        for (block, length, mark) in live {
            assert!(arena.get(block, length).iter().all(|b| *b == mark));
            arena.free(block, length);
        }
        assert!(arena.chunks.iter().all(|chunk| chunk.live == 0));
    }
}
