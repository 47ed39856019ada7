//! Reconfiguration in an ensemble in one place: what decides, and what is left when somebody goes at
//! the wrong moment (schedule 28 of the protocol's hard cases).

use zk_wire::Code;

use super::room::{Room, line, voters};
use crate::members::Sid;

fn participant(sid: Sid) -> String {
    line(sid, "participant")
}

/// Three servers under server 3, and two more that follow without a vote.
fn three_and_two() -> Room {
    let mut room = Room::of(&[1, 2, 3]);
    assert_eq!(room.leader(), Some(3), "{}", room.story());
    for sid in [4, 5] {
        room.enter(sid, voters(&[1, 2, 3, sid]));
    }
    room.pass(1_000);
    assert!([4, 5].iter().all(|sid| room.nodes[sid].serves), "{}", room.story());
    assert_eq!(room.members(4), [1, 2, 3], "the joiner has heard of the others' configuration");
    // Sessions are there before anything is held.
    for sid in 1..=3 {
        let xid = room.create(sid, &format!("/s{sid}"));
        assert_eq!(room.answer(sid, xid), Some(Code::OK));
    }
    room
}

#[test]
fn a_configuration_of_a_file_gets_the_epochs_version() {
    let room = Room::of(&[1, 2, 3]);
    for node in room.nodes.values() {
        let members = &node.config.ensemble.as_ref().unwrap().members;
        assert_eq!((members.version, members.servers.len()), (0x1_0000_0000, 3));
        let tree = node.replica.as_ref().unwrap().tree();
        let number = tree.find("/zookeeper/config").unwrap();
        assert_eq!(tree.data(number), Some(members.text.as_bytes()));
        let stat = tree.stat(number);
        assert_eq!((stat.mzxid, stat.version), (0x1_0000_0000, -1));
    }
}

#[test]
fn followers_without_a_vote_join_and_count_from_then_on() {
    let mut room = three_and_two();
    let xid = room.reconfigure(1, &[participant(4), participant(5)], "");
    assert_eq!(room.answer(1, xid), Some(Code::OK), "{}", room.story());
    for sid in 1..=5 {
        assert_eq!(room.members(sid), [1, 2, 3, 4, 5]);
        assert!(room.nodes[&sid].serves, "nobody leaves its leader for it");
    }
    for sid in [1, 2] {
        room.crash(sid);
    }
    let xid = room.create(3, "/a");
    assert_eq!(room.answer(3, xid), Some(Code::OK), "three of five are a quorum");
    room.crash(5);
    let xid = room.create(3, "/b");
    assert_eq!(room.answer(3, xid), None, "two of five are none");
}

/// Goal: what is proposed behind a reconfig needs a quorum of both configurations, what is
/// proposed before it only one of the old.
#[test]
fn both_configurations_decide_while_one_is_on_its_way() {
    let mut room = three_and_two();
    for sid in [4, 5] {
        room.held.insert(sid);
    }
    let before = room.create(3, "/before");
    let xid = room.reconfigure(3, &[participant(4), participant(5)], "1,2");
    let behind = room.create(3, "/behind");
    assert_eq!(room.answer(3, before), Some(Code::OK), "{}", room.story());
    assert_eq!((room.answer(3, xid), room.answer(3, behind)), (None, None), "{}", room.story());
    let second = room.reconfigure(3, &[], "1");
    room.release(4);
    assert_eq!(room.answer(3, xid), Some(Code::OK), "3 and 4 of 3, 4, 5; 1, 2, 3 of 1, 2, 3");
    assert_eq!(room.answer(3, behind), Some(Code::OK));
    assert_eq!(room.answer(3, second), Some(Code::RECONFIG_IN_PROGRESS));
    // Who has no vote any more follows all the same.
    assert!(room.nodes[&1].serves && room.has(1, "/behind"));
    for sid in [1, 2] {
        room.held.insert(sid);
    }
    let xid = room.create(3, "/alone");
    assert_eq!(room.answer(3, xid), Some(Code::OK), "1 and 2 are not asked any more");
}

#[test]
fn a_leader_that_leaves_names_the_next_one() {
    let mut room = three_and_two();
    let epochs = room.nodes[&1].epochs;
    room.held.insert(1);
    let first = room.create(3, "/first");
    let xid = room.reconfigure(3, &[], "3");
    // Server 1 has acknowledged nothing: it is not the one.
    assert_eq!((room.answer(3, first), room.answer(3, xid)), (Some(Code::OK), None));
    room.release(1);
    room.pass(600);
    assert_eq!(room.answer(3, xid), Some(Code::OK), "{}", room.story());
    assert!(matches!(room.leader(), Some(1 | 2)), "{}", room.story());
    assert_eq!(room.nodes[&1].epochs.current, epochs.current + 1, "one epoch later");
    assert!(room.nodes[&3].serves, "it follows without a vote: {}", room.story());
    assert_eq!(room.members(3), [1, 2]);
    let xid = room.create(3, "/a");
    assert_eq!(room.answer(3, xid), Some(Code::OK));
}

#[test]
fn the_named_leader_is_dead_and_another_is_elected() {
    let mut room = three_and_two();
    let xid = room.reconfigure(1, &[participant(4), participant(5)], "");
    assert_eq!(room.answer(1, xid), Some(Code::OK));
    for sid in [1, 2, 4, 5] {
        room.held.insert(sid);
    }
    room.reconfigure(3, &[], "3");
    // The proposal arrives and is acknowledged; then whoever is named dies.
    for sid in [1, 2, 4, 5] {
        room.release(sid);
        room.held.insert(sid);
    }
    room.crash(1);
    for sid in [2, 4, 5] {
        room.release(sid);
    }
    room.pass(8_000);
    assert!(matches!(room.leader(), Some(2 | 4 | 5)), "{}", room.story());
    let leader = room.leader().unwrap();
    assert_eq!(room.members(leader), [1, 2, 4, 5]);
    let xid = room.create(leader, "/a");
    assert_eq!(room.answer(leader, xid), Some(Code::OK));
}

/// Goal: a reconfig of which only a part of a quorum has heard is completed by the next leader when
/// that has it, and leaves no trace when it has not.
#[test]
fn a_reconfig_of_a_dead_leader_is_completed_or_forgotten() {
    for heard in [true, false] {
        let mut room = three_and_two();
        for sid in [1, 2, 4, 5] {
            room.held.insert(sid);
        }
        room.reconfigure(3, &[participant(4), participant(5)], "");
        if heard {
            // It writes and acknowledges; nobody hears of it.
            room.held.insert(3);
            room.release(2);
        }
        room.lose_held();
        room.crash(3);
        for sid in [1, 2, 4, 5] {
            room.release(sid);
        }
        room.pass(8_000);
        let leader = room.leader().unwrap_or_else(|| panic!("nobody leads: {}", room.story()));
        let expected: &[Sid] = if heard { &[1, 2, 3, 4, 5] } else { &[1, 2, 3] };
        assert_eq!(room.members(leader), expected, "heard: {heard}\n{}", room.story());
        room.held.clear();
        room.start(3);
        room.pass(8_000);
        let leader = room.leader().expect("somebody leads");
        for sid in 1..=5 {
            assert!(room.nodes[&sid].serves, "{sid}: {}", room.story());
            assert_eq!(room.members(sid), room.members(leader), "{sid}: {}", room.story());
            let ensemble = room.nodes[&sid].config.ensemble.as_ref().unwrap();
            let newer = |next: &crate::members::Members| next.version > ensemble.members.version;
            assert!(!ensemble.proposed.as_ref().is_some_and(newer), "{sid} waits for another");
        }
        let xid = room.create(leader, "/a");
        assert_eq!(room.answer(leader, xid), Some(Code::OK));
    }
}

/// Goal: when only a minority heard that a reconfig is committed, it stays committed.
#[test]
fn a_leader_dies_between_two_commits() {
    let mut room = three_and_two();
    room.held.insert(1);
    room.held.insert(2);
    let xid = room.reconfigure(3, &[participant(4), participant(5)], "");
    room.release(2);
    // 4, 5 and 2 have acknowledged; 1 has not even heard of it.
    assert_eq!(room.answer(3, xid), Some(Code::OK), "{}", room.story());
    room.held.insert(2);
    room.crash(3);
    room.crash(4);
    room.release(1);
    room.release(2);
    room.pass(8_000);
    assert_eq!(room.leader(), Some(5), "{}", room.story());
    for sid in [1, 2, 5] {
        assert_eq!(room.members(sid), [1, 2, 3, 4, 5], "{}", room.story());
    }
}

/// Goal: the next leader completes a reconfig that has no place for it, and then goes.
#[test]
fn a_leader_completes_a_configuration_without_itself() {
    let mut room = three_and_two();
    for sid in [1, 2, 4, 5] {
        room.held.insert(sid);
    }
    room.reconfigure(3, &[participant(4), participant(5)], "1");
    room.held.insert(3);
    room.release(1);
    room.lose_held();
    room.crash(3);
    room.held.clear();
    room.pass(8_000);
    assert!(matches!(room.leader(), Some(2 | 4 | 5)), "{}", room.story());
    for sid in [1, 2, 4, 5] {
        assert_eq!(room.members(sid), [2, 3, 4, 5], "{sid}: {}", room.story());
        assert!(room.nodes[&sid].serves, "{sid}: {}", room.story());
    }
    assert!(room.nodes[&1].lines.iter().any(|line| line.contains("leading epoch")), "it led");
}

#[test]
fn roles_change_without_a_restart() {
    let mut room = three_and_two();
    let xid = room.reconfigure(2, &[line(4, "observer"), participant(5)], "");
    assert_eq!(room.answer(2, xid), Some(Code::OK));
    room.pass(500);
    assert!(room.nodes[&4].serves, "{}", room.story());
    assert_eq!(room.nodes[&4].replica.as_ref().unwrap().standing(), super::Standing::Observing);
    // The observer and a voter change places; the new configuration has a quorum without it.
    let xid = room.reconfigure(2, &[participant(4), line(1, "observer")], "");
    assert_eq!(room.answer(2, xid), Some(Code::OK));
    room.pass(500);
    let standing = |sid: Sid| room.nodes[&sid].replica.as_ref().unwrap().standing();
    assert_eq!(standing(1), super::Standing::Observing);
    assert_eq!(standing(4), super::Standing::Following);
    // The leader becomes an observer of somebody else.
    let xid = room.reconfigure(3, &[line(3, "observer")], "");
    assert_eq!(room.answer(3, xid), Some(Code::OK));
    room.pass(1_500);
    let standing = |sid: Sid| room.nodes[&sid].replica.as_ref().unwrap().standing();
    assert_eq!(standing(3), super::Standing::Observing, "{}", room.story());
    let leader = room.leader().unwrap();
    let xid = room.create(leader, "/a");
    assert_eq!(room.answer(leader, xid), Some(Code::OK));
}

#[test]
fn a_leader_that_moves_does_not_lead_on() {
    let mut room = Room::of(&[1, 2, 3]);
    let moved = "server.3=h3b:1:2;0.0.0.0:3".to_owned();
    let xid = room.reconfigure(3, &[moved], "");
    assert_eq!(room.answer(3, xid), Some(Code::OK));
    room.pass(1_500);
    assert!(matches!(room.leader(), Some(1 | 2)), "{}", room.story());
    assert!((1..=3).all(|sid| room.nodes[&sid].serves), "{}", room.story());
    // It is found where it is now.
    let others: Vec<Sid> = [1, 2].into_iter().filter(|sid| Some(*sid) != room.leader()).collect();
    room.crash(room.leader().unwrap());
    room.pass(8_000);
    let xid = room.create(others[0], "/a");
    room.pass(100);
    assert_eq!(room.answer(others[0], xid), Some(Code::OK), "{}", room.story());
}

/// Goal: a server that was away while the ensemble moved on comes back by what others tell it, and
/// one that never was a member waits for its place.
#[test]
fn who_was_away_hears_of_the_new_configuration() {
    let mut room = three_and_two();
    room.crash(1);
    let xid = room.reconfigure(2, &[participant(4), participant(5)], "1");
    assert_eq!(room.answer(2, xid), Some(Code::OK));
    let xid = room.reconfigure(2, &[], "3");
    assert_eq!(room.answer(2, xid), Some(Code::OK), "two in a row: {}", room.story());
    room.pass(1_500);
    room.start(1);
    room.pass(3_000);
    assert_eq!(room.members(1), [2, 4, 5], "{}", room.story());
    assert!(room.nodes[&1].serves && room.has(1, "/zookeeper"), "{}", room.story());
    let xid = room.reconfigure(1, &[participant(1)], "");
    assert_eq!(room.answer(1, xid), Some(Code::OK));
    assert_eq!(room.members(5), [1, 2, 4, 5]);
}

/// Goal: everybody starts again from what was written down last, whatever that is.
#[test]
fn all_start_again_in_the_middle_of_a_reconfig() {
    let mut room = three_and_two();
    for sid in [1, 2, 4, 5] {
        room.held.insert(sid);
    }
    room.reconfigure(3, &[participant(4), participant(5)], "");
    room.release(4);
    for sid in 1..=5 {
        room.crash(sid);
    }
    room.held.clear();
    for sid in 1..=5 {
        room.start(sid);
    }
    room.pass(8_000);
    assert!(room.leader().is_some(), "{}", room.story());
    let leader = room.leader().unwrap();
    for sid in 1..=5 {
        assert!(room.nodes[&sid].serves, "{sid}: {}", room.story());
        assert_eq!(room.members(sid), room.members(leader), "{sid}: {}", room.story());
    }
}
