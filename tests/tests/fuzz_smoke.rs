//! The fuzz targets on their corpus and on a few thousand seeded mutations of it each. Longer runs
//! are made with cargo-fuzz in `fuzz/`, which shares targets and corpus.

use std::path::Path;

use zk_tests::fuzz::{TARGETS, base, mutate};
use zk_tests::rng::Rng;

const MUTATIONS: u64 = 3000;

/// Files that were found to matter, beside the inputs that the code makes.
fn committed(target: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut files: Vec<_> = match std::fs::read_dir(&dir) {
        Ok(entries) => entries.map(|entry| entry.expect("an entry").path()).collect(),
        Err(_) => Vec::new(),
    };
    files.sort();
    files.into_iter().map(|file| std::fs::read(file).expect("a file")).collect()
}

fn smoke(target: &str) {
    let (_, run) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target");
    let files = committed(target);
    assert!(!files.is_empty(), "fuzz/corpus/{target} holds the beginning of every run");
    let mut corpus = base::corpus(target);
    corpus.extend(files);
    corpus.iter().for_each(|input| run(input));
    let mut rng = Rng::new(0x5eed);
    let mut input = Vec::new();
    for round in 0..MUTATIONS {
        if round % 8 == 0 || input.len() > 4096 {
            input.clone_from(rng.pick(&corpus));
        }
        input = mutate(&mut rng, &input);
        run(&input);
    }
}

macro_rules! smoke_tests {
    ($($name:ident)*) => {
        $(#[test] fn $name() { smoke(stringify!($name)); })*

        #[test]
        fn every_target_is_run() {
            let run = [$(stringify!($name)),*];
            for (name, _) in TARGETS {
                assert!(run.contains(name), "{name} is not run");
            }
        }
    };
}

smoke_tests! {
    frame_cut request connect multi acl_list path reply ensemble txn session_stream peer_stream client_stream zoo_cfg
    log_scan snapshot_load apache_log apache_snapshot
}
