//! The two clocks of the daemon. Read once a turn; nobody else asks for the time.

use nix::time::{ClockId, clock_gettime};
use zk_core::Now;

/// What both clocks say now.
pub fn now() -> Now {
    Now { mono_ms: millis(ClockId::CLOCK_BOOTTIME), wall_ms: millis(ClockId::CLOCK_REALTIME) }
}

/// `CLOCK_MONOTONIC` in microseconds, as the service manager wants it at a reload.
pub fn monotonic_us() -> i128 {
    let time = read(ClockId::CLOCK_MONOTONIC);
    i128::from(time.tv_sec()) * 1_000_000 + i128::from(time.tv_nsec()) / 1000
}

fn millis(id: ClockId) -> i64 {
    let time = read(id);
    time.tv_sec() * 1000 + time.tv_nsec() / 1_000_000
}

fn read(id: ClockId) -> nix::sys::time::TimeSpec {
    clock_gettime(id).expect("Linux has had these clocks since 2.6.39")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_forward() {
        let first = now();
        let second = now();
        assert!(second.mono_ms >= first.mono_ms);
        assert!(first.wall_ms > 1_700_000_000_000);
        assert!(monotonic_us() > 0);
    }
}
