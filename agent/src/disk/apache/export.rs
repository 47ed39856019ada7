//! The way back: a directory from which an Apache server of 3.4 or later starts.
//!
//! ```text
//! DIR/version-2/snapshot.<c>    the state at the last committed zxid c
//! DIR/version-2/log.<c>         txn c alone, so that a later truncation finds its place
//! DIR/version-2/acceptedEpoch, currentEpoch
//! ```

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use simd_adler32::Adler32;
use zk_wire::{StatPersisted, Writer, Zxid};

use super::super::identity::Epochs;
use super::log::{put_header, put_record};
use crate::sys::file::sync_dir;

const MAGIC: &[u8; 4] = b"ZKSN";
const VERSION: i32 = 2;
const DBID: i64 = -1;
const DIGEST_VERSION: i32 = 2;
/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 256 << 10;

/// Writes one snapshot in Apache's format. The calls come in the order of the functions below.
pub struct ApacheSnapshotWriter<W> {
    out: W,
    buffer: Vec<u8>,
    summed: usize,
    adler: Adler32,
}

impl<W: Write> ApacheSnapshotWriter<W> {
    /// Writes the header and the session table: ids and timeouts in ms. Every session that owns an
    /// ephemeral must be in it.
    ///
    /// # Errors
    /// What writing says.
    pub fn new(
        out: W,
        sessions: impl ExactSizeIterator<Item = (i64, i32)>,
    ) -> io::Result<ApacheSnapshotWriter<W>> {
        let (buffer, adler) = (Vec::new(), Adler32::new());
        let mut writer = ApacheSnapshotWriter { out, buffer, summed: 0, adler };
        writer.buffer.extend_from_slice(MAGIC);
        writer.buffer.put_int(VERSION);
        writer.buffer.put_long(DBID);
        writer.buffer.put_int(count(sessions.len()));
        for (id, timeout_ms) in sessions {
            writer.buffer.put_long(id);
            writer.buffer.put_int(timeout_ms);
            writer.flush_some()?;
        }
        Ok(writer)
    }

    /// Writes the ACL table: ids, which are positive, and lists as jute `vector<ACL>`. The list
    /// `world:anyone` with all permissions has the id -1 and is not in it.
    ///
    /// # Errors
    /// What writing says.
    pub fn acls<'a>(
        &mut self,
        lists: impl ExactSizeIterator<Item = (i64, &'a [u8])>,
    ) -> io::Result<()> {
        self.buffer.put_int(count(lists.len()));
        for (id, list) in lists {
            self.buffer.put_long(id);
            self.buffer.extend_from_slice(list);
            self.flush_some()?;
        }
        Ok(())
    }

    /// Writes a znode; parents come before their children, the root first, with the empty path.
    ///
    /// # Errors
    /// What writing says.
    pub fn znode(
        &mut self,
        path: &str,
        data: Option<&[u8]>,
        acl_id: i64,
        stat: &StatPersisted,
    ) -> io::Result<()> {
        self.buffer.put_string(path);
        self.buffer.put_buffer(data);
        self.buffer.put_long(acl_id);
        stat.encode(&mut self.buffer);
        self.flush_some()
    }

    /// Writes the end and the sections.
    ///
    /// - `zxid`: the newest txn in the state.
    /// - `digest`: of the tree once txn `zxid` is applied; `None` leaves out both sections, for a
    ///   server could not tell the second from the first.
    ///
    /// # Errors
    /// What writing says.
    pub fn finish(mut self, zxid: Zxid, digest: Option<i64>) -> io::Result<W> {
        self.buffer.put_string("/");
        self.seal();
        if let Some(digest) = digest {
            self.buffer.put_long(zxid.0);
            self.buffer.put_int(DIGEST_VERSION);
            self.buffer.put_long(digest);
            self.seal();
            self.buffer.put_long(zxid.0);
            self.seal();
        }
        self.out.write_all(&self.buffer)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn seal(&mut self) {
        self.adler.write(&self.buffer[self.summed..]);
        let sum = self.adler.finish();
        self.summed = self.buffer.len();
        self.buffer.put_long(i64::from(sum));
        self.buffer.put_string("/");
    }

    fn flush_some(&mut self) -> io::Result<()> {
        if self.buffer.len() >= BUFFER_BYTES {
            self.adler.write(&self.buffer[self.summed..]);
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
            self.summed = 0;
        }
        Ok(())
    }
}

fn count(n: usize) -> i32 {
    i32::try_from(n).expect("a table has fewer than 2^31 entries")
}

/// A directory being exported.
#[derive(Debug)]
pub struct Export {
    dir: PathBuf,
    zxid: Zxid,
}

impl Export {
    /// Makes `DIR/version-2`, which must not hold anything yet.
    ///
    /// # Errors
    /// What the operating system says; `AlreadyExists` when there are files.
    pub fn create(dir: &Path, zxid: Zxid) -> io::Result<Export> {
        let dir = dir.join("version-2");
        fs::create_dir_all(&dir)?;
        if fs::read_dir(&dir)?.next().is_some() {
            let error = format!("{} is not empty; choose another directory", dir.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, error));
        }
        Ok(Export { dir, zxid })
    }

    /// The snapshot's file, for [`ApacheSnapshotWriter::new`].
    ///
    /// # Errors
    /// What the operating system says.
    pub fn snapshot_file(&self) -> io::Result<File> {
        // The name must not look like a snapshot before it is one.
        File::create(self.dir.join("tmp-snapshot"))
    }

    /// Syncs the snapshot and names it; writes the log, the epochs and `myid` beside it.
    ///
    /// - `txn`: the bytes of txn `zxid`; `None` when they are not at hand.
    /// - `epochs`: raised to the epoch of `zxid`, or the server would refuse them.
    /// - `server_id`: goes into `DIR/myid`; `None` for a standalone server.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn finish(
        self,
        snapshot: &File,
        txn: Option<&[u8]>,
        epochs: Epochs,
        server_id: Option<i64>,
    ) -> io::Result<()> {
        snapshot.sync_all()?;
        if let Some(txn) = txn {
            let mut log = Vec::new();
            put_header(&mut log);
            put_record(&mut log, txn);
            put_file(&self.dir.join(format!("log.{:x}", self.zxid.0)), &log)?;
        }
        let current = epochs.current.max(self.zxid.epoch());
        let accepted = epochs.accepted.max(current);
        put_file(&self.dir.join("currentEpoch"), current.to_string().as_bytes())?;
        put_file(&self.dir.join("acceptedEpoch"), accepted.to_string().as_bytes())?;
        let parent = self.dir.parent().expect("version-2 is below the directory");
        if let Some(id) = server_id {
            put_file(&parent.join("myid"), format!("{id}\n").as_bytes())?;
        }
        let name = self.dir.join(format!("snapshot.{:x}", self.zxid.0));
        fs::rename(self.dir.join("tmp-snapshot"), name)?;
        sync_dir(&self.dir)?;
        sync_dir(parent)
    }
}

fn put_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
