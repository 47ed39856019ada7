//! A replica driven by hand: no disk, no socket, no clock. Every event is chosen by a test, every
//! effect is kept where a test can look at it.
//!
//! The driver plays the shell: it holds the log, says how much of it is durable, collects snapshots
//! and buries connections. [`chaos`] chooses events at random, [`model`] says what must come of them.

pub mod chaos;
pub mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use zk_core::{Config, ConnId, Effect, Effects, Event, Loader, Now, Recovered, Replica};
use zk_wire::frame::{self, Cut};
use zk_wire::{Stat, Zxid};

/// An event that owns its bytes, so that it can be kept and given to two replicas.
#[derive(Clone, Debug)]
pub enum Stimulus {
    /// A client connects.
    Opened(u32),
    /// A whole frame of a client.
    Frame(u32, Vec<u8>),
    /// The beginning of a frame that is too long.
    Oversized(u32, Vec<u8>),
    /// A connection is gone.
    Closed(u32),
    /// The log is durable up to this zxid.
    Durable(Zxid),
    /// Time passes: so many ms of the monotonic and of the wall clock, then a tick.
    Tick(i64, i64),
    /// The log has room, or has none.
    Room(bool),
    /// A snapshot is asked for.
    SnapshotWanted,
    /// A piece of it.
    SnapshotSlice(usize),
    /// It is on disk.
    SnapshotTaken(Zxid),
    /// It can't be written.
    SnapshotFailed,
}

/// A snapshot as it was handed out.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Where it stands.
    pub zxid: Zxid,
    /// Its pieces, in order.
    pub pieces: Vec<Vec<u8>>,
    /// Whether the last piece is there.
    pub complete: bool,
}

/// A replica and what a shell would hold for it.
#[derive(Debug)]
pub struct Driver {
    /// The replica.
    pub replica: Replica,
    /// What it was made with.
    pub config: Config,
    /// The clocks.
    pub now: Now,
    /// Every txn that was appended, in order; those of earlier lives first.
    pub log: Vec<(Zxid, Vec<u8>)>,
    /// What was said to be durable.
    pub durable: Zxid,
    /// Bodies of the frames that were sent, until a test takes them.
    pub sent: Vec<(ConnId, Vec<u8>)>,
    /// Connections that are open.
    pub open: BTreeSet<u32>,
    /// Connections that the replica wants closed.
    pub closing: BTreeSet<u32>,
    /// Connections that are not to be read.
    pub paused: BTreeSet<u32>,
    /// The running snapshot, or the newest one.
    pub snapshot: Option<Snapshot>,
    /// Effects of the last step.
    pub effects: Effects,
}

impl Driver {
    /// A fresh database.
    pub fn new(config: Config, now: Now) -> Driver {
        let recovered = Loader::new(&config).finish();
        Driver::on(config, now, recovered, Vec::new())
    }

    /// What was recovered, and the log that it came from.
    pub fn on(config: Config, now: Now, from: Recovered, log: Vec<(Zxid, Vec<u8>)>) -> Driver {
        let durable = from.tree.last_zxid();
        Driver {
            replica: Replica::new(config.clone(), from, now),
            config,
            now,
            log,
            durable,
            sent: Vec::new(),
            open: BTreeSet::new(),
            closing: BTreeSet::new(),
            paused: BTreeSet::new(),
            snapshot: None,
            effects: Effects::new(),
        }
    }

    /// Zxid of the newest txn.
    pub fn logged(&self) -> Zxid {
        self.replica.status().logged
    }

    /// Gives the replica one event and books its effects, which stay in `effects`.
    pub fn step(&mut self, stimulus: &Stimulus) {
        if let Stimulus::Tick(mono_ms, wall_ms) = stimulus {
            self.now.mono_ms += mono_ms;
            self.now.wall_ms += wall_ms;
        }
        self.effects.clear();
        let event = match stimulus {
            Stimulus::Opened(conn) => {
                assert!(self.open.insert(*conn), "connection {conn} is open");
                Event::ClientOpened { conn: ConnId(*conn), peer: IpAddr::V4(Ipv4Addr::LOCALHOST) }
            }
            Stimulus::Frame(conn, frame) => Event::ClientRequest { conn: ConnId(*conn), frame },
            Stimulus::Oversized(conn, head) => Event::ClientOversized { conn: ConnId(*conn), head },
            Stimulus::Closed(conn) => {
                assert!(self.open.remove(conn), "connection {conn} is not open");
                self.closing.remove(conn);
                self.paused.remove(conn);
                Event::ClientClosed { conn: ConnId(*conn) }
            }
            Stimulus::Durable(zxid) => {
                self.durable = *zxid;
                Event::Durable { zxid: *zxid }
            }
            Stimulus::Tick(..) => Event::Tick,
            Stimulus::Room(available) => Event::DiskSpace { available: *available },
            Stimulus::SnapshotWanted => Event::SnapshotWanted,
            Stimulus::SnapshotSlice(bytes_max) => Event::SnapshotSlice { bytes_max: *bytes_max },
            Stimulus::SnapshotTaken(zxid) => Event::SnapshotTaken { zxid: *zxid },
            Stimulus::SnapshotFailed => Event::SnapshotFailed,
        };
        self.replica.step(self.now, event, &mut self.effects);
        self.book();
    }

    fn book(&mut self) {
        let bytes = &self.effects.bytes;
        for effect in &self.effects.list {
            match effect {
                Effect::Append { zxid, txn } => self.log.push((*zxid, bytes[txn.clone()].to_vec())),
                Effect::Send { conn, frames } => {
                    let mut rest = &bytes[frames.clone()];
                    while let Cut::Frame { length } = frame::cut(rest, usize::MAX) {
                        self.sent.push((*conn, rest[4..4 + length].to_vec()));
                        rest = &rest[4 + length..];
                    }
                    assert!(rest.is_empty(), "what is sent is whole frames");
                }
                Effect::Close { conn } => drop(self.closing.insert(conn.0)),
                Effect::Pause { conn } => drop(self.paused.insert(conn.0)),
                Effect::Resume { conn } => drop(self.paused.remove(&conn.0)),
                Effect::SnapshotBegin { zxid, .. } => {
                    let pieces = Vec::new();
                    self.snapshot = Some(Snapshot { zxid: *zxid, pieces, complete: false });
                }
                Effect::SnapshotBytes { piece, last } => {
                    let snapshot = self.snapshot.as_mut().expect("a piece comes after its begin");
                    assert!(!snapshot.complete, "a piece comes behind the last one");
                    snapshot.pieces.push(bytes[piece.clone()].to_vec());
                    snapshot.complete = *last;
                }
                Effect::Log { .. } | Effect::Audit(_) => {}
                other => panic!("a server that is alone wants {other:?}"),
            }
        }
    }

    /// Makes everything durable, and buries whom the replica closed.
    pub fn settle(&mut self) {
        // What waited for its session may write more once it has it.
        while self.logged() > self.durable {
            self.step(&Stimulus::Durable(self.logged()));
        }
        while let Some(conn) = self.closing.first().copied() {
            self.step(&Stimulus::Closed(conn));
        }
    }

    /// Opens a connection and asks for a session on it, or for the one named.
    pub fn connect(&mut self, conn: u32, session_id: i64) {
        self.step(&Stimulus::Opened(conn));
        let mut request = crate::raw::new_session(30_000);
        let password = zk_wire::connect::session_password(session_id);
        request.session_id = session_id;
        request.password = Some(&password);
        let mut body = Vec::new();
        request.encode(&mut body);
        self.step(&Stimulus::Frame(conn, body));
    }
}

/// Loads a snapshot, if one is given, and the txns of a log above it.
pub fn load(
    config: &Config,
    snapshot: Option<&Snapshot>,
    log: &[(Zxid, Vec<u8>)],
) -> Result<Recovered, String> {
    let mut loader = Loader::new(config);
    let mut above = Zxid::ZERO;
    if let Some(snapshot) = snapshot {
        for piece in &snapshot.pieces {
            loader.piece(piece)?;
        }
        loader.snapshot_end(snapshot.zxid)?;
        above = snapshot.zxid;
    }
    for (zxid, txn) in log.iter().filter(|(zxid, _)| *zxid > above) {
        loader.txn(*zxid, txn)?;
    }
    Ok(loader.finish())
}

/// Everything about a znode that outlives a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// As a client sees it.
    pub stat: Stat,
    /// Owner as it is stored, with the marks of containers and TTL znodes.
    pub owner: i64,
    /// Data; null is not empty.
    pub data: Option<Vec<u8>>,
    /// The ACL's jute bytes.
    pub acl: Vec<u8>,
}

/// Everything about a database that outlives a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portrait {
    /// Znodes by path; the root is the empty path.
    pub znodes: BTreeMap<String, Facts>,
    /// Sessions. Not their timeouts: one that is renewed with another timeout makes no txn of it.
    pub sessions: BTreeSet<i64>,
    /// Paths of each session's ephemerals.
    pub ephemerals: BTreeMap<i64, BTreeSet<String>>,
    /// Containers and TTL znodes.
    pub reapable: BTreeSet<String>,
    /// Subtrees with quotas.
    pub quotas: Vec<String>,
    /// Digest of the tree.
    pub digest: u64,
    /// Zxid of the last txn.
    pub zxid: Zxid,
    /// Bytes of paths and data.
    pub content_bytes: u64,
}

impl Portrait {
    /// Of a tree and its sessions.
    pub fn of(tree: &zk_core::tree::DataTree, sessions: BTreeSet<i64>) -> Portrait {
        let mut znodes = BTreeMap::new();
        tree.walk(|path, number| {
            let node = tree.node(number);
            let facts = Facts {
                stat: tree.stat(number),
                owner: node.owner,
                data: tree.data(number).map(<[u8]>::to_vec),
                acl: tree.acls.bytes(node.acl).to_vec(),
            };
            assert_eq!(tree.find(path), Some(number), "{path:?} stands in the index");
            assert_eq!(tree.children(number).count(), node.children as usize, "{path:?}");
            znodes.insert(path.to_owned(), facts);
        });
        assert_eq!(znodes.len(), tree.len(), "every znode hangs on the root");
        let owned = tree.owners();
        let owned = owned.map(|(session, list)| (session, list.map(|n| tree.path(n)).collect()));
        Portrait {
            znodes,
            sessions,
            ephemerals: owned.collect(),
            reapable: tree.reapable().map(|number| tree.path(number)).collect(),
            quotas: tree.quotas.prefixes().map(str::to_owned).collect(),
            digest: tree.digest(),
            zxid: tree.last_zxid(),
            content_bytes: tree.content_bytes(),
        }
    }

    /// Of a running replica: what is applied.
    pub fn of_replica(replica: &Replica) -> Portrait {
        Portrait::of(replica.tree(), replica.sessions().map(|(id, _)| id).collect())
    }

    /// Of what was loaded.
    pub fn of_recovered(recovered: &Recovered) -> Portrait {
        Portrait::of(&recovered.tree, recovered.sessions.keys().copied().collect())
    }

    /// Panics with the first things that differ; a whole database is too much to read.
    pub fn assert_same(&self, other: &Portrait, where_: &str) {
        for path in self.znodes.keys().chain(other.znodes.keys()) {
            let (a, b) = (self.znodes.get(path), other.znodes.get(path));
            assert_eq!(a, b, "{where_}: {path:?}");
        }
        let bare = |portrait: &Portrait| Portrait { znodes: BTreeMap::new(), ..portrait.clone() };
        assert_eq!(bare(self), bare(other), "{where_}");
    }
}
