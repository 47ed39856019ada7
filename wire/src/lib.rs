//! What a ZooKeeper client and server say to each other, as bytes.
//!
//! This room encodes and decodes; it holds no state and knows no clock, socket or file. Every
//! record borrows from the frame it was read from. Formats are drawn in `docs/WIRE.md`; the
//! authority is `zookeeper.jute` of Apache ZooKeeper.
//!
//! The order of the modules below is the floor plan: a module uses only those above it.
#![forbid(unsafe_code)]

pub mod code;
pub mod zxid;
pub mod jute;
pub mod frame;
pub mod op;
pub mod acl;
pub mod stat;
pub mod path;
pub mod connect;
pub mod header;
pub mod request;
pub mod multi;
pub mod watch;
pub mod properties;
pub mod ensemble;

pub use acl::{Acl, Id, perms};
pub use code::Code;
pub use jute::{DecodeError, Reader, Writer};
pub use op::Op;
pub use stat::{Stat, StatPersisted};
pub use zxid::Zxid;
