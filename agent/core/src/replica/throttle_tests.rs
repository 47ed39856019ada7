//! The request throttle, with a disk that is held back.

use zk_wire::{Code, Op, Writer, Zxid};

use super::tests::Driver;
use crate::config::Config;
use crate::event::Event;
use crate::ids::ConnId;

fn throttled(config: Config) -> Driver {
    let mut driver = Driver::new(Config { throttle_requests_max: 1, ..config });
    driver.connect(0);
    driver.connect(1);
    driver.hold = true;
    driver
}

/// The newest txn is on disk.
fn sync(driver: &mut Driver) {
    let (zxid, _) = *driver.log.last().expect("something was logged");
    driver.step(Event::Durable { zxid });
}

fn get(driver: &mut Driver, conn: u32, xid: i32) {
    driver.request(conn, xid, Op::EXISTS, |out| {
        out.put_string("/a");
        out.put_boolean(false);
    });
}

#[test]
fn requests_wait_in_one_order_while_too_many_are_under_way() {
    let mut driver = throttled(Config::default());
    driver.create(0, 1, "/a", 0);
    driver.create(1, 1, "/b", 0);
    get(&mut driver, 0, 2);
    driver.create(0, 3, "/c", 0);
    assert_eq!(driver.log.len(), 3, "two sessions and one create");
    assert!(driver.sent.is_empty());
    sync(&mut driver);
    assert_eq!(driver.headers(), [(0, 1, 3, Code::OK)]);
    assert_eq!(driver.log.len(), 4, "the next create went on, and is under way alone");
    sync(&mut driver);
    let read = (0, 2, 4, Code::OK);
    assert_eq!(driver.headers(), [(1, 1, 4, Code::OK), read]);
    sync(&mut driver);
    assert_eq!(driver.headers(), [(0, 3, 5, Code::OK)]);
    get(&mut driver, 1, 2);
    assert_eq!(driver.headers(), [(1, 2, 5, Code::OK)], "nothing waits any more");
}

#[test]
fn who_waited_too_long_is_refused_in_order() {
    let mut driver = throttled(Config { throttled_op_wait_ms: 50, ..Config::default() });
    driver.create(0, 1, "/a", 0);
    driver.create(0, 2, "/late", 0);
    driver.request(0, 3, Op::PING, |_| {});
    driver.step(Event::ClientOversized { conn: ConnId(0), head: &[0, 0, 0, 4, 0, 0, 0, 1] });
    driver.now.mono_ms += 51;
    driver.create(0, 5, "/b", 0);
    driver.create(0, 6, "/c", 0);
    driver.request(0, 7, Op::CLOSE_SESSION, |_| {});
    sync(&mut driver);
    let refused = [(0, 2, 3, Code::THROTTLED_OP), (0, -2, 3, Code::OK)];
    let oversized = (0, 4, 3, Code::CONNECTION_LOSS);
    assert_eq!(driver.headers(), [(0, 1, 3, Code::OK), refused[0], refused[1], oversized]);
    driver.now.mono_ms += 51;
    sync(&mut driver);
    assert_eq!(driver.headers(), [(0, 5, 4, Code::OK), (0, 6, 4, Code::THROTTLED_OP)]);
    sync(&mut driver);
    assert_eq!(driver.headers(), [(0, 7, 5, Code::OK)], "closeSession is never too late");
    assert_eq!(driver.log.last().unwrap().0, Zxid(5), "what was refused has no zxid");
}

#[test]
fn what_a_closed_connection_left_waiting_is_dropped() {
    let mut driver = throttled(Config::default());
    driver.create(0, 1, "/a", 0);
    driver.create(1, 1, "/dropped", 0);
    driver.create(0, 2, "/b", 0);
    driver.step(Event::ClientClosed { conn: ConnId(1) });
    sync(&mut driver);
    sync(&mut driver);
    assert_eq!(driver.headers(), [(0, 1, 3, Code::OK), (0, 2, 4, Code::OK)]);
    assert!(driver.replica.tree().find("/dropped").is_none());
    // But for the end of its session, which would otherwise live on for nothing.
    driver.create(0, 3, "/c", 0);
    driver.request(0, 4, Op::CLOSE_SESSION, |_| {});
    driver.step(Event::ClientClosed { conn: ConnId(0) });
    sync(&mut driver);
    assert_eq!(driver.replica.status().sessions, 1, "only the other one is left");
}

#[test]
fn who_waited_longer_than_the_timeout_loses_the_connection() {
    let mut driver = throttled(Config { throttle_drops_late: true, ..Config::default() });
    driver.create(0, 1, "/a", 0);
    driver.create(1, 1, "/b", 0);
    driver.create(1, 2, "/c", 0);
    driver.now.mono_ms += 10_001;
    sync(&mut driver);
    assert_eq!(driver.closed, [ConnId(1)]);
    assert_eq!(driver.log.len(), 3, "nothing of it was carried out");
}
