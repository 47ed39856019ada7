//! Time as the core sees it: two readings that the shell takes once a turn.

/// What the clocks said at the start of this turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// `CLOCK_BOOTTIME` in ms. Never goes back. Sessions and timeouts live on it.
    pub mono_ms: i64,
    /// Wall clock in ms since 1970, for ctime, mtime and TTL. May jump in both directions.
    pub wall_ms: i64,
}
