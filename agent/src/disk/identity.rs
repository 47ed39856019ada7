//! Small text files that are replaced as a whole: the identity of a data directory, and its epochs.
//!
//! ```text
//! zk-agent identity          zk-agent epochs
//! format=1                   accepted=5
//! cluster=<32 hex digits>    current=5
//! server=1                   crc=<8 hex digits>
//! created_ms=1700000000000
//! ensemble=<32 hex digits>           once a leader has given it out
//! agreed=1                           once every voter has it
//! imported_zxid=0x100000002          only after a first start on Apache's files
//! crc=<8 hex digits>                 crc32c of every byte before this line
//! ```
//! A file is written under another name, synced, renamed, and its directory synced.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use zk_wire::Zxid;

use super::error::{Context, DiskError, Result};
use crate::sys::file::{random_u64, sync_dir};

/// The only format this version writes and reads.
pub const FORMAT: u32 = 1;

/// Bytes of such a file at most.
const FILE_BYTES_MAX: u64 = 4096;

const IDENTITY_TITLE: &str = "zk-agent identity";
const EPOCHS_TITLE: &str = "zk-agent epochs";

/// Whose data directory this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Drawn when the directory was made; 128 bits. Tells its files from those of another one.
    pub cluster: u128,
    /// The id of its ensemble, and whether all have agreed on it; none when it was in none.
    pub ensemble: Option<(u128, bool)>,
    /// The server id (`myid`) it was made for.
    pub server_id: i64,
    /// When it was made, in ms since 1970.
    pub created_ms: i64,
    /// The zxid up to which Apache's files were read at the first start, if they were.
    pub imported_zxid: Option<Zxid>,
}

impl Identity {
    /// A new identity.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub fn draw(server_id: i64, created_ms: i64) -> io::Result<Identity> {
        let cluster = (u128::from(random_u64()?) << 64) | u128::from(random_u64()?);
        Ok(Identity { cluster, ensemble: None, server_id, created_ms, imported_zxid: None })
    }

    /// Reads it; `None` when there is no such file.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or of another format.
    pub fn load(path: &Path) -> Result<Option<Identity>> {
        let Some(text) = read(path)? else { return Ok(None) };
        let refuse = |detail: String| DiskError::Identity { path: path.to_owned(), detail };
        let fields = Fields::parse(&text, IDENTITY_TITLE).map_err(refuse)?;
        let format: u32 = fields.number("format", 10).map_err(refuse)?;
        if format != FORMAT {
            return Err(refuse(format!(
                "format {format} was written by another version of zk-agent, this one reads \
                 format {FORMAT}; start that version, or move the directory away"
            )));
        }
        let imported_zxid = match fields.get("imported_zxid") {
            None => None,
            Some(_) => Some(Zxid(fields.number("imported_zxid", 16).map_err(refuse)?)),
        };
        let ensemble = match fields.get("ensemble") {
            None => None,
            Some(_) => {
                let id = fields.number("ensemble", 16).map_err(refuse)?;
                Some((id, fields.get("agreed").is_some()))
            }
        };
        Ok(Some(Identity {
            ensemble,
            cluster: fields.number("cluster", 16).map_err(refuse)?,
            server_id: fields.number("server", 10).map_err(refuse)?,
            created_ms: fields.number("created_ms", 10).map_err(refuse)?,
            imported_zxid,
        }))
    }

    /// Replaces the file durably.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut text = format!(
            "{IDENTITY_TITLE}\nformat={FORMAT}\ncluster={:032x}\nserver={}\ncreated_ms={}\n",
            self.cluster, self.server_id, self.created_ms
        );
        if let Some((id, agreed)) = self.ensemble {
            let agreed = if agreed { "agreed=1\n" } else { "" };
            text.push_str(&format!("ensemble={id:032x}\n{agreed}"));
        }
        if let Some(zxid) = self.imported_zxid {
            text.push_str(&format!("imported_zxid={zxid}\n"));
        }
        replace(path, &seal(text))
    }
}

/// The epochs of Zab: promises that must survive a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Epochs {
    /// The highest epoch that was promised to a leader.
    pub accepted: i64,
    /// The highest epoch whose leader was followed.
    pub current: i64,
}

impl Epochs {
    /// Reads them; `None` when there is no such file.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged.
    pub fn load(path: &Path) -> Result<Option<Epochs>> {
        let Some(text) = read(path)? else { return Ok(None) };
        let refuse = |detail: String| DiskError::Identity { path: path.to_owned(), detail };
        let fields = Fields::parse(&text, EPOCHS_TITLE).map_err(refuse)?;
        Ok(Some(Epochs {
            accepted: fields.number("accepted", 10).map_err(refuse)?,
            current: fields.number("current", 10).map_err(refuse)?,
        }))
    }

    /// Replaces the file durably.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn save(&self, path: &Path) -> Result<()> {
        let (accepted, current) = (self.accepted, self.current);
        replace(path, &seal(format!("{EPOCHS_TITLE}\naccepted={accepted}\ncurrent={current}\n")))
    }
}

/// The lines of such a file.
pub(crate) struct Fields<'a> {
    lines: Vec<(&'a str, &'a str)>,
}

impl<'a> Fields<'a> {
    pub(crate) fn parse(text: &'a str, title: &str) -> std::result::Result<Fields<'a>, String> {
        const REMEDY: &str = "restore it from a copy, or remove it to have a new one made";
        let (body, crc) = text
            .rsplit_once("crc=")
            .ok_or_else(|| format!("the file has no crc line; {REMEDY}"))?;
        if crc.trim_end() != format!("{:08x}", crc32c::crc32c(body.as_bytes())) {
            return Err(format!("the crc does not fit the contents; {REMEDY}"));
        }
        let mut lines = body.lines();
        if lines.next() != Some(title) {
            return Err(format!("the first line is not \"{title}\"; {REMEDY}"));
        }
        Ok(Fields { lines: lines.filter_map(|line| line.split_once('=')).collect() })
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a str> {
        self.lines.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    pub(crate) fn number<T: TryFrom<i128> + TryFrom<u128>>(
        &self,
        key: &str,
        radix: u32,
    ) -> std::result::Result<T, String> {
        let value = self.get(key).ok_or_else(|| format!("{key} is missing"))?;
        let bad = || format!("{key}={value} is not a number in range");
        if radix == 16 {
            let digits = value.strip_prefix("0x").unwrap_or(value);
            let number = u128::from_str_radix(digits, 16).map_err(|_| bad())?;
            return T::try_from(number).map_err(|_| bad());
        }
        T::try_from(value.parse::<i128>().map_err(|_| bad())?).map_err(|_| bad())
    }
}

/// Adds the crc line.
pub(crate) fn seal(mut text: String) -> Vec<u8> {
    text.push_str(&format!("crc={:08x}\n", crc32c::crc32c(text.as_bytes())));
    text.into_bytes()
}

/// Reads such a file; `None` when there is none.
pub(crate) fn read(path: &Path) -> Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("open", path),
    };
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, FILE_BYTES_MAX), &mut bytes)
        .context("read", path)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Replaces a file durably: temporary name in the same directory, sync, rename, directory sync.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().expect("a file of ours has a directory");
    let name = path.file_name().expect("a file of ours has a name");
    let mut temporary_name = std::ffi::OsString::from("tmp-");
    temporary_name.push(name);
    let temporary = dir.join(temporary_name);
    let mut file = File::create(&temporary).context("create", &temporary)?;
    file.write_all(bytes).context("write", &temporary)?;
    file.sync_all().context("sync", &temporary)?;
    std::fs::rename(&temporary, path).context("rename", &temporary)?;
    sync_dir(dir).context("sync", dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_loaded_and_every_flipped_bit_is_seen() {
        let path = std::env::temp_dir().join(format!("zk-agent-identity-{}", std::process::id()));
        let mut identity = Identity::draw(3, 1_700_000_000_000).unwrap();
        identity.imported_zxid = Some(Zxid::new(5, 0x2a));
        identity.ensemble = Some((0x1234, true));
        identity.save(&path).unwrap();
        assert_eq!(Identity::load(&path).unwrap(), Some(identity.clone()));
        let good = std::fs::read(&path).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &bad).unwrap();
            // The last newline is the only byte that says nothing.
            match Identity::load(&path) {
                Ok(read) => assert_eq!(read, Some(identity.clone()), "bit {bit}"),
                Err(error) => assert_eq!(error.exit_code(), super::super::EXIT_REFUSED),
            }
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(Identity::load(&path).unwrap(), None);
    }

    #[test]
    fn epochs_survive_and_an_empty_file_is_refused() {
        let path = std::env::temp_dir().join(format!("zk-agent-epochs-{}", std::process::id()));
        let epochs = Epochs { accepted: 7, current: 6 };
        epochs.save(&path).unwrap();
        assert_eq!(Epochs::load(&path).unwrap(), Some(epochs));
        std::fs::write(&path, b"").unwrap();
        let error = Epochs::load(&path).unwrap_err().to_string();
        std::fs::remove_file(&path).unwrap();
        assert!(error.contains("crc"), "{error}");
    }
}
