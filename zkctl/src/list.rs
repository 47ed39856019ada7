//! Many znodes: ls, tree, find, du, and the ephemerals of everybody.

use serde_json::{Map, Value, json};

use crate::conn::Conn;
use crate::context::{Context, child};
use crate::encoding::short;
use crate::failure::{Failure, Result, exit};
use crate::output::{Output, date, hex, kind};
use crate::progress::Progress;
use crate::walk::{self, Denied, Visit};

/// Lists the children of a znode.
#[derive(Clone, Debug, clap::Args)]
pub struct Ls {
    /// The znode
    #[arg(default_value = "")]
    pub path: String,
    /// All paths below
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// Kind, size, version, children and time of each
    #[arg(short = 'l', long)]
    pub long: bool,
    /// Print the stat of the znode too
    #[arg(short = 's', long)]
    pub stat: bool,
}

/// Shows a subtree.
#[derive(Clone, Debug, clap::Args)]
pub struct Tree {
    /// The znode that it begins at
    #[arg(default_value = "")]
    pub path: String,
    /// So many levels only
    #[arg(short = 'd', long, value_name = "LEVELS")]
    pub depth: Option<usize>,
    /// Show how many bytes each holds
    #[arg(long)]
    pub sizes: bool,
    /// Show the data of each, cut to a line
    #[arg(long)]
    pub data: bool,
}

/// Finds znodes by name, data, kind or size; without a condition all.
#[derive(Clone, Debug, clap::Args)]
pub struct Find {
    /// The znode that it begins at
    #[arg(default_value = "")]
    pub path: String,
    /// The name, with * for any characters and ? for one
    #[arg(short = 'n', long, value_name = "PATTERN")]
    pub name: Option<String>,
    /// The data holds this text
    #[arg(long, value_name = "TEXT")]
    pub data: Option<String>,
    /// persistent or ephemeral
    #[arg(short = 'k', long, value_name = "KIND", value_parser = ["persistent", "ephemeral"])]
    pub kind: Option<String>,
    /// At least so many bytes of data
    #[arg(long, value_name = "BYTES")]
    pub bytes: Option<i32>,
    /// At least so many children
    #[arg(long, value_name = "N")]
    pub children: Option<i32>,
    /// So many levels only
    #[arg(short = 'd', long, value_name = "LEVELS")]
    pub depth: Option<usize>,
}

/// Adds up the znodes and bytes of each child's subtree, the largest first.
#[derive(Clone, Debug, clap::Args)]
pub struct Du {
    /// The znode
    #[arg(default_value = "")]
    pub path: String,
    /// So many lines only
    #[arg(short = 'l', long, default_value_t = 50, value_name = "N")]
    pub limit: usize,
}

/// Lists the ephemerals of all sessions.
#[derive(Clone, Debug, clap::Args)]
pub struct Ephemerals {
    /// The znode that it begins at
    #[arg(default_value = "")]
    pub path: String,
    /// Those of this session only, by its id (0x...)
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
}

/// The path that is meant: where the shell stands, else the root, when none is given.
fn start(ctx: &Context<'_>, given: &str) -> Result<String> {
    match (given, &ctx.place) {
        ("", None) => Ok("/".to_owned()),
        _ => ctx.path(given),
    }
}

/// ls
pub fn ls(ctx: &mut Context<'_>, args: &Ls) -> Result<()> {
    let path = start(ctx, &args.path)?;
    let conn = ctx.conn()?;
    let mut denied = Denied::default();
    let names: Vec<String> = match args.recursive {
        true => {
            let mut found = Vec::new();
            denied = walk::visit_seen(&conn, &path, usize::MAX, |visit| {
                ctx.go_on()?;
                found.push(visit.path.clone());
                Ok(())
            })?;
            found.into_iter().skip(1).collect()
        }
        false => conn.children(&path, false)?.0,
    };
    match args.long {
        false => ctx.printer.list(names.iter().map(|name| json!(name)).collect())?,
        true => {
            let full = |name: &String| match args.recursive {
                true => name.clone(),
                false => child(&path, name),
            };
            let rows = long(ctx, &conn, names.iter().map(|name| (name.clone(), full(name))))?;
            let columns = ["name", "kind", "bytes", "version", "children", "modified", "owner"];
            ctx.printer.rows(&columns, rows)?;
        }
    }
    if args.stat {
        let stat = conn.stat(&path)?;
        crate::node::print_stat(ctx, &stat)?;
    }
    denied.check("ls")
}

fn long(
    ctx: &Context<'_>,
    conn: &Conn,
    names: impl Iterator<Item = (String, String)>,
) -> Result<Vec<Vec<Value>>> {
    let mut rows = Vec::new();
    let people = ctx.printer.output == Output::Table;
    for (name, path) in names {
        let Some(stat) = conn.exists(&path, false)? else { continue };
        let kind = kind(&stat);
        let owner =
            if kind == "ephemeral" { json!(hex(stat.ephemeral_owner)) } else { Value::Null };
        let time = if people { json!(date(stat.mtime_ms)) } else { json!(stat.mtime_ms) };
        rows.push(vec![
            json!(name),
            json!(kind),
            json!(stat.data_length),
            json!(stat.version),
            json!(stat.num_children),
            time,
            owner,
        ]);
    }
    Ok(rows)
}

/// tree
pub fn tree(ctx: &mut Context<'_>, args: &Tree) -> Result<()> {
    let path = start(ctx, &args.path)?;
    let conn = ctx.conn()?;
    if ctx.printer.json() {
        let value = node_json(&conn, &path, args, args.depth.unwrap_or(usize::MAX))?;
        return ctx.printer.value(&value);
    }
    let depth_max = args.depth.unwrap_or(usize::MAX);
    // For each level above, how many siblings are still to come.
    let mut left: Vec<usize> = Vec::new();
    let mut count = 0u64;
    let denied = walk::visit_seen(&conn, &path, depth_max, |visit| {
        ctx.go_on()?;
        count += 1;
        left.truncate(visit.depth);
        let mut line = String::new();
        if let Some(own) = left.last_mut() {
            *own -= 1;
        }
        for (at, siblings) in left.iter().enumerate() {
            line.push_str(match (at + 1 == left.len(), *siblings > 0) {
                (true, true) => "├── ",
                (true, false) => "└── ",
                (false, true) => "│   ",
                (false, false) => "    ",
            });
        }
        let name = if visit.depth == 0 { &visit.path } else { zk_wire::path::name(&visit.path) };
        line.push_str(name);
        if args.sizes {
            line.push_str(&format!(" ({} bytes)", visit.stat.data_length));
        }
        if args.data
            && visit.stat.data_length > 0
            && let Ok((Some(data), _)) = conn.get(&visit.path, false)
        {
            line.push_str(&format!(" = {}", short(&data, 60)));
        }
        left.push(visit.children.len());
        ctx.printer.text(&line)?;
        ctx.printer.text("\n")
    })?;
    if ctx.printer.output == Output::Table {
        ctx.printer.text(&format!("{count} znodes\n"))?;
    }
    denied.check("tree")
}

/// A subtree as nested objects. Recursion is bounded by the depth of the tree, which the length of
/// paths bounds.
fn node_json(conn: &Conn, path: &str, args: &Tree, depth: usize) -> Result<Value> {
    let (names, stat) = conn.children(path, false)?;
    let mut object = Map::new();
    object.insert("name".to_owned(), json!(zk_wire::path::name(path)));
    object.insert("path".to_owned(), json!(path));
    object.insert("bytes".to_owned(), json!(stat.data_length));
    if args.data {
        crate::encoding::put_data(&mut object, conn.get(path, false)?.0.as_deref());
    }
    if depth > 0 {
        let mut below = Vec::new();
        for name in &names {
            match node_json(conn, &child(path, name), args, depth - 1) {
                Ok(value) => below.push(value),
                Err(failure) if failure.is_no_node() => {}
                Err(failure) if failure.exit == exit::NO_AUTH => {
                    below.push(json!({ "name": name, "path": child(path, name), "denied": true }));
                }
                Err(failure) => return Err(failure),
            }
        }
        object.insert("children".to_owned(), Value::Array(below));
    }
    Ok(Value::Object(object))
}

/// Whether a name fits a pattern of `*` and `?`.
pub fn fits(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    // Where to go on when what stands behind the last star does not fit.
    let mut back: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                back = Some((p + 1, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match back {
                Some((after, from)) => {
                    back = Some((after, from + 1));
                    p = after;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

impl Find {
    fn takes(&self, conn: &Conn, visit: &Visit) -> Result<bool> {
        let name = zk_wire::path::name(&visit.path);
        let kept = self.name.as_ref().is_none_or(|pattern| fits(pattern, name))
            && self.kind.as_ref().is_none_or(|wanted| kind(&visit.stat) == wanted)
            && self.bytes.is_none_or(|least| visit.stat.data_length >= least)
            && self.children.is_none_or(|least| visit.stat.num_children >= least);
        let (true, Some(text)) = (kept, &self.data) else { return Ok(kept) };
        // Only what is left is read.
        let data = match conn.get(&visit.path, false) {
            Ok((data, _)) => data.unwrap_or_default(),
            Err(failure) if failure.is_no_node() || failure.exit == exit::NO_AUTH => {
                return Ok(false);
            }
            Err(failure) => return Err(failure),
        };
        Ok(text.is_empty() || data.windows(text.len()).any(|part| part == text.as_bytes()))
    }
}

/// find
pub fn find(ctx: &mut Context<'_>, args: &Find) -> Result<()> {
    let path = start(ctx, &args.path)?;
    let conn = ctx.conn()?;
    let mut found = Vec::new();
    let denied = walk::visit_seen(&conn, &path, args.depth.unwrap_or(usize::MAX), |visit| {
        ctx.go_on()?;
        if args.takes(&conn, visit)? {
            found.push(json!(visit.path));
        }
        Ok(())
    })?;
    ctx.printer.list(found)?;
    denied.check("find")
}

/// du
pub fn du(ctx: &mut Context<'_>, args: &Du) -> Result<()> {
    let path = start(ctx, &args.path)?;
    let conn = ctx.conn()?;
    let mut sums: Vec<(String, u64, u64)> = Vec::new();
    let mut total = (0u64, 0u64);
    let progress = Progress::start(ctx.shows_progress(), "counting", 0);
    let denied = walk::visit_seen(&conn, &path, usize::MAX, |visit| {
        ctx.go_on()?;
        progress.add(1);
        let bytes = visit.stat.data_length.max(0) as u64;
        total = (total.0 + 1, total.1 + bytes);
        if visit.depth == 1 {
            sums.push((visit.path.clone(), 0, 0));
        }
        if let (Some(sum), true) = (sums.last_mut(), visit.depth > 0) {
            sum.1 += 1;
            sum.2 += bytes;
        }
        Ok(())
    })?;
    drop(progress);
    sums.sort_by(|a, b| (b.2, b.1, &a.0).cmp(&(a.2, a.1, &b.0)));
    sums.truncate(args.limit);
    sums.push((path, total.0, total.1));
    let rows =
        sums.into_iter().map(|(path, nodes, bytes)| vec![json!(bytes), json!(nodes), json!(path)]);
    ctx.printer.rows(&["bytes", "znodes", "path"], rows.collect())?;
    denied.check("du")
}

/// A session id as people write it: hex with or without 0x.
pub fn session_id(text: &str) -> Result<i64> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    u64::from_str_radix(digits, 16).map(|id| id as i64).map_err(|_| {
        Failure::usage(format!("session {text:?} is no id; it reads 0x100000000000001"))
    })
}

/// ephemerals
pub fn ephemerals(ctx: &mut Context<'_>, args: &Ephemerals) -> Result<()> {
    let path = start(ctx, &args.path)?;
    let wanted = args.session.as_deref().map(session_id).transpose()?;
    let conn = ctx.conn()?;
    let mut rows = Vec::new();
    let denied = walk::visit_seen(&conn, &path, usize::MAX, |visit| {
        ctx.go_on()?;
        let owner = visit.stat.ephemeral_owner;
        if kind(&visit.stat) == "ephemeral" && wanted.is_none_or(|id| id == owner) {
            rows.push(vec![json!(hex(owner)), json!(visit.path)]);
        }
        Ok(())
    })?;
    rows.sort_by_key(|row| row[0].to_string());
    ctx.printer.rows(&["session", "path"], rows)?;
    denied.check("ephemerals")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, is) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("?b*", "abc", true),
            ("?", "", false),
            ("*a*b", "xaxaxb", true),
            ("lock-*", "lock-0000000001", true),
        ] {
            assert_eq!(fits(pattern, name), is, "{pattern} {name}");
        }
    }

    #[test]
    fn sessions_are_hex() {
        assert_eq!(session_id("0x10").unwrap(), 16);
        assert_eq!(session_id("ffffffffffffffff").unwrap(), -1);
        assert!(session_id("x").is_err());
    }
}
