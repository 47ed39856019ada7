//! The command line for ZooKeeper-compatible servers.
//!
//! One call, one answer: a table for people, plain lines or JSON for programs, and an exit code that
//! says what happened. Talks to servers through the client library; what a server says of itself it
//! asks by four-letter words. Never writes where it was not told to, and deletes much only when
//! somebody said yes.
#![forbid(unsafe_code)]

mod failure;
mod host;
mod words;
mod output;
mod encoding;
mod acls;
mod progress;
mod fourletter;
mod conn;
mod context;
mod walk;
mod node;
mod acl;
mod quota;
mod list;
mod follow;
mod batch;
mod subtree;
mod copy;
mod cluster;
mod health;
mod quorum;
mod safe;
mod setup;
mod demo;
mod migrate;
mod top;
mod recipes;
mod bench;
mod manual;
mod args;
mod run;
mod shell;
mod zkcli;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;

use args::{Cli, double_dash, limit};
use context::Context;
use failure::{Failure, Result};
use output::{Output, Printer};

fn main() -> ExitCode {
    let words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let (words, zkcli_words) = match args::split_zkcli(&words) {
        Some((globals, words)) => (globals, Some(words)),
        None => (double_dash(words), None),
    };
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody is left to be told when this cannot be printed.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(failure::exit::USAGE));
        }
    };
    let mut out = std::io::BufWriter::with_capacity(64 << 10, std::io::stdout());
    let done = match zkcli_words {
        None => call(&cli, &mut out),
        Some(words) => cli
            .globals
            .target()
            .and_then(|target| zkcli::run(zkcli::Call { target, words }, &mut out)),
    };
    let done = done.and(out.flush().map_err(Failure::from));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.what.is_empty() {
                eprintln!("zkctl: {failure}");
            }
            ExitCode::from(failure.exit)
        }
    }
}

fn call(cli: &Cli, out: &mut dyn Write) -> Result<()> {
    let command = match &cli.command {
        Some(command) => command.clone(),
        None => run::default_command()?,
    };
    let stop = Arc::new(AtomicBool::new(false));
    if run::is_long(&command) {
        listen(&stop)?;
    }
    let usual = if std::io::stdout().is_terminal() { Output::Table } else { Output::Plain };
    let printer = Printer::new(cli.globals.output.unwrap_or(usual), out);
    let limit = limit(cli.globals.timeout)?;
    let mut ctx = Context::new(cli.globals.target()?, limit, printer, stop);
    let done = run::run(&mut ctx, &command);
    // What the command says comes first; a session that does not end in order is told when nothing
    // else was.
    let closed = ctx.close();
    done.and(closed)
}

/// Has SIGINT and SIGTERM asked for an end in order; the second one ends at once.
fn listen(stop: &Arc<AtomicBool>) -> Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::flag::{register, register_conditional_shutdown};
    for signal in [SIGINT, SIGTERM] {
        let code = i32::from(failure::exit::INTERRUPTED);
        register_conditional_shutdown(signal, code, Arc::clone(stop))
            .and_then(|_| register(signal, Arc::clone(stop)))
            .map_err(|error| Failure::new(failure::exit::FAILED, format!("signals: {error}")))?;
    }
    Ok(())
}
