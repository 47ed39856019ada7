//! zk-failover [ROUNDS [ZNODES]]: three servers on loopback, whose leader is killed, stopped by SIGSTOP,
//! and asked to end; how long until the first write through another server is acknowledged, in ms.
//! Then how long a server that was killed takes to serve again, and one that has lost its disk, and
//! what single writes at the leader take meanwhile. With so many znodes of 100 bytes.
//!
//! A measurement to look at, not a test: it holds for the machine and the build it ran on.

use std::time::{Duration, Instant};

use zk_tests::ensemble::Ensemble;
use zk_tests::fixture::Conn;
use zk_tests::record;
use zk_tests::server::Kind;
use zk_wire::{Code, Op};

/// What happens to the leader.
#[derive(Clone, Copy, Debug)]
enum End {
    Kill,
    Stop,
    Terminate,
}

/// One round; ms from the signal to the first acknowledged write.
fn round(ensemble: &mut Ensemble, end: End, number: usize) -> f64 {
    // A moment of calm: nobody is being brought up, pings have been answered, and who was stopped
    // knows that it leads no more.
    let mut leader = ensemble.wait_serving(3);
    loop {
        std::thread::sleep(Duration::from_millis(1500));
        let now = ensemble.wait_serving(3);
        if now == leader {
            break;
        }
        leader = now;
    }
    match end {
        End::Kill => ensemble.servers[leader].signal("KILL"),
        End::Stop => ensemble.servers[leader].signal("STOP"),
        End::Terminate => ensemble.servers[leader].signal("TERM"),
    }
    let others: Vec<usize> = (0..3).filter(|at| *at != leader).collect();
    let took = ensemble.first_write(&others, &format!("/{end:?}-{number}"));
    match end {
        End::Stop => ensemble.servers[leader].signal("CONT"),
        End::Kill | End::Terminate => {
            ensemble.servers[leader].kill();
            ensemble.servers[leader].respawn();
        }
    }
    took.as_secs_f64() * 1000.0
}

/// Makes so many znodes, a thousand below each parent.
fn load(ensemble: &mut Ensemble, znodes: usize) {
    let leader = ensemble.wait_serving(3);
    let mut conn = Conn::open(ensemble.address(leader));
    for parent in 0..znodes.div_ceil(1000) {
        conn.send(Op::CREATE, &record::create(&format!("/{parent}"), b"", 0));
        for child in 0..1000 {
            conn.send(Op::CREATE, &record::create(&format!("/{parent}/{child}"), &[7; 100], 0));
        }
        for _ in 0..=1000 {
            assert_eq!(conn.receive().header.code, Code::OK, "a znode is made");
        }
    }
}

/// A follower goes and comes back, with its disk or without. Prints how long it takes to serve, and
/// what writes at the leader take meanwhile.
fn back(ensemble: &mut Ensemble, wiped: bool, number: usize) {
    let leader = ensemble.wait_serving(3);
    let at = (leader + 1) % 3;
    ensemble.servers[at].kill();
    if wiped {
        ensemble.wipe(at);
    }
    let mut conn = Conn::open(ensemble.address(leader));
    conn.call(Op::CREATE, &record::create("/back", b"", 0));
    let (mut took, begun) = (Vec::new(), Instant::now());
    ensemble.servers[at].respawn();
    let set = record::set_data("/back", Some(&[7; 100]), -1);
    loop {
        let asked = Instant::now();
        assert_eq!(conn.code(Op::SET_DATA, &set), Code::OK);
        took.push(asked.elapsed().as_secs_f64() * 1000.0);
        if took.len() % 16 == 0 && ensemble.mode(at).is_some() {
            break;
        }
    }
    let whole = begun.elapsed().as_millis();
    took.sort_by(f64::total_cmp);
    let (middle, worst) = (took[took.len() / 2], took[took.len() - 1]);
    println!(
        "back {number}, wiped={wiped}: {whole} ms; writes p50 {middle:.2} worst {worst:.1} ms"
    );
}

fn main() {
    let number = |at| std::env::args().nth(at).map(|text| text.parse().expect("a number"));
    let rounds = number(1).unwrap_or(20);
    let voter = (Kind::Ours, "participant");
    let mut ensemble = Ensemble::start(&[voter, voter, voter], &[]).expect("a server of ours");
    load(&mut ensemble, number(2).unwrap_or(0));
    for end in [End::Kill, End::Terminate, End::Stop] {
        let mut took: Vec<f64> = (0..rounds).map(|n| round(&mut ensemble, end, n)).collect();
        took.sort_by(f64::total_cmp);
        let last = took.len() - 1;
        println!("{end:?}: min {:.0} p50 {:.0} max {:.0} ms", took[0], took[last / 2], took[last]);
    }
    for number in 0..rounds.min(3) {
        back(&mut ensemble, false, number);
        back(&mut ensemble, true, number);
    }
}
