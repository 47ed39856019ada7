//! Sockets: who may connect, what they sent, what they are owed. Bounded everywhere.
//!
//! Moves bytes and cuts them into frames; knows no opcode and decides nothing. Nobody here waits:
//! each call does what the kernel allows at once and returns. The limits, and what happens at
//! each:
//!
//! | limit | value | consequence |
//! |---|---|---|
//! | [`conn::OUTPUT_SOFT_BYTES`] queued for a client | 1 MiB | its requests are not read |
//! | [`conn::OUTPUT_HARD_BYTES`] queued before one more reply | 16 MiB | closed, session lives |
//! | [`clients::OUTPUT_TOTAL_BYTES`] queued for all | 1 GiB | who is above 1 MiB is closed |
//! | [`clients::INPUT_TOTAL_BYTES`] of unfinished frames | 256 MiB | who needs more is closed |
//! | [`client_port::OVERSIZED_BYTES_MAX`] of a frame | 64 MiB | closed |
//! | [`clients::REQUESTS_PER_TURN_MAX`] of a client in a turn | 1024 | the others go first |
//! | [`peers::OUTPUT_BYTES_MAX`] queued for another server | 256 MiB | closed |
//! | [`peers::ACCEPTED_MAX`] connections of other servers | 256 | reset at accept |
//! | [`peers::FIRST_BYTE_MS`] without a byte of one of those | 10 s | closed |
//! | [`peers::FLUSH_MS`] to flush one that is being closed | 2 s | closed |

pub mod client_port;
pub mod batch;
pub mod throttle;
pub mod conn;
pub mod listen;
pub mod passed;
pub mod resolver;
pub mod peers;
pub mod clients;

pub use client_port::{Framing, Item};
pub use clients::Clients;
pub use listen::Listener;
pub use passed::Passed;
pub use peers::{News, Peers};
