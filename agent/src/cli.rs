//! The command line: what was asked for, and which exit code it gives.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use crate::admin::words::version;
use crate::settings::{self, Source, own_id};

/// What `--help` prints.
pub const HELP: &str = "\
zk-agent, a ZooKeeper-compatible coordination server

usage: zk-agent [--config FILE] [-Dname=value ...]
       zk-agent check-config FILE
       zk-agent reload --config FILE PID
       zk-agent backup --config FILE --to DIR [--keep N]
       zk-agent container
       zk-agent export DIR
       zk-agent log|snapshot|verify [ARGUMENTS]

Without --config it serves 127.0.0.1:2181 and keeps its data in $STATE_DIRECTORY,
$XDG_STATE_HOME/zk-agent or ~/.local/state/zk-agent.

  --config FILE    read settings from FILE, in the format of Apache's zoo.cfg
  -Dname=value     set a value that FILE doesn't set; zookeeper.name is name
  --version        print the version
  --help           print this

commands:
  container        serve with the settings of the variables ZOO_*, as in a container
  check-config     print the settings that FILE gives, and what has no effect
  reload           check FILE, and have the server PID read it again; waits until it has
  backup           write and check a copy of the data of a server that may run
  export           write an Apache snapshot into DIR, for the way back
  log              print the transaction log
  snapshot         print a snapshot
  verify           check all files of the data directory

exit codes: 0 done or stopped; 1 unexpected error; 3 data directory not accessible;
14 no port for other servers; 74 the disk failed; 78 settings or data refused
";

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve.
    Run {
        /// `--config`.
        config: Option<PathBuf>,
        /// `-D`.
        overrides: Vec<(String, String)>,
    },
    /// Look at settings.
    CheckConfig(PathBuf),
    /// Have a server read its settings again: the file, and the server's process id.
    Reload(PathBuf, i32),
    /// Serve with settings from the environment.
    Container,
    /// One of the offline tools, with its arguments.
    Tool(Tool, Vec<OsString>),
    /// `--help`.
    Help,
    /// `--version`.
    Version,
}

/// The tools that work on the data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Writes an Apache snapshot.
    Export,
    /// Prints txns.
    Log,
    /// Prints a snapshot.
    Snapshot,
    /// Checks files.
    Verify,
    /// Copies the data of a server that may run.
    Backup,
}

/// Reads the arguments behind the program's name. The error is a line for whoever typed them.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut parser = Parser::from_args(arguments);
    let (mut config, mut overrides) = (None, Vec::new());
    while let Some(argument) = parser.next().map_err(|e| e.to_string())? {
        match argument {
            Arg::Long("config") | Arg::Short('c') => {
                config = Some(PathBuf::from(parser.value().map_err(|e| e.to_string())?));
            }
            Arg::Short('D') => {
                let value = parser.value().map_err(|e| e.to_string())?;
                overrides.push(definition(&value)?);
            }
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Long("version") | Arg::Short('V') => return Ok(Command::Version),
            Arg::Value(name) if config.is_none() && overrides.is_empty() => {
                return command(&name, &mut parser);
            }
            other => return Err(format!("{}; see --help", other.unexpected())),
        }
    }
    Ok(Command::Run { config, overrides })
}

fn definition(text: &OsString) -> Result<(String, String), String> {
    let text = text.to_str().ok_or("-D wants readable text")?;
    let (name, value) = text.split_once('=').ok_or("-D wants name=value")?;
    Ok((name.trim().to_owned(), value.to_owned()))
}

fn command(name: &OsString, parser: &mut Parser) -> Result<Command, String> {
    let tool = match name.to_str() {
        Some("check-config") => {
            let file = parser.value().map_err(|_| "check-config wants a file")?;
            return match parser.next().map_err(|e| e.to_string())? {
                None => Ok(Command::CheckConfig(PathBuf::from(file))),
                Some(other) => Err(format!("{}; see --help", other.unexpected())),
            };
        }
        Some("reload") => {
            let rest = parser.raw_args().map_err(|e| e.to_string())?;
            let (file, rest) = take_config(rest.collect())?;
            let pid = rest.first().and_then(|text| text.to_str()?.parse().ok());
            return match (file, pid) {
                (Some(file), Some(pid)) if rest.len() == 1 && pid > 1 => {
                    Ok(Command::Reload(file, pid))
                }
                _ => Err("reload wants --config FILE and the server's process id".to_owned()),
            };
        }
        Some("container") => {
            return match parser.next().map_err(|e| e.to_string())? {
                None => Ok(Command::Container),
                Some(other) => Err(format!("{}; see --help", other.unexpected())),
            };
        }
        Some("export") => Tool::Export,
        Some("log") => Tool::Log,
        Some("snapshot") => Tool::Snapshot,
        Some("verify") => Tool::Verify,
        Some("backup") => Tool::Backup,
        _ => {
            let name = name.to_string_lossy();
            return Err(format!("no command {name:?}; a file of settings goes behind --config"));
        }
    };
    let rest = parser.raw_args().map_err(|e| e.to_string())?;
    Ok(Command::Tool(tool, rest.collect()))
}

/// Takes `--config FILE` out of the arguments of a tool. The error is a line for whoever typed them.
pub fn take_config(arguments: Vec<OsString>) -> Result<(Option<PathBuf>, Vec<OsString>), String> {
    let (mut file, mut rest) = (None, Vec::new());
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            let value = arguments.next().ok_or("--config wants a file")?;
            file = Some(PathBuf::from(value));
        } else {
            rest.push(argument);
        }
    }
    Ok((file, rest))
}

/// Everything that settings come from: the file, `-D`, and Java's flags in the environment.
pub fn source(config: Option<PathBuf>, mut overrides: Vec<(String, String)>) -> Source {
    for name in ["SERVER_JVMFLAGS", "JVMFLAGS"] {
        let flags = std::env::var(name).unwrap_or_default();
        let defined = flags.split_whitespace().filter_map(|flag| flag.strip_prefix("-D"));
        let pairs = defined.filter_map(|text| text.split_once('='));
        overrides.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let own_addresses = Some(own_id::own_addresses as fn() -> _);
    Source { file: config, overrides, state_dir: state_dir(), credentials, own_addresses }
}

/// Where a server without a file keeps its data.
fn state_dir() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(list) = variable("STATE_DIRECTORY") {
        return std::env::split_paths(&list).next();
    }
    if let Some(home) = variable("XDG_STATE_HOME") {
        return Some(PathBuf::from(home).join("zk-agent"));
    }
    variable("HOME").map(|home| PathBuf::from(home).join(".local/state/zk-agent"))
}

/// `reload`: what the server has changed; or why the settings are refused, by us or by it.
pub fn reload(file: PathBuf, pid: i32) -> Result<String, String> {
    // The same reason in the same words, without asking a server that serves.
    settings::load(&source(Some(file), Vec::new())).map_err(|refusal| refusal.to_string())?;
    crate::reload::ask(pid)
}

/// What `check-config` prints: the settings, then the warnings; or why they are refused.
pub fn check_config(file: PathBuf) -> Result<String, settings::Refusal> {
    let settings = settings::load(&source(Some(file), Vec::new()))?;
    let mut text = settings.to_string();
    for warning in &settings.warnings {
        text.push_str(&format!("# warning: {warning}\n"));
    }
    Ok(text)
}

/// What `--version` prints.
pub fn version_line() -> String {
    format!("zk-agent {} ({})\n", env!("CARGO_PKG_VERSION"), version())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn commands_are_read() {
        let run = |config: Option<&str>, overrides: &[(&str, &str)]| Command::Run {
            config: config.map(PathBuf::from),
            overrides: overrides.iter().map(|&(k, v)| (k.into(), v.into())).collect(),
        };
        assert_eq!(parsed(""), Ok(run(None, &[])));
        assert_eq!(parsed("--config a"), Ok(run(Some("a"), &[])));
        assert_eq!(parsed("--config=a -Dx=1 -Dy=2=3"), {
            Ok(run(Some("a"), &[("x", "1"), ("y", "2=3")]))
        });
        assert_eq!(parsed("check-config a"), Ok(Command::CheckConfig("a".into())));
        let rest = vec![OsString::from("--json"), OsString::from("dir")];
        assert_eq!(parsed("log --json dir"), Ok(Command::Tool(Tool::Log, rest)));
        assert_eq!(parsed("container"), Ok(Command::Container));
        assert_eq!(parsed("--help"), Ok(Command::Help));
        assert_eq!(parsed("-V"), Ok(Command::Version));
    }

    #[test]
    fn mistakes_are_told() {
        assert_eq!(parsed("reload --config a 12"), Ok(Command::Reload("a".into(), 12)));
        for line in [
            "reload 12",
            "reload --config a",
            "reload --config a 1",
            "--confg a",
            "zoo.cfg",
            "check-config",
            "check-config a b",
            "container a",
            "-Dx",
            "--config",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
        assert!(parsed("zoo.cfg").unwrap_err().contains("--config"));
    }
}
