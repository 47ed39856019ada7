//! The log: lines `level room: event key=value` on stderr, or entries of the journal when stderr leads
//! to it.
//!
//! Writing a line never blocks and never fails: when nobody reads, lines are dropped and counted, and
//! the count is the first line when there is room again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::sync::atomic::{AtomicU64, Ordering};

use env_logger::{Builder, Target};
use log::{Level, LevelFilter, Record};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::journal::{self, Journal};
use crate::sys::clock;
use crate::sys::date::Date;

/// Longest line. The kernel promises that so much fits a pipe that says it is writable.
const LINE_BYTES_MAX: usize = 4096;
/// Lines of this target have fields between tabs.
pub const TABBED_TARGET: &str = "audit";

/// Starts logging. `RUST_LOG` wins over `level` for as long as the process lives.
pub fn start(level: LevelFilter) {
    let journal = Journal::of_stderr();
    // Where the journal is and its socket is not, as in a root directory of its own, it takes lines.
    let by_lines = journal.is_none() && std::env::var_os("JOURNAL_STREAM").is_some();
    let mut builder = Builder::new();
    match std::env::var("RUST_LOG") {
        Ok(filters) => builder.parse_filters(&filters),
        // Everything passes here, so that `set_level` decides.
        Err(_) => builder.filter_level(LevelFilter::Trace),
    };
    builder.target(Target::Pipe(Box::new(Stderr { pipe: own_pipe() })));
    builder.format(move |out, record| match &journal {
        None => out.write_all(&line(record, by_lines)),
        Some(journal) => {
            put_or_count(&|entry| journal.put(entry), &entry(record), &|lost| {
                let text = format!("report: lines_lost count={lost}");
                let mut builder = Record::builder();
                let record = builder.level(Level::Warn).target(module_path!()).build();
                journal::entry(&record, &text, priority(Level::Warn))
            });
            Ok(())
        }
    });
    if builder.try_init().is_ok() {
        set_level(level);
    }
}

/// Changes the level while the server runs; `RUST_LOG` stays what it is.
pub fn set_level(level: LevelFilter) {
    if std::env::var_os("RUST_LOG").is_none() {
        log::set_max_level(level);
    }
}

/// Tells why the process ends: an event of the log where that goes to the journal, or else a line for
/// whoever typed the command.
pub fn say_failure(why: &str, exit_code: i32) {
    if Journal::of_stderr().is_some() {
        // Settings that were refused have not begun it.
        start(LevelFilter::Info);
        log::error!("start: failed exit_code={exit_code} reason=\"{why}\"");
    } else {
        say(why);
    }
}

/// Says a line on stderr before logging has begun, or to whoever typed the command.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "zk-agent: {line}");
}

/// A broken invariant ends the process: the line says where, the core dump has the rest. `before` is
/// called in between.
pub fn abort_on_panic(before: fn()) {
    std::panic::set_hook(Box::new(move |panic| {
        let what = panic.payload();
        let text = what.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| what.downcast_ref::<String>().cloned()).unwrap_or_default();
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        log::error!("panic: place={place} reason={text:?}");
        before();
        std::process::abort();
    }));
}

/// The text of a record. It is one line, whatever stands in it.
fn text(record: &Record<'_>) -> String {
    let tabs = record.target() == TABBED_TARGET;
    let stays = |c: char| !c.is_ascii_control() || (tabs && c == '\t');
    let text = record.args().to_string();
    text.chars().map(|c| if stays(c) { c } else { ' ' }).collect()
}

fn entry(record: &Record<'_>) -> Vec<u8> {
    journal::entry(record, &text(record), priority(record.level()))
}

fn line(record: &Record<'_>, by_lines: bool) -> Vec<u8> {
    let level = record.level();
    let head = if by_lines {
        format!("<{}>", priority(level))
    } else {
        let name = level.as_str().to_ascii_lowercase();
        format!("{} {name} ", Date::from_ms(clock::now().wall_ms).seconds())
    };
    let mut line = head.into_bytes();
    line.extend_from_slice(text(record).as_bytes());
    line.truncate(LINE_BYTES_MAX - 1);
    line.push(b'\n');
    line
}

/// syslog(3)'s priorities.
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// Lines that nobody read.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Where stderr leads when it is a pipe, opened once more: others may fill it between a look and a
/// write, and what is not ours must not be made non-blocking.
fn own_pipe() -> Option<File> {
    const STDERR: &str = "/proc/self/fd/2";
    let is_pipe = fs::metadata(STDERR).is_ok_and(|found| found.file_type().is_fifo());
    let mut open = File::options();
    open.write(true).custom_flags(libc::O_NONBLOCK);
    is_pipe.then(|| open.open(STDERR).ok()).flatten()
}

struct Stderr {
    pipe: Option<File>,
}

impl Stderr {
    /// Whether the line was taken.
    fn put(&self, line: &[u8]) -> bool {
        match &self.pipe {
            Some(pipe) => {
                let sent = (&mut &*pipe).write(line);
                !sent.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
            }
            None => {
                let stderr = io::stderr();
                let room = is_writable(&stderr);
                if room {
                    let _ = (&stderr).write(line);
                }
                room
            }
        }
    }
}

/// Hands a line over, after one about those that were lost before; or counts it as lost.
fn put_or_count(put: &dyn Fn(&[u8]) -> bool, line: &[u8], about: &dyn Fn(u64) -> Vec<u8>) {
    let lost = LOST.swap(0, Ordering::Relaxed);
    let told = lost == 0 || put(&about(lost));
    if !told {
        LOST.fetch_add(lost, Ordering::Relaxed);
    }
    if !told || !put(line) {
        LOST.fetch_add(1, Ordering::Relaxed);
    }
}

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let about = |lost| format!("report: lines_lost count={lost}\n").into_bytes();
        put_or_count(&|line| self.put(line), line, &about);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn is_writable(fd: &impl AsFd) -> bool {
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLOUT)];
    let count = poll(&mut fds, PollTimeout::ZERO).unwrap_or(0);
    count > 0 && fds[0].revents().is_some_and(|r| r.contains(PollFlags::POLLOUT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, by_lines: bool) -> String {
        let mut builder = Record::builder();
        let bytes =
            line(&builder.args(format_args!("{text}")).level(Level::Warn).build(), by_lines);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_are_lines() {
        assert_eq!(lines("net: x a=1", true), "<4>net: x a=1\n");
        assert!(lines("net: x", false).ends_with("Z warn net: x\n"));
        assert_eq!(lines("net: a\nb\x1b[1m", true), "<4>net: a b [1m\n");
        assert_eq!(lines(&"x".repeat(9000), true).len(), LINE_BYTES_MAX);
    }

    #[test]
    fn a_full_pipe_is_not_writable() {
        let (reader, mut writer) = io::pipe().unwrap();
        assert!(is_writable(&writer));
        while is_writable(&writer) {
            writer.write_all(&[0; LINE_BYTES_MAX]).unwrap();
        }
        drop(reader);
    }
}
