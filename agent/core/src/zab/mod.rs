//! How servers agree: election, discovery, synchronisation and broadcast of Apache's quorum protocol.
//!
//! The rules only, each for itself and without effects; what carries them out is in `replica`. Which
//! packet means what to whom, and where we differ from Apache's servers, stands in `docs/ZAB.md`.

pub mod election;
pub mod packet;
pub mod kin;
pub mod notification;
pub mod links;
pub mod stream;
pub mod leader;
pub mod learner;

pub use crate::members::{Electorate, Known, Members, Sid};
pub use election::Election;
