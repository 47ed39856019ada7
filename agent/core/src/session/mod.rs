//! Sessions and identities: who is there, until when, and what he may do.

pub mod table;
pub mod auth;
pub mod ip;

pub use table::SessionTable;
