//! Local sessions in an ensemble in one place: what they may, what becomes of them, and what is left
//! of an upgrade when the leader goes in the middle of it.

use zk_wire::connect::{ConnectRequest, ConnectResponse};
use zk_wire::header::ReplyHeader;
use zk_wire::request::encode_create;
use zk_wire::{Acl, Code, Op, Zxid};

use super::room::Room;
use crate::config::LocalSessions;
use crate::event::Event;
use crate::hash::Rng;
use crate::ids::ConnId;
use crate::members::Sid;

const ANN: ConnId = ConnId(1);
const BEN: ConnId = ConnId(2);
const TIMEOUT_MS: i32 = 6_000;

/// Three servers under server 3.
fn three(sessions: LocalSessions) -> Room {
    let mut room = Room::with(&[1, 2, 3], move |config| config.local_sessions = sessions);
    assert_eq!(room.leader(), Some(3), "{}", room.story());
    let xid = room.create(2, "/first");
    assert_eq!(room.answer(2, xid), Some(Code::OK), "{}", room.story());
    room
}

fn hello(session: Option<&ConnectResponse>) -> ConnectRequest<'_> {
    ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout_ms: TIMEOUT_MS,
        session_id: session.map_or(0, |session| session.session_id),
        password: session.map(|session| &session.password[..]),
        read_only: Some(false),
    }
}

fn create(path: &str, flags: i32) -> Vec<u8> {
    let mut body = Vec::new();
    encode_create(&mut body, path, Some(b"x"), &Acl::open(), flags, None);
    body
}

fn session_of(room: &Room, sid: Sid, conn: ConnId) -> ConnectResponse {
    let guest = &room.nodes[&sid].guests[&conn];
    guest.greeted.clone().unwrap_or_else(|| panic!("no answer: {}", room.story()))
}

/// A new session on a server.
fn open(room: &mut Room, sid: Sid, conn: ConnId) -> ConnectResponse {
    room.greet(sid, conn, &hello(None));
    session_of(room, sid, conn)
}

/// A client comes back to its session on some server; whether that was granted.
fn reattach(room: &mut Room, sid: Sid, conn: ConnId, old: &ConnectResponse) -> bool {
    room.greet(sid, conn, &hello(Some(old)));
    room.deliver();
    session_of(room, sid, conn).session_id == old.session_id
}

fn replies(room: &Room, sid: Sid, conn: ConnId) -> &[ReplyHeader] {
    &room.nodes[&sid].guests[&conn].replies
}

fn codes(room: &Room, sid: Sid, conn: ConnId) -> Vec<(i32, Code)> {
    replies(room, sid, conn).iter().map(|reply| (reply.xid, reply.code)).collect()
}

fn zxid(room: &Room, sid: Sid) -> Zxid {
    room.nodes[&sid].replica.as_ref().unwrap().tree().last_zxid()
}

fn knows(room: &Room, sid: Sid, session: &ConnectResponse) -> bool {
    room.nodes[&sid].replica.as_ref().unwrap().knows_session(session.session_id)
}

fn locals(room: &Room, sid: Sid) -> usize {
    room.nodes[&sid].replica.as_ref().unwrap().status().local_sessions
}

/// Every ephemeral belongs to a session that there is.
fn assert_owned(room: &Room) {
    for node in room.nodes.values() {
        let Some(replica) = &node.replica else { continue };
        for (session, paths) in replica.ephemerals() {
            assert!(replica.knows_session(session), "{paths:?} of {session:#x}: {}", room.story());
        }
    }
}

#[test]
fn a_local_session_is_in_no_txn_and_writes_all_the_same() {
    for sid in [1, 3] {
        let mut room = three(LocalSessions::On);
        let before = zxid(&room, sid);
        let ann = open(&mut room, sid, ANN);
        assert_eq!(ann.session_id >> 56, sid);
        room.pass(500);
        assert_eq!((zxid(&room, sid), locals(&room, sid)), (before, 1));
        assert!(!knows(&room, sid, &ann));
        room.send(sid, ANN, 1, Op::CREATE, &create("/a", 0));
        room.send(sid, ANN, 2, Op::CREATE, &create("/a/b", 2));
        // It ends at once, and is answered in its turn; what comes behind it is not looked at.
        room.send(sid, ANN, 3, Op::CLOSE_SESSION, &[]);
        assert_eq!(locals(&room, sid), 0);
        room.send(sid, ANN, 4, Op::CREATE, &create("/late", 1));
        room.deliver();
        let expected = [1, 2, 3].map(|xid| (xid, Code::OK));
        assert_eq!(codes(&room, sid, ANN), expected, "{}", room.story());
        assert!(room.nodes[&sid].guests[&ANN].closed);
        // Two txns are all there was.
        assert_eq!(replies(&room, sid, ANN)[2].zxid, Zxid(before.0 + 2));
        for sid in 1..=3 {
            assert!(room.has(sid, "/a/b0000000000") && !room.has(sid, "/late"));
        }
    }
}

#[test]
fn a_local_session_lives_and_ends_with_its_server() {
    let mut room = three(LocalSessions::On);
    let (ann, ben) = (open(&mut room, 1, ANN), open(&mut room, 1, BEN));
    // Ann is heard of, from two connections one after the other; Ben is not.
    for _ in 0..8 {
        room.pass(1_000);
        room.send(1, ANN, -2, Op::PING, &[]);
    }
    assert!(room.nodes[&1].guests[&BEN].closed, "{}", room.story());
    assert!(!room.nodes[&1].guests[&ANN].closed, "{}", room.story());
    assert!(!reattach(&mut room, 1, BEN, &ben), "it has expired");
    assert!(reattach(&mut room, 1, BEN, &ann));
    assert!(room.nodes[&1].guests[&ANN].closed, "one connection at a time");
    for elsewhere in [2, 3] {
        assert!(!reattach(&mut room, elsewhere, ANN, &ann), "only server 1 knows it");
    }
    let mut forged = ann.clone();
    forged.password[0] ^= 1;
    room.step(1, Event::ClientClosed { conn: ANN });
    assert!(!reattach(&mut room, 1, ANN, &forged));
    let at_leader = open(&mut room, 3, ConnId(5));
    assert!(!reattach(&mut room, 2, ConnId(5), &at_leader), "the leader's own is local, too");
    // Another leader: local sessions do not outlive the role of their server.
    room.crash(3);
    room.pass(5_000);
    assert!(room.leader().is_some(), "{}", room.story());
    assert_eq!(locals(&room, 1), 0);
    assert!(!reattach(&mut room, 1, ConnId(6), &ann));
}

/// Goal: who may not upgrade is refused in Apache's words, with a zxid as in any failed write.
#[test]
fn an_ephemeral_is_refused_without_upgrading() {
    for sid in [1, 3] {
        let mut room = three(LocalSessions::On);
        open(&mut room, sid, ANN);
        let before = zxid(&room, sid);
        room.send(sid, ANN, 1, Op::CREATE, &create("/a", 0));
        room.send(sid, ANN, 2, Op::CREATE, &create("/e", 1));
        room.send(sid, ANN, 3, Op::CREATE2, &create("/e", 3));
        room.send(sid, ANN, 4, Op::CREATE, &create("/a", 7));
        room.send(sid, ANN, 5, Op::CREATE_CONTAINER, &create("/c", 1));
        room.send(sid, ANN, 6, Op::CREATE, &create("/b", 0));
        room.deliver();
        let local = Code::EPHEMERAL_ON_LOCAL_SESSION;
        let expected =
            [Code::OK, local, local, Code::BAD_ARGUMENTS, Code::SESSION_EXPIRED, Code::OK];
        let found: Vec<Code> = replies(&room, sid, ANN).iter().map(|reply| reply.code).collect();
        assert_eq!(found, expected, "{}", room.story());
        assert_eq!(zxid(&room, sid).0, before.0 + 6);
    }
}

#[test]
fn an_ephemeral_makes_a_session_the_ensembles() {
    for sid in [1, 3] {
        let mut room = three(LocalSessions::Upgraded);
        let ann = open(&mut room, sid, ANN);
        let before = zxid(&room, sid);
        room.send(sid, ANN, 1, Op::CREATE, &create("/a", 0));
        room.send(sid, ANN, 2, Op::CREATE, &create("/e", 1));
        room.send(sid, ANN, 3, Op::EXISTS, b"\0\0\0\x02/e\0");
        room.send(sid, ANN, 4, Op::CREATE2, &create("/f", 1));
        room.deliver();
        let expected = [1, 2, 3, 4].map(|xid| (xid, Code::OK));
        assert_eq!(codes(&room, sid, ANN), expected, "{}", room.story());
        // The session has a txn of its own between the two.
        let zxids: Vec<i64> = replies(&room, sid, ANN).iter().map(|r| r.zxid.0).collect();
        let at = before.0;
        assert_eq!(zxids, [at + 1, at + 3, zxids[2], at + 4]);
        assert_eq!(locals(&room, sid), 0);
        assert_owned(&room);
        assert!((1..=3).all(|sid| knows(&room, sid, &ann)));
        // It moves like any other, and its old connection ends with its next write.
        let elsewhere = if sid == 1 { 2 } else { 1 };
        assert!(reattach(&mut room, elsewhere, BEN, &ann), "{}", room.story());
        room.send(sid, ANN, 5, Op::CREATE, &create("/g", 0));
        room.deliver();
        assert!(room.nodes[&sid].guests[&ANN].closed && !room.has(1, "/g"));
        room.send(elsewhere, BEN, 1, Op::CLOSE_SESSION, &[]);
        room.deliver();
        assert!((1..=3).all(|sid| !room.has(sid, "/e") && !knows(&room, sid, &ann)));
        assert!(room.has(1, "/a"));
    }
}

/// Goal: everything that a client pipelines behind the first ephemeral belongs to one session, its
/// end included; nothing comes behind the end.
#[test]
fn a_session_that_is_upgraded_and_closed_at_once_leaves_nothing() {
    for sid in [1, 3] {
        let mut room = three(LocalSessions::Upgraded);
        let ann = open(&mut room, sid, ANN);
        room.held.extend([2]);
        for (xid, path) in [(1, "/e"), (2, "/f")] {
            room.send(sid, ANN, xid, Op::CREATE, &create(path, 1));
        }
        room.send(sid, ANN, 3, Op::CLOSE_SESSION, &[]);
        room.send(sid, ANN, 4, Op::CREATE, &create("/g", 1));
        room.deliver();
        room.release(2);
        room.pass(100);
        let codes = codes(&room, sid, ANN);
        assert_eq!(codes, [1, 2, 3].map(|xid| (xid, Code::OK)), "{}", room.story());
        assert_owned(&room);
        for other in 1..=3 {
            assert!(!knows(&room, other, &ann));
            assert!(["/e", "/f", "/g"].iter().all(|path| !room.has(other, path)));
        }
    }
}

#[test]
fn a_client_that_comes_back_while_it_is_upgraded_keeps_its_session() {
    for sid in [1, 3] {
        let mut room = three(LocalSessions::Upgraded);
        let ann = open(&mut room, sid, ANN);
        // Nobody acknowledges for now.
        room.held.extend((1..=3).filter(|other| *other != sid));
        room.send(sid, ANN, 1, Op::CREATE, &create("/e", 1));
        room.deliver();
        room.greet(sid, BEN, &hello(Some(&ann)));
        room.deliver();
        assert!(room.nodes[&sid].guests[&ANN].closed, "one connection at a time");
        for other in (1..=3).filter(|other| *other != sid) {
            room.release(other);
        }
        room.pass(200);
        let again = session_of(&room, sid, BEN);
        assert_eq!(again.session_id, ann.session_id, "{}", room.story());
        room.send(sid, BEN, 2, Op::CREATE, &create("/f", 1));
        room.deliver();
        assert_eq!(codes(&room, sid, BEN), [(2, Code::OK)], "{}", room.story());
        assert_owned(&room);
        assert!(room.has(1, "/e") && knows(&room, 2, &ann) && locals(&room, sid) == 0);
    }
}

/// Goal: when the leader goes while a session is upgraded, either all of it has happened or nothing:
/// there is no ephemeral without its session, and who was not upgraded is told that it has expired.
/// Method: the leader goes before it has heard of it, when it has it and nobody else, and when a
/// follower has it, too; from a client of a follower and of the leader.
#[test]
fn a_leader_that_goes_in_the_middle_of_an_upgrade_leaves_all_or_nothing() {
    for (at, held) in [(1, &[3][..]), (1, &[1, 2]), (1, &[1]), (3, &[1, 2]), (3, &[1])] {
        let mut room = three(LocalSessions::Upgraded);
        let ann = open(&mut room, at, ANN);
        room.held.extend(held);
        room.send(at, ANN, 1, Op::CREATE, &create("/e", 1));
        room.deliver();
        room.crash(3);
        room.lose_held();
        room.held.clear();
        room.pass(5_000);
        let leader = room.leader().unwrap_or_else(|| panic!("{}", room.story()));
        assert_owned(&room);
        let happened = knows(&room, leader, &ann);
        assert_eq!(happened, held.len() == 1 && held != [3], "{held:?} {}", room.story());
        assert_eq!(happened, room.has(leader, "/e"), "{held:?} {}", room.story());
        assert_eq!(reattach(&mut room, 1, BEN, &ann), happened, "{held:?} {}", room.story());
        room.start(3);
        room.pass(3_000);
        assert_owned(&room);
        assert_eq!(room.has(3, "/e"), happened, "{held:?} {}", room.story());
        // Who does not come back expires like anybody.
        room.step(1, Event::ClientClosed { conn: BEN });
        room.pass(i64::from(TIMEOUT_MS) + 3_000);
        assert!((1..=3).all(|sid| !room.has(sid, "/e") && !knows(&room, sid, &ann)));
    }
}

/// Goal: who goes while its closeSession waits in the throttle is heard all the same, whoever keeps its
/// session, and by the leader alone.
#[test]
fn an_end_that_waits_in_the_throttle_is_carried_out() {
    for sessions in [LocalSessions::Off, LocalSessions::On] {
        let mut room = Room::with(&[1, 2, 3], move |config| {
            config.local_sessions = sessions;
            config.throttle_requests_max = 1;
        });
        for (sid, path) in [(1, "/at1"), (2, "/at2")] {
            let xid = room.create(sid, path);
            assert_eq!(room.answer(sid, xid), Some(Code::OK), "{}", room.story());
        }
        for (sid, conn) in [(1, ANN), (3, BEN)] {
            room.greet(sid, conn, &hello(None));
            room.deliver();
        }
        let ann = session_of(&room, 1, ANN);
        // Server 1 has a txn that is not committed before the leader hears of anybody.
        room.send(3, BEN, 1, Op::CREATE, &create("/b", 0));
        room.held.insert(3);
        room.deliver();
        assert!(room.nodes[&1].replica.as_ref().unwrap().must_stall());
        room.send(1, ANN, 1, Op::CLOSE_SESSION, &[]);
        room.step(1, Event::ClientClosed { conn: ANN });
        room.deliver();
        room.release(3);
        room.pass(200);
        assert!(room.has(1, "/b") && !knows(&room, 1, &ann), "{}", room.story());
        assert!((1..=3).all(|sid| zxid(&room, sid) == zxid(&room, 1)), "{}", room.story());
        assert_eq!(locals(&room, 1), usize::from(sessions == LocalSessions::On));
    }
}

/// A leader takes a session that it does not know for another server's, but not one of its own.
#[test]
fn a_leader_knows_its_own() {
    let room = three(LocalSessions::On);
    let leader = room.nodes[&3].replica.as_ref().unwrap();
    assert!(leader.tolerates(1 << 56) && !leader.tolerates((3 << 56) + 7));
    // As Apache's leader has it, ids above 127 are nobody's.
    assert!(leader.tolerates(i64::MIN) && !leader.tolerates(3 << 56));
    let room = three(LocalSessions::Off);
    assert!(!room.nodes[&3].replica.as_ref().unwrap().tolerates(1 << 56));
}

/// What clients do by chance, and what they must find.
struct Crowd {
    room: Room,
    rng: Rng,
    next_conn: u32,
    /// Server, connection and xids of creates of ephemerals, with their paths.
    asked: Vec<(Sid, ConnId, i32, String)>,
    sessions: Vec<ConnectResponse>,
    conns: Vec<(Sid, ConnId)>,
}

impl Crowd {
    fn one<T: Clone>(&mut self, of: impl Fn(&Crowd) -> &Vec<T>) -> Option<T> {
        let count = of(self).len() as u64;
        let at = self.rng.below(count) as usize;
        of(self).get(at).cloned()
    }

    fn greet(&mut self, sid: Sid, session: Option<&ConnectResponse>) {
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        self.room.greet(sid, conn, &hello(session));
        self.conns.push((sid, conn));
        if let Some(greeted) = &self.room.nodes[&sid].guests[&conn].greeted
            && session.is_none()
        {
            self.sessions.push(greeted.clone());
        }
    }

    /// Some requests in one go, perhaps with an end behind them.
    fn ask(&mut self, number: i32) {
        let Some((sid, conn)) = self.one(|crowd| &crowd.conns) else { return };
        for xid in 1..=1 + self.rng.below(3) as i32 {
            let flags = self.rng.below(2) as i32;
            let path = format!("/n{number}-{xid}");
            let xid = number * 10 + xid;
            self.room.send(sid, conn, xid, Op::CREATE, &create(&path, flags));
            if flags == 1 {
                self.asked.push((sid, conn, xid, path));
            }
        }
        if self.rng.below(8) == 0 {
            self.room.send(sid, conn, number * 10, Op::CLOSE_SESSION, &[]);
        }
    }

    fn step(&mut self, number: i32) {
        let sid = 1 + self.rng.below(3) as Sid;
        let runs = self.room.nodes[&sid].replica.is_some();
        match self.rng.below(20) {
            0..=2 if runs => self.greet(sid, None),
            3..=4 if runs => {
                let session = self.one(|crowd| &crowd.sessions);
                self.greet(sid, session.as_ref());
            }
            5..=10 => self.ask(number),
            11 => {
                if let Some((sid, conn)) = self.one(|crowd| &crowd.conns) {
                    self.room.step(sid, Event::ClientClosed { conn });
                }
            }
            12 if runs => {
                self.room.crash(sid);
                self.conns.retain(|(at, _)| *at != sid);
            }
            13..=14 if !runs => self.room.start(sid),
            15 => drop(self.room.held.insert(sid)),
            16 => self.room.release(sid),
            17 => self.room.pass(self.rng.below(3_000) as i64),
            _ => self.room.deliver(),
        }
    }

    /// Who was told that he has an ephemeral has one, where he was told, unless his session ended.
    fn look(&mut self) {
        assert_owned(&self.room);
        for (sid, conn, xid, path) in std::mem::take(&mut self.asked) {
            let node = &self.room.nodes[&sid];
            let Some(guest) = node.guests.get(&conn) else { continue };
            let Some(reply) = guest.replies.iter().find(|reply| reply.xid == xid) else {
                self.asked.push((sid, conn, xid, path));
                continue;
            };
            let session = guest.greeted.as_ref().expect("it was answered").session_id;
            let replica = node.replica.as_ref().expect("its guests are there");
            let owned =
                replica.tree().find(&path).map(|at| replica.tree().stat(at).ephemeral_owner);
            assert!(
                reply.code != Code::OK || owned == Some(session) || !replica.knows_session(session),
                "{path} of {session:#x} belongs to {owned:?}: {}",
                self.room.story()
            );
        }
    }
}

#[test]
fn upgrades_by_chance_leave_no_ephemeral_without_a_session() {
    let mut upgraded = 0;
    for seed in 1..=100 {
        let room = three(LocalSessions::Upgraded);
        let mut crowd = Crowd {
            room,
            rng: Rng::new(seed),
            next_conn: 1,
            asked: Vec::new(),
            sessions: Vec::new(),
            conns: Vec::new(),
        };
        // Told by any failure.
        crowd.room.nodes.get_mut(&1).unwrap().lines.push(format!("seed {seed}"));
        for number in 1..=120 {
            crowd.step(number);
            crowd.look();
        }
        let Crowd { mut room, conns, .. } = crowd;
        for sid in 1..=3 {
            room.release(sid);
            if room.nodes[&sid].replica.is_none() {
                room.start(sid);
            }
            let count = |line: &&String| line.contains("session: upgrading");
            upgraded += room.nodes[&sid].lines.iter().filter(count).count();
        }
        // Everybody goes: nothing is left of them but what stays.
        room.pass(20_000);
        for (sid, conn) in conns {
            room.step(sid, Event::ClientClosed { conn });
        }
        for node in room.nodes.values() {
            assert!(node.serves, "{}", room.story());
        }
        room.pass(25_000);
        let xid = room.create(1, "/last");
        assert_eq!(room.answer(1, xid), Some(Code::OK), "{}", room.story());
        for sid in 1..=3 {
            let replica = room.nodes[&sid].replica.as_ref().unwrap();
            assert_eq!(replica.sessions().count(), 0, "{}", room.story());
            // The one that has just written, and is not upgraded for that.
            assert_eq!(locals(&room, sid), usize::from(sid == 1), "{}", room.story());
            assert_eq!(replica.ephemerals(), [], "{}", room.story());
            assert_eq!(zxid(&room, sid), zxid(&room, 1), "{}", room.story());
        }
    }
    assert!(upgraded > 200, "{upgraded} were upgraded");
}
