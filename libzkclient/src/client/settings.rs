//! How a client behaves, and who is told of events.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::session::{Config, Identity};
use crate::state::WatchEvent;

/// How a client behaves. Nothing in it is needed but the servers.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `host[:port][,host[:port]...][/chroot]`.
    pub servers: String,
    /// The session timeout to ask for, in ms, at least 1. The server may grant another.
    pub session_timeout_ms: i32,
    /// How long a call waits for its answer, in ms; 0 for as long as it takes.
    pub call_timeout_ms: u64,
    /// The session to go on with; `Identity::new()` for a new one.
    pub identity: Identity,
    /// Whether a server that has lost the others will do, for reads.
    pub read_only: bool,
    /// Whether a session that has expired is made anew, with its watches and identities but
    /// without its ephemerals. The watcher is told `Expired` and then `Connected`.
    pub recreate: bool,
    /// Whether the servers are tried in an order by chance.
    pub shuffle: bool,
    /// Most calls without an answer.
    pub pending_max: usize,
    /// Most bytes of calls that are not sent yet.
    pub queued_bytes_max: usize,
    /// Who is told of the session's states, and of watches that are left without a watcher of
    /// their own.
    pub watcher: Option<Watcher>,
}

impl Default for Settings {
    fn default() -> Settings {
        let config = Config::default();
        Settings {
            servers: "localhost:2181".to_owned(),
            session_timeout_ms: config.timeout_ms,
            call_timeout_ms: 30_000,
            identity: Identity::new(),
            read_only: false,
            recreate: false,
            shuffle: true,
            pending_max: config.pending_max,
            queued_bytes_max: config.queued_bytes_max,
            watcher: None,
        }
    }
}

/// Who is told of events. Clones are the same watcher; two made of the same function are not.
#[derive(Clone)]
pub struct Watcher(pub(super) Arc<dyn Fn(&WatchEvent) + Send + Sync>);

impl Watcher {
    /// A watcher that calls `told`, on the library's thread for callbacks.
    pub fn new(told: impl Fn(&WatchEvent) + Send + Sync + 'static) -> Watcher {
        Watcher(Arc::new(told))
    }

    fn place(&self) -> usize {
        Arc::as_ptr(&self.0).cast::<()>() as usize
    }
}

impl PartialEq for Watcher {
    fn eq(&self, other: &Watcher) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Watcher {}

impl Hash for Watcher {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.place().hash(state);
    }
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Watcher({:#x})", self.place())
    }
}
