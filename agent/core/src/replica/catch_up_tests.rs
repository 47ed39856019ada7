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

/// Three servers under server 3 that keep two txns in memory. Server 1 goes; then much is written.
/// `permille`: how much of the log may be sent for the database.
fn one_is_away(permille: Option<u32>) -> Room {
    let mut room = Room::of(&[1, 2, 3]);
    for sid in 1..=3 {
        room.crash(sid);
        let config = &mut room.nodes.get_mut(&sid).unwrap().config;
        config.history_txns_min = 2;
        config.history_bytes_max = 0;
        config.history_pinned_bytes_max = 1_000;
        config.log_sync_permille = permille;
    }
    (1..=3).for_each(|sid| room.start(sid));
    room.pass(1_000);
    assert_eq!(room.leader(), Some(3), "{}", room.story());
    for number in 0..5 {
        room.create(1, &format!("/a{number}"));
    }
    room.crash(1);
    for number in 0..40 {
        let xid = room.create(2, &format!("/b{number}"));
        assert_eq!(room.answer(2, xid), Some(Code::OK));
    }
    room
}

fn how(room: &Room, sid: Sid) -> Vec<String> {
    let word = format!("syncing server={sid} ");
    let lines = room.nodes[&3].lines.iter().filter(|line| line.contains(&word));
    lines.cloned().collect()
}

fn is_whole(room: &mut Room) {
    assert!(room.nodes[&1].serves, "{}", room.story());
    assert!((0..40).all(|number| room.has(1, &format!("/b{number}"))));
    let digest = |sid| room.nodes[&sid].replica.as_ref().unwrap().tree().digest();
    assert_eq!(digest(1), digest(3));
    let xid = room.create(1, "/c");
    assert_eq!(room.answer(1, xid), Some(Code::OK));
}

/// Goal: who lacks more than the leader has in memory is sent that from the log on disk, and not the
/// database, while writes go on.
#[test]
fn the_log_on_disk_brings_a_learner_up() {
    let mut room = one_is_away(Some(0));
    room.start(1);
    for number in 0..40 {
        room.create(2, &format!("/d{number}"));
        room.pass(5);
    }
    room.pass(1_000);
    is_whole(&mut room);
    let story = how(&room, 1);
    let last = story.last().expect("it was brought up");
    assert!(last.contains("by=DIFF") && last.ends_with("log=disk"), "{story:?}");
    assert!(room.nodes[&1].base.is_none(), "it was sent the database");
}

/// Goal: a log that is longer than its share of the database is not sent.
#[test]
fn a_long_log_gives_way_to_the_database() {
    for (permille, log) in [(None, false), (Some(1), false), (Some(1_000_000), true)] {
        let mut room = one_is_away(permille);
        room.start(1);
        room.pass(2_000);
        is_whole(&mut room);
        assert_eq!(room.nodes[&1].base.is_none(), log, "{}", room.story());
    }
}

/// Goal: a log that cannot be read, at once or half way through, leaves the database.
#[test]
fn a_log_that_cannot_be_read_gives_way_to_the_database() {
    for damaged_at in [0, 9] {
        let mut room = one_is_away(Some(0));
        let node = room.nodes.get_mut(&3).unwrap();
        node.log_damaged_behind = match damaged_at {
            0 => Zxid::ZERO,
            txns => node.log[node.log.len() - 40 + txns].0,
        };
        room.start(1);
        room.pass(5_000);
        is_whole(&mut room);
        let story = how(&room, 1);
        assert!(story.last().unwrap().contains("by=SNAP"), "{story:?}");
        assert_eq!(story.iter().any(|line| line.contains("log=disk")), damaged_at > 0);
    }
}

/// Goal: who is sent the database lacks nothing of what is written meanwhile, though that is more than
/// the leader keeps in memory: the rest comes from the log, and where there is none it begins anew.
#[test]
fn much_is_written_while_the_database_is_sent() {
    for damaged in [false, true] {
        let mut room = one_is_away(None);
        room.stuck.insert(3);
        room.start(1);
        room.pass(500);
        assert!(how(&room, 1).iter().any(|line| line.contains("by=SNAP")), "{}", room.story());
        for number in 0..40 {
            let xid = room.create(2, &format!("/e{number}"));
            assert_eq!(room.answer(2, xid), Some(Code::OK));
        }
        if damaged {
            room.nodes.get_mut(&3).unwrap().log_damaged_behind = Zxid::ZERO;
        }
        room.release(3);
        room.pass(5_000);
        is_whole(&mut room);
        assert!((0..40).all(|number| room.has(1, &format!("/e{number}"))), "{}", room.story());
    }
}
