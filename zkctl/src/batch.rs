//! multi: several writes from a file, all done or none.
//!
//! A line is one operation: `create PATH [DATA] [-e] [-s] [-c] [-t MS] [--acl ACL]`,
//! `set PATH DATA [-v N]`, `delete PATH [-v N]`, `check PATH -v N`, words quoted as in a shell; or a
//! JSON object with `op`, `path`, `data` or `data64`, `version`, `mode`, `ttl`, `acl`. Empty lines
//! and those that begin with `#` are skipped.

use serde_json::{Map, Value, json};
use zk_wire::Acl;
use zkclient::calls::Mode;
use zkclient::multi::{Outcome, Write};

use crate::acls;
use crate::context::Context;
use crate::encoding::take_data;
use crate::failure::{Failure, Result};
use crate::node::read_file;
use crate::walk::multi_failure;
use crate::words::split;

/// Does the operations of a file, all or none.
#[derive(Clone, Debug, clap::Args)]
pub struct Multi {
    /// The file; - is standard input
    pub file: String,
}

/// An operation with all that it needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Create a znode.
    Create { path: String, data: Option<Vec<u8>>, acl: Vec<Acl>, mode: Mode },
    /// Set the data.
    Set { path: String, data: Option<Vec<u8>>, version: i32 },
    /// Delete a znode.
    Delete { path: String, version: i32 },
    /// Fail unless it has this version.
    Check { path: String, version: i32 },
}

impl Operation {
    fn write(&self) -> Write<'_> {
        match self {
            Operation::Create { path, data, acl, mode } => {
                Write::Create { path, data: data.as_deref(), acl, mode: *mode }
            }
            Operation::Set { path, data, version } => Write::Set(path, data.as_deref(), *version),
            Operation::Delete { path, version } => Write::Delete(path, *version),
            Operation::Check { path, version } => Write::Check(path, *version),
        }
    }

    fn asked(&self) -> (String, String) {
        let (verb, path) = match self {
            Operation::Create { path, .. } => ("create", path),
            Operation::Set { path, .. } => ("set", path),
            Operation::Delete { path, .. } => ("delete", path),
            Operation::Check { path, .. } => ("check", path),
        };
        (verb.to_owned(), path.clone())
    }
}

/// A mode by the names that JSON has for them.
pub fn mode_of(name: &str, ttl_ms: Option<i64>) -> Result<Mode> {
    Ok(match (name, ttl_ms) {
        ("persistent", None) => Mode::Persistent,
        ("persistent", Some(ms)) | ("ttl", Some(ms)) => Mode::Ttl(ms),
        ("sequential", Some(ms)) => Mode::TtlSequential(ms),
        ("sequential", None) => Mode::PersistentSequential,
        ("ephemeral", None) => Mode::Ephemeral,
        ("ephemeral-sequential", None) => Mode::EphemeralSequential,
        ("container", None) => Mode::Container,
        _ => {
            let what = format!(
                "mode {name:?}, ttl {ttl_ms:?}: not together; there are persistent, ephemeral, \
                 sequential, ephemeral-sequential, container, and ttl with the field ttl in ms"
            );
            return Err(Failure::usage(what));
        }
    })
}

fn from_json(object: &Map<String, Value>) -> Result<Operation> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let whole = |name: &str| match object.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_i64()
            .map(Some)
            .ok_or_else(|| Failure::usage(format!("field {name}: {value} is no whole number"))),
    };
    let path = text("path").ok_or_else(|| Failure::usage("no field path"))?.to_owned();
    let version = match whole("version")? {
        None => -1,
        Some(number) => i32::try_from(number)
            .map_err(|_| Failure::usage(format!("field version: {number} does not fit")))?,
    };
    match text("op") {
        Some("create") => {
            let acl = object.get("acl").map(acls::from_json).transpose()?;
            let mode = mode_of(text("mode").unwrap_or("persistent"), whole("ttl")?)?;
            let data = take_data(object)?;
            Ok(Operation::Create { path, data, acl: acl.unwrap_or_else(Acl::open), mode })
        }
        Some("set") => Ok(Operation::Set { path, data: take_data(object)?, version }),
        Some("delete") => Ok(Operation::Delete { path, version }),
        Some("check") => Ok(Operation::Check { path, version }),
        other => {
            let what = format!("field op: {other:?}; there are create, set, delete and check");
            Err(Failure::usage(what))
        }
    }
}

/// The words of a text line, sorted into what stands by itself and options.
struct Words {
    plain: Vec<String>,
    version: i32,
    ttl: Option<i64>,
    acl: Option<Vec<Acl>>,
    flags: String,
}

fn sort(words: Vec<String>) -> Result<Words> {
    let mut sorted =
        Words { plain: Vec::new(), version: -1, ttl: None, acl: None, flags: String::new() };
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let mut value =
            || words.next().ok_or_else(|| Failure::usage(format!("{word} needs a value")));
        match word.as_str() {
            "-e" | "-s" | "-c" => sorted.flags.push_str(&word[1..]),
            "-v" => sorted.version = number("-v", &value()?)?,
            "-t" => sorted.ttl = Some(number("-t", &value()?)?),
            "--acl" => sorted.acl = Some(acls::parse(&value()?)?),
            _ => sorted.plain.push(word),
        }
    }
    Ok(sorted)
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| Failure::usage(format!("{name} {text}: not a number that fits")))
}

fn from_words(words: Vec<String>) -> Result<Operation> {
    let mut words = sort(words)?;
    let (ephemeral, sequential) = (words.flags.contains('e'), words.flags.contains('s'));
    let name = match (ephemeral, sequential, words.flags.contains('c')) {
        (false, false, false) => "persistent",
        (true, false, false) => "ephemeral",
        (false, true, false) => "sequential",
        (true, true, false) => "ephemeral-sequential",
        (false, false, true) => "container",
        _ => return Err(Failure::usage("-c goes with neither -e nor -s")),
    };
    let plain = std::mem::take(&mut words.plain);
    let mut plain = plain.into_iter();
    let verb = plain.next().unwrap_or_default();
    let path = plain.next().ok_or_else(|| Failure::usage(format!("{verb} needs a path")))?;
    let data = plain.next().map(String::into_bytes);
    if let Some(more) = plain.next() {
        return Err(Failure::usage(format!("{verb} {path}: {more:?} is too much; quote the data")));
    }
    match (verb.as_str(), data) {
        ("create", data) => Ok(Operation::Create {
            path,
            data: Some(data.unwrap_or_default()),
            acl: words.acl.unwrap_or_else(Acl::open),
            mode: mode_of(name, words.ttl)?,
        }),
        ("set", Some(data)) => {
            Ok(Operation::Set { path, data: Some(data), version: words.version })
        }
        ("set", None) => Err(Failure::usage(format!("set {path}: no data"))),
        ("delete", None) => Ok(Operation::Delete { path, version: words.version }),
        ("check", None) => Ok(Operation::Check { path, version: words.version }),
        ("delete" | "check", Some(_)) => {
            Err(Failure::usage(format!("{verb} {path} takes no data; a version is -v N")))
        }
        _ => Err(Failure::usage(format!(
            "{verb:?} is no operation; there are create, set, delete and check"
        ))),
    }
}

/// Reads the lines; an error names the line.
pub fn parse(text: &str) -> Result<Vec<Operation>> {
    let mut list = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let operation = match line.starts_with('{') {
            true => serde_json::from_str::<Map<String, Value>>(line)
                .map_err(|error| Failure::usage(format!("no JSON object: {error}")))
                .and_then(|object| from_json(&object)),
            false => split(line).and_then(from_words),
        };
        let name = |failure: Failure| Failure::usage(format!("line {}: {failure}", at + 1));
        list.push(operation.map_err(name)?);
    }
    Ok(list)
}

/// multi
pub fn multi(ctx: &mut Context<'_>, args: &Multi) -> Result<()> {
    let text = String::from_utf8(read_file(&args.file)?)
        .map_err(|_| Failure::usage(format!("file {}: it is no UTF-8", args.file)))?;
    let mut list = parse(&text)?;
    if list.is_empty() {
        return Err(Failure::usage(format!("file {}: it holds no operations", args.file)));
    }
    for operation in &mut list {
        let (Operation::Create { path, .. }
        | Operation::Set { path, .. }
        | Operation::Delete { path, .. }
        | Operation::Check { path, .. }) = operation;
        *path = ctx.path(path)?;
    }
    let writes: Vec<Write<'_>> = list.iter().map(Operation::write).collect();
    let asked: Vec<(String, String)> = list.iter().map(Operation::asked).collect();
    let outcomes = ctx.conn()?.multi(&writes)?;
    if let Some(failure) = multi_failure(&outcomes, &asked) {
        return Err(Failure { what: format!("multi: nothing was done: {failure}"), ..failure });
    }
    let rows = outcomes.iter().zip(&asked).map(|(outcome, (verb, path))| {
        let (path, version) = match outcome {
            Outcome::Created(path, _) => (path.clone(), Value::Null),
            Outcome::Set(stat) => (path.clone(), json!(stat.version)),
            _ => (path.clone(), Value::Null),
        };
        vec![json!(verb), json!(path), version]
    });
    ctx.printer.rows(&["op", "path", "version"], rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_kinds() {
        let text = "# a comment\n\ncreate /a 'two words' -s\nset /b x -v 3\n\
            {\"op\":\"delete\",\"path\":\"/c\",\"version\":2}\ncheck /d -v 0\n\
            {\"op\":\"create\",\"path\":\"/e\",\"data64\":\"/w==\",\"mode\":\"ttl\",\"ttl\":5}\n";
        let list = parse(text).unwrap();
        assert_eq!(list.len(), 5);
        assert_eq!(
            list[0],
            Operation::Create {
                path: "/a".to_owned(),
                data: Some(b"two words".to_vec()),
                acl: Acl::open(),
                mode: Mode::PersistentSequential
            }
        );
        assert_eq!(list[2], Operation::Delete { path: "/c".to_owned(), version: 2 });
        assert!(matches!(&list[4], Operation::Create { data: Some(data), mode: Mode::Ttl(5), .. }
            if *data == [0xff]));
    }

    #[test]
    fn wrong_lines_are_named_by_number() {
        for text in [
            "create",
            "set /a",
            "delete /a b",
            "fly /a",
            "{}",
            "{\"op\":\"set\"}",
            "{\"op\":\"create\",\"path\":\"/a\",\"mode\":\"ttl\"}",
            "create /a x y",
            "create /a -v",
            "create /a 'x",
            "create /a -c -e",
        ] {
            let failure = parse(&format!("check /ok\n{text}")).unwrap_err();
            assert!(failure.what.starts_with("line 2: "), "{text}: {failure}");
        }
    }
}
