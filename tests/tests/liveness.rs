//! What only our servers promise among themselves: an empty disk that elects nobody, a leader that
//! hangs, and one that is stopped.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use zk_tests::ensemble::Ensemble;
use zk_tests::fixture::Conn;
use zk_tests::server::Kind;
use zk_tests::{record, tools};
use zk_wire::Op;

const VOTER: (Kind, &str) = (Kind::Ours, "participant");
/// Longer than any election takes.
const ELECTION: Duration = Duration::from_secs(3);

fn three() -> Option<Ensemble> {
    tools::need(Ensemble::start(&[VOTER, VOTER, VOTER], &[]))
}

fn data(ensemble: &Ensemble, at: usize) -> PathBuf {
    ensemble.servers[at].home().join("data")
}

/// Replaces the disk: all that is left is the server's id.
fn wipe(ensemble: &Ensemble, at: usize) {
    let data = data(ensemble, at);
    let id = std::fs::read(data.join("myid")).expect("it has an id");
    std::fs::remove_dir_all(&data).expect("a test can remove its files");
    std::fs::create_dir(&data).expect("a test can make a directory");
    std::fs::write(data.join("myid"), id).expect("a test can write its files");
}

fn nobody_serves(ensemble: &Ensemble) {
    let begun = Instant::now();
    while begun.elapsed() < ELECTION {
        for at in 0..ensemble.servers.len() {
            assert_eq!(ensemble.mode(at), None, "server {}", at + 1);
        }
        sleep(Duration::from_millis(50));
    }
}

/// Goal: a server whose disk was replaced does not help one that lacks acknowledged writes to lead.
#[test]
fn a_replaced_disk_elects_nobody() {
    let Some(mut ensemble) = three() else { return };
    let leader = ensemble.wait_serving(3);
    let (lagging, replaced) = ((leader + 1) % 3, (leader + 2) % 3);
    Conn::open(ensemble.address(leader)).create("/before", 0);
    ensemble.servers[lagging].kill();
    Conn::open(ensemble.address(leader)).create("/acknowledged", 0);
    ensemble.servers[leader].kill();
    ensemble.servers[replaced].kill();
    wipe(&ensemble, replaced);
    ensemble.servers[lagging].respawn();
    ensemble.servers[replaced].respawn();
    nobody_serves(&ensemble);
    let said = ensemble.servers[replaced].output();
    assert!(said.contains(&format!("waiting missing=[{}]", leader + 1)), "{said}");

    ensemble.servers[leader].respawn();
    assert_eq!(ensemble.wait_serving(3), leader);
    let mut conn = Conn::open(ensemble.address(replaced));
    conn.ok(Op::SYNC, &record::path("/"));
    conn.stat("/acknowledged");
    // It has synchronised: it counts again.
    ensemble.servers[lagging].kill();
    Conn::open(ensemble.address(replaced)).create("/again", 0);
}

/// Goal: empty servers wait for each other, unless the operator says that the ensemble is new; and
/// that word counts once.
#[test]
fn a_new_ensemble_begins_with_all_of_its_servers_or_a_word_of_the_operator() {
    let Some(mut ensemble) = three() else { return };
    ensemble.servers[2].kill();
    for at in 0..2 {
        ensemble.servers[at].kill();
        wipe(&ensemble, at);
        ensemble.servers[at].respawn();
    }
    nobody_serves(&ensemble);
    for at in 0..2 {
        ensemble.servers[at].kill();
        std::fs::write(data(&ensemble, at).join("initialize"), "").expect("a test can write");
        ensemble.servers[at].respawn();
    }
    ensemble.wait_serving(2);
    assert!((0..2).all(|at| !data(&ensemble, at).join("initialize").exists()));
}
