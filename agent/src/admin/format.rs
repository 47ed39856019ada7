//! Pieces of text that several words share.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use zk_core::{ConnId, Now};

use crate::admin::view::{ClientStatus, Latency, View};
use crate::net::Clients;
use crate::net::conn::Conn;
use crate::sys::date::Date;

/// The mean as Apache prints it: up to four decimals, rounded half up, at least one.
pub fn average(latency: &Latency) -> String {
    if latency.count == 0 {
        return "0.0".to_owned();
    }
    let (total, count) = (u128::from(latency.total_ms), u128::from(latency.count));
    let ten_thousandths = (total * 20_000 + count) / (count * 2);
    let fraction = format!("{:04}", ten_thousandths % 10_000);
    let fraction = fraction.trim_end_matches('0');
    let fraction = if fraction.is_empty() { "0" } else { fraction };
    format!("{}.{fraction}", ten_thousandths / 10_000)
}

/// An address as Java prints a socket's peer: `/127.0.0.1:2181`, `/[0:0:0:0:0:0:0:1]:2181`.
pub fn peer(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) => format!("/{ip}:{}", address.port()),
        IpAddr::V6(ip) => {
            let groups: Vec<String> = ip.segments().iter().map(|g| format!("{g:x}")).collect();
            format!("/[{}]:{}", groups.join(":"), address.port())
        }
    }
}

/// One line for each connection, full or brief.
pub fn connections(out: &mut String, core: &impl View, clients: &Clients, full: bool) {
    for (slot, conn) in clients.iter() {
        connection(out, conn, &core.client(ConnId(slot)), full);
    }
    out.push('\n');
}

fn connection(out: &mut String, conn: &Conn, status: &ClientStatus, full: bool) {
    let reads = u8::from(conn.is_served());
    let writes = if conn.queue.is_empty() { 0 } else { 4 };
    let _ = write!(
        out,
        " {}[{:x}](queued={},recved={},sent={}",
        peer(conn.peer),
        reads | writes,
        status.outstanding,
        conn.received,
        status.sent
    );
    if full && status.session_id != 0 {
        let _ = write!(
            out,
            ",sid=0x{:x},lop={},est={},to={}",
            status.session_id, status.last_op, conn.accepted_wall_ms, status.timeout_ms
        );
        if status.last_cxid >= 0 {
            let _ = write!(out, ",lcxid=0x{:x}", status.last_cxid);
        }
        let latency = &status.latency;
        let average_ms = latency.total_ms.checked_div(latency.count).unwrap_or(0);
        let _ = write!(
            out,
            ",lzxid=0x{:x},lresp={},llat={},minlat={},avglat={average_ms},maxlat={}",
            status.last_zxid,
            status.last_response_ms,
            status.last_latency_ms,
            latency.min_ms,
            latency.max_ms
        );
    }
    out.push_str(")\n");
}

/// `n expire at DATE:` for each bucket, with one indented line per member. `sets` holds times of
/// `Now::mono_ms`.
pub fn expiry_sets(out: &mut String, name: &str, now: Now, sets: &[(i64, Vec<String>)]) {
    let members: usize = sets.iter().map(|(_, members)| members.len()).sum();
    let _ = writeln!(out, "{name} ({})/({members}):", sets.len());
    for (expiry_ms, members) in sets {
        let wall_ms = now.wall_ms + (expiry_ms - now.mono_ms);
        let _ = writeln!(out, "{} expire at {}:", members.len(), Date::from_ms(wall_ms).java());
        for member in members {
            let _ = writeln!(out, "\t{member}");
        }
    }
}

/// A heading for each group, then its members, each behind a tab; then an empty line.
pub fn groups(out: &mut String, groups: impl Iterator<Item = (String, Vec<String>)>) {
    for (heading, members) in groups {
        let _ = writeln!(out, "{heading}");
        for member in members {
            let _ = writeln!(out, "\t{member}");
        }
    }
    out.push('\n');
}

/// A session id as all words print it.
pub fn session(id: i64) -> String {
    format!("0x{id:x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_javas() {
        for (total_ms, count, text) in [
            (0, 0, "0.0"),
            (21, 10, "2.1"),
            (2, 3, "0.6667"),
            (1, 3, "0.3333"),
            (6, 2, "3.0"),
            (1, 20_000, "0.0001"),
            (1, 20_001, "0.0"),
        ] {
            let latency = Latency { total_ms, count, ..Latency::default() };
            assert_eq!(average(&latency), text, "{total_ms}/{count}");
        }
    }

    #[test]
    fn addresses_are_javas() {
        assert_eq!(peer("127.0.0.1:52816".parse().unwrap()), "/127.0.0.1:52816");
        assert_eq!(peer("[::1]:7".parse().unwrap()), "/[0:0:0:0:0:0:0:1]:7");
    }

    #[test]
    fn buckets_show_when_they_expire() {
        let now = Now { mono_ms: 500, wall_ms: 1_783_332_000_000 };
        let mut out = String::new();
        expiry_sets(&mut out, "Session Sets", now, &[(2500, vec!["0x1".into(), "0x2".into()])]);
        let date = "Mon Jul 06 10:00:02 UTC 2026";
        assert_eq!(out, format!("Session Sets (1)/(2):\n2 expire at {date}:\n\t0x1\n\t0x2\n"));
    }
}
