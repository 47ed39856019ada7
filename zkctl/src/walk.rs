//! Walks over subtrees, and removes them.
//!
//! A subtree is read znode by znode while others change it: what goes away meanwhile is left out.
//! Memory is bounded by the paths that are still to be visited, or for a removal by all its paths.

use zkclient::multi::{Outcome, Write};

use zk_wire::{Code, Stat};

use crate::conn::{Conn, Pending};
use crate::context::child;
use crate::failure::{Failure, Result, exit};
use crate::progress::Progress;

/// Deletes of one multi. Small enough for a request of 1 MB with paths of 4 KB.
const BATCH: usize = 200;

/// Znodes that are asked for before they are visited.
const AHEAD: usize = 64;

/// A znode that is still to be visited.
struct Open {
    path: String,
    depth: usize,
    asked: Option<Pending<(Vec<String>, Stat)>>,
}

/// A znode on the way.
pub struct Visit {
    /// Its path.
    pub path: String,
    /// How deep it stands below the start, which is 0.
    pub depth: usize,
    /// Its stat.
    pub stat: Stat,
    /// Names of its children, sorted.
    pub children: Vec<String>,
}

/// Visits `root` and everything below to a depth, parents before their children, siblings by name.
/// A start that is not there is an error, and so is what may not be read.
pub fn visit(
    conn: &Conn,
    root: &str,
    depth_max: usize,
    each: impl FnMut(&Visit) -> Result<()>,
) -> Result<()> {
    walk(conn, root, depth_max, Err, each)
}

/// What a walk had to leave out, because the session may not read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denied(Vec<Failure>);

impl Denied {
    /// An error when something was left out.
    pub fn check(self, verb: &str) -> Result<()> {
        let count = self.0.len();
        match self.0.into_iter().next() {
            None => Ok(()),
            Some(first) => {
                let what = format!("{verb}: {count} znodes may not be read; the first: {first}");
                Err(Failure { what, ..first })
            }
        }
    }
}

/// As [`visit`], and goes on where it may not read: for commands that only look.
pub fn visit_seen(
    conn: &Conn,
    root: &str,
    depth_max: usize,
    each: impl FnMut(&Visit) -> Result<()>,
) -> Result<Denied> {
    let mut denied = Denied::default();
    let keep = |failure: Failure| {
        denied.0.push(failure);
        Ok(())
    };
    walk(conn, root, depth_max, keep, each)?;
    Ok(denied)
}

fn walk(
    conn: &Conn,
    root: &str,
    depth_max: usize,
    mut denied: impl FnMut(Failure) -> Result<()>,
    mut each: impl FnMut(&Visit) -> Result<()>,
) -> Result<()> {
    let mut open = vec![Open { path: root.to_owned(), depth: 0, asked: None }];
    loop {
        // What is visited next is asked for already: a walk takes as long as the answers, not as
        // long as the ways.
        for next in open.iter_mut().rev().take(AHEAD).filter(|next| next.asked.is_none()) {
            next.asked = Some(conn.start_children(&next.path)?);
        }
        let Some(Open { path, depth, asked }) = open.pop() else { return Ok(()) };
        let asked = asked.expect("the next one was asked for just now");
        let (children, stat) = match asked.wait() {
            Ok((mut children, stat)) => {
                children.sort();
                (children, stat)
            }
            Err(failure) if failure.is_no_node() && depth > 0 => continue,
            Err(failure) if failure.exit == exit::NO_AUTH && depth > 0 => {
                denied(failure)?;
                continue;
            }
            Err(failure) => return Err(failure),
        };
        let visit = Visit { path, depth, stat, children };
        each(&visit)?;
        if depth < depth_max {
            let below = visit.children.iter().rev();
            open.extend(below.map(|name| Open {
                path: child(&visit.path, name),
                depth: depth + 1,
                asked: None,
            }));
        }
    }
}

/// All paths from `root` on, parents before their children.
pub fn paths(conn: &Conn, root: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    visit(conn, root, usize::MAX, |visit| {
        found.push(visit.path.clone());
        Ok(())
    })?;
    Ok(found)
}

/// Deletes these paths, the last first, many at a time. What is gone already is fine; children that
/// came meanwhile are an error. Returns how many were deleted.
pub fn delete(
    conn: &Conn,
    paths: &[String],
    progress: &Progress,
    go_on: &dyn Fn() -> Result<()>,
) -> Result<u64> {
    let mut deleted = 0;
    for batch in paths.rchunks(BATCH) {
        go_on()?;
        let writes: Vec<Write<'_>> =
            batch.iter().rev().map(|path| Write::Delete(path, -1)).collect();
        let outcomes = conn.multi(&writes)?;
        match outcomes.iter().all(|outcome| *outcome == Outcome::Deleted) {
            true => deleted += batch.len() as u64,
            false => {
                for path in batch.iter().rev() {
                    match conn.delete(path, -1) {
                        Ok(()) => deleted += 1,
                        Err(failure) if failure.is_no_node() => {}
                        Err(failure) => return Err(failure),
                    }
                }
            }
        }
        progress.add(batch.len() as u64);
    }
    Ok(deleted)
}

/// The failure that stands in the outcomes of a multi, by the paths of its operations.
pub fn multi_failure(outcomes: &[Outcome], asked: &[(String, String)]) -> Option<Failure> {
    let failed = outcomes.iter().enumerate().find_map(|(at, outcome)| match outcome {
        Outcome::Failed(code) if *code != Code::OK && *code != Code::RUNTIME_INCONSISTENCY => {
            Some((at, *code))
        }
        _ => None,
    });
    failed.map(|(at, code)| {
        let (verb, path) = &asked[at];
        Failure::server(&format!("operation {}: {verb} {path}", at + 1), path, code)
    })
}
