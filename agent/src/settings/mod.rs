//! What the operator wants: Apache's `zoo.cfg`, checked once, before anything else is touched.
//!
//! May read files and the environment; never writes, never opens a socket. A key either does what
//! it does in Apache's server, or is named in a warning with the reason, or is refused with file,
//! line and remedy.

pub mod properties;
pub mod words;
pub mod digest;
pub mod keys;
pub mod servers;
pub mod given;
pub mod files;
pub mod credentials;
pub mod own_id;
pub mod ensemble;
pub mod load;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use zk_core::{Config, EnsembleConfig, LocalSessions};

pub use given::{Refusal, Warning};
pub use load::{Source, load};
pub use words::{Whitelist, Word};

/// Everything that can be set, with Apache's defaults filled in.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file they came from, if any.
    pub file: Option<PathBuf>,
    /// Whether the servers of an ensemble stand in it, and not in a dynamic file.
    pub lists_servers: bool,
    /// Where snapshots are (`version-2` below it holds Apache's).
    pub data_dir: PathBuf,
    /// Where the log is; the same as `data_dir` unless set.
    pub log_dir: PathBuf,
    /// Where clients connect.
    pub client_address: SocketAddr,
    /// Length of the accept queue; `None` for the largest that the kernel has.
    pub backlog: Option<i32>,
    /// What clients may cost.
    pub limits: ClientLimits,
    /// What to do with the disk.
    pub disk: DiskSettings,
    /// Connection throttle; off when its bucket has no tokens.
    pub throttle: ThrottleSettings,
    /// Which four-letter words are answered.
    pub whitelist: Whitelist,
    /// How much to log.
    pub log_level: log::LevelFilter,
    /// How to reach and be reached by the other servers; `None` for a server that is alone.
    pub peers: Option<PeerSettings>,
    /// Everything the core is told. `seed` is still 0: chance isn't read from files.
    pub core: Config,
    /// What the operator should know.
    pub warnings: Vec<Warning>,
}

/// A server's place in its ensemble.
#[derive(Clone, Debug)]
pub struct EnsembleSettings {
    /// What the core is told.
    pub core: EnsembleConfig,
    /// What the sockets are told.
    pub peers: PeerSettings,
    /// Where clients connect by this server's line; an empty host is any.
    pub client: Option<(String, u16)>,
}

/// How to reach and be reached by the other servers.
#[derive(Clone, Debug)]
pub struct PeerSettings {
    /// Hosts and ports of this server for votes.
    pub election: Vec<(String, u16)>,
    /// Hosts and ports of this server for proposals.
    pub quorum: Vec<(String, u16)>,
    /// Listen on all addresses of this machine and not only on those.
    pub listen_on_all: bool,
    /// Attempts to bind a port, a second apart; `None` for no end of them.
    pub bind_attempts: Option<u32>,
    /// Time to connect, all addresses of a server together, in ms.
    pub connect_timeout_ms: i64,
    /// Whether the kernel probes silent connections.
    pub tcp_keepalive: bool,
}

/// What clients may cost.
#[derive(Clone, Debug)]
pub struct ClientLimits {
    /// Connections from one address at most; 0 for no limit.
    pub connections_per_ip_max: u32,
    /// Connections at most; 0 for no limit.
    pub connections_max: u32,
    /// Time to send a whole ConnectRequest, in ms.
    pub handshake_ms: i64,
    /// Largest request body in bytes.
    pub request_bytes_max: usize,
    /// Size in bytes above which a request counts as large; `None` for never.
    pub large_request_bytes: Option<usize>,
    /// Bytes of large requests that may be on their way at the same time.
    pub large_requests_bytes_max: usize,
    /// Whether the kernel probes silent connections.
    pub tcp_keepalive: bool,
}

/// What to do with the disk.
#[derive(Clone, Debug)]
pub struct DiskSettings {
    /// Whether txns are synced before they are acknowledged.
    pub sync: bool,
    /// Duration of a sync in ms above which it is logged.
    pub sync_warning_ms: i64,
    /// Snapshots to keep; `None` for all.
    pub snapshots_kept: Option<u32>,
    /// Whether missing directories are made.
    pub create_directories: bool,
}

/// The token bucket in front of handshakes (Apache's "BlueThrottle").
#[derive(Clone, Debug)]
pub struct ThrottleSettings {
    /// Size of the bucket; 0 for no throttle.
    pub tokens: i64,
    /// Length of a fill step in ms.
    pub fill_ms: i64,
    /// Tokens per fill step.
    pub fill_count: i64,
    /// Time between updates of the drop probability in ms; -1 for no random drops.
    pub freeze_ms: i64,
    /// Added to the drop probability when the bucket is empty.
    pub drop_increase: f64,
    /// Subtracted from it when the bucket is full enough.
    pub drop_decrease: f64,
    /// Share of used tokens that still counts as full enough.
    pub decrease_ratio: f64,
    /// Cost of a new session in tokens.
    pub new_weight: i64,
    /// Cost of renewing a session in tokens.
    pub renew_weight: i64,
}

impl fmt::Display for Settings {
    /// The effective settings, one `key=value` a line, in the file's own words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (core, limits, disk) = (&self.core, &self.limits, &self.disk);
        writeln!(f, "dataDir={}", self.data_dir.display())?;
        writeln!(f, "dataLogDir={}", self.log_dir.display())?;
        writeln!(f, "clientPortAddress={}", self.client_address.ip())?;
        writeln!(f, "clientPort={}", self.client_address.port())?;
        writeln!(f, "clientPortListenBacklog={}", self.backlog.unwrap_or(-1))?;
        writeln!(f, "tickTime={}", core.tick_ms)?;
        writeln!(f, "minSessionTimeout={}", core.session_timeout_min_ms)?;
        writeln!(f, "maxSessionTimeout={}", core.session_timeout_max_ms)?;
        writeln!(f, "maxClientCnxns={}", limits.connections_per_ip_max)?;
        writeln!(f, "maxCnxns={}", limits.connections_max)?;
        writeln!(f, "globalOutstandingLimit={}", core.outstanding_max)?;
        writeln!(f, "jute.maxbuffer={}", limits.request_bytes_max)?;
        writeln!(f, "nio.sessionlessCnxnTimeout={}", limits.handshake_ms)?;
        writeln!(f, "snapCount={}", core.snapshot_txns)?;
        writeln!(f, "snapSizeLimitInKb={}", core.snapshot_log_bytes >> 10)?;
        writeln!(f, "fsync.warningthresholdms={}", disk.sync_warning_ms)?;
        writeln!(f, "forceSync={}", if disk.sync { "yes" } else { "no" })?;
        match disk.snapshots_kept {
            Some(count) => writeln!(f, "autopurge.snapRetainCount={count}")?,
            None => writeln!(f, "autopurge.purgeInterval=0")?,
        }
        writeln!(f, "skipACL={}", if core.skip_acl { "yes" } else { "no" })?;
        writeln!(f, "enforceQuota={}", core.enforce_quota)?;
        writeln!(f, "audit.enable={}", core.audit)?;
        writeln!(f, "digest.enabled={}", core.digest_enabled)?;
        writeln!(f, "4lw.commands.whitelist={}", self.whitelist)?;
        if let (Some(ensemble), Some(peers)) = (&core.ensemble, &self.peers) {
            writeln!(f, "reconfigEnabled={}", core.reconfig_enabled)?;
            writeln!(f, "leaderServes={}", if core.leader_serves { "yes" } else { "no" })?;
            let (local, upgraded) = match core.local_sessions {
                LocalSessions::Off => (false, false),
                LocalSessions::On => (true, false),
                LocalSessions::Upgraded => (true, true),
            };
            writeln!(f, "localSessionsEnabled={local}")?;
            writeln!(f, "localSessionsUpgradingEnabled={upgraded}")?;
            writeln!(f, "readonlymode.enabled={}", core.read_only_after_ms.is_some())?;
            write_ensemble(f, ensemble, peers)?;
        }
        writeln!(f, "agent.logLevel={}", self.log_level.as_str().to_ascii_lowercase())
    }
}

fn write_ensemble(
    f: &mut fmt::Formatter<'_>,
    ensemble: &EnsembleConfig,
    peers: &PeerSettings,
) -> fmt::Result {
    let members = &ensemble.members;
    let voters = members.voters().count();
    let observers = members.servers.len() - voters;
    let role = if members.is_voter(ensemble.me) { "a voter" } else { "an observer" };
    let me = ensemble.me;
    writeln!(f, "# server {me}, {role}, of {voters} voters and {observers} observers")?;
    writeln!(f, "initLimit={}", ensemble.init_ticks)?;
    writeln!(f, "syncLimit={}", ensemble.sync_ticks)?;
    writeln!(f, "cnxTimeout={}", peers.connect_timeout_ms)?;
    writeln!(f, "electionPortBindRetry={}", peers.bind_attempts.unwrap_or(0))?;
    writeln!(f, "quorumListenOnAllIPs={}", peers.listen_on_all)?;
    // One voter is an ensemble only then.
    writeln!(f, "standaloneEnabled={}", voters > 1)?;
    let lines = members.text.lines().filter(|line| !line.starts_with("version="));
    lines.into_iter().try_for_each(|line| writeln!(f, "{line}"))
}
