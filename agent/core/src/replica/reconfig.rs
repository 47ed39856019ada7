//! Reconfiguration: how another configuration is asked for, proposed, and comes into force.
//!
//! A configuration that is on its way decides together with the one in force: what is proposed
//! from its txn on needs a quorum of both, and so does whoever wants to lead. It is written down
//! when it is heard of, before its txn is logged, and comes into force when that txn is committed;
//! or, when its leader is gone, with the next leader that has it.

use zk_wire::ensemble::Rules;
use zk_wire::jute::Reader;
use zk_wire::request::ReconfigRequest;
use zk_wire::{Code, Op, Zxid};

use super::Replica;
use super::ensemble::{Role, Taken, own_address};
use super::write::{Asker, Made};
use crate::effect::{Effect, Effects, Level};
use crate::request::prepare::CONFIG_PATH;
use crate::request::reconfig;
use crate::time::Now;
use crate::txn::{Body, Txn, TxnHeader};
use crate::zab::{Members, Sid};

impl Replica {
    /// A reconfig of a client, here or at a learner. False when its record does not decode and
    /// nothing was made of it; a learner waits for a txn even then.
    pub(super) fn write_reconfig(
        &mut self,
        now: Now,
        asker: Asker<'_>,
        mut reader: Reader<'_>,
        refused: Option<Code>,
        effects: &mut Effects,
    ) -> bool {
        let planned = match ReconfigRequest::decode(&mut reader) {
            Err(_) if asker.client.is_some() => return false,
            Err(_) => Err(Code::MARSHALLING_ERROR),
            Ok(_) if !self.config.reconfig_enabled => Err(Code::RECONFIG_DISABLED),
            Ok(request) => refused.map_or_else(|| self.plan_members(&request), Err),
        };
        let at = effects.list.len();
        let mut next = None;
        self.make(now, asker, Op::RECONFIG, effects, |preparer, out| {
            match planned.and_then(|list| preparer.reconfig(list, out)) {
                Ok(members) => {
                    next = Some(members);
                    Made::Body { digest: true }
                }
                Err(code) => Made::Error(code),
            }
        });
        if let Some(next) = next {
            self.see_members(now, next, at, effects);
        }
        true
    }

    fn plan_members(
        &self,
        request: &ReconfigRequest<'_>,
    ) -> Result<zk_wire::ensemble::Ensemble, Code> {
        let us = self.ensemble.as_ref().ok_or(Code::UNIMPLEMENTED)?;
        let Role::Leading(leader) = &us.role else { return Err(Code::UNIMPLEMENTED) };
        // Its version would be of an epoch that may yet be another leader's.
        if us.known.proposed.is_some() || leader.turn.is_some() {
            return Err(Code::RECONFIG_IN_PROGRESS);
        }
        let last = &us.known.committed;
        if request.config_id != -1 && request.config_id != last.version {
            return Err(Code::BAD_VERSION);
        }
        let rules = Rules {
            standalone: self.config.standalone_enabled,
            several_addresses: self.config.several_addresses,
            // Servers before 3.10 refuse a text with them, and leave their leader for it.
            secure_clients: false,
        };
        let next = reconfig::next(&last.text, request, &rules)?;
        match Members::of(&next).is_quorum(&leader.in_step()) {
            true => Ok(next),
            false => Err(Code::NEW_CONFIG_NO_QUORUM),
        }
    }

    /// Hears of a configuration that was proposed. It is written down by the effect at `at`.
    fn see_members(&mut self, now: Now, members: Members, at: usize, effects: &mut Effects) {
        let us = self.us();
        let same = us.known.newest().version == members.version;
        if same || members.version < us.known.committed.version {
            return;
        }
        let proposed = Effect::MembersProposed { members: Box::new(members.clone()) };
        effects.list.insert(at, proposed);
        let text = members.text.replace('\n', " ");
        effects.log(Level::Info, format!("ensemble: configuration_proposed {text}"));
        if members.version == us.known.committed.version {
            // A leader that has heard of nothing newer: what was proposed came to nothing.
            us.known.proposed = None;
            return;
        }
        let mut wishes = std::mem::take(&mut us.wishes);
        for sid in members.servers.keys() {
            if !us.known.committed.servers.contains_key(sid) {
                us.links.dial(*sid, Vec::new(), &mut wishes);
            }
        }
        us.known.proposed = Some(members);
        self.grant(now, wishes, effects);
    }

    /// A proposal of the leader may be a reconfig.
    pub(super) fn heed_reconfig(&mut self, now: Now, txn: &[u8], out: &mut Effects) -> Taken {
        if TxnHeader::op_of(txn) != Some(Op::RECONFIG) || !self.config.reconfig_enabled {
            return Ok(());
        }
        let txn = Txn::decode(txn).map_err(|error| error.to_string())?;
        let Body::SetData(_, data, _) = txn.body else { return Ok(()) };
        let members = read_members(data.unwrap_or_default())?;
        let at = out.list.len();
        if members.version > self.us().known.committed.version {
            self.see_members(now, members, at, out);
        }
        Ok(())
    }

    /// The configuration of NEWLEADER: of whoever leads from now on. One that does not decode is
    /// passed over, as Apache's servers do.
    pub(super) fn heed_offer(&mut self, now: Now, data: Option<&[u8]>, out: &mut Effects) {
        let Some(data) = data.filter(|data| data.len() > 1 && self.config.reconfig_enabled) else {
            return;
        };
        match read_members(data) {
            Ok(members) => {
                if let Some(learner) = self.learner() {
                    learner.offered = Some(members.clone());
                }
                let at = out.list.len();
                self.see_members(now, members, at, out);
            }
            Err(why) => out.log(Level::Error, format!("ensemble: offer_unreadable {why}")),
        }
    }

    /// A notification may tell of a newer configuration. True when an election begins anew for it.
    pub(super) fn adopt_members(&mut self, now: Now, payload: &[u8], out: &mut Effects) -> bool {
        if !self.config.reconfig_enabled || !matches!(self.us().role, Role::Looking) {
            return false;
        }
        let Some(text) = crate::zab::notification::config(payload) else { return false };
        let version = self.us().known.committed.version;
        if !tells_newer(text, version) {
            return false;
        }
        let Ok(members) = Members::parse(text) else { return false };
        if members.version <= version {
            return false;
        }
        let differs = !members.same_servers(&self.us().known.committed);
        self.activate(now, members, None, out);
        self.show_members(now);
        if differs {
            self.us().role = Role::Flushing;
            self.look_if_flushed(now, out);
        }
        differs
    }

    /// The configuration of a file has no version: the first leader gives it one.
    pub(super) fn stamp_members(&mut self, now: Now, zxid: Zxid, effects: &mut Effects) {
        let enabled = self.config.reconfig_enabled;
        let known = &self.us().known;
        if enabled && known.committed.version == 0 && known.proposed.is_none() {
            let stamped = known.committed.with_version(zxid.0);
            let at = effects.list.len();
            self.see_members(now, stamped, at, effects);
        }
    }

    /// A leader that is established has the newest configuration in force: a quorum of both has
    /// acknowledged it. False when that one has no place for this leader.
    pub(super) fn complete_members(&mut self, now: Now, effects: &mut Effects) -> bool {
        let us = self.us();
        let me = us.me;
        let Some(members) = us.known.proposed.clone() else { return true };
        let stays = self.may_lead(&members);
        self.activate(now, members, stays.then_some(me), effects);
        self.show_members(now);
        stays
    }

    /// Whether this leader remains one: it has a vote and is in the same place.
    fn may_lead(&mut self, next: &Members) -> bool {
        let us = self.us();
        let place = next.voter_place(us.me);
        place.is_some() && place == us.known.committed.voter_place(us.me)
    }

    /// A reconfig of this leader is committed, and applied. False when another one leads now.
    pub(super) fn commit_members(&mut self, now: Now, leader: Sid, effects: &mut Effects) -> bool {
        let us = self.us();
        let (me, members) = (us.me, us.known.proposed.clone());
        let members = members.expect("a reconfig that is committed was proposed");
        self.activate(now, members, Some(leader), effects);
        if leader != me {
            self.us().designated = Some(leader);
            self.look(now, "the configuration has another leader", effects);
        }
        leader == me
    }

    /// Who leads when the configuration that is on its way comes into force.
    pub(super) fn next_leader(&mut self) -> Sid {
        let us = self.us();
        let me = us.me;
        let Some(next) = us.known.proposed.clone() else { return me };
        if self.may_lead(&next) {
            return me;
        }
        let from = Zxid(next.version);
        self.leader().and_then(|leader| leader.successor(&next, from)).unwrap_or(me)
    }

    /// The leader says that a reconfig is committed, and who leads now. An error when this server
    /// has to leave its leader for it.
    pub(super) fn on_activated(
        &mut self,
        now: Now,
        zxid: Zxid,
        leader: Sid,
        effects: &mut Effects,
    ) -> Taken {
        let proposed = &self.us().known.proposed;
        let Some(members) = proposed.clone().filter(|next| next.version == zxid.0) else {
            return Ok(());
        };
        if self.activate(now, members, Some(leader), effects) {
            self.us().designated = Some(leader);
            self.look(now, "the configuration changed", effects);
        }
        Ok(())
    }

    /// A configuration comes into force. `leader`: who leads from now on, by the word of the one
    /// that led. True when this server has another role or another leader with it.
    pub(super) fn activate(
        &mut self,
        now: Now,
        members: Members,
        leader: Option<Sid>,
        effects: &mut Effects,
    ) -> bool {
        let enabled = self.config.reconfig_enabled;
        let us = self.us();
        if !enabled || members.version <= us.known.committed.version {
            return false;
        }
        let version = members.version;
        effects.log(Level::Info, format!("ensemble: configuration_in_force version={version:x}"));
        us.placed |= members.servers.contains_key(&us.me);
        let in_force =
            Effect::MembersInForce { members: Box::new(members.clone()), kept: us.placed };
        effects.list.push(in_force);
        let observed = us.observes();
        let before = std::mem::replace(&mut us.known.committed, members);
        us.known.proposed.take_if(|next| next.version <= version);
        let members = &us.known.committed;
        if before.same_servers(members) {
            return false;
        }
        // Who is not in it stays where it is.
        if let Some(address) = own_address(us.me, members) {
            us.links.set_address(address);
        }
        let mut wishes = std::mem::take(&mut us.wishes);
        for sid in us.links.known() {
            let place = |of: &Members| of.servers.get(&sid).map(|member| member.election.clone());
            if place(&before) != place(members) {
                us.links.forget(sid, &mut wishes);
            }
        }
        let current = us.election.current().leader;
        let moved = match leader {
            Some(next) => next != current,
            None => {
                let place = members.voter_place(current);
                place.is_none() || place != before.voter_place(current)
            }
        };
        let other_role = us.observes() != observed;
        self.grant(now, wishes, effects);
        moved || other_role
    }

    /// `/zookeeper/config` holds the configuration in force, also where no txn has put it there:
    /// at the start, with a database that was received, and with a configuration of NEWLEADER.
    pub(super) fn show_members(&mut self, now: Now) {
        let Some(us) = &self.ensemble else { return };
        let members = &us.known.committed;
        let (text, zxid) = (members.text.as_bytes(), Zxid(members.version));
        let shown = self.tree.set_data(CONFIG_PATH, Some(text), -1, zxid, now.wall_ms);
        shown.expect("the loader made it");
    }
}

/// Whether the text of a configuration ends in a newer version. Most texts do not, and need not be
/// read for it.
fn tells_newer(text: &str, version: i64) -> bool {
    let told =
        text.rsplit_once("version=").map(|(_, digits)| i64::from_str_radix(digits.trim(), 16));
    // Another form of the text is for the parser to judge.
    told.is_none_or(|told| told.is_ok_and(|told| told > version))
}

fn read_members(data: &[u8]) -> Result<Members, String> {
    let text = std::str::from_utf8(data).map_err(|_| "a configuration that is no text")?;
    Members::parse(text).map_err(|error| error.to_string())
}
