//! bench: a load generator that is fair to every server of the protocol.
//!
//! Closed loop (the default): so many connections with so many requests under way on each; the next
//! goes out when an answer comes. It tells what a server can do. Open loop (`--rate`): requests go
//! out by the clock, and latency is counted from when they were due. It tells what users would feel.
//!
//! All work happens below one znode of this run, which is deleted at the end, also after Ctrl-C.

mod engine;
mod link;
mod plan;

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::{Value, json};
use zk_wire::{Acl, Code};
use zkclient::calls::Mode;

use crate::conn::addresses;
use crate::context::Context;
use crate::failure::{Failure, Result, exit};
use crate::progress::Progress;
use engine::{Outcome, Pace};
use link::Link;
use plan::{Chores, Mix, Names};

/// Connections at most: each is a session and a file descriptor.
const CONNECTIONS_MAX: i64 = 10_000;

/// Requests under way on one connection of an open loop, when no depth is given.
const OPEN_DEPTH: usize = 1000;

/// Requests under way while znodes are made and deleted.
const CHORE_DEPTH: usize = 64;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// getData of random znodes
    Read,
    /// setData of random znodes
    Write,
    /// Both
    Mixed,
    /// create of new znodes
    Create,
}

/// Measures throughput and latency of the servers, and cleans up.
#[derive(Clone, Debug, clap::Args)]
pub struct Bench {
    /// What to do
    #[arg(value_enum, default_value = "mixed")]
    pub kind: Kind,
    /// Connections, each with a session, spread over the servers
    #[arg(short = 'n', long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=CONNECTIONS_MAX))]
    pub connections: i64,
    /// Requests under way on each connection; in an open loop at most so many (1000)
    #[arg(short = 'd', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub depth: Option<u32>,
    /// Open loop: requests a second of all connections together
    #[arg(short = 'r', long, value_name = "PER_SECOND", value_parser = rate)]
    pub rate: Option<f64>,
    /// Seconds that are measured
    #[arg(short = 't', long, default_value_t = 10.0, value_name = "SECONDS", value_parser = rate)]
    pub seconds: f64,
    /// Seconds before, which are not
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS")]
    pub warmup: f64,
    /// Bytes of data of each znode
    #[arg(short = 'b', long, default_value_t = 100, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub bytes: u32,
    /// Znodes that are read and written
    #[arg(short = 'z', long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub znodes: u32,
    /// Of 100 requests of mixed so many are reads
    #[arg(long, default_value_t = 90, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub reads: u32,
    /// Threads of the generator
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: u32,
    /// The znode below which the run has its own
    #[arg(long, default_value = "/", value_name = "PATH")]
    pub below: String,
}

fn rate(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= 1e9 => Ok(number),
        _ => Err("a number above 0".to_owned()),
    }
}

/// Names of the histograms, by class.
const CLASSES: [&str; 3] = ["read", "write", "create"];

fn open(ctx: &Context<'_>, count: usize) -> Result<Vec<Link>> {
    let mut servers = addresses(&ctx.target.servers)?;
    let mut links = Vec::with_capacity(count);
    while links.len() < count {
        ctx.go_on()?;
        let at = links.len() % servers.len();
        match Link::open(&servers[at], &ctx.target) {
            Ok(link) => links.push(link),
            // The others take its share.
            Err(error) if servers.len() > 1 => {
                eprintln!("zkctl: bench {}: {error}; it is left out", servers.remove(at));
            }
            Err(error) => {
                let what = format!(
                    "bench {}: connection {} of {count}: {error}; fewer by -n, others by -s",
                    servers[at],
                    links.len() + 1
                );
                return Err(Failure::new(exit::NOT_REACHED, what));
            }
        }
    }
    Ok(links)
}

fn failed(error: std::io::Error) -> Failure {
    Failure::new(exit::FAILED, format!("bench: {error}"))
}

/// Does a list of requests as fast as it goes: making znodes before, deleting them behind.
fn chore(
    ctx: &Context<'_>,
    links: &mut [Link],
    chores: &mut Chores<'_>,
    what: &'static str,
    stop: &AtomicBool,
) -> Result<()> {
    let progress = Progress::start(ctx.shows_progress(), what, chores.total());
    let pace = Pace {
        depth: CHORE_DEPTH,
        rate: None,
        warmup: Duration::ZERO,
        measured: None,
        patience: Duration::ZERO,
    };
    let outcome = engine::run(links, chores, pace, 1, stop, |count| progress.add(count));
    let outcome = outcome.map_err(failed)?;
    match outcome.errors.first_key_value() {
        None => Ok(()),
        Some((error, count)) => {
            let what = format!("bench: {what}: {count} times: {error}");
            Err(Failure::new(exit::FAILED, what))
        }
    }
}

/// The measured part, on as many threads as asked.
fn measure(
    ctx: &Context<'_>,
    args: &Bench,
    links: &mut [Link],
    mixes: &mut [Mix<'_>],
) -> Result<Outcome> {
    let threads = mixes.len();
    let share = links.len().div_ceil(threads);
    let closed = args.rate.is_none();
    let pace = Pace {
        depth: args.depth.map_or(if closed { 1 } else { OPEN_DEPTH }, |depth| depth as usize),
        rate: args.rate.map(|rate| rate / links.chunks(share).len() as f64),
        warmup: Duration::from_secs_f64(args.warmup.clamp(0.0, 3600.0)),
        measured: Some(Duration::from_secs_f64(args.seconds)),
        patience: Duration::from_millis(ctx.target.call_timeout_ms),
    };
    let stop = &*ctx.stop;
    let run = |links: &mut [Link], mix: &mut Mix<'_>| {
        engine::run(links, mix, pace, CLASSES.len(), stop, |_| ())
    };
    let outcomes: Vec<std::io::Result<Outcome>> = std::thread::scope(|scope| {
        let pairs = links.chunks_mut(share).zip(mixes);
        let handles: Vec<_> =
            pairs.map(|(links, mix)| scope.spawn(move || run(links, mix))).collect();
        let join = |handle: std::thread::ScopedJoinHandle<'_, _>| match handle.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        handles.into_iter().map(join).collect()
    });
    let mut sum: Option<Outcome> = None;
    for outcome in outcomes {
        let outcome = outcome.map_err(failed)?;
        match &mut sum {
            None => sum = Some(outcome),
            Some(sum) => sum.add(&outcome),
        }
    }
    Ok(sum.expect("there is a thread"))
}

/// bench
pub fn bench(ctx: &mut Context<'_>, args: &Bench) -> Result<()> {
    let below = ctx.path(&args.below)?;
    let conn = ctx.conn()?;
    let name = format!("zkctl-bench-{:016x}", conn.id());
    let root = conn.create(
        &crate::context::child(&below, &name),
        Some(b""),
        &Acl::open(),
        Mode::Persistent,
    )?;
    let names = Names::new(&format!("{}{root}", conn.chroot()));
    let mut mixes = Vec::new();
    let measured = prepare(ctx, args, &names, &mut mixes);
    // Whatever happened: nothing of the run may stay.
    let created: Vec<(usize, u64)> = mixes.iter().flat_map(Mix::created).collect();
    let never = AtomicBool::new(false);
    let cleaned = open_quietly(ctx).and_then(|mut links| {
        let mut chores = Chores::delete(&names, args.znodes_of(), created);
        let done = chore(ctx, &mut links, &mut chores, "cleaning up", &never);
        links.into_iter().for_each(Link::close);
        done
    });
    let removed = cleaned.and_then(|()| conn.delete(&root, -1));
    let outcome = measured?;
    removed.map_err(|failure| {
        let what = format!("bench: {root} stays behind: {failure}; zkctl rm -R it");
        Failure { what, ..failure }
    })?;
    report(ctx, args, &outcome)?;
    ctx.go_on()
}

/// A few connections for cleaning up, also after an interrupt.
fn open_quietly(ctx: &Context<'_>) -> Result<Vec<Link>> {
    let servers = addresses(&ctx.target.servers)?;
    let mut last = None;
    for server in &servers {
        match Link::open(server, &ctx.target) {
            Ok(link) => return Ok(vec![link]),
            Err(error) => last = Some(error),
        }
    }
    Err(failed(last.expect("a list of servers is not empty")))
}

impl Bench {
    /// Znodes that the run makes beforehand.
    fn znodes_of(&self) -> u64 {
        if self.kind == Kind::Create { 0 } else { self.znodes.into() }
    }

    /// Of 100 requests so many are reads.
    fn percent(&self) -> u32 {
        match self.kind {
            Kind::Read => 100,
            Kind::Mixed => self.reads,
            Kind::Write | Kind::Create => 0,
        }
    }
}

fn prepare<'a>(
    ctx: &Context<'_>,
    args: &Bench,
    names: &'a Names,
    mixes: &mut Vec<Mix<'a>>,
) -> Result<Outcome> {
    let count = args.connections as usize;
    let mut links = open(ctx, count)?;
    let data = vec![b'x'; args.bytes as usize];
    let mut chores = Chores::create(names, args.znodes_of(), &data);
    chore(ctx, &mut links, &mut chores, "preparing", &ctx.stop)?;
    ctx.go_on()?;
    let threads = (args.threads as usize).min(count);
    let share = count.div_ceil(threads);
    for (thread, links) in links.chunks(share).enumerate() {
        let first = thread * share;
        let creates = args.kind == Kind::Create;
        let znodes = args.znodes_of();
        mixes.push(Mix::new(
            names,
            first..first + links.len(),
            znodes,
            args.percent(),
            creates,
            &data,
        ));
    }
    let outcome = measure(ctx, args, &mut links, mixes)?;
    links.into_iter().for_each(Link::close);
    Ok(outcome)
}

fn report(ctx: &mut Context<'_>, args: &Bench, outcome: &Outcome) -> Result<()> {
    let us = |ns: u64| json!((ns as f64 / 100.0).round() / 10.0);
    let mut rows = Vec::new();
    for (name, class) in CLASSES.iter().zip(&outcome.classes) {
        let latency = &class.latency;
        if latency.is_empty() && class.answered == 0 {
            continue;
        }
        let rate = class.answered as f64 / outcome.seconds.max(1e-9);
        rows.push(vec![
            json!(name),
            json!(class.answered),
            json!(rate.round() as u64),
            us(latency.mean() as u64),
            us(latency.value_at_quantile(0.5)),
            us(latency.value_at_quantile(0.99)),
            us(latency.value_at_quantile(0.999)),
            us(latency.max()),
        ]);
    }
    let columns =
        ["op", "answers", "per_second", "mean_us", "p50_us", "p99_us", "p999_us", "max_us"];
    if ctx.printer.json() {
        let object = |row: Vec<Value>| -> Value {
            columns.iter().map(|name| (*name).to_owned()).zip(row).collect()
        };
        let value = json!({
            "loop": if args.rate.is_some() { "open" } else { "closed" },
            "connections": args.connections,
            "depth": args.depth,
            "rate": args.rate,
            "bytes": args.bytes,
            "seconds": outcome.seconds,
            "results": rows.into_iter().map(object).collect::<Vec<_>>(),
            "errors": outcome.errors,
            "unsent": outcome.unsent,
        });
        ctx.printer.value(&value)?;
    } else {
        ctx.printer.rows(&columns, rows)?;
    }
    if outcome.unsent > 0 {
        eprintln!(
            "zkctl: bench: {} requests were due and never sent: the rate is above what the servers \
             take with this depth",
            outcome.unsent
        );
    }
    match outcome.errors.is_empty() {
        true => Ok(()),
        false => {
            let errors: Vec<String> =
                outcome.errors.iter().map(|(what, count)| format!("{count} x {what}")).collect();
            Err(Failure::new(exit::FAILED, format!("bench: {}", errors.join("; "))))
        }
    }
}

/// Codes that are fine while deleting.
fn gone_is_fine(code: Code) -> bool {
    matches!(code, Code::OK | Code::NO_NODE)
}
