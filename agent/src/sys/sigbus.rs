//! What happens when a page of a mapped file cannot be read or written: one line and the end.
//!
//! The kernel answers a store or load that the disk cannot serve with SIGBUS. Nothing can be
//! repaired from inside the handler, and what was written so far may or may not be on disk, so the
//! process ends with the exit code of a failed disk.

use std::io;
use std::sync::atomic::{AtomicI32, Ordering};

const LINE: &[u8] =
    b"zk-agent: SIGBUS: a mapped file could not be read or written (disk error, or the file was \
      truncated); the process ends\n";

static EXIT_CODE: AtomicI32 = AtomicI32::new(1);

/// Ends the process with `exit_code` and one line on standard error when a SIGBUS comes.
///
/// # Errors
/// What `sigaction` says.
pub fn install(exit_code: i32) -> io::Result<()> {
    EXIT_CODE.store(exit_code, Ordering::Relaxed);
    // SAFETY: all-zero bytes are a valid sigaction; the handler below calls only functions that
    // are safe in a signal handler, and never returns.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_sigbus as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_ONSTACK;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut())
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

extern "C" fn on_sigbus(_signal: libc::c_int) {
    // SAFETY: write and _exit are safe in a signal handler; LINE is static.
    unsafe {
        libc::write(2, LINE.as_ptr().cast(), LINE.len());
        libc::_exit(EXIT_CODE.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    /// Goal: a store behind the end of a truncated mapped file ends the process with our code.
    /// Method: a child process (this test binary again) maps a file, truncates it and stores.
    #[test]
    fn a_truncated_map_ends_the_process_with_the_given_code() {
        const CHILD: &str = "ZK_AGENT_SIGBUS_CHILD";
        if let Some(path) = std::env::var_os(CHILD) {
            super::install(74).unwrap();
            let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
            let mut map = crate::sys::map::Map::new(&file, 8192).unwrap();
            file.set_len(0).unwrap();
            map.write(4096, b"x");
            return;
        }
        let dir = std::env::temp_dir().join(format!("zk-agent-sigbus-{}", std::process::id()));
        std::fs::write(&dir, [0u8; 8192]).unwrap();
        let name = "sys::sigbus::tests::a_truncated_map_ends_the_process_with_the_given_code";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, &dir)
            .output()
            .unwrap();
        std::fs::remove_file(&dir).unwrap();
        assert_eq!(output.status.code(), Some(74), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("SIGBUS"));
    }
}
