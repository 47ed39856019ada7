//! Handles: numbers in pointers' clothes, looked up and never followed.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::client::Client;
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::sync::{Mutex, RwLock};

/// A client. Made by `zkc_open` and `zkc_connect`, gone with `zkc_close`; a handle that is gone is
/// refused wherever it is given. Any thread may use any handle at any time.
pub struct zkc_client_t(());

/// Bits of a handle that say which slot it is; the rest tells its occupants apart.
const SLOT_BITS: u32 = 20;

/// What a handle stands for.
pub(super) struct Entry {
    pub(super) client: Client,
    /// With a loop of the caller's.
    pub(super) driver: Option<Mutex<Driver>>,
}

#[derive(Default)]
struct Slot {
    generation: usize,
    entry: Option<Arc<Entry>>,
}

struct Registry {
    process: u32,
    slots: RwLock<Vec<Slot>>,
}

static REGISTRY: AtomicPtr<Registry> = AtomicPtr::new(std::ptr::null_mut());

/// The registry of this process, when it has one.
fn current() -> Option<&'static Registry> {
    let now = REGISTRY.load(Ordering::Acquire);
    // SAFETY: what was put there is never freed.
    unsafe { now.as_ref() }
}

/// The registry of this process, made when there is none. That of a parent is left behind: its
/// locks may be held by threads that are not here.
fn own() -> &'static Registry {
    let process = std::process::id();
    loop {
        let now = REGISTRY.load(Ordering::Acquire);
        // SAFETY: what was put there is never freed.
        if let Some(registry) = unsafe { now.as_ref() }
            && registry.process == process
        {
            return registry;
        }
        let new = Box::into_raw(Box::new(Registry { process, slots: RwLock::default() }));
        match REGISTRY.compare_exchange(now, new, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: it was made just now and is never freed from here on.
            Ok(_) => return unsafe { &*new },
            // SAFETY: it was made just now, and nobody else has seen it.
            Err(_) => drop(unsafe { Box::from_raw(new) }),
        }
    }
}

const SOUND: &str = "nothing panics while it holds the registry";

/// Gives an entry a handle.
pub(super) fn add(entry: Entry) -> Result<*mut zkc_client_t> {
    let mut slots = own().slots.write().expect(SOUND);
    let at = match slots.iter().position(|slot| slot.entry.is_none()) {
        Some(at) => at,
        None if slots.len() + 1 < 1 << SLOT_BITS => {
            slots.push(Slot::default());
            slots.len() - 1
        }
        None => {
            let why = "a million handles are open".to_owned();
            return Err(Error::Io { doing: "opening a handle", why, errno: 0 });
        }
    };
    let slot = &mut slots[at];
    slot.generation = (slot.generation + 1) & (usize::MAX >> SLOT_BITS);
    slot.entry = Some(Arc::new(entry));
    let number = slot.generation << SLOT_BITS | (at + 1);
    Ok(std::ptr::without_provenance_mut::<c_void>(number).cast())
}

fn place(handle: *const zkc_client_t) -> Result<(&'static Registry, usize, usize)> {
    let number = handle.addr();
    if number == 0 {
        return Err(Error::argument("client", "NULL"));
    }
    let registry = current().ok_or(Error::Closing)?;
    if registry.process != std::process::id() {
        return Err(Error::Forked);
    }
    let at = (number & ((1 << SLOT_BITS) - 1)).wrapping_sub(1);
    Ok((registry, at, number >> SLOT_BITS))
}

/// What a handle stands for. NULL, a handle that is closed and one of another process are errors.
pub(super) fn get(handle: *const zkc_client_t) -> Result<Arc<Entry>> {
    let (registry, at, generation) = place(handle)?;
    let slots = registry.slots.read().expect(SOUND);
    let slot = slots.get(at).filter(|slot| slot.generation == generation);
    slot.and_then(|slot| slot.entry.clone()).ok_or(Error::Closing)
}

/// Takes a handle's entry away.
pub(super) fn remove(handle: *const zkc_client_t) -> Result<Arc<Entry>> {
    let (registry, at, generation) = place(handle)?;
    let mut slots = registry.slots.write().expect(SOUND);
    let slot = slots.get_mut(at).filter(|slot| slot.generation == generation);
    slot.and_then(|slot| slot.entry.take()).ok_or(Error::Closing)
}
