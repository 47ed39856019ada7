//! What each command does.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use zk_wire::Code;
use zkclient::{Client, Error, Settings, Watcher};

use crate::args::{Call, Command, Output};
use crate::output::{list, quote, stat_json, stat_plain};

/// Exit code of a wrong call.
pub const EXIT_USAGE: u8 = 2;
const EXIT_FAILED: u8 = 1;
const EXIT_NO_NODE: u8 = 3;
const EXIT_EXISTS: u8 = 4;
const EXIT_VERSION: u8 = 5;
const EXIT_NO_AUTH: u8 = 6;
const EXIT_NOT_REACHED: u8 = 7;
const EXIT_TIMEOUT: u8 = 8;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// One line.
    pub what: String,
    /// The exit code.
    pub exit: u8,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let exit = match &error {
            Error::Server(Code::NO_NODE) => EXIT_NO_NODE,
            Error::Server(Code::NODE_EXISTS) => EXIT_EXISTS,
            Error::Server(Code::BAD_VERSION) => EXIT_VERSION,
            Error::Server(Code::NO_AUTH) => EXIT_NO_AUTH,
            Error::Timeout { .. } => EXIT_TIMEOUT,
            Error::BadArgument { .. } => EXIT_USAGE,
            Error::Io { .. } | Error::ConnectionLoss { .. } => EXIT_NOT_REACHED,
            _ => EXIT_FAILED,
        };
        Failure { what: error.to_string(), exit }
    }
}

/// Does it; the text is what goes to standard output.
pub fn run(call: &Call) -> Result<String, Failure> {
    if call.command == Command::Srvr {
        return srvr(call);
    }
    let servers = call.server.clone();
    let settings = Settings { servers, call_timeout_ms: call.timeout_ms, ..Settings::default() };
    let mut client = Client::connect(settings).map_err(|error| {
        let exit = match error {
            // No session within the time: there is nobody, or nobody who serves.
            Error::Timeout { .. } => EXIT_NOT_REACHED,
            ref other => Failure::from(other.clone()).exit,
        };
        Failure { what: format!("{}: {error}", call.server), exit }
    })?;
    let text = answer(&mut client, call);
    client.close()?;
    text
}

fn answer(client: &mut Client, call: &Call) -> Result<String, Failure> {
    let json = call.output == Output::Json;
    Ok(match &call.command {
        Command::Ls(path, recursive) => {
            let names = match recursive {
                true => below(client, path)?,
                false => sorted(client.children(path, false)?),
            };
            match json {
                true => list(&names) + "\n",
                false => names.iter().map(|name| format!("{name}\n")).collect(),
            }
        }
        Command::Get(path) => {
            let (data, stat) = client.get(path, false)?;
            let data = data.unwrap_or_default();
            match json {
                true => format!("{{\"data\":{},\"stat\":{}}}\n", quote(&data), stat_json(&stat)),
                false => String::from_utf8_lossy(&data).into_owned() + "\n",
            }
        }
        Command::Stat(path) => stat_text(&client.exists(path, false)?, json),
        Command::Set(path, data, version) => {
            stat_text(&client.set(path, Some(data), *version)?, json)
        }
        Command::Create(path, data, mode) => {
            let (path, _) = client.create(path, data, *mode)?;
            if json { quote(path.as_bytes()) + "\n" } else { path + "\n" }
        }
        Command::Rm(path, version, recursive) => {
            if *recursive {
                for path in below(client, path)?.iter().rev() {
                    client.delete(path, -1)?;
                }
            }
            client.delete(path, *version)?;
            String::new()
        }
        Command::Wait(path, gone) => {
            wait(client, path, *gone, call.timeout_ms)?;
            String::new()
        }
        Command::Srvr => unreachable!("answered without a session"),
    })
}

fn stat_text(stat: &zk_wire::Stat, json: bool) -> String {
    if json { stat_json(stat) + "\n" } else { stat_plain(stat) }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// All paths below, parents before their children.
fn below(client: &mut Client, path: &str) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(parent) = open.pop() {
        for name in sorted(client.children(&parent, false)?) {
            let child = format!("{}/{name}", parent.trim_end_matches('/'));
            open.push(child.clone());
            found.push(child);
        }
    }
    Ok(sorted(found))
}

/// Waits until the path exists, or until it is gone.
fn wait(client: &mut Client, path: &str, gone: bool, timeout_ms: u64) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_millis(timeout_ms);
    let (send, events) = std::sync::mpsc::channel();
    // Nobody listens any more once the wait is over.
    let watcher = Watcher::new(move |_| {
        let _ = send.send(());
    });
    loop {
        let there = match client.exists_w(path, watcher.clone()) {
            Ok(_) => true,
            Err(Error::Server(Code::NO_NODE)) => false,
            Err(error) => return Err(error.into()),
        };
        if there != gone {
            return Ok(());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if events.recv_timeout(left).is_err() {
            let state = if gone { "is still there" } else { "does not exist" };
            let what = format!("{path} {state} after {timeout_ms} ms");
            return Err(Failure { what, exit: EXIT_TIMEOUT });
        }
    }
}

/// The four-letter word, line by line.
fn srvr(call: &Call) -> Result<String, Failure> {
    let text = word(call).map_err(|error| {
        let what = format!("{}: {error}", call.server);
        Failure { what, exit: EXIT_NOT_REACHED }
    })?;
    if !text.contains("Mode: ") {
        return Err(Failure { what: text.trim().to_owned(), exit: EXIT_FAILED });
    }
    if call.output == Output::Plain {
        return Ok(text);
    }
    let fields: Vec<String> = text
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(label, value)| format!("{}:{}", quote(label.as_bytes()), quote(value.as_bytes())))
        .collect();
    Ok(format!("{{{}}}\n", fields.join(",")))
}

fn word(call: &Call) -> std::io::Result<String> {
    let limit = Duration::from_millis(call.timeout_ms.max(1));
    let address = call.server.to_socket_addrs()?.next();
    let address = address.ok_or_else(|| std::io::Error::other("the name has no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(b"srvr")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
