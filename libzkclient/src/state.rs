//! What a handle can be in, and what it tells its watchers.

/// Where a session stands. The numbers are those of Apache's C client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum State {
    /// Opened, and no server was tried yet.
    NotConnected = 999,
    /// Between two attempts to connect.
    Disconnected = 0,
    /// A connection is being made.
    Connecting = 1,
    /// The connection stands, and the server has not said yet whether the session does.
    Associating = 2,
    /// The session stands: everything can be done.
    Connected = 3,
    /// Connected to a server that has lost the others: it answers reads.
    ReadOnly = 5,
    /// The server has ended the session: ephemerals and watches are gone. The end, unless the
    /// session is to be made anew.
    Expired = -112,
    /// The server refused an identity. The end.
    AuthFailed = -113,
    /// Closed by its user. The end.
    Closed = -116,
}

impl State {
    /// Whether requests are sent in this state.
    pub fn is_connected(self) -> bool {
        matches!(self, State::Connected | State::ReadOnly)
    }

    /// Whether nothing can follow.
    pub fn is_final(self) -> bool {
        matches!(self, State::Expired | State::AuthFailed | State::Closed)
    }

    /// A word for logs.
    pub fn name(self) -> &'static str {
        match self {
            State::NotConnected => "not connected",
            State::Disconnected => "disconnected",
            State::Connecting => "connecting",
            State::Associating => "associating",
            State::Connected => "connected",
            State::ReadOnly => "connected read-only",
            State::Expired => "expired",
            State::AuthFailed => "auth failed",
            State::Closed => "closed",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What happened to a znode that was watched, or to the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchEvent {
    /// A znode has changed.
    Node {
        /// What happened, see `zk_wire::watch::event`.
        kind: i32,
        /// Where, without the chroot.
        path: String,
        /// The zxid of the change; -1 when the server does not say, as for what a reconnected
        /// client had missed.
        zxid: i64,
    },
    /// The session has changed its state: while it is not connected, nothing is told, and what
    /// happens meanwhile comes after it is connected again.
    Session(State),
}
