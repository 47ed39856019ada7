//! Quotas in an ensemble in one place: what a leader knows when it judges.

use zk_wire::request::encode_create;
use zk_wire::{Acl, Code, Op};

use super::room::Room;
use crate::members::Sid;

/// Three servers under server 3 that enforce quotas, with room for two znodes below `/w`.
fn walled() -> Room {
    let mut room = Room::of(&[1, 2, 3]);
    for sid in 1..=3 {
        room.crash(sid);
        room.nodes.get_mut(&sid).unwrap().config.enforce_quota = true;
    }
    (1..=3).for_each(|sid| room.start(sid));
    room.pass(1_000);
    assert_eq!(room.leader(), Some(3), "{}", room.story());
    for (path, data) in [
        ("/w", ""),
        ("/zookeeper/quota/w", ""),
        ("/zookeeper/quota/w/zookeeper_limits", "count=-1,bytes=-1;countHardLimit=3"),
        ("/zookeeper/quota/w/zookeeper_stats", "count=0,bytes=0"),
    ] {
        let data = Some(data.as_bytes());
        let xid = room.ask(1, Op::CREATE, |out| {
            encode_create(out, path, data, &Acl::open(), 0, None);
        });
        assert_eq!(room.answer(1, xid), Some(Code::OK), "{path}");
    }
    room
}

fn create(room: &mut Room, sid: Sid, path: &str) -> Option<Code> {
    let xid = room.create(sid, path);
    room.answer(sid, xid)
}

/// Goal: whoever asks, a wall holds.
#[test]
fn a_hard_limit_holds_through_a_follower() {
    let mut room = walled();
    assert_eq!(create(&mut room, 1, "/w/a"), Some(Code::OK));
    assert_eq!(create(&mut room, 2, "/w/b"), Some(Code::OK));
    assert_eq!(create(&mut room, 1, "/w/c"), Some(Code::QUOTA_EXCEEDED));
}

/// Goal: usage is what the leader has applied, as with Apache's. One whose own disk lags behind its
/// quorum applies later than others, and lets more through until it has.
#[test]
fn a_leader_judges_by_what_it_has_applied() {
    let mut room = walled();
    room.slow.insert(3);
    for path in ["/w/a", "/w/b", "/w/c", "/w/d"] {
        assert_eq!(create(&mut room, 1, path), Some(Code::OK), "{path}");
    }
    room.hurry(3);
    assert_eq!(create(&mut room, 1, "/w/e"), Some(Code::QUOTA_EXCEEDED));
}
