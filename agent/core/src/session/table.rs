//! The sessions and when they expire.
//!
//! Expiry goes in buckets of a tick, as in Apache's server: a session ends between its timeout and
//! one tick more after it was last heard of. A touch only writes the new deadline; the bucket it
//! stands in is looked at when it falls due and the session moved on if it has lived meanwhile.
//!
//! The clock here is not the host's: a gap between two readings counts for less than a tick and at most
//! `STALL_MAX_MS`, so that a stop of our own process expires nobody. So it must be read more often than
//! that while there are sessions ([`SessionTable::reading_due_ms`]).

use std::collections::BTreeMap;

use crate::bugs::{self, Bug};
use crate::ids::{ConnId, PeerId};
use crate::time::Now;

/// A gap between two readings counts for no more than this, in ms.
const STALL_MAX_MS: i64 = 1500;

/// A session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id.
    pub id: i64,
    /// Its timeout in ms.
    pub timeout_ms: i32,
    /// When its bucket falls due, on the table's clock.
    pub deadline_ms: i64,
    /// The connection that established it last.
    pub owner: Option<ConnId>,
    /// The learner that has its connection.
    pub learner: Option<PeerId>,
    /// A closeSession is under way.
    pub closing: bool,
    /// Learners that asked whether it is alive while it was closing. It is told when that is
    /// committed: a leader that was deposed commits nothing.
    pub asked: Vec<PeerId>,
    /// Its createSession is under way and not applied here: it may come to nothing.
    early: bool,
    queued_ms: i64,
    touched: bool,
    live: bool,
}

/// All sessions.
#[derive(Debug)]
pub struct SessionTable {
    slots: Vec<Session>,
    free: Vec<u32>,
    by_id: BTreeMap<i64, u32>,
    buckets: BTreeMap<i64, Vec<(u32, i64)>>,
    tick_ms: i64,
    stall_max_ms: i64,
    clock_ms: i64,
    last_mono_ms: Option<i64>,
    next_id: i64,
    /// Slots touched since the leader was told; `None` unless somebody wants to know.
    touches: Option<Vec<u32>>,
}

impl SessionTable {
    /// An empty table. Ids start from the tag and the wall clock; they are never used twice while a
    /// session of that id lives.
    pub fn new(tick_ms: i32, tag: u8, now: Now) -> SessionTable {
        let wall_ms = if bugs::on(Bug::SessionReused) { 1 } else { now.wall_ms };
        let stamp = ((wall_ms as u64) << 24) >> 8;
        let next_id = (stamp | (u64::from(tag) << 56)) as i64;
        SessionTable {
            slots: Vec::new(),
            free: Vec::new(),
            by_id: BTreeMap::new(),
            buckets: BTreeMap::new(),
            tick_ms: i64::from(tick_ms.max(1)),
            stall_max_ms: (i64::from(tick_ms) * 3 / 4).clamp(3, STALL_MAX_MS),
            clock_ms: 0,
            last_mono_ms: None,
            next_id: if next_id == i64::MIN { next_id + 1 } else { next_id },
            touches: None,
        }
    }

    /// Sessions there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Ids and timeouts in ms, ascending, of those that stand in txns that are applied.
    pub fn iter(&self) -> impl Iterator<Item = (i64, i32)> + '_ {
        let all = self.by_id.iter().map(|(id, slot)| (*id, &self.slots[*slot as usize]));
        all.filter(|(_, session)| !session.early).map(|(id, session)| (id, session.timeout_ms))
    }

    /// Moves the clock on.
    pub fn advance(&mut self, now: Now) {
        let last = self.last_mono_ms.replace(now.mono_ms).unwrap_or(now.mono_ms);
        self.clock_ms += (now.mono_ms - last).clamp(0, self.stall_max_ms);
    }

    /// When the clock must be read again, `Now::mono_ms`; `None` when nobody waits for it.
    pub fn reading_due_ms(&self) -> Option<i64> {
        let last = self.last_mono_ms.filter(|_| !self.is_empty())?;
        Some(last + self.stall_max_ms * 2 / 3)
    }

    /// An id for a new session.
    pub fn fresh_id(&mut self) -> i64 {
        loop {
            let id = self.next_id;
            self.next_id = self.next_id.wrapping_add(1);
            if id != 0 && !self.by_id.contains_key(&id) {
                return id;
            }
        }
    }

    fn due(&self, timeout_ms: i32) -> i64 {
        let at = self.clock_ms + i64::from(timeout_ms.max(0));
        (at.div_euclid(self.tick_ms) + 1) * self.tick_ms
    }

    /// Enters a session, or gives one that is there another timeout. Its full time begins now.
    pub fn add(&mut self, id: i64, timeout_ms: i32) -> u32 {
        let deadline_ms = self.due(timeout_ms);
        if let Some(slot) = self.by_id.get(&id).copied() {
            self.slots[slot as usize].timeout_ms = timeout_ms;
            self.slots[slot as usize].early = false;
            self.set_deadline(slot, deadline_ms);
            return slot;
        }
        let session = Session {
            id,
            timeout_ms,
            deadline_ms,
            owner: None,
            learner: None,
            touched: false,
            closing: false,
            asked: Vec::new(),
            early: false,
            queued_ms: deadline_ms,
            live: true,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = session;
                slot
            }
            None => {
                self.slots.push(session);
                (self.slots.len() - 1) as u32
            }
        };
        self.by_id.insert(id, slot);
        self.buckets.entry(deadline_ms).or_default().push((slot, id));
        slot
    }

    /// A client comes back to a session. Its createSession may be under way still: until that is
    /// applied the session is in no snapshot, and it goes with the role in which this was heard.
    pub fn renew(&mut self, id: i64, timeout_ms: i32) -> u32 {
        let early = self.find(id).is_none_or(|session| session.early);
        let slot = self.add(id, timeout_ms);
        self.slots[slot as usize].early = early;
        slot
    }

    /// Takes a session out.
    pub fn remove(&mut self, id: i64) -> Option<Session> {
        let slot = self.by_id.remove(&id)?;
        let session = &mut self.slots[slot as usize];
        session.live = false;
        self.free.push(slot);
        Some(session.clone())
    }

    /// Finds a session.
    pub fn find(&self, id: i64) -> Option<&Session> {
        self.by_id.get(&id).map(|slot| &self.slots[*slot as usize])
    }

    /// Finds a session to change it.
    pub fn find_mut(&mut self, id: i64) -> Option<&mut Session> {
        self.by_id.get(&id).map(|slot| &mut self.slots[*slot as usize])
    }

    /// The slot of a session, by which `touch` finds it without a search.
    pub fn slot(&self, id: i64) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// Says that a session is alive. False when it is not known any more, or its end is on its way:
    /// who is answered counts on the session for its timeout from then on.
    #[inline]
    pub fn touch(&mut self, slot: u32, id: i64, timeout_ms: i32) -> bool {
        let deadline_ms = self.due(timeout_ms);
        match self.slots.get(slot as usize) {
            Some(session) if session.live && session.id == id && !session.closing => {
                self.set_deadline(slot, deadline_ms);
                if self.touches.is_some() {
                    self.note_touch(slot);
                }
                true
            }
            _ => false,
        }
    }

    #[cold]
    fn note_touch(&mut self, slot: u32) {
        let session = &mut self.slots[slot as usize];
        if !std::mem::replace(&mut session.touched, true)
            && let Some(touches) = &mut self.touches
        {
            touches.push(slot);
        }
    }

    /// From now on touches are collected for a leader.
    pub fn collect_touches(&mut self) {
        self.touches = Some(Vec::new());
        for session in &mut self.slots {
            session.touched = false;
        }
    }

    /// Sessions touched since the last time, with their timeouts in ms.
    pub fn take_touches(&mut self) -> Vec<(i64, i32)> {
        let Some(touches) = &mut self.touches else { return Vec::new() };
        let slots = std::mem::take(touches);
        let mut touched = Vec::with_capacity(slots.len());
        for slot in slots {
            let session = &mut self.slots[slot as usize];
            session.touched = false;
            if session.live {
                touched.push((session.id, session.timeout_ms));
            }
        }
        touched
    }

    /// Nobody's connection is here, nor any leader.
    pub fn disown(&mut self) {
        self.touches = None;
        let slots = self.slots.iter().filter(|session| session.live && session.early);
        for id in slots.map(|session| session.id).collect::<Vec<_>>() {
            self.remove(id);
        }
        for session in &mut self.slots {
            session.owner = None;
            session.learner = None;
            session.closing = false;
            session.asked.clear();
        }
    }

    /// Every session gets its full time from now.
    pub fn restart(&mut self) {
        let ids: Vec<(i64, i32)> = self.iter().collect();
        for (id, timeout_ms) in ids {
            self.add(id, timeout_ms);
        }
    }

    /// Puts other sessions in the place of these.
    pub fn replace(&mut self, sessions: BTreeMap<i64, i32>) {
        let gone: Vec<i64> = self.by_id.keys().copied().collect();
        for id in gone.into_iter().filter(|id| !sessions.contains_key(id)) {
            self.remove(id);
        }
        for (id, timeout_ms) in sessions {
            self.add(id, timeout_ms);
        }
    }

    #[inline]
    fn set_deadline(&mut self, slot: u32, deadline_ms: i64) {
        let session = &mut self.slots[slot as usize];
        session.deadline_ms = deadline_ms;
        // A later deadline is found when the bucket falls due; an earlier one needs its own.
        if deadline_ms < session.queued_ms {
            session.queued_ms = deadline_ms;
            let id = session.id;
            self.buckets.entry(deadline_ms).or_default().push((slot, id));
        }
    }

    /// The sessions that are due by now, each once.
    pub fn expired(&mut self) -> Vec<i64> {
        let mut expired = Vec::new();
        while let Some(bucket) = self.buckets.first_entry() {
            let due_ms = *bucket.key();
            if due_ms > self.clock_ms {
                break;
            }
            for (slot, id) in bucket.remove() {
                let session = &mut self.slots[slot as usize];
                if !session.live || session.id != id || session.queued_ms != due_ms {
                    continue;
                }
                if session.deadline_ms > due_ms {
                    session.queued_ms = session.deadline_ms;
                    self.buckets.entry(session.queued_ms).or_default().push((slot, id));
                } else if !session.closing {
                    expired.push(id);
                }
            }
        }
        expired
    }

    /// How many ms from now the next bucket falls due; `None` when there is none.
    pub fn next_due_ms(&self) -> Option<i64> {
        self.buckets.first_key_value().map(|(due, _)| (due - self.clock_ms).max(0))
    }

    /// For `dump`: the sessions by the time in ms from now at which they would expire.
    pub fn by_expiry(&self) -> BTreeMap<i64, Vec<i64>> {
        let mut map: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for slot in self.by_id.values() {
            let session = &self.slots[*slot as usize];
            map.entry(session.deadline_ms - self.clock_ms).or_default().push(session.id);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_ms: i64) -> Now {
        Now { mono_ms, wall_ms: 1 }
    }

    #[test]
    fn expiry_comes_within_a_tick_and_a_touch_defers_it() {
        let mut table = SessionTable::new(100, 1, at(0));
        let slot = table.add(7, 250);
        (0..=240).step_by(10).for_each(|ms| table.advance(at(ms)));
        assert!(table.touch(slot, 7, 250));
        for ms in (240..=490).step_by(10) {
            table.advance(at(ms));
            assert!(table.expired().is_empty());
        }
        table.advance(at(500));
        assert_eq!(table.expired(), [7]);
        assert!(table.expired().is_empty());
        table.remove(7);
        assert!(!table.touch(slot, 7, 250));
    }

    #[test]
    fn a_stall_of_our_own_expires_nobody() {
        let mut table = SessionTable::new(100, 1, at(0));
        table.advance(at(0));
        table.add(7, 100);
        table.advance(at(20));
        table.advance(at(1_000_000));
        assert!(table.expired().is_empty());
    }

    #[test]
    fn a_session_counts_once_its_txn_is_applied() {
        let mut table = SessionTable::new(100, 1, at(0));
        table.renew(7, 250);
        table.renew(7, 250);
        assert!(table.find(7).is_some() && table.iter().next().is_none());
        table.disown();
        assert!(table.find(7).is_none(), "nobody has made it");
        table.renew(7, 250);
        table.add(7, 250);
        table.renew(7, 300);
        table.disown();
        assert_eq!(table.iter().collect::<Vec<_>>(), [(7, 300)]);
    }

    #[test]
    fn ids_carry_the_tag_and_are_not_used_twice() {
        let mut table = SessionTable::new(100, 3, at(0));
        let first = table.fresh_id();
        assert_eq!(first >> 56, 3);
        table.add(first + 1, 10);
        assert_eq!(table.fresh_id(), first + 2);
    }
}
