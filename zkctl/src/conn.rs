//! The one door to the client library: a session, and every call with errors that name the path.
//!
//! All commands talk through [`Conn`], so that a change of the library's interface ends here. Paths
//! are checked before they travel. Watch events are handed out by [`Conn::next_event`], which also
//! keeps the session alive.

use std::cell::RefCell;
use std::time::Duration;

use zk_wire::path::check;
use zk_wire::request::ReconfigRequest;
use zk_wire::{Acl, Stat};
use zkclient::calls::{AddWatchMode, Mode, WatcherType};
use zkclient::multi::{Outcome, Write};
use zkclient::{Client, Error, Settings};

use crate::failure::{Failure, Result, exit};

/// What a session is opened with.
#[derive(Clone, Debug)]
pub struct Target {
    /// `host:port,host:port`.
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
    client: RefCell<Client>,
    servers: String,
}

/// The addresses of a list of servers, with the usual port where none stands.
pub fn addresses(servers: &str) -> Result<Vec<String>> {
    let list: Vec<String> = servers
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(|text| match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                text.to_owned()
            }
            _ => format!("{text}:2181"),
        })
        .collect();
    match list.is_empty() {
        true => Err(Failure::usage(format!("servers {servers:?}: none; give host:port,..."))),
        false => Ok(list),
    }
}

fn checked<'a>(path: &'a str) -> Result<&'a str> {
    check(path).map_err(|error| Failure::path(path, error))?;
    Ok(path)
}

impl Conn {
    /// Connects to the first of the servers that answers, and says who we are.
    pub fn open(target: &Target) -> Result<Conn> {
        let mut last = String::new();
        let mut code = exit::NOT_REACHED;
        for address in addresses(&target.servers)? {
            let settings = Settings {
                session_timeout_ms: target.session_timeout_ms,
                call_timeout_ms: target.call_timeout_ms,
                ..Settings::default()
            };
            match Client::connect(address.as_str(), settings) {
                Ok(mut client) => {
                    for (scheme, proof) in &target.auth {
                        client.auth(scheme, proof).map_err(|error| refused(scheme, &error))?;
                    }
                    return Ok(Conn { client: RefCell::new(client), servers: address });
                }
                Err(error) => {
                    if let Error::Timeout { .. } = error {
                        code = exit::TIMEOUT;
                    }
                    last = error.to_string();
                }
            }
        }
        let what = format!(
            "servers {}: none reached: {last}; give others by -s or in ZKCTL_SERVERS",
            target.servers
        );
        Err(Failure::new(code, what))
    }

    /// The server that this session is on.
    pub fn server(&self) -> &str {
        &self.servers
    }

    /// The session's id.
    pub fn id(&self) -> i64 {
        self.client.borrow().session().identity().id
    }

    /// The timeout that the server granted, in ms.
    pub fn timeout_ms(&self) -> i32 {
        self.client.borrow().session().timeout_ms()
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
        let sequential = matches!(
            mode,
            Mode::PersistentSequential | Mode::EphemeralSequential | Mode::TtlSequential(_)
        );
        match sequential {
            true => checked(&format!("{path}0")).map(|_| ())?,
            false => checked(path).map(|_| ())?,
        }
        let made = self.client.borrow_mut().create_with(path, data, acl, mode);
        made.map(|(path, _)| path).map_err(|error| Failure::of("create", path, &error))
    }

    /// Deletes; -1 takes any version.
    pub fn delete(&self, path: &str, version: i32) -> Result<()> {
        let done = self.client.borrow_mut().delete(checked(path)?, version);
        done.map_err(|error| Failure::of("delete", path, &error))
    }

    /// The stat; `None` when there is no such znode.
    pub fn exists(&self, path: &str, watch: bool) -> Result<Option<Stat>> {
        match self.client.borrow_mut().exists(checked(path)?, watch) {
            Ok(stat) => Ok(Some(stat)),
            Err(Error::Server(zk_wire::Code::NO_NODE)) => Ok(None),
            Err(error) => Err(Failure::of("stat", path, &error)),
        }
    }

    /// The stat; an error when there is no such znode.
    pub fn stat(&self, path: &str) -> Result<Stat> {
        let none = || Failure::of("stat", path, &Error::Server(zk_wire::Code::NO_NODE));
        self.exists(path, false)?.ok_or_else(none)
    }

    /// Data and stat; null data is `None`.
    pub fn get(&self, path: &str, watch: bool) -> Result<(Option<Vec<u8>>, Stat)> {
        let got = self.client.borrow_mut().get(checked(path)?, watch);
        got.map_err(|error| Failure::of("get", path, &error))
    }

    /// Sets the data; -1 takes any version.
    pub fn set(&self, path: &str, data: Option<&[u8]>, version: i32) -> Result<Stat> {
        let done = self.client.borrow_mut().set(checked(path)?, data, version);
        done.map_err(|error| Failure::of("set", path, &error))
    }

    /// ACL and stat.
    pub fn get_acl(&self, path: &str) -> Result<(Vec<Acl>, Stat)> {
        let got = self.client.borrow_mut().get_acl(checked(path)?);
        got.map_err(|error| Failure::of("getAcl", path, &error))
    }

    /// Sets the ACL; -1 takes any version of the ACL.
    pub fn set_acl(&self, path: &str, acl: &[Acl], version: i32) -> Result<Stat> {
        let done = self.client.borrow_mut().set_acl(checked(path)?, acl, version);
        done.map_err(|error| Failure::of("setAcl", path, &error))
    }

    /// Names of the children, sorted, and the stat.
    pub fn children(&self, path: &str, watch: bool) -> Result<(Vec<String>, Stat)> {
        let got = self.client.borrow_mut().children2(checked(path)?, watch);
        let (mut names, stat) = got.map_err(|error| Failure::of("ls", path, &error))?;
        names.sort();
        Ok((names, stat))
    }

    /// Waits until the server has what the leader has.
    pub fn sync(&self, path: &str) -> Result<()> {
        let done = self.client.borrow_mut().sync(checked(path)?);
        done.map_err(|error| Failure::of("sync", path, &error))
    }

    /// Adds an identity.
    pub fn auth(&self, scheme: &str, proof: &[u8]) -> Result<()> {
        let done = self.client.borrow_mut().auth(scheme, proof);
        done.map_err(|error| refused(scheme, &error))
    }

    /// Leaves a watch that stays.
    pub fn add_watch(&self, path: &str, mode: AddWatchMode) -> Result<()> {
        let done = self.client.borrow_mut().add_watch(checked(path)?, mode);
        done.map_err(|error| Failure::of("watch", path, &error))
    }

    /// Removes watches.
    pub fn remove_watches(&self, path: &str, kind: WatcherType) -> Result<()> {
        let done = self.client.borrow_mut().remove_watches(checked(path)?, kind);
        done.map_err(|error| Failure::of("removewatches", path, &error))
    }

    /// The ephemerals of this session below a path, sorted.
    pub fn ephemerals(&self, prefix: &str) -> Result<Vec<String>> {
        let got = self.client.borrow_mut().ephemerals(checked(prefix)?);
        let mut list = got.map_err(|error| Failure::of("getEphemerals", prefix, &error))?;
        list.sort();
        Ok(list)
    }

    /// The number of all znodes below a path.
    pub fn all_children_number(&self, path: &str) -> Result<i32> {
        let got = self.client.borrow_mut().all_children_number(checked(path)?);
        got.map_err(|error| Failure::of("getAllChildrenNumber", path, &error))
    }

    /// Scheme and user of each identity.
    pub fn who_am_i(&self) -> Result<Vec<(String, String)>> {
        let got = self.client.borrow_mut().who_am_i();
        got.map_err(|error| Failure::of("whoami", "", &error))
    }

    /// Changes the members; the new configuration and its stat.
    pub fn reconfig(&self, request: &ReconfigRequest<'_>) -> Result<(Vec<u8>, Stat)> {
        let got = self.client.borrow_mut().reconfig(request);
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
        let done = self.client.borrow_mut().multi(writes);
        done.map_err(|error| Failure::of("multi", "", &error))
    }

    /// The next watch event within `wait`, if there is one.
    pub fn next_event(&self, wait: Duration) -> Result<Option<Event>> {
        let wait_ms = wait.as_millis().min(u128::from(u32::MAX)) as u64;
        let got = self.client.borrow_mut().next_watch(wait_ms);
        let event = got.map_err(|error| Failure::of("watching", "", &error))?;
        Ok(event.map(|event| Event { kind: event.kind, path: event.path, zxid: event.zxid.0 }))
    }

    /// Ends the session: its ephemerals go. A server that is gone has ended it already.
    pub fn close(self) -> Result<()> {
        let done = self.client.into_inner().close();
        done.map_err(|error| Failure::of("close", "", &error))
    }
}

fn refused(scheme: &str, error: &Error) -> Failure {
    match error.code() {
        Some(_) => {
            let what = format!("auth {scheme}: the server refuses it; digest takes user:password");
            Failure { exit: exit::NO_AUTH, what, code: error.code() }
        }
        None => Failure::of("auth", scheme, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_servers() {
        assert_eq!(addresses("a, b:1,[::1]").unwrap(), ["a:2181", "b:1", "[::1]:2181"]);
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
