//! Bytes of a server, and what they mean.

use std::hash::Hash;

use zk_wire::connect::ConnectResponse;
use zk_wire::frame::{self, Cut};
use zk_wire::header::{ReplyHeader, xid};
use zk_wire::watch::WatcherEvent;
use zk_wire::{Code, Op, Reader};

use super::{Outcome, Session};
use crate::error::{Error, Result};
use crate::state::State;

impl<T, W: Clone + Eq + Hash> Session<T, W> {
    /// Takes whole frames from the front of `bytes` and returns how many bytes they were: the rest
    /// is to be handed in again with what follows. Bytes that cannot be a server's cost the
    /// connection. Take the outcomes before the next call: they mean places in `bytes`.
    pub fn on_bytes(&mut self, now_ms: u64, bytes: &[u8]) -> usize {
        assert!(self.outcomes.is_empty(), "outcomes of earlier bytes were not taken");
        let mut at = 0;
        if !bytes.is_empty() {
            self.heard_ms = now_ms;
        }
        // A connection that is given up leaves for another at once: its bytes end here.
        while self.state == State::Associating || self.state.is_connected() {
            let length = match frame::cut(&bytes[at..], self.config.reply_bytes_max) {
                Cut::Wait { .. } => return at,
                Cut::Frame { length } => length,
                Cut::TooLong { length } => {
                    self.distrust(now_ms, Error::Protocol(format!("a frame of {length} bytes")));
                    break;
                }
            };
            let (begin, end) = (at + 4, at + 4 + length);
            let judged = match self.state.is_connected() {
                true => self.on_frame(bytes, begin, end),
                false => self.on_response(now_ms, &bytes[begin..end]),
            };
            at = end;
            if let Err(error) = judged {
                self.distrust(now_ms, error);
            }
        }
        // The connection is given up: what came behind means nothing.
        bytes.len()
    }

    fn distrust(&mut self, now_ms: u64, error: Error) {
        self.hang_up(now_ms, |maybe_executed| match maybe_executed {
            true => error.clone(),
            false => Error::ConnectionLoss { maybe_executed },
        });
    }

    fn on_response(&mut self, now_ms: u64, body: &[u8]) -> Result<()> {
        let response = ConnectResponse::decode(&mut Reader::new(body))?;
        let other = self.rooted && response.session_id != self.identity.id;
        if response.timeout_ms <= 0 || response.session_id == 0 || other {
            self.expired(now_ms);
            return Ok(());
        }
        let read_only = response.read_only.unwrap_or(false);
        if read_only && !self.config.read_only {
            return Err(Error::Protocol("a read-only server that was not asked for".to_owned()));
        }
        self.identity.id = response.session_id;
        self.identity.password = response.password;
        self.timeout_ms = response.timeout_ms;
        self.rooted |= !read_only;
        self.established(now_ms, read_only);
        Ok(())
    }

    fn on_frame(&mut self, bytes: &[u8], begin: usize, end: usize) -> Result<()> {
        let mut reader = Reader::new(&bytes[begin..end]);
        let header = ReplyHeader::decode(&mut reader)?;
        match header.xid {
            xid::NOTIFICATION => return self.on_event(header, &mut reader),
            xid::PING => return Ok(()),
            xid::AUTH => return self.on_auth(header, begin..end),
            _ => {}
        }
        let Some(pending) = self.pending.front() else {
            return Err(Error::Protocol(format!("xid {} and nothing was asked", header.xid)));
        };
        if pending.xid != header.xid {
            let (got, due) = (header.xid, pending.xid);
            return Err(Error::Protocol(format!("xid {got} where {due} was due")));
        }
        let pending = self.pending.pop_front().expect("looked at above");
        if header.zxid.0 > 0 {
            self.identity.last_zxid = self.identity.last_zxid.max(header.zxid);
        }
        if pending.op == Op::CLOSE_SESSION && self.closing.is_some() {
            self.finish_close();
            return Ok(());
        }
        if pending.seq == 0 && header.code != Code::OK {
            // The watches could not be left again: going on would be silence where news is due.
            return Err(Error::Server(header.code));
        }
        if let Some(watch) = pending.watch {
            let (wish, path, watcher) = *watch;
            if let Some(kind) = Self::kind_of(wish, header.code) {
                self.watches.add(kind, &path, watcher);
            }
        }
        if let Some(done) = pending.done {
            self.counters.replies += 1;
            let body = begin + ReplyHeader::BYTES..end;
            let (zxid, code) = (header.zxid, header.code);
            self.outcomes.push(Outcome::Reply { done, zxid, code, body });
        }
        Ok(())
    }

    fn on_event(&mut self, header: ReplyHeader, reader: &mut Reader<'_>) -> Result<()> {
        let event = WatcherEvent::decode(reader)?;
        self.counters.events += 1;
        let watchers = self.watches.fire(event.kind, &event.path);
        if !watchers.is_empty() {
            let WatcherEvent { kind, state, path } = event;
            let zxid = header.zxid.0;
            self.outcomes.push(Outcome::Event { watchers, kind, state, zxid, path });
        }
        Ok(())
    }

    fn on_auth(&mut self, header: ReplyHeader, frame: std::ops::Range<usize>) -> Result<()> {
        let Some(at) = self.auth_pending.pop_front() else {
            return Err(Error::Protocol("an answer to an identity that was not sent".to_owned()));
        };
        if header.code != Code::OK {
            self.auth_pending.push_front(at);
            self.auth_failed();
            return Ok(());
        }
        if let Some(done) = self.auths[at].done.take() {
            self.counters.replies += 1;
            let body = frame.start + ReplyHeader::BYTES..frame.end;
            let (zxid, code) = (header.zxid, header.code);
            self.outcomes.push(Outcome::Reply { done, zxid, code, body });
        }
        Ok(())
    }
}
