//! The log: lines as Apache's client writes them, to a callback or to a stream of C's.
//!
//! Programs and tests match these lines, so their form is fixed; what is said is ours. No data of
//! znodes and no secret is ever logged.

use std::ffi::{CString, c_char, c_int, c_uint};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

use super::abi::LogFn;
use super::memory;

/// `ZOO_LOG_LEVEL_ERROR`.
pub const ERROR: c_int = 1;
/// `ZOO_LOG_LEVEL_WARN`.
pub const WARN: c_int = 2;
/// `ZOO_LOG_LEVEL_INFO`.
pub const INFO: c_int = 3;
/// `ZOO_LOG_LEVEL_DEBUG`.
pub const DEBUG: c_int = 4;

/// Longest text of a line, in bytes.
const TEXT_MAX: usize = 4096;

/// What is logged. Programs read it in their macros, and may hold it in their own memory (a COPY
/// relocation), so it is reached by its name only.
// SAFETY: the one object of this name in the library; C has it as a plain 4-byte enum.
#[allow(non_upper_case_globals)]
#[unsafe(no_mangle)]
pub static logLevel: AtomicU32 = AtomicU32::new(INFO as u32);

/// Whether this is the library with threads: its lines name the thread.
static THREADED: AtomicBool = AtomicBool::new(true);

static STREAM: AtomicPtr<libc::FILE> = AtomicPtr::new(std::ptr::null_mut());

// SAFETY: libc's stream, an object of every process.
unsafe extern "C" {
    static mut stderr: *mut libc::FILE;
}

/// Whether lines of that level are written.
pub fn enabled(level: c_int) -> bool {
    let limit = logLevel.load(Ordering::Relaxed);
    limit <= DEBUG as u32 && level <= limit as c_int
}

/// `zoo_set_debug_level`.
pub fn set_level(level: c_uint) {
    logLevel.store(level.min(DEBUG as u32), Ordering::Relaxed);
}

/// Which library this is.
pub fn set_threaded(threaded: bool) {
    THREADED.store(threaded, Ordering::Relaxed);
}

/// `zoo_set_log_stream`; null is stderr.
pub fn set_stream(stream: *mut libc::FILE) {
    STREAM.store(stream, Ordering::Release);
}

/// `zoo_get_log_stream`.
pub fn stream() -> *mut libc::FILE {
    let stream = STREAM.load(Ordering::Acquire);
    if !stream.is_null() {
        return stream;
    }
    // SAFETY: libc sets it before anything of the program runs; a copy of the pointer is taken.
    unsafe { stderr }
}

/// A line that waits until no lock is held: callbacks of the log may call the library.
#[derive(Debug)]
pub struct Line {
    /// See [`ERROR`] and the others.
    pub level: c_int,
    /// Where in the source.
    pub line: u32,
    /// The function, by its name in C where it has one.
    pub function: &'static str,
    /// What is said.
    pub text: String,
}

/// Writes lines that have waited.
pub fn write_all(callback: Option<LogFn>, lines: Vec<Line>) {
    for line in lines {
        let text = line.text.as_bytes();
        write(callback, line.level, line.line as c_int, line.function.as_bytes(), text);
    }
}

/// Writes a line, whatever the level allows.
pub fn write(callback: Option<LogFn>, level: c_int, line: c_int, function: &[u8], text: &[u8]) {
    let text = &text[..text.len().min(TEXT_MAX)];
    let mut out = Vec::with_capacity(96 + function.len() + text.len());
    prefix(&mut out, level, line, function);
    out.extend_from_slice(text);
    out.retain(|byte| *byte != 0);
    let Some(callback) = callback else {
        out.push(b'\n');
        return write_stream(out);
    };
    if let Ok(message) = CString::new(out) {
        callback(message.as_ptr());
    }
}

fn write_stream(line: Vec<u8>) {
    let stream = stream();
    if stream.is_null() {
        return;
    }
    // SAFETY: the stream is open, which is the program's word; the bytes are ours.
    unsafe { libc::fwrite(line.as_ptr().cast(), 1, line.len(), stream) };
    // SAFETY: as above.
    unsafe { libc::fflush(stream) };
}

fn prefix(out: &mut Vec<u8>, level: c_int, line: c_int, function: &[u8]) {
    use std::io::Write as _;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap_or_default();
    let seconds = now.as_secs() as libc::time_t;
    // SAFETY: a tm of zeros is a valid one.
    let mut t: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both point to values of this frame.
    unsafe { libc::localtime_r(&seconds, &mut t) };
    let name = match level {
        ERROR => "ZOO_ERROR",
        WARN => "ZOO_WARN",
        INFO => "ZOO_INFO",
        DEBUG => "ZOO_DEBUG",
        _ => "ZOO_INVALID",
    };
    let (year, month) = (t.tm_year + 1900, t.tm_mon + 1);
    let ms = now.subsec_millis();
    let pid = std::process::id();
    let _ = write!(
        out,
        "{year:04}-{month:02}-{:02} {:02}:{:02}:{:02},{ms:03}:{pid}",
        t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec
    );
    if THREADED.load(Ordering::Relaxed) {
        // SAFETY: pthread_self has no conditions.
        let thread = unsafe { libc::pthread_self() };
        let _ = write!(out, "(0x{thread:x})");
    }
    let _ = write!(out, ":{name}@");
    out.extend_from_slice(function);
    let _ = write!(out, "@{line}: ");
}

/// What the library says of its host when a handle is made, one text a line.
pub fn environment() -> &'static [String] {
    static LINES: OnceLock<Vec<String>> = OnceLock::new();
    LINES.get_or_init(|| {
        let (mut names, known) = (uts(), "unknown");
        names.resize(5, known.to_owned());
        let variable = |name| std::env::var(name).unwrap_or_else(|_| known.to_owned());
        let folder = std::env::current_dir();
        let folder = folder.map_or(known.to_owned(), |path| path.display().to_string());
        [
            format!("zookeeper.version=zookeeper C client 3.10.0 (zk-agent {VERSION})"),
            format!("host.name={}", names[1]),
            format!("os.name={}", names[0]),
            format!("os.arch={}", names[2]),
            format!("os.version={}", names[3]),
            format!("user.name={}", variable("LOGNAME")),
            format!("user.home={}", variable("HOME")),
            format!("user.dir={folder}"),
        ]
        .map(|line| format!("Client environment:{line}"))
        .to_vec()
    })
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// System, node, release and version of the kernel.
fn uts() -> Vec<String> {
    // SAFETY: a utsname of zeros is a valid one.
    let mut names: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: it points to a value of this frame.
    if unsafe { libc::uname(&mut names) } != 0 {
        return Vec::new();
    }
    let fields = [&names.sysname, &names.nodename, &names.release, &names.version];
    let text = |field: &[c_char]| {
        let text = memory::text(field.as_ptr()).unwrap_or(b"");
        String::from_utf8_lossy(text).into_owned()
    };
    fields.iter().map(|field| text(field.as_slice())).collect()
}
