//! Goal: an operator sees what is in the files, what is wrong with them, and can give up an end.
//! Method: directories written by the real writer, looked at, damaged, looked at again.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use zk_wire::{Writer, Zxid};

use super::super::layout::{list_segments, segment_path};
use super::super::snapshot::SnapshotFile;
use super::super::testing::Collect;
use super::super::testing::{Log, TestDir, recover_all};
use super::super::{DataDir, DiskError, LogWriter, apache, recover};
use super::command;
use super::cut::cut;
use super::dump::{DumpOptions, dump};
use super::verify::verify;

fn session_txn(zxid: i64) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_long(0x0100_0000_0000_0001);
    out.put_int(0);
    out.put_long(zxid);
    out.put_long(1_700_000_000_000);
    out.put_int(-10);
    out.put_int(30_000);
    out
}

/// A data directory with txns 1 to 30, a snapshot at 10 and one segment for each ten.
fn written(name: &str) -> TestDir {
    let test = TestDir::new(name);
    let (dir, recovery, _) = recover_all(&test.0).unwrap();
    let mut log = Log::start(recovery);
    for ten in 0..3 {
        for zxid in ten * 10 + 1..=ten * 10 + 10 {
            log.writer.append(Zxid(zxid), &session_txn(zxid));
        }
        log.writer.submit();
        log.wait_durable(ten * 10 + 10);
        log.writer.roll();
    }
    log.writer.close().unwrap();
    let cluster = dir.identity().cluster;
    let mut file = SnapshotFile::create(dir.data(), Zxid(10), cluster, false).unwrap();
    file.piece(b"state").unwrap();
    file.finish().unwrap();
    test
}

fn segment(test: &TestDir, serial: u64) -> PathBuf {
    segment_path(&test.0.join("zk-agent"), serial)
}

fn damage(test: &TestDir, serial: u64, record: u64) -> u64 {
    let file = fs::File::options().write(true).open(segment(test, serial)).unwrap();
    let offset = super::super::segment::RECORDS_START + record * 80;
    file.write_all_at(b"damage", offset + 40).unwrap();
    offset
}

fn findings(test: &TestDir) -> (bool, Vec<String>) {
    let mut lines = Vec::new();
    let mut last = (0, 0);
    let good = verify(
        &test.0,
        None,
        &mut |finding| {
            if !finding.good {
                lines.push(finding.line);
            }
        },
        &mut |done, total| last = (done, total),
    );
    assert_eq!(last.0, last.1, "progress ends at the end");
    (good.unwrap(), lines)
}

#[test]
fn a_log_is_shown_from_a_directory_or_a_file_in_both_formats() {
    let test = written("tool-dump");
    let show = |path: &std::path::Path, options: &DumpOptions| {
        let mut out = Vec::new();
        let count = dump(path, options, &mut out, &mut |done, total| assert!(done <= total));
        (count.unwrap(), String::from_utf8(out).unwrap())
    };
    let (count, text) = show(&test.0, &DumpOptions::default());
    assert_eq!((count, text.lines().count()), (30, 30));
    assert!(text.lines().nth(4).unwrap().ends_with("zxid=0x5 createSession timeout_ms=30000"));
    let options =
        DumpOptions { json: true, from: Zxid(12), to: Zxid(13), ..DumpOptions::default() };
    let (count, text) = show(&segment(&test, 2), &options);
    assert_eq!(count, 2);
    assert!(text.starts_with("{\"zxid\":\"0xc\",\"session\":\"0x0100000000000001\""), "{text}");
    let mut log = Vec::new();
    apache::log::put_header(&mut log);
    apache::log::put_record(&mut log, &session_txn(7));
    let version2 = test.0.join("elsewhere/version-2");
    fs::create_dir_all(&version2).unwrap();
    fs::write(version2.join("log.7"), log).unwrap();
    let (count, text) = show(&test.0.join("elsewhere"), &DumpOptions::default());
    assert_eq!((count, text.contains("zxid=0x7 createSession")), (1, true));
    let nothing = dump(&version2.join(".."), &options, &mut Vec::new(), &mut |_, _| ());
    assert_eq!(nothing.unwrap(), 0);
    fs::remove_file(version2.join("log.7")).unwrap();
    let error = dump(&version2, &options, &mut Vec::new(), &mut |_, _| ()).unwrap_err();
    assert!(error.to_string().contains("no transaction log"), "{error}");
}

#[test]
fn verify_finds_damage_in_every_kind_of_file() {
    let test = written("tool-verify");
    assert_eq!(findings(&test), (true, vec![]));
    let ours = test.0.join("zk-agent");
    let snapshot = super::super::layout::snapshot_path(&ours, Zxid(10));
    let good = fs::read(&snapshot).unwrap();
    fs::write(&snapshot, &good[..good.len() - 1]).unwrap();
    let (_, lines) = findings(&test);
    assert!(lines.len() == 1 && lines[0].contains("snapshot-"), "{lines:?}");
    fs::write(&snapshot, good).unwrap();
    fs::write(ours.join("identity"), b"x").unwrap();
    let (_, lines) = findings(&test);
    assert!(lines.len() == 1 && lines[0].contains("crc"), "{lines:?}");
    fs::remove_file(ours.join("identity")).unwrap();
    damage(&test, 2, 3);
    let (_, lines) = findings(&test);
    assert!(lines.len() == 1 && lines[0].contains("--cut 4336"), "{lines:?}");
    fs::remove_file(segment(&test, 2)).unwrap();
    let (good, lines) = findings(&test);
    assert!(!good && lines.iter().any(|line| line.contains("missing")), "{lines:?}");
    let version2 = test.0.join("version-2");
    fs::create_dir_all(&version2).unwrap();
    fs::write(version2.join("snapshot.0"), b"ZKSN").unwrap();
    fs::write(version2.join("log.1"), b"ZKLG0000000000001234567890123").unwrap();
    let count = findings(&test).1.len();
    assert_eq!(count, lines.len() + 3, "the snapshot, the log, and that they make no history");
}

#[test]
fn a_cut_makes_a_damaged_log_start_again() {
    let test = written("tool-cut");
    let offset = damage(&test, 2, 3);
    let Err(DiskError::Corrupt { offset: said, last_good, .. }) = recover_all(&test.0) else {
        panic!("the damage must be refused");
    };
    assert_eq!((said, last_good), (offset, Zxid(13)));
    assert!(matches!(cut(&segment(&test, 2), offset + 4), Err(DiskError::History { .. })));
    assert!(matches!(cut(&test.0.join("zk-agent/identity"), 0), Err(DiskError::History { .. })));
    let aside = cut(&segment(&test, 2), offset).unwrap();
    assert!(!aside.is_empty());
    let (dir, recovery, state) = recover_all(&test.0).unwrap();
    assert_eq!((recovery.last, state.txns.len()), (Zxid(13), 3));
    assert!(matches!(cut(&segment(&test, 2), offset), Err(DiskError::Locked { .. })));
    drop((dir, recovery));
    let first = list_segments(&test.0.join("zk-agent")).unwrap()[0].1.clone();
    cut(&first, 0).unwrap();
    assert_eq!(list_segments(&test.0.join("zk-agent")).unwrap(), []);
    assert_eq!(recover_all(&test.0).unwrap().1.last, Zxid(10));
}

/// Runs a tool; what it wrote, or why not.
fn run(tool: &str, line: &str) -> Result<String, String> {
    run_aloud(tool, line, &mut Vec::new())
}

fn run_aloud(tool: &str, line: &str, said: &mut Vec<String>) -> Result<String, String> {
    let mut out = Vec::new();
    let mut say = |line: &str| said.push(line.to_owned());
    let arguments = line.split(' ').filter(|word| !word.is_empty()).map(Into::into);
    match command::run(tool, arguments, None, &mut out, &mut say) {
        Ok(()) => Ok(String::from_utf8(out).unwrap()),
        Err(failure) => Err(format!("{} {failure}", failure.exit_code())),
    }
}

/// Goal: a state goes from Apache's files through ours and back without a change.
/// Method: Apache's golden snapshot, a start on it, an export, and Apache's reader again.
#[test]
fn a_state_is_shown_and_exported_as_it_was_read() {
    let test = TestDir::new("tool-state");
    let version2 = test.0.join("version-2");
    fs::create_dir_all(&version2).unwrap();
    let golden = apache::snapshot::tests::golden(true);
    fs::write(version2.join("snapshot.100000002"), &golden).unwrap();
    let dir = test.0.display();
    let summary = run("snapshot", &dir.to_string()).unwrap();
    assert!(summary.starts_with("zxid=0x100000002\nznodes=5\nephemerals=1\n"), "{summary}");
    assert!(summary.ends_with("digest=0x19c98d1c4\n"), "{summary}");
    let tree = run("snapshot", &format!("--tree {dir}/version-2/snapshot.100000002")).unwrap();
    assert_eq!(tree, "/ 0\n  a 1\n  zookeeper 0\n    config 0\n    quota 0\n");
    let json = run("snapshot", &format!("--json --data {dir}")).unwrap();
    let a = json.lines().nth(1).unwrap();
    assert!(a.starts_with("{\"path\":\"/a\",\"data\":\"78\",\"acl\":[{\"perms\":31,"), "{a}");
    assert!(a.ends_with("\"ephemeral_owner\":\"0x0100000000000001\"}"), "{a}");
    assert!(run("export", &format!("--data-dir {dir} {dir}/out")).unwrap_err().starts_with("78 "));
    drop(recover_all(&test.0).unwrap());
    let said = run("export", &format!("--data-dir {dir} {dir}/out")).unwrap();
    assert!(said.starts_with("exported zxid=0x100000002 znodes=5 sessions=1 to"), "{said}");
    let again = run("export", &format!("--data-dir {dir} {dir}/out")).unwrap_err();
    assert!(again.contains("not empty"), "{again}");
    let read = |bytes: &[u8]| {
        let mut state = Collect::default();
        let summary = apache::snapshot::read_stream(bytes, &mut state).unwrap();
        state.znodes.sort_by(|a, b| a.0.cmp(&b.0));
        state.acls.sort();
        (summary, state)
    };
    let exported = fs::read(test.0.join("out/version-2/snapshot.100000002")).unwrap();
    // The open list has the id -1 with us; Apache's server gave the one of /a another.
    let (mut summary, mut state) = read(&golden);
    summary.acls = 1;
    state.acls.retain(|(id, _)| *id == 1);
    state.znodes[1].2 = -1;
    assert_eq!(read(&exported), (summary, state));
    assert_eq!(fs::read(test.0.join("out/version-2/currentEpoch")).unwrap(), b"1");
    assert_eq!(fs::read_to_string(test.0.join("out/myid")).unwrap(), "1\n");
}

/// Goal: who exports a member is told that its newest txns may not be committed, and what to do; who
/// exports a server that was alone is told nothing.
#[test]
fn a_member_is_exported_with_a_warning() {
    for (server_id, lines) in [(0, 0), (3, 1)] {
        let test = TestDir::new(&format!("tool-member-{server_id}"));
        let mut dir = DataDir::open(&test.0, None, server_id, 0).unwrap();
        let found = recover(&mut dir, &mut Collect::default()).unwrap();
        LogWriter::start(found.log, true, || ()).unwrap().close().unwrap();
        drop(dir);
        let (dir, mut said) = (test.0.display(), Vec::new());
        run_aloud("export", &format!("--data-dir {dir} {dir}/out"), &mut said).unwrap();
        assert_eq!(said.len(), lines, "{said:?}");
        let told = |line: &String| line.contains("server 3") && line.contains("the newest zxid");
        assert!(said.iter().all(told), "{said:?}");
    }
}

#[test]
fn arguments_are_judged_and_verify_tells_by_its_exit_code() {
    let test = written("tool-args");
    let dir = test.0.display();
    assert!(run("verify", &dir.to_string()).unwrap().lines().all(|line| line.starts_with("good")));
    damage(&test, 2, 3);
    assert!(run("verify", &dir.to_string()).unwrap_err().starts_with("1 "));
    let cut = format!("--cut 4336 {}", segment(&test, 2).display());
    assert!(run("log", &cut).unwrap().contains("ends at offset 4336"));
    assert_eq!(run("log", &format!("--from 0xb {dir}")).unwrap().lines().count(), 3);
    for (tool, line) in [
        ("log", "--from x dir"),
        ("log", "--cut 12"),
        ("log", "--cut x file"),
        ("log", ""),
        ("verify", "/nowhere"),
        ("export", ""),
        ("snapshot", "a b"),
        ("snapshot", "--colour"),
    ] {
        let refused = run(tool, line).unwrap_err();
        assert!(refused.starts_with("78 "), "{tool} {line}: {refused}");
    }
    assert!(run("log", "--help").unwrap().contains("--cut"));
}
