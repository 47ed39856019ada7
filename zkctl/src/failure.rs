//! Why a command did not do what was asked: one line for people, an exit code for programs.
//!
//! A line names what was asked, the value, and the remedy. The exit codes are a promise to scripts:
//! a number never changes its meaning.

use zk_wire::Code;
use zk_wire::path::PathError;
use zkclient::Error;

/// The exit codes.
pub mod exit {
    /// It failed in a way that has no code of its own.
    pub const FAILED: u8 = 1;
    /// The call is wrong.
    pub const USAGE: u8 = 2;
    /// There is no such znode.
    pub const NO_NODE: u8 = 3;
    /// The znode exists already.
    pub const EXISTS: u8 = 4;
    /// The version differs.
    pub const VERSION: u8 = 5;
    /// Not permitted.
    pub const NO_AUTH: u8 = 6;
    /// No server was reached, or the connection was lost.
    pub const NOT_REACHED: u8 = 7;
    /// It did not happen in time.
    pub const TIMEOUT: u8 = 8;
    /// Not done, because it was not confirmed.
    pub const UNCONFIRMED: u8 = 9;
    /// The answer is no: trees differ, a server is not well.
    pub const NO: u8 = 10;
    /// The znode has children.
    pub const NOT_EMPTY: u8 = 11;
    /// The server runs, and has no quorum.
    pub const NO_QUORUM: u8 = 12;
    /// The server serves, and has not what the leader has.
    pub const BEHIND: u8 = 13;
    /// Ended by an interrupt.
    pub const INTERRUPTED: u8 = 130;
    /// Whoever reads the output has gone.
    pub const PIPE: u8 = 141;
}

/// The table of exit codes, as `--help` and the man page show it.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed
  2    wrong call
  3    no such znode
  4    the znode exists already
  5    the version differs
  6    not permitted
  7    no server reached, or the connection was lost
  8    timed out
  9    not done, because it was not confirmed
  10   the answer is no: trees differ, a server is not well, nobody leads
  11   the znode has children
  12   the server runs without a quorum
  13   the server serves and lags behind the leader
  130  interrupted
  141  whoever read the output has gone
lock and elect end with the exit code of their command.";

/// Shorthand of this program.
pub type Result<T> = std::result::Result<T, Failure>;

/// Why a command did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One line; empty when there is nothing to say.
    pub what: String,
    /// The exit code.
    pub exit: u8,
    /// The server's error number, when that is the reason.
    pub code: Option<Code>,
}

impl Failure {
    /// A failure with an exit code.
    pub fn new(exit: u8, what: impl Into<String>) -> Failure {
        Failure { what: what.into(), exit, code: None }
    }

    /// A wrong call.
    pub fn usage(what: impl Into<String>) -> Failure {
        Failure::new(exit::USAGE, what)
    }

    /// An error of the client library while `verb` was done to `path`.
    pub fn of(verb: &str, path: &str, error: &Error) -> Failure {
        let asked = if path.is_empty() { verb.to_owned() } else { format!("{verb} {path}") };
        match error.of_server() {
            Some(code) => Failure::server(&asked, path, code),
            None => {
                let exit = match error {
                    Error::Timeout { .. } => exit::TIMEOUT,
                    Error::ConnectionLoss { .. } | Error::SessionExpired | Error::Io { .. } => {
                        exit::NOT_REACHED
                    }
                    Error::Closing => exit::NOT_REACHED,
                    Error::BadArgument { .. } => exit::USAGE,
                    Error::AuthFailed => exit::NO_AUTH,
                    _ => exit::FAILED,
                };
                let what = format!("{asked}: {error}; is the server well? see zkctl health");
                Failure::new(exit, what)
            }
        }
    }

    /// The server's error number as answer to what was asked.
    pub fn server(asked: &str, path: &str, code: Code) -> Failure {
        let (exit, what) = match code {
            Code::NO_NODE => {
                let near = zk_wire::path::parent(path).filter(|up| !up.is_empty()).unwrap_or("/");
                (exit::NO_NODE, format!("no such znode; see what is there: zkctl ls {near}"))
            }
            Code::NODE_EXISTS => {
                (exit::EXISTS, "it exists already; change it by set, or rm it first".to_owned())
            }
            Code::BAD_VERSION => (
                exit::VERSION,
                format!("it has another version; see the present one: zkctl stat {path}"),
            ),
            Code::NO_AUTH => (
                exit::NO_AUTH,
                format!("not permitted; give an identity by --auth, see zkctl acl get {path}"),
            ),
            Code::NOT_EMPTY => {
                (exit::NOT_EMPTY, "it has children; rm -R takes them too".to_owned())
            }
            Code::NO_CHILDREN_FOR_EPHEMERALS => {
                (exit::FAILED, "its parent is ephemeral and cannot have children".to_owned())
            }
            Code::INVALID_ACL => (
                exit::USAGE,
                "the server refuses this ACL; it should read scheme:id:perms".to_owned(),
            ),
            Code::QUOTA_EXCEEDED => {
                (exit::FAILED, "a hard quota forbids it; see zkctl quota list".to_owned())
            }
            Code::UNIMPLEMENTED => (
                exit::FAILED,
                "the server does not know this operation, or it is switched off".to_owned(),
            ),
            Code::RECONFIG_DISABLED => (
                exit::FAILED,
                "reconfiguration is switched off; set reconfigEnabled=true on the servers"
                    .to_owned(),
            ),
            Code::NO_WATCHER => (exit::FAILED, "this session has no such watch there".to_owned()),
            code => (exit::FAILED, format!("the server answered {code}")),
        };
        Failure { what: format!("{asked}: {what}"), exit, code: Some(code) }
    }

    /// A path that no znode can have.
    pub fn path(path: &str, error: PathError) -> Failure {
        Failure::usage(format!("path {path:?}: {error}; a path reads /a/b"))
    }

    /// True when the server said that there is no such znode.
    pub fn is_no_node(&self) -> bool {
        self.code == Some(Code::NO_NODE)
    }

    /// True when the server said that the znode exists already.
    pub fn is_exists(&self) -> bool {
        self.code == Some(Code::NODE_EXISTS)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::new(exit::PIPE, ""),
            _ => Failure::new(exit::FAILED, format!("standard output: {error}")),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_value_and_the_remedy() {
        let failure = Failure::of("get", "/a/b", &Error::Server(Code::NO_NODE));
        assert_eq!(failure.exit, exit::NO_NODE);
        assert_eq!(failure.what, "get /a/b: no such znode; see what is there: zkctl ls /a");
        let failure = Failure::of("set", "/a", &Error::ConnectionLoss { maybe_executed: true });
        assert_eq!(failure.exit, exit::NOT_REACHED);
        assert!(failure.what.starts_with("set /a: "), "{failure}");
        let failure = Failure::path("a", zk_wire::path::check("a").unwrap_err());
        assert_eq!(failure.exit, exit::USAGE);
    }

    #[test]
    fn a_reader_that_has_gone_is_no_word_worth() {
        let gone = Failure::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!((gone.exit, gone.what.as_str()), (exit::PIPE, ""));
    }
}
