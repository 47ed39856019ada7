//! The command line for ZooKeeper-compatible servers.
//!
//! One call, one answer: plain text for people, JSON for programs, and an exit code that says what
//! happened. Talks to servers through the client library only.
#![forbid(unsafe_code)]

mod args;
mod output;
mod commands;

use std::process::ExitCode;

fn main() -> ExitCode {
    let call = match args::parse(std::env::args().skip(1)) {
        Ok(call) => call,
        Err(args::Stop::Help) => {
            print!("{}", args::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(args::Stop::Bad(what)) => {
            eprintln!("zkctl: {what}; see zkctl --help");
            return ExitCode::from(commands::EXIT_USAGE);
        }
    };
    match commands::run(&call) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("zkctl: {}", failure.what);
            ExitCode::from(failure.exit)
        }
    }
}
