//! The shell of zk-agent: everything that touches the world around the core.
//!
//! The order of the modules below is the floor plan: a module uses only those above it.

pub mod sys;
pub mod disk;
