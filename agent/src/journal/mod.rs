//! The journal's own protocol: a line with its fields as one datagram, instead of text on stderr.
//!
//! Used when stderr leads to the journal (`JOURNAL_STREAM`), so that a shell or `docker logs` still get
//! text. Never waits: what the journal does not take at once is the caller's to count. A line is
//! bounded far below the size of a datagram, so nothing ever has to go through a memory file.
//!
//! Fields come out of the line itself, which has the form `room: event key=value`, in one place.

pub mod events;

use std::fmt::Write;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use log::{Level, Record};
use nix::sys::stat::fstat;

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";
/// Longest line: the least buffer of a datagram socket is 200 KiB.
pub const LINE_BYTES_MAX: usize = 32 << 10;
/// Pairs of a line that are looked at, and the longest value that becomes a field.
const PAIRS_MAX: usize = 32;
const VALUE_BYTES_MAX: usize = 4096;
/// No id: a server that is alone.
const NO_ID: i64 = i64::MIN;

static SERVER_ID: AtomicI64 = AtomicI64::new(NO_ID);

/// This server's id goes into each entry from now on.
pub fn set_server_id(id: i64) {
    SERVER_ID.store(id, Ordering::Relaxed);
}

/// The journal.
#[derive(Debug)]
pub struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Journal {
    /// The journal, if stderr leads to it.
    pub fn of_stderr() -> Option<Journal> {
        let stream = std::env::var("JOURNAL_STREAM").ok()?;
        let journal = leads_to(&stream).then(|| Journal::at(Path::new(SOCKET)));
        journal.and_then(Result::ok)
    }

    /// The journal that listens at a path.
    ///
    /// # Errors
    /// When no socket can be made, or nobody listens there.
    pub fn at(path: &Path) -> io::Result<Journal> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        let journal = Journal { socket, path: path.to_owned() };
        // An empty entry is none: the journal passes it over.
        journal.socket.send_to(b"", path)?;
        Ok(journal)
    }

    /// Whether the entry was taken.
    pub fn put(&self, entry: &[u8]) -> bool {
        // By its path each time: the journal may have been started anew.
        self.socket.send_to(entry, &self.path).is_ok()
    }
}

/// Whether stderr is the stream that the variable names, `device:inode`.
fn leads_to(stream: &str) -> bool {
    let Some((device, inode)) = stream.split_once(':') else { return false };
    fstat(io::stderr())
        .is_ok_and(|stat| device.parse() == Ok(stat.st_dev) && inode.parse() == Ok(stat.st_ino))
}

/// A record as an entry. `line`: its text, which holds no control characters but tabs.
pub fn entry(record: &Record<'_>, line: &str, priority: u8) -> Vec<u8> {
    let line = cut(line, LINE_BYTES_MAX);
    let mut out = String::with_capacity(line.len() + 256);
    let mut field = |name: &str, value: &str| {
        let _ = writeln!(out, "{name}={value}");
    };
    field("MESSAGE", line);
    field("PRIORITY", &priority.to_string());
    field("SYSLOG_IDENTIFIER", "zk-agent");
    let from_core = record.target() == "core";
    // What the core says passes through one line of the shell, which says nothing.
    if let (false, Some(file), Some(at)) = (from_core, record.file(), record.line()) {
        field("CODE_FILE", file);
        field("CODE_LINE", &at.to_string());
    }
    let server = SERVER_ID.load(Ordering::Relaxed);
    if server != NO_ID {
        field("ZK_SERVER_ID", &server.to_string());
    }
    let line = line.strip_prefix("core: ").filter(|_| from_core).unwrap_or(line);
    // What clients sent appears at debug level only, and is no event.
    if record.level() <= Level::Info
        && let Some(id) = events::id_of(line)
    {
        field("MESSAGE_ID", &format!("{id:032x}"));
    }
    if let Some(audited) = line.strip_prefix("audit: ") {
        field("ZK_AUDIT", "1");
        audit_fields(audited, &mut field);
    } else {
        line_fields(line, &mut field);
    }
    out.into_bytes()
}

fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// The fields of a line `room: event key=value`, the first of each name.
fn line_fields(line: &str, field: &mut dyn FnMut(&str, &str)) {
    let mut seen = [false; 5];
    let pairs = line.split(' ').filter_map(|word| word.split_once('=')).take(PAIRS_MAX);
    for (key, value) in pairs {
        let value = value.trim_end_matches([':', ',']);
        let number = value.parse::<i64>().is_ok();
        let (at, name) = match key {
            "zxid" | "first_zxid" => (0, "ZK_ZXID"),
            "session" => (1, "ZK_SESSION"),
            "epoch" => (2, "ZK_EPOCH"),
            "server" | "leader" if number => (3, "ZK_PEER"),
            "peer" if line.starts_with("net: ") => (4, "ZK_CLIENT"),
            _ => continue,
        };
        if !std::mem::replace(&mut seen[at], true) {
            field(name, cut(value, VALUE_BYTES_MAX));
        }
    }
}

/// The fields of a line of the audit log, between tabs.
fn audit_fields(line: &str, field: &mut dyn FnMut(&str, &str)) {
    for (key, value) in line.split('\t').filter_map(|pair| pair.split_once('=')).take(PAIRS_MAX) {
        let name = match key {
            "session" => "ZK_SESSION",
            "operation" => "ZK_OP",
            "znode" => "ZK_PATH",
            "ip" => "ZK_CLIENT",
            "result" => "ZK_RESULT",
            _ => continue,
        };
        field(name, cut(value, VALUE_BYTES_MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(target: &str, text: &str) -> Vec<String> {
        let mut builder = Record::builder();
        builder.target(target).level(Level::Info).file(Some("agent/src/x.rs")).line(Some(7));
        let entry = entry(&builder.build(), text, 6);
        String::from_utf8(entry).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_becomes_fields() {
        let all = fields("zk_agent::disk", "disk: digest_mismatch first_zxid=0x700000003 txns=4");
        assert_eq!(all[0], "MESSAGE=disk: digest_mismatch first_zxid=0x700000003 txns=4");
        for wanted in ["PRIORITY=6", "CODE_LINE=7", "ZK_ZXID=0x700000003"] {
            assert!(all.iter().any(|line| line == wanted), "{wanted}: {all:?}");
        }
        assert!(all.iter().any(|line| line.starts_with("MESSAGE_ID=") && line.len() == 43));
    }

    #[test]
    fn the_core_and_the_audit_have_fields_of_their_own() {
        let all = fields("core", "core: ensemble: following leader=3 epoch=7 zxid=0x700000000");
        for wanted in ["ZK_PEER=3", "ZK_EPOCH=7", "ZK_ZXID=0x700000000"] {
            assert!(all.iter().any(|line| line == wanted), "{wanted}: {all:?}");
        }
        assert!(!all.iter().any(|line| line.starts_with("CODE_")), "{all:?}");
        let all = fields("audit", "audit: session=0x1\tip=::1\toperation=create\tznode=/a b");
        for wanted in ["ZK_AUDIT=1", "ZK_SESSION=0x1", "ZK_OP=create", "ZK_PATH=/a b"] {
            assert!(all.iter().any(|line| line == wanted), "{wanted}: {all:?}");
        }
    }

    #[test]
    fn a_full_journal_keeps_nobody_waiting() {
        let path = std::env::temp_dir().join(format!("zk-journal-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        assert!(Journal::at(&path).is_err(), "nobody listens");
        let listener = UnixDatagram::bind(&path).unwrap();
        let journal = Journal::at(&path).unwrap();
        let entry = [b'x'; LINE_BYTES_MAX + 1024];
        let taken = (0..10_000).take_while(|_| journal.put(&entry)).count();
        assert!((1..10_000).contains(&taken), "{taken} entries fit");
        let mut buffer = [0; 64];
        assert_eq!(listener.recv(&mut buffer).unwrap(), 0, "the empty one comes first");
        assert_eq!(listener.recv(&mut buffer).unwrap(), buffer.len(), "cut to the buffer");
        assert!(journal.put(b"MESSAGE=x\n"), "there is room again");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn another_stream_is_not_the_journal() {
        assert!(!leads_to("0:0"));
        assert!(!leads_to("journal"));
        let stat = fstat(io::stderr()).unwrap();
        assert!(leads_to(&format!("{}:{}", stat.st_dev, stat.st_ino)));
    }
}
