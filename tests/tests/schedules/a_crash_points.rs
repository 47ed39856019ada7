//! A process ends between every two effects, in each of its roles.

use zk_tests::sim::World;
use zk_tests::sim::disk::Loss;

/// Goal: wherever a follower ends while it is brought up by DIFF, it recovers.
#[test]
fn a_learner_ends_between_every_two_effects_of_a_diff() {
    for effects in 0..48 {
        let mut world = World::scripted(3, 0, 1);
        let behind = world.followers()[0];
        let leader = world.leader();
        world.stop(behind, Loss::Power);
        world.attach(0, leader);
        world.fill(0, "n", 3);
        world.restart(behind);
        world.dies_behind(behind, effects);
        world.pass(400);
        world.conclude();
    }
}

/// Goal: wherever a server ends that is sent the whole database, it recovers.
#[test]
fn a_learner_ends_between_every_two_effects_of_a_snap() {
    for effects in 0..48 {
        let (mut world, behind) = World::one_lacks(8, Loss::Process);
        world.restart(behind);
        world.dies_behind(behind, effects);
        world.pass(400);
        world.conclude();
        assert!(world.databases_sent_to(behind) > 0, "{effects}");
    }
}

/// Goal: wherever a leader ends, from its election to its first txns, nothing is lost.
#[test]
fn a_leader_ends_between_every_two_effects() {
    for effects in 0..64 {
        let mut world = World::scripted(3, 0, 1);
        let leader = world.leader();
        world.attach(0, leader);
        world.fill(0, "n", 2);
        world.create(0, "/last", 0);
        world.stop(leader, Loss::Power);
        // The one that will lead: the one with the largest id among those that have everything.
        let next = if leader == 2 { 1 } else { 2 };
        world.dies_behind(next, effects);
        world.pass(600);
        world.conclude();
    }
}

/// Goal: wherever a follower ends in broadcast, what it acknowledged is there.
#[test]
fn a_follower_ends_between_every_two_effects_of_broadcast() {
    for effects in 0..32 {
        let mut world = World::scripted(3, 0, 1);
        let (leader, follower) = (world.leader(), world.followers()[0]);
        world.attach(0, leader);
        world.dies_behind(follower, effects);
        world.fill(0, "n", 4);
        world.conclude();
    }
}
