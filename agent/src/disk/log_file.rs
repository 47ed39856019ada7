//! The file of a segment as the log writes it: past the page cache, and on the disk when a write
//! returns.
//!
//! Opened with `O_DIRECT` and `O_DSYNC`, a write is one call and one or two requests to the device:
//! no page fault, no dirty page, no search for dirty pages. Where the filesystem or the device
//! refuses that, the same calls go through the page cache, and `O_DSYNC` still holds each of them
//! until it is on the disk. Only `forceSync=no` does without.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Once;

use crate::sys::file::{drop_cache, leave_direct};

/// What direct writes are aligned to, in memory and in the file: a page, which is a multiple of
/// every logical block that filesystems of today stand on. A larger one refuses.
pub const BLOCK_BYTES: usize = 4096;

/// A prepared segment, open for the log.
#[derive(Debug)]
pub struct LogFile {
    file: File,
    direct: bool,
    force_sync: bool,
}

impl LogFile {
    /// Opens a file whose blocks are allocated, written and synced.
    ///
    /// - `force_sync`: false leaves what is written in the page cache until [`LogFile::sync`].
    ///
    /// # Errors
    /// What `open` says, unless it only refuses direct writes.
    pub fn open(path: &Path, force_sync: bool) -> io::Result<LogFile> {
        let mut options = File::options();
        options.read(true).write(true);
        if !force_sync {
            return Ok(LogFile { file: options.open(path)?, direct: false, force_sync });
        }
        match options.custom_flags(libc::O_DSYNC | libc::O_DIRECT).open(path) {
            Ok(file) => {
                // Cached pages would have to be dropped one by one, by the writes.
                drop_cache(&file, 0, 0);
                Ok(LogFile { file, direct: true, force_sync })
            }
            Err(error) if is_refusal(&error) => {
                say_refused(&error);
                let file = options.custom_flags(libc::O_DSYNC).open(path)?;
                Ok(LogFile { file, direct: false, force_sync })
            }
            Err(error) => Err(error),
        }
    }

    /// Writes all of the bytes; they are durable when it returns, unless syncs are not forced.
    /// Offset, length and place in memory are to be multiples of [`BLOCK_BYTES`].
    ///
    /// # Errors
    /// What `pwrite` says. It is final: what is on the disk now is not known, and the page cache
    /// cannot be believed.
    pub fn write(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut result = self.file.write_all_at(bytes, offset);
        if let Err(error) = &result
            && self.direct
            && is_refusal(error)
        {
            say_refused(error);
            leave_direct(&self.file)?;
            self.direct = false;
            // All of it once more: how far the refused write came is not told.
            result = self.file.write_all_at(bytes, offset);
        }
        result.inspect_err(|_| self.forget())
    }

    /// Makes everything durable that was written; nothing is left to do where each write did so.
    ///
    /// # Errors
    /// What `fdatasync` says. It is final, as in [`LogFile::write`].
    pub fn sync(&mut self) -> io::Result<()> {
        if self.force_sync {
            return Ok(());
        }
        self.file.sync_data().inspect_err(|_| self.forget())
    }

    /// The kernel marks pages clean that it could not write. The next start must not take them for
    /// what is on the disk.
    fn forget(&self) {
        drop_cache(&self.file, 0, 0);
    }
}

/// What filesystems and devices answer that have no direct writes, or none of this alignment.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP))
}

fn say_refused(error: &io::Error) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        log::info!(
            "disk: the log is written through the page cache, each write synced, because direct \
             writes are refused error=\"{error}\""
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::testing::TestDir;

    /// Two blocks' worth of bytes, the first of them aligned.
    fn aligned(buffer: &mut Vec<u8>, fill: u8) -> usize {
        *buffer = vec![fill; 3 * BLOCK_BYTES];
        buffer.as_ptr().align_offset(BLOCK_BYTES)
    }

    fn zeros(test: &TestDir) -> std::path::PathBuf {
        let path = test.0.join("file");
        std::fs::write(&path, vec![0u8; 4 * BLOCK_BYTES]).unwrap();
        File::open(&path).unwrap().sync_all().unwrap();
        path
    }

    /// Goal: a reader whose file is in the page cache sees each write at once, direct or not.
    #[test]
    fn a_reader_with_the_pages_cached_sees_what_is_written() {
        let test = TestDir::new("log-file-reader");
        let path = zeros(&test);
        let reader = File::open(&path).unwrap();
        for force_sync in [true, false] {
            let mut file = LogFile::open(&path, force_sync).unwrap();
            for round in 1..=20u8 {
                let mut seen = vec![0u8; 4 * BLOCK_BYTES];
                reader.read_exact_at(&mut seen, 0).unwrap();
                let mut buffer = Vec::new();
                let from = aligned(&mut buffer, round);
                let blocks = &buffer[from..from + 2 * BLOCK_BYTES];
                file.write(blocks, BLOCK_BYTES as u64).unwrap();
                reader.read_exact_at(&mut seen, 0).unwrap();
                assert_eq!(seen[BLOCK_BYTES..3 * BLOCK_BYTES], *blocks);
                assert_eq!(seen[3 * BLOCK_BYTES..], [0; BLOCK_BYTES]);
            }
            file.sync().unwrap();
        }
    }

    /// Goal: a refusal of direct writes loses neither bytes nor durability.
    /// Method: bytes at an odd address and offset, which every direct write refuses.
    #[test]
    fn a_refused_write_goes_through_the_page_cache_and_is_synced_still() {
        let test = TestDir::new("log-file-refused");
        let path = zeros(&test);
        let mut file = LogFile::open(&path, true).unwrap();
        let could = file.direct;
        file.write(&[7; 100], 33).unwrap();
        assert!(!file.direct);
        let flags = crate::sys::file::flags(&file.file).unwrap();
        assert_eq!(flags & libc::O_DSYNC, libc::O_DSYNC, "direct before: {could}");
        assert_eq!(flags & libc::O_DIRECT, 0);
        file.write(&[8; 100], 133).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!((&bytes[33..133], &bytes[133..233]), (&[7u8; 100][..], &[8u8; 100][..]));
        assert_eq!((bytes[32], bytes[233]), (0, 0));
    }

    /// Method: files of procfs have no direct access at all.
    #[test]
    fn a_file_that_cannot_be_opened_for_direct_writes_is_opened_without() {
        let file = LogFile::open(Path::new("/proc/self/comm"), true).unwrap();
        assert!(!file.direct);
        let flags = crate::sys::file::flags(&file.file).unwrap();
        assert_eq!(flags & (libc::O_DSYNC | libc::O_DIRECT), libc::O_DSYNC);
    }

    #[test]
    fn a_write_that_the_disk_cannot_take_is_an_error() {
        let mut file = LogFile::open(Path::new("/dev/full"), true).unwrap();
        let mut buffer = Vec::new();
        let from = aligned(&mut buffer, 1);
        let error = file.write(&buffer[from..from + BLOCK_BYTES], 0).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    }
}
