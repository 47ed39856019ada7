//! The table of clients: who is connected, whose turn it is, what is still to be sent.
//!
//! A client's number is its slot. A slot whose connection has ended is used again only after
//! [`Clients::release`], so that the core never confuses two clients.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::net::batch::Batch;
use crate::net::conn::{
    Conn, OUTPUT_HARD_BYTES, OUTPUT_SOFT_BYTES, READ_DIRECT_BYTES, Sent, reset_on_close,
};
use crate::settings::ClientLimits;

/// Bytes queued for all clients above which each one must stay below the soft limit.
pub const OUTPUT_TOTAL_BYTES: usize = 1 << 30;
/// Bytes of unfinished frames of all clients; the one that needs more is closed.
pub const INPUT_TOTAL_BYTES: usize = 256 << 20;
/// Requests of one client that are looked at in one turn.
pub const REQUESTS_PER_TURN_MAX: usize = 1024;
/// Clients that are heard before the first of them is served.
pub const BATCHES_MAX: usize = 16;
/// Size of each of the buffers that all connections read into.
const SHARED_BYTES: usize = 64 << 10;
/// Buffers of emptied queues that are kept for the next one who needs one, and their size.
const SPARE_BUFFERS_MAX: usize = 64;
const SPARE_BUFFER_BYTES_MAX: usize = 64 << 10;

/// Figures about clients since the start, or since they were reset.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Connections refused at accept or at the handshake.
    pub rejected: u64,
    /// Connections that the client or the network ended.
    pub dropped: u64,
    /// Connections closed because no handshake came in time.
    pub handshake_late: u64,
    /// Connections closed because of the limits of large requests or of unfinished input.
    pub large_rejected: u64,
    /// Connections closed because they didn't read what they were owed.
    pub output_overflows: u64,
    /// Frames and four-letter words received.
    pub packets_received: u64,
    /// Answers to four-letter words.
    pub words_answered: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Bytes handed to the kernel or queued for it.
    pub bytes_sent: u64,
}

/// All clients.
#[derive(Debug)]
pub struct Clients {
    limits: ClientLimits,
    output_total_max: usize,
    input_total_max: usize,
    /// Slots at most, from the limit of open files.
    descriptors_max: usize,
    slots: Vec<Option<Conn>>,
    free: Vec<u32>,
    live: usize,
    generation: u32,
    per_ip: HashMap<IpAddr, u32>,
    ready: VecDeque<u32>,
    dirty: Vec<u32>,
    gone: Vec<u32>,
    /// When a connection has to have greeted or to be flushed: time, slot, generation. In order,
    /// because all waits have the same length.
    deadlines: VecDeque<(i64, u32, u32)>,
    /// As many as batches at once; the one used last comes first.
    shared: Vec<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    input_bytes: usize,
    output_bytes: usize,
    large_bytes: usize,
    /// What has happened.
    pub counters: Counters,
    /// Probability with which the throttle drops handshakes, from 0 to 1, for operators.
    pub drop_probability: f64,
}

impl Clients {
    /// No clients yet. `descriptors_max`: connections that the limit of open files leaves room for.
    pub fn new(limits: ClientLimits, descriptors_max: usize) -> Clients {
        Clients {
            limits,
            output_total_max: OUTPUT_TOTAL_BYTES,
            input_total_max: INPUT_TOTAL_BYTES,
            descriptors_max,
            slots: Vec::new(),
            free: Vec::new(),
            live: 0,
            generation: 0,
            per_ip: HashMap::new(),
            ready: VecDeque::new(),
            dirty: Vec::new(),
            gone: Vec::new(),
            deadlines: VecDeque::new(),
            // Zeroed by the system when they are used: an idle server has not one of them.
            shared: (0..BATCHES_MAX).map(|_| vec![0; SHARED_BYTES]).collect(),
            spare: Vec::new(),
            input_bytes: 0,
            output_bytes: 0,
            large_bytes: 0,
            counters: Counters::default(),
            drop_probability: 0.0,
        }
    }

    /// Bounds what is queued for all clients, and unfinished frames of all, in bytes.
    pub fn bound(&mut self, output_bytes: usize, input_bytes: usize) {
        (self.output_total_max, self.input_total_max) = (output_bytes, input_bytes);
    }

    /// The limits that hold; some may be changed while clients are connected.
    pub fn limits_mut(&mut self) -> &mut ClientLimits {
        &mut self.limits
    }

    /// The limits that hold.
    pub fn limits(&self) -> &ClientLimits {
        &self.limits
    }

    /// Connections that are open.
    pub fn count(&self) -> usize {
        self.live
    }

    /// A connection, if it is open.
    pub fn get(&self, slot: u32) -> Option<&Conn> {
        self.slots.get(slot as usize)?.as_ref()
    }

    fn get_mut(&mut self, slot: u32) -> Option<&mut Conn> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    /// All open connections with their slots.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Conn)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(slot, conn)| Some((slot as u32, conn.as_ref()?)))
    }

    /// Takes in a connection that was just accepted, or refuses it with a reset. Returns its slot.
    pub fn admit(
        &mut self,
        socket: TcpStream,
        peer: SocketAddr,
        registry: &Registry,
        now: zk_core::Now,
        token_base: usize,
    ) -> Option<u32> {
        let from_here = self.per_ip.get(&peer.ip()).copied().unwrap_or(0);
        let full = |max: u32, count: usize| max > 0 && count >= max as usize;
        if self.live >= self.descriptors_max
            || full(self.limits.connections_max, self.live)
            || full(self.limits.connections_per_ip_max, from_here as usize)
        {
            self.counters.rejected += 1;
            reset_on_close(&socket);
            return None;
        }
        let slot = self.free.pop().unwrap_or(self.slots.len() as u32);
        self.generation = self.generation.wrapping_add(1);
        let keepalive = self.limits.tcp_keepalive;
        let mut conn = Conn::new(socket, peer, self.generation, now.wall_ms, keepalive);
        let token = Token(token_base + slot as usize);
        let both = Interest::READABLE | Interest::WRITABLE;
        if registry.register(&mut conn.socket, token, both).is_err() {
            self.counters.rejected += 1;
            if (slot as usize) < self.slots.len() {
                self.free.push(slot);
            }
            return None;
        }
        self.deadlines.push_back((now.mono_ms + self.limits.handshake_ms, slot, conn.generation));
        if slot as usize == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[slot as usize] = Some(conn);
        self.live += 1;
        *self.per_ip.entry(peer.ip()).or_insert(0) += 1;
        Some(slot)
    }

    /// The poll has news about a connection.
    pub fn on_event(&mut self, slot: u32, event: &Event) {
        let Some(conn) = self.get_mut(slot) else { return };
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            conn.readable = true;
            conn.hung_up |= event.is_read_closed() || event.is_error();
            self.make_ready(slot);
        }
        if event.is_writable() {
            self.on_writable(slot);
        }
    }

    fn on_writable(&mut self, slot: u32) {
        let Some(conn) = self.get_mut(slot) else { return };
        if conn.blocked {
            conn.blocked = false;
            self.make_dirty(slot);
        }
    }

    fn make_ready(&mut self, slot: u32) {
        let Some(conn) = self.get_mut(slot) else { return };
        if conn.has_work() && !conn.in_ready {
            conn.in_ready = true;
            self.ready.push_back(slot);
        }
    }

    fn make_dirty(&mut self, slot: u32) {
        let Some(conn) = self.get_mut(slot) else { return };
        if !conn.blocked && !conn.in_dirty {
            conn.in_dirty = true;
            self.dirty.push(slot);
        }
    }

    /// How many clients wait to be served.
    pub fn ready_count(&self) -> usize {
        self.ready.len()
    }

    /// The client whose turn it is.
    pub fn pop_ready(&mut self) -> Option<u32> {
        let slot = self.ready.pop_front()?;
        if let Some(conn) = self.get_mut(slot) {
            conn.in_ready = false;
        }
        Some(slot)
    }

    /// Reads once from a client. `None`: it is gone or may not be served.
    pub fn receive(&mut self, slot: u32) -> Option<Batch> {
        let conn = self.slots.get_mut(slot as usize)?.as_mut()?;
        if !conn.has_work() {
            return None;
        }
        // What waits is served before more is read, or it would grow with every turn.
        let waiting = conn.backlog;
        let own = waiting || conn.partial.len() >= READ_DIRECT_BYTES;
        let (mut bytes, start) = if own {
            // Growing by what has come at most: memory follows the bytes received.
            let start = conn.partial.len();
            let mut bytes = std::mem::take(&mut conn.partial);
            if !waiting {
                bytes.resize(start + start.min(SHARED_BYTES), 0);
            }
            (bytes, start)
        } else {
            let mut bytes = self.shared.pop().expect("no more batches than buffers");
            let start = conn.partial.len();
            bytes[..start].copy_from_slice(&conn.partial);
            conn.partial = Vec::new();
            (bytes, start)
        };
        self.input_bytes -= start;
        conn.backlog = false;
        let (mut end, mut ended) = (start, false);
        if conn.readable && !waiting {
            match conn.read(&mut bytes[start..]) {
                Ok(Some(0)) | Err(_) => ended = true,
                Ok(Some(count)) => end += count,
                Ok(None) => {}
            }
        }
        let framing = conn.framing;
        self.counters.bytes_received += (end - start) as u64;
        Some(Batch { bytes, at: 0, end, own, framing, frames: 0, missing: 0, ended })
    }

    /// Takes a batch back: what was not used is kept for the next time.
    pub fn finish(&mut self, slot: u32, mut batch: Batch) {
        let rest = batch.end - batch.at;
        let Some(conn) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else {
            self.give_back(batch);
            return;
        };
        conn.framing = batch.framing;
        conn.received += batch.frames as u64;
        self.counters.packets_received += batch.frames as u64;
        if batch.frames > 0 {
            self.large_bytes -= std::mem::take(&mut conn.large_bytes);
        }
        conn.backlog = rest > 0 && batch.missing == 0;
        if rest > 0 {
            if batch.own {
                batch.bytes.truncate(batch.end);
                batch.bytes.drain(..batch.at);
                conn.partial = std::mem::take(&mut batch.bytes);
            } else {
                conn.partial = batch.bytes[batch.at..batch.end].to_vec();
            }
        }
        self.input_bytes += rest;
        let (ended, missing) = (batch.ended, batch.missing);
        self.give_back(batch);
        if ended {
            self.counters.dropped += 1;
            self.drop_now(slot);
        } else if rest > 0 && missing > 0 && !self.input_is_affordable(slot) {
            self.counters.large_rejected += 1;
            self.drop_now(slot);
        } else {
            self.make_ready(slot);
        }
    }

    /// Whether a whole frame fits the limit of large requests, if there is one.
    #[inline]
    pub fn admits_large(&mut self, slot: u32, length: usize) -> bool {
        let Some(threshold) = self.limits.large_request_bytes else { return true };
        if length <= threshold {
            return true;
        }
        let own = self.get_mut(slot).map_or(0, |conn| conn.large_bytes);
        let admitted = self.large_bytes - own + length <= self.limits.large_requests_bytes_max;
        self.counters.large_rejected += u64::from(!admitted);
        admitted
    }

    fn give_back(&mut self, batch: Batch) {
        if !batch.own {
            self.shared.push(batch.bytes);
        }
    }

    /// Whether the unfinished frame of a client fits the limits of all clients together.
    fn input_is_affordable(&mut self, slot: u32) -> bool {
        if self.input_bytes > self.input_total_max {
            return false;
        }
        let Some(threshold) = self.limits.large_request_bytes else { return true };
        let limit = self.limits.large_requests_bytes_max;
        let taken = self.large_bytes;
        let Some(conn) = self.get_mut(slot) else { return true };
        let Some(length) = conn.partial.first_chunk() else { return true };
        let length = u32::from_be_bytes(*length) as usize;
        if length <= threshold || conn.large_bytes > 0 || !conn.framing.is_greeted() {
            return true;
        }
        if taken + length > limit {
            return false;
        }
        conn.large_bytes = length;
        self.large_bytes += length;
        true
    }

    /// Sends bytes to a client that is owed nothing else in this turn, without a copy if possible.
    #[inline]
    pub fn send_now(&mut self, slot: u32, bytes: &[u8]) {
        let Some(conn) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        if !conn.queue.is_empty() || conn.closing {
            return self.send(slot, bytes);
        }
        self.counters.bytes_sent += bytes.len() as u64;
        match conn.send_now(bytes) {
            Sent::All => {}
            Sent::Blocked => {
                self.output_bytes += conn.queue.len();
                conn.choked = conn.queue.len() > OUTPUT_SOFT_BYTES;
            }
            Sent::Broken => {
                self.counters.dropped += 1;
                self.drop_now(slot);
            }
        }
    }

    /// Queues bytes for a client; they leave at [`Clients::flush_dirty`].
    pub fn send(&mut self, slot: u32, bytes: &[u8]) {
        let Some(conn) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        if conn.closing {
            return;
        }
        let queued = conn.queue.len();
        let scarce = self.output_bytes > self.output_total_max;
        if queued > if scarce { OUTPUT_SOFT_BYTES } else { OUTPUT_HARD_BYTES } {
            self.counters.output_overflows += 1;
            log::warn!("net: overflow peer={} queued_bytes={queued}", conn.peer);
            return self.drop_now(slot);
        }
        if !conn.has_queue_buffer() {
            let spare = self.spare.pop().unwrap_or_default();
            conn.swap_queue_buffer(spare);
        }
        conn.queue.push(bytes);
        conn.choked = conn.queue.len() > OUTPUT_SOFT_BYTES;
        self.counters.bytes_sent += bytes.len() as u64;
        self.output_bytes += bytes.len();
        self.make_dirty(slot);
    }

    /// Clients for whom something was queued in this turn.
    pub fn dirty_count(&self) -> usize {
        self.dirty.len()
    }

    /// Sends what was queued in this turn, one call per client.
    pub fn flush_dirty(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for &slot in &dirty {
            self.flush(slot);
        }
        dirty.clear();
        // Connections that got dirty meanwhile, because one of them was dropped, are none.
        debug_assert!(self.dirty.is_empty());
        self.dirty = dirty;
    }

    fn flush(&mut self, slot: u32) {
        let Some(conn) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else { return };
        conn.in_dirty = false;
        let before = conn.queue.len();
        let sent = conn.flush();
        self.output_bytes -= before - conn.queue.len();
        match sent {
            Sent::All => {
                if conn.has_queue_buffer() {
                    let buffer = conn.swap_queue_buffer(Vec::new());
                    if self.spare.len() < SPARE_BUFFERS_MAX
                        && buffer.capacity() <= SPARE_BUFFER_BYTES_MAX
                    {
                        self.spare.push(buffer);
                    }
                }
                if conn.closing {
                    return self.drop_now(slot);
                }
                conn.choked = false;
                self.make_ready(slot);
            }
            Sent::Blocked => {
                if conn.queue.len() < OUTPUT_SOFT_BYTES / 2 {
                    conn.choked = false;
                    self.make_ready(slot);
                }
            }
            Sent::Broken => {
                self.counters.dropped += 1;
                self.drop_now(slot);
            }
        }
    }

    /// Counts a four-letter word of a client, which is not read any more.
    pub fn count_word(&mut self, slot: u32) {
        self.counters.packets_received += 1;
        self.counters.words_answered += 1;
        if let Some(conn) = self.get_mut(slot) {
            conn.received += 1;
            conn.paused = true;
        }
    }

    /// Forgets how many packets each client has sent.
    pub fn reset_received(&mut self) {
        self.slots.iter_mut().flatten().for_each(|conn| conn.received = 0);
    }

    /// Forgets what has happened.
    pub fn reset_counters(&mut self) {
        self.counters = Counters::default();
    }

    /// Stops or goes on reading a client's requests.
    pub fn set_paused(&mut self, slot: u32, paused: bool) {
        if let Some(conn) = self.get_mut(slot) {
            conn.paused = paused;
            self.make_ready(slot);
        }
    }

    /// Whether a client's requests may be looked at now.
    #[inline]
    pub fn is_served(&self, slot: u32) -> bool {
        self.get(slot).is_some_and(Conn::is_served)
    }

    /// Closes a client when everything queued has been sent, or after a while if it doesn't read.
    pub fn close(&mut self, slot: u32, now_ms: i64) {
        let deadline = now_ms + self.limits.handshake_ms;
        let Some(conn) = self.get_mut(slot) else { return };
        if conn.closing {
            return;
        }
        conn.closing = true;
        if conn.queue.is_empty() {
            return self.drop_now(slot);
        }
        let generation = conn.generation;
        self.deadlines.push_back((deadline, slot, generation));
    }

    /// Ends a connection at once; what was queued for it is lost.
    pub fn drop_now(&mut self, slot: u32) {
        let Some(mut conn) = self.slots.get_mut(slot as usize).and_then(Option::take) else {
            return;
        };
        // Unread input would turn the close into a reset, which takes our last reply with it.
        if conn.closing
            && conn.readable
            && let Some(shared) = self.shared.last_mut()
        {
            let _ = conn.read(shared);
        }
        self.input_bytes -= conn.partial.len();
        self.output_bytes -= conn.queue.len();
        self.large_bytes -= conn.large_bytes;
        self.live -= 1;
        let ip = conn.peer.ip();
        if let Some(count) = self.per_ip.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                self.per_ip.remove(&ip);
            }
        }
        self.gone.push(slot);
    }

    /// A client that is gone and that the core hasn't heard of.
    pub fn pop_gone(&mut self) -> Option<u32> {
        self.gone.pop()
    }

    /// Whether the core hasn't heard of everybody who is gone.
    pub fn has_gone(&self) -> bool {
        !self.gone.is_empty()
    }

    /// The core knows that the client of this slot is gone; the slot may be used again.
    pub fn release(&mut self, slot: u32) {
        debug_assert!(self.get(slot).is_none());
        self.free.push(slot);
    }

    /// Closes whoever hasn't greeted, or hasn't read its last reply, in time.
    pub fn expire(&mut self, now_ms: i64) {
        while let Some(&(deadline, slot, generation)) = self.deadlines.front() {
            if deadline > now_ms {
                break;
            }
            self.deadlines.pop_front();
            let Some(conn) = self.get(slot) else { continue };
            let late = conn.closing || !conn.framing.is_greeted();
            if conn.generation == generation && late {
                self.counters.handshake_late += u64::from(!conn.closing);
                self.drop_now(slot);
            }
        }
    }

    /// When [`Clients::expire`] has something to do, `Now::mono_ms`.
    pub fn deadline_ms(&self) -> Option<i64> {
        self.deadlines.front().map(|&(deadline, ..)| deadline)
    }

    /// Whether something is still to be sent.
    pub fn has_output(&self) -> bool {
        self.output_bytes > 0
    }

    /// Bytes of unfinished input and of unsent output of all clients.
    pub fn buffered_bytes(&self) -> (usize, usize) {
        (self.input_bytes, self.output_bytes)
    }
}
