//! A subtree as a stream of znodes, read from one place and written to another: what export,
//! import, cp, mv and diff share.
//!
//! Servers do not tell clients what is a container or has a TTL: a copy of either is persistent. A
//! line of an import may say otherwise.

use serde_json::{Map, Value, json};
use zk_wire::Acl;
use zkclient::calls::Mode;
use zkclient::multi::{Outcome, Write};

use crate::acls;
use crate::batch::mode_of;
use crate::conn::Conn;
use crate::context::child;
use crate::encoding::{put_data, take_data};
use crate::failure::{Failure, Result};
use crate::output::kind;
use crate::walk;

/// Znodes whose data and ACLs are asked for at once.
const READ_BATCH: usize = 64;

/// Znodes that are written in one transaction.
const WRITE_BATCH: usize = 100;

/// Bytes of them, after which no more are put to them: servers refuse requests of 1 MB.
const WRITE_BYTES: usize = 200 << 10;

/// A znode with all that a copy of it needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it stands, from the subtree's root, which is empty.
    pub relative: String,
    /// Its data.
    pub data: Option<Vec<u8>>,
    /// Its ACL.
    pub acl: Vec<Acl>,
    /// What it is. Sequential names are names like others.
    pub mode: Mode,
}

/// What happens to znodes that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is an error.
    Refuse,
    /// Their data and ACL are set.
    Overwrite,
    /// They stay as they are.
    Skip,
}

/// A path from the path of the root and the way from there.
pub fn at(root: &str, relative: &str) -> String {
    match relative {
        "" => root.to_owned(),
        _ => child(root, relative),
    }
}

/// Reads a subtree, parents before their children. Ephemerals are left out unless asked for, since
/// a copy would belong to somebody else.
pub fn read(
    conn: &Conn,
    root: &str,
    with_acl: bool,
    with_ephemerals: bool,
    mut each: impl FnMut(Node) -> Result<()>,
) -> Result<()> {
    let mut batch = Vec::new();
    walk::visit(conn, root, usize::MAX, |visit| {
        let mode = match kind(&visit.stat) {
            "ephemeral" => Mode::Ephemeral,
            _ => Mode::Persistent,
        };
        if mode == Mode::Persistent || with_ephemerals {
            batch.push((visit.path.clone(), mode));
        }
        match batch.len() < READ_BATCH {
            true => Ok(()),
            false => read_batch(conn, root, with_acl, std::mem::take(&mut batch), &mut each),
        }
    })?;
    read_batch(conn, root, with_acl, batch, &mut each)
}

/// Reads data and ACLs of some znodes, all asked for before the first answer is waited for.
fn read_batch(
    conn: &Conn,
    root: &str,
    with_acl: bool,
    batch: Vec<(String, Mode)>,
    each: &mut dyn FnMut(Node) -> Result<()>,
) -> Result<()> {
    let mut asked = Vec::with_capacity(batch.len());
    for (path, mode) in batch {
        let data = conn.start_get(&path)?;
        let acl = if with_acl { Some(conn.start_get_acl(&path)?) } else { None };
        asked.push((path, mode, data, acl));
    }
    for (path, mode, data, acl) in asked {
        let got = data.wait().and_then(|(data, _)| match acl {
            Some(acl) => Ok((data, acl.wait()?.0)),
            None => Ok((data, Acl::open())),
        });
        match got {
            Ok((data, acl)) => {
                let relative = path[root.len()..].trim_start_matches('/').to_owned();
                each(Node { relative, data, acl, mode })?;
            }
            // It went away meanwhile.
            Err(failure) if failure.is_no_node() && path != root => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

/// Znodes that are still to be written, and how they are: many in one transaction where nothing
/// stands in the way.
pub struct Writer<'a> {
    conn: &'a Conn,
    existing: Existing,
    with_acl: bool,
    batch: Vec<(String, Node)>,
    bytes: usize,
    /// Znodes that were created or set.
    pub written: u64,
    /// Znodes that were left as they are.
    pub skipped: u64,
}

impl<'a> Writer<'a> {
    /// Writes to a session.
    pub fn new(conn: &'a Conn, existing: Existing, with_acl: bool) -> Writer<'a> {
        let (batch, bytes, written, skipped) = (Vec::new(), 0, 0, 0);
        Writer { conn, existing, with_acl, batch, bytes, written, skipped }
    }

    /// Takes a znode, by its full path.
    pub fn put(&mut self, path: String, node: Node) -> Result<()> {
        self.bytes += path.len() + node.data.as_ref().map_or(0, Vec::len);
        self.batch.push((path, node));
        match self.batch.len() < WRITE_BATCH && self.bytes < WRITE_BYTES {
            true => Ok(()),
            false => self.flush(),
        }
    }

    /// Writes what is left.
    pub fn flush(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        // A single large one may be too large beside others, and needs no transaction.
        let together = batch.len() > 1 && self.bytes < 2 * WRITE_BYTES;
        self.bytes = 0;
        if together && self.create_all(&batch)? {
            self.written += batch.len() as u64;
            return Ok(());
        }
        // Something stands in the way of one of them: one by one tells of which.
        for (path, node) in &batch {
            match write(self.conn, path, node, self.existing, self.with_acl)? {
                true => self.written += 1,
                false => self.skipped += 1,
            }
        }
        Ok(())
    }

    /// Creates all or none; true for all.
    fn create_all(&self, batch: &[(String, Node)]) -> Result<bool> {
        let open = Acl::open();
        let creates: Vec<Write<'_>> = batch
            .iter()
            .map(|(path, node)| Write::Create {
                path,
                data: node.data.as_deref(),
                acl: if self.with_acl { &node.acl } else { &open },
                mode: node.mode,
            })
            .collect();
        let outcomes = self.conn.multi(&creates)?;
        Ok(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Created(..))))
    }
}

/// Writes a znode; true when it was written, false when it was skipped.
fn write(conn: &Conn, path: &str, node: &Node, existing: Existing, with_acl: bool) -> Result<bool> {
    let open = Acl::open();
    let acl = if with_acl { &node.acl } else { &open };
    match conn.create(path, node.data.as_deref(), acl, node.mode) {
        Ok(_) => return Ok(true),
        // The root is always there.
        Err(failure) if failure.is_exists() && (existing != Existing::Refuse || path == "/") => {}
        Err(failure) => return Err(failure),
    }
    if existing == Existing::Skip {
        return Ok(false);
    }
    conn.set(path, node.data.as_deref(), -1)?;
    if with_acl {
        conn.set_acl(path, &node.acl, -1)?;
    }
    Ok(true)
}

/// A znode as a JSON object: one line of an export.
pub fn to_json(root: &str, node: &Node, with_acl: bool) -> Value {
    let mut object = Map::new();
    object.insert("path".to_owned(), json!(at(root, &node.relative)));
    put_data(&mut object, node.data.as_deref());
    match node.mode {
        Mode::Container => drop(object.insert("mode".to_owned(), json!("container"))),
        Mode::Ephemeral => drop(object.insert("mode".to_owned(), json!("ephemeral"))),
        Mode::Ttl(ms) => {
            object.insert("mode".to_owned(), json!("ttl"));
            object.insert("ttl".to_owned(), json!(ms));
        }
        _ => {}
    }
    if with_acl {
        object.insert("acl".to_owned(), acls::to_json(&node.acl));
    }
    Value::Object(object)
}

/// Reads such a line: the path as it stands there, and the znode with an empty `relative`.
pub fn from_json(line: &str) -> Result<(String, Node)> {
    let object: Map<String, Value> = serde_json::from_str(line)
        .map_err(|error| Failure::usage(format!("no JSON object: {error}")))?;
    let path = object.get("path").and_then(Value::as_str);
    let path = path.ok_or_else(|| Failure::usage("no field path with a string"))?;
    zk_wire::path::check(path).map_err(|error| Failure::path(path, error))?;
    let name = object.get("mode").and_then(Value::as_str).unwrap_or("persistent");
    let mode = mode_of(name, object.get("ttl").and_then(Value::as_i64))?;
    let acl = match object.get("acl") {
        Some(value) => acls::from_json(value)?,
        None => Acl::open(),
    };
    let node = Node { relative: String::new(), data: take_data(&object)?, acl, mode };
    Ok((path.to_owned(), node))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_an_export_come_back() {
        for mode in [Mode::Persistent, Mode::Container, Mode::Ttl(7)] {
            let node = Node {
                relative: "x".to_owned(),
                data: Some(vec![1, 0xff]),
                acl: vec![Acl::new(1, "digest", "a:b")],
                mode,
            };
            let line = to_json("/r", &node, true).to_string();
            let (path, back) = from_json(&line).unwrap();
            assert_eq!(path, "/r/x");
            assert_eq!(back, Node { relative: String::new(), ..node });
        }
    }

    #[test]
    fn wrong_lines_are_refused() {
        for line in ["", "5", "{}", "{\"path\":\"a\"}", "{\"path\":\"/a\",\"mode\":\"x\"}"] {
            assert!(from_json(line).is_err(), "{line}");
        }
    }
}
