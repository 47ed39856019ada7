//! What can go wrong between a caller and a server.
//!
//! Each error has a number of ZooKeeper's ([`Error::code`]), so that programs which know Apache's
//! client find what they expect, and a text that names the value and the remedy.

use zk_wire::{Code, DecodeError};

/// Shorthand of this library.
pub type Result<T> = std::result::Result<T, Error>;

/// Numbers that `zk_wire::Code` does not have, because no server sends them.
pub mod local {
    use zk_wire::Code;

    /// `ZCLOSING`: the handle is closed or being closed.
    pub const CLOSING: Code = Code(-116);
    /// `ZAPIERROR`: a call that this thread or process may not make; Apache's client never uses it.
    pub const API_ERROR: Code = Code(-100);
}

/// Why a call did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The server answered with an error number; the connection goes on.
    Server(Code),
    /// The session has expired: its ephemerals and watches are gone.
    SessionExpired,
    /// The server refused an identity that was added; the session cannot be used any more.
    AuthFailed,
    /// The connection ended before the answer came; the session may still be alive.
    ConnectionLoss {
        /// False when the request had not been sent, so that it was certainly not executed.
        maybe_executed: bool,
    },
    /// No answer came in time.
    Timeout {
        /// How long the caller waited, in ms.
        waited_ms: u64,
        /// False when the request had not been sent, so that it was and will not be executed.
        maybe_executed: bool,
    },
    /// The caller cancelled the call.
    Cancelled {
        /// As in [`Error::Timeout`].
        maybe_executed: bool,
    },
    /// The handle is closed, or was closed before the answer came.
    Closing,
    /// Too many requests or bytes are waiting for their answers.
    Busy {
        /// Which limit: `pending_max` or `queued_bytes_max` of the settings.
        limit: &'static str,
        /// Its value.
        max: usize,
    },
    /// An argument that no server needs to see.
    BadArgument {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A blocking call inside a callback: it would hold up all other callbacks.
    InCallback,
    /// A call in a process that was forked after the handle was opened.
    Forked,
    /// A reply that is not a reply to what was asked; the connection is given up.
    Protocol(String),
    /// A record in a reply does not decode; the connection is given up.
    Decode(DecodeError),
    /// Something of the operating system failed: a socket, a thread, the resolver.
    Io {
        /// What was being done.
        doing: &'static str,
        /// The operating system's words.
        why: String,
        /// Its number for it, errno(3); 0 where it has none.
        errno: i32,
    },
}

impl Error {
    /// ZooKeeper's number for it; never `Code::OK`.
    pub fn code(&self) -> Code {
        match self {
            Error::Server(code) => *code,
            Error::SessionExpired => Code::SESSION_EXPIRED,
            Error::AuthFailed => Code::AUTH_FAILED,
            Error::ConnectionLoss { .. } => Code::CONNECTION_LOSS,
            Error::Timeout { .. } | Error::Cancelled { .. } => Code::OPERATION_TIMEOUT,
            Error::Closing => local::CLOSING,
            Error::Busy { .. } => Code::THROTTLED_OP,
            Error::BadArgument { .. } => Code::BAD_ARGUMENTS,
            Error::InCallback | Error::Forked => local::API_ERROR,
            Error::Protocol(_) => Code::RUNTIME_INCONSISTENCY,
            Error::Decode(_) => Code::MARSHALLING_ERROR,
            Error::Io { .. } => Code::SYSTEM_ERROR,
        }
    }

    /// The server's own number, when the server has answered.
    pub fn of_server(&self) -> Option<Code> {
        match self {
            Error::Server(code) => Some(*code),
            _ => None,
        }
    }

    /// Whether the request may have been executed although it failed: true for every loss, timeout
    /// and close behind a request that was sent.
    pub fn maybe_executed(&self) -> bool {
        match self {
            Error::ConnectionLoss { maybe_executed }
            | Error::Timeout { maybe_executed, .. }
            | Error::Cancelled { maybe_executed } => *maybe_executed,
            Error::SessionExpired | Error::AuthFailed | Error::Closing => true,
            Error::Protocol(_) | Error::Decode(_) => true,
            _ => false,
        }
    }

    /// An argument that is wrong.
    pub fn argument(name: &'static str, why: impl ToString) -> Error {
        Error::BadArgument { name, why: why.to_string() }
    }

    /// A failure of the operating system.
    pub fn io(doing: &'static str, error: &std::io::Error) -> Error {
        Error::Io { doing, why: error.to_string(), errno: error.raw_os_error().unwrap_or(0) }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fate = |maybe: &bool| match maybe {
            true => "it may have been executed",
            false => "it was not sent",
        };
        match self {
            Error::Server(code) => write!(f, "the server answered {code}"),
            Error::SessionExpired => write!(f, "the session has expired; open a new one"),
            Error::AuthFailed => {
                write!(f, "the server refused an identity; check what was given to auth")
            }
            Error::ConnectionLoss { maybe_executed } => {
                write!(f, "the connection was lost before the answer; {}", fate(maybe_executed))
            }
            Error::Timeout { waited_ms, maybe_executed } => {
                write!(f, "no answer within {waited_ms} ms; {}", fate(maybe_executed))
            }
            Error::Cancelled { maybe_executed } => {
                write!(f, "the call was cancelled; {}", fate(maybe_executed))
            }
            Error::Closing => write!(f, "the handle is closed"),
            Error::Busy { limit, max } => {
                write!(f, "{limit} is {max} and reached; wait for answers or raise it")
            }
            Error::BadArgument { name, why } => write!(f, "{name}: {why}"),
            Error::InCallback => {
                write!(f, "a blocking call inside a callback; use the form with a completion")
            }
            Error::Forked => {
                write!(f, "the handle was opened before the fork; open one in this process")
            }
            Error::Protocol(what) => write!(f, "unexpected reply: {what}"),
            Error::Decode(error) => write!(f, "undecodable reply: {error}"),
            Error::Io { doing, why, .. } => write!(f, "{doing}: {why}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Error {
        Error::Decode(error)
    }
}
