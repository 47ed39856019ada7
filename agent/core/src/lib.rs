//! The decisions of zk-agent. Events go in, effects come out, in order.
//!
//! This crate knows no clock, thread, file, socket, environment or chance: all of it arrives in
//! [`Config`], [`Now`] and [`Event`]. Same state and same event give the same effects. The only
//! door is [`Replica::step`](replica::Replica::step).
//!
//! The order of the modules below is the floor plan: a module uses only those above it.
#![forbid(unsafe_code)]

pub mod time;
pub mod bugs;
pub mod hash;
pub mod members;
pub mod ids;
pub mod config;
pub mod txn;
pub mod audit;
pub mod effect;
pub mod tree;
pub mod session;
pub mod request;
pub mod conn;
pub mod pending;
pub mod history;
pub mod load;
pub mod event;
pub mod zab;
pub mod replica;

pub use config::{Config, EmptyDisk, EnsembleConfig, LocalSessions};
pub use effect::{Effect, Effects};
pub use event::Event;
pub use history::LogPiece;
pub use ids::{Cluster, ConnId, Epochs, PeerId, Port};
pub use load::{Loader, Recovered};
pub use members::{Member, Members};
pub use replica::Replica;
pub use time::Now;
