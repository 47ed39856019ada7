//! Quotas: how many znodes and bytes a subtree may hold.
//!
//! A quota is two znodes below `/zookeeper/quota`: limits, which we write, and sums, which the
//! servers keep. Both hold `count=N,bytes=N`, and limits that are hard behind `=;`, a form that old
//! servers can still read.

use serde_json::{Value, json};
use zk_wire::Acl;
use zkclient::calls::Mode;

use crate::conn::Conn;
use crate::context::{Context, child};
use crate::failure::{Failure, Result};
use crate::walk;

/// Where quotas stand.
pub const ROOT: &str = "/zookeeper/quota";
/// The znode of limits.
pub const LIMITS: &str = "zookeeper_limits";
/// The znode of sums.
pub const SUMS: &str = "zookeeper_stats";

/// Names of the two limits that are hard, as they stand in the text.
const COUNT_HARD: &str = "countHardLimit";
const BYTES_HARD: &str = "byteHardLimit";

/// Limits or sums; -1 is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Znodes, a soft limit.
    pub count: i64,
    /// Bytes, a soft limit.
    pub bytes: i64,
    /// Other fields by name: the hard limits. Sorted, since they are written so.
    pub more: std::collections::BTreeMap<String, i64>,
}

impl Track {
    /// No limits.
    pub fn none() -> Track {
        Track { count: -1, bytes: -1, more: Default::default() }
    }

    /// Reads the text of either znode; fields that are no numbers count as none.
    pub fn parse(data: &[u8]) -> Track {
        let mut track = Track::none();
        for pair in String::from_utf8_lossy(data).split([',', ';']) {
            let mut parts = pair.split('=');
            let name = parts.next().unwrap_or("");
            let value = parts.next().and_then(|text| text.parse().ok()).unwrap_or(-1);
            match name {
                "" => {}
                "count" => track.count = value,
                "bytes" => track.bytes = value,
                other => drop(track.more.insert(other.to_owned(), value)),
            }
        }
        track
    }

    /// The hard limit of znodes; -1 is none.
    pub fn count_hard(&self) -> i64 {
        self.more.get(COUNT_HARD).copied().unwrap_or(-1)
    }

    /// The hard limit of bytes; -1 is none.
    pub fn bytes_hard(&self) -> i64 {
        self.more.get(BYTES_HARD).copied().unwrap_or(-1)
    }

    /// Sets the hard limit of znodes.
    pub fn set_count_hard(&mut self, limit: i64) {
        self.more.insert(COUNT_HARD.to_owned(), limit);
    }

    /// Sets the hard limit of bytes.
    pub fn set_bytes_hard(&mut self, limit: i64) {
        self.more.insert(BYTES_HARD.to_owned(), limit);
    }

    /// Takes over what another one limits.
    fn merge(&mut self, other: &Track) {
        let pick = |old: i64, new: i64| if new > -1 { new } else { old };
        self.count = pick(self.count, other.count);
        self.bytes = pick(self.bytes, other.bytes);
        if other.count_hard() > -1 {
            self.set_count_hard(other.count_hard());
        }
        if other.bytes_hard() > -1 {
            self.set_bytes_hard(other.bytes_hard());
        }
    }
}

impl std::fmt::Display for Track {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "count={},bytes={}", self.count, self.bytes)?;
        if !self.more.is_empty() {
            f.write_str("=")?;
        }
        self.more.iter().try_for_each(|(name, value)| write!(f, ";{name}={value}"))
    }
}

/// Shows and sets quotas.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum QuotaCommand {
    /// Limit a subtree
    Set(SetQuota),
    /// Print limits and sums of a subtree, or of all that have a quota
    List(ListQuota),
    /// Remove limits of a subtree
    Del(DelQuota),
}

/// Limits a subtree.
#[derive(Clone, Debug, clap::Args)]
pub struct SetQuota {
    /// Znodes, the subtree's root included; more are only logged
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub count: Option<i32>,
    /// Bytes; more are only logged
    #[arg(short = 'b', long, value_name = "BYTES", value_parser = clap::value_parser!(i64).range(0..))]
    pub bytes: Option<i64>,
    /// Znodes; more are refused where the server has enforceQuota=true
    #[arg(short = 'N', long = "hard-count", value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub count_hard: Option<i32>,
    /// Bytes; more are refused where the server has enforceQuota=true
    #[arg(short = 'B', long = "hard-bytes", value_name = "BYTES", value_parser = clap::value_parser!(i64).range(0..))]
    pub bytes_hard: Option<i64>,
    /// The root of the subtree
    pub path: String,
}

/// Prints limits and sums.
#[derive(Clone, Debug, clap::Args)]
pub struct ListQuota {
    /// The root of the subtree; all without it
    pub path: Option<String>,
}

/// Removes limits; all of them when none is named.
#[derive(Clone, Debug, clap::Args)]
pub struct DelQuota {
    /// The soft limit of znodes
    #[arg(short = 'n', long)]
    pub count: bool,
    /// The soft limit of bytes
    #[arg(short = 'b', long)]
    pub bytes: bool,
    /// The hard limit of znodes
    #[arg(short = 'N', long = "hard-count")]
    pub count_hard: bool,
    /// The hard limit of bytes
    #[arg(short = 'B', long = "hard-bytes")]
    pub bytes_hard: bool,
    /// The root of the subtree
    pub path: String,
}

/// quota
pub fn run(ctx: &mut Context<'_>, command: &QuotaCommand) -> Result<()> {
    match command {
        QuotaCommand::Set(args) => set(ctx, args),
        QuotaCommand::List(args) => list(ctx, args),
        QuotaCommand::Del(args) => del(ctx, args),
    }
}

/// The znode below which the quota of a path stands.
pub fn place(path: &str) -> String {
    format!("{ROOT}{}", if path == "/" { "" } else { path })
}

/// quota set, setquota
pub fn set(ctx: &mut Context<'_>, args: &SetQuota) -> Result<()> {
    let path = ctx.path(&args.path)?;
    let mut limits = Track::none();
    limits.count = args.count.map_or(-1, i64::from);
    limits.bytes = args.bytes.unwrap_or(-1);
    if let Some(limit) = args.count_hard {
        limits.set_count_hard(limit.into());
    }
    if let Some(limit) = args.bytes_hard {
        limits.set_bytes_hard(limit);
    }
    if limits == Track::none() {
        let what = format!("quota set {path}: no limit; give one of -n, -b, -N, -B");
        return Err(Failure::usage(what));
    }
    let conn = ctx.conn()?;
    for warning in put(&conn, &path, &limits)? {
        eprintln!("zkctl: quota {path}: {warning}");
    }
    Ok(())
}

/// Sets limits where none are, or changes those that are; the warnings, when the subtree is above
/// them already.
pub fn put(conn: &Conn, path: &str, limits: &Track) -> Result<Vec<String>> {
    if path == ROOT || path.starts_with("/zookeeper/quota/") {
        return Err(Failure::usage(format!("quota {path}: there can be none below {ROOT}")));
    }
    conn.stat(path)?;
    if let Some(other) = other_quota(conn, path)? {
        let what = format!(
            "quota {path}: {other} has one; of a path from root to leaf only one \
             znode may have a quota, delete that one first"
        );
        return Err(Failure::usage(what));
    }
    let base = place(path);
    crate::node::create_parents(conn, &format!("{base}/{LIMITS}"))?;
    let (limits_path, sums_path) = (child(&base, LIMITS), child(&base, SUMS));
    let mut now = limits.clone();
    let open = Acl::open();
    if conn.exists(&limits_path, false)?.is_some() {
        now = Track::parse(&conn.get(&limits_path, false)?.0.unwrap_or_default());
        now.merge(limits);
        conn.set(&limits_path, Some(now.to_string().as_bytes()), -1)?;
    } else {
        let text = now.to_string();
        conn.create(&limits_path, Some(text.as_bytes()), &open, Mode::Persistent)?;
        let zero = Track { count: 0, bytes: 0, ..Track::none() };
        conn.create(&sums_path, Some(zero.to_string().as_bytes()), &open, Mode::Persistent)?;
    }
    let sums = Track::parse(&conn.get(&sums_path, false)?.0.unwrap_or_default());
    let over = |soft: i64, hard: i64, is: i64| (soft > -1 && soft < is) || (hard > -1 && hard < is);
    let mut warnings = Vec::new();
    if over(now.count, now.count_hard(), sums.count) {
        warnings.push(format!("the subtree holds {} znodes already", sums.count));
    }
    if over(now.bytes, now.bytes_hard(), sums.bytes) {
        warnings.push(format!("the subtree holds {} bytes already", sums.bytes));
    }
    Ok(warnings)
}

/// A path above or below that has a quota of its own.
fn other_quota(conn: &Conn, path: &str) -> Result<Option<String>> {
    for (at, _) in path.match_indices('/').filter(|(at, _)| *at > 0) {
        if conn.exists(&format!("{}/{LIMITS}", place(&path[..at])), false)?.is_some() {
            return Ok(Some(path[..at].to_owned()));
        }
    }
    let base = place(path);
    let own = child(&base, LIMITS);
    Ok(with_quota(conn, &base)?.into_iter().find(|other| child(&place(other), LIMITS) != own))
}

/// The paths that have a quota, from a znode below [`ROOT`] on.
fn with_quota(conn: &Conn, base: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let walked = walk::visit(conn, base, usize::MAX, |visit| {
        if visit.children.iter().any(|name| name == LIMITS) {
            let path = &visit.path[ROOT.len()..];
            found.push(if path.is_empty() { "/" } else { path }.to_owned());
        }
        Ok(())
    });
    match walked {
        Err(failure) if failure.is_no_node() => Ok(found),
        walked => walked.map(|()| found),
    }
}

/// Limits and sums of a path that has a quota.
pub fn read(conn: &Conn, path: &str) -> Result<(Track, Track)> {
    let base = place(path);
    let limits = conn.get(&child(&base, LIMITS), false)?.0.unwrap_or_default();
    let sums = conn.get(&child(&base, SUMS), false)?.0.unwrap_or_default();
    Ok((Track::parse(&limits), Track::parse(&sums)))
}

fn missing(path: &str, failure: Failure) -> Failure {
    match failure.is_no_node() {
        true => {
            let what = format!("quota {path}: it has none; set one by zkctl quota set");
            Failure { what, ..failure }
        }
        false => failure,
    }
}

/// quota list, listquota
pub fn list(ctx: &mut Context<'_>, args: &ListQuota) -> Result<()> {
    let conn = ctx.conn()?;
    let paths = match &args.path {
        Some(path) => vec![ctx.path(path)?],
        None => with_quota(&conn, ROOT)?,
    };
    let mut rows = Vec::new();
    let limit = |value: i64| if value < 0 { Value::Null } else { json!(value) };
    for path in paths {
        let (limits, sums) = read(&conn, &path).map_err(|failure| missing(&path, failure))?;
        rows.push(vec![
            json!(path),
            limit(sums.count),
            limit(limits.count),
            limit(limits.count_hard()),
            limit(sums.bytes),
            limit(limits.bytes),
            limit(limits.bytes_hard()),
        ]);
    }
    let columns = ["path", "znodes", "count", "hard_count", "total_bytes", "bytes", "hard_bytes"];
    ctx.printer.rows(&columns, rows)
}

/// quota del, delquota
pub fn del(ctx: &mut Context<'_>, args: &DelQuota) -> Result<()> {
    let path = ctx.path(&args.path)?;
    let which = [args.count, args.bytes, args.count_hard, args.bytes_hard];
    let conn = ctx.conn()?;
    remove(&conn, &path, which).map_err(|failure| missing(&path, failure))
}

/// Removes the limits of `which` (count, bytes, hard count, hard bytes), or the whole quota when
/// none is named.
pub fn remove(conn: &Conn, path: &str, which: [bool; 4]) -> Result<()> {
    let base = place(path);
    let limits_path = child(&base, LIMITS);
    let (data, _) = conn.get(&limits_path, false)?;
    if which == [false; 4] {
        for name in conn.children(&base, false)?.0 {
            // A quota of the root shares its place with those of others.
            if name == LIMITS || name == SUMS {
                conn.delete(&child(&base, &name), -1)?;
            }
        }
        return trim(conn, &base);
    }
    let mut limits = Track::parse(&data.unwrap_or_default());
    let [count, bytes, count_hard, bytes_hard] = which;
    if count {
        limits.count = -1;
    }
    if bytes {
        limits.bytes = -1;
    }
    if count_hard {
        limits.set_count_hard(-1);
    }
    if bytes_hard {
        limits.set_bytes_hard(-1);
    }
    conn.set(&limits_path, Some(limits.to_string().as_bytes()), -1).map(|_| ())
}

/// Deletes the znodes above a former quota that hold nothing else.
fn trim(conn: &Conn, base: &str) -> Result<()> {
    let mut path = base;
    while path.len() > ROOT.len() {
        if !conn.children(path, false)?.0.is_empty() {
            return Ok(());
        }
        conn.delete(path, -1)?;
        path = zk_wire::path::parent(path).unwrap_or(ROOT);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_apache() {
        for text in ["count=-1,bytes=-1", "count=4,bytes=5=;byteHardLimit=9;countHardLimit=-1"] {
            assert_eq!(Track::parse(text.as_bytes()).to_string(), text);
        }
        let mut track = Track::parse(b"count=4,bytes=5");
        track.merge(&Track { count: 7, ..Track::none() });
        assert_eq!(track.to_string(), "count=7,bytes=5");
        track.set_count_hard(3);
        assert_eq!(track.to_string(), "count=7,bytes=5=;countHardLimit=3");
        assert_eq!(Track::parse(b"garbage,=,count=x"), {
            let mut track = Track::none();
            track.more.insert("garbage".to_owned(), -1);
            track
        });
    }

    #[test]
    fn quotas_have_their_place() {
        assert_eq!(place("/a/b"), "/zookeeper/quota/a/b");
        assert_eq!(place("/"), "/zookeeper/quota");
    }
}
