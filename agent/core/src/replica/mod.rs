//! The door: [`Replica::step`] takes one event and appends what must follow to the effects.
//!
//! A standalone server is an ensemble of one. A write is judged against tree plus outstanding
//! changes, becomes a txn, is appended, made durable (`Event::Durable`), committed and applied;
//! only then is it answered. A read is answered from the tree, in the order of its session.

mod apply;
mod bring_up;
mod broadcast;
mod client;
mod cluster;
mod connect;
mod ensemble;
mod follow;
mod from_log;
mod lead;
mod learn;
mod local;
mod read_only;
mod reconfig;
mod status;
mod throttle;
mod turn;
mod twin;
mod upkeep;
mod warm;
mod write;
#[cfg(test)]
mod catch_up_tests;
#[cfg(test)]
mod cluster_tests;
#[cfg(test)]
mod room;
#[cfg(test)]
mod local_tests;
#[cfg(test)]
mod quota_tests;
#[cfg(test)]
mod read_only_tests;
#[cfg(test)]
mod reconfig_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod throttle_tests;
#[cfg(test)]
mod turn_tests;

use std::collections::{BTreeSet, VecDeque};

use zk_wire::Zxid;

use crate::bugs::{self, Bug};
use crate::config::Config;
use crate::conn::Conn;
use crate::effect::{Effect, Effects};
use crate::event::Event;
use crate::hash::Rng;
use crate::ids::{ConnId, PeerId};
use crate::load::Recovered;
use crate::pending::PendingQueue;
use crate::request::Outstanding;
use crate::request::read::ChildrenCache;
use crate::session::{LocalSessions, SessionTable};
use crate::time::Now;
use crate::tree::{DataTree, WatchTable};

use self::ensemble::{Ensemble, Role};
pub use status::{ConnStatus, LeadingStatus, ServerStats, Standing, Status};

/// Zxids between two entries of the digest history (`hash`).
const HISTORY_EVERY: i64 = 128;
/// Entries of the digest history.
const HISTORY_MAX: usize = 1024;

/// A server without a world around it.
#[derive(Debug)]
pub struct Replica {
    config: Config,
    tree: DataTree,
    outstanding: Outstanding,
    pending: PendingQueue,
    /// Requests that the throttle lets wait, oldest first.
    stalled: VecDeque<throttle::Stalled>,
    watches: WatchTable,
    sessions: SessionTable,
    /// The sessions that only this server knows.
    locals: LocalSessions,
    /// Sessions whose end was asked for before this server had seen their beginning applied.
    closed_early: BTreeSet<i64>,
    conns: Vec<Option<Conn>>,
    conn_count: usize,
    serial: u64,
    /// Zxid of the newest txn that was made.
    logged: Zxid,
    /// Zxid through which txns are durable.
    durable: Zxid,
    /// Zxid through which txns are committed; they are applied once they are durable too.
    committed: Zxid,
    disk_has_room: bool,
    /// The other servers; `None` when there are none.
    ensemble: Option<Box<ensemble::Ensemble>>,
    /// Clients are served.
    serving: bool,
    read_only: read_only::ReadOnly,
    /// Epochs are being written down.
    saving: bool,
    /// The state is being loaded anew.
    reloading: bool,
    /// The learner to whom the cursor's snapshot goes.
    snapshot_to: Option<PeerId>,
    /// The running snapshot is of a database that was received.
    snapshot_replaces: bool,
    /// Syncs that are released once a zxid is applied.
    released: follow::Released,
    /// The log cannot be cut to where a leader wanted it: the next one is asked for its database.
    wants_database: bool,
    /// Acknowledgements came that are not looked at yet.
    acks_came: bool,
    /// Digests of a leader that were not ours, counted.
    digest_mismatches: u64,
    cache: ChildrenCache,
    stats: ServerStats,
    history: VecDeque<(Zxid, u64)>,
    rng: Rng,
    snapshot: upkeep::SnapshotDue,
    reaper: upkeep::Reaper,
    /// Body of the reply that is being put together.
    scratch: Vec<u8>,
}

impl Replica {
    /// A replica that goes on from what was found on disk. Every session that was found gets its
    /// full timeout from now.
    pub fn new(config: Config, recovered: Recovered, now: Now) -> Replica {
        let mut sessions = SessionTable::new(config.tick_ms, config.session_tag, now);
        sessions.advance(now);
        for (session, timeout_ms) in recovered.sessions {
            sessions.add(session, timeout_ms);
        }
        let mut rng = Rng::new(config.seed);
        let tree = recovered.tree;
        // Ephemerals of a session that no snapshot and no txn knows (Apache's snapshots may hold
        // such): it is entered, and goes with them unless its client comes back in time.
        for (session, _) in tree.owners() {
            if sessions.find(session).is_none() {
                sessions.add(session, config.session_timeout_min_ms);
            }
        }
        let logged = tree.last_zxid();
        let (config_alone, tick_ms) = (config.ensemble.is_none(), config.tick_ms);
        let found = (recovered.epochs, recovered.history);
        let ensemble = config
            .ensemble
            .as_ref()
            .map(|told| Box::new(Ensemble::new(told, config.tick_ms, found)));
        let mut replica = Replica {
            watches: WatchTable::new(config.seed.rotate_left(32)),
            snapshot: upkeep::SnapshotDue::new(&config, &mut rng, recovered.txns_replayed),
            reaper: upkeep::Reaper::new(now),
            config,
            tree,
            outstanding: Outstanding::default(),
            pending: PendingQueue::default(),
            stalled: VecDeque::new(),
            sessions,
            locals: LocalSessions::new(tick_ms, now),
            closed_early: BTreeSet::new(),
            conns: Vec::new(),
            conn_count: 0,
            serial: 0,
            logged,
            durable: logged,
            committed: logged,
            serving: config_alone,
            ensemble,
            read_only: read_only::ReadOnly::new(),
            saving: false,
            reloading: false,
            snapshot_to: None,
            snapshot_replaces: false,
            released: VecDeque::new(),
            acks_came: false,
            wants_database: false,
            digest_mismatches: 0,
            disk_has_room: true,
            cache: ChildrenCache::default(),
            stats: ServerStats::new(now),
            history: VecDeque::new(),
            rng,
            scratch: Vec::new(),
        };
        replica.show_members(now);
        replica
    }

    /// Takes one event and appends what must follow from it to `effects`, in order.
    ///
    /// Same state and same event give the same effects: no clock, socket, disk or chance in here.
    pub fn step(&mut self, now: Now, event: Event<'_>, effects: &mut Effects) {
        self.sessions.advance(now);
        self.locals.table.advance(now);
        match event {
            Event::ClientRequest { conn, frame } => self.on_frame(now, conn, frame, effects),
            Event::Durable { zxid } => self.on_durable(now, zxid, effects),
            Event::Tick => self.on_tick(now, effects),
            Event::ClientOpened { conn, peer } => self.on_opened(now, conn, peer),
            Event::ClientOversized { conn, head } => self.on_oversized(now, conn, head, effects),
            Event::ClientClosed { conn } => self.on_closed(now, conn, effects),
            Event::DiskSpace { available } => self.on_disk_space(available, effects),
            Event::SnapshotSlice { bytes_max } => self.on_snapshot_slice(bytes_max, effects),
            Event::SnapshotTaken { zxid } => self.on_snapshot_taken(now, zxid, effects),
            Event::SnapshotFailed => self.on_snapshot_failed(now, effects),
            Event::SnapshotWanted => self.begin_snapshot(effects),
            Event::Stopping => self.on_stopping(effects),
            Event::Stopped => self.on_stopped(now, effects),
            other => self.on_peers(now, other, effects),
        }
        self.check();
    }

    /// What must hold between any two steps.
    fn check(&self) {
        assert!(self.durable <= self.logged, "durable before it was logged: {:?}", self.durable);
        let applied = self.tree.last_zxid();
        assert!(applied <= self.durable, "applied before it was durable: {applied:?}");
        let idle = self.pending.is_empty();
        assert!(!idle || self.outstanding.is_empty(), "changes are under way without a txn");
        assert!(!idle || applied == self.logged, "nothing is under way and txns are missing");
        assert!(!idle || self.stalled.is_empty(), "nothing is under way and requests wait for it");
        assert!(!(self.serving && self.read_only.on), "clients are served in two ways");
        let kept = self.serving || self.read_only.on || self.locals.table.is_empty();
        assert!(kept, "nobody is served and local sessions are kept");
    }

    fn conn(&mut self, conn: ConnId) -> Option<&mut Conn> {
        self.conns.get_mut(conn.0 as usize).and_then(Option::as_mut)
    }

    /// The connection if it is still the one that asked.
    fn asker(&mut self, client: Option<(ConnId, u64)>) -> Option<(ConnId, &mut Conn)> {
        let (id, serial) = client?;
        let conn = self.conns.get_mut(id.0 as usize)?.as_mut()?;
        (conn.serial == serial).then_some((id, conn))
    }

    fn on_durable(&mut self, now: Now, zxid: Zxid, effects: &mut Effects) {
        // Our own log writer's wrong word is a bug, not input.
        assert!(zxid >= self.durable, "the log went back to {zxid:?} from {:?}", self.durable);
        assert!(zxid <= self.logged, "durable before it was logged: {zxid:?}");
        self.durable = zxid;
        match self.ensemble.as_ref().map(|us| &us.role) {
            None => {
                // A quorum of one: what is durable here is committed.
                self.committed = zxid;
                self.apply_ready(now, effects);
            }
            Some(Role::Flushing) => self.look_if_flushed(now, effects),
            Some(Role::Looking) => {}
            Some(Role::Leading(_)) => self.commit(now, effects),
            Some(Role::Learning(_)) => self.acknowledge(now, effects),
        }
        self.release_stalled(now, effects);
        self.begin_due_snapshot(effects);
    }

    /// Applies what is committed and durable.
    fn apply_ready(&mut self, now: Now, effects: &mut Effects) {
        let durable = if bugs::on(Bug::Zk4882) { self.logged } else { self.durable };
        self.apply_through(now, self.committed.min(durable), effects);
    }

    /// What the other servers and their disk have to say.
    fn on_peers(&mut self, now: Now, event: Event<'_>, effects: &mut Effects) {
        assert!(self.ensemble.is_some(), "a server that is alone heard {event:?}");
        match event {
            Event::PeerAccepted { peer, port } => self.on_peer_accepted(peer, port, effects),
            Event::PeerConnected { peer } => self.on_peer_connected(now, peer, effects),
            Event::PeerBytes { peer, bytes } => self.on_peer_bytes(now, peer, bytes, effects),
            Event::PeerDrained { peer } => self.on_peer_drained(now, peer, effects),
            Event::PeerClosed { peer } => self.on_peer_closed(now, peer, effects),
            Event::LogRead { peer, after, piece } => {
                self.on_log_read(now, peer, after, piece, effects);
            }
            Event::EpochsSaved { epochs } => self.on_epochs_saved(now, epochs, effects),
            Event::Reloaded { recovered } => {
                let recovered = recovered.take().expect("a reload brings a state");
                self.on_reloaded(now, *recovered, effects);
            }
            other => unreachable!("{other:?} is none of the peers'"),
        }
        self.release_stalled(now, effects);
    }

    fn on_disk_space(&mut self, available: bool, effects: &mut Effects) {
        if self.disk_has_room == available {
            return;
        }
        self.disk_has_room = available;
        let (level, line) = match available {
            true => (crate::effect::Level::Info, "the log has room again: writes are accepted"),
            false => (crate::effect::Level::Error, "the log has no room: writes are refused"),
        };
        effects.log(level, line.to_owned());
    }

    fn close(&mut self, conn: ConnId, effects: &mut Effects) {
        if let Some(state) = self.conn(conn)
            && state.phase != crate::conn::Phase::Closing
        {
            state.phase = crate::conn::Phase::Closing;
            state.waiting.clear();
            state.waiting_bytes = 0;
            let stalled = std::mem::take(&mut state.stalled);
            if stalled > 0 {
                self.drop_stalled(conn);
            }
            effects.list.push(Effect::Close { conn });
        }
    }
}
