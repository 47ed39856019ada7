//! top: what the servers are doing, again and again.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::servers;
use crate::context::Context;
use crate::failure::Result;
use crate::fourletter::{Answer, ask, fields};
use crate::output::{Output, table};

const COLUMNS: [&str; 11] = [
    "server",
    "mode",
    "received/s",
    "sent/s",
    "writes/s",
    "outstanding",
    "connections",
    "latency",
    "max",
    "znodes",
    "watches",
];

/// Shows load and latency of the servers, refreshed until interrupted.
#[derive(Clone, Debug, clap::Args)]
pub struct Top {
    /// Seconds between two looks
    #[arg(short = 'i', long, default_value_t = 1.0, value_name = "SECONDS")]
    pub interval: f64,
    /// End after so many looks
    #[arg(short = 'c', long, value_name = "N")]
    pub count: Option<u64>,
    /// All members of the ensemble
    #[arg(short = 'a', long)]
    pub all: bool,
}

/// What a server said, and when.
struct Look {
    at: Instant,
    said: BTreeMap<String, String>,
    watches: Option<u64>,
    remark: Option<&'static str>,
}

fn look(ctx: &Context<'_>, server: &str) -> Look {
    let limit = Duration::from_millis(ctx.target.call_timeout_ms);
    let mut look = Look { at: Instant::now(), said: BTreeMap::new(), watches: None, remark: None };
    match ask(server, "srvr", limit) {
        Answer::Text(text) => look.said = fields(&text),
        Answer::Forbidden => look.remark = Some("srvr is forbidden"),
        Answer::NotServing => look.remark = Some("does not serve"),
        Answer::Unreached(_) => look.remark = Some("not reached"),
    }
    // Only mntr tells the watches, and it is often forbidden; the rest does without.
    if let (None, Answer::Text(text)) = (look.remark, ask(server, "mntr", limit)) {
        look.watches = fields(&text).get("zk_watch_count").and_then(|text| text.parse().ok());
    }
    look
}

impl Look {
    fn number(&self, label: &str) -> Option<i64> {
        let text = self.said.get(label)?;
        match text.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        }
    }

    fn row(&self, server: &str, before: Option<&Look>) -> Vec<Value> {
        let rate = |label: &str| {
            let before = before?;
            let seconds = self.at.duration_since(before.at).as_secs_f64();
            let count = self.number(label)?.checked_sub(before.number(label)?)?;
            // A server that started anew counts from zero; a new epoch is no number of writes.
            match (count, seconds > 0.0) {
                (0..=0xffff_ffff, true) => Some((count as f64 / seconds).round() as u64),
                _ => None,
            }
        };
        let latency = self.said.get("Latency min/avg/max");
        let part =
            |at: usize| latency.and_then(|text| text.split('/').nth(at)?.parse::<f64>().ok());
        let mode = self.said.get("Mode").map(String::as_str).or(self.remark);
        vec![
            json!(server),
            json!(mode),
            json!(rate("Received")),
            json!(rate("Sent")),
            json!(rate("Zxid")),
            json!(self.number("Outstanding")),
            json!(self.number("Connections")),
            json!(part(1)),
            json!(part(2)),
            json!(self.number("Node count")),
            json!(self.watches),
        ]
    }
}

/// top
pub fn top(ctx: &mut Context<'_>, args: &Top) -> Result<()> {
    let servers = servers(ctx, args.all)?;
    // The session was for the list only.
    if ctx.place.is_none() {
        ctx.close()?;
    }
    let interval = Duration::from_secs_f64(args.interval.clamp(0.05, 3600.0));
    let clear = ctx.printer.output == Output::Table && std::io::stdout().is_terminal();
    let mut before: Vec<Look> = Vec::new();
    let mut round = 0;
    loop {
        let looks: Vec<Look> = servers.iter().map(|server| look(ctx, server)).collect();
        let rows: Vec<Vec<Value>> = looks
            .iter()
            .enumerate()
            .map(|(at, look)| look.row(&servers[at], before.get(at)))
            .collect();
        match clear {
            // Home, the table, and nothing below it.
            true => ctx.printer.line(&format!("\x1b[H\x1b[2J{}", table(&COLUMNS, &rows)))?,
            false => ctx.printer.rows(&COLUMNS, rows)?,
        }
        before = looks;
        round += 1;
        if args.count.is_some_and(|count| round >= count)
            || ctx.left().is_some_and(|left| left.is_zero())
        {
            return Ok(());
        }
        let next = Instant::now() + interval;
        while Instant::now() < next {
            if ctx.go_on().is_err() {
                return Ok(());
            }
            std::thread::sleep(interval.min(Duration::from_millis(50)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_time_between() {
        let at = Instant::now();
        let said = |text: &str| fields(text);
        let look = |seconds, text| Look {
            at: at + Duration::from_secs(seconds),
            said: said(text),
            watches: Some(3),
            remark: None,
        };
        let before = look(0, "Received: 10\nZxid: 0x5\nMode: leader\n");
        let after = look(2, "Received: 30\nZxid: 0x9\nMode: leader\n");
        let row = after.row("h:1", Some(&before));
        assert_eq!(row[1..5], [json!("leader"), json!(10), Value::Null, json!(2)]);
        let restarted = look(4, "Received: 1\nZxid: 0x100000001\nMode: leader\n");
        let row = restarted.row("h:1", Some(&after));
        assert_eq!(row[2], Value::Null, "it counts from zero");
    }
}
