//! Group O: data directories that genuine servers from 3.4 to 3.7 wrote, which stand in
//! `tests/fixtures` with what those servers said of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zk_tests::fixture::Conn;
use zk_tests::record;
use zk_tests::server::{Kind, Options, Server};
use zk_tests::tools;
use zk_wire::connect::ConnectResponse;
use zk_wire::{Acl, Code, Op, Reader, Stat};

/// A znode as its server told it.
#[derive(Debug, PartialEq, Eq)]
struct Znode {
    data: Option<Vec<u8>>,
    stat: Stat,
    acl: Vec<Acl>,
}

/// A directory and what its server said.
struct Old {
    folder: PathBuf,
    /// Sessions by what became of them.
    sessions: BTreeMap<String, (i64, Vec<u8>)>,
    znodes: BTreeMap<String, Znode>,
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("text"), 16);
    digits.map(|digits| pair(digits).expect("a hexadecimal number")).collect()
}

fn stat(text: &str) -> Stat {
    let numbers: Vec<i64> = text.split(' ').map(|n| n.parse().expect("a number")).collect();
    let small = |index: usize| i32::try_from(numbers[index]).expect("an int");
    Stat {
        czxid: numbers[0],
        mzxid: numbers[1],
        ctime_ms: numbers[2],
        mtime_ms: numbers[3],
        version: small(4),
        cversion: small(5),
        aversion: small(6),
        ephemeral_owner: numbers[7],
        data_length: small(8),
        num_children: small(9),
        pzxid: numbers[10],
    }
}

fn acl(text: &str) -> Vec<Acl> {
    let one = |text: &str| {
        let mut parts = text.splitn(3, ':');
        let mut next = || parts.next().expect("three parts");
        let perms = next().parse().expect("a number");
        Acl::new(perms, next(), next())
    };
    text.split(',').map(one).collect()
}

impl Old {
    fn read(name: &str) -> Old {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
        let text = std::fs::read_to_string(folder.join("told.txt")).expect("it is in the tree");
        let mut old = Old { folder, sessions: BTreeMap::new(), znodes: BTreeMap::new() };
        for line in text.lines() {
            let words: Vec<&str> = line.split('\t').collect();
            match words[..] {
                ["session", kind, id, password] => {
                    let id = id.parse().expect("a number");
                    old.sessions.insert(kind.to_owned(), (id, bytes(password)));
                }
                ["znode", path, data, numbers, list] => {
                    let data = data.strip_prefix('x').map(bytes);
                    let znode = Znode { data, stat: stat(numbers), acl: acl(list) };
                    old.znodes.insert(path.to_owned(), znode);
                }
                _ => assert_eq!(words[0], "version", "{line}"),
            }
        }
        assert!(old.sessions.len() == 3 && old.znodes.len() > 40, "{name} tells too little");
        old
    }

    /// The files of the directory, by path from it.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let dir = self.folder.join("data/version-2");
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (format!("version-2/{name}"), std::fs::read(&path).expect("a readable file"))
        };
        let mut files: Vec<_> = std::fs::read_dir(dir).expect("in the tree").map(read).collect();
        files.sort();
        files
    }

    fn reattach(&self, server: &Server, kind: &str) -> Conn {
        let (session_id, password) = self.sessions[kind].clone();
        let old = ConnectResponse { session_id, password, ..Conn::open(server.address()).session };
        Conn::reattach(server.address(), &old, 20_000).expect("an answer")
    }

    /// What a new server tells of this directory: ours makes /zookeeper/config where there is none
    /// yet. A genuine standalone server goes without.
    fn expected(mut self, kind: Kind) -> BTreeMap<String, Znode> {
        if !kind.is_apache() && !self.znodes.contains_key("/zookeeper/config") {
            let stat = Stat { aversion: -1, ..Stat::default() };
            let acl = vec![Acl::new(1, "world", "anyone")];
            self.znodes.insert("/zookeeper/config".to_owned(), Znode { data: None, stat, acl });
            let parent = &mut self.znodes.get_mut("/zookeeper").expect("always there").stat;
            parent.num_children += 1;
            parent.cversion -= 1;
        }
        self.znodes
    }
}

fn walk(conn: &mut Conn, path: &str, out: &mut BTreeMap<String, Znode>) {
    let (data, stat) = conn.data(path);
    let body = conn.ok(Op::GET_ACL, &record::path(path));
    let acl = Acl::decode_some(&mut Reader::new(&body)).expect("a list");
    out.insert(path.to_owned(), Znode { data, stat, acl });
    for name in conn.children(path) {
        walk(conn, &format!("{}/{name}", path.trim_end_matches('/')), out);
    }
}

/// Quota usage is no znode's own data: it is counted anew at each start.
fn without_usage(mut znodes: BTreeMap<String, Znode>) -> BTreeMap<String, Znode> {
    let usage = znodes.get_mut("/zookeeper/quota/q/zookeeper_stats").expect("a quota was set");
    let text = String::from_utf8(usage.data.take().expect("text")).expect("text");
    assert!(text.starts_with("count=30,bytes=13"), "usage of /q and the 29 below it: {text}");
    usage.stat.data_length = 0;
    znodes
}

fn holds(server: &Server, old: Old) {
    let mut conn = Conn::open(server.address());
    conn.ok(Op::AUTH, &record::auth("digest", b"ann:secret"));
    let mut found = BTreeMap::new();
    walk(&mut conn, "/", &mut found);
    let mut owner = old.reattach(server, "owner");
    assert_eq!(owner.session.session_id, old.sessions["owner"].0, "its password is still good");
    let alive = old.reattach(server, "alive");
    assert_eq!(alive.session.session_id, old.sessions["alive"].0);
    assert_eq!(old.reattach(server, "closed").session.session_id, 0, "it was closed");
    assert_eq!(conn.stat("/owned").ephemeral_owner, owner.session.session_id);
    let (found, expected) = (without_usage(found), without_usage(old.expected(server.kind())));
    let paths = |znodes: &BTreeMap<String, Znode>| znodes.keys().cloned().collect::<Vec<_>>();
    assert_eq!(paths(&found), paths(&expected));
    for (path, znode) in &expected {
        let mut znode = znode;
        let without_data;
        if path == "/zookeeper/config" {
            // Empty or null: it has no data of a client's.
            without_data = Znode { data: found[path].data.clone(), ..clone(znode) };
            znode = &without_data;
        }
        assert_eq!(&found[path], znode, "{path}");
    }
    let mut stranger = Conn::open(server.address());
    let read = record::path_watch("/acl/mine", false);
    assert_eq!(stranger.code(Op::GET_DATA, &read), Code::NO_AUTH);
    // 32 were created below /q: 30, one for the quota, one ephemeral.
    assert_eq!(stranger.create("/q/n", 2), "/q/n0000000032");
    owner.ok(Op::CLOSE_SESSION, &[]);
    let gone = record::path_watch("/owned", false);
    assert_eq!(stranger.code(Op::EXISTS, &gone), Code::NO_NODE, "it went with its owner");
}

fn clone(znode: &Znode) -> Znode {
    Znode { data: znode.data.clone(), stat: znode.stat, acl: znode.acl.clone() }
}

fn is_read_in_place(name: &str) {
    let old = Old::read(name);
    let files = old.files();
    let mut options = Options::new(Kind::from_env());
    options.files.clone_from(&files);
    let Some(mut server) = tools::need(Server::start(options)) else { return };
    holds(&server, old);
    if server.kind().is_apache() {
        return;
    }
    let dir = server.home().join("data/version-2");
    let now = std::fs::read_dir(&dir).expect("still there").count();
    assert_eq!(now, files.len(), "nothing was added to the old directory");
    for (path, bytes) in &files {
        let now = std::fs::read(server.home().join("data").join(path)).expect("still there");
        assert_eq!(&now, bytes, "{path} was touched");
    }
    server.restart();
    assert_eq!(Conn::open(server.address()).create("/q/n", 2), "/q/n0000000033");
}

/// O19: 3.4.6, plain snapshots.
#[test]
fn a_directory_of_3_4_6_is_read() {
    is_read_in_place("apache-3.4.6");
}

/// O19: the last 3.4.
#[test]
fn a_directory_of_3_4_14_is_read() {
    is_read_in_place("apache-3.4.14");
}

/// O19: 3.5, with containers and TTLs.
#[test]
fn a_directory_of_3_5_is_read() {
    is_read_in_place("apache-3.5.9");
}

/// O18, O19: 3.6, with digests and snappy.
#[test]
fn a_directory_of_3_6_is_read() {
    is_read_in_place("apache-3.6.2");
}

/// O18, O19: 3.7, with digests and gzip.
#[test]
fn a_directory_of_3_7_is_read() {
    is_read_in_place("apache-3.7.1");
}
