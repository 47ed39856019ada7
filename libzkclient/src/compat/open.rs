//! What a new handle is made of: settings, servers, and what it says of itself.

use std::ffi::{c_int, c_void};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use zk_wire::Zxid;

use super::abi::{self, ClientId, LogFn, WatcherFn};
use super::log::{self, Line};
use crate::hosts::HostPort;
use crate::resolver;
use crate::session::{Config, Identity};

/// Most requests without an answer, and most bytes of those that are not sent: Apache's client has
/// no bound and ends with its memory.
const PENDING_MAX: usize = 16 << 20;
const QUEUED_BYTES_MAX: usize = 1 << 30;

/// `zoo_deterministic_conn_order`.
pub static IN_ORDER: AtomicBool = AtomicBool::new(false);

/// What `zookeeper_init` is given.
pub struct Settings<'a> {
    /// Whether the library has threads.
    pub threaded: bool,
    /// The connection string.
    pub host: Option<&'a [u8]>,
    /// The default watcher.
    pub watcher: Option<WatcherFn>,
    /// The session timeout to ask for, in ms.
    pub timeout_ms: c_int,
    /// A session to take over.
    pub id: Option<ClientId>,
    /// What watchers are given.
    pub context: *mut c_void,
    /// `ZOO_READONLY` and others.
    pub flags: c_int,
    /// The log of this handle.
    pub log: Option<LogFn>,
}

/// How the session behaves.
pub fn config(settings: &Settings<'_>) -> Config {
    let identity = match settings.id {
        None => Identity::new(),
        Some(id) => {
            Identity { id: id.client_id, password: id.passwd.to_vec(), last_zxid: Zxid::ZERO }
        }
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap_or_default();
    Config {
        timeout_ms: settings.timeout_ms,
        identity,
        read_only: settings.flags & abi::FLAG_READ_ONLY != 0,
        fail_unsent: true,
        shuffle: !IN_ORDER.load(Ordering::Relaxed),
        seed: crate::clock::seed(),
        pending_max: PENDING_MAX,
        queued_bytes_max: QUEUED_BYTES_MAX,
        first_xid: now.as_secs() as i32 & i32::MAX,
        ..Config::default()
    }
}

/// Servers as the core wants them.
pub fn hosts(servers: Vec<(String, u16)>) -> Vec<HostPort> {
    servers.into_iter().map(|(host, port)| HostPort { host, port }).collect()
}

/// The addresses; `None` when there are servers and not one of them is known.
pub fn look_up(hosts: &[HostPort]) -> Option<Vec<SocketAddr>> {
    let addresses = resolver::without_look_up(hosts).unwrap_or_else(|| resolver::look_up(hosts));
    (hosts.is_empty() || !addresses.is_empty()).then_some(addresses)
}

/// What a new handle says of its host and of itself.
pub fn say_hello(settings: &Settings<'_>, host: &[u8]) {
    if !log::enabled(log::INFO) {
        return;
    }
    let mut lines = Vec::new();
    let mut say = |function, text| {
        lines.push(Line { level: log::INFO, line: line!(), function, text });
    };
    if settings.flags & abi::FLAG_NO_LOG_CLIENTENV == 0 {
        log::environment().iter().for_each(|text| say("log_env", text.clone()));
    }
    let id = settings.id.map_or(0, |id| id.client_id);
    let password = if settings.id.is_some() { "<hidden>" } else { "<null>" };
    let watcher = settings.watcher.map_or(0, |watcher| watcher as usize);
    let host = String::from_utf8_lossy(host);
    say(
        "zookeeper_init_internal",
        format!(
            "Initiating client connection, host={host} sessionTimeout={} watcher={watcher:#x} \
             sessionId={id:#x} sessionPasswd={password} context={:p} flags={}",
            settings.timeout_ms, settings.context, settings.flags
        ),
    );
    log::write_all(settings.log, lines);
}
