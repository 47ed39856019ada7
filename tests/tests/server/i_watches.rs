//! Group I: watches, as they are set, fire and are removed.

use zk_tests::fixture::{Conn, Event};
use zk_tests::record::{self, multi};
use zk_wire::acl::perms;
use zk_wire::{Acl, Code, Op};

use crate::server;

const CREATED: i32 = 1;
const DELETED: i32 = 2;
const CHANGED: i32 = 3;
const CHILDREN: i32 = 4;

fn events(list: &[(i32, &str)]) -> Vec<(i32, String)> {
    list.iter().map(|(kind, path)| (*kind, (*path).to_owned())).collect()
}

fn watch(conn: &mut Conn, op: Op, path: &str) {
    let code = conn.code(op, &record::path_watch(path, true));
    assert!(code == Code::OK || (op == Op::EXISTS && code == Code::NO_NODE), "{op:?} {path}");
}

fn delete(conn: &mut Conn, path: &str) {
    conn.ok(Op::DELETE, &record::path_int(path, -1));
}

fn set(conn: &mut Conn, path: &str) {
    conn.ok(Op::SET_DATA, &record::set_data(path, Some(b"x"), -1));
}

/// I1, I2: what each one-shot watch sees of each change, and that it fires once.
#[test]
fn one_shot_watches_fire_once_and_for_their_own() {
    let server = server!();
    let mut w = Conn::open(server.address());
    let mut c = Conn::open(server.address());
    // exists on what is missing: created, then nothing.
    watch(&mut w, Op::EXISTS, "/a");
    c.create("/a", 0);
    set(&mut c, "/a");
    assert_eq!(w.happened(), events(&[(CREATED, "/a")]));
    // getData and exists: data and deletion, not children.
    for op in [Op::GET_DATA, Op::EXISTS] {
        watch(&mut w, op, "/a");
        c.create("/a/x", 0);
        delete(&mut c, "/a/x");
        assert_eq!(w.happened(), []);
        set(&mut c, "/a");
        set(&mut c, "/a");
        assert_eq!(w.happened(), events(&[(CHANGED, "/a")]));
    }
    // getChildren: children come and go, not data.
    for op in [Op::GET_CHILDREN, Op::GET_CHILDREN2] {
        watch(&mut w, op, "/a");
        set(&mut c, "/a");
        assert_eq!(w.happened(), []);
        c.create("/a/x", 0);
        assert_eq!(w.happened(), events(&[(CHILDREN, "/a")]));
        watch(&mut w, op, "/a");
        delete(&mut c, "/a/x");
        delete(&mut c, "/a");
        assert_eq!(w.happened(), events(&[(CHILDREN, "/a")]));
        c.create("/a", 0);
    }
    for op in [Op::GET_DATA, Op::EXISTS, Op::GET_CHILDREN] {
        watch(&mut w, op, "/a");
        delete(&mut c, "/a");
        assert_eq!(w.happened(), events(&[(DELETED, "/a")]), "{op:?}");
        c.create("/a", 0);
    }
}

/// I3: one deletion, one event, though both kinds of watch were set.
#[test]
fn a_deletion_is_told_once() {
    let server = server!();
    let mut w = Conn::open(server.address());
    w.create("/a", 0);
    watch(&mut w, Op::GET_DATA, "/a");
    watch(&mut w, Op::GET_CHILDREN, "/a");
    delete(&mut w, "/a");
    assert_eq!(w.happened(), events(&[(DELETED, "/a")]));
}

/// I4: the parent of a top node is the root.
#[test]
fn the_root_is_a_parent() {
    let server = server!();
    let mut w = Conn::open(server.address());
    watch(&mut w, Op::GET_CHILDREN, "/");
    w.create("/a", 0);
    assert_eq!(w.happened(), events(&[(CHILDREN, "/")]));
}

fn add(conn: &mut Conn, path: &str, mode: i32) {
    let body = conn.ok(Op::ADD_WATCH, &record::path_int(path, mode));
    assert_eq!(body, [0; 4]);
}

/// I5: a persistent watch stays and sees all four kinds of events.
#[test]
fn persistent_watches_stay() {
    let server = server!();
    let mut w = Conn::open(server.address());
    add(&mut w, "/a", 0);
    for _ in 0..2 {
        w.create("/a", 0);
        set(&mut w, "/a");
        w.create("/a/b", 0);
        set(&mut w, "/a/b");
        delete(&mut w, "/a/b");
        delete(&mut w, "/a");
        let expected =
            [(CREATED, "/a"), (CHANGED, "/a"), (CHILDREN, "/a"), (CHILDREN, "/a"), (DELETED, "/a")];
        assert_eq!(w.happened(), events(&expected));
    }
}

/// I6: a recursive watch sees everything below, by its own path, and no changes of children.
#[test]
fn recursive_watches_see_everything_below() {
    let server = server!();
    let mut w = Conn::open(server.address());
    add(&mut w, "/a", 1);
    for path in ["/a", "/a/b", "/a/b/c", "/ab"] {
        w.create(path, 0);
    }
    set(&mut w, "/a/b/c");
    delete(&mut w, "/a/b/c");
    let expected = [
        (CREATED, "/a"),
        (CREATED, "/a/b"),
        (CREATED, "/a/b/c"),
        (CHANGED, "/a/b/c"),
        (DELETED, "/a/b/c"),
    ];
    assert_eq!(w.happened(), events(&expected));
    add(&mut w, "/", 1);
    w.create("/x", 0);
    assert_eq!(w.happened(), events(&[(CREATED, "/x")]));
}

/// I7, I8: watches of several kinds on one path make one event; a one-shot one goes, the others
/// stay.
#[test]
fn kinds_of_watches_live_side_by_side() {
    let server = server!();
    let mut w = Conn::open(server.address());
    w.create("/a", 0);
    watch(&mut w, Op::GET_DATA, "/a");
    add(&mut w, "/a", 0);
    add(&mut w, "/a", 1);
    add(&mut w, "/", 1);
    set(&mut w, "/a");
    assert_eq!(w.happened(), events(&[(CHANGED, "/a")]));
    let check = |w: &mut Conn, kind| w.code(Op::CHECK_WATCHES, &record::path_int("/a", kind));
    assert_eq!(check(&mut w, 2), Code::NO_WATCHER);
    assert_eq!(check(&mut w, 4), Code::OK);
    assert_eq!(check(&mut w, 5), Code::OK);
    set(&mut w, "/a");
    assert_eq!(w.happened(), events(&[(CHANGED, "/a")]));
}

/// I9, I11, I12: one's own event comes before the answer, with the zxid of the change.
#[test]
fn the_event_comes_before_the_answer() {
    let server = server!();
    let mut w = Conn::open(server.address());
    w.create("/a", 0);
    watch(&mut w, Op::GET_DATA, "/a");
    let reply = w.call(Op::SET_DATA, &record::set_data("/a", Some(b"x"), -1));
    let expected = Event { kind: CHANGED, path: "/a".to_owned(), zxid: reply.header.zxid.0 };
    assert_eq!(w.kept(), [expected]);
}

/// I10: no reply shows a change before its event.
#[test]
fn the_event_comes_before_the_news() {
    let server = server!();
    let mut w = Conn::open(server.address());
    let mut c = Conn::open(server.address());
    c.create("/a", 0);
    for round in 1..=50 {
        watch(&mut w, Op::GET_DATA, "/a");
        c.send(Op::SET_DATA, &record::set_data("/a", Some(b"x"), -1));
        loop {
            let version = w.stat("/a").version;
            let told = !w.kept().is_empty();
            assert!(version < round || told, "version {version} before its event");
            if told {
                break;
            }
        }
        assert_eq!(c.receive().header.code, Code::OK);
    }
}

/// I13, I14: who may not read is not told, and the watch is spent.
#[test]
fn who_may_not_read_is_not_told() {
    let server = server!();
    let mut w = Conn::open(server.address());
    let mut c = Conn::open(server.address());
    c.ok(Op::AUTH, &record::auth("digest", b"ann:pw"));
    let mine = [Acl::new(perms::ALL, "auth", "")];
    let open = Acl::open();
    for path in ["/data", "/gone", "/born"] {
        watch(&mut w, Op::EXISTS, path);
    }
    c.ok(Op::CREATE, &record::create_acl("/born", Some(b""), &mine, 0));
    c.create("/data", 0);
    c.create("/gone", 0);
    assert_eq!(w.happened(), events(&[(CREATED, "/data"), (CREATED, "/gone")]));
    for path in ["/data", "/gone"] {
        watch(&mut w, Op::GET_DATA, path);
        c.ok(Op::SET_ACL, &record::set_acl(path, &mine, -1));
    }
    set(&mut c, "/data");
    delete(&mut c, "/gone");
    assert_eq!(w.happened(), []);
    c.ok(Op::SET_ACL, &record::set_acl("/data", &open, -1));
    set(&mut c, "/data");
    assert_eq!(w.happened(), [], "the watch was spent in silence");
}

/// I13: identities count as they are when the event comes.
#[test]
fn identities_count_when_the_event_comes() {
    let server = server!();
    let mut w = Conn::open(server.address());
    let mut c = Conn::open(server.address());
    c.ok(Op::AUTH, &record::auth("digest", b"ann:pw"));
    watch(&mut w, Op::EXISTS, "/a");
    w.ok(Op::AUTH, &record::auth("digest", b"ann:pw"));
    let mine = [Acl::new(perms::ALL, "auth", "")];
    c.ok(Op::CREATE, &record::create_acl("/a", Some(b""), &mine, 0));
    assert_eq!(w.happened(), events(&[(CREATED, "/a")]));
}

/// I18: removeWatches, type by type.
#[test]
fn watches_are_removed_by_type() {
    let server = server!();
    let mut w = Conn::open(server.address());
    w.create("/a", 0);
    let remove = |w: &mut Conn, kind| w.code(Op::REMOVE_WATCHES, &record::path_int("/a", kind));
    for kind in 1..=5 {
        assert_eq!(remove(&mut w, kind), Code::NO_WATCHER, "{kind}");
    }
    let all = |w: &mut Conn| {
        watch(w, Op::GET_DATA, "/a");
        watch(w, Op::GET_CHILDREN, "/a");
    };
    all(&mut w);
    assert_eq!(remove(&mut w, 1), Code::OK);
    assert_eq!(remove(&mut w, 1), Code::NO_WATCHER);
    assert_eq!(remove(&mut w, 2), Code::OK);
    assert_eq!(remove(&mut w, 3), Code::NO_WATCHER);
    add(&mut w, "/a", 0);
    assert_eq!(remove(&mut w, 5), Code::NO_WATCHER);
    assert_eq!(remove(&mut w, 4), Code::OK);
    add(&mut w, "/a", 1);
    assert_eq!(remove(&mut w, 4), Code::NO_WATCHER);
    assert_eq!(remove(&mut w, 5), Code::OK);
    all(&mut w);
    add(&mut w, "/a", 1);
    assert_eq!(remove(&mut w, 3), Code::OK);
    set(&mut w, "/a");
    w.create("/a/b", 0);
    assert_eq!(w.events(), []);
}

/// I19: checkWatches, type by type, and only for one's own.
#[test]
fn watches_are_checked_by_type() {
    let server = server!();
    let mut w = Conn::open(server.address());
    let mut other = Conn::open(server.address());
    w.create("/a", 0);
    let found = |w: &mut Conn| -> Vec<i32> {
        (1..=5)
            .filter(|kind| w.code(Op::CHECK_WATCHES, &record::path_int("/a", *kind)) == Code::OK)
            .collect()
    };
    assert_eq!(found(&mut w), []);
    watch(&mut w, Op::GET_CHILDREN, "/a");
    assert_eq!(found(&mut w), [1, 3]);
    watch(&mut w, Op::GET_DATA, "/a");
    assert_eq!(found(&mut w), [1, 2, 3]);
    add(&mut w, "/a", 0);
    assert_eq!(found(&mut w), [1, 2, 3, 4]);
    add(&mut w, "/a", 1);
    assert_eq!(found(&mut w), [1, 2, 3, 4, 5]);
    assert_eq!(found(&mut other), []);
}

/// I20: types and modes that are none.
#[test]
fn other_types_and_modes_are_refused() {
    let server = server!();
    let mut w = Conn::open(server.address());
    for kind in [0, 6, -1, i32::MAX] {
        for op in [Op::CHECK_WATCHES, Op::REMOVE_WATCHES] {
            let code = w.code(op, &record::path_int("/a", kind));
            assert_eq!(code, Code::MARSHALLING_ERROR, "{op:?} {kind}");
        }
    }
    for mode in [-1, 2, 3] {
        let code = w.code(Op::ADD_WATCH, &record::path_int("/a", mode));
        assert_eq!(code, Code::MARSHALLING_ERROR, "{mode}");
    }
}

/// I21: watches end with their connection, not with the session.
#[test]
fn watches_end_with_the_connection() {
    let server = server!();
    let mut w = Conn::open(server.address());
    w.create("/a", 0);
    watch(&mut w, Op::GET_DATA, "/a");
    add(&mut w, "/a", 0);
    let mut again = Conn::reattach(server.address(), &w.session, 30_000).expect("an answer");
    set(&mut again, "/a");
    assert_eq!(again.events(), []);
}

/// I22: setACL, sync and check fire nothing.
#[test]
fn what_changes_no_data_fires_nothing() {
    let server = server!();
    let mut w = Conn::open(server.address());
    w.create("/a", 0);
    add(&mut w, "/a", 0);
    watch(&mut w, Op::GET_DATA, "/a");
    w.ok(Op::SET_ACL, &record::set_acl("/a", &Acl::open(), -1));
    w.ok(Op::SYNC, &record::path("/a"));
    w.ok(Op::MULTI, &multi(&[(Op::CHECK, record::path_int("/a", 0))]));
    assert_eq!(w.events(), []);
}

/// I23: the events of a multi come in the order of its operations, under one zxid.
#[test]
fn a_multi_tells_in_order() {
    let server = server!();
    let mut w = Conn::open(server.address());
    add(&mut w, "/", 1);
    add(&mut w, "/a", 0);
    let subs = [
        (Op::CREATE, record::create("/a", b"", 0)),
        (Op::CREATE, record::create("/a/b", b"", 0)),
        (Op::SET_DATA, record::set_data("/a", Some(b"x"), -1)),
        (Op::DELETE, record::path_int("/a/b", -1)),
    ];
    let zxid = w.call(Op::MULTI, &multi(&subs)).header.zxid.0;
    let seen = w.events();
    assert!(seen.iter().all(|event| event.zxid == zxid), "{seen:?}");
    let seen: Vec<_> = seen.into_iter().map(|event| (event.kind, event.path)).collect();
    let expected = [
        (CREATED, "/a"),
        (CREATED, "/a/b"),
        (CHILDREN, "/a"),
        (CHANGED, "/a"),
        (DELETED, "/a/b"),
        (CHILDREN, "/a"),
    ];
    assert_eq!(seen, events(&expected));
}
