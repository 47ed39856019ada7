//! Clients in the world: who is connected where, and what they do next.

use zk_core::replica::Standing;
use zk_core::{ConnId, Event, PeerId, Replica};

use super::World;
use super::client::{Phase, Taken};
use super::net::{End, Packet};
use crate::history::Request;

impl World {
    pub(super) fn deliver_to_client(&mut self, to: End, packet: Packet) {
        let (client, conn) = match packet {
            Packet::ToClient(client, conn, _) | Packet::ClientClosed(client, conn) => {
                (client, conn)
            }
            other => unreachable!("{other:?} is not for clients"),
        };
        if self.clients[client].at != Some((to.server, conn))
            || self.servers[to.server].boots != to.boot
        {
            return;
        }
        let Packet::ToClient(_, _, bytes) = packet else { return self.disconnect(client) };
        let told = self.record.entries.len();
        let taken = self.clients[client].take(&bytes, &mut self.record);
        // A leader that was deposed and does not know it, or who follows it, knows no newer sessions
        // and says so, as Apache's servers do.
        let deposed = self.servers[to.server].disk.epochs().current < self.monitor.newest_epoch();
        if deposed && matches!(self.record.entries[told..].last(), Some(last) if last.is_expiry()) {
            self.record.entries.truncate(told);
        }
        let taken = taken.map_err(|text| {
            super::invariants::broken("i26_client_promises", format!("client {client}: {text}"))
        });
        match self.hold(taken) {
            Taken::Fine => {}
            Taken::Say => {
                self.count_session(client, to.server);
                for frame in self.clients[client].greet() {
                    self.say(client, frame);
                }
            }
            Taken::Close => self.disconnect(client),
        }
    }

    /// Sessions that not everybody knows were simulated, too.
    fn count_session(&mut self, client: usize, server: usize) {
        let (client, replica) = (&self.clients[client], &self.servers[server].replica);
        let known = replica.as_ref().is_none_or(|replica| replica.knows_session(client.session));
        match client.limited {
            true => self.tally.count("read-only session"),
            false if !known => self.tally.count("local session"),
            false if client.locally => self.tally.count("upgraded session comes back"),
            false => {}
        }
    }

    /// The client ends its connection; what it asked for before may still arrive.
    pub fn disconnect(&mut self, client: usize) {
        let Some((server, conn)) = self.clients[client].at else { return };
        self.clients[client].disconnected(&mut self.record);
        let to = self.desk(server, conn);
        self.net.send(&mut self.rng, self.now_ms, true, to, Packet::Gone(conn));
    }

    /// Where a client's requests arrive: a stream that no server's connection shares.
    fn desk(&self, server: usize, conn: u32) -> End {
        let peer = PeerId((1 << 61) + u64::from(conn));
        End { server, boot: self.servers[server].boots, peer }
    }

    /// A client is on one side of a cut, and some servers are on the other. Its connections to these
    /// are of no use: it notices, they do not.
    pub(super) fn part(&mut self, client: usize, servers: impl Iterator<Item = usize>) {
        for server in servers {
            self.apart.insert((client, server));
            if self.clients[client].at.is_some_and(|(at, _)| at == server) {
                self.clients[client].disconnected(&mut self.record);
            }
        }
    }

    fn say(&mut self, client: usize, frame: Vec<u8>) {
        let Some((server, conn)) = self.clients[client].at else { return };
        let to = self.desk(server, conn);
        self.net.send(&mut self.rng, self.now_ms, true, to, Packet::ToServer(conn, frame));
    }

    /// The client connects to a server, if that one serves.
    pub fn connect_client(&mut self, number: usize, server: usize) {
        let apart = self.apart.contains(&(number, server));
        let state = &mut self.servers[server];
        let pauses = state.paused_until_ms > self.now_ms;
        let reads = |replica: &Replica| replica.standing() == Standing::ReadOnly;
        // Who wants to write is refused by a server that only reads.
        let serves = state.serving || state.replica.as_ref().is_some_and(reads);
        if apart || pauses || !serves {
            return;
        }
        state.next_conn += 1;
        let conn = state.next_conn;
        state.conns.insert(conn, number);
        self.clients[number].at = Some((server, conn));
        let frame = self.clients[number].connect(self.now_ms);
        let peer = std::net::IpAddr::from([10, 0, 0, number as u8]);
        self.step(server, Event::ClientOpened { conn: ConnId(conn), peer });
        self.say(number, frame);
    }

    /// The client asks for something.
    pub fn ask(&mut self, number: usize, request: Request) {
        let frame = self.clients[number].ask_for(request, &mut self.record);
        self.say(number, frame);
    }

    pub(super) fn drive_client(&mut self, number: usize) {
        let now_ms = self.now_ms;
        let client = &self.clients[number];
        if client.waits() > 0 && now_ms > client.patience_ms {
            self.disconnect(number);
        }
        let client = &self.clients[number];
        if now_ms < client.next_ms || client.next_ms == i64::MAX {
            return;
        }
        let think_ms = 1 + self.rng.below(2 * self.plan.think_ms) as i64;
        let client = &mut self.clients[number];
        client.next_ms = now_ms + think_ms;
        if client.at.is_none() {
            let server = self.rng.below(self.servers.len());
            return self.connect_client(number, server);
        }
        if client.phase != Phase::Open || client.closes() {
            return;
        }
        match self.rng.below(400) {
            0 => {
                // It goes elsewhere with its session.
                self.tally.count("client moves");
                return self.disconnect(number);
            }
            1 => {
                // It is away for so long that its session may end.
                self.tally.count("client sleeps");
                self.disconnect(number);
                let timeout_ms = self.plan.timeout_ms as usize;
                let sleep_ms = self.rng.below(2 * timeout_ms + 2_000) as i64;
                self.clients[number].next_ms = now_ms + sleep_ms;
                return;
            }
            2 => {
                // It stays connected and says nothing.
                self.tally.count("client is silent");
                let sleep_ms = self.rng.below(2 * self.plan.timeout_ms as usize) as i64;
                self.clients[number].next_ms = now_ms + sleep_ms;
                return;
            }
            _ => {}
        }
        let client = &mut self.clients[number];
        let frame = if client.waits() < self.plan.pipeline {
            Some(client.ask(&mut self.rng, &mut self.record))
        } else {
            client.due_ping(now_ms)
        };
        if let Some(frame) = frame {
            self.say(number, frame);
        }
    }
}
