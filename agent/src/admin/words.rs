//! The answers to the four-letter words.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;

use zk_core::{ConnId, Now};

use crate::admin::format::{average, connections, expiry_sets, groups, peer, session};
use crate::admin::view::View;
use crate::admin::{environment, metrics};
use crate::net::Clients;
use crate::settings::{Settings, Whitelist, Word};
use crate::sys::date::Date;

/// What doesn't change while the server runs, and the trace mask, which means nothing here.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Where clients connect.
    pub address: SocketAddr,
    /// Absolute directory of the snapshots, as Apache names it.
    pub data_dir: String,
    /// Absolute directory of the log.
    pub log_dir: String,
    /// `tickTime` in ms.
    pub tick_ms: i32,
    /// Least and largest session timeout in ms.
    pub timeouts_ms: (i32, i32),
    /// As configured; -1 when not.
    pub backlog: i32,
    /// When the server was started, `Now::mono_ms`.
    pub started_ms: i64,
    /// Set by `stmk`, told by `gtmk`.
    pub trace_mask: i64,
}

impl Facts {
    /// Apache's mask at the start.
    pub const TRACE_MASK: i64 = 306;

    /// From the settings, and the address that was bound.
    pub fn new(settings: &Settings, address: SocketAddr, now: Now) -> Facts {
        let version_2 = |dir: &std::path::Path| {
            let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
            dir.join("version-2").display().to_string()
        };
        Facts {
            address,
            data_dir: version_2(&settings.data_dir),
            log_dir: version_2(&settings.log_dir),
            tick_ms: settings.core.tick_ms,
            timeouts_ms: {
                (settings.core.session_timeout_min_ms, settings.core.session_timeout_max_ms)
            },
            backlog: settings.backlog.unwrap_or(-1),
            started_ms: now.mono_ms,
            trace_mask: Facts::TRACE_MASK,
        }
    }
}

/// The version as clients and operators parse it.
pub fn version() -> String {
    let seconds: i64 = env!("ZK_AGENT_BUILT").parse().unwrap_or(0);
    format!(
        "3.9.5-zk-agent-{}-{}, built on {}",
        env!("CARGO_PKG_VERSION"),
        env!("ZK_AGENT_COMMIT"),
        Date::from_ms(seconds * 1000).minutes()
    )
}

/// A word that somebody sent.
pub struct Asked<'a> {
    /// Which one.
    pub word: Word,
    /// The mask behind `stmk`, if it came.
    pub mask: Option<i64>,
    /// The words that are answered.
    pub whitelist: &'a Whitelist,
    /// Now.
    pub now: Now,
    /// Bytes on disk: of snapshots, of the log. Asked only if needed: it reads directories.
    pub sizes: &'a dyn Fn() -> (u64, u64),
}

/// The answer to a word.
pub fn answer(
    asked: Asked<'_>,
    core: &mut impl View,
    clients: &mut Clients,
    facts: &mut Facts,
) -> String {
    let Asked { word, mask, whitelist, now, sizes } = asked;
    if !whitelist.allows(word) {
        return format!("{word} is not executed because it is not in the whitelist.\n");
    }
    match word {
        Word::Ruok => "imok".to_owned(),
        Word::Isro => "rw".to_owned(),
        Word::Conf => conf(facts, clients, sizes()),
        Word::Cons => {
            let mut out = String::new();
            connections(&mut out, core, clients, true);
            out
        }
        Word::Crst => {
            core.reset_clients();
            clients.reset_received();
            "Connection stats reset.\n".to_owned()
        }
        Word::Dirs => {
            let (data, log) = sizes();
            format!("datadir_size: {data}\nlogdir_size: {log}\n")
        }
        Word::Dump => dump(core, clients, now),
        Word::Envi => environment::text(&version()),
        Word::Gtmk => facts.trace_mask.to_string(),
        Word::Stmk => mask.map_or_else(String::new, |mask| {
            facts.trace_mask = mask;
            mask.to_string()
        }),
        Word::Hash => hash(core),
        Word::Mntr => {
            let uptime_ms = now.mono_ms - facts.started_ms;
            metrics::text(&version(), &core.status(), clients, uptime_ms)
        }
        Word::Srst => {
            core.reset_status();
            clients.reset_counters();
            "Server stats reset.\n".to_owned()
        }
        Word::Srvr => format!("Zookeeper version: {}\n{}", version(), srvr(core, clients)),
        Word::Stat => {
            let mut out = format!("Zookeeper version: {}\nClients:\n", version());
            connections(&mut out, core, clients, false);
            out + &srvr(core, clients)
        }
        Word::Wchs => {
            let (sessions, paths, watches) = core.watch_summary();
            format!("{sessions} connections watching {paths} paths\nTotal watches:{watches}\n")
        }
        Word::Wchc => {
            let mut out = String::new();
            let all = core.watches_by_session().into_iter();
            groups(&mut out, all.map(|(id, paths)| (session(id), paths)));
            out
        }
        Word::Wchp => {
            let mut out = String::new();
            let all = core.watches_by_path().into_iter();
            let named = |ids: Vec<i64>| ids.into_iter().map(session).collect();
            groups(&mut out, all.map(|(path, ids)| (path, named(ids))));
            out
        }
        Word::Telnet => String::new(),
    }
}

fn conf(facts: &Facts, clients: &Clients, (data_bytes, log_bytes): (u64, u64)) -> String {
    let (least, most) = facts.timeouts_ms;
    let mut out = String::new();
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(out, "{key}={value}");
    };
    line("clientPort", &facts.address.port());
    line("secureClientPort", &-1);
    line("dataDir", &facts.data_dir);
    line("dataDirSize", &data_bytes);
    line("dataLogDir", &facts.log_dir);
    line("dataLogSize", &log_bytes);
    line("tickTime", &facts.tick_ms);
    line("maxClientCnxns", &clients.limits().connections_per_ip_max);
    line("minSessionTimeout", &least);
    line("maxSessionTimeout", &most);
    line("clientPortListenBacklog", &facts.backlog);
    line("serverId", &0);
    out
}

fn srvr(core: &impl View, clients: &Clients) -> String {
    let status = core.status();
    let latency = &status.latency;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "Latency min/avg/max: {}/{}/{}",
        latency.min_ms,
        average(latency),
        latency.max_ms
    );
    let _ = writeln!(out, "Received: {}", clients.counters.packets_received);
    let _ = writeln!(out, "Sent: {}", status.sent + clients.counters.words_answered);
    let _ = writeln!(out, "Connections: {}", clients.count());
    let _ = writeln!(out, "Outstanding: {}", status.outstanding);
    let _ = writeln!(out, "Zxid: 0x{:x}", status.zxid.0);
    let _ = writeln!(out, "Mode: standalone");
    let _ = writeln!(out, "Node count: {}", status.znodes);
    out
}

fn hash(core: &impl View) -> String {
    let mut out = String::new();
    for (zxid, digest) in core.digests() {
        let _ = writeln!(out, "{:x}: {digest}", zxid.0);
    }
    out
}

fn dump(core: &impl View, clients: &Clients, now: Now) -> String {
    let mut out = String::from("SessionTracker dump:\n");
    let named = |ids: Vec<i64>| ids.into_iter().map(session).collect();
    let sets: Vec<(i64, Vec<String>)> =
        core.sessions_by_expiry().into_iter().map(|(ms, ids)| (ms, named(ids))).collect();
    expiry_sets(&mut out, "Session Sets", now, &sets);
    let ephemerals = core.ephemerals();
    out.push_str("ephemeral nodes dump:\n");
    let _ = writeln!(out, "Sessions with Ephemerals ({}):", ephemerals.len());
    for (id, paths) in ephemerals {
        let _ = writeln!(out, "{}:", session(id));
        for path in paths {
            let _ = writeln!(out, "\t{path}");
        }
    }
    out.push_str("Connections dump:\n");
    expiry_sets(&mut out, "Connections Sets", now, &connection_sets(core, clients, now));
    out
}

/// Connections by the time at which Apache's server would take them for idle, if none of them
/// said anything from now on.
fn connection_sets(core: &impl View, clients: &Clients, now: Now) -> Vec<(i64, Vec<String>)> {
    let width_ms = clients.limits().handshake_ms;
    let mut sets: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for (slot, conn) in clients.iter() {
        let status = core.client(ConnId(slot));
        let idle_ms = if status.session_id == 0 { width_ms } else { status.timeout_ms.into() };
        let expiry_ms = ((now.mono_ms + idle_ms) / width_ms + 1) * width_ms;
        let address = peer(conn.peer);
        let line = format!("ip: {address} sessionId: {}", session(status.session_id));
        sets.entry(expiry_ms).or_default().push(line);
    }
    sets.into_iter().collect()
}
