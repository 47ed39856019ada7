//! The operating system, as far as `std` does not reach: the only room of this crate with `unsafe`.
//!
//! Each file wraps one thing in functions that are safe to call; nothing in here knows what it is
//! used for.

pub mod file;
pub mod clock;
pub mod date;
pub mod limits;
pub mod signal;
pub mod passed;
