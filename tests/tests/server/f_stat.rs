//! Group F: the fields of a stat.

use std::time::{SystemTime, UNIX_EPOCH};

use zk_tests::fixture::{Conn, multi_results};
use zk_tests::record;
use zk_wire::{Acl, Op, Stat};

use crate::server;

/// F1, F6: the fields of a new znode.
#[test]
fn a_new_znode() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let zxid = conn.call(Op::CREATE, &record::create("/a", b"12345", 0)).header.zxid.0;
    let stat = conn.stat("/a");
    assert_eq!((stat.czxid, stat.mzxid, stat.pzxid), (zxid, zxid, zxid));
    assert_eq!(stat.ctime_ms, stat.mtime_ms);
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    assert!((now_ms - 60_000..=now_ms).contains(&stat.ctime_ms), "{stat:?}");
    assert_eq!((stat.version, stat.cversion, stat.aversion), (0, 0, 0));
    assert_eq!((stat.data_length, stat.num_children, stat.ephemeral_owner), (5, 0, 0));
}

/// F2, F3, F4: what children do to their parent: cversion is twice the creations less the children,
/// pzxid moves, nothing else does.
#[test]
fn children_change_cversion_and_pzxid_only() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/p", 0);
    let before = conn.stat("/p");
    let mut expect = before;
    for (op, record, cversion, children) in [
        (Op::CREATE, record::create("/p/a", b"", 0), 1, 1),
        (Op::CREATE, record::create("/p/b", b"", 1), 2, 2),
        (Op::DELETE, record::path_int("/p/a", -1), 3, 1),
        (Op::CREATE, record::create("/p/a", b"", 0), 4, 2),
        (Op::DELETE, record::path_int("/p/b", -1), 5, 1),
        (Op::DELETE, record::path_int("/p/a", -1), 6, 0),
    ] {
        let zxid = conn.call(op, &record).header.zxid.0;
        expect = Stat { cversion, num_children: children, pzxid: zxid, ..expect };
        assert_eq!(conn.stat("/p"), expect);
    }
    conn.create("/p/c", 0);
    let with_child = conn.stat("/p");
    conn.ok(Op::SET_DATA, &record::set_data("/p/c", Some(b"x"), -1));
    conn.create("/p/c/d", 0);
    assert_eq!(conn.stat("/p"), with_child, "grandchildren and data of children do nothing");
}

/// F5: setACL moves aversion and nothing else; setData moves version, mzxid, mtime and the length.
#[test]
fn each_write_moves_its_own_fields() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/a", 0);
    let before = conn.stat("/a");
    conn.ok(Op::SET_ACL, &record::set_acl("/a", &Acl::open(), -1));
    let after = conn.stat("/a");
    assert_eq!(after, Stat { aversion: 1, ..before });
    let zxid = conn.call(Op::SET_DATA, &record::set_data("/a", Some(b"xy"), -1)).header.zxid.0;
    let set = conn.stat("/a");
    let mtime_ms = set.mtime_ms;
    assert!(mtime_ms >= after.mtime_ms);
    assert_eq!(set, Stat { version: 1, mzxid: zxid, mtime_ms, data_length: 2, ..after });
    conn.ok(Op::SYNC, &record::path("/a"));
    let check = record::multi(&[(Op::CHECK, record::path_int("/a", 1))]);
    assert_eq!(multi_results(&conn.ok(Op::MULTI, &check)), [(13, 0)]);
    assert_eq!(conn.stat("/a"), set, "reads, syncs and checks move nothing");
}

/// F7: what is there before anybody came.
#[test]
fn a_fresh_tree() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    for (path, cversion, children, aversion) in [
        ("/", -1, 1, 0),
        ("/zookeeper", -2, 2, 0),
        ("/zookeeper/quota", 0, 0, 0),
        ("/zookeeper/config", 0, 0, -1),
    ] {
        let (data, stat) = conn.data(path);
        let expected = Stat { cversion, num_children: children, aversion, ..Stat::default() };
        assert_eq!((data, stat), (Some(Vec::new()), expected), "{path}");
    }
    assert_eq!(conn.children("/zookeeper"), ["config", "quota"]);
}
