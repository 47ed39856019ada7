//! Elections under bad luck, and clocks.

use zk_tests::drive::model::Change;
use zk_tests::history::Request;
use zk_tests::sim::World;
use zk_tests::sim::disk::Loss;

/// Goal: two of five that are settled on a dead leader, a leader that hears and is not heard, and a
/// best candidate that comes at any moment: somebody leads soon.
#[test]
fn c20_a_candidate_comes_late() {
    for ms in 0..60 {
        let mut world = World::scripted(5, 0, 1);
        let leader = world.leader();
        let best = *world.followers().last().expect("there are four");
        world.attach(0, leader);
        world.fill(0, "n", 2);
        world.stop(best, Loss::Process);
        world.stop(leader, Loss::Power);
        world.pass(ms);
        world.restart(best);
        let next = world.leader();
        assert_ne!(next, leader);
        world.conclude();
    }
}

/// Goal: a leader whose words do not arrive, while it hears everybody, is replaced.
#[test]
fn c20_a_leader_that_is_not_heard() {
    let mut world = World::scripted(3, 0, 1);
    let leader = world.leader();
    for server in world.followers() {
        world.deafen(leader, server);
    }
    world.pass(12_000);
    assert_ne!(world.leader(), leader);
    world.conclude();
}

/// Goal: a voter that has accepted a newer epoch than the leader's stays out or comes in, and harms
/// nobody.
#[test]
fn c21_a_newer_epoch_was_accepted() {
    for ms in 0..60 {
        let mut world = World::scripted(3, 0, 1);
        let (leader, first, second) = (world.leader(), world.followers()[0], world.followers()[1]);
        world.stop(leader, Loss::Process);
        // The two others are on their way to a new epoch.
        world.pass(ms);
        world.stop(first, Loss::Power);
        world.restart(leader);
        world.pass(3_000);
        world.restart(first);
        world.pass(100);
        world.stop(second, Loss::Power);
        world.conclude();
    }
}

/// Goal: a wall clock that jumps ends no session.
#[test]
fn c22_the_wall_clock_jumps() {
    let mut world = World::scripted(3, 0, 1);
    let leader = world.leader();
    world.attach(0, leader);
    world.create(0, "/mine", 1);
    assert!(world.answered(0));
    world.jump_clock(leader, 86_400_000);
    world.pass(2_000);
    world.jump_clock(leader, -2 * 86_400_000);
    world.pass(2_000);
    assert!((0..3).all(|server| world.has(server, "/mine")));
    world.conclude();
}

/// Goal: a clock that jumps ahead takes znodes with a TTL that is over by then, and no others; one that
/// jumps back takes none before its time, also by the next leader's clock.
#[test]
fn c22_a_ttl_under_a_clock_that_jumps() {
    let mut world = World::scripted(3, 0, 2);
    let leader = world.leader();
    world.attach(0, leader);
    for (path, ttl_ms) in [("/minute", 60_000), ("/day", 86_400_000)] {
        world.create_ttl(0, path, ttl_ms);
        assert!(world.answered(0));
    }
    world.pass(20_000);
    assert!(world.has(leader, "/minute"), "it goes before its time");
    world.jump_clock(leader, 3_600_000);
    world.pass(10_000);
    assert!(!world.has(leader, "/minute") && world.has(leader, "/day"));
    world.jump_clock(leader, -2 * 3_600_000);
    world.attach(1, leader);
    world.create_ttl(1, "/later", 30_000);
    assert!(world.answered(1));
    world.pass(10_000);
    assert!(world.has(leader, "/later"));
    // By the clocks of the others it is an hour old.
    world.stop(leader, Loss::Process);
    let next = world.leader();
    world.pass(10_000);
    assert!(!world.has(next, "/later") && world.has(next, "/day"));
    world.conclude();
}

/// Goal: a znode whose TTL is over, and which is written at the moment at which it would go, stays; its
/// writer was told that it is there. Method: the leader's disk is slow, so that the write is under way
/// while the leader looks.
#[test]
fn c22_a_ttl_that_is_renewed_while_it_ends() {
    let mut world = World::scripted(1, 0, 1);
    world.attach(0, 0);
    world.create_ttl(0, "/late", 60_000);
    assert!(world.answered(0));
    world.jump_clock(0, 100_000);
    world.stall_disk(0, 7_500);
    world.send(0, Request::Change(Change::SetData("/late".to_owned(), None, -1)));
    world.pass(7_600);
    assert!(world.has(0, "/late"), "it goes although it was renewed");
    world.jump_clock(0, 100_000);
    world.pass(7_600);
    assert!(!world.has(0, "/late"), "it stays although nobody renews it");
    world.conclude();
}

/// Goal: a leader that stood still longer than anybody waits tells its clients nothing that is not
/// so any more: what follows a sync is what holds.
#[test]
fn c22_a_leader_stands_still() {
    let mut world = World::scripted(3, 0, 2);
    let (leader, other) = (world.leader(), world.followers()[0]);
    world.attach(0, leader);
    world.pause(leader, 7_000);
    world.send(0, Request::Sync);
    world.send(0, Request::Exists("/new".to_owned(), false));
    world.pass(6_000);
    world.leader();
    world.attach(1, other);
    world.create(1, "/new", 0);
    assert!(world.answered(1));
    world.pass(3_000);
    world.conclude();
}
