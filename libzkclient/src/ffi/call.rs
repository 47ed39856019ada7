//! How a call is made: blocking, or with a completion, and with which watch and time limit.

use std::ffi::{CString, c_void};

use super::border::{UserData, border, sized};
use super::registry::{self, Entry, zkc_client_t};
use super::result::zkc_result_t;
use super::types::{ZKC_EVENT_SESSION, zkc_drop_fn, zkc_event_t, zkc_watcher_fn};
use crate::call::{Call, Encode};
use crate::client::Watcher;
use crate::error::{Error, Result};
use crate::session::Ticket;
use crate::state::{State, WatchEvent};

/// Gets the result of a call, exactly once. The result is borrowed. Runs where watchers run.
pub type zkc_completion_fn =
    Option<unsafe extern "C" fn(result: *const zkc_result_t, user_data: *mut c_void)>;

/// How a call is made. NULL in its place: blocking, with the handle's time limit, without a watch.
/// Fill it with `zkc_call_init` first.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct zkc_call_t {
    /// `sizeof(zkc_call_t)`, as `zkc_call_init` sets it.
    pub size: usize,
    /// How long to wait for the answer, in ms; 0 for the handle's `call_timeout_ms`.
    pub timeout_ms: u64,
    /// Who gets the result. NULL makes the call blocking.
    pub completion: zkc_completion_fn,
    /// For the completion.
    pub user_data: *mut c_void,
    /// Frees `user_data` behind the completion, or at once when the call returns an error: whatever
    /// happens, it is called once.
    pub drop: zkc_drop_fn,
    /// Leaves a watch with this watcher, where the call can: exists, get, children, add_watch.
    pub watcher: zkc_watcher_fn,
    /// For the watcher.
    pub watcher_data: *mut c_void,
    /// Frees `watcher_data` when the watch is gone or was never left: whatever happens, it is called
    /// once.
    pub watcher_drop: zkc_drop_fn,
    /// Where the number of the call is written for `zkc_cancel`; may be NULL.
    pub ticket: *mut u64,
}

impl zkc_call_t {
    pub(super) fn blank() -> zkc_call_t {
        zkc_call_t {
            size: size_of::<zkc_call_t>(),
            timeout_ms: 0,
            completion: None,
            user_data: std::ptr::null_mut(),
            drop: None,
            watcher: None,
            watcher_data: std::ptr::null_mut(),
            watcher_drop: None,
            ticket: std::ptr::null_mut(),
        }
    }
}

/// Fills a `zkc_call_t` with what NULL would mean. Give `sizeof(zkc_call_t)`, so that a library
/// that is newer than the program writes no more than the program has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_call_init(call: *mut zkc_call_t, size: usize) -> i32 {
    // SAFETY: the header's promise.
    border(|| unsafe { fill(call, size, zkc_call_t::blank()) })
}

/// Writes the first `size` bytes of a struct that begins with its size.
///
/// # Safety
/// `to` is NULL or `size` bytes of it can be written.
pub(super) unsafe fn fill<T: Copy>(to: *mut T, size: usize, value: T) -> i32 {
    if to.is_null() || size < size_of::<usize>() || size > 4096 {
        return super::codes::ZKC_BAD_ARGUMENTS;
    }
    let known = size.min(size_of::<T>());
    // SAFETY: as promised by the caller; what a newer program has beyond is zeroed.
    unsafe {
        std::ptr::write_bytes(to.cast::<u8>(), 0, size);
        std::ptr::copy_nonoverlapping((&raw const value).cast::<u8>(), to.cast::<u8>(), known);
        to.cast::<usize>().write(size);
    }
    super::codes::ZKC_OK
}

/// A watcher of C's as one of ours.
pub(super) fn watcher(
    told: unsafe extern "C" fn(*const zkc_event_t, *mut c_void),
    data: UserData,
    state: impl Fn() -> State + Send + Sync + 'static,
) -> Watcher {
    Watcher::new(move |event| {
        let (kind, state, path, zxid) = match event {
            WatchEvent::Node { kind, path, zxid } => {
                (*kind, state(), CString::new(path.as_str()).unwrap_or_default(), *zxid)
            }
            WatchEvent::Session(state) => (ZKC_EVENT_SESSION, *state, CString::default(), -1),
        };
        let event = zkc_event_t {
            size: size_of::<zkc_event_t>(),
            kind,
            state: state as i32,
            path: path.as_ptr(),
            zxid,
        };
        // SAFETY: the caller's function, with the caller's data, which is not dropped yet.
        unsafe { told(&event, data.get()) };
    })
}

/// Makes a call as `how` says.
///
/// # Safety
/// `how` and `out` are as the header says.
pub(super) unsafe fn make<'a, R: 'static, E: Encode>(
    handle: *mut zkc_client_t,
    how: *const zkc_call_t,
    out: *mut *mut zkc_result_t,
    call: impl FnOnce(&Entry, bool) -> Result<Call<'a, R, E>>,
    result: fn(R) -> zkc_result_t,
) -> i32 {
    border(|| {
        if !out.is_null() {
            // SAFETY: not NULL, and as promised by the caller.
            unsafe { out.write(std::ptr::null_mut()) };
        }
        // SAFETY: as promised by the caller.
        let made = unsafe { sized("call", how, zkc_call_t::blank()) }.and_then(|how| {
            // Taken before anything can fail: what is the library's is dropped by it.
            let owned = Owned::of(&how);
            let entry = registry::get(handle)?;
            let call = call(&entry, how.watcher.is_some())?;
            // SAFETY: as promised by the caller.
            unsafe { start_or_run(&entry, &how, owned, call, result) }
        });
        match made {
            Ok(None) => super::codes::ZKC_OK,
            // SAFETY: as promised by the caller.
            Ok(Some(result)) => unsafe { result.hand_out(out) },
            // SAFETY: as promised by the caller.
            Err(error) => unsafe { zkc_result_t::failed(&error).hand_out(out) },
        }
    })
}

/// What a caller has handed over with a call.
pub(super) struct Owned {
    pub(super) completion: UserData,
    watcher: UserData,
}

impl Owned {
    pub(super) fn of(how: &zkc_call_t) -> Owned {
        Owned {
            completion: UserData::new(how.user_data, how.drop),
            watcher: UserData::new(how.watcher_data, how.watcher_drop),
        }
    }
}

/// # Safety
/// The pointers in `how` are as the header says.
unsafe fn start_or_run<R: 'static, E: Encode>(
    entry: &Entry,
    how: &zkc_call_t,
    owned: Owned,
    call: Call<'_, R, E>,
    result: fn(R) -> zkc_result_t,
) -> Result<Option<zkc_result_t>> {
    let client = &entry.client;
    let watcher = match how.watcher {
        None => None,
        Some(_) if call.wish.is_none() => {
            return Err(Error::argument("call.watcher", "this call leaves no watch"));
        }
        Some(told) => {
            let session = client.clone().downgrade();
            Some(watcher(told, owned.watcher, move || session.state()))
        }
    };
    let timeout_ms = match how.timeout_ms {
        0 => client.call_timeout_ms(),
        ms => ms,
    };
    let Some(completion) = how.completion else {
        let done = client.run_with(call, watcher, timeout_ms);
        return Ok(Some(zkc_result_t::of(done, result)));
    };
    let data = owned.completion;
    let Ticket(number) = client.start_with(call, watcher, timeout_ms, move |done| {
        let result = zkc_result_t::of(done, result);
        // SAFETY: the caller's function, with the caller's data, which is dropped behind it.
        unsafe { completion(&result, data.get()) };
    })?;
    if !how.ticket.is_null() {
        // SAFETY: not NULL, and as promised by the caller.
        unsafe { how.ticket.write(number) };
    }
    Ok(None)
}

/// Gives a call up: its completion is called with `ZKC_OPERATION_TIMEOUT`, unless the answer was
/// quicker, which `ZKC_NOTHING` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_cancel(client: *mut zkc_client_t, ticket: u64) -> i32 {
    border(|| match registry::get(client).and_then(|entry| entry.client.cancel(Ticket(ticket))) {
        Ok(true) => super::codes::ZKC_OK,
        Ok(false) => super::codes::ZKC_NOTHING,
        Err(error) => error.code().0,
    })
}
