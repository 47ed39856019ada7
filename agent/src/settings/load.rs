//! Reads the file, the command line and the environment, and fills in [`Settings`].

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use zk_core::{Config, LocalSessions};

use crate::settings::ensemble::{Place, check_client_address, ensemble, server_list};
use crate::settings::files::{parse, read_entries};
use crate::settings::given::{Origin, Refusal, Values};
use crate::settings::properties::Entry;
use crate::settings::servers::ServerList;
use crate::settings::{
    ClientLimits, DiskSettings, EnsembleSettings, Settings, ThrottleSettings, Whitelist, Word,
    credentials, digest,
};

const ANY: i64 = i64::MAX;
const INT_MAX: i64 = i32::MAX as i64;
/// Ms without a leader after which who asks for it is served read-only, at least.
const READ_ONLY_AFTER_MS: i64 = 2000;

/// Where settings come from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The file; none for a standalone server on loopback.
    pub file: Option<PathBuf>,
    /// `-Dname=value`, as `(name, value)`. The file wins over these, as in Apache's server.
    pub overrides: Vec<(String, String)>,
    /// Where data goes without a file and without `dataDir`.
    pub state_dir: Option<PathBuf>,
    /// Where the service manager has put secrets, if it has.
    pub credentials: Option<PathBuf>,
    /// The addresses of this host, by which a server without `myid` finds itself in the list; none for
    /// whoever must not look names up.
    pub own_addresses: Option<fn() -> Vec<IpAddr>>,
}

/// Reads and checks everything.
pub fn load(source: &Source) -> Result<Settings, Refusal> {
    let values = read(source)?;
    assemble(source, &values)
}

/// Reads and checks the bytes of a file as if they stood in `file`, which isn't looked at.
pub fn load_bytes(file: &Path, bytes: &[u8]) -> Result<Settings, Refusal> {
    let source = Source { file: Some(file.to_owned()), ..Source::default() };
    let entries = parse(file, "config file", bytes)?;
    let values = collect(&source, entries)?;
    assemble(&source, &values)
}

fn read(source: &Source) -> Result<Values, Refusal> {
    let entries = match &source.file {
        Some(file) => read_entries(file, "config file")?,
        None => Vec::new(),
    };
    collect(source, entries)
}

fn collect(source: &Source, entries: Vec<Entry>) -> Result<Values, Refusal> {
    let mut values = Values::of(source.file.clone());
    for Entry { key, value, line } in entries {
        let file = source.file.clone().unwrap_or_default();
        values.set(&key, &value, Origin::File(file, line));
    }
    for (name, value) in &source.overrides {
        let name = name.strip_prefix("zookeeper.").unwrap_or(name);
        values.set_default(name, value.trim(), Origin::CommandLine);
    }
    values.check_names()?;
    Ok(values)
}

fn assemble(source: &Source, values: &Values) -> Result<Settings, Refusal> {
    let mut list = server_list(values, source.file.as_deref())?;
    let (data_dir, log_dir) = directories(values, source)?;
    let place = Place { file: source.file.as_deref(), data_dir: &data_dir };
    let ensemble = ensemble(values, place, &mut list, source.own_addresses)?;
    let client_address = client_address(values, source, &list, ensemble.as_ref())?;
    if let Some(ensemble) = &ensemble {
        check_client_address(values, ensemble, client_address)?;
    }
    Ok(Settings {
        file: source.file.clone(),
        lists_servers: ensemble.is_some() && !values.has("dynamicConfigFile"),
        data_dir,
        log_dir,
        client_address,
        backlog: backlog(values)?,
        limits: client_limits(values, source)?,
        disk: disk(values)?,
        throttle: throttle(values, local_sessions(values, ensemble.as_ref()))?,
        whitelist: whitelist(values),
        log_level: log_level(values)?,
        core: core(values, source, ensemble.as_ref())?,
        peers: ensemble.map(|ensemble| ensemble.peers),
        warnings: values.take_warnings(),
    })
}

fn directories(values: &Values, source: &Source) -> Result<(PathBuf, PathBuf), Refusal> {
    let given = values.text("dataDir").filter(|path| !path.is_empty()).map(PathBuf::from);
    let fallback = || source.state_dir.clone().filter(|_| source.file.is_none());
    let Some(data) = given.or_else(fallback) else {
        let remedy = "name the directory for snapshots and logs".into();
        return Err(values.refuse("dataDir", "not given", remedy));
    };
    let log = values.text("dataLogDir").filter(|path| !path.is_empty());
    let log = log.map_or_else(|| data.clone(), PathBuf::from);
    for (key, path) in [("dataDir", &data), ("dataLogDir", &log)] {
        if path.is_relative() {
            values.warn(key, "is relative to the working directory");
        }
    }
    Ok((data, log))
}

fn client_address(
    values: &Values,
    source: &Source,
    list: &ServerList,
    ensemble: Option<&EnsembleSettings>,
) -> Result<SocketAddr, Refusal> {
    let listed = match ensemble {
        Some(ensemble) => ensemble.client.as_ref(),
        None => list.servers.values().find_map(|line| line.client.as_ref()),
    };
    let default = match (source.file.is_some(), listed) {
        (false, _) => Some(2181),
        (true, Some((_, port))) => Some(i64::from(*port)),
        (true, None) => None,
    };
    if default.is_none() && !values.has("clientPort") {
        let reason = "not given, and there is no other client port that this version serves";
        let remedy = "add clientPort=2181".to_owned();
        return Err(values.refuse("clientPort", reason, remedy));
    }
    let port = values.int("clientPort", default.unwrap_or(0), 0..=65535)? as u16;
    let listed_host = listed.map(|(host, _)| host.as_str()).filter(|host| !host.is_empty());
    let host = values.text("clientPortAddress").or(listed_host).filter(|host| !host.is_empty());
    let Some(host) = host else {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let any = IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED);
        return Ok(SocketAddr::new(if source.file.is_none() { loopback } else { any }, port));
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = (bare, port).to_socket_addrs().ok().and_then(|mut all| all.next());
    let remedy = "give an address of this machine, or leave it out for all".to_owned();
    found.ok_or_else(|| values.refuse("clientPortAddress", "no such host", remedy))
}

fn backlog(values: &Values) -> Result<Option<i32>, Refusal> {
    let length = values.int("clientPortListenBacklog", -1, -1..=INT_MAX)?;
    Ok((length > 0).then_some(length as i32))
}

fn client_limits(values: &Values, source: &Source) -> Result<ClientLimits, Refusal> {
    // Apache's server has no limit per address when it is started without a file.
    let per_ip = if source.file.is_some() { 60 } else { 0 };
    let threshold = values.int("largeRequestThreshold", -1, -1..=INT_MAX)?;
    Ok(ClientLimits {
        connections_per_ip_max: values.int("maxClientCnxns", per_ip, 0..=INT_MAX)? as u32,
        connections_max: values.int("maxCnxns", 0, i64::MIN..=INT_MAX)?.max(0) as u32,
        handshake_ms: values.int("nio.sessionlessCnxnTimeout", 10_000, 1..=INT_MAX)?,
        request_bytes_max: request_bytes_max(values)?,
        large_request_bytes: (threshold > 0).then_some(threshold as usize),
        large_requests_bytes_max: {
            values.int("largeRequestMaxBytes", 104_857_600, 1..=ANY)? as usize
        },
        tcp_keepalive: values.flag("clientTcpKeepAlive", false),
    })
}

/// The least still lets a ConnectRequest in.
fn request_bytes_max(values: &Values) -> Result<usize, Refusal> {
    Ok(values.int("jute.maxbuffer", 0xf_ffff, 64..=INT_MAX - 1024)? as usize)
}

fn disk(values: &Values) -> Result<DiskSettings, Refusal> {
    let kept = values.int("autopurge.snapRetainCount", 3, 0..=INT_MAX)?;
    if kept < 3 {
        values.warn("autopurge.snapRetainCount", "is raised to 3, the least");
    }
    let purge = purge_wanted(values)?;
    let sync = values.text("forceSync") != Some("no");
    if !sync {
        values.warn("forceSync", "acknowledged writes are lost when the power goes");
    }
    Ok(DiskSettings {
        sync,
        sync_warning_ms: values.int("fsync.warningthresholdms", 1000, 0..=ANY)?,
        snapshots_kept: purge.then_some(kept.max(3) as u32),
        create_directories: values.flag("datadir.autocreate", true),
    })
}

/// Old snapshots and logs go unless the operator says `0`. Apache's default keeps all, and fills
/// disks; the interval itself doesn't matter, because there is work only after a snapshot.
fn purge_wanted(values: &Values) -> Result<bool, Refusal> {
    const KEY: &str = "autopurge.purgeInterval";
    let Some(text) = values.text(KEY) else { return Ok(true) };
    let digits = ["ms", "s", "m", "h", "d"].iter().find_map(|unit| text.strip_suffix(unit));
    match digits.unwrap_or(text).trim().parse::<i64>() {
        Ok(number) => Ok(number > 0),
        Err(_) => Err(values.refuse(KEY, "no duration", "give hours, or 30m, 12h, 1d".into())),
    }
}

fn throttle(values: &Values, locals: LocalSessions) -> Result<ThrottleSettings, Refusal> {
    let key = |name: &str| format!("connection_throttle_{name}");
    let weight = |name: &str, default| -> Result<i64, Refusal> {
        let weight = values.int(&key(name), default, -INT_MAX..=INT_MAX)?;
        Ok(if weight <= 0 { default } else { weight })
    };
    let local = weight("local_session_weight", 1)?;
    let global = weight("global_session_weight", 3)?.max(local);
    let renew = weight("renew_session_weight", 2)?.max(local);
    let weighed = values.flag(&key("weight_enabled"), false);
    let factor = if weighed { global } else { 1 };
    Ok(ThrottleSettings {
        tokens: values.int(&key("tokens"), 0, 0..=INT_MAX)? * factor,
        fill_ms: values.int(&key("fill_time"), 1, 1..=INT_MAX)?,
        fill_count: values.int(&key("fill_count"), 1, 0..=INT_MAX)? * factor,
        freeze_ms: values.int(&key("freeze_time"), -1, -1..=INT_MAX)?,
        drop_increase: values.fraction(&key("drop_increase"), 0.02)?,
        drop_decrease: values.fraction(&key("drop_decrease"), 0.002)?,
        decrease_ratio: values.fraction(&key("decrease_ratio"), 0.0)?,
        new_weight: match (weighed, locals) {
            (false, _) => 1,
            (true, LocalSessions::Off) => global,
            (true, _) => local,
        },
        renew_weight: if weighed { renew } else { 1 },
    })
}

fn whitelist(values: &Values) -> Whitelist {
    const KEY: &str = "4lw.commands.whitelist";
    let (mut whitelist, unknown) = Whitelist::parse(values.text(KEY).unwrap_or("srvr"));
    if !unknown.is_empty() {
        values.warn(KEY, format!("no such words: {}", unknown.join(", ")));
    }
    if values.flag("readonlymode.enabled", false) {
        whitelist.enable(Word::Isro);
    }
    whitelist
}

fn log_level(values: &Values) -> Result<log::LevelFilter, Refusal> {
    const KEY: &str = "agent.logLevel";
    let Some(text) = values.text(KEY) else { return Ok(log::LevelFilter::Info) };
    let remedy = "give off, error, warn, info, debug or trace".to_owned();
    text.parse().map_err(|_| values.refuse(KEY, "no such level", remedy))
}

/// Whether the age of a request counts. That its connection is open always does here.
fn stale_checks(values: &Values) -> bool {
    const DROP: &str = "request_throttle_drop_stale";
    let drop = values.flag(DROP, true);
    for (key, on) in [
        (DROP, drop),
        ("request_stale_connection_check", values.flag("request_stale_connection_check", true)),
    ] {
        if !on {
            values.warn(key, "what a closed connection left waiting is dropped all the same");
        }
    }
    drop && values.flag("request_stale_latency_check", false)
}

/// Only servers of an ensemble have local sessions.
fn local_sessions(values: &Values, ensemble: Option<&EnsembleSettings>) -> LocalSessions {
    let on = values.flag("localSessionsEnabled", false) && ensemble.is_some();
    match values.flag("localSessionsUpgradingEnabled", false) {
        _ if !on => LocalSessions::Off,
        true => LocalSessions::Upgraded,
        false => LocalSessions::On,
    }
}

fn core(
    values: &Values,
    source: &Source,
    ensemble: Option<&EnsembleSettings>,
) -> Result<Config, Refusal> {
    let tick = values.int("tickTime", 3000, 1..=INT_MAX / 20)?;
    let timeout = |key: &str, ticks: i64| -> Result<i64, Refusal> {
        let given = values.int(key, -1, -1..=INT_MAX)?;
        Ok(if given == -1 { tick * ticks } else { given })
    };
    let (least, most) = (timeout("minSessionTimeout", 2)?, timeout("maxSessionTimeout", 20)?);
    if least > most {
        let key = if values.has("minSessionTimeout") { "min" } else { "max" };
        let reason = format!("the least timeout {least} is above the largest {most}");
        let remedy = "give minSessionTimeout <= maxSessionTimeout".to_owned();
        return Err(values.refuse(&format!("{key}SessionTimeout"), &reason, remedy));
    }
    let audit = values.flag("audit.enable", false);
    if audit && log_level(values)? < log::LevelFilter::Info {
        values.warn("audit.enable", "tells failures at most: agent.logLevel is below info");
    }
    let snap_kib = values.int("snapSizeLimitInKb", 4_194_304, -1..=ANY >> 10)?;
    Ok(Config {
        tick_ms: tick as i32,
        session_timeout_min_ms: least as i32,
        session_timeout_max_ms: most as i32,
        request_bytes_max: request_bytes_max(values)?,
        outstanding_max: values.int("globalOutstandingLimit", 1000, 1..=INT_MAX)? as usize,
        audit,
        throttle_requests_max: values.int("request_throttle_max_requests", 0, 0..=INT_MAX)?
            as usize,
        throttled_op_wait_ms: values.int("throttled_op_wait_time", 0, 0..=INT_MAX)?,
        throttle_drops_late: stale_checks(values),
        enforce_quota: values.flag("enforceQuota", false),
        // Any other text than this leaves it on, as in Apache's servers.
        leader_serves: values.text("leaderServes") != Some("no"),
        reconfig_enabled: values.flag("reconfigEnabled", false),
        standalone_enabled: values.flag("standaloneEnabled", true),
        several_addresses: values.flag("multiAddress.enabled", false),
        digest_enabled: values.flag("digest.enabled", true),
        close_session_paths: values.flag("closeSessionTxn.enabled", true),
        container_check_ms: values.int("znode.container.checkIntervalMs", 60_000, 1..=ANY)?,
        container_per_minute_max: {
            values.int("znode.container.maxPerMinute", 10_000, 1..=INT_MAX)? as u32
        },
        container_never_used_ms: {
            values.int("znode.container.maxNeverUsedIntervalMs", 300_000, 0..=ANY)?
        },
        snapshot_txns: values.int("snapCount", 100_000, i64::MIN..=INT_MAX)?.max(2) as u32,
        snapshot_log_bytes: (snap_kib.max(0) as u64) << 10,
        log_sync_permille: log_share(values)?,
        epoch_txns_max: values.int("agent.epochTxnsMax", EPOCH_TXNS_MAX, 1..=EPOCH_TXNS_MAX)?
            as u32,
        emulate_353_ttl: values.flag("emulate353TTLNodes", false),
        session_tag: ensemble.map_or(1, |ensemble| ensemble.core.me as u8),
        ensemble: ensemble.map(|ensemble| ensemble.core.clone()),
        local_sessions: local_sessions(values, ensemble),
        read_only_after_ms: {
            let on = values.flag("readonlymode.enabled", false) && ensemble.is_some();
            on.then_some(READ_ONLY_AFTER_MS.max(tick))
        },
        ..access(values, source.credentials.as_deref())?
    })
}

/// Txns of an epoch at most: its counter has 32 bits, and is not to be spent.
const EPOCH_TXNS_MAX: i64 = 0xff00_0000;

/// How much of the log is sent instead of the database, in thousandths of that.
fn log_share(values: &Values) -> Result<Option<u32>, Refusal> {
    const KEY: &str = "snapshotSizeFactor";
    const DEFAULT: f64 = 0.33;
    let given = values.decimal(KEY, DEFAULT)?;
    if given > 1.0 {
        values.warn(KEY, format!("is above 1: it is {DEFAULT}"));
    }
    let share = if given > 1.0 { DEFAULT } else { given };
    Ok((share >= 0.0).then(|| ((share * 1000.0) as u32).max(u32::from(share > 0.0))))
}

/// Who may do what.
fn access(values: &Values, credentials: Option<&Path>) -> Result<Config, Refusal> {
    const DIGEST: &str = "DigestAuthenticationProvider";
    let skip_acl = values.text("skipACL") == Some("yes");
    if skip_acl {
        values.warn("skipACL", "no permission is checked: every client may do everything");
    }
    let algorithm = format!("{DIGEST}.digestAlg");
    let digest = digest::by_name(values.text(&algorithm).unwrap_or("SHA1"));
    let digest = digest.ok_or_else(|| {
        let remedy = "give SHA1, MD5, SHA-256, SHA-384, SHA-512 or SHA3-256".into();
        values.refuse(&algorithm, "no such algorithm", remedy)
    })?;
    let enabled = values.flag(&format!("{DIGEST}.enabled"), true);
    let key = format!("{DIGEST}.superDigest");
    let super_digest = values.text(&key).filter(|id| !id.is_empty()).map(str::to_owned);
    let credential = credentials::read(credentials, "superdigest")?;
    if credential.is_some() && super_digest.is_some() {
        values.warn(&key, "has no effect: the credential superdigest is used");
    }
    Ok(Config {
        skip_acl,
        password_digest: enabled.then_some(digest),
        super_digest: credential.or(super_digest),
        ensemble_names: ensemble_names(values),
        enforced_schemes: enforced_schemes(values, enabled)?,
        ..Config::default()
    })
}

fn ensemble_names(values: &Values) -> Option<Vec<String>> {
    let mut configured = false;
    for (key, class) in values.with_prefix("authProvider.") {
        if class.ends_with("EnsembleAuthenticationProvider") {
            configured = true;
        } else {
            values.warn(key, "has no effect: this class is not known here");
        }
    }
    let names = values.text("ensembleAuthName").unwrap_or("").split(',').map(str::trim);
    let names = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    configured.then_some(names)
}

/// A server that can't ask for what it must enforce refuses to start: it would let nobody in.
fn enforced_schemes(values: &Values, digest: bool) -> Result<Vec<String>, Refusal> {
    if values.flag("sessionRequireClientSASLAuth", false) {
        let remedy = "leave it out, and protect znodes with digest ACLs until then".into();
        return Err(values.refuse("sessionRequireClientSASLAuth", "SASL comes later", remedy));
    }
    let list = values.text("enforce.auth.schemes").unwrap_or("");
    if !values.flag("enforce.auth.enabled", false) {
        return Ok(Vec::new());
    }
    let schemes = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    let schemes: Vec<String> = schemes.map(str::to_owned).collect();
    if schemes.is_empty() {
        let remedy = "name the schemes, such as enforce.auth.schemes=digest".into();
        return Err(values.refuse("enforce.auth.enabled", "no schemes are given", remedy));
    }
    for scheme in &schemes {
        let known = matches!(scheme.as_str(), "world" | "ip") || (scheme == "digest" && digest);
        if !known {
            let reason = format!("the scheme {scheme} is not available");
            let remedy = "name digest, ip or world".into();
            return Err(values.refuse("enforce.auth.schemes", &reason, remedy));
        }
    }
    Ok(schemes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::settings::keys::{Fate, KEYS};

    /// Goal: whatever a file holds, it is read or refused.
    /// Method: lines of known keys and nonsense, put together by chance.
    #[test]
    fn no_file_panics() {
        let mut state = 3u64;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        let values = ["", "0", "-1", "true", "yes", "9999999999", "0x", "a,b", "*", "\\u00e9"];
        let mut read = 0;
        for _ in 0..3000 {
            let mut text = String::from("dataDir=/d\nclientPort=1\n");
            for _ in 0..random(4) {
                let key = KEYS[random(KEYS.len())].name;
                // A name would be looked up.
                if key != "clientPortAddress" && key != "dynamicConfigFile" {
                    text.push_str(&format!("{key}={}\n", values[random(values.len())]));
                }
            }
            text.push_str(["", "server.1=x", "\\", "=", "group.1=1"][random(5)]);
            read += usize::from(load_bytes(Path::new("zoo.cfg"), text.as_bytes()).is_ok());
        }
        assert!(read > 300, "only {read} files were read");
    }

    #[test]
    fn a_share_of_the_log_is_read_as_apaches_servers_do() {
        let share = |value: &str| {
            let text = format!("dataDir=/d\nclientPort=1\nsnapshotSizeFactor={value}\n");
            load_bytes(Path::new("zoo.cfg"), text.as_bytes()).unwrap().core.log_sync_permille
        };
        for (value, permille) in
            [("0.5", Some(500)), ("0", Some(0)), ("-1", None), ("7", Some(330)), ("1e-9", Some(1))]
        {
            assert_eq!(share(value), permille, "{value}");
        }
        assert_eq!(Config::default().log_sync_permille, share("0.33"));
    }

    /// Goal: a key is called honoured if and only if something asks for it.
    #[test]
    fn every_honoured_key_is_read() {
        let on = ("enforce.auth.enabled".to_owned(), "true".to_owned());
        let schemes = ("enforce.auth.schemes".to_owned(), "ip".to_owned());
        let overrides = vec![on, schemes];
        let state_dir = Some(PathBuf::from("/x"));
        let source = Source { overrides, state_dir, ..Source::default() };
        let values = read(&source).unwrap();
        assemble(&source, &values).unwrap();
        let honoured = KEYS.iter().filter(|key| key.fate == Fate::Honoured);
        let honoured: BTreeSet<String> = honoured.map(|key| key.name.to_owned()).collect();
        assert_eq!(values.asked(), honoured);
    }
}
