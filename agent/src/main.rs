//! The daemon's entry: reads the command line and gives the exit code.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use zk_agent::cli::{self, Command, Tool};
use zk_agent::disk::tools::command;
use zk_agent::{backup, container, node, report, settings, start};

// Known bugs of others are switches for the simulator: no server is built that has them.
const _: () = assert!(!zk_core::bugs::COMPILED, "build zk-agent without zk-core's feature bugs");

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
        Command::Reload(file, pid) => match cli::reload(file, pid) {
            Ok(text) => print(&text),
            Err(refusal) => refuse(&refusal),
        },
        Command::Container => run_contained(),
        Command::Run { config, overrides } => run(config, overrides),
        Command::Tool(tool, arguments) => run_tool(tool, arguments),
    }
}

fn run(config: Option<PathBuf>, overrides: Vec<(String, String)>) -> ExitCode {
    match start::run(&cli::source(config, overrides), node::recover) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report::say_failure(&failure.to_string(), failure.exit_code());
            ExitCode::from(failure.exit_code() as u8)
        }
    }
}

fn run_contained() -> ExitCode {
    // A variable that is no text is none of ours.
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let variables = std::env::vars_os().filter_map(text).collect();
    match container::prepare(&variables, &container::Host::here()) {
        Ok(prepared) => {
            prepared.remarks.iter().for_each(|remark| report::say(remark));
            run(Some(prepared.config), Vec::new())
        }
        Err(mistake) => refuse(&mistake),
    }
}

/// The tools look where a server without a file keeps its data, unless told otherwise.
fn run_tool(tool: Tool, arguments: Vec<OsString>) -> ExitCode {
    let name = match tool {
        Tool::Export => "export",
        Tool::Log => "log",
        Tool::Snapshot => "snapshot",
        Tool::Verify => "verify",
        Tool::Backup => return run_backup(arguments),
    };
    let (file, mut arguments) = match cli::take_config(arguments) {
        Ok(taken) => taken,
        Err(mistake) => return refuse(&mistake),
    };
    let named = file.is_some();
    let place = match settings::load(&cli::source(file, Vec::new())) {
        Ok(settings) => {
            let split = settings.log_dir != settings.data_dir;
            if split && matches!(tool, Tool::Export | Tool::Verify) {
                arguments.extend(["--log-dir".into(), settings.log_dir.clone().into()]);
            }
            Some(if tool == Tool::Log { settings.log_dir } else { settings.data_dir })
        }
        Err(refusal) if named => return refuse(&refusal.to_string()),
        Err(_) => None,
    };
    let mut say = |line: &str| report::say(line);
    match command::run(name, arguments, place, &mut std::io::stdout(), &mut say) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report::say(&failure.to_string());
            ExitCode::from(failure.exit_code() as u8)
        }
    }
}

fn run_backup(arguments: Vec<OsString>) -> ExitCode {
    let (file, arguments) = match cli::take_config(arguments) {
        Ok(taken) => taken,
        Err(mistake) => return refuse(&mistake),
    };
    let settings = match settings::load(&cli::source(file, Vec::new())) {
        Ok(settings) => settings,
        Err(refusal) => return refuse(&refusal.to_string()),
    };
    match backup::run(&settings, arguments, &mut |line| report::say(line)) {
        Ok(text) => print(&text),
        Err(failure) => {
            report::say(&failure.to_string());
            ExitCode::from(failure.exit_code() as u8)
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
