//! Runs simulated ensembles: `zk-sim SEED [COUNT] [-v]`. Same seed, same run.

use zk_tests::sim::Tally;
use zk_tests::sim::trial;

fn main() {
    let mut args = std::env::args().skip(1);
    let first: u64 = args.next().and_then(|arg| arg.parse().ok()).unwrap_or(1);
    let count: u64 = args.next().and_then(|arg| arg.parse().ok()).unwrap_or(1);
    let verbose = args.next().is_some();
    let began = std::time::Instant::now();
    let (mut simulated_ms, mut failed, mut tally, mut steps) = (0, 0, Tally::default(), 0);
    std::panic::set_hook(Box::new(|_| {}));
    for seed in first..first + count {
        let outcome = trial::run(seed, verbose);
        simulated_ms += outcome.simulated_ms;
        steps += outcome.steps;
        tally.add(&outcome.tally);
        if let Err(failure) = &outcome.result {
            failed += 1;
            if count == 1 {
                failure.trace.iter().rev().take(60).rev().for_each(|line| println!("  {line}"));
            }
            println!("seed {seed} fails: {}", failure.text);
        } else if count == 1 {
            println!("{outcome:?}");
        }
    }
    let real = began.elapsed().as_secs_f64();
    println!(
        "{count} seeds, {failed} failed, {steps} steps, {:.0} times real time\n{:?}",
        simulated_ms as f64 / 1e3 / real,
        tally.0
    );
    std::process::exit(i32::from(failed > 0));
}
