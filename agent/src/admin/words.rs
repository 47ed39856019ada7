//! The answers to the four-letter words.

use std::collections::BTreeMap;
use std::fmt::Write;

use zk_core::{ConnId, Now};

use crate::admin::ensemble::{NOT_SERVING, Proposals};
use crate::admin::facts::Facts;
use crate::admin::format::{average, connections, expiry_sets, groups, peer, session};
use crate::admin::view::View;
use crate::admin::{ensemble, environment, metrics};
use crate::net::Clients;
use crate::settings::{Whitelist, Word};
use crate::sys::date::Date;
use zk_core::replica::Standing;

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
    let standing = core.status().standing;
    let always = matches!(word, Word::Ruok | Word::Envi | Word::Gtmk | Word::Stmk | Word::Telnet);
    if standing == Standing::Apart && !always {
        return match word {
            Word::Isro => "null".to_owned(),
            Word::Hash => NOT_SERVING.trim_end().to_owned(),
            _ => NOT_SERVING.to_owned(),
        };
    }
    match word {
        Word::Ruok => "imok".to_owned(),
        Word::Isro if standing == Standing::ReadOnly => "ro".to_owned(),
        Word::Isro => "rw".to_owned(),
        Word::Conf => conf(facts, clients, standing, sizes()),
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
        Word::Mntr => metrics::text(&version(), &core.status(), clients, facts, now),
        Word::Srst => {
            core.reset_status();
            clients.reset_counters();
            "Server stats reset.\n".to_owned()
        }
        Word::Srvr => heading(standing) + &srvr(core, clients, facts),
        Word::Stat => {
            let mut out = heading(standing) + "Clients:\n";
            connections(&mut out, core, clients, false);
            out + &srvr(core, clients, facts)
        }
        Word::Wchs => {
            let (sessions, paths, watches) = core.watch_summary();
            format!("{sessions} connections watching {paths} paths\nTotal watches:{watches}\n")
        }
        Word::Wchc => watches_by_session(core),
        Word::Wchp => watches_by_path(core),
        Word::Telnet => String::new(),
    }
}

/// The first lines of `srvr` and `stat`.
fn heading(standing: Standing) -> String {
    let mut out = format!("Zookeeper version: {}\n", version());
    if standing == Standing::ReadOnly {
        out.push_str("READ-ONLY mode; serving only read-only clients\n");
    }
    out
}

fn conf(
    facts: &Facts,
    clients: &Clients,
    standing: Standing,
    (data_bytes, log_bytes): (u64, u64),
) -> String {
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
    line("serverId", &facts.ensemble.as_ref().map_or(0, |ensemble| ensemble.me));
    if let Some(ensemble) = &facts.ensemble {
        out.push_str(match standing {
            Standing::ReadOnly => ensemble.conf_read_only(),
            _ => ensemble.conf(),
        });
    }
    out
}

fn srvr(core: &impl View, clients: &Clients, facts: &Facts) -> String {
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
    let _ = writeln!(out, "Mode: {}", ensemble::mode(&status.standing));
    let _ = writeln!(out, "Node count: {}", status.znodes);
    if let (Standing::Leading(_), Some(facts)) = (status.standing, &facts.ensemble) {
        let Proposals { last, min, max } = facts.proposals;
        let _ = writeln!(out, "Proposal sizes last/min/max: {last}/{min}/{max}");
    }
    out
}

fn watches_by_session(core: &impl View) -> String {
    let mut out = String::new();
    let all = core.watches_by_session().into_iter();
    groups(&mut out, all.map(|(id, paths)| (session(id), paths)));
    out
}

fn watches_by_path(core: &impl View) -> String {
    let mut out = String::new();
    let named = |ids: Vec<i64>| ids.into_iter().map(session).collect();
    let all = core.watches_by_path().into_iter();
    groups(&mut out, all.map(|(path, ids)| (path, named(ids))));
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
    dump_sessions(&mut out, core, now);
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

/// The sessions of `dump`. A server that learns does not know when those of the ensemble end.
fn dump_sessions(out: &mut String, core: &impl View, now: Now) {
    let named = |ids: Vec<i64>| ids.into_iter().map(session).collect();
    let named = |sets: Vec<(i64, Vec<i64>)>| -> Vec<(i64, Vec<String>)> {
        sets.into_iter().map(|(ms, ids)| (ms, named(ids))).collect()
    };
    let locals = core.local_sessions_by_expiry();
    if let Some(sets) = &locals {
        expiry_sets(out, "Local Session Sets", now, &named(sets.clone()));
    }
    match core.status().standing {
        Standing::Following | Standing::Observing | Standing::ReadOnly => {
            let sessions = core.sessions();
            let _ = writeln!(out, "Global Sessions({}):", sessions.len());
            for (id, timeout_ms) in sessions {
                let _ = writeln!(out, "{}\t{timeout_ms}ms", session(id));
            }
        }
        _ => {
            let name = if locals.is_some() { "Global Session Sets" } else { "Session Sets" };
            expiry_sets(out, name, now, &named(core.sessions_by_expiry()));
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::view::{ClientStatus, Latency, Status};
    use crate::settings::{self, Source};
    use zk_wire::Zxid;

    /// The state of a genuine server whose answers stand below.
    struct Sample;

    const FIRST: i64 = 0x1000026d6a20000;
    const SECOND: i64 = 0x1000026d6a20001;

    impl View for Sample {
        fn status(&self) -> Status {
            Status {
                latency: Latency { min_ms: 0, max_ms: 10, total_ms: 21, count: 10 },
                sent: 22,
                zxid: Zxid(6),
                znodes: 9,
                ephemerals: 3,
                data_bytes: 65,
                watches: 4,
                sessions: 2,
                ..Status::default()
            }
        }
        fn client(&self, _: ConnId) -> ClientStatus {
            ClientStatus::default()
        }
        fn sessions_by_expiry(&self) -> Vec<(i64, Vec<i64>)> {
            vec![(5000, vec![FIRST, SECOND])]
        }
        fn local_sessions_by_expiry(&self) -> Option<Vec<(i64, Vec<i64>)>> {
            None
        }
        fn sessions(&self) -> Vec<(i64, i32)> {
            vec![(FIRST, 4000), (SECOND, 4000)]
        }
        fn ephemerals(&self) -> Vec<(i64, Vec<String>)> {
            let paths = |paths: &[&str]| paths.iter().map(|path| path.to_string()).collect();
            vec![(FIRST, paths(&["/e", "/e2"])), (SECOND, paths(&["/a/f"]))]
        }
        fn watches_by_session(&self) -> Vec<(i64, Vec<String>)> {
            vec![(SECOND, vec!["/a".into()]), (FIRST, vec!["/a".into(), "/nope".into()])]
        }
        fn watches_by_path(&self) -> Vec<(String, Vec<i64>)> {
            vec![("/a".into(), vec![SECOND, FIRST]), ("/nope".into(), vec![FIRST])]
        }
        fn watch_summary(&self) -> (u64, u64, u64) {
            (2, 2, 3)
        }
        fn digests(&self) -> Vec<(Zxid, u64)> {
            vec![(Zxid(0x80), 1371985504), (Zxid(0x100), 7)]
        }
        fn reset_status(&mut self) {}
        fn reset_clients(&mut self) {}
    }

    fn asked(word: Word) -> String {
        let overrides = [("dataDir", "/tmp/d"), ("tickTime", "2000"), ("maxClientCnxns", "0")];
        let overrides = overrides.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let settings = settings::load(&Source { overrides, ..Source::default() }).unwrap();
        let now = Now { mono_ms: 0, wall_ms: 1_795_418_330_000 };
        let mut facts = Facts::new(&settings, "127.0.0.1:23811".parse().unwrap(), now);
        let mut clients = Clients::new(settings.limits.clone(), 10);
        clients.counters.packets_received = 23;
        clients.counters.words_answered = 1;
        let (whitelist, _) = Whitelist::parse("*");
        let sizes = &|| (67_109_358, 67_109_358);
        let asked = Asked { word, mask: None, whitelist: &whitelist, now, sizes };
        answer(asked, &mut Sample, &mut clients, &mut facts)
    }

    /// Goal: answers are Apache's to the byte.
    /// Method: what a genuine 3.9.5 answered with this state; only connections are left out.
    #[test]
    fn answers_are_apaches() {
        let srvr = "Latency min/avg/max: 0/2.1/10\nReceived: 23\nSent: 23\nConnections: 0\n\
                    Outstanding: 0\nZxid: 0x6\nMode: standalone\nNode count: 9\n";
        let version = format!("Zookeeper version: {}\n", version());
        for (word, text) in [
            (Word::Ruok, "imok".to_owned()),
            (Word::Isro, "rw".to_owned()),
            (Word::Gtmk, "306".to_owned()),
            (Word::Stmk, String::new()),
            (Word::Srvr, format!("{version}{srvr}")),
            (Word::Stat, format!("{version}Clients:\n\n{srvr}")),
            (Word::Cons, "\n".to_owned()),
            (Word::Crst, "Connection stats reset.\n".to_owned()),
            (Word::Srst, "Server stats reset.\n".to_owned()),
            (Word::Dirs, "datadir_size: 67109358\nlogdir_size: 67109358\n".to_owned()),
            (Word::Wchs, "2 connections watching 2 paths\nTotal watches:3\n".to_owned()),
            (
                Word::Wchc,
                "0x1000026d6a20001\n\t/a\n0x1000026d6a20000\n\t/a\n\t/nope\n\n".to_owned(),
            ),
            (
                Word::Wchp,
                "/a\n\t0x1000026d6a20001\n\t0x1000026d6a20000\n/nope\n\t0x1000026d6a20000\n\n"
                    .to_owned(),
            ),
            (Word::Hash, "80: 1371985504\n100: 7\n".to_owned()),
        ] {
            assert_eq!(asked(word), text, "{word}");
        }
    }

    #[test]
    fn conf_and_dump_are_apaches() {
        assert_eq!(
            asked(Word::Conf),
            "clientPort=23811\nsecureClientPort=-1\ndataDir=/tmp/d/version-2\n\
             dataDirSize=67109358\ndataLogDir=/tmp/d/version-2\ndataLogSize=67109358\n\
             tickTime=2000\nmaxClientCnxns=0\nminSessionTimeout=4000\nmaxSessionTimeout=40000\n\
             clientPortListenBacklog=-1\nserverId=0\n"
        );
        assert_eq!(
            asked(Word::Dump),
            "SessionTracker dump:\nSession Sets (1)/(2):\n\
             2 expire at Mon Nov 23 07:18:55 UTC 2026:\n\
             \t0x1000026d6a20000\n\t0x1000026d6a20001\n\
             ephemeral nodes dump:\nSessions with Ephemerals (2):\n0x1000026d6a20000:\n\t/e\n\
             \t/e2\n0x1000026d6a20001:\n\t/a/f\n\
             Connections dump:\nConnections Sets (0)/(0):\n"
        );
    }

    #[test]
    fn figures_for_monitoring_have_apaches_names() {
        let text = asked(Word::Mntr);
        for line in [
            "zk_server_state\tstandalone",
            "zk_avg_latency\t2.1",
            "zk_packets_received\t23",
            "zk_packets_sent\t23",
            "zk_znode_count\t9",
            "zk_ephemerals_count\t3",
            "zk_approximate_data_size\t65",
            "zk_watch_count\t4",
            "zk_global_sessions\t2",
            "zk_connection_drop_probability\t0.0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is missing in {text}");
        }
        assert!(text.starts_with("zk_version\t3.9.5-zk-agent-"));
    }

    #[test]
    fn versions_look_like_apaches() {
        let version = version();
        let (name, built) = version.split_once(", built on ").unwrap();
        assert!(name.starts_with("3.9.5-zk-agent-"), "{name}");
        assert_eq!(built.len(), "2026-02-11 20:18 UTC".len(), "{built}");
    }
}
