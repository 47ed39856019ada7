//! Sessions that only this server knows: it alone keeps them, they are in no txn and no snapshot,
//! and they end with the role in which it serves.
//!
//! A local session that wants an ephemeral becomes one of the ensemble's. From the request for that
//! until its createSession is applied it is in neither table, and its connection stands here.

use std::collections::BTreeMap;

use crate::ids::ConnId;
use crate::session::SessionTable;
use crate::time::Now;

/// The local sessions of a server.
#[derive(Debug)]
pub struct LocalSessions {
    /// Those that are local.
    pub table: SessionTable,
    /// Those whose createSession is under way, with the connection and its serial.
    upgrading: BTreeMap<i64, (ConnId, u64)>,
}

impl LocalSessions {
    /// None. `tick_ms`: the width of a bucket in which they expire.
    pub fn new(tick_ms: i32, now: Now) -> LocalSessions {
        let table = SessionTable::new(tick_ms, 0, now);
        LocalSessions { table, upgrading: BTreeMap::new() }
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
