//! The recipes: locks, elections, queues, counters, barriers and caches.
//!
//! Everything here blocks, and is refused in a callback. `wait_ms` is how long to wait, in ms: -1
//! for as long as it takes, 0 for not at all. `ZKC_NOTHING` says that the time was over.

use std::ffi::{c_char, c_void};
use std::time::Duration;

use super::border::{UserData, border, bytes, text};
use super::codes::{ZKC_BAD_ARGUMENTS, ZKC_NOTHING, ZKC_OK};
use super::registry::{self, zkc_client_t};
use super::result::zkc_result_t;
use super::types::{ZKC_EVENT_CHANGED, ZKC_EVENT_DELETED, ZKC_EVENT_SESSION, zkc_drop_fn};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::recipes::{
    Barrier, Cache, CacheEvent, Claimed, Counter, DoubleBarrier, Election, Held, Holding, Leader,
    Lock, Queue, RwLock, Semaphore,
};

/// As far as the client can know, it is held.
pub const ZKC_HELD: i32 = 1;
/// The connection is lost: it is held until the session expires, which may have happened.
pub const ZKC_SUSPECT: i32 = 2;
/// It is lost.
pub const ZKC_LOST: i32 = 3;

/// Something that is held: a lock, a permit, the leadership. Belongs to whoever acquired it, and is
/// given back with `zkc_release`, or by the end of the session.
pub struct zkc_held_t(Kept);

enum Kept {
    Lock(Held),
    Leader(Leader),
}

/// An item of a queue that was claimed. Given back with `zkc_claim_done` or `zkc_claim_drop`.
pub struct zkc_claim_t(Claimed);

/// A copy of a subtree. Any thread may read it.
pub struct zkc_cache_t(Cache);

/// A double barrier: this one's place in it. Freed with `zkc_double_barrier_free`.
pub struct zkc_double_barrier_t(DoubleBarrier);

/// Is told of a change in a cache: `ZKC_EVENT_CHANGED` or `ZKC_EVENT_DELETED` with a path, or
/// `ZKC_EVENT_SESSION` with "" when the whole subtree was read. Runs where watchers run.
pub type zkc_cache_fn =
    Option<unsafe extern "C" fn(kind: i32, path: *const c_char, user_data: *mut c_void)>;

fn wait_of(wait_ms: i64) -> Result<Option<Duration>> {
    match wait_ms {
        -1 => Ok(None),
        ms => match u64::try_from(ms) {
            Ok(ms) => Ok(Some(Duration::from_millis(ms))),
            Err(_) => Err(Error::argument("wait_ms", format!("{ms}; -1 or more"))),
        },
    }
}

/// Runs a call that brings something or, in time, nothing.
///
/// # Safety
/// `out` can be written unless it is NULL.
unsafe fn bring<T>(
    client: *mut zkc_client_t,
    out: *mut *mut T,
    call: impl FnOnce(&Client) -> Result<Option<T>>,
) -> i32 {
    border(|| {
        if out.is_null() {
            return ZKC_BAD_ARGUMENTS;
        }
        // SAFETY: not NULL, and as promised by the caller.
        unsafe { out.write(std::ptr::null_mut()) };
        match registry::get(client).and_then(|entry| call(&entry.client)) {
            Ok(Some(value)) => {
                // SAFETY: not NULL, and as promised by the caller.
                unsafe { out.write(Box::into_raw(Box::new(value))) };
                ZKC_OK
            }
            Ok(None) => ZKC_NOTHING,
            Err(error) => error.code().0,
        }
    })
}

fn plain(client: *mut zkc_client_t, call: impl FnOnce(&Client) -> Result<i32>) -> i32 {
    border(|| match registry::get(client).and_then(|entry| call(&entry.client)) {
        Ok(code) => code,
        Err(error) => error.code().0,
    })
}

fn in_time(done: bool) -> i32 {
    if done { ZKC_OK } else { ZKC_NOTHING }
}

fn lock(held: Option<Held>) -> Option<zkc_held_t> {
    held.map(|held| zkc_held_t(Kept::Lock(held)))
}

/// Waits for a lock at a path, first come first served.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_lock(
    client: *mut zkc_client_t,
    path: *const c_char,
    wait_ms: i64,
    out: *mut *mut zkc_held_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        bring(client, out, |client| {
            Lock::new(client, text("path", path)?).acquire(wait_of(wait_ms)?).map(lock)
        })
    }
}

/// Waits until no writer is before us; any number of readers hold the lock together.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_read_lock(
    client: *mut zkc_client_t,
    path: *const c_char,
    wait_ms: i64,
    out: *mut *mut zkc_held_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        bring(client, out, |client| {
            RwLock::new(client, text("path", path)?).read(wait_of(wait_ms)?).map(lock)
        })
    }
}

/// Waits until nobody is before us, reader or writer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_write_lock(
    client: *mut zkc_client_t,
    path: *const c_char,
    wait_ms: i64,
    out: *mut *mut zkc_held_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        bring(client, out, |client| {
            RwLock::new(client, text("path", path)?).write(wait_of(wait_ms)?).map(lock)
        })
    }
}

/// Waits for one of so many permits; all who use a path must give the same number, at least 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_semaphore(
    client: *mut zkc_client_t,
    path: *const c_char,
    permits: u32,
    wait_ms: i64,
    out: *mut *mut zkc_held_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        bring(client, out, |client| {
            let semaphore = Semaphore::new(client, text("path", path)?, permits as usize)?;
            semaphore.acquire(wait_of(wait_ms)?).map(lock)
        })
    }
}

/// Stands for election under a name, and waits until it is won.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_elect(
    client: *mut zkc_client_t,
    path: *const c_char,
    name: *const c_void,
    length: usize,
    wait_ms: i64,
    out: *mut *mut zkc_held_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        bring(client, out, |client| {
            let name = bytes("name", name, length)?.unwrap_or_default();
            let election = Election::new(client, text("path", path)?);
            let leader = election.campaign(name, wait_of(wait_ms)?)?;
            Ok(leader.map(|leader| zkc_held_t(Kept::Leader(leader))))
        })
    }
}

/// Who leads: the name as data and the term as number; `ZKC_NOTHING` when nobody does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_leader(
    client: *mut zkc_client_t,
    path: *const c_char,
    out: *mut *mut zkc_result_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        bring(client, out, |client| {
            let leader = Election::new(client, text("path", path)?).leader()?;
            Ok(leader.map(|(name, term)| zkc_result_t::with_bytes(name).and_number(term)))
        })
    }
}

/// The fencing token: larger for every later holder. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_held_token(held: *const zkc_held_t) -> i64 {
    // SAFETY: NULL, or the caller's own that was not released.
    match unsafe { held.as_ref() } {
        None => 0,
        Some(zkc_held_t(Kept::Lock(held))) => held.token(),
        Some(zkc_held_t(Kept::Leader(leader))) => leader.term(),
    }
}

/// `ZKC_HELD`, `ZKC_SUSPECT` or `ZKC_LOST`; `ZKC_LOST` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_held_state(held: *const zkc_held_t) -> i32 {
    border(|| {
        // SAFETY: NULL, or the caller's own that was not released.
        let holding = match unsafe { held.as_ref() } {
            None => Holding::Lost,
            Some(zkc_held_t(Kept::Lock(held))) => held.holding(),
            Some(zkc_held_t(Kept::Leader(leader))) => leader.holding(),
        };
        match holding {
            Holding::Held => ZKC_HELD,
            Holding::Suspect => ZKC_SUSPECT,
            Holding::Lost => ZKC_LOST,
        }
    })
}

/// Gives back what is held, and frees it, whatever the code. On an error it may be held until the
/// session ends. `ZKC_BAD_ARGUMENTS` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_release(held: *mut zkc_held_t) -> i32 {
    border(|| {
        if held.is_null() {
            return ZKC_BAD_ARGUMENTS;
        }
        // SAFETY: the caller's own, released once.
        let released = match unsafe { Box::from_raw(held) }.0 {
            Kept::Lock(held) => held.release(),
            Kept::Leader(leader) => leader.resign(),
        };
        released.map_or_else(|error| error.code().0, |()| ZKC_OK)
    })
}

/// Adds an item to a queue; `priority` 0 (leaves first) to 999, usually 100.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_queue_put(
    client: *mut zkc_client_t,
    path: *const c_char,
    data: *const c_void,
    length: usize,
    priority: u32,
) -> i32 {
    plain(client, |client| {
        // SAFETY: the header's promise.
        let (path, data) = unsafe { (text("path", path)?, bytes("data", data, length)?) };
        let priority = u16::try_from(priority).unwrap_or(u16::MAX);
        Queue::new(client, path).put_with(data.unwrap_or_default(), priority).map(|()| ZKC_OK)
    })
}

/// Takes the first item: it is removed before it is handed out, as data. At most once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_queue_take(
    client: *mut zkc_client_t,
    path: *const c_char,
    wait_ms: i64,
    out: *mut *mut zkc_result_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        bring(client, out, |client| {
            let item = Queue::new(client, text("path", path)?).take(wait_of(wait_ms)?)?;
            Ok(item.map(zkc_result_t::with_bytes))
        })
    }
}

/// Claims the first item that nobody has claimed: it is removed when it is done. At least once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_queue_claim(
    client: *mut zkc_client_t,
    path: *const c_char,
    wait_ms: i64,
    out: *mut *mut zkc_claim_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        bring(client, out, |client| {
            let claimed = Queue::new(client, text("path", path)?).claim(wait_of(wait_ms)?)?;
            Ok(claimed.map(zkc_claim_t))
        })
    }
}

/// The item, borrowed from the claim, and into `length` its bytes. NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_claim_data(
    claim: *const zkc_claim_t,
    length: *mut usize,
) -> *const c_void {
    // SAFETY: NULL, or the caller's own that was not given back.
    let data = unsafe { claim.as_ref() }.map(|claim| claim.0.data());
    if !length.is_null() {
        // SAFETY: not NULL, and the header's promise.
        unsafe { length.write(data.map_or(0, <[u8]>::len)) };
    }
    data.map_or(std::ptr::null(), |data| data.as_ptr().cast())
}

/// The fencing token: larger for every later claim. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_claim_token(claim: *const zkc_claim_t) -> i64 {
    // SAFETY: NULL, or the caller's own that was not given back.
    unsafe { claim.as_ref() }.map_or(0, |claim| claim.0.token())
}

/// Removes the item and frees the claim, whatever the code. `ZKC_NO_NODE` says that the claim was
/// lost with the session, and that somebody else has the item or had it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_claim_done(claim: *mut zkc_claim_t) -> i32 {
    border(|| {
        if claim.is_null() {
            return ZKC_BAD_ARGUMENTS;
        }
        // SAFETY: the caller's own, given back once.
        let done = unsafe { Box::from_raw(claim) }.0.done();
        done.map_or_else(|error| error.code().0, |()| ZKC_OK)
    })
}

/// Gives the item back to the queue and frees the claim. NULL is nothing to give back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_claim_drop(claim: *mut zkc_claim_t) {
    border(|| {
        if !claim.is_null() {
            // SAFETY: the caller's own, given back once.
            drop(unsafe { Box::from_raw(claim) });
        }
        ZKC_OK
    });
}

/// Adds to a counter and writes the new value to `value`, which may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_counter_add(
    client: *mut zkc_client_t,
    path: *const c_char,
    difference: i64,
    value: *mut i64,
) -> i32 {
    plain(client, |client| {
        // SAFETY: the header's promise.
        let path = unsafe { text("path", path) }?;
        let counter = Counter::new(client, path);
        let sum = if difference == 0 { counter.get()? } else { counter.add(difference)? };
        if !value.is_null() {
            // SAFETY: not NULL, and the header's promise.
            unsafe { value.write(sum) };
        }
        Ok(ZKC_OK)
    })
}

/// Sets a barrier: everybody waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_barrier_set(client: *mut zkc_client_t, path: *const c_char) -> i32 {
    plain(client, |client| {
        // SAFETY: the header's promise.
        Barrier::new(client, unsafe { text("path", path) }?).set().map(|()| ZKC_OK)
    })
}

/// Removes a barrier: everybody goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_barrier_remove(client: *mut zkc_client_t, path: *const c_char) -> i32 {
    plain(client, |client| {
        // SAFETY: the header's promise.
        Barrier::new(client, unsafe { text("path", path) }?).remove().map(|()| ZKC_OK)
    })
}

/// Waits until a barrier is not there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_barrier_wait(
    client: *mut zkc_client_t,
    path: *const c_char,
    wait_ms: i64,
) -> i32 {
    plain(client, |client| {
        // SAFETY: the header's promise.
        let path = unsafe { text("path", path) }?;
        Barrier::new(client, path).wait(wait_of(wait_ms)?).map(in_time)
    })
}

/// Enters a double barrier of `count` participants, at least 1, and waits until all are there. Use
/// a new path for each round. On `ZKC_NOTHING` it has left again, and `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_double_barrier_enter(
    client: *mut zkc_client_t,
    path: *const c_char,
    count: u32,
    wait_ms: i64,
    out: *mut *mut zkc_double_barrier_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        bring(client, out, |client| {
            let barrier = DoubleBarrier::new(client, text("path", path)?, count as usize)?;
            let entered = barrier.enter(wait_of(wait_ms)?)?;
            Ok(entered.then_some(zkc_double_barrier_t(barrier)))
        })
    }
}

/// Leaves a double barrier and waits until all have. After `ZKC_NOTHING` it may be called again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_double_barrier_leave(
    barrier: *mut zkc_double_barrier_t,
    wait_ms: i64,
) -> i32 {
    border(|| {
        // SAFETY: NULL, or the caller's own that was not freed.
        let Some(barrier) = (unsafe { barrier.as_ref() }) else { return ZKC_BAD_ARGUMENTS };
        match wait_of(wait_ms).and_then(|wait| barrier.0.leave(wait)) {
            Ok(done) => in_time(done),
            Err(error) => error.code().0,
        }
    })
}

/// Frees a place in a double barrier; it is left with the session at the latest. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_double_barrier_free(barrier: *mut zkc_double_barrier_t) {
    if !barrier.is_null() {
        // SAFETY: the caller's own, freed once.
        drop(unsafe { Box::from_raw(barrier) });
    }
}

/// Begins a copy of a subtree. `told` may be NULL; `drop` frees `user_data` when the cache is gone,
/// or at once when this returns an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_cache_open(
    client: *mut zkc_client_t,
    path: *const c_char,
    told: zkc_cache_fn,
    user_data: *mut c_void,
    drop: zkc_drop_fn,
    out: *mut *mut zkc_cache_t,
) -> i32 {
    // SAFETY: the header's promise.
    unsafe {
        let data = UserData::new(user_data, drop);
        bring(client, out, |client| {
            let path = text("path", path)?;
            let opened = Cache::with_listener(client, path, move |event| {
                let Some(told) = told else { return };
                let (kind, path) = match event {
                    CacheEvent::Changed(path, _) => (ZKC_EVENT_CHANGED, path.as_str()),
                    CacheEvent::Removed(path) => (ZKC_EVENT_DELETED, path.as_str()),
                    CacheEvent::Ready => (ZKC_EVENT_SESSION, ""),
                };
                let path = std::ffi::CString::new(path).unwrap_or_default();
                // SAFETY: the caller's function, with the caller's data, which is not dropped yet.
                told(kind, path.as_ptr(), data.get());
            });
            opened.map(|cache| Some(zkc_cache_t(cache)))
        })
    }
}

fn cached(cache: *const zkc_cache_t, call: impl FnOnce(&Cache) -> Result<i32>) -> i32 {
    border(|| {
        // SAFETY: NULL, or the caller's own that was not freed.
        let Some(cache) = (unsafe { cache.as_ref() }) else { return ZKC_BAD_ARGUMENTS };
        call(&cache.0).unwrap_or_else(|error| error.code().0)
    })
}

/// Waits until the whole subtree was read on this connection.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_cache_wait(cache: *const zkc_cache_t, wait_ms: i64) -> i32 {
    cached(cache, |cache| {
        let wait = wait_of(wait_ms)?.unwrap_or(Duration::from_secs(u32::MAX.into()));
        cache.wait_ready(wait).map(in_time)
    })
}

/// A znode of the copy: data, stat, and the names of its children, sorted. `ZKC_NO_NODE` when it
/// holds none at this path. Asks nobody.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_cache_get(
    cache: *const zkc_cache_t,
    path: *const c_char,
    out: *mut *mut zkc_result_t,
) -> i32 {
    cached(cache, |cache| {
        // SAFETY: the header's promise.
        let path = unsafe { text("path", path) }?;
        let known = cache.get(path).ok_or(Error::Server(zk_wire::Code::NO_NODE))?;
        let data = known.data.map(|data| data.to_vec());
        let result = zkc_result_t::with_data((data, known.stat));
        // SAFETY: the header's promise.
        Ok(unsafe { result.and_strings(cache.children(path)).hand_out(out) })
    })
}

/// Frees a cache and removes its watch. NULL is nothing to free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_cache_free(cache: *mut zkc_cache_t) {
    border(|| {
        if !cache.is_null() {
            // SAFETY: the caller's own, freed once.
            drop(unsafe { Box::from_raw(cache) });
        }
        ZKC_OK
    });
}
