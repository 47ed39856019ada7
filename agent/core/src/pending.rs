//! Txns that are logged and not yet applied, oldest first, with the bytes that will be applied.

use std::collections::VecDeque;
use std::ops::Range;

use zk_wire::{Code, Op, Reader, Zxid};

use crate::audit::Asked;
use crate::ids::ConnId;
use crate::tree::Warmer;
use crate::txn::TxnHeader;

/// A txn under way and who waits for it.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Its zxid.
    pub zxid: Zxid,
    /// The connection that asked, with its serial; `None` for the server itself.
    pub client: Option<(ConnId, u64)>,
    /// The xid to answer.
    pub xid: i32,
    /// What was asked for.
    pub op: Op,
    /// When it came in, on the monotonic clock.
    pub arrived_ms: i64,
    /// For the audit log.
    pub asked: Option<Box<Asked>>,
    /// The error to answer with, should there be one.
    pub refused: Option<Code>,
    bytes: Range<usize>,
}

/// The queue.
#[derive(Debug, Default)]
pub struct PendingQueue {
    entries: VecDeque<Pending>,
    /// Bytes of all entries, in order; those before `head` are of entries that are gone.
    bytes: Vec<u8>,
    head: usize,
}

impl PendingQueue {
    /// Txns under way.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when everything is applied.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a txn at the end and gives its entry.
    pub fn push(
        &mut self,
        zxid: Zxid,
        client: Option<(ConnId, u64)>,
        xid: i32,
        op: Op,
        arrived_ms: i64,
        txn: &[u8],
    ) -> &mut Pending {
        // Dropping the front when it is the larger half keeps the cost at one move a byte.
        if self.head > 64 << 10 && self.head * 2 > self.bytes.len() {
            self.bytes.drain(..self.head);
            for entry in &mut self.entries {
                entry.bytes = entry.bytes.start - self.head..entry.bytes.end - self.head;
            }
            self.head = 0;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(txn);
        let bytes = start..self.bytes.len();
        let (asked, refused) = (None, None);
        let entry = Pending { zxid, client, xid, op, arrived_ms, asked, refused, bytes };
        self.entries.push_back(entry);
        self.entries.back_mut().expect("pushed just now")
    }

    /// The zxids, oldest first.
    pub fn zxids(&self) -> impl Iterator<Item = Zxid> + Clone + '_ {
        self.entries.iter().map(|entry| entry.zxid)
    }

    /// The txns, oldest first.
    pub fn txns(&self) -> impl Iterator<Item = (Zxid, &[u8])> + Clone {
        self.entries.iter().map(|entry| (entry.zxid, &self.bytes[entry.bytes.clone()]))
    }

    /// Whether a session is about to be there: a txn that opens it waits, and none that closes it.
    pub fn opens_session(&self, session: i64) -> bool {
        self.ends_of(session).next() == Some(Op::CREATE_SESSION)
    }

    /// Whether a session that is about to be there is about to be gone again.
    pub fn opens_and_closes_session(&self, session: i64) -> bool {
        let mut ends = self.ends_of(session);
        ends.next() == Some(Op::CLOSE_SESSION) && ends.any(|op| op == Op::CREATE_SESSION)
    }

    /// The txns that open or close a session, newest first.
    fn ends_of(&self, session: i64) -> impl Iterator<Item = Op> {
        let of = move |entry: &&Pending| {
            matches!(entry.op, Op::CREATE_SESSION | Op::CLOSE_SESSION)
                && self.bytes[entry.bytes.clone()].starts_with(&session.to_be_bytes())
        };
        self.entries.iter().rev().filter(of).map(|entry| entry.op)
    }

    /// Nobody waits for them any more.
    pub fn forget_clients(&mut self) {
        for entry in &mut self.entries {
            entry.client = None;
        }
    }

    /// Drops the txns above this one: they were never logged.
    pub fn truncate(&mut self, zxid: Zxid) {
        while self.entries.back().is_some_and(|entry| entry.zxid > zxid) {
            let entry = self.entries.pop_back().expect("there is one");
            self.bytes.truncate(entry.bytes.start);
        }
    }

    /// Takes the oldest txn if its zxid is at most this.
    pub fn pop_through(&mut self, zxid: Zxid) -> Option<Pending> {
        if self.entries.front()?.zxid > zxid {
            return None;
        }
        let entry = self.entries.pop_front()?;
        self.head = entry.bytes.end;
        Some(entry)
    }

    /// Names the znodes that txns up to this zxid change and that are there.
    pub fn warm(&self, zxid: Zxid, warmer: &mut Warmer<'_>) {
        for entry in self.entries.iter().take_while(|entry| entry.zxid <= zxid) {
            let Some(body) = self.bytes[entry.bytes.clone()].get(TxnHeader::BYTES..) else {
                continue;
            };
            match entry.op {
                Op::SET_DATA | Op::DELETE => warm_path(body, warmer),
                Op::MULTI => warm_multi(body, warmer),
                _ => {}
            }
        }
    }

    /// Gives the bytes away while entries are applied; to be given back by `put_bytes`.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Takes the bytes back.
    pub fn put_bytes(&mut self, bytes: Vec<u8>) {
        assert!(self.bytes.is_empty(), "txns were queued while others were applied");
        self.bytes = bytes;
        if self.entries.is_empty() {
            self.bytes.clear();
            self.head = 0;
            // One large txn must not hold its memory for ever.
            self.bytes.shrink_to(1 << 20);
        }
    }
}

/// An error txn has no path; whatever is read instead is looked up in vain.
fn warm_path(body: &[u8], warmer: &mut Warmer<'_>) {
    if let Ok(Some(path)) = Reader::new(body).buffer("path") {
        warmer.add(path);
    }
}

fn warm_multi(body: &[u8], warmer: &mut Warmer<'_>) {
    let mut reader = Reader::new(body);
    let Ok(count) = reader.int("MultiTxn.count") else { return };
    for _ in 0..count {
        let Ok(op) = reader.int("Txn.type") else { return };
        let Ok(Some(inner)) = reader.buffer("Txn.data") else { return };
        if matches!(Op(op), Op::SET_DATA | Op::DELETE) {
            warm_path(inner, warmer);
        }
    }
}

impl Pending {
    /// The txn among the bytes of the queue.
    pub fn txn<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.bytes.clone()]
    }
}
