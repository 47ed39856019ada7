//! Sessions that only this server knows: it alone keeps them, they are in no txn and no snapshot,
//! and they end with the role in which it serves.
//!
//! A local session that wants an ephemeral becomes one of the ensemble's. From the request for that
//! until its createSession is applied it is in neither table, and its connection stands here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::ids::ConnId;
use crate::session::SessionTable;
use crate::time::Now;

/// Ended sessions that are kept in mind; what they ask for can come late only while the leader stays.
const ENDED_MAX: usize = 4096;

/// The local sessions of a server.
#[derive(Debug)]
pub struct LocalSessions {
    /// Those that are local.
    pub table: SessionTable,
    /// Those whose createSession is under way, with the connection and its serial.
    upgrading: BTreeMap<i64, (ConnId, u64)>,
    /// Sessions of the ensemble that ended lately, and the same, oldest first.
    ended: (BTreeSet<i64>, VecDeque<i64>),
}

impl LocalSessions {
    /// None. `tick_ms`: the width of a bucket in which they expire.
    pub fn new(tick_ms: i32, now: Now) -> LocalSessions {
        let table = SessionTable::new(tick_ms, 0, now);
        LocalSessions { table, upgrading: BTreeMap::new(), ended: Default::default() }
    }

    /// Whether a session is local, or is about to stop being that.
    pub fn has(&self, session: i64) -> bool {
        self.table.find(session).is_some() || self.upgrading.contains_key(&session)
    }

    /// The connection on which a session was established last.
    pub fn owner(&self, session: i64) -> Option<ConnId> {
        let upgrading = self.upgrading.get(&session).map(|(conn, _)| *conn);
        self.table.find(session).map_or(upgrading, |session| session.owner)
    }

    /// A connection is gone.
    pub fn disown(&mut self, session: i64, conn: ConnId) {
        if let Some(session) = self.table.find_mut(session).filter(|s| s.owner == Some(conn)) {
            session.owner = None;
        }
    }

    /// The createSession of a session is asked for.
    pub fn begin_upgrade(&mut self, session: i64, client: (ConnId, u64)) {
        let local = self.table.remove(session);
        assert!(local.is_some(), "session {session:#x} is upgraded and was not local");
        self.upgrading.insert(session, client);
    }

    /// The createSession of a session is applied: its connection, if it had begun here.
    pub fn end_upgrade(&mut self, session: i64) -> Option<(ConnId, u64)> {
        self.upgrading.remove(&session)
    }

    /// A session of the ensemble has ended. A write of its that comes late is none of a local session.
    pub fn note_end(&mut self, session: i64) {
        let (set, order) = &mut self.ended;
        if set.insert(session) {
            order.push_back(session);
        }
        if order.len() > ENDED_MAX {
            let oldest = order.pop_front().expect("it is not empty");
            set.remove(&oldest);
        }
    }

    /// Whether a session of the ensemble of that id has ended lately.
    pub fn has_ended(&self, session: i64) -> bool {
        self.ended.0.contains(&session)
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.table.replace(BTreeMap::new());
        self.upgrading.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_ends_are_kept_in_mind() {
        let mut locals = LocalSessions::new(100, Now::default());
        for session in (0..ENDED_MAX as i64 + 2).chain([7]) {
            locals.note_end(session);
        }
        assert_eq!([0, 1, 2, 7].map(|id| locals.has_ended(id)), [false, false, true, true]);
    }

    #[test]
    fn a_session_on_its_way_up_is_known_until_it_has_arrived() {
        let mut locals = LocalSessions::new(100, Now::default());
        locals.table.add(7, 1000);
        locals.table.find_mut(7).unwrap().owner = Some(ConnId(3));
        assert_eq!((locals.has(7), locals.owner(7)), (true, Some(ConnId(3))));
        locals.begin_upgrade(7, (ConnId(3), 1));
        assert!(locals.table.is_empty() && locals.has(7));
        assert_eq!(locals.owner(7), Some(ConnId(3)));
        assert_eq!(locals.end_upgrade(7), Some((ConnId(3), 1)));
        assert_eq!((locals.has(7), locals.end_upgrade(7)), (false, None));
    }
}
