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
pub mod load;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use zk_core::Config;

pub use given::{Refusal, Warning};
pub use load::{Source, load};
pub use words::{Whitelist, Word};

/// Everything that can be set, with Apache's defaults filled in.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file they came from, if any.
    pub file: Option<PathBuf>,
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
    /// Everything the core is told. `seed` is still 0: chance isn't read from files.
    pub core: Config,
    /// What the operator should know.
    pub warnings: Vec<Warning>,
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
        writeln!(f, "agent.logLevel={}", self.log_level.as_str().to_ascii_lowercase())
    }
}
