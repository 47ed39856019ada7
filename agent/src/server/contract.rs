//! What the loop needs of the core and of the disk.

use zk_core::{Cluster, Effects, Epochs, Event, LogPiece, Now, PeerId, Recovered};
use zk_wire::Zxid;

use crate::admin::View;

/// The core, as the loop needs it.
pub trait Core: View {
    /// Takes one event and appends what must follow to `effects`.
    fn step(&mut self, now: Now, event: Event<'_>, effects: &mut Effects);
    /// Tells what is about to be stepped: frames of some clients, a client's last one perhaps not
    /// whole.
    fn warm<'a>(&self, _clients: impl Iterator<Item = &'a [u8]>) {}
    /// Whether nothing is under way that somebody waits for.
    fn is_idle(&self) -> bool;
    /// When a `Tick` has something to do, `Now::mono_ms`.
    fn deadline(&self) -> i64;
}

/// What the disk tells the loop.
#[derive(Debug)]
pub enum DiskReport {
    /// The epochs are on disk.
    EpochsSaved(Epochs),
    /// The state was loaded anew.
    Reloaded(Box<Recovered>),
    /// Txns of the log for a learner, behind one; none when they cannot be read.
    LogRead(PeerId, Zxid, Option<Box<LogPiece>>),
    /// Every txn up to and including this one is on disk.
    Durable(Zxid),
    /// Whether the log has room.
    Space(bool),
    /// The log can't be written: the end.
    Failed(String),
    /// The running snapshot is on disk.
    SnapshotTaken(Zxid),
    /// The running snapshot could not be written.
    SnapshotFailed(String),
}

/// The disk, as the loop needs it. No call waits for a sync.
pub trait Disk {
    /// Takes a txn for the log.
    fn append(&mut self, zxid: Zxid, txn: &[u8]);
    /// Lets the log writer begin with what was appended.
    fn submit(&mut self);
    /// Bytes appended and not yet on disk.
    fn queued_bytes(&self) -> usize;
    /// The next report, if any.
    fn next_report(&mut self) -> Option<DiskReport>;
    /// Begins a snapshot at a zxid. `replaces`: of a database that was received, which takes the
    /// place of everything once it is on disk.
    fn snapshot_begin(&mut self, zxid: Zxid, replaces: bool);
    /// Gives the running snapshot up.
    fn snapshot_abandon(&mut self);
    /// Writes the epochs down. Waits for the disk: it is asked for while nobody is served.
    fn save_epochs(&mut self, epochs: Epochs);
    /// Writes the id of the ensemble down. Waits for the disk: it is asked for once.
    fn save_cluster(&mut self, cluster: Cluster);
    /// Cuts the log and loads the state anew. Waits for the disk, while nobody is served.
    fn reload(&mut self, cut: Option<Zxid>);
    /// Reads txns of the log for a learner: behind one, up to another that is durable, about so many
    /// bytes. Does not wait for the disk.
    fn read_log(&mut self, peer: PeerId, after: Zxid, through: Zxid, bytes_max: usize);
    /// Takes a piece of it, the last one with `last`.
    fn snapshot_piece(&mut self, piece: &[u8], last: bool);
    /// Bytes of the running snapshot that may be handed over now.
    fn snapshot_room(&self) -> usize;
    /// For how long the log's thread has been at its present write, in ms; 0 when it is at none.
    fn busy_ms(&self) -> i64;
    /// Bytes on disk: of snapshots and of the log.
    fn sizes(&self) -> (u64, u64);
}

/// Why the loop ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Somebody asked for it.
    Stopped,
    /// Somebody asked for it twice and won't wait.
    StoppedAtOnce,
    /// The disk can't be believed any more.
    DiskFailed(String),
}
