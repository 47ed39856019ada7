//! From a request to a txn or an error, and from a read to its answer.

pub mod outstanding;
pub mod prepare;
pub mod read;
pub mod reconfig;
pub mod ephemeral;

pub use outstanding::Outstanding;
