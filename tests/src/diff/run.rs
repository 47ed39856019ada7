//! Lock-step: plans a step, sends it to both lanes, compares what came back.

use std::collections::{BTreeMap, VecDeque};

use zk_wire::Op;

use crate::diff::lane::{Lane, SILENT, Said};
use crate::diff::plan::{self, Handshake, Mode, Request};
use crate::diff::text;
use crate::diff::value::{SUPER_DIGEST, Seen};
use crate::rng::Rng;
use crate::server::{Kind, Options, Server};

/// Sessions side by side.
const SLOTS: usize = 6;
/// Steps of history shown with a difference.
const HISTORY: usize = 12;

/// Many requests in flight, quotas that only warn.
pub const PIPELINE: Mode = Mode { enforce_quota: false, pipeline_max: 12 };
/// Quotas are enforced. They look at applied state only, so one request at a time.
pub const QUOTA: Mode = Mode { enforce_quota: true, pipeline_max: 1 };

/// What to compare, and how much.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The seed of everything.
    pub seed: u64,
    /// Requests to send.
    pub requests: u64,
    /// The server that is right.
    pub reference: Kind,
    /// The server that is looked at.
    pub subject: Kind,
    /// Different kinds of differences after which to give up.
    pub kinds_max: usize,
    /// The mode of every episode; unset, each third enforces quotas.
    pub mode: Option<Mode>,
    /// Requests after which both servers begin again from empty.
    pub episode: u64,
}

impl Setup {
    /// The usual comparison of our server with the newest genuine one.
    pub fn new(seed: u64, requests: u64) -> Setup {
        let reference = Kind::Apache(crate::tools::Release::Apache39);
        let subject = Kind::Ours;
        Setup { seed, requests, reference, subject, kinds_max: 1, mode: None, episode: 25_000 }
    }
}

/// What a run found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Requests sent to each side.
    pub requests: u64,
    /// Replies and events compared.
    pub lines: u64,
    /// Differences by kind: how often, and the transcript of the first.
    pub differences: BTreeMap<String, (u64, String)>,
    /// Answers of the reference by operation and error, to see what was tried.
    pub coverage: BTreeMap<String, u64>,
}

/// Runs it. An error names a tool that is missing.
pub fn run(setup: &Setup) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let mut episode = 0;
    while outcome.requests < setup.requests && outcome.differences.len() < setup.kinds_max {
        let seed = setup.seed.wrapping_add(episode);
        let mode = setup.mode.unwrap_or(if episode % 3 == 2 { QUOTA } else { PIPELINE });
        let budget = setup.episode.min(setup.requests - outcome.requests);
        let mut pair = Pair::start(setup, seed, mode)?;
        if let Some((kind, transcript)) = pair.play(budget, &mut outcome) {
            let entry = outcome.differences.entry(kind).or_insert((0, transcript));
            entry.0 += 1;
        }
        episode += 1;
    }
    Ok(outcome)
}

/// The options under which both sides start.
pub fn options(kind: Kind, mode: Mode) -> Options {
    // Nothing may happen by itself: no session expires, no container or TTL znode is reaped.
    Options::new(kind)
        .line("minSessionTimeout=600000")
        .line("maxSessionTimeout=1200000")
        .line(&format!("DigestAuthenticationProvider.superDigest={SUPER_DIGEST}"))
        .line(&format!("enforceQuota={}", mode.enforce_quota))
        .line("znode.container.checkIntervalMs=3600000")
        .property("znode.container.checkIntervalMs", "3600000")
}

/// Both lanes and what is planned for them.
struct Pair {
    seed: u64,
    rng: Rng,
    mode: Mode,
    seen: Seen,
    next_xid: i32,
    reference: Lane,
    subject: Lane,
    history: VecDeque<String>,
    steps: u64,
}

/// What came back from both sides on one slot.
type Both = (usize, Said, Said);

impl Pair {
    fn start(setup: &Setup, seed: u64, mode: Mode) -> Result<Pair, String> {
        let reference = Server::start(options(setup.reference, mode))?;
        let subject = Server::start(options(setup.subject, mode))?;
        Ok(Pair {
            seed,
            rng: Rng::new(seed),
            mode,
            seen: Seen::default(),
            next_xid: 0,
            reference: Lane::new(reference, SLOTS),
            subject: Lane::new(subject, SLOTS),
            history: VecDeque::new(),
            steps: 0,
        })
    }

    /// Plays so many requests. Returns the kind and the transcript of a difference.
    fn play(&mut self, budget: u64, outcome: &mut Outcome) -> Option<(String, String)> {
        let mut sent = 0;
        while sent < budget {
            let slot = self.rng.below(SLOTS);
            let live = self.reference.live(slot);
            let before = outcome.requests;
            let found = match self.rng.below(100) {
                0 if live => {
                    self.remember(format!("[{slot}] hangs up"));
                    self.reference.hang_up(slot);
                    self.subject.hang_up(slot);
                    None
                }
                1 if live => self.handshake(slot, outcome),
                _ if live => self.requests(slot, outcome),
                _ => self.handshake(slot, outcome),
            };
            sent += outcome.requests - before;
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn handshake(&mut self, slot: usize, outcome: &mut Outcome) -> Option<(String, String)> {
        let has = self.reference.has_session(slot);
        let how = plan::handshake(&mut self.rng, &self.seen, has);
        self.remember(format!("[{slot}] {how:?}"));
        let said = self.shake(slot, &how);
        outcome.requests += 1;
        self.judge(vec![said], &[], "handshake", outcome)
    }

    fn shake(&mut self, slot: usize, how: &Handshake) -> Both {
        let raw = self.reference.shake(slot, how);
        let left = self.reference.shaken(slot, how, raw);
        let raw = self.subject.shake(slot, how);
        (slot, left, self.subject.shaken(slot, how, raw))
    }

    fn requests(&mut self, slot: usize, outcome: &mut Outcome) -> Option<(String, String)> {
        let batch = plan::batch(&mut self.rng, &self.seen, self.mode, &mut self.next_xid);
        for r in &batch {
            self.remember(format!("[{slot}] {}", text::request(r.xid, r.op, &r.record)));
        }
        outcome.requests += batch.len() as u64;
        let ends = batch.iter().any(|r| r.op == Op::CLOSE_SESSION);
        let mut all = vec![match batch.as_slice() {
            [one] if plan::is_alone(one.op) => self.exchange_alone(slot, one),
            batch => self.exchange(slot, batch, ends),
        }];
        for other in (0..SLOTS).filter(|other| *other != slot) {
            if self.reference.live(other) && self.subject.live(other) {
                all.push(self.exchange(other, &[], ends));
            }
        }
        let kind = batch.first().and_then(|r| r.op.name()).unwrap_or("unknown");
        self.judge(all, &batch, kind, outcome)
    }

    fn exchange(&mut self, slot: usize, batch: &[Request], ends: bool) -> Both {
        self.reference.send(slot, batch);
        self.subject.send(slot, batch);
        let left = self.reference.collect(slot, batch, ends);
        (slot, left, self.subject.collect(slot, batch, ends))
    }

    fn exchange_alone(&mut self, slot: usize, one: &Request) -> Both {
        self.reference.send_alone(slot, one);
        self.subject.send_alone(slot, one);
        let left = self.reference.collect_alone(slot, one);
        (slot, left, self.subject.collect_alone(slot, one))
    }

    fn remember(&mut self, line: String) {
        self.steps += 1;
        if self.history.len() > HISTORY * 4 {
            self.history.pop_front();
        }
        self.history.push_back(line);
    }

    /// Compares; on a difference makes its transcript.
    fn judge(
        &mut self,
        all: Vec<Both>,
        batch: &[Request],
        kind: &str,
        outcome: &mut Outcome,
    ) -> Option<(String, String)> {
        let mut different = false;
        for (_, left, right) in &all {
            outcome.lines += left.lines.len() as u64;
            for line in &left.lines {
                *outcome.coverage.entry(coverage_key(line)).or_default() += 1;
            }
            self.seen.zxid = self.seen.zxid.max(left.zxid);
            left.created.iter().for_each(|path| self.seen.path(path));
            // A server that is silent proves nothing, not even when both are.
            let silent = left.lines.last().is_some_and(|line| line == SILENT);
            different |= silent || left.lines != right.lines;
        }
        if !different {
            return None;
        }
        let kind = signature(&all).unwrap_or_else(|| kind.to_owned());
        Some((kind, self.transcript(&all, batch.len())))
    }

    /// The request whose answer is the first that differs.
    fn request_of(&self, all: &[Both]) -> Option<&String> {
        let (slot, left, right) = all.iter().find(|(_, l, r)| l.lines != r.lines)?;
        let at = (0..).find(|at| left.lines.get(*at) != right.lines.get(*at))?;
        let lines = left.lines[at.min(left.lines.len())..].iter();
        let xid = lines.filter_map(|line| {
            line.split(' ').find(|word| word.starts_with("xid=") && *word != "xid=-1")
        });
        let wanted = format!("[{slot}] {} ", xid.into_iter().next()?);
        self.history.iter().rev().find(|line| line.starts_with(&wanted))
    }

    fn transcript(&self, all: &[Both], batch: usize) -> String {
        let mut out = format!("seed {} step {} mode {:?}\n", self.seed, self.steps, self.mode);
        if let Some(request) = self.request_of(all) {
            out.push_str(&format!("  the request: {request}\n"));
        }
        let shown = self.history.len().saturating_sub(HISTORY.max(batch + 4));
        for line in self.history.iter().skip(shown) {
            out.push_str(&format!("  {line}\n"));
        }
        for (slot, left, right) in all.iter().filter(|(_, left, right)| left.lines != right.lines) {
            out.push_str(&format!("  answers on [{slot}] (- reference, + subject)\n"));
            for at in 0..left.lines.len().max(right.lines.len()) {
                let (l, r) = (left.lines.get(at), right.lines.get(at));
                match (l, r) {
                    (Some(l), Some(r)) if l == r => out.push_str(&format!("      {l}\n")),
                    _ => {
                        l.iter().for_each(|l| out.push_str(&format!("    - {l}\n")));
                        r.iter().for_each(|r| out.push_str(&format!("    + {r}\n")));
                    }
                }
            }
        }
        out
    }
}

/// The first words of the first pair of lines that differ: operation and error of both.
fn signature(all: &[Both]) -> Option<String> {
    let (_, left, right) = all.iter().find(|(_, left, right)| left.lines != right.lines)?;
    let at = (0..).find(|at| left.lines.get(*at) != right.lines.get(*at))?;
    let key = |said: &Said| said.lines.get(at).map_or("nothing".to_owned(), |l| coverage_key(l));
    let (l, r) = (key(left), key(right));
    Some(if l == r { format!("{l} with other content") } else { format!("{l} against {r}") })
}

/// Operation and error of a line.
fn coverage_key(line: &str) -> String {
    let mut words = line.split(' ').filter(|word| {
        !word.starts_with("xid=") && !word.starts_with("zxid=") && !word.starts_with("session=")
    });
    let first = words.next().unwrap_or("");
    let second = words.next().unwrap_or("");
    match first {
        "connected" | "closed" | "silent" => first.to_owned(),
        _ => format!("{first} {second}"),
    }
}
