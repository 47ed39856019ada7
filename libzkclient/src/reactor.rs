//! Carries the bytes of any number of handles: one poll, one set of timers.
//!
//! A reactor is turned by a thread of its own ([`crate::worker`]) or by the caller's event loop
//! ([`Reactor::turn`] with the pollable descriptor [`Reactor::fd`]). It knows handles only as
//! [`Task`]s and never blocks but in its poll.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mio::{Events, Poll, Registry, Token, Waker};

use crate::clock::now_ms;
use crate::sync::{Mutex, MutexGuard};

/// Bytes of the buffer that all handles read into, one after the other.
const READ_BYTES: usize = 256 << 10;

/// Events that are taken at once.
const EVENTS_MAX: usize = 1024;

/// Token of the waker; those of handles begin above it.
const WAKER: Token = Token(0);

/// Why a task has its turn.
#[derive(Debug)]
pub enum Why {
    /// It is new.
    Start,
    /// Its connection may have bytes, or room for some.
    Ready {
        /// Bytes, or the end.
        readable: bool,
        /// The end, or an error.
        closed: bool,
    },
    /// The connection on which it asks another server `isro` has something.
    Probe,
    /// Somebody has given it something to do.
    Dirty,
    /// Its deadline has come.
    Timer,
    /// Names were looked up: the number of the look-up, and what came of it.
    Addresses(u64, Vec<SocketAddr>),
}

/// What a turn may use.
pub struct Turn<'a> {
    /// For the connections of the task.
    pub registry: &'a Registry,
    /// The token of its connection; the next one is that of its probe.
    pub token: Token,
    /// Where bytes are read into; nothing in it outlives the turn.
    pub buffer: &'a mut [u8],
    /// The time.
    pub now_ms: u64,
}

/// A handle, as the reactor sees it.
pub trait Task: Send + Sync {
    /// Remembers where the task stands in the reactor.
    fn placed(&self, slot: usize);
    /// Does what is due. Returns when the next turn is due in ms, or `None` when the task is done
    /// for good.
    fn turn(&self, turn: &mut Turn<'_>, why: Why) -> Option<u64>;
}

/// What others tell a reactor.
#[derive(Default)]
struct Inbox {
    new: Vec<Arc<dyn Task>>,
    dirty: Vec<usize>,
    addresses: Vec<(usize, Arc<dyn Task>, Why)>,
    stop: bool,
}

/// The door to a reactor, for other threads.
pub struct Shared {
    waker: Waker,
    /// Whether a wake is under way, so that another would be wasted.
    woken: AtomicBool,
    inbox: Mutex<Inbox>,
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().expect("nothing panics while it holds the inbox")
    }

    /// Wakes the reactor, once until it has looked.
    pub fn wake(&self) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            // An eventfd refuses a write only when it is full, and then it is awake.
            let _ = self.waker.wake();
        }
    }

    /// Adds a task.
    pub fn add(&self, task: Arc<dyn Task>) {
        self.inbox().new.push(task);
        self.wake();
    }

    /// Gives the task at `slot` a turn, soon: with `wake` at once, else with the next turn of the
    /// reactor.
    pub fn dirty(&self, slot: usize, wake: bool) {
        self.inbox().dirty.push(slot);
        if wake {
            self.wake();
        }
    }

    /// Hands in what a look-up has brought.
    pub fn addresses(
        &self,
        slot: usize,
        task: Arc<dyn Task>,
        look_up: u64,
        addresses: Vec<SocketAddr>,
    ) {
        self.inbox().addresses.push((slot, task, Why::Addresses(look_up, addresses)));
        self.wake();
    }

    /// Ends the reactor's thread.
    pub fn stop(&self) {
        self.inbox().stop = true;
        self.wake();
    }
}

struct Place {
    task: Arc<dyn Task>,
    due_ms: u64,
}

/// Handles, their connections and their timers.
pub struct Reactor {
    poll: Poll,
    events: Events,
    shared: Arc<Shared>,
    places: Vec<Option<Place>>,
    free: Vec<usize>,
    timers: BinaryHeap<Reverse<(u64, usize)>>,
    buffer: Vec<u8>,
}

impl Reactor {
    /// A reactor without handles.
    pub fn new() -> io::Result<Reactor> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let (woken, inbox) = (AtomicBool::new(false), Mutex::default());
        Ok(Reactor {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            shared: Arc::new(Shared { waker, woken, inbox }),
            places: Vec::new(),
            free: Vec::new(),
            timers: BinaryHeap::new(),
            buffer: vec![0; READ_BYTES],
        })
    }

    /// The door for other threads.
    pub fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// A descriptor that is readable when `turn` has something to do; it stays the same.
    pub fn fd(&self) -> RawFd {
        self.poll.as_raw_fd()
    }

    /// When the next turn is due although nothing happens, in ms; `u64::MAX` for never.
    pub fn deadline_ms(&mut self) -> u64 {
        while let Some(Reverse((due_ms, slot))) = self.timers.peek() {
            if self.places[*slot].as_ref().is_some_and(|place| place.due_ms == *due_ms) {
                return *due_ms;
            }
            self.timers.pop();
        }
        u64::MAX
    }

    /// Waits for up to `wait_ms` (`u64::MAX`: without end), and gives whoever has something to do
    /// its turn. Returns false when the reactor was told to stop.
    pub fn turn(&mut self, wait_ms: u64) -> io::Result<bool> {
        let due_ms = self.deadline_ms();
        let wait_ms = match due_ms {
            u64::MAX => wait_ms,
            due_ms => wait_ms.min(due_ms.saturating_sub(now_ms())),
        };
        let wait = (wait_ms != u64::MAX).then(|| Duration::from_millis(wait_ms));
        match self.poll.poll(&mut self.events, wait) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => result?,
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in events.iter().filter(|event| event.token() != WAKER) {
            let (slot, probe) = ((event.token().0 - 1) / 2, (event.token().0 - 1) % 2 == 1);
            let closed = event.is_read_closed() || event.is_error();
            let ready = Why::Ready { readable: event.is_readable() || closed, closed };
            self.give_turn(slot, if probe { Why::Probe } else { ready });
        }
        self.events = events;
        // Bytes first, timers last: after a pause of this process what is there counts.
        let go_on = self.read_inbox();
        let now = now_ms();
        while self.deadline_ms() <= now {
            let Some(Reverse((_, slot))) = self.timers.pop() else { break };
            self.give_turn(slot, Why::Timer);
        }
        Ok(go_on)
    }

    fn read_inbox(&mut self) -> bool {
        if !self.shared.woken.swap(false, Ordering::AcqRel) && !self.has_mail() {
            return true;
        }
        let inbox = std::mem::take(&mut *self.shared.inbox());
        for task in inbox.new {
            let slot = self.free.pop().unwrap_or(self.places.len());
            if slot == self.places.len() {
                self.places.push(None);
            }
            task.placed(slot);
            self.places[slot] = Some(Place { task, due_ms: u64::MAX });
            self.give_turn(slot, Why::Start);
        }
        for (slot, task, found) in inbox.addresses {
            // The handle may be gone, and its place another's.
            if self.at(slot).is_some_and(|now| Arc::ptr_eq(&now, &task)) {
                self.give_turn(slot, found);
            }
        }
        for slot in inbox.dirty {
            self.give_turn(slot, Why::Dirty);
        }
        !inbox.stop
    }

    /// Mail that came without a wake.
    fn has_mail(&self) -> bool {
        !self.shared.inbox().dirty.is_empty()
    }

    fn at(&self, slot: usize) -> Option<Arc<dyn Task>> {
        self.places.get(slot)?.as_ref().map(|place| place.task.clone())
    }

    fn give_turn(&mut self, slot: usize, why: Why) {
        let Some(task) = self.at(slot) else { return };
        let mut turn = Turn {
            registry: self.poll.registry(),
            token: Token(1 + slot * 2),
            buffer: &mut self.buffer,
            now_ms: now_ms(),
        };
        match task.turn(&mut turn, why) {
            Some(due_ms) => {
                let place = self.places[slot].as_mut().expect("looked at above");
                // A later deadline is noticed when the earlier one comes: an idle turn instead of
                // an entry per request.
                if due_ms < place.due_ms || place.due_ms <= turn.now_ms {
                    place.due_ms = due_ms;
                    if due_ms != u64::MAX {
                        self.timers.push(Reverse((due_ms, slot)));
                    }
                }
            }
            None => {
                self.places[slot] = None;
                self.free.push(slot);
            }
        }
    }
}
