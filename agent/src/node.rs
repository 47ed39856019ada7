//! A node: the core and its disk, brought together for the loop.
//!
//! Recovers the state from the data directory and wires what the loop asks for to the core and to
//! the disk's threads. Adapters only: nothing is decided here.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use zk_core::{
    Cluster, Config, ConnId, Effects, EmptyDisk, Epochs, Event, Now, PeerId, Recovered, Replica,
};
use zk_wire::Zxid;

use crate::admin::view::{ClientStatus, Latency, Status, View};
use crate::disk::identity::Identity;
use crate::disk::writer::LogStats;
use crate::disk::{
    self, Answer, Ask, DataDir, DiskError, Loading, LogReader, LogWriter, Report, SnapshotOptions,
    SnapshotWriter,
};
use crate::server::{Core, Disk, DiskReport};
use crate::start::{Failure, Recovery};
use crate::sys::clock;
use crate::systemd::{Progress, Systemd};

/// Bytes of txns behind the newest snapshot above which a start takes a snapshot of its own.
const REPLAYED_BYTES_MAX: u64 = 16 << 20;

/// The core, with the time of the last step.
pub struct Node {
    replica: Replica,
    now: Now,
    /// A snapshot is asked for with the first tick.
    wants_snapshot: bool,
}

impl Node {
    /// Begins with a replica.
    pub fn new(replica: Replica, now: Now, wants_snapshot: bool) -> Node {
        Node { replica, now, wants_snapshot }
    }

    fn by_time(&self, by_expiry: BTreeMap<i64, Vec<i64>>) -> Vec<(i64, Vec<i64>)> {
        by_expiry.into_iter().map(|(in_ms, ids)| (self.now.mono_ms + in_ms, ids)).collect()
    }
}

impl Core for Node {
    #[inline]
    fn step(&mut self, now: Now, event: Event<'_>, effects: &mut Effects) {
        self.now = now;
        let tick = matches!(event, Event::Tick);
        self.replica.step(now, event, effects);
        if tick && self.wants_snapshot {
            self.wants_snapshot = false;
            self.replica.step(now, Event::SnapshotWanted, effects);
        }
    }

    #[inline]
    fn warm<'a>(&self, clients: impl Iterator<Item = &'a [u8]>) {
        self.replica.warm(clients);
    }

    fn is_idle(&self) -> bool {
        self.replica.is_idle()
    }

    fn deadline(&self) -> i64 {
        if self.wants_snapshot { self.now.mono_ms } else { self.replica.deadline(self.now) }
    }
}

impl View for Node {
    fn status(&self) -> Status {
        let status = self.replica.status();
        let stats = &status.stats;
        let latency = latency(
            stats.min_latency_ms,
            stats.max_latency_ms,
            stats.total_latency_ms,
            stats.count,
        );
        Status {
            latency,
            sent: stats.sent,
            outstanding: status.outstanding as u64,
            zxid: status.zxid,
            znodes: status.znodes as u64,
            ephemerals: status.ephemerals as u64,
            data_bytes: status.content_bytes,
            watches: (status.data_watches + status.child_watches) as u64,
            sessions: status.sessions as u64,
            local_sessions: status.local_sessions as u64,
            standing: self.replica.standing(),
        }
    }

    fn client(&self, conn: ConnId) -> ClientStatus {
        let Some(conn) = self.replica.conn_status(conn) else { return ClientStatus::default() };
        let stats = conn.stats;
        ClientStatus {
            session_id: conn.session,
            timeout_ms: conn.timeout_ms,
            outstanding: u64::from(conn.outstanding),
            sent: stats.sent,
            last_op: stats.last_op.unwrap_or("null"),
            last_cxid: stats.last_cxid,
            last_zxid: stats.last_zxid,
            last_response_ms: stats.last_response_ms,
            last_latency_ms: stats.last_latency_ms as u64,
            latency: latency(
                stats.min_latency_ms,
                stats.max_latency_ms,
                stats.total_latency_ms,
                stats.count,
            ),
        }
    }

    fn sessions_by_expiry(&self) -> Vec<(i64, Vec<i64>)> {
        self.by_time(self.replica.sessions_by_expiry())
    }

    fn local_sessions_by_expiry(&self) -> Option<Vec<(i64, Vec<i64>)>> {
        self.replica.local_sessions_by_expiry().map(|by_expiry| self.by_time(by_expiry))
    }

    fn sessions(&self) -> Vec<(i64, i32)> {
        self.replica.sessions().collect()
    }

    fn ephemerals(&self) -> Vec<(i64, Vec<String>)> {
        self.replica.ephemerals()
    }

    fn watches_by_session(&self) -> Vec<(i64, Vec<String>)> {
        let mut by_session: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for (path, sessions) in self.replica.watched_paths() {
            for session in sessions {
                by_session.entry(session).or_default().push(path.clone());
            }
        }
        by_session.into_iter().collect()
    }

    fn watches_by_path(&self) -> Vec<(String, Vec<i64>)> {
        self.replica.watched_paths()
    }

    fn watch_summary(&self) -> (u64, u64, u64) {
        let paths = self.replica.watched_paths();
        let sessions: std::collections::BTreeSet<i64> =
            paths.iter().flat_map(|(_, sessions)| sessions.iter().copied()).collect();
        let watches = self.replica.status().data_watches;
        (sessions.len() as u64, paths.len() as u64, watches as u64)
    }

    fn digests(&self) -> Vec<(Zxid, u64)> {
        self.replica.digests().collect()
    }

    fn reset_status(&mut self) {
        self.replica.reset_stats();
    }

    fn reset_clients(&mut self) {
        self.replica.reset_conn_stats();
    }
}

fn latency(min_ms: i64, max_ms: i64, total_ms: i64, count: u64) -> Latency {
    let min_ms = if count == 0 { 0 } else { min_ms };
    Latency { min_ms: min_ms as u64, max_ms: max_ms as u64, total_ms: total_ms as u64, count }
}

/// The disk's threads, as the loop sees them.
pub struct NodeDisk {
    dir: DataDir,
    log: Option<LogWriter>,
    snapshots: SnapshotWriter,
    /// Reads the log for learners, once one was in need of it.
    reader: Option<LogReader>,
    fresh: Vec<Report>,
    reports: VecDeque<Report>,
    /// What the log had done at the last look, and the time of syncs between two looks that is
    /// worth a line, in µs.
    seen: LogStats,
    slow_sync_us: u64,
    /// What the loop is told next, before what the threads have to say.
    own: VecDeque<DiskReport>,
    /// The running snapshot is of a database that was received.
    replaces: bool,
    options: SnapshotOptions,
    force_sync: bool,
    wake: Wake,
    config: Config,
}

/// Wakes the loop.
type Wake = Arc<dyn Fn() + Send + Sync>;

impl Disk for NodeDisk {
    #[inline]
    fn append(&mut self, zxid: Zxid, txn: &[u8]) {
        self.log_mut().append(zxid, txn);
    }

    fn submit(&mut self) {
        self.log_mut().submit();
    }

    fn queued_bytes(&self) -> usize {
        self.log.as_ref().map_or(0, |log| log.queued_bytes() as usize)
    }

    fn next_report(&mut self) -> Option<DiskReport> {
        if let Some(report) = self.own.pop_front() {
            return Some(report);
        }
        if self.reports.is_empty() {
            let mut fresh = std::mem::take(&mut self.fresh);
            self.log_mut().take_reports(&mut fresh);
            self.snapshots.take_reports(&mut fresh);
            self.reports.extend(fresh.drain(..));
            self.fresh = fresh;
            self.look_for_slow_syncs();
        }
        if let Some(Answer { peer, after, piece }) =
            self.reader.as_ref().and_then(LogReader::next_answer)
        {
            return Some(DiskReport::LogRead(peer, after, piece));
        }
        Some(match self.reports.pop_front()? {
            Report::Durable(zxid) => DiskReport::Durable(zxid),
            Report::Space(available) => DiskReport::Space(available),
            Report::Failed { error } => DiskReport::Failed(error),
            Report::SnapshotTaken { zxid, .. } if std::mem::take(&mut self.replaces) => {
                match self.replace(zxid) {
                    Ok(()) => DiskReport::SnapshotTaken(zxid),
                    Err(error) => DiskReport::Failed(error),
                }
            }
            Report::SnapshotTaken { zxid, oldest_kept } => {
                // The log below the oldest snapshot that is kept serves nobody any more.
                self.log_mut().purge(oldest_kept);
                DiskReport::SnapshotTaken(zxid)
            }
            Report::SnapshotFailed { error } => DiskReport::SnapshotFailed(error),
        })
    }

    fn snapshot_begin(&mut self, zxid: Zxid, replaces: bool) {
        self.replaces = replaces;
        if replaces {
            return self.snapshots.begin_received(zxid);
        }
        // The log goes on in its segment: a roll would leave half of it empty and make the next one
        // early, and the old one goes with a later snapshot just as well.
        self.snapshots.begin(zxid);
    }

    fn snapshot_piece(&mut self, piece: &[u8], last: bool) {
        self.snapshots.piece(piece);
        if last {
            self.snapshots.finish();
        }
    }

    fn snapshot_abandon(&mut self) {
        self.replaces = false;
        self.snapshots.abandon();
    }

    fn save_epochs(&mut self, epochs: Epochs) {
        let Epochs { accepted, current } = epochs;
        self.own.push_back(match self.dir.save_epochs(disk::Epochs { accepted, current }) {
            Ok(()) => DiskReport::EpochsSaved(epochs),
            Err(error) => DiskReport::Failed(error.to_string()),
        });
        (self.wake)();
    }

    fn save_cluster(&mut self, cluster: Cluster) {
        if let Err(error) = self.dir.save_ensemble(cluster.id, cluster.agreed) {
            self.own.push_back(DiskReport::Failed(error.to_string()));
            (self.wake)();
        }
    }

    fn reload(&mut self, cut: Option<Zxid>) {
        let report = match self.load_anew(cut) {
            Ok(recovered) => DiskReport::Reloaded(Box::new(recovered)),
            Err(error) => DiskReport::Failed(error),
        };
        self.own.push_back(report);
        (self.wake)();
    }

    fn read_log(&mut self, peer: PeerId, after: Zxid, through: Zxid, bytes_max: usize) {
        if self.reader.is_none() {
            match LogReader::start(self.dir.logs().to_owned(), Arc::clone(&self.wake)) {
                Ok(reader) => self.reader = Some(reader),
                Err(error) => log::error!("disk: log_not_read error=\"{error}\""),
            }
        }
        match &self.reader {
            Some(reader) => {
                let free_bytes = self.log.as_ref().map_or(0, LogWriter::free_bytes);
                reader.ask(Ask { peer, after, through, bytes_max, free_bytes });
            }
            None => {
                self.own.push_back(DiskReport::LogRead(peer, after, None));
                (self.wake)();
            }
        }
    }

    fn snapshot_room(&self) -> usize {
        self.snapshots.room()
    }

    fn busy_ms(&self) -> i64 {
        self.log.as_ref().map_or(0, LogWriter::busy_ms)
    }

    fn sizes(&self) -> (u64, u64) {
        let bytes = |dir: &std::path::Path| -> u64 {
            let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
            entries.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
        };
        (bytes(self.dir.data()), bytes(self.dir.logs()))
    }
}

impl NodeDisk {
    /// Ends the log's thread; everything that was appended is on disk then.
    fn close_log(&mut self) -> Result<(), String> {
        self.fresh.clear();
        self.reports.clear();
        // What comes in its place may have other txns at the same zxids.
        self.reader = None;
        self.log.take().map_or(Ok(()), LogWriter::close)
    }

    fn open_log(&mut self, position: disk::LogPosition) -> Result<(), String> {
        let wake = Arc::clone(&self.wake);
        let log = LogWriter::start(position, self.force_sync, move || wake());
        let log = log.map_err(|error| error.to_string())?;
        self.seen = log.stats();
        self.log = Some(log);
        Ok(())
    }

    /// The database that was received is written: it takes the place of everything.
    fn replace(&mut self, zxid: Zxid) -> Result<(), String> {
        self.close_log()?;
        let position = disk::replace_history(&self.dir, zxid).map_err(|error| error.to_string())?;
        self.open_log(position)
    }

    fn load_anew(&mut self, cut: Option<Zxid>) -> Result<Recovered, String> {
        self.close_log()?;
        // A snapshot under way must not come to its end behind the cut: the thread is ended first.
        let wake = Arc::clone(&self.wake);
        let fresh = SnapshotWriter::start(self.options.clone(), move || wake());
        drop(std::mem::replace(&mut self.snapshots, fresh.map_err(|error| error.to_string())?));
        self.replaces = false;
        let reaches = |cut| disk::Rewrite::can_cut(&self.dir, cut).map_err(|e| e.to_string());
        if let Some(cut) = cut
            && reaches(cut)?
        {
            disk::Rewrite::Cut(cut).save(&self.dir).map_err(|error| error.to_string())?;
        }
        // Nobody turns the loop meanwhile: what is loaded is the sign of life.
        let systemd = Systemd::from_environment();
        let progress = systemd.progress(clock::now().mono_ms);
        let (recovered, position, _) =
            load(&mut self.dir, &self.config, Some(progress)).map_err(|error| error.to_string())?;
        self.open_log(position)?;
        Ok(recovered)
    }

    fn look_for_slow_syncs(&mut self) {
        let stats = self.log_mut().stats();
        let took_us = stats.sync_us - self.seen.sync_us;
        if took_us > self.slow_sync_us {
            let syncs = stats.syncs - self.seen.syncs;
            log::warn!("disk: slow_sync took_ms={} syncs={syncs}", took_us / 1000);
        }
        self.seen = stats;
    }

    fn log_mut(&mut self) -> &mut LogWriter {
        self.log.as_mut().expect("the log is open until the node is dropped")
    }
}

impl Drop for NodeDisk {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.log.take().map(LogWriter::close) {
            log::error!("disk: log_not_closed error={error:?}");
        }
    }
}

fn data_failure(error: DiskError) -> Failure {
    Failure::Data(error.exit_code(), error.to_string())
}

/// Brings back what the directory holds. Says where the log goes on, and whether a snapshot should
/// be taken soon.
fn load(
    dir: &mut DataDir,
    config: &Config,
    progress: Option<Progress<'_>>,
) -> Result<(Recovered, disk::LogPosition, bool), DiskError> {
    let began_ms = clock::now().mono_ms;
    let told = progress.map(|mut p| Box::new(move |bytes| p.add(bytes)) as Box<dyn FnMut(usize)>);
    let mut loading = Loading::new(config, told);
    let found = disk::recover(dir, &mut loading)?;
    for note in &found.notes {
        log::warn!("disk: {note}");
    }
    let replayed_bytes = loading.replayed_bytes;
    let mut recovered = loading.loader.finish();
    let disk::Epochs { accepted, current } = found.epochs;
    recovered.epochs = Epochs { accepted, current };
    if let Some((first, count)) = recovered.mismatches {
        log::warn!("disk: digest_mismatch first_zxid={first} txns={count}");
    }
    let took_ms = clock::now().mono_ms - began_ms;
    log::info!(
        "disk: recovered zxid={} snapshot={} txns={} znodes={} sessions={} took_ms={took_ms}",
        found.last,
        found.snapshot.map_or("none".to_owned(), |zxid| zxid.to_string()),
        found.txns,
        recovered.tree.len(),
        recovered.sessions.len(),
    );
    // The next start need not pay for a long replay again.
    let wants_snapshot = found.wants_snapshot || replayed_bytes > REPLAYED_BYTES_MAX;
    Ok((recovered, found.log, wants_snapshot))
}

/// Opens the data directory and brings back what it holds.
///
/// # Errors
/// When the directory is locked, not ours, or damaged; see [`DiskError`].
pub fn recover(recovery: Recovery<'_>) -> Result<(Node, NodeDisk), Failure> {
    let Recovery { settings, mut config, waker, systemd } = recovery;
    let now = clock::now();
    let logs = (settings.log_dir != settings.data_dir).then_some(settings.log_dir.as_path());
    // A standalone server has no id of its own; 0 is what Apache's shows for it.
    let server_id = config.ensemble.as_ref().map_or(0, |ensemble| ensemble.me);
    let opened = DataDir::open(&settings.data_dir, logs, server_id, now.wall_ms);
    let mut dir = opened.map_err(data_failure)?;
    let progress = systemd.progress(now.mono_ms);
    let (recovered, position, wants_snapshot) =
        load(&mut dir, &config, Some(progress)).map_err(data_failure)?;
    if let Some(ensemble) = &mut config.ensemble
        && recovered.tree.last_zxid() == Zxid::ZERO
        && recovered.epochs == Epochs::default()
        && take_initialize(&settings.log_dir)?
    {
        ensemble.empty_disk = EmptyDisk::Votes;
    }
    if let Some(ensemble) = &mut config.ensemble {
        let (id, agreed) = dir.identity().ensemble.unwrap_or_default();
        ensemble.cluster = Cluster { id, agreed };
        ensemble.fresh_cluster = Identity::draw(server_id, now.wall_ms)
            .map_err(|error| Failure::System("draw an id".to_owned(), error))?
            .cluster;
    }
    let options = SnapshotOptions {
        dir: dir.data().to_owned(),
        cluster: dir.identity().cluster,
        compress: false,
        keep: settings.disk.snapshots_kept.map_or(usize::MAX, |count| count as usize),
    };
    // A failed wake-up is made good by the loop, which looks at reports every second.
    let wake: Wake = Arc::new(move || drop(waker.wake()));
    let wakes = || {
        let wake = Arc::clone(&wake);
        move || wake()
    };
    let snapshots = SnapshotWriter::start(options.clone(), wakes())
        .map_err(|e| Failure::System("start the snapshot thread".to_owned(), e))?;
    let log = LogWriter::start(position, settings.disk.sync, wakes()).map_err(data_failure)?;
    let now = clock::now();
    let node = Node::new(Replica::new(config.clone(), recovered, now), now, wants_snapshot);
    let disk = NodeDisk {
        dir,
        own: VecDeque::new(),
        replaces: false,
        options,
        force_sync: settings.disk.sync,
        wake,
        config,
        seen: log.stats(),
        log: Some(log),
        snapshots,
        reader: None,
        fresh: Vec::new(),
        reports: VecDeque::new(),
        slow_sync_us: (settings.disk.sync_warning_ms as u64).saturating_mul(1000),
    };
    Ok((node, disk))
}

/// Whether the operator says that an empty directory is that of a new ensemble. The word counts
/// once.
fn take_initialize(log_dir: &Path) -> Result<bool, Failure> {
    let path = log_dir.join("initialize");
    match std::fs::remove_file(&path) {
        Ok(()) => {
            log::info!("start: initialize file={}", path.display());
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Failure::System(format!("remove {}", path.display()), error)),
    }
}
