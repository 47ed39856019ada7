//! What a command has at hand: the settings of the call, a session when it asks for one, a printer,
//! and the word that people want it to stop.

use std::io::IsTerminal;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::conn::{Conn, Target};
use crate::failure::{Failure, Result, exit};
use crate::output::Printer;

/// What a command has at hand.
pub struct Context<'a> {
    /// Where the servers are, and who we are.
    pub target: Target,
    /// The limit that was given for the whole command.
    pub limit: Option<Duration>,
    /// Where answers go.
    pub printer: Printer<'a>,
    /// In the shell, the znode that relative paths begin at.
    pub place: Option<String>,
    /// Set by SIGINT and SIGTERM.
    pub stop: Arc<AtomicBool>,
    /// When the command began.
    pub started: Instant,
    conn: Option<Rc<Conn>>,
}

impl<'a> Context<'a> {
    /// A context without a session yet.
    pub fn new(
        target: Target,
        limit: Option<Duration>,
        printer: Printer<'a>,
        stop: Arc<AtomicBool>,
    ) -> Context<'a> {
        Context { target, limit, printer, place: None, stop, started: Instant::now(), conn: None }
    }

    /// The session, opened by the first command that needs one.
    pub fn conn(&mut self) -> Result<Rc<Conn>> {
        if let Some(conn) = &self.conn {
            return Ok(Rc::clone(conn));
        }
        let conn = Rc::new(Conn::open(&self.target)?);
        self.conn = Some(Rc::clone(&conn));
        Ok(conn)
    }

    /// True when there is a session.
    pub fn connected(&self) -> bool {
        self.conn.is_some()
    }

    /// Gives up the session without a word: the server is gone.
    pub fn drop_conn(&mut self) {
        self.conn = None;
    }

    /// Ends the session, if there is one: its ephemerals go.
    pub fn close(&mut self) -> Result<()> {
        match self.conn.take().map(Rc::try_unwrap) {
            Some(Ok(conn)) => conn.close(),
            Some(Err(_)) => unreachable!("a command that has returned keeps no session"),
            None => Ok(()),
        }
    }

    /// A path as it was given, made absolute in the shell, without `/` at its end.
    pub fn path(&self, given: &str) -> Result<String> {
        let path = match &self.place {
            Some(place) => join(place, given),
            None => given.to_owned(),
        };
        let path = match path.trim_end_matches('/') {
            "" if path.starts_with('/') => "/",
            trimmed => trimmed,
        };
        zk_wire::path::check(path).map_err(|error| Failure::path(given, error))?;
        Ok(path.to_owned())
    }

    /// An error once somebody has pressed Ctrl-C.
    pub fn go_on(&self) -> Result<()> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(Failure::new(exit::INTERRUPTED, "interrupted")),
            false => Ok(()),
        }
    }

    /// What is left of the limit; `None` without one.
    pub fn left(&self) -> Option<Duration> {
        self.limit.map(|limit| limit.saturating_sub(self.started.elapsed()))
    }

    /// True when people look at standard error, so that it may show how far long work has come.
    pub fn shows_progress(&self) -> bool {
        std::io::stderr().is_terminal()
    }
}

/// A path as it is meant at a place: `..` goes up, `/a` stands for itself.
pub fn join(place: &str, given: &str) -> String {
    let mut parts: Vec<&str> = match given.starts_with('/') {
        true => Vec::new(),
        false => place.split('/').filter(|part| !part.is_empty()).collect(),
    };
    for part in given.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The path of a child.
pub fn child(parent: &str, name: &str) -> String {
    format!("{}/{name}", parent.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_shell() {
        assert_eq!(join("/a/b", "c"), "/a/b/c");
        assert_eq!(join("/a/b", "../c"), "/a/c");
        assert_eq!(join("/a/b", "../../.."), "/");
        assert_eq!(join("/a/b", "/x/"), "/x");
        assert_eq!(join("/", "."), "/");
        assert_eq!(child("/", "a"), "/a");
        assert_eq!(child("/a", "b"), "/a/b");
    }
}
