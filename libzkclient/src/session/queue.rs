//! Requests on their way: those that are sent and wait for a reply, and those that wait for a
//! connection. Completions go out of here exactly once.

use std::cmp::Ordering;
use std::hash::Hash;

use zk_wire::Op;
use zk_wire::frame;
use zk_wire::header::{RequestHeader, xid};

use super::{Extra, Outcome, Session, Ticket, WatchWish};
use crate::error::Error;

/// A request without an answer.
pub(super) struct Pending<T, W> {
    pub(super) xid: i32,
    pub(super) op: Op,
    /// The ticket; 0 for what the session sends for itself.
    pub(super) seq: u64,
    /// Where its frame begins in the stream of this connection; nothing while it waits for one.
    pub(super) at: u64,
    /// Bytes of its frame.
    pub(super) bytes: u32,
    pub(super) submitted_ms: u64,
    /// `None` when nobody waits any more, or nobody ever did.
    pub(super) done: Option<T>,
    pub(super) watch: Option<Box<(WatchWish, String, W)>>,
}

/// When a request's caller gives up. The heap's top is the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deadline {
    pub(super) at_ms: u64,
    pub(super) seq: u64,
}

impl Ord for Deadline {
    fn cmp(&self, other: &Deadline) -> Ordering {
        (other.at_ms, other.seq).cmp(&(self.at_ms, self.seq))
    }
}

impl PartialOrd for Deadline {
    fn partial_cmp(&self, other: &Deadline) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whether this is the goodbye, which stands behind everything.
fn last<T, W>(pending: &Pending<T, W>) -> bool {
    pending.op == Op::CLOSE_SESSION
}

/// Appends a frame and returns its bytes.
pub(super) fn append(
    out: &mut Vec<u8>,
    xid: i32,
    op: Op,
    body: impl FnOnce(&mut Vec<u8>),
) -> usize {
    let at = frame::begin(out);
    RequestHeader { xid, op }.encode(out);
    body(out);
    frame::end(out, at);
    out.len() - at
}

impl<T, W: Clone + Eq + Hash> Session<T, W> {
    /// Takes a request; `body` writes its record. It goes out at once when there is a connection,
    /// else with the next one. On an error nothing was taken, and `done` comes back.
    pub fn submit(
        &mut self,
        now_ms: u64,
        op: Op,
        body: impl FnOnce(&mut Vec<u8>),
        extra: Extra<W>,
        done: T,
    ) -> Result<Ticket, (Error, T)> {
        if let Err(error) = self.usable().and_then(|()| self.room()) {
            return Err((error, done));
        }
        let connected = self.state.is_connected();
        let xid = self.take_xid();
        let buffer = if connected { &mut self.out } else { &mut self.queued };
        let bytes = append(buffer, xid, op, body);
        let seq = self.next_seq;
        self.next_seq += 1;
        self.counters.requests += 1;
        let pending = Pending {
            xid,
            op,
            seq,
            at: self.stream_bytes,
            bytes: u32::try_from(bytes).expect("a frame is below 2 GiB"),
            submitted_ms: now_ms,
            done: Some(done),
            watch: extra.watch,
        };
        if extra.deadline_ms != u64::MAX {
            self.deadlines.push(Deadline { at_ms: extra.deadline_ms, seq });
        }
        if connected {
            self.stream_bytes += bytes as u64;
            self.sent_ms = now_ms;
            self.pending.push_back(pending);
        } else {
            self.waiting.push_back(pending);
        }
        Ok(Ticket(seq))
    }

    fn room(&self) -> Result<(), Error> {
        if self.outstanding() >= self.config.pending_max {
            return Err(Error::Busy { limit: "pending_max", max: self.config.pending_max });
        }
        let bytes = self.out.len() - self.out_at + self.queued.len();
        if bytes >= self.config.queued_bytes_max {
            let max = self.config.queued_bytes_max;
            return Err(Error::Busy { limit: "queued_bytes_max", max });
        }
        Ok(())
    }

    pub(super) fn take_xid(&mut self) -> i32 {
        let xid = self.next_xid;
        self.next_xid = if xid == i32::MAX { 1 } else { xid + 1 };
        xid
    }

    /// Sends what nobody but the session waits for. Only on a connection.
    pub(super) fn send_internal(
        &mut self,
        now_ms: u64,
        xid: i32,
        op: Op,
        body: impl FnOnce(&mut Vec<u8>),
    ) {
        let at = self.stream_bytes;
        let bytes = append(&mut self.out, xid, op, body);
        self.stream_bytes += bytes as u64;
        self.sent_ms = now_ms;
        // The answer to a ping is told by its xid.
        if xid != xid::PING {
            let bytes = u32::try_from(bytes).expect("a frame is below 2 GiB");
            let (done, watch, seq) = (None, None, 0);
            let pending = Pending { xid, op, seq, at, bytes, submitted_ms: now_ms, done, watch };
            self.pending.push_back(pending);
        }
    }

    /// The connection stands: what has waited for it goes out.
    pub(super) fn send_waiting(&mut self, now_ms: u64) {
        if self.waiting.is_empty() {
            return;
        }
        self.out.extend_from_slice(&self.queued);
        self.queued = Vec::new();
        for mut pending in std::mem::take(&mut self.waiting) {
            pending.at = self.stream_bytes;
            self.stream_bytes += u64::from(pending.bytes);
            self.pending.push_back(pending);
        }
        self.sent_ms = now_ms;
    }

    /// The connection is gone: fails what was sent, and what was not as the settings say.
    pub(super) fn fail_sent(&mut self, error: impl Fn(bool) -> Error) {
        let left = (self.out.len() - self.out_at) as u64;
        let written = self.stream_bytes - left;
        let mut unsent = Vec::new();
        let mut bytes = Vec::new();
        for mut pending in std::mem::take(&mut self.pending) {
            let sent = pending.at < written;
            // What the session sent for itself is made anew on the next connection.
            let keep = !sent && !self.config.fail_unsent && pending.seq != 0;
            if keep && pending.done.is_some() {
                let from = self.out_at + (pending.at - written) as usize;
                bytes.extend_from_slice(&self.out[from..from + pending.bytes as usize]);
                unsent.push(pending);
            } else if let Some(done) = pending.done.take() {
                self.outcomes.push(Outcome::Failed { done, error: error(sent) });
            }
        }
        if self.config.fail_unsent {
            self.fail_waiting(&error);
        } else if !unsent.is_empty() {
            // They were submitted before whatever waits already.
            bytes.extend_from_slice(&self.queued);
            self.queued = bytes;
            unsent.into_iter().rev().for_each(|pending| self.waiting.push_front(pending));
        }
        self.fail_auths(&error);
    }

    pub(super) fn fail_waiting(&mut self, error: &impl Fn(bool) -> Error) {
        self.queued = Vec::new();
        for pending in std::mem::take(&mut self.waiting) {
            if let Some(done) = pending.done {
                self.outcomes.push(Outcome::Failed { done, error: error(false) });
            }
        }
    }

    /// Fails who waits for the answer to an identity that was sent; the identity is kept.
    pub(super) fn fail_auths(&mut self, error: &impl Fn(bool) -> Error) {
        let sent = std::mem::take(&mut self.auth_pending);
        for at in sent {
            if let Some(done) = self.auths[at].done.take() {
                self.outcomes.push(Outcome::Failed { done, error: error(true) });
            }
        }
    }

    /// Fails everything. The entries of what was sent stay, because replies are matched to them.
    pub(super) fn fail_all(&mut self, error: impl Fn(bool) -> Error) {
        let written = self.stream_bytes - (self.out.len() - self.out_at) as u64;
        for pending in &mut self.pending {
            if let Some(done) = pending.done.take() {
                let error = error(pending.at < written);
                self.outcomes.push(Outcome::Failed { done, error });
            }
        }
        self.fail_waiting(&error);
        for auth in &mut self.auths {
            if let Some(done) = auth.done.take() {
                self.outcomes.push(Outcome::Failed { done, error: error(true) });
            }
        }
    }

    /// Gives a request up: its completion leaves with `Error::Cancelled`. What was not sent yet
    /// never will be. False when the request has its answer already.
    pub fn cancel(&mut self, ticket: Ticket) -> bool {
        self.give_up(ticket.0, |maybe_executed, _| Error::Cancelled { maybe_executed })
    }

    pub(super) fn give_up(&mut self, seq: u64, error: impl Fn(bool, u64) -> Error) -> bool {
        if let Ok(at) = self.waiting.binary_search_by_key(&seq, |pending| pending.seq) {
            let before: usize = self.waiting.iter().take(at).map(|p| p.bytes as usize).sum();
            let pending = self.waiting.remove(at).expect("found above");
            self.queued.drain(before..before + pending.bytes as usize);
            let done = pending.done.expect("what waits has somebody who waits for it");
            let error = error(false, pending.submitted_ms);
            self.outcomes.push(Outcome::Failed { done, error });
            return true;
        }
        // What the session sent for itself has no ticket and stands before all others, but for the
        // close, which stands behind them.
        let begin = self.pending.partition_point(|pending| pending.seq < seq && !last(pending));
        let Some(at) =
            (begin < self.pending.len() && self.pending[begin].seq == seq).then_some(begin)
        else {
            return false;
        };
        let pending = &mut self.pending[at];
        let Some(done) = pending.done.take() else { return false };
        // A call that has failed leaves no watch behind, whatever its late answer says.
        pending.watch = None;
        let error = error(true, pending.submitted_ms);
        self.outcomes.push(Outcome::Failed { done, error });
        true
    }
}
