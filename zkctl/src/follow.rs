//! What happens: watch follows a subtree, wait waits for one thing.

use std::time::Duration;

use serde_json::{Map, Value, json};
use zk_wire::watch::event;
use zkclient::calls::{AddWatchMode, WatcherType};

use crate::conn::{Conn, Event, Feed};
use crate::context::Context;
use crate::encoding::{put_data, short};
use crate::failure::{Failure, Result, exit};

/// How long one look at the connection lasts, so that an interrupt is heard.
const SLICE: Duration = Duration::from_millis(200);

/// Follows changes below a znode, line by line, until interrupted.
#[derive(Clone, Debug, clap::Args)]
pub struct Watch {
    /// The znode; it need not exist yet
    pub path: String,
    /// The znode and its list of children only, not everything below
    #[arg(short = '1', long)]
    pub one: bool,
    /// End after so many changes
    #[arg(short = 'c', long, value_name = "N")]
    pub count: Option<u64>,
    /// Show the data of what was created or changed
    #[arg(short = 'd', long)]
    pub data: bool,
    /// Run a shell command for each change; it finds ZKCTL_EVENT and ZKCTL_PATH
    #[arg(long, value_name = "COMMAND")]
    pub exec: Option<String>,
}

/// Waits until a znode exists, or is gone, or has some data or number of children; or for servers.
#[derive(Clone, Debug, clap::Args)]
pub struct Wait {
    /// The znode
    #[arg(required_unless_present_any = ["quorum", "synced"])]
    pub path: Option<String>,
    /// For no znode: until the servers of -s serve in a quorum
    #[arg(long, conflicts_with_all = ["path", "gone", "data", "children"])]
    pub quorum: bool,
    /// For no znode: until they have what the leader has, too
    #[arg(long, conflicts_with_all = ["path", "gone", "data", "children"])]
    pub synced: bool,
    /// Until it is gone
    #[arg(long, conflicts_with_all = ["data", "children"])]
    pub gone: bool,
    /// Until its data is this
    #[arg(long, value_name = "TEXT")]
    pub data: Option<String>,
    /// Until it has at least so many children
    #[arg(long, value_name = "N", conflicts_with = "data")]
    pub children: Option<usize>,
}

/// Leaves a watch that stays on a znode; the shell shows what it tells.
#[derive(Clone, Debug, clap::Args)]
pub struct AddWatch {
    /// The znode
    pub path: String,
    /// PERSISTENT or PERSISTENT_RECURSIVE
    #[arg(short = 'm', long, default_value = "PERSISTENT_RECURSIVE", ignore_case = true,
        value_parser = ["PERSISTENT", "PERSISTENT_RECURSIVE"])]
    pub mode: String,
}

/// Removes watches of this session from a znode.
#[derive(Clone, Debug, clap::Args)]
pub struct RemoveWatches {
    /// The znode
    pub path: String,
    /// Those of children
    #[arg(short = 'c', group = "which")]
    pub children: bool,
    /// Those of data
    #[arg(short = 'd', group = "which")]
    pub data: bool,
    /// Persistent ones
    #[arg(short = 'p', group = "which")]
    pub persistent: bool,
    /// Persistent recursive ones
    #[arg(short = 'r', group = "which")]
    pub recursive: bool,
    /// All
    #[arg(short = 'a', group = "which")]
    pub all: bool,
}

/// The name of what happened.
pub fn kind_name(kind: i32) -> &'static str {
    match kind {
        event::CREATED => "created",
        event::DELETED => "deleted",
        event::DATA_CHANGED => "changed",
        event::CHILDREN_CHANGED => "children",
        _ => "other",
    }
}

/// One event as a line.
pub fn event_line(json: bool, event: &Event, data: Option<&[u8]>) -> String {
    let kind = kind_name(event.kind);
    if json {
        let mut object = Map::new();
        object.insert("event".to_owned(), json!(kind));
        object.insert("path".to_owned(), json!(event.path));
        object.insert("zxid".to_owned(), json!(event.zxid));
        if data.is_some() {
            put_data(&mut object, data);
        }
        return Value::Object(object).to_string();
    }
    match data {
        Some(data) => format!("{kind}\t{}\t{}", event.path, short(data, 200)),
        None => format!("{kind}\t{}", event.path),
    }
}

/// Prints one event.
pub fn print_event(ctx: &mut Context<'_>, event: &Event, data: Option<&[u8]>) -> Result<()> {
    let line = event_line(ctx.printer.json(), event, data);
    ctx.printer.line(&line)
}

/// watch
pub fn watch(ctx: &mut Context<'_>, args: &Watch) -> Result<()> {
    let path = ctx.path(&args.path)?;
    let conn = ctx.conn()?;
    let mode = if args.one { AddWatchMode::Persistent } else { AddWatchMode::PersistentRecursive };
    let feed = conn.follow(&path, mode)?;
    let followed = follow(ctx, &conn, &feed, args);
    // In the shell the session goes on. Servers before 3.9 cannot remove such a watch; nobody
    // listens to it any more all the same.
    if ctx.place.is_some() {
        let _ = conn.unfollow(&path, mode, &feed);
    }
    followed
}

fn follow(ctx: &mut Context<'_>, conn: &Conn, feed: &Feed, args: &Watch) -> Result<()> {
    let mut seen = 0;
    while args.count.is_none_or(|count| seen < count) {
        ctx.go_on()?;
        let wait = ctx.left().map_or(SLICE, |left| left.min(SLICE));
        if wait.is_zero() {
            return match args.count {
                None => Ok(()),
                Some(count) => {
                    let what = format!("watch {}: {seen} of {count} changes came", args.path);
                    Err(Failure::new(exit::TIMEOUT, what))
                }
            };
        }
        let Some(event) = conn.next_of(feed, wait)? else { continue };
        seen += 1;
        let has_data = matches!(event.kind, event::CREATED | event::DATA_CHANGED);
        let data = match args.data && has_data {
            // It may be gone again.
            true => conn.get(&event.path, false).ok().map(|(data, _)| data.unwrap_or_default()),
            false => None,
        };
        print_event(ctx, &event, data.as_deref())?;
        if let Some(command) = &args.exec {
            let done = std::process::Command::new("/bin/sh")
                .args(["-c", command])
                .env("ZKCTL_EVENT", kind_name(event.kind))
                .env("ZKCTL_PATH", &event.path)
                .status();
            if let Err(error) = done {
                let what = format!("watch --exec {command:?}: {error}");
                return Err(Failure::new(exit::FAILED, what));
            }
        }
    }
    Ok(())
}

impl Wait {
    /// Whether it is as asked; the feed tells when to look again.
    fn holds(&self, conn: &Conn, path: &str, feed: &Feed) -> Result<bool> {
        let found = match (&self.data, self.children) {
            (Some(text), _) => conn.get_told(path, feed).map(|data| data == text.as_bytes()),
            (None, Some(least)) => conn.children_told(path, feed).map(|count| count >= least),
            (None, None) => return Ok(conn.exists_told(path, feed)? != self.gone),
        };
        match found {
            // The watch for its creation.
            Err(failure) if failure.is_no_node() => match conn.exists_told(path, feed)? {
                true => self.holds(conn, path, feed),
                false => Ok(false),
            },
            found => found,
        }
    }

    fn wanted(&self) -> String {
        match (&self.data, self.children) {
            (Some(text), _) => format!("its data is not {text:?}"),
            (None, Some(least)) => format!("it has not {least} children"),
            (None, None) if self.gone => "it is still there".to_owned(),
            (None, None) => "it does not exist".to_owned(),
        }
    }
}

/// wait
pub fn wait(ctx: &mut Context<'_>, args: &Wait) -> Result<()> {
    let path = ctx.path(args.path.as_deref().unwrap_or_default())?;
    let conn = ctx.conn()?;
    let feed = Feed::default();
    while !args.holds(&conn, &path, &feed)? {
        // Until something happens there; then it is looked at again.
        loop {
            ctx.go_on()?;
            let wait = ctx.left().map_or(SLICE, |left| left.min(SLICE));
            if wait.is_zero() {
                let ms = ctx.limit.unwrap_or_default().as_millis();
                let what = format!("wait {path}: {} after {ms} ms", args.wanted());
                return Err(Failure::new(exit::TIMEOUT, what));
            }
            if conn.next_of(&feed, wait)?.is_some() {
                break;
            }
        }
    }
    Ok(())
}

/// addWatch
pub fn add_watch(ctx: &mut Context<'_>, args: &AddWatch) -> Result<()> {
    let path = ctx.path(&args.path)?;
    let mode = match args.mode.eq_ignore_ascii_case("PERSISTENT") {
        true => AddWatchMode::Persistent,
        false => AddWatchMode::PersistentRecursive,
    };
    ctx.conn()?.add_watch(&path, mode)
}

/// removewatches
pub fn remove_watches(ctx: &mut Context<'_>, args: &RemoveWatches) -> Result<()> {
    let path = ctx.path(&args.path)?;
    let kind = match (args.children, args.data, args.persistent, args.recursive) {
        (true, ..) => WatcherType::Children,
        (_, true, ..) => WatcherType::Data,
        (_, _, true, _) => WatcherType::Persistent,
        (_, _, _, true) => WatcherType::PersistentRecursive,
        _ => WatcherType::Any,
    };
    ctx.conn()?.remove_watches(&path, kind)
}
