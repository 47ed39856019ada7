//! The differential test from the command line, for long runs and for hunting one difference.
//!
//! `zk-diff [--seed N] [--requests N] [--episode N] [--mode pipeline|quota] [--kinds N]
//! [--reference KIND] [--subject KIND] [--coverage]` with KIND one of `ours`, `apache39`, `apache38`.
//! A transcript names seed and mode: with both it is played again. Exit 0 when both sides agree, 1
//! when not, 2 when a tool is missing or the call is wrong.

use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use zk_tests::diff::run::{PIPELINE, QUOTA, Setup, run};
use zk_tests::server::Kind;
use zk_tests::tools::Release;

fn kind(name: &str) -> Result<Kind, String> {
    match name {
        "ours" => Ok(Kind::Ours),
        "apache39" => Ok(Kind::Apache(Release::Apache39)),
        "apache38" => Ok(Kind::Apache(Release::Debian38)),
        other => Err(format!("{other} is none of ours, apache39, apache38")),
    }
}

fn setup() -> Result<(Setup, bool), String> {
    let clock =
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |age| age.as_millis() as u64);
    let mut setup = Setup::new(clock, 100_000);
    let mut coverage = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--coverage" {
            coverage = true;
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{name} {value} is no number"));
        match name.as_str() {
            "--seed" => setup.seed = number()?,
            "--requests" => setup.requests = number()?,
            "--kinds" => setup.kinds_max = number()? as usize,
            "--episode" => setup.episode = number()?,
            "--mode" => {
                setup.mode = Some(match value.as_str() {
                    "pipeline" => PIPELINE,
                    "quota" => QUOTA,
                    other => return Err(format!("{other} is neither pipeline nor quota")),
                });
            }
            "--reference" => setup.reference = kind(&value)?,
            "--subject" => setup.subject = kind(&value)?,
            _ => return Err(format!("{name} is no option of zk-diff")),
        }
    }
    Ok((setup, coverage))
}

fn main() -> ExitCode {
    let (setup, coverage) = match setup() {
        Ok(setup) => setup,
        Err(error) => {
            eprintln!("zk-diff: {error}");
            return ExitCode::from(2);
        }
    };
    println!("seed {} requests {}", setup.seed, setup.requests);
    let started = Instant::now();
    let outcome = match run(&setup) {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("zk-diff: {error}");
            return ExitCode::from(2);
        }
    };
    for (kind, (count, transcript)) in &outcome.differences {
        println!("--- {kind} ({count} times)\n{transcript}");
    }
    if coverage {
        for (key, count) in &outcome.coverage {
            println!("{count:8} {key}");
        }
    }
    println!(
        "{} requests, {} lines compared, {} kinds of differences, {:.1} s",
        outcome.requests,
        outcome.lines,
        outcome.differences.len(),
        started.elapsed().as_secs_f64()
    );
    ExitCode::from(u8::from(!outcome.differences.is_empty()))
}
