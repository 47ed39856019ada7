//! The loop that drives connections: closed, where an answer makes room for the next request, or
//! open, where requests go out by the clock.
//!
//! In an open loop the latency is counted from the moment at which a request was due, whether it
//! could be sent then or not: a server that stalls for a second has a second of latency, not one
//! slow request (no coordinated omission).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};
use zk_wire::Code;

use crate::bench::link::{Done, Link};

/// Largest latency that is told apart, in ns: an hour.
const LATENCY_NS_MAX: u64 = 3_600_000_000_000;

/// How near the next due request must be for the loop to spin rather than sleep: what sleeps wakes
/// up to a ms late.
const SPIN: Duration = Duration::from_micros(1500);

/// Longest sleep, so that an interrupt and the end are seen.
const NAP: Duration = Duration::from_millis(50);

/// What is sent.
pub trait Load {
    /// Puts the next request on a link; false when there are no more.
    fn put(&mut self, at: usize, link: &mut Link, intended_ns: u64, now_ns: u64) -> bool;
    /// Whether this answer is fine.
    fn fine(&self, code: Code) -> bool;
}

/// How a run goes.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Requests without an answer on one link, at most.
    pub depth: usize,
    /// Requests a second of all links; `None` is a closed loop.
    pub rate: Option<f64>,
    /// What is not measured at the beginning.
    pub warmup: Duration,
    /// What is measured behind it; `None` until the load ends.
    pub measured: Option<Duration>,
    /// How long answers may take after the end.
    pub patience: Duration,
}

/// What came of one class of requests.
#[derive(Clone, Debug)]
pub struct Class {
    /// Latencies in ns.
    pub latency: Histogram<u64>,
    /// Answers within the measured time.
    pub answered: u64,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// By class.
    pub classes: Vec<Class>,
    /// What was measured, in seconds.
    pub seconds: f64,
    /// Answers that were not fine, by code, and faults of connections, by text.
    pub errors: BTreeMap<String, u64>,
    /// Requests that were due and never sent.
    pub unsent: u64,
}

impl Outcome {
    fn new(classes: usize) -> Outcome {
        let latency = Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3).expect("bounds are right");
        Outcome {
            classes: vec![Class { latency, answered: 0 }; classes],
            seconds: 0.0,
            errors: BTreeMap::new(),
            unsent: 0,
        }
    }

    /// Adds what another thread saw of the same run.
    pub fn add(&mut self, other: &Outcome) {
        for (mine, theirs) in self.classes.iter_mut().zip(&other.classes) {
            mine.latency.add(&theirs.latency).expect("the bounds are the same");
            mine.answered += theirs.answered;
        }
        self.seconds = self.seconds.max(other.seconds);
        self.unsent += other.unsent;
        for (what, count) in &other.errors {
            *self.errors.entry(what.clone()).or_default() += count;
        }
    }
}

struct Run<'a> {
    links: &'a mut [Link],
    load: &'a mut dyn Load,
    pace: Pace,
    start: Instant,
    outcome: Outcome,
    /// Requests sent so far, of an open loop also their place in the plan.
    sent: u64,
    /// The load has no more.
    spent: bool,
}

/// Drives links with a load until its end, or until `stop`.
pub fn run(
    links: &mut [Link],
    load: &mut dyn Load,
    pace: Pace,
    classes: usize,
    stop: &AtomicBool,
    mut told: impl FnMut(u64),
) -> std::io::Result<Outcome> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    for (at, link) in links.iter_mut().enumerate() {
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut link.stream, Token(at), interest)?;
        link.sent_ns = 0;
    }
    let start = Instant::now();
    let outcome = Outcome::new(classes);
    let mut run = Run { links, load, pace, start, outcome, sent: 0, spent: false };
    let end = pace.measured.map(|measured| pace.warmup + measured);
    let mut done: Vec<Done> = Vec::new();
    (0..run.links.len()).for_each(|at| run.refill(at));
    loop {
        let now = start.elapsed();
        if stop.load(Ordering::Relaxed) || end.is_some_and(|end| now >= end) || run.over() {
            break;
        }
        poll.poll(&mut events, Some(run.nap(now, end)))?;
        for event in &events {
            let Token(at) = event.token();
            if event.is_readable() {
                run.receive(at, &mut done);
                told(done.len() as u64);
            }
            if event.is_writable() {
                run.links[at].flush();
            }
            run.refill(at);
        }
        run.due();
        let now_ns = run.now_ns();
        run.links.iter_mut().for_each(|link| link.ping_if_due(now_ns));
    }
    run.finish(&mut poll, &mut events, stop)?;
    for link in run.links.iter_mut() {
        poll.registry().deregister(&mut link.stream)?;
    }
    Ok(run.outcome)
}

impl Run<'_> {
    fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// True when nothing more can come.
    fn over(&self) -> bool {
        let idle = |link: &Link| link.fault.is_some() || (self.spent && link.pending.is_empty());
        self.links.iter().all(idle)
    }

    /// How long to sleep.
    fn nap(&self, now: Duration, end: Option<Duration>) -> Duration {
        let to_end = end.map_or(NAP, |end| end.saturating_sub(now)).min(NAP);
        let Some(rate) = self.pace.rate.filter(|_| !self.spent) else { return to_end };
        let next = Duration::from_secs_f64(self.sent as f64 / rate).saturating_sub(now);
        match next < SPIN {
            true => Duration::ZERO,
            false => to_end.min(next - SPIN),
        }
    }

    /// When the last request may be due, in ns of the run; `None` for a run without an end.
    fn last_ns(&self) -> Option<u64> {
        self.pace.measured.map(|measured| (self.pace.warmup + measured).as_nanos() as u64)
    }

    /// Closed loop: fills a link up to its depth.
    fn refill(&mut self, at: usize) {
        if self.pace.rate.is_some() || self.spent {
            return;
        }
        let link = &mut self.links[at];
        let mut put = false;
        while link.fault.is_none() && link.pending.len() < self.pace.depth {
            let now_ns = self.start.elapsed().as_nanos() as u64;
            if !self.load.put(at, link, now_ns, now_ns) {
                self.spent = true;
                break;
            }
            self.sent += 1;
            put = true;
        }
        if put {
            link.flush();
        }
    }

    /// Open loop: sends what is due on links that have room.
    fn due(&mut self) {
        let Some(rate) = self.pace.rate else { return };
        let now_ns = self.now_ns();
        let due = match self.last_ns() {
            Some(last_ns) if last_ns <= now_ns => (last_ns as f64 / 1e9 * rate) as u64,
            _ => (now_ns as f64 / 1e9 * rate) as u64 + 1,
        };
        let mut full = 0;
        let mut touched = 0;
        while self.sent < due && !self.spent && full < self.links.len() {
            let at = ((self.sent + full as u64) % self.links.len() as u64) as usize;
            let link = &mut self.links[at];
            if link.fault.is_some() || link.pending.len() >= self.pace.depth {
                full += 1;
                continue;
            }
            let intended_ns = (self.sent as f64 / rate * 1e9) as u64;
            if !self.load.put(at, link, intended_ns, now_ns) {
                self.spent = true;
                break;
            }
            self.sent += 1;
            full = 0;
            touched += 1;
        }
        if touched > 0 {
            self.links.iter_mut().for_each(Link::flush);
        }
    }

    fn receive(&mut self, at: usize, done: &mut Vec<Done>) {
        done.clear();
        let alive = self.links[at].fault.is_none();
        self.links[at].receive(done);
        let now_ns = self.now_ns();
        let from_ns = self.pace.warmup.as_nanos() as u64;
        let to_ns = self.pace.measured.map_or(u64::MAX, |m| from_ns + m.as_nanos() as u64);
        for done in done.iter() {
            if !self.load.fine(done.code) {
                *self.outcome.errors.entry(done.code.to_string()).or_default() += 1;
                continue;
            }
            let class = &mut self.outcome.classes[done.sent.class];
            // By the end of its waiting, not by its beginning: what was due before the measured time
            // and is answered in it has waited in it.
            if now_ns >= from_ns && done.sent.intended_ns < to_ns {
                class.latency.saturating_record(now_ns - done.sent.intended_ns.min(now_ns));
            }
            if (from_ns..to_ns).contains(&now_ns) {
                class.answered += 1;
            }
        }
        if let (true, Some(fault)) = (alive, &self.links[at].fault) {
            // What was under way is lost with it.
            let lost = self.links[at].pending.len().max(1) as u64;
            *self.outcome.errors.entry(fault.clone()).or_default() += lost;
        }
    }

    /// Takes the answers that are still to come.
    fn finish(
        &mut self,
        poll: &mut Poll,
        events: &mut Events,
        stop: &AtomicBool,
    ) -> std::io::Result<()> {
        let elapsed = self.start.elapsed();
        if !stop.load(Ordering::Relaxed) {
            // What was due while the loop slept.
            self.due();
        }
        self.spent = true;
        let measured = elapsed.saturating_sub(self.pace.warmup);
        self.outcome.seconds =
            self.pace.measured.map_or(measured, |limit| measured.min(limit)).as_secs_f64();
        if let Some(rate) = self.pace.rate {
            let last_ns = (elapsed.as_nanos() as u64).min(self.last_ns().unwrap_or(u64::MAX));
            let due = (last_ns as f64 / 1e9 * rate) as u64;
            self.outcome.unsent = due.saturating_sub(self.sent);
        }
        let deadline = Instant::now() + self.pace.patience;
        let mut done = Vec::new();
        while !self.over() && Instant::now() < deadline && !stop.load(Ordering::Relaxed) {
            poll.poll(events, Some(NAP))?;
            for event in events.iter() {
                let Token(at) = event.token();
                self.receive(at, &mut done);
                self.links[at].flush();
            }
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let late: usize = self
            .links
            .iter()
            .filter(|link| link.fault.is_none())
            .map(|link| link.pending.len())
            .sum();
        if late > 0 {
            let what = format!("no answer {} s after the end", self.pace.patience.as_secs());
            *self.outcome.errors.entry(what).or_default() += late as u64;
        }
        Ok(())
    }
}
