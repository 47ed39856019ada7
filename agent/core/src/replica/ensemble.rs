//! The other servers: their connections, and the election of a leader.
//!
//! What a leader does is in `lead`, what a learner does in `learn`.

use std::collections::BTreeMap;

use zk_wire::Zxid;

use super::Replica;
use crate::bugs::{self, Bug};
use crate::config::{EmptyDisk, EnsembleConfig};
use crate::effect::{Effect, Effects, Level};
use crate::history::History;
use crate::ids::{Cluster, Epochs, PeerId, Port};
use crate::time::Now;
use crate::zab::election::{Say, Standing, State, Vote};
use crate::zab::leader::Leader;
use crate::zab::learner::Learner;
use crate::zab::links::{Links, Wish};
use crate::zab::packet::Packet;
use crate::zab::{self, notification};
use crate::zab::{Election, Known, Members, Sid};

/// Connections of the quorum port that wait for this server to lead, at most.
const WAITING_PEERS_MAX: usize = 64;
/// What one of them may send meanwhile, in bytes.
const WAITING_BYTES_MAX: usize = 64 << 10;

/// What became of a packet: why its connection has to be closed.
pub(super) type Taken = Result<(), String>;

/// What this server is to the others.
#[derive(Debug)]
pub(super) enum Role {
    /// It waits for its log to be on disk before it speaks of it.
    Flushing,
    /// It looks for a leader.
    Looking,
    /// It leads.
    Leading(Box<Leader>),
    /// It follows or observes.
    Learning(Box<Learner>),
}

/// What a replica knows of the others.
#[derive(Debug)]
pub(super) struct Ensemble {
    pub me: Sid,
    pub known: Known,
    /// It had a place in a configuration that was in force.
    pub placed: bool,
    /// Who leads next by the word of the last leader; then nobody is elected.
    pub designated: Option<Sid>,
    pub epochs: Epochs,
    /// The newest epoch that a voter had promised when it came to this server as its leader.
    pub heard_epoch: i64,
    empty_disk: EmptyDisk,
    /// The id of the ensemble, and a new one to give out.
    pub cluster: Cluster,
    pub fresh_cluster: u128,
    /// Servers of another ensemble whose votes are not heard, and until when.
    pub shunned: BTreeMap<Sid, i64>,
    /// How long it waited when it was last refused because another server has its id, in ms.
    pub twin_pause_ms: i64,
    /// It stops: nothing new is begun.
    pub stops: bool,
    pub role: Role,
    pub election: Election,
    pub links: Links,
    /// Connections of the quorum port, with what is not taken yet.
    pub peers: BTreeMap<PeerId, Vec<u8>>,
    pub history: History,
    pub tick_ms: i64,
    pub init_ms: i64,
    pub sync_ms: i64,
    next_peer: u64,
    says: Vec<Say>,
    pub wishes: Vec<Wish>,
}

impl Ensemble {
    /// Alone, before anything was said.
    pub fn new(config: &EnsembleConfig, tick_ms: i32, found: (Epochs, History)) -> Ensemble {
        let (epochs, history) = found;
        let tick_ms = i64::from(tick_ms.max(1));
        let committed = config.members.clone();
        let proposed = config.proposed.clone().filter(|next| next.version > committed.version);
        let address = own_address(config.me, &committed).unwrap_or_default();
        Ensemble {
            me: config.me,
            placed: committed.version > 0,
            known: Known { committed, proposed },
            designated: None,
            epochs,
            heard_epoch: 0,
            empty_disk: config.empty_disk,
            cluster: config.cluster,
            fresh_cluster: config.fresh_cluster,
            shunned: BTreeMap::new(),
            twin_pause_ms: 0,
            stops: false,
            role: Role::Flushing,
            election: Election::new(config.me, config.settle_ms),
            links: Links::new(config.me, address),
            peers: BTreeMap::new(),
            history,
            tick_ms,
            init_ms: tick_ms * i64::from(config.init_ticks),
            sync_ms: tick_ms * i64::from(config.sync_ticks),
            next_peer: 1,
            says: Vec::new(),
            wishes: Vec::new(),
        }
    }

    /// Whether this server observes.
    pub fn observes(&self) -> bool {
        self.known.committed.servers.get(&self.me).is_some_and(|member| member.observer)
    }

    /// A number for a connection of the quorum port.
    pub fn fresh_peer(&mut self) -> PeerId {
        self.next_peer += 2;
        PeerId(self.next_peer)
    }

    fn deadline_ms(&self) -> i64 {
        let role = match &self.role {
            Role::Flushing | Role::Looking => i64::MAX,
            Role::Leading(leader) => {
                let turn_ms = leader.turn.as_ref().map_or(i64::MAX, |turn| turn.due_ms);
                let next_ms = leader.next_half_tick_ms.min(leader.next_look_ms);
                next_ms.min(leader.phase_due_ms).min(turn_ms)
            }
            Role::Learning(learner) => learner.due_ms.min(learner.redial_at_ms.unwrap_or(i64::MAX)),
        };
        role.min(self.election.deadline_ms())
    }
}

/// Where a server takes votes, as others are told in the election port's initial message.
pub(super) fn own_address(me: Sid, members: &Members) -> Option<String> {
    let (host, port) = members.servers.get(&me)?.election.first()?;
    Some(match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    })
}

impl Replica {
    /// The ensemble; only for what happens in one.
    pub(super) fn us(&mut self) -> &mut Ensemble {
        self.ensemble.as_mut().expect("there is an ensemble")
    }

    /// When the ensemble has something to do.
    pub(super) fn ensemble_deadline(&self) -> i64 {
        match &self.ensemble {
            Some(us) if us.stops && matches!(us.role, Role::Flushing) => i64::MAX,
            Some(us) if matches!(us.role, Role::Flushing) && self.is_flushed() => 0,
            Some(us) => us.deadline_ms(),
            None => i64::MAX,
        }
    }

    /// Whether the log and everything else that this server speaks of is on disk.
    fn is_flushed(&self) -> bool {
        let received = !self.snapshot_replaces || bugs::on(Bug::Zk3642);
        let settled = !self.saving && !self.reloading && received;
        self.durable == self.logged && settled
    }

    /// Lets time pass for the ensemble.
    pub(super) fn on_ensemble_tick(&mut self, now: Now, effects: &mut Effects) {
        let Some(us) = &mut self.ensemble else { return };
        match us.role {
            Role::Flushing => self.look_if_flushed(now, effects),
            Role::Looking => {
                let mut says = std::mem::take(&mut us.says);
                us.election.on_time(now.mono_ms, &mut says);
                self.carry(now, says, effects);
            }
            Role::Leading(_) => self.on_leader_tick(now, effects),
            Role::Learning(_) => self.on_learner_tick(now, effects),
        }
    }

    /// Leaves its role, whatever it is, and looks for a leader once the log is on disk.
    pub(super) fn look(&mut self, now: Now, why: &str, effects: &mut Effects) {
        effects.log(Level::Warn, format!("ensemble: looking for a leader reason={why:?}"));
        self.abandon_turn();
        self.stop_serving(effects);
        let us = self.us();
        us.role = Role::Flushing;
        us.history.pin(None);
        for peer in std::mem::take(&mut us.peers).into_keys() {
            effects.list.push(Effect::ClosePeer { peer });
        }
        if self.tree.snapshot_runs() && self.snapshot_to.take().is_some() {
            self.tree.snapshot_abort();
        }
        self.look_if_flushed(now, effects);
    }

    pub(super) fn look_if_flushed(&mut self, now: Now, effects: &mut Effects) {
        let flushed = self.is_flushed();
        let behind = bugs::on(Bug::Zk2845);
        let last = if behind { self.tree.last_zxid() } else { self.logged };
        let us = self.us();
        if !flushed || us.stops || !matches!(us.role, Role::Flushing) {
            return;
        }
        us.role = Role::Looking;
        self.await_read_only(now);
        let us = self.us();
        if let Some(leader) = us.designated.take() {
            us.election.designate(leader, last);
            self.settled(now, leader, effects);
            if let Some(learner) = self.learner() {
                learner.designated = true;
            }
            return;
        }
        // An epoch that was accepted and not entered: this log may be a part of something.
        let wrong = bugs::on(Bug::Zk1549);
        let epoch = if wrong { us.epochs.accepted } else { us.epochs.current };
        let empty = last == Zxid::ZERO || us.epochs.accepted > 0;
        let asks = epoch == 0 && empty && !bugs::on(Bug::EmptyDiskVotes);
        let disk = if asks { us.empty_disk } else { EmptyDisk::Votes };
        let standing = Standing { zxid: last, epoch, disk };
        let own = us.known.committed.is_voter(us.me).then_some(standing);
        let mut says = std::mem::take(&mut us.says);
        let electorate = us.known.electorate();
        us.election.start(now.mono_ms, own, &electorate, &mut says);
        self.carry(now, says, effects);
    }

    /// Asks for the epochs to be written down.
    pub(super) fn save_epochs(&mut self, epochs: Epochs, effects: &mut Effects) {
        let have = self.us().epochs;
        assert!(epochs.accepted >= have.accepted && epochs.current >= have.current);
        assert!(epochs.current <= epochs.accepted, "an epoch is entered that was not accepted");
        self.saving = true;
        effects.list.push(Effect::SaveEpochs { epochs });
    }

    /// Clients go elsewhere; what they asked for and is not applied is not theirs any more.
    pub(super) fn stop_serving(&mut self, effects: &mut Effects) {
        if std::mem::take(&mut self.serving) {
            effects.list.push(Effect::Serve { on: false });
        }
        for number in 0..self.conns.len() {
            self.close(crate::ids::ConnId(number as u32), effects);
        }
        self.outstanding = Default::default();
        self.pending.forget_clients();
        self.sessions.disown();
        self.forget_locals();
        (self.read_only.on, self.read_only.due_ms) = (false, None);
    }

    fn carry(&mut self, now: Now, mut says: Vec<Say>, effects: &mut Effects) {
        let mut settled = None;
        for say in says.drain(..) {
            match say {
                Say::To(sid, state, vote) => self.notify(sid, state, vote, effects),
                Say::All(vote) => {
                    let us = self.us();
                    let me = us.me;
                    for sid in us.known.voters().into_iter().filter(|sid| *sid != me) {
                        self.notify(sid, State::Looking, vote, effects);
                    }
                }
                Say::Waits => self.say_who_is_missing(effects),
                Say::Redial => {
                    let us = self.us();
                    let mut wishes = std::mem::take(&mut us.wishes);
                    for sid in us.known.voters() {
                        us.links.dial(sid, Vec::new(), &mut wishes);
                    }
                    self.grant(now, wishes, effects);
                }
                Say::Settled(leader) => settled = Some(leader),
            }
        }
        self.us().says = says;
        if let Some(leader) = settled {
            self.settled(now, leader, effects);
        }
    }

    fn say_who_is_missing(&self, effects: &mut Effects) {
        let us = self.ensemble.as_ref().expect("there is an ensemble");
        let missing: Vec<Sid> = us.election.unheard(&us.known.electorate()).collect();
        let line = format!(
            "ensemble: waiting missing={missing:?} reason=\"this disk is empty: it votes when every \
             voter was heard, so that nothing is lost should it be a replaced one; start them, or \
             create the file initialize in a new ensemble\""
        );
        effects.log(Level::Warn, line);
    }

    fn settled(&mut self, now: Now, leader: Sid, effects: &mut Effects) {
        effects.log(Level::Info, format!("ensemble: elected leader={leader}"));
        self.end_read_only(effects);
        self.us().links.forget_said();
        if leader == self.us().me {
            self.lead(now, effects);
        } else {
            self.learn(now, leader, effects);
        }
    }

    fn notify(&mut self, sid: Sid, state: State, vote: Vote, effects: &mut Effects) {
        let us = self.us();
        let mut payload = Vec::new();
        notification::put(state, vote, &us.known.committed.text, &mut payload);
        let mut wishes = std::mem::take(&mut us.wishes);
        us.links.send(sid, &payload, &mut wishes);
        // A message leads to no message of another server in the same step.
        self.grant(Now::default(), wishes, effects);
    }

    /// Does what the election port wants.
    pub(super) fn grant(&mut self, now: Now, mut wishes: Vec<Wish>, effects: &mut Effects) {
        let mut heard = Vec::new();
        for wish in wishes.drain(..) {
            match wish {
                Wish::Dial(peer, sid, named) => {
                    let addresses = match named.is_empty() {
                        true => self.us().known.election_places(sid),
                        false => named,
                    };
                    let port = Port::Election;
                    effects.list.push(Effect::Dial { peer, addresses, port });
                }
                Wish::Send(peer, bytes) => {
                    let start = effects.bytes.len();
                    effects.bytes.extend_from_slice(&bytes);
                    let bytes = start..effects.bytes.len();
                    effects.list.push(Effect::SendPeer { peer, bytes });
                }
                Wish::Close(peer) => effects.list.push(Effect::ClosePeer { peer }),
                Wish::Fault(peer, why) => {
                    effects.log(Level::Warn, format!("election: closed peer={peer} {why}"));
                }
                Wish::Heard(sid, payload) => heard.push((sid, payload)),
            }
        }
        self.us().wishes = wishes;
        for (sid, payload) in heard {
            self.on_notification(now, sid, &payload, effects);
        }
    }

    pub(super) fn on_stopping(&mut self, effects: &mut Effects) {
        let Some(us) = &mut self.ensemble else { return };
        us.stops = true;
        if matches!(us.role, Role::Leading(_)) {
            effects.log(Level::Info, "ensemble: handing over".to_owned());
        }
    }

    pub(super) fn on_stopped(&mut self, now: Now, effects: &mut Effects) {
        if self.ensemble.is_some() {
            self.look(now, "this server stops", effects);
        }
    }

    /// Whether nothing is under way that a client, here or elsewhere, waits for.
    pub fn is_idle(&self) -> bool {
        let Some(us) = &self.ensemble else { return self.pending.is_empty() };
        match &us.role {
            Role::Leading(leader) if leader.phase == zab::leader::Phase::Serving => {
                self.pending.is_empty() && leader.syncs.is_empty()
            }
            Role::Learning(learner) if learner.serves() => {
                learner.forwarded.is_empty() && learner.syncs.is_empty()
            }
            _ => true,
        }
    }

    fn on_notification(&mut self, now: Now, from: Sid, payload: &[u8], effects: &mut Effects) {
        if self.is_shunned(now, from) {
            return;
        }
        let us = self.us();
        let Some(heard) = notification::decode(from, payload) else {
            let line = format!("election: server {from} sent a notification that is none");
            return effects.log(Level::Warn, line);
        };
        if matches!(us.role, Role::Flushing) || self.adopt_members(now, payload, effects) {
            return;
        }
        let us = self.us();
        let mut says = std::mem::take(&mut us.says);
        let electorate = us.known.electorate();
        us.election.on_heard(now.mono_ms, heard, &electorate, &mut says);
        self.carry(now, says, effects);
    }

    /// A connection that we dialed is there.
    pub(super) fn on_peer_connected(&mut self, now: Now, peer: PeerId, effects: &mut Effects) {
        let us = self.us();
        if us.links.has(peer) {
            let mut wishes = std::mem::take(&mut us.wishes);
            us.links.on_connected(peer, &mut wishes);
            self.grant(now, wishes, effects);
        } else {
            self.on_leader_connected(now, peer, effects);
        }
    }

    /// A peer has connected.
    pub(super) fn on_peer_accepted(&mut self, peer: PeerId, port: Port, effects: &mut Effects) {
        let us = self.us();
        if port == Port::Election {
            return us.links.on_accepted(peer);
        }
        // Who connects before this server knows that it leads waits for a while.
        if us.peers.len() >= WAITING_PEERS_MAX && !matches!(us.role, Role::Leading(_)) {
            return effects.list.push(Effect::ClosePeer { peer });
        }
        match us.role {
            Role::Learning(_) => effects.list.push(Effect::ClosePeer { peer }),
            Role::Leading(_) => {
                us.peers.insert(peer, Vec::new());
                self.welcome(peer);
            }
            Role::Flushing | Role::Looking => drop(us.peers.insert(peer, Vec::new())),
        }
    }

    /// A connection is gone.
    pub(super) fn on_peer_closed(&mut self, now: Now, peer: PeerId, effects: &mut Effects) {
        let us = self.us();
        if us.links.has(peer) {
            return us.links.on_closed(peer);
        }
        us.peers.remove(&peer);
        match &us.role {
            Role::Leading(_) => self.on_learner_gone(now, peer, effects),
            Role::Learning(learner) if learner.peer == peer => {
                self.on_leader_gone(now, effects);
            }
            _ => {}
        }
    }

    /// Bytes of a peer.
    pub(super) fn on_peer_bytes(
        &mut self,
        now: Now,
        peer: PeerId,
        bytes: &[u8],
        effects: &mut Effects,
    ) {
        let us = self.us();
        if us.links.has(peer) {
            let mut wishes = std::mem::take(&mut us.wishes);
            us.links.on_bytes(peer, bytes, &mut wishes);
            return self.grant(now, wishes, effects);
        }
        let Some(buffer) = us.peers.get_mut(&peer) else { return };
        buffer.extend_from_slice(bytes);
        let waits = matches!(us.role, Role::Flushing | Role::Looking);
        if waits && buffer.len() > WAITING_BYTES_MAX {
            return self.drop_peer(now, peer, "it sends before it is asked", effects);
        }
        self.take_packets(now, peer, effects);
        self.commit_acknowledged(now, effects);
    }

    /// Takes the packets that are there, as far as the role wants them now.
    pub(super) fn take_packets(&mut self, now: Now, peer: PeerId, effects: &mut Effects) {
        let Some(mut buffer) = self.us().peers.get_mut(&peer).map(std::mem::take) else { return };
        let mut used = 0;
        loop {
            match self.wants(peer) {
                Wants::Nothing => break,
                Wants::Packets => {}
                Wants::Database => {
                    let rest = &buffer[used..];
                    if rest.is_empty() {
                        break;
                    }
                    match self.on_database(now, rest, effects) {
                        Ok(count) => used += count,
                        Err(why) => return self.drop_peer(now, peer, &why, effects),
                    }
                    continue;
                }
            }
            match Packet::cut(&buffer[used..]) {
                Ok(Some((packet, length))) => {
                    used += length;
                    let taken = match self.us().role {
                        Role::Leading(_) => self.on_learner_packet(now, peer, &packet, effects),
                        _ => self.on_leader_packet(now, &packet, effects),
                    };
                    if let Err(why) = taken {
                        return self.drop_peer(now, peer, &why, effects);
                    }
                }
                Ok(None) => break,
                Err(error) => return self.drop_peer(now, peer, &error.to_string(), effects),
            }
        }
        buffer.drain(..used);
        if let Some(place) = self.us().peers.get_mut(&peer) {
            *place = buffer;
        }
    }

    fn wants(&mut self, peer: PeerId) -> Wants {
        let us = self.us();
        if !us.peers.contains_key(&peer) {
            return Wants::Nothing;
        }
        match &us.role {
            Role::Leading(leader) if leader.learners.contains_key(&peer) => Wants::Packets,
            Role::Learning(learner) if learner.peer == peer => learner.wants(),
            _ => Wants::Nothing,
        }
    }

    /// Closes a connection because of what came over it.
    pub(super) fn drop_peer(&mut self, now: Now, peer: PeerId, why: &str, effects: &mut Effects) {
        effects.log(Level::Warn, format!("ensemble: closed peer={peer} reason={why:?}"));
        effects.list.push(Effect::ClosePeer { peer });
        self.on_peer_closed(now, peer, effects);
    }
}

/// What is to be made of the next bytes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// They wait.
    Nothing,
    /// They are a packet.
    Packets,
    /// They are the database.
    Database,
}
