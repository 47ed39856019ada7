//! The drop-in for Apache's C client: `libzookeeper_mt.so.2` and `libzookeeper_st.so.2`.
//!
//! Stands on the same handles as the other APIs of this library. What is Apache's here is what
//! programs can see: names, layouts, the order of callbacks, what is written when. Its crashes and
//! hangs are not copied; `docs/DROPIN.md` lists every difference. May follow pointers of callers,
//! which are the word of the interface; panics end at the border.
//!
//! The library with threads and the one without are the same code; `libzkclient/dropin` says which
//! one it is when it makes a handle.
#![allow(unsafe_code)]
// The callers are C: there is nobody to whom `unsafe` would say something.
#![allow(clippy::not_unsafe_ptr_arg_deref)]

/// Defines functions with names of C. A panic in one of them ends there, with the value in brackets
/// as its result.
macro_rules! export {
    ($(
        $(#[$meta:meta])*
        fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $ret:ty [$fallback:expr] $body:block
    )*) => { $(
        $(#[$meta])*
        // SAFETY: the name is Apache's, and this is the one function of that name in the library.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($($arg: $type),*) -> $ret {
            let body = std::panic::AssertUnwindSafe(move || $body);
            std::panic::catch_unwind(body).unwrap_or($fallback)
        }
    )* };
}

pub mod abi;
pub mod errors;
mod memory;
pub mod log;
mod paths;
mod multi;
mod calls;
pub mod open;
pub mod zoo;
mod request;
pub mod api;
pub mod api_async;
pub mod api_sync;
