//! The one door to the client library: a session, and every call with errors that name the path.
//!
//! All commands talk through [`Conn`]. Paths are checked before they travel. Watch events wait in a
//! queue until [`Conn::next_event`] takes them, which also tells when the session is lost.

use std::cell::Cell;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use zk_wire::path::check;
use zk_wire::request::ReconfigRequest;
use zk_wire::{Acl, Code, Stat};
use zkclient::call::{Call, Encode};
use zkclient::calls::{self, AddWatchMode, Mode, WatcherType};
use zkclient::hosts::ConnectString;
use zkclient::multi::{Outcome, Write};
use zkclient::{Client, Error, Settings, State, WatchEvent, Watcher};

use crate::failure::{Failure, Result, exit};

/// How long a connection may take before it is looked whether anybody listens at all.
const QUICK_MS: u64 = 250;

/// What a session is opened with.
#[derive(Clone, Debug)]
pub struct Target {
    /// `host:port,host:port/chroot`.
    pub servers: String,
    /// The session timeout to ask for, in ms.
    pub session_timeout_ms: i32,
    /// How long a connect or a call may take, in ms.
    pub call_timeout_ms: u64,
    /// Identities: scheme and what proves it.
    pub auth: Vec<(String, Vec<u8>)>,
}

/// A change that was watched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// See `zk_wire::watch::event`.
    pub kind: i32,
    /// Where.
    pub path: String,
    /// The zxid of the change; -1 when the server did not say.
    pub zxid: i64,
}

/// A session.
pub struct Conn {
    client: Client,
    /// What comes of watches that have no feed of their own.
    feed: Feed,
    servers: String,
}

/// Takes an event from the library's thread for callbacks instead of the one who waits.
pub type Tap = Box<dyn FnMut(&Event) + Send>;

/// Where the events of some watches wait to be taken.
pub struct Feed {
    watcher: Watcher,
    events: Receiver<WatchEvent>,
    tap: Arc<Mutex<Option<Tap>>>,
    /// Since when there is no connection.
    away: Cell<Option<Instant>>,
}

impl Default for Feed {
    fn default() -> Feed {
        let (tell, events) = channel();
        let tap: Arc<Mutex<Option<Tap>>> = Arc::default();
        let open = Arc::clone(&tap);
        let watcher = Watcher::new(move |event| {
            let mut tap = open.lock().expect("whoever taps does not panic");
            match (event, &mut *tap) {
                (WatchEvent::Node { kind, path, zxid }, Some(take)) => {
                    take(&Event { kind: *kind, path: path.clone(), zxid: *zxid });
                }
                // Nobody listens to what comes when the command has ended.
                _ => drop(tell.send(event.clone())),
            }
        });
        Feed { watcher, events, tap, away: Cell::new(None) }
    }
}

impl Feed {
    /// The next event within `wait`; an error when the session is lost, or away for longer than the
    /// server waits for it.
    fn next(&self, wait: Duration, bearable: Duration) -> Result<Option<Event>> {
        let until = Instant::now() + wait;
        loop {
            match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(WatchEvent::Node { kind, path, zxid }) => {
                    return Ok(Some(Event { kind, path, zxid }));
                }
                Ok(WatchEvent::Session(state)) => self.moved(state)?,
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::of("watching", "", &Error::Closing));
                }
            }
        }
        match self.away.get().is_some_and(|since| since.elapsed() >= bearable) {
            true => Err(Failure::of("watching", "", &Error::SessionExpired)),
            false => Ok(None),
        }
    }

    fn moved(&self, state: State) -> Result<()> {
        match state {
            State::Connected | State::ReadOnly => self.away.set(None),
            State::Expired => {
                return Err(Failure::of("watching", "", &Error::SessionExpired));
            }
            State::AuthFailed => return Err(Failure::of("watching", "", &Error::AuthFailed)),
            State::Closed => return Err(Failure::of("watching", "", &Error::Closing)),
            _ if self.away.get().is_none() => self.away.set(Some(Instant::now())),
            _ => {}
        }
        Ok(())
    }
}

/// An answer that is still to come.
pub struct Pending<R> {
    verb: &'static str,
    path: String,
    told: Receiver<zkclient::Result<R>>,
}

impl<R> Pending<R> {
    /// Waits for it. Every call is answered, at the latest when its time is over.
    pub fn wait(self) -> Result<R> {
        let answer = self.told.recv().unwrap_or(Err(Error::Closing));
        answer.map_err(|error| Failure::of(self.verb, &self.path, &error))
    }
}

/// The addresses of a list of servers, with the usual port where none stands, without the chroot.
pub fn addresses(servers: &str) -> Result<Vec<String>> {
    let parsed = ConnectString::parse(servers)
        .map_err(|error| Failure::usage(format!("{error}; give host:port,...")))?;
    Ok(parsed.hosts.iter().map(ToString::to_string).collect())
}

fn checked(path: &str) -> Result<&str> {
    check(path).map_err(|error| Failure::path(path, error))?;
    Ok(path)
}

/// Why nobody can be reached; `None` when somebody listens.
fn nobody(servers: &[String], limit: Duration) -> Option<String> {
    let mut last = String::new();
    for server in servers {
        let found = match server.to_socket_addrs() {
            Ok(found) => found,
            Err(error) => {
                last = error.to_string();
                continue;
            }
        };
        for address in found {
            match TcpStream::connect_timeout(&address, limit) {
                Ok(_) => return None,
                Err(error) => last = error.to_string(),
            }
        }
    }
    Some(last)
}

impl Conn {
    /// Connects to one of the servers, and says who we are.
    pub fn open(target: &Target) -> Result<Conn> {
        let hosts = addresses(&target.servers)?;
        let wrong = |error: Error| Failure::of("servers", &target.servers, &error);
        let feed = Feed::default();
        let settings = Settings {
            servers: target.servers.clone(),
            session_timeout_ms: target.session_timeout_ms,
            call_timeout_ms: target.call_timeout_ms,
            watcher: Some(feed.watcher.clone()),
            ..Settings::default()
        };
        let client = Client::open(settings).map_err(wrong)?;
        let limit = Duration::from_millis(target.call_timeout_ms);
        let unreached = |code: u8, why: &str| {
            let what =
                format!("servers {}: {why}; give others by -s or in ZKCTL_SERVERS", target.servers);
            Failure::new(code, what)
        };
        let mut connected = client.wait_connected(target.call_timeout_ms.min(QUICK_MS));
        if let Err(Error::Timeout { .. }) = connected {
            // The library tries for as long as it may; people want to know at once.
            if let Some(why) = nobody(&hosts, limit) {
                return Err(unreached(exit::NOT_REACHED, &format!("none reached: {why}")));
            }
            connected = client.wait_connected(target.call_timeout_ms);
        }
        match connected {
            Ok(()) => {}
            Err(Error::Timeout { .. }) => {
                let why = format!("no session within {} ms", target.call_timeout_ms);
                return Err(unreached(exit::TIMEOUT, &why));
            }
            Err(error) => return Err(unreached(exit::NOT_REACHED, &error.to_string())),
        }
        for (scheme, proof) in &target.auth {
            client.auth(scheme, proof).map_err(|error| refused(scheme, &error))?;
        }
        Ok(Conn { client, feed, servers: target.servers.clone() })
    }

    /// The library's client, for its recipes.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The timeout that the server granted, in ms.
    pub fn session_timeout_ms(&self) -> u64 {
        self.client.session_timeout_ms().max(1) as u64
    }

    /// The servers of this session.
    pub fn servers(&self) -> &str {
        &self.servers
    }

    /// The session's id.
    pub fn id(&self) -> i64 {
        self.client.identity().id
    }

    /// What stands before every path on the server.
    pub fn chroot(&self) -> &str {
        self.client.chroot()
    }

    /// Creates; the path that it got.
    pub fn create(
        &self,
        path: &str,
        data: Option<&[u8]>,
        acl: &[Acl],
        mode: Mode,
    ) -> Result<String> {
        // The name of a sequential znode may end with what it is given.
        match mode.is_sequential() {
            true => checked(&format!("{path}0")).map(|_| ())?,
            false => checked(path).map(|_| ())?,
        }
        let made = self.client.create_with(path, data, acl, mode);
        made.map(|(path, _)| path).map_err(|error| Failure::of("create", path, &error))
    }

    /// Deletes; -1 takes any version.
    pub fn delete(&self, path: &str, version: i32) -> Result<()> {
        let done = self.client.delete(checked(path)?, version);
        done.map_err(|error| Failure::of("delete", path, &error))
    }

    /// The stat; `None` when there is no such znode.
    pub fn exists(&self, path: &str, watch: bool) -> Result<Option<Stat>> {
        match self.client.exists(checked(path)?, watch) {
            Ok(stat) => Ok(Some(stat)),
            Err(Error::Server(Code::NO_NODE)) => Ok(None),
            Err(error) => Err(Failure::of("stat", path, &error)),
        }
    }

    /// The stat; an error when there is no such znode.
    pub fn stat(&self, path: &str) -> Result<Stat> {
        let none = || Failure::of("stat", path, &Error::Server(Code::NO_NODE));
        self.exists(path, false)?.ok_or_else(none)
    }

    /// Data and stat; null data is `None`.
    pub fn get(&self, path: &str, watch: bool) -> Result<(Option<Vec<u8>>, Stat)> {
        let got = self.client.get(checked(path)?, watch);
        got.map_err(|error| Failure::of("get", path, &error))
    }

    /// Sets the data; -1 takes any version.
    pub fn set(&self, path: &str, data: Option<&[u8]>, version: i32) -> Result<Stat> {
        let done = self.client.set(checked(path)?, data, version);
        done.map_err(|error| Failure::of("set", path, &error))
    }

    /// ACL and stat.
    pub fn get_acl(&self, path: &str) -> Result<(Vec<Acl>, Stat)> {
        let got = self.client.get_acl(checked(path)?);
        got.map_err(|error| Failure::of("getAcl", path, &error))
    }

    /// Sets the ACL; -1 takes any version of the ACL.
    pub fn set_acl(&self, path: &str, acl: &[Acl], version: i32) -> Result<Stat> {
        let done = self.client.set_acl(checked(path)?, acl, version);
        done.map_err(|error| Failure::of("setAcl", path, &error))
    }

    /// Names of the children, sorted, and the stat.
    pub fn children(&self, path: &str, watch: bool) -> Result<(Vec<String>, Stat)> {
        let got = self.client.children2(checked(path)?, watch);
        let (mut names, stat) = got.map_err(|error| Failure::of("ls", path, &error))?;
        names.sort();
        Ok((names, stat))
    }

    /// Asks for names of children and stat, and does not wait.
    pub fn start_children(&self, path: &str) -> Result<Pending<(Vec<String>, Stat)>> {
        self.start("ls", path, calls::children2(checked(path)?, false))
    }

    /// Asks for data and stat, and does not wait.
    pub fn start_get(&self, path: &str) -> Result<Pending<(Option<Vec<u8>>, Stat)>> {
        self.start("get", path, calls::get(checked(path)?, false))
    }

    /// Asks for ACL and stat, and does not wait.
    pub fn start_get_acl(&self, path: &str) -> Result<Pending<(Vec<Acl>, Stat)>> {
        self.start("getAcl", path, calls::get_acl(checked(path)?))
    }

    fn start<R: Send + 'static, E: Encode>(
        &self,
        verb: &'static str,
        path: &str,
        call: Call<'_, R, E>,
    ) -> Result<Pending<R>> {
        let (tell, told) = channel();
        // Nobody listens to what comes when the command has ended.
        let started = self.client.start(call, move |answer| drop(tell.send(answer)));
        started.map_err(|error| Failure::of(verb, path, &error))?;
        Ok(Pending { verb, path: path.to_owned(), told })
    }

    /// Waits until the server has what the leader has.
    pub fn sync(&self, path: &str) -> Result<()> {
        let done = self.client.sync(checked(path)?);
        done.map_err(|error| Failure::of("sync", path, &error))
    }

    /// Adds an identity.
    pub fn auth(&self, scheme: &str, proof: &[u8]) -> Result<()> {
        let done = self.client.auth(scheme, proof);
        done.map_err(|error| refused(scheme, &error))
    }

    /// Leaves a watch that stays.
    pub fn add_watch(&self, path: &str, mode: AddWatchMode) -> Result<()> {
        let done = self.client.add_watch(checked(path)?, mode);
        done.map_err(|error| Failure::of("watch", path, &error))
    }

    /// Removes watches.
    pub fn remove_watches(&self, path: &str, kind: WatcherType) -> Result<()> {
        let done = self.client.remove_watches(checked(path)?, kind);
        done.map_err(|error| Failure::of("removewatches", path, &error))
    }

    /// The ephemerals of this session below a path, sorted.
    pub fn ephemerals(&self, prefix: &str) -> Result<Vec<String>> {
        let got = self.client.ephemerals(checked(prefix)?);
        let mut list = got.map_err(|error| Failure::of("getEphemerals", prefix, &error))?;
        list.sort();
        Ok(list)
    }

    /// The number of all znodes below a path.
    pub fn all_children_number(&self, path: &str) -> Result<i32> {
        let got = self.client.all_children_number(checked(path)?);
        got.map_err(|error| Failure::of("getAllChildrenNumber", path, &error))
    }

    /// Scheme and user of each identity.
    pub fn who_am_i(&self) -> Result<Vec<(String, String)>> {
        let got = self.client.who_am_i();
        got.map_err(|error| Failure::of("whoami", "", &error))
    }

    /// Changes the members; the new configuration and its stat.
    pub fn reconfig(&self, request: &ReconfigRequest<'_>) -> Result<(Vec<u8>, Stat)> {
        let got = self.client.reconfig(request);
        let (data, stat) = got.map_err(|error| Failure::of("reconfig", "", &error))?;
        Ok((data.unwrap_or_default(), stat))
    }

    /// Does all or none; what each gave.
    pub fn multi(&self, writes: &[Write<'_>]) -> Result<Vec<Outcome>> {
        for write in writes {
            match write {
                Write::Create { path, .. } => checked(path.trim_end_matches('/')).map(|_| ())?,
                Write::Delete(path, _) | Write::Set(path, ..) | Write::Check(path, _) => {
                    checked(path).map(|_| ())?;
                }
            }
        }
        let done = self.client.multi(writes);
        done.map_err(|error| Failure::of("multi", "", &error))
    }

    /// The next event of watches without a feed of their own; see [`Conn::next_of`].
    pub fn next_event(&self, wait: Duration) -> Result<Option<Event>> {
        self.next_of(&self.feed, wait)
    }

    /// From now on events of watches without a feed of their own go there as they come, or with
    /// `None` wait again to be taken.
    pub fn tap(&self, tap: Option<Tap>) {
        *self.feed.tap.lock().expect("whoever taps does not panic") = tap;
    }

    /// The next event of a feed within `wait`, if there is one; an error when the session is lost,
    /// or away for so long that the server must have ended it.
    pub fn next_of(&self, feed: &Feed, wait: Duration) -> Result<Option<Event>> {
        feed.next(wait, Duration::from_millis(self.session_timeout_ms()))
    }

    /// Leaves a watch that stays, with a feed of its own.
    pub fn follow(&self, path: &str, mode: AddWatchMode) -> Result<Feed> {
        let feed = Feed::default();
        let done = self.client.watch(checked(path)?, mode, feed.watcher.clone());
        done.map_err(|error| Failure::of("watch", path, &error))?;
        Ok(feed)
    }

    /// Removes it.
    pub fn unfollow(&self, path: &str, mode: AddWatchMode, feed: &Feed) -> Result<()> {
        let done = self.client.unwatch(path, mode, &feed.watcher);
        done.map_err(|error| Failure::of("watch", path, &error))
    }

    /// Whether a znode exists; its next change comes to the feed.
    pub fn exists_told(&self, path: &str, feed: &Feed) -> Result<bool> {
        match self.client.exists_w(checked(path)?, feed.watcher.clone()) {
            Ok(_) => Ok(true),
            Err(Error::Server(Code::NO_NODE)) => Ok(false),
            Err(error) => Err(Failure::of("stat", path, &error)),
        }
    }

    /// The data of a znode; its next change comes to the feed.
    pub fn get_told(&self, path: &str, feed: &Feed) -> Result<Vec<u8>> {
        let got = self.client.get_w(checked(path)?, feed.watcher.clone());
        got.map(|(data, _)| data.unwrap_or_default())
            .map_err(|error| Failure::of("get", path, &error))
    }

    /// The number of children; its next change comes to the feed.
    pub fn children_told(&self, path: &str, feed: &Feed) -> Result<usize> {
        let got = self.client.children_w(checked(path)?, feed.watcher.clone());
        got.map(|names| names.len()).map_err(|error| Failure::of("ls", path, &error))
    }

    /// Ends the session: its ephemerals go. A server that is gone has ended it already.
    pub fn close(self) -> Result<()> {
        match self.client.close() {
            Ok(()) | Err(Error::SessionExpired | Error::AuthFailed | Error::Closing) => Ok(()),
            Err(error) => Err(Failure::of("close", "", &error)),
        }
    }
}

fn refused(scheme: &str, error: &Error) -> Failure {
    match error {
        Error::AuthFailed | Error::Server(_) => {
            let what = format!("auth {scheme}: the server refuses it; digest takes user:password");
            Failure { exit: exit::NO_AUTH, what, code: Some(Code::AUTH_FAILED) }
        }
        error => Failure::of("auth", scheme, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_servers() {
        let long = addresses("a, b:1,[::1],fe80::2,[::1]:7/root").unwrap();
        assert_eq!(long, ["a:2181", "b:1", "[::1]:2181", "[fe80::2]:2181", "[::1]:7"]);
        assert_eq!(addresses("a:port").unwrap_err().exit, exit::USAGE);
        assert_eq!(addresses(" ,").unwrap_err().exit, exit::USAGE);
    }

    #[test]
    fn nobody_there_is_said_with_the_remedy() {
        let target = Target {
            servers: "127.0.0.1:1".to_owned(),
            session_timeout_ms: 4000,
            call_timeout_ms: 1000,
            auth: Vec::new(),
        };
        let failure = Conn::open(&target).err().expect("nothing listens there");
        assert_eq!(failure.exit, exit::NOT_REACHED);
        assert!(failure.what.contains("127.0.0.1:1") && failure.what.contains("ZKCTL_SERVERS"));
    }
}
