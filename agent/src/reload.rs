//! `zk-agent reload`: asks a running server to read its settings again, and waits until it has.
//!
//! The server writes what came of each reload into `$RUNTIME_DIRECTORY/reload`: a line with its process
//! id, the number of the reload and `done` or `refused`, then what the reload changed, or why it was
//! refused. Without that variable nothing is written, and nobody can wait.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a server may take to read its settings: a name server may be slow.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Longest result that is looked at, in bytes.
const RESULT_BYTES_MAX: usize = 64 << 10;

/// What came of a reload: a line for each setting that differs, or why it was refused.
pub type Outcome = Result<Vec<String>, String>;

fn file() -> Option<PathBuf> {
    let list = std::env::var_os("RUNTIME_DIRECTORY").filter(|list| !list.is_empty())?;
    Some(std::env::split_paths(&list).next()?.join("reload"))
}

/// Writes down what came of this process's reload number `count`, for whoever waits for it.
pub fn tell(count: u64, outcome: &Outcome) {
    let Some(path) = file() else { return };
    let head = |word: &str| format!("{} {count} {word}\n", std::process::id());
    let text = match outcome {
        Ok(lines) => lines.iter().fold(head("done"), |text, line| text + line + "\n"),
        Err(why) => head("refused") + why + "\n",
    };
    let beside = path.with_extension("new");
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &path));
    if let Err(error) = written {
        log::warn!("settings: reload_not_told file={} error=\"{error}\"", path.display());
    }
}

/// The same as a line for `systemctl status`.
pub fn status_line(outcome: &Outcome) -> String {
    match outcome {
        Ok(lines) if lines.is_empty() => "Reloaded: nothing has changed".to_owned(),
        Ok(lines) => format!("Reloaded: {}", lines.join(", ")),
        Err(why) => format!("Reload refused, nothing has changed: {why}"),
    }
}

/// A result that was written down.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    pid: i32,
    count: u64,
    done: bool,
    text: String,
}

fn parse(text: &str) -> Option<Told> {
    let (head, rest) = text.split_once('\n')?;
    let mut words = head.split(' ');
    let pid = words.next()?.parse().ok()?;
    let count = words.next()?.parse().ok()?;
    let done = words.next()? == "done";
    Some(Told { pid, count, done, text: rest.to_owned() })
}

fn read(pid: i32) -> Option<Told> {
    let bytes = std::fs::read(file()?).ok()?;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(RESULT_BYTES_MAX)]).into_owned();
    parse(&text).filter(|told| told.pid == pid)
}

/// Has the server with this process id read its settings again. Says what has changed, line by line.
///
/// # Errors
/// Why it was refused, or that there is no such server, or that it took too long; one line.
pub fn ask(pid: i32) -> Result<String, String> {
    let before = read(pid).map_or(0, |told| told.count);
    kill(Pid::from_raw(pid), Signal::SIGHUP).map_err(|e| format!("cannot signal {pid}: {e}"))?;
    if file().is_none() {
        return Ok("asked; without $RUNTIME_DIRECTORY nobody knows when it is done\n".to_owned());
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        match read(pid) {
            Some(told) if told.count > before && told.done => return Ok(told.text),
            Some(told) if told.count > before => return Err(told.text.trim_end().to_owned()),
            _ => {}
        }
        if Instant::now() >= deadline {
            return Err(format!("{pid} has not read its settings in {} s", PATIENCE.as_secs()));
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_back() {
        let told = parse("12 3 done\nmaxCnxns=7\n").unwrap();
        assert_eq!((told.pid, told.count, told.done), (12, 3, true));
        assert_eq!(told.text, "maxCnxns=7\n");
        assert!(!parse("12 3 refused\nwhy\n").unwrap().done);
        for nonsense in ["", "12 3 done", "x 3 done\n", "12 -1 done\n"] {
            assert_eq!(parse(nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn the_status_says_what_has_changed() {
        assert_eq!(status_line(&Ok(Vec::new())), "Reloaded: nothing has changed");
        assert_eq!(
            status_line(&Ok(vec!["a=1".to_owned(), "b=2".to_owned()])),
            "Reloaded: a=1, b=2"
        );
        assert!(status_line(&Err("why".to_owned())).ends_with(": why"));
    }
}
