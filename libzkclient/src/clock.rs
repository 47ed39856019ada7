//! The one place that asks for the time, and for chance.

use nix::time::{ClockId, clock_gettime};

/// Milliseconds that only grow, a suspended machine's included: a session is as old as the server
/// thinks it is, not as old as the time this machine was awake.
pub fn now_ms() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("every Linux since 2.6.39 has it");
    now.tv_sec() as u64 * 1000 + now.tv_nsec() as u64 / 1_000_000
}

/// Chance of the operating system's, as the standard library draws it for its hash maps.
pub fn seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}
