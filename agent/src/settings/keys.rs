//! Every key that Apache ZooKeeper's server reads, and what this server does with it.
//!
//! `docs/SETTINGS.md` says the same for people; a test compares the two.

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Anything.
    Text,
    /// A whole number.
    Int,
    /// A decimal number.
    Decimal,
    /// `true` or `false` in any case; anything else is refused, as Apache does.
    Flag,
    /// A property: on for `true` in any case and off for anything else, as Apache has it.
    Switch,
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It does what it does in Apache's server.
    Honoured,
    /// It has no effect here, for good; the reason is said in a warning.
    Moot(&'static str),
    /// It has no effect yet; the reason is said in a warning.
    Later(&'static str),
}

/// A key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in the file; the Java property is `zookeeper.` and this name, or just this name.
    pub name: &'static str,
    /// How its value is written.
    pub shape: Shape,
    /// What becomes of it.
    pub fate: Fate,
}

use Fate::{Honoured, Later, Moot};
use Shape::{Decimal, Flag, Int, Switch, Text};

const JVM: &str = "a matter of the Java virtual machine";
const THREADS: &str = "one thread serves all clients; there are no pools to size";
const HISTORY: &str =
    "learners catch up from 500 txns and more in memory, from the log, or get the database";
const OBSERVER_LOG: &str = "observers always keep a log";
const NODELAY: &str = "no connection waits to fill a packet";
const INTERVALS: &str = "messages and dials are repeated at intervals of our own";
const OBSERVER_MASTER: &str = "observers connect to the leader";
const ADDRESSES: &str = "several addresses of a server are always taken, and all tried at once";
const ONE_SNAPSHOT: &str = "the database is sent to one learner at a time";
const TRACKER: &str = "messages between servers are not tracked";
const QUORUM_TLS: &str = "TLS between servers comes later";
const TLS: &str = "TLS comes later";
const SASL: &str = "SASL comes later";
const ADMIN: &str = "the AdminServer comes later";
const METRICS: &str = "metrics over HTTP come later";
const GROUP_COMMIT: &str = "the log is synced as soon as the disk is free, without a timer";
const WATCHES: &str = "watches have one compact structure; there is nothing to choose";
const STALLS: &str = "requests that wait go on as soon as there is room, without steps";
const STALLS_STOPPING: &str = "requests that wait have the 4 s that stopping takes at most";
const CACHE: &str = "replies are written from the tree without a cache";
const SEGMENTS: &str =
    "log segments are allocated ahead, and grow from 1 MiB to 64 MiB with the load";
const SEGMENTS_END: &str = "a log segment ends at 64 MiB at the latest, and is reused afterwards";
const TEST_ONLY: &str = "meant for Apache's own tests";

const fn key(name: &'static str, shape: Shape, fate: Fate) -> Key {
    Key { name, shape, fate }
}

/// Keys whose name is complete here.
pub const KEYS: &[Key] = &[
    key("dataDir", Text, Honoured),
    key("dataLogDir", Text, Honoured),
    key("tickTime", Int, Honoured),
    key("clientPort", Int, Honoured),
    key("clientPortAddress", Text, Honoured),
    key("secureClientPort", Int, Later(TLS)),
    key("secureClientPortAddress", Text, Later(TLS)),
    key("maxClientCnxns", Int, Honoured),
    key("minSessionTimeout", Int, Honoured),
    key("maxSessionTimeout", Int, Honoured),
    key("initLimit", Int, Honoured),
    key("syncLimit", Int, Honoured),
    key("clientPortListenBacklog", Int, Honoured),
    key("maxCnxns", Int, Honoured),
    key("globalOutstandingLimit", Int, Honoured),
    key("preAllocSize", Int, Moot(SEGMENTS)),
    key("snapCount", Int, Honoured),
    key("snapSizeLimitInKb", Int, Honoured),
    key("txnLogSizeLimitInKb", Int, Moot(SEGMENTS_END)),
    key("commitLogCount", Int, Moot(HISTORY)),
    key("snapshotSizeFactor", Decimal, Honoured),
    key("fsync.warningthresholdms", Int, Honoured),
    key("forceSync", Text, Honoured),
    key("flushDelay", Int, Moot(GROUP_COMMIT)),
    key("maxWriteQueuePollTime", Int, Moot(GROUP_COMMIT)),
    key("maxBatchSize", Int, Moot(GROUP_COMMIT)),
    key("maxResponseCacheSize", Int, Moot(CACHE)),
    key("maxGetChildrenResponseCacheSize", Int, Moot(CACHE)),
    key("autopurge.snapRetainCount", Int, Honoured),
    key("autopurge.purgeInterval", Text, Honoured),
    key("syncEnabled", Flag, Moot(OBSERVER_LOG)),
    key("observer.syncEnabled", Switch, Moot(OBSERVER_LOG)),
    key("extendedTypesEnabled", Switch, Moot("TTL znodes need no switch here")),
    key("emulate353TTLNodes", Switch, Honoured),
    key("znode.container.checkIntervalMs", Int, Honoured),
    key("znode.container.maxPerMinute", Int, Honoured),
    key("znode.container.maxNeverUsedIntervalMs", Int, Honoured),
    key("digest.enabled", Switch, Honoured),
    key("closeSessionTxn.enabled", Switch, Honoured),
    key("serializeLastProcessedZxid.enabled", Switch, Moot("our snapshots always hold their zxid")),
    key("snapshot.compression.method", Text, Moot("our snapshots have a format of their own")),
    key(
        "snapshot.trust.empty",
        Switch,
        Moot("logs without a snapshot are read if they begin at the first txn, else state is lost"),
    ),
    key("datadir.autocreate", Switch, Honoured),
    key("db.autocreate", Switch, Honoured),
    key("enforceQuota", Switch, Honoured),
    key("enableEagerACLCheck", Switch, Later("permissions are checked by the leader")),
    key("watchManagerName", Text, Moot(WATCHES)),
    key("watcherCleanThreadsNum", Int, Moot(WATCHES)),
    key("watcherCleanThreshold", Int, Moot(WATCHES)),
    key("watcherCleanIntervalInSeconds", Int, Moot(WATCHES)),
    key("maxInProcessingDeadWatchers", Int, Moot(WATCHES)),
    key("bitHashCacheSize", Int, Moot(WATCHES)),
    key("serverCnxnFactory", Text, Moot(JVM)),
    key("clientCnxnSocket", Text, Moot(JVM)),
    key("largeRequestMaxBytes", Int, Honoured),
    key("largeRequestThreshold", Int, Honoured),
    key("connection_throttle_tokens", Int, Honoured),
    key("connection_throttle_fill_time", Int, Honoured),
    key("connection_throttle_fill_count", Int, Honoured),
    key("connection_throttle_freeze_time", Int, Honoured),
    key("connection_throttle_drop_increase", Decimal, Honoured),
    key("connection_throttle_drop_decrease", Decimal, Honoured),
    key("connection_throttle_decrease_ratio", Decimal, Honoured),
    key("connection_throttle_weight_enabled", Switch, Honoured),
    key("connection_throttle_global_session_weight", Int, Honoured),
    key("connection_throttle_local_session_weight", Int, Honoured),
    key("connection_throttle_renew_session_weight", Int, Honoured),
    key("request_throttle_max_requests", Int, Honoured),
    key("request_throttle_stall_time", Int, Moot(STALLS)),
    key("request_throttle_drop_stale", Switch, Honoured),
    key("request_stale_latency_check", Switch, Honoured),
    key("request_stale_connection_check", Switch, Honoured),
    key("request_throttler.shutdownTimeout", Int, Moot(STALLS_STOPPING)),
    key("throttled_op_wait_time", Int, Honoured),
    key("clientTcpKeepAlive", Switch, Honoured),
    key("audit.enable", Switch, Honoured),
    key("audit.impl.class", Text, Moot(JVM)),
    key("4lw.commands.whitelist", Text, Honoured),
    key("pathStats.enabled", Switch, Later(METRICS)),
    key("pathStats.slotCapacity", Int, Later(METRICS)),
    key("pathStats.slotDuration", Int, Later(METRICS)),
    key("pathStats.maxDepth", Int, Later(METRICS)),
    key("pathStats.sampleRate", Decimal, Later(METRICS)),
    key("pathStats.initialDelay", Int, Later(METRICS)),
    key("pathStats.delay", Int, Later(METRICS)),
    key("pathStats.topPathMax", Int, Later(METRICS)),
    key("intBufferStartingSizeBytes", Int, Moot(JVM)),
    key("jvm.pause.monitor", Flag, Moot(JVM)),
    key("jvm.pause.sleep.time.ms", Int, Moot(JVM)),
    key("jvm.pause.info-threshold.ms", Int, Moot(JVM)),
    key("jvm.pause.warn-threshold.ms", Int, Moot(JVM)),
    key("jmx.log4j.disable", Switch, Moot(JVM)),
    key("jmx.log4j.mbean", Text, Moot(JVM)),
    key("agent.logLevel", Text, Honoured),
    key("agent.epochTxnsMax", Int, Honoured),
    // Ensembles.
    key("dynamicConfigFile", Text, Honoured),
    key("standaloneEnabled", Flag, Honoured),
    key("reconfigEnabled", Flag, Honoured),
    key("peerType", Text, Honoured),
    key("electionAlg", Int, Honoured),
    key("electionPort", Int, Moot("the server list says it")),
    key("leaderServes", Text, Honoured),
    key("connectToLearnerMasterLimit", Int, Moot("a learner gives its leader initLimit ticks")),
    key("leader.maxTimeToWaitForEpoch", Int, Moot("a leader waits initLimit ticks")),
    key("cnxTimeout", Int, Honoured),
    key("quorumCnxnTimeoutMs", Int, Moot("who connects and is silent is closed after 10 s")),
    key("electionPortBindRetry", Int, Honoured),
    key("tcpKeepAlive", Switch, Honoured),
    key("leader.nodelay", Switch, Moot(NODELAY)),
    key("follower.nodelay", Switch, Moot(NODELAY)),
    key("fastleader.minNotificationInterval", Int, Moot(INTERVALS)),
    key("fastleader.maxNotificationInterval", Int, Moot(INTERVALS)),
    key("observer.reconnectDelayMs", Int, Moot(INTERVALS)),
    key("observer.election.DelayMs", Int, Moot(INTERVALS)),
    key("observerMasterPort", Int, Later(OBSERVER_MASTER)),
    key("observerMaster.sizeLimit", Int, Later(OBSERVER_MASTER)),
    key("quorumListenOnAllIPs", Flag, Honoured),
    key("multiAddress.enabled", Flag, Honoured),
    key("multiAddress.reachabilityCheckEnabled", Flag, Moot(ADDRESSES)),
    key("multiAddress.reachabilityCheckTimeoutMs", Int, Moot(ADDRESSES)),
    key("localSessionsEnabled", Flag, Honoured),
    key("localSessionsUpgradingEnabled", Flag, Honoured),
    key("oraclePath", Text, Honoured),
    key("quorum.cnxn.threads.size", Int, Moot(THREADS)),
    key("leader.maxConcurrentSnapSyncs", Int, Moot(ONE_SNAPSHOT)),
    key("leader.maxConcurrentDiffSyncs", Int, Moot(HISTORY)),
    key("leader.maxConcurrentSnapshots", Int, Moot(ONE_SNAPSHOT)),
    key("leader.ackLoggingFrequency", Int, Later(METRICS)),
    key("leaderConnectDelayDuringRetryMs", Int, Moot(INTERVALS)),
    key("learner.asyncSending", Switch, Moot(THREADS)),
    key("learner.closeSocketAsync", Switch, Moot(THREADS)),
    key("leader.closeSocketAsync", Switch, Moot(THREADS)),
    key("forward_learner_requests_to_commit_processor_disabled", Switch, Moot(THREADS)),
    key("follower.skipLearnerRequestToNextProcessor", Switch, Moot(THREADS)),
    key("forceSnapshotSync", Switch, Moot(TEST_ONLY)),
    key("messageTracker.Enabled", Switch, Later(TRACKER)),
    key("messageTracker.BufferSize", Int, Later(TRACKER)),
    key("readonlymode.enabled", Switch, Honoured),
    // Who may do what.
    key("DigestAuthenticationProvider.enabled", Switch, Honoured),
    key("DigestAuthenticationProvider.superDigest", Text, Honoured),
    key("DigestAuthenticationProvider.digestAlg", Text, Honoured),
    key("X509AuthenticationProvider.superUser", Text, Later(TLS)),
    key("IPAuthenticationProvider.usexforwardedfor", Switch, Later(ADMIN)),
    key("SASLAuthenticationProvider.superPassword", Text, Later(SASL)),
    key("superUser", Text, Later(SASL)),
    key("letAnySaslUserDoX", Text, Later(SASL)),
    key("ensembleAuthName", Text, Honoured),
    key("sessionRequireClientSASLAuth", Switch, Honoured),
    key("enforce.auth.enabled", Switch, Honoured),
    key("enforce.auth.schemes", Text, Honoured),
    key("allowSaslFailedClients", Switch, Later(SASL)),
    key("skipACL", Text, Honoured),
    key("sasl.serverconfig", Text, Later(SASL)),
    key("sasl.client", Switch, Later(SASL)),
    key("kerberos.removeHostFromPrincipal", Switch, Later(SASL)),
    key("kerberos.removeRealmFromPrincipal", Switch, Later(SASL)),
    key("kerberos.canonicalizeHostNames", Switch, Later(SASL)),
    key("kerberos.minReLoginTimeMs", Int, Later(SASL)),
    key("security.auth_to_local", Text, Later(SASL)),
    key("requireKerberosConfig", Switch, Later(SASL)),
    key("kinit", Text, Later(SASL)),
    key("java.security.auth.login.config", Text, Later(SASL)),
    key("jaasLoginRenew", Int, Later(SASL)),
    key("quorum.auth.enableSasl", Flag, Honoured),
    key("quorum.auth.learnerRequireSasl", Flag, Honoured),
    key("quorum.auth.serverRequireSasl", Flag, Honoured),
    key("quorum.auth.learner.saslLoginContext", Text, Later(SASL)),
    key("quorum.auth.server.saslLoginContext", Text, Later(SASL)),
    key("quorum.auth.kerberos.servicePrincipal", Text, Later(SASL)),
    key("fips-mode", Switch, Later(TLS)),
    // Experimental, for tests, for Java's threads.
    key("jute.maxbuffer", Int, Honoured),
    key("jute.maxbuffer.extrasize", Int, Moot("records on disk are bounded by their segment")),
    key("test.allowDiscontinuousProposals", Switch, Moot(TEST_ONLY)),
    key("testingonly.initialZxid", Int, Moot(TEST_ONLY)),
    key("controllerPort", Int, Moot(TEST_ONLY)),
    key("nio.numSelectorThreads", Int, Moot(THREADS)),
    key("nio.numWorkerThreads", Int, Moot(THREADS)),
    key("nio.directBufferBytes", Int, Moot(JVM)),
    key("nio.shutdownTimeout", Int, Moot(THREADS)),
    key("nio.sessionlessCnxnTimeout", Int, Honoured),
    key("commitProcessor.numWorkerThreads", Int, Moot(THREADS)),
    key("commitProcessor.maxReadBatchSize", Int, Moot(THREADS)),
    key("commitProcessor.maxCommitBatchSize", Int, Moot(THREADS)),
    key("commitProcessor.shutdownTimeout", Int, Moot(THREADS)),
    key("netty.advancedFlowControl.enabled", Switch, Moot(JVM)),
    key("netty.server.outstandingHandshake.limit", Int, Later(TLS)),
    key("netty.server.earlyDropSecureConnectionHandshakes", Switch, Later(TLS)),
    // AdminServer.
    key("admin.enableServer", Switch, Later(ADMIN)),
    key("admin.serverAddress", Text, Later(ADMIN)),
    key("admin.serverPort", Int, Later(ADMIN)),
    key("admin.idleTimeout", Int, Later(ADMIN)),
    key("admin.commandURL", Text, Later(ADMIN)),
    key("admin.httpVersion", Int, Later(ADMIN)),
    key("admin.portUnification", Switch, Later(ADMIN)),
    key("admin.forceHttps", Switch, Later(ADMIN)),
    key("admin.needClientAuth", Switch, Later(ADMIN)),
    key("admin.snapshot.enabled", Switch, Later(ADMIN)),
    key("admin.restore.enabled", Switch, Later(ADMIN)),
    key("admin.rateLimiterIntervalInMS", Int, Later(ADMIN)),
    key("metricsProvider.className", Text, Later(METRICS)),
    // TLS between client and server and between servers.
    key("sslQuorum", Flag, Honoured),
    key("portUnification", Flag, Later(QUORUM_TLS)),
    key("sslQuorumReloadCertFiles", Flag, Later(QUORUM_TLS)),
    key("client.portUnification", Switch, Later(TLS)),
    key("client.certReload", Switch, Later(TLS)),
    key("client.secure", Switch, Moot("a setting of clients")),
    key("ssl.authProvider", Text, Later(TLS)),
    key("ssl.sslProvider", Text, Moot(JVM)),
];

/// Suffixes below `ssl.` and `ssl.quorum.`.
const TLS_SUFFIXES: &[&str] = &[
    "keyStore.location",
    "keyStore.password",
    "keyStore.passwordPath",
    "keyStore.type",
    "trustStore.location",
    "trustStore.password",
    "trustStore.passwordPath",
    "trustStore.type",
    "protocol",
    "enabledProtocols",
    "ciphersuites",
    "clientAuth",
    "hostnameVerification",
    "clientHostnameVerification",
    "allowReverseDnsLookup",
    "crl",
    "ocsp",
    "handshakeDetectionTimeoutMillis",
    "context.supplier.class",
    "tcnative.engine",
];

/// What is known of a name; `None` for a name that Apache doesn't read.
pub fn find(name: &str) -> Option<Key> {
    if let Some(key) = KEYS.iter().find(|key| key.name == name) {
        return Some(*key);
    }
    let text = |name, fate| Some(key(name, Text, fate));
    let tls = |suffix: &str| TLS_SUFFIXES.contains(&suffix);
    if name.strip_prefix("ssl.quorum.").is_some_and(tls) {
        return text("ssl.quorum.*", Later(QUORUM_TLS));
    }
    if name.strip_prefix("ssl.").is_some_and(tls) {
        return text("ssl.*", Later(TLS));
    }
    if name.starts_with("metricsProvider.") {
        return text("metricsProvider.*", Later(METRICS));
    }
    if name.starts_with("superUser.") {
        return text("superUser.*", Later(SASL));
    }
    if name.starts_with("authProvider.") {
        return text("authProvider.*", Honoured);
    }
    let list = ["server.", "group", "weight"].iter().any(|prefix| name.starts_with(prefix));
    if list { text("server.N, group.G, weight.N", Honoured) } else { None }
}

/// The known name that somebody may have meant who wrote `name`, which is no known one.
pub fn nearest(name: &str) -> Option<String> {
    let mut known: Vec<String> = KEYS.iter().map(|key| key.name.to_owned()).collect();
    for suffix in TLS_SUFFIXES {
        known.push(format!("ssl.{suffix}"));
        known.push(format!("ssl.quorum.{suffix}"));
    }
    let wanted = name.to_ascii_lowercase();
    let near = known.into_iter().map(|key| (distance(&wanted, &key.to_ascii_lowercase()), key));
    let (distance, key) = near.min()?;
    // Short names are near to anything; a third of the letters wrong is another word.
    let allowed = (name.chars().count() / 4).min(2);
    (distance <= allowed).then_some(key)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            best = best.min(rows[i - 1][j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for (at, key) in KEYS.iter().enumerate() {
            assert!(KEYS[..at].iter().all(|k| k.name != key.name), "{}", key.name);
        }
    }

    #[test]
    fn families_are_known() {
        for name in ["ssl.keyStore.location", "ssl.quorum.clientAuth", "metricsProvider.httpPort"] {
            assert!(matches!(find(name).unwrap().fate, Later(_)), "{name}");
        }
        for name in ["server.1", "group.1", "weight.3", "authProvider.sasl", "dataDir"] {
            assert_eq!(find(name).unwrap().fate, Honoured, "{name}");
        }
        for name in ["ssl.nope", "datadir", "foo", ""] {
            assert!(find(name).is_none(), "{name}");
        }
    }

    #[test]
    fn typos_are_told_from_strangers() {
        let cases = [
            ("datadir", Some("dataDir")),
            ("tickTme", Some("tickTime")),
            ("clientPrto", Some("clientPort")),
            ("autopurge.snapRetain", None),
            ("ssl.keystore.location", Some("ssl.keyStore.location")),
            ("maxclientcnxn", Some("maxClientCnxns")),
            ("foo", None),
            ("x", None),
            ("com.example.setting", None),
        ];
        for (name, meant) in cases {
            assert_eq!(nearest(name).as_deref(), meant, "{name}");
        }
    }
}
