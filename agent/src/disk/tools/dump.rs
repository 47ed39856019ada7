//! The txns of a log, one line each: our segments and Apache's files alike.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zk_wire::Zxid;

use super::super::apache::log::{LogReader, Next};
use super::super::apache::names::ApacheFiles;
use super::super::error::{Context, DiskError, Result};
use super::super::layout::list_segments;
use super::super::scan::{Part, scan_log};
use super::super::segment::Header;
use super::describe::{Data, json_line, text_line};

/// What to show, and how.
#[derive(Clone, Copy, Debug)]
pub struct DumpOptions {
    /// One JSON object a line instead of words.
    pub json: bool,
    /// Whether to show what clients stored.
    pub data: Data,
    /// The first zxid to show.
    pub from: Zxid,
    /// The last zxid to show.
    pub to: Zxid,
}

impl Default for DumpOptions {
    fn default() -> DumpOptions {
        DumpOptions { json: false, data: Data::Length, from: Zxid(i64::MIN), to: Zxid(i64::MAX) }
    }
}

/// Where the work stands: bytes looked at, bytes in all.
pub type Progress<'p> = dyn FnMut(u64, u64) + 'p;

/// Writes the txns of a log to `out`; returns how many.
///
/// - `path`: a segment, a log file of Apache's server, or a directory: a `dataDir` or
///   `dataLogDir`, our directory in it, or a `version-2`. Of a data directory with both kinds, ours
///   are shown.
///
/// # Errors
/// When something cannot be read or written, or is damaged; the txns before were shown then.
pub fn dump(
    path: &Path,
    options: &DumpOptions,
    out: &mut dyn Write,
    progress: &mut Progress<'_>,
) -> Result<u64> {
    let (native, files) = find(path)?;
    let mut total = 0;
    for file in &files {
        total += std::fs::metadata(file).context("read", file)?.len();
    }
    let mut dumper = Dumper { options, out, progress, total, before: 0, shown: 0 };
    if native {
        dumper.segments(&files)?;
    } else {
        for file in &files {
            dumper.apache(file)?;
        }
    }
    let shown = dumper.shown;
    progress(total, total);
    out.flush().context("write the txns of", path)?;
    Ok(shown)
}

/// Whether the files are ours, and which.
fn find(path: &Path) -> Result<(bool, Vec<PathBuf>)> {
    if !path.is_dir() {
        return Ok((is_ours(path).context("read", path)?, vec![path.to_owned()]));
    }
    for dir in [path.join("zk-agent"), path.to_owned()] {
        let segments = list_segments(&dir)?;
        if !segments.is_empty() {
            return Ok((true, segments.into_iter().map(|(_, path)| path).collect()));
        }
    }
    for dir in [path.join("version-2"), path.to_owned()] {
        let files = ApacheFiles::list(&dir).context("list", &dir)?;
        if !files.logs.is_empty() {
            return Ok((false, files.logs.into_iter().map(|(_, path)| path).collect()));
        }
    }
    Err(DiskError::History {
        detail: format!("{} holds no transaction log", path.display()),
        remedy: "name a log file, a dataDir, or a version-2 directory".into(),
    })
}

fn is_ours(path: &Path) -> io::Result<bool> {
    let mut magic = [0u8; 4];
    let read = File::open(path)?.read(&mut magic)?;
    Ok(&magic[..read] == b"zkag")
}

struct Dumper<'d> {
    options: &'d DumpOptions,
    out: &'d mut dyn Write,
    progress: &'d mut Progress<'d>,
    total: u64,
    before: u64,
    shown: u64,
}

impl Dumper<'_> {
    fn show(&mut self, offset: u64, zxid: Zxid, txn: &[u8]) -> io::Result<()> {
        (self.progress)(self.before + offset, self.total);
        if zxid < self.options.from || zxid > self.options.to {
            return Ok(());
        }
        let line = if self.options.json { json_line } else { text_line };
        self.shown += 1;
        writeln!(self.out, "{}", line(zxid, txn, self.options.data))
    }

    fn segments(&mut self, paths: &[PathBuf]) -> Result<()> {
        let mut opened = Vec::new();
        for path in paths {
            let file = File::open(path).context("open", path)?;
            let header = Header::read(&file).context("read", path)?.map_err(|detail| {
                let (path, last_good) = (path.clone(), Zxid::ZERO);
                DiskError::Corrupt { path, offset: 0, last_good, detail }
            })?;
            opened.push((path, file, header));
        }
        let parts: Vec<Part<'_>> = opened
            .iter()
            .map(|(path, source, header)| Part { path, header: *header, source })
            .collect();
        let mut index = 0;
        scan_log(&parts, None, &mut |path, offset, zxid, txn| {
            while parts[index].path != path {
                self.before += parts[index].header.size;
                index += 1;
            }
            self.show(offset, zxid, txn).map_err(|error| error.to_string())
        })?;
        Ok(())
    }

    fn apache(&mut self, path: &Path) -> Result<()> {
        let file = File::open(path).context("open", path)?;
        let size = file.metadata().context("read", path)?.len();
        let corrupt = |offset: u64, last_good: Zxid, detail: &str| DiskError::Corrupt {
            path: path.to_owned(),
            offset,
            last_good,
            detail: detail.to_owned(),
        };
        let mut last = Zxid::ZERO;
        let reader = LogReader::new(&file).context("read", path)?;
        let mut reader = reader.map_err(|detail| corrupt(0, last, detail))?;
        loop {
            let at = reader.progress().0;
            match reader.next_record().context("read", path)? {
                Next::Record(record) => {
                    last = record.zxid;
                    let shown = self.show(record.offset, record.zxid, record.txn);
                    shown.context("write the txns of", path)?;
                }
                Next::End => break,
                Next::Bad(detail) => return Err(corrupt(at, last, detail)),
            }
        }
        self.before += size;
        Ok(())
    }
}
