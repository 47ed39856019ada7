//! What the core is told once: limits and switches, checked by `settings` in the shell.

use crate::ids::Cluster;
use crate::members::Members;

/// Turns `user:password` bytes into the base64 text behind `user:` of a digest id.
///
/// A function and not a name, so that the core needs no hash of its own. It must be pure.
pub type PasswordDigest = fn(&[u8]) -> String;

/// Immutable settings of a replica.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bits 63..56 of the ids of new sessions. 1 for a standalone server, as Apache has it.
    pub session_tag: u8,
    /// Seed of everything that must be spread but need not be secret from the operator: hash
    /// tables, the snapshot trigger.
    pub seed: u64,
    /// Milliseconds of a tick: sessions expire in buckets of this width.
    pub tick_ms: i32,
    /// Smallest session timeout that is granted, in ms.
    pub session_timeout_min_ms: i32,
    /// Largest session timeout that is granted, in ms. Wins over the smallest.
    pub session_timeout_max_ms: i32,
    /// Largest request body in bytes (`jute.maxbuffer`).
    pub request_bytes_max: usize,
    /// Requests in flight above which a connection with something outstanding is not read
    /// (`globalOutstandingLimit`).
    pub outstanding_max: usize,
    /// Txns under way at which further requests wait (`request_throttle_max_requests`); 0: off.
    pub throttle_requests_max: usize,
    /// Ms of such a wait above which a request is refused (`throttled_op_wait_time`); 0 for never.
    pub throttled_op_wait_ms: i64,
    /// Whether a request that waited longer than its session's timeout ends its connection
    /// (`request_stale_latency_check`).
    pub throttle_drops_late: bool,
    /// `None` when the digest provider is switched off.
    pub password_digest: Option<PasswordDigest>,
    /// `super:<base64>`: the identity that becomes super user.
    pub super_digest: Option<String>,
    /// `skipACL=yes`: no permission checks at all.
    pub skip_acl: bool,
    /// Whether hard quotas are enforced (`enforceQuota`).
    pub enforce_quota: bool,
    /// Whether `reconfig` is allowed; a standalone server then answers UNIMPLEMENTED.
    pub reconfig_enabled: bool,
    /// Whether one voter stands alone (`standaloneEnabled`); then a reconfig must leave two.
    pub standalone_enabled: bool,
    /// Whether a reconfig may name several addresses of a server (`multiAddress.enabled`).
    pub several_addresses: bool,
    /// Whether txns carry a digest of the tree (`digest.enabled`).
    pub digest_enabled: bool,
    /// Whether closeSession txns list the ephemerals (`closeSessionTxn.enabled`).
    pub close_session_paths: bool,
    /// Names accepted by the `ensemble` scheme; `None` when the provider is not configured.
    pub ensemble_names: Option<Vec<String>>,
    /// Schemes of which a connection must hold one identity (`enforce.auth.schemes`); empty: off.
    pub enforced_schemes: Vec<String>,
    /// Time between two looks for containers and TTL znodes to delete, in ms.
    pub container_check_ms: i64,
    /// Deletions of containers and TTL znodes per minute at most.
    pub container_per_minute_max: u32,
    /// Age in ms at which a container that never had a child goes; 0 for never.
    pub container_never_used_ms: i64,
    /// Txns after which a snapshot is due, between half of this and all of it (`snapCount`).
    pub snapshot_txns: u32,
    /// Bytes of log after which a snapshot is due, between half and all of it; 0 for no limit.
    pub snapshot_log_bytes: u64,
    /// Newest txns that are kept in memory for learners at least, however large they are.
    pub history_txns_min: usize,
    /// Bytes of these above which older ones go.
    pub history_bytes_max: usize,
    /// Bytes that are kept at most while a learner that is being brought up waits for them. They are
    /// sent at once, so that a connection has to have room for them.
    pub history_pinned_bytes_max: usize,
    /// Bytes of log, in thousandths of the database, up to which a learner is brought up from the
    /// log on disk (`snapshotSizeFactor`); 0 for any number, `None` for never.
    pub log_sync_permille: Option<u32>,
    /// Txns of an epoch above which a leader begins the next one.
    pub epoch_txns_max: u32,
    /// The ensemble; `None` for a server that is alone.
    pub ensemble: Option<EnsembleConfig>,
    /// What becomes of new sessions (`localSessionsEnabled`, `localSessionsUpgradingEnabled`).
    pub local_sessions: LocalSessions,
    /// Ms of looking for a leader after which who asks for it is served read-only
    /// (`readonlymode.enabled`); `None` for never. Only in an ensemble.
    pub read_only_after_ms: Option<i64>,
    /// Whether a leader of an ensemble takes clients (`leaderServes`).
    pub leader_serves: bool,
    /// Whether changes are told for the audit log (`audit.enable`).
    pub audit: bool,
    /// Emulate the TTL encoding of 3.5.3 (`emulate353TTLNodes`).
    pub emulate_353_ttl: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            session_tag: 1,
            seed: 0,
            tick_ms: 3000,
            session_timeout_min_ms: 6000,
            session_timeout_max_ms: 60_000,
            request_bytes_max: 0xf_ffff,
            outstanding_max: 1000,
            throttle_requests_max: 0,
            throttled_op_wait_ms: 0,
            throttle_drops_late: false,
            password_digest: None,
            super_digest: None,
            skip_acl: false,
            enforce_quota: false,
            reconfig_enabled: false,
            standalone_enabled: true,
            several_addresses: false,
            digest_enabled: true,
            close_session_paths: true,
            ensemble_names: None,
            enforced_schemes: Vec::new(),
            container_check_ms: 60_000,
            container_per_minute_max: 10_000,
            container_never_used_ms: 300_000,
            snapshot_txns: 100_000,
            snapshot_log_bytes: 4 << 30,
            epoch_txns_max: 0xff00_0000,
            history_txns_min: 500,
            history_bytes_max: 32 << 20,
            history_pinned_bytes_max: 128 << 20,
            log_sync_permille: Some(330),
            ensemble: None,
            local_sessions: LocalSessions::Off,
            read_only_after_ms: None,
            leader_serves: true,
            audit: false,
            emulate_353_ttl: false,
        }
    }
}

/// What becomes of new sessions in an ensemble. A server that is alone has none of its own kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalSessions {
    /// They are the ensemble's.
    #[default]
    Off,
    /// They are known to their server alone, and cannot have ephemerals.
    On,
    /// They are known to their server alone until they want an ephemeral.
    Upgraded,
}

/// What a server is told of its ensemble.
#[derive(Clone, Debug)]
pub struct EnsembleConfig {
    /// This server's id.
    pub me: i64,
    /// All servers, this one included: the configuration in force.
    pub members: Members,
    /// A newer one that was proposed before this start ([`crate::Effect::MembersProposed`]).
    pub proposed: Option<Members>,
    /// Ticks that discovery and synchronisation may take (`initLimit`).
    pub init_ticks: u32,
    /// Ticks after which a silent server counts as gone (`syncLimit`).
    pub sync_ticks: u32,
    /// How long a better vote is waited for once a quorum agrees, in ms. Apache's servers wait 200.
    pub settle_ms: i64,
    /// The id of the ensemble whose data this server has.
    pub cluster: Cluster,
    /// A new one, drawn by chance, should this server have to give one out; not 0.
    pub fresh_cluster: u128,
    /// What this server does while its disk is empty.
    pub empty_disk: EmptyDisk,
}

/// What a server does whose disk knows of no epoch. It is new, or took the place of one on which
/// something was promised to a leader; nobody can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmptyDisk {
    /// It votes like any other: the operator said that the ensemble is new (the file `initialize`).
    Votes,
    /// It votes when it has heard what every other voter has, and then for nobody who has less than
    /// the best of them.
    #[default]
    Asks,
    /// It does not vote before it has followed a leader (`db.autocreate=false`).
    Abstains,
}
