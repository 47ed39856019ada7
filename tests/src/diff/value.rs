//! The raw material of requests: paths, data, ACLs and numbers, good and bad.

use std::collections::VecDeque;

use zk_wire::Writer;

use crate::rng::Rng;

/// Names below which nothing but the test lives. Few, so that requests meet each other.
const NAMES: &[&str] = &["a", "b", "c"];

/// Users with a password; the first is the super user of the servers under test.
pub const USERS: &[&str] = &["super:secret", "ann:pw", "bob:pw", "eve:"];

/// What the servers are told about the super user: `super:` and base64 of the SHA-1 of
/// `super:secret`.
pub const SUPER_DIGEST: &str = "super:lK75jTNcA+U9vtVEw5vB51mj/w4=";

/// A path or another string as bytes; `None` is null.
pub type Text = Option<Vec<u8>>;

/// What has been seen on the reference server, so that requests hit it.
#[derive(Debug, Default)]
pub struct Seen {
    /// Paths of znodes that were created lately.
    pub paths: VecDeque<Vec<u8>>,
    /// The newest zxid.
    pub zxid: i64,
}

impl Seen {
    /// Remembers a path.
    pub fn path(&mut self, path: &[u8]) {
        const KEPT: usize = 60;
        if self.paths.len() == KEPT {
            self.paths.pop_front();
        }
        self.paths.push_back(path.to_vec());
    }
}

/// A path of the small universe.
pub fn plain_path(rng: &mut Rng) -> Vec<u8> {
    let depth = *rng.weighted(&[(4, 1), (4, 2), (2, 3)]);
    (0..depth).flat_map(|_| format!("/{}", rng.pick(NAMES)).into_bytes()).collect()
}

fn reserved_path(rng: &mut Rng) -> Vec<u8> {
    let list: [&[u8]; 9] = [
        b"/",
        b"",
        b"/zookeeper",
        b"/zookeeper/quota",
        b"/zookeeper/config",
        b"/zookeeper/quota/a",
        b"/zookeeper/quota/a/zookeeper_limits",
        b"/zookeeper/quota/a/zookeeper_stats",
        b"/zookeeper/x",
    ];
    rng.pick(&list).to_vec()
}

/// Each class of what a path may not be, and some that look bad and are not.
fn odd_path(rng: &mut Rng) -> Vec<u8> {
    let list: [&[u8]; 38] = [
        b"a",
        b"a/b",
        b"//",
        b"//a",
        b"/a//b",
        b"/a/",
        b"/a/b/",
        b"/.",
        b"/..",
        b"/a/.",
        b"/a/..",
        b"/a/./b",
        b"/a/../b",
        b"/...",
        b"/.a",
        b"/a.",
        b"/a..b",
        b"/a\0",
        b"/\0/a",
        b"/\x01",
        b"/a\x1f",
        b"/ ",
        b"/a b",
        b"/a\x7f",
        "/\u{80}".as_bytes(),
        "/\u{9f}".as_bytes(),
        "/\u{a0}".as_bytes(),
        "/\u{e9}".as_bytes(),
        "/\u{200b}".as_bytes(),
        "/\u{d7ff}".as_bytes(),
        "/\u{e000}".as_bytes(),
        "/\u{f8ff}".as_bytes(),
        "/\u{f900}".as_bytes(),
        "/\u{ffef}".as_bytes(),
        "/\u{fff0}".as_bytes(),
        "/\u{1f600}".as_bytes(),
        b"/\xff\xfe",
        b"/\xed\xa0\x80",
    ];
    rng.pick(&list).to_vec()
}

/// Any path, mostly one that may exist.
pub fn path(rng: &mut Rng, seen: &Seen) -> Text {
    Some(match rng.below(100) {
        0..=59 => plain_path(rng),
        60..=81 if !seen.paths.is_empty() => seen.paths[rng.below(seen.paths.len())].clone(),
        82..=88 => reserved_path(rng),
        89..=95 => odd_path(rng),
        96..=97 => {
            let mut path = plain_path(rng);
            path.push(b'/');
            path
        }
        98 => return None,
        _ => plain_path(rng),
    })
}

/// Data of a znode.
pub fn data(rng: &mut Rng) -> Text {
    match rng.below(20) {
        0..=1 => None,
        2..=4 => Some(Vec::new()),
        5 => {
            let count = rng.below(5000);
            Some(rng.bytes(count))
        }
        _ => {
            let count = rng.below(40);
            Some(rng.bytes(count))
        }
    }
}

/// Limits of a quota as the shells of several releases write them.
pub fn quota_text(rng: &mut Rng) -> Vec<u8> {
    let list = [
        "count=5,bytes=-1",
        "count=-1,bytes=60",
        "count=3,bytes=40",
        "count=-1,bytes=-1=;byteHardLimit=60;countHardLimit=6",
        "count=2,bytes=20=;byteHardLimit=90",
        "count=-1,bytes=-1=;countHardLimit=4",
        "count=0,bytes=0",
        "count=-1,bytes=-1",
    ];
    rng.pick(&list).as_bytes().to_vec()
}

/// An expected version, often the one that a znode has.
pub fn version(rng: &mut Rng) -> i32 {
    *rng.weighted(&[
        (10, -1),
        (5, 0),
        (3, 1),
        (2, 2),
        (1, 3),
        (1, -2),
        (1, i32::MAX),
        (1, i32::MIN),
    ])
}

fn word<'a>(rng: &mut Rng, list: &[&'a str]) -> &'a str {
    list[rng.below(list.len())]
}

fn ip_id(rng: &mut Rng) -> &'static str {
    let list = [
        "127.0.0.1",
        "127.0.0.1/32",
        "127.0.0.0/8",
        "10.0.0.1",
        "0.0.0.0/0",
        "127.0.0.1/33",
        "127.0.0.1/-1",
        "127.0.0",
        "256.0.0.1",
        "127.0.0.1/x",
        "::1",
        "::1/128",
        "fe80::/10",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7",
        "::1/129",
        "localhost",
        "",
        "127.0.0.1/",
        "01.02.03.04",
    ];
    word(rng, &list)
}

/// Scheme and id of an ACL entry.
fn identity(rng: &mut Rng) -> (Text, Text) {
    let some = |text: &str| Some(text.as_bytes().to_vec());
    match rng.below(40) {
        0..=15 => (some("world"), some("anyone")),
        16..=20 => (some("auth"), some(word(rng, &["", "x"]))),
        21..=25 => {
            // The ids of ann:pw and bob:pw, and texts that are none.
            let ids = [
                "ann:RYbu6l5aZwqon8VWmkcGvezdzfc=",
                "bob:ikIaKsbtGweaHnb/jKn7OHqbunM=",
                "a:b",
                "a:b:",
                "a",
                "a:",
                ":b",
                "a:b:c",
                "",
            ];
            (some("digest"), some(word(rng, &ids)))
        }
        26..=31 => (some("ip"), some(ip_id(rng))),
        32 => (some("world"), some("other")),
        33 => (some("super"), some("")),
        34 => (some("unknown"), some("x")),
        35 => (some("sasl"), some("ann")),
        36 => (None, some("anyone")),
        37 => (some("world"), None),
        38 => (some(word(rng, &["digest", "ip", "auth"])), None),
        _ => (some(word(rng, &["", "x509", "ensemble", "key"])), some("x")),
    }
}

/// Appends an ACL vector of any shape.
pub fn put_acl(rng: &mut Rng, out: &mut Vec<u8>) {
    if rng.below(10) < 6 {
        return put_open_acl(out);
    }
    let count = *rng.weighted(&[(1, -1), (1, 0), (12, 1), (5, 2), (2, 3)]);
    out.put_int(count);
    let mut last = Vec::new();
    for _ in 0..count.max(0) {
        if !last.is_empty() && rng.one_in(4) {
            out.extend_from_slice(&last);
            continue;
        }
        let mut entry = Vec::new();
        entry.put_int(*rng.weighted(&[
            (8, 31),
            (3, 1),
            (2, 4),
            (1, 8),
            (1, 16),
            (1, 3),
            (1, 0),
            (1, -1),
        ]));
        let (scheme, id) = identity(rng);
        entry.put_buffer(scheme.as_deref());
        entry.put_buffer(id.as_deref());
        out.extend_from_slice(&entry);
        last = entry;
    }
}

/// Appends `world:anyone` with all permissions.
pub fn put_open_acl(out: &mut Vec<u8>) {
    zk_wire::Acl::encode_list(&zk_wire::Acl::open(), out);
}

/// A vector of paths; rarely null, or with a null in it.
pub fn put_paths(rng: &mut Rng, out: &mut Vec<u8>) {
    let count = *rng.weighted(&[(60, 0), (30, 1), (20, 2), (10, 4), (1, -1), (1, -2)]);
    out.put_int(count);
    for _ in 0..count.max(0) {
        match rng.below(80) {
            0 => out.put_int(-1),
            1..=4 => out.put_buffer(Some(&odd_path(rng))),
            5..=8 => out.put_buffer(Some(&reserved_path(rng))),
            _ => out.put_buffer(Some(&plain_path(rng))),
        }
    }
}

/// The body of an auth packet. Many of them end the connection.
pub fn put_auth(rng: &mut Rng, out: &mut Vec<u8>) {
    out.put_int(rng.below(3) as i32);
    let (scheme, auth): (Option<&str>, Option<Vec<u8>>) = match rng.below(24) {
        0..=12 => (Some("digest"), Some(rng.pick(USERS).as_bytes().to_vec())),
        13 => (Some("digest"), Some(b"nocolon".to_vec())),
        14 => (Some("digest"), Some(b"a:b:c".to_vec())),
        15 => (Some("digest"), Some(b"\xff\xfe:x".to_vec())),
        16 => (Some("digest"), None),
        17 => (Some("digest"), Some(Vec::new())),
        18 => (Some("ip"), Some(b"10.1.1.1".to_vec())),
        19 => (Some("world"), Some(b"anyone".to_vec())),
        20 => (Some(word(rng, &["auth", "super", "sasl", "x509", "ensemble"])), Some(Vec::new())),
        21 => (None, Some(b"x".to_vec())),
        22 => (Some("unknown"), Some(b"x".to_vec())),
        _ => (Some(""), None),
    };
    out.put_ustring(scheme);
    out.put_buffer(auth.as_deref());
}
