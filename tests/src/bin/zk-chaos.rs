//! zk-chaos --servers N --seconds S [--seed N]: real servers in namespaces, and everything that can go
//! wrong with them. Started by `tests/chaos/run.sh`, which gives it namespaces of its own.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use zk_tests::chaos::run::{Options, run};

fn main() {
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let mut options = Options {
        seed: clock.as_secs(),
        duration: Duration::from_secs(60),
        servers: 3,
        binary: PathBuf::from(std::env::var_os("ZK_AGENT_BIN").expect("ZK_AGENT_BIN is set")),
        python: None,
    };
    options.python = std::env::var_os("KAZOO_VENV").map(|venv| Path::new(&venv).join("bin/python"));
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|text| text.parse::<u64>().ok());
        let value = value.unwrap_or_else(|| panic!("{name} wants a number"));
        match name.as_str() {
            "--seed" => options.seed = value,
            "--seconds" => options.duration = Duration::from_secs(value),
            "--servers" => options.servers = value as usize,
            other => panic!("{other} is not known"),
        }
    }
    // Whatever is wrong anywhere ends the run, and everything with it.
    let seed = options.seed;
    match std::panic::catch_unwind(|| run(&options)) {
        Ok(summary) => println!("chaos: {summary:?}"),
        Err(_) => {
            println!("chaos: FAILED with --seed {seed} --servers {}", options.servers);
            std::process::exit(1);
        }
    }
}
