//! cluster: makes this host's server a member of an ensemble, takes members out, shows them all.
//!
//! Writes the settings and `myid` of the server on this host, and changes the membership of a running
//! ensemble by its own reconfiguration. Other hosts are not touched: the same line is run on each.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use zk_wire::ensemble::Ensemble;
use zk_wire::properties;
use zk_wire::request::ReconfigRequest;

use crate::cluster::{CONFIG, client_address, parse_config};
use crate::context::Context;
use crate::failure::{Failure, Result, exit};
use crate::host::{self, agent, must, of_file, wait_for};
use crate::quorum::is_quorum;
use crate::safe::{Said, ask_all, peers};

/// Keys of the settings that a new membership replaces.
const REPLACED: &[&str] = &["clientPort", "clientPortAddress", "dynamicConfigFile"];

/// How a server is started with other ports: not by a restart, over which systemd keeps them.
const START: &str = "systemctl stop zk-agent && systemctl start zk-agent";

/// The folder of settings of the packages, and whom their units run as.
const PACKAGED: &str = "/etc/zk-agent";
const USER: &str = "zk-agent";

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(3);

/// Sets up and changes an ensemble.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum ClusterCommand {
    /// Make this host's server a member of a new ensemble; the same line on each host
    Init(Init),
    /// Make this host's server a member of the ensemble of -s
    Join(Join),
    /// Take a member out of the ensemble of -s
    Remove(Remove),
    /// Show the members, and whether each may be stopped
    Status,
}

/// What is set up on this host.
#[derive(Clone, Debug, clap::Args)]
pub struct Place {
    /// The server's settings
    #[arg(long, value_name = "FILE", default_value = "/etc/zk-agent/zoo.cfg")]
    pub conf: PathBuf,
    /// Its data, where the settings name none
    #[arg(long, value_name = "DIR", default_value = "/var/lib/zk-agent")]
    pub data_dir: PathBuf,
    /// Its port for clients
    #[arg(long, value_name = "PORT", default_value_t = 2181)]
    pub client_port: u16,
    /// Its ports for other servers: proposals and votes
    #[arg(long, value_name = "PORT:PORT", default_value = "2888:3888")]
    pub ports: String,
    /// The command that starts it with new settings
    #[arg(long, value_name = "COMMAND", default_value = START)]
    pub start: String,
    /// Only print the settings
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// A new ensemble.
#[derive(Clone, Debug, clap::Args)]
pub struct Init {
    /// All hosts, in the same order everywhere; the first has id 1
    #[arg(required = true)]
    pub hosts: Vec<String>,
    /// Which of them this one is, where its name and addresses do not tell
    #[arg(long, value_name = "ID")]
    pub id: Option<i64>,
    /// Let members be changed while the ensemble runs; the server then writes beside its settings, so
    /// in /etc/zk-agent they become the user's zk-agent
    #[arg(long)]
    pub reconfig: bool,
    #[command(flatten)]
    pub place: Place,
}

/// A new member.
#[derive(Clone, Debug, clap::Args)]
pub struct Join {
    /// Its id; the next one without it
    #[arg(long, value_name = "ID")]
    pub id: Option<i64>,
    /// Where others find it; its host name without it
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Without a vote
    #[arg(long)]
    pub observer: bool,
    #[command(flatten)]
    pub place: Place,
}

/// A member to take out.
#[derive(Clone, Debug, clap::Args)]
pub struct Remove {
    /// Its id
    pub id: i64,
    /// Even if no quorum of the others serves
    #[arg(long)]
    pub force: bool,
}

/// Settings with other members: what stood there otherwise stays.
fn settings(before: &str, members: &[String], extra: &[&str], data: &Path) -> String {
    let member =
        |key: &str| ["server.", "group.", "weight."].iter().any(|start| key.starts_with(start));
    let key_of = |line: &str| line.split(['=', ':', ' ']).next().unwrap_or("").trim().to_owned();
    let kept = before.lines().filter(|line| {
        let key = key_of(line.trim_start());
        !member(&key) && !REPLACED.contains(&key.as_str())
    });
    let mut lines: Vec<String> = kept.map(str::to_owned).collect();
    let has = |lines: &[String], key: &str| lines.iter().any(|line| key_of(line) == key);
    let data = format!("dataDir={}", data.display());
    for line in [data.as_str(), "tickTime=2000", "initLimit=10", "syncLimit=5"].iter().chain(extra)
    {
        if !has(&lines, &key_of(line)) {
            lines.push((*line).to_owned());
        }
    }
    lines.extend(members.iter().cloned());
    lines.join("\n") + "\n"
}

/// The value of a key in settings.
fn value(text: &str, key: &str) -> Option<String> {
    let entries = properties::parse(text).ok()?;
    let value = entries.into_iter().rev().find(|entry| entry.key == key)?.value;
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

impl Place {
    fn before(&self) -> Result<String> {
        if self.conf.exists() { host::read(&self.conf) } else { Ok(String::new()) }
    }

    fn data(&self, before: &str) -> PathBuf {
        value(before, "dataDir").map_or_else(|| self.data_dir.clone(), PathBuf::from)
    }

    fn line(&self, id: i64, host: &str, role: &str) -> String {
        let host = match host.contains(':') && !host.starts_with('[') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        format!("server.{id}={host}:{}:{role};{}", self.ports, self.client_port)
    }

    /// Writes settings and id, has the server judge them, and starts it. Nothing stays changed when
    /// it refuses them.
    fn apply(
        &self,
        ctx: &mut Context<'_>,
        before: &str,
        text: &str,
        (id, reconfig): (i64, bool),
    ) -> Result<()> {
        if self.dry_run {
            return ctx.printer.text(text);
        }
        let data = self.data(before);
        let file = data.join("myid");
        let known = std::fs::read_to_string(&file).ok();
        if let Some(other) = known.as_deref().map(str::trim).filter(|t| *t != id.to_string()) {
            let what = format!(
                "{}: it is {other}, and this would be server {id}; its data are another member's: \
                 give --id {other}, or remove it",
                file.display()
            );
            return Err(Failure::new(exit::FAILED, what));
        }
        if let Some(folder) = self.conf.parent() {
            host::folder(folder)?;
        }
        host::folder(&data)?;
        host::write(&file, &format!("{id}\n"))?;
        host::write(&self.conf, text)?;
        let judged = host::run(Command::new(agent()?).arg("check-config").arg(&self.conf))?;
        if judged.code != 0 {
            if known.is_none() {
                std::fs::remove_file(&file).map_err(|error| of_file(&file, &error))?;
            }
            match before.is_empty() {
                true => std::fs::remove_file(&self.conf).map_err(|e| of_file(&self.conf, &e))?,
                false => host::write(&self.conf, before)?,
            }
            let what = format!("the server refuses the settings: {}", judged.error);
            return Err(Failure::new(exit::FAILED, what));
        }
        if !before.is_empty() && before != text {
            let mut name = self.conf.as_os_str().to_owned();
            name.push(".before-cluster");
            host::write(Path::new(&name), before)?;
        }
        if reconfig && self.conf.parent() == Some(Path::new(PACKAGED)) {
            host::give_to(USER, &[Path::new(PACKAGED), &self.conf])?;
        }
        must(Command::new("/bin/sh").args(["-c", &self.start])).map(|_| ())
    }
}

fn init(ctx: &mut Context<'_>, args: &Init) -> Result<()> {
    let id = match args.id {
        Some(id) => id,
        None => {
            let mut here = (1..).zip(&args.hosts).filter(|(_, host)| host::is_here(host));
            match (here.next(), here.next()) {
                (Some((id, _)), None) => id,
                (found, _) => {
                    let how = if found.is_none() { "none" } else { "more than one" };
                    let what = format!("cluster init: {how} of the hosts is this one; give --id");
                    return Err(Failure::usage(what));
                }
            }
        }
    };
    let place = &args.place;
    let before = place.before()?;
    let members: Vec<String> =
        (1..).zip(&args.hosts).map(|(id, host)| place.line(id, host, "participant")).collect();
    let other = before
        .lines()
        .find(|line| line.starts_with("server.") && !members.iter().any(|member| member == line));
    if other.is_some() || value(&before, "dynamicConfigFile").is_some() {
        let what = format!(
            "cluster init: {} has members already; change them by cluster join and remove",
            place.conf.display()
        );
        return Err(Failure::new(exit::EXISTS, what));
    }
    let extra: &[&str] = if args.reconfig { &["reconfigEnabled=true"] } else { &[] };
    let text = settings(&before, &members, extra, &place.data(&before));
    place.apply(ctx, &before, &text, (id, args.reconfig))?;
    if !place.dry_run && !ctx.printer.json() {
        eprintln!("zkctl: server {id} is started; when the others are: zkctl wait --quorum");
    }
    Ok(())
}

fn configuration(ctx: &mut Context<'_>) -> Result<Ensemble> {
    let (data, _) = ctx.conn()?.get(CONFIG, false)?;
    parse_config(&data.unwrap_or_default())?.ok_or_else(|| {
        let what = format!(
            "cluster: {} is standalone; begin an ensemble by cluster init",
            ctx.target.servers
        );
        Failure::new(exit::NO, what)
    })
}

fn join(ctx: &mut Context<'_>, args: &Join) -> Result<()> {
    let ensemble = configuration(ctx)?;
    let id = args.id.unwrap_or_else(|| ensemble.servers.keys().max().map_or(1, |id| id + 1));
    if ensemble.servers.contains_key(&id) {
        let what = format!("cluster join --id {id}: there is a server {id}; take another number");
        return Err(Failure::new(exit::EXISTS, what));
    }
    let name = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
    let role = if args.observer { "observer" } else { "participant" };
    let own = args.place.line(id, args.host.as_deref().unwrap_or(&name), role);
    let mut members: Vec<String> =
        ensemble.servers.iter().map(|(id, server)| format!("server.{id}={server}")).collect();
    members.push(own.clone());
    let before = args.place.before()?;
    let data = args.place.data(&before);
    let text = settings(&before, &members, &["reconfigEnabled=true"], &data);
    args.place.apply(ctx, &before, &text, (id, true))?;
    if args.place.dry_run {
        return Ok(());
    }
    // Its line is what the others are told; it serves as soon as they have heard of it.
    let joining = own.strip_prefix("server.").unwrap_or(&own);
    let request = ReconfigRequest {
        joining: Some(joining.into()),
        leaving: None,
        members: None,
        config_id: -1,
    };
    ctx.conn()?.reconfig(&request)?;
    let limit = ctx.limit.unwrap_or(Duration::from_secs(60));
    let address = format!("127.0.0.1:{}", args.place.client_port);
    let serves = || {
        let said = ask_all(&[&(id, address.clone())], ANSWER);
        matches!(said.first(), Some((_, Said::Serves { .. })))
    };
    match wait_for(limit, serves) {
        true => Ok(()),
        false => {
            let what = format!("cluster join: server {id} is a member and does not serve yet");
            Err(Failure::new(exit::TIMEOUT, what))
        }
    }
}

fn remove(ctx: &mut Context<'_>, args: &Remove) -> Result<()> {
    let mut left = configuration(ctx)?;
    if left.servers.remove(&args.id).is_none() {
        let ids: Vec<String> = left.servers.keys().map(ToString::to_string).collect();
        let what =
            format!("cluster remove {}: no such member; there are {}", args.id, ids.join(", "));
        return Err(Failure::usage(what));
    }
    left.groups.remove(&args.id);
    left.weights.remove(&args.id);
    let here = crate::conn::addresses(&ctx.target.servers)?.remove(0);
    let others = peers(&left, args.id, &here);
    let said = ask_all(&others.iter().collect::<Vec<_>>(), ANSWER);
    let serving = said.iter().filter(|(_, said)| matches!(said, Said::Serves { .. }));
    let serving = serving.map(|(id, _)| *id).collect();
    if !args.force && !is_quorum(&left, &serving) {
        let what = format!(
            "cluster remove {}: no quorum of the others serves, {serving:?} of {}",
            args.id,
            others.len()
        );
        return Err(Failure::new(exit::NO, what));
    }
    let id = args.id.to_string();
    let request = ReconfigRequest {
        joining: None,
        leaving: Some(id.as_str().into()),
        members: None,
        config_id: -1,
    };
    let (data, _) = ctx.conn()?.reconfig(&request)?;
    ctx.printer.line(&String::from_utf8_lossy(&data))
}

fn status(ctx: &mut Context<'_>) -> Result<()> {
    let ensemble = configuration(ctx)?;
    let here = crate::conn::addresses(&ctx.target.servers)?.remove(0);
    let port = here.rsplit_once(':').map_or("2181", |(_, port)| port);
    let all: Vec<(i64, String)> = ensemble
        .servers
        .iter()
        .map(|(id, server)| {
            let address = client_address(server)
                .unwrap_or_else(|| format!("{}:{port}", server.addresses[0].host));
            (*id, address)
        })
        .collect();
    let said = ask_all(&all.iter().collect::<Vec<_>>(), ANSWER);
    let serving: std::collections::BTreeSet<i64> = said
        .iter()
        .filter(|(_, said)| matches!(said, Said::Serves { .. }))
        .map(|(id, _)| *id)
        .collect();
    let rows = said.iter().zip(&all).map(|((id, said), (_, address))| {
        let mut others = serving.clone();
        others.remove(id);
        let role = if ensemble.servers[id].observer { "observer" } else { "participant" };
        let (mode, zxid, remark) = match said {
            Said::Serves { mode, zxid } => {
                (json!(mode), json!(crate::output::hex(*zxid)), json!(null))
            }
            Said::Not(why) => (json!(null), json!(null), json!(why)),
        };
        let spared = is_quorum(&ensemble, &others);
        vec![json!(id), json!(role), json!(address), mode, zxid, json!(spared), remark]
    });
    let columns = ["id", "role", "client", "mode", "zxid", "may_stop", "remark"];
    ctx.printer.rows(&columns, rows.collect())?;
    match serving.len() == all.len() {
        true => Ok(()),
        false => {
            let what = format!("cluster: {} of {} members serve", serving.len(), all.len());
            Err(Failure::new(exit::NO, what))
        }
    }
}

/// cluster
pub fn run(ctx: &mut Context<'_>, command: &ClusterCommand) -> Result<()> {
    match command {
        ClusterCommand::Init(args) => init(ctx, args),
        ClusterCommand::Join(args) => join(ctx, args),
        ClusterCommand::Remove(args) => remove(ctx, args),
        ClusterCommand::Status => status(ctx),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_keep_what_is_not_about_members() {
        let before = "# ours\ndataDir=/d\nclientPort=2181\nclientPortAddress=127.0.0.1\n\
            syncLimit = 7\nserver.1=old:1:2\n4lw.commands.whitelist=*\n";
        let members = ["server.1=a:2888:3888:participant;2181".to_owned()];
        let text = settings(before, &members, &["reconfigEnabled=true"], Path::new("/other"));
        assert_eq!(
            text,
            "# ours\ndataDir=/d\nsyncLimit = 7\n4lw.commands.whitelist=*\ntickTime=2000\n\
             initLimit=10\nreconfigEnabled=true\nserver.1=a:2888:3888:participant;2181\n"
        );
        assert_eq!(settings(&text, &members, &["reconfigEnabled=true"], Path::new("/x")), text);
        assert_eq!(value(&text, "dataDir").as_deref(), Some("/d"));
    }
}
