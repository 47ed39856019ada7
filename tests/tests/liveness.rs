//! What only our servers promise among themselves: an empty disk that elects nobody, a leader that
//! hangs, and one that is stopped.

use std::thread::sleep;
use std::time::{Duration, Instant};

use zk_tests::ensemble::Ensemble;
use zk_tests::fixture::Conn;
use zk_tests::server::Kind;
use zk_tests::{record, tools};
use zk_wire::{Code, Op};

const VOTER: (Kind, &str) = (Kind::Ours, "participant");
/// Longer than any election takes.
const ELECTION: Duration = Duration::from_secs(3);

fn three() -> Option<Ensemble> {
    tools::need(Ensemble::start(&[VOTER, VOTER, VOTER], &[]))
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
    ensemble.wipe(replaced);
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
        ensemble.wipe(at);
        ensemble.servers[at].respawn();
    }
    nobody_serves(&ensemble);
    for at in 0..2 {
        ensemble.servers[at].kill();
        std::fs::write(ensemble.data_dir(at).join("initialize"), "").expect("a test can write");
        ensemble.servers[at].respawn();
    }
    ensemble.wait_serving(2);
    assert!((0..2).all(|at| !ensemble.data_dir(at).join("initialize").exists()));
}

/// Goal: a leader that hangs is left long before `syncLimit` (ten seconds here), follows when it
/// goes on, and nothing that was acknowledged is missing.
#[test]
fn a_hung_leader_is_left_soon_and_follows_when_it_goes_on() {
    let Some(mut ensemble) = three() else { return };
    let leader = ensemble.wait_serving(3);
    let others = [(leader + 1) % 3, (leader + 2) % 3];
    Conn::open(ensemble.address(leader)).create("/before", 0);
    ensemble.servers[leader].signal("STOP");
    let took = ensemble.first_write(&others, "/after");
    ensemble.servers[leader].signal("CONT");
    println!("hung leader: first write after {} ms", took.as_millis());
    assert!(
        ensemble.output().contains("the leader is silent in broadcast"),
        "{}",
        ensemble.output()
    );
    let follows = |ensemble: &mut Ensemble| ensemble.mode(leader).as_deref() == Some("follower");
    ensemble.wait_until("the old leader to follow", follows);
    for at in 0..3 {
        let mut conn = Conn::open(ensemble.address(at));
        conn.ok(Op::SYNC, &record::path("/"));
        conn.stat("/before");
        conn.stat("/after");
    }
}

/// Goal: a follower that was away disturbs nobody when it is back: same leader, same epoch, and the
/// sessions of the others stay connected.
#[test]
fn who_comes_back_disturbs_nobody() {
    let Some(mut ensemble) = three() else { return };
    let leader = ensemble.wait_serving(3);
    let away = (leader + 1) % 3;
    let mut conn = Conn::open(ensemble.address(leader));
    let before = {
        let path = conn.create("/before", 0);
        conn.stat(&path).czxid
    };
    ensemble.servers[away].signal("STOP");
    sleep(ELECTION);
    ensemble.servers[away].signal("CONT");
    assert_eq!(ensemble.wait_serving(3), leader);
    ensemble.servers[away].kill();
    ensemble.servers[away].respawn();
    assert_eq!(ensemble.wait_serving(3), leader);
    let after = {
        let path = conn.create("/after", 0);
        conn.stat(&path).czxid
    };
    assert_eq!(before >> 32, after >> 32, "an epoch ended: {}", ensemble.output());
}

/// Goal: a leader that is stopped answers what it was asked before, lets the others go on at once,
/// and ends by itself.
#[test]
fn a_stopped_leader_answers_and_hands_over() {
    let Some(mut ensemble) = three() else { return };
    let leader = ensemble.wait_serving(3);
    let others = [(leader + 1) % 3, (leader + 2) % 3];
    let mut conns: Vec<Conn> = (0..3).map(|at| Conn::open(ensemble.address(at))).collect();
    conns[leader].create("/w", 0);
    for number in 0..200 {
        let body = record::create(&format!("/w/{number}"), b"x", 0);
        conns[leader].send(Op::CREATE, &body);
    }
    // The last of them is seen elsewhere: all of them were taken.
    ensemble.wait_until("the last write", |_| {
        conns[others[0]].call(Op::EXISTS, &record::path_watch("/w/199", false)).header.code
            == Code::OK
    });
    let stopping = Instant::now();
    ensemble.servers[leader].signal("TERM");
    let took = ensemble.first_write(&others, "/after");
    println!("stopped leader: first write elsewhere after {} ms", took.as_millis());
    for number in 0..200 {
        let reply = conns[leader].receive();
        assert_eq!(reply.header.code, Code::OK, "write {number}");
    }
    ensemble.wait_until("the end", |ensemble| !ensemble.servers[leader].runs());
    assert!(stopping.elapsed() < Duration::from_secs(5), "it took {:?}", stopping.elapsed());
    let said = ensemble.servers[leader].output();
    assert!(said.contains("ensemble: handing over"), "{said}");
    let mut conn = Conn::open(ensemble.address(others[1]));
    conn.ok(Op::SYNC, &record::path("/"));
    assert_eq!(conn.children("/w").len(), 200);
}

/// CPU time that a process has used, in ticks of 10 ms.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let number = |at: usize| fields[at].parse::<u64>().expect("a number");
    number(11) + number(12)
}

/// Goal: servers that have nothing to do, with sessions of clients and without, do nothing.
#[test]
fn idle_servers_do_nothing() {
    let Some(mut ensemble) = three() else { return };
    ensemble.wait_serving(3);
    let _conns: Vec<Conn> = (0..3).map(|at| Conn::open(ensemble.address(at))).collect();
    let used = |ensemble: &Ensemble| -> Vec<u64> {
        ensemble.servers.iter().map(|server| cpu_ticks(server.pid())).collect()
    };
    let before = used(&ensemble);
    sleep(Duration::from_secs(2));
    for (before, after) in before.iter().zip(used(&ensemble)) {
        assert!(after - before < 20, "{} ms of two seconds", (after - before) * 10);
    }
}
