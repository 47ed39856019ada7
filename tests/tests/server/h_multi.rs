//! Group H: multi and multiRead.

use std::time::{Duration, Instant};

use zk_tests::fixture::{Conn, multi_results};
use zk_tests::raw::PATIENCE;
use zk_tests::record::{self, multi};
use zk_wire::acl::perms;
use zk_wire::multi::encode_header;
use zk_wire::{Acl, Code, Op, Reader, Writer};

use crate::server;

fn run(conn: &mut Conn, subs: &[(Op, Vec<u8>)]) -> Vec<(i32, i32)> {
    multi_results(&conn.ok(Op::MULTI, &multi(subs)))
}

/// H1, H2, H5: every operation, its type in the answer, and one zxid for all of them.
#[test]
fn all_operations_in_one() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/old", 0);
    let subs = [
        (Op::CREATE, record::create("/a", b"1", 0)),
        (Op::CREATE2, record::create("/b", b"2", 0)),
        (Op::CREATE_CONTAINER, record::create("/c", b"3", 4)),
        (Op::CREATE_TTL, record::create_ttl("/d", 5, 60_000)),
        (Op::SET_DATA, record::set_data("/old", Some(b"new"), 0)),
        (Op::CHECK, record::path_int("/old", 1)),
        (Op::DELETE, record::path_int("/old", 1)),
    ];
    let reply = conn.call(Op::MULTI, &multi(&subs));
    let results = [(1, 0), (15, 0), (15, 0), (15, 0), (5, 0), (13, 0), (2, 0)];
    assert_eq!(multi_results(&reply.record), results);
    let stats: Vec<_> = ["/a", "/b", "/c", "/d"].map(|path| conn.stat(path)).to_vec();
    for stat in &stats {
        assert_eq!((stat.czxid, stat.pzxid), (reply.header.zxid.0, reply.header.zxid.0));
        assert_eq!(stat.ctime_ms, stats[0].ctime_ms);
    }
    assert_eq!(conn.children("/"), ["a", "b", "c", "d", "zookeeper"]);
}

/// H2: what the flags make of an operation decides the type of its answer, and what is stored.
#[test]
fn flags_decide_what_a_create_is() {
    let check = "znode.container.checkIntervalMs";
    let server = server!(|o| o.line(&format!("{check}=100")).property(check, "100"));
    let mut conn = Conn::open(server.address());
    let subs = [
        (Op::CREATE, record::create("/a", b"", 4)),
        (Op::CREATE2, record::create("/b", b"", 4)),
        (Op::CREATE_CONTAINER, record::create("/c", b"", 0)),
        (Op::CREATE_TTL, record::create_ttl("/d", 0, 5)),
    ];
    assert_eq!(run(&mut conn, &subs), [(15, 0), (15, 0), (15, 0), (1, 0)]);
    for path in ["/a/x", "/b/x", "/c/x", "/d/x"] {
        conn.create(path, 0);
        conn.ok(Op::DELETE, &record::path_int(path, -1));
    }
    let deadline = Instant::now() + PATIENCE;
    while conn.children("/").len() > 2 {
        assert!(Instant::now() < deadline, "the containers should have gone");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(conn.children("/"), ["d", "zookeeper"]);
}

/// H3, H4, H5: a failure is told operation by operation under a header without error; nothing was
/// done, and a zxid is gone.
#[test]
fn all_or_nothing() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let before = conn.call(Op::PING, &[]).header.zxid.0;
    let subs = [
        (Op::CREATE, record::create("/a", b"", 0)),
        (Op::CREATE, record::create("/a/b", b"", 0)),
        (Op::DELETE, record::path_int("/none", -1)),
        (Op::CREATE, record::create("/c", b"", 0)),
        (Op::CHECK, record::path_int("/", -1)),
    ];
    let reply = conn.call(Op::MULTI, &multi(&subs));
    assert_eq!((reply.header.code, reply.header.zxid.0), (Code::OK, before + 1));
    let expected = [(-1, 0), (-1, 0), (-1, Code::NO_NODE.0), (-1, -2), (-1, -2)];
    assert_eq!(multi_results(&reply.record), expected);
    assert_eq!(conn.children("/"), ["zookeeper"]);
    assert_eq!(conn.stat("/").cversion, -1);
}

/// H6: later operations see earlier ones.
#[test]
fn operations_see_each_other() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let subs = [
        (Op::CREATE, record::create("/a", b"", 0)),
        (Op::CREATE, record::create("/a/b", b"", 1)),
        (Op::SET_DATA, record::set_data("/a", Some(b"x"), 0)),
        (Op::CHECK, record::path_int("/a", 1)),
        (Op::CREATE, record::create("/a/n", b"", 2)),
        (Op::DELETE, record::path_int("/a/b", 0)),
        (Op::DELETE, record::path_int("/a/n0000000001", -1)),
        (Op::DELETE, record::path_int("/a", 1)),
    ];
    let types: Vec<_> = run(&mut conn, &subs).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(types, [1, 1, 5, 13, 1, 2, 2, 2]);
    assert_eq!(conn.children("/"), ["zookeeper"]);
}

/// H7: what a failed multi counted is taken back.
#[test]
fn a_failed_multi_gives_its_numbers_back() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/q", 0);
    let subs =
        [(Op::CREATE, record::create("/q/n", b"", 2)), (Op::DELETE, record::path_int("/none", -1))];
    assert_eq!(run(&mut conn, &subs), [(-1, 0), (-1, Code::NO_NODE.0)]);
    assert_eq!(conn.create("/q/n", 2), "/q/n0000000000");
    assert_eq!(conn.stat("/q").cversion, 1);
}

/// H8: check asks for READ.
#[test]
fn check_asks_for_read() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let no_read = [Acl::new(perms::WRITE, "world", "anyone")];
    conn.ok(Op::CREATE, &record::create_acl("/a", Some(b""), &no_read, 0));
    for (path, version, code) in [
        ("/a", -1, Code::NO_AUTH),
        ("/none", -1, Code::NO_NODE),
        ("/", 7, Code::BAD_VERSION),
        ("/x/", -1, Code::BAD_ARGUMENTS),
    ] {
        let subs = [(Op::CHECK, record::path_int(path, version))];
        assert_eq!(run(&mut conn, &subs), [(-1, code.0)], "{path}");
    }
}

/// H9: an empty multi is answered with an empty result.
#[test]
fn an_empty_multi() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    assert_eq!(run(&mut conn, &[]), []);
    assert_eq!(multi_results(&conn.ok(Op::MULTI_READ, &multi(&[]))), []);
}

/// H10: what does not decode as a multi is refused whole.
#[test]
fn malformed_multis_are_refused() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let create = (Op::CREATE, record::create("/a", b"", 0));
    let read = (Op::GET_DATA, record::path_watch("/", false));
    let writes: [&[(Op, Vec<u8>)]; 8] = [
        &[create.clone(), read.clone()],
        std::slice::from_ref(&read),
        &[create.clone(), (Op::EXISTS, record::path_watch("/", false))],
        &[(Op::CREATE, record::create("/a", b"", 7))],
        &[(Op::CREATE, record::create("/a", b"", 5))],
        &[(Op::CREATE2, record::create("/a", b"", -1))],
        &[(Op::CREATE, record::create_null_acl("/a", 0))],
        &[create.clone(), (Op(77), Vec::new())],
    ];
    for subs in writes {
        assert_eq!(conn.code(Op::MULTI, &multi(subs)), Code::MARSHALLING_ERROR, "{subs:?}");
    }
    // Writes only do decode, and the error comes when the first is looked at: behind it stand the
    // results so far, which are none. A mix does not decode at all.
    let reply = conn.call(Op::MULTI_READ, &multi(std::slice::from_ref(&create)));
    assert_eq!(reply.header.code, Code::MARSHALLING_ERROR);
    assert_eq!(multi_results(&reply.record), []);
    assert_eq!(conn.code(Op::MULTI_READ, &multi(&[read, create])), Code::MARSHALLING_ERROR);
    let mut endless = Vec::new();
    encode_header(&mut endless, Op::DELETE.0, false, -1);
    endless.put_string("/a");
    endless.put_int(-1);
    assert_eq!(conn.code(Op::MULTI, &endless), Code::MARSHALLING_ERROR);
    assert_eq!(conn.children("/"), ["zookeeper"]);
}

/// H11: in a multiRead each read stands for itself.
#[test]
fn reads_fail_one_by_one() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.ok(Op::CREATE, &record::create("/a", b"data", 0));
    let no_read = [Acl::new(perms::WRITE, "world", "anyone")];
    conn.ok(Op::CREATE, &record::create_acl("/secret", Some(b""), &no_read, 0));
    let subs = [
        (Op::GET_DATA, record::path_watch("/none", false)),
        (Op::GET_DATA, record::path_watch("/a", false)),
        (Op::GET_CHILDREN, record::path_watch("/secret", false)),
        (Op::GET_CHILDREN, record::path_watch("/", false)),
    ];
    let body = conn.ok(Op::MULTI_READ, &multi(&subs));
    let expected = [(-1, Code::NO_NODE.0), (4, 0), (-1, Code::NO_AUTH.0), (8, 0)];
    assert_eq!(multi_results(&body), expected);
    let mut reader = Reader::new(&body[13 + 9..]);
    assert_eq!(reader.buffer("data").unwrap(), Some(&b"data"[..]));
}

/// H12: a multiRead leaves no watches.
#[test]
fn multi_reads_leave_no_watches() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/a", 0);
    let subs = [
        (Op::GET_DATA, record::path_watch("/a", true)),
        (Op::GET_CHILDREN, record::path_watch("/a", true)),
    ];
    conn.ok(Op::MULTI_READ, &multi(&subs));
    conn.create("/a/b", 0);
    conn.ok(Op::SET_DATA, &record::set_data("/a", Some(b"x"), -1));
    assert_eq!(conn.events(), []);
}
