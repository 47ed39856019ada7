//! What can go wrong between a caller and a server.

use zk_wire::{Code, DecodeError};

/// Shorthand of this library.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call did not do what was asked.
#[derive(Debug)]
pub enum Error {
    /// The server answered with an error number; the connection goes on.
    Server(Code),
    /// The server refused to go on with the session: it has expired, or the password is wrong.
    /// Start a new one.
    SessionExpired,
    /// The connection ended. The session may still be alive: reattach within its timeout.
    Closed,
    /// Nothing came from the server within `waited_ms`.
    Timeout {
        /// How long the caller waited, in ms.
        waited_ms: u64,
    },
    /// A reply that is not a reply to what was asked; the connection cannot be trusted any more.
    Protocol(String),
    /// A record in a reply does not decode.
    Decode(DecodeError),
    /// The socket failed.
    Io(std::io::Error),
}

impl Error {
    /// The server's error number, when that is what happened.
    pub fn code(&self) -> Option<Code> {
        match self {
            Error::Server(code) => Some(*code),
            _ => None,
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Server(code) => write!(f, "the server answered {code}"),
            Error::SessionExpired => write!(f, "the session has expired; start a new one"),
            Error::Closed => write!(f, "the server closed the connection"),
            Error::Timeout { waited_ms } => write!(f, "no answer within {waited_ms} ms"),
            Error::Protocol(what) => write!(f, "unexpected reply: {what}"),
            Error::Decode(error) => write!(f, "undecodable reply: {error}"),
            Error::Io(error) => write!(f, "socket: {error}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Error {
        Error::Decode(error)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        match error.kind() {
            std::io::ErrorKind::ConnectionReset
            | std::io::ErrorKind::BrokenPipe
            | std::io::ErrorKind::UnexpectedEof => Error::Closed,
            _ => Error::Io(error),
        }
    }
}
