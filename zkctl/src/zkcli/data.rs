//! zkCli's commands on znodes.

use zk_wire::{Acl, Code, perms};
use zkclient::calls::{AddWatchMode, Mode, WatcherType};

use super::options::Options;
use super::{Done, Stop, Zkcli, path, said, stop, text};
use crate::acls;
use crate::context::child;
use crate::encoding::{from_base64, to_base64};
use crate::progress::Progress;
use crate::walk;

/// The longest TTL, in ms: 40 bits.
const TTL_MS_MAX: i64 = 0xff_ffff_ffff;

/// Reads an ACL as zkCli does: what is wrong is told and left out.
fn parse_acl(given: &str) -> Vec<Acl> {
    let mut list = Vec::new();
    for entry in given.split(',') {
        let Some((scheme, id, letters)) = acls::split(entry) else {
            eprintln!("{entry} does not have the form scheme:id:perm");
            continue;
        };
        let mut bits = 0;
        for letter in letters.chars() {
            bits |= match letter {
                'r' => perms::READ,
                'w' => perms::WRITE,
                'c' => perms::CREATE,
                'd' => perms::DELETE,
                'a' => perms::ADMIN,
                other => {
                    eprintln!("Unknown perm type: {other}");
                    0
                }
            };
        }
        list.push(Acl::new(bits, scheme, id));
    }
    list
}

fn number<T: std::str::FromStr>(options: &Options, name: &str, none: T) -> Result<T, Stop> {
    match options.value(name) {
        None => Ok(none),
        Some(text) => match text.parse() {
            Ok(number) => Ok(number),
            Err(_) => stop(format!("For input string: \"{text}\"")),
        },
    }
}

fn mode(options: &Options) -> Result<Mode, Stop> {
    let has = |name| options.has(name);
    if has("c") && (has("e") || has("s")) {
        return stop(
            "-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.",
        );
    }
    let ttl = match options.value("t").map(str::parse::<i64>) {
        Some(Err(_)) => return stop("-t argument must be a long value"),
        ttl => ttl.and_then(Result::ok),
    };
    if ttl.is_some() && has("e") {
        return stop("TTLs cannot be used with Ephemeral znodes");
    }
    if ttl.is_some() && has("c") {
        return stop("TTLs cannot be used with Container znodes");
    }
    if ttl.is_some_and(|ms| !(1..=TTL_MS_MAX).contains(&ms)) {
        return stop(format!("ttl must be positive and cannot be larger than: {TTL_MS_MAX}"));
    }
    Ok(match (has("e"), has("s"), ttl) {
        (true, true, _) => Mode::EphemeralSequential,
        (true, false, _) => Mode::Ephemeral,
        (false, true, Some(ms)) => Mode::TtlSequential(ms),
        (false, true, None) => Mode::PersistentSequential,
        (false, false, Some(ms)) => Mode::Ttl(ms),
        (false, false, None) if has("c") => Mode::Container,
        (false, false, None) => Mode::Persistent,
    })
}

impl Zkcli<'_> {
    pub(super) fn create(&mut self, options: &Options) -> Done {
        let mode = mode(options)?;
        let given = &options.words[1];
        match options.has("s") {
            // The name of a sequential znode may end with what it is given.
            true => drop(path(&format!("{given}1"))?),
            false => drop(path(given)?),
        }
        let data = options.words.get(2).map(|text| text.as_bytes());
        let acl = options.words.get(3).map_or_else(Acl::open, |text| parse_acl(text));
        if acl.is_empty() {
            eprintln!("{}", text::exception(Code::INVALID_ACL, ""));
            return stop(text::wrapped(Code::INVALID_ACL, "null"));
        }
        match self.conn().create(given, data, &acl, mode) {
            Ok(made) => {
                self.out.flush()?;
                eprintln!("Created {made}");
                Ok(())
            }
            Err(failure) => {
                match failure.code {
                    Some(Code::EPHEMERAL_ON_LOCAL_SESSION) => {
                        eprintln!("Unable to create ephemeral node on a local session");
                    }
                    Some(Code::INVALID_ACL) => {
                        eprintln!("{}", text::exception(Code::INVALID_ACL, given));
                    }
                    _ => {}
                }
                Err(said(given, &failure))
            }
        }
    }

    pub(super) fn delete(&mut self, options: &Options) -> Done {
        if options.words.len() > 2 {
            eprintln!(
                "'delete path [version]' has been deprecated. Please use 'delete [-v version] \
                 path' instead."
            );
        }
        let given = path(&options.words[1])?;
        let version = number(options, "v", -1)?;
        self.conn().delete(given, version).map_err(|failure| said(given, &failure))
    }

    pub(super) fn delete_all(&mut self, options: &Options) -> Done {
        if options.value("b").is_some_and(|text| text.parse::<i32>().is_err()) {
            return stop("-b argument must be an int value");
        }
        let given = path(&options.words[1])?;
        let paths = walk::paths(self.conn(), given).map_err(|failure| said(given, &failure))?;
        let deleted = walk::delete(self.conn(), &paths, &Progress::start(false, "", 0), &|| Ok(()));
        if deleted.is_err() {
            self.out.flush()?;
            eprintln!("Failed to delete some node(s) in the subtree!");
        }
        Ok(())
    }

    pub(super) fn set(&mut self, options: &Options) -> Done {
        let given = path(&options.words[1])?;
        let data = match options.has("b") {
            true => from_base64(&options.words[2]).or_else(|failure| stop(failure.what))?,
            false => options.words[2].clone().into_bytes(),
        };
        let version = number(options, "v", -1)?;
        let stat = self.conn().set(given, Some(&data), version);
        let stat = stat.map_err(|failure| said(given, &failure))?;
        if options.has("s") {
            write!(self.out, "{}", text::stat(&stat))?;
        }
        Ok(())
    }

    pub(super) fn get(&mut self, options: &Options) -> Done {
        let given = path(&options.words[1])?;
        let got = self.conn().get(given, options.has("w"));
        let (data, stat) = got.map_err(|failure| said(given, &failure))?;
        if options.has("w") {
            self.watches.data.insert(given.to_owned());
        }
        let data = data.unwrap_or_else(|| b"null".to_vec());
        let shown = match (options.has("x"), options.has("b")) {
            (true, _) => text::hex_dump(&data),
            (_, true) => to_base64(&data),
            _ => String::from_utf8_lossy(&data).into_owned(),
        };
        writeln!(self.out, "{shown}")?;
        if options.has("s") {
            write!(self.out, "{}", text::stat(&stat))?;
        }
        Ok(())
    }

    pub(super) fn ls(&mut self, options: &Options) -> Done {
        let given = path(&options.words[1])?;
        let watch = options.has("w");
        if options.has("R") {
            return self.visit(given, watch, &mut |cli, path| Ok(writeln!(cli.out, "{path}")?));
        }
        let got = self.conn().children(given, watch);
        let (names, stat) = got.map_err(|failure| said(given, &failure))?;
        if watch {
            self.watches.children.insert(given.to_owned());
        }
        writeln!(self.out, "[{}]", names.join(", "))?;
        if options.has("s") {
            write!(self.out, "{}", text::stat(&stat))?;
        }
        Ok(())
    }

    /// Visits a subtree in zkCli's order: all children of a znode, then what is below each.
    fn visit(
        &mut self,
        root: &str,
        watch: bool,
        each: &mut dyn FnMut(&mut Self, &str) -> Done,
    ) -> Done {
        self.conn().get(root, watch).map_err(|failure| said(root, &failure))?;
        if watch {
            self.watches.data.insert(root.to_owned());
        }
        each(self, root)?;
        let mut open = vec![root.to_owned()];
        while let Some(parent) = open.pop() {
            let names = match self.conn().children(&parent, watch) {
                Ok((names, _)) => names,
                Err(failure) if failure.is_no_node() => continue,
                Err(failure) => return Err(said(&parent, &failure)),
            };
            if watch {
                self.watches.children.insert(parent.clone());
            }
            for name in &names {
                each(self, &child(&parent, name))?;
            }
            open.extend(names.iter().rev().map(|name| child(&parent, name)));
        }
        Ok(())
    }

    pub(super) fn stat(&mut self, options: &Options) -> Done {
        let given = path(&options.words[1])?;
        let watch = options.has("w");
        let got = self.conn().exists(given, watch).map_err(|failure| said(given, &failure))?;
        let kept = if got.is_some() { &mut self.watches.data } else { &mut self.watches.exist };
        if watch {
            kept.insert(given.to_owned());
        }
        match got {
            Some(stat) => Ok(write!(self.out, "{}", text::stat(&stat))?),
            None => stop(text::wrapped(Code::NO_NODE, given)),
        }
    }

    pub(super) fn get_acl(&mut self, options: &Options) -> Done {
        let given = path(&options.words[1])?;
        let got = self.conn().get_acl(given);
        let (list, stat) = got.map_err(|failure| said(given, &failure))?;
        for acl in &list {
            write!(self.out, "{}", text::acl(acl))?;
        }
        if options.has("s") {
            write!(self.out, "{}", text::stat(&stat))?;
        }
        Ok(())
    }

    pub(super) fn set_acl(&mut self, options: &Options) -> Done {
        let acl = parse_acl(&options.words[2]);
        let version = number(options, "v", -1)?;
        let given = path(&options.words[1])?;
        if options.has("R") {
            return self.visit(given, false, &mut |cli, path| {
                if acl.is_empty() {
                    write!(cli.out, "{}", text::exception(Code::INVALID_ACL, ""))?;
                } else if let Err(failure) = cli.conn().set_acl(path, &acl, version) {
                    let code = failure.code.unwrap_or(Code::CONNECTION_LOSS);
                    write!(cli.out, "{}", text::exception(code, path))?;
                }
                Ok(())
            });
        }
        if acl.is_empty() {
            return stop(text::wrapped(Code::INVALID_ACL, "null"));
        }
        let stat = self.conn().set_acl(given, &acl, version);
        let stat = stat.map_err(|failure| said(given, &failure))?;
        if options.has("s") {
            write!(self.out, "{}", text::stat(&stat))?;
        }
        Ok(())
    }

    pub(super) fn sync(&mut self, options: &Options) -> Done {
        let given = path(&options.words[1])?;
        match self.conn().sync(given) {
            Ok(()) => Ok(writeln!(self.out, "Sync is OK")?),
            Err(failure) => {
                let code = failure.code.unwrap_or(Code::CONNECTION_LOSS);
                Ok(writeln!(self.out, "Sync has failed. rc={}", code.0)?)
            }
        }
    }

    pub(super) fn add_watch(&mut self, options: &Options, usage: &str) -> Done {
        let mode = match options.value("m").map(str::to_uppercase).as_deref() {
            None | Some("PERSISTENT_RECURSIVE") => AddWatchMode::PersistentRecursive,
            Some("PERSISTENT") => AddWatchMode::Persistent,
            Some(_) => return stop(usage),
        };
        if options.words.len() != 2 {
            return stop(usage);
        }
        let given = path(&options.words[1])?;
        self.conn().add_watch(given, mode).map_err(|failure| said(given, &failure))?;
        let kept = match mode {
            AddWatchMode::Persistent => &mut self.watches.persistent,
            AddWatchMode::PersistentRecursive => &mut self.watches.recursive,
        };
        kept.insert(given.to_owned());
        Ok(())
    }

    pub(super) fn remove_watches(&mut self, options: &Options) -> Done {
        let given = path(&options.words[1])?.to_owned();
        let has = |name| options.has(name);
        let kind = match (has("c"), has("d"), has("p"), has("r")) {
            (true, ..) => WatcherType::Children,
            (_, true, ..) => WatcherType::Data,
            (_, _, true, _) => WatcherType::Persistent,
            (_, _, _, true) => WatcherType::PersistentRecursive,
            _ => WatcherType::Any,
        };
        let meant = |of: WatcherType| kind == of || kind == WatcherType::Any;
        let watches = &self.watches;
        let data = meant(WatcherType::Data)
            && (watches.data.contains(&given) || watches.exist.contains(&given));
        let children = meant(WatcherType::Children) && watches.children.contains(&given);
        let persistent = (meant(WatcherType::Persistent) && watches.persistent.contains(&given))
            || (meant(WatcherType::PersistentRecursive) && watches.recursive.contains(&given));
        if !data && !children && !persistent {
            return stop(text::exception(Code::NO_WATCHER, &given));
        }
        match self.conn().remove_watches(&given, kind) {
            Err(failure) if !has("l") => return Err(said(&given, &failure)),
            _ => {}
        }
        for (removed, name) in [
            (children, "ChildWatchRemoved"),
            (data, "DataWatchRemoved"),
            (persistent, "PersistentWatchRemoved"),
        ] {
            if removed {
                let event = text::watched("SyncConnected", name, Some(&given), -1);
                self.tell(&event).or_else(|failure| stop(failure.what))?;
            }
        }
        if data {
            self.watches.data.remove(&given);
            self.watches.exist.remove(&given);
        }
        if children {
            self.watches.children.remove(&given);
        }
        if persistent && meant(WatcherType::Persistent) {
            self.watches.persistent.remove(&given);
        }
        if persistent && meant(WatcherType::PersistentRecursive) {
            self.watches.recursive.remove(&given);
        }
        Ok(())
    }
}
