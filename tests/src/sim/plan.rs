//! What a run is made of. Each seed draws its own ensemble, workload and subset of faults: a fault
//! that never stops hides those that need a quiet moment.

use zk_core::LocalSessions;

use crate::rng::Rng;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A process ends; the page cache stays.
    Crash,
    /// A process ends between two effects of one step.
    CrashMidStep,
    /// A machine loses power: what is not synced may be lost, torn or there.
    Power,
    /// All machines lose power at once.
    PowerAll,
    /// The newest leader's process ends.
    CrashLeader,
    /// A leader's process ends while it sends its database, or right behind that.
    CrashInSnap,
    /// Some members restart one after the other.
    Rolling,
    /// Two servers do not hear each other.
    Cut,
    /// One of them does not hear the other.
    CutOneWay,
    /// One server hears nobody, or nobody hears it.
    Isolate,
    /// The newest leader and the others do not hear each other; some clients stay with it.
    IsolateLeader,
    /// The ensemble falls into two halves.
    Halves,
    /// The network is whole again.
    Mend,
    /// A connection between servers breaks.
    Reset,
    /// It breaks, and one of the two does not notice: a second one comes beside it.
    HalfOpen,
    /// A server stands still.
    Pause,
    /// A client's connection breaks.
    Hangup,
    /// A disk is slow for a while.
    SlowDisk,
    /// A sync fails, and the process ends.
    FailedSync,
    /// A disk is full for a while.
    FullDisk,
    /// A bit of what is durable turns while the server is down.
    BitFlip,
    /// A wall clock jumps.
    ClockJump,
    /// A server loses its disk.
    Wipe,
    /// A client asks for another configuration: servers join, leave, or change their role.
    Reconfig,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Fault; 24] = [
        Fault::Crash,
        Fault::CrashMidStep,
        Fault::Power,
        Fault::PowerAll,
        Fault::CrashLeader,
        Fault::CrashInSnap,
        Fault::Rolling,
        Fault::Cut,
        Fault::CutOneWay,
        Fault::Isolate,
        Fault::IsolateLeader,
        Fault::Halves,
        Fault::Mend,
        Fault::Reset,
        Fault::HalfOpen,
        Fault::Pause,
        Fault::Hangup,
        Fault::SlowDisk,
        Fault::FailedSync,
        Fault::FullDisk,
        Fault::BitFlip,
        Fault::ClockJump,
        Fault::Wipe,
        Fault::Reconfig,
    ];

    /// For reports.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Crash => "crash",
            Fault::CrashMidStep => "crash between effects",
            Fault::Power => "power loss",
            Fault::PowerAll => "power loss of all",
            Fault::CrashLeader => "crash of the leader",
            Fault::CrashInSnap => "crash behind a database",
            Fault::Rolling => "rolling restart",
            Fault::Cut => "cut",
            Fault::CutOneWay => "cut one way",
            Fault::Isolate => "isolated server",
            Fault::IsolateLeader => "isolated leader",
            Fault::Halves => "partition",
            Fault::Mend => "mend",
            Fault::Reset => "reset",
            Fault::HalfOpen => "half-open connection",
            Fault::Pause => "pause",
            Fault::Hangup => "client hangup",
            Fault::SlowDisk => "slow disk",
            Fault::FailedSync => "failed sync",
            Fault::FullDisk => "full disk",
            Fault::BitFlip => "bit flip",
            Fault::ClockJump => "clock jump",
            Fault::Wipe => "wiped disk",
            Fault::Reconfig => "reconfiguration",
        }
    }
}

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Voters.
    pub voters: usize,
    /// Observers.
    pub observers: usize,
    /// Servers that the first configuration does not name; they join by a reconfig, if at all.
    pub spares: usize,
    /// The ensemble may be changed by its clients.
    pub reconfigs: bool,
    /// Learners are brought up from the log on disk.
    pub from_log: bool,
    /// Txns of an epoch, about; then the next one begins.
    pub epoch_txns_max: u32,
    /// Voters are grouped by threes, and a quorum is a majority of groups.
    pub groups: bool,
    /// Clients.
    pub clients: usize,
    /// The last of them keeps a copy of the tree by watches.
    pub mirrors: bool,
    /// So many of them read and sync only.
    pub readers: usize,
    /// Requests that a client has under way at most.
    pub pipeline: usize,
    /// Mean pause between two requests of a client, in ms.
    pub think_ms: usize,
    /// Session timeout that clients ask for, in ms.
    pub timeout_ms: i32,
    /// Simulated time of the part with faults, in ms.
    pub faults_ms: i64,
    /// How often a fault comes, mean in ms; 0 for never.
    pub fault_every_ms: usize,
    /// The kinds that come.
    pub faults: Vec<Fault>,
    /// One packet in so many is late by up to 80 ms.
    pub late_one_in: usize,
    /// Txns after which servers take snapshots.
    pub snapshot_txns: u32,
    /// A member may lose its disk; then empty disks ask before they vote.
    pub wipes: bool,
    /// What new sessions are.
    pub local_sessions: LocalSessions,
    /// Who looks for a leader serves reads, and every other client is content with that.
    pub read_only: bool,
}

impl Plan {
    /// The plan of a seed: three servers mostly, up to seven, and up to two observers.
    pub fn of(seed: u64) -> Plan {
        let mut rng = Rng::new(seed ^ 0x5eed);
        let voters = *rng.pick(&[1, 2, 3, 3, 3, 3, 3, 3, 4, 5, 5, 5, 6, 7]);
        let keep = *rng.pick(&[1, 2, 2, 3]);
        let faults: Vec<Fault> = Fault::ALL.into_iter().filter(|_| rng.below(4) < keep).collect();
        let observers = if voters < 6 { *rng.pick(&[0, 0, 0, 1, 2]) } else { 0 };
        let groups = voters >= 5 && rng.one_in(4);
        // Hierarchical quorums cannot be changed in steps.
        let reconfigs = !groups && faults.contains(&Fault::Reconfig);
        let clients = 1 + rng.below(5);
        Plan {
            voters,
            observers,
            spares: if reconfigs { rng.below(3).min(7 - voters - observers) } else { 0 },
            reconfigs,
            from_log: matches!(seed % 16, 0 | 8 | 9 | 10),
            epoch_txns_max: if matches!(seed % 16, 0 | 11 | 14 | 15) { 20 } else { 0xff00_0000 },
            groups,
            clients,
            readers: rng.below(3).min(clients - 1),
            mirrors: rng.one_in(3),
            pipeline: *rng.pick(&[1, 1, 3, 8]),
            think_ms: *rng.pick(&[20, 60, 150, 400]),
            timeout_ms: *rng.pick(&[2_000, 4_000, 8_000]),
            faults_ms: *rng.pick(&[10_000, 20_000, 40_000]),
            fault_every_ms: *rng.pick(&[0, 300, 600, 1_000, 1_000, 2_000, 4_000]),
            faults,
            late_one_in: *rng.pick(&[3, 20, 20, 200]),
            snapshot_txns: *rng.pick(&[20, 60, 200]),
            wipes: rng.one_in(2),
            local_sessions: match rng.below(8) {
                0 => LocalSessions::On,
                1 | 2 => LocalSessions::Upgraded,
                _ => LocalSessions::Off,
            },
            read_only: rng.one_in(3),
        }
    }

    /// All servers, the spares included.
    pub fn servers(&self) -> usize {
        self.voters + self.observers + self.spares
    }

    /// A quiet ensemble: what a scripted schedule begins with.
    pub fn quiet(voters: usize, observers: usize) -> Plan {
        Plan {
            voters,
            observers,
            spares: 0,
            reconfigs: false,
            from_log: false,
            epoch_txns_max: 0xff00_0000,
            groups: false,
            clients: 1,
            readers: 0,
            mirrors: false,
            pipeline: 1,
            think_ms: 50,
            timeout_ms: 8_000,
            faults_ms: 0,
            fault_every_ms: 0,
            faults: Vec::new(),
            late_one_in: 1_000,
            snapshot_txns: 1_000,
            wipes: false,
            local_sessions: LocalSessions::Off,
            read_only: false,
        }
    }
}
