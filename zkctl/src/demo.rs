//! demo: three servers of this machine's own, for whoever wants to see an ensemble.
//!
//! Settings, data, logs and ids of processes stand in one folder of the user's; the servers listen on
//! loopback only and need neither root nor systemd. What is there is used again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::context::Context;
use crate::failure::{Failure, Result, exit};
use crate::fourletter::{Answer, ask, fields};
use crate::host::{Process, agent, folder, free_ports, of_file, read, wait_for, write};

/// How long a server may take to end in order.
const END: Duration = Duration::from_secs(20);

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(2);

/// Starts, stops and shows an ensemble on this machine.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum DemoCommand {
    /// Start the servers, and wait until they serve
    Up(Up),
    /// Stop them
    Down(Down),
    /// Show them
    Status(Place),
}

/// Where a demo is.
#[derive(Clone, Debug, clap::Args)]
pub struct Place {
    /// Its folder; zk-agent/demo in $XDG_STATE_HOME or ~/.local/state
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Starts a demo.
#[derive(Clone, Debug, clap::Args)]
pub struct Up {
    #[command(flatten)]
    pub place: Place,
    /// How many servers, the first time
    #[arg(long, value_name = "N", default_value_t = 3,
        value_parser = clap::value_parser!(u16).range(1..=9))]
    pub servers: u16,
    /// The first client port, the first time; others where it or a next one is taken
    #[arg(long, value_name = "PORT", default_value_t = 2181)]
    pub port: u16,
}

/// Stops a demo.
#[derive(Clone, Debug, clap::Args)]
pub struct Down {
    #[command(flatten)]
    pub place: Place,
    /// Remove its data too
    #[arg(long)]
    pub purge: bool,
}

/// One server of a demo.
struct Node {
    id: usize,
    folder: PathBuf,
    address: String,
}

impl Place {
    fn folder(&self) -> Result<PathBuf> {
        if let Some(dir) = &self.dir {
            return std::path::absolute(dir).map_err(|error| of_file(dir, &error));
        }
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let state = variable("XDG_STATE_HOME").map(PathBuf::from);
        let state = state.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/state")));
        match state {
            Some(state) => Ok(state.join("zk-agent/demo")),
            None => Err(Failure::usage("demo: there is no $HOME; give a folder by --dir")),
        }
    }

    /// The servers that stand in the folder.
    fn nodes(&self) -> Result<Vec<Node>> {
        let top = self.folder()?;
        let mut nodes = Vec::new();
        for id in 1.. {
            let folder = top.join(id.to_string());
            let config = folder.join("zoo.cfg");
            if !config.is_file() {
                break;
            }
            let text = read(&config)?;
            let own = format!("server.{id}=");
            let client = text.lines().find_map(|line| match line.strip_prefix("clientPort=") {
                Some(port) => Some(format!("127.0.0.1:{port}")),
                None => Some(line.strip_prefix(&own)?.rsplit_once(';')?.1.to_owned()),
            });
            let address = client.ok_or_else(|| {
                let what = format!(
                    "{}: it names no client port; remove {}",
                    config.display(),
                    top.display()
                );
                Failure::new(exit::FAILED, what)
            })?;
            nodes.push(Node { id, folder, address });
        }
        Ok(nodes)
    }
}

impl Node {
    fn process(&self) -> Option<Process> {
        let text = std::fs::read_to_string(self.folder.join("pid")).ok()?;
        Process::parse(&text).filter(Process::runs)
    }

    fn mode(&self) -> Option<String> {
        match ask(&self.address, "srvr", ANSWER) {
            Answer::Text(text) => fields(&text).get("Mode").cloned(),
            _ => None,
        }
    }

    fn start(&self, agent: &Path) -> Result<()> {
        let mut command = Command::new(agent);
        command.arg("--config").arg(self.folder.join("zoo.cfg")).env_remove("NOTIFY_SOCKET");
        let process = Process::start(&mut command, &self.folder.join("log"))?;
        write(&self.folder.join("pid"), &process.line())
    }

    /// The end of its log, for an error.
    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        text.lines().last().unwrap_or("it said nothing").to_owned()
    }
}

/// Settings of so many servers, with ports of their own.
fn settings(count: usize, port: u16, top: &Path) -> Result<Vec<String>> {
    let wished: Vec<u16> = (0..count).map(|at| port.saturating_add(at as u16)).collect();
    let (clients, others) = free_ports(&wished, count * 2)?;
    let servers: Vec<String> = (0..count)
        .map(|at| {
            let (quorum, election) = (others[2 * at], others[2 * at + 1]);
            format!(
                "server.{}=127.0.0.1:{quorum}:{election}:participant;127.0.0.1:{}\n",
                at + 1,
                clients[at]
            )
        })
        .collect();
    let members = match count {
        1 => format!("clientPort={}\nclientPortAddress=127.0.0.1\n", clients[0]),
        _ => servers.concat(),
    };
    let each = (1..=count).map(|id| {
        format!(
            "# Made by zkctl demo up.\ndataDir={}\ntickTime=2000\ninitLimit=10\nsyncLimit=5\n\
             4lw.commands.whitelist=*\n{members}",
            top.join(id.to_string()).join("data").display()
        )
    });
    Ok(each.collect())
}

fn up(ctx: &mut Context<'_>, args: &Up) -> Result<()> {
    let agent = agent()?;
    let top = args.place.folder()?;
    if args.place.nodes()?.is_empty() {
        for (at, text) in settings(args.servers.into(), args.port, &top)?.iter().enumerate() {
            let id = at + 1;
            let here = top.join(id.to_string());
            folder(&here.join("data"))?;
            write(&here.join("data/myid"), &format!("{id}\n"))?;
            write(&here.join("zoo.cfg"), text)?;
        }
    }
    let nodes = args.place.nodes()?;
    for node in nodes.iter().filter(|node| node.process().is_none()) {
        node.start(&agent)?;
    }
    let limit = ctx.limit.unwrap_or(Duration::from_secs(60));
    let mut fallen = None;
    let all = wait_for(limit, || {
        fallen = nodes.iter().find(|node| node.process().is_none());
        fallen.is_some() || ctx.go_on().is_err() || nodes.iter().all(|node| node.mode().is_some())
    });
    ctx.go_on()?;
    if let Some(node) = fallen {
        let what = format!("demo: server {} has ended: {}", node.id, node.last_words());
        return Err(Failure::new(exit::FAILED, what));
    }
    if !all {
        let what =
            format!("demo: not all serve within {} s; see zkctl demo status", limit.as_secs());
        return Err(Failure::new(exit::TIMEOUT, what));
    }
    show(ctx, &nodes)?;
    if !ctx.printer.json() {
        let list: Vec<&str> = nodes.iter().map(|node| node.address.as_str()).collect();
        eprintln!("zkctl: try: zkctl -s {} create /greeting hello", list.join(","));
        eprintln!("zkctl: the end: zkctl demo down; data and logs are in {}", top.display());
    }
    Ok(())
}

fn show(ctx: &mut Context<'_>, nodes: &[Node]) -> Result<()> {
    let rows = nodes.iter().map(|node| {
        let state = match (node.process().is_some(), node.mode()) {
            (_, Some(mode)) => mode,
            (true, None) => "does not serve".to_owned(),
            (false, None) => "down".to_owned(),
        };
        vec![json!(node.id), json!(node.address), json!(state), json!(node.folder)]
    });
    let rows = rows.collect();
    ctx.printer.rows(&["id", "client", "mode", "folder"], rows)
}

fn down(args: &Down) -> Result<()> {
    let nodes = args.place.nodes()?;
    // All at once: each would wait for the others to keep a quorum.
    std::thread::scope(|scope| {
        for process in nodes.iter().filter_map(Node::process) {
            scope.spawn(move || process.end(END));
        }
    });
    if let Some(node) = nodes.iter().find(|node| node.process().is_some()) {
        let what = format!("demo: server {} does not end; see {}", node.id, node.folder.display());
        return Err(Failure::new(exit::FAILED, what));
    }
    if args.purge {
        // The folders of the servers only: the one above may be the user's own.
        for node in &nodes {
            std::fs::remove_dir_all(&node.folder).map_err(|e| of_file(&node.folder, &e))?;
        }
    }
    Ok(())
}

/// demo
pub fn run(ctx: &mut Context<'_>, command: &DemoCommand) -> Result<()> {
    match command {
        DemoCommand::Up(args) => up(ctx, args),
        DemoCommand::Down(args) => down(args),
        DemoCommand::Status(place) => {
            let nodes = place.nodes()?;
            show(ctx, &nodes)?;
            match nodes.iter().all(|node| node.mode().is_some()) && !nodes.is_empty() {
                true => Ok(()),
                false => Err(Failure::new(exit::NO, "demo: it is not up; zkctl demo up starts it")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_name_all_servers_at_different_ports() {
        let all = settings(3, 0, Path::new("/d")).unwrap();
        assert_eq!(all.len(), 3);
        assert!(all[2].contains("dataDir=/d/3/data\n"), "{}", all[2]);
        assert_eq!(all[0].matches(":participant;127.0.0.1:").count(), 3, "{}", all[0]);
        let alone = settings(1, 0, Path::new("/d")).unwrap();
        assert!(alone[0].contains("clientPort=") && !alone[0].contains("server."));
    }
}
