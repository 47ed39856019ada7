//! The differential test: one long random sequence of raw requests, sent in lock-step to two
//! servers, and everything that comes back compared.
//!
//! What is compared: every reply and watch event of every session, in order, byte for byte, zxids
//! included. What is made comparable first: session ids (by the order in which they were made),
//! times (by the zxid that set them), and lists that have no order. See [`shape`].
//!
//! Both servers begin empty and get the same requests in the same order. One session is busy at a
//! time; its requests are pipelined and end with a ping, and then every other session is pinged, so
//! that events have arrived before the next step.

pub mod text;
pub mod shape;
pub mod value;
pub mod plan;
pub mod lane;
pub mod known;
pub mod run;
