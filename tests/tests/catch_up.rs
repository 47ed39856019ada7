//! A member that was away for so long that its leader does not have in memory what it lacks.
//!
//! Goal: it is brought up from the leader's log on disk, and holds the same as the others.
//! Method: more is written than is kept in memory while it is away. The leader's own lines say how
//! it was brought up; the trees, zxids and digests of all are compared.

use zk_tests::ensemble::{Ensemble, compare};
use zk_tests::fixture::Conn;
use zk_tests::record;
use zk_tests::server::Kind;
use zk_tests::tools::{self, Release};
use zk_wire::{Code, Op};

/// Bytes and number of the writes: twice what is kept in memory.
const DATA_BYTES: usize = 64 << 10;
const WRITES: usize = 1_000;
/// Requests that are on their way at once.
const AT_ONCE: usize = 20;

/// Overwrites a few znodes many times.
fn write_much(conn: &mut Conn) {
    for number in 0..AT_ONCE {
        conn.create(&format!("/big{number}"), 0);
    }
    for round in 0..WRITES / AT_ONCE {
        let data = vec![round as u8; DATA_BYTES];
        let set = |number| record::set_data(&format!("/big{number}"), Some(&data), -1);
        let sent: Vec<i32> =
            (0..AT_ONCE).map(|number| conn.send(Op::SET_DATA, &set(number))).collect();
        for xid in sent {
            let reply = conn.receive();
            assert_eq!((reply.header.xid, reply.header.code), (xid, Code::OK));
        }
    }
}

/// Members of these kinds, of which the last is away for long. What the leader says of its return.
fn away_and_back(kinds: [Kind; 3], lines: &[&str]) -> Option<String> {
    let voters = kinds.map(|kind| (kind, "participant"));
    let mut ensemble = tools::need(Ensemble::start(&voters, lines))?;
    ensemble.wait_serving(3);
    // It knows a txn of the others, so that its log is a part of theirs.
    Conn::open(ensemble.address(2)).create("/before", 0);
    let places = [0, 1, 2].map(|at| ensemble.address(at));
    compare::assert_equal_trees(&places);
    ensemble.servers[2].kill();
    let leader = ensemble.wait_serving(2);
    write_much(&mut Conn::open(ensemble.address(leader)));
    let from = ensemble.servers[leader].output().len();
    ensemble.respawn(2);
    ensemble.wait_serving(3);
    compare::assert_equal(&places);
    Conn::open(ensemble.address(2)).create("/behind", 0);
    let said = ensemble.printed(leader, from);
    let about = said.lines().filter(|line| line.contains("syncing server=3 "));
    Some(about.collect::<Vec<_>>().join("\n"))
}

#[test]
fn who_was_away_for_long_is_sent_the_log() {
    let ours = [Kind::Ours; 3];
    let Some(said) = away_and_back(ours, &["snapshotSizeFactor=0"]) else { return };
    assert!(said.contains("by=DIFF") && said.contains("log=disk"), "{said}");
    assert!(!said.contains("by=SNAP"), "{said}");
}

/// The log is sixty times as large as the database.
#[test]
fn a_long_log_is_not_sent_for_a_small_database() {
    let Some(said) = away_and_back([Kind::Ours; 3], &[]) else { return };
    assert!(said.contains("by=SNAP") && !said.contains("log=disk"), "{said}");
}

#[test]
fn learners_of_apache_take_the_log() {
    for release in [Release::Debian38, Release::Apache39] {
        let kinds = [Kind::Ours, Kind::Ours, Kind::Apache(release)];
        let Some(said) = away_and_back(kinds, &["snapshotSizeFactor=0"]) else { return };
        assert!(said.contains("by=DIFF") && said.contains("log=disk"), "{said}");
        assert!(!said.contains("by=SNAP"), "{said}");
    }
}
