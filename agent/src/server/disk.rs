//! What the loop hears of the disk.

use zk_core::Event;

use crate::server::{Core, Disk, DiskReport, End, Server};

impl<C: Core, D: Disk> Server<C, D> {
    /// Tells the core what the disk's threads have done.
    pub(super) fn take_disk_reports(&mut self) {
        while let Some(report) = self.parts.disk.next_report() {
            match report {
                DiskReport::Durable(zxid) => self.step(Event::Durable { zxid }),
                DiskReport::EpochsSaved(epochs) => self.step(Event::EpochsSaved { epochs }),
                DiskReport::Reloaded(recovered) => {
                    self.step(Event::Reloaded { recovered: &mut Some(recovered) });
                }
                DiskReport::LogRead(peer, after, piece) => {
                    self.step(Event::LogRead { peer, after, piece: piece.as_deref() });
                }
                DiskReport::Space(available) => self.step(Event::DiskSpace { available }),
                DiskReport::Failed(error) => self.end = Some(End::DiskFailed(error)),
                DiskReport::SnapshotTaken(zxid) => {
                    self.snapshot_runs = false;
                    self.step(Event::SnapshotTaken { zxid });
                }
                DiskReport::SnapshotFailed(error) => {
                    log::error!("server: snapshot_failed error={error:?}");
                    self.snapshot_runs = false;
                    self.step(Event::SnapshotFailed);
                }
            }
        }
    }
}
