//! What the core tells about itself.

use zk_core::ConnId;
use zk_core::replica::Standing;
use zk_wire::Zxid;

/// Times between the arrival of requests and their replies, in ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// The shortest; 0 when there was none.
    pub min_ms: u64,
    /// The longest.
    pub max_ms: u64,
    /// Sum of all.
    pub total_ms: u64,
    /// How many.
    pub count: u64,
}

/// The server as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Latency of all requests since the start or the last reset.
    pub latency: Latency,
    /// Packets sent to clients: replies and watch events.
    pub sent: u64,
    /// Requests that are not answered yet.
    pub outstanding: u64,
    /// The newest txn that is applied.
    pub zxid: Zxid,
    /// Znodes.
    pub znodes: u64,
    /// Ephemeral znodes.
    pub ephemerals: u64,
    /// Bytes of paths and data.
    pub data_bytes: u64,
    /// Data and child watches.
    pub watches: u64,
    /// Sessions of the ensemble, or of the server that is alone.
    pub sessions: u64,
    /// Sessions that only this server knows.
    pub local_sessions: u64,
    /// The epoch that it has taken part in last; 0 before the first.
    pub epoch: i64,
    /// What it is to its ensemble.
    pub standing: Standing,
}

/// One client's connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientStatus {
    /// Its session; 0 when it has none.
    pub session_id: i64,
    /// The session's timeout in ms.
    pub timeout_ms: i32,
    /// Requests received that are not answered yet.
    pub outstanding: u64,
    /// Packets sent.
    pub sent: u64,
    /// Apache's letters of the last operation that was answered, such as `GETD`; `NA` after a
    /// reset.
    pub last_op: &'static str,
    /// The xid of the last request; -1 when there was none since a reset.
    pub last_cxid: i64,
    /// The zxid of the last reply; -1 when there was none since a reset.
    pub last_zxid: i64,
    /// When the last reply was made, `Now::mono_ms`.
    pub last_response_ms: i64,
    /// Latency of the last reply in ms.
    pub last_latency_ms: u64,
    /// Latency of all its requests.
    pub latency: Latency,
}

/// What the core tells on request. Lists may be long: they are asked for by operators only.
pub trait View {
    /// The server as a whole. Cheap.
    fn status(&self) -> Status;
    /// One client; the default when it isn't known.
    fn client(&self, conn: ConnId) -> ClientStatus;
    /// Sessions by the time their bucket expires (`Now::mono_ms`), in order of time.
    fn sessions_by_expiry(&self) -> Vec<(i64, Vec<i64>)>;
    /// The same of sessions that only this server knows; `None` when new ones are not of that kind.
    fn local_sessions_by_expiry(&self) -> Option<Vec<(i64, Vec<i64>)>>;
    /// Sessions and their timeouts in ms, ascending, but for those that only this server knows.
    fn sessions(&self) -> Vec<(i64, i32)>;
    /// The paths of ephemeral znodes by session.
    fn ephemerals(&self) -> Vec<(i64, Vec<String>)>;
    /// Paths with a data watch, by session.
    fn watches_by_session(&self) -> Vec<(i64, Vec<String>)>;
    /// Sessions with a data watch, by path.
    fn watches_by_path(&self) -> Vec<(String, Vec<i64>)>;
    /// Sessions that watch data, paths that are watched, watches.
    fn watch_summary(&self) -> (u64, u64, u64);
    /// Digests of the tree at past zxids, oldest first.
    fn digests(&self) -> Vec<(Zxid, u64)>;
    /// Forgets latencies and counts of packets of the whole server.
    fn reset_status(&mut self);
    /// Forgets the statistics of every client.
    fn reset_clients(&mut self);
}
