//! The client library: speaks to any ZooKeeper-compatible server.
//!
//! [`session`] is the protocol as a state machine without sockets or clocks. A [`handle::Handle`]
//! puts a connection under it, a [`reactor::Reactor`] carries the bytes of many handles, turned by
//! one thread of the library ([`worker`]) or by the caller's own loop ([`driver`]). [`Client`] is
//! the API of Rust; the C API stands on the same handles, and
//! so does `compat`, the drop-in for Apache's C client. This room knows nothing of the server.
//!
//! The order of the modules below is the floor plan: a module uses only those above it.
#![deny(unsafe_code)]

pub mod error;
pub mod state;
pub mod hosts;
pub mod watches;
pub mod session;
mod clock;
mod sync;
pub mod transport;
pub mod resolver;
pub mod dispatch;
pub mod reactor;
pub mod handle;
pub mod worker;
pub mod call;
pub mod client;
pub mod calls;
pub mod multi;
pub mod driver;
pub mod recipes;
#[cfg(feature = "capi")]
#[allow(non_camel_case_types)]
pub mod ffi;
#[cfg(feature = "compat")]
pub mod compat;

pub use client::{Client, Settings, Watcher};
pub use error::{Error, Result};
pub use session::Identity;
pub use state::{State, WatchEvent};
