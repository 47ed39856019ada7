//! lock and elect: run a command while this session holds a lock, or leads.
//!
//! The waiting is the library's: its recipes, which all its users share. Here is what a command line
//! needs beside that: the command ends when the lock is lost, the lock is released when the command
//! has ended, and an interrupt ends both.
//!
//! What holds: two sessions never hold it at once. What does not: a command that was stopped for
//! longer than the session timeout may go on for a moment while another has begun. The fencing
//! token, which grows from holder to holder, is there for that: `ZKCTL_TOKEN`.

use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use zkclient::recipes::{self, Held, Holding, Leader};

use crate::conn::Conn;
use crate::context::Context;
use crate::failure::{Failure, Result, exit};

/// Candidates of an election that are looked at, to be counted.
const CANDIDATES_MAX: usize = 1000;

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

/// What was won.
enum Won {
    Lock(Held),
    Lead(Leader),
}

impl Won {
    fn token(&self) -> i64 {
        match self {
            Won::Lock(held) => held.token(),
            Won::Lead(leader) => leader.term(),
        }
    }

    fn holding(&self) -> Holding {
        match self {
            Won::Lock(held) => held.holding(),
            Won::Lead(leader) => leader.holding(),
        }
    }

    fn release(self, root: &str) -> Result<()> {
        let released = match self {
            Won::Lock(held) => held.release(),
            Won::Lead(leader) => leader.resign(),
        };
        released.map_err(|error| Failure::of("release", root, &error))
    }
}

/// Waits for what `win` waits for, and for an interrupt: that ends the session, and so the waiting.
fn wait(
    ctx: &Context<'_>,
    conn: &Conn,
    root: &str,
    win: impl FnOnce() -> zkclient::Result<Option<Won>> + Send,
) -> Result<Won> {
    let (tell, told) = channel();
    std::thread::scope(|scope| {
        // Nobody listens any more when the session was ended.
        scope.spawn(move || drop(tell.send(win())));
        loop {
            match told.recv_timeout(LOOK) {
                Ok(Ok(Some(won))) => return Ok(won),
                Ok(Ok(None)) => {
                    let what = format!("{root}: others hold it; wait longer by --timeout");
                    return Err(Failure::new(exit::TIMEOUT, what));
                }
                Ok(Err(error)) => return Err(Failure::of("acquire", root, &error)),
                Err(_) => ctx.go_on().inspect_err(|_| drop(conn.client().close()))?,
            }
        }
    })
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

/// Runs a command as long as it is certain that nobody else holds what we do.
fn run(
    ctx: &Context<'_>,
    conn: &Conn,
    root: &str,
    won: &Won,
    mut child: Child,
) -> Result<ExitStatus> {
    // The server ends a session that it has not heard of for the timeout; a client notices the loss
    // of a connection after two thirds of that.
    let bearable = Duration::from_millis(conn.session_timeout_ms()) / 3;
    let mut suspect: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if ctx.go_on().is_err() {
            return end(&mut child);
        }
        let lost = match won.holding() {
            Holding::Held => {
                suspect = None;
                false
            }
            Holding::Suspect => suspect.get_or_insert_with(Instant::now).elapsed() >= bearable,
            Holding::Lost => true,
        };
        if lost {
            end(&mut child)?;
            let what = format!("{root}: lost, the command was ended; is the server well?");
            return Err(Failure::new(exit::FAILED, what));
        }
        std::thread::sleep(LOOK);
    }
}

/// The exit code of a command, as a shell has it.
fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code & 0xff).expect("masked to a byte")
}

/// Runs a command while holding what was won, and releases it.
fn hold(
    ctx: &Context<'_>,
    conn: &Conn,
    root: &str,
    won: Won,
    command: &[String],
    name: (&str, String),
) -> Result<()> {
    let envs = [name, ("ZKCTL_TOKEN", won.token().to_string())];
    let ran = spawn(command, &envs).and_then(|child| run(ctx, conn, root, &won, child));
    let released = won.release(root);
    let status = ran?;
    released?;
    match code(status) {
        0 => Ok(()),
        code => Err(Failure::new(code, "")),
    }
}

/// The znode of a recipe, which makes it and what stands above it.
fn place(ctx: &Context<'_>, given: &str) -> Result<String> {
    let root = ctx.path(given)?;
    if root == "/" {
        return Err(Failure::usage("path /: the root is no lock; name a znode below it"));
    }
    Ok(root)
}

/// lock
pub fn lock(ctx: &mut Context<'_>, args: &Lock) -> Result<()> {
    let conn = ctx.conn()?;
    let root = place(ctx, &args.path)?;
    let limit = if args.try_once { Some(Duration::ZERO) } else { ctx.left() };
    let recipe = recipes::Lock::new(conn.client(), &root);
    let won = wait(ctx, &conn, &root, || Ok(recipe.acquire(limit)?.map(Won::Lock)))?;
    let path = match &won {
        Won::Lock(held) => held.path().to_owned(),
        Won::Lead(_) => unreachable!("a lock was asked for"),
    };
    hold(ctx, &conn, &root, won, &args.command, ("ZKCTL_LOCK", path))
}

/// elect
pub fn elect(ctx: &mut Context<'_>, args: &Elect) -> Result<()> {
    let conn = ctx.conn()?;
    if args.who {
        return who(ctx, &conn, &args.path);
    }
    let root = place(ctx, &args.path)?;
    let value = args.value.clone().unwrap_or_else(|| {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        format!("{}:{}", host.trim(), std::process::id())
    });
    let limit = ctx.left();
    let recipe = recipes::Election::new(conn.client(), &root);
    let campaign = || Ok(recipe.campaign(value.as_bytes(), limit)?.map(Won::Lead));
    let won = wait(ctx, &conn, &root, campaign)?;
    hold(ctx, &conn, &root, won, &args.command, ("ZKCTL_ELECTION", root.clone()))
}

/// Prints who leads.
fn who(ctx: &mut Context<'_>, conn: &Conn, given: &str) -> Result<()> {
    let root = ctx.path(given)?;
    let recipe = recipes::Election::new(conn.client(), &root);
    let candidates = recipe.candidates(CANDIDATES_MAX);
    let candidates = candidates.map_err(|error| Failure::of("elect --who", &root, &error))?;
    let Some((value, term)) = candidates.first() else {
        return Err(Failure::new(exit::NO, format!("elect {root}: nobody leads")));
    };
    let value = String::from_utf8_lossy(value).into_owned();
    match ctx.printer.json() {
        true => ctx.printer.value(&json!({
            "leader": value, "token": term, "candidates": candidates.len(),
        })),
        false => ctx.printer.line(&value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_does_not_end_is_ended() {
        let words = ["sh", "-c", "exit 3"].map(str::to_owned);
        let status = spawn(&words, &[]).unwrap().wait().unwrap();
        assert_eq!(code(status), 3);
        let words = ["sleep", "60"].map(str::to_owned);
        let status = end(&mut spawn(&words, &[]).unwrap()).unwrap();
        assert_eq!(code(status), 128 + 15);
        let none = spawn(&["/no/such/program".to_owned()], &[]).unwrap_err();
        assert_eq!(none.exit, 127);
    }
}
