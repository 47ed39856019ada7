//! The drop-in for Apache's C client as a static library, from which `cargo xtask dropin` links
//! `libzookeeper_mt.so.2` and `libzookeeper_st.so.2` together with `shim.c` and `jute.c`.
//!
//! Holds nothing of its own: the code is `zkclient::compat`.

pub use zkclient::compat;
