//! Runs simulated ensembles: `zk-sim [-v] [-j THREADS] [--bug NAME] SEED [COUNT]`. Same seed, same run.
//!
//! `-v` prints everything that happens; `-j` shares the seeds among threads. `--bug` switches a known
//! bug on and stops at the first seed that finds it (built with `--features bugs`); `--bugs` does that
//! for each of them. The report says what was simulated, how fast, and which faults came.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use zk_tests::history::Summary;
use zk_tests::sim::trial::{self, Outcome};
use zk_tests::sim::{Fault, Tally};

const USAGE: &str = "usage: zk-sim [-v] [-j THREADS] [--bug NAME | --bugs] SEED [COUNT]";

#[derive(Default)]
struct Options {
    verbose: bool,
    threads: usize,
    bug: Option<String>,
    all_bugs: bool,
    first: u64,
    count: u64,
}

fn parse() -> Result<Options, String> {
    let mut options = Options { threads: 1, count: 1, ..Options::default() };
    let mut args = std::env::args().skip(1);
    let mut numbers = Vec::new();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-v" => options.verbose = true,
            "-j" => {
                let threads = args.next().and_then(|text| text.parse().ok());
                options.threads = threads.ok_or("-j needs a number")?;
            }
            "--bug" => options.bug = Some(args.next().ok_or("--bug needs a name")?),
            "--bugs" => options.all_bugs = true,
            number => numbers.push(number.parse().map_err(|_| format!("{number}: no number"))?),
        }
    }
    match numbers[..] {
        [first] => options.first = first,
        [first, count] => (options.first, options.count) = (first, count),
        _ => return Err(USAGE.to_owned()),
    }
    Ok(options)
}

/// What came of all seeds.
#[derive(Default)]
struct Report {
    simulated_ms: i64,
    steps: u64,
    failed: u64,
    summary: Summary,
    tally: Tally,
}

impl Report {
    fn add(&mut self, seed: u64, outcome: &Outcome, alone: bool) {
        self.simulated_ms += outcome.simulated_ms;
        self.steps += outcome.steps;
        self.tally.add(&outcome.tally);
        match &outcome.result {
            Ok(summary) => self.summary += *summary,
            Err(failure) => {
                self.failed += 1;
                if alone {
                    failure.trace.iter().for_each(|line| println!("  {line}"));
                }
                println!("seed {seed} fails: {}", failure.text);
            }
        }
    }

    fn print(&self, count: u64, real_s: f64) {
        let (simulated_s, all) = (self.simulated_ms as f64 / 1e3, &self.summary);
        println!(
            "{count} seeds, {} failed, {simulated_s:.0} s simulated, {} steps, {:.0} times real time",
            self.failed,
            self.steps,
            simulated_s / real_s
        );
        println!(
            "clients: {} calls ({} unknown), {} reads and {} watch events held against {} txns",
            all.calls, all.unknown, all.reads, all.watches, all.txns
        );
        println!(
            "search: {} operations of some of the runs have an order that fits, {} znodes given up",
            all.searched, all.undecided
        );
        let faults: Vec<String> =
            self.tally.0.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        println!("faults: {}", faults.join(", "));
    }
}

fn run(options: &Options) -> bool {
    let (began, next) = (Instant::now(), AtomicU64::new(options.first));
    let (report, end) = (Mutex::new(Report::default()), options.first + options.count);
    std::thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    let outcome = trial::run(seed, options.verbose);
                    let mut report = report.lock().expect("no run panics outside of itself");
                    report.add(seed, &outcome, options.count == 1);
                }
            });
        }
    });
    let report = report.into_inner().expect("no run panics outside of itself");
    report.print(options.count, began.elapsed().as_secs_f64());
    let missing: Vec<&str> = Fault::ALL
        .iter()
        .map(|fault| fault.name())
        .filter(|name| !report.tally.0.contains_key(name))
        .collect();
    // A kind of fault that never came was not tried.
    if options.count >= 1_000 && !missing.is_empty() {
        println!("these faults never came: {missing:?}");
        return false;
    }
    report.failed == 0
}

#[cfg(feature = "bugs")]
fn hunt(options: &Options) -> Result<bool, String> {
    use zk_core::bugs::{ALL, named};
    let wanted = match &options.bug {
        Some(name) => vec![named(name).ok_or_else(|| format!("{name} is no bug that is known"))?],
        None => ALL.iter().map(|(bug, ..)| *bug).collect(),
    };
    let mut all = true;
    for (bug, name, text) in ALL.iter().filter(|(bug, ..)| wanted.contains(bug)) {
        let seeds = options.first..options.first + options.count;
        let found = seeds.clone().find_map(|seed| {
            let failure = trial::run_with(*bug, seed, options.verbose).result.err()?;
            Some((seed, failure))
        });
        match found {
            Some((seed, failure)) => {
                println!("{name}\t{seed}\t{}\t{text}", failure.invariant);
                if options.bug.is_some() {
                    failure.trace.iter().for_each(|line| println!("  {line}"));
                    println!("{}", failure.text);
                }
            }
            None => println!("{name}\tnot found in {seeds:?}\t\t{text}"),
        }
        all &= wanted.len() == 1 || all;
    }
    Ok(all)
}

#[cfg(not(feature = "bugs"))]
fn hunt(_: &Options) -> Result<bool, String> {
    Err("there are no bugs in here: build with --features bugs".to_owned())
}

fn main() -> ExitCode {
    // Each run's own panic is told by the report.
    std::panic::set_hook(Box::new(|_| {}));
    let options = match parse() {
        Ok(options) => options,
        Err(why) => {
            eprintln!("zk-sim: {why}");
            return ExitCode::FAILURE;
        }
    };
    let fine = match options.bug.is_some() || options.all_bugs {
        true => hunt(&options).unwrap_or_else(|why| {
            eprintln!("zk-sim: {why}");
            false
        }),
        false => run(&options),
    };
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
