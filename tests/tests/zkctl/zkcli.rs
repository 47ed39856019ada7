//! `--format zkcli` beside the genuine zkCli.sh of 3.9.
//!
//! Goal: a script that reads what zkCli.sh prints reads the same from zkctl.
//! Method: both run the same lines on the same server, each below a znode of its own, and print the
//! same to standard output and standard error: names of those znodes, zxids, and times of writes
//! are made equal before. What was written before is read by both without that. Watch events are
//! printed by a thread of their own there, and are compared apart.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use zk_tests::server::{Kind, Server};
use zk_tests::tools::{self, Release};

use crate::{Ran, binary, finish, good, server};

/// Lines with `@` for a znode of their own. Nothing that ends zkCli.sh with a stack trace.
const LINES: &str = "create @ data0\n\
create -s @/s- x\ncreate -e @/e x\ncreate -c @/c\ncreate -t 60000 @/t x\ncreate @ data1\n\
create @/none/x y\ncreate @/e/x y\ncreate -c -e @/x y\ncreate -t 0 @/x y\ncreate -t -5 @/x\n\
create -t a @/x\ncreate -e -t 5 @/x\ncreate -q @/x\ncreate\ncreate j x\ncreate @/ x\n\
create @//a x\ncreate @/./a x\ncreate @/x y foo\ncreate @/acl x world:anyone:r,ip:127.0.0.1:cdrwa\n\
create \"@/a b\" 'c d'\nget \"@/a b\"\n\
ls @\nls -s @\nls -R @\nls\nls j\nls @/nothing\nls @ foo\nls -? @\n\
get -s -w @\nget -b @\nget -x @\nget -sx @\nget @/c\nget\nget @/nothing\nget -z @\nget @ watch\n\
set @ data1\nset -s -v 1 @ data2\nset -v 7 @ data2\nset -b @ ZGF0YQ==\nset @\nset @/nothing x\n\
stat @\nstat -w @\nstat @/nothing\nstat\nstat @ watch\n\
addWatch -m PERSISTENT_RECURSIVE @\naddWatch -m FOO @\naddWatch @ @\ncreate @/w 1\nset @/w 2\n\
delete @/w\ndelete @\ndelete -v 5 @/t\ndelete @/t 5\ndelete\ndelete @/nothing\n\
removewatches @\nremovewatches @\nremovewatches -c @\nremovewatches\n\
getAcl @\ngetAcl @/acl\naddauth digest ann:pw\naddauth\nsetAcl @ auth::cdrwa\nsetAcl @ foo\n\
setAcl -v 9 @ world:anyone:cdrwa\nsetAcl -s @/c world:anyone:xcdrwa\n\
setAcl -R @/c world:anyone:cdrwa\nsetAcl @\ngetAcl -s @\ngetAcl\nwhoami\n\
getEphemerals @\ngetAllChildrenNumber @\ngetAllChildrenNumber\n\
setquota -N 16 @\nsetquota -n 2 @\nsetquota -b 2 @\nsetquota -B 900 @\nsetquota -n 0 @\n\
setquota -b -1 @\nsetquota -n x @\nsetquota @\nsetquota -n 3 @/nothing\nsetquota -n 3 @/c\n\
setquota -n 4 /zookeeper/quota/x\nlistquota @\nlistquota @/nothing\nlistquota\n\
delquota -N @\ndelquota -n @\nlistquota @\ndelquota @\ndelquota @\ndelquota\n\
sync @\nsync\nversion x\nconfig\nconfig -c\nconfig -s\n\
reconfig -add 1\nreconfig\nreconfig -remove 1\nreconfig -v zz -remove 1\n\
reconfig -remove 1 -members a\nreconfig -file /no -members a\n\
history\nredo 21\nredo 900\nprintwatches\nprintwatches off\nprintwatches on\nfoo bar\n\
deleteall @\ndeleteall @\ndeleteall\nget @\nclose\nls /\nquit\n";

/// Lines that read only.
const READS: &str = "get -s /read\nget -x /read\nget -b /read\nls -s /read\nls -R /read\n\
stat /read/a\ngetAcl -s /read\ngetAllChildrenNumber /read\nlistquota /read\nquit\n";

/// The genuine one, as its script starts it, but without its log.
fn genuine(home: &std::path::Path) -> Option<Command> {
    let class_path = tools::need(tools::class_path(Release::Apache39))?;
    let log = home.join("silent.xml");
    let text =
        "<Configuration status=\"OFF\"><Loggers><Root level=\"OFF\"/></Loggers></Configuration>";
    std::fs::write(&log, text).expect("a test can write its files");
    let mut command = Command::new("java");
    command.args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    command.arg(format!("-Dlog4j2.configurationFile={}", log.display()));
    command.args(["-cp", &class_path, "org.apache.zookeeper.ZooKeeperMain", "-server"]);
    Some(command)
}

fn ours() -> Command {
    let mut command = Command::new(binary());
    command.env_remove("ZKCTL_SERVERS").env_remove("ZKCTL_AUTH").args(["--format", "zkcli"]);
    command.arg("-s");
    command
}

/// Runs with lines on standard input, or with a command of its own.
fn run(mut command: Command, server: &Server, words: &[&str], lines: &str) -> Ran {
    command.arg(server.address().to_string()).args(words).env("TZ", "Europe/Berlin");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut stdin = child.stdin.take().expect("it was piped");
    // Who was given a command does not read.
    let _ = stdin.write_all(lines.as_bytes());
    drop(stdin);
    finish(child)
}

/// Takes the events out of what was printed.
fn events(out: &str) -> (String, Vec<String>) {
    let mut rest = String::new();
    let mut found = Vec::new();
    let mut skipped = false;
    for line in out.lines() {
        match line {
            "" | "WATCHER::" => skipped = true,
            line if line.starts_with("WatchedEvent") => found.push(line.to_owned()),
            line => {
                rest.push_str(line);
                rest.push('\n');
            }
        }
    }
    assert!(skipped, "there are events in every run");
    (rest, found)
}

/// Zxids by their order, times as one.
fn level(text: &str, root: &str) -> String {
    let text = text.replace(root, "@");
    let mut zxids = BTreeMap::new();
    let zxid = |line: &str| {
        let (name, value) = line.split_once("Zxid = 0x")?;
        ["c", "m", "p"].contains(&name).then(|| i64::from_str_radix(value, 16).expect("hex"))
    };
    zxids.extend(text.lines().filter_map(zxid).map(|zxid| (zxid, 0)));
    zxids.values_mut().enumerate().for_each(|(at, rank)| *rank = at);
    let mut out = String::new();
    for line in text.lines() {
        match (zxid(line), line.starts_with("ctime = ") || line.starts_with("mtime = ")) {
            (Some(zxid), _) => out.push_str(&format!("{}Zxid = {}", &line[..1], zxids[&zxid])),
            (None, true) => out.push_str(&format!("{}time", &line[..1])),
            (None, false) => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// Events without their zxids.
fn kinds(events: &[String], root: &str) -> Vec<String> {
    let cut = |event: &String| {
        let event = event.split(" zxid: ").next().unwrap_or_default();
        event.replace(root, "@")
    };
    let mut kinds: Vec<String> = events.iter().map(cut).collect();
    // Two threads of Java's client: which of a removed watch and a change comes first is chance.
    kinds.sort();
    kinds
}

fn differs(what: &str, left: &str, right: &str) {
    for (at, (left, right)) in left.lines().zip(right.lines()).enumerate() {
        assert_eq!(left, right, "{what}, line {}: zkCli.sh left, zkctl right", at + 1);
    }
    assert_eq!(left.lines().count(), right.lines().count(), "{what}: {left}\n----\n{right}");
}

fn compare(server: &Server) {
    let Some(java) = genuine(server.home()) else { return };
    let theirs = run(java, server, &[], &LINES.replace('@', "/theirs"));
    let our = run(ours(), server, &[], &LINES.replace('@', "/oursss"));
    let ((out, events_of), (our_out, our_events)) = (events(&theirs.out), events(&our.out));
    differs("standard output", &level(&out, "/theirs"), &level(&our_out, "/oursss"));
    differs(
        "standard error",
        &theirs.error.replace("/theirs", "@"),
        &our.error.replace("/oursss", "@"),
    );
    assert_eq!(kinds(&events_of, "/theirs"), kinds(&our_events, "/oursss"));
    assert_eq!(theirs.exit, our.exit);
    assert!(out.lines().count() > 150, "the lines were done: {out}");

    good(server, &["create", "/read", "0123456789abcdefghi"]);
    good(server, &["create", "-p", "/read/a/b", "x"]);
    good(server, &["quota", "set", "-n", "100", "/read"]);
    let java = genuine(server.home()).expect("it was there before");
    let theirs = run(java, server, &[], READS);
    let our = run(ours(), server, &[], READS);
    differs("what is read", &events(&theirs.out).0, &events(&our.out).0);
    assert_eq!((theirs.error, theirs.exit), (our.error, our.exit));

    for words in [&["get", "-s", "/read"][..], &["ls", "/none"], &["fly"], &["create"]] {
        let java = genuine(server.home()).expect("it was there before");
        let theirs = run(java, server, words, "");
        let our = run(ours(), server, words, "");
        let text = |ran: &Ran| events(&format!("{}\n\n", ran.out)).0;
        differs(&words.join(" "), &text(&theirs), &text(&our));
        assert_eq!((theirs.error, theirs.exit), (our.error, our.exit), "{words:?}");
    }
}

#[test]
fn prints_what_zkcli_prints_on_ours() {
    let Some(server) = server(Kind::Ours) else { return };
    compare(&server);
}

#[test]
fn prints_what_zkcli_prints_on_apaches() {
    let Some(server) = server(Kind::Apache(Release::Apache39)) else { return };
    compare(&server);
}

#[test]
fn its_name_alone_makes_it_a_zkcli() {
    let Some(server) = server(Kind::Ours) else { return };
    let home = zk_tests::scratch::Scratch::new("zkcli");
    let link = home.path().join("zkCli.sh");
    std::os::unix::fs::symlink(binary(), &link).expect("a test can make its links");
    let mut command = Command::new(&link);
    command.env_remove("ZKCTL_SERVERS").args(["-timeout", "5000", "-server"]);
    let ran = run(command, &server, &["ls", "/"], "");
    assert_eq!((ran.exit, ran.error.as_str()), (0, ""), "{ran:?}");
    assert!(ran.out.ends_with("\n[zookeeper]\n"), "{ran:?}");
    let address = server.address();
    assert!(ran.out.starts_with(&format!("Connecting to {address}\n")), "{ran:?}");
}
