//! The daemon around the core: it touches the world (disk, sockets, signals, the service manager)
//! and decides nothing about the protocol.
//!
//! The order of the modules below is the floor plan: a module uses only those above it.
#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "the one room for it")]
pub mod sys;
pub mod settings;
pub mod journal;
pub mod report;
pub mod audit;
pub mod disk;
pub mod dynamic;
pub mod net;
pub mod memory;
pub mod admin;
pub mod systemd;
pub mod reload;
pub mod server;
pub mod start;
pub mod node;
pub mod backup;
pub mod container;
pub mod cli;
