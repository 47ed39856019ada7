//! Which file stands where, and whose directory it is.
//!
//! ```text
//! <dataDir>/
//!   version-2/            Apache's files: read once, never written
//!   zk-agent/
//!     lock                locked while a process uses the directory
//!     identity, epochs    see `identity`
//!     snapshot-<zxid>     16 hex digits
//! <dataLogDir>/           the same place unless set
//!   zk-agent/
//!     lock, identity      only when it is another place than the above
//!     log-<serial>        16 hex digits; one segment each, counted up, without holes
//!     spare-<serial>      a used-up segment that waits to be written again
//! tmp-*                   unfinished: removed at start
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use zk_wire::Zxid;

use super::error::{Context, DiskError, Result};
use super::identity::{Epochs, Identity};
use crate::sys::file::{FileLock, sync_dir, try_lock};

const OURS: &str = "zk-agent";
const APACHES: &str = "version-2";
const LOG_PREFIX: &str = "log-";
const SNAPSHOT_PREFIX: &str = "snapshot-";
const SPARE_PREFIX: &str = "spare-";
const TEMPORARY_PREFIX: &str = "tmp-";

/// The directories of one server, locked for this process.
#[derive(Debug)]
pub struct DataDir {
    data: PathBuf,
    logs: PathBuf,
    apache_data: PathBuf,
    apache_logs: PathBuf,
    identity: Identity,
    created: bool,
    _locks: Vec<FileLock>,
}

impl DataDir {
    /// Makes the directories where missing, locks them, and checks whose they are.
    ///
    /// - `data_dir`, `log_dir`: as in zoo.cfg; `log_dir` is `data_dir` when not set.
    /// - `server_id`: what `myid` says; a directory made for another one is refused.
    /// - `wall_ms`: goes into the identity of a new directory.
    ///
    /// # Errors
    /// [`DiskError::Locked`] at once when another process has the directory.
    pub fn open(
        data_dir: &Path,
        log_dir: Option<&Path>,
        server_id: i64,
        wall_ms: i64,
    ) -> Result<DataDir> {
        let log_dir = log_dir.unwrap_or(data_dir);
        let (data, logs) = (data_dir.join(OURS), log_dir.join(OURS));
        let mut locks = vec![prepare(&data)?];
        let split = !same_place(&data, &logs)?;
        if split {
            locks.push(prepare(&logs)?);
        }
        let path = data.join("identity");
        let found = Identity::load(&path)?;
        let created = found.is_none();
        let identity = match found {
            Some(identity) => identity,
            None => {
                let drawn = Identity::draw(server_id, wall_ms).context("draw an id for", &path)?;
                drawn.save(&path)?;
                drawn
            }
        };
        let mut identity = identity;
        if identity.server_id == 0 && server_id != 0 {
            // It was alone and is a member now.
            identity.server_id = server_id;
            identity.save(&path)?;
        }
        if identity.server_id != server_id && server_id != 0 {
            let detail = format!(
                "this directory belongs to server {}, but myid says {server_id}; set the right \
                 dataDir or myid",
                identity.server_id
            );
            return Err(DiskError::Identity { path, detail });
        }
        if split {
            check_log_identity(&logs.join("identity"), &identity)?;
        }
        remove_temporaries(&data)?;
        remove_temporaries(&logs)?;
        Ok(DataDir {
            data,
            logs,
            apache_data: data_dir.join(APACHES),
            apache_logs: log_dir.join(APACHES),
            identity,
            created,
            _locks: locks,
        })
    }

    /// Where our snapshots are.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where our log segments are.
    pub fn logs(&self) -> &Path {
        &self.logs
    }

    /// Where Apache's snapshots and epoch files would be.
    pub fn apache_data(&self) -> &Path {
        &self.apache_data
    }

    /// Where Apache's logs would be.
    pub fn apache_logs(&self) -> &Path {
        &self.apache_logs
    }

    /// Whose directory it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// True when the identity was made by this call of `open`.
    pub fn is_new(&self) -> bool {
        self.created
    }

    /// Remembers durably up to where Apache's files were read.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn save_imported(&mut self, zxid: Zxid) -> Result<()> {
        let identity = Identity { imported_zxid: Some(zxid), ..self.identity.clone() };
        identity.save(&self.data.join("identity"))?;
        self.identity = identity;
        Ok(())
    }

    /// Remembers durably of which ensemble this directory is; `agreed`: all of its servers say so.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn save_ensemble(&mut self, id: u128, agreed: bool) -> Result<()> {
        let identity = Identity { ensemble: Some((id, agreed)), ..self.identity.clone() };
        identity.save(&self.data.join("identity"))?;
        self.identity = identity;
        Ok(())
    }

    /// Reads the epochs; `None` when they were never saved.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn load_epochs(&self) -> Result<Option<Epochs>> {
        Epochs::load(&self.data.join("epochs"))
    }

    /// Replaces the epochs durably.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn save_epochs(&self, epochs: Epochs) -> Result<()> {
        epochs.save(&self.data.join("epochs"))
    }
}

/// Log segments of a directory by serial number, ascending.
///
/// # Errors
/// When the directory cannot be read. A missing one is an empty one.
pub fn list_segments(dir: &Path) -> Result<Vec<(u64, PathBuf)>> {
    list(dir, LOG_PREFIX)
}

/// Snapshots of a directory by zxid, ascending.
///
/// # Errors
/// When the directory cannot be read. A missing one is an empty one.
pub fn list_snapshots(dir: &Path) -> Result<Vec<(Zxid, PathBuf)>> {
    let found = list(dir, SNAPSHOT_PREFIX)?;
    Ok(found.into_iter().map(|(zxid, path)| (Zxid(zxid as i64), path)).collect())
}

/// Segments that wait to be written again.
///
/// # Errors
/// When the directory cannot be read.
pub fn list_spares(dir: &Path) -> Result<Vec<PathBuf>> {
    Ok(list(dir, SPARE_PREFIX)?.into_iter().map(|(_, path)| path).collect())
}

/// The file of a segment.
pub fn segment_path(dir: &Path, serial: u64) -> PathBuf {
    dir.join(format!("{LOG_PREFIX}{serial:016x}"))
}

/// The file of a used-up segment.
pub fn spare_path(dir: &Path, serial: u64) -> PathBuf {
    dir.join(format!("{SPARE_PREFIX}{serial:016x}"))
}

/// The file of a snapshot.
pub fn snapshot_path(dir: &Path, zxid: Zxid) -> PathBuf {
    dir.join(format!("{SNAPSHOT_PREFIX}{:016x}", zxid.0))
}

/// The name a file has while it is written.
pub fn temporary_path(path: &Path) -> PathBuf {
    let name = path.file_name().expect("a file of ours has a name").to_string_lossy();
    path.with_file_name(format!("{TEMPORARY_PREFIX}{name}"))
}

fn list(dir: &Path, prefix: &str) -> Result<Vec<(u64, PathBuf)>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).context("list", dir),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.context("list", dir)?;
        let name = entry.file_name();
        let digits = name.to_str().and_then(|name| name.strip_prefix(prefix));
        let Some(digits) = digits.filter(|d| d.len() == 16) else { continue };
        if let Ok(number) = u64::from_str_radix(digits, 16) {
            found.push((number, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// Makes one of our directories and takes its lock before anything in it is looked at.
fn prepare(dir: &Path) -> Result<FileLock> {
    if !dir.is_dir() {
        fs::create_dir_all(dir).context("create", dir)?;
        if let Some(parent) = dir.parent() {
            sync_dir(parent).context("sync", parent)?;
        }
    }
    let path = dir.join("lock");
    match try_lock(&path).context("lock", &path)? {
        Some(lock) => Ok(lock),
        None => Err(DiskError::Locked { path }),
    }
}

fn same_place(a: &Path, b: &Path) -> Result<bool> {
    if a == b {
        return Ok(true);
    }
    // A directory that is not there yet is not the one that is.
    let Ok(b) = b.canonicalize() else { return Ok(false) };
    Ok(a.canonicalize().context("find", a)? == b)
}

fn check_log_identity(path: &Path, expected: &Identity) -> Result<()> {
    match Identity::load(path)? {
        None => expected.save(path),
        Some(found) if found.cluster == expected.cluster => Ok(()),
        Some(_) => Err(DiskError::Identity {
            path: path.to_owned(),
            detail: "these logs belong to another data directory; set the right dataLogDir".into(),
        }),
    }
}

fn remove_temporaries(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir).context("list", dir)? {
        let entry = entry.context("list", dir)?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) {
            fs::remove_file(entry.path()).context("remove", &entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("zk-agent-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        dir
    }

    #[test]
    fn a_directory_is_locked_and_keeps_its_identity() {
        let dir = fresh("layout");
        let first = DataDir::open(&dir, None, 1, 5).unwrap();
        assert!(first.is_new());
        assert!(matches!(DataDir::open(&dir, None, 1, 6), Err(DiskError::Locked { .. })));
        let identity = first.identity().clone();
        fs::write(dir.join("zk-agent/tmp-x"), b"").unwrap();
        drop(first);
        let again = DataDir::open(&dir, None, 1, 7).unwrap();
        assert_eq!(again.identity(), &identity);
        assert!(!again.is_new());
        assert!(!dir.join("zk-agent/tmp-x").exists());
        drop(again);
        let error = DataDir::open(&dir, None, 2, 8).unwrap_err();
        assert!(error.to_string().contains("belongs to server 1"), "{error}");
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn logs_of_another_data_directory_are_refused() {
        let (dir, other, logs) = (fresh("split-a"), fresh("split-b"), fresh("split-logs"));
        drop(DataDir::open(&dir, Some(&logs), 1, 5).unwrap());
        let error = DataDir::open(&other, Some(&logs), 1, 5).unwrap_err();
        assert!(error.to_string().contains("dataLogDir"), "{error}");
        drop(DataDir::open(&dir, Some(&logs), 1, 5).unwrap());
        for dir in [dir, other, logs] {
            fs::remove_dir_all(&dir).unwrap();
        }
    }

    #[test]
    fn only_names_of_ours_are_listed() {
        let dir = fresh("names");
        fs::create_dir_all(&dir).unwrap();
        for name in ["log-0000000000000002", "log-000000000000000a", "log-2", "log-x", "snap"] {
            fs::write(dir.join(name), b"").unwrap();
        }
        fs::write(snapshot_path(&dir, Zxid::new(1, 2)), b"").unwrap();
        let serials: Vec<u64> = list_segments(&dir).unwrap().iter().map(|s| s.0).collect();
        assert_eq!(serials, [2, 10]);
        assert_eq!(list_snapshots(&dir).unwrap()[0].0, Zxid::new(1, 2));
        fs::remove_dir_all(&dir).unwrap();
    }
}
