//! The servers of a run together: who leads, who should run, and what their logs have said.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::net::Net;
use super::node::Node;
use crate::ensemble::certificate::{Left, Witness};
use crate::ensemble::word;
use crate::words;

/// How long servers may take to serve once nothing is wrong any more.
const LIMIT: Duration = Duration::from_secs(60);

/// How often logs are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How a process ends whose disk failed.
const EXIT_DISK: i32 = 74;

/// Servers, the first with number 1.
#[derive(Debug)]
pub struct Cluster {
    /// What is between them.
    pub net: Net,
    nodes: Vec<Node>,
    witness: Witness,
    looked: Instant,
    binary: PathBuf,
}

impl Cluster {
    /// Makes and starts so many servers.
    pub fn start(home: &Path, count: usize, seed: u64, binary: PathBuf) -> Cluster {
        let net = Net::new(count, seed);
        let nodes = (1..=count).map(|number| Node::new(home, number, count)).collect();
        let (witness, looked) = (Witness::default(), Instant::now());
        let mut cluster = Cluster { net, nodes, witness, looked, binary };
        cluster.numbers().for_each(|number| cluster.revive(number));
        cluster
    }

    /// How many servers there are.
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// All numbers.
    pub fn numbers(&self) -> std::ops::RangeInclusive<usize> {
        1..=self.nodes.len()
    }

    /// A server.
    pub fn node(&mut self, number: usize) -> &mut Node {
        &mut self.nodes[number - 1]
    }

    /// A server's mode; `None` when it doesn't serve.
    pub fn mode(&self, number: usize) -> Option<String> {
        let text = word(self.nodes[number - 1].address(), "srvr")?;
        words::field(&text, "Mode").map(str::to_owned)
    }

    /// The one that leads.
    pub fn leader(&self) -> Option<usize> {
        self.numbers().find(|number| self.mode(*number).as_deref() == Some("leader"))
    }

    /// Keeps what the log of a server says, which must not run.
    pub fn keep(&mut self, number: usize) {
        let left = Left::of(&self.nodes[number - 1].data_dir());
        self.witness.take(&left);
    }

    /// Keeps what the logs of all servers say, who run or not, unless it did so just now. To be
    /// called all the time: a server that is sent the database drops its log, and when this befalls
    /// one after the other, nobody has what was written before.
    pub fn watch(&mut self) {
        if self.looked.elapsed() < LOOK {
            return;
        }
        self.looked = Instant::now();
        for node in &self.nodes {
            if let Some(left) = Left::of_running(&node.data_dir()) {
                self.witness.take(&left);
            }
        }
    }

    /// Starts a server again, on what its disk holds.
    pub fn revive(&mut self, number: usize) {
        self.nodes[number - 1].kill();
        self.keep(number);
        let binary = self.binary.clone();
        self.nodes[number - 1].start(&binary);
    }

    /// Every server that should run does, or ended because its disk failed.
    ///
    /// # Panics
    /// When one ended by itself, with what it said.
    pub fn assert_alive(&mut self) {
        for (at, node) in self.nodes.iter_mut().enumerate() {
            let ended = node.ended().filter(|status| status.code() != Some(EXIT_DISK));
            if let Some(status) = ended {
                panic!("server {} ended, {status}:\n{}", at + 1, node.output());
            }
        }
    }

    /// Nothing is wrong any more: the network, the disks, the processes.
    pub fn heal(&mut self) {
        self.net.heal();
        for number in self.numbers() {
            let node = self.node(number);
            node.disk.empty();
            // One that ended by itself cannot be signalled any more.
            if node.runs() {
                node.signal("CONT");
            } else {
                self.revive(number);
            }
        }
    }

    /// Waits until all servers serve.
    ///
    /// # Panics
    /// When they don't in time, with what they said.
    pub fn wait_serving(&mut self) {
        let deadline = Instant::now() + LIMIT;
        loop {
            self.assert_alive();
            self.watch();
            let modes: Vec<Option<String>> = self.numbers().map(|n| self.mode(n)).collect();
            let leaders = modes.iter().filter(|mode| mode.as_deref() == Some("leader")).count();
            if leaders == 1 && modes.iter().all(Option::is_some) {
                return;
            }
            assert!(Instant::now() < deadline, "{modes:?} after {LIMIT:?}\n{}", self.output());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The last lines of all servers.
    pub fn output(&self) -> String {
        let tail = |node: &Node| {
            let text = node.output();
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(60)..].join("\n")
        };
        self.nodes.iter().map(tail).collect::<Vec<_>>().join("\n----\n")
    }

    /// Ends all servers; what was committed.
    ///
    /// # Panics
    /// When the logs contradict each other, or a server said that its tree is not its leader's.
    pub fn finish(mut self) -> crate::ensemble::certificate::Log {
        self.nodes.iter_mut().for_each(Node::kill);
        for node in &self.nodes {
            assert!(!node.output().contains("digest_mismatch"), "{}", node.output());
        }
        let left: Vec<Left> = self.nodes.iter().map(|node| Left::of(&node.data_dir())).collect();
        std::mem::take(&mut self.witness).finish(&left)
    }
}
