//! Quotas: limits and usage of subtrees, kept as text in znodes below `/zookeeper/quota`.
//!
//! A quota on `/a` is `/zookeeper/quota/a/zookeeper_limits`; its usage stands in
//! `/zookeeper/quota/a/zookeeper_stats` and is written here without a trace in any stat, because
//! each server counts for itself. Text that does not parse reads as "not set" (Apache's server
//! fails on it).

use std::collections::{BTreeMap, BTreeSet};

use zk_wire::path;

use super::data_tree::DataTree;

const QUOTA_ROOT: &str = "/zookeeper/quota";
const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";

/// Which subtrees have limits.
#[derive(Debug, Default)]
pub struct Quotas {
    prefixes: BTreeSet<String>,
}

impl Quotas {
    /// The deepest subtree with limits that this path is in. "/" never counts.
    fn prefix<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.prefixes.is_empty() {
            return None;
        }
        let mut at = path;
        while at.len() > 1 {
            if self.prefixes.contains(at) {
                return Some(at);
            }
            at = path::parent(at)?;
        }
        None
    }

    /// The subtrees with limits.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.prefixes.iter().map(String::as_str)
    }
}

/// The numbers in a limits or stats znode. -1 is "not set".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    values: BTreeMap<String, i64>,
}

impl Track {
    /// Reads `count=5,bytes=-1=;byteHardLimit=100` and its simpler forms.
    pub fn parse(text: &[u8]) -> Track {
        let text = String::from_utf8_lossy(text);
        let mut values = BTreeMap::new();
        for part in text.split([',', ';']).filter(|part| !part.is_empty()) {
            let mut pieces = part.split('=');
            let key = pieces.next().unwrap_or("");
            let value = pieces.next().unwrap_or("").parse().unwrap_or(-1);
            values.insert(key.to_owned(), value);
        }
        Track { values }
    }

    /// A usage.
    pub fn usage(count: i64, bytes: i64) -> Track {
        Track { values: [("count".to_owned(), count), ("bytes".to_owned(), bytes)].into() }
    }

    /// A number by its key.
    pub fn get(&self, key: &str) -> i64 {
        self.values.get(key).copied().unwrap_or(-1)
    }

    fn add(&mut self, key: &str, delta: i64) {
        let value = self.get(key).wrapping_add(delta);
        self.values.insert(key.to_owned(), value);
    }

    /// The text as Apache's server writes it.
    pub fn text(&self) -> String {
        let mut text = format!("count={},bytes={}", self.get("count"), self.get("bytes"));
        let more = self.values.iter().filter(|(key, _)| *key != "count" && *key != "bytes");
        for (number, (key, value)) in more.enumerate() {
            text.push_str(if number == 0 { "=;" } else { ";" });
            text.push_str(&format!("{key}={value}"));
        }
        text
    }
}

/// What a quota says about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Within,
    /// A soft limit is exceeded: go on, warn.
    Soft,
    /// A hard limit is exceeded: refuse.
    Hard,
}

impl DataTree {
    fn stats_of(&self, prefix: &str, kind: &str) -> Option<(String, u32)> {
        let path = format!("{QUOTA_ROOT}{prefix}/{kind}");
        let number = self.find(&path)?;
        Some((path, number))
    }

    /// Books a change of znodes and bytes with the quota that governs the path.
    pub(super) fn account(&mut self, path: &str, count: i64, bytes: i64) {
        let Some(prefix) = self.quotas.prefix(path) else { return };
        let Some((stats, number)) = self.stats_of(prefix, STATS) else { return };
        let mut track = Track::parse(self.data(number).unwrap_or(&[]));
        track.add("count", count);
        track.add("bytes", bytes);
        let text = track.text();
        self.replace_data(number, &stats, Some(text.as_bytes()), |_| {});
    }

    /// A znode was created: it may switch a quota on or ask for a recount.
    pub(super) fn quota_created(&mut self, path: &str) {
        let Some((governed, name)) = quota_node(path) else { return };
        match name {
            LIMITS => {
                self.quotas.prefixes.insert(governed.to_owned());
            }
            STATS => self.recount(governed),
            _ => {}
        }
    }

    /// A znode was deleted: it may switch a quota off.
    pub(super) fn quota_deleted(&mut self, path: &str) {
        if let Some((governed, LIMITS)) = quota_node(path) {
            self.quotas.prefixes.remove(governed);
        }
    }

    /// Counts a subtree and writes the result into its stats znode.
    fn recount(&mut self, governed: &str) {
        let Some((stats, at)) = self.stats_of(governed, STATS) else { return };
        let (mut count, mut bytes) = (0i64, 0i64);
        let mut stack: Vec<u32> = self.find(governed).into_iter().collect();
        while let Some(number) = stack.pop() {
            count += 1;
            bytes += self.node(number).data_bytes() as i64;
            stack.extend(self.children(number));
        }
        let text = Track::usage(count, bytes).text();
        self.replace_data(at, &stats, Some(text.as_bytes()), |_| {});
    }

    /// After a load: switches every quota on and counts anew.
    pub fn restore_quotas(&mut self) {
        let Some(root) = self.find(QUOTA_ROOT) else { return };
        let (mut stack, mut limits) = (vec![root], Vec::new());
        while let Some(number) = stack.pop() {
            if self.name(number) == LIMITS && self.node(number).children == 0 {
                limits.push(self.path(number));
            }
            stack.extend(self.children(number));
        }
        for path in limits {
            let Some((governed, LIMITS)) = quota_node(&path) else { continue };
            self.quotas.prefixes.insert(governed.to_owned());
            self.recount(governed);
        }
    }

    /// Whether a change would exceed a limit. Looks at applied usage only, as Apache does.
    pub fn check_quota(&self, path: &str, count: i64, bytes: i64) -> Verdict {
        let Some(prefix) = self.quotas.prefix(path) else { return Verdict::Within };
        let Some((_, limits)) = self.stats_of(prefix, LIMITS) else { return Verdict::Within };
        let limits = Track::parse(self.data(limits).unwrap_or(&[]));
        // Without a znode that counts, nothing is held against the limits.
        let Some((_, stats)) = self.stats_of(prefix, STATS) else { return Verdict::Within };
        let usage = Track::parse(self.data(stats).unwrap_or(&[]));
        let mut verdict = Verdict::Within;
        for (delta, used, soft, hard) in [
            (count, usage.get("count"), limits.get("count"), limits.get("countHardLimit")),
            (bytes, usage.get("bytes"), limits.get("bytes"), limits.get("byteHardLimit")),
        ] {
            let limit = if hard > -1 { hard } else { soft };
            if delta != 0 && limit > -1 && used.saturating_add(delta) > limit {
                if hard > -1 {
                    return Verdict::Hard;
                }
                verdict = Verdict::Soft;
            }
        }
        verdict
    }
}

/// Takes `/zookeeper/quota/a/b/zookeeper_limits` apart: the subtree `/a/b` and the last name.
fn quota_node(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix(QUOTA_ROOT)?;
    let governed = path::parent(rest)?;
    governed.starts_with('/').then(|| (governed, path::name(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_both_ways() {
        for text in ["count=5,bytes=-1", "count=5,bytes=-1=;byteHardLimit=100;countHardLimit=10"] {
            assert_eq!(Track::parse(text.as_bytes()).text(), text);
        }
        assert_eq!(Track::parse(b"garbage").get("count"), -1);
        assert_eq!(Track::parse(b"count=,bytes=7").text(), "count=-1,bytes=7");
        assert_eq!(quota_node("/zookeeper/quota/a/zookeeper_limits"), Some(("/a", LIMITS)));
        assert_eq!(quota_node("/zookeeper/quota/zookeeper_limits"), None);
    }
}
