//! A whole state from files, without a server: to be printed, or exported for Apache's server.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use zk_core::tree::acl_table::OPEN;
use zk_core::tree::znode::ROOT;
use zk_core::tree::{DataTree, Kind};
use zk_core::{Config, Recovered};
use zk_wire::Zxid;

use super::super::ahead::each_piece;
use super::super::apache::export::{ApacheSnapshotWriter, Export};
use super::super::apache::names::{ApacheFiles, Packing};
use super::super::apache::snapshot::{OPEN_ACL_ID, read_snapshot};
use super::super::error::{Context, DiskError, Result};
use super::super::identity::Identity;
use super::super::layout::{DataDir, list_snapshots};
use super::super::loading::Loading;
use super::super::recover::recover;
use super::super::replay::Replay;
use super::super::scan::{Part, scan_log};
use super::super::segment::Header;
use super::super::snapshot::{self, SnapshotReader};
use super::describe::{Data, acl_json, utc};
use super::json::{Json, quoted};

/// Loads one snapshot file, ours or Apache's; of a directory the newest, ours first.
///
/// # Errors
/// When there is none, or it cannot be loaded.
pub fn load_snapshot(path: &Path, config: &Config) -> Result<Recovered> {
    if path.is_dir() {
        return load_snapshot(&newest(path)?, config);
    }
    let mut load = Loading::new(config, None);
    let mut magic = [0u8; 8];
    let count = File::open(path).context("open", path)?.read(&mut magic).context("read", path)?;
    let loaded = match &magic[..count] {
        b"zkag.snp" => load_ours(path, &mut load),
        bytes => {
            let packing = match bytes {
                [0x1f, 0x8b, ..] => Packing::Gzip,
                [0x82, b'S', ..] => Packing::Snappy,
                _ => Packing::Plain,
            };
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let digits = name.as_deref().and_then(|name| name.split('.').nth(1));
            let named = digits.and_then(|digits| i64::from_str_radix(digits, 16).ok());
            read_snapshot(path, packing, &mut load).and_then(|summary| {
                let zxid = named.map(Zxid).or(summary.last_zxid).unwrap_or(Zxid::ZERO);
                load.snapshot_end(zxid, true)
            })
        }
    };
    loaded.map_err(|detail| DiskError::Replay { path: path.to_owned(), detail })?;
    Ok(load.loader.finish())
}

fn load_ours(path: &Path, load: &mut Loading<'_>) -> std::result::Result<(), String> {
    let file = snapshot::open(path).map_err(|error| error.to_string())?;
    let mut reader = SnapshotReader::new(&file).map_err(|error| error.to_string())?;
    each_piece(&mut reader, |piece| load.piece(piece))?;
    load.snapshot_end(reader.zxid(), false)
}

fn newest(dir: &Path) -> Result<std::path::PathBuf> {
    for ours in [dir.join("zk-agent"), dir.to_owned()] {
        if let Some((_, path)) = list_snapshots(&ours)?.pop() {
            return Ok(path);
        }
    }
    for apaches in [dir.join("version-2"), dir.to_owned()] {
        let mut files = ApacheFiles::list(&apaches).context("list", &apaches)?;
        if let Some((_, path, _)) = files.snapshots.pop() {
            return Ok(path);
        }
    }
    Err(DiskError::History {
        detail: format!("{} holds no snapshot", dir.display()),
        remedy: "name a snapshot file, a dataDir, or a version-2 directory".into(),
    })
}

/// How a state is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// A few figures.
    Summary,
    /// The paths, indented.
    Tree,
    /// One object for each znode, a line each.
    Json,
}

/// Writes a state to `out`, siblings by name.
///
/// # Errors
/// What writing says.
pub fn show(state: &Recovered, what: Show, data: Data, out: &mut dyn Write) -> io::Result<()> {
    let tree = &state.tree;
    if what == Show::Summary {
        writeln!(out, "zxid={}", tree.last_zxid())?;
        writeln!(out, "znodes={}", tree.len())?;
        writeln!(out, "ephemerals={}", tree.ephemeral_count())?;
        writeln!(out, "sessions={}", state.sessions.len())?;
        writeln!(out, "acls={}", tree.acls.len())?;
        writeln!(out, "content_bytes={}", tree.content_bytes())?;
        writeln!(out, "digest={:#x}", tree.digest())?;
        return out.flush();
    }
    walk(tree, true, &mut |number, depth| {
        let line = if what == Show::Json {
            znode_json(tree, number, data)
        } else {
            let name = if number == ROOT { "/" } else { tree.name(number) };
            let bytes = tree.data(number).map_or(0, <[u8]>::len);
            format!("{:width$}{} {bytes}", "", name.escape_debug(), width = depth * 2)
        };
        writeln!(out, "{line}")
    })?;
    out.flush()
}

/// Visits every znode, parents first, with its depth.
fn walk(
    tree: &DataTree,
    sorted: bool,
    visit: &mut dyn FnMut(u32, usize) -> io::Result<()>,
) -> io::Result<()> {
    let mut stack = vec![(ROOT, 0)];
    while let Some((number, depth)) = stack.pop() {
        visit(number, depth)?;
        let start = stack.len();
        stack.extend(tree.children(number).map(|child| (child, depth + 1)));
        if sorted {
            stack[start..].sort_by(|a, b| tree.name(b.0).cmp(tree.name(a.0)));
        }
    }
    Ok(())
}

fn znode_json(tree: &DataTree, number: u32, data: Data) -> String {
    let stat = tree.node(number).persisted();
    let bytes = tree.data(number);
    let mut json = Json::object();
    json.text("path", &tree.path(number));
    match (bytes, data) {
        (None, _) => json.raw("data_bytes", "null"),
        (Some(bytes), Data::Length) => json.raw("data_bytes", bytes.len()),
        (Some(bytes), Data::Hex) => {
            let digits: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            json.raw("data", quoted(&digits))
        }
    };
    json.raw("acl", acl_json(tree.acls.list(tree.node(number).acl)));
    for (key, zxid) in [("czxid", stat.czxid), ("mzxid", stat.mzxid), ("pzxid", stat.pzxid)] {
        json.text(key, &Zxid(zxid).to_string());
    }
    json.text("ctime", &utc(stat.ctime_ms)).text("mtime", &utc(stat.mtime_ms));
    json.raw("version", stat.version).raw("cversion", stat.cversion);
    json.raw("aversion", stat.aversion).raw("children", tree.children(number).count());
    match tree.kind(number) {
        Kind::Persistent => &mut json,
        Kind::Ephemeral(session) => json.text("ephemeral_owner", &format!("{session:#018x}")),
        Kind::Container => json.raw("container", true),
        Kind::Ttl(ttl_ms) => json.raw("ttl_ms", ttl_ms),
    };
    json.end_object()
}

/// What was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The newest txn in it.
    pub zxid: Zxid,
    /// Znodes.
    pub znodes: usize,
    /// Sessions.
    pub sessions: usize,
    /// Whose state it is, if it was a member of an ensemble: its newest txns may not be committed.
    pub member: Option<i64>,
}

/// Writes the state of a stopped server's data directory as one that Apache's server starts from.
///
/// - `data_dir`, `log_dir`: as in zoo.cfg. An unfinished batch at the end is wiped, as a start does.
/// - `out`: gets a `version-2`, which must be empty.
///
/// # Errors
/// [`DiskError::Locked`] while a server runs; else as a start, and what writing says.
pub fn export(
    data_dir: &Path,
    log_dir: Option<&Path>,
    config: &Config,
    out: &Path,
) -> Result<Exported> {
    let identity = data_dir.join("zk-agent/identity");
    let Some(identity) = Identity::load(&identity)? else {
        return Err(DiskError::History {
            detail: format!("{} holds no data of zk-agent", data_dir.display()),
            remedy: "name the dataDir of a server that has run".into(),
        });
    };
    let mut dir = DataDir::open(data_dir, log_dir, identity.server_id, identity.created_ms)?;
    let mut load = Loading::new(config, None);
    let found = recover(&mut dir, &mut load)?;
    let state = load.loader.finish();
    let zxid = found.last;
    let txn = find_txn(&found.log.segments, zxid)?;
    let target = Export::create(out, zxid).context("export to", out)?;
    let file = target.snapshot_file().context("create a snapshot in", out)?;
    write_state(&state, zxid, &file).context("write a snapshot in", out)?;
    let server_id = (identity.server_id > 0).then_some(identity.server_id);
    let finished = target.finish(&file, txn.as_deref(), found.epochs, server_id);
    finished.context("export to", out)?;
    let (znodes, sessions) = (state.tree.len(), state.sessions.len());
    Ok(Exported { zxid, znodes, sessions, member: server_id })
}

/// The bytes of a txn, if the newest segments still hold it.
fn find_txn(
    segments: &[super::super::segment::SegmentInfo],
    zxid: Zxid,
) -> Result<Option<Vec<u8>>> {
    let holds = |segment: &&super::super::segment::SegmentInfo| {
        segment.first.is_some_and(|first| first <= zxid)
    };
    let Some(segment) = segments.iter().rev().find(holds) else { return Ok(None) };
    let path = &segment.path;
    let source = File::open(path).context("open", path)?;
    let Ok(header) = Header::read(&source).context("read", path)? else { return Ok(None) };
    let mut found = None;
    scan_log(&[Part { path, header, source: &source }], None, &mut |_, _, at, bytes| {
        if at == zxid {
            found = Some(bytes.to_vec());
        }
        Ok(())
    })?;
    Ok(found)
}

/// Writes a state as a snapshot of Apache's.
///
/// # Errors
/// What writing says.
pub(super) fn write_state(state: &Recovered, zxid: Zxid, file: &File) -> io::Result<()> {
    // A null list would stop Apache's reader; an empty one means the same.
    const NULL: [u8; 4] = [0xff; 4];
    const EMPTY: [u8; 4] = [0; 4];
    let tree = &state.tree;
    let sessions = state.sessions.iter().map(|(id, timeout_ms)| (*id, *timeout_ms));
    let mut writer = ApacheSnapshotWriter::new(BufWriter::new(file), sessions)?;
    let lists: Vec<(i64, &[u8])> = tree
        .acls
        .iter()
        .filter(|(number, _)| *number != OPEN)
        .map(|(number, list)| (number.into(), if list == NULL { &EMPTY[..] } else { list }))
        .collect();
    writer.acls(lists.into_iter())?;
    walk(tree, false, &mut |number, _| {
        let node = tree.node(number);
        let acl_id = if node.acl == OPEN { OPEN_ACL_ID } else { node.acl.into() };
        let path = if number == ROOT { String::new() } else { tree.path(number) };
        writer.znode(&path, tree.data(number), acl_id, &node.persisted())
    })?;
    writer.finish(zxid, Some(tree.digest() as i64))?;
    Ok(())
}
