//! What the tests that cross a room are made of: servers as processes, a raw client that sends any
//! bytes, seeded chance, and the machinery of the differential test and of the fuzz targets.
//!
//! May touch everything of ours and start processes on loopback; nothing of ours may import it.
//!
//! The order of the modules below is the floor plan: a module uses only those above it.
#![forbid(unsafe_code)]

pub mod rng;
pub mod scratch;
pub mod tools;
pub mod raw;
pub mod record;
pub mod words;
pub mod server;
pub mod program;
pub mod stranger;
pub mod fixture;
pub mod diff;
pub mod drive;
pub mod history;
pub mod ensemble;
pub mod chaos;
pub mod reconfig;
pub mod sim;
pub mod fuzz;
