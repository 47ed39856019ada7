//! The tree of znodes and what hangs on it. Knows txns; knows no request, session or connection
//! beyond the number of one.

pub mod arena;
pub mod index;
pub mod compact;
pub mod acl_table;
pub mod znode;
pub mod digest;
pub mod data_tree;
pub mod visit;
pub mod quota;
pub mod snapshot;
pub mod sending;
pub mod watch_table;

pub use data_tree::DataTree;
pub use visit::Warmer;
pub use watch_table::WatchTable;
pub use znode::Kind;
