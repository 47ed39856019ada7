//! Group D: the create family.

use std::time::{Duration, Instant};

use zk_tests::fixture::{Conn, created, multi_results};
use zk_tests::raw::PATIENCE;
use zk_tests::record;
use zk_wire::acl::perms;
use zk_wire::{Acl, Code, Op, Reader};

use crate::server;

/// D1: create answers with the path, its kin with path and stat.
#[test]
fn create_answers_with_the_path_and_its_kin_with_the_stat_too() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let body = conn.ok(Op::CREATE, &record::create("/one", b"data", 0));
    assert_eq!(body, b"\0\0\0\x04/one");
    let kin = [
        (Op::CREATE2, record::create("/two", b"data", 0)),
        (Op::CREATE_CONTAINER, record::create("/three", b"data", 4)),
        (Op::CREATE_TTL, record::create_ttl("/four", 5, 1000)),
    ];
    for (op, request) in kin {
        let (path, stat) = created(&conn.ok(op, &request));
        assert_eq!(conn.stat(&path), stat, "{op:?}");
        assert_eq!((stat.version, stat.cversion, stat.aversion, stat.num_children), (0, 0, 0, 0));
    }
}

/// D2, D8: each flag on each operation, and whose the znode is.
#[test]
fn every_flag_has_its_meaning() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let session = conn.session.session_id;
    for (flags, sequential, owner) in
        [(0, false, 0), (1, false, session), (2, true, 0), (3, true, session), (4, false, 0)]
    {
        let asked = format!("/f{flags}");
        let path = conn.create(&asked, flags);
        assert_eq!(path.len() > asked.len(), sequential, "{path}");
        assert_eq!(conn.stat(&path).ephemeral_owner, owner, "{path}");
    }
    for (flags, sequential) in [(5, false), (6, true)] {
        let asked = format!("/f{flags}");
        let body = conn.ok(Op::CREATE_TTL, &record::create_ttl(&asked, flags, 60_000));
        let (path, stat) = created(&body);
        assert_eq!((path.len() > asked.len(), stat.ephemeral_owner), (sequential, 0), "{path}");
    }
    for (flags, sequential) in [(4, false), (0, false), (2, true)] {
        let asked = format!("/c{flags}");
        let body = conn.ok(Op::CREATE_CONTAINER, &record::create(&asked, b"", flags));
        let (path, stat) = created(&body);
        assert_eq!((path.len() > asked.len(), stat.ephemeral_owner), (sequential, 0), "{path}");
    }
}

/// D3: flags that are none.
#[test]
fn other_flags_are_refused() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    for flags in [7, 8, -1, i32::MAX] {
        for op in [Op::CREATE, Op::CREATE2, Op::CREATE_CONTAINER] {
            let request = record::create("/a", b"", flags);
            assert_eq!(conn.code(op, &request), Code::BAD_ARGUMENTS, "{op:?} {flags}");
        }
        let request = record::create_ttl("/a", flags, 1000);
        assert_eq!(conn.code(Op::CREATE_TTL, &request), Code::BAD_ARGUMENTS, "{flags}");
    }
}

/// D4, D5, D6: the number behind a sequential name counts every create below the parent, whatever
/// was deleted since, and a name may be nothing but the number.
#[test]
fn sequential_names_count_creations() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/q", 0);
    assert_eq!(conn.create("/q/n-", 2), "/q/n-0000000000");
    conn.create("/q/plain", 0);
    assert_eq!(conn.create("/q/n-", 3), "/q/n-0000000002");
    conn.ok(Op::DELETE, &record::path_int("/q/plain", -1));
    conn.ok(Op::DELETE, &record::path_int("/q/n-0000000002", -1));
    assert_eq!(conn.create("/q/", 2), "/q/0000000003");
    assert_eq!(
        conn.code(Op::CREATE, &record::create("/q/n-0000000000", b"", 0)),
        Code::NODE_EXISTS
    );
    assert_eq!(conn.create("/q/m", 2), "/q/m0000000004");
}

/// D9, D10, D11: what the parent decides, and in which order.
#[test]
fn parents_must_exist_and_live_longer() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/e", 1);
    let code = |conn: &mut Conn, path: &str| conn.code(Op::CREATE, &record::create(path, b"", 0));
    assert_eq!(code(&mut conn, "/e/child"), Code::NO_CHILDREN_FOR_EPHEMERALS);
    assert_eq!(code(&mut conn, "/e"), Code::NODE_EXISTS);
    assert_eq!(code(&mut conn, "/none/child"), Code::NO_NODE);
    let mut other = Conn::open(server.address());
    assert_eq!(code(&mut other, "/e/child"), Code::NO_CHILDREN_FOR_EPHEMERALS);
    for (op, request) in [
        (Op::CREATE_CONTAINER, record::create("/c", b"", 4)),
        (Op::CREATE_TTL, record::create_ttl("/t", 5, 60_000)),
    ] {
        conn.ok(op, &request);
    }
    conn.create("/c/child", 1);
    conn.create("/t/child", 0);
}

/// D12, D13: every class of path that may not be, and some that may.
#[test]
fn paths_have_rules() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let mut code = |path: &str| conn.code(Op::CREATE, &record::create(path, b"", 0));
    assert_eq!(code("/"), Code::NODE_EXISTS);
    for bad in [
        "",
        "relative",
        "//",
        "/a/",
        "/.",
        "/..",
        "/a\0",
        "/\u{1}",
        "/\u{1f}",
        "/\u{7f}",
        "/\u{9f}",
        "/\u{e000}",
        "/\u{f8ff}",
        "/\u{fff0}",
        "/\u{ffff}",
        "/\u{1f600}",
    ] {
        let code = code(bad);
        // What has a parent that is not there is NONODE before the name is looked at.
        let expected = if bad == "/a/" { Code::NO_NODE } else { Code::BAD_ARGUMENTS };
        assert_eq!(code, expected, "{bad:?}");
    }
    for good in ["/...", "/.a", "/a.", "/a..b", "/ ", "/\u{200b}", "/\u{e9}", "/\u{f900}"] {
        assert_eq!(code(good), Code::OK, "{good:?}");
    }
    assert_eq!(code("/.a/"), Code::BAD_ARGUMENTS);
    assert_eq!(code("/.a/.."), Code::BAD_ARGUMENTS);
    assert_eq!(code("/.a//b"), Code::NO_NODE);
}

const QUICK_REAPING: [&str; 2] =
    ["znode.container.checkIntervalMs", "znode.container.maxNeverUsedIntervalMs"];

fn quick(options: zk_tests::server::Options, never_used_ms: u32) -> zk_tests::server::Options {
    let [check, never] = QUICK_REAPING;
    let never_used = never_used_ms.to_string();
    options
        .line(&format!("{check}=150"))
        .line(&format!("{never}={never_used}"))
        .property(check, "150")
        .property(never, &never_used)
}

fn wait_gone(conn: &mut Conn, path: &str) -> Duration {
    let started = Instant::now();
    while conn.code(Op::EXISTS, &record::path_watch(path, false)) == Code::OK {
        assert!(started.elapsed() < PATIENCE, "{path} should have gone");
        std::thread::sleep(Duration::from_millis(20));
    }
    started.elapsed()
}

/// D14: a container goes after its last child; one that never had a child stays for its time.
#[test]
fn containers_go_when_they_are_empty_again() {
    let server = server!(|options| quick(options, 0));
    let mut conn = Conn::open(server.address());
    conn.ok(Op::CREATE_CONTAINER, &record::create("/used", b"", 4));
    conn.ok(Op::CREATE_CONTAINER, &record::create("/unused", b"", 4));
    conn.create("/used/child", 0);
    std::thread::sleep(Duration::from_millis(500));
    conn.stat("/used");
    conn.ok(Op::EXISTS, &record::path_watch("/used", true));
    conn.ok(Op::DELETE, &record::path_int("/used/child", -1));
    wait_gone(&mut conn, "/used");
    assert_eq!(conn.happened(), [(2, "/used".to_owned())]);
    conn.stat("/unused");
}

/// D15: a container that was never used goes after its time.
#[test]
fn containers_go_when_nobody_uses_them() {
    let server = server!(|options| quick(options, 600));
    let mut conn = Conn::open(server.address());
    conn.ok(Op::CREATE_CONTAINER, &record::create("/unused", b"", 4));
    let took = wait_gone(&mut conn, "/unused");
    assert!(took >= Duration::from_millis(500), "gone after {took:?}");
}

/// D17, D19: the bounds of a TTL, and TTL on a sequential name.
#[test]
fn ttls_have_bounds() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    for (ttl_ms, code) in [
        (1, Code::OK),
        ((1 << 40) - 1, Code::OK),
        (1 << 40, Code::BAD_ARGUMENTS),
        (0, Code::BAD_ARGUMENTS),
        (-1, Code::BAD_ARGUMENTS),
        (i64::MIN, Code::BAD_ARGUMENTS),
    ] {
        let request = record::create_ttl(&format!("/t{ttl_ms}"), 5, ttl_ms);
        assert_eq!(conn.code(Op::CREATE_TTL, &request), code, "{ttl_ms}");
        let request = record::create_ttl("/s", 6, ttl_ms);
        assert_eq!(conn.code(Op::CREATE_TTL, &request), code, "{ttl_ms} sequential");
    }
    // The flags of a TTL without a TTL, and a TTL without its flags.
    for flags in [5, 6] {
        let code = conn.code(Op::CREATE, &record::create("/x", b"", flags));
        assert_eq!(code, Code::BAD_ARGUMENTS);
    }
    for flags in 0..=4 {
        let code = conn.code(Op::CREATE_TTL, &record::create_ttl("/x", flags, 1000));
        assert_eq!(code, Code::BAD_ARGUMENTS, "{flags}");
    }
}

/// D17: the flags of plain creates on the TTL operation without a TTL are refused too. A genuine
/// server lets them pass and then fails while it applies them, so it is not asked.
#[test]
fn a_ttl_create_without_any_ttl_is_refused() {
    let server = server!();
    if server.kind().is_apache() {
        return;
    }
    let mut conn = Conn::open(server.address());
    for flags in 0..=4 {
        let code = conn.code(Op::CREATE_TTL, &record::create_ttl("/x", flags, -1));
        assert_eq!(code, Code::BAD_ARGUMENTS, "{flags}");
    }
    assert_eq!(conn.children("/"), ["zookeeper"]);
}

/// D18: a TTL znode goes when it was not set for its time; setting it renews it, and children keep
/// it.
#[test]
fn ttl_znodes_go_in_time() {
    let server = server!(|options| quick(options, 0));
    let mut conn = Conn::open(server.address());
    for path in ["/gone", "/set", "/parent"] {
        conn.ok(Op::CREATE_TTL, &record::create_ttl(path, 5, 700));
    }
    conn.create("/parent/child", 0);
    let until = Instant::now() + Duration::from_millis(1500);
    while Instant::now() < until {
        conn.ok(Op::SET_DATA, &record::set_data("/set", Some(b"x"), -1));
        std::thread::sleep(Duration::from_millis(50));
    }
    wait_gone(&mut conn, "/gone");
    conn.stat("/parent");
    let took = wait_gone(&mut conn, "/set");
    assert!(took >= Duration::from_millis(500), "gone after {took:?}");
}

/// D16, a difference on purpose: TTL works without a switch. A genuine server answers
/// UNIMPLEMENTED unless it was told to know extended types, and keeps the connection.
#[test]
fn ttl_needs_no_switch() {
    let server = server!(|options| options.line("extendedTypesEnabled=false"));
    let mut conn = Conn::open(server.address());
    let code = conn.code(Op::CREATE_TTL, &record::create_ttl("/t", 5, 60_000));
    match server.kind().is_apache() {
        true => assert_eq!(code, Code::UNIMPLEMENTED),
        false => assert_eq!(code, Code::OK),
    }
    conn.stat("/");
}

/// D22: the ACL is looked at before the name, and the parent before both.
#[test]
fn acls_are_checked_before_names() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let read_only = [Acl::new(perms::READ, "world", "anyone")];
    conn.ok(Op::CREATE, &record::create_acl("/ro", Some(b""), &read_only, 0));
    let mut code = |path: &str, acl: &[Acl]| {
        conn.code(Op::CREATE, &record::create_acl(path, Some(b""), acl, 0))
    };
    assert_eq!(code("/ro/\u{1}", &Acl::open()), Code::NO_AUTH);
    assert_eq!(code("/ro/x", &[]), Code::INVALID_ACL);
    assert_eq!(code("/none/x", &[]), Code::INVALID_ACL);
    assert_eq!(code("/none/\u{1}", &Acl::open()), Code::NO_NODE);
    assert_eq!(code("/ro\0", &[]), Code::BAD_ARGUMENTS);
    assert_eq!(code("/\u{1}", &[]), Code::INVALID_ACL);
}

/// D4 in a multi: the numbers go on within it, and a failed one gives its numbers back.
#[test]
fn sequential_names_in_a_multi() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/q", 0);
    let two = [
        (Op::CREATE, record::create("/q/n", b"", 2)),
        (Op::CREATE, record::create("/q/n", b"", 2)),
    ];
    let body = conn.ok(Op::MULTI, &record::multi(&two));
    assert_eq!(multi_results(&body), [(1, 0), (1, 0)]);
    let mut failing = two.to_vec();
    failing.push((Op::DELETE, record::path_int("/none", -1)));
    let body = conn.ok(Op::MULTI, &record::multi(&failing));
    assert_eq!(multi_results(&body), [(-1, 0), (-1, 0), (-1, -101)]);
    assert_eq!(conn.create("/q/n", 2), "/q/n0000000002");
    let body = conn.ok(Op::GET_CHILDREN2, &record::path_watch("/q", false));
    assert_eq!(Reader::new(&body).strings("names").unwrap().unwrap().len(), 3);
}
