//! `zk-agent export`: the way back to an Apache server.

use std::path::PathBuf;

use zk_core::tree::DataTree;
use zk_core::tree::acl_table::OPEN;
use zk_core::{Config, Loader};

use super::arguments::{Arguments, Places};
use super::{Done, Trouble, found};
use crate::disk::apache::export::{ApacheSnapshotWriter, Export};
use crate::disk::{self, DataDir};
use crate::node::Loading;
use crate::sys::clock;

/// `zk-agent export [--config FILE] DIR`: writes the newest state of a stopped server as a
/// directory that an Apache server of 3.4 to 3.9 starts from.
///
/// # Errors
/// See [`Trouble`]; DIR must not hold a `version-2` with files.
pub fn export(mut arguments: Arguments) -> Done {
    let Some(target) = arguments.paths.pop() else {
        return Err(Trouble::Usage("export wants the directory to write".to_owned()));
    };
    let Places { data, logs } = arguments.places()?;
    let separate = (logs != data).then_some(logs.as_path());
    if !data.is_dir() {
        return Err(Trouble::Found(format!("{} is no directory", data.display())));
    }
    let opened = DataDir::open(&data, separate, 0, clock::now().wall_ms);
    let mut dir = opened.map_err(found)?;
    let loader = Loader::new(&Config::default());
    let mut loading = Loading { loader, progress: None, last_txn: Some(Vec::new()) };
    let recovery = disk::recover(&mut dir, &mut loading).map_err(found)?;
    for note in &recovery.notes {
        eprintln!("{note}");
    }
    let last_txn = loading.last_txn.filter(|txn| !txn.is_empty());
    let recovered = loading.loader.finish();
    let zxid = recovery.last;
    let export = Export::create(&target, zxid).map_err(found)?;
    let file = export.snapshot_file().map_err(found)?;
    let sessions: Vec<(i64, i32)> = recovered.sessions.into_iter().collect();
    let mut writer = ApacheSnapshotWriter::new(&file, sessions.iter().copied()).map_err(found)?;
    write_tree(&recovered.tree, &mut writer).map_err(found)?;
    writer.finish(zxid, Some(recovered.tree.digest() as i64)).map_err(found)?;
    export.finish(&file, last_txn.as_deref(), recovery.epochs, None).map_err(found)?;
    say(&target, zxid, recovered.tree.len(), sessions.len());
    Ok(())
}

fn say(target: &PathBuf, zxid: zk_wire::Zxid, znodes: usize, sessions: usize) {
    println!("{}: zxid {zxid}, {znodes} znodes, {sessions} sessions", target.display());
}

fn write_tree<W: std::io::Write>(
    tree: &DataTree,
    writer: &mut ApacheSnapshotWriter<W>,
) -> std::io::Result<()> {
    let lists: Vec<(i64, &[u8])> = tree
        .acls
        .iter()
        .filter(|(number, _)| *number != OPEN)
        .map(|(number, list)| (i64::from(number), list))
        .collect();
    writer.acls(lists.into_iter())?;
    let mut result = Ok(());
    tree.walk(|path, number| {
        let node = tree.node(number);
        let acl = if node.acl == OPEN { -1 } else { i64::from(node.acl) };
        if result.is_ok() {
            result = writer.znode(path, tree.data(number), acl, &node.persisted());
        }
    });
    result
}
