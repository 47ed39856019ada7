//! What an operator does with the files of a stopped server: look at txns, check everything, give
//! up a damaged end.
//!
//! Functions that write to what they are given; the command line is elsewhere. Nothing here changes
//! a file but [`cut`].

pub mod json;
pub mod describe;
pub mod dump;
pub mod verify;
pub mod cut;
pub mod state;
pub mod backup;
pub mod command;

#[cfg(test)]
mod tool_tests;
