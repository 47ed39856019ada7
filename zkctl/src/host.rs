//! This machine, for the commands that set servers up on it: programs, processes, names, files.
//!
//! Everything that runs another program or asks the kernel goes through here. Ends processes only by
//! an id that this program wrote down, and only if that is still the same process.

use std::net::{IpAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::failure::{Failure, Result, exit};

/// Between two looks at something that is waited for.
const PAUSE: Duration = Duration::from_millis(50);

/// An error of a file.
pub fn of_file(path: &Path, error: &std::io::Error) -> Failure {
    let code = match error.kind() {
        std::io::ErrorKind::PermissionDenied => exit::NO_AUTH,
        _ => exit::FAILED,
    };
    let remedy = match error.kind() {
        std::io::ErrorKind::PermissionDenied => "; run it as root",
        _ => "",
    };
    Failure::new(code, format!("{}: {error}{remedy}", path.display()))
}

/// Reads a text.
pub fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| of_file(path, &error))
}

/// Writes a text whole: under another name first.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let fresh = PathBuf::from(name);
    std::fs::write(&fresh, text)
        .and_then(|()| std::fs::rename(&fresh, path))
        .map_err(|error| of_file(path, &error))
}

/// A folder, with those above it.
pub fn folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| of_file(path, &error))
}

/// Makes paths a user's and its group's, who may be missing on a host without the packages: then
/// nothing changes.
pub fn give_to(user: &str, paths: &[&Path]) -> Result<()> {
    let Ok(Some(user)) = nix::unistd::User::from_name(user) else { return Ok(()) };
    for path in paths {
        nix::unistd::chown(*path, Some(user.uid), Some(user.gid))
            .map_err(|error| of_file(path, &error.into()))?;
    }
    Ok(())
}

/// The server's program: beside this one, or in the PATH.
pub fn agent() -> Result<PathBuf> {
    let beside = std::env::current_exe().ok().map(|path| path.with_file_name("zk-agent"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).map(|folder| folder.join("zk-agent"));
    let found = beside.into_iter().chain(places).find(|path| path.is_file());
    found.ok_or_else(|| {
        let what = "zk-agent is neither beside zkctl nor in the PATH; install the package zk-agent";
        Failure::new(exit::FAILED, what)
    })
}

/// What a program printed, and with which code it ended.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The exit code; 128 and the signal when one ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error, without blanks around it.
    pub error: String,
}

/// Runs a program to its end.
pub fn run(command: &mut Command) -> Result<Ran> {
    use std::os::unix::process::ExitStatusExt;
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| Failure::new(exit::FAILED, format!("{name}: {error}")))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0));
    Ok(Ran { code, out: text(&output.stdout), error: text(&output.stderr).trim().to_owned() })
}

/// Runs a program that has to succeed; gives what it printed.
pub fn must(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let ran = run(command)?;
    match ran.code {
        0 => Ok(ran.out),
        code => {
            let why = if ran.error.is_empty() { ran.out.trim().to_owned() } else { ran.error };
            Err(Failure::new(exit::FAILED, format!("{shown}: exit code {code}: {why}")))
        }
    }
}

/// A command as it would be typed.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    words.join(" ")
}

/// Waits until something holds.
pub fn wait_for(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + limit;
    while !holds() {
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
    true
}

/// A process that was started here, as it is written down: its id, and when it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pid: i32,
    began: String,
}

impl Process {
    /// Starts a program that outlives this one, with its output in a file.
    pub fn start(command: &mut Command, log: &Path) -> Result<Process> {
        let out = std::fs::OpenOptions::new().create(true).append(true).open(log);
        let out = out.map_err(|error| of_file(log, &error))?;
        let error = out.try_clone().map_err(|error| of_file(log, &error))?;
        let name = command.get_program().to_string_lossy().into_owned();
        // A group of its own: Ctrl-C on the terminal is not meant for it.
        command.stdin(Stdio::null()).stdout(out).stderr(error).process_group(0);
        let child = command.spawn();
        let child = child.map_err(|e| Failure::new(exit::FAILED, format!("{name}: {e}")))?;
        let pid = i32::try_from(child.id()).expect("ids of processes are positive");
        Ok(Process { pid, began: began(pid).unwrap_or_default() })
    }

    /// Reads what [`Process::line`] wrote.
    pub fn parse(line: &str) -> Option<Process> {
        let (pid, began) = line.trim().split_once(' ')?;
        Some(Process { pid: pid.parse().ok().filter(|pid| *pid > 1)?, began: began.to_owned() })
    }

    /// As it is written down.
    pub fn line(&self) -> String {
        format!("{} {}\n", self.pid, self.began)
    }

    /// Whether it runs, and is not another process by now.
    pub fn runs(&self) -> bool {
        began(self.pid).is_some_and(|began| began == self.began)
    }

    /// Has it end in order, and after the limit at once.
    pub fn end(&self, limit: Duration) {
        for (signal, limit) in [(Signal::SIGTERM, limit), (Signal::SIGKILL, Duration::from_secs(5))]
        {
            if !self.runs() {
                return;
            }
            // It may have ended meanwhile.
            let _ = kill(Pid::from_raw(self.pid), signal);
            if wait_for(limit, || !self.runs()) {
                return;
            }
        }
    }
}

/// When a process began, in ticks since the boot; `None` when there is none, or it has ended and
/// nobody has asked how.
fn began(pid: i32) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Its name stands in brackets and may hold anything.
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

/// Ports of the loopback that nobody listens on: as wished where that is free.
pub fn free_ports(wished: &[u16], more: usize) -> Result<(Vec<u16>, Vec<u16>)> {
    let bind = |port: u16| TcpListener::bind(("127.0.0.1", port));
    let mut held = Vec::new();
    let mut take = |port: u16| -> Result<u16> {
        let listener = bind(port).or_else(|_| bind(0));
        let listener = listener.and_then(|l| Ok((l.local_addr()?.port(), l)));
        let (port, listener) =
            listener.map_err(|e| Failure::new(exit::FAILED, format!("127.0.0.1: {e}")))?;
        held.push(listener);
        Ok(port)
    };
    let first = wished.iter().map(|port| take(*port)).collect::<Result<Vec<u16>>>()?;
    let rest = (0..more).map(|_| take(0)).collect::<Result<Vec<u16>>>()?;
    Ok((first, rest))
}

/// Whether a name or address in a list of servers is this machine.
pub fn is_here(host: &str) -> bool {
    if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return addresses().contains(&ip);
    }
    let name = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().to_lowercase();
    let host = host.to_lowercase();
    let first = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    !name.is_empty() && (host == name || first(&host) == first(&name))
}

/// The addresses of this machine.
fn addresses() -> Vec<IpAddr> {
    let found = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let found = found.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
    });
    found.collect()
}

/// Asks on the terminal; without one the answer is no.
pub fn confirmed(question: &str) -> Result<bool> {
    use std::io::{IsTerminal, Write};
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    let mut error = std::io::stderr();
    write!(error, "{question} [y/N] ")?;
    error.flush()?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_again_and_ended() {
        let log = std::env::temp_dir().join(format!("zkctl-host-{}", std::process::id()));
        let process = Process::start(Command::new("sleep").arg("60"), &log).unwrap();
        let again = Process::parse(&process.line()).unwrap();
        assert_eq!(again, process);
        assert!(again.runs());
        // Another process with the same id is none of ours.
        let other = Process { began: "1".to_owned(), ..process.clone() };
        assert!(!other.runs());
        other.end(Duration::ZERO);
        assert!(process.runs());
        again.end(Duration::from_secs(10));
        assert!(!process.runs());
        std::fs::remove_file(&log).unwrap();
        assert_eq!(Process::parse("1 5"), None);
        assert_eq!(Process::parse("nonsense"), None);
    }

    #[test]
    fn programs_tell_how_they_ended() {
        assert_eq!(must(Command::new("echo").arg("a")).unwrap(), "a\n");
        let failure = must(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        assert!(failure.what.contains("exit code 3: why"), "{failure}");
        assert!(is_here("127.0.0.1") && !is_here("192.0.2.1"));
    }

    #[test]
    fn ports_are_not_the_same() {
        let (first, rest) = free_ports(&[0, 0], 4).unwrap();
        let all: std::collections::BTreeSet<u16> = first.iter().chain(&rest).copied().collect();
        assert_eq!(all.len(), 6);
    }
}
