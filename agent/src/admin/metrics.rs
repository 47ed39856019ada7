//! The word `mntr`: only figures that are measured, under the names that exporters know.

use std::fmt::{Display, Write};

use zk_core::Now;
use zk_core::replica::Standing;

use crate::admin::ensemble;
use crate::admin::facts::Facts;
use crate::admin::format::average;
use crate::admin::view::Status;
use crate::net::Clients;
use crate::sys::limits;

/// All lines.
pub fn text(version: &str, status: &Status, clients: &Clients, facts: &Facts, now: Now) -> String {
    let mut out = String::new();
    let mut line = |key: &str, value: &dyn Display| {
        let _ = writeln!(out, "zk_{key}\t{value}");
    };
    let counters = &clients.counters;
    let (input_bytes, output_bytes) = clients.buffered_bytes();
    line("version", &version);
    line("server_state", &ensemble::mode(&status.standing));
    if let Some(state) = ensemble::peer_state(&status.standing) {
        line("peer_state", &state);
    }
    line("ephemerals_count", &status.ephemerals);
    line("num_alive_connections", &clients.count());
    line("avg_latency", &average(&status.latency));
    line("outstanding_requests", &status.outstanding);
    line("znode_count", &status.znodes);
    line("global_sessions", &status.sessions);
    line("local_sessions", &status.local_sessions);
    line("packets_sent", &(status.sent + counters.words_answered));
    line("packets_received", &counters.packets_received);
    line("connection_drop_probability", &format!("{:?}", clients.drop_probability));
    line("watch_count", &status.watches);
    line("min_latency", &status.latency.min_ms);
    line("max_latency", &status.latency.max_ms);
    line("max_file_descriptor_count", &limits::open_files_max());
    line("open_file_descriptor_count", &limits::open_files());
    line("approximate_data_size", &status.data_bytes);
    line("uptime", &(now.mono_ms - facts.started_ms));
    line("connection_rejected", &counters.rejected);
    line("connection_drop_count", &counters.dropped);
    line("sessionless_connections_expired", &counters.handshake_late);
    line("large_requests_rejected", &counters.large_rejected);
    line("bytes_received_count", &counters.bytes_received);
    line("response_bytes", &counters.bytes_sent);
    line("agent_output_overflows", &counters.output_overflows);
    line("agent_buffered_input_bytes", &input_bytes);
    line("agent_buffered_output_bytes", &output_bytes);
    // As in Apache's server, who serves read-only tells no more than one that is alone.
    if status.standing == Standing::ReadOnly {
        return out;
    }
    if let Some(facts) = &facts.ensemble {
        for (name, number) in ensemble::figures(&status.standing, facts, now.mono_ms) {
            line(name, &number);
        }
    }
    out
}
