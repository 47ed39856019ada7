//! The API of Rust: a handle that any thread may use, with blocking calls and with completions.
//!
//! Clones share one session; when the last one is dropped the session is closed in the background.
//! Paths are checked and the chroot is put before them here; what a path means, the server says.
//! Callbacks run one at a time and in order, on the library's thread for them; a blocking call
//! inside one is refused, because it would hold up all others.

mod kind;
mod settings;

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use zk_wire::Op;
use zk_wire::header::ReplyHeader;

use crate::call::{Call, Encode, join};
use crate::clock;
use crate::dispatch::{self, Lane};
use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::hosts::ConnectString;
use crate::session::{Config, Counters, Extra, Identity, Ticket};
use crate::state::State;
use crate::sync::{Condvar, Mutex};
use crate::worker::Lease;
pub use kind::{Answer, ClientKind, Done, Wait};
use kind::{Then, Waited, locked, wait};
pub use settings::{Settings, Watcher};

/// Longest wait for the server's goodbye when a session is closed, in ms.
pub const CLOSE_WAIT_MS: u64 = 3000;

/// A session with a ZooKeeper-compatible ensemble.
#[derive(Clone)]
pub struct Client {
    shared: Arc<ClientShared>,
}

struct ClientShared {
    handle: Arc<Handle<ClientKind>>,
    call_timeout_ms: u64,
    process: u32,
}

/// A client that does not keep the session open.
#[derive(Clone)]
pub struct WeakClient(Weak<ClientShared>);

impl WeakClient {
    /// Where the session stands; closed when the client is gone.
    pub fn state(&self) -> State {
        let shared = self.0.upgrade();
        shared.map_or(State::Closed, |shared| shared.handle.with(|session| session.state()))
    }
}

impl Client {
    /// The same client, without keeping the session open.
    pub fn downgrade(self) -> WeakClient {
        WeakClient(Arc::downgrade(&self.shared))
    }

    /// How long a call waits for its answer, in ms; 0 for as long as it takes.
    pub fn call_timeout_ms(&self) -> u64 {
        self.shared.call_timeout_ms
    }

    /// Opens a session without waiting for it: calls may be made at once. Fails only when the
    /// settings are wrong or the threads cannot be started.
    pub fn open(settings: Settings) -> Result<Client> {
        let lease = Lease::take()?;
        let (shared, lane) = (lease.shared.clone(), Some(lease.dispatch.lane()));
        Client::on(settings, shared, lane, Some(lease))
    }

    /// Opens a session on a given reactor.
    pub(crate) fn on(
        settings: Settings,
        reactor: Arc<crate::reactor::Shared>,
        lane: Option<Arc<Lane>>,
        lease: Option<Lease>,
    ) -> Result<Client> {
        let ConnectString { hosts, chroot } = ConnectString::parse(&settings.servers)?;
        if settings.session_timeout_ms < 1 {
            let why = format!("{} ms; give 1 or more", settings.session_timeout_ms);
            return Err(Error::argument("session_timeout_ms", why));
        }
        if settings.identity.password.len() != zk_wire::connect::PASSWORD_BYTES {
            let why = format!("a password of {} bytes, not 16", settings.identity.password.len());
            return Err(Error::argument("identity", why));
        }
        let config = Config {
            timeout_ms: settings.session_timeout_ms,
            identity: settings.identity,
            read_only: settings.read_only,
            recreate: settings.recreate,
            shuffle: settings.shuffle,
            seed: clock::seed(),
            pending_max: settings.pending_max,
            queued_bytes_max: settings.queued_bytes_max,
            ..Config::default()
        };
        let kind = ClientKind {
            chroot,
            watcher: settings.watcher,
            lane,
            lease: Mutex::new(lease),
            state: Mutex::new(State::NotConnected),
            state_changed: Condvar::new(),
            handle: OnceLock::new(),
        };
        let handle = Handle::prepare(reactor, config, hosts, None, kind);
        // It is empty: the handle is new.
        let _ = handle.kind.handle.set(Arc::downgrade(&handle));
        handle.begin();
        let (call_timeout_ms, process) = (settings.call_timeout_ms, std::process::id());
        Ok(Client { shared: Arc::new(ClientShared { handle, call_timeout_ms, process }) })
    }

    /// Opens a session and waits until it stands, for at most the call timeout.
    pub fn connect(settings: Settings) -> Result<Client> {
        let client = Client::open(settings)?;
        client.wait_connected(client.shared.call_timeout_ms)?;
        Ok(client)
    }

    /// Waits until the session stands, for at most so many ms; 0 for as long as it takes.
    pub fn wait_connected(&self, wait_ms: u64) -> Result<()> {
        self.may_block()?;
        let until = deadline(wait_ms);
        let kind = &self.shared.handle.kind;
        let mut state = locked(&kind.state);
        loop {
            match *state {
                State::Connected | State::ReadOnly => return Ok(()),
                // A session that is made anew goes on from there.
                State::Expired | State::AuthFailed | State::Closed => {
                    drop(state);
                    self.shared.handle.with(|session| session.usable())?;
                    state = locked(&kind.state);
                }
                _ => {}
            }
            state = match wait(&kind.state_changed, state, until) {
                Some(state) => state,
                None => {
                    return Err(Error::Timeout { waited_ms: wait_ms, maybe_executed: false });
                }
            };
        }
    }

    fn same_process(&self) -> Result<()> {
        match self.shared.process == std::process::id() {
            true => Ok(()),
            false => Err(Error::Forked),
        }
    }

    fn may_block(&self) -> Result<()> {
        self.same_process()?;
        match dispatch::in_callback() || self.shared.handle.kind.lane.is_none() {
            true => Err(Error::InCallback),
            false => Ok(()),
        }
    }

    /// Where the session stands at this moment.
    pub fn state(&self) -> State {
        self.shared.handle.with(|session| session.state())
    }

    /// What a reattach needs, in this process or another.
    pub fn identity(&self) -> Identity {
        self.shared.handle.with(|session| session.identity().clone())
    }

    /// The timeout that was asked for, or once connected the one that was granted, in ms.
    pub fn session_timeout_ms(&self) -> i32 {
        self.shared.handle.with(|session| session.timeout_ms())
    }

    /// The server that is connected or being connected.
    pub fn server(&self) -> Option<SocketAddr> {
        self.shared.handle.with(|session| session.address())
    }

    /// What was done so far.
    pub fn counters(&self) -> Counters {
        self.shared.handle.with(|session| session.counters())
    }

    /// Calls without an answer.
    pub fn outstanding(&self) -> usize {
        self.shared.handle.with(|session| session.outstanding())
    }

    /// The path that stands before every path of this client; empty without one.
    pub fn chroot(&self) -> &str {
        &self.shared.handle.kind.chroot
    }

    /// Takes another list of servers, without a chroot. The client moves with the probability that
    /// balances the servers.
    pub fn set_servers(&self, servers: &str) -> Result<()> {
        self.same_process()?;
        let parsed = ConnectString::parse(servers)?;
        if !parsed.chroot.is_empty() {
            return Err(Error::argument("servers", "a chroot cannot be changed; leave it out"));
        }
        self.shared.handle.set_hosts(parsed.hosts, None);
        Ok(())
    }

    /// The path as the server knows it. `what` is checked as it would be after a server has put a
    /// number behind it when `sequential`.
    pub(crate) fn full<'a>(&self, path: &'a str, sequential: bool) -> Result<Cow<'a, str>> {
        let checked = match sequential {
            true => zk_wire::path::check(&format!("{path}1")),
            false => zk_wire::path::check(path),
        };
        checked.map_err(|why| Error::argument("path", format!("{path:?}: {why}")))?;
        Ok(join(self.chroot(), path))
    }

    fn submit<R, E: Encode>(
        &self,
        call: Call<'_, R, E>,
        watcher: Option<Watcher>,
        deadline_ms: u64,
        done: Done,
    ) -> Result<Ticket> {
        self.same_process()?;
        let path = match call.path {
            Some(path) if call.absolute => Cow::Borrowed(path),
            Some(path) => self.full(path, call.sequential)?,
            None => Cow::Borrowed(""),
        };
        let watch = match (call.wish, watcher) {
            (Some(wish), Some(watcher)) => Some(Box::new((wish, path.to_string(), watcher))),
            _ => None,
        };
        let extra = Extra { deadline_ms, watch };
        let chroot = self.chroot();
        let encode = call.encode;
        let body = |out: &mut Vec<u8>| encode(out, &path, chroot);
        self.shared.handle.submit(call.op, body, extra, done).map_err(|(error, _)| error)
    }

    fn watcher_of(&self, watch: bool) -> Option<Watcher> {
        // A watch that nobody looks at is left all the same, as the caller asked for.
        watch.then(|| self.shared.handle.kind.watcher.clone().unwrap_or_else(nobody))
    }

    /// Makes a call and waits for its answer.
    pub fn run<R, E: Encode>(&self, call: Call<'_, R, E>) -> Result<R> {
        let watcher = self.watcher_of(call.watches);
        self.run_watching(call, watcher)
    }

    /// Makes a call that leaves a watch with a watcher of its own, and waits for its answer.
    pub fn run_watching<R, E: Encode>(
        &self,
        call: Call<'_, R, E>,
        watcher: Option<Watcher>,
    ) -> Result<R> {
        self.run_with(call, watcher, self.shared.call_timeout_ms)
    }

    /// As `run_watching`, with a time limit of its own (0 for none).
    pub fn run_with<R, E: Encode>(
        &self,
        call: Call<'_, R, E>,
        watcher: Option<Watcher>,
        timeout_ms: u64,
    ) -> Result<R> {
        let decode = call.decode;
        let submit = |wait| self.submit(call, watcher, u64::MAX, wait);
        let (zxid, code, body) = self.wait_for(timeout_ms, submit)?;
        decode(Answer { zxid, code, body: &body }.ok()?, self.chroot())
    }

    /// Makes a call whose answer `then` gets, on the library's thread for callbacks. On an error
    /// nothing was sent and `then` is not called; else it is called exactly once.
    pub fn start<R: 'static, E: Encode>(
        &self,
        call: Call<'_, R, E>,
        then: impl FnOnce(Result<R>) + Send + 'static,
    ) -> Result<Ticket> {
        let watcher = self.watcher_of(call.watches);
        self.start_with(call, watcher, self.shared.call_timeout_ms, then)
    }

    /// As `start`, with a watcher and a time limit of its own (0 for none).
    pub fn start_with<R: 'static, E: Encode>(
        &self,
        call: Call<'_, R, E>,
        watcher: Option<Watcher>,
        timeout_ms: u64,
        then: impl FnOnce(Result<R>) + Send + 'static,
    ) -> Result<Ticket> {
        let decode = call.decode;
        let deadline_ms = match timeout_ms {
            0 => u64::MAX,
            ms => clock::now_ms().saturating_add(ms),
        };
        // The chroot of a handle never changes, and without one there is nothing to keep.
        let chroot: Box<str> = self.chroot().into();
        let done = Done::Then(Box::new(move |answer: Result<Answer<'_>>| {
            then(answer.and_then(Answer::ok).and_then(|body| decode(body, &chroot)));
        }));
        self.submit(call, watcher, deadline_ms, done)
    }

    /// Waits for what `submit` has sent off, and gives it up when the time is over.
    fn wait_for(&self, waited_ms: u64, submit: impl FnOnce(Done) -> Result<Ticket>) -> Waited {
        self.may_block()?;
        let wait = Arc::new(Wait::default());
        let ticket = submit(Done::Wait(wait.clone()))?;
        if let Some(answer) = wait.take(deadline(waited_ms)) {
            return answer;
        }
        self.shared.handle.cancel(ticket);
        // The answer was quicker, or the cancellation is.
        match wait.take(None).expect("without a limit it waits until there is one") {
            Err(Error::Cancelled { maybe_executed }) => {
                Err(Error::Timeout { waited_ms, maybe_executed })
            }
            answer => answer,
        }
    }

    /// Gives up a call that was started: its completion is called with `Error::Cancelled`, unless
    /// the answer was quicker, which is what false says.
    pub fn cancel(&self, ticket: Ticket) -> Result<bool> {
        self.same_process()?;
        Ok(self.shared.handle.cancel(ticket))
    }

    /// Sends any operation with any record, and waits for header and record of its answer,
    /// whatever the header says. No chroot is applied.
    pub fn raw(&self, op: Op, body: impl FnOnce(&mut Vec<u8>)) -> Result<(ReplyHeader, Vec<u8>)> {
        let answer = self.wait_for(self.shared.call_timeout_ms, |done| {
            let submitted = self.shared.handle.submit(op, body, Extra::default(), done);
            submitted.map_err(|(error, _)| error)
        });
        answer.map(|(zxid, code, body)| (ReplyHeader { xid: 0, zxid, code }, body))
    }

    /// Adds an identity for this session, for `digest` by `user:password`, and waits for the
    /// server's answer. It is sent anew on every connection. A refusal ends the session.
    pub fn auth(&self, scheme: &str, auth: &[u8]) -> Result<()> {
        self.may_block()?;
        let wait = Arc::new(Wait::default());
        self.add_auth(scheme, auth, Some(Done::Wait(wait.clone())))?;
        match wait.take(deadline(self.shared.call_timeout_ms)) {
            Some(answer) => answer.map(|_| ()),
            None => {
                let waited_ms = self.shared.call_timeout_ms;
                Err(Error::Timeout { waited_ms, maybe_executed: true })
            }
        }
    }

    /// As `auth`, with a completion.
    pub fn start_auth(
        &self,
        scheme: &str,
        auth: &[u8],
        then: impl FnOnce(Result<()>) + Send + 'static,
    ) -> Result<()> {
        let then: Then = Box::new(move |answer| then(answer.and_then(Answer::ok).map(|_| ())));
        self.add_auth(scheme, auth, Some(Done::Then(then)))
    }

    fn add_auth(&self, scheme: &str, auth: &[u8], done: Option<Done>) -> Result<()> {
        self.same_process()?;
        let added =
            self.shared.handle.change(|now, session| session.add_auth(now, scheme, auth, done));
        added.map_err(|(error, _)| error)
    }

    /// The watches of this client, to be looked at or changed without the server.
    pub(crate) fn handle(&self) -> &Arc<Handle<ClientKind>> {
        &self.shared.handle
    }

    /// Ends the session: its ephemerals and watches go. Calls before it are answered first. Waits
    /// until the server has confirmed it, at most three seconds, and until all callbacks are done;
    /// inside a callback it does not wait. Every clone is closed with it; a second close is an
    /// error.
    pub fn close(&self) -> Result<()> {
        if let Err(error) = self.same_process() {
            self.shared.handle.disown();
            return Err(error);
        }
        if self.may_block().is_err() {
            return self.start_close(|| ());
        }
        let wait = Arc::new(Wait::default());
        let done = Some(Done::Wait(wait.clone()));
        self.shared.handle.change(|now, session| session.close(now, CLOSE_WAIT_MS, done))?;
        let answer = wait.take(None).expect("without a limit it waits until there is one");
        self.shared.handle.kind.give_back();
        answer.map(|_| ())
    }

    /// As `close`, without waiting; `then` is the last callback.
    pub fn start_close(&self, then: impl FnOnce() + Send + 'static) -> Result<()> {
        self.same_process()?;
        let done = Some(Done::Then(Box::new(move |_| then())));
        self.shared.handle.change(|now, session| session.close(now, CLOSE_WAIT_MS, done))
    }
}

impl Drop for ClientShared {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            self.handle.disown();
            return;
        }
        // An error says that it is closed already.
        let _ = self.handle.change(|now, session| session.close(now, CLOSE_WAIT_MS, None));
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.state())
    }
}

fn deadline(wait_ms: u64) -> Option<Instant> {
    (wait_ms > 0).then(|| Instant::now() + Duration::from_millis(wait_ms))
}

fn nobody() -> Watcher {
    static NOBODY: OnceLock<Watcher> = OnceLock::new();
    NOBODY.get_or_init(|| Watcher::new(|_| ())).clone()
}
