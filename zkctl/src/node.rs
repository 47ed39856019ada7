//! One znode: get, set, create, stat, rm, and what zkCli calls delete and deleteall.

use std::io::{IsTerminal, Read, Write as _};

use serde_json::{Map, Value, json};
use zk_wire::Acl;
use zkclient::calls::Mode;

use crate::acls;
use crate::context::Context;
use crate::encoding::{Show, from_base64, hex_dump, put_data, to_base64};
use crate::failure::{Failure, Result, exit};
use crate::output::{Output, stat_fields, stat_shown};
use crate::progress::Progress;
use crate::walk;

/// Largest data that is read from a file or standard input, in bytes. No server takes more.
const DATA_BYTES_MAX: u64 = 256 << 20;

/// Znodes that `rm -R` deletes without being asked to be sure.
const REMOVE_LIMIT: usize = 100;

/// Prints the data of a znode.
#[derive(Clone, Debug, clap::Args)]
pub struct Get {
    /// The znode
    pub path: String,
    /// How to show the data
    #[arg(long = "as", value_enum, default_value_t, value_name = "FORM")]
    pub show: Show,
    /// Print the stat too
    #[arg(short = 's', long)]
    pub stat: bool,
}

/// Sets the data of a znode.
#[derive(Clone, Debug, clap::Args)]
pub struct Set {
    /// The znode
    pub path: String,
    #[command(flatten)]
    pub data: Data,
    /// The version that it must have
    #[arg(short = 'v', long, default_value_t = -1, value_name = "VERSION", hide_default_value = true, allow_negative_numbers = true)]
    pub version: i32,
    /// Print the stat
    #[arg(short = 's', long)]
    pub stat: bool,
}

/// Where data comes from.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Data {
    /// The data
    pub data: Option<String>,
    /// Read it from a file; - is standard input
    #[arg(short = 'f', long, value_name = "FILE", conflicts_with = "data")]
    pub file: Option<String>,
    /// The data is base64
    #[arg(short = 'b', long)]
    pub base64: bool,
}

/// Creates a znode and prints its path.
#[derive(Clone, Debug, clap::Args)]
pub struct Create {
    /// The znode
    pub path: String,
    #[command(flatten)]
    pub data: Data,
    /// Its ACL, scheme:id:perms,...; open to everybody without it
    #[arg(value_name = "ACL")]
    pub acl_word: Option<String>,
    /// The same, where no data is given
    #[arg(long, value_name = "ACL", conflicts_with = "acl_word")]
    pub acl: Option<String>,
    /// Ephemeral: gone when the session ends, outside the shell when zkctl does
    #[arg(short = 'e', long)]
    pub ephemeral: bool,
    /// Sequential: with a number behind the name
    #[arg(short = 's', long)]
    pub sequential: bool,
    /// A container: goes when its last child is deleted
    #[arg(short = 'c', long, conflicts_with_all = ["ephemeral", "sequential"])]
    pub container: bool,
    /// Goes when it was not set for so many ms and has no children
    #[arg(short = 't', long, value_name = "MS", conflicts_with_all = ["ephemeral", "container"])]
    pub ttl: Option<i64>,
    /// Create what is missing above it, persistent and without data
    #[arg(short = 'p', long)]
    pub parents: bool,
}

/// Prints the stat of a znode.
#[derive(Clone, Debug, clap::Args)]
pub struct StatOf {
    /// The znode
    pub path: String,
}

/// Deletes znodes.
#[derive(Clone, Debug, clap::Args)]
pub struct Rm {
    /// The znodes
    #[arg(required = true)]
    pub paths: Vec<String>,
    /// With everything below
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// The version that it must have
    #[arg(short = 'v', long, default_value_t = -1, value_name = "VERSION", hide_default_value = true, allow_negative_numbers = true, conflicts_with = "recursive")]
    pub version: i32,
    /// Ask no questions
    #[arg(short = 'y', long)]
    pub yes: bool,
    /// Ask when there are more znodes than this
    #[arg(long, default_value_t = REMOVE_LIMIT, value_name = "N")]
    pub limit: usize,
    /// Print what would be deleted, and delete nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// Deletes a znode without children.
#[derive(Clone, Debug, clap::Args)]
pub struct Delete {
    /// The znode
    pub path: String,
    /// The version that it must have
    #[arg(short = 'v', default_value_t = -1, value_name = "VERSION", hide_default_value = true, allow_negative_numbers = true)]
    pub version: i32,
}

impl Data {
    /// The data; `None` when none was given.
    fn read(&self) -> Result<Option<Vec<u8>>> {
        let bytes = match (&self.data, &self.file) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(file)) => read_file(file)?,
            (None, None) => return Ok(None),
        };
        match self.base64 {
            true => {
                let text = String::from_utf8(bytes);
                from_base64(&text.map_err(|_| Failure::usage("the data is no base64"))?).map(Some)
            }
            false => Ok(Some(bytes)),
        }
    }
}

/// All of a file, or of standard input for `-`.
pub fn read_file(name: &str) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| {
        Failure::new(exit::FAILED, format!("file {name}: {error}; give one that can be read"))
    };
    let mut bytes = Vec::new();
    let read = match name {
        "-" => std::io::stdin().take(DATA_BYTES_MAX + 1).read_to_end(&mut bytes),
        _ => {
            let file = std::fs::File::open(name).map_err(failed)?;
            file.take(DATA_BYTES_MAX + 1).read_to_end(&mut bytes)
        }
    };
    read.map_err(failed)?;
    match bytes.len() as u64 > DATA_BYTES_MAX {
        true => Err(Failure::usage(format!("file {name}: larger than {DATA_BYTES_MAX} bytes"))),
        false => Ok(bytes),
    }
}

/// get
pub fn get(ctx: &mut Context<'_>, args: &Get) -> Result<()> {
    let path = ctx.path(&args.path)?;
    let (data, stat) = ctx.conn()?.get(&path, false)?;
    if ctx.printer.json() {
        let mut object = Map::new();
        object.insert("path".to_owned(), json!(path));
        put_data(&mut object, data.as_deref());
        object.insert("stat".to_owned(), Value::Object(stat_fields(&stat)));
        return ctx.printer.value(&Value::Object(object));
    }
    let data = data.unwrap_or_default();
    let text = std::str::from_utf8(&data);
    match (args.show, text) {
        (Show::Raw, _) => ctx.printer.bytes(&data)?,
        (Show::Auto, Ok(text)) => ctx.printer.line(text)?,
        (Show::Text, _) => ctx.printer.line(&String::from_utf8_lossy(&data))?,
        (Show::Auto, Err(_)) | (Show::Hex, _) => ctx.printer.text(&hex_dump(&data))?,
        (Show::Base64, _) => ctx.printer.line(&to_base64(&data))?,
        (Show::Json, _) => {
            let value: Value = serde_json::from_slice(&data).map_err(|error| {
                let what = format!("get {path}: the data is no JSON: {error}; leave out --as json");
                Failure::new(exit::FAILED, what)
            })?;
            ctx.printer.line(&format!("{value:#}"))?;
        }
    }
    if args.stat { print_stat(ctx, &stat) } else { Ok(()) }
}

/// Prints a stat as a record of its own.
pub fn print_stat(ctx: &mut Context<'_>, stat: &zk_wire::Stat) -> Result<()> {
    let fields = match ctx.printer.output {
        Output::Table => stat_shown(stat),
        _ => stat_fields(stat),
    };
    ctx.printer.record(fields)
}

/// set
pub fn set(ctx: &mut Context<'_>, args: &Set) -> Result<()> {
    let path = ctx.path(&args.path)?;
    let Some(data) = args.data.read()? else {
        let what = format!("set {path}: no data; give it behind the path, or --file FILE");
        return Err(Failure::usage(what));
    };
    let stat = ctx.conn()?.set(&path, Some(&data), args.version)?;
    match args.stat || ctx.printer.json() {
        true => print_stat(ctx, &stat),
        false => Ok(()),
    }
}

impl Create {
    fn mode(&self) -> Mode {
        match (self.ttl, self.container, self.ephemeral, self.sequential) {
            (Some(ms), .., true) => Mode::TtlSequential(ms),
            (Some(ms), .., false) => Mode::Ttl(ms),
            (None, true, ..) => Mode::Container,
            (None, false, true, true) => Mode::EphemeralSequential,
            (None, false, true, false) => Mode::Ephemeral,
            (None, false, false, true) => Mode::PersistentSequential,
            (None, false, false, false) => Mode::Persistent,
        }
    }
}

/// create
pub fn create(ctx: &mut Context<'_>, args: &Create) -> Result<()> {
    // The name of a sequential znode may be empty: /a/ gives /a/0000000000.
    let path = match args.path.strip_suffix('/') {
        Some(parent) if args.sequential => format!("{}/", ctx.path(parent)?),
        _ => ctx.path(&args.path)?,
    };
    let acl = match args.acl.as_ref().or(args.acl_word.as_ref()) {
        Some(text) => acls::parse(text)?,
        None => Acl::open(),
    };
    // Commands of people mean "without content", which for most readers is no null.
    let data = args.data.read()?.unwrap_or_default();
    let conn = ctx.conn()?;
    if args.parents {
        create_parents(&conn, &path)?;
    }
    let made = conn.create(&path, Some(&data), &acl, args.mode())?;
    ctx.printer.list(vec![json!(made)]).map(|_| ())
}

/// Creates what is missing above a path.
pub fn create_parents(conn: &crate::conn::Conn, path: &str) -> Result<()> {
    for (at, _) in path.match_indices('/').skip(1) {
        match conn.create(&path[..at], Some(b""), &Acl::open(), Mode::Persistent) {
            Ok(_) => {}
            Err(failure) if failure.is_exists() => {}
            // Who may not create there may still find it there.
            Err(failure) if failure.exit == exit::NO_AUTH => {
                if conn.exists(&path[..at], false)?.is_none() {
                    return Err(failure);
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

/// stat
pub fn stat(ctx: &mut Context<'_>, args: &StatOf) -> Result<()> {
    let path = ctx.path(&args.path)?;
    let stat = ctx.conn()?.stat(&path)?;
    print_stat(ctx, &stat)
}

/// delete
pub fn delete(ctx: &mut Context<'_>, args: &Delete) -> Result<()> {
    let path = ctx.path(&args.path)?;
    ctx.conn()?.delete(&path, args.version)
}

/// rm
pub fn rm(ctx: &mut Context<'_>, args: &Rm) -> Result<()> {
    let conn = ctx.conn()?;
    let mut found = Vec::new();
    for given in &args.paths {
        let path = ctx.path(given)?;
        match args.recursive {
            true => found.extend(walk::paths(&conn, &path)?),
            false => found.push(path),
        }
        if found.last().is_some_and(|path| path == "/") || found.iter().any(|path| path == "/") {
            return Err(Failure::usage("rm /: the root cannot be deleted; name what is below"));
        }
    }
    if args.dry_run {
        return ctx.printer.list(found.iter().map(|path| json!(path)).collect());
    }
    if args.recursive {
        if found.len() > args.limit && !args.yes {
            confirm(&args.paths.join(" "), found.len())?;
        }
        let progress = Progress::start(ctx.shows_progress(), "deleting", found.len() as u64);
        let deleted = walk::delete(&conn, &found, &progress, &|| ctx.go_on())?;
        if ctx.printer.json() {
            ctx.printer.value(&json!({ "deleted": deleted }))?;
        }
        return Ok(());
    }
    found.iter().try_for_each(|path| conn.delete(path, args.version))
}

/// Asks on the terminal; without one the answer is no.
fn confirm(what: &str, count: usize) -> Result<()> {
    let no = |why: &str| {
        let what =
            format!("rm -R {what}: {count} znodes, {why}; --yes deletes them, -n lists them");
        Failure::new(exit::UNCONFIRMED, what)
    };
    if !std::io::stdin().is_terminal() {
        return Err(no("and nobody to ask"));
    }
    eprint!("delete {count} znodes from {what} on? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(no("not confirmed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_read_as_asked() {
        let data = |data: &str, base64| Data { data: Some(data.to_owned()), file: None, base64 };
        assert_eq!(data("abc", false).read().unwrap().unwrap(), b"abc");
        assert_eq!(data("YWJj", true).read().unwrap().unwrap(), b"abc");
        assert!(data("%", true).read().is_err());
        assert_eq!(Data::default().read().unwrap(), None);
        let gone = Data { file: Some("/no/such/file".to_owned()), ..Data::default() };
        assert!(gone.read().unwrap_err().what.contains("/no/such/file"));
    }
}
