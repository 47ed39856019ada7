//! Hierarchical quorums: which servers may be missing.

use zk_tests::sim::World;
use zk_tests::sim::disk::Loss;

/// Goal: what counts is a majority of groups in each of which a majority is there, not how many
/// servers there are. Method: three groups of two; one server of one group goes, then one of
/// another one: four of six are left, and one group.
#[test]
fn o8_groups_and_not_servers_are_counted() {
    let mut world = World::scripted_with(|plan| (plan.voters, plan.groups) = (6, true));
    let leader = world.leader();
    let others: Vec<usize> = (0..3).filter(|group| *group != leader / 2).collect();
    let (first, second) = (others[0] * 2, others[1] * 2);
    world.stop(first, Loss::Process);
    world.pass(3_000);
    assert!(world.serves(leader), "two groups of three are whole");
    world.stop(second, Loss::Process);
    world.pass(20_000);
    let serving = (0..6).filter(|server| world.is_up(*server) && world.serves(*server)).count();
    assert_eq!(serving, 0, "one group of three is whole, though four of six are up");
    world.restart(first);
    world.leader();
    world.restart(second);
    world.all_serve();
    world.conclude();
}
