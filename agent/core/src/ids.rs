//! Names for what the shell holds: connections of clients and peers; and the epochs on disk.

/// A client's connection, by the number of its place in the shell's table. A number is used again
/// only after [`Event::ClientClosed`](crate::Event::ClientClosed) was stepped for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u32);

/// A connection to another server of the ensemble, never used for a second one. Those that the core
/// dials have numbers of its choice, below [`PeerId::ACCEPTED`]; those that the shell accepts have
/// numbers from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

impl PeerId {
    /// The first number of an accepted connection.
    pub const ACCEPTED: u64 = 1 << 63;
}

/// As logs name it: `in3` was accepted, `out3` dialled.
impl std::fmt::Display for PeerId {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.checked_sub(PeerId::ACCEPTED) {
            Some(number) => write!(to, "in{number}"),
            None => write!(to, "out{}", self.0),
        }
    }
}

/// To which of a server's two ports for its peers a connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// Votes.
    Election,
    /// Proposals.
    Quorum,
}

/// The two promises about epochs that a server keeps on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epochs {
    /// The newest epoch that it promised to follow.
    pub accepted: i64,
    /// The epoch whose history it has.
    pub current: i64,
}

/// The id of the ensemble whose data a server has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// The id; 0 while there is none.
    pub id: u128,
    /// Every voter has it on disk: no other one can come to be.
    pub agreed: bool,
}

impl Cluster {
    /// Whether the data of these two are of different ensembles, for certain.
    pub fn clashes(self, other: Cluster) -> bool {
        self.agreed && other.agreed && self.id != other.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_named_by_who_opened_it() {
        assert_eq!(PeerId(7).to_string(), "out7");
        assert_eq!(PeerId(PeerId::ACCEPTED + 7).to_string(), "in7");
    }
}
