//! Goal: what was reported durable comes back, in every way a log and its snapshots can live.
//! Method: a real directory, the real threads; a "crash" leaves the files as they are.

use std::fs;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use zk_wire::Zxid;

use super::layout::{list_segments, list_snapshots, list_spares};
use super::snapshot::SnapshotFile;
use super::testing::{Log, TestDir, assert_txns, recover_all, txn};
use super::{DiskError, Report};

fn take_snapshot(path: &std::path::Path, zxid: i64, cluster: u128) {
    let dir = path.join("zk-agent");
    let mut file = SnapshotFile::create(&dir, Zxid(zxid), cluster, false).unwrap();
    file.piece(format!("state at {zxid}").as_bytes()).unwrap();
    file.finish().unwrap();
}

#[test]
fn a_log_grows_over_segments_and_comes_back() {
    let test = TestDir::new("grow");
    let (dir, recovery, state) = recover_all(&test.0).unwrap();
    assert_eq!((recovery.last, state.txns.len()), (Zxid::ZERO, 0));
    let mut log = Log::start(recovery);
    for batch in 0..50 {
        log.write(batch * 100 + 1..=batch * 100 + 100, 1000);
    }
    assert!(log.writer.stats().syncs >= 50);
    assert_eq!(log.writer.queued_bytes(), 0);
    log.writer.close().unwrap();
    drop(dir);
    assert!(list_segments(&test.0.join("zk-agent")).unwrap().len() >= 3);
    let (dir, recovery, state) = recover_all(&test.0).unwrap();
    assert_txns(&state, 1..=5000, 1000);
    assert_eq!(recovery.last, Zxid(5000));
    let mut log = Log::start(recovery);
    log.write(5001..=5001, 1000);
    drop(log);
    drop(dir);
    let (_dir, recovery, state) = recover_all(&test.0).unwrap();
    assert_txns(&state, 1..=5001, 1000);
    assert_eq!(recovery.notes, Vec::<String>::new());
}

#[test]
fn a_txn_larger_than_a_segment_gets_one_of_its_own_size() {
    let test = TestDir::new("large");
    let (dir, recovery, _) = recover_all(&test.0).unwrap();
    let mut log = Log::start(recovery);
    log.writer.append(Zxid(1), &txn(1, 9 << 20));
    log.writer.append(Zxid(2), &txn(2, 100));
    log.writer.submit();
    log.wait(|report| *report == Report::Durable(Zxid(2)));
    log.writer.close().unwrap();
    drop(dir);
    let (_dir, _, state) = recover_all(&test.0).unwrap();
    assert_eq!(state.txns, [(Zxid(1), txn(1, 9 << 20)), (Zxid(2), txn(2, 100))]);
}

#[test]
fn a_snapshot_cuts_the_log_short_and_segments_are_recycled() {
    let test = TestDir::new("recycle");
    let (dir, recovery, _) = recover_all(&test.0).unwrap();
    let cluster = dir.identity().cluster;
    let mut log = Log::start(recovery);
    for round in 0..8i64 {
        log.write(round * 100 + 1..=round * 100 + 100, 500);
        take_snapshot(&test.0, round * 100 + 100, cluster);
        log.writer.roll();
        let oldest = super::purge::purge_snapshots(dir.data(), 3).unwrap();
        log.writer.purge(oldest);
    }
    log.write(801..=801, 500);
    log.writer.close().unwrap();
    drop(dir);
    assert!(list_segments(&test.0.join("zk-agent")).unwrap().len() <= 7);
    let (dir, recovery, state) = recover_all(&test.0).unwrap();
    assert_eq!(state.pieces, [b"state at 800".to_vec()]);
    assert_eq!((recovery.snapshot, recovery.last), (Some(Zxid(800)), Zxid(801)));
    assert_txns(&state, 801..=801, 500);
    drop((dir, recovery));
    let newest = list_snapshots(&test.0.join("zk-agent")).unwrap().pop().unwrap().1;
    fs::write(&newest, b"damaged").unwrap();
    let (_dir, recovery, state) = recover_all(&test.0).unwrap();
    assert_eq!(state.pieces, [b"state at 700".to_vec()]);
    assert_txns(&state, 701..=801, 500);
    assert!(recovery.notes[0].contains("passed over"), "{:?}", recovery.notes);
}

#[test]
fn a_torn_tail_is_wiped_and_the_log_goes_on() {
    let test = TestDir::new("torn");
    let (dir, recovery, _) = recover_all(&test.0).unwrap();
    let mut log = Log::start(recovery);
    log.write(1..=10, 200);
    log.write(11..=20, 200);
    // No mark: the process died.
    drop(log);
    drop(dir);
    let path = list_segments(&test.0.join("zk-agent")).unwrap()[0].1.clone();
    let file = fs::File::options().read(true).write(true).open(&path).unwrap();
    let record = super::record::bytes_for(200) as u64;
    let at = super::segment::RECORDS_START + 14 * record;
    file.write_all_at(&[0xff; 16], at + 40).unwrap();
    // The mark of the clean drop stands behind: it says that 20 was durable.
    assert!(matches!(recover_all(&test.0), Err(DiskError::Corrupt { .. })));
    let mark = super::segment::RECORDS_START + 20 * record;
    file.write_all_at(&[0; 40], mark).unwrap();
    let (dir, recovery, state) = recover_all(&test.0).unwrap();
    assert_txns(&state, 1..=14, 200);
    assert!(recovery.notes[0].contains("wiped records=5"), "{:?}", recovery.notes);
    let mut log = Log::start(recovery);
    log.write(15..=15, 200);
    drop((log, dir));
    let (_dir, _, state) = recover_all(&test.0).unwrap();
    assert_txns(&state, 1..=15, 200);
}

#[test]
fn a_missing_segment_or_foreign_file_is_refused_and_an_empty_one_is_not() {
    let test = TestDir::new("missing");
    let (dir, recovery, _) = recover_all(&test.0).unwrap();
    let mut log = Log::start(recovery);
    for batch in 0..5 {
        log.write(batch * 1000 + 1..=batch * 1000 + 1000, 1000);
    }
    log.writer.close().unwrap();
    drop(dir);
    let ours = test.0.join("zk-agent");
    let next = super::layout::segment_path(&ours, list_segments(&ours).unwrap().len() as u64 + 1);
    fs::write(&next, b"").unwrap();
    drop(recover_all(&test.0).unwrap());
    assert!(!next.exists());
    assert!(list_spares(&ours).unwrap().len() <= 2);
    let second = super::layout::segment_path(&ours, 2);
    fs::rename(&second, test.0.join("aside")).unwrap();
    let error = recover_all(&test.0).unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
    fs::copy(super::layout::segment_path(&ours, 1), &second).unwrap();
    let error = recover_all(&test.0).unwrap_err();
    assert!(error.to_string().contains("belongs elsewhere"), "{error}");
}

#[test]
fn snapshots_without_any_good_one_and_without_the_whole_log_are_refused() {
    let test = TestDir::new("lost");
    let (dir, recovery, _) = recover_all(&test.0).unwrap();
    let cluster = dir.identity().cluster;
    drop((dir, recovery));
    take_snapshot(&test.0, 50, cluster);
    let (dir, recovery, _) = recover_all(&test.0).unwrap();
    let mut log = Log::start(recovery);
    log.write(51..=60, 100);
    drop((log, dir));
    let path = list_snapshots(&test.0.join("zk-agent")).unwrap()[0].1.clone();
    fs::write(path, b"").unwrap();
    let error = recover_all(&test.0).unwrap_err();
    assert!(error.to_string().contains("no snapshot that can be read"), "{error}");
}

/// Goal: when there is no room for the next segment, writes are refused early enough that all of
/// those handed over still fit, and go on by themselves when there is room.
/// Method: "no room" is a directory that is not there: segments that are open stay writable.
#[test]
fn a_full_disk_refuses_early_and_recovers_by_itself() {
    let test = TestDir::new("full");
    let (dir, recovery, _) = recover_all(&test.0).unwrap();
    let mut log = Log::start(recovery);
    let ours = test.0.join("zk-agent");
    let aside = test.0.join("aside");
    let deadline = Instant::now() + Duration::from_secs(20);
    while list_segments(&ours).unwrap().len() < 2 {
        assert!(Instant::now() < deadline, "the next segment is made ahead");
        std::thread::sleep(Duration::from_millis(2));
    }
    fs::rename(&ours, &aside).unwrap();
    let mut last = 0;
    let mut reports = Vec::new();
    while !reports.contains(&Report::Space(false)) {
        assert!(last < 4000, "2 MiB are refused before they are full");
        reports.clear();
        for _ in 0..10 {
            last += 1;
            log.writer.append(Zxid(last), &txn(last, 1000));
        }
        log.writer.submit();
        log.wait_durable_into(last, &mut reports);
    }
    assert!(!log.writer.has_space());
    assert!(last > 1000, "the first segment and the reserve were used, last={last}");
    // One more turn was already on its way.
    log.write(last + 1..=last + 50, 1000);
    fs::rename(&aside, &ours).unwrap();
    log.wait(|report| *report == Report::Space(true));
    log.write(last + 51..=last + 3000, 1000);
    log.writer.close().unwrap();
    drop(dir);
    let (_dir, _, state) = recover_all(&test.0).unwrap();
    assert_txns(&state, 1..=last + 3000, 1000);
}

/// Goal: txns that do not fit any more wait, without being acknowledged, and are not lost.
#[test]
fn what_was_handed_over_waits_for_room() {
    let test = TestDir::new("waits");
    let (dir, recovery, _) = recover_all(&test.0).unwrap();
    let ours = test.0.join("zk-agent");
    let mut log = Log::start(recovery);
    log.write(1..=1, 10);
    fs::rename(&ours, test.0.join("aside")).unwrap();
    for zxid in 2..=8000 {
        log.writer.append(Zxid(zxid), &txn(zxid, 1000));
    }
    log.writer.submit();
    let report = log.wait(|report| *report == Report::Space(false));
    assert_eq!(report, Report::Space(false));
    assert!(log.writer.queued_bytes() > 4 << 20);
    fs::rename(test.0.join("aside"), &ours).unwrap();
    log.wait_durable(8000);
    drop((log, dir));
    let (_dir, _, state) = recover_all(&test.0).unwrap();
    assert_eq!(state.txns.len(), 8000);
}

#[test]
fn closing_without_room_says_what_is_not_written() {
    let test = TestDir::new("close");
    let (dir, recovery, _) = recover_all(&test.0).unwrap();
    let mut log = Log::start(recovery);
    fs::rename(test.0.join("zk-agent"), test.0.join("aside")).unwrap();
    for zxid in 1..=8000 {
        log.writer.append(Zxid(zxid), &txn(zxid, 1000));
    }
    log.writer.submit();
    log.wait(|report| *report == Report::Space(false));
    let error = log.writer.close().unwrap_err();
    assert!(error.contains("no room"), "{error}");
    fs::rename(test.0.join("aside"), test.0.join("zk-agent")).unwrap();
    drop(dir);
    let (_dir, recovery, state) = recover_all(&test.0).unwrap();
    assert!(recovery.last < Zxid(8000));
    assert_txns(&state, 1..=recovery.last.0, 1000);
}

/// Goal: a write that fails is reported as the end, and nothing of it or after it is durable.
/// Method: the segment is `/dev/full`, which refuses every write.
#[test]
fn a_failed_write_is_the_end() {
    let test = TestDir::new("failed");
    let (_dir, recovery, _) = recover_all(&test.0).unwrap();
    let mut position = recovery.log;
    let made = position.site.make(1, 1 << 20, &|| ()).unwrap();
    let path = test.0.join("full");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    position.current = Some((path, made.header, super::segment::RECORDS_START));
    let mut log = Log::start_at(position);
    log.writer.append(Zxid(1), &txn(1, 100));
    log.writer.submit();
    let report = log.wait(|report| !matches!(report, Report::Space(_)));
    let Report::Failed { error } = report else { panic!("{report:?}") };
    assert!(error.contains("cannot write") && error.contains("os error 28"), "{error}");
    log.writer.append(Zxid(2), &txn(2, 100));
    assert!(log.writer.close().is_err());
}
