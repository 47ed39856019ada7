//! Two processes with one server id: the one that is heard stays, the other is told.
//!
//! Each of them would promise and acknowledge in the name of both, and a quorum would be counted that
//! is none. A leader takes a server's new connection for its old one's successor unless the old one
//! was heard just now. A server whose process ended has closed its connection by then; one that lost
//! its power has been silent for long enough by the time it is back. What may go wrong costs a fair
//! server one more attempt.

use super::Replica;
use super::ensemble::{Role, Taken};
use crate::effect::Effects;
use crate::ids::PeerId;
use crate::time::Now;
use crate::zab::Sid;
use crate::zab::kin;
use crate::zab::packet::{PROTOCOL, kind};
use zk_wire::Zxid;

/// Who was heard so lately is there, in ms; ours answer a ping every [`kin::PING_MS`].
const HEARD_MS: i64 = 1_000;
/// Who was refused tries again after this, in ms, and after twice as long each further time.
const PAUSE_MS: i64 = 250;
/// The longest of these pauses, in ms.
const PAUSE_MS_MAX: i64 = 10_000;

/// What both sides say.
fn remedy(sid: Sid) -> String {
    format!(
        "two servers have the id {sid}: give the newcomer its own number in the file myid, and a line \
         server.N of its own at every member, or stop it"
    )
}

impl Replica {
    /// A learner says its id. Its older connections end, unless one of them was heard just now, and
    /// then it is refused, and told why.
    ///
    /// # Errors
    /// When it is refused.
    pub(super) fn check_twin(
        &mut self,
        now: Now,
        peer: PeerId,
        sid: Sid,
        promises: u32,
        effects: &mut Effects,
    ) -> Taken {
        let us = self.us();
        let (me, half_tick_ms) = (us.me, us.tick_ms / 2);
        let Role::Leading(leader) = &us.role else { return Ok(()) };
        let older = leader.learners.iter().filter(|(p, f)| **p != peer && f.sid == sid && sid >= 0);
        let older: Vec<(PeerId, i64)> = older
            .map(|(peer, f)| {
                // Apache's learners are pinged every half tick only.
                let kin_ms = if f.kin { 0 } else { half_tick_ms + HEARD_MS / 2 };
                (*peer, f.heard_ms + HEARD_MS.max(kin_ms))
            })
            .collect();
        if sid == me || older.iter().any(|(_, until_ms)| now.mono_ms < *until_ms) {
            if promises & kin::TWINS != 0 {
                let mut data = PROTOCOL.to_be_bytes().to_vec();
                kin::put_refusal(&mut data);
                self.send_packet(peer, kind::LEADERINFO, Zxid::ZERO, Some(&data), effects);
            }
            let who = if sid == me { "this server" } else { "a server that follows" };
            return Err(format!("{}; {who} has it already", remedy(sid)));
        }
        // What the server acknowledged on an older connection may be cut off on this one.
        for (other, _) in older {
            self.drop_peer(now, other, "the server has connected anew", effects);
        }
        Ok(())
    }

    /// A leader says whether another has the id of this server already.
    ///
    /// # Errors
    /// When that is so. The leader is not heard for a while.
    pub(super) fn check_refusal(&mut self, now: Now, mark: &[u8]) -> Taken {
        if kin::promises(mark) & kin::TWIN == 0 {
            return Ok(());
        }
        let us = self.us();
        let me = us.me;
        let Role::Learning(learner) = &us.role else { return Ok(()) };
        let leader = learner.leader;
        us.twin_pause_ms = (us.twin_pause_ms * 2).clamp(PAUSE_MS, PAUSE_MS_MAX);
        us.shunned.insert(leader, now.mono_ms + us.twin_pause_ms);
        let why = format!("server {leader}, who leads, refuses this one");
        Err(format!("{why}: {}; tried again in {} ms", remedy(me), self.us().twin_pause_ms))
    }
}
