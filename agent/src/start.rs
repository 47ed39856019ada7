//! Puts a server together in the order that lets each step fail with a clear word: settings,
//! log, limits, port, recovery, loop.

use std::fmt;
use std::io;

use log::LevelFilter;
use mio::{Poll, Waker};
use std::hash::{BuildHasher, RandomState};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use zk_core::Config;

use crate::admin::Facts;
use crate::audit::AuditLog;
use crate::dynamic::DynamicFiles;
use crate::memory;
use crate::net::resolver::Resolver;
use crate::net::throttle::Throttle;
use crate::net::{Clients, Passed, Peers, peers};
use crate::server::{
    Core, DISK, Disk, End, Membership, Parts, Reload, Reloaded, Server, keep_sockets,
};
use crate::settings::{self, PeerSettings, Refusal, Settings, Source};
use crate::sys::signal::Signals;
use crate::sys::{clock, limits};
use crate::systemd::{self, Systemd};
use crate::{journal, report};

/// Descriptors that are kept for files, signals and the poll.
const DESCRIPTORS_RESERVED: u64 = 64;

/// Why a server didn't start or ended, with the exit code for it.
#[derive(Debug)]
pub enum Failure {
    /// The settings can't be used.
    Settings(Refusal),
    /// The data directory can't be used: the exit code, and what is wrong.
    Data(i32, String),
    /// The disk failed while the server ran.
    Disk(String),
    /// The service manager passes sockets that are for nothing.
    Sockets(String),
    /// A port for the other servers can't be had: what was tried, and what it said.
    Peers(String),
    /// The operating system refused something: what was tried, and what it said.
    System(String, io::Error),
}

impl Failure {
    /// 78 for settings, 74 for the disk, 14 for the ports of peers as in Apache's server, 1 for the rest; the data directory's own.
    pub fn exit_code(&self) -> i32 {
        match self {
            Failure::Settings(_) | Failure::Sockets(_) => 78,
            Failure::Data(code, _) => *code,
            Failure::Disk(_) => 74,
            Failure::Peers(_) => 14,
            Failure::System(..) => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Settings(refusal) => refusal.fmt(f),
            Failure::Data(_, what) | Failure::Sockets(what) | Failure::Peers(what) => {
                f.write_str(what)
            }
            Failure::Disk(what) => write!(f, "the disk failed: {what}"),
            Failure::System(what, error) => write!(f, "cannot {what}: {error}"),
        }
    }
}

/// What recovery is told.
pub struct Recovery<'a> {
    /// Where and how.
    pub settings: &'a Settings,
    /// What the core is told.
    pub config: Config,
    /// Wakes the loop when the disk has something to report.
    pub waker: Arc<Waker>,
    /// To be told that loading takes long.
    pub systemd: &'a Systemd,
}

/// Runs a server until it is stopped. `recover` opens the data directory and gives core and disk.
/// The service manager is told of a failure.
pub fn run<C: Core, D: Disk>(
    source: &Source,
    recover: impl FnOnce(Recovery<'_>) -> Result<(C, D), Failure>,
) -> Result<(), Failure> {
    let ended = run_to_the_end(source, recover);
    if let Err(failure) = &ended {
        let errno = match failure {
            Failure::System(_, error) => error.raw_os_error(),
            _ => None,
        };
        Systemd::from_environment().failed(&failure.to_string(), errno);
    }
    ended
}

fn run_to_the_end<C: Core, D: Disk>(
    source: &Source,
    recover: impl FnOnce(Recovery<'_>) -> Result<(C, D), Failure>,
) -> Result<(), Failure> {
    // Before the first thread, so that no thread takes a signal.
    let signals = Signals::open().map_err(system("receive signals"))?;
    let settings = settings::load(source).map_err(Failure::Settings)?;
    report::start(settings.log_level);
    if let Some(ensemble) = &settings.core.ensemble {
        journal::set_server_id(ensemble.me);
    }
    report::abort_on_panic(systemd::trigger);
    for warning in &settings.warnings {
        log::warn!("settings: {warning}");
    }
    let audited = settings.core.audit;
    let assembled = assemble(source, settings, signals, recover);
    if audited && assembled.is_err() {
        AuditLog::new(true).start_failed();
    }
    let mut server = assembled?;
    let end = server.run().map_err(system("poll"))?;
    let parts = server.into_parts();
    if end == End::StoppedAtOnce {
        // What was acknowledged is on disk; the log needs no farewell.
        log::warn!("start: stopped_at_once");
        std::process::exit(1);
    }
    // From here on the next SIGTERM ends the process, however long the disk takes.
    parts.signals.release();
    let Parts { core, disk, systemd, .. } = parts;
    systemd.closing();
    drop(disk);
    // Freeing a million znodes one by one would only delay the end.
    std::mem::forget(core);
    match end {
        End::Stopped | End::StoppedAtOnce => {
            log::info!("start: stopped");
            Ok(())
        }
        End::DiskFailed(what) => Err(Failure::Disk(what)),
    }
}

fn assemble<C: Core, D: Disk>(
    source: &Source,
    settings: Settings,
    signals: Signals,
    recover: impl FnOnce(Recovery<'_>) -> Result<(C, D), Failure>,
) -> Result<Server<C, D>, Failure> {
    let started = clock::now();
    let systemd = Systemd::from_environment();
    let descriptors = limits::raise_open_files().saturating_sub(DESCRIPTORS_RESERVED).max(1);
    let poll = Poll::new().map_err(system("poll"))?;
    let waker = Arc::new(Waker::new(poll.registry(), DISK).map_err(system("make a waker"))?);
    let address = settings.client_address;
    let mut passed = Passed::take().map_err(Failure::Sockets)?;
    // Before recovery, which may take long: a taken port is known at once.
    let listener = passed
        .client(address, settings.backlog)
        .map_err(system(&format!("listen on {address}")))?;
    let address = listener.address();
    let peers = match &settings.peers {
        Some(peers) => Some(listen_to_peers(peers, &mut passed, &poll, &waker)?),
        None => None,
    };
    give_back(&passed, &systemd);
    drop(passed);
    keep_sockets(&systemd, &listener, peers.as_deref());
    check_directories(&settings)?;
    let members = membership(&settings, Arc::clone(&waker))?;
    let (core, disk) = recover(Recovery {
        settings: &settings,
        config: Config { seed: chance(), ..settings.core.clone() },
        waker: Arc::clone(&waker),
        systemd: &systemd,
    })?;
    let now = clock::now();
    let parts = Parts {
        core,
        disk,
        poll,
        listener,
        peers,
        members,
        clients: Clients::new(settings.limits.clone(), descriptors as usize),
        signals,
        systemd,
        audit: AuditLog::new(settings.core.audit),
        throttle: Throttle::new(settings.throttle.clone(), now.mono_ms),
        whitelist: settings.whitelist,
        facts: Facts::new(&settings, address, started),
        memory: memory::Watch::default(),
        reload: reloader(source.clone(), settings.to_string(), waker),
    };
    let mut server = Server::new(parts).map_err(system("register with the poll"))?;
    log::info!(
        "start: serving address={address} data={} log={} took_ms={}",
        settings.data_dir.display(),
        settings.log_dir.display(),
        now.mono_ms - started.mono_ms
    );
    server.announce();
    Ok(server)
}

/// An ensemble that may be reconfigured is written down beside the file of the settings.
fn membership(settings: &Settings, waker: Arc<Waker>) -> Result<Option<Membership>, Failure> {
    let Some(ensemble) = &settings.core.ensemble else { return Ok(None) };
    let mut files = None;
    if let Some(file) = settings.file.as_ref().filter(|_| settings.core.reconfig_enabled) {
        let what = format!(
            "write configurations beside {}, as reconfigEnabled=true wants it; let this user write \
             there, or leave it out",
            file.display()
        );
        let proposed = ensemble.proposed.as_ref();
        let beside = DynamicFiles::new(file, ensemble.me, proposed).map_err(system(&what))?;
        if settings.lists_servers {
            beside.back_up().map_err(|error| Failure::System(what, io::Error::other(error)))?;
        }
        files = Some(beside);
    }
    Ok(Some(Membership::new(ensemble.me, files, settings.backlog, Resolver::new(waker))))
}

/// What was kept and is not used is closed for good; what was passed for nothing is told.
fn give_back(passed: &Passed, systemd: &Systemd) {
    for (name, address) in passed.unused() {
        let address = address.map_or(String::new(), |address| address.to_string());
        log::warn!(
            "sockets: unused name={name} address={address} (this server listens on no such port; who \
             connects there waits for ever: stop that unit)"
        );
    }
    for name in passed.kept() {
        systemd.forget(name);
    }
}

fn listen_to_peers(
    settings: &PeerSettings,
    passed: &mut Passed,
    poll: &Poll,
    waker: &Arc<Waker>,
) -> Result<Box<Peers>, Failure> {
    let listeners = peers::bind(settings, passed).map_err(Failure::Peers)?;
    let peers = Peers::new(settings, listeners, poll.registry(), Arc::clone(waker));
    let peers = peers.map_err(system("register with the poll"))?;
    for (port, address) in peers.addresses() {
        log::info!("start: listening port={port:?} address={address}");
    }
    Ok(Box::new(peers))
}

/// Makes the data directories unless `datadir.autocreate` says not to. Exit 3 as Apache's server.
fn check_directories(settings: &Settings) -> Result<(), Failure> {
    for dir in [&settings.data_dir, &settings.log_dir] {
        let made = match settings.disk.create_directories {
            true => std::fs::create_dir_all(dir),
            false => Ok(()),
        };
        let readable = made.and_then(|()| std::fs::read_dir(dir));
        let failure = |e| {
            let dir = dir.display();
            Failure::Data(3, format!("data directory {dir} is not accessible: {e}"))
        };
        readable.map_err(failure)?;
    }
    Ok(())
}

fn system(what: &str) -> impl FnOnce(io::Error) -> Failure + use<> {
    let what = what.to_owned();
    move |error| Failure::System(what, error)
}

/// A number that differs from start to start.
fn chance() -> u64 {
    RandomState::new().hash_one(0)
}

/// Reads the settings again and tells what of it takes effect. `before`: as they hold now.
fn reloader(source: Source, before: String, waker: Arc<Waker>) -> Reload {
    let (send, done) = channel();
    let before = Arc::new(Mutex::new(before));
    let begin = move || {
        let (source, before) = (source.clone(), Arc::clone(&before));
        let (send, waker) = (send.clone(), Arc::clone(&waker));
        let answer = send.clone();
        let read = move || {
            // A loop that has ended needs no answer.
            let _ = answer.send(read_again(&source, &before));
            // A failed wake-up is made good by the loop, which looks around every second.
            let _ = waker.wake();
        };
        if let Err(error) = std::thread::Builder::new().name("reload".to_owned()).spawn(read) {
            log::error!("settings: reload_refused reason=\"{error}\"");
            let _ = send.send(Err(error.to_string()));
        }
    };
    Reload { begin: Box::new(begin), done }
}

fn read_again(source: &Source, before: &Mutex<String>) -> Result<Reloaded, String> {
    const TAKES_EFFECT: [&str; 4] =
        ["4lw.commands.whitelist=", "maxClientCnxns=", "maxCnxns=", "agent.logLevel="];
    let settings = match settings::load(source) {
        Ok(settings) => settings,
        Err(refusal) => {
            log::error!("settings: reload_refused reason=\"{refusal}\"");
            return Err(refusal.to_string());
        }
    };
    let (after, mut told) = (settings.to_string(), Vec::new());
    let mut before = before.lock().expect("no thread panics while it holds this lock");
    for line in after.lines().filter(|line| !before.lines().any(|old| old == *line)) {
        // A reconfig changes them; it needs none.
        let listed = ["# ", "server.", "group.", "weight."].iter().any(|key| line.starts_with(key));
        if listed && settings.core.reconfig_enabled {
            continue;
        }
        if TAKES_EFFECT.iter().any(|key| line.starts_with(key)) {
            log::info!("settings: reloaded {line}");
            told.push(line.to_owned());
        } else {
            log::warn!("settings: needs_restart {line}");
            told.push(format!("{line} (needs a restart)"));
        }
    }
    *before = after;
    let level: LevelFilter = settings.log_level;
    report::set_level(level);
    Ok(Reloaded {
        whitelist: settings.whitelist,
        connections_per_ip_max: settings.limits.connections_per_ip_max,
        connections_max: settings.limits.connections_max,
        told,
    })
}
