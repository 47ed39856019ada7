//! An ensemble of server processes that is changed while it runs, and a load of writes meanwhile.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use zk_wire::{Code, Op, Reader};

use crate::ensemble::word;
use crate::fixture::Conn;
use crate::raw::{Reply, new_session};
use crate::server::{Kind, Options, Server, free_addresses};
use crate::{record, words};

/// How long a change may take to be seen everywhere. The machine may be busy.
const LIMIT: Duration = Duration::from_secs(60);

/// Servers by their ids.
#[derive(Debug)]
pub struct Changing {
    /// The processes.
    pub servers: BTreeMap<i64, Server>,
    places: BTreeMap<i64, Vec<SocketAddr>>,
    lines: Vec<String>,
}

impl Changing {
    /// Three voters of these kinds, with `reconfigEnabled` and without permissions. An error says
    /// what tool is missing.
    pub fn start(kinds: [Kind; 3], lines: &[&str]) -> Result<Changing, String> {
        let places = free_addresses(3 * 9);
        let places = (1..).zip(places.chunks(3).map(<[SocketAddr]>::to_vec)).collect();
        let mut all = vec!["reconfigEnabled=true".to_owned(), "skipACL=yes".to_owned()];
        all.extend(["initLimit=10", "syncLimit=5"].map(str::to_owned));
        all.extend(lines.iter().map(|line| (*line).to_owned()));
        let mut ensemble = Changing { servers: BTreeMap::new(), places, lines: all };
        let list: Vec<String> = (1..=3).map(|sid| ensemble.line(sid, "participant")).collect();
        for (sid, kind) in (1..).zip(kinds) {
            ensemble.spawn(kind, sid, &list)?;
        }
        ensemble.wait_until("serving", |ensemble| {
            (1..=3).all(|sid| ensemble.mode(sid).is_some()) && ensemble.leader().is_some()
        });
        Ok(ensemble)
    }

    /// The line of a server, as a list and a reconfig have it.
    pub fn line(&self, sid: i64, role: &str) -> String {
        let [client, quorum, election] = &self.places[&sid][..] else { unreachable!("three each") };
        let (quorum, election) = (quorum.port(), election.port());
        format!("server.{sid}=127.0.0.1:{quorum}:{election}:{role};127.0.0.1:{}", client.port())
    }

    fn spawn(&mut self, kind: Kind, sid: i64, list: &[String]) -> Result<(), String> {
        let mut options = Options::new(kind);
        options.config.extend(self.lines.iter().chain(list).cloned());
        let options = options.file("myid", format!("{sid}\n").into_bytes());
        let server = Server::spawn(options, self.address(sid))?;
        self.servers.insert(sid, server);
        Ok(())
    }

    /// Starts a server that knows the first three and itself.
    pub fn spawn_joiner(&mut self, kind: Kind, sid: i64, role: &str) {
        let mut list: Vec<String> = (1..=3).map(|sid| self.line(sid, "participant")).collect();
        list.push(self.line(sid, role));
        self.spawn(kind, sid, &list).expect("the others run too");
    }

    /// Moves the ports of a server: clients, proposals, votes. Its line says so from now on.
    pub fn move_ports(&mut self, sid: i64, client: bool, peers: bool) {
        let fresh = free_addresses(3);
        let places = self.places.get_mut(&sid).expect("nine servers have places");
        if client {
            places[0] = fresh[0];
        }
        if peers {
            places[1..].clone_from_slice(&fresh[1..]);
        }
    }

    /// Where the clients of a server connect.
    pub fn address(&self, sid: i64) -> SocketAddr {
        self.places[&sid][0]
    }

    /// The mode of a server; `None` when it doesn't serve.
    pub fn mode(&self, sid: i64) -> Option<String> {
        let text = word(self.address(sid), "srvr")?;
        words::field(&text, "Mode").map(str::to_owned)
    }

    /// The one that leads, if there is one.
    pub fn leader(&self) -> Option<i64> {
        self.servers.keys().copied().find(|sid| self.mode(*sid).as_deref() == Some("leader"))
    }

    /// The text of `/zookeeper/config`; `None` when the server doesn't serve.
    pub fn config(&self, sid: i64) -> Option<String> {
        let mut conn = self.connect(sid)?;
        conn.send(Op::GET_DATA, &record::path_watch("/zookeeper/config", false));
        let body = conn.receive_or_end()?.record;
        let data = Reader::new(&body).buffer("data").ok()??.to_vec();
        String::from_utf8(data).ok()
    }

    fn connect(&self, sid: i64) -> Option<Conn> {
        TcpStream::connect_timeout(&self.address(sid), Duration::from_millis(500)).ok()?;
        Conn::with(self.address(sid), &new_session(10_000))
    }

    /// Waits until this holds; a panic with the output of all servers when it doesn't.
    pub fn wait_until(&mut self, what: &str, mut done: impl FnMut(&mut Changing) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !done(self) {
            if Instant::now() > deadline {
                let output: Vec<String> = self.servers.values().map(Server::output).collect();
                panic!("{what} did not happen in {LIMIT:?}:\n{}", output.join("\n----\n"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks a server for another configuration.
    pub fn ask(&self, sid: i64, record: &[u8]) -> Option<Reply> {
        let mut conn = self.connect(sid)?;
        conn.send(Op::RECONFIG, record);
        conn.receive_or_end()
    }

    /// Asks any server until a configuration is answered with OK, and until these servers show it.
    /// Returns its text.
    pub fn change(&mut self, joining: &[String], leaving: &str, shown_by: &[i64]) -> String {
        let joining = (!joining.is_empty()).then(|| joining.join(","));
        let leaving = (!leaving.is_empty()).then_some(leaving);
        let asked = record::reconfigure(joining.as_deref(), leaving, None, -1);
        let mut text = String::new();
        self.wait_until("an accepted reconfig", |ensemble| {
            let Some(leader) = ensemble.leader() else { return false };
            let Some(reply) = ensemble.ask(leader, &asked) else { return false };
            let retry = [Code::NEW_CONFIG_NO_QUORUM, Code::RECONFIG_IN_PROGRESS];
            if retry.contains(&reply.header.code) {
                return false;
            }
            assert_eq!(reply.header.code, Code::OK, "{joining:?} {leaving:?}");
            let data = Reader::new(&reply.record).buffer("data").expect("data").expect("a text");
            text = String::from_utf8_lossy(data).into_owned();
            true
        });
        for sid in shown_by {
            let what = format!("server {sid} with {text}");
            self.wait_until(&what, |ensemble| ensemble.config(*sid).as_ref() == Some(&text));
        }
        text
    }
}

/// Writes that go on meanwhile, through whoever serves.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    addresses: Arc<Mutex<Vec<SocketAddr>>>,
    thread: JoinHandle<Vec<String>>,
}

impl Load {
    /// Begins to create znodes below `/load`.
    pub fn start(addresses: Vec<SocketAddr>) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let addresses = Arc::new(Mutex::new(addresses));
        let (ends, places) = (Arc::clone(&stop), Arc::clone(&addresses));
        let thread = std::thread::spawn(move || {
            let (mut acknowledged, mut number, mut conn) = (Vec::new(), 0usize, None::<Conn>);
            while !ends.load(Ordering::Relaxed) {
                number += 1;
                let path = format!("/load/{number:06}");
                let made = conn.as_mut().and_then(|conn| {
                    conn.send(Op::CREATE, &record::create(&path, b"load", 0));
                    conn.receive_or_end()
                });
                match made {
                    Some(reply) if reply.header.code == Code::OK => acknowledged.push(path),
                    Some(_) => {}
                    None => {
                        let all = places.lock().expect("nobody panics with it").clone();
                        let address = all[number % all.len()];
                        let there =
                            TcpStream::connect_timeout(&address, Duration::from_millis(200));
                        conn = there.ok().and_then(|_| Conn::with(address, &new_session(10_000)));
                        if conn.is_none() {
                            std::thread::sleep(Duration::from_millis(2));
                        }
                    }
                }
            }
            acknowledged
        });
        Load { stop, addresses, thread }
    }

    /// Whom to write to from now on.
    pub fn set_addresses(&self, addresses: Vec<SocketAddr>) {
        *self.addresses.lock().expect("nobody panics with it") = addresses;
    }

    /// Ends it; the paths of all writes that were acknowledged.
    pub fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the load does not panic")
    }
}
