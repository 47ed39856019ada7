//! The client's part of a handle: where answers and events go.
//!
//! A thread that waits is woken by whoever turns the reactor; everything else is a callback and
//! runs on the handle's lane, in the order in which it came.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use zk_wire::{Code, Zxid};

use super::settings::Watcher;
use crate::call::strip;
use crate::dispatch::{self, Lane};
use crate::error::{Error, Result};
use crate::handle::{Handle, Kind};
use crate::session::Outcome;
use crate::state::{State, WatchEvent};
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::worker::Lease;

/// What came back: the verdict, and the record when it was good.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The server's zxid when it answered.
    pub zxid: Zxid,
    /// The verdict.
    pub code: Code,
    /// The record.
    pub body: &'a [u8],
}

impl<'a> Answer<'a> {
    pub(super) fn ok(self) -> Result<&'a [u8]> {
        match self.code {
            Code::OK => Ok(self.body),
            code => Err(Error::Server(code)),
        }
    }
}

pub(super) type Then = Box<dyn for<'a> FnOnce(Result<Answer<'a>>) + Send>;

/// Who waits for an answer.
pub enum Done {
    /// A thread.
    Wait(Arc<Wait>),
    /// A function, to be called where callbacks are.
    Then(Then),
}

/// An answer on its way to a thread: zxid, verdict and record.
pub(super) type Waited = Result<(Zxid, Code, Vec<u8>)>;

/// A place where a thread waits for its answer.
#[derive(Default)]
pub struct Wait {
    answer: Mutex<Option<Waited>>,
    came: Condvar,
}

impl Wait {
    fn set(&self, answer: Waited) {
        *locked(&self.answer) = Some(answer);
        self.came.notify_one();
    }

    pub(super) fn take(&self, until: Option<Instant>) -> Option<Waited> {
        let mut answer = locked(&self.answer);
        loop {
            if let Some(answer) = answer.take() {
                return Some(answer);
            }
            answer = wait(&self.came, answer, until)?;
        }
    }
}

/// Waits on a condition; `None` when the time is over.
pub(super) fn wait<'a, T>(
    condition: &Condvar,
    guard: MutexGuard<'a, T>,
    until: Option<Instant>,
) -> Option<MutexGuard<'a, T>> {
    const SOUND: &str = "nothing panics while it holds a client's lock";
    match until {
        None => Some(condition.wait(guard).expect(SOUND)),
        Some(until) => {
            let left = until.checked_duration_since(Instant::now())?;
            Some(condition.wait_timeout(guard, left).expect(SOUND).0)
        }
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds a client's lock")
}

/// The client's part of a handle.
pub struct ClientKind {
    pub(super) chroot: String,
    pub(super) watcher: Option<Watcher>,
    /// Where callbacks run; without one they run in the thread that turns the reactor.
    pub(super) lane: Option<Arc<Lane>>,
    pub(super) lease: Mutex<Option<Lease>>,
    pub(super) state: Mutex<State>,
    pub(super) state_changed: Condvar,
    pub(super) handle: OnceLock<Weak<Handle<ClientKind>>>,
}

impl ClientKind {
    fn run(&self, bytes: &[u8], outcome: Outcome<Done, Watcher>) {
        match outcome {
            Outcome::Reply { done: Done::Then(then), zxid, code, body } => {
                then(Ok(Answer { zxid, code, body: &bytes[body] }));
            }
            Outcome::Failed { done: Done::Then(then), error } => then(Err(error)),
            Outcome::Event { watchers, kind, path, zxid, .. } => {
                let path = strip(&self.chroot, path);
                let event = WatchEvent::Node { kind, path, zxid };
                watchers.iter().for_each(|watcher| (watcher.0)(&event));
            }
            Outcome::State { state, watchers } => {
                let event = WatchEvent::Session(state);
                let default = self.watcher.iter().filter(|own| !watchers.contains(own));
                watchers.iter().chain(default).for_each(|watcher| (watcher.0)(&event));
            }
            Outcome::Closed { done: Some(Done::Then(then)) } => {
                then(Ok(Answer { zxid: Zxid::ZERO, code: Code::OK, body: &[] }));
                self.give_back();
            }
            Outcome::Closed { done: None } => self.give_back(),
            // A waiting thread gives the lease back itself, so that it can wait for its end.
            Outcome::Closed { done: Some(Done::Wait(wait)) } => {
                wait.set(Ok((Zxid::ZERO, Code::OK, Vec::new())));
            }
            Outcome::Reply { done: Done::Wait(wait), zxid, code, body } => {
                wait.set(Ok((zxid, code, bytes[body].to_vec())));
            }
            Outcome::Failed { done: Done::Wait(wait), error } => wait.set(Err(error)),
        }
    }

    pub(super) fn give_back(&self) {
        let lease = locked(&self.lease).take();
        drop(lease);
    }

    fn set_state(&self, state: State) {
        *locked(&self.state) = state;
        self.state_changed.notify_all();
    }
}

impl Kind for ClientKind {
    type Done = Done;
    type Watcher = Watcher;

    fn deliver(&self, bytes: &[u8], outcomes: &mut Vec<Outcome<Done, Watcher>>) {
        let mut batch = Vec::new();
        let mut replies = false;
        for outcome in outcomes.drain(..) {
            match outcome {
                // A thread that waits needs no callback: it is woken from here.
                Outcome::Reply { done: Done::Wait(_), .. }
                | Outcome::Failed { done: Done::Wait(_), .. } => self.run(bytes, outcome),
                Outcome::State { state, ref watchers } => {
                    self.set_state(state);
                    if !watchers.is_empty() || self.watcher.is_some() {
                        batch.push(outcome);
                    }
                }
                Outcome::Closed { ref done } => {
                    self.set_state(State::Closed);
                    let waits = matches!(done, Some(Done::Wait(_)));
                    let idle = self.lane.as_ref().is_none_or(|lane| lane.is_idle());
                    match waits && idle && batch.is_empty() {
                        true => self.run(bytes, outcome),
                        false => batch.push(outcome),
                    }
                }
                outcome => {
                    replies |= matches!(outcome, Outcome::Reply { .. });
                    batch.push(outcome);
                }
            }
        }
        if batch.is_empty() {
            return;
        }
        let Some(lane) = &self.lane else {
            dispatch::inline(|| batch.into_iter().for_each(|outcome| self.run(bytes, outcome)));
            return;
        };
        let bytes = if replies { bytes.to_vec() } else { Vec::new() };
        // The reactor holds the handle while it delivers.
        let Some(handle) = self.handle.get().and_then(Weak::upgrade) else { return };
        lane.push(Box::new(move || {
            batch.into_iter().for_each(|outcome| handle.kind.run(&bytes, outcome));
            handle.flush();
        }));
    }

    fn holds_back(&self) -> bool {
        self.lane.as_ref().is_some_and(|lane| lane.is_current())
    }
}
