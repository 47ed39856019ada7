//! `zhandle_t`: one handle of the core with what Apache's client keeps beside it.
//!
//! With threads, the reactor and the callbacks of the process serve all handles; without them, each
//! handle has a reactor of its own that the program turns. Nothing here is locked while the program
//! is called.

use std::collections::VecDeque;
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Once, OnceLock, PoisonError, Weak};

use super::abi::{self, ClientId, LogFn, WatcherFn, rc};
use super::calls::{self, Call, Completion, Done, Job, Shape, Slot, Unwatch, Watcher};
use super::log::{self, Line};
use super::open::{self, Settings};
use super::paths;
use crate::dispatch::Lane;
use crate::error::Error;
use crate::handle::{Handle, Kind};
use crate::reactor::Reactor;
use crate::session::Outcome;
use crate::state::State;
use crate::sync::{Mutex, MutexGuard};
use crate::watches::WatchKind;
use crate::worker::Lease;

/// Longest wait for the server's goodbye, in ms: Apache's 3000 to send it and 1500 for the answer.
const CLOSE_WAIT_MS: u64 = 4500;

/// How often this process is a fork: a handle of a parent is dead in its child.
static FORKS: AtomicU32 = AtomicU32::new(0);

extern "C" fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// The watcher of who gave none.
pub extern "C" fn nobody(_: *const Zoo, _: c_int, _: c_int, _: *const c_char, _: *mut c_void) {}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who carries the bytes and calls back.
enum Engine {
    /// Threads of the library.
    Threads { lane: Arc<Lane>, _lease: Lease },
    /// The program's own loop.
    Loop(Loop),
}

struct Loop {
    reactor: Mutex<Reactor>,
    jobs: Mutex<VecDeque<Job>>,
    /// Whether callbacks are running further down on the stack.
    running: Arc<AtomicBool>,
    /// Whether the last turn brought anything, and whether it lost the connection.
    came: AtomicBool,
    lost: AtomicBool,
    ended: AtomicBool,
}

/// `clientid_t`, in a place that stays.
#[repr(C)]
#[derive(Default)]
struct IdCell {
    id: AtomicI64,
    password: [AtomicU8; 16],
}

/// The core's side of a handle.
pub struct Port {
    zoo: Weak<Zoo>,
    lane: Option<Arc<Lane>>,
    running: Arc<AtomicBool>,
}

impl Kind for Port {
    type Done = Done;
    type Watcher = Watcher;

    fn deliver(&self, bytes: &[u8], outcomes: &mut Vec<Outcome<Done, Watcher>>) {
        if let Some(zoo) = self.zoo.upgrade() {
            zoo.deliver(bytes, outcomes);
        }
    }

    fn holds_back(&self) -> bool {
        match &self.lane {
            Some(lane) => lane.is_current(),
            None => self.running.load(Ordering::Relaxed),
        }
    }
}

/// `zhandle_t`.
pub struct Zoo {
    core: OnceLock<Arc<Handle<Port>>>,
    engine: Engine,
    chroot: Vec<u8>,
    id: IdCell,
    watcher: Mutex<WatcherFn>,
    context: AtomicPtr<c_void>,
    log: Mutex<Option<LogFn>>,
    closing: AtomicBool,
    /// Who waits for the end of a close.
    end: Mutex<Option<Arc<Slot>>>,
    forks: u32,
}

impl Zoo {
    /// Makes a handle. The error is an errno.
    pub fn open(settings: &Settings<'_>) -> Result<Arc<Zoo>, c_int> {
        static AT_FORK: Once = Once::new();
        AT_FORK.call_once(|| {
            // SAFETY: the function is there as long as the process; it only adds to a number.
            unsafe { libc::pthread_atfork(None, None, Some(forked)) };
        });
        log::set_threaded(settings.threaded);
        let host = settings.host.unwrap_or(b"");
        open::say_hello(settings, host);
        let (servers, chroot) = paths::servers(host).ok_or(libc::EINVAL)?;
        let hosts = open::hosts(servers);
        let addresses = open::look_up(&hosts).ok_or(libc::ENOENT)?;
        let (engine, shared) = Engine::new(settings.threaded)?;
        let zoo = Arc::new(Zoo {
            core: OnceLock::new(),
            engine,
            chroot,
            id: IdCell::default(),
            watcher: Mutex::new(settings.watcher.unwrap_or(nobody)),
            context: AtomicPtr::new(settings.context),
            log: Mutex::new(settings.log),
            closing: AtomicBool::new(false),
            end: Mutex::new(None),
            forks: FORKS.load(Ordering::Relaxed),
        });
        let port = zoo.port();
        let core = Handle::prepare(shared, open::config(settings), hosts, Some(addresses), port);
        // A new cell takes its first value.
        let _ = zoo.core.set(core.clone());
        core.begin();
        Ok(zoo)
    }

    fn port(self: &Arc<Zoo>) -> Port {
        let zoo = Arc::downgrade(self);
        match &self.engine {
            Engine::Threads { lane, .. } => {
                Port { zoo, lane: Some(lane.clone()), running: Arc::default() }
            }
            Engine::Loop(turn) => Port { zoo, lane: None, running: turn.running.clone() },
        }
    }

    /// The handle behind a pointer of the program; `None` for NULL.
    pub fn enter(at: *const Zoo) -> Option<Arc<Zoo>> {
        if at.is_null() {
            return None;
        }
        // SAFETY: the pointer is from `zookeeper_init` and not closed, which is the interface's
        // word; a close that comes meanwhile drops one count of two.
        unsafe { Arc::increment_strong_count(at) };
        // SAFETY: the count above is the one that is taken here.
        Some(unsafe { Arc::from_raw(at) })
    }

    /// Gives the program's count back.
    fn release(at: *const Zoo) {
        // SAFETY: the count is the one that `zookeeper_init` handed out, given back once: `closing`
        // lets only one close come here.
        drop(unsafe { Arc::from_raw(at) });
    }

    /// The core's handle.
    pub fn core(&self) -> &Arc<Handle<Port>> {
        self.core.get().expect("a handle has its core before anybody knows it")
    }

    /// The chroot, or nothing.
    pub fn chroot(&self) -> &[u8] {
        &self.chroot
    }

    /// Where the log of this handle goes.
    pub fn log(&self) -> Option<LogFn> {
        *locked(&self.log)
    }

    /// `zoo_set_log_callback`.
    pub fn set_log(&self, log: Option<LogFn>) {
        *locked(&self.log) = log;
    }

    /// The default watcher, with the context of now.
    pub fn default_watcher(&self) -> Watcher {
        Watcher { function: *locked(&self.watcher), context: self.context() }
    }

    /// Another default watcher; returns the old one.
    pub fn set_watcher(&self, watcher: WatcherFn) -> WatcherFn {
        std::mem::replace(&mut *locked(&self.watcher), watcher)
    }

    /// What watchers are given.
    pub fn context(&self) -> *mut c_void {
        self.context.load(Ordering::Acquire)
    }

    /// `zoo_set_context`.
    pub fn set_context(&self, context: *mut c_void) {
        self.context.store(context, Ordering::Release);
    }

    /// The state by Apache's numbers.
    pub fn state(&self) -> c_int {
        match self.core().with(|session| session.state()) {
            State::Closed => abi::state::DISCONNECTED,
            state => state as c_int,
        }
    }

    /// Whether this process is not the one that made the handle.
    pub fn is_foreign(&self) -> bool {
        self.forks != FORKS.load(Ordering::Relaxed)
    }

    /// Whether this thread runs a callback of the handle.
    pub fn in_callback(&self) -> bool {
        match &self.engine {
            Engine::Threads { lane, .. } => lane.is_current(),
            Engine::Loop(turn) => turn.running.load(Ordering::Relaxed),
        }
    }

    /// The session's id and password, in a place that stays as long as the handle.
    pub fn client_id(&self) -> *const ClientId {
        if !self.is_foreign() {
            let identity = self.core().with(|session| session.identity().clone());
            for (to, from) in self.id.password.iter().zip(&identity.password) {
                to.store(*from, Ordering::Relaxed);
            }
            self.id.id.store(identity.id, Ordering::Relaxed);
        }
        std::ptr::from_ref(&self.id).cast()
    }

    /// Another list of servers.
    pub fn set_servers(&self, text: &[u8]) -> c_int {
        if text.contains(&b'/') {
            return rc::BAD_ARGUMENTS;
        }
        let Some((servers, _)) = paths::servers(text) else { return rc::BAD_ARGUMENTS };
        if servers.is_empty() {
            return rc::BAD_ARGUMENTS;
        }
        let hosts = open::hosts(servers);
        let Some(addresses) = open::look_up(&hosts) else {
            super::memory::set_errno(libc::ENOENT);
            return rc::SYSTEM_ERROR;
        };
        self.core().set_hosts(hosts, Some(addresses));
        rc::OK
    }

    /// Forgets watches of that kind (`ZooWatcherType`).
    pub fn forget(&self, unwatch: &Unwatch) {
        self.core().change(|_, session| {
            for kind in kinds(unwatch.kind) {
                session.watches_mut().forget(kind, &unwatch.path, unwatch.watcher.as_ref());
            }
        });
    }

    /// Whether there is such a watch.
    pub fn has_watch(&self, unwatch: &Unwatch) -> bool {
        self.core().with(|session| {
            let watcher = unwatch.watcher.as_ref();
            kinds(unwatch.kind).any(|kind| session.watches().holds(kind, &unwatch.path, watcher))
        })
    }

    /// Writes a line of the log.
    pub fn say(&self, level: c_int, line: u32, function: &'static str, text: String) {
        log::write_all(self.log(), vec![Line { level, line, function, text }]);
    }

    /// Takes what the core has to tell: waiting callers are told at once, callbacks later.
    fn deliver(self: &Arc<Zoo>, bytes: &[u8], outcomes: &mut Vec<Outcome<Done, Watcher>>) {
        let mut jobs = Vec::new();
        let mut closed = false;
        for outcome in outcomes.drain(..) {
            match outcome {
                Outcome::Reply { done, code, body, .. } => {
                    jobs.extend(self.answer(done, code.0, &bytes[body]));
                }
                Outcome::Failed { done, error } => {
                    jobs.extend(self.answer(done, error.code().0, &[]));
                }
                Outcome::Event { watchers, kind, state, path, .. } => {
                    let path = paths::strip(&self.chroot, path.as_bytes());
                    let path = CString::new(path).unwrap_or_default();
                    jobs.push(Job::Event { kind, state, path, watchers });
                }
                Outcome::State { state, watchers } => {
                    jobs.extend(self.session_event(state, watchers));
                }
                Outcome::Closed { .. } => closed = true,
            }
        }
        match &self.engine {
            Engine::Threads { lane, .. } => {
                if !jobs.is_empty() {
                    let zoo = self.clone();
                    lane.push(Box::new(move || zoo.run(jobs)));
                }
                if closed {
                    let zoo = self.clone();
                    lane.push(Box::new(move || zoo.ended()));
                }
            }
            Engine::Loop(turn) => {
                turn.came.fetch_or(!jobs.is_empty(), Ordering::Relaxed);
                turn.ended.fetch_or(closed, Ordering::Relaxed);
                locked(&turn.jobs).extend(jobs);
            }
        }
    }

    fn answer(&self, done: Done, rc: c_int, body: &[u8]) -> Option<Job> {
        if let Some(unwatch) = done.unwatch.filter(|_| rc == rc::OK) {
            self.forget(&unwatch);
        }
        match done.completion {
            Completion::Sync(slot) => {
                slot.set(rc, body);
                None
            }
            Completion::Call(call) => Some(Job::Done { call, rc, body: body.to_vec() }),
        }
    }

    fn session_event(&self, state: State, mut watchers: Vec<Watcher>) -> Option<Job> {
        if state == State::Closed {
            return None;
        }
        self.log_state(state);
        if let Engine::Loop(turn) = &self.engine {
            turn.lost.fetch_or(state == State::Connecting, Ordering::Relaxed);
        }
        let default = self.default_watcher();
        watchers.retain(|watcher| *watcher != default);
        watchers.push(default);
        let (kind, state) = (abi::SESSION_EVENT, state as c_int);
        Some(Job::Event { kind, state, path: CString::default(), watchers })
    }

    fn log_state(&self, state: State) {
        let level = if state == State::Connecting { log::ERROR } else { log::INFO };
        if !log::enabled(level) {
            return;
        }
        let (id, timeout_ms, address) = self
            .core()
            .with(|session| (session.identity().id, session.timeout_ms(), session.address()));
        let server = address.map_or("none".to_owned(), |address| address.to_string());
        let text = match state {
            State::Connected | State::ReadOnly => format!(
                "session establishment complete on server {server}, sessionId={id:#x}, \
                 negotiated timeout={timeout_ms}"
            ),
            State::Connecting => "connection to the server is lost".to_owned(),
            state => format!("session {id:#x}: {state}"),
        };
        self.say(level, line!(), "check_events", text);
    }

    /// Calls a completion without an answer of the server, behind what is due.
    pub fn call_later(self: &Arc<Zoo>, shape: Shape, data: *const c_void) {
        let job = Job::Done { call: Call { shape, data }, rc: rc::OK, body: Vec::new() };
        match &self.engine {
            Engine::Threads { lane, .. } => {
                let zoo = self.clone();
                lane.push(Box::new(move || zoo.run(vec![job])));
            }
            Engine::Loop(turn) => {
                locked(&turn.jobs).push_back(job);
                // The next round comes at once.
                self.core().change(|_, _| ());
            }
        }
    }

    /// Calls the program.
    fn run(&self, jobs: Vec<Job>) {
        for job in jobs {
            calls::deliver(self, job);
        }
        self.core().flush();
    }

    /// The last job of a handle with threads.
    fn ended(self: Arc<Zoo>) {
        let waiting = locked(&self.end).take();
        match waiting {
            Some(slot) => {
                drop(self);
                slot.set(rc::OK, &[]);
            }
            // It was closed in a callback: nobody waits, and the program's count is ours.
            None => Zoo::release(Arc::as_ptr(&self)),
        }
    }

    /// `zookeeper_close`.
    pub fn close(at: *const Zoo) -> c_int {
        let Some(zoo) = Zoo::enter(at) else { return rc::BAD_ARGUMENTS };
        if zoo.closing.swap(true, Ordering::AcqRel) {
            return rc::INVALID_STATE;
        }
        if zoo.is_foreign() {
            zoo.core().disown();
            Zoo::release(at);
            return rc::OK;
        }
        if log::enabled(log::DEBUG) {
            let id = zoo.core().with(|session| session.identity().id);
            zoo.say(log::DEBUG, line!(), "zookeeper_close", format!("Closing session {id:#x}"));
        }
        match &zoo.engine {
            Engine::Threads { .. } if zoo.in_callback() => zoo.end_session(),
            Engine::Threads { .. } => {
                let slot = Arc::new(Slot::default());
                *locked(&zoo.end) = Some(slot.clone());
                zoo.end_session();
                drop(zoo);
                slot.wait();
                Zoo::release(at);
            }
            Engine::Loop(_) if zoo.in_callback() => {}
            Engine::Loop(_) => zoo.end_loop(),
        }
        rc::OK
    }

    /// Tells everybody who waits that it is over, and the server.
    fn end_session(&self) {
        self.core().change(|now_ms, session| {
            session.abandon(&Error::Closing);
            // Only one close comes here, so the session takes it.
            let _ = session.close(now_ms, CLOSE_WAIT_MS, None);
        });
    }

    /// Ends a handle without threads; callbacks that are due are called first.
    fn end_loop(&self) {
        let Engine::Loop(turn) = &self.engine else { return };
        self.end_session();
        let until = std::time::Instant::now() + std::time::Duration::from_millis(CLOSE_WAIT_MS);
        while !turn.ended.load(Ordering::Relaxed) && std::time::Instant::now() < until {
            if locked(&turn.reactor).turn(100).is_err() {
                break;
            }
            self.drain(turn);
        }
        self.drain(turn);
        Zoo::release(self);
    }

    /// Calls what is due, in the program's loop.
    fn drain(&self, turn: &Loop) {
        if turn.running.swap(true, Ordering::Relaxed) {
            return;
        }
        loop {
            let job = locked(&turn.jobs).pop_front();
            let Some(job) = job else { break };
            calls::deliver(self, job);
        }
        turn.running.store(false, Ordering::Relaxed);
        self.core().flush();
    }

    /// A round of a handle without threads: its descriptor, when the next round is due in ms, and
    /// what came of this one. `None` for a handle with threads, whose rounds are not the program's.
    pub fn turn(&self) -> Option<(c_int, u64, c_int)> {
        let Engine::Loop(turn) = &self.engine else { return None };
        turn.came.store(false, Ordering::Relaxed);
        turn.lost.store(false, Ordering::Relaxed);
        let mut reactor = locked(&turn.reactor);
        let failed = reactor.turn(0).is_err();
        drop(reactor);
        self.drain(turn);
        if self.closing.load(Ordering::Acquire) && !turn.ended.load(Ordering::Relaxed) {
            // A callback has closed the handle; what called it is the last user.
            self.end_loop();
            return Some((-1, 0, rc::OK));
        }
        let mut reactor = locked(&turn.reactor);
        let wait_ms = reactor.deadline_ms().saturating_sub(crate::clock::now_ms());
        let result = match self.state() {
            state if state < 0 => rc::INVALID_STATE,
            _ if failed => rc::SYSTEM_ERROR,
            _ if turn.lost.load(Ordering::Relaxed) => rc::CONNECTION_LOSS,
            _ if turn.came.load(Ordering::Relaxed) => rc::OK,
            _ => rc::NOTHING,
        };
        Some((reactor.fd(), wait_ms, result))
    }
}

impl Engine {
    fn new(threaded: bool) -> Result<(Engine, Arc<crate::reactor::Shared>), c_int> {
        if threaded {
            let lease = Lease::take().map_err(|error| match error {
                Error::Io { errno, .. } if errno != 0 => errno,
                _ => libc::EAGAIN,
            })?;
            let (lane, shared) = (lease.dispatch.lane(), lease.shared.clone());
            return Ok((Engine::Threads { lane, _lease: lease }, shared));
        }
        let reactor = Reactor::new().map_err(|e| e.raw_os_error().unwrap_or(libc::EMFILE))?;
        let shared = reactor.shared();
        let turn = Loop {
            reactor: Mutex::new(reactor),
            jobs: Mutex::default(),
            running: Arc::default(),
            came: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        };
        Ok((Engine::Loop(turn), shared))
    }
}

fn kinds(kind: c_int) -> impl Iterator<Item = WatchKind> {
    const CHILD: c_int = 1;
    const DATA: c_int = 2;
    let kinds = [(DATA, WatchKind::Data), (DATA, WatchKind::Exist), (CHILD, WatchKind::Children)];
    kinds.into_iter().filter(move |(bit, _)| kind & bit != 0).map(|(_, kind)| kind)
}
