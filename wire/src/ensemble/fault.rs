//! What can be wrong with a configuration.

use std::fmt;

/// Longest part of a key that is told, in bytes.
const KEY_BYTES_MAX: usize = 64;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is too long.
    Length,
    /// A `\u` without four hexadecimal digits.
    Escape,
    /// A key that is none of a dynamic configuration.
    Key,
    /// The id of a server is no number, or out of range.
    Sid,
    /// The line of a server does not have its form.
    Form,
    /// A port is no number.
    Port,
    /// A port is below 0 or above 65535.
    PortRange,
    /// The quorum port is the election port.
    SamePorts,
    /// Two addresses of a server have the same host.
    SameHost,
    /// More than one address, while that is not allowed.
    SeveralAddresses,
    /// A role that is none.
    Role,
    /// Two addresses of a server have different roles.
    RolesDiffer,
    /// A group that is no list of numbers.
    Group,
    /// A server is in two groups.
    TwoGroups,
    /// A voter is in no group.
    NoGroup,
    /// A group names a server that has no weight, because it is no voter.
    Stranger,
    /// A weight is no number, or out of range.
    Weight,
    /// The version is no hexadecimal number, or negative.
    Version,
    /// No voter, or one voter with observers, where that is not allowed.
    Voters,
}

impl Fault {
    /// Whether an Apache server that is told this in a notification is deaf to all others from
    /// then on, until it is started again; the other faults it logs.
    pub fn stops_elections(self) -> bool {
        use Fault::*;
        matches!(self, Escape | Sid | PortRange | Group | Stranger | Weight | Version | Voters)
    }

    /// With the key that it was found at.
    pub fn at(self, key: &str) -> ConfigError {
        let mut end = key.len().min(KEY_BYTES_MAX);
        while !key.is_char_boundary(end) {
            end -= 1;
        }
        ConfigError { key: key[..end].to_owned(), fault: self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Length => "is longer than a notification can be",
            Fault::Escape => "holds a \\u without four hexadecimal digits",
            Fault::Key => "is no key of a dynamic configuration",
            Fault::Sid => "names a server by something else than a number from 0",
            Fault::Form => "does not have the form host:port:port[:role][;[host:]port]",
            Fault::Port => "has a port that is no number",
            Fault::PortRange => "has a port out of 0 to 65535",
            Fault::SamePorts => "has the same port for quorum and election",
            Fault::SameHost => "names a host twice",
            Fault::SeveralAddresses => "has several addresses, but multiAddress.enabled is off",
            Fault::Role => "has a role that is neither participant nor observer",
            Fault::RolesDiffer => "has addresses with different roles",
            Fault::Group => "is no list of server ids such as 1:2:3",
            Fault::TwoGroups => "names a server that is in another group",
            Fault::NoGroup => "votes and is in no group",
            Fault::Stranger => "is no voter and has no weight",
            Fault::Weight => "has a weight that is no number from 0 to 4294967295",
            Fault::Version => "is no hexadecimal number from 0",
            Fault::Voters => "has too few voters for standaloneEnabled as it is set",
        })
    }
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The key, or what stands for it; shortened.
    pub key: String,
    /// What is wrong with it.
    pub fault: Fault,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.fault)
    }
}

impl std::error::Error for ConfigError {}
