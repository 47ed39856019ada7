//! From one epoch to the next without an election, in an ensemble in one place.

use zk_wire::{Code, Zxid};

use super::room::Room;
use crate::members::Sid;

/// Three servers under server 3, whose epochs have few txns.
fn short_epochs() -> Room {
    let mut room = Room::of(&[1, 2, 3]);
    for sid in 1..=3 {
        room.crash(sid);
        room.nodes.get_mut(&sid).unwrap().config.epoch_txns_max = 10;
    }
    (1..=3).for_each(|sid| room.start(sid));
    room.pass(1_000);
    assert_eq!(epochs(&room), [2; 3], "{}", room.story());
    room
}

fn epochs(room: &Room) -> [i64; 3] {
    [1, 2, 3].map(|sid| room.nodes[&sid].epochs.current)
}

fn logged(room: &Room, sid: Sid) -> Zxid {
    room.nodes[&sid].log.last().unwrap().0
}

fn lines(room: &Room, text: &str) -> usize {
    let all = room.nodes.values().flat_map(|node| &node.lines);
    all.filter(|line| line.contains(text)).count()
}

/// Goal: epochs change while clients write and read, nobody looks for a leader, and no client of any
/// server is let go.
#[test]
fn epochs_change_while_everybody_is_served() {
    let mut room = short_epochs();
    let mut asked = Vec::new();
    for number in 0..200 {
        for sid in 1..=3 {
            asked.push((sid, room.create(sid, &format!("/{sid}-{number}"))));
        }
        room.pass(20);
    }
    room.pass(500);
    assert!(asked.iter().all(|(sid, xid)| room.answer(*sid, *xid) == Some(Code::OK)));
    assert_eq!(lines(&room, "looking for a leader"), 0, "{}", room.story());
    let [first, ..] = epochs(&room);
    assert!(first > 10, "{first}");
    assert_eq!(epochs(&room), [first; 3]);
    let digest = |sid| room.nodes[&sid].replica.as_ref().unwrap().tree().digest();
    assert!((1..=2).all(|sid| digest(sid) == digest(3) && logged(&room, sid) == logged(&room, 3)));
    room.crash(3);
    room.pass(1_000);
    assert_eq!(epochs(&room)[..2], [first + 1; 2], "the next election builds on that");
}

/// Goal: what is written while the epoch changes waits for it, and is there once it has.
#[test]
fn writes_wait_for_the_next_epoch() {
    let mut room = short_epochs();
    for number in 0..12 {
        room.create(3, &format!("/a{number}"));
    }
    room.slow.insert(3);
    let last = room.create(2, "/last-of-the-epoch");
    room.pass(300);
    let xid = room.create(1, "/b");
    let other = room.create(3, "/c");
    assert_eq!(room.answer(2, last), Some(Code::OK));
    assert_eq!(room.answer(1, xid), None, "the leader's disk is behind");
    assert!(logged(&room, 1).epoch() == 2 && logged(&room, 3).epoch() == 2);
    room.hurry(3);
    assert_eq!(room.answer(1, xid), Some(Code::OK), "{}", room.story());
    assert_eq!(room.answer(3, other), Some(Code::OK));
    // A session, and two znodes.
    assert_eq!(logged(&room, 1), Zxid::new(3, 3));
    assert_eq!(lines(&room, "looking for a leader"), 0);
}

/// Goal: a leader that goes at any moment of the change leaves an ensemble that goes on, without
/// what was not answered or with it, and with all that was.
#[test]
fn a_leader_may_go_at_any_moment_of_it() {
    for held in [&[][..], &[1], &[2], &[1, 2]] {
        for back in [false, true] {
            let mut room = short_epochs();
            for number in 0..12 {
                room.create(3, &format!("/a{number}"));
            }
            room.held.extend(held);
            room.pass(400);
            let xid = room.create(3, "/b");
            let answered = room.answer(3, xid) == Some(Code::OK);
            assert_eq!(answered, held.len() < 2, "{held:?} {}", room.story());
            room.crash(3);
            for sid in held {
                room.release(*sid);
            }
            if back {
                room.start(3);
            }
            room.pass(12_000);
            assert!(room.leader().is_some(), "{held:?} {}", room.story());
            assert!((1..=2).all(|sid| room.has(sid, "/a11")));
            assert!(!answered || (1..=2).all(|sid| room.has(sid, "/b")), "{}", room.story());
            assert_eq!(room.has(1, "/b"), room.has(2, "/b"));
            let xid = room.create(1, "/c");
            assert_eq!(room.answer(1, xid), Some(Code::OK), "{}", room.story());
        }
    }
}

/// Goal: who holds the change up is let go; without a quorum the leader steps down, and what waited
/// is not in its log.
#[test]
fn nobody_holds_it_up_for_long() {
    let mut room = short_epochs();
    for number in 0..12 {
        room.create(3, &format!("/a{number}"));
    }
    room.slow.insert(1);
    let last = room.create(3, "/b");
    assert_eq!(room.answer(3, last), Some(Code::OK));
    room.pass(2_000);
    assert_eq!(lines(&room, "it holds up the next epoch"), 1, "{}", room.story());
    assert_eq!(room.nodes[&3].epochs.current, 3);
    let xid = room.create(3, "/c");
    assert_eq!(room.answer(3, xid), Some(Code::OK));
    room.hurry(1);
    room.pass(2_000);
    assert!(room.has(1, "/c"));

    let mut room = short_epochs();
    for number in 0..12 {
        room.create(3, &format!("/a{number}"));
    }
    room.held.extend([1, 2]);
    room.pass(300);
    let xid = room.create(3, "/b");
    let end = logged(&room, 3);
    room.pass(1_200);
    assert!(room.nodes[&3].serves);
    room.pass(4_000);
    assert!(!room.nodes[&3].serves && room.answer(3, xid).is_none(), "{}", room.story());
    assert_eq!(logged(&room, 3), end, "what waited was never logged");
    room.release(1);
    room.release(2);
    room.pass(6_000);
    assert!((1..=3).all(|sid| room.nodes[&sid].serves && !room.has(sid, "/b")));
}

/// Goal: who comes back with the promise of a newer epoch, to a leader that nobody knows of any more,
/// is taken in by an epoch above that, and disturbs nobody.
#[test]
fn a_voter_that_has_promised_more_disturbs_nobody() {
    let mut room = Room::of(&[1, 2, 3]);
    room.crash(1);
    room.create(2, "/before");
    room.nodes.get_mut(&1).unwrap().epochs.accepted = 7;
    room.start(1);
    room.pass(1_000);
    assert_eq!(epochs(&room), [8; 3], "{}", room.story());
    assert!(room.nodes[&1].serves && room.has(1, "/before"));
    assert_eq!(lines(&room, "promised a newer epoch"), 0, "{}", room.story());
    let xid = room.create(1, "/after");
    assert_eq!(room.answer(1, xid), Some(Code::OK));
}
