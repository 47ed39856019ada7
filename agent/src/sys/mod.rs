//! What the operating system gives us, one noun per file. The only room of this crate where
//! `unsafe` may stand.

pub mod clock;
pub mod date;
pub mod limits;
pub mod signal;
