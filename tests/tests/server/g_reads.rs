//! Group G: reads.

use zk_tests::fixture::{Conn, sorted_strings, stat_of};
use zk_tests::record;
use zk_wire::acl::perms;
use zk_wire::{Acl, Code, Op, Reader, Stat};

use crate::server;

/// The ACL of an answer to getACL.
fn acl_of(record: &[u8]) -> Vec<Acl> {
    Acl::decode_list(&mut Reader::new(record)).expect("an ACL").expect("not null")
}

/// G1: the four reads, on what is there and what is not.
#[test]
fn the_plain_reads() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.ok(Op::CREATE, &record::create("/a", b"data", 0));
    conn.create("/a/x", 0);
    conn.create("/a/y", 0);
    let stat = stat_of(&conn.ok(Op::EXISTS, &record::path_watch("/a", false)));
    assert_eq!(conn.data("/a"), (Some(b"data".to_vec()), stat));
    assert_eq!(conn.children("/a"), ["x", "y"]);
    let body = conn.ok(Op::GET_CHILDREN2, &record::path_watch("/a", false));
    assert_eq!(sorted_strings(&body), ["x", "y"]);
    assert_eq!(Stat::decode(&mut Reader::new(&body[body.len() - Stat::BYTES..])), Ok(stat));
    for op in [Op::EXISTS, Op::GET_DATA, Op::GET_CHILDREN, Op::GET_CHILDREN2] {
        assert_eq!(conn.code(op, &record::path_watch("/none", false)), Code::NO_NODE, "{op:?}");
        // What is no path at all is not there either.
        assert_eq!(conn.code(op, &record::path_watch("a//", false)), Code::NO_NODE, "{op:?}");
    }
    assert_eq!(conn.code(Op::GET_ACL, &record::path("/none")), Code::NO_NODE);
    assert_eq!(conn.code(Op::EXISTS, &record::path_watch("/a\0", false)), Code::BAD_ARGUMENTS);
}

/// G2: exists leaves its watch on what is missing, the others do not.
#[test]
fn only_exists_watches_what_is_missing() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.code(Op::EXISTS, &record::path_watch("/a", true));
    conn.code(Op::GET_DATA, &record::path_watch("/b", true));
    conn.code(Op::GET_CHILDREN, &record::path_watch("/c", true));
    for path in ["/a", "/b", "/c"] {
        conn.create(path, 0);
    }
    assert_eq!(conn.happened(), [(1, "/a".to_owned())]);
}

/// G3: every read of a znode asks for READ, exists too; none of them says so for a missing one.
#[test]
fn reads_ask_for_read() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let no_read = [Acl::new(perms::ALL & !perms::READ & !perms::ADMIN, "world", "anyone")];
    conn.ok(Op::CREATE, &record::create_acl("/a", Some(b""), &no_read, 0));
    for op in [Op::EXISTS, Op::GET_DATA, Op::GET_CHILDREN, Op::GET_CHILDREN2] {
        assert_eq!(conn.code(op, &record::path_watch("/a", true)), Code::NO_AUTH, "{op:?}");
    }
    for op in [Op::GET_ACL, Op::GET_ALL_CHILDREN_NUMBER] {
        assert_eq!(conn.code(op, &record::path("/a")), Code::NO_AUTH, "{op:?}");
    }
    // A watch that was not permitted was not left either.
    conn.ok(Op::SET_DATA, &record::set_data("/a", Some(b"x"), -1));
    assert_eq!(conn.events(), []);
}

/// G4: the empty path is the root.
#[test]
fn the_empty_path_is_the_root() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    assert_eq!(conn.stat(""), conn.stat("/"));
    assert_eq!(conn.children(""), ["zookeeper"]);
}

/// G5, G6: getACL shows hashes to those who may change the ACL only.
#[test]
fn get_acl_hides_hashes() {
    let server = server!();
    let mut owner = Conn::open(server.address());
    owner.ok(Op::AUTH, &record::auth("digest", b"ann:pw"));
    let acl = [
        Acl::new(perms::READ, "world", "anyone"),
        Acl::new(perms::ALL, "auth", ""),
        Acl::new(perms::READ, "ip", "10.0.0.1"),
    ];
    owner.ok(Op::CREATE, &record::create_acl("/a", Some(b""), &acl, 0));
    let shown = acl_of(&owner.ok(Op::GET_ACL, &record::path("/a")));
    let digest = "ann:RYbu6l5aZwqon8VWmkcGvezdzfc=";
    assert_eq!(shown[1], Acl::new(perms::ALL, "digest", digest));
    let mut other = Conn::open(server.address());
    let shown = acl_of(&other.ok(Op::GET_ACL, &record::path("/a")));
    let expected = [acl[0].clone(), Acl::new(perms::ALL, "digest", "ann:x"), acl[2].clone()];
    assert_eq!(shown, expected);
}

/// G7: all descendants are counted, whoever may read them.
#[test]
fn all_children_are_counted() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let hidden = [Acl::new(perms::CREATE, "world", "anyone")];
    conn.create("/a", 0);
    conn.create("/ab", 0);
    conn.ok(Op::CREATE, &record::create_acl("/a/h", Some(b""), &hidden, 0));
    conn.create("/a/h/x", 0);
    let mut count = |path: &str| {
        let body = conn.ok(Op::GET_ALL_CHILDREN_NUMBER, &record::path(path));
        Reader::new(&body).int("number").expect("a number")
    };
    assert_eq!((count("/a"), count("/ab")), (2, 0));
    // /a, /a/h, /a/h/x, /ab, /zookeeper, quota, config
    assert_eq!(count("/"), 7);
    assert_eq!(conn.code(Op::GET_ALL_CHILDREN_NUMBER, &record::path("/none")), Code::NO_NODE);
}

/// G8: one's own ephemerals, all or by the beginning of the path.
#[test]
fn ephemerals_are_listed_by_their_beginning() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let mut other = Conn::open(server.address());
    conn.create("/a", 0);
    conn.create("/a/1", 1);
    conn.create("/ab", 1);
    other.create("/a/2", 1);
    let mut list =
        |prefix: &str| sorted_strings(&conn.ok(Op::GET_EPHEMERALS, &record::path(prefix)));
    assert_eq!(list("/"), ["/a/1", "/ab"]);
    assert_eq!(list(""), ["/a/1", "/ab"]);
    assert_eq!(list(" "), ["/a/1", "/ab"]);
    assert_eq!(list("/a/"), ["/a/1"]);
    assert_eq!(list("/a"), ["/a/1", "/ab"]);
    assert_eq!(list("/none"), [""; 0]);
}

/// G9: sync on a standalone server echoes the path, whatever it is.
#[test]
fn sync_echoes() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    for path in ["/", "/none", "", "no//path\u{1}"] {
        let body = conn.ok(Op::SYNC, &record::path(path));
        assert_eq!(Reader::new(&body).string("path").unwrap(), path);
    }
}

/// G10: whoAmI names the identities of the connection, without hashes.
#[test]
fn who_am_i() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    let who = |conn: &mut Conn| {
        let body = conn.ok(Op::WHO_AM_I, &[]);
        let mut reader = Reader::new(&body);
        let count = reader.count("list").unwrap().unwrap();
        let mut list: Vec<(String, String)> = (0..count)
            .map(|_| {
                let scheme = reader.string("scheme").unwrap().into_owned();
                (scheme, reader.string("user").unwrap().into_owned())
            })
            .collect();
        list.sort();
        list
    };
    let ip = ("ip".to_owned(), "127.0.0.1".to_owned());
    assert_eq!(who(&mut conn), std::slice::from_ref(&ip));
    conn.ok(Op::AUTH, &record::auth("digest", b"bob:pw"));
    conn.ok(Op::AUTH, &record::auth("digest", b"bob:pw"));
    conn.ok(Op::AUTH, &record::auth("digest", b"ann:pw"));
    let user = |name: &str| ("digest".to_owned(), name.to_owned());
    assert_eq!(who(&mut conn), [user("ann"), user("bob"), ip]);
}

/// G11: a session's reads see its writes, however they were sent.
#[test]
fn a_session_reads_what_it_wrote() {
    let server = server!();
    let mut conn = Conn::open(server.address());
    conn.create("/n", 0);
    for round in 0..200 {
        let data = format!("{round}");
        conn.send(Op::SET_DATA, &record::set_data("/n", Some(data.as_bytes()), -1));
        conn.send(Op::GET_DATA, &record::path_watch("/n", false));
    }
    for round in 0..200 {
        assert_eq!(stat_of(&conn.receive().record).version, round + 1);
        let read = conn.receive().record;
        let read = Reader::new(&read).buffer("data").unwrap();
        assert_eq!(read, Some(format!("{round}").as_bytes()));
    }
}
