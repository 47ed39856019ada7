//! health, and waiting for it: whether servers serve, have a quorum, and have what the leader has.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::{limit, servers};
use crate::conn::{Conn, Target};
use crate::context::Context;
use crate::failure::{Failure, Result, exit};
use crate::fourletter::{Answer, ask, fields, remedy};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// Requests that wait in a server above which it is not well.
const OUTSTANDING_MAX: u64 = 1000;

/// Asks each server whether it is well; exit code 7, 10, 12 or 13 when one is not.
#[derive(Clone, Debug, clap::Args)]
pub struct Health {
    /// All members of the ensemble, not only the servers of -s
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Only well when it has what the leader has, too
    #[arg(long)]
    pub synced: bool,
    /// Well as soon as it answers, also without a quorum: for a probe that restarts what hangs
    #[arg(long, conflicts_with = "synced")]
    pub alive: bool,
}

/// How a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It serves, in a quorum or standalone.
    Well,
    /// Nobody answers.
    Away,
    /// It runs and has no quorum: it does not serve, or only reads.
    Apart,
    /// It serves, and has not what the leader has.
    Behind,
    /// It serves badly.
    Sick,
}

impl State {
    /// The exit code of a server that is like that.
    fn exit(self) -> u8 {
        match self {
            State::Well => 0,
            State::Away => exit::NOT_REACHED,
            State::Apart => exit::NO_QUORUM,
            State::Behind => exit::BEHIND,
            State::Sick => exit::NO,
        }
    }
}

/// What health found out about one server.
struct Finding {
    server: String,
    state: State,
    mode: Option<String>,
    said: BTreeMap<String, String>,
    remark: String,
}

/// Does something in a session of its own with one server.
fn session(ctx: &Context<'_>, server: &str, work: impl FnOnce(&Conn) -> Result<()>) -> Result<()> {
    let conn = Conn::open(&Target { servers: server.to_owned(), ..ctx.target.clone() })?;
    work(&conn)?;
    conn.close()
}

/// Looks at a server, with `synced` also whether it comes to where the leader is.
fn examine(ctx: &Context<'_>, server: &str, synced: bool) -> Finding {
    let mut finding = look(ctx, server);
    if synced && finding.state == State::Well {
        // It is answered by the leader, in the order of what the leader has sent before.
        if let Err(failure) = session(ctx, server, |conn| conn.sync("/")) {
            finding.state = State::Behind;
            finding.remark = format!("not synchronised: {failure}");
        }
    }
    finding
}

fn look(ctx: &Context<'_>, server: &str) -> Finding {
    let mut finding = Finding {
        server: server.to_owned(),
        state: State::Away,
        mode: None,
        said: BTreeMap::new(),
        remark: String::new(),
    };
    match ask(server, "srvr", limit(ctx)) {
        Answer::Text(text) => finding.said = fields(&text),
        Answer::NotServing => {
            finding.state = State::Apart;
            finding.remark = "it runs and does not serve: it has no quorum".to_owned();
            return finding;
        }
        Answer::Unreached(why) => {
            finding.remark = format!("not reached: {why}");
            return finding;
        }
        // What it forbids to tell can be seen by a session.
        Answer::Forbidden => {
            match session(ctx, server, |conn| conn.stat("/").map(|_| ())) {
                Ok(()) => {
                    finding.state = State::Well;
                    finding.remark = remedy("srvr");
                }
                Err(failure) => {
                    finding.state = State::Apart;
                    finding.remark = failure.to_string();
                }
            }
            return finding;
        }
    }
    finding.mode = finding.said.get("Mode").cloned();
    let waiting = finding.said.get("Outstanding").and_then(|text| text.parse().ok()).unwrap_or(0);
    finding.state = State::Well;
    match finding.mode.as_deref() {
        None => {
            finding.state = State::Sick;
            finding.remark = "it does not say its mode".to_owned();
        }
        Some("read-only") => {
            finding.state = State::Apart;
            finding.remark = "read-only: it has no quorum".to_owned();
        }
        Some(_) if waiting > OUTSTANDING_MAX => {
            finding.state = State::Sick;
            finding.remark = format!("{waiting} requests wait");
        }
        Some(_) => {}
    }
    finding
}

/// health
pub fn health(ctx: &mut Context<'_>, args: &Health) -> Result<()> {
    let servers = servers(ctx, args.all)?;
    let mut findings: Vec<Finding> =
        servers.iter().map(|server| examine(ctx, server, args.synced)).collect();
    let leaders = findings.iter().filter(|f| f.mode.as_deref() == Some("leader")).count();
    let followers = findings.iter().filter(|f| f.mode.as_deref() == Some("follower")).count();
    if args.all && leaders == 0 && followers > 0 {
        let well = findings.iter_mut().filter(|finding| finding.state == State::Well);
        well.for_each(|finding| finding.state = State::Sick);
    }
    let well = |state: State| state == State::Well || args.alive && state != State::Away;
    let sick: Vec<&Finding> = findings.iter().filter(|f| !well(f.state)).collect();
    let judged = judged(&sick);
    let number = |finding: &Finding, label: &str| match finding.said.get(label) {
        Some(text) => text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number)),
        None => Value::Null,
    };
    let rows = findings.iter().map(|finding| {
        let latency =
            finding.said.get("Latency min/avg/max").and_then(|text| text.split('/').nth(1));
        let version = finding.said.get("Zookeeper version").and_then(|text| text.split(',').next());
        vec![
            json!(finding.server),
            json!(if well(finding.state) { "well" } else { "sick" }),
            json!(finding.mode),
            json!(version),
            number(finding, "Zxid"),
            number(finding, "Connections"),
            number(finding, "Outstanding"),
            json!(latency.and_then(|text| text.parse::<f64>().ok())),
            number(finding, "Node count"),
            match finding.remark.is_empty() {
                true => Value::Null,
                false => json!(finding.remark),
            },
        ]
    });
    let columns = [
        "server",
        "health",
        "mode",
        "version",
        "zxid",
        "connections",
        "outstanding",
        "latency_ms",
        "znodes",
        "remark",
    ];
    ctx.printer.rows(&columns, rows.collect())?;
    judged
}

/// The exit code that all of the sick ones have, 10 when they differ.
fn judged(sick: &[&Finding]) -> Result<()> {
    let Some(first) = sick.first() else { return Ok(()) };
    let same = sick.iter().all(|finding| finding.state == first.state);
    let code = if same { first.state.exit() } else { exit::NO };
    let names: Vec<&str> = sick.iter().map(|finding| finding.server.as_str()).collect();
    Err(Failure::new(code, format!("health: not well: {}", names.join(", "))))
}

/// wait --quorum, wait --synced: until the servers of the call are well.
pub fn wait(ctx: &mut Context<'_>, synced: bool) -> Result<()> {
    let servers = servers(ctx, false)?;
    let mut left = servers;
    loop {
        let looked = left.drain(..).map(|server| examine(ctx, &server, synced));
        let sick: Vec<Finding> = looked.filter(|finding| finding.state != State::Well).collect();
        let Some(first) = sick.first() else { return Ok(()) };
        ctx.go_on()?;
        if ctx.left().is_some_and(|left| left.is_zero()) {
            let ms = ctx.limit.unwrap_or_default().as_millis();
            let what = format!("wait {}: after {ms} ms {}", first.server, first.remark);
            return Err(Failure::new(exit::TIMEOUT, what));
        }
        left = sick.into_iter().map(|finding| finding.server).collect();
        std::thread::sleep(PAUSE);
    }
}
