//! Group I: what a client that was away is told by setWatches.

use zk_tests::fixture::Conn;
use zk_tests::record;
use zk_wire::{Code, Op, Writer};

use crate::server;

/// I15, I16: the matrix of the three lists, told before the answer and with zxid -1.
#[test]
fn what_was_missed_is_told() {
    let server = server!();
    let mut c = Conn::open(server.address());
    for path in ["/same", "/set", "/grown", "/gone", "/born"] {
        c.create(path, 0);
    }
    c.ok(Op::DELETE, &record::path_int("/born", -1));
    let seen = c.call(Op::PING, &[]).header.zxid.0;
    c.ok(Op::SET_DATA, &record::set_data("/set", Some(b"x"), -1));
    c.create("/grown/child", 0);
    c.ok(Op::DELETE, &record::path_int("/gone", -1));
    c.create("/born", 0);

    let mut w = Conn::open(server.address());
    let data: &[&str] = &["/same", "/set", "/gone", "/grown"];
    let exist: &[&str] = &["/born", "/never"];
    let child: &[&str] = &["/same", "/grown", "/gone", "/set"];
    let reply = w.call(Op::SET_WATCHES, &record::set_watches(seen, &[data, exist, child]));
    assert_eq!((reply.header.code, reply.record.len()), (Code::OK, 0));
    let told = w.kept();
    assert!(told.iter().all(|event| event.zxid == -1), "{told:?}");
    let told: Vec<_> = told.iter().map(|event| (event.kind, event.path.as_str())).collect();
    assert_eq!(told, [(3, "/set"), (2, "/gone"), (1, "/born"), (4, "/grown"), (2, "/gone")]);

    // What was not told is watched, and nothing else is.
    c.ok(Op::SET_DATA, &record::set_data("/set", Some(b"y"), -1));
    c.ok(Op::SET_DATA, &record::set_data("/same", Some(b"y"), -1));
    c.ok(Op::SET_DATA, &record::set_data("/grown", Some(b"y"), -1));
    c.create("/same/child", 0);
    c.create("/set/child", 0);
    c.create("/never", 0);
    c.create("/gone", 0);
    let expected = [(3, "/same"), (3, "/grown"), (4, "/same"), (4, "/set"), (1, "/never")];
    let expected: Vec<_> = expected.iter().map(|(k, path)| (*k, (*path).to_owned())).collect();
    assert_eq!(w.happened(), expected);
}

/// I17: setWatches2 lays persistent watches again and tells nothing that they missed.
#[test]
fn persistent_watches_are_laid_again() {
    let server = server!();
    let mut c = Conn::open(server.address());
    c.create("/p", 0);
    c.create("/r", 0);
    let mut w = Conn::open(server.address());
    let lists: [&[&str]; 5] = [&[], &[], &[], &["/p", "/none"], &["/r"]];
    w.ok(Op::SET_WATCHES2, &record::set_watches(0, &lists));
    assert_eq!(w.events(), []);
    for path in ["/p/x", "/r/x", "/none"] {
        c.create(path, 0);
    }
    c.ok(Op::SET_DATA, &record::set_data("/p", Some(b"x"), -1));
    let expected = [(4, "/p"), (1, "/r/x"), (1, "/none"), (3, "/p")];
    let expected: Vec<_> = expected.iter().map(|(k, path)| (*k, (*path).to_owned())).collect();
    assert_eq!(w.happened(), expected);
    for (path, kind) in [("/p", 4), ("/none", 4), ("/r", 5)] {
        assert_eq!(w.code(Op::CHECK_WATCHES, &record::path_int(path, kind)), Code::OK, "{path}");
    }
}

/// I15: null lists are no lists.
#[test]
fn null_lists_are_refused() {
    let server = server!();
    let mut w = Conn::open(server.address());
    for (op, count) in [(Op::SET_WATCHES, 3), (Op::SET_WATCHES2, 5)] {
        for null in 0..count {
            let mut record = Vec::new();
            record.put_long(0);
            for list in 0..count {
                record.put_int(if list == null { -1 } else { 0 });
            }
            assert_eq!(w.code(op, &record), Code::MARSHALLING_ERROR, "{op:?} {null}");
        }
    }
}
