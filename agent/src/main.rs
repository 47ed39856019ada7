//! The daemon's entry: reads the command line and gives the exit code.

use std::io::Write;
use std::process::ExitCode;

use zk_agent::cli::{self, Command};
use zk_agent::report;

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
        Command::Run { .. } | Command::Tool(..) => refuse("this build has no core yet"),
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
