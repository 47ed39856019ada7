//! The differences that we want: each with its reason, and with what either side answers.
//!
//! They are kept out of the long random sequence, because after them the two servers do not hold
//! the same any more; each is shown here by itself, on fresh sessions. A side that does not answer as
//! the table says fails: the table cannot go stale. `docs/COMPATIBILITY.md` mirrors it.

use zk_wire::connect::ConnectRequest;
use zk_wire::{Op, Writer};

use crate::diff::plan::Mode;
use crate::diff::run::options;
use crate::fixture::Conn;
use crate::raw::new_session;
use crate::record;
use crate::server::{Kind, Server};

/// One difference.
#[derive(Debug)]
pub struct Known {
    /// Its name, as in the documentation.
    pub name: &'static str,
    /// Why we differ.
    pub reason: &'static str,
    /// What a genuine server does; `None` where it must not be asked, because it breaks.
    pub genuine: Option<&'static str>,
    /// What ours does.
    pub ours: &'static str,
    /// Provokes it and says what was seen.
    probe: fn(&Server) -> String,
}

/// The table.
pub const TABLE: &[Known] = &[
    Known {
        name: "deleteContainer from a client",
        reason: "the operation has no permission check: any client could delete any empty znode",
        genuine: Some("OK(0), then open"),
        ours: "UNIMPLEMENTED(-6), then closed",
        probe: |server| {
            Conn::open(server.address()).create("/victim", 0);
            one_request(server, Op::DELETE_CONTAINER, &record::path("/victim"))
        },
    },
    Known {
        name: "oversized frame",
        reason: "one request that is too large should cost that request, not the session's \
                 connection and everything in flight on it",
        genuine: Some("closed"),
        ours: "CONNECTIONLOSS(-4), then open",
        probe: |server| {
            let mut conn = Conn::open(server.address());
            conn.send(Op::CREATE, &record::create("/big", &vec![0; 2 << 20], 0));
            match conn.receive_or_end() {
                None => "closed".to_owned(),
                Some(reply) if reply.header.code.0 == 0 => "accepted".to_owned(),
                Some(reply) => format!("{}, then {}", reply.header.code, state(&mut conn)),
            }
        },
    },
    Known {
        name: "createTTL without a TTL",
        reason: "a genuine server lets flags 0 to 4 with a negative TTL pass, and fails while it \
                 applies the transaction",
        genuine: None,
        ours: "BADARGUMENTS(-8), then open",
        probe: |server| one_request(server, Op::CREATE_TTL, &record::create_ttl("/t", 0, -1)),
    },
    Known {
        name: "unreadable text in a quota node",
        reason: "a genuine server throws while it applies the next write below the quota; text \
                 that does not parse counts as no limit and no usage",
        genuine: None,
        ours: "OK(0), then open",
        probe: |server| {
            let mut conn = Conn::open(server.address());
            for path in ["/quota", "/zookeeper/quota/quota"] {
                conn.create(path, 0);
            }
            for name in ["zookeeper_limits", "zookeeper_stats"] {
                let path = format!("/zookeeper/quota/quota/{name}");
                conn.ok(Op::CREATE, &record::create(&path, b"count=1,bytes=1", 0));
                conn.ok(Op::SET_DATA, &record::set_data(&path, Some(b"not a quota"), -1));
            }
            one_request(server, Op::CREATE, &record::create("/quota/a", b"data", 0))
        },
    },
    Known {
        name: "createSession from a client",
        reason: "the operation belongs to the server; a genuine one takes it as a second session \
                 on the same connection",
        genuine: None,
        ours: "UNIMPLEMENTED(-6), then closed",
        probe: |server| {
            let mut record = Vec::new();
            record.put_int(30_000);
            one_request(server, Op::CREATE_SESSION, &record)
        },
    },
];

/// The error of one request on a session of its own, and whether the connection goes on.
fn one_request(server: &Server, op: Op, record: &[u8]) -> String {
    let request: ConnectRequest<'_> = new_session(600_000);
    let mut conn = Conn::with(server.address(), &request).expect("a new session is granted");
    conn.send(op, record);
    match conn.receive_or_end() {
        None => "closed".to_owned(),
        Some(reply) => format!("{}, then {}", reply.header.code, state(&mut conn)),
    }
}

fn state(conn: &mut Conn) -> &'static str {
    conn.send(Op::PING, &[]);
    if conn.receive_or_end().is_some() { "open" } else { "closed" }
}

/// Holds both sides against the table. An error names a missing tool; the list what is not as
/// described.
pub fn check(genuine: Kind, ours: Kind) -> Result<Vec<String>, String> {
    let mut faults = Vec::new();
    let mode = Mode { enforce_quota: true, pipeline_max: 1 };
    for (kind, genuine) in [(genuine, true), (ours, false)] {
        let server = Server::start(options(kind, mode))?;
        for known in TABLE {
            let Some(expected) = (if genuine { known.genuine } else { Some(known.ours) }) else {
                continue;
            };
            let seen = (known.probe)(&server);
            if seen != expected {
                faults.push(format!("{} on {kind:?}: {expected:?} due, {seen:?} seen", known.name));
            }
        }
    }
    Ok(faults)
}
