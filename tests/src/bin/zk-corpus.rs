//! `zk-corpus DIR` - writes the inputs that the code makes for each fuzz target to
//! `DIR/<target>/seed-<n>`, for libFuzzer to begin with.

use std::path::PathBuf;
use std::process::ExitCode;

use zk_tests::fuzz::{TARGETS, base};

fn write(root: PathBuf) -> std::io::Result<usize> {
    let mut written = 0;
    for (target, _) in TARGETS {
        let dir = root.join(target);
        std::fs::create_dir_all(&dir)?;
        for (number, input) in base::corpus(target).iter().enumerate() {
            std::fs::write(dir.join(format!("seed-{number:02}")), input)?;
            written += 1;
        }
    }
    Ok(written)
}

fn main() -> ExitCode {
    let Some(root) = std::env::args_os().nth(1) else {
        eprintln!("zk-corpus: which directory?");
        return ExitCode::from(2);
    };
    match write(PathBuf::from(root)) {
        Ok(written) => {
            println!("{written} inputs for {} targets", TARGETS.len());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("zk-corpus: {error}");
            ExitCode::FAILURE
        }
    }
}
