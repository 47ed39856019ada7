//! Group B: sessions, their life and their limits.

use std::time::{Duration, Instant};

use zk_tests::fixture::Conn;
use zk_tests::raw::{PATIENCE, Raw, framed, new_session, request};
use zk_tests::record;
use zk_wire::{Code, Op};

use crate::server;

/// Ticks of 200 ms, so that sessions end while somebody waits.
macro_rules! quick {
    () => {
        server!(|options| options.line("tickTime=200"))
    };
}

fn short(address: std::net::SocketAddr) -> Conn {
    Conn::with(address, &new_session(1000)).expect("an answer")
}

/// B1, B2: pings and requests keep a session alive beyond its timeout.
#[test]
fn whoever_speaks_stays() {
    let server = quick!();
    let mut pings = short(server.address());
    let mut reads = short(server.address());
    assert_eq!(pings.session.timeout_ms, 1000);
    pings.create("/pings", 1);
    reads.create("/reads", 1);
    let until = Instant::now() + Duration::from_millis(2600);
    while Instant::now() < until {
        pings.call(Op::PING, &[]);
        reads.stat("/reads");
        std::thread::sleep(Duration::from_millis(150));
    }
    assert_eq!(pings.children("/"), ["pings", "reads", "zookeeper"]);
}

/// B3, B4, B5: who falls silent is expired between the timeout and one tick later; the socket is
/// closed without a word, and all ephemerals go under one zxid.
#[test]
fn whoever_falls_silent_is_expired() {
    let server = quick!();
    let mut watcher = Conn::with(server.address(), &new_session(4000)).expect("an answer");
    let mut silent = short(server.address());
    silent.create("/e1", 1);
    silent.create("/e2", 1);
    watcher.ok(Op::EXISTS, &record::path_watch("/e1", true));
    watcher.ok(Op::EXISTS, &record::path_watch("/e2", true));
    silent.stat("/e1");
    let last = Instant::now();
    let first = watcher.wait_event();
    let took = last.elapsed();
    assert!(took >= Duration::from_millis(950), "expired after {took:?}");
    assert!(took < Duration::from_millis(3000), "expired after {took:?} only");
    let second = watcher.wait_event();
    assert_eq!((first.kind, second.kind, first.zxid), (2, 2, second.zxid));
    silent.raw.assert_closed();
    let again = Conn::reattach(server.address(), &silent.session, 1000).expect("an answer");
    assert_eq!(again.session.session_id, 0);
}

/// B5, B6: closeSession is answered, then the connection ends; the ephemerals go under its zxid.
#[test]
fn a_close_takes_the_ephemerals_along() {
    let server = server!();
    let mut watcher = Conn::open(server.address());
    let mut leaver = Conn::open(server.address());
    for path in ["/e1", "/e2", "/e3"] {
        leaver.create(path, 1);
        watcher.ok(Op::GET_DATA, &record::path_watch(path, true));
    }
    let xid = leaver.send(Op::CLOSE_SESSION, &[]);
    let reply = leaver.receive();
    assert_eq!((reply.header.xid, reply.header.code), (xid, Code::OK));
    assert_eq!(reply.record, []);
    leaver.raw.assert_closed();
    let mut events = watcher.events();
    events.sort();
    let zxid = reply.header.zxid.0;
    let seen: Vec<_> = events.iter().map(|e| (e.kind, e.path.as_str(), e.zxid)).collect();
    assert_eq!(seen, [(2, "/e1", zxid), (2, "/e2", zxid), (2, "/e3", zxid)]);
}

/// B7: sessions, ephemerals and everything else survive the sudden end of the server.
#[test]
fn a_session_survives_the_server() {
    let mut server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/keep", 0);
    conn.create("/e", 1);
    let (id, zxid) = (conn.session.session_id, conn.stat("/e").czxid);
    server.restart();
    let mut again = Conn::reattach(server.address(), &conn.session, 30_000).expect("an answer");
    assert_eq!(again.session.session_id, id);
    assert_eq!(again.stat("/e").ephemeral_owner, id);
    assert_eq!(again.stat("/e").czxid, zxid);
    assert_eq!(again.children("/"), ["e", "keep", "zookeeper"]);
    again.ok(Op::CLOSE_SESSION, &[]);
    assert_eq!(Conn::open(server.address()).children("/"), ["keep", "zookeeper"]);
}

/// B11: ids carry the server's number in the top byte, 1 for a standalone server, and count up.
#[test]
fn ids_count_up_below_the_server_number() {
    let server = server!();
    let first = Conn::open(server.address()).session.session_id;
    let second = Conn::open(server.address()).session.session_id;
    assert_eq!((first >> 56, second), (1, first + 1));
}

/// B12: connections per address.
#[test]
fn one_address_gets_so_many_connections() {
    let server = server!(|options| options.line("maxClientCnxns=3"));
    let held: Vec<Conn> = (0..3).map(|_| Conn::open(server.address())).collect();
    assert!(Conn::with(server.address(), &new_session(30_000)).is_none());
    drop(held);
    let deadline = Instant::now() + PATIENCE;
    while Conn::with(server.address(), &new_session(30_000)).is_none() {
        assert!(Instant::now() < deadline, "room again when others have gone");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// B13: connections in all.
#[test]
fn a_listener_takes_so_many_connections() {
    let server = server!(|options| options.line("maxCnxns=2"));
    // The probes of the start may not have been counted down yet.
    let deadline = Instant::now() + PATIENCE;
    let mut held = Vec::new();
    while held.len() < 2 {
        assert!(Instant::now() < deadline, "two connections fit");
        held.extend(Conn::with(server.address(), &new_session(30_000)));
    }
    assert!(Conn::with(server.address(), &new_session(30_000)).is_none());
}

/// B14: a socket that never says who it is gets closed.
#[test]
fn a_socket_without_a_session_is_closed() {
    let server = server!(|options| {
        options
            .line("nio.sessionlessCnxnTimeout=1000")
            .property("zookeeper.nio.sessionlessCnxnTimeout", "1000")
    });
    let started = Instant::now();
    let mut raw = Raw::open(server.address());
    raw.assert_closed();
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(900), "closed after {took:?}");
}

/// B19: a flood of pipelined requests is answered in order, one by one.
#[test]
fn a_flood_is_answered_in_order() {
    const COUNT: i32 = 5000;
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/n", 0);
    let mut bytes = Vec::new();
    for xid in 1..=COUNT {
        let body = match xid % 3 {
            0 => request(xid, Op::SET_DATA, &record::set_data("/n", Some(b"x"), -1)),
            1 => request(xid, Op::GET_DATA, &record::path_watch("/n", false)),
            _ => request(xid, Op::EXISTS, &record::path_watch("/none", false)),
        };
        bytes.extend_from_slice(&framed(&body));
    }
    conn.raw.send(&bytes);
    for xid in 1..=COUNT {
        let reply = conn.receive();
        let expected = if xid % 3 == 2 { Code::NO_NODE } else { Code::OK };
        assert_eq!((reply.header.xid, reply.header.code), (xid, expected));
    }
    assert_eq!(conn.stat("/n").version, COUNT / 3);
}

/// B29, B30: where authentication is enforced, everything but auth is refused until then.
#[test]
fn enforced_authentication() {
    let server = server!(|options| {
        options.line("enforce.auth.enabled=true").line("enforce.auth.schemes=digest")
    });
    for op in [Op::PING, Op::EXISTS, Op::CLOSE_SESSION] {
        let mut conn = Conn::open(server.address());
        conn.send(op, &record::path_watch("/", false));
        let reply = conn.receive();
        assert_eq!(reply.header.code, Code::SESSION_CLOSED_REQUIRE_SASL_AUTH, "{op:?}");
        assert_eq!(reply.header.zxid.0, 0);
        conn.raw.assert_closed();
    }
    let mut conn = Conn::open(server.address());
    conn.ok(Op::AUTH, &record::auth("digest", b"ann:pw"));
    conn.stat("/");
}

/// B15: a bucket of tokens in front of the handshakes.
#[test]
fn a_burst_of_handshakes_is_throttled() {
    let server = server!(|options| {
        options
            .line("connection_throttle_tokens=3")
            .line("connection_throttle_fill_time=600000")
            .line("connection_throttle_fill_count=1")
    });
    let granted = (0..6).filter_map(|_| Conn::with(server.address(), &new_session(30_000))).count();
    assert_eq!(granted, 3);
}

/// B16: with weights a new session costs three tokens and a renewed one two.
#[test]
fn handshakes_have_weights() {
    let server = server!(|options| {
        options
            .line("connection_throttle_tokens=3")
            .line("connection_throttle_fill_time=600000")
            .line("connection_throttle_fill_count=1")
            .line("connection_throttle_weight_enabled=true")
    });
    let new = || Conn::with(server.address(), &new_session(30_000));
    let first = new().expect("3 of 9 tokens");
    new().expect("6 of 9 tokens");
    let again = Conn::reattach(server.address(), &first.session, 30_000);
    assert_eq!(again.expect("8 of 9 tokens").session.session_id, first.session.session_id);
    assert!(new().is_none(), "one token is too few for a new session");
}

/// B20: large requests in flight are bounded; one that goes beyond ends its connection.
#[test]
fn large_requests_are_bounded() {
    let server = server!(|options| {
        options.line("largeRequestThreshold=2000").line("largeRequestMaxBytes=5000")
    });
    let mut conn = Conn::open(server.address());
    for (path, bytes) in [("/small", 100), ("/large", 3000)] {
        conn.ok(Op::CREATE, &record::create(path, &vec![1; bytes], 0));
    }
    conn.send(Op::CREATE, &record::create("/huge", &vec![1; 9000], 0));
    conn.raw.assert_closed();
    let mut again = Conn::open(server.address());
    assert_eq!(again.children("/"), ["large", "small", "zookeeper"]);
}
