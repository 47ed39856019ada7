//! The daemon's entry: reads the command line and gives the exit code.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use zk_agent::cli::{self, Command, Tool};
use zk_agent::offline::arguments::Arguments;
use zk_agent::offline::{self, Trouble, export, snapshot};
use zk_agent::{node, report, start};

fn main() -> ExitCode {
    let command = match cli::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(mistake) => return refuse(&mistake),
    };
    match command {
        Command::Help => print(cli::HELP),
        Command::Version => print(&cli::version_line()),
        Command::CheckConfig(file) => match cli::check_config(file) {
            Ok(text) => print(&text),
            Err(refusal) => refuse(&refusal.to_string()),
        },
        Command::Run { config, overrides } => run(config, overrides),
        Command::Tool(tool, arguments) => offline(tool, arguments),
    }
}

fn run(config: Option<PathBuf>, overrides: Vec<(String, String)>) -> ExitCode {
    match start::run(&cli::source(config, overrides), node::recover) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report::say(&failure.to_string());
            ExitCode::from(failure.exit_code() as u8)
        }
    }
}

fn offline(tool: Tool, arguments: Vec<OsString>) -> ExitCode {
    let done = Arguments::parse(arguments, cli::state_dir()).and_then(|arguments| match tool {
        Tool::Export => export::export(arguments),
        Tool::Log => offline::log(arguments),
        Tool::Snapshot => snapshot::snapshot(arguments),
        Tool::Verify => offline::check(arguments),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            if let Trouble::Usage(line) | Trouble::Found(line) = &trouble {
                report::say(line);
            }
            ExitCode::from(trouble.exit_code())
        }
    }
}

/// A reader who has gone away is no error.
fn print(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn refuse(why: &str) -> ExitCode {
    report::say(why);
    ExitCode::from(78)
}
