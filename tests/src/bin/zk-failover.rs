//! zk-failover [ROUNDS]: three servers on loopback, whose leader is killed, stopped by SIGSTOP, and
//! asked to end; how long until the first write through another server is acknowledged, in ms.
//!
//! A measurement to look at, not a test: it holds for the machine and the build it ran on.

use std::time::Duration;

use zk_tests::ensemble::Ensemble;
use zk_tests::server::Kind;

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
        End::Kill | End::Terminate => ensemble.respawn(leader),
    }
    took.as_secs_f64() * 1000.0
}

fn main() {
    let rounds = std::env::args().nth(1).map_or(20, |text| text.parse().expect("a number"));
    let voter = (Kind::Ours, "participant");
    let mut ensemble = Ensemble::start(&[voter, voter, voter], &[]).expect("a server of ours");
    for end in [End::Kill, End::Terminate, End::Stop] {
        let mut took: Vec<f64> = (0..rounds).map(|n| round(&mut ensemble, end, n)).collect();
        took.sort_by(f64::total_cmp);
        let last = took.len() - 1;
        println!("{end:?}: min {:.0} p50 {:.0} max {:.0} ms", took[0], took[last / 2], took[last]);
    }
}
