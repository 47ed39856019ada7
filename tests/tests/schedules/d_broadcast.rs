//! Broadcast: minorities, laggards, lost connections, sessions that move.

use zk_tests::sim::World;
use zk_tests::sim::disk::Loss;

/// Goal: what a leader proposed in a minority is gone when it is back, and nobody was told that it
/// was done.
#[test]
fn d23_a_leader_in_the_minority() {
    let mut world = World::scripted(5, 0, 1);
    let leader = world.leader();
    world.attach(0, leader);
    world.fill(0, "n", 1);
    world.isolate(leader);
    world.create(0, "/never", 0);
    assert!(!world.answered(0), "nobody may say that it is done");
    let next = world.leader();
    assert_ne!(next, leader);
    world.attach(0, next);
    world.fill(0, "m", 2);
    world.mend();
    world.all_serve();
    assert!((0..5).all(|server| !world.has(server, "/never") && world.has(server, "/m1")));
    world.conclude();
}

/// Goal: a follower that lags behind is let go, comes back, and lacks nothing.
#[test]
fn d24_a_slow_follower() {
    let mut world = World::scripted(3, 0, 1);
    let (leader, slow) = (world.leader(), world.followers()[0]);
    world.attach(0, leader);
    world.stall_disk(slow, 8_000);
    for round in 0..8 {
        world.fill(0, &format!("n{round}-"), 2);
        world.pass(1_000);
    }
    world.all_serve();
    assert!(world.has(slow, "/n7-1"));
    world.conclude();
}

/// Goal: a server that comes back while its leader's own disk lags is not told to cut off what a
/// quorum has committed.
#[test]
fn d24_a_leader_whose_disk_lags() {
    let mut world = World::scripted(3, 0, 1);
    let (leader, first, second) = (world.leader(), world.followers()[0], world.followers()[1]);
    world.attach(0, first);
    world.stall_disk(leader, 3_000);
    world.fill(0, "n", 3);
    world.stop(second, Loss::Process);
    world.restart(second);
    world.pass(500);
    assert!(world.durable(second) >= world.durable(first), "it still has what was committed");
    world.conclude();
}

/// Goal: a COMMIT that arrives before the follower's own disk has the txn, and then a crash: the txn
/// is there in the end, once.
#[test]
fn d25_a_commit_before_the_own_disk() {
    let mut world = World::scripted(3, 0, 1);
    let (leader, slow) = (world.leader(), world.followers()[0]);
    world.attach(0, leader);
    world.stall_disk(slow, 60_000);
    world.fill(0, "n", 3);
    assert!(!world.has(slow, "/n0"), "memory is never ahead of the disk");
    world.stop(slow, Loss::Power);
    world.restart(slow);
    world.all_serve();
    assert!(world.has(slow, "/n2"));
    world.conclude();
}

/// Goal: writes that a learner has handed in when it loses its leader are done once or not at all,
/// and their client is told nothing that is not so.
#[test]
fn d26_requests_in_flight() {
    for ms in 0..30 {
        let mut world = World::scripted(3, 0, 1);
        let (leader, learner) = (world.leader(), world.followers()[0]);
        world.attach(0, learner);
        world.create(0, "/s", 0);
        (0..6).for_each(|_| world.create(0, "/s/n-", 2));
        world.pass(ms);
        world.isolate(learner);
        world.pass(3_000);
        world.mend();
        assert_eq!(world.leader(), leader);
        world.conclude();
    }
}

/// Goal: a session that goes from server to server with writes under way keeps its order.
#[test]
fn d27_a_session_moves() {
    let mut world = World::scripted(3, 1, 1);
    let leader = world.leader();
    world.attach(0, leader);
    world.create(0, "/mine", 1);
    assert!(world.answered(0));
    for round in 0..24 {
        (0..3).for_each(|n| world.create(0, &format!("/r{round}-{n}"), 0));
        world.pass(round % 7);
        world.attach(0, (round % 4) as usize);
    }
    assert!((0..4).all(|server| world.has(server, "/mine")), "the session lives");
    world.conclude();
}
