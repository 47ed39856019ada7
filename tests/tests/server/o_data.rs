//! Group O: data directories of other servers, and states that take years to reach.

use std::time::Duration;

use zk_agent::disk::apache::export::ApacheSnapshotWriter;
use zk_tests::fixture::{Conn, created, stat_of};
use zk_tests::record;
use zk_tests::server::{Kind, Options, Server, our_binary};
use zk_tests::tools::{self, Release};
use zk_wire::{Acl, Code, Op, StatPersisted, Zxid};

use crate::server;

/// A znode of a crafted snapshot: path and what is unusual about it.
type Crafted<'a> = (&'a str, StatPersisted);

/// An Apache snapshot at zxid 0x10 that holds these znodes besides the usual ones.
fn snapshot(znodes: &[Crafted<'_>]) -> Vec<u8> {
    let mut writer = ApacheSnapshotWriter::new(Vec::new(), [].into_iter()).expect("memory");
    writer.acls([].into_iter()).expect("memory");
    let usual = ["", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"];
    for path in usual {
        let stat = StatPersisted::default();
        writer.znode(path, Some(b""), -1, &stat).expect("memory");
    }
    for (path, stat) in znodes {
        writer.znode(path, Some(b""), -1, stat).expect("memory");
    }
    writer.finish(Zxid(0x10), None).expect("memory")
}

fn with(options: Options, znodes: &[Crafted<'_>]) -> Options {
    // Without a log beside it, a genuine server wants to be told that it may trust the snapshot.
    options
        .file("version-2/snapshot.10", snapshot(znodes))
        .line("snapshot.trust.empty=true")
        .property("zookeeper.snapshot.trust.empty", "true")
}

/// D7: the number behind a name stops at the largest one; the next create collides.
#[test]
fn sequential_numbers_end() {
    let stat = StatPersisted { cversion: i32::MAX - 1, ..StatPersisted::default() };
    let server = server!(|options| with(options, &[("/q", stat)]));
    let mut conn = Conn::open(server.address());
    assert_eq!(conn.create("/q/n", 2), "/q/n2147483646");
    assert_eq!(conn.create("/q/n", 2), "/q/n2147483647");
    assert_eq!(conn.code(Op::CREATE, &record::create("/q/n", b"", 2)), Code::NODE_EXISTS);
}

/// E7: versions wrap around and leave out -1, which would mean any: as Apache's servers do after
/// 3.9, which still counts on to -1.
#[test]
fn versions_leave_out_minus_one() {
    let at = |version| StatPersisted { version, aversion: version, ..StatPersisted::default() };
    let server = server!(|options| with(options, &[("/a", at(-2)), ("/b", at(i32::MAX))]));
    let mut conn = Conn::open(server.address());
    let after = if server.kind().is_apache() { -1 } else { 0 };
    let mut set = |path: &str, version| {
        stat_of(&conn.ok(Op::SET_DATA, &record::set_data(path, Some(b""), version))).version
    };
    assert_eq!(set("/a", -2), after);
    assert_eq!(set("/b", i32::MAX), i32::MIN);
    let body = conn.ok(Op::SET_ACL, &record::set_acl("/a", &Acl::open(), -2));
    assert_eq!(stat_of(&body).aversion, after);
}

/// D21: TTL znodes of 3.5.3, which have no mark in the owner, when they are asked for.
#[test]
fn old_ttl_znodes_are_known() {
    let check = "znode.container.checkIntervalMs";
    let owner = (0x8000_0000_0000_0000u64 | 300) as i64;
    let stat = StatPersisted { ephemeral_owner: owner, ..StatPersisted::default() };
    let server = server!(|options| {
        with(options, &[("/old", stat)])
            .line("emulate353TTLNodes=true")
            .line(&format!("{check}=600000"))
            .property(check, "600000")
    });
    let mut conn = Conn::open(server.address());
    assert_eq!(conn.stat("/old").ephemeral_owner, 0);
    conn.create("/old/child", 0);
}

/// A genuine server that has written something of everything, ended; and the session that owns its
/// ephemeral.
fn written(lines: &[&str]) -> Option<(Server, zk_wire::connect::ConnectResponse)> {
    let mut options = Options::new(Kind::Apache(Release::Apache39));
    for line in lines {
        options = options.line(line);
    }
    let mut server = tools::need(Server::start(options))?;
    let mut conn = Conn::open(server.address());
    conn.create("/q", 0);
    for _ in 0..40 {
        conn.create("/q/n", 2);
    }
    conn.ok(Op::DELETE, &record::path_int("/q/n0000000007", -1));
    conn.ok(Op::SET_DATA, &record::set_data("/q", Some(b"data"), -1));
    conn.ok(Op::AUTH, &record::auth("digest", b"ann:pw"));
    let mine = [Acl::new(31, "auth", "")];
    conn.ok(Op::CREATE, &record::create_acl("/mine", None, &mine, 0));
    conn.ok(Op::CREATE_CONTAINER, &record::create("/c", b"", 4));
    conn.ok(Op::CREATE_TTL, &record::create_ttl("/t", 5, 86_400_000));
    conn.create("/e", 1);
    let session = conn.session;
    server.terminate(Duration::from_secs(20));
    Some((server, session))
}

fn holds_everything(server: &Server, session: &zk_wire::connect::ConnectResponse) {
    let mut conn = Conn::reattach(server.address(), session, 30_000).expect("an answer");
    assert_eq!(conn.session.session_id, session.session_id, "the session goes on");
    assert_eq!(conn.children("/"), ["c", "e", "mine", "q", "t", "zookeeper"]);
    assert_eq!(conn.stat("/e").ephemeral_owner, session.session_id);
    let (data, stat) = conn.data("/q");
    assert_eq!(data, Some(b"data".to_vec()));
    assert_eq!((stat.version, stat.cversion, stat.num_children), (1, 41, 39));
    assert_eq!(conn.code(Op::GET_DATA, &record::path_watch("/mine", false)), Code::NO_AUTH);
    conn.ok(Op::AUTH, &record::auth("digest", b"ann:pw"));
    assert_eq!(conn.data("/mine").0, None);
    let (path, _) = created(&conn.ok(Op::CREATE2, &record::create("/q/n", b"", 2)));
    assert_eq!(path, "/q/n0000000040");
}

/// O18, O19: a directory of a genuine server is read in place, whatever its snapshots are packed
/// with, and its files are left as they are.
#[test]
fn directories_of_genuine_servers_are_read() {
    for lines in [
        &[][..],
        &["snapCount=12"],
        &["snapCount=12", "snapshot.compression.method=gz"],
        &["snapCount=12", "snapshot.compression.method=snappy"],
    ] {
        let Some((theirs, session)) = written(lines) else { return };
        let options = Options::new(Kind::Ours).data_of(&theirs);
        let before = options.files.clone();
        let Some(mut ours) = tools::need(Server::start(options)) else { return };
        holds_everything(&ours, &session);
        for (path, bytes) in before.iter().filter(|(path, _)| path.starts_with("version-2/")) {
            let now = std::fs::read(ours.home().join("data").join(path)).expect("still there");
            assert_eq!(&now, bytes, "{path} was touched");
        }
        ours.restart();
        let mut conn = Conn::open(ours.address());
        assert_eq!(conn.stat("/q").num_children, 40);
    }
}

/// O19: a genuine server starts from what ours exports.
#[test]
fn genuine_servers_read_what_is_exported() {
    let Some((theirs, session)) = written(&[]) else { return };
    let Some(mut ours) = tools::need(Server::start(Options::new(Kind::Ours).data_of(&theirs)))
    else {
        return;
    };
    let mut conn = Conn::open(ours.address());
    conn.create("/q/extra", 0);
    conn.ok(Op::DELETE, &record::path_int("/q/extra", -1));
    ours.terminate(Duration::from_secs(10));
    let out = ours.home().join("exported");
    let export = std::process::Command::new(our_binary().expect("built before"))
        .arg("export")
        .arg(&out)
        .arg("--config")
        .arg(ours.home().join("zoo.cfg"))
        .output()
        .expect("it runs");
    assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
    let mut options = Options::new(Kind::Apache(Release::Apache39))
        .line("snapshot.trust.empty=true")
        .property("zookeeper.snapshot.trust.empty", "true");
    let mut folders = vec![out.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&out).expect("below").to_string_lossy().into_owned();
            options = options.file(&name, std::fs::read(&path).expect("a file"));
        }
    }
    let Some(back) = tools::need(Server::start(options)) else { return };
    let mut conn = Conn::reattach(back.address(), &session, 30_000).expect("an answer");
    assert_eq!(conn.session.session_id, session.session_id);
    assert_eq!(conn.children("/"), ["c", "e", "mine", "q", "t", "zookeeper"]);
    assert_eq!(conn.stat("/q").cversion, 43);
    assert_eq!(conn.create("/q/n", 2), "/q/n0000000041");
}

/// O17: logs among the snapshots are a mix-up when there is another directory for logs, and refused.
#[test]
fn logs_among_the_snapshots_are_a_mix_up() {
    let Some((theirs, _)) = written(&[]) else { return };
    let logs = theirs.home().join("elsewhere");
    let options = Options::new(Kind::from_env())
        .data_of(&theirs)
        .line(&format!("dataLogDir={}", logs.display()));
    let Some(output) = tools::need(Server::refusal(options)) else { return };
    assert!(output.contains("log"), "{output}");
}
