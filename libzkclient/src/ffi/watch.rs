//! Watches that stay, and removing watches.

use std::ffi::c_char;

use super::border::text;
use super::call::{make, zkc_call_t};
use super::registry::zkc_client_t;
use super::result::zkc_result_t;
use crate::calls::{self, AddWatchMode, WatcherType};
use crate::error::{Error, Result};

/// Stays after it fired; data and children of one znode.
pub const ZKC_WATCH_PERSISTENT: i32 = 0;
/// Stays after it fired; a znode and everything below.
pub const ZKC_WATCH_RECURSIVE: i32 = 1;

/// Watches left by children.
pub const ZKC_WATCHES_CHILDREN: i32 = 1;
/// Watches left by get and exists.
pub const ZKC_WATCHES_DATA: i32 = 2;
/// All watches.
pub const ZKC_WATCHES_ANY: i32 = 3;
/// Watches of `ZKC_WATCH_PERSISTENT`.
pub const ZKC_WATCHES_PERSISTENT: i32 = 4;
/// Watches of `ZKC_WATCH_RECURSIVE`.
pub const ZKC_WATCHES_RECURSIVE: i32 = 5;

/// Leaves a watch that stays: `call` must name its watcher. Needs a server of 3.6 or later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_add_watch(
    client: *mut zkc_client_t,
    path: *const c_char,
    mode: i32,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        make(
            client,
            call,
            out,
            |_, watch| {
                if !watch {
                    return Err(Error::argument("call.watcher", "NULL, so that nobody is told"));
                }
                let mode = match mode {
                    ZKC_WATCH_PERSISTENT => AddWatchMode::Persistent,
                    ZKC_WATCH_RECURSIVE => AddWatchMode::PersistentRecursive,
                    other => return Err(Error::argument("mode", format!("{other} is none"))),
                };
                Ok(calls::add_watch(text("path", path)?, mode))
            },
            zkc_result_t::nothing,
        )
    }
}

fn kind_of(kind: i32) -> Result<WatcherType> {
    Ok(match kind {
        ZKC_WATCHES_CHILDREN => WatcherType::Children,
        ZKC_WATCHES_DATA => WatcherType::Data,
        ZKC_WATCHES_ANY => WatcherType::Any,
        ZKC_WATCHES_PERSISTENT => WatcherType::Persistent,
        ZKC_WATCHES_RECURSIVE => WatcherType::PersistentRecursive,
        other => return Err(Error::argument("kind", format!("{other} is none"))),
    })
}

/// Removes all watches of a kind (`ZKC_WATCHES_*`) from a path, here and on the server. Their data
/// is dropped; no watcher is told. `ZKC_NO_WATCHER` when there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_remove_watches(
    client: *mut zkc_client_t,
    path: *const c_char,
    kind: i32,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        make(
            client,
            call,
            out,
            |entry, _| {
                let (path, kind) = (text("path", path)?, kind_of(kind)?);
                // Forgotten first: between the two nobody is told, which is what was asked for.
                entry.client.forget_watches(path, kind)?;
                Ok(calls::remove_watches(path, kind))
            },
            zkc_result_t::nothing,
        )
    }
}

/// Whether the server has a watch of that kind of this session; `ZKC_NO_WATCHER` when not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_check_watches(
    client: *mut zkc_client_t,
    path: *const c_char,
    kind: i32,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        make(
            client,
            call,
            out,
            |_, _| Ok(calls::check_watches(text("path", path)?, kind_of(kind)?)),
            zkc_result_t::nothing,
        )
    }
}
