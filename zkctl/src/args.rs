//! What was asked for: options of the call and the table of commands.
//!
//! Help, completions, the man page and the words that the shell knows all come from this table.

use clap::{Parser, Subcommand};

use crate::conn::Target;
use crate::failure::{EXIT_CODES, Failure, Result};
use crate::output::Output;
use crate::{
    acl, batch, bench, cluster, copy, demo, follow, health, list, manual, migrate, node, quota,
    recipes, safe, setup, top,
};

/// The command line for ZooKeeper servers.
#[derive(Clone, Debug, Parser)]
#[command(name = "zkctl", version, about, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// A line of the shell: the same commands without the program's name.
#[derive(Clone, Debug, Parser)]
#[command(name = "", no_binary_name = true, disable_version_flag = true, max_term_width = 100)]
pub struct Line {
    /// How answers look
    #[arg(short = 'o', long, value_enum, global = true)]
    pub output: Option<Output>,
    /// Seconds that the command may take
    #[arg(long, value_name = "SECONDS", global = true)]
    pub timeout: Option<f64>,
    #[command(subcommand)]
    pub command: Command,
}

/// Which program's output is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Our own.
    Zkctl,
    /// That of Apache's zkCli.sh, to the byte; commands are then read as it reads them.
    Zkcli,
}

/// Options that stand before or behind any command.
#[derive(Clone, Debug, clap::Args)]
pub struct Globals {
    /// The servers: host:port,...
    #[arg(
        short = 's',
        long = "servers",
        alias = "server",
        env = "ZKCTL_SERVERS",
        default_value = SERVERS,
        value_name = "SERVERS"
    )]
    pub servers: String,
    /// How answers look; a table on a terminal, else plain
    #[arg(short = 'o', long, value_enum, global = true)]
    pub output: Option<Output>,
    /// Seconds that the command may take; for watch, wait, lock and elect no limit without it
    #[arg(long, value_name = "SECONDS", global = true)]
    pub timeout: Option<f64>,
    /// The session timeout to ask for
    #[arg(long, value_name = "MS", default_value_t = 30_000,
        value_parser = clap::value_parser!(i32).range(1..))]
    pub session_timeout: i32,
    /// An identity, SCHEME:AUTH; for digest digest:user:password, or digest:@FILE to keep the
    /// password out of the list of processes
    #[arg(long, value_name = "SCHEME:AUTH", env = "ZKCTL_AUTH", hide_env_values = true)]
    pub auth: Vec<String>,
    /// zkcli: commands and output as those of Apache's zkCli.sh
    #[arg(long, value_enum, default_value = "zkctl", value_name = "PROGRAM")]
    pub format: Format,
}

/// Where servers are when nobody says.
const SERVERS: &str = "localhost:2181";

/// Seconds that a call may take when no limit was given.
const CALL_SECONDS: f64 = 10.0;

/// Longest limit, in seconds: a year.
const LIMIT_SECONDS_MAX: f64 = 31_536_000.0;

/// A limit as a duration.
pub fn limit(seconds: Option<f64>) -> Result<Option<std::time::Duration>> {
    match seconds {
        Some(s) if !(0.0..=LIMIT_SECONDS_MAX).contains(&s) => {
            let what = format!("--timeout {s}: seconds from 0 to {LIMIT_SECONDS_MAX}");
            Err(Failure::usage(what))
        }
        seconds => Ok(seconds.map(std::time::Duration::from_secs_f64)),
    }
}

impl Globals {
    /// What sessions are opened with.
    pub fn target(&self) -> Result<Target> {
        let seconds = self.timeout.unwrap_or(CALL_SECONDS).clamp(0.001, LIMIT_SECONDS_MAX);
        Ok(Target {
            // A variable that is set to nothing says nothing.
            servers: match self.servers.trim() {
                "" => SERVERS.to_owned(),
                servers => servers.to_owned(),
            },
            session_timeout_ms: self.session_timeout,
            call_timeout_ms: (seconds * 1000.0) as u64,
            auth: self.auth.iter().map(|text| identity(text)).collect::<Result<_>>()?,
        })
    }
}

/// Reads `scheme:auth`, and the file of `scheme:@FILE`. Never repeats what it was given: it may be a
/// password.
fn identity(text: &str) -> Result<(String, Vec<u8>)> {
    let Some((scheme, proof)) = text.split_once(':') else {
        return Err(Failure::usage(
            "--auth: it does not read scheme:auth, as digest:user:password",
        ));
    };
    let proof = match proof.strip_prefix('@') {
        None => proof.as_bytes().to_vec(),
        Some(file) => {
            let mut bytes = node::read_file(file)?;
            while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                bytes.pop();
            }
            bytes
        }
    };
    Ok((scheme.to_owned(), proof))
}

/// The commands. Those of zkCli.sh have its names and options; where ours say the same in another
/// way, both are there.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// List the children of a znode
    Ls(list::Ls),
    /// Show a subtree
    Tree(list::Tree),
    /// Find znodes by name, data, kind or size
    Find(list::Find),
    /// Print the data of a znode
    Get(node::Get),
    /// Set the data of a znode
    Set(node::Set),
    /// Create a znode
    Create(node::Create),
    /// Delete znodes, with -R everything below
    Rm(node::Rm),
    /// Print the stat of a znode
    Stat(node::StatOf),
    /// Show and set ACLs
    #[command(subcommand)]
    Acl(acl::AclCommand),
    /// Show and set quotas
    #[command(subcommand)]
    Quota(quota::QuotaCommand),
    /// Follow changes below a znode
    Watch(follow::Watch),
    /// Wait until a znode is as asked, or the servers have a quorum
    Wait(follow::Wait),
    /// Do several writes from a file, all or none
    Multi(batch::Multi),
    /// Write a subtree as JSON lines
    Export(copy::Export),
    /// Create what an export has written
    Import(copy::Import),
    /// Copy a subtree, also to other servers
    Cp(copy::Copy),
    /// Move a subtree, also to other servers
    Mv(copy::Copy),
    /// Compare two subtrees, also of other servers
    Diff(copy::Diff),
    /// Add up the znodes and bytes of subtrees
    Du(list::Du),
    /// List connected sessions
    Sessions(cluster::Sessions),
    /// List ephemerals and who owns them
    Ephemerals(list::Ephemerals),
    /// Run a command while holding a lock
    Lock(recipes::Lock),
    /// Run a command while leading
    Elect(recipes::Elect),
    /// Ask each server whether it is well
    Health(health::Health),
    /// Tell whether the ensemble keeps its quorum without a server
    SafeToStop(safe::SafeToStop),
    /// Set up an ensemble, add and remove its members
    #[command(subcommand)]
    Cluster(setup::ClusterCommand),
    /// Run an ensemble on this machine, to try things
    #[command(subcommand)]
    Demo(demo::DemoCommand),
    /// Take over from Apache's server on this machine, and go back
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    /// List the members of the ensemble
    Members,
    /// Change the members of the ensemble
    Reconfig(cluster::Reconfig),
    /// Print the configuration of the ensemble
    Config(cluster::Config),
    /// Show what the servers are doing, again and again
    Top(top::Top),
    /// Measure throughput and latency
    Bench(bench::Bench),
    /// Send a four-letter word
    Word(cluster::Word),
    /// Print what the servers say of themselves: word srvr
    Srvr,
    /// Wait until the server has what the leader has
    Sync(node::StatOf),
    /// Print the identities of the session
    Whoami,
    /// Print the version
    Version,
    /// Print completions for a shell
    Completions(manual::Completions),
    /// Print the man page
    Man,
    /// Start the interactive shell
    Shell,
    /// Delete a znode without children
    Delete(node::Delete),
    /// Delete a znode and everything below, without a question
    Deleteall(node::StatOf),
    /// Print the ACL of a znode: acl get
    #[command(name = "getAcl")]
    GetAcl(acl::GetAcl),
    /// Set the ACL of a znode: acl set
    #[command(name = "setAcl")]
    SetAcl(acl::SetAcl),
    /// Limit a subtree: quota set
    Setquota(quota::SetQuota),
    /// Print limits and sums: quota list
    Listquota(quota::ListQuota),
    /// Remove limits: quota del
    Delquota(quota::DelQuota),
    /// List this session's ephemerals
    #[command(name = "getEphemerals")]
    GetEphemerals(OptionalPath),
    /// Print how many znodes stand below one
    #[command(name = "getAllChildrenNumber")]
    GetAllChildrenNumber(node::StatOf),
    /// Add an identity to the session
    Addauth(acl::AddAuth),
    /// Leave a watch that stays; the shell shows what it tells
    #[command(name = "addWatch")]
    AddWatch(follow::AddWatch),
    /// Remove watches of the session
    Removewatches(follow::RemoveWatches),
    /// End the session; the next command of the shell begins another
    Close,
    /// Go to other servers (shell)
    Connect(Connect),
    /// Make another znode the one that relative paths begin at (shell)
    Cd(OptionalPath),
    /// Print that znode (shell)
    Pwd,
    /// Print the last lines (shell)
    History,
    /// Do a line of the history again (shell)
    Redo(Redo),
    /// Show watch events or not: on, off (shell)
    Printwatches(Switch),
    /// Leave the shell
    #[command(alias = "exit")]
    Quit,
}

/// A path that may be left out.
#[derive(Clone, Debug, clap::Args)]
pub struct OptionalPath {
    /// The znode
    #[arg(default_value = "/")]
    pub path: String,
}

/// Where to connect.
#[derive(Clone, Debug, clap::Args)]
pub struct Connect {
    /// host:port,...; the same as before without it
    pub servers: Option<String>,
}

/// A line of the history.
#[derive(Clone, Debug, clap::Args)]
pub struct Redo {
    /// Its number
    pub number: usize,
}

/// On or off.
#[derive(Clone, Debug, clap::Args)]
pub struct Switch {
    /// on or off; prints which it is without
    #[arg(value_parser = ["on", "off"])]
    pub to: Option<String>,
}

/// Options that zkCli.sh writes with one dash and more than one letter.
pub fn double_dash(words: Vec<String>) -> Vec<String> {
    let of_reconfig = words.iter().any(|word| word == "reconfig");
    words
        .into_iter()
        .map(|word| match word.as_str() {
            "-add" | "-remove" | "-members" | "-file" if of_reconfig => format!("-{word}"),
            _ => word,
        })
        .collect()
}

/// When zkCli's commands and output are wanted: our own options, and zkCli's command behind them,
/// which clap must not read. Called by the name `zkCli.sh`, its options for the call are taken too.
pub fn split_zkcli(words: &[String]) -> Option<(Vec<String>, Vec<String>)> {
    let program = words.first()?;
    let by_name = program.rsplit('/').next().is_some_and(|name| name.starts_with("zkCli"));
    let mut wanted = by_name;
    let mut ours = vec![program.clone()];
    let mut words = words[1..].iter();
    while let Some(word) = words.as_slice().first() {
        let (name, inline) = match word.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value)),
            _ => (word.as_str(), None),
        };
        let name = match name {
            "-server" if by_name => "--servers",
            "-timeout" if by_name => "--session-timeout",
            // The connection is always waited for, and read-only servers are told by their errors.
            "-r" | "-waitforconnection" if by_name => {
                words.next();
                continue;
            }
            name => name,
        };
        if !name.starts_with('-') {
            break;
        }
        words.next();
        let has_value = matches!(
            name,
            "-s" | "--servers"
                | "--server"
                | "-o"
                | "--output"
                | "--timeout"
                | "--session-timeout"
                | "--auth"
                | "--format"
        );
        ours.push(name.to_owned());
        let value = match (inline, has_value) {
            (Some(value), _) => Some(value.to_owned()),
            (None, true) => words.next().cloned(),
            (None, false) => None,
        };
        wanted |= name == "--format" && value.as_deref() == Some("zkcli");
        ours.extend(value);
    }
    wanted.then(|| (ours, words.cloned().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(words: &[&str]) -> std::result::Result<Cli, clap::Error> {
        Cli::try_parse_from([&["zkctl"], words].concat())
    }

    #[test]
    fn the_table_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
        Line::command().debug_assert();
    }

    #[test]
    fn calls_are_understood() {
        let cli = parse(&["-s", "h:1", "get", "/a", "-o", "json"]).unwrap();
        assert_eq!((cli.globals.servers.as_str(), cli.globals.output), ("h:1", Some(Output::Json)));
        let Some(Command::Set(set)) = parse(&["set", "/a", "-v", "3", "--", "-x"]).unwrap().command
        else {
            panic!("no set")
        };
        assert_eq!((set.version, set.data.data.as_deref()), (3, Some("-x")));
        assert!(parse(&[]).unwrap().command.is_none());
        assert!(parse(&["lock", "/a", "--", "true", "-x"]).is_ok());
    }

    #[test]
    fn wrong_calls_are_refused() {
        for words in [
            &["get"][..],
            &["fly", "/a"],
            &["get", "/a", "--output", "xml"],
            &["create", "/a", "-e", "-c"],
            &["lock", "/a"],
            &["bench", "read", "--rate", "-1"],
        ] {
            assert!(parse(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn identities_are_not_repeated_in_errors() {
        assert_eq!(identity("digest:a:b").unwrap(), ("digest".to_owned(), b"a:b".to_vec()));
        assert!(!identity("secret").unwrap_err().what.contains("secret"));
    }

    #[test]
    fn commands_of_zkcli_are_left_alone() {
        let of = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            split_zkcli(&words)
        };
        let (ours, theirs) = of("zkctl -s h:1 --format zkcli get -s /a").unwrap();
        assert_eq!(ours, ["zkctl", "-s", "h:1", "--format", "zkcli"]);
        assert_eq!(theirs, ["get", "-s", "/a"]);
        let (ours, theirs) = of("/bin/zkCli.sh -server h:1 -r ls -R /").unwrap();
        assert_eq!(ours, ["/bin/zkCli.sh", "--servers", "h:1"]);
        assert_eq!(theirs, ["ls", "-R", "/"]);
        assert!(of("zkctl --format=zkcli").is_some());
        assert!(of("zkctl -s h:1 get /a --format zkcli").is_none());
    }

    #[test]
    fn options_of_zkcli_are_taken() {
        let words = ["reconfig", "-add", "x"].map(str::to_owned).to_vec();
        assert_eq!(double_dash(words), ["reconfig", "--add", "x"]);
        let words = ["set", "/a", "-add"].map(str::to_owned).to_vec();
        assert_eq!(double_dash(words)[2], "-add");
    }
}
