//! The loop: one turn polls, asks the core about everything that has happened, and carries out
//! what it says, in order.
//!
//! The only place where disk, sockets and core meet. It decides what is looked at first and how
//! much of it; it decides nothing about the protocol.

mod contract;
mod disk;
mod manager;
mod members;
mod peers;

use std::io;
use std::os::fd::AsRawFd;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use zk_core::effect::Level;
use zk_core::{ConnId, Effect, Effects, Event, Now};

use crate::admin::{self, Asked, Facts};
use crate::audit::AuditLog;
use crate::memory;
use crate::net::batch::Batch;
use crate::net::peers::TOKENS;
use crate::net::throttle::Throttle;
use crate::net::{Clients, Item, Listener, Peers, client_port};
use crate::settings::{Whitelist, Word};
use crate::sys::clock;
use crate::sys::signal::Signals;
use crate::systemd::Systemd;

pub use contract::{Core, Disk, DiskReport, End};
pub use manager::keep_sockets;
pub use members::Membership;
use peers::Ensemble;

const LISTENER: Token = Token(0);
const SIGNALS: Token = Token(1);
/// The token of the waker of other threads; whoever makes the waker needs it.
pub const DISK: Token = Token(2);
const CLIENTS: usize = 3;

/// The loop looks around this often at least, in ms.
const POLL_MS_MAX: i64 = 1000;
/// Turning up so much later than asked for counts as a stall of our own, in ms.
const STALL_MS: i64 = 500;
/// Turns after a stall in which clients are heard before time passes for the core.
const STALL_TURNS_MAX: u32 = 256;
/// Clients that are answered before other servers are told of anything.
const REPLIES_FIRST_MAX: usize = 4;
/// Bytes handed to the log and not yet on disk above which clients are not read.
const LOG_QUEUED_BYTES_MAX: usize = 64 << 20;
/// Bytes of effects after which they are carried out within a client's batch.
const EFFECT_BYTES_MAX: usize = 256 << 10;
/// Memory of effects that is kept for the next turn.
const EFFECT_BYTES_KEPT_MAX: usize = 4 << 20;
/// Bytes of a snapshot that are asked for in one turn.
const SNAPSHOT_SLICE_BYTES: usize = 32 << 10;
/// How long a stopping server waits for what is on its way, in ms.
const STOP_MS: i64 = 4000;

/// What may be changed while the server runs.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// Four-letter words that are answered.
    pub whitelist: Whitelist,
    /// Connections from one address at most.
    pub connections_per_ip_max: u32,
    /// Connections at most.
    pub connections_max: u32,
    /// What differs from before, `key=value`, and what of it needs a restart.
    pub told: Vec<String>,
}

/// Reads the settings again beside the loop: a file system or a name server may be slow.
pub struct Reload {
    /// Begins to read. Each call is answered once, and the loop is woken for it.
    pub begin: Box<dyn FnMut()>,
    /// What was read, or why it was refused.
    pub done: Receiver<Result<Reloaded, String>>,
}

/// Everything the loop is made of.
pub struct Parts<C, D> {
    /// The core, recovered.
    pub core: C,
    /// The disk, recovered.
    pub disk: D,
    /// The poll that the disk's waker was made with.
    pub poll: Poll,
    /// The bound listener.
    pub listener: Listener,
    /// The other servers; `None` for a server that is alone.
    pub peers: Option<Box<Peers>>,
    /// Its place among them; `None` for a server that is alone.
    pub members: Option<Membership>,
    /// The table of clients, empty.
    pub clients: Clients,
    /// The signals, blocked since before the first thread.
    pub signals: Signals,
    /// The service manager.
    pub systemd: Systemd,
    /// Where changes are told.
    pub audit: AuditLog,
    /// The throttle of handshakes.
    pub throttle: Throttle,
    /// Four-letter words that are answered.
    pub whitelist: Whitelist,
    /// What doesn't change and is told to operators.
    pub facts: Facts,
    /// Reads the settings again.
    pub reload: Reload,
    /// How much memory there is.
    pub memory: memory::Watch,
}

/// The running server.
pub struct Server<C, D> {
    parts: Parts<C, D>,
    effects: Effects,
    /// Empty between turns; its memory is kept.
    batches: Vec<(u32, Batch)>,
    now: Now,
    /// When the poll was to come back at the latest.
    due_ms: i64,
    /// Turns that are left in which time doesn't pass for the core.
    stall_turns: u32,
    /// Txns were appended in this turn.
    appended: bool,
    snapshot_runs: bool,
    snapshot_last: bool,
    /// The settings are being read; and somebody has asked for it once more since.
    reload_runs: bool,
    reload_again: bool,
    reloads: u64,
    /// The client port is another one.
    moved: bool,
    /// When stopping ends at the latest.
    stop_by_ms: Option<i64>,
    chance: u64,
    end: Option<End>,
}

impl<C: Core, D: Disk> Server<C, D> {
    /// Registers everything with the poll.
    pub fn new(mut parts: Parts<C, D>) -> io::Result<Server<C, D>> {
        let bounds = parts.memory.read();
        parts.clients.bound(bounds.output_bytes, bounds.input_bytes);
        let registry = parts.poll.registry();
        registry.register(parts.listener.source(), LISTENER, Interest::READABLE)?;
        let signals = parts.signals.as_raw_fd();
        registry.register(&mut SourceFd(&signals), SIGNALS, Interest::READABLE)?;
        let now = clock::now();
        Ok(Server {
            parts,
            effects: Effects::new(),
            batches: Vec::new(),
            now,
            due_ms: now.mono_ms,
            stall_turns: 0,
            appended: false,
            snapshot_runs: false,
            snapshot_last: false,
            reload_runs: false,
            reload_again: false,
            reloads: 0,
            moved: false,
            stop_by_ms: None,
            chance: now.wall_ms as u64 | 1,
            end: None,
        })
    }

    /// Turns until somebody stops it or the disk fails.
    pub fn run(&mut self) -> io::Result<End> {
        let mut events = Events::with_capacity(1024);
        loop {
            self.turn(&mut events)?;
            if let Some(end) = self.end.take() {
                return Ok(end);
            }
        }
    }

    /// One turn.
    pub fn turn(&mut self, events: &mut Events) -> io::Result<()> {
        self.poll(events)?;
        self.take_disk_reports();
        if self.reload_runs {
            self.take_reloaded();
        }
        self.serve_peers();
        self.accept_clients();
        self.serve_clients();
        self.bury_clients();
        self.pass_time();
        self.slice_snapshot();
        self.parts.disk.submit();
        self.appended = false;
        // For a few replies somebody waits more than the others do for a COMMIT; many would keep
        // proposals back.
        if self.parts.clients.dirty_count() <= REPLIES_FIRST_MAX {
            self.parts.clients.flush_dirty();
        }
        self.flush_peers();
        self.parts.clients.flush_dirty();
        self.tell_manager();
        self.look_for_the_end();
        Ok(())
    }

    fn poll(&mut self, events: &mut Events) -> io::Result<()> {
        let wait_ms = self.wait_ms();
        self.due_ms = self.now.mono_ms + wait_ms;
        let polled = self.parts.poll.poll(events, Some(Duration::from_millis(wait_ms as u64)));
        // As when the process was stopped: nobody was heard yet.
        let interrupted =
            polled.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted);
        if interrupted {
            events.clear();
        } else {
            polled?;
        }
        self.now = clock::now();
        if self.now.mono_ms > self.due_ms + STALL_MS {
            log::warn!("server: stalled late_ms={}", self.now.mono_ms - self.due_ms);
            self.stall_turns = STALL_TURNS_MAX;
        }
        for event in events.iter() {
            match event.token() {
                LISTENER => self.parts.listener.on_ready(),
                SIGNALS => self.take_signals(),
                DISK => {}
                Token(token) if token >= TOKENS => {
                    if let Some(peers) = &mut self.parts.peers {
                        peers.on_event(token, event);
                    }
                }
                Token(token) => self.parts.clients.on_event((token - CLIENTS) as u32, event),
            }
        }
        let quiet = self.parts.clients.ready_count() == 0 && !self.peers_have_work();
        if events.is_empty() && !interrupted && quiet {
            self.stall_turns = 0;
        }
        Ok(())
    }

    /// How long nothing has to be done, in ms.
    fn wait_ms(&self) -> i64 {
        let parts = &self.parts;
        let busy = (parts.clients.ready_count() > 0 && self.may_serve())
            || parts.clients.has_gone()
            || self.peers_have_work()
            || parts.listener.has_work(self.now.mono_ms)
            || self.stall_turns > 0
            || (self.snapshot_wants_slice() && parts.disk.snapshot_room() > 0);
        if busy {
            return 0;
        }
        let mut due = self.now.mono_ms + POLL_MS_MAX;
        due = due.min(parts.core.deadline());
        due = due.min(parts.systemd.deadline_ms());
        for deadline in [parts.clients.deadline_ms(), parts.listener.deadline_ms()] {
            due = due.min(deadline.unwrap_or(due));
        }
        if let Some(peers) = &parts.peers {
            due = due.min(peers.deadline_ms());
        }
        due = due.min(parts.members.as_ref().and_then(Membership::deadline_ms).unwrap_or(due));
        due = due.min(self.stop_by_ms.unwrap_or(due));
        due.max(self.now.mono_ms) - self.now.mono_ms
    }

    fn accept_clients(&mut self) {
        let (mut count, now) = (0, self.now);
        let Parts { members, listener, facts, poll, .. } = &mut self.parts;
        if let Some(members) = members.as_mut().filter(|_| self.stop_by_ms.is_none()) {
            self.moved |= members.listen(now.mono_ms, listener, facts, poll.registry());
        }
        while self.stop_by_ms.is_none()
            && self.parts.listener.has_work(now.mono_ms)
            && count < crate::net::listen::ACCEPTS_PER_TURN_MAX
        {
            count += 1;
            let parts = &mut self.parts;
            match parts.listener.accept(now.mono_ms) {
                Ok(None) => break,
                Err(e) => log::warn!("net: accept_failed error={e}"),
                Ok(Some((socket, peer))) => {
                    let registry = parts.poll.registry();
                    let slot = parts.clients.admit(socket, peer, registry, now, CLIENTS);
                    if let Some(slot) = slot {
                        let conn = ConnId(slot);
                        self.step(Event::ClientOpened { conn, peer: peer.ip() });
                    }
                }
            }
        }
        self.parts.clients.expire(now.mono_ms);
    }

    /// While the log is far behind, nobody is served: what they ask for would only wait.
    fn may_serve(&self) -> bool {
        self.parts.disk.queued_bytes() < LOG_QUEUED_BYTES_MAX && self.stop_by_ms.is_none()
    }

    fn serve_clients(&mut self) {
        let mut ready = self.parts.clients.ready_count();
        let mut batches = std::mem::take(&mut self.batches);
        while ready > 0 && self.may_serve() {
            // Several are heard before the first is served: what they will look up is fetched
            // side by side.
            let count = ready.min(crate::net::clients::BATCHES_MAX);
            ready -= count;
            for _ in 0..count {
                let Some(slot) = self.parts.clients.pop_ready() else { break };
                batches.extend(self.parts.clients.receive(slot).map(|batch| (slot, batch)));
            }
            self.parts.core.warm(batches.iter().filter_map(|(_, batch)| batch.requests()));
            for (slot, batch) in batches.drain(..) {
                self.serve_client(slot, batch);
            }
        }
        self.batches = batches;
    }

    /// Looks at what a client has sent, as far as its share of the turn goes.
    fn serve_client(&mut self, slot: u32, mut batch: Batch) {
        let conn = ConnId(slot);
        let length_max = self.parts.clients.limits().request_bytes_max;
        let mut seen = 0;
        while self.parts.clients.is_served(slot)
            && batch.frames() < crate::net::clients::REQUESTS_PER_TURN_MAX
        {
            let first = batch.is_first();
            let event = match batch.next(length_max) {
                Item::Frame(frame) => {
                    let refused = if first {
                        !self.admits_handshake(frame)
                    } else {
                        !self.parts.clients.admits_large(slot, frame.len())
                    };
                    if refused {
                        batch.ended = true;
                        break;
                    }
                    Event::ClientRequest { conn, frame }
                }
                Item::Oversized(head) => Event::ClientOversized { conn, head },
                Item::Wait(_) => break,
                Item::Word(word, mask) => {
                    self.answer_word(slot, word, mask);
                    break;
                }
                Item::Refused(why) => {
                    log::debug!("net: refused conn={slot} reason=\"{why}\"");
                    batch.ended = true;
                    break;
                }
            };
            self.parts.core.step(self.now, event, &mut self.effects);
            if self.effects.bytes.len() > EFFECT_BYTES_MAX {
                self.carry_out();
                seen = 0;
            }
            if self.must_stop_reading(conn, &mut seen) {
                break;
            }
        }
        self.carry_out();
        self.parts.clients.finish(slot, batch);
    }

    fn admits_handshake(&mut self, frame: &[u8]) -> bool {
        // xorshift: nobody gains by guessing which handshakes are dropped.
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        let chance = (self.chance >> 11) as f64 / (1u64 << 53) as f64;
        let renewal = client_port::renews(frame);
        let admitted = self.parts.throttle.admits(renewal, self.now.mono_ms, chance);
        self.parts.clients.counters.rejected += u64::from(!admitted);
        self.parts.clients.drop_probability = self.parts.throttle.drop_probability();
        admitted
    }

    /// Whether the newest effects say that the client's next request must wait.
    #[inline]
    fn must_stop_reading(&self, conn: ConnId, seen: &mut usize) -> bool {
        let new = &self.effects.list[*seen..];
        *seen = self.effects.list.len();
        new.iter().any(|effect| {
            matches!(effect, Effect::Pause { conn: c } | Effect::Close { conn: c } if *c == conn)
        })
    }

    fn answer_word(&mut self, slot: u32, word: Word, mask: Option<i64>) {
        let Parts { core, clients, facts, whitelist, disk, .. } = &mut self.parts;
        let asked = Asked { word, mask, whitelist, now: self.now, sizes: &|| disk.sizes() };
        clients.count_word(slot);
        let text = admin::answer(asked, core, clients, facts);
        clients.send(slot, text.as_bytes());
        clients.close(slot, self.now.mono_ms);
    }

    /// Tells the core who is gone; only then their slots are free.
    fn bury_clients(&mut self) {
        while let Some(slot) = self.parts.clients.pop_gone() {
            self.step(Event::ClientClosed { conn: ConnId(slot) });
            self.parts.clients.release(slot);
        }
    }

    /// Lets time pass for the core. After a stall of our own the clients are heard first: who has
    /// spoken meanwhile must not be taken for silent.
    fn pass_time(&mut self) {
        if self.stall_turns > 0 {
            self.stall_turns -= 1;
        } else if self.now.mono_ms >= self.parts.core.deadline() {
            self.step(Event::Tick);
        }
    }

    fn snapshot_wants_slice(&self) -> bool {
        self.snapshot_runs && !self.snapshot_last
    }

    fn slice_snapshot(&mut self) {
        if self.snapshot_wants_slice() {
            let bytes_max = self.parts.disk.snapshot_room().min(SNAPSHOT_SLICE_BYTES);
            if bytes_max > 0 {
                self.step(Event::SnapshotSlice { bytes_max });
            }
        }
    }

    fn step(&mut self, event: Event<'_>) {
        self.parts.core.step(self.now, event, &mut self.effects);
        self.carry_out();
    }

    /// Carries out what the core said, in order, and forgets it.
    fn carry_out(&mut self) {
        let Parts { clients, disk, peers, members, facts, systemd, audit, .. } = &mut self.parts;
        let Effects { list, bytes } = &mut self.effects;
        // The common case of a batch of reads: one send, which needs no copy. When txns wait to be
        // handed to the log writer, replies can wait too: the disk is slower.
        if let ([Effect::Send { conn, frames }], false) = (&list[..], self.appended) {
            clients.send_now(conn.0, &bytes[frames.clone()]);
            list.clear();
        }
        for effect in list.drain(..) {
            match effect {
                Effect::Append { zxid, txn } => {
                    if let Some(ensemble) = &mut facts.ensemble {
                        ensemble.proposals.add(txn.len());
                    }
                    disk.append(zxid, &bytes[txn]);
                    self.appended = true;
                }
                Effect::Send { conn, frames } => clients.send(conn.0, &bytes[frames]),
                Effect::Close { conn } => clients.close(conn.0, self.now.mono_ms),
                Effect::Pause { conn } => clients.set_paused(conn.0, true),
                Effect::Resume { conn } => clients.set_paused(conn.0, false),
                Effect::SnapshotBegin { zxid, replaces } => {
                    (self.snapshot_runs, self.snapshot_last) = (true, false);
                    disk.snapshot_begin(zxid, replaces);
                }
                Effect::SnapshotAbandon => {
                    self.snapshot_runs = false;
                    disk.snapshot_abandon();
                }
                Effect::SaveEpochs { epochs } => disk.save_epochs(epochs),
                Effect::SaveCluster { cluster } => disk.save_cluster(cluster),
                Effect::Reload { cut } => disk.reload(cut),
                Effect::ReadLog { peer, after, through, bytes_max } => {
                    disk.read_log(peer, after, through, bytes_max);
                }
                Effect::SnapshotBytes { piece, last } => {
                    self.snapshot_last = last;
                    disk.snapshot_piece(&bytes[piece], last);
                }
                Effect::MembersProposed { members: next } => {
                    let written = members.as_mut().map_or(Ok(()), |here| here.propose(&next));
                    if let Err(error) = written {
                        self.end = Some(End::DiskFailed(error));
                    }
                }
                Effect::MembersInForce { members: next, kept } => {
                    if let Some(members) = members {
                        members.activate(&next, kept, facts, peers.as_deref_mut());
                    }
                }
                Effect::Log { level, line } => log_line(level, &line),
                Effect::Audit(line) => audit.change(&line),
                other => {
                    let ensemble = Ensemble {
                        peers: peers.as_deref_mut(),
                        facts: facts.ensemble.as_mut(),
                        systemd,
                    };
                    ensemble.carry_out(other, bytes, self.now);
                }
            }
        }
        bytes.clear();
        // One huge reply must not cost its memory for ever.
        if bytes.capacity() > EFFECT_BYTES_KEPT_MAX {
            *bytes = Vec::new();
        }
    }

    /// Takes the server apart, so that the disk can be closed in order.
    pub fn into_parts(self) -> Parts<C, D> {
        self.parts
    }
}

fn log_line(level: Level, line: &str) {
    let level = match level {
        Level::Error => log::Level::Error,
        Level::Warn => log::Level::Warn,
        Level::Info => log::Level::Info,
        Level::Debug => log::Level::Debug,
    };
    log::log!(target: "core", level, "core: {line}");
}
