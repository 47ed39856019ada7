//! Calls about one znode.
//!
//! All of them: `call` NULL, or without a completion, makes them blocking. Then `out` gets the
//! result, also that of a failure, to be freed with `zkc_result_free`; `out` may be NULL, and the
//! code is returned in any case. With a completion, `out` gets NULL, and `ZKC_OK` means that the
//! completion will be called, exactly once; any other code means that it never will.

use std::ffi::{c_char, c_void};

use zk_wire::request::ReconfigRequest;

use super::border::{border, bytes, sized, text, text_or_none};
use super::call::{Owned, make, zkc_call_t};
use super::codes::ZKC_OK;
use super::registry::{self, zkc_client_t};
use super::result::zkc_result_t;
use super::types::{
    ZKC_CONTAINER, ZKC_EPHEMERAL, ZKC_EPHEMERAL_SEQUENTIAL, ZKC_PERSISTENT,
    ZKC_PERSISTENT_SEQUENTIAL, ZKC_TTL, ZKC_TTL_SEQUENTIAL, acl_of, zkc_acl_t,
};
use crate::calls::{self, Mode};
use crate::error::{Error, Result};

/// A mode of C's as one of ours. The TTL belongs to two of them and to no other.
pub(super) fn mode_of(mode: i32, ttl_ms: i64) -> Result<Mode> {
    let has_ttl = matches!(mode, ZKC_TTL | ZKC_TTL_SEQUENTIAL);
    if has_ttl != (ttl_ms > 0) || ttl_ms < 0 {
        let why = format!("{ttl_ms} with mode {mode}; 1 or more for a TTL mode, else 0");
        return Err(Error::argument("ttl_ms", why));
    }
    Ok(match mode {
        ZKC_PERSISTENT => Mode::Persistent,
        ZKC_EPHEMERAL => Mode::Ephemeral,
        ZKC_PERSISTENT_SEQUENTIAL => Mode::PersistentSequential,
        ZKC_EPHEMERAL_SEQUENTIAL => Mode::EphemeralSequential,
        ZKC_CONTAINER => Mode::Container,
        ZKC_TTL => Mode::Ttl(ttl_ms),
        ZKC_TTL_SEQUENTIAL => Mode::TtlSequential(ttl_ms),
        other => return Err(Error::argument("mode", format!("{other} is none"))),
    })
}

/// Creates a znode. `data` NULL with a `length` of 0 is null data; `acl` NULL with a count of 0 is
/// the open one. `ttl_ms` is 1 or more for `ZKC_TTL*` and 0 for every other mode. Result: path and
/// stat.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_create(
    client: *mut zkc_client_t,
    path: *const c_char,
    data: *const c_void,
    length: usize,
    acl: *const zkc_acl_t,
    acl_count: usize,
    mode: i32,
    ttl_ms: i64,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    let mut list = Vec::new();
    // SAFETY: the header's promise; the list outlives the call, which writes its record at once.
    unsafe {
        let list: &mut Vec<_> = &mut list;
        make(
            client,
            call,
            out,
            |_, _| {
                *list = acl_of(acl, acl_count)?;
                let mode = mode_of(mode, ttl_ms)?;
                Ok(calls::create(text("path", path)?, bytes("data", data, length)?, list, mode))
            },
            zkc_result_t::with_path,
        )
    }
}

/// Deletes a znode without children. `version` -1 takes any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_delete(
    client: *mut zkc_client_t,
    path: *const c_char,
    version: i32,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        make(
            client,
            call,
            out,
            |_, _| Ok(calls::delete(text("path", path)?, version)),
            zkc_result_t::nothing,
        )
    }
}

/// The stat of a znode; `ZKC_NO_NODE` when there is none, and a watch is left all the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_exists(
    client: *mut zkc_client_t,
    path: *const c_char,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        make(
            client,
            call,
            out,
            |_, watch| Ok(calls::exists(text("path", path)?, watch)),
            zkc_result_t::with_stat,
        )
    }
}

/// Data and stat of a znode.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_get(
    client: *mut zkc_client_t,
    path: *const c_char,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        make(
            client,
            call,
            out,
            |_, watch| Ok(calls::get(text("path", path)?, watch)),
            zkc_result_t::with_data,
        )
    }
}

/// Sets the data of a znode; `version` -1 takes any. Result: the stat.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_set(
    client: *mut zkc_client_t,
    path: *const c_char,
    data: *const c_void,
    length: usize,
    version: i32,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        make(
            client,
            call,
            out,
            |_, _| Ok(calls::set(text("path", path)?, bytes("data", data, length)?, version)),
            zkc_result_t::with_stat,
        )
    }
}

/// Names of the children, in no order, and the stat.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_children(
    client: *mut zkc_client_t,
    path: *const c_char,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        make(
            client,
            call,
            out,
            |_, watch| Ok(calls::children2(text("path", path)?, watch)),
            zkc_result_t::with_children,
        )
    }
}

/// The ACL and the stat of a znode.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_get_acl(
    client: *mut zkc_client_t,
    path: *const c_char,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        make(
            client,
            call,
            out,
            |_, _| Ok(calls::get_acl(text("path", path)?)),
            zkc_result_t::with_acl,
        )
    }
}

/// Sets the ACL; `version` is that of the ACL, -1 takes any. Result: the stat.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_set_acl(
    client: *mut zkc_client_t,
    path: *const c_char,
    acl: *const zkc_acl_t,
    acl_count: usize,
    version: i32,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    let mut list = Vec::new();
    // SAFETY: the header's promise; the list outlives the call, which writes its record at once.
    unsafe {
        let list: &mut Vec<_> = &mut list;
        make(
            client,
            call,
            out,
            |_, _| {
                *list = acl_of(acl, acl_count)?;
                Ok(calls::set_acl(text("path", path)?, list, version))
            },
            zkc_result_t::with_stat,
        )
    }
}

/// Waits until the server has everything that the leader had when the call came: what is read next
/// is no older than that.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_sync(
    client: *mut zkc_client_t,
    path: *const c_char,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        make(client, call, out, |_, _| Ok(calls::sync(text("path", path)?)), zkc_result_t::nothing)
    }
}

/// Paths of this session's ephemerals that begin with `prefix`, in no order.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_ephemerals(
    client: *mut zkc_client_t,
    prefix: *const c_char,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        make(
            client,
            call,
            out,
            |_, _| Ok(calls::ephemerals(text("prefix", prefix)?)),
            zkc_result_t::with_strings,
        )
    }
}

/// Number of all znodes below a path, as `zkc_result_number`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_all_children_number(
    client: *mut zkc_client_t,
    path: *const c_char,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        make(
            client,
            call,
            out,
            |_, _| Ok(calls::all_children_number(text("path", path)?)),
            |number| zkc_result_t::with_number(i64::from(number)),
        )
    }
}

/// Scheme and id of each identity of the session, as `zkc_result_acl`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_who_am_i(
    client: *mut zkc_client_t,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe { make(client, call, out, |_, _| Ok(calls::who_am_i()), zkc_result_t::with_ids) }
}

/// The members of the ensemble, as data: `/zookeeper/config`, whatever the chroot.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_get_config(
    client: *mut zkc_client_t,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        make(client, call, out, |_, watch| Ok(calls::get_config(watch)), zkc_result_t::with_data)
    }
}

/// Changes the members: `joining` (`server.N=...` lines, separated by commas) and `leaving` (ids),
/// or `members` as a whole; what is not meant is NULL. `version` is that of the configuration, -1
/// takes any. Result: the new configuration as data.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_reconfig(
    client: *mut zkc_client_t,
    joining: *const c_char,
    leaving: *const c_char,
    members: *const c_char,
    version: i64,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    let mut request = None;
    // SAFETY: the header's promise; the request outlives the call, which writes its record at once.
    unsafe {
        let request: &mut Option<ReconfigRequest<'_>> = &mut request;
        make(
            client,
            call,
            out,
            |_, _| {
                let request = request.insert(ReconfigRequest {
                    joining: text_or_none("joining", joining)?.map(Into::into),
                    leaving: text_or_none("leaving", leaving)?.map(Into::into),
                    members: text_or_none("members", members)?.map(Into::into),
                    config_id: version,
                });
                Ok(calls::reconfig(request))
            },
            zkc_result_t::with_data,
        )
    }
}

/// Adds an identity to the session, for `digest` by `user:password`; it is sent anew on every
/// connection. A refusal ends the session (`ZKC_AUTH_FAILED`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_add_auth(
    client: *mut zkc_client_t,
    scheme: *const c_char,
    auth: *const c_void,
    length: usize,
    call: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
) -> i32 {
    border(|| {
        // SAFETY: the header's promise.
        let made = unsafe {
            if !out.is_null() {
                out.write(std::ptr::null_mut());
            }
            add_auth(client, scheme, auth, length, call)
        };
        match made {
            Ok(None) => ZKC_OK,
            // SAFETY: the header's promise.
            Ok(Some(result)) => unsafe { result.hand_out(out) },
            // SAFETY: the header's promise.
            Err(error) => unsafe { zkc_result_t::failed(&error).hand_out(out) },
        }
    })
}

/// # Safety
/// As the header says.
unsafe fn add_auth(
    client: *mut zkc_client_t,
    scheme: *const c_char,
    auth: *const c_void,
    length: usize,
    how: *const zkc_call_t,
) -> Result<Option<zkc_result_t>> {
    // SAFETY: as promised by the caller.
    let how = unsafe { sized("call", how, zkc_call_t::blank()) }?;
    let owned = Owned::of(&how);
    // SAFETY: as promised by the caller.
    let scheme = unsafe { text("scheme", scheme) }?;
    // SAFETY: as promised by the caller.
    let auth = unsafe { bytes("auth", auth, length) }?.unwrap_or_default();
    if how.watcher.is_some() {
        return Err(Error::argument("call.watcher", "this call leaves no watch"));
    }
    let entry = registry::get(client)?;
    let Some(completion) = how.completion else {
        let done = entry.client.auth(scheme, auth);
        return Ok(Some(zkc_result_t::of(done, zkc_result_t::nothing)));
    };
    let data = owned.completion;
    entry.client.start_auth(scheme, auth, move |done| {
        let result = zkc_result_t::of(done, zkc_result_t::nothing);
        // SAFETY: the caller's function, with the caller's data, which is dropped behind it.
        unsafe { completion(&result, data.get()) };
    })?;
    Ok(None)
}
