//! What can be wrong with the disk, as an operator reads it.

use std::io;
use std::path::{Path, PathBuf};

use zk_wire::Zxid;

/// Exit code after a failed write, sync or page fault: the disk cannot be believed (`EX_IOERR`).
/// A restart may help.
pub const EXIT_DISK: i32 = 74;

/// Exit code when the data is refused as it is: a restart changes nothing, an operator must look
/// (`EX_CONFIG`).
pub const EXIT_REFUSED: i32 = 78;

/// Why the data directory cannot be used.
#[derive(Debug)]
pub enum DiskError {
    /// The operating system refused something.
    Io {
        /// What was tried, as in "cannot {what} PATH".
        what: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// Another process holds the directory.
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The directory belongs to somebody else, or to another version.
    Identity {
        /// The file that says so.
        path: PathBuf,
        /// What is wrong and what to do.
        detail: String,
    },
    /// Bytes that had been durable are not what was written.
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The first bad byte's place: of the record, or of the piece.
        offset: u64,
        /// Everything up to this zxid is fine.
        last_good: Zxid,
        /// What is wrong with it.
        detail: String,
    },
    /// The files do not make one history.
    History {
        /// What is missing or contradicts.
        detail: String,
        /// What an operator can do.
        remedy: String,
    },
    /// The core did not take what was read.
    Replay {
        /// Where it came from.
        path: PathBuf,
        /// What the core said.
        detail: String,
    },
}

impl DiskError {
    /// The exit code for a process that ends because of this.
    pub fn exit_code(&self) -> i32 {
        match self {
            DiskError::Io { .. } => EXIT_DISK,
            _ => EXIT_REFUSED,
        }
    }
}

impl std::fmt::Display for DiskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DiskError::Io { what, path, error } => {
                write!(f, "cannot {what} {}: {error}", path.display())
            }
            DiskError::Locked { path } => write!(
                f,
                "{} is locked: another zk-agent runs on this data directory; stop it or set \
                 another dataDir",
                path.display()
            ),
            DiskError::Identity { path, detail } => write!(f, "{}: {detail}", path.display()),
            DiskError::Corrupt { path, offset, last_good, detail } => {
                let shown = path.display();
                write!(
                    f,
                    "{shown} is damaged at offset {offset}: {detail}; everything up to zxid \
                     {last_good} is fine; restore the file from a copy"
                )?;
                // Only our own segments can be cut; Apache's files are never changed.
                let ours =
                    path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("log-"));
                if ours {
                    write!(
                        f,
                        ", or give up what follows with `zk-agent log --cut {offset} {shown}`"
                    )?;
                }
                Ok(())
            }
            DiskError::History { detail, remedy } => write!(f, "{detail}; {remedy}"),
            DiskError::Replay { path, detail } => {
                write!(f, "{} cannot be loaded: {detail}", path.display())
            }
        }
    }
}

impl std::error::Error for DiskError {}

/// Shorthand of this room.
pub type Result<T> = std::result::Result<T, DiskError>;

/// Adds to an I/O error what was tried on which file.
pub(crate) trait Context<T> {
    /// `what` completes "cannot {what} PATH".
    fn context(self, what: &'static str, path: &Path) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, what: &'static str, path: &Path) -> Result<T> {
        self.map_err(|error| DiskError::Io { what, path: path.to_owned(), error })
    }
}
