//! Reads and checks the pieces of a snapshot in a thread of its own, a few ahead of whoever takes
//! them: a start waits for the disk and the checksums or for the tree, not for both.
//!
//! It never has more than a handful of pieces in memory, and the thread ends with the call.

use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread;

use super::snapshot::{SnapshotError, SnapshotReader};

/// Pieces that are read and not yet taken.
const AHEAD: usize = 4;

type Piece = Result<Vec<u8>, SnapshotError>;

/// Gives every piece to `take`, in order.
///
/// # Errors
/// What `take` says, or why the snapshot cannot be read on; nothing more is taken then.
pub fn each_piece(
    reader: &mut SnapshotReader<'_>,
    mut take: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let (full, pieces) = sync_channel::<Piece>(AHEAD);
    let (used, spare) = channel::<Vec<u8>>();
    thread::scope(|scope| {
        let name = thread::Builder::new().name("zk-snap-read".to_owned());
        name.spawn_scoped(scope, move || read_on(reader, &full, &spare))
            .map_err(|error| format!("no thread to read it: {error}"))?;
        for piece in pieces {
            let piece = piece.map_err(|error| error.to_string())?;
            take(&piece)?;
            // The reader may be at its end already.
            let _ = used.send(piece);
        }
        Ok(())
    })
}

/// Reads until the end, an error, or nobody wants more.
fn read_on(reader: &mut SnapshotReader<'_>, full: &SyncSender<Piece>, spare: &Receiver<Vec<u8>>) {
    loop {
        let piece = match reader.next_piece() {
            Ok(None) => return,
            Ok(Some(bytes)) => {
                let mut piece = spare.try_recv().unwrap_or_default();
                piece.clear();
                piece.extend_from_slice(bytes);
                Ok(piece)
            }
            Err(error) => Err(error),
        };
        let last = piece.is_err();
        if full.send(piece).is_err() || last {
            return;
        }
    }
}
