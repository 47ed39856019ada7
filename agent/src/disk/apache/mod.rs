//! Apache ZooKeeper's files: read at a first start, written for the way back.
//!
//! The formats are those of Apache ZooKeeper 3.4 to 3.9 (`FileTxnLog`, `FileSnap`, big-endian
//! jute). Files that are read are never changed; what is written goes to another directory.

pub mod names;
pub mod log;
pub mod stream;
pub mod snapshot;
pub mod import;
pub mod export;

#[cfg(test)]
mod import_tests;
