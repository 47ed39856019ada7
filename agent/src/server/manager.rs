//! The loop's dealings with the service manager and with whoever sends it signals: ready, the line of
//! `systemctl status`, signs of life, reload, stop.

use zk_core::replica::Standing;
use zk_core::{Event, Port};

use crate::admin::ensemble::{EnsembleFacts, role_line};
use crate::net::passed::{self, KEPT};
use crate::net::{Listener, Peers};
use crate::reload;
use crate::server::{Core, Disk, End, Parts, STOP_MS, Server};
use crate::sys::signal::Told;
use crate::systemd::Systemd;

/// How long the log's thread may be at one write, in ms. Nobody waits for the disk of a follower; a
/// leader whose disk hangs gives up by itself (the core's word); and who is alone has nobody to stand in
/// for it. So this is longer than the kernel tries to reach a disk (30 s, six times): what takes longer
/// is a thread that hangs, and no disk.
const STUCK_MS: i64 = 180_000;

/// Has the service manager keep the sockets that this server listens on and that no socket unit holds:
/// these and no others. Without a service manager it does nothing.
pub fn keep_sockets(systemd: &Systemd, listener: &Listener, peers: Option<&Peers>) {
    let keep = |name: &str, fds: &[_]| {
        let name = format!("{KEPT}{name}");
        systemd.forget(&name);
        systemd.keep(&name, fds);
    };
    keep(passed::CLIENT, &listener.own_fd().into_iter().collect::<Vec<_>>());
    if let Some(peers) = peers {
        for port in [Port::Quorum, Port::Election] {
            keep(passed::name_of(port), &peers.own_fds(port).collect::<Vec<_>>());
        }
    }
}

impl<C: Core, D: Disk> Server<C, D> {
    /// Tells the service manager that clients are served.
    pub fn announce(&mut self) {
        self.keep_sockets();
        self.parts.systemd.ready();
        self.parts.audit.started();
        self.tell_status();
    }

    fn keep_sockets(&self) {
        let Parts { systemd, listener, peers, .. } = &self.parts;
        keep_sockets(systemd, listener, peers.as_deref());
    }

    /// What ends a turn: a sign of life, when one is due, and the line of the status.
    pub(super) fn tell_manager(&mut self) {
        if self.moved | self.parts.peers.as_mut().is_some_and(|peers| peers.take_moved()) {
            self.moved = false;
            self.keep_sockets();
        }
        let Parts { systemd, disk, memory, .. } = &mut self.parts;
        memory.look(self.now.mono_ms);
        systemd.after_turn(self.now.mono_ms, || {
            Some(disk.busy_ms()).filter(|busy_ms| *busy_ms > STUCK_MS)
        });
        self.tell_status();
    }

    /// A line for the service manager, from time to time.
    fn tell_status(&mut self) {
        let Parts { core, clients, systemd, facts, peers, memory, .. } = &mut self.parts;
        let now_ms = self.now.mono_ms;
        if self.stop_by_ms.is_some() || !systemd.wants_status(now_ms) {
            return;
        }
        let status = core.status();
        let apart = matches!(status.standing, Standing::Apart | Standing::ReadOnly);
        let role = match &facts.ensemble {
            None => "Standalone".to_owned(),
            Some(facts) => {
                let role = role_line(&status.standing, facts, status.epoch, now_ms);
                format!("Server {} {role}", facts.me)
            }
        };
        let zxid = status.zxid;
        let line = if apart {
            let away = match (&facts.ensemble, peers) {
                (Some(facts), Some(peers)) => unreachable_servers(facts, peers),
                _ => String::new(),
            };
            format!("{role}: {away}; zxid {zxid}")
        } else {
            let (sessions, znodes, count) = (status.sessions, status.znodes, clients.count());
            let address = facts.address;
            format!(
                "{role}, zxid {zxid}, {sessions} sessions, {znodes} znodes; {count} connections on \
                 {address}"
            )
        };
        match memory.scarce() {
            Some(percent) => systemd.status(&format!("MEMORY {percent} % of the limit. {line}")),
            None => systemd.status(&line),
        }
        if apart {
            systemd.status_is_bad(now_ms);
        }
    }

    pub(super) fn take_signals(&mut self) {
        while let Some(told) = self.parts.signals.next_told() {
            match told {
                Told::Reload => self.reload(),
                Told::Stop if self.stop_by_ms.is_some() => self.end = Some(End::StoppedAtOnce),
                Told::Stop => {
                    log::info!("server: stopping clients={}", self.parts.clients.count());
                    // Who comes now is refused at once and may go elsewhere; or, where the service
                    // manager holds the socket, waits for the next start.
                    self.parts.listener.leave(self.parts.poll.registry());
                    self.parts.systemd.stopping();
                    self.parts.audit.stopping();
                    self.stop_by_ms = Some(self.now.mono_ms + STOP_MS);
                    self.step(Event::Stopping);
                }
            }
        }
    }

    fn reload(&mut self) {
        self.reload_again = self.reload_runs;
        if !self.reload_runs {
            self.reload_runs = true;
            self.parts.systemd.reloading();
            (self.parts.reload.begin)();
        }
    }

    pub(super) fn take_reloaded(&mut self) {
        let Ok(reloaded) = self.parts.reload.done.try_recv() else { return };
        let bounds = self.parts.memory.read();
        self.parts.clients.bound(bounds.output_bytes, bounds.input_bytes);
        let outcome = match reloaded {
            Ok(reloaded) => {
                self.parts.whitelist = reloaded.whitelist;
                let limits = self.parts.clients.limits_mut();
                limits.connections_per_ip_max = reloaded.connections_per_ip_max;
                limits.connections_max = reloaded.connections_max;
                Ok(reloaded.told)
            }
            Err(why) => Err(why),
        };
        self.reload_runs = false;
        // Who asked for it once more is told of that one.
        if std::mem::take(&mut self.reload_again) {
            self.parts.systemd.ready();
            return self.reload();
        }
        self.reloads += 1;
        reload::tell(self.reloads, &outcome);
        self.parts.systemd.reloaded(&reload::status_line(&outcome), self.now.mono_ms);
    }

    /// A stopping server ends when everything appended is durable, every reply is sent, and whoever
    /// it led can elect another.
    pub(super) fn look_for_the_end(&mut self) {
        let Some(stop_by_ms) = self.stop_by_ms else { return };
        if self.parts.disk.queued_bytes() == 0 {
            // The last report may have come after the look at the reports of this turn.
            self.take_disk_reports();
            self.parts.clients.flush_dirty();
        }
        let written = self.parts.disk.queued_bytes() == 0 && !self.parts.clients.has_output();
        let idle = written && self.parts.core.is_idle();
        if self.end.is_none() && (idle || self.now.mono_ms >= stop_by_ms) {
            self.step(Event::Stopped);
            self.flush_peers();
            self.end = Some(End::Stopped);
        }
    }
}

/// Which other voters cannot be reached, and why.
fn unreachable_servers(facts: &EnsembleFacts, peers: &Peers) -> String {
    let mut away = Vec::new();
    for (id, places) in &facts.other_voters {
        if let Some(why) = places.iter().find_map(|place| peers.why_away(place)) {
            away.push(format!("server {id} ({why})"));
        }
    }
    match away.is_empty() {
        true => "the others can be reached".to_owned(),
        false => away.join(", "),
    }
}
