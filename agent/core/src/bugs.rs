//! Known bugs of others, to be switched on one at a time by the simulator: a test of what finds bugs.
//!
//! Without the feature `bugs` every switch is a constant `false` and nothing of them is compiled. The
//! server refuses to be built with it. Numbers are those of ZOOKEEPER issues. A switch belongs to
//! the thread, as a simulated ensemble does.

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table below says what each one does")]
pub enum Bug {
    Zk3911,
    Zk4643,
    Zk4646,
    Zk4785,
    Zk4925,
    Zk2845,
    Zk4837,
    Zk4394,
    Zk3642,
    Zk4685,
    Zk2872,
    Zk3104,
    Zk3701,
    Zk1208,
    Zk2355,
    Zk2846,
    Zk4882,
    Zk2959,
    Zk1549,
    Zk1412,
    AckBeforeSync,
    CommitAlone,
    HalfIsQuorum,
    PromiseInMemory,
    EpochReused,
    ServesEarly,
    TailKept,
    SyncLocal,
    SyncUnconfirmed,
    CommitOutOfOrder,
    SessionReused,
    WatchLost,
    EventBehindReply,
    SeenIgnored,
    MultiInPart,
    ReadOvertakes,
    RequestDropped,
    CommittedCutOff,
    EphemeralsOfOthers,
    EmptyDiskVotes,
    TxnTwice,
    TtlIgnored,
}

/// Every bug, with its name on the command line and what it does.
pub const ALL: &[(Bug, &str, &str)] = &[
    (Bug::Zk3911, "3911", "NEWLEADER is acknowledged before the history is on disk"),
    (Bug::Zk4643, "4643", "the epoch is entered on disk before its history is there"),
    (Bug::Zk4646, "4646", "what DIFF brings is logged when clients are served, not before"),
    (Bug::Zk4785, "4785", "what DIFF brings is applied and never logged"),
    (Bug::Zk4925, "4925", "what DIFF brings is missing in the log of what is committed"),
    (Bug::Zk2845, "2845", "a vote names what is applied, not what is logged"),
    (Bug::Zk4837, "4837", "snapshots above a cut stay"),
    (Bug::Zk4394, "4394", "proposals that wait are forgotten at NEWLEADER"),
    (Bug::Zk3642, "3642", "a received database counts before it is on disk"),
    (Bug::Zk4685, "4685", "proposals are acknowledged before NEWLEADER"),
    (Bug::Zk2872, "2872", "NEWLEADER is acknowledged before the received database is on disk"),
    (Bug::Zk3104, "3104", "what is committed while a database is sent is not sent"),
    (Bug::Zk3701, "3701", "a cut is made in memory and not on disk"),
    (Bug::Zk1208, "1208", "a session that is closing may still create ephemerals"),
    (Bug::Zk2355, "2355", "a follower keeps the ephemerals of a session that ended"),
    (Bug::Zk2846, "2846", "DIFF leaves a txn out"),
    (Bug::Zk4882, "4882", "a txn is applied before it is on the server's own disk"),
    (Bug::Zk2959, "2959", "observers count for quorums"),
    (Bug::Zk1549, "1549", "a vote names the epoch that was accepted, not the one entered"),
    (Bug::Zk1412, "1412", "watches that are set again fire though nothing happened"),
    (Bug::AckBeforeSync, "ack-before-sync", "a txn is acknowledged when it is written"),
    (Bug::CommitAlone, "commit-alone", "a leader commits what is on its own disk"),
    (Bug::HalfIsQuorum, "half-is-quorum", "half of the voters are a quorum"),
    (Bug::PromiseInMemory, "promise-in-memory", "an epoch is promised before that is on disk"),
    (Bug::EpochReused, "epoch-reused", "a new epoch is the newest one that was accepted"),
    (Bug::ServesEarly, "serves-early", "a leader serves before a quorum has its history"),
    (Bug::TailKept, "tail-kept", "a learner keeps what its leader does not have"),
    (Bug::SyncLocal, "sync-local", "a sync is answered by the server that was asked"),
    (Bug::SyncUnconfirmed, "sync-unconfirmed", "a leader answers syncs without asking a quorum"),
    (Bug::CommitOutOfOrder, "commit-out-of-order", "commits are told newest first"),
    (Bug::SessionReused, "session-reused", "session ids begin anew with each start"),
    (Bug::WatchLost, "watch-lost", "a client that moves is not told what it missed"),
    (Bug::EventBehindReply, "event-behind-reply", "a reply overtakes the event of its change"),
    (Bug::SeenIgnored, "seen-ignored", "a client is served by who knows less than it has seen"),
    (Bug::MultiInPart, "multi-in-part", "a multi that fails is done up to where it fails"),
    (Bug::ReadOvertakes, "read-overtakes", "a read overtakes the writes of its session"),
    (Bug::RequestDropped, "request-dropped", "a write of a learner is dropped now and then"),
    (Bug::CommittedCutOff, "committed-cut-off", "a learner is cut to what its leader has applied"),
    (Bug::EphemeralsOfOthers, "ephemerals-of-others", "a session's end takes others' znodes"),
    (Bug::EmptyDiskVotes, "empty-disk-votes", "who lost its disk votes at once"),
    (Bug::TxnTwice, "txn-twice", "the last txn of a database is sent again behind it"),
    (Bug::TtlIgnored, "ttl-ignored", "a znode with a TTL goes at the next look"),
];

/// The bug of that name.
pub fn named(name: &str) -> Option<Bug> {
    ALL.iter().find(|(_, known, _)| *known == name).map(|(bug, ..)| *bug)
}

/// Whether the switches are there.
pub const COMPILED: bool = cfg!(feature = "bugs");

#[cfg(feature = "bugs")]
thread_local! {
    static BUG: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Switches a bug on, or all off.
#[cfg(feature = "bugs")]
pub fn switch(bug: Option<Bug>) {
    BUG.set(bug);
}

/// Whether this bug is switched on.
#[cfg(feature = "bugs")]
pub fn on(bug: Bug) -> bool {
    BUG.get() == Some(bug)
}

/// No bug is ever switched on.
#[cfg(not(feature = "bugs"))]
#[inline(always)]
pub const fn on(_: Bug) -> bool {
    false
}
