//! What a replica does by itself when time passes: expiry, containers, snapshots.

use std::collections::VecDeque;

use zk_wire::Zxid;

use super::Replica;
use crate::config::Config;
use crate::effect::{Effect, Effects, Level};
use crate::hash::Rng;
use crate::request::prepare::is_due;
use crate::time::Now;

/// A failed snapshot is tried again after this, in ms.
const SNAPSHOT_RETRY_MS: i64 = 60_000;

/// When the next snapshot is due.
#[derive(Debug)]
pub(super) struct SnapshotDue {
    txns: u64,
    bytes: u64,
    txns_max: u64,
    bytes_max: u64,
    /// Not before this, on the monotonic clock: the last one failed.
    not_before_ms: i64,
    last: Zxid,
}

impl SnapshotDue {
    /// Draws the first limits. `replayed` txns stand in the log above the last snapshot already.
    pub fn new(config: &Config, rng: &mut Rng, replayed: u64) -> SnapshotDue {
        let mut due = SnapshotDue {
            txns: replayed,
            bytes: 0,
            txns_max: 0,
            bytes_max: 0,
            not_before_ms: i64::MIN,
            last: Zxid::NONE,
        };
        due.draw(config, rng);
        due
    }

    /// Between half of the limit and all of it, so that servers do not all do it at once.
    fn draw(&mut self, config: &Config, rng: &mut Rng) {
        let half = u64::from(config.snapshot_txns.max(2)) / 2;
        self.txns_max = half + rng.below(half);
        self.bytes_max = match config.snapshot_log_bytes / 2 {
            0 => u64::MAX,
            half => half + rng.below(half),
        };
    }

    /// One more txn of so many bytes.
    pub fn count(&mut self, bytes: usize) {
        self.txns += 1;
        self.bytes += bytes as u64;
    }
}

/// Looks for containers and TTL znodes to delete.
#[derive(Debug)]
pub(super) struct Reaper {
    next_look_ms: Option<i64>,
    next_delete_ms: i64,
    found: VecDeque<(u32, i64)>,
}

impl Reaper {
    /// The first look comes after one interval.
    pub fn new(_: Now) -> Reaper {
        Reaper { next_look_ms: None, next_delete_ms: 0, found: VecDeque::new() }
    }
}

impl Replica {
    /// Monotonic time in ms at which a `Tick` has something to do.
    pub fn deadline(&self, now: Now) -> i64 {
        let mut others = self.ensemble_deadline();
        if self.snapshot.not_before_ms > i64::MIN {
            others = others.min(self.snapshot.not_before_ms);
        }
        let locals = &self.locals.table;
        for due_ms in [self.sessions.reading_due_ms(), locals.reading_due_ms()] {
            others = others.min(due_ms.unwrap_or(i64::MAX));
        }
        if let Some(due_ms) = locals.next_due_ms() {
            others = others.min(now.mono_ms + due_ms);
        }
        others = others.min(self.read_only.due_ms.unwrap_or(i64::MAX));
        // The rest is the leader's, and waits for room on its disk.
        if !self.disk_has_room || !self.decides() {
            return others;
        }
        let mut at = self.reaper.next_look_ms.unwrap_or(now.mono_ms);
        if !self.reaper.found.is_empty() {
            at = at.min(self.reaper.next_delete_ms);
        }
        if let Some(due_ms) = self.sessions.next_due_ms() {
            at = at.min(now.mono_ms + due_ms);
        }
        at.min(others)
    }

    pub(super) fn on_tick(&mut self, now: Now, effects: &mut Effects) {
        self.on_ensemble_tick(now, effects);
        self.look_read_only(now, effects);
        self.expire_locals(effects);
        if self.disk_has_room && self.decides() {
            let expired = self.sessions.expired();
            for session in expired {
                self.stats.sessions_expired += 1;
                effects.log(Level::Info, format!("session: expired session={session:#x}"));
                self.write_expire(now, session, effects);
            }
            self.reap(now, effects);
        }
        self.begin_due_snapshot_at(now, effects);
        if self.pending.is_empty() && self.tree.acls.len() > 1 && !self.tree.snapshot_runs() {
            self.tree.acls.sweep();
        }
    }

    fn reap(&mut self, now: Now, effects: &mut Effects) {
        let interval_ms = self.config.container_check_ms.max(1);
        let next_look_ms = *self.reaper.next_look_ms.get_or_insert(now.mono_ms + interval_ms);
        if now.mono_ms >= next_look_ms {
            self.reaper.next_look_ms = Some(now.mono_ms + interval_ms);
            let due = self.tree.reapable().filter(|number| self.is_reapable(now, *number));
            self.reaper.found = due.map(|number| (number, self.tree.node(number).czxid)).collect();
            self.reaper.next_delete_ms = now.mono_ms;
        }
        let pace_ms = 60_000 / i64::from(self.config.container_per_minute_max.max(1));
        while now.mono_ms >= self.reaper.next_delete_ms {
            let Some((number, czxid)) = self.reaper.found.pop_front() else { break };
            self.reaper.next_delete_ms += pace_ms;
            let node = self.tree.node(number);
            // The slot may hold another znode by now, or one that came to life.
            if node.live && node.czxid == czxid && self.is_reapable(now, number) {
                let path = self.tree.path(number);
                self.write_reap(now, &path, effects);
            }
        }
    }

    fn is_reapable(&self, now: Now, number: u32) -> bool {
        let node = self.tree.node(number);
        let age_ms = now.wall_ms - node.mtime_ms;
        let due = is_due(self.tree.kind(number), node.cversion, age_ms, &self.config);
        node.children == 0 && due
    }

    pub(super) fn begin_due_snapshot(&mut self, effects: &mut Effects) {
        let due = &self.snapshot;
        let wanted = due.txns > due.txns_max || due.bytes > due.bytes_max;
        if wanted && due.not_before_ms == i64::MIN {
            self.begin_snapshot(effects);
        }
    }

    fn begin_due_snapshot_at(&mut self, now: Now, effects: &mut Effects) {
        if now.mono_ms >= self.snapshot.not_before_ms {
            self.snapshot.not_before_ms = i64::MIN;
            self.begin_due_snapshot(effects);
        }
    }

    /// Begins a snapshot at what is applied now, unless one runs or nothing has changed.
    pub(super) fn begin_snapshot(&mut self, effects: &mut Effects) {
        let same = self.snapshot.last == self.tree.last_zxid();
        if self.tree.snapshot_runs() || same || !self.serving {
            return;
        }
        self.begin_snapshot_of(false, effects);
    }

    /// Begins a snapshot. `replaces`: of a database that was received, before which nothing counts.
    pub(super) fn begin_snapshot_of(&mut self, replaces: bool, effects: &mut Effects) {
        self.snapshot_replaces = replaces;
        self.snapshot.txns = 0;
        self.snapshot.bytes = 0;
        self.snapshot.draw(&self.config, &mut self.rng);
        let at = effects.list.len();
        let bytes = &mut effects.bytes;
        let list = &mut effects.list;
        let zxid = self.tree.snapshot_begin(self.sessions.iter(), |piece| {
            let start = bytes.len();
            bytes.extend_from_slice(piece);
            list.push(Effect::SnapshotBytes { piece: start..bytes.len(), last: false });
        });
        effects.list.insert(at, Effect::SnapshotBegin { zxid, replaces });
    }

    pub(super) fn on_snapshot_slice(&mut self, bytes_max: usize, effects: &mut Effects) {
        if !self.tree.snapshot_runs() || self.snapshot_to.is_some() {
            return;
        }
        let start = effects.bytes.len();
        let last = self.tree.snapshot_slice(bytes_max, &mut effects.bytes);
        let piece = start..effects.bytes.len();
        effects.list.push(Effect::SnapshotBytes { piece, last: false });
        if last {
            let start = effects.bytes.len();
            self.tree.snapshot_end(&mut effects.bytes);
            let piece = start..effects.bytes.len();
            effects.list.push(Effect::SnapshotBytes { piece, last: true });
        }
    }

    pub(super) fn on_snapshot_taken(&mut self, now: Now, zxid: Zxid, effects: &mut Effects) {
        self.snapshot.last = zxid;
        effects.log(Level::Info, format!("snapshot: taken zxid={zxid}"));
        if std::mem::take(&mut self.snapshot_replaces) {
            self.on_received_taken(now, effects);
            self.look_if_flushed(now, effects);
        }
    }

    pub(super) fn on_snapshot_failed(&mut self, now: Now, effects: &mut Effects) {
        if std::mem::take(&mut self.snapshot_replaces) {
            // What was received is not on disk: what is there counts.
            self.reloading = true;
            effects.list.push(Effect::Reload { cut: None });
            self.look(now, "the database could not be written", effects);
        }
        if self.tree.snapshot_runs() {
            self.tree.snapshot_abort();
        }
        self.snapshot.not_before_ms = now.mono_ms + SNAPSHOT_RETRY_MS;
        self.snapshot.txns = self.snapshot.txns_max + 1;
    }
}
