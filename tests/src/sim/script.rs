//! Scripted schedules: a quiet ensemble in which only that happens which the script says.
//!
//! Clients ask for what they are told to; faults come where the script wants them. Everything that
//! must hold is looked at all the same, and at the end of a script everything must come together.

use zk_core::Replica;
use zk_wire::{Op, Zxid};

use super::client::Phase;
use super::disk::Loss;
use super::{Plan, World};
use crate::drive::model::Change;
use crate::history::{Request, Summary};

/// Longer than any election takes here, in ms.
const PATIENCE_MS: i64 = 30_000;

impl World {
    /// An ensemble that serves. Its clients wait to be told.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn scripted(voters: usize, observers: usize, clients: usize) -> World {
        World::scripted_with(|plan| {
            (plan.voters, plan.observers, plan.clients) = (voters, observers, clients)
        })
    }

    /// As `scripted`, with a plan that was changed.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn scripted_with(change: impl FnOnce(&mut Plan)) -> World {
        let mut plan = Plan::quiet(3, 0);
        change(&mut plan);
        let mut world = World::new(plan, 1);
        world.clients.iter_mut().for_each(|client| client.next_ms = i64::MAX);
        world.all_serve();
        world
    }

    /// Waits until all that are up serve.
    ///
    /// # Panics
    /// When they do not.
    pub fn all_serve(&mut self) {
        let up = |world: &World| {
            let down = |server: &super::Server| server.replica.is_none();
            world
                .servers
                .iter()
                .all(|server| server.serving || down(server) && server.restart_at_ms.is_none())
        };
        assert!(self.pass_until(PATIENCE_MS, up), "they do not serve: {:?}", self.trace.back());
    }

    /// The server that leads in the newest epoch.
    ///
    /// # Panics
    /// When there is none within a while.
    pub fn leader(&mut self) -> usize {
        let found = |world: &World| {
            let leads = |server: &super::Server| server.replica.as_ref().and_then(Replica::leads);
            let all = world.servers.iter().enumerate();
            let leader = all.filter_map(|(number, server)| Some((leads(server)?, number))).max();
            leader.filter(|(epoch, _)| *epoch == world.monitor.newest_epoch())
        };
        assert!(self.pass_until(PATIENCE_MS, |world| found(world).is_some()), "nobody leads");
        found(self).expect("looked at just now").1
    }

    /// Asks for another configuration: lines of servers that join, ids of those that leave. Does not
    /// wait for the answer.
    pub fn reconfigure(&mut self, client: usize, joining: &[String], leaving: &str) {
        self.ask(client, Request::Reconfig(joining.join(","), leaving.to_owned()));
    }

    /// The voters of the newest configuration that came into force anywhere.
    pub fn voters(&self) -> Vec<usize> {
        self.monitor.newest_members().voters().map(|sid| sid as usize - 1).collect()
    }

    /// The settings of a server that is down name so many voters from now on.
    pub fn give_list(&mut self, server: usize, voters: usize) {
        assert!(self.servers[server].replica.is_none(), "S{} is not down", server + 1);
        let plan = Plan { voters, ..self.plan.clone() };
        let ensemble = self.servers[server].config.ensemble.as_mut();
        ensemble.expect("it is in an ensemble").members = super::members(&plan);
    }

    /// Servers that follow, ascending.
    pub fn followers(&mut self) -> Vec<usize> {
        let leader = self.leader();
        (0..self.plan.voters).filter(|server| *server != leader).collect()
    }

    /// Whether a server serves.
    pub fn serves(&self, server: usize) -> bool {
        self.servers[server].serving
    }

    /// Whether a server's process runs, or will start by itself.
    pub fn is_up(&self, server: usize) -> bool {
        let server = &self.servers[server];
        server.replica.is_some() || server.restart_at_ms.is_some()
    }

    /// The newest txn that is durable on a server.
    pub fn durable(&self, server: usize) -> Zxid {
        self.servers[server].disk.durable_last()
    }

    /// The newest txn in a server's log, durable or not.
    pub fn logged(&self, server: usize) -> Zxid {
        self.servers[server].disk.log().last().map_or(Zxid::ZERO, |logged| logged.zxid)
    }

    /// Ends a server's process; it stays down.
    pub fn stop(&mut self, server: usize, loss: Loss) {
        self.crash(server, loss);
        self.servers[server].restart_at_ms = None;
    }

    /// Starts a server that is down.
    pub fn restart(&mut self, server: usize) {
        self.servers[server].restart_at_ms = Some(self.now_ms + 1);
        self.pass(2);
    }

    /// An ensemble, and a follower of it that is down and lacks so many txns, more than the others
    /// keep.
    ///
    /// # Panics
    /// When it does not come up, or DIFF would do.
    pub fn one_lacks(txns: usize, loss: Loss) -> (World, usize) {
        let mut world = World::scripted_with(|plan| plan.snapshot_txns = 4);
        let (leader, behind) = (world.leader(), world.followers()[0]);
        world.stop(behind, Loss::Power);
        world.attach(0, leader);
        world.fill(0, "n", txns);
        world.forget_what_it_lacks(behind, loss);
        (world, behind)
    }

    /// The others restart, and their disks are purged, so that a server that is down lacks more than
    /// they keep: whoever leads has to send it the whole database.
    ///
    /// # Panics
    /// When DIFF would do, because a snapshot is missing.
    fn forget_what_it_lacks(&mut self, behind: usize, loss: Loss) {
        assert!(self.servers[behind].replica.is_none(), "S{} is not down", behind + 1);
        let lacks = self.durable(behind);
        for server in (0..self.servers.len()).filter(|server| *server != behind) {
            self.stop(server, loss);
            self.servers[server].disk.purge();
            let saved = self.servers[server].disk.snapshot();
            assert!(saved > Some(lacks), "S{} keeps all above {lacks}: {saved:?}", server + 1);
            self.restart(server);
        }
        self.leader();
    }

    /// How often a server was sent the whole database.
    pub fn databases_sent_to(&self, server: usize) -> usize {
        self.monitor.databases_sent_to(server)
    }

    /// Its process ends behind so many more effects, and starts again within a while.
    pub fn dies_behind(&mut self, server: usize, effects: usize) {
        self.servers[server].dies_behind = Some(effects);
    }

    /// Nothing that is asked of a disk is done for so long.
    pub fn stall_disk(&mut self, server: usize, ms: i64) {
        self.servers[server].disk_full_until_ms = self.now_ms + ms;
    }

    /// A server stands still for so long.
    pub fn pause(&mut self, server: usize, ms: i64) {
        self.servers[server].paused_until_ms = self.now_ms + ms;
    }

    /// A server's wall clock jumps.
    pub fn jump_clock(&mut self, server: usize, ms: i64) {
        self.servers[server].wall_ms += ms;
    }

    /// `to` does not hear `from` any more.
    pub fn deafen(&mut self, from: usize, to: usize) {
        self.net.cut.insert((from, to));
    }

    /// A server hears nobody and is heard by nobody.
    pub fn isolate(&mut self, server: usize) {
        for other in (0..self.servers.len()).filter(|other| *other != server) {
            self.net.cut.insert((server, other));
            self.net.cut.insert((other, server));
        }
    }

    /// The network is whole again; what was sent meanwhile is lost with its connections.
    pub fn mend(&mut self) {
        self.heal_network();
    }

    /// A client connects to a server, and has its session.
    ///
    /// # Panics
    /// When it gets none.
    pub fn attach(&mut self, client: usize, server: usize) {
        self.disconnect(client);
        let open = |world: &World| world.clients[client].phase == Phase::Open;
        for _ in 0..100 {
            if self.clients[client].at.is_none() {
                self.connect_client(client, server);
            }
            if self.pass_until(200, open) {
                return;
            }
        }
        panic!("client {client} gets no session at S{}", server + 1);
    }

    /// Asks for a request; does not wait for the answer.
    pub fn send(&mut self, client: usize, request: Request) {
        self.ask(client, request);
    }

    /// Creates a znode; does not wait for the answer.
    pub fn create(&mut self, client: usize, path: &str, flags: i32) {
        let data = Some(path.as_bytes().to_vec());
        let op = Op::CREATE;
        self.ask(client, Request::Change(Change::Create(op, path.to_owned(), data, flags, -1)));
    }

    /// Creates a znode with a TTL; does not wait for the answer.
    pub fn create_ttl(&mut self, client: usize, path: &str, ttl_ms: i64) {
        let change = Change::Create(Op::CREATE_TTL, path.to_owned(), None, 5, ttl_ms);
        self.ask(client, Request::Change(change));
    }

    /// Waits for all answers of a client. False when they do not come.
    pub fn answered(&mut self, client: usize) -> bool {
        let had = self.clients[client].session;
        let done = |world: &World| {
            let client = &world.clients[client];
            client.waits() == 0 || client.session != had || client.at.is_none()
        };
        self.pass_until(PATIENCE_MS, done) && self.clients[client].at.is_some()
    }

    /// Creates so many znodes, one after the other.
    ///
    /// # Panics
    /// When one is not answered.
    pub fn fill(&mut self, client: usize, name: &str, count: usize) {
        for number in 0..count {
            self.create(client, &format!("/{name}{number}"), 0);
            assert!(self.answered(client), "/{name}{number} is not answered");
        }
    }

    /// Whether a znode is on a server.
    pub fn has(&self, server: usize, path: &str) -> bool {
        let replica = self.servers[server].replica.as_ref();
        replica.is_some_and(|replica| replica.tree().find(path).is_some())
    }

    /// The end of a script: everybody is started, the clients ask for what they like, and all that a
    /// run must hold at its end is looked at.
    ///
    /// # Panics
    /// When something does not hold.
    pub fn conclude(&mut self) -> Summary {
        for client in &mut self.clients {
            client.next_ms = self.now_ms;
        }
        self.finish()
    }
}
