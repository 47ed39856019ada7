//! Connecting, losing, moving and timing: everything about the connection but its bytes.

use std::hash::Hash;
use std::net::SocketAddr;

use zk_wire::connect::ConnectRequest;
use zk_wire::header::xid;
use zk_wire::{Op, frame};

use super::{Ask, Identity, Outcome, Session};
use crate::error::Error;
use crate::state::State;

/// Longest wait behind a round over all servers, in ms; the wait is a sixtieth of the timeout, as
/// in Apache's client.
const RETRY_MS_MAX: u64 = 1000;

/// Shortest such wait, in ms: a tiny timeout must not make a busy loop.
const RETRY_MS_MIN: u64 = 20;

/// First and longest wait between two looks for a server that takes writes, in ms (Apache's).
const PROBE_MS: (u64, u64) = (200, 60_000);

impl<T, W: Clone + Eq + Hash> Session<T, W> {
    /// Begins: asks for the addresses of the servers. Call it once.
    pub fn open(&mut self) {
        assert_eq!(self.state, State::NotConnected, "a session is opened once");
        self.ask_resolve();
    }

    fn ask_resolve(&mut self) {
        if !self.resolving {
            self.resolving = true;
            self.asks.push_back(Ask::Resolve);
        }
    }

    /// The names were looked up. Names that failed are simply missing; with none at all what is
    /// known already stays. The session moves when its server is gone from the list, or when the
    /// balance wants it.
    pub fn on_addresses(&mut self, now_ms: u64, addresses: Vec<SocketAddr>) {
        self.resolving = false;
        if self.state.is_final() {
            return;
        }
        let none = addresses.is_empty();
        let leave = !none && self.hosts.set(addresses, self.address);
        match self.state {
            State::NotConnected | State::Disconnected if self.planned.is_none() => {
                self.dial(now_ms);
            }
            State::Connecting | State::Associating | State::Connected | State::ReadOnly
                if leave =>
            {
                self.leave(now_ms, None);
            }
            _ => {}
        }
    }

    /// Asks for the addresses once more: the user's list has changed.
    pub fn look_up_again(&mut self) {
        // An answer that is on its way is that of the old list.
        self.resolving = true;
        self.asks.push_back(Ask::Resolve);
    }

    /// Goes to another server without a word to the watchers: the session goes on. What was sent
    /// and has no answer fails.
    fn leave(&mut self, now_ms: u64, to: Option<SocketAddr>) {
        self.asks.push_back(Ask::HangUp);
        self.fail_sent(|maybe_executed| Error::ConnectionLoss { maybe_executed });
        self.clear_connection();
        self.state = State::Disconnected;
        match to {
            Some(address) => self.go(now_ms, address),
            None => self.dial(now_ms),
        }
    }

    pub(super) fn clear_connection(&mut self) {
        self.address = None;
        self.out = Vec::new();
        self.out_at = 0;
        self.stream_bytes = 0;
        self.pending.clear();
        self.auth_pending.clear();
        self.probe_ms = u64::MAX;
    }

    fn dial(&mut self, now_ms: u64) {
        match self.hosts.take_next() {
            Some((address, false)) => self.go(now_ms, address),
            other => {
                // A round is over, or there is no address at all: wait, and look names up anew.
                self.planned = other.map(|(address, _)| address);
                self.state = State::Disconnected;
                self.retry_ms = now_ms + self.retry_wait_ms();
            }
        }
    }

    fn retry_wait_ms(&mut self) -> u64 {
        let base = (self.timeout_ms as u64 / 60).clamp(RETRY_MS_MIN, RETRY_MS_MAX);
        // Clients that lost the same server should not all come back in the same millisecond.
        base + self.hosts.chance().below(base as usize / 4 + 1) as u64
    }

    fn go(&mut self, now_ms: u64, address: SocketAddr) {
        self.planned = None;
        self.retry_ms = u64::MAX;
        self.state = State::Connecting;
        self.address = Some(address);
        self.attempt_ms = now_ms;
        self.counters.dials += 1;
        self.asks.push_back(Ask::Dial(address));
    }

    /// The next connection goes one server further down the list.
    pub fn skip_server(&mut self) {
        self.hosts.skip();
    }

    /// The connection that was asked for stands.
    pub fn on_connected(&mut self, now_ms: u64) {
        if self.state != State::Connecting {
            return;
        }
        self.state = State::Associating;
        self.heard_ms = now_ms;
        self.sent_ms = now_ms;
        let session_id = if self.rooted { self.identity.id } else { 0 };
        let at = frame::begin(&mut self.out);
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.identity.last_zxid.0,
            timeout_ms: self.timeout_ms,
            session_id,
            password: Some(&self.identity.password),
            read_only: Some(self.config.read_only),
        }
        .encode(&mut self.out);
        frame::end(&mut self.out, at);
        self.stream_bytes += (self.out.len() - at) as u64;
    }

    /// The session stands on this connection: identities, watches, then what has waited.
    pub(super) fn established(&mut self, now_ms: u64, read_only: bool) {
        let address = self.address.expect("a connection has an address");
        self.hosts.connected(address);
        self.counters.connects += 1;
        self.state = if read_only { State::ReadOnly } else { State::Connected };
        if read_only {
            self.probe_wait_ms = PROBE_MS.0;
            self.probe_ms = now_ms + PROBE_MS.0;
        }
        for at in 0..self.auths.len() {
            self.send_auth(now_ms, at);
        }
        let watches = std::mem::take(&mut self.watches);
        for (request, two) in watches.again(self.identity.last_zxid.0) {
            let op = if two { Op::SET_WATCHES2 } else { Op::SET_WATCHES };
            self.send_internal(now_ms, xid::SET_WATCHES, op, |out| request.encode(out, two));
        }
        self.watches = watches;
        self.send_waiting(now_ms);
        self.tell(self.state);
    }

    pub(super) fn tell(&mut self, state: State) {
        let watchers = self.watches.everyone();
        self.outcomes.push(Outcome::State { state, watchers });
    }

    /// The connection is gone, or could not be made.
    pub fn on_disconnected(&mut self, now_ms: u64) {
        if self.address.take().is_some() {
            self.lost(now_ms, |maybe_executed| Error::ConnectionLoss { maybe_executed });
        }
    }

    /// Gives the connection up from this side.
    pub(super) fn hang_up(&mut self, now_ms: u64, error: impl Fn(bool) -> Error) {
        self.address = None;
        self.asks.push_back(Ask::HangUp);
        self.lost(now_ms, error);
    }

    fn lost(&mut self, now_ms: u64, error: impl Fn(bool) -> Error) {
        if self.closing.is_some() {
            // The goodbye was sent, and the server has hung up: it is as good as its answer.
            self.finish_close();
            return;
        }
        if self.state.is_connected() {
            self.tell(State::Connecting);
        }
        self.state = State::Disconnected;
        self.fail_sent(error);
        self.clear_connection();
        // What the names mean may have changed with whatever ended the connection.
        self.ask_resolve();
        self.dial(now_ms);
    }

    /// The server says that the session is over.
    pub(super) fn expired(&mut self, now_ms: u64) {
        if let Some(address) = self.address.take() {
            // It answered, if not what was hoped for: a round over the servers begins behind it.
            self.hosts.connected(address);
        }
        self.end(State::Expired, &Error::SessionExpired);
        if self.config.recreate && self.state == State::Expired {
            // The watches stay: on the new session they tell what was missed since the last zxid.
            let last_zxid = self.identity.last_zxid;
            self.identity = Identity { last_zxid, ..Identity::new() };
            self.rooted = false;
            self.timeout_ms = self.config.timeout_ms.max(1);
            self.state = State::Disconnected;
            self.dial(now_ms);
        }
    }

    /// The server refuses an identity.
    pub(super) fn auth_failed(&mut self) {
        self.fail_auths(&|_| Error::AuthFailed);
        self.end(State::AuthFailed, &Error::AuthFailed);
    }

    /// The session cannot go on: everybody is told, and everything fails. One that was being closed
    /// is closed with that.
    fn end(&mut self, state: State, error: &Error) {
        self.address = None;
        self.asks.push_back(Ask::HangUp);
        self.state = state;
        self.tell(state);
        self.fail_all(|_| error.clone());
        self.clear_connection();
        if self.closing.is_some() {
            self.finish_close();
        }
    }

    /// A server was asked whether it takes writes.
    pub fn on_probed(&mut self, now_ms: u64, address: SocketAddr, writes: bool) {
        if self.state == State::ReadOnly && writes {
            self.leave(now_ms, Some(address));
        }
    }

    fn connect_timeout_ms(&self) -> u64 {
        match self.config.connect_timeout_ms {
            0 => self.silence_ms(),
            ms => ms,
        }
    }

    /// How long a server may say nothing, in ms: two thirds of the timeout, so that a third is left
    /// to find another one.
    fn silence_ms(&self) -> u64 {
        (self.timeout_ms as u64 * 2 / 3).max(1)
    }

    fn ping_ms(&self) -> u64 {
        (self.timeout_ms as u64 / 3).max(1)
    }

    /// When `on_timer` must be called at the latest, in ms.
    pub fn deadline_ms(&self) -> u64 {
        let own = match self.state {
            State::Connecting | State::Associating => self.attempt_ms + self.connect_timeout_ms(),
            State::Connected | State::ReadOnly => (self.sent_ms + self.ping_ms())
                .min(self.heard_ms + self.silence_ms())
                .min(self.probe_ms),
            State::NotConnected | State::Disconnected => self.retry_ms,
            State::Expired | State::AuthFailed | State::Closed => u64::MAX,
        };
        let call = self.deadlines.peek().map_or(u64::MAX, |deadline| deadline.at_ms);
        own.min(call).min(self.close_ms)
    }

    /// Does what is due.
    pub fn on_timer(&mut self, now_ms: u64) {
        while let Some(deadline) = self.deadlines.peek().copied() {
            if deadline.at_ms > now_ms {
                break;
            }
            self.deadlines.pop();
            self.give_up(deadline.seq, |maybe_executed, submitted_ms| {
                let waited_ms = now_ms.saturating_sub(submitted_ms);
                Error::Timeout { waited_ms, maybe_executed }
            });
        }
        if now_ms >= self.close_ms {
            self.finish_close();
            return;
        }
        match self.state {
            State::NotConnected | State::Disconnected if now_ms >= self.retry_ms => {
                self.retry_ms = u64::MAX;
                self.ask_resolve();
                match self.planned.take() {
                    Some(address) => self.go(now_ms, address),
                    // Whatever the look-up brings, it dials or waits again.
                    None => self.state = State::Disconnected,
                }
            }
            State::Connecting | State::Associating
                if now_ms >= self.attempt_ms + self.connect_timeout_ms() =>
            {
                self.hang_up(now_ms, |maybe_executed| Error::ConnectionLoss { maybe_executed });
            }
            State::Connected | State::ReadOnly => self.on_connected_timer(now_ms),
            _ => {}
        }
    }

    fn on_connected_timer(&mut self, now_ms: u64) {
        let silence_ms = self.silence_ms();
        if now_ms >= self.heard_ms + silence_ms {
            self.hang_up(now_ms, |maybe_executed| match maybe_executed {
                true => Error::Timeout { waited_ms: silence_ms, maybe_executed },
                false => Error::ConnectionLoss { maybe_executed },
            });
            return;
        }
        if now_ms >= self.sent_ms + self.ping_ms() {
            self.send_internal(now_ms, xid::PING, Op::PING, |_| ());
        }
        if now_ms >= self.probe_ms {
            self.probe_wait_ms = (self.probe_wait_ms * 2).min(PROBE_MS.1);
            self.probe_ms = now_ms + self.probe_wait_ms;
            let addresses = self.hosts.addresses();
            let others: Vec<_> = addresses.iter().filter(|a| Some(**a) != self.address).collect();
            if let Some(address) = others.get(self.probed % others.len().max(1)) {
                self.asks.push_back(Ask::Probe(**address));
                self.probed += 1;
            }
        }
    }
}
