//! Sessions of ensembles as clients see them, with three real processes: local ones, their upgrade,
//! read-only mode, and sessions that move or see another leader.
//!
//! With `ZK_TEST_TARGET=apache` the same tests run against three genuine servers.

use std::time::{Duration, Instant};

use zk_tests::ensemble::{Ensemble, word};
use zk_tests::fixture::{Conn, multi_results};
use zk_tests::raw::{Raw, Reply, new_session};
use zk_tests::server::Kind;
use zk_tests::tools::Release;
use zk_tests::{record, tools, words};
use zk_wire::connect::{ConnectRequest, ConnectResponse};
use zk_wire::{Code, Op, Reader};

const TICK: &str = "tickTime=1000";
/// The longest that this tick allows: nobody here sends pings, and a busy machine can stand still for
/// the 4 s that the clients of the other tests ask for.
const TIMEOUT_MS: i32 = 20_000;
const LOCAL: &str = "localSessionsEnabled=true";
const UPGRADING: &str = "localSessionsUpgradingEnabled=true";
const A39: Kind = Kind::Apache(Release::Apache39);

/// Three servers that serve, and who of them leads.
fn three(lines: &[&str]) -> Option<(Ensemble, usize)> {
    started(&[Kind::from_env(); 3], lines, &[])
}

fn started(
    kinds: &[Kind],
    lines: &[&str],
    properties: &[(&str, &str)],
) -> Option<(Ensemble, usize)> {
    let kinds: Vec<(Kind, &str)> = kinds.iter().map(|kind| (*kind, "participant")).collect();
    let mut lines = lines.to_vec();
    lines.push(TICK);
    let mut ensemble = tools::need(Ensemble::start_with(&kinds, &lines, properties))?;
    let leader = ensemble.wait_serving(kinds.len());
    Some((ensemble, leader))
}

/// A new session.
fn open(ensemble: &Ensemble, at: usize) -> Conn {
    Conn::with(ensemble.address(at), &new_session(TIMEOUT_MS)).expect("a new session is granted")
}

/// A client comes back to its session; whether it was granted.
fn reattach(ensemble: &Ensemble, at: usize, old: &ConnectResponse) -> Option<Conn> {
    let conn = Conn::reattach(ensemble.address(at), old, TIMEOUT_MS).expect("an answer");
    match conn.session.session_id {
        0 => {
            assert_eq!((conn.session.timeout_ms, &conn.session.password[..]), (0, &[0; 16][..]));
            None
        }
        id => {
            assert_eq!(id, old.session_id);
            Some(conn)
        }
    }
}

/// The newest txn that a server has applied.
fn zxid(conn: &mut Conn) -> i64 {
    conn.call(Op::EXISTS, &record::path_watch("/", false)).header.zxid.0
}

/// Waits until a server has applied a txn.
fn wait_zxid(conn: &mut Conn, at_least: i64) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while zxid(conn) < at_least {
        assert!(Instant::now() < deadline, "{at_least:#x} doesn't come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn figure(ensemble: &Ensemble, at: usize, name: &str) -> i64 {
    let text = word(ensemble.address(at), "mntr").expect("an answer");
    words::field(&text, name).unwrap_or_else(|| panic!("{name} in {text}")).parse().unwrap()
}

/// Creates that are sent in one go, and what is answered.
fn pipelined(conn: &mut Conn, requests: &[(Op, Vec<u8>)]) -> Vec<Reply> {
    let xids: Vec<i32> = requests.iter().map(|(op, body)| conn.send(*op, body)).collect();
    let answer = |xid: i32| {
        let reply = conn.receive();
        assert_eq!(reply.header.xid, xid);
        reply
    };
    xids.into_iter().map(answer).collect()
}

/// Row B21.
#[test]
fn a_local_session_costs_no_txn() {
    let Some((ensemble, leader)) = three(&[LOCAL]) else { return };
    // Every server has applied something.
    let mut first = open(&ensemble, leader);
    first.create("/first", 0);
    for at in 0..3 {
        let mut watching = open(&ensemble, at);
        watching.ok(Op::SYNC, &record::path("/"));
        let before = zxid(&mut watching);
        let mut conn = open(&ensemble, at);
        assert_eq!(conn.session.session_id >> 56, at as i64 + 1);
        assert_eq!(conn.session.timeout_ms, TIMEOUT_MS);
        assert_eq!(zxid(&mut conn), before, "a session has opened");
        assert!(figure(&ensemble, at, "zk_local_sessions") >= 2);
        assert_eq!(figure(&ensemble, at, "zk_global_sessions"), 0);
        let dump = word(ensemble.address(at), "dump").expect("an answer");
        assert!(dump.starts_with("SessionTracker dump:\nLocal Session Sets ("), "{dump}");
        let global =
            if at == leader { "Global Session Sets (0)/(0):" } else { "Global Sessions(0):" };
        assert!(dump.lines().any(|line| line == global), "{dump}");
        // It writes like any other.
        let path = format!("/w{at}");
        assert_eq!(conn.create(&path, 0), path);
        conn.ok(Op::SET_DATA, &record::set_data(&path, Some(b"x"), 0));
        let subs = [
            (Op::CREATE, record::create(&format!("{path}/a-"), b"", 2)),
            (Op::DELETE, record::path_int("/none", -1)),
        ];
        let results = multi_results(&conn.ok(Op::MULTI, &record::multi(&subs)));
        assert_eq!(results, [(-1, 0), (-1, Code::NO_NODE.0)]);
        assert_eq!(conn.data(&path).0.as_deref(), Some(&b"x"[..]));
        // Its end is answered behind what it asked for before, and is no txn either.
        let requests = [(Op::DELETE, record::path_int(&path, 1)), (Op::CLOSE_SESSION, Vec::new())];
        let replies = pipelined(&mut conn, &requests);
        assert!(
            replies.iter().all(|reply| reply.header.code == Code::OK && reply.record.is_empty())
        );
        assert_eq!(replies[0].header.zxid.0, before + 4);
        assert_eq!(replies[1].header.zxid.0, before + 4);
        conn.raw.assert_closed();
        assert!(reattach(&ensemble, at, &conn.session).is_none(), "it is closed");
        wait_zxid(&mut first, before + 4);
    }
}

/// Row B22. The leader's own clients and a learner's are told the same, but for the parts of a
/// multi: a learner hands it to the leader, which takes the session for one that has ended.
#[test]
fn an_ephemeral_on_a_local_session_is_refused() {
    let Some((ensemble, leader)) = three(&[LOCAL]) else { return };
    for at in [leader, (leader + 1) % 3] {
        let mut conn = open(&ensemble, at);
        conn.create(&format!("/p{at}"), 0);
        let before = zxid(&mut conn);
        for (number, (op, flags)) in
            (1..).zip([(Op::CREATE, 1), (Op::CREATE, 3), (Op::CREATE2, 1), (Op::CREATE2, 3)])
        {
            let reply = conn.call(op, &record::create("/e", b"", flags));
            assert_eq!(reply.header.code, Code::EPHEMERAL_ON_LOCAL_SESSION, "{op:?} {flags}");
            assert_eq!((reply.header.zxid.0, reply.record), (before + number, vec![]));
        }
        let subs = [
            (Op::CREATE, record::create("/m", b"", 0)),
            (Op::CREATE, record::create("/e", b"", 1)),
            (Op::CREATE, record::create("/n", b"", 0)),
        ];
        let results = multi_results(&conn.ok(Op::MULTI, &record::multi(&subs)));
        let local = match at == leader {
            true => Code::EPHEMERAL_ON_LOCAL_SESSION,
            false => Code::SESSION_EXPIRED,
        };
        assert_eq!(results, [(-1, 0), (-1, local.0), (-1, Code::RUNTIME_INCONSISTENCY.0)]);
        // The flags are judged first.
        assert_eq!(conn.code(Op::CREATE, &record::create("/e", b"", 7)), Code::BAD_ARGUMENTS);
        conn.create(&format!("/q{at}"), 0);
    }
}

/// The session of a client of this server is upgraded, moves, and ends.
fn upgrade(ensemble: &Ensemble, at: usize, elsewhere: usize) {
    let mut conn = open(ensemble, at);
    let path = |name: &str| format!("/{name}{at}");
    conn.create(&path("p"), 0);
    let before = zxid(&mut conn);
    let globals = figure(ensemble, at, "zk_global_sessions");
    let requests = [
        (Op::CREATE, record::create(&path("a"), b"", 0)),
        (Op::CREATE, record::create(&path("e"), b"", 1)),
        (Op::EXISTS, record::path_watch(&path("e"), false)),
        (Op::CREATE2, record::create(&path("f"), b"", 3)),
    ];
    let replies = pipelined(&mut conn, &requests);
    assert!(replies.iter().all(|reply| reply.header.code == Code::OK), "{replies:?}");
    let zxids: Vec<i64> = replies.iter().map(|reply| reply.header.zxid.0 - before).collect();
    assert_eq!((zxids[0], zxids[1], zxids[3]), (1, 3, 4), "createSession stands between");
    let owner = conn.session.session_id;
    assert_eq!(conn.stat(&path("e")).ephemeral_owner, owner);
    assert_eq!(figure(ensemble, at, "zk_global_sessions"), globals + 1);
    // One of the ensemble's now: it goes on elsewhere, and writes no more where it was (row B10).
    let mut moved = reattach(ensemble, elsewhere, &conn.session).expect("it goes on elsewhere");
    let late = [(Op::CREATE, record::create(&path("late"), b"", 0))];
    conn.send(Op::MULTI, &record::multi(&late));
    conn.raw.assert_closed();
    moved.ok(Op::SYNC, &record::path("/"));
    assert_eq!(moved.code(Op::EXISTS, &record::path_watch(&path("late"), false)), Code::NO_NODE);
    moved.ok(Op::CLOSE_SESSION, &[]);
    let mut other = open(ensemble, at);
    other.ok(Op::SYNC, &record::path("/"));
    assert_eq!(other.code(Op::EXISTS, &record::path_watch(&path("e"), false)), Code::NO_NODE);
    assert_eq!(other.stat(&path("a")).ephemeral_owner, 0);
    // By a multi, with its end on its heels.
    let subs = [
        (Op::CREATE, record::create(&path("m"), b"", 0)),
        (Op::CREATE2, record::create(&path("n"), b"", 1)),
    ];
    let requests = [(Op::MULTI, record::multi(&subs)), (Op::CLOSE_SESSION, Vec::new())];
    let replies = pipelined(&mut other, &requests);
    let codes: Vec<Code> = replies.iter().map(|reply| reply.header.code).collect();
    assert_eq!(codes, [Code::OK, Code::OK]);
    assert_eq!(multi_results(&replies[0].record), [(Op::CREATE.0, 0), (Op::CREATE2.0, 0)]);
    other.raw.assert_closed();
    let mut last = open(ensemble, elsewhere);
    last.ok(Op::SYNC, &record::path("/"));
    assert_eq!(last.code(Op::EXISTS, &record::path_watch(&path("n"), false)), Code::NO_NODE);
    last.stat(&path("m"));
}

/// Row B23.
#[test]
fn an_ephemeral_upgrades_a_session() {
    let Some((ensemble, leader)) = three(&[LOCAL, UPGRADING]) else { return };
    let (first, second) = ((leader + 1) % 3, (leader + 2) % 3);
    upgrade(&ensemble, leader, first);
    upgrade(&ensemble, first, second);
    upgrade(&ensemble, second, leader);
}

/// Goal: our servers and Apache's agree on what the sessions of the others may.
#[test]
fn mixed_ensembles_agree_on_local_sessions() {
    for kinds in [[Kind::Ours, A39, A39], [A39, Kind::Ours, Kind::Ours]] {
        let Some((ensemble, leader)) = started(&kinds, &[LOCAL, UPGRADING], &[]) else { return };
        let learner = (0..3).find(|at| kinds[*at] != kinds[leader]).expect("one of each");
        println!("{:?} leads", kinds[leader]);
        let third = 3 - leader - learner;
        upgrade(&ensemble, learner, third);
        upgrade(&ensemble, third, learner);
        upgrade(&ensemble, leader, learner);
        lost_elsewhere(&ensemble, learner, leader);
        lost_elsewhere(&ensemble, leader, learner);
    }
    for kinds in [[Kind::Ours, A39, A39], [A39, Kind::Ours, Kind::Ours]] {
        let Some((ensemble, leader)) = started(&kinds, &[LOCAL], &[]) else { return };
        let learner = (0..3).find(|at| kinds[*at] != kinds[leader]).expect("one of each");
        let mut conn = open(&ensemble, learner);
        conn.create("/a", 0);
        let code = conn.code(Op::CREATE, &record::create("/e", b"", 1));
        assert_eq!(code, Code::EPHEMERAL_ON_LOCAL_SESSION);
        conn.ok(Op::DELETE, &record::path_int("/a", 0));
    }
}

fn lost_elsewhere(ensemble: &Ensemble, at: usize, elsewhere: usize) {
    let conn = open(ensemble, at);
    assert!(reattach(ensemble, elsewhere, &conn.session).is_none(), "it is known there only");
    // Here it goes on, on one connection at a time.
    let mut conn = conn;
    let mut again = reattach(ensemble, at, &conn.session).expect("it is known here");
    conn.raw.assert_closed();
    again.ok(Op::SYNC, &record::path("/"));
}

/// Row B24.
#[test]
fn a_local_session_is_lost_on_another_server() {
    let Some((mut ensemble, leader)) = three(&[LOCAL]) else { return };
    let learner = (leader + 1) % 3;
    lost_elsewhere(&ensemble, learner, leader);
    lost_elsewhere(&ensemble, leader, learner);
    lost_elsewhere(&ensemble, learner, (leader + 2) % 3);
    // Whoever is silent for too long is expired by its own server.
    for at in [leader, learner] {
        let mut conn = Conn::with(ensemble.address(at), &new_session(2_000)).expect("a session");
        let before = zxid(&mut conn);
        let began = Instant::now();
        conn.raw.assert_closed();
        assert!(began.elapsed() >= Duration::from_millis(1_900), "{:?}", began.elapsed());
        assert!(reattach(&ensemble, at, &conn.session).is_none());
        assert_eq!(zxid(&mut open(&ensemble, at)), before, "nobody else is told");
    }
    // It does not survive its server, nor another leader.
    let (at_leader, at_learner) = (open(&ensemble, leader), open(&ensemble, learner));
    ensemble.servers[leader].kill();
    ensemble.wait_serving(2);
    assert!(reattach(&ensemble, learner, &at_learner.session).is_none());
    ensemble.respawn(leader);
    ensemble.wait_serving(3);
    assert!(reattach(&ensemble, leader, &at_leader.session).is_none());
}

/// A handshake of a client that is content with reading.
fn reader(session: Option<&ConnectResponse>) -> ConnectRequest<'_> {
    let new = new_session(TIMEOUT_MS);
    ConnectRequest {
        session_id: session.map_or(0, |session| session.session_id),
        password: session.map_or(new.password, |session| Some(&session.password[..])),
        read_only: Some(true),
        ..new
    }
}

/// What a server without a leader tells operators.
fn words_of_a_reader(ensemble: &Ensemble, at: usize) {
    let ask = |name: &str| word(ensemble.address(at), name).expect("an answer");
    assert_eq!(ask("isro"), "ro");
    let srvr = ask("srvr");
    let mut lines = srvr.lines();
    assert!(lines.next().expect("a line").starts_with("Zookeeper version: "), "{srvr}");
    let heading = "READ-ONLY mode; serving only read-only clients";
    assert_eq!(lines.next(), Some(heading), "{srvr}");
    assert_eq!(words::field(&srvr, "Mode"), Some("read-only"));
    let stat = ask("stat");
    assert_eq!(stat.lines().nth(1), Some(heading), "{stat}");
    assert_eq!(stat.lines().nth(2), Some("Clients:"), "{stat}");
    let mntr = ask("mntr");
    assert_eq!(words::field(&mntr, "zk_server_state"), Some("read-only"), "{mntr}");
    assert_eq!(words::field(&mntr, "zk_peer_state"), None, "{mntr}");
    assert_eq!(words::field(&mntr, "zk_quorum_size"), None, "{mntr}");
    let conf = ask("conf");
    assert!(conf.contains("\nelectionAlg=3\n") && conf.ends_with("\npeerType=0\n"), "{conf}");
    let dump = ask("dump");
    assert!(dump.starts_with("SessionTracker dump:\nLocal Session Sets (1)/(1):\n"), "{dump}");
    assert!(dump.contains("Global Sessions(1):\n0x"), "{dump}");
}

/// What changes something is answered so by a server without a leader.
fn refuses_writes(conn: &mut Conn, last: i64) {
    let subs = [(Op::CREATE, record::create("/b", b"", 0))];
    for (op, body) in [
        (Op::CREATE, record::create("/b", b"", 0)),
        (Op::CREATE, record::create("/f", b"", 1)),
        (Op::CREATE2, record::create("/b", b"", 0)),
        (Op::CREATE_CONTAINER, record::create("/b", b"", 4)),
        (Op::CREATE_TTL, record::create_ttl("/b", 5, 1000)),
        (Op::DELETE, record::path_int("/a", -1)),
        (Op::SET_DATA, record::set_data("/a", None, -1)),
        (Op::SET_ACL, record::set_acl("/a", &zk_wire::Acl::open(), -1)),
        (Op::MULTI, record::multi(&subs)),
        (Op::RECONFIG, record::reconfig(None)),
        (Op::SYNC, record::path("/")),
        (Op::SYNC, Vec::new()),
    ] {
        let reply = conn.call(op, &body);
        let header = (reply.header.code, reply.header.zxid.0);
        assert_eq!((header, reply.record), ((Code::NOT_READ_ONLY, last), vec![]), "{op:?}");
    }
}

/// Rows B25 to B28.
#[test]
fn a_server_without_a_leader_serves_readers() {
    let kinds = [Kind::from_env(); 3];
    let property = [("readonlymode.enabled", "true")];
    let lines = [LOCAL, UPGRADING, "4lw.commands.whitelist=srvr,stat,mntr,conf,dump"];
    let Some((mut ensemble, leader)) = started(&kinds, &lines, &property) else { return };
    let at = (leader + 1) % 3;
    assert_eq!(word(ensemble.address(at), "isro").as_deref(), Some("rw"));
    let mut global = open(&ensemble, at);
    global.create("/a", 0);
    global.create("/e", 1);
    let with_a_leader = Raw::open(ensemble.address(at)).handshake(&reader(None));
    assert_eq!(with_a_leader.and_then(|session| session.read_only), Some(false));
    let last = zxid(&mut global);

    for other in (0..3).filter(|other| *other != at) {
        ensemble.servers[other].kill();
    }
    let alone = Instant::now();
    global.raw.rest();
    assert_eq!(Raw::open(ensemble.address(at)).handshake(&reader(None)), None);
    ensemble
        .wait_until("read-only mode", |ensemble| ensemble.mode(at).as_deref() == Some("read-only"));
    assert!(alone.elapsed() >= Duration::from_millis(1_900), "{:?}", alone.elapsed());

    // Who would write is refused without an answer, and so is a session of the ensemble.
    for would_write in [Some(false), None] {
        let request = ConnectRequest { read_only: would_write, ..new_session(TIMEOUT_MS) };
        assert_eq!(Raw::open(ensemble.address(at)).handshake(&request), None);
    }
    let request = reader(Some(&global.session));
    assert_eq!(Raw::open(ensemble.address(at)).handshake(&request), None);

    let mut conn = Conn::with(ensemble.address(at), &reader(None)).expect("a session");
    assert_eq!((conn.session.read_only, conn.session.timeout_ms), (Some(true), TIMEOUT_MS));
    words_of_a_reader(&ensemble, at);
    refuses_writes(&mut conn, last);
    assert_eq!(conn.stat("/e").ephemeral_owner, global.session.session_id);
    assert_eq!(conn.children("/"), ["a", "e", "zookeeper"]);
    conn.ok(Op::GET_DATA, &record::path_watch("/a", true));
    let mut short = Conn::with(ensemble.address(at), &reader(None)).expect("a session");
    short.ok(Op::CLOSE_SESSION, &[]);
    short.raw.assert_closed();
    let again = Conn::with(ensemble.address(at), &reader(Some(&conn.session)));
    let mut again = again.expect("its own session goes on");
    assert_eq!(again.session, conn.session);
    conn.raw.assert_closed();

    // A leader is found: everybody has to come anew.
    for other in (0..3).filter(|other| *other != at) {
        ensemble.respawn(other);
    }
    again.raw.rest();
    let leads = |ensemble: &mut Ensemble| ensemble.leader().is_some();
    ensemble.wait_until("a leader", leads);
    ensemble.wait_until("serving again", |ensemble| {
        ensemble.mode(at).is_some_and(|mode| mode != "read-only")
    });
    assert_eq!(word(ensemble.address(at), "isro").as_deref(), Some("rw"));
    assert!(reattach(&ensemble, at, &again.session).is_none(), "it was of that time");
}

/// Goal: ours serves readers whatever the kind of the ensemble's sessions; an Apache server that has
/// no local ones answers a handshake with a refusal that is none.
#[test]
fn read_only_mode_needs_no_local_sessions() {
    let property = [("readonlymode.enabled", "true")];
    for kind in [Kind::Ours, A39] {
        let Some((mut ensemble, _)) = started(&[kind; 3], &[], &property) else { return };
        for at in 1..3 {
            ensemble.servers[at].kill();
        }
        ensemble.wait_until("read-only mode", |ensemble| {
            ensemble.mode(0).as_deref() == Some("read-only")
        });
        let mut raw = Raw::open(ensemble.address(0));
        let mut body = Vec::new();
        reader(None).encode(&mut body);
        raw.send_frame(&body);
        let answer = raw.frame().expect("an answer");
        if kind.is_apache() {
            assert_eq!(answer.len(), 16);
            assert_eq!(Reply::parse(&answer).header.code, Code::NOT_READ_ONLY);
            continue;
        }
        let session = ConnectResponse::decode(&mut Reader::new(&answer)).expect("a session");
        assert_eq!((session.session_id >> 56, session.read_only), (1, Some(true)));
    }
}

/// Row B9. The leader's clock of sessions is not that of the one before it.
#[test]
fn another_leader_gives_every_session_its_full_time() {
    let Some((mut ensemble, leader)) = three(&[]) else { return };
    let (at, elsewhere) = ((leader + 1) % 3, (leader + 2) % 3);
    let mut silent = Conn::with(ensemble.address(at), &new_session(6_000)).expect("a session");
    silent.create("/e", 1);
    let heard = Instant::now();
    drop(silent);
    std::thread::sleep(Duration::from_millis(4_500));
    ensemble.servers[leader].kill();
    ensemble.wait_serving(2);
    let leads = Instant::now();
    // The old leader would have ended it 7 s after it was heard of; the new one waits for 6 to 7 s.
    std::thread::sleep(Duration::from_millis(3_500));
    assert!(heard.elapsed() > Duration::from_millis(7_500));
    let mut watching = Conn::open(ensemble.address(elsewhere));
    let early = watching.code(Op::EXISTS, &record::path_watch("/e", false));
    if leads.elapsed() < Duration::from_millis(5_000) {
        assert_eq!(early, Code::OK, "{:?} after the new leader", leads.elapsed());
    }
    while watching.code(Op::EXISTS, &record::path_watch("/e", false)) == Code::OK {
        assert!(leads.elapsed() < Duration::from_secs(12), "it never ends");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(leads.elapsed() > Duration::from_millis(5_000), "{:?}", leads.elapsed());
}

/// Row B10. Where it was it may read on, until it writes: learners don't ask the leader for reads.
#[test]
fn a_session_that_moved_writes_no_more_where_it_was() {
    let Some((ensemble, leader)) = three(&[]) else { return };
    let (at, elsewhere) = ((leader + 1) % 3, (leader + 2) % 3);
    let subs = [(Op::CREATE, record::create("/b", b"", 0)), (Op::CHECK, record::path_int("/", -1))];
    for (number, (op, body)) in (0..).zip([
        (Op::CREATE, record::create("/b", b"", 0)),
        (Op::SET_DATA, record::set_data("/a0", None, -1)),
        (Op::MULTI, record::multi(&subs)),
    ]) {
        let mut old = open(&ensemble, at);
        let path = format!("/a{number}");
        old.create(&path, 1);
        let mut new = reattach(&ensemble, elsewhere, &old.session).expect("it goes on");
        old.stat(&path);
        // What was asked for before is answered.
        let asked = old.send(Op::EXISTS, &record::path_watch("/", false));
        old.send(op, &body);
        assert_eq!(old.receive().header.xid, asked);
        old.raw.assert_closed();
        new.ok(Op::SYNC, &record::path("/"));
        assert_eq!(new.code(Op::EXISTS, &record::path_watch("/b", false)), Code::NO_NODE);
        assert_eq!(new.stat(&path).version, 0);
        new.ok(Op::CLOSE_SESSION, &[]);
    }
}
