//! Group E: delete, setData, setACL, reconfig.

use zk_tests::fixture::{Conn, stat_of};
use zk_tests::raw::{framed, request};
use zk_tests::record;
use zk_wire::acl::perms;
use zk_wire::{Acl, Code, Op};

use crate::server;

/// E1, E2: the version must be the znode's or -1, and children are in the way.
#[test]
fn deletes_check_version_then_children() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/a", 0);
    conn.create("/a/b", 0);
    let mut delete = |path: &str, version| conn.code(Op::DELETE, &record::path_int(path, version));
    assert_eq!(delete("/a", 1), Code::BAD_VERSION);
    assert_eq!(delete("/a", -2), Code::BAD_VERSION);
    assert_eq!(delete("/a", 0), Code::NOT_EMPTY);
    assert_eq!(delete("/a/b", 0), Code::OK);
    assert_eq!(delete("/a/b", -1), Code::NO_NODE);
    assert_eq!(delete("/a", -1), Code::OK);
    assert_eq!(delete("/a/b", -1), Code::NO_NODE);
}

/// E3, E4: DELETE is asked of the parent, before it is known whether the znode is there.
#[test]
fn deletes_ask_the_parent() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let all_but_delete = [Acl::new(perms::ALL & !perms::DELETE, "world", "anyone")];
    conn.ok(Op::CREATE, &record::create_acl("/p", Some(b""), &all_but_delete, 0));
    conn.create("/p/c", 0);
    assert_eq!(conn.code(Op::DELETE, &record::path_int("/p/c", -1)), Code::NO_AUTH);
    assert_eq!(conn.code(Op::DELETE, &record::path_int("/p/none", -1)), Code::NO_AUTH);
    let only_read = [Acl::new(perms::READ, "world", "anyone")];
    conn.ok(Op::CREATE, &record::create_acl("/q", Some(b""), &only_read, 0));
    assert_eq!(conn.code(Op::DELETE, &record::path_int("/q", -1)), Code::OK);
}

/// E5: what is always there cannot be deleted.
#[test]
fn reserved_znodes_stay() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    for path in ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config", "", "a", "/a\0"] {
        assert_eq!(
            conn.code(Op::DELETE, &record::path_int(path, -1)),
            Code::BAD_ARGUMENTS,
            "{path}"
        );
    }
    conn.create("/zookeeper/mine", 0);
    assert_eq!(conn.code(Op::DELETE, &record::path_int("/zookeeper/mine", -1)), Code::OK);
}

/// E6: setData counts the version and answers with the new stat.
#[test]
fn set_data_counts_the_version() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/a", 0);
    for version in 0..3 {
        let body = conn.ok(Op::SET_DATA, &record::set_data("/a", Some(b"xyz"), version));
        let stat = stat_of(&body);
        assert_eq!((stat.version, stat.data_length), (version + 1, 3));
        assert_eq!(stat, conn.stat("/a"));
    }
    let mut set =
        |path: &str, version| conn.code(Op::SET_DATA, &record::set_data(path, None, version));
    assert_eq!(set("/a", 0), Code::BAD_VERSION);
    assert_eq!(set("/a", -1), Code::OK);
    assert_eq!(set("/none", 0), Code::NO_NODE);
    assert_eq!(set("/a/", 0), Code::BAD_ARGUMENTS);
    assert_eq!(set("", 0), Code::BAD_ARGUMENTS);
}

/// E8, E9: setACL is held against the version of the ACL, and judges the list before the path is
/// looked up.
#[test]
fn set_acl_has_a_version_of_its_own() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/a", 0);
    conn.ok(Op::SET_DATA, &record::set_data("/a", Some(b"x"), -1));
    let open = Acl::open();
    let body = conn.ok(Op::SET_ACL, &record::set_acl("/a", &open, 0));
    assert_eq!((stat_of(&body).aversion, stat_of(&body).version), (1, 1));
    let mut set = |path: &str, acl: &[Acl], version| {
        conn.code(Op::SET_ACL, &record::set_acl(path, acl, version))
    };
    assert_eq!(set("/a", &open, 0), Code::BAD_VERSION);
    assert_eq!(set("/a", &open, 1), Code::OK);
    assert_eq!(set("/none", &[], -1), Code::INVALID_ACL);
    assert_eq!(set("/none", &open, -1), Code::NO_NODE);
    assert_eq!(set("/a//b", &[], -1), Code::BAD_ARGUMENTS);
}

/// E10: writes in flight see each other.
#[test]
fn pipelined_writes_see_each_other() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let mut bytes = Vec::new();
    let writes = [
        (Op::CREATE, record::create("/a", b"", 0), Code::OK),
        (Op::CREATE, record::create("/a/b", b"", 0), Code::OK),
        (Op::SET_DATA, record::set_data("/a", Some(b"1"), 0), Code::OK),
        (Op::SET_DATA, record::set_data("/a", Some(b"2"), 0), Code::BAD_VERSION),
        (Op::SET_DATA, record::set_data("/a", Some(b"3"), 1), Code::OK),
        (Op::DELETE, record::path_int("/a", -1), Code::NOT_EMPTY),
        (Op::DELETE, record::path_int("/a/b", -1), Code::OK),
        (Op::DELETE, record::path_int("/a", 2), Code::OK),
        (Op::CREATE, record::create("/a/b", b"", 0), Code::NO_NODE),
        (Op::CREATE, record::create("/a", b"", 1), Code::OK),
        (Op::CREATE, record::create("/a/b", b"", 0), Code::NO_CHILDREN_FOR_EPHEMERALS),
    ];
    for (xid, (op, record, _)) in (1..).zip(&writes) {
        bytes.extend_from_slice(&framed(&request(xid, *op, record)));
    }
    conn.raw.send(&bytes);
    for (xid, (op, _, code)) in (1..).zip(&writes) {
        let reply = conn.receive();
        assert_eq!((reply.header.xid, reply.header.code), (xid, *code), "{op:?}");
    }
}

/// E11: reconfig is switched off unless the settings switch it on.
#[test]
fn reconfig_is_off() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let request = record::reconfig(Some("server.2=127.0.0.1:1:2;3"));
    assert_eq!(conn.code(Op::RECONFIG, &request), Code::RECONFIG_DISABLED);
}

/// E12: a standalone server has no members to change.
#[test]
fn reconfig_of_a_standalone_server() {
    let server = server!(|options| options.line("reconfigEnabled=true"));
    let mut conn = Conn::open(server.address());
    let request = record::reconfig(Some("server.2=127.0.0.1:1:2;3"));
    assert_eq!(conn.code(Op::RECONFIG, &request), Code::UNIMPLEMENTED);
    conn.stat("/");
}
