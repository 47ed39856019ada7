//! safe-to-stop: whether an ensemble keeps its quorum, and all it has acknowledged, without a server.
//!
//! Asks the other voters by `srvr` and the server itself for the configuration, so that it works with
//! Apache's servers too. It only looks: what is stopped then, and when, is for the caller, who had
//! better not stop two at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use zk_wire::ensemble::Ensemble;

use crate::cluster::{CONFIG, client_address, parse_config};
use crate::conn::{Conn, Target, addresses};
use crate::context::Context;
use crate::failure::{Failure, Result, exit};
use crate::fourletter::{Answer, ask, fields};
use crate::quorum::is_quorum;

/// Longest wait for one answer: a server that takes longer is not one to count on.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// How long servers that serve may lag behind what was there when the question was put.
const CATCH_UP: Duration = Duration::from_secs(2);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// Whether the ensemble keeps its quorum without a server; exit code 10 when not.
#[derive(Clone, Debug, clap::Args)]
pub struct SafeToStop {
    /// The server's id, where it cannot tell
    #[arg(long, value_name = "ID")]
    pub id: Option<i64>,
    /// Seconds to wait until it is safe
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    pub wait: f64,
}

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    safe: bool,
    id: Option<i64>,
    mode: Option<String>,
    /// Voters that go on without the server, and all voters.
    staying: Vec<i64>,
    voters: usize,
    reason: String,
}

impl Verdict {
    fn alone(safe: bool, mode: Option<String>, reason: &str) -> Verdict {
        let reason = reason.to_owned();
        Verdict { safe, id: None, mode, staying: Vec::new(), voters: 0, reason }
    }

    fn fields(&self, server: &str) -> Map<String, Value> {
        let fields = [
            ("server", json!(server)),
            ("safe", json!(self.safe)),
            ("id", json!(self.id)),
            ("mode", json!(self.mode)),
            ("voters", json!(self.voters)),
            ("staying", json!(self.staying)),
            ("reason", json!(self.reason)),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It has a vote in a quorum that is there, and this is its newest zxid.
    Serves { mode: String, zxid: i64 },
    /// It has none, or cannot be asked: why.
    Not(String),
}

fn said(answer: Answer) -> Said {
    let text = match answer {
        Answer::Text(text) => text,
        Answer::NotServing => return Said::Not("does not serve".to_owned()),
        Answer::Forbidden => return Said::Not("forbids srvr".to_owned()),
        Answer::Unreached(why) => return Said::Not(format!("not reached: {why}")),
    };
    let fields = fields(&text);
    let zxid = fields.get("Zxid").and_then(|text| text.strip_prefix("0x"));
    let zxid = zxid.and_then(|text| u64::from_str_radix(text, 16).ok());
    match (fields.get("Mode"), zxid) {
        (Some(mode), Some(zxid)) if mode != "read-only" => {
            Said::Serves { mode: mode.clone(), zxid: zxid as i64 }
        }
        (Some(mode), _) => Said::Not(format!("is {mode}")),
        (None, _) => Said::Not("does not say its mode".to_owned()),
    }
}

/// Whether a server that tells `zxid` has what was there at `goal`. One that has been brought up in
/// an epoch without txns goes on telling the zxid before it.
fn has(zxid: i64, goal: i64) -> bool {
    zxid >= goal || goal & 0xffff_ffff == 0
}

/// Asks some voters at once.
pub fn ask_all(peers: &[&(i64, String)], limit: Duration) -> Vec<(i64, Said)> {
    std::thread::scope(|scope| {
        let ask_one = |peer: &&'_ (i64, String)| {
            let (id, address) = (peer.0, peer.1.clone());
            (id, scope.spawn(move || said(ask(&address, "srvr", limit))))
        };
        let asking: Vec<_> = peers.iter().map(ask_one).collect();
        let fallen = |_| Said::Not("could not be asked".to_owned());
        asking.into_iter().map(|(id, thread)| (id, thread.join().unwrap_or_else(fallen))).collect()
    })
}

/// The voters that can do without the server, and a reason for each other one. Those that lag behind
/// what was there at first are asked again for a while.
fn staying(peers: &[(i64, String)], zxid: i64, limit: Duration) -> (BTreeSet<i64>, Vec<String>) {
    let until = Instant::now() + CATCH_UP;
    let mut said: BTreeMap<i64, Said> =
        ask_all(&peers.iter().collect::<Vec<_>>(), limit).into_iter().collect();
    let told = said.values().filter_map(|said| match said {
        Said::Serves { zxid, .. } => Some(*zxid),
        Said::Not(_) => None,
    });
    let goal = told.fold(zxid, i64::max);
    loop {
        let lags = |said: &Said| matches!(said, Said::Serves { zxid, .. } if !has(*zxid, goal));
        let again: Vec<_> = peers.iter().filter(|(id, _)| lags(&said[id])).collect();
        if again.is_empty() || Instant::now() >= until {
            break;
        }
        std::thread::sleep(PAUSE);
        said.extend(ask_all(&again, limit));
    }
    let (mut stay, mut missing) = (BTreeSet::new(), Vec::new());
    for (id, said) in said {
        match said {
            Said::Serves { zxid, .. } if has(zxid, goal) => {
                stay.insert(id);
            }
            Said::Serves { zxid, .. } => {
                missing.push(format!("{id} lags: it has {zxid:#x} of {goal:#x}"));
            }
            Said::Not(why) => missing.push(format!("{id} {why}")),
        }
    }
    (stay, missing)
}

/// The server's id: sessions begin with the last byte of the id of the server that made them.
fn id_of(session: i64, ensemble: &Ensemble) -> Option<i64> {
    let byte = (session >> 56) & 0xff;
    let mut like = ensemble.servers.keys().filter(|id| **id & 0xff == byte);
    let id = like.next().copied();
    if like.next().is_some() { None } else { id }
}

/// Where the voters' clients connect; a server whose line does not say it listens where this one does.
pub fn peers(ensemble: &Ensemble, me: i64, here: &str) -> Vec<(i64, String)> {
    let port = here.rsplit_once(':').map_or("2181", |(_, port)| port);
    let address = |id: i64| {
        let server = &ensemble.servers[&id];
        client_address(server).unwrap_or_else(|| {
            let host = &server.addresses[0].host;
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
        })
    };
    ensemble.voters().filter(|id| *id != me).map(|id| (id, address(id))).collect()
}

/// The configuration that a server tells, and the id of the session that asked for it.
fn configuration(ctx: &Context<'_>, server: &str) -> Result<(Option<Ensemble>, i64)> {
    let conn = Conn::open(&Target { servers: server.to_owned(), ..ctx.target.clone() })?;
    let (data, _) = conn.get(CONFIG, false)?;
    let session = conn.id();
    conn.close()?;
    Ok((parse_config(&data.unwrap_or_default())?, session))
}

fn judge(ctx: &Context<'_>, args: &SafeToStop, servers: &[String]) -> Result<Verdict> {
    let limit = ANSWER_MAX.min(Duration::from_millis(ctx.target.call_timeout_ms));
    let here = servers[0].as_str();
    let (mode, zxid) = match ask(here, "srvr", limit) {
        Answer::Unreached(why) if args.id.is_none() || servers.len() == 1 => {
            let what = format!("safe-to-stop {here}: not reached: {why}; has it stopped already?");
            return Err(Failure::new(exit::NOT_REACHED, what));
        }
        Answer::Forbidden => (None, 0),
        answer => match said(answer) {
            Said::Serves { mode, zxid } => (Some(mode), zxid),
            // It holds up nobody; but whether the others can do without it only they can say.
            Said::Not(why) if args.id.is_none() || servers.len() == 1 => {
                let why = format!(
                    "it {why}: it has no quorum; to judge by the others give -s {here},OTHER and --id"
                );
                return Ok(Verdict::alone(false, None, &why));
            }
            Said::Not(_) => (None, 0),
        },
    };
    if mode.as_deref() == Some("standalone") {
        let why = "standalone: nothing is lost but itself; its clients wait until it is back";
        return Ok(Verdict::alone(true, mode, why));
    }
    let asked = if mode.is_none() && servers.len() > 1 { &servers[1..] } else { &servers[..1] };
    let (ensemble, session) = configuration(ctx, &asked.join(","))?;
    let Some(ensemble) = ensemble else {
        return Ok(Verdict::alone(true, mode, "it is no member of an ensemble"));
    };
    let Some(id) = args.id.or_else(|| id_of(session, &ensemble)) else {
        let what = format!("safe-to-stop {here}: it does not tell which member it is; give --id");
        return Err(Failure::usage(what));
    };
    Ok(of_member(&ensemble, id, mode, here, |peers| staying(peers, zxid, limit)))
}

/// Judges a member by what the others say.
fn of_member(
    ensemble: &Ensemble,
    id: i64,
    mode: Option<String>,
    here: &str,
    ask: impl FnOnce(&[(i64, String)]) -> (BTreeSet<i64>, Vec<String>),
) -> Verdict {
    let voters: Vec<i64> = ensemble.voters().collect();
    let all = voters.len();
    let verdict = |safe: bool, staying: Vec<i64>, reason: String| {
        let mode = mode.clone();
        Verdict { safe, id: Some(id), mode, staying, voters: all, reason }
    };
    if voters == [id] {
        return verdict(true, Vec::new(), "the only voter: nobody else could stay".to_owned());
    }
    if !ensemble.servers.contains_key(&id) {
        return verdict(true, Vec::new(), "it is not in the configuration".to_owned());
    }
    if !voters.contains(&id) {
        return verdict(true, Vec::new(), "an observer has no vote".to_owned());
    }
    let (stay, missing) = ask(&peers(ensemble, id, here));
    let safe = is_quorum(ensemble, &stay);
    let weighed = if ensemble.hierarchical { ", by groups and weights" } else { "" };
    let mut reason = format!("{} of {all} voters stay{weighed}", stay.len());
    if !safe {
        reason.push_str(", which is no quorum");
    }
    for why in missing {
        reason.push_str(&format!("; {why}"));
    }
    verdict(safe, stay.into_iter().collect(), reason)
}

/// Whether one server may be stopped, and why or why not.
pub fn of_server(ctx: &Context<'_>, address: &str) -> Result<(bool, String)> {
    let verdict = judge(ctx, &SafeToStop { id: None, wait: 0.0 }, &[address.to_owned()])?;
    Ok((verdict.safe, verdict.reason))
}

/// safe-to-stop
pub fn safe_to_stop(ctx: &mut Context<'_>, args: &SafeToStop) -> Result<()> {
    if !(0.0..=86_400.0).contains(&args.wait) {
        return Err(Failure::usage(format!("--wait {}: seconds from 0 to 86400", args.wait)));
    }
    // Both are set for what a unit runs at its stop (systemd.exec(5)) when its server has ended by
    // itself: nothing is left to be stopped, and to wait would only delay the next start.
    if ["SERVICE_RESULT", "EXIT_CODE"].iter().all(|name| std::env::var_os(name).is_some()) {
        return Ok(());
    }
    let servers = addresses(&ctx.target.servers)?;
    let until = Instant::now() + Duration::from_secs_f64(args.wait);
    let found = loop {
        let found = judge(ctx, args, &servers);
        let usage = matches!(&found, Err(failure) if failure.exit == exit::USAGE);
        let safe = matches!(&found, Ok(verdict) if verdict.safe);
        if safe || usage || Instant::now() >= until {
            break found;
        }
        ctx.go_on()?;
        std::thread::sleep(PAUSE);
    };
    let verdict = found?;
    ctx.printer.record(verdict.fields(&servers[0]))?;
    match verdict.safe {
        true => Ok(()),
        false => {
            let what = format!("safe-to-stop {}: no: {}", servers[0], verdict.reason);
            Err(Failure::new(exit::NO, what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: &str = "server.1=a:1:2:participant;0.0.0.0:2181\n\
        server.2=b:1:2:participant\nserver.3=[fe80::1]:1:2:participant;2183\n\
        server.9=d:1:2:observer\nversion=0";

    fn three() -> Ensemble {
        parse_config(THREE.as_bytes()).unwrap().unwrap()
    }

    fn judged(id: i64, stay: &[i64], missing: &[&str]) -> Verdict {
        let stay = stay.iter().copied().collect();
        let missing = missing.iter().map(|text| (*text).to_owned()).collect();
        of_member(&three(), id, None, "a:2181", |_| (stay, missing))
    }

    #[test]
    fn a_quorum_has_to_stay() {
        assert!(judged(1, &[2, 3], &[]).safe);
        let no = judged(1, &[2], &["3 not reached: refused"]);
        assert!(!no.safe);
        assert_eq!(no.reason, "1 of 3 voters stay, which is no quorum; 3 not reached: refused");
        assert!(judged(9, &[], &[]).safe, "an observer");
        assert!(judged(7, &[], &[]).safe, "a stranger");
    }

    #[test]
    fn others_are_found_where_their_clients_find_them() {
        let list = peers(&three(), 1, "localhost:2199");
        assert_eq!(list, [(2, "b:2199".to_owned()), (3, "[fe80:0:0:0:0:0:0:1]:2183".to_owned())]);
    }

    #[test]
    fn a_session_tells_who_made_it() {
        assert_eq!(id_of(0x0300_0000_0000_0001, &three()), Some(3));
        assert_eq!(id_of(0x0400_0000_0000_0001, &three()), None);
        let twins = parse_config(b"server.1=a:1:2\nserver.257=b:1:2\nserver.3=c:1:2").unwrap();
        assert_eq!(id_of(0x0100_0000_0000_0001, &twins.unwrap()), None);
    }

    #[test]
    fn what_servers_say() {
        let text = "Zookeeper version: 3.9\nZxid: 0x200000007\nMode: follower\n";
        let serves = Said::Serves { mode: "follower".to_owned(), zxid: 0x2_0000_0007 };
        assert_eq!(said(Answer::Text(text.to_owned())), serves);
        let apart = "Zxid: 0x2\nMode: read-only\n".to_owned();
        assert_eq!(said(Answer::Text(apart)), Said::Not("is read-only".to_owned()));
        assert!(has(0x2_0000_0007, 0x2_0000_0007) && !has(0x2_0000_0006, 0x2_0000_0007));
        assert!(has(0x1_0000_0006, 0x2_0000_0000), "an epoch without txns");
    }
}
