//! Read-only mode in an ensemble in one place: when it begins, whom it serves, and when it ends.

use zk_wire::connect::{ConnectRequest, ConnectResponse, session_password};
use zk_wire::{Code, Op};

use super::Standing;
use super::room::Room;
use crate::config::LocalSessions;
use crate::event::Event;
use crate::ids::ConnId;

const ANN: ConnId = ConnId(1);
const BEN: ConnId = ConnId(2);

/// Three servers under server 3, of which 2 and 3 have gone, and a znode.
fn alone(sessions: LocalSessions) -> Room {
    let mut room = Room::with(&[1, 2, 3], move |config| {
        config.local_sessions = sessions;
        config.read_only_after_ms = Some(2_000);
    });
    let xid = room.create(1, "/a");
    assert_eq!(room.answer(1, xid), Some(Code::OK), "{}", room.story());
    for sid in [2, 3] {
        room.crash(sid);
    }
    room.deliver();
    room
}

fn standing(room: &Room) -> Standing {
    room.nodes[&1].replica.as_ref().unwrap().standing()
}

fn greet(room: &mut Room, conn: ConnId, session: (i64, &[u8]), read_only: Option<bool>) {
    let request = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout_ms: 6_000,
        session_id: session.0,
        password: Some(session.1),
        read_only,
    };
    room.greet(1, conn, &request);
    room.deliver();
}

fn greeted(room: &Room, conn: ConnId) -> Option<ConnectResponse> {
    room.nodes[&1].guests[&conn].greeted.clone()
}

fn closed(room: &Room, conn: ConnId) -> bool {
    room.nodes[&1].guests[&conn].closed
}

#[test]
fn it_begins_after_a_while_and_ends_with_the_election() {
    for sessions in [LocalSessions::Off, LocalSessions::On] {
        let mut room = alone(sessions);
        assert_eq!(standing(&room), Standing::Apart, "{}", room.story());
        room.pass(1_900);
        assert_eq!(standing(&room), Standing::Apart, "{}", room.story());
        greet(&mut room, ANN, (0, &[]), Some(true));
        assert!(closed(&room, ANN) && greeted(&room, ANN).is_none());
        room.pass(200);
        assert_eq!(standing(&room), Standing::ReadOnly, "{}", room.story());
        // Whoever would write finds no session here.
        for would_write in [Some(false), None] {
            greet(&mut room, ANN, (0, &[]), would_write);
            assert!(closed(&room, ANN) && greeted(&room, ANN).is_none());
        }
        greet(&mut room, ANN, (0, &[]), Some(true));
        let ann = greeted(&room, ANN).expect("an answer");
        assert!(ann.session_id >> 56 == 1 && ann.read_only == Some(true) && !closed(&room, ANN));
        room.pass(1_000);
        room.start(2);
        room.pass(3_000);
        assert!(room.leader().is_some(), "{}", room.story());
        assert!(closed(&room, ANN), "{}", room.story());
        assert_ne!(standing(&room), Standing::ReadOnly);
        // The session was of that time.
        greet(&mut room, BEN, (ann.session_id, &ann.password), Some(true));
        let refused = greeted(&room, BEN).expect("an answer");
        assert_eq!((refused.session_id, refused.read_only), (0, Some(false)));
    }
}

/// What this server does not know may have been opened since, or ended in its log alone.
#[test]
fn it_neither_renews_nor_ends_a_session_of_the_ensemble() {
    let mut room = alone(LocalSessions::On);
    room.pass(2_100);
    assert_eq!(standing(&room), Standing::ReadOnly, "{}", room.story());
    let id = 0x0200_0000_0000_0007;
    greet(&mut room, ANN, (id, &session_password(id)), Some(true));
    assert!(closed(&room, ANN) && greeted(&room, ANN).is_none(), "{}", room.story());
}

#[test]
fn a_database_that_came_in_part_is_shown_to_nobody() {
    let mut room = alone(LocalSessions::On);
    room.nodes.get_mut(&1).unwrap().replica.as_mut().unwrap().read_only.whole = false;
    room.pass(5_000);
    assert_eq!(standing(&room), Standing::Apart, "{}", room.story());
    room.start(2);
    room.pass(3_000);
    assert!(room.leader().is_some(), "{}", room.story());
    room.crash(2);
    room.pass(3_500);
    assert_eq!(standing(&room), Standing::ReadOnly, "it was whole in between: {}", room.story());
}

#[test]
fn a_server_that_stops_serves_nobody_read_only() {
    for after_ms in [500, 2_500] {
        let mut room = alone(LocalSessions::On);
        room.pass(after_ms);
        room.step(1, Event::Stopping);
        room.step(1, Event::Stopped);
        assert_eq!(standing(&room), Standing::Apart, "{}", room.story());
        room.pass(5_000);
        assert_eq!(standing(&room), Standing::Apart, "{}", room.story());
    }
}

#[test]
fn what_changes_something_is_refused() {
    let mut room = alone(LocalSessions::On);
    room.pass(2_500);
    let zxid = room.nodes[&1].replica.as_ref().unwrap().tree().last_zxid();
    greet(&mut room, ANN, (0, &[]), Some(true));
    let writes = [
        Op::SYNC,
        Op::CREATE,
        Op::CREATE2,
        Op::CREATE_TTL,
        Op::CREATE_CONTAINER,
        Op::DELETE,
        Op::SET_DATA,
        Op::SET_ACL,
        Op::MULTI,
        Op::RECONFIG,
    ];
    for (xid, op) in (1..).zip(writes) {
        room.send(1, ANN, xid, op, &[]);
    }
    room.send(1, ANN, 20, Op::EXISTS, b"\0\0\0\x02/a\0");
    room.send(1, ANN, -2, Op::PING, &[]);
    room.send(1, ANN, 21, Op::CLOSE_SESSION, &[]);
    let replies = &room.nodes[&1].guests[&ANN].replies;
    assert!(replies.iter().all(|reply| reply.zxid == zxid));
    let (refused, done) = replies.split_at(writes.len());
    assert!(refused.iter().all(|reply| reply.code == Code::NOT_READ_ONLY), "{refused:?}");
    let xids: Vec<i32> = done.iter().map(|reply| reply.xid).collect();
    assert_eq!(xids, [20, -2, 21]);
    assert!(done.iter().all(|reply| reply.code == Code::OK) && closed(&room, ANN));
    assert_eq!(room.nodes[&1].replica.as_ref().unwrap().logged, zxid);
}

#[test]
fn sessions_here_are_its_own_and_those_of_the_ensemble_are_not_touched() {
    let mut room = alone(LocalSessions::Off);
    let replica = room.nodes[&1].replica.as_ref().unwrap();
    let (session, _) = replica.sessions().next().expect("the first client's");
    room.pass(2_500);
    let password = zk_wire::connect::session_password(session);
    greet(&mut room, ANN, (session, &password), Some(true));
    assert!(closed(&room, ANN) && greeted(&room, ANN).is_none(), "no answer is no refusal");
    // Its own: they go on, and they expire.
    greet(&mut room, ANN, (0, &[]), Some(true));
    let ann = greeted(&room, ANN).expect("an answer");
    room.pass(4_000);
    greet(&mut room, BEN, (ann.session_id, &ann.password), Some(true));
    assert_eq!(greeted(&room, BEN).map(|again| again.session_id), Some(ann.session_id));
    assert!(closed(&room, ANN) && !closed(&room, BEN));
    room.pass(8_000);
    assert!(closed(&room, BEN), "{}", room.story());
    greet(&mut room, ANN, (ann.session_id, &ann.password), Some(true));
    // That it is gone is told by who takes writes.
    assert!(closed(&room, ANN) && greeted(&room, ANN).is_none(), "{}", room.story());
    // Without a leader nobody of the ensemble's expires.
    assert!(room.nodes[&1].replica.as_ref().unwrap().knows_session(session));
}
