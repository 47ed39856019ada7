//! An ensemble of server processes on loopback.

pub mod call;
pub mod certificate;
pub mod shared;
mod client;
pub mod compare;
pub mod load;

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use zk_wire::{Code, Op};

use certificate::{Left, Witness};

use crate::fixture::Conn;
use crate::history::{Entry, Promises, Summary};
use crate::raw::{Reply, new_session};
use crate::server::{Kind, Options, Server, free_addresses};
use crate::{record, words};

/// How long an ensemble may take to find a leader. The machine may be busy.
const LIMIT: Duration = Duration::from_secs(60);

/// Whether a server has printed that its tree is not its leader's. What Apache's servers say of it
/// while they are brought up, or read their own files, means nothing: their snapshots are fuzzy. So
/// does what ours say of a database on disk that came from one of those.
fn is_mismatch(line: &str) -> bool {
    let apache = line.contains("Digests are not matching") && line.contains("[CommitProcessor");
    apache || line.contains("ensemble: digest_mismatch")
}

/// Servers of one ensemble, the first with id 1.
#[derive(Debug)]
pub struct Ensemble {
    /// The processes.
    pub servers: Vec<Server>,
    witness: Witness,
}

impl Ensemble {
    /// Starts one server per role (`participant` or `observer`) and waits for nothing. An error
    /// says what tool is missing.
    pub fn start(kinds: &[(Kind, &str)], lines: &[&str]) -> Result<Ensemble, String> {
        Ensemble::start_with(kinds, lines, &[])
    }

    /// The same, with properties of the JVM, which ours take from the command line.
    pub fn start_with(
        kinds: &[(Kind, &str)],
        lines: &[&str],
        properties: &[(&str, &str)],
    ) -> Result<Ensemble, String> {
        let places = free_addresses(kinds.len() * 3);
        let list: Vec<String> = kinds
            .iter()
            .zip(places.chunks(3))
            .enumerate()
            .map(|(at, ((_, role), ports))| {
                let (quorum, election) = (ports[1].port(), ports[2].port());
                format!("server.{}=127.0.0.1:{quorum}:{election}:{role}", at + 1)
            })
            .collect();
        let start = |(at, (kind, _)): (usize, &(Kind, &str))| {
            let mut options = Options::new(*kind).line("initLimit=10").line("syncLimit=5");
            options.config.extend(list.iter().cloned());
            options.config.extend(lines.iter().map(|line| (*line).to_owned()));
            options.heap_mb = 256;
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            options.properties.extend(properties.iter().map(owned));
            let options = options.file("myid", format!("{}\n", at + 1).into_bytes());
            Server::spawn(options, places[at * 3])
        };
        let servers: Result<Vec<Server>, String> = kinds.iter().enumerate().map(start).collect();
        Ok(Ensemble { servers: servers?, witness: Witness::default() })
    }

    /// Servers that were started one by one.
    pub fn of(servers: Vec<Server>) -> Ensemble {
        Ensemble { servers, witness: Witness::default() }
    }

    /// What a server has printed since it had printed `from` bytes.
    pub fn printed(&self, at: usize, from: usize) -> String {
        self.servers[at].output().get(from..).unwrap_or_default().to_owned()
    }

    /// Where a server keeps its data.
    pub fn data_dir(&self, at: usize) -> PathBuf {
        self.servers[at].home().join("data")
    }

    /// Starts a server again that was killed, and waits for nothing. What its log held is kept for
    /// the end: the database may take its place.
    pub fn respawn(&mut self, at: usize) {
        self.servers[at].kill();
        self.keep(at);
        self.servers[at].respawn();
    }

    fn keep(&mut self, at: usize) {
        self.witness.take(&Left::of(&self.data_dir(at)));
    }

    /// The test knows that nothing of its epoch behind this txn was committed.
    pub fn set_end(&mut self, zxid: i64) {
        self.witness.set_end(zxid);
    }

    /// Takes its history from a server that doesn't run: all but its id.
    pub fn wipe(&mut self, at: usize) {
        assert!(!self.servers[at].runs(), "the disk of a running server is wiped");
        self.keep(at);
        for name in ["zk-agent", "version-2"] {
            let _ = std::fs::remove_dir_all(self.data_dir(at).join(name));
        }
    }

    /// Where the clients of a server connect.
    pub fn address(&self, at: usize) -> SocketAddr {
        self.servers[at].address()
    }

    /// The mode of a server; `None` when it doesn't serve.
    pub fn mode(&self, at: usize) -> Option<String> {
        let text = word(self.address(at), "srvr")?;
        words::field(&text, "Mode").map(str::to_owned)
    }

    /// Creates a znode through whichever of these takes it first; how long that took.
    ///
    /// # Panics
    /// When none does within half a minute, with what all have said.
    pub fn first_write(&self, through: &[usize], path: &str) -> Duration {
        let begun = Instant::now();
        loop {
            let tried = through.iter().map(|at| try_create(self.address(*at), path, b""));
            if tried.flatten().any(|code| code == Code::OK || code == Code::NODE_EXISTS) {
                return begun.elapsed();
            }
            assert!(begun.elapsed().as_secs() < 30, "nobody took over:\n{}", self.output());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What all servers have printed.
    pub fn output(&self) -> String {
        self.servers.iter().map(|server| server.output() + "\n").collect()
    }

    /// The one that leads, if there is one.
    pub fn leader(&self) -> Option<usize> {
        (0..self.servers.len()).find(|at| self.mode(*at).as_deref() == Some("leader"))
    }

    /// Waits until this holds; a panic with the output of all servers when it doesn't.
    pub fn wait_until(&mut self, what: &str, mut done: impl FnMut(&mut Ensemble) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !done(self) {
            if Instant::now() > deadline {
                let output: Vec<String> = self.servers.iter().map(Server::output).collect();
                panic!("{what} did not happen in {LIMIT:?}:\n{}", output.join("\n----\n"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends all servers and holds what clients saw against the logs that are left.
    ///
    /// # Panics
    /// When the logs contradict each other or the clients, or a server has found that its tree is
    /// not its leader's.
    pub fn judge(mut self, entries: Vec<Entry>, promises: &Promises) -> Summary {
        self.servers.iter_mut().for_each(Server::kill);
        for server in &self.servers {
            let output = server.output();
            assert!(!output.lines().any(is_mismatch), "two trees are not the same:\n{output}");
        }
        let now: Vec<Left> =
            (0..self.servers.len()).map(|at| Left::of(&self.data_dir(at))).collect();
        load::judge(entries, &self.witness.finish(&now), promises)
    }

    /// Waits until so many servers serve, one of them as leader; says which one.
    pub fn wait_serving(&mut self, count: usize) -> usize {
        let serving = |ensemble: &mut Ensemble| {
            let all = 0..ensemble.servers.len();
            let serving = all.filter(|at| ensemble.mode(*at).is_some()).count();
            serving >= count && ensemble.leader().is_some()
        };
        self.wait_until(&format!("serving by {count}"), serving);
        self.leader().expect("it led a moment ago")
    }
}

/// The answer to a word; `None` when nobody listens.
pub fn word(address: SocketAddr, word: &str) -> Option<String> {
    let patience = Duration::from_millis(500);
    TcpStream::connect_timeout(&address, patience).ok()?;
    words::ask_within(address, word, Duration::from_secs(2)).ok()
}

/// Creates a znode over a connection of its own; `None` when the server doesn't serve or goes away.
pub fn try_create(address: SocketAddr, path: &str, data: &[u8]) -> Option<Code> {
    TcpStream::connect_timeout(&address, Duration::from_millis(500)).ok()?;
    let mut conn = Conn::with(address, &new_session(10_000))?;
    conn.send(Op::CREATE, &record::create(path, data, 0));
    let reply: Reply = conn.receive_or_end()?;
    Some(reply.header.code)
}
