//! The C API: `zkc_*`, and nothing else, crosses here.
//!
//! Integers come in and are checked, never Rust's enums; every pointer may be NULL and is looked at
//! first; a panic is caught at the border and becomes `ZKC_SYSTEM_ERROR`. A client handle is a
//! number in a pointer's clothes: it is looked up, never followed, so that a closed handle is an
//! error and not a crash. `include/zkclient.h` is made from this room.
#![allow(unsafe_code)]
// What a pointer must be stands in the words of the header, once for all functions.
#![allow(clippy::missing_safety_doc)]

mod border;
pub mod codes;
pub mod types;
pub mod result;
mod registry;
pub mod client;
pub mod call;
pub mod data;
pub mod several;
pub mod watch;
pub mod lock;
pub mod logs;
