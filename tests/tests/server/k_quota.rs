//! Group K: quotas and the reserved tree.

use zk_tests::fixture::{Conn, multi_results};
use zk_tests::record::{self, multi};
use zk_wire::acl::perms;
use zk_wire::{Acl, Code, Op, Reader};

use crate::server;

/// Lays a quota on a path and returns nothing; the parents of the limits are made on the way.
fn set_quota(conn: &mut Conn, path: &str, limits: &str) {
    let mut at = "/zookeeper/quota".to_owned();
    for name in path.split('/').skip(1) {
        at = format!("{at}/{name}");
        let code = conn.code(Op::CREATE, &record::create(&at, b"", 0));
        assert!(code == Code::OK || code == Code::NODE_EXISTS);
    }
    let limits = record::create(&format!("{at}/zookeeper_limits"), limits.as_bytes(), 0);
    conn.ok(Op::CREATE, &limits);
    let stats = record::create(&format!("{at}/zookeeper_stats"), b"count=0,bytes=0", 0);
    conn.ok(Op::CREATE, &stats);
}

fn usage(conn: &mut Conn, path: &str) -> String {
    let data = conn.data(&format!("/zookeeper/quota{path}/zookeeper_stats")).0;
    String::from_utf8(data.expect("text")).expect("text")
}

/// K1, K2, K6: the server keeps the usage in the stats node, in its own format and without a trace
/// in the stat or a watch.
#[test]
fn usage_is_kept_in_silence() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.ok(Op::CREATE, &record::create("/a", b"12345", 0));
    conn.ok(Op::CREATE, &record::create("/a/b", b"123", 0));
    set_quota(&mut conn, "/a", "count=10,bytes=-1");
    assert_eq!(usage(&mut conn, "/a"), "count=2,bytes=8");
    let stats = "/zookeeper/quota/a/zookeeper_stats";
    let before = conn.stat(stats);
    conn.ok(Op::GET_DATA, &record::path_watch(stats, true));
    conn.ok(Op::CREATE, &record::create("/a/c", b"1234", 0));
    conn.ok(Op::SET_DATA, &record::set_data("/a", Some(b"1"), -1));
    assert_eq!(usage(&mut conn, "/a"), "count=3,bytes=8");
    conn.ok(Op::DELETE, &record::path_int("/a/b", -1));
    assert_eq!(usage(&mut conn, "/a"), "count=2,bytes=5");
    assert_eq!(conn.events(), []);
    let after = conn.stat(stats);
    assert_eq!((after.version, after.mzxid), (before.version, before.mzxid));
    assert_eq!(after.mtime_ms, before.mtime_ms);
    conn.create("/ab", 0);
    assert_eq!(usage(&mut conn, "/a"), "count=2,bytes=5", "a neighbour is not below");
}

/// K3: the usage is counted anew when the server starts.
#[test]
fn usage_is_counted_at_the_start() {
    let mut server = server!();
    let mut conn = Conn::open(server.address());
    conn.ok(Op::CREATE, &record::create("/a", b"12", 0));
    set_quota(&mut conn, "/a", "count=10,bytes=100");
    conn.ok(Op::CREATE, &record::create("/a/b", b"345", 0));
    server.restart();
    let mut conn = Conn::open(server.address());
    assert_eq!(usage(&mut conn, "/a"), "count=2,bytes=5");
    conn.ok(Op::CREATE, &record::create("/a/c", b"6", 0));
    assert_eq!(usage(&mut conn, "/a"), "count=3,bytes=6");
}

/// K4: without enforcement every limit is only a warning.
#[test]
fn limits_warn_unless_enforced() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/a", 0);
    set_quota(&mut conn, "/a", "count=1,bytes=1=;byteHardLimit=1;countHardLimit=1");
    conn.ok(Op::CREATE, &record::create("/a/b", b"12345", 0));
    conn.ok(Op::SET_DATA, &record::set_data("/a", Some(b"12345"), -1));
}

/// K5: with enforcement hard limits hold, for creates and for growing data, in a multi too; soft
/// ones still only warn.
#[test]
fn hard_limits_hold_when_enforced() {
    let server = server!(|options| options.line("enforceQuota=true"));
    let mut conn = Conn::open(server.address());
    conn.create("/a", 0);
    conn.create("/soft", 0);
    set_quota(&mut conn, "/a", "count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=3");
    set_quota(&mut conn, "/soft", "count=1,bytes=1");
    conn.ok(Op::CREATE, &record::create("/a/b", b"12345", 0));
    let long = record::create("/a/c", b"123456", 0);
    assert_eq!(conn.code(Op::CREATE, &long), Code::QUOTA_EXCEEDED);
    conn.ok(Op::CREATE, &record::create("/a/c", b"12345", 0));
    assert_eq!(conn.code(Op::CREATE, &record::create("/a/d", b"", 0)), Code::QUOTA_EXCEEDED);
    let grow = record::set_data("/a/b", Some(b"123456"), -1);
    assert_eq!(conn.code(Op::SET_DATA, &grow), Code::QUOTA_EXCEEDED);
    conn.ok(Op::SET_DATA, &record::set_data("/a/b", Some(b"1"), -1));
    let sub = (Op::CREATE, record::create("/a/d", b"", 0));
    let body = conn.ok(Op::MULTI, &multi(&[sub]));
    assert_eq!(multi_results(&body), [(-1, Code::QUOTA_EXCEEDED.0)]);
    conn.ok(Op::DELETE, &record::path_int("/a/c", -1));
    conn.ok(Op::CREATE, &record::create("/a/d", b"", 0));
    conn.ok(Op::CREATE, &record::create("/soft/b", b"12345", 0));
}

/// K5: the deepest quota above a znode is the one that counts.
#[test]
fn the_deepest_quota_counts() {
    let server = server!(|options| options.line("enforceQuota=true"));
    let mut conn = Conn::open(server.address());
    conn.create("/a", 0);
    conn.create("/a/b", 0);
    set_quota(&mut conn, "/a", "count=-1,bytes=-1=;countHardLimit=2");
    set_quota(&mut conn, "/a/b", "count=-1,bytes=-1=;countHardLimit=9");
    assert_eq!(conn.code(Op::CREATE, &record::create("/a/x", b"", 0)), Code::QUOTA_EXCEEDED);
    conn.create("/a/b/x", 0);
    assert_eq!(usage(&mut conn, "/a/b"), "count=2,bytes=0");
}

/// K5: limits alone hold nothing: somebody must count.
#[test]
fn limits_need_a_znode_that_counts() {
    let server = server!(|options| options.line("enforceQuota=true"));
    let mut conn = Conn::open(server.address());
    conn.create("/a", 0);
    conn.create("/zookeeper/quota/a", 0);
    let limits = record::create(
        "/zookeeper/quota/a/zookeeper_limits",
        b"count=-1,bytes=-1=;countHardLimit=1",
        0,
    );
    conn.ok(Op::CREATE, &limits);
    conn.create("/a/x", 0);
    let stats = record::create("/zookeeper/quota/a/zookeeper_stats", b"", 0);
    conn.ok(Op::CREATE, &stats);
    assert_eq!(conn.code(Op::CREATE, &record::create("/a/y", b"", 0)), Code::QUOTA_EXCEEDED);
}

/// K6: taking the limits away ends the quota.
#[test]
fn a_quota_ends_with_its_limits() {
    let server = server!(|options| options.line("enforceQuota=true"));
    let mut conn = Conn::open(server.address());
    conn.create("/a", 0);
    set_quota(&mut conn, "/a", "count=-1,bytes=-1=;countHardLimit=1");
    assert_eq!(conn.code(Op::CREATE, &record::create("/a/x", b"", 0)), Code::QUOTA_EXCEEDED);
    for name in ["zookeeper_stats", "zookeeper_limits"] {
        let path = format!("/zookeeper/quota/a/{name}");
        conn.ok(Op::DELETE, &record::path_int(&path, -1));
    }
    conn.create("/a/x", 0);
}

/// K7: the configuration of a standalone server is empty and read-only.
#[test]
fn the_configuration_is_read_only() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    assert_eq!(conn.data("/zookeeper/config").0, Some(Vec::new()));
    let body = conn.ok(Op::GET_ACL, &record::path("/zookeeper/config"));
    let acl = Acl::decode_list(&mut Reader::new(&body)).unwrap().unwrap();
    assert_eq!(acl, [Acl::new(perms::READ, "world", "anyone")]);
    let write = record::set_data("/zookeeper/config", Some(b"x"), -1);
    assert_eq!(conn.code(Op::SET_DATA, &write), Code::NO_AUTH);
    let below = record::create("/zookeeper/config/x", b"", 0);
    assert_eq!(conn.code(Op::CREATE, &below), Code::NO_AUTH);
}
