//! Bringing learners up from the log on disk, when they lack more than the history in memory holds.
//!
//! The shell reads a piece of the log; the network takes it; then the next one is read, until the
//! history in memory has the rest. The first piece says whether the learner's log is a part of this
//! one. A log that is not there any more, or cannot be read, leaves the database.

use zk_wire::Zxid;

use super::Replica;
use crate::effect::{Effect, Effects, Level};
use crate::history::LogPiece;
use crate::ids::PeerId;
use crate::time::Now;
use crate::zab::leader::{Reading, Stage};
use crate::zab::packet::{self, kind};

/// Bytes of txns that are read at once, and taken by the network before more is read.
const PIECE_BYTES: usize = 256 << 10;
/// What a znode takes in a database that is sent, beside its path and its data, in bytes.
const ZNODE_BYTES: u64 = 76;

impl Replica {
    /// Whether it is worth a look at the log what a learner at this place lacks.
    pub(super) fn may_read_log(&self, peer: PeerId, position: Zxid) -> bool {
        let Some(leader) = self.leading() else { return false };
        let useless = |reading| reading == Reading::Useless;
        let useless = leader.learners.get(&peer).is_none_or(|f| useless(f.reading));
        self.config.log_sync_permille.is_some()
            && !useless
            && position > Zxid::ZERO.max(leader.unreadable)
    }

    /// Begins to read behind the last txn of a learner.
    pub(super) fn begin_reading(&mut self, peer: PeerId, position: Zxid, effects: &mut Effects) {
        if let Some(follower) = self.follower(peer) {
            follower.stage = Stage::Reading;
            follower.position = position;
            follower.reading = Reading::First;
        }
        self.pin_history();
        self.ask_log(peer, position, effects);
    }

    fn ask_log(&mut self, peer: PeerId, after: Zxid, effects: &mut Effects) {
        let through = self.tree.last_zxid();
        let bytes_max = PIECE_BYTES;
        effects.list.push(Effect::ReadLog { peer, after, through, bytes_max });
    }

    /// A piece of the log was read.
    pub(super) fn on_log_read(
        &mut self,
        now: Now,
        peer: PeerId,
        after: Zxid,
        piece: Option<&LogPiece>,
        effects: &mut Effects,
    ) {
        let Some(follower) = self.follower(peer).filter(|f| f.position == after) else { return };
        match follower.reading {
            Reading::First => self.on_first_piece(now, peer, after, piece, effects),
            Reading::Next => {
                if let Some(piece) = piece.filter(|piece| goes_on(piece, after))
                    && self.send_piece(peer, piece, effects)
                {
                    return;
                }
                if let Some(leader) = self.leader() {
                    leader.unreadable = leader.unreadable.max(after);
                }
                self.drop_peer(now, peer, "the log cannot be read on", effects);
            }
            Reading::Possible | Reading::Useless | Reading::Sending => {}
        }
    }

    fn on_first_piece(
        &mut self,
        now: Now,
        peer: PeerId,
        after: Zxid,
        piece: Option<&LogPiece>,
        effects: &mut Effects,
    ) {
        let way = piece.and_then(|piece| Some((piece, self.way_by_log(after, piece)?)));
        let top = self.top();
        let Some(follower) = self.follower(peer) else { return };
        let Some((piece, (kind, from))) = way else {
            follower.stage = Stage::Promised;
            follower.reading = Reading::Useless;
            return self.bring_up(now, peer, effects);
        };
        let (by, zxid) = if kind == kind::DIFF { ("DIFF", top) } else { ("TRUNC", from) };
        let sid = follower.sid;
        let line = format!("ensemble: syncing server={sid} by={by} from={after} to={top} log=disk");
        effects.log(Level::Info, line);
        self.send_packet(peer, kind, zxid, None, effects);
        self.send_piece(peer, piece, effects);
    }

    /// What the log says of a learner whose last txn is `position`: DIFF or TRUNC, and the zxid
    /// behind which txns are sent. `None` when it takes the database.
    fn way_by_log(&self, position: Zxid, piece: &LogPiece) -> Option<(i32, Zxid)> {
        let before = piece.before?;
        let (next, _) = piece.txns().next()?;
        let database = self.tree.content_bytes() + self.tree.len() as u64 * ZNODE_BYTES;
        let permille = u64::from(self.config.log_sync_permille?);
        if permille > 0 && piece.bytes_above > database / 1000 * permille {
            return None;
        }
        // The beginning of an epoch is in no log.
        if before == position || position.counter() == 0 {
            return Some((kind::DIFF, position));
        }
        (next.epoch() == position.epoch()).then_some((kind::TRUNC, before))
    }

    /// False when there is nothing to send.
    fn send_piece(&mut self, peer: PeerId, piece: &LogPiece, effects: &mut Effects) -> bool {
        let start = effects.bytes.len();
        let mut last = None;
        for (zxid, txn) in piece.txns() {
            packet::put_committed(zxid, txn, &mut effects.bytes);
            last = Some(zxid);
        }
        let (Some(last), Some(follower)) = (last, self.follower(peer)) else { return false };
        follower.reading = Reading::Sending;
        follower.position = last;
        effects.send_peer(peer, start);
        self.pin_history();
        true
    }

    /// The network has taken a piece, or a database: the next piece, or what the history in memory has.
    pub(super) fn read_on(&mut self, peer: PeerId, effects: &mut Effects) {
        let kept = self.us().history.before();
        let Some(follower) = self.follower(peer) else { return };
        let sent = matches!(follower.stage, Stage::Reading | Stage::Snapshot);
        if follower.reading != Reading::Sending || !sent {
            return;
        }
        let position = follower.position;
        if position >= kept {
            return self.offer(peer, position, effects);
        }
        follower.stage = Stage::Reading;
        follower.reading = Reading::Next;
        self.ask_log(peer, position, effects);
    }
}

/// Whether a piece is what stands behind this txn.
fn goes_on(piece: &LogPiece, after: Zxid) -> bool {
    let next = piece.txns().next().map(|(zxid, _)| zxid.0);
    // The beginning of an epoch is in no log.
    piece.before == Some(after) || (after.counter() == 0 && next == Some(after.0 + 1))
}
