//! Goal: a directory of Apache's server is read whole, or refused with the reason.
//! Method: directories made of the golden snapshot and of logs with chosen zxids.

use std::fs;
use std::path::{Path, PathBuf};

use zk_wire::{Writer, Zxid};

use super::super::testing::{Collect, Log, TestDir, recover_all};
use super::super::{DiskError, identity::Epochs};
use super::import::{Imported, import};
use super::log::{put_header, put_record};
use super::snapshot::tests::golden;

const START: i64 = 0x1_0000_0002;

struct Version2 {
    test: TestDir,
    dir: PathBuf,
}

impl Version2 {
    fn new(name: &str) -> Version2 {
        let test = TestDir::new(name);
        let dir = test.0.join("version-2");
        fs::create_dir_all(&dir).unwrap();
        Version2 { test, dir }
    }

    fn with_snapshot(name: &str) -> Version2 {
        let made = Version2::new(name);
        fs::write(made.dir.join(format!("snapshot.{START:x}")), golden(true)).unwrap();
        made
    }

    fn log(&self, name: i64, txns: &[Vec<u8>]) -> PathBuf {
        let mut bytes = Vec::new();
        put_header(&mut bytes);
        txns.iter().for_each(|txn| put_record(&mut bytes, txn));
        bytes.resize(8192, 0);
        let path = self.dir.join(format!("log.{name:x}"));
        fs::write(&path, bytes).unwrap();
        path
    }

    fn import(&self) -> Result<(Imported, Collect), DiskError> {
        let mut state = Collect::default();
        let imported = import(&self.dir, &self.dir, &mut state)?;
        Ok((imported.unwrap(), state))
    }
}

/// A createSession txn.
fn txn(zxid: i64) -> Vec<u8> {
    typed(zxid, -10, 30_000)
}

fn typed(zxid: i64, kind: i32, body: i32) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_long(7);
    out.put_int(0);
    out.put_long(zxid);
    out.put_long(1_700_000_000_000);
    out.put_int(kind);
    out.put_int(body);
    out
}

fn zxids(state: &Collect) -> Vec<i64> {
    state.txns.iter().map(|(zxid, _)| zxid.0 - START).collect()
}

#[test]
fn nothing_is_nothing_and_a_snapshot_with_its_logs_is_read() {
    let empty = Version2::new("imp-none");
    let mut state = Collect::default();
    assert_eq!(import(&empty.dir, &empty.dir, &mut state).unwrap(), None);
    let made = Version2::with_snapshot("imp-whole");
    made.log(START - 5, &[txn(START - 5), txn(START - 4)]);
    made.log(START - 1, &[txn(START - 1), txn(START), txn(START + 1)]);
    made.log(START + 2, &[txn(START + 2), txn(START + 3)]);
    made.log(0x2_0000_0001, &[txn(0x2_0000_0001)]);
    fs::write(made.dir.join("snapshot.100000009.tmp"), b"side file").unwrap();
    let (imported, state) = made.import().unwrap();
    assert_eq!(zxids(&state), [1, 2, 3, 0x2_0000_0001 - START]);
    assert_eq!((imported.snapshot, state.snapshot), (Some(Zxid(START)), Some((Zxid(START), true))));
    assert_eq!(state.digest, Some((Zxid(START), 0x1_9c98_d1c4)));
    assert_eq!(imported.epochs, Epochs { accepted: 2, current: 2 });
    assert_eq!(imported.notes.len(), 1, "{:?}", imported.notes);
}

#[test]
fn an_older_snapshot_is_taken_when_the_newest_cannot_be_read() {
    let made = Version2::with_snapshot("imp-older");
    let mut damaged = golden(true);
    damaged[300] ^= 1;
    fs::write(made.dir.join(format!("snapshot.{:x}", START + 1)), damaged).unwrap();
    fs::write(made.dir.join(format!("snapshot.{:x}", START + 2)), b"").unwrap();
    made.log(START + 1, &[txn(START + 1), txn(START + 2)]);
    let (imported, state) = made.import().unwrap();
    assert_eq!((imported.snapshot, zxids(&state)), (Some(Zxid(START)), vec![1, 2]));
    assert_eq!(state.znodes.len(), 5);
    assert_eq!(imported.notes.len(), 2, "{:?}", imported.notes);
    fs::remove_file(made.dir.join(format!("snapshot.{START:x}"))).unwrap();
    assert!(matches!(made.import(), Err(DiskError::History { .. })));
}

#[test]
fn a_history_from_the_first_txn_needs_no_snapshot() {
    let made = Version2::new("imp-log");
    made.log(1, &[txn(1), txn(2)]);
    let (imported, _) = made.import().unwrap();
    assert_eq!((imported.last, imported.snapshot, imported.txns), (Zxid(2), None, 2));
    let late = Version2::new("imp-late");
    late.log(5, &[txn(5)]);
    assert!(matches!(late.import(), Err(DiskError::History { .. })));
}

#[test]
fn gaps_and_going_back_are_refused_and_harmless_repeats_are_said() {
    let made = Version2::with_snapshot("imp-gap");
    made.log(START + 1, &[txn(START + 1), txn(START + 3)]);
    let error = made.import().unwrap_err().to_string();
    assert!(error.contains("missing"), "{error}");
    made.log(START + 1, &[txn(START + 1), txn(START + 2), typed(START + 1, 1, 9)]);
    assert!(matches!(made.import(), Err(DiskError::Corrupt { .. })));
    made.log(START + 1, &[txn(START + 1), typed(START + 1, -10, 9)]);
    assert!(matches!(made.import(), Err(DiskError::Corrupt { .. })));
    made.log(START + 1, &[txn(START + 1), txn(START + 1), typed(START + 1, -1, -5)]);
    let (imported, state) = made.import().unwrap();
    assert_eq!((zxids(&state), imported.notes.len()), (vec![1], 1));
    // A follower 3.8.0 that began anew to catch up.
    let repeated = [1, 2, 3, 1, 2, 3, 4].map(|number| txn(START + number));
    made.log(START + 1, &repeated);
    let (imported, state) = made.import().unwrap();
    assert_eq!((zxids(&state), imported.notes.len()), (vec![1, 2, 3, 4], 1));
    assert!(imported.notes[0].starts_with("3 txns"), "{:?}", imported.notes);
}

#[test]
fn a_torn_end_is_left_out_and_damage_before_it_is_refused() {
    let made = Version2::with_snapshot("imp-torn");
    let record = 13 + 36;
    let path = made.log(START + 1, &[txn(START + 1), txn(START + 2), txn(START + 3)]);
    let mut bytes = fs::read(&path).unwrap();
    bytes[16 + 2 * record + 20] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (imported, state) = made.import().unwrap();
    assert_eq!((zxids(&state), imported.notes.len()), (vec![1, 2], 1));
    // The same in a log that is not the newest.
    made.log(START + 4, &[txn(START + 4)]);
    assert!(matches!(made.import(), Err(DiskError::Corrupt { .. })));
    fs::remove_file(made.dir.join(format!("log.{:x}", START + 4))).unwrap();
    // And with a good record behind it.
    bytes[16 + record + 20] ^= 1;
    bytes[16 + 2 * record + 20] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = made.import().unwrap_err().to_string();
    assert!(error.contains("stands behind it"), "{error}");
}

#[test]
fn a_log_without_a_header_is_an_unfinished_one_only_at_the_end() {
    let made = Version2::with_snapshot("imp-head");
    made.log(START + 1, &[txn(START + 1)]);
    for contents in [&b""[..], &[0u8; 10], &[0u8; 4096]] {
        fs::write(made.dir.join(format!("log.{:x}", START + 2)), contents).unwrap();
        let (imported, state) = made.import().unwrap();
        assert_eq!((zxids(&state), imported.notes.len()), (vec![1], 1));
    }
    fs::write(made.dir.join(format!("log.{:x}", START + 2)), b"ZKSN....more than a header")
        .unwrap();
    assert!(matches!(made.import(), Err(DiskError::Corrupt { .. })));
}

#[test]
fn epochs_are_raised_only_by_proof() {
    let made = Version2::with_snapshot("imp-epoch");
    let write = |name: &str, text: &str| fs::write(made.dir.join(name), text).unwrap();
    write("acceptedEpoch", "5");
    write("currentEpoch", "4\n");
    assert_eq!(made.import().unwrap().0.epochs, Epochs { accepted: 5, current: 4 });
    write("currentEpoch", "0");
    assert_eq!(made.import().unwrap().0.epochs, Epochs { accepted: 5, current: 1 });
    write("currentEpoch.tmp", "3");
    assert_eq!(made.import().unwrap().0.epochs, Epochs { accepted: 5, current: 3 });
    write("acceptedEpoch", "");
    assert_eq!(made.import().unwrap().0.epochs, Epochs { accepted: 3, current: 3 });
    write("acceptedEpoch", "five");
    assert!(matches!(made.import(), Err(DiskError::Identity { .. })));
}

#[test]
fn files_in_the_wrong_directory_are_refused() {
    let data = Version2::with_snapshot("imp-data");
    let logs = Version2::new("imp-logs");
    logs.log(START + 1, &[txn(START + 1)]);
    let run = |data: &Path, logs: &Path| import(data, logs, &mut Collect::default());
    assert_eq!(run(&data.dir, &logs.dir).unwrap().unwrap().last, Zxid(START + 1));
    assert!(matches!(run(&logs.dir, &data.dir), Err(DiskError::History { .. })));
}

/// Goal: before the first snapshot of our own, Apache's files are read again at each start; after
/// it, never; and nobody's change to them in between goes unseen.
#[test]
fn a_first_start_reads_apaches_files_and_the_log_goes_on_from_there() {
    let made = Version2::with_snapshot("imp-start");
    made.log(START + 1, &[txn(START + 1)]);
    let (dir, recovery, state) = recover_all(&made.test.0).unwrap();
    assert!(recovery.wants_snapshot);
    assert_eq!((recovery.last, state.znodes.len()), (Zxid(START + 1), 5));
    let mut log = Log::start(recovery);
    log.write(START + 2..=START + 4, 50);
    drop((log, dir));
    let (dir, recovery, state) = recover_all(&made.test.0).unwrap();
    assert_eq!((recovery.last, zxids(&state)), (Zxid(START + 4), vec![1, 2, 3, 4]));
    assert!(recovery.wants_snapshot);
    let cluster = dir.identity().cluster;
    drop((dir, recovery));
    made.log(START + 2, &[txn(START + 2)]);
    let error = recover_all(&made.test.0).unwrap_err().to_string();
    assert!(error.contains("now it ends at"), "{error}");
    let ours = made.test.0.join("zk-agent");
    let mut file =
        super::super::snapshot::SnapshotFile::create(&ours, Zxid(START + 4), cluster, true)
            .unwrap();
    file.piece(b"all of it").unwrap();
    file.finish().unwrap();
    let (_dir, recovery, state) = recover_all(&made.test.0).unwrap();
    assert_eq!((recovery.snapshot, state.txns.len()), (Some(Zxid(START + 4)), 0));
    assert!(recovery.notes[0].contains("not part of this state"), "{:?}", recovery.notes);
}
