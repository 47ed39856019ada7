//! What the service manager is told: ready, status, reloading, stopping, and that the loop turns.
//!
//! Without a service manager (no `NOTIFY_SOCKET`) nothing is sent. A message that can't be sent is
//! no reason to fail.

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
}

/// Time between two lines for `systemctl status`, in ms.
const STATUS_EVERY_MS: i64 = 10_000;

impl Systemd {
    /// From the environment.
    pub fn from_environment() -> Systemd {
        // Half of what is asked for, as sd_watchdog_enabled(3) advises.
        let watchdog_ms = sd_notify::watchdog_enabled()
            .map(|timeout| i64::try_from(timeout.as_millis() / 2).unwrap_or(i64::MAX).max(1));
        let listens = std::env::var_os("NOTIFY_SOCKET").is_some();
        Systemd { listens, watchdog_ms, next_ms: 0, status_ms: 0 }
    }

    /// One that nobody listens to.
    pub fn absent() -> Systemd {
        Systemd { listens: false, watchdog_ms: None, next_ms: 0, status_ms: 0 }
    }

    /// The server serves.
    pub fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
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

    /// Loading takes long: don't give up for another 30 seconds.
    pub fn loading(&self, line: &str) {
        self.tell(&[NotifyState::Status(line), NotifyState::ExtendTimeoutUsec(30_000_000)]);
    }

    /// The settings are being read again; [`Systemd::ready`] ends it.
    pub fn reloading(&self) {
        let now_us = clock::monotonic_us();
        self.tell(&[NotifyState::Reloading, NotifyState::MonotonicUsec(now_us)]);
    }

    /// The server stops.
    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status("Stopping")]);
    }

    /// A full turn of the loop is done, the only proof of life that counts.
    pub fn after_turn(&mut self, now_ms: i64) {
        if let Some(interval_ms) = self.watchdog_ms
            && now_ms >= self.next_ms
        {
            self.next_ms = now_ms + interval_ms;
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    /// When the next sign of life is due, `Now::mono_ms`.
    pub fn deadline_ms(&self) -> i64 {
        if self.watchdog_ms.is_some() { self.next_ms } else { i64::MAX }
    }

    /// For a load that begins now.
    pub fn progress(&self, now_ms: i64) -> Progress<'_> {
        self.loading("Loading the data directory");
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
            self.systemd.loading(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
