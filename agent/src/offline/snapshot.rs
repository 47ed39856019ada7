//! `zk-agent snapshot`: what a snapshot holds, ours or Apache's.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use zk_core::tree::Kind;
use zk_core::{Config, Loader, Recovered};
use zk_wire::Zxid;

use super::arguments::Arguments;
use super::{Done, Trouble, found, output};
use crate::disk::apache::names::{ApacheFiles, Packing};
use crate::disk::apache::snapshot::read_snapshot;
use crate::disk::layout::list_snapshots;
use crate::disk::replay::Replay;
use crate::disk::snapshot::{SnapshotReader, open};
use crate::disk::tools::describe::{acl_json, utc};
use crate::disk::tools::json::Json;
use crate::node::Loading;

/// A snapshot's file and how to read it.
enum Found {
    Native(PathBuf),
    Apache(PathBuf, Zxid, Packing),
}

/// `zk-agent snapshot [--tree | --json] [--hex] [FILE | DIRECTORY]`: a summary, every znode with its
/// stat, or one JSON object a line.
///
/// # Errors
/// See [`Trouble`].
pub fn snapshot(arguments: Arguments) -> Done {
    let path = match &arguments.paths[..] {
        [] => arguments.places()?.data,
        _ => arguments.one_path()?,
    };
    let (file, zxid, recovered) = load(&path)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let written = match (arguments.json, arguments.tree) {
        (true, _) => write_json(&recovered, zxid, arguments.hex, &mut out),
        (false, true) => write_tree(&recovered, &mut out),
        (false, false) => write_summary(&recovered, zxid, &file, &mut out),
    };
    written.and_then(|()| out.flush()).map_err(output)
}

fn find(path: &Path) -> Result<Found, Trouble> {
    if path.is_dir() {
        for dir in [path.join("zk-agent"), path.to_owned()] {
            if let Some((_, newest)) = list_snapshots(&dir).unwrap_or_default().pop() {
                return Ok(Found::Native(newest));
            }
        }
        for dir in [path.join("version-2"), path.to_owned()] {
            let mut files = ApacheFiles::list(&dir).map_err(found)?;
            if let Some((zxid, newest, packing)) = files.snapshots.pop() {
                return Ok(Found::Apache(newest, zxid, packing));
            }
        }
        return Err(Trouble::Found(format!("there is no snapshot in {}", path.display())));
    }
    let parent = path.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."));
    let files = ApacheFiles::list(parent).map_err(found)?;
    let named = files.snapshots.into_iter().find(|(_, p, _)| p.file_name() == path.file_name());
    Ok(match named {
        Some((zxid, path, packing)) => Found::Apache(path, zxid, packing),
        None => Found::Native(path.to_owned()),
    })
}

fn load(path: &Path) -> Result<(PathBuf, Zxid, Recovered), Trouble> {
    let loader = Loader::new(&Config::default());
    let mut loading = Loading { loader, progress: None, last_txn: None };
    let damaged = |path: &Path, detail: &dyn std::fmt::Display| {
        found(format!("{}: {detail}", path.display()))
    };
    let (path, zxid) = match find(path)? {
        Found::Native(path) => {
            let file = open(&path).map_err(|e| damaged(&path, &e))?;
            let mut reader = SnapshotReader::new(&file).map_err(|e| damaged(&path, &e))?;
            let (zxid, mut progress) = (reader.zxid(), super::progress());
            loop {
                let (done, total) = reader.progress();
                progress(done, total);
                match reader.next_piece().map_err(|e| damaged(&path, &e))? {
                    Some(piece) => loading.piece(piece).map_err(|e| damaged(&path, &e))?,
                    None => break,
                }
            }
            loading.snapshot_end(zxid, false).map_err(|e| damaged(&path, &e))?;
            (path, zxid)
        }
        Found::Apache(path, zxid, packing) => {
            read_snapshot(&path, packing, &mut loading).map_err(|e| damaged(&path, &e))?;
            loading.snapshot_end(zxid, true).map_err(|e| damaged(&path, &e))?;
            (path, zxid)
        }
    };
    Ok((path, zxid, loading.loader.finish()))
}

fn write_summary(
    recovered: &Recovered,
    zxid: Zxid,
    path: &Path,
    out: &mut dyn Write,
) -> io::Result<()> {
    let tree = &recovered.tree;
    writeln!(out, "file: {}", path.display())?;
    writeln!(out, "zxid: {zxid}")?;
    writeln!(out, "digest: {:#x}", tree.digest())?;
    writeln!(out, "znodes: {}", tree.len())?;
    writeln!(out, "ephemerals: {}", tree.ephemeral_count())?;
    writeln!(out, "containers and TTL znodes: {}", tree.reapable().count())?;
    writeln!(out, "sessions: {}", recovered.sessions.len())?;
    writeln!(out, "ACL lists: {}", tree.acls.len())?;
    let mut data_bytes = 0u64;
    let mut below: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    tree.walk(|path, number| {
        let bytes = tree.node(number).data_bytes() as u64;
        data_bytes += bytes;
        if let Some(top) = path.split('/').nth(1) {
            let entry = below.entry(format!("/{top}")).or_default();
            *entry = (entry.0 + 1, entry.1 + bytes);
        }
    });
    writeln!(out, "data bytes: {data_bytes}")?;
    writeln!(out, "below the root (path, znodes, data bytes):")?;
    for (path, (znodes, bytes)) in below {
        writeln!(out, "  {path} {znodes} {bytes}")?;
    }
    Ok(())
}

/// Calls `line` for each znode until writing fails.
fn each(
    recovered: &Recovered,
    mut line: impl FnMut(&str, u32) -> io::Result<()>,
) -> io::Result<()> {
    let mut result = Ok(());
    recovered.tree.walk(|path, number| {
        if result.is_ok() {
            result = line(if path.is_empty() { "/" } else { path }, number);
        }
    });
    result
}

fn write_tree(recovered: &Recovered, out: &mut dyn Write) -> io::Result<()> {
    let tree = &recovered.tree;
    each(recovered, |path, number| {
        let stat = tree.node(number).persisted();
        writeln!(out, "{path}")?;
        writeln!(
            out,
            "  czxid={:#x} mzxid={:#x} pzxid={:#x} version={} cversion={} aversion={} owner={:#x}",
            stat.czxid,
            stat.mzxid,
            stat.pzxid,
            stat.version,
            stat.cversion,
            stat.aversion,
            stat.ephemeral_owner
        )?;
        writeln!(
            out,
            "  ctime={} mtime={} data_bytes={} children={}",
            utc(stat.ctime_ms),
            utc(stat.mtime_ms),
            tree.node(number).data_bytes(),
            tree.node(number).children
        )
    })?;
    for (session, timeout_ms) in &recovered.sessions {
        writeln!(out, "session {session:#x} timeout_ms={timeout_ms}")?;
    }
    Ok(())
}

fn write_json(recovered: &Recovered, zxid: Zxid, hex: bool, out: &mut dyn Write) -> io::Result<()> {
    let tree = &recovered.tree;
    let mut head = Json::object();
    head.text("zxid", &zxid.to_string()).raw("znodes", tree.len());
    writeln!(out, "{}", head.end_object())?;
    for (session, timeout_ms) in &recovered.sessions {
        let mut json = Json::object();
        json.text("session", &format!("{session:#x}")).raw("timeout_ms", timeout_ms);
        writeln!(out, "{}", json.end_object())?;
    }
    each(recovered, |path, number| {
        let stat = tree.node(number).persisted();
        let mut json = Json::object();
        json.text("path", path)
            .text("kind", kind(tree.kind(number)))
            .text("czxid", &format!("{:#x}", stat.czxid))
            .text("mzxid", &format!("{:#x}", stat.mzxid))
            .text("pzxid", &format!("{:#x}", stat.pzxid))
            .raw("ctime_ms", stat.ctime_ms)
            .raw("mtime_ms", stat.mtime_ms)
            .raw("version", stat.version)
            .raw("cversion", stat.cversion)
            .raw("aversion", stat.aversion)
            .text("owner", &format!("{:#x}", stat.ephemeral_owner))
            .raw("children", tree.node(number).children)
            .raw("acl", acl_json(tree.acls.list(tree.node(number).acl)));
        match tree.data(number) {
            None => json.raw("data_bytes", "null"),
            Some(data) => json.raw("data_bytes", data.len()),
        };
        if let (true, Some(data)) = (hex, tree.data(number)) {
            json.text("data", &data.iter().map(|b| format!("{b:02x}")).collect::<String>());
        }
        writeln!(out, "{}", json.end_object())
    })
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Persistent => "persistent",
        Kind::Ephemeral(_) => "ephemeral",
        Kind::Container => "container",
        Kind::Ttl(_) => "ttl",
    }
}
