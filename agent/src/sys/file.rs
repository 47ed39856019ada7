//! Files beyond `std`: allocation, locks, directory sync, write-back and cache hints, random bytes.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, FcntlArg, Flock, FlockArg, OFlag, PosixFadviseAdvice, fcntl};

/// An exclusive lock on a file; given back when dropped or when the process ends.
#[derive(Debug)]
pub struct FileLock {
    _lock: Flock<File>,
}

/// Takes the exclusive lock on a file, which is made when missing; `None` when another has it.
///
/// # Errors
/// What `open` and `flock` say.
pub fn try_lock(path: &Path) -> io::Result<Option<FileLock>> {
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(FileLock { _lock: lock })),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno.into()),
    }
}

/// Allocates the blocks of the first `bytes` bytes and sets the length. On a filesystem that
/// cannot allocate ahead it does nothing: the caller writes zeros over all of it anyway.
///
/// # Errors
/// What `fallocate` says; `StorageFull` above all.
pub fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    let bytes = i64::try_from(bytes).map_err(|_| io::Error::from(Errno::EFBIG))?;
    match nix::fcntl::fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) | Err(Errno::EOPNOTSUPP) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// The flags that a file is open with, as `open` takes them.
///
/// # Errors
/// What `fcntl` says.
pub fn flags(file: &File) -> io::Result<libc::c_int> {
    Ok(fcntl(file, FcntlArg::F_GETFL)?)
}

/// Lets a file that was opened with `O_DIRECT` go through the page cache from now on. All other
/// flags stay.
///
/// # Errors
/// What `fcntl` says.
pub fn leave_direct(file: &File) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(flags(file)?) - OFlag::O_DIRECT;
    fcntl(file, FcntlArg::F_SETFL(flags))?;
    Ok(())
}

/// Makes the names in a directory durable.
///
/// # Errors
/// What `open` and `fsync` say.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Starts writing the dirty pages of a range and waits for those already on their way. Promises
/// nothing about durability.
///
/// # Errors
/// What `sync_file_range` says.
pub fn start_writeback(file: &File, offset: u64, bytes: u64) -> io::Result<()> {
    let flags = libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE;
    writeback(file, offset, bytes, flags)
}

/// Writes the dirty pages of a range and waits for them. Promises nothing about durability: the
/// drive's cache is not flushed.
///
/// # Errors
/// What `sync_file_range` says.
pub fn finish_writeback(file: &File, offset: u64, bytes: u64) -> io::Result<()> {
    let flags = libc::SYNC_FILE_RANGE_WAIT_BEFORE
        | libc::SYNC_FILE_RANGE_WRITE
        | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    writeback(file, offset, bytes, flags)
}

fn writeback(file: &File, offset: u64, bytes: u64, flags: libc::c_uint) -> io::Result<()> {
    let offset = i64::try_from(offset).map_err(|_| io::Error::from(Errno::EFBIG))?;
    let bytes = i64::try_from(bytes).map_err(|_| io::Error::from(Errno::EFBIG))?;
    // SAFETY: the descriptor is open for the length of the call; no memory is passed.
    let result = unsafe { libc::sync_file_range(file.as_raw_fd(), offset, bytes, flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Drops clean pages of a range from the page cache: a hint, so errors do not matter.
pub fn drop_cache(file: &File, offset: u64, bytes: u64) {
    advise(file, offset, bytes, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
}

/// Says that the file will be read from front to end: a hint, so errors do not matter.
pub fn will_read_on(file: &File) {
    advise(file, 0, 0, PosixFadviseAdvice::POSIX_FADV_SEQUENTIAL);
}

/// Says that a range will be read soon: a hint, so errors do not matter.
pub fn will_read(file: &File, offset: u64, bytes: u64) {
    advise(file, offset, bytes, PosixFadviseAdvice::POSIX_FADV_WILLNEED);
}

fn advise(file: &File, offset: u64, bytes: u64, advice: PosixFadviseAdvice) {
    if let (Ok(offset), Ok(bytes)) = (i64::try_from(offset), i64::try_from(bytes)) {
        // A filesystem that ignores the hint costs memory or time, never correctness.
        let _ = nix::fcntl::posix_fadvise(file, offset, bytes, advice);
    }
}

/// Eight random bytes from the kernel.
///
/// # Errors
/// What `getrandom` says.
pub fn random_u64() -> io::Result<u64> {
    let mut bytes = [0u8; 8];
    // SAFETY: the buffer is ours and has the length that is passed.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    // Up to 256 bytes come in one piece once the kernel's pool is ready, says getrandom(2).
    if got == 8 { Ok(u64::from_ne_bytes(bytes)) } else { Err(io::Error::last_os_error()) }
}

/// Lowers the priority of the calling thread by `nice` steps (0 to 19): a wish, so errors do not
/// matter.
pub fn lower_thread_priority(nice: i32) {
    // SAFETY: no memory is passed. On Linux "process 0" is the calling thread.
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_is_refused_until_the_first_is_dropped() {
        let path = std::env::temp_dir().join(format!("zk-agent-lock-{}", std::process::id()));
        let first = try_lock(&path).unwrap();
        assert!(first.is_some());
        assert!(try_lock(&path).unwrap().is_none());
        drop(first);
        assert!(try_lock(&path).unwrap().is_some());
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn allocation_sets_the_length_and_random_numbers_differ() {
        let path = std::env::temp_dir().join(format!("zk-agent-alloc-{}", std::process::id()));
        let file = File::create(&path).unwrap();
        allocate(&file, 10_000).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 10_000);
        start_writeback(&file, 0, 10_000).unwrap();
        finish_writeback(&file, 0, 10_000).unwrap();
        drop_cache(&file, 0, 10_000);
        std::fs::remove_file(&path).unwrap();
        assert_ne!(random_u64().unwrap(), random_u64().unwrap());
    }
}
