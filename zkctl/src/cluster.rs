//! The servers: members, reconfig, sessions, and any four-letter word.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use zk_wire::ensemble::{Ensemble, Rules};
use zk_wire::request::ReconfigRequest;

use crate::conn::addresses;
use crate::context::Context;
use crate::failure::{Failure, Result, exit};
use crate::fourletter::{Answer, ask, connections, ephemerals, fields, remedy};
use crate::node::{print_stat, read_file};

/// Where the configuration of an ensemble stands.
pub const CONFIG: &str = "/zookeeper/config";

/// Changes the members of the ensemble.
#[derive(Clone, Debug, clap::Args)]
pub struct Reconfig {
    /// Servers to add or change: N=host:port:port:role;port,...
    #[arg(long, value_name = "SERVERS")]
    pub add: Option<String>,
    /// Ids of servers to remove
    #[arg(long, value_name = "IDS")]
    pub remove: Option<String>,
    /// The whole new membership, server.N=... between commas
    #[arg(long, value_name = "SERVERS", conflicts_with_all = ["add", "remove", "file"])]
    pub members: Option<String>,
    /// The same from a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["add", "remove"])]
    pub file: Option<String>,
    /// Only if the configuration has this version (hex)
    #[arg(short = 'v', long, value_name = "VERSION")]
    pub version: Option<String>,
    /// Print the stat too
    #[arg(short = 's', long)]
    pub stat: bool,
}

/// Prints the configuration as the servers keep it.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// Its version and the addresses for clients only
    #[arg(short = 'c', long)]
    pub clients: bool,
    /// Print the stat too
    #[arg(short = 's', long)]
    pub stat: bool,
}

/// Lists the sessions that are connected to the servers of -s.
#[derive(Clone, Debug, clap::Args)]
pub struct Sessions {
    /// Of all members of the ensemble
    #[arg(short = 'a', long)]
    pub all: bool,
}

/// Sends a four-letter word and prints the answer.
#[derive(Clone, Debug, clap::Args)]
pub struct Word {
    /// srvr, mntr, conf, cons, ruok...
    pub word: String,
}

/// The servers that are asked: those of the call, or all that the configuration names.
pub fn servers(ctx: &mut Context<'_>, all: bool) -> Result<Vec<String>> {
    let named = addresses(&ctx.target.servers)?;
    if !all {
        return Ok(named);
    }
    let conn = ctx.conn()?;
    let (data, _) = conn.get(CONFIG, false)?;
    let found = clients(&parse_config(&data.unwrap_or_default())?);
    Ok(if found.is_empty() { named } else { found })
}

/// The configuration of an ensemble; `None` on a standalone server.
pub fn parse_config(data: &[u8]) -> Result<Option<Ensemble>> {
    let text = String::from_utf8_lossy(data);
    if !text.contains("server.") {
        return Ok(None);
    }
    let rules = Rules { standalone: true, several_addresses: true, secure_clients: true };
    Ensemble::parse(&text, &rules).map(Some).map_err(|error| {
        Failure::new(exit::FAILED, format!("{CONFIG}: {error}; read it by zkctl get {CONFIG}"))
    })
}

/// The addresses for clients, where one is named; a server on all interfaces by its quorum's host.
fn clients(config: &Option<Ensemble>) -> Vec<String> {
    let Some(config) = config else { return Vec::new() };
    config.servers.values().filter_map(client_address).collect()
}

/// Where a server's clients connect, if its line says so.
pub fn client_address(server: &zk_wire::ensemble::Server) -> Option<String> {
    let client = server.client.as_ref()?.to_string();
    let (host, port) = client.rsplit_once(':')?;
    Some(match host {
        "0.0.0.0" | "[::]" | "" => {
            let host = &server.addresses.first()?.host;
            let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            format!("{host}:{port}")
        }
        _ => client,
    })
}

/// How long one answer may take.
pub fn limit(ctx: &Context<'_>) -> Duration {
    Duration::from_millis(ctx.target.call_timeout_ms)
}

/// members
pub fn members(ctx: &mut Context<'_>) -> Result<()> {
    let conn = ctx.conn()?;
    let (data, _) = conn.get(CONFIG, false)?;
    let Some(config) = parse_config(&data.unwrap_or_default())? else {
        if !ctx.printer.json() {
            eprintln!("zkctl: {} is standalone: an ensemble of one has no members", conn.servers());
        }
        return ctx.printer.rows(&["id"], Vec::new());
    };
    let mut rows = Vec::new();
    for (id, server) in &config.servers {
        let client = client_address(server);
        let mode = match client.as_deref().map(|address| ask(address, "srvr", limit(ctx))) {
            None => json!("unknown: no address for clients"),
            Some(Answer::Text(text)) => json!(fields(&text).get("Mode")),
            Some(Answer::Forbidden) => json!("serves: srvr is forbidden"),
            Some(Answer::NotServing) => json!("does not serve"),
            Some(Answer::Unreached(_)) => json!("not reached"),
        };
        let quorum: Vec<String> = server
            .addresses
            .iter()
            .map(|a| format!("{}:{}:{}", a.host, a.quorum_port, a.election_port))
            .collect();
        rows.push(vec![
            json!(id),
            json!(if server.observer { "observer" } else { "participant" }),
            json!(quorum),
            json!(client),
            mode,
        ]);
    }
    if ctx.printer.output == crate::output::Output::Table {
        ctx.printer.line(&format!("configuration {:x}", config.version))?;
    }
    ctx.printer.rows(&["id", "role", "quorum", "client", "mode"], rows)
}

/// reconfig
pub fn reconfig(ctx: &mut Context<'_>, args: &Reconfig) -> Result<()> {
    let config_id = match &args.version {
        None => -1,
        Some(text) => i64::from_str_radix(text.trim_start_matches("0x"), 16).map_err(|_| {
            Failure::usage(format!("reconfig -v {text}: no version; it is hex, see zkctl config"))
        })?,
    };
    let members = match (&args.members, &args.file) {
        (Some(text), _) => Some(text.clone()),
        (None, Some(file)) => {
            let text = read_file(file)?;
            let text = String::from_utf8_lossy(&text);
            let lines = text.lines().map(str::trim);
            let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
            Some(lines.collect::<Vec<_>>().join(","))
        }
        (None, None) => None,
    };
    if args.add.is_none() && args.remove.is_none() && members.is_none() {
        let what = "reconfig: no change; give one of --add, --remove, --members, --file";
        return Err(Failure::usage(what));
    }
    let request = ReconfigRequest {
        joining: args.add.as_deref().map(Into::into),
        leaving: args.remove.as_deref().map(Into::into),
        members: members.as_deref().map(Into::into),
        config_id,
    };
    let (data, stat) = ctx.conn()?.reconfig(&request)?;
    let text = String::from_utf8_lossy(&data).into_owned();
    match ctx.printer.json() {
        true => ctx.printer.value(&json!({ "config": text }))?,
        false => ctx.printer.line(&text)?,
    }
    if args.stat { print_stat(ctx, &stat) } else { Ok(()) }
}

/// config
pub fn config(ctx: &mut Context<'_>, args: &Config) -> Result<()> {
    let conn = ctx.conn()?;
    let (data, stat) = conn.get(CONFIG, false)?;
    let data = data.unwrap_or_default();
    let text = match args.clients {
        false => String::from_utf8_lossy(&data).into_owned(),
        true => {
            let config = parse_config(&data)?;
            let version = config.as_ref().map(|config| format!("{:x}", config.version));
            format!("{} {}", version.unwrap_or_default(), clients(&config).join(","))
        }
    };
    match ctx.printer.json() {
        true => ctx.printer.value(&json!({ "config": text }))?,
        false => ctx.printer.line(&text)?,
    }
    if args.stat { print_stat(ctx, &stat) } else { Ok(()) }
}

/// sessions
pub fn sessions(ctx: &mut Context<'_>, args: &Sessions) -> Result<()> {
    let servers = servers(ctx, args.all)?;
    let mut rows = Vec::new();
    let mut owned = BTreeMap::new();
    let mut answered = false;
    for server in &servers {
        match ask(server, "cons", limit(ctx)) {
            Answer::Text(text) => {
                answered = true;
                rows.extend(connections(&text).into_iter().map(|c| (server.clone(), c)));
            }
            Answer::Forbidden => {
                answered = true;
                eprintln!("zkctl: sessions {server}: {}", remedy("cons"));
            }
            Answer::NotServing => eprintln!("zkctl: sessions {server}: it does not serve"),
            Answer::Unreached(why) => eprintln!("zkctl: sessions {server}: not reached: {why}"),
        }
        if let Answer::Text(text) = ask(server, "dump", limit(ctx)) {
            owned.extend(ephemerals(&text));
        }
    }
    if !answered {
        return Err(Failure::new(
            exit::NOT_REACHED,
            format!("sessions {}: no server answered; give others by -s", servers.join(",")),
        ));
    }
    // A connection without a session is the one that asks.
    rows.retain(|(_, connection)| connection.fields.contains_key("sid"));
    let rows = rows.into_iter().map(|(server, connection)| {
        let field = |name: &str| match connection.fields.get(name) {
            Some(text) => text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
            None => Value::Null,
        };
        let id = connection.fields.get("sid");
        let count = id.and_then(|id| owned.get(id)).copied().unwrap_or(0);
        vec![
            json!(id),
            json!(connection.client),
            json!(server),
            field("to"),
            json!(count),
            field("queued"),
            field("recved"),
            field("sent"),
            field("lop"),
            field("maxlat"),
        ]
    });
    let columns = [
        "session",
        "client",
        "server",
        "timeout_ms",
        "ephemerals",
        "queued",
        "received",
        "sent",
        "last_op",
        "latency_max_ms",
    ];
    ctx.printer.rows(&columns, rows.collect())
}

/// word, srvr
pub fn word(ctx: &mut Context<'_>, args: &Word) -> Result<()> {
    let mut failed = None;
    let servers = servers(ctx, false)?;
    for server in &servers {
        match ask(server, &args.word, limit(ctx)) {
            Answer::Text(text) if ctx.printer.json() => {
                let fields = fields(&text);
                match fields.is_empty() {
                    true => ctx.printer.value(&json!({ "server": server, "text": text }))?,
                    false => ctx.printer.value(&json!({ "server": server, "fields": fields }))?,
                }
            }
            Answer::Text(text) => {
                if servers.len() > 1 {
                    ctx.printer.line(&format!("# {server}"))?;
                }
                ctx.printer.text(&text)?;
                if !text.ends_with('\n') {
                    ctx.printer.text("\n")?;
                }
            }
            Answer::Forbidden => {
                let what = format!("word {server}: {}", remedy(&args.word));
                failed = Some(Failure::new(exit::FAILED, what));
            }
            Answer::NotServing => {
                let what = format!("word {server}: it runs and does not serve: no quorum");
                failed = Some(Failure::new(exit::FAILED, what));
            }
            Answer::Unreached(why) => {
                let what = format!("word {server}: not reached: {why}; give another by -s");
                failed = Some(Failure::new(exit::NOT_REACHED, what));
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_for_clients() {
        let text = "server.1=a:1:2:participant;0.0.0.0:2181\nserver.2=b:1:2:observer;c:99\n\
            server.3=d:1:2:participant\nversion=1f";
        let config = parse_config(text.as_bytes()).unwrap();
        assert_eq!(clients(&config), ["a:2181", "c:99"]);
        assert_eq!(config.unwrap().version, 0x1f);
        assert_eq!(parse_config(b"").unwrap(), None);
        assert!(parse_config(b"server.x=y").is_err());
    }
}
