//! The steps of a migration, in the order in which each can be undone until the next server serves.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::plan::Plan;
use super::{Ours, Source, Told, Work, told};
use crate::context::Context;
use crate::failure::{Failure, Result, exit};
use crate::host::{self, agent, must, of_file, wait_for};

/// How long a server may take to stop, and the other one to serve.
const LIMIT: Duration = Duration::from_secs(120);

/// What is done without `--stop` and `--start`: units of Debian's package and of ours, switched off
/// and on for the next boot too. Debian's is an init script, for which `--now` does nothing.
const STOP_APACHE: &str = "systemctl stop zookeeper && systemctl disable --quiet zookeeper";
const START_APACHE: &str = "systemctl start zookeeper && systemctl enable --quiet zookeeper";
const STOP_OURS: &str = "systemctl disable --now --quiet zk-agent.service; systemctl stop zk-agent.socket 2> /dev/null; true";
const START_OURS: &str = "systemctl enable --now --quiet zk-agent.service";

/// The file beside our settings that says where they came from, for the way back.
fn origin_file(to: &Path) -> PathBuf {
    with_suffix(to, ".migrated-from")
}

/// Where the settings of Apache's server are, as the way forth wrote it down.
pub fn origin(to: &Path) -> Result<PathBuf> {
    let file = origin_file(to);
    if !file.exists() {
        let what =
            format!("migrate: {} is not there: nothing was migrated to here", file.display());
        return Err(Failure::new(exit::FAILED, what));
    }
    Ok(PathBuf::from(host::read(&file)?.trim_end()))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn shell(command: &str) -> Result<()> {
    must(Command::new("/bin/sh").args(["-c", command])).map(|_| ())
}

/// The date for names of what is moved aside.
fn stamp() -> String {
    let time = jiff::Timestamp::now().to_string();
    time.chars().filter(char::is_ascii_digit).take(14).collect()
}

fn say(ctx: &Context<'_>, what: &str) {
    if !ctx.printer.json() {
        eprintln!("zkctl: {what}");
    }
}

/// Moves what is there out of the way, within its folder. Nothing is removed.
fn aside(path: &Path, stamp: &str) -> Result<Option<PathBuf>> {
    if !path.exists() {
        return Ok(None);
    }
    let to = with_suffix(path, &format!(".{stamp}"));
    std::fs::rename(path, &to).map_err(|error| of_file(path, &error))?;
    Ok(Some(to))
}

/// Copies folders, by reference where the filesystem can.
fn copy(from: &Path, to: &Path) -> Result<()> {
    must(
        Command::new("cp")
            .args(["-a", "--reflink=auto", "--no-target-directory"])
            .arg(from)
            .arg(to),
    )
    .map(|_| ())
}

/// Gives a tree to whom a folder belongs.
fn give(tree: &Path, like: &Path) -> Result<()> {
    must(Command::new("chown").args(["-R", "-h", "--reference"]).arg(like).arg(tree)).map(|_| ())
}

fn wait_closed(address: &str) -> Result<()> {
    let closed = || {
        use std::net::ToSocketAddrs;
        let mut found = address.to_socket_addrs().into_iter().flatten();
        !found.any(|a| std::net::TcpStream::connect_timeout(&a, Duration::from_secs(1)).is_ok())
    };
    match wait_for(LIMIT, closed) {
        true => Ok(()),
        false => Err(Failure::new(exit::TIMEOUT, format!("{address}: it does not stop"))),
    }
}

fn wait_serving(address: &str) -> Result<Told> {
    let mut found = None;
    wait_for(LIMIT, || {
        found = told(address);
        found.is_some()
    });
    found.ok_or_else(|| {
        Failure::new(
            exit::TIMEOUT,
            format!("{address}: it does not serve within {} s", LIMIT.as_secs()),
        )
    })
}

/// Whether what serves now is what served before. In an ensemble others go on writing.
fn compare(before: Option<&Told>, after: &Told) -> Result<()> {
    let Some(before) = before.filter(|told| told.mode == "standalone") else { return Ok(()) };
    if before.znodes == after.znodes {
        return Ok(());
    }
    let what = format!(
        "migrate: there were {:?} znodes and are {:?}; both sides have their data still",
        before.znodes, after.znodes
    );
    Err(Failure::new(exit::FAILED, what))
}

/// What has been changed so far, newest last, as what undoes it.
#[derive(Default)]
struct Undo(Vec<Box<dyn FnOnce() -> Result<()>>>);

impl Undo {
    fn with(&mut self, step: impl FnOnce() -> Result<()> + 'static) {
        self.0.push(Box::new(step));
    }

    fn rename(&mut self, from: PathBuf, to: PathBuf) {
        self.with(move || std::fs::rename(&from, &to).map_err(|error| of_file(&from, &error)));
    }

    /// Undoes all of it; gives the failure with what became of that.
    fn because(self, failure: Failure) -> Failure {
        let undone: Result<()> = self.0.into_iter().rev().try_for_each(|step| step());
        let how = match undone {
            Ok(()) => "everything is as it was before".to_owned(),
            Err(worse) => format!("and it could not be undone: {worse}"),
        };
        Failure::new(failure.exit, format!("migrate: {failure}; {how}"))
    }
}

/// From Apache's server to ours.
pub fn forth(
    ctx: &mut Context<'_>,
    source: &Source,
    plan: &Plan,
    ours: &Ours,
    conf: &Path,
    before: Option<&Told>,
) -> Result<()> {
    let mut undo = Undo::default();
    if let Err(failure) = prepare(ctx, source, plan, ours, conf, &mut undo) {
        return Err(undo.because(failure));
    }
    say(ctx, "starts zk-agent");
    let start = ours.start.clone().unwrap_or_else(|| START_OURS.to_owned());
    let after = match shell(&start).and_then(|()| wait_serving(&source.address)) {
        Ok(after) => after,
        Err(failure) => {
            if ours.start.is_none() {
                undo.with(|| shell(STOP_OURS));
            }
            return Err(undo.because(failure));
        }
    };
    compare(before, &after)?;
    let znodes = after.znodes.map(|count| format!(", {count} znodes")).unwrap_or_default();
    say(ctx, &format!("{} serves ({}{znodes})", source.address, after.mode));
    say(ctx, "the way back: zkctl migrate back-to-zookeeper");
    Ok(())
}

/// Everything before the start: the old server down, its data and settings ours.
fn prepare(
    ctx: &Context<'_>,
    source: &Source,
    plan: &Plan,
    ours: &Ours,
    conf: &Path,
    undo: &mut Undo,
) -> Result<()> {
    let (stamp, data, to) = (stamp(), &ours.data_dir, &ours.to);
    if ours.start.is_none() {
        // The package may have started it, empty and on the same port.
        shell(STOP_OURS)?;
    }
    say(ctx, &format!("stops {}", source.address));
    if ours.stop.is_none() {
        undo.with(|| shell(START_APACHE));
    }
    shell(ours.stop.as_deref().unwrap_or(STOP_APACHE))?;
    wait_closed(&source.address)?;
    host::folder(data)?;
    for name in ["version-2", "zk-agent", "myid"] {
        let place = data.join(name);
        if let Some(moved) = aside(&place, &stamp)? {
            say(ctx, &format!("moved {} to {}", place.display(), moved.display()));
            undo.rename(moved, place);
        }
    }
    take_data(ctx, source, data, &stamp, undo)?;
    if let Some(folder) = to.parent() {
        host::folder(folder)?;
    }
    if let Some(moved) = aside(to, &stamp)? {
        say(ctx, &format!("moved {} to {}", to.display(), moved.display()));
        undo.rename(moved, to.clone());
    }
    if let (Some(path), Some(members)) = (source.dynamic_to(to), &source.found.dynamic) {
        host::write(&path, members)?;
    }
    host::write(to, &plan.text())?;
    let conf = std::path::absolute(conf).map_err(|error| of_file(conf, &error))?;
    host::write(&origin_file(to), &format!("{}\n", conf.display()))
}

/// Copies snapshots and logs, and has our server judge the copy.
fn take_data(
    ctx: &Context<'_>,
    source: &Source,
    data: &Path,
    stamp: &str,
    undo: &mut Undo,
) -> Result<()> {
    let copied = data.join("version-2");
    let aside = with_suffix(&copied, &format!(".{stamp}.failed"));
    let mut folders = vec![&source.data];
    if source.log != source.data {
        folders.push(&source.log);
    }
    for from in folders.iter().map(|folder| folder.join("version-2")).filter(|f| f.is_dir()) {
        say(ctx, &format!("copies {}", from.display()));
        copy_into(&from, &copied)?;
    }
    if let Some(id) = source.id {
        host::write(&data.join("myid"), &format!("{id}\n"))?;
        give(&data.join("myid"), data)?;
    }
    if copied.exists() {
        undo.rename(copied.clone(), aside);
        // Whoever may read the directory may read what is in it.
        give(&copied, data)?;
        must(Command::new(agent()?).arg("verify").arg(data))?;
        say(ctx, "all files of the copy are good: checksums, txns and digests");
    }
    Ok(())
}

/// Copies the files of a folder into another, which may hold those of the other directory already.
fn copy_into(from: &Path, to: &Path) -> Result<()> {
    if !to.exists() {
        return copy(from, to);
    }
    let entries = std::fs::read_dir(from).map_err(|error| of_file(from, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| of_file(from, &error))?;
        let place = to.join(entry.file_name());
        if !place.exists() {
            copy(&entry.path(), &place)?;
        }
    }
    Ok(())
}

/// From ours to Apache's.
pub fn back(
    ctx: &mut Context<'_>,
    source: &Source,
    ours: &Ours,
    before: Option<&Told>,
) -> Result<()> {
    let mut undo = Undo::default();
    if let Err(failure) = give_back(ctx, source, ours, &mut undo) {
        return Err(undo.because(failure));
    }
    say(ctx, "starts Apache's server");
    let start = ours.start.clone().unwrap_or_else(|| START_APACHE.to_owned());
    let after = match shell(&start).and_then(|()| wait_serving(&source.address)) {
        Ok(after) => after,
        Err(failure) => {
            if ours.start.is_none() {
                undo.with(|| shell(STOP_APACHE));
            }
            return Err(undo.because(failure));
        }
    };
    compare(before, &after)?;
    let znodes = after.znodes.map(|count| format!(", {count} znodes")).unwrap_or_default();
    say(ctx, &format!("{} serves ({}{znodes})", source.address, after.mode));
    Ok(())
}

fn give_back(ctx: &Context<'_>, source: &Source, ours: &Ours, undo: &mut Undo) -> Result<()> {
    let stamp = stamp();
    say(ctx, &format!("stops zk-agent at {}", source.address));
    if ours.stop.is_none() {
        undo.with(|| shell(START_OURS));
    }
    shell(ours.stop.as_deref().unwrap_or(STOP_OURS))?;
    wait_closed(&source.address)?;
    // With what is left in it at the end: of a member's export the myid, which Apache's server has.
    let work = Work(source.data.join(format!("zk-agent-export.{stamp}")));
    host::folder(&work.0)?;
    let exported =
        Command::new(agent()?).arg("export").arg("--config").arg(&ours.to).arg(&work.0).output();
    let exported =
        exported.map_err(|error| Failure::new(exit::FAILED, format!("export: {error}")))?;
    if !exported.status.success() {
        let why = String::from_utf8_lossy(&exported.stderr).trim().to_owned();
        return Err(Failure::new(exit::FAILED, format!("export: {why}")));
    }
    for folder in [&source.data, &source.log] {
        let place = folder.join("version-2");
        if let Some(moved) = aside(&place, &stamp)? {
            say(ctx, &format!("moved {} to {}", place.display(), moved.display()));
            undo.rename(moved, place);
        }
    }
    let fresh = source.data.join("version-2");
    let made = work.0.join("version-2");
    std::fs::rename(&made, &fresh).map_err(|error| of_file(&made, &error))?;
    undo.rename(fresh.clone(), with_suffix(&fresh, &format!(".{stamp}.failed")));
    if source.log != source.data {
        let logs = source.log.join("version-2");
        host::folder(&logs)?;
        let entries = std::fs::read_dir(&fresh).map_err(|error| of_file(&fresh, &error))?;
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with("log.") {
                let to = logs.join(entry.file_name());
                must(Command::new("mv").arg("--").arg(entry.path()).arg(&to))?;
            }
        }
        give(&logs, &source.log)?;
    }
    let owner = std::fs::metadata(&source.data).map_err(|error| of_file(&source.data, &error))?;
    say(ctx, &format!("gives the data to user {}", owner.uid()));
    give(&fresh, &source.data)
}
