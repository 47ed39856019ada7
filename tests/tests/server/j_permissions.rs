//! Group J: which operation asks for which permission, and of which znode.

use zk_tests::fixture::{Conn, multi_results};
use zk_tests::record::{self, multi};
use zk_wire::acl::perms;
use zk_wire::{Acl, Code, Op};

use crate::server;

/// An operation on `/p/c`, the permission that it asks for, and whether of the parent.
type Row = (Op, Vec<u8>, i32, bool);

fn rows() -> Vec<Row> {
    let child = "/p/c";
    let new = "/p/new";
    vec![
        (Op::CREATE, record::create(new, b"", 0), perms::CREATE, true),
        (Op::CREATE2, record::create(new, b"", 1), perms::CREATE, true),
        (Op::CREATE_CONTAINER, record::create(new, b"", 4), perms::CREATE, true),
        (Op::CREATE_TTL, record::create_ttl(new, 5, 60_000), perms::CREATE, true),
        (Op::DELETE, record::path_int(child, -1), perms::DELETE, true),
        (Op::EXISTS, record::path_watch(child, false), perms::READ, false),
        (Op::GET_DATA, record::path_watch(child, false), perms::READ, false),
        (Op::GET_CHILDREN, record::path_watch(child, false), perms::READ, false),
        (Op::GET_CHILDREN2, record::path_watch(child, false), perms::READ, false),
        (Op::GET_ALL_CHILDREN_NUMBER, record::path(child), perms::READ, false),
        (Op::SET_DATA, record::set_data(child, None, -1), perms::WRITE, false),
        (Op::SET_ACL, record::set_acl(child, &Acl::open(), -1), perms::ADMIN, false),
    ]
}

const EACH: [i32; 5] = [perms::READ, perms::WRITE, perms::CREATE, perms::DELETE, perms::ADMIN];

/// A fresh `/p` with a child, one of them with nothing but these permissions.
fn prepare(conn: &mut Conn, of_parent: bool, granted: i32) {
    let only = [Acl::new(granted, "world", "anyone")];
    let open = Acl::open();
    let (parent, child) = if of_parent { (&only[..], &open) } else { (&open[..], &only.to_vec()) };
    conn.ok(Op::CREATE, &record::create_acl("/p", Some(b""), &open, 0));
    conn.ok(Op::CREATE, &record::create_acl("/p/c", Some(b""), child, 0));
    conn.ok(Op::SET_ACL, &record::set_acl("/p", parent, -1));
}

/// Removes `/p` and what is left below it. `admin` may do everything.
fn clear(admin: &mut Conn) {
    for path in ["/p/new", "/p/c", "/p"] {
        let code = admin.code(Op::DELETE, &record::path_int(path, -1));
        assert!(code == Code::OK || code == Code::NO_NODE, "{path}: {code}");
    }
}

fn admin(server: &zk_tests::server::Server) -> Conn {
    let mut conn = Conn::open(server.address());
    conn.ok(Op::AUTH, &record::auth("digest", b"super:secret"));
    conn
}

fn super_user(options: zk_tests::server::Options) -> zk_tests::server::Options {
    let digest = zk_tests::diff::value::SUPER_DIGEST;
    options.line(&format!("DigestAuthenticationProvider.superDigest={digest}"))
}

/// J26: each operation with each single permission.
#[test]
fn each_operation_asks_for_one_permission() {
    let server = server!(super_user);
    let mut admin = admin(&server);
    let mut conn = Conn::open(server.address());
    for (op, request, wanted, of_parent) in rows() {
        for granted in EACH {
            prepare(&mut admin, of_parent, granted);
            let expected = if granted == wanted { Code::OK } else { Code::NO_AUTH };
            assert_eq!(conn.code(op, &request), expected, "{op:?} with {granted}");
            clear(&mut admin);
        }
    }
}

/// J26: the same inside a multi, where check asks for READ.
#[test]
fn operations_of_a_multi_ask_too() {
    let server = server!(super_user);
    let mut admin = admin(&server);
    let mut conn = Conn::open(server.address());
    let writes =
        [Op::CREATE, Op::CREATE2, Op::CREATE_CONTAINER, Op::CREATE_TTL, Op::DELETE, Op::SET_DATA];
    let mut rows: Vec<Row> = rows().into_iter().filter(|row| writes.contains(&row.0)).collect();
    rows.push((Op::CHECK, record::path_int("/p/c", -1), perms::READ, false));
    for (op, request, wanted, of_parent) in rows {
        for granted in EACH {
            prepare(&mut admin, of_parent, granted);
            let body = conn.ok(Op::MULTI, &multi(&[(op, request.clone())]));
            let code = multi_results(&body)[0].1;
            let expected = if granted == wanted { Code::OK } else { Code::NO_AUTH };
            assert_eq!(code, expected.0, "{op:?} with {granted}");
            clear(&mut admin);
        }
    }
}

/// J26: getACL takes READ or ADMIN.
#[test]
fn get_acl_takes_either_of_two() {
    let server = server!(super_user);
    let mut admin = admin(&server);
    let mut conn = Conn::open(server.address());
    for granted in EACH {
        prepare(&mut admin, false, granted);
        let may = granted == perms::READ || granted == perms::ADMIN;
        let expected = if may { Code::OK } else { Code::NO_AUTH };
        assert_eq!(conn.code(Op::GET_ACL, &record::path("/p/c")), expected, "{granted}");
        clear(&mut admin);
    }
}
