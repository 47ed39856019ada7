//! The differential test against a genuine server, and the tests of that test.
//!
//! `ZK_DIFF_REQUESTS` and `ZK_DIFF_SEED` set the length and the seed; `zk-diff` does the same from
//! the command line and can go on after a difference.

use zk_tests::diff::known;
use zk_tests::diff::run::{Outcome, Setup, run};
use zk_tests::server::Kind;
use zk_tests::tools::{self, Release};

const APACHE: Kind = Kind::Apache(Release::Apache39);

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

fn transcripts(outcome: &Outcome) -> String {
    outcome
        .differences
        .iter()
        .map(|(kind, (count, transcript))| format!("--- {kind} ({count} times)\n{transcript}\n"))
        .collect()
}

#[test]
fn our_server_answers_as_a_genuine_one() {
    let seed = number("ZK_DIFF_SEED", 20_260_723);
    let setup = Setup { kinds_max: 5, ..Setup::new(seed, number("ZK_DIFF_REQUESTS", 10_000)) };
    println!("seed {seed}, {} requests", setup.requests);
    let Some(outcome) = tools::need(run(&setup)) else { return };
    println!("{} requests, {} lines compared", outcome.requests, outcome.lines);
    assert!(outcome.differences.is_empty(), "{}", transcripts(&outcome));
    // What was never tried was never compared.
    for tried in ["multi OK(0)", "multi MARSHALLINGERROR(-5)", "createTTL OK(0)", "auth OK(0)"] {
        assert!(outcome.coverage.contains_key(tried), "{tried} does not occur");
    }
}

#[test]
fn a_genuine_server_answers_as_itself() {
    let setup = Setup { subject: APACHE, ..Setup::new(number("ZK_DIFF_SEED", 7), 2_000) };
    let Some(outcome) = tools::need(run(&setup)) else { return };
    assert!(outcome.differences.is_empty(), "{}", transcripts(&outcome));
    assert!(outcome.requests >= 2_000);
}

/// Two releases differ, and the comparison sees it: 3.8 sends -1 as the zxid of watch events, for
/// one.
#[test]
fn releases_are_told_apart() {
    let subject = Kind::Apache(Release::Debian38);
    let setup = Setup { subject, kinds_max: 2, ..Setup::new(1, 4_000) };
    let Some(outcome) = tools::need(run(&setup)) else { return };
    assert_eq!(outcome.differences.len(), 2, "{}", transcripts(&outcome));
}

/// Each difference on purpose is there, on both sides, as the table says.
#[test]
fn deliberate_differences_are_as_described() {
    let Some(faults) = tools::need(known::check(APACHE, Kind::Ours)) else { return };
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
