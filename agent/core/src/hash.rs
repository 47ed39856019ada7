//! A seeded hash of paths for the tables of this crate.
//!
//! Folded multiplication over eight bytes at a time. Not a cryptographic hash: the seed comes from
//! `Config` and is not told to clients, so that collisions cannot be prepared from outside.

const K0: u64 = 0x9e37_79b9_7f4a_7c15;
const K1: u64 = 0xd6e8_feb8_6659_fd93;

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    (wide as u64) ^ ((wide >> 64) as u64)
}

/// Hashes bytes under a seed. All 64 bits are usable.
#[inline]
pub fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = seed ^ K0;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word), K1 ^ seed.rotate_left(17));
    }
    let mut last = [0u8; 8];
    last[..rest.len()].copy_from_slice(rest);
    state = fold(state ^ u64::from_le_bytes(last), K1 ^ (bytes.len() as u64));
    fold(state ^ K1, K0 ^ seed)
}

/// A small deterministic generator (xorshift) for what must be spread, such as the point at which a
/// snapshot is due.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Starts from a seed; any seed will do.
    pub fn new(seed: u64) -> Rng {
        Rng(hash(seed, b"rng") | 1)
    }

    /// A number below `bound`; 0 when the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        if bound == 0 { 0 } else { self.0 % bound }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_and_seed_matter() {
        assert_ne!(hash(1, b"/a"), hash(2, b"/a"));
        assert_ne!(hash(1, b"/a"), hash(1, b"/a\0"));
        assert_ne!(hash(1, b"12345678"), hash(1, b"12345678\0"));
        assert_eq!(hash(7, b"/zookeeper"), hash(7, b"/zookeeper"));
    }
}
