//! lock and elect: run a command while this session holds a lock, or leads.
//!
//! Each who wants puts an ephemeral sequential znode below the path; the lowest number holds, every
//! other watches the one just before it, so that an end wakes one waiter and not all. Names carry
//! the session's id, so that a create whose answer was lost is found again.
//!
//! What holds: two sessions never have the lowest number at once. What does not: a command that was
//! stopped for longer than the session timeout may go on for a moment while another has begun. The
//! fencing token, which grows from holder to holder, is there for that: `ZKCTL_TOKEN`.

use std::process::{Child, Command, ExitStatus};
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use zk_wire::Acl;
use zkclient::calls::Mode;

use crate::conn::Conn;
use crate::context::{Context, child};
use crate::failure::{Failure, Result, exit};
use crate::follow::event_until;
use crate::node::create_parents;

/// How long a command may take to end after SIGTERM before it gets SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Runs a command while holding a lock; ends with its exit code.
#[derive(Clone, Debug, clap::Args)]
pub struct Lock {
    /// The znode of the lock; it is created when it is missing
    pub path: String,
    /// Give up at once when somebody else holds it
    #[arg(long)]
    pub try_once: bool,
    /// The command; it finds ZKCTL_LOCK and ZKCTL_TOKEN
    #[arg(last = true, required = true)]
    pub command: Vec<String>,
}

/// Runs a command while leading; ends with its exit code.
#[derive(Clone, Debug, clap::Args)]
pub struct Elect {
    /// The znode of the election; it is created when it is missing
    pub path: String,
    /// What others see of the leader; this host's name and process without it
    #[arg(long, value_name = "TEXT")]
    pub value: Option<String>,
    /// Print who leads, and do not stand
    #[arg(long, conflicts_with = "command")]
    pub who: bool,
    /// The command; it finds ZKCTL_ELECTION and ZKCTL_TOKEN
    #[arg(last = true, required_unless_present = "who")]
    pub command: Vec<String>,
}

/// A place in the row.
struct Place<'a> {
    conn: &'a Conn,
    root: String,
    /// The full path of our znode.
    path: String,
    /// Its czxid: who comes later has a larger one.
    token: i64,
}

/// The number behind a name; what has none is not of us.
fn number(name: &str) -> Option<u64> {
    let at = name.len().checked_sub(10)?;
    name.get(at..)?.parse().ok()
}

/// Names by their numbers.
fn row(names: Vec<String>) -> Vec<String> {
    let mut row: Vec<(u64, String)> =
        names.into_iter().filter_map(|name| Some((number(&name)?, name))).collect();
    row.sort();
    row.into_iter().map(|(_, name)| name).collect()
}

impl<'a> Place<'a> {
    /// Stands in the row.
    fn take(conn: &'a Conn, root: &str, data: &[u8]) -> Result<Place<'a>> {
        create_parents(conn, &format!("{root}/x"))?;
        let name = format!("{root}/zkctl-{:016x}-", conn.id());
        let path = conn.create(&name, Some(data), &Acl::open(), Mode::EphemeralSequential)?;
        let token = conn.stat(&path)?.czxid;
        Ok(Place { conn, root: root.to_owned(), path, token })
    }

    /// Waits until nobody stands before us; false when the deadline came first.
    fn wait(&self, ctx: &Context<'_>, deadline: Option<Instant>) -> Result<bool> {
        let own = zk_wire::path::name(&self.path);
        loop {
            let row = row(self.conn.children(&self.root, false)?.0);
            let Some(at) = row.iter().position(|name| name == own) else {
                let what = format!("{}: somebody deleted it while we waited", self.path);
                return Err(Failure::new(exit::FAILED, what));
            };
            let Some(before) = at.checked_sub(1) else { return Ok(true) };
            let before = child(&self.root, &row[before]);
            if self.conn.exists(&before, true)?.is_some() && !event_until(ctx, self.conn, deadline)?
            {
                return Ok(false);
            }
        }
    }

    /// Leaves the row.
    fn leave(&self) -> Result<()> {
        match self.conn.delete(&self.path, -1) {
            Err(failure) if !failure.is_no_node() => Err(failure),
            _ => Ok(()),
        }
    }
}

fn spawn(command: &[String], envs: &[(&str, String)]) -> Result<Child> {
    let mut process = Command::new(&command[0]);
    process.args(&command[1..]).envs(envs.iter().map(|(name, value)| (name, value)));
    process.spawn().map_err(|error| {
        let code = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
        Failure::new(code, format!("command {:?}: {error}", command[0]))
    })
}

/// Asks a command to end, and ends it when it does not.
fn end(child: &mut Child) -> Result<ExitStatus> {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id fits"));
    // It may have ended by itself just now.
    let _ = kill(pid, Signal::SIGTERM);
    let deadline = Instant::now() + GRACE;
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(status),
            None if Instant::now() >= deadline => {
                let _ = child.kill();
                return Ok(child.wait()?);
            }
            None => std::thread::sleep(LOOK),
        }
    }
}

/// Runs a command as long as our znode is there.
fn run(ctx: &Context<'_>, place: &Place<'_>, mut child: Child) -> Result<ExitStatus> {
    // The event of its end may not come when the connection hangs, so that it is also looked at.
    place.conn.exists(&place.path, true)?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if ctx.go_on().is_err() {
            return end(&mut child);
        }
        let lost = match place.conn.next_event(LOOK) {
            Ok(None) => continue,
            Ok(Some(_)) => match place.conn.exists(&place.path, true) {
                Ok(Some(_)) => continue,
                Ok(None) => Failure::new(exit::FAILED, "somebody deleted its znode"),
                Err(failure) => failure,
            },
            Err(failure) => failure,
        };
        end(&mut child)?;
        let what = format!("{}: lost, the command was ended: {lost}", place.root);
        return Err(Failure { what, ..lost });
    }
}

/// The exit code of a command, as a shell has it.
fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code & 0xff).expect("masked to a byte")
}

/// Takes a place, waits, runs, leaves.
fn hold(
    ctx: &mut Context<'_>,
    conn: &Rc<Conn>,
    root: &str,
    data: &[u8],
    deadline: Option<Instant>,
    command: (&[String], &'static str),
) -> Result<()> {
    let place = Place::take(conn, root, data)?;
    match place.wait(ctx, deadline) {
        Ok(true) => {}
        Ok(false) => {
            place.leave()?;
            let what = format!("{root}: others hold it; wait longer by --timeout");
            return Err(Failure::new(exit::TIMEOUT, what));
        }
        Err(failure) => {
            // The failure tells more than that of leaving would.
            let _ = place.leave();
            return Err(failure);
        }
    }
    let envs = [(command.1, place.path.clone()), ("ZKCTL_TOKEN", place.token.to_string())];
    let ran = spawn(command.0, &envs).and_then(|child| run(ctx, &place, child));
    let left = place.leave();
    let status = ran?;
    left?;
    match code(status) {
        0 => Ok(()),
        code => Err(Failure::new(code, "")),
    }
}

/// lock
pub fn lock(ctx: &mut Context<'_>, args: &Lock) -> Result<()> {
    let root = ctx.path(&args.path)?;
    let conn = ctx.conn()?;
    let deadline = match (args.try_once, ctx.limit) {
        (true, _) => Some(Instant::now()),
        (false, Some(limit)) => Some(ctx.started + limit),
        (false, None) => None,
    };
    hold(ctx, &conn, &root, b"", deadline, (&args.command, "ZKCTL_LOCK"))
}

/// elect
pub fn elect(ctx: &mut Context<'_>, args: &Elect) -> Result<()> {
    let root = ctx.path(&args.path)?;
    let conn = ctx.conn()?;
    if args.who {
        let names = row(conn.children(&root, false)?.0);
        let Some(first) = names.first() else {
            return Err(Failure::new(exit::NO, format!("elect {root}: nobody leads")));
        };
        let (data, stat) = conn.get(&child(&root, first), false)?;
        let value = String::from_utf8_lossy(&data.unwrap_or_default()).into_owned();
        return match ctx.printer.json() {
            true => ctx.printer.value(&json!({
                "leader": value, "token": stat.czxid, "standing": names.len(),
            })),
            false => ctx.printer.line(&value),
        };
    }
    let value = args.value.clone().unwrap_or_else(|| {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        format!("{}:{}", host.trim(), std::process::id())
    });
    let deadline = ctx.limit.map(|limit| ctx.started + limit);
    hold(ctx, &conn, &root, value.as_bytes(), deadline, (&args.command, "ZKCTL_ELECTION"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_is_by_number_and_not_by_name() {
        let names = ["zkctl-9-0000000002", "zkctl-1-0000000010", "other", "x-0000000001"];
        let row = row(names.map(str::to_owned).to_vec());
        assert_eq!(row, ["x-0000000001", "zkctl-9-0000000002", "zkctl-1-0000000010"]);
        assert_eq!(number("short"), None);
    }
}
