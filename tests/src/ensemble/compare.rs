//! Whether the members of an ensemble hold the same: every znode, the newest zxid, the digests.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use zk_wire::{Op, Stat};

use super::word;
use crate::fixture::Conn;
use crate::raw::{Raw, new_session};
use crate::{record, words};

/// How long members may take to hold the same once nobody writes.
const LIMIT: Duration = Duration::from_secs(40);

/// What a member says of the whole tree.
pub type Tree = BTreeMap<String, (Option<Vec<u8>>, Stat, Vec<u8>)>;

/// Each server fills it from its own settings, and it is in nobody's digest.
const CONFIG: &str = "/zookeeper/config";

/// Everything that a server shows after a sync: data, stat, ACL; `None` when it doesn't serve.
pub fn tree(address: SocketAddr) -> Option<Tree> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    let mut raw = Raw::over(stream);
    let session = raw.handshake(&new_session(10_000))?;
    let mut conn = Conn::over(raw, session);
    conn.ok(Op::SYNC, &record::path("/"));
    let (mut tree, mut open) = (Tree::new(), vec!["/".to_owned()]);
    while let Some(path) = open.pop() {
        let (data, stat) = conn.data(&path);
        let acl = conn.ok(Op::GET_ACL, &record::path(&path));
        for name in conn.children(&path) {
            open.push(if path == "/" { format!("/{name}") } else { format!("{path}/{name}") });
        }
        tree.insert(path, (data, stat, acl));
    }
    conn.ok(Op::CLOSE_SESSION, &[]);
    tree.remove(CONFIG);
    Some(tree)
}

/// Digests of the tree by zxid, as the word `hash` tells them.
fn digests(address: SocketAddr) -> BTreeMap<String, String> {
    let text = word(address, "hash").unwrap_or_default();
    let pairs = text.lines().filter_map(|line| line.split_once(": "));
    pairs.map(|(zxid, digest)| (zxid.to_owned(), digest.to_owned())).collect()
}

fn zxid(address: SocketAddr) -> Option<String> {
    let text = word(address, "srvr")?;
    words::field(&text, "Zxid").map(str::to_owned)
}

/// Waits until all servers show the same tree and the same zxid while nobody writes.
///
/// # Panics
/// When they do not come together in time.
pub fn assert_equal_trees(places: &[SocketAddr]) {
    let deadline = Instant::now() + LIMIT;
    loop {
        let trees: Vec<Option<Tree>> = places.iter().map(|place| tree(*place)).collect();
        let zxids: Vec<Option<String>> = places.iter().map(|place| zxid(*place)).collect();
        let same_tree = trees.iter().all(|tree| tree.is_some() && *tree == trees[0]);
        if same_tree && zxids.iter().all(|zxid| zxid.is_some() && *zxid == zxids[0]) {
            return;
        }
        assert!(Instant::now() < deadline, "{zxids:?}: {}", difference(&trees));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// As [`assert_equal_trees`], and holds the digests of the servers against each other. Says at how
/// many zxids all of them told one; who was brought up since may have none.
///
/// # Panics
/// When they do not come together in time, or two digests differ.
pub fn assert_equal(places: &[SocketAddr]) -> usize {
    assert_equal_trees(places);
    let all: Vec<BTreeMap<String, String>> = places.iter().map(|place| digests(*place)).collect();
    let mut common = 0;
    for (zxid, digest) in &all[0] {
        let others: Vec<&String> = all.iter().filter_map(|other| other.get(zxid)).collect();
        assert!(others.iter().all(|other| *other == digest), "digests at {zxid}: {all:?}");
        common += usize::from(others.len() == all.len());
    }
    common
}

/// The first znodes that are not the same everywhere.
fn difference(trees: &[Option<Tree>]) -> String {
    let Some(trees) = trees.iter().map(Option::as_ref).collect::<Option<Vec<&Tree>>>() else {
        let serving: Vec<bool> = trees.iter().map(Option::is_some).collect();
        return format!("not all servers answer: {serving:?}");
    };
    let mut lines = Vec::new();
    let paths: std::collections::BTreeSet<&String> =
        trees.iter().flat_map(|tree| tree.keys()).collect();
    for path in paths {
        let nodes: Vec<_> = trees.iter().map(|tree| tree.get(path)).collect();
        if nodes.iter().any(|node| *node != nodes[0]) {
            lines.push(format!("{path}: {nodes:?}"));
        }
    }
    lines.truncate(8);
    lines.join("\n")
}
