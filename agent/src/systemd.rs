//! What the service manager is told: ready, status, reloading, stopping, and that the loop turns.
//!
//! Without a service manager (no `NOTIFY_SOCKET`) nothing is sent. A message that can't be sent is
//! no reason to fail.

use std::os::fd::BorrowedFd;

use sd_notify::NotifyState;

use crate::sys::clock;

/// The service manager.
#[derive(Debug)]
pub struct Systemd {
    listens: bool,
    /// Time between two signs of life in ms; none when no watchdog is set.
    watchdog_ms: Option<i64>,
    next_ms: i64,
    status_ms: i64,
    /// Signs of life are held back, which was told.
    withheld: bool,
}

/// Time between two lines for `systemctl status`, in ms; and while something is wrong.
const STATUS_EVERY_MS: i64 = 10_000;
const STATUS_WHILE_WRONG_MS: i64 = 2000;
/// By how much a long step extends the time that the service manager gives, in µs.
const EXTEND_US: u32 = 30_000_000;

impl Systemd {
    /// From the environment.
    pub fn from_environment() -> Systemd {
        // Half of what is asked for, as sd_watchdog_enabled(3) advises.
        let watchdog_ms = sd_notify::watchdog_enabled()
            .map(|timeout| i64::try_from(timeout.as_millis() / 2).unwrap_or(i64::MAX).max(1));
        let listens = std::env::var_os("NOTIFY_SOCKET").is_some();
        Systemd { listens, watchdog_ms, next_ms: 0, status_ms: 0, withheld: false }
    }

    /// One that nobody listens to.
    pub fn absent() -> Systemd {
        Systemd { listens: false, watchdog_ms: None, next_ms: 0, status_ms: 0, withheld: false }
    }

    /// The server serves.
    pub fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// The settings were read again; a line about what came of it stays for a while.
    pub fn reloaded(&mut self, line: &str, now_ms: i64) {
        self.status_ms = now_ms + STATUS_EVERY_MS;
        self.tell(&[NotifyState::Ready, NotifyState::Status(line)]);
    }

    /// A line for `systemctl status`.
    pub fn status(&self, line: &str) {
        self.tell(&[NotifyState::Status(line)]);
    }

    /// Whether it is time for another line. Never when nobody listens.
    pub fn wants_status(&mut self, now_ms: i64) -> bool {
        let due = self.listens && now_ms >= self.status_ms;
        if due {
            self.status_ms = now_ms + STATUS_EVERY_MS;
        }
        due
    }

    /// The next line for `systemctl status` is due at once.
    pub fn status_is_due(&mut self) {
        self.status_ms = 0;
    }

    /// The line said that something is wrong: the next one is due soon.
    pub fn status_is_bad(&mut self, now_ms: i64) {
        self.status_ms = now_ms + STATUS_WHILE_WRONG_MS;
    }

    /// A long step goes on: don't give up for another 30 seconds. It is a sign of life, too: only
    /// what makes progress calls this.
    pub fn long_step(&self, line: &str) {
        let told = [NotifyState::Status(line), NotifyState::ExtendTimeoutUsec(EXTEND_US)];
        self.tell(&told);
        if self.watchdog_ms.is_some() {
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    /// Has the service manager keep sockets under a name, so that the next start gets them.
    pub fn keep(&self, name: &str, fds: &[BorrowedFd<'_>]) {
        if self.listens && !fds.is_empty() {
            // A socket that listens never hangs up: there is nothing to poll it for.
            let told =
                [NotifyState::FdStore, NotifyState::FdName(name), NotifyState::Custom("FDPOLL=0")];
            let _ = sd_notify::notify_with_fds(&told, fds);
        }
    }

    /// Has it close everything that it keeps under a name.
    pub fn forget(&self, name: &str) {
        self.tell(&[NotifyState::FdStoreRemove, NotifyState::FdName(name)]);
    }

    /// The settings are being read again; [`Systemd::ready`] ends it.
    pub fn reloading(&self) {
        let now_us = clock::monotonic_us();
        self.tell(&[NotifyState::Reloading, NotifyState::MonotonicUsec(now_us)]);
    }

    /// The server stops: it hands over and sends what is on its way.
    pub fn stopping(&self) {
        let line = NotifyState::Status("Stopping: handing over, and sending what is on its way");
        let extend = NotifyState::ExtendTimeoutUsec(EXTEND_US);
        self.tell(&[NotifyState::Stopping, line, extend]);
    }

    /// The loop has ended, and the last txns go to the disk.
    pub fn closing(&self) {
        self.long_step("Stopping: writing the last txns");
    }

    /// The server did not start or has failed: why, and the system's number of the error, if any.
    pub fn failed(&self, why: &str, errno: Option<i32>) {
        let line = format!("Failed: {why}");
        self.tell(&[NotifyState::Status(&line)]);
        if let Some(errno) = errno.and_then(|errno| u32::try_from(errno).ok()) {
            self.tell(&[NotifyState::Errno(errno)]);
        }
    }

    /// A full turn of the loop is done. Together with proof that the log's thread is not stuck it is
    /// the only sign of life that counts; `stuck` is asked when one is due, and says since when, in
    /// ms, if that is too long.
    pub fn after_turn(&mut self, now_ms: i64, stuck: impl FnOnce() -> Option<i64>) {
        let Some(interval_ms) = self.watchdog_ms.filter(|_| now_ms >= self.next_ms) else { return };
        self.next_ms = now_ms + interval_ms;
        match stuck() {
            None => {
                self.withheld = false;
                self.tell(&[NotifyState::Watchdog]);
            }
            Some(busy_ms) => {
                if !std::mem::replace(&mut self.withheld, true) {
                    log::error!("systemd: watchdog_withheld busy_ms={busy_ms}");
                }
            }
        }
    }

    /// When the next sign of life is due, `Now::mono_ms`.
    pub fn deadline_ms(&self) -> i64 {
        if self.watchdog_ms.is_some() { self.next_ms } else { i64::MAX }
    }

    /// For a load that begins now.
    pub fn progress(&self, now_ms: i64) -> Progress<'_> {
        self.long_step("Loading the data directory");
        Progress { systemd: self, bytes: 0, look_at: LOOK_EVERY_BYTES, told_ms: now_ms }
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        if self.listens {
            let _ = sd_notify::notify(states);
        }
    }
}

/// Bytes loaded between two looks at the clock.
const LOOK_EVERY_BYTES: u64 = 16 << 20;
/// Time between two messages about a load, in ms.
const TELL_EVERY_MS: i64 = 5000;

/// How far a load has come; as long as it goes on, the service manager doesn't give up.
#[derive(Debug)]
pub struct Progress<'a> {
    systemd: &'a Systemd,
    bytes: u64,
    look_at: u64,
    told_ms: i64,
}

impl Progress<'_> {
    /// So many bytes more are loaded.
    #[inline]
    pub fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self.bytes >= self.look_at {
            self.look_at = self.bytes + LOOK_EVERY_BYTES;
            self.look(clock::now().mono_ms);
        }
    }

    fn look(&mut self, now_ms: i64) {
        if now_ms - self.told_ms >= TELL_EVERY_MS {
            self.told_ms = now_ms;
            let line = format!("Loading the data directory: {} MiB so far", self.bytes >> 20);
            log::info!("systemd: loading bytes={}", self.bytes);
            self.systemd.long_step(&line);
        }
    }
}

/// An invariant is broken: the service manager should not wait for the watchdog's time. From wherever
/// that is found.
pub fn trigger() {
    let _ = sd_notify::notify(&[NotifyState::WatchdogTrigger]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_hangs_holds_signs_of_life_back() {
        let mut systemd = Systemd { watchdog_ms: Some(10), ..Systemd::absent() };
        systemd.after_turn(100, || Some(7));
        assert!(systemd.withheld);
        assert_eq!(systemd.deadline_ms(), 110, "it is looked at again");
        systemd.after_turn(109, || unreachable!("it is asked only when a sign is due"));
        systemd.after_turn(110, || None);
        assert!(!systemd.withheld);
    }

    #[test]
    fn a_long_load_is_told_from_time_to_time() {
        let systemd = Systemd::absent();
        let mut progress = systemd.progress(0);
        progress.add(1 << 20);
        assert_eq!((progress.bytes, progress.told_ms), (1 << 20, 0));
        progress.look(TELL_EVERY_MS - 1);
        assert_eq!(progress.told_ms, 0);
        progress.look(TELL_EVERY_MS);
        assert_eq!(progress.told_ms, TELL_EVERY_MS);
    }
}
