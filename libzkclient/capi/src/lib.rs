//! The C API as a static library: everything stands in `zkclient::ffi`; `cargo xtask capi` links it.
#![forbid(unsafe_code)]

pub use zkclient::ffi;
