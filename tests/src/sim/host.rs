//! The shell of a simulated server: it steps the replica and carries its effects out.

use zk_core::{ConnId, Effect, Effects, Event, PeerId, Port, Replica};

use super::disk::{Done, Loss, Work};
use super::net::{End, Packet};
use super::{Fault, World, list_of_joiner};

/// Bytes of a snapshot that are asked for at once.
const SLICE_BYTES: usize = 2_000;

impl World {
    /// The process starts.
    pub fn start(&mut self, server: usize) {
        let now = self.now_of(server);
        let state = &mut self.servers[server];
        state.boots += 1;
        state.restart_at_ms = None;
        state.paused_until_ms = 0;
        state.dies_behind = None;
        let ensemble = state.config.ensemble.as_mut().expect("it is in an ensemble");
        if !ensemble.members.servers.contains_key(&ensemble.me) {
            // A list without itself is refused: an operator gives it one.
            ensemble.members = list_of_joiner(self.monitor.newest_members(), server);
            ensemble.proposed = None;
        }
        let loaded = state.disk.load(&state.config);
        let recovered = match loaded {
            Ok(recovered) => recovered,
            Err(why) => {
                self.note(|| format!("S{} does not start: {why}", server + 1));
                self.tally.count("start refused");
                return self.repair(server);
            }
        };
        let (epochs, last) = (recovered.epochs, recovered.tree.last_zxid());
        let state = &self.servers[server];
        let held = self.monitor.on_start(server, &state.config, &recovered, &state.disk);
        self.hold(held);
        self.note(|| format!("S{} starts {epochs:?} {last}", server + 1));
        let state = &mut self.servers[server];
        state.replica = Some(Replica::new(state.config.clone(), recovered, now));
        self.step(server, Event::Tick);
    }

    /// The process ends.
    pub fn crash(&mut self, server: usize, loss: Loss) {
        if self.servers[server].replica.take().is_none() {
            return;
        }
        self.note(|| format!("S{} ends, {loss:?}", server + 1));
        let state = &mut self.servers[server];
        state.serving = false;
        state.due_ms = i64::MAX;
        state.dies_behind = None;
        state.disk_full_until_ms = 0;
        state.held.clear();
        let lost = state.disk.crash(loss, &mut self.rng);
        let boot = state.boots;
        for (conn, client) in std::mem::take(&mut state.conns) {
            // Who was cut off is somewhere else by now.
            if self.clients[client].at == Some((server, conn)) {
                self.clients[client].disconnected(&mut self.record);
            }
        }
        for (end, other) in self.net.links_of(server, boot) {
            self.net.forget(end);
            self.net.send(&mut self.rng, self.now_ms, true, other, Packet::Closed);
        }
        if let Err(text) = lost {
            self.fail(super::invariants::broken("recovery_keeps_what_is_durable", text));
        }
        let held = self.monitor.on_stop(server, &self.servers[server].disk);
        self.hold(held);
        self.hold_durability();
    }

    /// One event for a replica, and what follows from it.
    pub fn step(&mut self, server: usize, event: Event<'_>) {
        let now = self.now_of(server);
        let Some(replica) = &mut self.servers[server].replica else { return };
        let mut effects = std::mem::take(&mut self.effects);
        replica.step(now, event, &mut effects);
        self.servers[server].due_ms = replica.deadline(now);
        self.steps += 1;
        let lives = self.carry_out(server, &effects);
        let words = effects.bytes.len() as u64 ^ (effects.list.len() as u64) << 32;
        self.mix(words ^ (server as u64) << 48 ^ (self.now_ms as u64) << 20);
        effects.clear();
        self.effects = effects;
        if lives {
            self.check(server);
        }
    }

    /// What must hold after every step.
    fn check(&mut self, server: usize) {
        let state = &self.servers[server];
        let Some(replica) = &state.replica else { return };
        let held = self.monitor.on_step(server, replica, state.serving);
        let grew = self.hold(held);
        if grew {
            self.hold_durability();
        }
    }

    /// What was ever served is on the disks of a quorum.
    pub(super) fn hold_durability(&mut self) {
        let held = self.monitor.durability(self.servers.iter().map(|server| &server.disk));
        self.hold(held);
    }

    fn disk_ms(&mut self, server: usize) -> i64 {
        let slow = self.rng.one_in(30);
        let state = &self.servers[server];
        let slower = if state.disk_slow_until_ms > self.now_ms { 400 } else { 4 };
        let ms = if slow { self.rng.below(200) } else { 1 + self.rng.below(slower) };
        self.now_ms.max(state.disk_full_until_ms) + ms as i64
    }

    /// Does what the replica wants, in order. False when the process ended meanwhile.
    fn carry_out(&mut self, server: usize, effects: &Effects) -> bool {
        for effect in &effects.list {
            if let Some(left) = &mut self.servers[server].dies_behind {
                if *left == 0 {
                    self.tally.count("crash between effects");
                    let loss = self.loss();
                    self.down(server, loss, 2_000);
                    return false;
                }
                *left -= 1;
            }
            match effect {
                Effect::Append { .. }
                | Effect::SaveEpochs { .. }
                | Effect::Reload { .. }
                | Effect::ReadLog { .. }
                | Effect::SnapshotBegin { .. }
                | Effect::SnapshotAbandon
                | Effect::SnapshotBytes { .. } => {
                    self.carry_out_on_disk(server, effect, &effects.bytes);
                }
                Effect::Dial { .. } | Effect::SendPeer { .. } | Effect::ClosePeer { .. } => {
                    self.carry_out_on_net(server, effect, &effects.bytes);
                }
                Effect::Send { conn, frames } => {
                    let bytes = effects.bytes[frames.clone()].to_vec();
                    self.tell_client(server, *conn, |client| {
                        Packet::ToClient(client, conn.0, bytes)
                    });
                }
                Effect::Close { conn } => {
                    self.tell_client(server, *conn, |client| Packet::ClientClosed(client, conn.0));
                }
                Effect::Serve { on } => {
                    self.servers[server].serving = *on;
                    self.note(|| format!("S{} serves={on}", server + 1));
                }
                Effect::Log { line, .. } => {
                    self.note(|| format!("S{} {line}", server + 1));
                    if line.contains("leading epoch=") && line.contains("took_ms=") {
                        self.tally.count("next epoch of a leader");
                    }
                    let held = self.monitor.on_log(server, line);
                    self.hold(held);
                }
                // Durable at once: the contract is "before anything that is asked for behind it".
                Effect::MembersProposed { members } => {
                    let told = self.servers[server].config.ensemble.as_mut();
                    told.expect("it is in an ensemble").proposed = Some((**members).clone());
                }
                Effect::SaveCluster { cluster } => {
                    let told = self.servers[server].config.ensemble.as_mut();
                    told.expect("it is in an ensemble").cluster = *cluster;
                }
                Effect::MembersInForce { members, kept } => {
                    let held = self.monitor.on_members(server, members);
                    if self.hold(held) {
                        self.tally.count(Fault::Reconfig.name());
                    }
                    let told = self.servers[server].config.ensemble.as_mut();
                    if *kept {
                        told.expect("it is in an ensemble").members = (**members).clone();
                    }
                }
                Effect::Pause { .. } | Effect::Resume { .. } | Effect::Audit(_) => {}
            }
        }
        self.flush(server);
        true
    }

    fn tell_client(&mut self, server: usize, conn: ConnId, packet: impl FnOnce(usize) -> Packet) {
        let state = &self.servers[server];
        let Some(client) = state.conns.get(&conn.0).copied() else { return };
        // Each direction of each connection is a stream of its own.
        let peer = PeerId((1 << 62) + u64::from(conn.0));
        let to = End { server, boot: state.boots, peer };
        self.net.send(&mut self.rng, self.now_ms, true, to, packet(client));
    }

    fn carry_out_on_net(&mut self, server: usize, effect: &Effect, bytes: &[u8]) {
        let boot = self.servers[server].boots;
        let end = |peer: PeerId| End { server, boot, peer };
        match effect {
            Effect::Dial { peer, addresses, port } => self.dial(end(*peer), addresses, *port),
            Effect::SendPeer { peer, bytes: range } => {
                let from = end(*peer);
                let Some(other) = self.net.links.get(&from).copied() else { return };
                let mut rest = &bytes[range.clone()];
                let port = self.net.ports[&from];
                let disk = &self.servers[server].disk;
                let held = self.monitor.on_sent(from, other, port, rest, disk);
                self.hold(held);
                // Cut anywhere, as a stream is.
                while !rest.is_empty() {
                    let whole = rest.len() == 1 || !self.rng.one_in(8);
                    let count = if whole { rest.len() } else { 1 + self.rng.below(rest.len() - 1) };
                    let (now, later) = rest.split_at(count);
                    let packet = Packet::Bytes(now.to_vec());
                    self.net.send(&mut self.rng, self.now_ms, true, other, packet);
                    rest = later;
                }
                let breaks = self.plan.faults.contains(&Fault::CrashInSnap)
                    && self.now_ms < self.faults_end_ms;
                if breaks && self.monitor.sends_database(&other) && self.rng.one_in(5) {
                    self.tally.count(Fault::CrashInSnap.name());
                    self.servers[server].dies_behind = Some(self.rng.below(3));
                }
                // Who dials sends no databases, and nobody else asks when all is sent.
                if port == Port::Quorum && peer.0 >= PeerId::ACCEPTED {
                    self.net.drained(self.now_ms, from);
                }
            }
            Effect::ClosePeer { peer } => {
                let from = end(*peer);
                if let Some(other) = self.net.links.get(&from).copied() {
                    self.net.forget(from);
                    self.net.send(&mut self.rng, self.now_ms, true, other, Packet::Closed);
                }
            }
            other => unreachable!("{other:?} is not the network's"),
        }
    }

    fn carry_out_on_disk(&mut self, server: usize, effect: &Effect, bytes: &[u8]) {
        match effect {
            Effect::Append { zxid, txn } => {
                let txn = &bytes[txn.clone()];
                let state = &self.servers[server];
                let leads = state.replica.as_ref().and_then(Replica::leads);
                let now_ms = self.now_ms;
                let held = self.monitor.on_append(server, leads, *zxid, txn, &state.disk, now_ms);
                let txn = self.hold(held);
                self.servers[server].disk.append(*zxid, txn);
            }
            Effect::SaveEpochs { epochs } => {
                self.flush(server);
                let at = self.disk_ms(server);
                self.servers[server].disk.push(at, Work::Epochs(*epochs));
            }
            Effect::Reload { cut } => {
                self.flush(server);
                let at = self.disk_ms(server);
                self.servers[server].disk.push(at, Work::Reload(*cut));
            }
            Effect::ReadLog { peer, after, through, .. } => {
                let at = self.disk_ms(server);
                self.servers[server].disk.push(at, Work::Read(*peer, *after, *through));
            }
            Effect::SnapshotBegin { zxid, replaces } => {
                self.flush(server);
                self.servers[server].disk.begin_snapshot(*zxid, *replaces);
            }
            Effect::SnapshotAbandon => self.servers[server].disk.abandon_snapshot(),
            Effect::SnapshotBytes { piece, last } => {
                let at = self.disk_ms(server);
                let disk = &mut self.servers[server].disk;
                disk.snapshot_piece(&bytes[piece.clone()], *last, at);
            }
            other => unreachable!("{other:?} is not the disk's"),
        }
    }

    fn flush(&mut self, server: usize) {
        if self.servers[server].disk.wants_sync() {
            let at = self.disk_ms(server);
            self.servers[server].disk.sync(at);
        }
    }

    fn dial(&mut self, from: End, addresses: &[(String, u16)], port: Port) {
        let host = addresses.first().map_or("", |(host, _)| host);
        let number: Option<usize> = host.strip_prefix("host").and_then(|n| n.parse().ok());
        let to = number.filter(|number| (1..=self.servers.len()).contains(number));
        let now_ms = self.now_ms;
        let up = to.map(|number| number - 1).filter(|to| {
            let whole = self.net.hears(from.server, *to) && self.net.hears(*to, from.server);
            whole && self.servers[*to].replica.is_some()
        });
        let Some(to) = up else {
            return self.net.send(&mut self.rng, now_ms, false, from, Packet::Closed);
        };
        let other = self.net.connect(from, to, self.servers[to].boots, port);
        self.monitor.on_dial(from, other, port);
        self.net.send(&mut self.rng, now_ms, true, other, Packet::Accepted(port));
        self.net.send(&mut self.rng, now_ms, true, from, Packet::Connected);
    }

    /// Something arrives.
    pub(super) fn deliver(&mut self, to: End, packet: Packet) {
        if let Packet::ToClient(..) | Packet::ClientClosed(..) = packet {
            return self.deliver_to_client(to, packet);
        }
        let server = &self.servers[to.server];
        if server.boots != to.boot || server.replica.is_none() {
            return;
        }
        if server.paused_until_ms > self.now_ms {
            return self.servers[to.server].held.push_back((to, packet));
        }
        if let Packet::ToServer(conn, frame) = packet {
            if server.conns.contains_key(&conn) {
                let conn = ConnId(conn);
                self.step(to.server, Event::ClientRequest { conn, frame: &frame });
            }
            return;
        }
        if let Packet::Gone(conn) = packet {
            if self.servers[to.server].conns.remove(&conn).is_some() {
                self.step(to.server, Event::ClientClosed { conn: ConnId(conn) });
            }
            return;
        }
        let peer = to.peer;
        let linked = self.net.links.get(&to).copied();
        match packet {
            Packet::Closed => {
                self.net.forget(to);
                self.step(to.server, Event::PeerClosed { peer });
            }
            _ if linked.is_none() => {}
            Packet::Accepted(port) => self.step(to.server, Event::PeerAccepted { peer, port }),
            Packet::Connected => self.step(to.server, Event::PeerConnected { peer }),
            Packet::Bytes(bytes) => {
                let from = linked.map_or(0, |other| other.server);
                // A stream has no holes: once bytes are lost nothing more comes through.
                if !self.net.hears(from, to.server) {
                    self.net.deaf.insert(to);
                }
                if !self.net.deaf.contains(&to) {
                    self.step(to.server, Event::PeerBytes { peer, bytes: &bytes });
                }
            }
            Packet::Drained => self.step(to.server, Event::PeerDrained { peer }),
            _ => unreachable!("handled above"),
        }
    }

    /// The server's own time: its disk, its timers, its snapshot.
    pub(super) fn tick_server(&mut self, server: usize) {
        let now_ms = self.now_ms;
        let state = &mut self.servers[server];
        if state.replica.is_none() {
            if state.restart_at_ms.is_some_and(|at| now_ms >= at) {
                self.start(server);
            }
            return;
        }
        if state.paused_until_ms > now_ms {
            return;
        }
        if state.disk_full_until_ms > 0 {
            if state.disk_full_until_ms > now_ms {
                return self.tick_replica(server);
            }
            state.disk_full_until_ms = 0;
            self.step(server, Event::DiskSpace { available: true });
        }
        while self.servers[server].disk.next_ms() <= now_ms {
            let state = &mut self.servers[server];
            if state.disk.fails_next() {
                // The page cache can no longer be believed: the process ends.
                self.tally.count("failed sync");
                self.crash(server, Loss::Power);
                let after_ms = 1 + self.rng.below(1_000) as i64;
                self.servers[server].restart_at_ms = Some(now_ms + after_ms);
                return;
            }
            let Some(done) = state.disk.finish(&state.config) else { break };
            self.on_disk_done(server, done);
        }
        self.tick_replica(server);
    }

    fn on_disk_done(&mut self, server: usize, done: Done) {
        let held = self.monitor.on_disk(server, &done, &self.servers[server].disk);
        let shrank = self.hold(held);
        if shrank {
            self.hold_durability();
        }
        if matches!(done, Done::Read(..)) {
            self.tally.count("log read for a learner");
        }
        done.tell(|event| self.step(server, event));
    }

    fn tick_replica(&mut self, server: usize) {
        let state = &self.servers[server];
        if state.replica.is_some() && state.due_ms <= self.now_ms {
            self.step(server, Event::Tick);
        }
        let Some(replica) = &self.servers[server].replica else { return };
        if replica.snapshot_runs() {
            self.step(server, Event::SnapshotSlice { bytes_max: SLICE_BYTES });
            // The next slice comes with the next ms.
            self.servers[server].due_ms = self.now_ms + 1;
        }
    }
}
