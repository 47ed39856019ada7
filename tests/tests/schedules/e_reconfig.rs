//! Configurations that change, with an end of somebody between every two effects. Message by message
//! these stand in the core's own tests.

use zk_tests::sim::disk::Loss;
use zk_tests::sim::{World, line};

/// Three voters and so many servers that no configuration names yet.
fn three(spares: usize) -> World {
    let mut world = World::scripted_with(|plan| {
        (plan.spares, plan.reconfigs, plan.clients) = (spares, true, 2);
    });
    let leader = world.leader();
    world.attach(0, leader);
    world.fill(0, "n", 2);
    // All have agreed on the id of the ensemble.
    world.pass(1_500);
    world
}

fn participant(server: usize) -> String {
    line(server, false)
}

/// Goal: spares join and count from then on; a leader that is removed names the next one, and goes on
/// following.
#[test]
fn e28_the_leader_is_removed() {
    let mut world = three(2);
    world.reconfigure(0, &[participant(3), participant(4)], "");
    assert!(world.answered(0));
    assert_eq!(world.voters(), [0, 1, 2, 3, 4]);
    let leader = world.leader();
    world.reconfigure(0, &[], &(leader + 1).to_string());
    world.pass(3_000);
    assert!(!world.voters().contains(&leader));
    assert_ne!(world.leader(), leader);
    world.all_serve();
    world.conclude();
}

/// Goal: wherever the leader ends that removes itself, also between its word to some and to others,
/// there is one history and somebody leads.
#[test]
fn e28_the_leader_ends_while_it_leaves() {
    for effects in 0..40 {
        let mut world = three(1);
        world.reconfigure(0, &[participant(3)], "");
        assert!(world.answered(0));
        let leader = world.leader();
        world.dies_behind(leader, effects);
        world.reconfigure(0, &[], &(leader + 1).to_string());
        world.pass(2_000);
        world.leader();
        world.conclude();
    }
}

/// Goal: the leader's place changes: it gives way, and is a member at the new place.
#[test]
fn e28_the_leaders_port_changes() {
    for effects in 0..30 {
        let mut world = three(0);
        let (leader, follower) = (world.leader(), world.followers()[0]);
        world.attach(1, follower);
        world.dies_behind(follower, effects);
        let moved = participant(leader).replace("2888", "2889");
        world.reconfigure(0, &[moved], "");
        world.pass(3_000);
        assert_eq!(world.voters(), [0, 1, 2]);
        world.conclude();
    }
}

/// Goal: a voter and an observer change their roles at once.
#[test]
fn e28_roles_are_swapped() {
    let mut world = World::scripted_with(|plan| {
        (plan.observers, plan.reconfigs) = (1, true);
    });
    let (leader, voter) = (world.leader(), world.followers()[0]);
    world.attach(0, leader);
    world.reconfigure(0, &[line(voter, true), participant(3)], "");
    assert!(world.answered(0));
    world.pass(1_000);
    let voters = world.voters();
    assert!(voters.contains(&3) && !voters.contains(&voter), "{voters:?}");
    // The one that observes now is no part of a quorum, the other one is.
    world.all_serve();
    world.stop(voter, Loss::Power);
    world.fill(0, "m", 2);
    world.restart(voter);
    world.conclude();
}

/// Goal: the one that is to lead is dead: another one is elected.
#[test]
fn e28_the_named_leader_is_dead() {
    for ms in 0..20 {
        let mut world = three(1);
        world.reconfigure(0, &[participant(3)], "");
        assert!(world.answered(0));
        let leader = world.leader();
        world.reconfigure(0, &[], &(leader + 1).to_string());
        world.pass(ms);
        // Whoever is named: one of the others dies.
        let heir = world.voters().into_iter().rev().find(|server| *server != leader);
        world.stop(heir.expect("there are three"), Loss::Power);
        world.pass(4_000);
        world.leader();
        world.conclude();
    }
}

/// Goal: a configuration that was proposed when its leader lost power is completed by the next
/// leader, or comes to nothing, and everybody agrees which; the next one works.
#[test]
fn e28_a_pending_one_is_completed() {
    for ms in 0..25 {
        let mut world = three(2);
        let (leader, follower) = (world.leader(), world.followers()[0]);
        world.reconfigure(0, &[participant(3), participant(4)], "");
        world.pass(ms);
        world.stop(leader, Loss::Power);
        world.pass(3_000);
        world.leader();
        world.attach(1, follower);
        world.restart(leader);
        world.all_serve();
        world.reconfigure(1, &[participant(3), participant(4)], "");
        assert!(world.answered(1), "{ms}");
        assert_eq!(world.voters(), [0, 1, 2, 3, 4], "{ms}");
        world.conclude();
    }
}

/// Goal: of two reconfigs at once one is done or both are, one after the other.
#[test]
fn e28_two_in_a_row() {
    let mut world = three(2);
    let follower = world.followers()[0];
    world.attach(1, follower);
    world.reconfigure(0, &[participant(3)], "");
    world.reconfigure(1, &[participant(4)], "");
    assert!(world.answered(0) && world.answered(1));
    let voters = world.voters();
    assert!((4..=5).contains(&voters.len()), "{voters:?}");
    world.reconfigure(0, &[participant(3), participant(4)], "");
    assert!(world.answered(0));
    assert_eq!(world.voters(), [0, 1, 2, 3, 4]);
    world.conclude();
}

/// Goal: a joiner whose list is old, because the ensemble changed while it was down, finds its way.
#[test]
fn e28_a_joiner_with_a_stale_list() {
    let mut world = three(2);
    world.stop(4, Loss::Power);
    world.reconfigure(0, &[participant(3)], "");
    assert!(world.answered(0));
    let gone = world.followers()[0];
    world.reconfigure(0, &[], &(gone + 1).to_string());
    assert!(world.answered(0));
    world.restart(4);
    world.all_serve();
    world.reconfigure(0, &[participant(4)], "");
    assert!(world.answered(0));
    assert!(world.voters().contains(&4));
    world.conclude();
}

/// Goal: while a quorum of the old servers has acknowledged a configuration and none of the new ones,
/// it is not in force, nor is anything behind it done.
#[test]
fn e28_the_new_servers_do_not_acknowledge() {
    let mut world = three(2);
    let leader = world.leader();
    let others: Vec<String> =
        (0..3).filter(|server| *server != leader).map(|n| (n + 1).to_string()).collect();
    for server in [3, 4] {
        world.stall_disk(server, 2_000);
    }
    world.reconfigure(0, &[participant(3), participant(4)], &others.join(","));
    world.pass(500);
    assert_eq!(world.voters(), [0, 1, 2], "the old ones alone do not decide");
    world.pass(2_500);
    let voters = world.voters();
    assert!(voters == [leader, 3, 4] || voters == [0, 1, 2], "{voters:?}");
    world.all_serve();
    world.conclude();
}

/// Goal: wherever a server ends between what is proposed on disk, the log, and the configuration in
/// force, it starts and finds the others. That a start makes sense of every subset of the files is
/// tested with the files.
#[test]
fn e29_a_server_ends_between_its_files() {
    for effects in 0..24 {
        for leads in [false, true] {
            let mut world = three(1);
            let (leader, follower) = (world.leader(), world.followers()[0]);
            world.dies_behind(if leads { leader } else { follower }, effects);
            world.reconfigure(0, &[participant(3)], "1");
            world.pass(2_000);
            for server in 0..4 {
                if !world.is_up(server) {
                    world.restart(server);
                }
            }
            world.conclude();
        }
    }
}
