//! Subtrees from one place to another: export, import, cp, mv, and diff.
//!
//! None of these is atomic: others may write meanwhile. mv deletes the source only after the whole
//! copy was read back equal.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write as _};

use serde_json::{Value, json};

use crate::acls;
use crate::conn::{Conn, Target};
use crate::context::{Context, join};
use crate::encoding::short;
use crate::failure::{Failure, Result, exit};
use crate::progress::Progress;
use crate::subtree::{Existing, Node, Writer, at, from_json, read, to_json};
use crate::walk;

/// Longest line of an import, in bytes: the largest data as base64, and its path and ACL.
const LINE_BYTES_MAX: u64 = 400 << 20;

/// Writes a subtree as JSON lines, one a znode, parents first.
#[derive(Clone, Debug, clap::Args)]
pub struct Export {
    /// The root of the subtree
    pub path: String,
    /// Into a file; it must not exist
    #[arg(short = 'f', long, value_name = "FILE")]
    pub file: Option<String>,
    /// Without ACLs
    #[arg(long)]
    pub no_acl: bool,
    /// With ephemerals
    #[arg(long)]
    pub ephemerals: bool,
}

/// Creates what an export has written.
#[derive(Clone, Debug, clap::Args)]
pub struct Import {
    /// The file; - or nothing is standard input
    #[arg(default_value = "-")]
    pub file: String,
    /// Put the first line's znode here, and the others below it
    #[arg(long, value_name = "PATH")]
    pub to: Option<String>,
    #[command(flatten)]
    pub how: How,
}

/// What a copy does where something stands already.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct How {
    /// Set what exists already
    #[arg(long, conflicts_with = "skip")]
    pub overwrite: bool,
    /// Leave what exists already as it is
    #[arg(long)]
    pub skip: bool,
    /// Without ACLs: what is created is open
    #[arg(long)]
    pub no_acl: bool,
}

/// Copies a subtree.
#[derive(Clone, Debug, clap::Args)]
pub struct Copy {
    /// The root of the subtree
    pub from: String,
    /// What its copy is called
    pub to: String,
    /// The copy is made on these servers
    #[arg(long, value_name = "SERVERS")]
    pub to_servers: Option<String>,
    #[command(flatten)]
    pub how: How,
}

/// Compares two subtrees.
#[derive(Clone, Debug, clap::Args)]
pub struct Diff {
    /// One
    pub left: String,
    /// The other
    pub right: String,
    /// The other stands on these servers
    #[arg(long, value_name = "SERVERS")]
    pub to_servers: Option<String>,
    /// Compare ACLs too
    #[arg(long)]
    pub acl: bool,
    /// With ephemerals
    #[arg(long)]
    pub ephemerals: bool,
}

impl How {
    fn existing(self) -> Existing {
        match (self.overwrite, self.skip) {
            (true, _) => Existing::Overwrite,
            (_, true) => Existing::Skip,
            _ => Existing::Refuse,
        }
    }
}

/// export
pub fn export(ctx: &mut Context<'_>, args: &Export) -> Result<()> {
    let root = ctx.path(&args.path)?;
    let conn = ctx.conn()?;
    let failed = |name: &str, error: std::io::Error| {
        Failure::new(exit::FAILED, format!("export to {name}: {error}; give another file"))
    };
    let mut file = match &args.file {
        Some(name) => {
            Some(BufWriter::new(File::create_new(name).map_err(|error| failed(name, error))?))
        }
        None => None,
    };
    // Lines on standard output say themselves how far it has come.
    let progress = Progress::start(file.is_some() && ctx.shows_progress(), "exporting", 0);
    read(&conn, &root, !args.no_acl, args.ephemerals, |node| {
        ctx.go_on()?;
        progress.add(1);
        let line = to_json(&root, &node, !args.no_acl).to_string();
        match &mut file {
            Some(file) => writeln!(file, "{line}")
                .map_err(|error| failed(args.file.as_deref().unwrap_or_default(), error)),
            None => {
                ctx.printer.text(&line)?;
                ctx.printer.text("\n")
            }
        }
    })?;
    match (file, &args.file) {
        (Some(file), Some(name)) => {
            let file = file.into_inner().map_err(|error| failed(name, error.into_error()))?;
            file.sync_all().map_err(|error| failed(name, error))
        }
        _ => Ok(()),
    }
}

/// import
pub fn import(ctx: &mut Context<'_>, args: &Import) -> Result<()> {
    let failed = |error: std::io::Error| {
        Failure::new(exit::FAILED, format!("import from {}: {error}", args.file))
    };
    let mut input: Box<dyn BufRead> = match args.file.as_str() {
        "-" => Box::new(BufReader::new(std::io::stdin())),
        name => Box::new(BufReader::new(File::open(name).map_err(failed)?)),
    };
    let to = args.to.as_ref().map(|path| ctx.path(path)).transpose()?;
    let conn = ctx.conn()?;
    let progress = Progress::start(ctx.shows_progress(), "importing", 0);
    let mut writer = Writer::new(&conn, args.how.existing(), !args.how.no_acl);
    let (mut line, mut number) = (String::new(), 0);
    let mut root: Option<String> = None;
    loop {
        ctx.go_on()?;
        line.clear();
        number += 1;
        let taken = std::io::Read::take(&mut input, LINE_BYTES_MAX).read_line(&mut line);
        if taken.map_err(failed)? == 0 {
            break;
        }
        if line.trim().is_empty() {
            continue;
        }
        let named = |failure: Failure| {
            let what = format!("import from {}: line {number}: {failure}", args.file);
            Failure { what, ..failure }
        };
        let (path, node) = from_json(line.trim()).map_err(named)?;
        let first = root.is_none();
        let from = root.get_or_insert_with(|| path.clone());
        let path = match &to {
            None => path,
            Some(to) => {
                let below = path.strip_prefix(from.trim_end_matches('/'));
                let below = below.filter(|rest| rest.is_empty() || rest.starts_with('/'));
                let below = below.ok_or_else(|| {
                    named(Failure::usage(format!("{path} is not below {from}; leave out --to")))
                })?;
                join("/", &format!("{to}{below}"))
            }
        };
        if first {
            crate::node::create_parents(&conn, &path)?;
        }
        writer.put(path, node)?;
        progress.add(1);
    }
    writer.flush()?;
    drop(progress);
    done(ctx, writer.written, writer.skipped)
}

/// Says how much was copied.
fn done(ctx: &mut Context<'_>, written: u64, skipped: u64) -> Result<()> {
    let fields = json!({ "written": written, "skipped": skipped });
    match fields {
        Value::Object(fields) => ctx.printer.record(fields),
        _ => unreachable!("it was made as an object"),
    }
}

/// The session on the other servers, or this one.
fn other(ctx: &mut Context<'_>, servers: Option<&String>) -> Result<std::rc::Rc<Conn>> {
    match servers {
        None => ctx.conn(),
        Some(servers) => {
            let target = Target { servers: servers.clone(), ..ctx.target.clone() };
            Ok(std::rc::Rc::new(Conn::open(&target)?))
        }
    }
}

/// Ends the other session, if it is one of its own.
fn close_other(servers: Option<&String>, conn: std::rc::Rc<Conn>) -> Result<()> {
    match (servers, std::rc::Rc::try_unwrap(conn)) {
        (Some(_), Ok(conn)) => conn.close(),
        _ => Ok(()),
    }
}

/// Copies; the paths of what was copied, and how many were skipped.
fn transfer(ctx: &Context<'_>, from: &Conn, to: &Conn, args: &Copy) -> Result<(u64, u64)> {
    let (source, target) = (ctx.path(&args.from)?, ctx.path(&args.to)?);
    let inside = |outer: &str, inner: &str| {
        outer == "/" || inner == outer || inner.starts_with(&format!("{outer}/"))
    };
    if args.to_servers.is_none() && inside(&source, &target) {
        let what = format!("{target} lies within {source}: the copy would copy itself");
        return Err(Failure::usage(what));
    }
    from.stat(&source)?;
    crate::node::create_parents(to, &target)?;
    let progress = Progress::start(ctx.shows_progress(), "copying", 0);
    let mut writer = Writer::new(to, args.how.existing(), !args.how.no_acl);
    read(from, &source, !args.how.no_acl, false, |node| {
        ctx.go_on()?;
        // What servers keep there is theirs.
        if source == "/"
            && (node.relative == "zookeeper" || node.relative.starts_with("zookeeper/"))
        {
            return Ok(());
        }
        progress.add(1);
        writer.put(at(&target, &node.relative), node)
    })?;
    writer.flush()?;
    Ok((writer.written, writer.skipped))
}

/// cp
pub fn cp(ctx: &mut Context<'_>, args: &Copy) -> Result<()> {
    let from = ctx.conn()?;
    let to = other(ctx, args.to_servers.as_ref())?;
    let (written, skipped) = transfer(ctx, &from, &to, args)?;
    close_other(args.to_servers.as_ref(), to)?;
    done(ctx, written, skipped)
}

/// mv
pub fn mv(ctx: &mut Context<'_>, args: &Copy) -> Result<()> {
    let source = ctx.path(&args.from)?;
    let target = ctx.path(&args.to)?;
    if args.how.skip {
        return Err(Failure::usage("mv --skip would lose what it skips; use --overwrite or cp"));
    }
    if source == "/" {
        return Err(Failure::usage("mv /: the root cannot go; use cp"));
    }
    let from = ctx.conn()?;
    let ephemeral = {
        let mut found = None;
        walk::visit(&from, &source, usize::MAX, |visit| {
            if crate::output::kind(&visit.stat) == "ephemeral" {
                found.get_or_insert_with(|| visit.path.clone());
            }
            Ok(())
        })?;
        found
    };
    if let Some(path) = ephemeral {
        let what = format!("mv {source}: {path} is ephemeral and belongs to a session; use cp");
        return Err(Failure::new(exit::FAILED, what));
    }
    let to = other(ctx, args.to_servers.as_ref())?;
    let (written, skipped) = transfer(ctx, &from, &to, args)?;
    let mut lost = differences(ctx, (&from, &source), (&to, &target), false, false)?;
    // What was in the target before does no harm.
    lost.retain(|difference| difference.kind != Kind::Added);
    if let Some(first) = lost.first() {
        let what = format!(
            "mv {source}: {} changed while it was copied; nothing was deleted, mv again with \
             --overwrite",
            at(&source, &first.relative)
        );
        return Err(Failure::new(exit::FAILED, what));
    }
    let paths = walk::paths(&from, &source)?;
    let progress = Progress::start(ctx.shows_progress(), "deleting", paths.len() as u64);
    walk::delete(&from, &paths, &progress, &|| ctx.go_on())?;
    drop(progress);
    close_other(args.to_servers.as_ref(), to)?;
    done(ctx, written, skipped)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Added,
    Removed,
    Data,
    Acl,
    Mode,
}

#[derive(Clone, Debug)]
struct Difference {
    kind: Kind,
    relative: String,
    left: Value,
    right: Value,
}

/// What is remembered of one side. Memory: all data of one subtree.
fn side(
    ctx: &Context<'_>,
    conn: &Conn,
    root: &str,
    acl: bool,
    ephemerals: bool,
) -> Result<BTreeMap<String, Node>> {
    let mut nodes = BTreeMap::new();
    read(conn, root, acl, ephemerals, |node| {
        ctx.go_on()?;
        nodes.insert(node.relative.clone(), node);
        Ok(())
    })?;
    Ok(nodes)
}

fn differences(
    ctx: &Context<'_>,
    left: (&Conn, &str),
    right: (&Conn, &str),
    acl: bool,
    ephemerals: bool,
) -> Result<Vec<Difference>> {
    let mut old = side(ctx, left.0, left.1, acl, ephemerals)?;
    let mut found = Vec::new();
    let shown = |node: &Node| match &node.data {
        Some(data) => json!(short(data, 80)),
        None => Value::Null,
    };
    let mut push = |kind, relative: &str, left, right| {
        found.push(Difference { kind, relative: relative.to_owned(), left, right });
    };
    read(right.0, right.1, acl, ephemerals, |node| {
        ctx.go_on()?;
        let relative = node.relative.as_str();
        let Some(before) = old.remove(relative) else {
            push(Kind::Added, relative, Value::Null, shown(&node));
            return Ok(());
        };
        if before.data != node.data {
            push(Kind::Data, relative, shown(&before), shown(&node));
        }
        if before.mode != node.mode {
            let name = |node: &Node| json!(format!("{:?}", node.mode));
            push(Kind::Mode, relative, name(&before), name(&node));
        }
        if acl && before.acl != node.acl {
            push(Kind::Acl, relative, acls::to_json(&before.acl), acls::to_json(&node.acl));
        }
        Ok(())
    })?;
    for node in old.values() {
        push(Kind::Removed, &node.relative, shown(node), Value::Null);
    }
    found.sort_by(|a, b| a.relative.cmp(&b.relative));
    Ok(found)
}

/// diff
pub fn diff(ctx: &mut Context<'_>, args: &Diff) -> Result<()> {
    let (left, right) = (ctx.path(&args.left)?, ctx.path(&args.right)?);
    let one = ctx.conn()?;
    let two = other(ctx, args.to_servers.as_ref())?;
    let found = differences(ctx, (&one, &left), (&two, &right), args.acl, args.ephemerals)?;
    close_other(args.to_servers.as_ref(), two)?;
    if found.is_empty() {
        return ctx.printer.list(Vec::new()).map(|_| ());
    }
    let count = found.len();
    let rows = found.into_iter().map(|difference| {
        let sign = match difference.kind {
            Kind::Added => "added",
            Kind::Removed => "removed",
            Kind::Data => "data",
            Kind::Acl => "acl",
            Kind::Mode => "mode",
        };
        let path = if difference.relative.is_empty() { "." } else { &difference.relative };
        vec![json!(sign), json!(path), difference.left, difference.right]
    });
    ctx.printer.rows(&["what", "path", "left", "right"], rows.collect())?;
    Err(Failure::new(exit::NO, format!("diff {left} {right}: {count} differences")))
}
