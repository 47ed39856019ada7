//! What operators see: figures of the server, its connections, sessions and watches.

use std::collections::BTreeMap;

use zk_wire::Zxid;

use super::Replica;
use super::ensemble::Role;
use crate::conn::ConnStats;
use crate::ids::ConnId;
use crate::time::Now;
use crate::tree::watch_table::mark;
use crate::zab::leader::{Phase, Stage};

/// Counts since the start or the last `srst`. Latencies in ms.
#[derive(Clone, Debug)]
pub struct ServerStats {
    /// Frames received.
    pub received: u64,
    /// Frames sent.
    pub sent: u64,
    /// Smallest latency of a request; `i64::MAX` before the first.
    pub min_latency_ms: i64,
    /// Largest latency of a request.
    pub max_latency_ms: i64,
    /// Sum of all latencies.
    pub total_latency_ms: i64,
    /// Requests measured.
    pub count: u64,
    /// Auth packets that were refused.
    pub auth_failed: u64,
    /// Sessions that ended by silence.
    pub sessions_expired: u64,
    /// When the replica began, on the monotonic clock in ms.
    pub started_ms: i64,
}

impl ServerStats {
    pub(super) fn new(now: Now) -> ServerStats {
        ServerStats {
            received: 0,
            sent: 0,
            min_latency_ms: i64::MAX,
            max_latency_ms: 0,
            total_latency_ms: 0,
            count: 0,
            auth_failed: 0,
            sessions_expired: 0,
            started_ms: now.mono_ms,
        }
    }

    #[inline]
    pub(super) fn answered(&mut self, now: Now, arrived_ms: i64) {
        let latency_ms = now.mono_ms - arrived_ms;
        self.sent += 1;
        self.count += 1;
        self.total_latency_ms += latency_ms;
        self.min_latency_ms = self.min_latency_ms.min(latency_ms);
        self.max_latency_ms = self.max_latency_ms.max(latency_ms);
    }
}

/// The figures of `srvr` and `mntr`.
#[derive(Clone, Debug)]
pub struct Status {
    /// Counts and latencies.
    pub stats: ServerStats,
    /// Zxid last applied.
    pub zxid: Zxid,
    /// Zxid of the newest txn made.
    pub logged: Zxid,
    /// Znodes as Apache counts them: the root twice.
    pub znodes: usize,
    /// Ephemeral znodes.
    pub ephemerals: usize,
    /// Bytes of paths and data.
    pub content_bytes: u64,
    /// Watches of the data registry.
    pub data_watches: usize,
    /// Watches of the child registry.
    pub child_watches: usize,
    /// Sessions of the ensemble, or of the server that is alone.
    pub sessions: usize,
    /// Sessions that only this server knows.
    pub local_sessions: usize,
    /// Connections.
    pub connections: usize,
    /// Requests under way.
    pub outstanding: usize,
    /// Whether writes are accepted.
    pub disk_has_room: bool,
}

/// What a server is to its ensemble, for operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It has none.
    #[default]
    Alone,
    /// It serves nobody: it looks for a leader, or is on its way to lead or to follow one.
    Apart,
    /// It looks for a leader, and serves meanwhile who wants to read.
    ReadOnly,
    /// It leads and serves.
    Leading(LeadingStatus),
    /// It follows and serves.
    Following,
    /// It observes and serves.
    Observing,
}

/// What a leader has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeadingStatus {
    /// Its epoch.
    pub epoch: i64,
    /// Learners that are connected.
    pub learners: usize,
    /// Voters among them that have everything.
    pub synced_followers: usize,
    /// Observers among them that have everything.
    pub synced_observers: usize,
    /// Followers without a vote that have everything.
    pub synced_non_voting: usize,
    /// Syncs of clients that wait for a quorum.
    pub pending_syncs: usize,
}

/// One connection, for `cons`.
#[derive(Clone, Debug)]
pub struct ConnStatus<'a> {
    /// Its session, 0 without.
    pub session: i64,
    /// Negotiated timeout in ms.
    pub timeout_ms: i32,
    /// Requests not answered yet.
    pub outstanding: u32,
    /// Whether it is not read at the moment.
    pub paused: bool,
    /// Counts.
    pub stats: &'a ConnStats,
}

impl Replica {
    /// The figures of this moment.
    pub fn status(&self) -> Status {
        let watches = self.watches.counts();
        Status {
            stats: self.stats.clone(),
            zxid: self.tree.last_zxid(),
            logged: self.logged,
            znodes: self.tree.len() + 1,
            ephemerals: self.tree.ephemeral_count(),
            content_bytes: self.tree.content_bytes(),
            data_watches: watches.data,
            child_watches: watches.child,
            sessions: self.sessions.len(),
            local_sessions: self.locals.table.len(),
            connections: self.conn_count,
            outstanding: self.pending.len(),
            disk_has_room: self.disk_has_room,
        }
    }

    /// A connection's figures; `None` for a number that is not in use.
    pub fn conn_status(&self, conn: ConnId) -> Option<ConnStatus<'_>> {
        let conn = self.conns.get(conn.0 as usize)?.as_ref()?;
        Some(ConnStatus {
            session: conn.session,
            timeout_ms: conn.timeout_ms,
            outstanding: conn.outstanding,
            paused: conn.paused,
            stats: &conn.stats,
        })
    }

    /// `srst`: counts begin anew.
    pub fn reset_stats(&mut self) {
        let (kept, started_ms) = (self.stats.clone(), self.stats.started_ms);
        self.stats = ServerStats::new(Now { mono_ms: started_ms, wall_ms: 0 });
        self.stats.auth_failed = kept.auth_failed;
        self.stats.sessions_expired = kept.sessions_expired;
    }

    /// `crst`: counts of every connection begin anew.
    pub fn reset_conn_stats(&mut self) {
        for conn in self.conns.iter_mut().flatten() {
            conn.stats.reset();
        }
    }

    /// Counts a four-letter word, which Apache counts as a packet.
    pub fn count_command(&mut self) {
        self.stats.received += 1;
    }

    /// Sessions by the ms from now at which they would expire.
    pub fn sessions_by_expiry(&self) -> BTreeMap<i64, Vec<i64>> {
        self.sessions.by_expiry()
    }

    /// Sessions that only this server knows, by the ms from now at which they would expire; `None`
    /// when new ones are not of that kind.
    pub fn local_sessions_by_expiry(&self) -> Option<BTreeMap<i64, Vec<i64>>> {
        self.opens_locally().then(|| self.locals.table.by_expiry())
    }

    /// Sessions with ephemerals, and the paths of those.
    pub fn ephemerals(&self) -> Vec<(i64, Vec<String>)> {
        let owners = self.tree.owners();
        owners.map(|(session, list)| (session, list.map(|n| self.tree.path(n)).collect())).collect()
    }

    /// Digests of the tree at every 128th zxid, oldest first.
    pub fn digests(&self) -> impl Iterator<Item = (Zxid, u64)> + '_ {
        self.history.iter().copied()
    }

    /// Paths with watches in the data registry, and the sessions that watch them.
    pub fn watched_paths(&self) -> Vec<(String, Vec<i64>)> {
        let mut paths: Vec<(String, Vec<i64>)> = Vec::new();
        for (path, watchers) in self.watches.iter() {
            let in_data = watchers.filter(|(_, marks)| marks & (mark::ALL & !mark::CHILD) != 0);
            let sessions: Vec<i64> = in_data
                .filter_map(|(conn, _)| self.conn_status(conn).map(|conn| conn.session))
                .collect();
            if !sessions.is_empty() {
                paths.push((path.to_owned(), sessions));
            }
        }
        paths.sort();
        paths
    }

    /// The tree, for tools that read it.
    pub fn tree(&self) -> &crate::tree::DataTree {
        &self.tree
    }

    /// Sessions and their timeouts in ms.
    pub fn sessions(&self) -> impl Iterator<Item = (i64, i32)> + '_ {
        self.sessions.iter()
    }

    /// The epoch that this server leads, once it is established.
    pub fn leads(&self) -> Option<i64> {
        match self.ensemble.as_ref().map(|us| &us.role) {
            Some(Role::Leading(leader)) => {
                let serves = leader.phase == Phase::Serving;
                serves.then_some(leader.epoch)
            }
            _ => None,
        }
    }

    /// What this server is to its ensemble.
    pub fn standing(&self) -> Standing {
        let Some(us) = &self.ensemble else { return Standing::Alone };
        match &us.role {
            _ if self.read_only.on => Standing::ReadOnly,
            _ if !self.serving => Standing::Apart,
            Role::Leading(leader) => {
                let mut leading = LeadingStatus {
                    epoch: leader.epoch,
                    learners: leader.learners.len(),
                    pending_syncs: leader.syncs.len(),
                    ..LeadingStatus::default()
                };
                let synced = leader.learners.values().filter(|f| f.stage == Stage::Serving);
                for learner in synced {
                    if learner.observer {
                        leading.synced_observers += 1;
                    } else if us.known.committed.is_voter(learner.sid) {
                        leading.synced_followers += 1;
                    } else {
                        leading.synced_non_voting += 1;
                    }
                }
                Standing::Leading(leading)
            }
            Role::Learning(learner) if learner.observer => Standing::Observing,
            Role::Learning(_) => Standing::Following,
            Role::Flushing | Role::Looking => Standing::Apart,
        }
    }

    /// The newest txn that is applied; an ensemble's.
    pub fn applied_txn(&self) -> Zxid {
        self.ensemble.as_ref().map_or(self.tree.last_zxid(), |us| us.history.last())
    }

    /// The newest txns that are applied and kept for learners, oldest first; an ensemble's.
    pub fn committed_log(&self) -> impl DoubleEndedIterator<Item = Zxid> + '_ {
        self.ensemble.iter().flat_map(|us| us.history.zxids())
    }

    /// Whether a session is known.
    pub fn knows_session(&self, session: i64) -> bool {
        self.sessions.find(session).is_some()
    }

    /// Whether a snapshot for the disk runs and wants to be asked for slices.
    pub fn snapshot_runs(&self) -> bool {
        self.tree.snapshot_runs() && self.snapshot_to.is_none()
    }
}
