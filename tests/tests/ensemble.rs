//! Three real processes: who leads, what is read after a sync, and what a killed leader costs.

use zk_tests::ensemble::{Ensemble, try_create, word};
use zk_tests::fixture::{Conn, sorted_strings, stat_of};
use zk_tests::server::Kind;
use zk_tests::{record, tools};
use zk_wire::{Code, Op};

const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests\n";

fn three() -> Option<Ensemble> {
    let voter = (Kind::Ours, "participant");
    tools::need(Ensemble::start(&[voter, voter, voter], &[]))
}

/// Every znode below `/w` with its data and its zxids, after a sync.
fn content(conn: &mut Conn) -> Vec<(String, Option<Vec<u8>>, i64, i64)> {
    conn.ok(Op::SYNC, &record::path("/w"));
    let names = sorted_strings(&conn.ok(Op::GET_CHILDREN, &record::path_watch("/w", false)));
    let one = |name: String| {
        let (data, stat) = conn.data(&format!("/w/{name}"));
        (name, data, stat.czxid, stat.mzxid)
    };
    names.into_iter().map(one).collect()
}

/// Goal: a write through any server is seen through every other one after a sync; a killed leader
/// is followed by another, no acknowledged write is lost, its sessions live on, and it catches up
/// when it is back.
#[test]
fn a_killed_leader_is_followed_by_another_and_catches_up() {
    let Some(mut ensemble) = three() else { return };
    let leader = ensemble.wait_serving(3);
    let others: Vec<usize> = (0..3).filter(|at| *at != leader).collect();
    let mut through = Conn::open(ensemble.address(others[0]));
    through.create("/w", 0);
    through.create("/ephemeral", 1);
    for number in 0..50 {
        let body = record::create(&format!("/w/a{number}"), b"before", 0);
        through.ok(Op::CREATE, &body);
    }
    for at in 0..3 {
        assert_eq!(content(&mut Conn::open(ensemble.address(at))).len(), 50, "server {}", at + 1);
    }
    let at_leader = Conn::open(ensemble.address(leader)).session;

    ensemble.servers[leader].kill();
    let took = ensemble.first_write(&others, "/w/first");
    println!("first write after {} ms", took.as_millis());
    ensemble.wait_serving(2);

    let mut again = Conn::reattach(ensemble.address(others[0]), &through.session, 30_000);
    let again = again.as_mut().expect("the session goes on");
    assert_eq!(again.session.session_id, through.session.session_id);
    assert_eq!(again.stat("/ephemeral").ephemeral_owner, through.session.session_id);
    let moved = Conn::reattach(ensemble.address(others[1]), &at_leader, 30_000);
    let moved = moved.expect("a session of the killed server goes on elsewhere");
    assert_eq!(moved.session.session_id, at_leader.session_id);
    for number in 0..50 {
        let body = record::create(&format!("/w/b{number}"), b"after", 0);
        again.ok(Op::CREATE, &body);
    }

    ensemble.servers[leader].respawn();
    ensemble.wait_serving(3);
    let contents: Vec<_> =
        (0..3).map(|at| content(&mut Conn::open(ensemble.address(at)))).collect();
    assert_eq!(contents[0].len(), 101);
    assert_eq!(contents[0], contents[1]);
    assert_eq!(contents[0], contents[2]);
}

#[test]
fn without_a_quorum_nobody_is_served_and_operators_are_told() {
    let Some(mut ensemble) = three() else { return };
    let leader = ensemble.wait_serving(3);
    let text = word(ensemble.address(leader), "mntr").expect("an answer");
    for line in ["zk_server_state\tleader", "zk_peer_state\tleading - broadcast"] {
        assert!(text.lines().any(|other| other == line), "{line} is missing in {text}");
    }
    assert!(text.contains("zk_synced_followers\t2\n"), "{text}");
    let srvr = word(ensemble.address(leader), "srvr").expect("an answer");
    assert!(srvr.contains("Proposal sizes last/min/max: "), "{srvr}");
    let conf = word(ensemble.address(leader), "conf").expect("an answer");
    assert!(conf.contains(&format!("serverId={}\ninitLimit=10\n", leader + 1)), "{conf}");
    assert!(conf.ends_with(":participant\nversion=0"), "{conf}");

    let mut conn = Conn::open(ensemble.address(leader));
    for at in (0..3).filter(|at| *at != leader) {
        ensemble.servers[at].kill();
    }
    ensemble.wait_until("the leader stepping down", |ensemble| ensemble.mode(leader).is_none());
    conn.send(Op::PING, &[]);
    assert!(conn.receive_or_end().is_none_or(|_| conn.receive_or_end().is_none()));
    let address = ensemble.address(leader);
    assert_eq!(word(address, "stat").as_deref(), Some(NOT_SERVING));
    assert_eq!(word(address, "ruok").as_deref(), Some("imok"));
    assert_eq!(word(address, "isro").as_deref(), Some("null"));
    assert_eq!(try_create(address, "/x", b""), None);
    assert!(ensemble.servers[leader].runs());
    for at in (0..3).filter(|at| *at != leader) {
        ensemble.servers[at].respawn();
    }
    ensemble.wait_serving(3);
}

/// Goal: a write may be committed before the sync in front of it is confirmed; the answers come in
/// order all the same, and a read between the two doesn't show the write.
#[test]
fn writes_behind_syncs_are_answered_in_order() {
    let Some(mut ensemble) = three() else { return };
    ensemble.wait_serving(3);
    // Many at once, so that syncs come while others are being confirmed.
    let mut conns: Vec<Conn> = (0..12).map(|at| Conn::open(ensemble.address(at % 3))).collect();
    let path = |at: usize| format!("/s{at}");
    for (at, conn) in conns.iter_mut().enumerate() {
        conn.create(&path(at), 0);
    }
    for round in 0..100 {
        let requests = |at: usize| {
            let set = record::set_data(&path(at), Some(format!("{round}").as_bytes()), -1);
            [
                (Op::SYNC, record::path("/")),
                (Op::EXISTS, record::path_watch(&path(at), false)),
                (Op::SET_DATA, set),
                (Op::SYNC, record::path("/")),
                (Op::SYNC, record::path("/")),
                (Op::EXISTS, record::path_watch(&path(at), false)),
            ]
        };
        let ask = |(at, conn): (usize, &mut Conn)| -> Vec<i32> {
            requests(at).iter().map(|(op, body)| conn.send(*op, body)).collect()
        };
        let sent: Vec<Vec<i32>> = conns.iter_mut().enumerate().map(ask).collect();
        for (conn, sent) in conns.iter_mut().zip(&sent) {
            let replies: Vec<_> = sent.iter().map(|_| conn.receive()).collect();
            for (xid, reply) in sent.iter().zip(&replies) {
                assert_eq!((reply.header.xid, reply.header.code), (*xid, Code::OK));
            }
            let zxids: Vec<i64> = replies.iter().map(|reply| reply.header.zxid.0).collect();
            assert!(zxids.is_sorted() && zxids[1] < zxids[2], "{zxids:?}");
            assert_eq!(stat_of(&replies[1].record).version, round);
            assert_eq!(stat_of(&replies[5].record).version, round + 1);
        }
    }
}

/// Goal: with leaderServes=no the leader takes no clients, the others serve theirs, and whoever leads
/// next lets its clients go.
#[test]
fn a_leader_that_shall_not_serves_nobody() {
    let voter = (Kind::Ours, "participant");
    let started = Ensemble::start(&[voter; 3], &["leaderServes=no"]);
    let Some(mut ensemble) = tools::need(started) else { return };
    let mut through = Vec::new();
    for round in 0..2 {
        let leader = ensemble.wait_serving(3 - round);
        let address = ensemble.address(leader);
        assert!(Conn::with(address, &zk_tests::raw::new_session(10_000)).is_none());
        let others = (0..3).filter(|at| *at != leader && ensemble.mode(*at).is_some());
        let mut conns: Vec<Conn> = others.map(|at| Conn::open(ensemble.address(at))).collect();
        for (at, conn) in conns.iter_mut().enumerate() {
            conn.create(&format!("/n{round}{at}"), 0);
        }
        through = conns;
        if round == 0 {
            ensemble.servers[leader].kill();
            assert!(through.iter_mut().all(|conn| conn.receive_or_end().is_none()));
        }
    }
    assert_eq!(through.len(), 1, "one leads, one serves");
}
