//! Signals as a descriptor that the loop polls: no handler ever runs.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What an operator can tell a running daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// SIGTERM or SIGINT: stop cleanly; told twice: stop at once.
    Stop,
    /// SIGHUP: read the settings again.
    Reload,
}

/// The descriptor that signals arrive on.
pub struct Signals {
    fd: SignalFd,
    set: SigSet,
}

impl Signals {
    /// Blocks the signals for this thread and all that it starts later, so call it first.
    pub fn open() -> io::Result<Signals> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
            set.add(signal);
        }
        set.thread_block()?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Signals { fd, set })
    }

    /// Gives the signals their usual effect back, for this thread.
    pub fn release(&self) {
        let _ = self.set.thread_unblock();
    }

    /// The next signal that has come, if any.
    pub fn next_told(&mut self) -> Option<Told> {
        let info = self.fd.read_signal().ok().flatten()?;
        Some(match Signal::try_from(info.ssi_signo as i32) {
            Ok(Signal::SIGHUP) => Told::Reload,
            _ => Told::Stop,
        })
    }
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::raise;

    #[test]
    fn signals_arrive_as_words() {
        let mut signals = Signals::open().unwrap();
        assert_eq!(signals.next_told(), None);
        raise(Signal::SIGHUP).unwrap();
        assert_eq!(signals.next_told(), Some(Told::Reload));
        raise(Signal::SIGTERM).unwrap();
        assert_eq!(signals.next_told(), Some(Told::Stop));
        assert_eq!(signals.next_told(), None);
    }
}
