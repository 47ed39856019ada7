//! A client's connection as the core sees it: identities, the queue that keeps answers in the order
//! of requests, and the figures that `cons` shows.

use std::collections::VecDeque;
use std::net::IpAddr;

use zk_wire::{Code, Id, Op};

/// Requests that wait behind a write, at most; then the connection is not read.
pub const WAITING_MAX: usize = 4096;
/// Bytes of requests that wait behind a write, at most.
pub const WAITING_BYTES_MAX: usize = 1 << 20;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing was said yet.
    Fresh,
    /// The session is being created.
    Opening,
    /// Requests are answered.
    Open,
    /// What comes now is not looked at.
    Closing,
}

/// Who keeps the session of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// The ensemble, or the server that is alone.
    All,
    /// This server only.
    Own,
    /// This server did, and has asked for it to become the ensemble's.
    Upgrading,
    /// Nobody: it has ended, and its last answer waits for its turn.
    Nobody,
}

/// One place in the order of answers.
#[derive(Debug)]
pub enum Waiting {
    /// A write under way; its answer comes when it is applied.
    Write,
    /// A sync that a leader has not confirmed, with its frame.
    Sync(Box<[u8]>),
    /// A request that is answered when its turn has come.
    Frame(Box<[u8]>),
    /// An error that is known already but must not overtake.
    Refused(i32, Op, Code),
}

/// What `cons` shows of a connection. Times in ms.
#[derive(Clone, Debug, Default)]
pub struct ConnStats {
    /// Frames received.
    pub received: u64,
    /// Frames sent.
    pub sent: u64,
    /// Four letters of the last operation, `None` before the first.
    pub last_op: Option<&'static str>,
    /// Xid of the last request.
    pub last_cxid: i64,
    /// Zxid in the last reply.
    pub last_zxid: i64,
    /// When the last reply went out, on the monotonic clock.
    pub last_response_ms: i64,
    /// Wall clock when the connection was made.
    pub established_ms: i64,
    /// Latency of the last request.
    pub last_latency_ms: i64,
    /// Smallest latency; 0 until `crst`, as in Apache's server.
    pub min_latency_ms: i64,
    /// Largest latency.
    pub max_latency_ms: i64,
    /// Requests measured.
    pub count: u64,
    /// Sum of their latencies.
    pub total_latency_ms: i64,
}

impl ConnStats {
    /// What `crst` does.
    pub fn reset(&mut self) {
        let established_ms = self.established_ms;
        *self = ConnStats {
            established_ms,
            last_op: Some("NA"),
            last_cxid: -1,
            last_zxid: -1,
            min_latency_ms: i64::MAX,
            ..ConnStats::default()
        };
    }
}

/// A connection.
#[derive(Debug)]
pub struct Conn {
    /// Tells this use of the number from later ones.
    pub serial: u64,
    /// Where it comes from.
    pub peer: IpAddr,
    /// Who it is; additive.
    pub ids: Vec<Id>,
    /// How far it has come.
    pub phase: Phase,
    /// Its session, 0 before there is one.
    pub session: i64,
    /// Who keeps the session.
    pub keeper: Keeper,
    /// Slot of the session in its keeper's table.
    pub slot: u32,
    /// Negotiated timeout in ms.
    pub timeout_ms: i32,
    /// Whether the client's handshake had the readOnly byte.
    pub says_read_only: bool,
    /// The order of answers. Empty: the next request is answered at once.
    pub waiting: VecDeque<Waiting>,
    /// Syncs that were answered because of a write behind them, and will be confirmed all the same.
    pub syncs_passed: u32,
    /// Bytes of the frames that wait, here or in the throttle.
    pub waiting_bytes: usize,
    /// Requests that wait in the throttle.
    pub stalled: usize,
    /// Requests with an xid above 0 that are not answered.
    pub outstanding: u32,
    /// Whether the shell was told not to read.
    pub paused: bool,
    /// For `cons`.
    pub stats: ConnStats,
}

impl Conn {
    /// A connection that was just made.
    pub fn new(serial: u64, peer: IpAddr, wall_ms: i64) -> Conn {
        let stats = ConnStats {
            established_ms: wall_ms,
            last_cxid: -1,
            last_zxid: -1,
            ..ConnStats::default()
        };
        Conn {
            serial,
            peer,
            ids: vec![Id::new("ip", &peer.to_string())],
            phase: Phase::Fresh,
            session: 0,
            keeper: Keeper::All,
            slot: 0,
            timeout_ms: 0,
            says_read_only: false,
            waiting: VecDeque::new(),
            syncs_passed: 0,
            waiting_bytes: 0,
            stalled: 0,
            outstanding: 0,
            paused: false,
            stats,
        }
    }

    /// Adds an identity unless it is there.
    pub fn add_id(&mut self, id: Id) {
        if !self.ids.contains(&id) {
            self.ids.push(id);
        }
    }

    /// Puts a frame behind what waits.
    pub fn park(&mut self, frame: &[u8]) {
        self.waiting_bytes += frame.len();
        self.waiting.push_back(Waiting::Frame(frame.into()));
    }

    /// Whether so much waits that no more should be read.
    pub fn is_full(&self) -> bool {
        self.waiting.len() + self.stalled > WAITING_MAX || self.waiting_bytes > WAITING_BYTES_MAX
    }
}

/// The four letters by which `cons` names an operation.
pub fn letters(op: Op) -> &'static str {
    match op {
        Op::PING => "PING",
        Op::CREATE | Op::CREATE2 | Op::CREATE_CONTAINER | Op::CREATE_TTL => "CREA",
        Op::DELETE | Op::DELETE_CONTAINER => "DELE",
        Op::EXISTS => "EXIS",
        Op::GET_DATA => "GETD",
        Op::SET_DATA => "SETD",
        Op::GET_ACL => "GETA",
        Op::SET_ACL => "SETA",
        Op::GET_CHILDREN | Op::GET_CHILDREN2 => "GETC",
        Op::GET_ALL_CHILDREN_NUMBER => "GETACN",
        Op::SYNC => "SYNC",
        Op::MULTI => "MULT",
        Op::MULTI_READ => "MLTR",
        Op::RECONFIG => "RECO",
        Op::CHECK => "CHEC",
        Op::CHECK_WATCHES => "CHKW",
        Op::REMOVE_WATCHES => "REMW",
        Op::SET_WATCHES => "SETW",
        Op::SET_WATCHES2 => "STW2",
        Op::ADD_WATCH => "ADDW",
        Op::GET_EPHEMERALS => "GETE",
        Op::WHO_AM_I => "HOMI",
        Op::CLOSE_SESSION => "CLOS",
        Op::CREATE_SESSION => "SESS",
        _ => "NA",
    }
}
