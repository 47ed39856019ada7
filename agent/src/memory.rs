//! The memory that this process may use, as its control group says, and what follows from it.
//!
//! Only what clients can make the server hold is bounded by it: queues of replies and unfinished
//! requests. The tree is the users' data: it is told when it comes near the limit, and nothing is
//! refused or thrown away for it. Read at the start and at each reload, for a limit can be raised while
//! the server runs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::net::clients::{INPUT_TOTAL_BYTES, OUTPUT_TOTAL_BYTES};

/// Where control groups are.
const CGROUPS: &str = "/sys/fs/cgroup";
/// A larger number is how version 1 says that there is no limit.
const NO_LIMIT: u64 = 1 << 60;
/// Of ten parts of the limit, so many used up are worth a line.
const SCARCE_TENTHS: u64 = 9;
/// Queues are never bounded below this, in bytes: one client may be owed 16 MiB.
const QUEUES_MIN: usize = 32 << 20;

/// A limit and the file that says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Bytes.
    pub bytes: u64,
    /// Which file.
    pub file: PathBuf,
}

/// What clients may make the server hold, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Replies that are not read.
    pub output_bytes: usize,
    /// Requests that are not whole.
    pub input_bytes: usize,
}

impl Bounds {
    /// Half of the limit is the tree's and the disk's; of the other half most is the replies'.
    pub fn of(limit: Option<&Limit>) -> Bounds {
        let bytes = limit.map_or(u64::MAX, |limit| limit.bytes);
        let share = |part: u64, most: usize| {
            usize::try_from(bytes / part).unwrap_or(usize::MAX).clamp(QUEUES_MIN.min(most), most)
        };
        Bounds {
            output_bytes: share(4, OUTPUT_TOTAL_BYTES),
            input_bytes: share(16, INPUT_TOTAL_BYTES),
        }
    }
}

/// The least limit of this process's control group and those above it; `None` without one.
pub fn limit() -> Option<Limit> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    limit_in(Path::new(CGROUPS), &groups)
}

fn limit_in(root: &Path, groups: &str) -> Option<Limit> {
    let mut least: Option<Limit> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (base, files): (PathBuf, &[&str]) = match controllers {
            "" => (root.to_owned(), &["memory.max", "memory.high"]),
            list if list.split(',').any(|one| one == "memory") => {
                (root.join("memory"), &["memory.limit_in_bytes", "memory.soft_limit_in_bytes"])
            }
            _ => continue,
        };
        // In a container its own group may be what is seen as the root.
        let own = base.join(path.trim_start_matches('/'));
        let own = if own.is_dir() { own } else { base.clone() };
        for dir in own.ancestors().take_while(|dir| dir.starts_with(&base)) {
            for file in files {
                let file = dir.join(file);
                let Some(bytes) = number(&file) else { continue };
                if bytes < NO_LIMIT && least.as_ref().is_none_or(|least| bytes < least.bytes) {
                    least = Some(Limit { bytes, file });
                }
            }
        }
    }
    least
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// Bytes of memory of this process that the kernel cannot take back without swapping; 0 when `/proc`
/// doesn't tell.
pub fn used() -> u64 {
    let Ok(text) = fs::read_to_string("/proc/self/statm") else { return 0 };
    let mut pages = text.split(' ').skip(1).map_while(|number| number.parse::<u64>().ok());
    let (resident, shared) = (pages.next().unwrap_or(0), pages.next().unwrap_or(0));
    resident.saturating_sub(shared) * page_bytes()
}

fn page_bytes() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(4096)
}

/// Looks from time to time how much of the limit is used.
#[derive(Debug, Default)]
pub struct Watch {
    limit: Option<Limit>,
    /// How much of it is used, in percent, if that is worth a word.
    scarce: Option<u64>,
    /// When it is looked at again, `Now::mono_ms`.
    look_ms: i64,
}

/// Time between two looks, in ms.
const LOOK_EVERY_MS: i64 = 10_000;

impl Watch {
    /// Reads the limit anew, tells it when it is another one, and says what follows.
    pub fn read(&mut self) -> Bounds {
        let limit = limit();
        let bounds = Bounds::of(limit.as_ref());
        if let Some(Limit { bytes, file }) = limit.as_ref().filter(|_| limit != self.limit) {
            log::info!(
                "memory: limited bytes={bytes} file={} output_bytes={} input_bytes={}",
                file.display(),
                bounds.output_bytes,
                bounds.input_bytes
            );
        }
        self.limit = limit;
        bounds
    }

    /// Looks how much of the limit is used, when it is time to. Tells it once each time that memory
    /// becomes scarce.
    pub fn look(&mut self, now_ms: i64) {
        let Some(limit) = self.limit.as_ref().filter(|_| now_ms >= self.look_ms) else { return };
        self.look_ms = now_ms + LOOK_EVERY_MS;
        let used = used();
        let scarce = used >= limit.bytes / 10 * SCARCE_TENTHS;
        if scarce && self.scarce.is_none() {
            let (bytes, file) = (limit.bytes, limit.file.display());
            log::error!("memory: scarce used_bytes={used} limit_bytes={bytes} file={file}");
        }
        self.scarce = scarce.then(|| used.saturating_mul(100) / limit.bytes.max(1));
    }

    /// How much of the limit was used at the last look, in percent, if that is worth a word.
    pub fn scarce(&self) -> Option<u64> {
        self.scarce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Groups(PathBuf);

    impl Groups {
        fn new(name: &str, files: &[(&str, &str)]) -> Groups {
            let id = std::process::id();
            let groups = Groups(std::env::temp_dir().join(format!("zk-memory-{name}-{id}")));
            for (file, text) in files {
                let file = groups.0.join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, format!("{text}\n")).unwrap();
            }
            groups
        }

        fn limit(&self, groups: &str) -> Option<(u64, String)> {
            let limit = limit_in(&self.0, groups)?;
            let file = limit.file.strip_prefix(&self.0).unwrap().display().to_string();
            Some((limit.bytes, file))
        }
    }

    impl Drop for Groups {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_least_limit_on_the_way_up_counts() {
        let v2 = Groups::new(
            "v2",
            &[
                ("system.slice/zk.service/memory.max", "max"),
                ("system.slice/zk.service/memory.high", "3000000000"),
                ("system.slice/memory.max", "2000000000"),
                ("system.slice/memory.high", "max"),
            ],
        );
        let found = v2.limit("0::/system.slice/zk.service\n");
        assert_eq!(found, Some((2_000_000_000, "system.slice/memory.max".to_owned())));
        assert_eq!(v2.limit("0::/user.slice\n"), None);
    }

    #[test]
    fn version_one_and_containers_are_understood() {
        let v1 = Groups::new(
            "v1",
            &[
                ("memory/docker/x/memory.limit_in_bytes", "1073741824"),
                ("memory/memory.limit_in_bytes", "9223372036854771712"),
                ("memory/memory.soft_limit_in_bytes", "9223372036854771712"),
            ],
        );
        let file = "memory/docker/x/memory.limit_in_bytes".to_owned();
        assert_eq!(v1.limit("5:cpu:/y\n4:memory:/docker/x\n"), Some((1 << 30, file)));
        let inside = Groups::new("own", &[("memory.max", "536870912")]);
        let own = inside.limit("0::/docker/not-seen-from-here\n");
        assert_eq!(own, Some((1 << 29, "memory.max".to_owned())));
    }

    #[test]
    fn queues_are_a_share_of_the_limit() {
        let of = |bytes| Bounds::of(Some(&Limit { bytes, file: PathBuf::new() }));
        let all = Bounds { output_bytes: OUTPUT_TOTAL_BYTES, input_bytes: INPUT_TOTAL_BYTES };
        assert_eq!(Bounds::of(None), all);
        assert_eq!(of(64 << 30), all);
        let small = of(1 << 30);
        assert_eq!((small.output_bytes, small.input_bytes), (256 << 20, 64 << 20));
        assert_eq!(of(1 << 20).output_bytes, QUEUES_MIN);
    }

    #[test]
    fn a_process_uses_memory() {
        assert!(used() > 0);
        let limit = |bytes| Some(Limit { bytes, file: PathBuf::new() });
        let mut watch = Watch { limit: limit(1), ..Watch::default() };
        watch.look(0);
        assert!(watch.scarce().is_some_and(|percent| percent > 100));
        watch.limit = limit(u64::MAX);
        watch.look(LOOK_EVERY_MS - 1);
        assert!(watch.scarce().is_some(), "it is not looked at all the time");
        watch.look(LOOK_EVERY_MS);
        assert_eq!(watch.scarce(), None);
    }
}
