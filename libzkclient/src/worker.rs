//! The threads of the library: one for the bytes of all handles, one for their callbacks.
//!
//! They start with the first handle of a process and end behind the last. A process that was
//! forked has none of its parent's threads and starts its own.

use std::cell::Cell;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::dispatch::{Dispatch, in_callback};
use crate::error::{Error, Result};
use crate::reactor::{Reactor, Shared};
use crate::sync::Mutex;

/// How often the reactor looks whether callbacks hold something up, while any is running, in ms.
const RELIEF_MS: u64 = 2;

thread_local! {
    static IS_REACTOR: Cell<bool> = const { Cell::new(false) };
}

struct Running {
    process: u32,
    shared: Arc<Shared>,
    dispatch: Arc<Dispatch>,
    thread: JoinHandle<()>,
    users: usize,
}

static RUNNING: Mutex<Option<Running>> = Mutex::new(None);

/// The right to use the threads; they end when the last is given back.
pub struct Lease {
    /// The reactor.
    pub shared: Arc<Shared>,
    /// The callbacks.
    pub dispatch: Arc<Dispatch>,
    process: u32,
}

impl Lease {
    /// Starts the threads unless they run.
    pub fn take() -> Result<Lease> {
        let process = std::process::id();
        let mut running = RUNNING.lock().expect("nothing panics while it starts the threads");
        // What a parent left in its child cannot be joined: it never was a thread of this process.
        if running.as_ref().is_some_and(|running| running.process != process) {
            std::mem::forget(running.take());
        }
        let running = match &mut *running {
            Some(running) => running,
            none => none.insert(start(process)?),
        };
        running.users += 1;
        let (shared, dispatch) = (running.shared.clone(), running.dispatch.clone());
        Ok(Lease { shared, dispatch, process })
    }
}

fn start(process: u32) -> Result<Running> {
    let mut reactor = Reactor::new().map_err(|error| Error::io("making the reactor", &error))?;
    let (shared, dispatch) = (reactor.shared(), Dispatch::new());
    let callbacks = dispatch.clone();
    let builder = std::thread::Builder::new().name("zkc-io".to_owned());
    let spawned = builder.spawn(move || {
        IS_REACTOR.set(true);
        loop {
            let wait_ms = if callbacks.is_busy() { RELIEF_MS } else { u64::MAX };
            match reactor.turn(wait_ms) {
                Ok(true) => {}
                Ok(false) => break,
                // Nothing but a bug of ours or a closed descriptor makes a poll fail.
                Err(error) => {
                    log::error!("reactor: the poll has failed, all handles stop: {error}");
                    break;
                }
            }
            if callbacks.is_busy() {
                callbacks.relieve();
            }
        }
    });
    let thread = spawned.map_err(|error| Error::io("starting the thread zkc-io", &error))?;
    Ok(Running { process, shared, dispatch, thread, users: 0 })
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            return;
        }
        let last = {
            let mut running = RUNNING.lock().expect("nothing panics while it stops the threads");
            match &mut *running {
                Some(now) if Arc::ptr_eq(&now.shared, &self.shared) => {
                    now.users -= 1;
                    if now.users == 0 { running.take() } else { None }
                }
                _ => None,
            }
        };
        let Some(last) = last else { return };
        last.shared.stop();
        if !IS_REACTOR.get() && !in_callback() {
            // A thread that has panicked has said so.
            let _ = last.thread.join();
        }
        last.dispatch.stop();
    }
}
