//! Runs simulated ensembles: `zk-sim SEED [COUNT] [-v]`. Same seed, same run.

use zk_tests::sim::{Plan, World};

fn main() {
    let mut args = std::env::args().skip(1);
    let first: u64 = args.next().and_then(|arg| arg.parse().ok()).unwrap_or(1);
    let count: u64 = args.next().and_then(|arg| arg.parse().ok()).unwrap_or(1);
    let verbose = args.next().is_some();
    let began = std::time::Instant::now();
    let (mut simulated_ms, mut failed) = (0, 0);
    for seed in first..first + count {
        let mut world = World::new(Plan::of(seed), seed);
        world.verbose = verbose;
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.run()));
        simulated_ms += world.now_ms();
        if run.is_err() {
            failed += 1;
            println!("seed {seed} fails at {} ms", world.now_ms());
            for line in world.trace.iter().rev().take(60).rev() {
                println!("  {line}");
            }
            if failed == 1 && count > 1 {
                break;
            }
        } else if count == 1 {
            println!(
                "seed {seed}: {} ms, {} steps, {:?}",
                world.now_ms(),
                world.steps(),
                world.tally
            );
        }
    }
    let real = began.elapsed().as_secs_f64();
    println!(
        "{count} seeds, {failed} failed, {:.0} times real time",
        simulated_ms as f64 / 1e3 / real
    );
    std::process::exit(i32::from(failed > 0));
}
