//! The stories of ZOOKEEPER issues, told to our servers.

use zk_tests::history::Request;
use zk_tests::sim::World;
use zk_tests::sim::disk::Loss;

/// Goal: what a leader brought to its followers by DIFF survives a power loss of both right behind
/// their acknowledgement of NEWLEADER, with the leader gone (also 4646).
#[test]
fn b01_zookeeper_3911() {
    for ms in 0..40 {
        let mut world = World::scripted(3, 0, 1);
        let leader = world.leader();
        world.attach(0, leader);
        world.fill(0, "n", 4);
        let followers = world.followers();
        followers.iter().for_each(|server| world.stop(*server, Loss::Power));
        world.create(0, "/tail", 0);
        world.pass(20);
        followers.iter().for_each(|server| world.restart(*server));
        world.leader();
        world.pass(ms);
        world.stop(leader, Loss::Power);
        followers.iter().for_each(|server| world.stop(*server, Loss::Power));
        followers.iter().for_each(|server| world.restart(*server));
        world.all_serve();
        assert!(followers.iter().all(|server| world.has(*server, "/n3")), "{ms}");
        world.conclude();
    }
}

/// Goal: a follower that ends between its epoch and its history recovers, in whatever order.
#[test]
fn b02_zookeeper_4643() {
    for ms in 0..60 {
        let mut world = World::scripted(3, 0, 1);
        let (leader, behind) = (world.leader(), world.followers()[0]);
        world.stop(behind, Loss::Power);
        world.attach(0, leader);
        world.fill(0, "n", 6);
        world.restart(behind);
        world.pass(ms);
        world.stop(behind, Loss::Power);
        world.restart(behind);
        world.conclude();
    }
}

/// Goal: who joined by DIFF and leads later hands on a history without a hole (also 4785).
#[test]
fn b05_zookeeper_4925() {
    let mut world = World::scripted(3, 0, 1);
    let (leader, stale, late) = (world.leader(), world.followers()[0], world.followers()[1]);
    world.attach(0, leader);
    world.stop(stale, Loss::Process);
    world.fill(0, "n", 3);
    world.stop(late, Loss::Process);
    world.restart(stale);
    world.all_serve();
    let leader = world.leader();
    world.attach(0, leader);
    world.fill(0, "m", 3);
    world.stop(leader, Loss::Process);
    world.restart(late);
    world.all_serve();
    assert!(
        (0..3).all(|n| world.has(late, &format!("/n{n}")) && world.has(late, &format!("/m{n}")))
    );
    world.conclude();
}

/// Goal: a vote counts what is logged and not committed; nothing that was acknowledged is lost.
#[test]
fn b06_zookeeper_2845() {
    let mut world = World::scripted(3, 0, 1);
    let (leader, keeps, behind) = (world.leader(), world.followers()[0], world.followers()[1]);
    world.attach(0, leader);
    world.fill(0, "n", 1);
    world.deafen(leader, behind);
    world.create(0, "/kept", 0);
    world.pass(30);
    assert!(world.durable(keeps) > world.durable(behind));
    world.stop(leader, Loss::Power);
    world.mend();
    world.leader();
    world.all_serve();
    assert!(world.has(keeps, "/kept") && world.has(behind, "/kept"));
    world.conclude();
}

/// Goal: a server whose disk does nothing for a while, though commits arrive, has no hole later; the
/// same for a leader.
#[test]
fn b07_zookeeper_4882() {
    for leads in [false, true] {
        let mut world = World::scripted(3, 0, 1);
        let (leader, follower) = (world.leader(), world.followers()[0]);
        let (slow, other) = (if leads { leader } else { follower }, world.followers()[1]);
        world.attach(0, other);
        world.stall_disk(slow, 1_500);
        world.fill(0, "n", 5);
        world.stop(slow, Loss::Power);
        world.restart(slow);
        world.all_serve();
        assert!((0..5).all(|n| world.has(slow, &format!("/n{n}"))));
        world.stop(slow, Loss::Power);
        world.restart(slow);
        world.conclude();
    }
}

/// Goal: the tail of a leader that nobody else has is gone for good once it was cut off, snapshots
/// included.
#[test]
fn b08_zookeeper_4837() {
    let mut world = World::scripted_with(|plan| plan.snapshot_txns = 4);
    let leader = world.leader();
    world.attach(0, leader);
    world.fill(0, "n", 2);
    world.isolate(leader);
    (0..6).for_each(|n| world.create(0, &format!("/alone{n}"), 0));
    world.pass(200);
    let tail = world.logged(leader);
    world.stop(leader, Loss::Process);
    let next = world.leader();
    assert_ne!(next, leader);
    world.mend();
    world.restart(leader);
    world.all_serve();
    assert!(tail.epoch() < world.logged(next).epoch() || world.logged(leader) <= tail);
    world.stop(leader, Loss::Power);
    world.restart(leader);
    world.all_serve();
    assert!(!world.has(leader, "/alone0"));
    world.conclude();
}

/// Goal: a database that was sent in part, or whole and is not on disk, counts for nothing when the
/// next leader brings the server up by DIFF.
#[test]
fn b09_zookeeper_3642() {
    for ms in 0..40 {
        let (mut world, behind) = World::one_lacks(10, Loss::Process);
        let sends = world.leader();
        world.restart(behind);
        world.pass(ms);
        world.stop(sends, Loss::Process);
        world.pass(1_000);
        world.conclude();
        assert!(world.databases_sent_to(behind) > 0, "{ms}");
    }
}

/// Goal: what is committed while a database is on its way is on the learner's disk when it has
/// acknowledged NEWLEADER.
#[test]
fn b10_zookeeper_3104() {
    for ms in 10..50 {
        let (mut world, behind) = World::one_lacks(10, Loss::Process);
        let leader = world.leader();
        world.attach(0, leader);
        world.restart(behind);
        (0..6).for_each(|n| world.create(0, &format!("/while{n}"), 0));
        world.pass(ms);
        world.stop(behind, Loss::Power);
        world.restart(behind);
        world.all_serve();
        assert!(world.has(behind, "/while5"));
        world.conclude();
        assert!(world.databases_sent_to(behind) > 0, "{ms}");
    }
}

/// Goal: a snapshot that is taken while znodes come, go and come again loads to what everybody has.
#[test]
fn b12_fuzzy_snapshots() {
    let mut world = World::scripted_with(|plan| {
        (plan.snapshot_txns, plan.clients) = (3, 2);
    });
    let leader = world.leader();
    world.attach(0, leader);
    world.attach(1, leader);
    for round in 0..12 {
        world.create(0, "/a", i32::from(round % 2 == 0));
        world.create(1, "/b", 0);
        world.create(1, "/b/s-", 2);
        let delete = |path: &str| zk_tests::drive::model::Change::Delete(path.to_owned(), -1);
        world.send(0, Request::Change(delete("/a")));
        world.send(1, Request::Multi(vec![delete("/b/none"), delete("/b")]));
        assert!(world.answered(0) && world.answered(1));
        if round == 6 {
            world.send(1, Request::Close);
            world.pass(500);
            world.attach(1, leader);
        }
    }
    for server in 0..3 {
        world.stop(server, Loss::Power);
    }
    world.conclude();
}

/// Goal: members that were restarted, with other rounds and epochs, join the leader that is settled.
#[test]
fn b13_zookeeper_1732() {
    let mut world = World::scripted(5, 0, 1);
    let leader = world.leader();
    for server in world.followers() {
        for _ in 0..2 {
            world.stop(server, Loss::Process);
            world.restart(server);
            world.all_serve();
        }
        assert_eq!(world.leader(), leader, "nobody was disturbed");
    }
    world.conclude();
}

/// Goal: an ensemble grows from three to four by new settings and a rolling restart, without a
/// reconfig, and loses nothing on the way.
#[test]
fn b14_zookeeper_3829() {
    let mut world = World::scripted_with(|plan| plan.spares = 1);
    let leader = world.leader();
    world.attach(0, leader);
    world.fill(0, "n", 3);
    world.give_list(3, 4);
    // The new one first: who knows of four wants three of them to follow. The leader last.
    world.restart(3);
    world.all_serve();
    let leader = world.leader();
    for server in (0..3).filter(|server| *server != leader).chain([leader]) {
        world.stop(server, Loss::Process);
        world.give_list(server, 4);
        world.restart(server);
        world.all_serve();
        let at = world.leader();
        world.attach(0, at);
        world.fill(0, &format!("r{server}-"), 2);
    }
    assert!((0..4).all(|server| world.has(server, "/n2") && world.has(server, "/r0-1")));
    // Two of four are no quorum any more.
    let leader = world.leader();
    let others: Vec<usize> = (0..4).filter(|server| *server != leader).collect();
    others[..2].iter().for_each(|server| world.stop(*server, Loss::Process));
    world.create(0, "/never", 0);
    world.pass(5_000);
    assert!(!world.has(leader, "/never"));
    others[..2].iter().for_each(|server| world.restart(*server));
    world.conclude();
}

/// Goal: the counter of an epoch is spent while writes are under way, and somebody ends between every
/// two effects of what follows: nothing is lost, and nothing is done twice. The numbers at which that
/// happens are a setting; at their real place they stand in the core's own tests.
#[test]
fn b16_the_counter_is_spent() {
    for effects in 0..48 {
        let mut world = World::scripted_with(|plan| plan.epoch_txns_max = 6);
        let (leader, follower) = (world.leader(), world.followers()[0]);
        world.attach(0, follower);
        world.fill(0, "n", 3);
        world.dies_behind([leader, follower][effects % 2], effects);
        (0..8).for_each(|n| world.create(0, &format!("/m{n}"), 0));
        world.pass(3_000);
        let leader = world.leader();
        world.attach(0, leader);
        for name in ["o", "p"] {
            world.fill(0, name, 9);
            // A leader looks at its counter from time to time.
            world.pass(1_000);
        }
        assert!(world.monitor.newest_epoch() >= 3, "{effects}");
        world.conclude();
    }
}

/// Goal: a server that ends between a database on disk and the epoch on disk starts, and recovers.
#[test]
fn b17_snap_without_its_epoch() {
    for ms in 0..50 {
        let (mut world, behind) = World::one_lacks(8, Loss::Power);
        world.restart(behind);
        world.pass(ms);
        world.stop(behind, Loss::Power);
        world.restart(behind);
        world.conclude();
        assert!(world.databases_sent_to(behind) > 0, "{ms}");
    }
}
