//! From one epoch to the next while clients write.
//!
//! Goal: a leader begins another epoch before its counter is spent, and no client of any member is
//! let go, is refused anything, or waits for long.
//! Method: epochs of few txns; clients at every member that write one thing after the other, each
//! over one connection. The members' lines and the zxids of the replies say what happened.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use zk_tests::ensemble::{Ensemble, compare};
use zk_tests::fixture::Conn;
use zk_tests::server::{Kind, Server};
use zk_tests::{record, tools};
use zk_wire::{Code, Op};

/// How many epochs are gone through.
const EPOCHS: i64 = 12;
const LIMIT: Duration = Duration::from_secs(60);

/// Writes until it is told to end. The newest epoch that it saw, and the longest wait for a reply.
fn write_on(address: SocketAddr, path: &str, ends: &AtomicBool) -> (i64, Duration) {
    let mut conn = Conn::open(address);
    conn.create(path, 0);
    let deadline = Instant::now() + LIMIT;
    let (mut first, mut newest, mut longest) = (None, 0, Duration::ZERO);
    while !ends.load(Ordering::Relaxed) && Instant::now() < deadline {
        let began = Instant::now();
        conn.send(Op::SET_DATA, &record::set_data(path, Some(b"x"), -1));
        let reply = conn.receive_or_end().expect("nobody is let go");
        assert_eq!(reply.header.code, Code::OK);
        longest = longest.max(began.elapsed());
        newest = reply.header.zxid.0 >> 32;
        if newest >= *first.get_or_insert(newest) + EPOCHS {
            ends.store(true, Ordering::Relaxed);
        }
    }
    (newest - first.unwrap_or(newest), longest)
}

#[test]
fn epochs_change_under_clients_that_write() {
    let voter = (Kind::Ours, "participant");
    let all = [voter, voter, voter, (Kind::Ours, "observer")];
    let lines = ["agent.epochTxnsMax=300"];
    let Some(mut ensemble) = tools::need(Ensemble::start(&all, &lines)) else { return };
    ensemble.wait_serving(4);
    let from: Vec<usize> = ensemble.servers.iter().map(|server| server.output().len()).collect();
    let ends = AtomicBool::new(false);
    let places: Vec<SocketAddr> = (0..4).map(|at| ensemble.address(at)).collect();
    let seen: Vec<(i64, Duration)> = std::thread::scope(|scope| {
        let begin = |(at, place): (usize, &SocketAddr)| {
            let (place, ends) = (*place, &ends);
            scope.spawn(move || write_on(place, &format!("/w{at}"), ends))
        };
        let all: Vec<_> = places.iter().enumerate().map(begin).collect();
        all.into_iter().map(|one| one.join().expect("a writer")).collect()
    });
    println!("epochs and longest wait of each client: {seen:?}");
    let said: String = (0..4).map(|at| ensemble.printed(at, from[at])).collect();
    let changes = said.lines().filter(|line| line.contains("leading epoch=")).collect::<Vec<_>>();
    println!("{}", changes.join("\n"));
    let output = || ensemble.servers.iter().map(Server::output).collect::<String>();
    assert!(seen.iter().any(|(epochs, _)| *epochs >= EPOCHS), "{seen:?}\n{}", output());
    assert!(changes.len() as i64 >= EPOCHS && changes.iter().all(|l| l.contains("took_ms=")));
    assert!(!said.contains("looking for a leader"), "{}", output());
    compare::assert_equal(&places);
}
