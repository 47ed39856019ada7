//! What the core keeps in memory is bounded, and small: znodes, watches, and what clients make it
//! hold while the disk is late.
//!
//! One test, because it measures the memory of the whole process.

use zk_core::Config;
use zk_core::conn::{WAITING_BYTES_MAX, WAITING_MAX};
use zk_tests::drive::{Driver, Stimulus, chaos};
use zk_tests::raw::request;
use zk_tests::record;
use zk_wire::Op;

const ZNODES: usize = 200_000;
const PATHS: usize = 200;
const WATCHERS: usize = 2_000;

/// Bytes of this process in memory; `None` where the kernel doesn't say.
fn resident_bytes() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: usize = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

fn frame(driver: &mut Driver, conn: u32, op: Op, record: &[u8]) {
    driver.step(&Stimulus::Frame(conn, request(1, op, record)));
}

/// Sends writes, and forgets log and answers as a shell does.
fn write(driver: &mut Driver, op: Op, record: &[u8]) {
    frame(driver, 0, op, record);
    driver.settle();
    driver.log.clear();
    driver.sent.clear();
}

/// Goal: a znode with 100 bytes of data costs at most 320 bytes more than nothing, and changing all
/// of them to other sizes and back costs nothing that stays.
fn znodes_are_small(driver: &mut Driver) {
    let before = resident_bytes().expect("asked before");
    for n in 0..ZNODES {
        if n % 1_000 == 0 {
            write(driver, Op::CREATE, &record::create(&format!("/d{}", n / 1_000), b"", 0));
        }
        let path = format!("/d{}/n{n:07}", n / 1_000);
        write(driver, Op::CREATE, &record::create(&path, &[b'x'; 100], 0));
    }
    let each = (resident_bytes().expect("asked before") - before) / ZNODES;
    println!("{each} bytes for a znode");
    assert!(each <= 320, "a znode with 100 bytes of data costs {each} bytes");
    for bytes in [150, 40, 100] {
        for n in 0..ZNODES {
            let path = format!("/d{}/n{n:07}", n / 1_000);
            write(driver, Op::SET_DATA, &record::set_data(&path, Some(&vec![b'y'; bytes]), -1));
        }
    }
    let each = (resident_bytes().expect("asked before") - before) / ZNODES;
    println!("{each} bytes for a znode after its data was changed");
    assert!(each <= 400, "after changes of size a znode costs {each} bytes");
}

/// Goal: a further watcher of a path costs at most 16 bytes.
fn watches_are_small(driver: &mut Driver) {
    for conn in 1..=WATCHERS as u32 {
        driver.connect(conn, 0);
        driver.settle();
    }
    driver.log.clear();
    driver.sent.clear();
    let before = resident_bytes().expect("asked before");
    for conn in 1..=WATCHERS as u32 {
        for n in 0..PATHS {
            let path = format!("/d0/n{n:07}");
            frame(driver, conn, Op::EXISTS, &record::path_watch(&path, true));
            driver.sent.clear();
        }
    }
    assert_eq!(driver.replica.status().data_watches, PATHS * WATCHERS);
    let each = (resident_bytes().expect("asked before") - before) / (PATHS * WATCHERS);
    println!("{each} bytes for a watch");
    assert!(each <= 16, "a further watcher costs {each} bytes");
}

/// Requests that are too many, and such that are too large; how many of each are too many.
fn floods() -> [(Vec<u8>, usize); 2] {
    let large = format!("/{}", "x".repeat(100_000));
    let (small, large) = (record::path_watch("/", false), record::path_watch(&large, false));
    [(small, WAITING_MAX + 2), (large, WAITING_BYTES_MAX / 100_000 + 2)]
}

/// Sends a request until the replica says stop; how often.
fn flood(driver: &mut Driver, record: &[u8], most: usize) -> usize {
    for sent in 0..most {
        if driver.paused.contains(&0) {
            return sent;
        }
        frame(driver, 0, Op::GET_DATA, record);
    }
    assert!(driver.paused.contains(&0), "{most} requests wait and nobody says stop");
    most
}

fn assert_answered(driver: &mut Driver, count: usize) {
    assert!(driver.sent.is_empty(), "nothing overtakes what waits for the disk");
    driver.settle();
    assert!(driver.paused.is_empty(), "everything is answered and the client may go on");
    assert_eq!(driver.sent.len(), count, "each request has its answer");
    driver.sent.clear();
}

/// Goal: a client that goes on sending while the disk is late is told to stop before much waits:
/// before its session is there, behind a write of its own, and with writes alone. Afterwards it is
/// told to go on, and nothing was dropped.
fn a_flood_is_stopped() {
    for (record, most) in floods() {
        let mut driver = Driver::new(Config::default(), chaos::start());
        driver.connect(0, 0);
        let sent = flood(&mut driver, &record, most);
        assert_answered(&mut driver, 1 + sent);
        frame(&mut driver, 0, Op::SET_DATA, &record::set_data("/", Some(b"x"), -1));
        let sent = flood(&mut driver, &record, most);
        assert_answered(&mut driver, 1 + sent);
    }
    let mut driver = Driver::new(Config::default(), chaos::start());
    driver.connect(0, 0);
    driver.settle();
    driver.sent.clear();
    let mut sent = 0;
    while !driver.paused.contains(&0) {
        frame(&mut driver, 0, Op::SET_DATA, &record::set_data("/", Some(b"x"), -1));
        sent += 1;
        assert!(sent <= driver.config.outstanding_max + 1, "{sent} writes are under way");
    }
    assert_answered(&mut driver, sent);
}

#[test]
fn memory_is_bounded() {
    a_flood_is_stopped();
    if resident_bytes().is_none() {
        return println!("skipped: the kernel doesn't say how much memory a process has");
    }
    let mut driver = Driver::new(Config::default(), chaos::start());
    driver.connect(0, 0);
    driver.settle();
    znodes_are_small(&mut driver);
    watches_are_small(&mut driver);
}
