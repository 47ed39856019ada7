//! Real servers in network namespaces, and everything that can go wrong with them.
//!
//! Needs root and a network, mount and process namespace of its own (`tests/chaos/run.sh` makes
//! them): what is made here, namespaces, bridges, loop devices, mounts, processes, ends with those.
//! Clients run in the outer namespace, whose name here is the hub.

pub mod tool;
pub mod proxy;
pub mod net;
pub mod disk;
pub mod node;
pub mod cluster;
pub mod recipes;
pub mod run;
