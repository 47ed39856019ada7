//! The request throttle: while as many txns are under way as the setting allows, requests of open
//! sessions wait here, in the order in which they came.
//!
//! Off by default, and then nobody comes here. What waits counts towards the bounds of its
//! connection, and goes on as soon as there is room.

use zk_wire::header::RequestHeader;
use zk_wire::{Code, Op, Reader};

use super::Replica;
use crate::conn::{Conn, Keeper};
use crate::effect::Effects;
use crate::ids::ConnId;
use crate::time::Now;

/// A request that waits.
#[derive(Debug)]
pub(super) struct Stalled {
    conn: ConnId,
    serial: u64,
    arrived_ms: i64,
    frame: Box<[u8]>,
    /// The answer, where it is known already and must not overtake.
    refused: Option<Code>,
}

/// The operations that are carried out however long they have waited.
fn is_exempt(op: Op) -> bool {
    matches!(op, Op::PING | Op::CLOSE_SESSION)
}

impl Replica {
    /// Whether a request has to wait.
    #[inline]
    pub(super) fn must_stall(&self) -> bool {
        let max = self.config.throttle_requests_max;
        max != 0 && !self.read_only.on && (self.pending.len() >= max || !self.stalled.is_empty())
    }

    /// Lets a request wait; `refused` when its answer is known already.
    pub(super) fn stall(
        &mut self,
        now: Now,
        id: ConnId,
        frame: &[u8],
        refused: Option<Code>,
        effects: &mut Effects,
    ) {
        let header = RequestHeader::decode(&mut Reader::new(frame)).expect("decoded before");
        let conn = self.conns[id.0 as usize].as_mut().expect("the caller has it");
        conn.outstanding += u32::from(header.xid > 0);
        conn.stalled += 1;
        conn.waiting_bytes += frame.len();
        self.stalled.push_back(Stalled {
            conn: id,
            serial: conn.serial,
            arrived_ms: now.mono_ms,
            frame: frame.into(),
            refused,
        });
        self.pause_if_needed(id, effects);
    }

    /// Takes what waits, as far as there is room.
    pub(super) fn release_stalled(&mut self, now: Now, effects: &mut Effects) {
        while self.pending.len() < self.config.throttle_requests_max {
            let Some(stalled) = self.stalled.pop_front() else { return };
            let Some((id, conn)) = self.asker(Some((stalled.conn, stalled.serial))) else {
                unreachable!("what a connection left behind goes with it");
            };
            let mut reader = Reader::new(&stalled.frame);
            let header = RequestHeader::decode(&mut reader).expect("decoded before");
            conn.stalled -= 1;
            conn.waiting_bytes -= stalled.frame.len();
            if conn.keeper == Keeper::Nobody {
                continue;
            }
            let waited_ms = now.mono_ms - stalled.arrived_ms;
            let timeout_ms = i64::from(conn.timeout_ms);
            let closes = header.op == Op::CLOSE_SESSION;
            if self.config.throttle_drops_late && waited_ms > timeout_ms && !closes {
                self.close(id, effects);
                continue;
            }
            let wait_max = self.config.throttled_op_wait_ms;
            let late = wait_max > 0 && waited_ms > wait_max && !is_exempt(header.op);
            match stalled.refused.or(late.then_some(Code::THROTTLED_OP)) {
                Some(code) => self.refuse(now, id, header, code, effects),
                None => {
                    let conn = self.conn(id).expect("looked up before");
                    conn.outstanding -= u32::from(header.xid > 0);
                    self.carry_out(now, id, header, reader, &stalled.frame, effects);
                }
            }
            self.resume_if_possible(id, effects);
        }
    }

    /// Forgets what a connection that is gone left waiting, but not that it wanted to end its
    /// session.
    pub(super) fn forget_stalled(
        &mut self,
        now: Now,
        id: ConnId,
        conn: &Conn,
        effects: &mut Effects,
    ) {
        if conn.stalled == 0 {
            return;
        }
        let session = conn.session;
        let closes = self.drop_stalled(id);
        if closes {
            self.locals.table.remove(session);
        }
        let alive = self.sessions.find(session).is_some_and(|session| !session.closing);
        if !closes || !alive || !self.disk_has_room {
            return;
        }
        if self.forwards() {
            let header = RequestHeader { xid: 0, op: Op::CLOSE_SESSION };
            self.forward(now, (id, conn.serial), session, header, &[], effects);
        } else {
            self.write_expire(now, session, effects);
        }
    }

    /// Drops what a connection left waiting. True when a closeSession was among it.
    pub(super) fn drop_stalled(&mut self, id: ConnId) -> bool {
        let mut closes = false;
        self.stalled.retain(|stalled| {
            let header = RequestHeader::decode(&mut Reader::new(&stalled.frame));
            closes |= stalled.conn == id && header.is_ok_and(|h| h.op == Op::CLOSE_SESSION);
            stalled.conn != id
        });
        closes
    }
}
