//! Group B, rows 17 and 18: the throttle of requests.

use zk_tests::fixture::Conn;
use zk_tests::raw::{framed, request};
use zk_tests::record;
use zk_wire::{Code, Op};

use crate::server;

const REQUESTS: i32 = 600;

fn send_flood(conn: &mut Conn) {
    let mut bytes = Vec::new();
    for xid in 1..=REQUESTS {
        let body = request(xid, Op::SET_DATA, &record::set_data("/n", Some(b"x"), -1));
        bytes.extend_from_slice(&framed(&body));
    }
    conn.raw.send(&bytes);
}

/// Sends many writes in one piece; how many of their answers, which come in order, have each code.
fn flood(conns: &mut [Conn]) -> (i32, i32) {
    conns.iter_mut().for_each(send_flood);
    let (mut done, mut throttled) = (0, 0);
    for conn in conns {
        for xid in 1..=REQUESTS {
            let header = conn.receive().header;
            assert_eq!(header.xid, xid);
            match header.code {
                Code::OK => done += 1,
                Code::THROTTLED_OP => throttled += 1,
                other => panic!("{xid}: {other}"),
            }
        }
    }
    (done, throttled)
}

/// B17: with one request under way at a time the others wait, and all of them are carried out.
#[test]
fn requests_wait_for_their_turn() {
    let server = server!(|options| {
        options
            .property("zookeeper.request_throttle_max_requests", "1")
            .property("zookeeper.request_throttle_stall_time", "5")
    });
    let mut conns = [Conn::open(server.address()), Conn::open(server.address())];
    conns[0].create("/n", 0);
    assert_eq!(flood(&mut conns), (REQUESTS * 2, 0));
    assert_eq!(conns[0].stat("/n").version, REQUESTS * 2);
}

/// B17: what a closed connection left waiting is dropped.
#[test]
fn what_waits_goes_with_its_connection() {
    let server =
        server!(|options| { options.property("zookeeper.request_throttle_max_requests", "1") });
    let mut conn = Conn::open(server.address());
    conn.create("/n", 0);
    let mut gone = Conn::open(server.address());
    send_flood(&mut gone);
    gone.receive();
    drop(gone);
    // One's own write waits behind what is left of them.
    conn.ok(Op::SET_DATA, &record::set_data("/n", Some(b"mine"), -1));
    let (data, stat) = conn.data("/n");
    assert_eq!(data.as_deref(), Some(&b"mine"[..]), "nothing came behind");
    assert!(stat.version < REQUESTS, "everything was carried out: {}", stat.version);
}

/// B18: who has waited for longer than the limit is refused, without a txn.
#[test]
fn requests_that_waited_too_long_are_refused() {
    let server = server!(|options| {
        options
            .property("zookeeper.request_throttle_max_requests", "1")
            .property("zookeeper.throttled_op_wait_time", "1")
    });
    let mut conns = [Conn::open(server.address()), Conn::open(server.address())];
    conns[0].create("/n", 0);
    let (done, throttled) = flood(&mut conns);
    assert!(done > 0, "the first did not wait");
    assert!(throttled > 0, "{REQUESTS} syncs took less than 2 ms");
    assert_eq!(conns[0].stat("/n").version, done);
}
