//! What operators ask a running server: the four-letter words.
//!
//! Pure formatting of what [`View`] and the loop know, in Apache's exact format, because scripts
//! and exporters parse it. Never changes anything but statistics and the trace mask.

pub mod view;
pub mod format;
pub mod ensemble;
pub mod environment;
pub mod facts;
pub mod metrics;
pub mod words;

pub use facts::Facts;
pub use view::{ClientStatus, Latency, Status, View};
pub use words::{Asked, answer};
