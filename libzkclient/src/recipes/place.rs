//! A place in a line: an ephemeral sequential znode, found again after a lost answer.
//!
//! The name is that of Curator's locks, `_c_<id>-<label>-<number>`, so that both may stand in one
//! line. The id is drawn before the znode is created: when the connection is lost with the answer,
//! the znode that may have been made is recognised by it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use zk_wire::Code;

use crate::calls::Mode;
use crate::client::{Client, Watcher};
use crate::error::{Error, Result};

/// How long a recipe waits between two attempts after a lost connection, in ms.
const AGAIN_MS: u64 = 50;

/// The end of a wait; `None` for a wait without end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until(Option<Instant>);

impl Until {
    pub(super) fn new(wait: Option<Duration>) -> Until {
        Until(wait.map(|wait| Instant::now() + wait))
    }

    pub(super) fn is_over(self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }

    /// Waits for a word; false when the time is over.
    pub(super) fn wait(self, words: &Receiver<()>) -> bool {
        match self.0 {
            None => words.recv().is_ok(),
            Some(end) => words.recv_timeout(end.saturating_duration_since(Instant::now())).is_ok(),
        }
    }

    /// Makes a call again for as long as connections are lost. `call` must be one that may be
    /// executed twice.
    pub(super) fn insist<T>(self, mut call: impl FnMut() -> Result<T>) -> Result<T> {
        loop {
            match call() {
                Err(Error::ConnectionLoss { .. }) if !self.is_over() => {
                    std::thread::sleep(Duration::from_millis(AGAIN_MS));
                }
                result => return result,
            }
        }
    }
}

/// A watcher that says something about anything, and where it is heard.
pub(super) fn bell() -> (Watcher, Receiver<()>) {
    let (send, words): (Sender<()>, _) = channel();
    let watcher = Watcher::new(move |_| {
        // Nobody listens once the wait is over.
        let _ = send.send(());
    });
    (watcher, words)
}

/// Makes a path and whatever stands above it, as containers where the server has them.
pub(super) fn make_path(client: &Client, path: &str) -> Result<()> {
    let until = Until::new(Some(Duration::from_secs(30)));
    let make = |path: &str, mode| until.insist(|| client.create(path, b"", mode));
    let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
    for end in ends.filter(|end| *end > 1) {
        let part = &path[..end];
        let mode = if end == path.len() { Mode::Container } else { Mode::Persistent };
        match make(part, mode) {
            Ok(_) | Err(Error::Server(Code::NODE_EXISTS)) => {}
            // A server before 3.5.
            Err(Error::Server(Code::UNIMPLEMENTED)) => match make(part, Mode::Persistent) {
                Ok(_) | Err(Error::Server(Code::NODE_EXISTS)) => {}
                Err(error) => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A name nobody else has, in the form of a UUID.
pub(super) fn id() -> String {
    let (a, b) = (crate::clock::seed(), crate::clock::seed());
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xffff,
        b >> 48,
        b & 0xffff_ffff_ffff
    )
}

/// One who stands in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) name: String,
    pub(super) number: i64,
}

impl Standing {
    fn of(name: String) -> Option<Standing> {
        let digits = name.len() - name.bytes().rev().take_while(u8::is_ascii_digit).count();
        let number = name[digits..].parse().ok()?;
        Some(Standing { name, number })
    }

    pub(super) fn is(&self, label: &str) -> bool {
        let end = self.name.trim_end_matches(|c: char| c.is_ascii_digit());
        end.strip_suffix('-').is_some_and(|end| end.ends_with(label))
    }
}

/// The line below a path: who stands in it, first come first. Names without a number are others'.
pub(super) fn line(client: &Client, dir: &str) -> Result<Vec<Standing>> {
    let names = client.children(dir, false)?;
    Ok(in_order(names))
}

pub(super) fn in_order(names: Vec<String>) -> Vec<Standing> {
    let mut line: Vec<_> = names.into_iter().filter_map(Standing::of).collect();
    line.sort_by(|a, b| a.number.cmp(&b.number).then_with(|| a.name.cmp(&b.name)));
    line
}

/// A place of our own.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) path: String,
    pub(super) name: String,
    /// The czxid: larger for everyone who came later, in this line and any other.
    pub(super) token: i64,
    /// The session that it lives with.
    pub(super) session: i64,
}

impl Place {
    /// Takes the last place of a line.
    pub(super) fn take(
        client: &Client,
        dir: &str,
        label: &str,
        data: &[u8],
        until: Until,
    ) -> Result<Place> {
        let id = id();
        let mut maybe = false;
        loop {
            if maybe && let Some(place) = Place::find(client, dir, &id)? {
                return Ok(place);
            }
            let asked = format!("{dir}/_c_{id}-{label}-");
            match client.create(&asked, data, Mode::EphemeralSequential) {
                Ok((path, stat)) => return Ok(Place::at(path, stat.czxid, stat.ephemeral_owner)),
                Err(Error::ConnectionLoss { maybe_executed }) if !until.is_over() => {
                    maybe |= maybe_executed;
                    std::thread::sleep(Duration::from_millis(AGAIN_MS));
                }
                Err(Error::Server(Code::NO_NODE)) => make_path(client, dir)?,
                Err(error) => {
                    // It may stand there all the same, and must not stay for the session's life.
                    if error.maybe_executed() {
                        Place::forget_later(client, dir, &id);
                    }
                    return Err(error);
                }
            }
        }
    }

    fn at(path: String, czxid: i64, session: i64) -> Place {
        let name = zk_wire::path::name(&path).to_owned();
        Place { path, name, token: czxid, session }
    }

    fn find(client: &Client, dir: &str, id: &str) -> Result<Option<Place>> {
        // A server that lags behind may not show it yet.
        match client.sync(dir).and_then(|()| client.children(dir, false)) {
            Ok(names) => {
                for name in names.into_iter().filter(|name| name.contains(id)) {
                    let path = format!("{dir}/{name}");
                    match client.exists(&path, false) {
                        Ok(stat) => {
                            return Ok(Some(Place::at(path, stat.czxid, stat.ephemeral_owner)));
                        }
                        Err(Error::Server(Code::NO_NODE)) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(None)
            }
            Err(Error::ConnectionLoss { .. } | Error::Server(Code::NO_NODE)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn forget_later(client: &Client, dir: &str, id: &str) {
        if let Ok(Some(place)) = Place::find(client, dir, id) {
            place.leave_later(client);
        }
    }

    /// Leaves the line; a place that is gone already is left.
    pub(super) fn leave(&self, client: &Client) -> Result<()> {
        let until = Until::new(Some(Duration::from_secs(30)));
        match until.insist(|| client.delete(&self.path, -1)) {
            Ok(()) | Err(Error::Server(Code::NO_NODE)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Leaves the line without waiting: the request waits for a connection if need be, and with the
    /// session the place is gone in any case.
    pub(super) fn leave_later(&self, client: &Client) {
        again_and_again(client.clone(), self.path.clone());
    }
}

/// Deletes as often as the connection is lost; each attempt begins in the answer to the last.
fn again_and_again(client: Client, path: String) {
    let inside = client.clone();
    let behind = path.clone();
    let call = crate::calls::delete(&path, -1);
    // It fails when the session is over, and the znode with it.
    let _ = client.start_with(call, None, 0, move |done| {
        if let Err(Error::ConnectionLoss { .. }) = done {
            again_and_again(inside, behind);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_ordered_by_its_numbers() {
        let names = ["_c_b-lock-0000000002", "_c_a-lock-0000000010", "x", "_c_c-read-0000000001"];
        let line = in_order(names.iter().map(|name| name.to_string()).collect());
        let numbers: Vec<i64> = line.iter().map(|standing| standing.number).collect();
        assert_eq!(numbers, [1, 2, 10]);
        assert!(line[0].is("read") && !line[0].is("lock") && line[2].is("lock"));
        assert_ne!(id(), id());
        assert_eq!(id().len(), 36);
    }
}
