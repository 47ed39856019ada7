//! migrate: this host's server becomes a zk-agent with the settings and the data of Apache's, and back.
//!
//! Looks first, changes nothing before it was confirmed, and moves aside what it replaces. Knows
//! settings as keys and data as files to copy; what they mean it asks `zk-agent check-config`,
//! `verify` and `export`. What fails before zk-agent serves is undone.

mod plan;
mod steps;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::context::Context;
use crate::failure::{Failure, Result, exit};
use crate::fourletter::{Answer, ask, fields};
use crate::host::{self, agent, of_file};
use plan::{Found, Judgement, Places, Plan, judgement};

/// What Debian's init script reads besides the folder of settings.
const DEBIAN_DEFAULTS: &str = "/etc/default/zookeeper";

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(3);

/// Takes over from an Apache server on this host, and goes back.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum MigrateCommand {
    /// Take over settings and data of Apache's server, and serve in its place
    FromZookeeper(From),
    /// Give the data back to Apache's server, with all that was written since
    BackToZookeeper(Back),
}

/// Where our side is, and how both are started and stopped.
#[derive(Clone, Debug, clap::Args)]
pub struct Ours {
    /// The settings of zk-agent
    #[arg(long, value_name = "FILE", default_value = "/etc/zk-agent/zoo.cfg")]
    pub to: PathBuf,
    /// Its data
    #[arg(long, value_name = "DIR", default_value = "/var/lib/zk-agent")]
    pub data_dir: PathBuf,
    /// The command that stops the server that runs now, and returns when it has ended
    #[arg(long, value_name = "COMMAND")]
    pub stop: Option<String>,
    /// The command that starts the other one
    #[arg(long, value_name = "COMMAND")]
    pub start: Option<String>,
    /// Only show what would be done
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Ask nothing
    #[arg(short = 'y', long)]
    pub yes: bool,
    /// Even if the ensemble loses its quorum meanwhile
    #[arg(long)]
    pub force: bool,
}

/// From Apache's server to ours.
#[derive(Clone, Debug, clap::Args)]
pub struct From {
    /// The settings of Apache's server: its zoo.cfg, or the folder with it and `environment`
    #[arg(long, value_name = "PATH", default_value = "/etc/zookeeper/conf")]
    pub conf: PathBuf,
    #[command(flatten)]
    pub ours: Ours,
}

/// From ours to Apache's.
#[derive(Clone, Debug, clap::Args)]
pub struct Back {
    #[command(flatten)]
    pub ours: Ours,
}

/// Apache's server as it was found.
struct Source {
    found: Found,
    data: PathBuf,
    log: PathBuf,
    id: Option<i64>,
    dynamic: Option<PathBuf>,
    address: String,
}

/// What a server tells of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    mode: String,
    znodes: Option<u64>,
}

fn told(address: &str) -> Option<Told> {
    let Answer::Text(text) = ask(address, "srvr", ANSWER) else { return None };
    let fields = fields(&text);
    let znodes = fields.get("Node count").and_then(|count| count.parse().ok());
    Some(Told { mode: fields.get("Mode")?.clone(), znodes })
}

impl Source {
    /// Reads what is at `--conf`.
    fn read(conf: &Path) -> Result<Source> {
        let (file, folder) = match conf.is_dir() {
            true => (conf.join("zoo.cfg"), conf.to_owned()),
            false => (conf.to_owned(), conf.parent().unwrap_or(Path::new(".")).to_owned()),
        };
        let config = host::read(&file)?;
        // Debian's wrapper reads it; a server from elsewhere has none.
        let mut environment =
            std::fs::read_to_string(folder.join("environment")).unwrap_or_default();
        if folder.starts_with("/etc/zookeeper") {
            // Read behind it, so that it wins.
            environment += &std::fs::read_to_string(DEBIAN_DEFAULTS).unwrap_or_default();
        }
        let mut found = Found::parse(&config, &environment)?;
        let Some(data) = found.value("dataDir").map(PathBuf::from) else {
            let what = format!("{}: it has no dataDir; give the server's zoo.cfg", file.display());
            return Err(Failure::new(exit::FAILED, what));
        };
        let log = found.value("dataLogDir").map_or_else(|| data.clone(), PathBuf::from);
        let dynamic = found.value("dynamicConfigFile").map(|path| {
            let path = PathBuf::from(path);
            if path.exists() { path } else { folder.join(path) }
        });
        let dynamic = dynamic.filter(|path| path.is_file());
        if let Some(path) = &dynamic {
            found.dynamic = Some(host::read(path)?);
        }
        // It may be a link into /etc, as in Debian's package, where the text says what to write.
        let id = std::fs::read_to_string(data.join("myid")).unwrap_or_default();
        let id = id.lines().next().and_then(|line| line.trim().parse().ok());
        let port = found.client_port(id).unwrap_or(2181);
        let host = found.value("clientPortAddress").filter(|host| *host != "0.0.0.0");
        let address = format!("{}:{port}", host.unwrap_or("127.0.0.1"));
        Ok(Source { found, data, log, id, dynamic, address })
    }

    /// Warnings of what is found, for people.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for path in [&self.data, &self.log] {
            if path.starts_with("/tmp") || path.starts_with("/var/tmp") {
                let what = "a reboot or a cleaner may empty it; the data move to a safe place";
                remarks.push(format!("{}: {what}", path.display()));
                break;
            }
        }
        if !self.data.join("version-2").is_dir() {
            remarks.push(format!("{}: no version-2: there are no data yet", self.data.display()));
        }
        remarks
    }

    /// The names of the dynamic file on our side: its version stands at the end.
    fn dynamic_to(&self, to: &Path) -> Option<PathBuf> {
        let name = self.dynamic.as_ref()?.file_name()?.to_string_lossy().into_owned();
        let version = name.rsplit_once('.').map_or("", |(_, version)| version);
        let version = if u64::from_str_radix(version, 16).is_ok() { version } else { "0" };
        Some(PathBuf::from(format!("{}.dynamic.{version}", to.display())))
    }
}

/// Has the server judge a text, in a folder of its own where its data would be.
fn judged(source: &Source, text: &str, work: &Path) -> Result<Judgement> {
    let file = work.join("zoo.cfg");
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        lines.push(match (line.split_once('='), &source.found.dynamic) {
            (Some(("dataDir", _)), _) => format!("dataDir={}", work.display()),
            (Some(("dynamicConfigFile", _)), Some(members)) => {
                let file = work.join("zoo.cfg.dynamic.0");
                host::write(&file, members)?;
                format!("dynamicConfigFile={}", file.display())
            }
            _ => line.to_owned(),
        });
    }
    host::write(&file, &(lines.join("\n") + "\n"))?;
    if let Some(id) = source.id {
        host::write(&work.join("myid"), &format!("{id}\n"))?;
    }
    let ran = host::run(Command::new(agent()?).arg("check-config").arg(&file))?;
    Ok(judgement(&file, ran.code, &ran.out, &ran.error))
}

/// A folder of our own that goes again.
struct Work(PathBuf);

impl Work {
    fn new() -> Result<Work> {
        let path = std::env::temp_dir().join(format!("zkctl-migrate-{}", std::process::id()));
        // Nobody may have laid it there for us.
        std::fs::create_dir(&path).map_err(|error| of_file(&path, &error))?;
        Ok(Work(path))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What stays is in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn planned(source: &Source, ours: &Ours) -> Result<Plan> {
    let places = Places { data: ours.data_dir.clone(), dynamic: source.dynamic_to(&ours.to) };
    let work = Work::new()?;
    plan::plan(&source.found, &places, &mut |text| judged(source, text, &work.0))
}

fn show(ctx: &mut Context<'_>, plan: &Plan) -> Result<()> {
    let rows = plan.rows.iter().map(|row| {
        let or_null = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
        vec![json!(row.key), or_null(&row.value), json!(row.fate.name()), or_null(&row.remark)]
    });
    let rows = rows.collect();
    ctx.printer.rows(&["key", "value", "fate", "remark"], rows)?;
    ctx.printer.flush()
}

/// Whether to go on: it was said in the call, or is said on the terminal.
fn confirmed(ours: &Ours, question: &str) -> Result<()> {
    if ours.yes || host::confirmed(question)? {
        return Ok(());
    }
    Err(Failure::new(exit::UNCONFIRMED, "migrate: nothing was changed; say --yes to do it"))
}

/// In an ensemble the others have to be a quorum while this one is away.
fn may_stop(ctx: &Context<'_>, address: &str, ours: &Ours) -> Result<()> {
    if ours.force {
        return Ok(());
    }
    let (safe, reason) = crate::safe::of_server(ctx, address)?;
    if safe {
        return Ok(());
    }
    let what = format!("migrate: {address} may not be stopped now: {reason}; wait, or say --force");
    Err(Failure::new(exit::NO, what))
}

fn from(ctx: &mut Context<'_>, args: &From) -> Result<()> {
    let ours = &args.ours;
    let source = Source::read(&args.conf)?;
    let plan = planned(&source, ours)?;
    show(ctx, &plan)?;
    for remark in source.remarks() {
        eprintln!("zkctl: {remark}");
    }
    let before = told(&source.address);
    if !ctx.printer.json() {
        match &before {
            Some(told) => eprintln!("zkctl: {} serves now ({})", source.address, told.mode),
            None => eprintln!("zkctl: {} does not serve now", source.address),
        }
    }
    if plan.stops() {
        let what = "migrate: settings are not supported, see the table; nothing was changed";
        return Err(Failure::new(exit::NO, what));
    }
    if ours.dry_run {
        return Ok(());
    }
    confirmed(ours, &format!("stop {} and start zk-agent in its place?", source.address))?;
    if before.is_some() {
        may_stop(ctx, &source.address, ours)?;
    }
    steps::forth(ctx, &source, &plan, ours, &args.conf, before.as_ref())
}

fn back(ctx: &mut Context<'_>, args: &Back) -> Result<()> {
    let ours = &args.ours;
    let conf = steps::origin(&ours.to)?;
    let source = Source::read(&conf)?;
    let before = told(&source.address);
    let aside = source.data.join("version-2");
    let rows = vec![
        vec![json!("export"), json!(ours.data_dir), json!(aside)],
        vec![json!("moved aside"), json!(aside), json!(format!("{}.DATE", aside.display()))],
    ];
    ctx.printer.rows(&["what", "from", "to"], rows)?;
    ctx.printer.flush()?;
    if ours.dry_run {
        return Ok(());
    }
    confirmed(ours, &format!("stop zk-agent and start {} again?", conf.display()))?;
    if before.is_some() {
        may_stop(ctx, &source.address, ours)?;
    }
    steps::back(ctx, &source, ours, before.as_ref())
}

/// migrate
pub fn run(ctx: &mut Context<'_>, command: &MigrateCommand) -> Result<()> {
    match command {
        MigrateCommand::FromZookeeper(args) => from(ctx, args),
        MigrateCommand::BackToZookeeper(args) => back(ctx, args),
    }
}
