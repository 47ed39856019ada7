//! The client library: speaks to any ZooKeeper-compatible server.
//!
//! [`session`] is the protocol without sockets or clocks; [`client`] puts one blocking TCP
//! connection under it. This room knows nothing of the server.
//!
//! The order of the modules below is the floor plan: a module uses only those above it.
#![forbid(unsafe_code)]

pub mod error;
pub mod session;
pub mod client;
pub mod calls;
pub mod multi;

pub use client::{Client, Settings};
pub use error::{Error, Result};
pub use session::{Session, Watch};
