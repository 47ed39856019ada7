//! The transaction id: epoch in the upper 32 bits, counter in the lower.

/// A transaction id. -1 is "none yet"; 0 is the empty database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Zxid(pub i64);

impl Zxid {
    /// The empty database.
    pub const ZERO: Zxid = Zxid(0);
    /// What catch-up watch events and unknown requests carry.
    pub const NONE: Zxid = Zxid(-1);

    /// Puts a zxid together.
    pub fn new(epoch: i32, counter: u32) -> Zxid {
        Zxid((i64::from(epoch) << 32) | i64::from(counter))
    }

    /// The epoch, by arithmetic shift as Java does it: the epoch of -1 is -1.
    pub fn epoch(self) -> i64 {
        self.0 >> 32
    }

    /// The counter within the epoch.
    pub fn counter(self) -> u32 {
        (self.0 & 0xffff_ffff) as u32
    }

    /// The zxid after this one, running into the next epoch as a standalone Apache server does;
    /// `None` when 63 bits are spent.
    pub fn next(self) -> Option<Zxid> {
        self.0.checked_add(1).map(Zxid)
    }
}

impl std::fmt::Debug for Zxid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl std::fmt::Display for Zxid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Zxid;

    #[test]
    fn epoch_is_an_arithmetic_shift() {
        assert_eq!(Zxid::NONE.epoch(), -1);
        assert_eq!(Zxid::new(5, 0x2a).epoch(), 5);
        assert_eq!(Zxid::new(5, 0x2a).counter(), 0x2a);
        assert_eq!(Zxid(i64::MAX).next(), None);
    }
}
