//! The disk: where txns and snapshots live, how they get there, and how they come back.
//!
//! Formats are drawn in `docs/DISK.md`. Nothing is acknowledged before the sync that covers it; a
//! failed sync is final. This room knows nothing of sessions, watches or the tree: a txn and a
//! piece of a snapshot are bytes to it. Only `apache` and `tools` look into txns.
//!
//! The order of the modules below is the floor plan: a module uses only those above it.

pub mod error;
pub mod identity;
pub mod layout;
pub mod report;
pub mod record;
pub mod source;
pub mod log_file;
pub mod segment;
pub mod scan;
pub mod reader;
pub mod prepare;
pub mod writer;
pub mod snapshot;
pub mod ahead;
pub mod purge;
pub mod rewrite;
pub mod snapshotter;
pub mod replay;
pub mod loading;
pub mod apache;
pub mod recover;
pub mod tools;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod life_tests;
#[cfg(test)]
mod crash_tests;

pub use error::{DiskError, EXIT_DISK, EXIT_REFUSED};
pub use identity::Epochs;
pub use layout::DataDir;
pub use loading::Loading;
pub use reader::{Answer, Ask, LogReader};
pub use recover::{Recovery, recover};
pub use replay::Replay;
pub use report::Report;
pub use rewrite::{Rewrite, replace_history};
pub use snapshotter::{SnapshotOptions, SnapshotWriter};
pub use writer::{LogPosition, LogWriter};
