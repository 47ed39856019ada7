//! Group C: the envelope of requests and replies.

use zk_tests::fixture::Conn;
use zk_tests::record;
use zk_wire::{Code, Op, Writer, Zxid};

use crate::server;

/// C1: a ping is answered with xid -2, whatever it carried.
#[test]
fn pings_are_answered_as_pings() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    for xid in [-2, 77, 0] {
        conn.raw.send_request(xid, Op::PING, &[]);
        let reply = conn.receive();
        assert_eq!((reply.header.xid, reply.header.code), (-2, Code::OK));
        assert_eq!(reply.record, []);
    }
}

/// C2, C3, C4: xids come back in order; the zxid is the last one applied, and a failed write uses
/// one up.
#[test]
fn xids_are_echoed_in_order_and_zxids_count() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let start = conn.call(Op::PING, &[]).header.zxid.0;
    conn.raw.send_request(9, Op::CREATE, &record::create("/a", b"", 0));
    conn.raw.send_request(3, Op::CREATE, &record::create("/a", b"", 0));
    conn.raw.send_request(0, Op::EXISTS, &record::path_watch("/a", false));
    conn.raw.send_request(-7, Op::SET_DATA, &record::set_data("/a", Some(b"1"), -1));
    conn.raw.send_request(i32::MAX, Op::GET_DATA, &record::path_watch("/a", false));
    let expected = [
        (9, start + 1, Code::OK),
        (3, start + 2, Code::NODE_EXISTS),
        (0, start + 2, Code::OK),
        (-7, start + 3, Code::OK),
        (i32::MAX, start + 3, Code::OK),
    ];
    for (xid, zxid, code) in expected {
        let header = conn.receive().header;
        assert_eq!((header.xid, header.zxid.0, header.code), (xid, zxid, code));
    }
}

/// C5: auth and sasl are answered with zxid 0.
#[test]
fn auth_answers_carry_no_zxid() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/a", 0);
    let reply = conn.call(Op::AUTH, &record::auth("digest", b"u:p"));
    assert_eq!((reply.header.zxid, reply.header.code, reply.record.len()), (Zxid(0), Code::OK, 0));
    let reply = conn.call(Op::SASL, &[0, 0, 0, 0]);
    assert_eq!((reply.header.zxid, reply.header.code), (Zxid(0), Code::OK));
}

/// C6, C7: an unknown operation and a check outside a multi are refused, and the connection ends.
#[test]
fn unknown_operations_end_the_connection() {
    let server = server!();
    for op in [999, 0, -1, 10, 13, 23, 99, 108, i32::MIN, i32::MAX] {
        let mut conn = Conn::open(server.address());
        conn.raw.send_request(4, Op(op), &record::path_int("/", -1));
        let reply = conn.receive();
        let header = reply.header;
        assert_eq!(
            (header.xid, header.zxid, header.code),
            (4, Zxid::NONE, Code::UNIMPLEMENTED),
            "{op}"
        );
        assert_eq!(reply.record, []);
        conn.raw.assert_closed();
    }
}

/// C8: a record that does not decode is refused, and the connection goes on. Only a multi uses up a
/// zxid.
#[test]
fn undecodable_records_are_refused() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let start = conn.call(Op::PING, &[]).header.zxid.0;
    let ops = [
        Op::CREATE,
        Op::CREATE2,
        Op::CREATE_CONTAINER,
        Op::CREATE_TTL,
        Op::DELETE,
        Op::EXISTS,
        Op::GET_DATA,
        Op::SET_DATA,
        Op::GET_ACL,
        Op::SET_ACL,
        Op::GET_CHILDREN,
        Op::GET_CHILDREN2,
        Op::SYNC,
        Op::MULTI_READ,
        Op::CHECK_WATCHES,
        Op::REMOVE_WATCHES,
        Op::ADD_WATCH,
        Op::SET_WATCHES,
        Op::SET_WATCHES2,
        Op::GET_EPHEMERALS,
        Op::GET_ALL_CHILDREN_NUMBER,
    ];
    for op in ops {
        for garbage in [&[][..], &[0, 0], &[0x7f, 0xff, 0xff, 0xff, 1], &[0xff, 0xff, 0xff, 0xfe]] {
            assert_eq!(conn.code(op, garbage), Code::MARSHALLING_ERROR, "{op:?} {garbage:?}");
        }
    }
    let reply = conn.call(Op::PING, &[]);
    assert_eq!(reply.header.zxid.0, start, "nothing was written");
    assert_eq!(conn.code(Op::MULTI, &[1, 2, 3]), Code::MARSHALLING_ERROR);
    assert_eq!(conn.call(Op::PING, &[]).header.zxid.0, start + 1);
}

/// C8: a null path is no path.
#[test]
fn null_paths_are_refused() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let mut record = Vec::new();
    record.put_int(-1);
    record.put_boolean(false);
    for op in [Op::EXISTS, Op::GET_DATA] {
        assert_eq!(conn.code(op, &record), Code::MARSHALLING_ERROR, "{op:?}");
    }
}

/// C9: bytes behind a record are ignored.
#[test]
fn trailing_bytes_are_ignored() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let longer = |mut record: Vec<u8>| {
        record.extend_from_slice(b"and more");
        record
    };
    assert_eq!(conn.code(Op::CREATE, &longer(record::create("/a", b"", 0))), Code::OK);
    assert_eq!(conn.code(Op::EXISTS, &longer(record::path_watch("/a", false))), Code::OK);
    assert_eq!(conn.code(Op::PING, b"xx"), Code::OK);
    assert_eq!(conn.code(Op::DELETE, &longer(record::path_int("/a", -1))), Code::OK);
}

/// C10, a difference on purpose: what only a server may ask of itself is refused like an unknown
/// operation. A genuine server lets any client delete any empty znode this way.
#[test]
fn a_client_cannot_ask_what_only_a_server_may() {
    let server = server!();
    if server.kind().is_apache() {
        let mut conn = Conn::open(server.address());
        conn.create("/victim", 0);
        assert_eq!(conn.code(Op::DELETE_CONTAINER, &record::path("/victim")), Code::OK);
        return assert_eq!(conn.children("/"), ["zookeeper"]);
    }
    let mut owner = Conn::open(server.address());
    owner.create("/victim", 0);
    for (op, record) in [
        (Op::DELETE_CONTAINER, record::path("/victim")),
        (Op::CREATE_SESSION, vec![0, 0, 0x75, 0x30]),
    ] {
        let mut conn = Conn::open(server.address());
        let reply = conn.call(op, &record);
        assert_eq!((reply.header.zxid, reply.header.code), (Zxid::NONE, Code::UNIMPLEMENTED));
        conn.raw.assert_closed();
    }
    owner.stat("/victim");
}

/// C11: null data and empty data are two things and both come back.
#[test]
fn null_is_not_empty() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let acl = zk_wire::Acl::open();
    conn.ok(Op::CREATE, &record::create_acl("/null", None, &acl, 0));
    conn.ok(Op::CREATE, &record::create_acl("/empty", Some(b""), &acl, 0));
    assert_eq!(conn.data("/null").0, None);
    assert_eq!(conn.data("/empty").0, Some(Vec::new()));
    conn.ok(Op::SET_DATA, &record::set_data("/empty", None, -1));
    conn.ok(Op::SET_DATA, &record::set_data("/null", Some(b""), -1));
    assert_eq!(conn.data("/empty").0, None);
    assert_eq!(conn.data("/null").0, Some(Vec::new()));
    assert_eq!(conn.stat("/empty").data_length, 0);
}
