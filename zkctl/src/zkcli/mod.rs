//! `--format zkcli`: Apache's zkCli.sh 3.9, for scripts that know its output.
//!
//! Reads lines and options as it does, and prints the same to the byte: what it prints to standard
//! error goes there, and watch events stand where they are printed when a command has ended. What
//! is different: `version` names zkctl; what ends zkCli.sh with a stack trace is an error here; and
//! the session is closed when the input ends.

mod admin;
mod data;
mod options;
mod text;

use std::collections::BTreeSet;
use std::io::{BufRead, Write};
use std::time::Duration;

use zk_wire::Code;
use zk_wire::watch::event;

use crate::conn::{Conn, Event, Target};
use crate::failure::{Failure, Result, exit};
use options::{Options, Spec};

/// How long events may be under way behind the answer of a command.
const SETTLE: Duration = Duration::from_millis(30);

/// Commands with their usage and options; those without options of ours are done here.
const COMMANDS: &[(&str, &str, Spec)] = &[
    (
        "addWatch",
        "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is \
         PERSISTENT_RECURSIVE",
        &[("m", true)],
    ),
    ("addauth", "scheme auth", &[]),
    ("close", "", &[]),
    ("config", "[-c] [-w] [-s]", &[("s", false), ("w", false), ("c", false)]),
    ("connect", "host:port", &[]),
    (
        "create",
        "[-s] [-e] [-c] [-t ttl] path [data] [acl]",
        &[("e", false), ("s", false), ("c", false), ("t", true)],
    ),
    ("delete", "[-v version] path", &[("v", true)]),
    ("deleteall", "path [-b batch size]", &[("b", true)]),
    ("delquota", "[-n|-b|-N|-B] path", &[("n", false), ("b", false), ("N", false), ("B", false)]),
    ("get", "[-s] [-w] [-b] [-x] path", &[("s", false), ("w", false), ("b", false), ("x", false)]),
    ("getAcl", "[-s] path", &[("s", false)]),
    ("getAllChildrenNumber", "path", &[]),
    ("getEphemerals", "path", &[]),
    ("history", "", &[]),
    ("listquota", "path", &[]),
    ("ls", "[-s] [-w] [-R] path", &[("?", false), ("s", false), ("w", false), ("R", false)]),
    ("printwatches", "on|off", &[]),
    ("quit", "", &[]),
    (
        "reconfig",
        "[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | \
         [-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
        &[
            ("s", false),
            ("v", true),
            ("file", true),
            ("members", true),
            ("add", true),
            ("remove", true),
        ],
    ),
    ("redo", "cmdno", &[]),
    (
        "removewatches",
        "path [-c|-d|-a] [-l]",
        &[("c", false), ("d", false), ("p", false), ("r", false), ("a", false), ("l", false)],
    ),
    ("set", "path data [-s] [-v version] [-b]", &[("s", false), ("v", true), ("b", false)]),
    ("setAcl", "[-s] [-v version] [-R] path acl", &[("s", false), ("v", true), ("R", false)]),
    ("setquota", "-n|-b|-N|-B val path", &[("n", true), ("b", true), ("N", true), ("B", true)]),
    ("stat", "[-w] path", &[("w", false)]),
    ("sync", "path", &[]),
    ("version", "", &[]),
    ("whoami", "", &[]),
];

/// Why a command failed: the line for standard error, and zkCli's exit code.
#[derive(Debug)]
pub struct Stop {
    said: String,
    code: u8,
}

/// What a command gives.
pub type Done = std::result::Result<(), Stop>;

fn stop<T>(said: impl Into<String>) -> std::result::Result<T, Stop> {
    Err(Stop { said: said.into(), code: 1 })
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Stop {
        Stop { said: error.to_string(), code: exit::PIPE }
    }
}

/// The watches that this session has left, as Java's client keeps them.
#[derive(Default)]
struct Watches {
    data: BTreeSet<String>,
    exist: BTreeSet<String>,
    children: BTreeSet<String>,
    persistent: BTreeSet<String>,
    recursive: BTreeSet<String>,
}

impl Watches {
    /// Forgets those that an event has used up.
    fn fired(&mut self, event: &Event) {
        let (of_data, of_children) = match event.kind {
            event::CREATED | event::DATA_CHANGED => (true, false),
            event::CHILDREN_CHANGED => (false, true),
            event::DELETED => (true, true),
            _ => (false, false),
        };
        if of_data {
            self.data.remove(&event.path);
            self.exist.remove(&event.path);
        }
        if of_children {
            self.children.remove(&event.path);
        }
    }
}

/// A zkCli.
pub struct Zkcli<'a> {
    target: Target,
    conn: Option<Conn>,
    watches: Watches,
    history: Vec<String>,
    print_watches: bool,
    code: u8,
    out: &'a mut dyn Write,
}

/// What `zkCli.sh` was called with.
pub struct Call {
    /// Where to connect, and its limits.
    pub target: Target,
    /// The command; none reads lines.
    pub words: Vec<String>,
}

/// Runs to the end; the failure carries the exit code.
pub fn run(call: Call, out: &mut dyn Write) -> Result<()> {
    let Call { target, words } = call;
    let mut cli = Zkcli {
        target,
        conn: None,
        watches: Watches::default(),
        history: Vec::new(),
        print_watches: true,
        code: 0,
        out,
    };
    writeln!(cli.out, "Connecting to {}", cli.target.servers)?;
    if words.is_empty() {
        writeln!(cli.out, "Welcome to ZooKeeper!\nJLine support is disabled")?;
        cli.connect()?;
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            if !line.trim().is_empty() && !cli.line(&line)? {
                break;
            }
        }
    } else {
        cli.connect()?;
        cli.process(&words)?;
    }
    if let Some(conn) = cli.conn.take() {
        // The server ends it anyway.
        let _ = conn.close();
    }
    match cli.code {
        0 => Ok(()),
        code => Err(Failure::new(code, "")),
    }
}

impl Zkcli<'_> {
    fn connect(&mut self) -> Result<()> {
        self.watches = Watches::default();
        self.conn = Some(Conn::open(&self.target)?);
        self.tell(&text::watched("SyncConnected", "None", None, -1))
    }

    /// Prints an event as its watcher does.
    fn tell(&mut self, event: &str) -> Result<()> {
        if self.print_watches {
            writeln!(self.out, "\nWATCHER::\n\n{event}")?;
        }
        Ok(self.out.flush()?)
    }

    fn close(&mut self) -> Result<()> {
        if let Some(conn) = self.conn.take() {
            // The server ends it anyway.
            let _ = conn.close();
            self.tell(&text::watched("Closed", "None", None, -1))?;
        }
        Ok(())
    }

    /// Events that have come.
    fn events(&mut self) -> Result<()> {
        loop {
            let Some(conn) = &self.conn else { return Ok(()) };
            let Ok(Some(event)) = conn.next_event(SETTLE) else { return Ok(()) };
            self.watches.fired(&event);
            let kind = text::event_type(event.kind);
            self.tell(&text::watched("SyncConnected", kind, Some(&event.path), event.zxid))?;
        }
    }

    /// A line of standard input; false when it was the last.
    fn line(&mut self, line: &str) -> Result<bool> {
        let words = options::split(line);
        self.history.push(line.to_owned());
        self.process(&words)
    }

    /// A command; false when it was quit.
    fn process(&mut self, words: &[String]) -> Result<bool> {
        let done = match words.first().map(String::as_str) {
            Some("quit") => {
                self.close()?;
                return Ok(false);
            }
            Some("redo") if words.len() >= 2 => self.redo(&words[1]),
            _ => self.command(words),
        };
        self.code = match done {
            Ok(()) => 0,
            Err(stop) if stop.code == exit::PIPE => return Err(Failure::new(exit::PIPE, "")),
            Err(stop) => {
                self.out.flush()?;
                eprintln!("{}", stop.said);
                stop.code
            }
        };
        self.out.flush()?;
        self.events()?;
        Ok(true)
    }

    fn redo(&mut self, number: &str) -> Done {
        // The redo itself stands at the end.
        let last = self.history.len().saturating_sub(1);
        let found = number.parse::<usize>().ok().filter(|number| *number < last);
        let Some(number) = found else { return stop("Command index out of range") };
        let line = self.history[number].clone();
        let words = options::split(&line);
        if words.first().is_some_and(|word| word == "redo") {
            return stop("No redoing redos");
        }
        self.history[last] = line;
        self.command(&words)
    }

    fn command(&mut self, words: &[String]) -> Done {
        let name = words.first().map_or("", String::as_str);
        let Some((_, usage, spec)) = COMMANDS.iter().find(|(known, ..)| *known == name) else {
            self.out.flush()?;
            eprintln!("ZooKeeper -server host:port -client-configuration properties-file cmd args");
            COMMANDS.iter().for_each(|(name, usage, _)| eprintln!("\t{name} {usage}"));
            let said = format!("Command not found: Command not found {name}");
            return Err(Stop { said, code: 127 });
        };
        match name {
            "history" => {
                let from = self.history.len().saturating_sub(11);
                for (at, line) in self.history.iter().enumerate().skip(from) {
                    writeln!(self.out, "{at} - {line}")?;
                }
            }
            "printwatches" => match words.get(1) {
                None => {
                    let is = if self.print_watches { "on" } else { "off" };
                    writeln!(self.out, "printwatches is {is}")?;
                }
                Some(word) => self.print_watches = word == "on",
            },
            "connect" => {
                if let Some(servers) = words.get(1) {
                    self.target.servers = servers.clone();
                }
                let again = self.close().and_then(|()| self.connect());
                return again.or_else(|failure| stop(failure.what));
            }
            _ => {}
        }
        if self.conn.is_none() {
            writeln!(self.out, "Not connected")?;
            return Ok(());
        }
        let usage = match name {
            "get" => format!(
                "get {usage}\n -b   Output data in base64 format\n -s   Print znode stats \
                 additionally\n -w   Watch for changes on the znode\n -x   Output data in hexdump \
                 format\n"
            ),
            "set" => format!(
                "set {usage}\n -b         Supply data in base64 format\n -s         Print znode \
                 stats additionally\n -v <arg>   Set with an expected version\n"
            ),
            name => format!("{name} {usage}"),
        };
        let usage = usage.as_str();
        match name {
            // They take no options at all.
            "close" => self.close().or_else(|failure| stop(failure.what)),
            "whoami" => self.who_am_i(),
            "history" | "printwatches" | "redo" => Ok(()),
            name => match options::parse(spec, words) {
                Ok(options) => self.dispatch(name, usage, spec, words, options),
                Err(said) => stop(said),
            },
        }
    }

    fn dispatch(
        &mut self,
        name: &str,
        usage: &str,
        spec: Spec,
        words: &[String],
        options: Options,
    ) -> Done {
        let least = match name {
            "set" | "setAcl" => 3,
            "config" | "version" | "getEphemerals" => 1,
            "addauth" => 2,
            "reconfig" => 0,
            _ => 2,
        };
        let options = match name {
            "ls" | "get" | "stat" => self.old_watch(name, spec, words, options)?,
            _ => options,
        };
        // setquota wants one of its options before anything else.
        if name == "setquota" && !["n", "b", "N", "B"].iter().any(|name| options.has(name)) {
            return stop(
                "org.apache.commons.cli.MissingOptionException: Missing required option: [-n num \
                 soft quota, -b bytes soft quota, -N num hard quota, -B bytes hard quota]",
            );
        }
        if options.words.len() < least {
            return stop(usage);
        }
        match name {
            "create" => self.create(&options),
            "delete" => self.delete(&options),
            "deleteall" => self.delete_all(&options),
            "set" => self.set(&options),
            "get" => self.get(&options),
            "ls" => self.ls(&options),
            "stat" => self.stat(&options),
            "getAcl" => self.get_acl(&options),
            "setAcl" => self.set_acl(&options),
            "sync" => self.sync(&options),
            "addWatch" => self.add_watch(&options, usage),
            "removewatches" => self.remove_watches(&options),
            "getEphemerals" => self.get_ephemerals(&options),
            "getAllChildrenNumber" => self.get_all_children_number(&options),
            "addauth" => self.add_auth(&options),
            "setquota" => self.set_quota(&options),
            "listquota" => self.list_quota(&options),
            "delquota" => self.del_quota(&options),
            "config" => self.config(&options),
            "reconfig" => self.reconfig(&options, usage),
            "version" if options.words.len() > 1 => stop(usage),
            "version" => {
                let version = env!("CARGO_PKG_VERSION");
                Ok(writeln!(self.out, "ZooKeeper CLI version: 3.9.5-zkctl-{version}")?)
            }
            other => unreachable!("{other} stands in the table and was done before"),
        }
    }

    /// The forms of old versions: a third word meant a watch.
    fn old_watch(
        &mut self,
        name: &str,
        spec: Spec,
        words: &[String],
        options: Options,
    ) -> std::result::Result<Options, Stop> {
        if name == "ls" && options.has("?") {
            write!(
                self.out,
                "usage: ls [options] path\n -?   help\n -R   recurse\n -s   stat\n -w   watch\n"
            )?;
        }
        if options.words.len() <= 2 {
            return Ok(options);
        }
        let now = match name {
            "ls" => "ls [-w] path",
            "get" => "get [-s] [-w] path",
            _ => "stat [-w] path",
        };
        self.out.flush()?;
        eprintln!("'{name} path [watch]' has been deprecated. Please use '{now}' instead.");
        let mut words = words.to_vec();
        words[2] = "-w".to_owned();
        options::parse(spec, &words).or_else(stop)
    }

    /// The session; commands that need one are not reached without.
    fn conn(&self) -> &Conn {
        self.conn.as_ref().expect("looked at before the command")
    }
}

/// What zkCli says of a failed call.
fn said(path: &str, failure: &Failure) -> Stop {
    let code = failure.code.unwrap_or(match failure.exit {
        exit::TIMEOUT => Code::OPERATION_TIMEOUT,
        _ => Code::CONNECTION_LOSS,
    });
    Stop { said: text::wrapped(code, path), code: 1 }
}

/// A path that Java's client takes, or what it says.
fn path(path: &str) -> std::result::Result<&str, Stop> {
    match text::path_error(path) {
        None => Ok(path),
        Some(said) => stop(said),
    }
}
