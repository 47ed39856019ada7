//! Sessions and identities: who is there, until when, and what he may do.

pub mod table;
pub mod local;
pub mod auth;
pub mod ip;

pub use local::LocalSessions;
pub use table::SessionTable;
