//! Descriptors that the service manager has opened for this process.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether they were taken already.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes over what `LISTEN_FDS` announces, each descriptor with its name. Nothing the second time,
/// and nothing when it was announced to another process.
///
/// # Errors
/// When the variables contradict themselves, or a descriptor is not open.
pub fn take() -> io::Result<Vec<(String, OwnedFd)>> {
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Ok(Vec::new());
    }
    let passed = sd_notify::listen_fds_with_names()?;
    // SAFETY: `LISTEN_PID` says that these were opened for this process, the call above has found
    // each of them open, and they are handed out once: the flag sees to it.
    let own = passed.map(|(fd, name)| (name, unsafe { OwnedFd::from_raw_fd(fd) }));
    Ok(own.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_twice() {
        // Whoever runs the tests passes nothing to this very process.
        assert!(take().unwrap().is_empty());
        assert!(take().unwrap().is_empty());
    }
}
