//! From a command to the room that does it.

use std::io::IsTerminal;

use serde_json::json;

use crate::args::Command;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::{
    acl, batch, bench, cluster, copy, demo, follow, health, list, manual, migrate, node, quota,
    recipes, safe, setup, shell, top,
};

/// Does a command. Those of the shell alone are a wrong call here.
pub fn run(ctx: &mut Context<'_>, command: &Command) -> Result<()> {
    match command {
        Command::Ls(args) => list::ls(ctx, args),
        Command::Tree(args) => list::tree(ctx, args),
        Command::Find(args) => list::find(ctx, args),
        Command::Get(args) => node::get(ctx, args),
        Command::Set(args) => node::set(ctx, args),
        Command::Create(args) => node::create(ctx, args),
        Command::Rm(args) => node::rm(ctx, args),
        Command::Stat(args) => node::stat(ctx, args),
        Command::Acl(args) => acl::run(ctx, args),
        Command::Quota(args) => quota::run(ctx, args),
        Command::Watch(args) => follow::watch(ctx, args),
        Command::Wait(args) if args.quorum || args.synced => health::wait(ctx, args.synced),
        Command::Wait(args) => follow::wait(ctx, args),
        Command::Multi(args) => batch::multi(ctx, args),
        Command::Export(args) => copy::export(ctx, args),
        Command::Import(args) => copy::import(ctx, args),
        Command::Cp(args) => copy::cp(ctx, args),
        Command::Mv(args) => copy::mv(ctx, args),
        Command::Diff(args) => copy::diff(ctx, args),
        Command::Du(args) => list::du(ctx, args),
        Command::Sessions(args) => cluster::sessions(ctx, args),
        Command::Ephemerals(args) => list::ephemerals(ctx, args),
        Command::Lock(args) => recipes::lock(ctx, args),
        Command::Elect(args) => recipes::elect(ctx, args),
        Command::Health(args) => health::health(ctx, args),
        Command::Cluster(command) => setup::run(ctx, command),
        Command::Demo(command) => demo::run(ctx, command),
        Command::Migrate(command) => migrate::run(ctx, command),
        Command::SafeToStop(args) => safe::safe_to_stop(ctx, args),
        Command::Members => cluster::members(ctx),
        Command::Reconfig(args) => cluster::reconfig(ctx, args),
        Command::Config(args) => cluster::config(ctx, args),
        Command::Top(args) => top::top(ctx, args),
        Command::Bench(args) => bench::bench(ctx, args),
        Command::Word(args) => cluster::word(ctx, args),
        Command::Srvr => cluster::word(ctx, &cluster::Word { word: "srvr".to_owned() }),
        Command::Completions(args) => manual::completions(ctx, args),
        Command::Man => manual::man(ctx),
        Command::Shell => shell::shell(ctx),
        other => run_zkcli(ctx, other),
    }
}

/// Those that stand in the table for the sake of zkCli's names.
fn run_zkcli(ctx: &mut Context<'_>, command: &Command) -> Result<()> {
    match command {
        Command::Sync(args) => {
            let path = ctx.path(&args.path)?;
            ctx.conn()?.sync(&path)
        }
        Command::Whoami => acl::who_am_i(ctx),
        Command::Version => ctx.printer.list(vec![json!(env!("CARGO_PKG_VERSION"))]),
        Command::Delete(args) => node::delete(ctx, args),
        Command::Deleteall(args) => {
            let all = node::Rm {
                paths: vec![args.path.clone()],
                recursive: true,
                version: -1,
                yes: true,
                limit: 0,
                dry_run: false,
            };
            node::rm(ctx, &all)
        }
        Command::GetAcl(args) => acl::get(ctx, args),
        Command::SetAcl(args) => acl::set(ctx, args),
        Command::Setquota(args) => quota::set(ctx, args),
        Command::Listquota(args) => quota::list(ctx, args),
        Command::Delquota(args) => quota::del(ctx, args),
        Command::GetEphemerals(args) => {
            let path = ctx.path(&args.path)?;
            let list = ctx.conn()?.ephemerals(&path)?;
            ctx.printer.list(list.into_iter().map(|path| json!(path)).collect())
        }
        Command::GetAllChildrenNumber(args) => {
            let path = ctx.path(&args.path)?;
            let count = ctx.conn()?.all_children_number(&path)?;
            ctx.printer.list(vec![json!(count)])
        }
        Command::Addauth(args) => acl::add_auth(ctx, args),
        Command::AddWatch(args) => follow::add_watch(ctx, args),
        Command::Removewatches(args) => follow::remove_watches(ctx, args),
        Command::Close => ctx.close(),
        Command::Quit => Ok(()),
        _ => Err(Failure::usage("this is a command of the shell; begin it by zkctl shell")),
    }
}

/// Whether a command may go on for long, so that it must end in order when it is interrupted. All
/// others end at once by the signal itself.
pub fn is_long(command: &Command) -> bool {
    matches!(
        command,
        Command::Rm(_)
            | Command::Find(_)
            | Command::Tree(_)
            | Command::Du(_)
            | Command::Ephemerals(_)
            | Command::Watch(_)
            | Command::Wait(_)
            | Command::Export(_)
            | Command::Import(_)
            | Command::Cp(_)
            | Command::Mv(_)
            | Command::Diff(_)
            | Command::Lock(_)
            | Command::Elect(_)
            | Command::Top(_)
            | Command::SafeToStop(_)
            | Command::Demo(_)
            | Command::Bench(_)
            | Command::Shell
            | Command::Deleteall(_)
    )
}

/// What is meant when no command was given: the shell, if people are there.
pub fn default_command() -> Result<Command> {
    match std::io::stdin().is_terminal() {
        true => Ok(Command::Shell),
        false => Err(Failure::usage("no command; see zkctl --help, or begin zkctl shell")),
    }
}
