//! Bringing learners up in an ensemble in one place: what they have promised stays theirs.

use zk_wire::{Code, Zxid};

use super::room::Room;
use crate::members::Sid;

/// The newest txn that a server's disk holds, in its log or in a received database.
fn on_disk(room: &Room, sid: Sid) -> Zxid {
    let node = &room.nodes[&sid];
    let logged = node.log.last().map_or(Zxid::ZERO, |(zxid, _)| *zxid);
    logged.max(node.base.as_ref().map_or(Zxid::ZERO, |(zxid, _)| *zxid))
}

/// Its log is of no use to the next leader: it asks for the whole database.
fn wants_database(room: &mut Room, sid: Sid) {
    room.nodes.get_mut(&sid).unwrap().replica.as_mut().unwrap().wants_database = true;
}

/// Goal: a database that takes the place of a learner's log holds what the learner acknowledged,
/// though the leader's own disk lags and it has not applied that yet.
#[test]
fn a_database_holds_what_is_committed() {
    let mut room = Room::of(&[1, 2, 3]);
    assert_eq!(room.leader(), Some(3));
    room.create(1, "/a");
    room.slow.insert(3);
    room.create(1, "/b");
    let promised = on_disk(&room, 1);
    assert!(room.has(1, "/b") && room.has(2, "/b") && !room.has(3, "/b"), "two of three have it");
    room.crash(1);
    room.start(1);
    wants_database(&mut room, 1);
    room.pass(700);
    assert!(on_disk(&room, 1) >= promised, "it has lost what it acknowledged: {}", room.story());
    assert!(!room.nodes[&1].serves, "it waits for the leader's disk");
    room.hurry(3);
    room.pass(700);
    let (zxid, _) = room.nodes[&1].base.as_ref().expect("it was sent the database");
    assert!(*zxid >= promised, "the database stands at {zxid}");
    let xid = room.create(1, "/c");
    assert_eq!(room.answer(1, xid), Some(Code::OK), "{}", room.story());
}

/// Goal: the same while a new leader brings its quorum up, and has not applied all of its log.
#[test]
fn a_database_of_a_new_leader_holds_its_whole_log() {
    let mut room = Room::of(&[1, 2, 3, 4, 5]);
    room.create(4, "/a");
    room.slow.insert(5);
    room.held.extend([1, 2, 3]);
    room.create(4, "/b");
    assert!(!room.has(4, "/b"), "one of five has it");
    let logged = on_disk(&room, 4);
    room.crash(5);
    room.lose_held();
    wants_database(&mut room, 1);
    for sid in 1..=3 {
        // They miss that the leader is gone, and hear it by its silence.
        room.release(sid);
    }
    room.pass(10_000);
    assert_eq!(room.leader(), Some(4), "{}", room.story());
    let (zxid, _) = room.nodes[&1].base.as_ref().expect("it was sent the database");
    assert_eq!(*zxid, logged, "{}", room.story());
    assert!(room.has(1, "/b") && room.nodes[&1].serves);
}
