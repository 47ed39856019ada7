//! zkCli's commands on quotas, the configuration and the session.

use zk_wire::Acl;
use zk_wire::ensemble::{Ensemble, Rules};
use zk_wire::request::ReconfigRequest;
use zkclient::calls::Mode;

use super::options::Options;
use super::{Done, Stop, Zkcli, path, said, stop, text};
use crate::context::child;
use crate::failure::Failure;
use crate::quota::{LIMITS, ROOT, SUMS, Track, place};
use crate::walk;

/// Where the configuration stands.
const CONFIG: &str = "/zookeeper/config";

fn limit<T: std::str::FromStr + Into<i64> + Copy>(
    options: &Options,
    name: &str,
    least: i64,
    refusal: &str,
) -> Result<Option<i64>, Option<String>> {
    let Some(text) = options.value(name) else { return Ok(None) };
    match text.parse::<T>() {
        Err(_) => Err(Some("NumberFormatException happens when parsing the option value".into())),
        Ok(number) if number.into() < least => Err(Some(refusal.to_owned())),
        Ok(number) => Ok(Some(number.into())),
    }
}

/// The limits of the options; the error is what zkCli says and then does nothing.
fn limits(options: &Options) -> Result<Track, Option<String>> {
    const COUNT: &str = "the num quota must be greater than zero";
    const BYTES: &str = "the bytes quota must be greater than or equal to zero";
    let mut track = Track::none();
    // zkCli always writes the hard limits, set or not.
    track.set_count_hard(-1);
    track.set_bytes_hard(-1);
    if let Some(number) = limit::<i32>(options, "n", 1, COUNT)? {
        track.count = number;
    }
    if let Some(number) = limit::<i64>(options, "b", 0, BYTES)? {
        track.bytes = number;
    }
    if let Some(number) = limit::<i32>(options, "N", 1, COUNT)? {
        track.set_count_hard(number);
    }
    if let Some(number) = limit::<i64>(options, "B", 0, BYTES)? {
        track.set_bytes_hard(number);
    }
    Ok(track)
}

impl Zkcli<'_> {
    pub(super) fn who_am_i(&mut self) -> Done {
        let list = self.conn().who_am_i().map_err(|failure| said("", &failure))?;
        writeln!(self.out, "Auth scheme: User")?;
        for (scheme, user) in list {
            writeln!(self.out, "{scheme}: {user}")?;
        }
        Ok(())
    }

    pub(super) fn add_auth(&mut self, options: &Options) -> Done {
        let proof = options.words.get(2).map_or(&b""[..], |text| text.as_bytes());
        if self.conn().auth(&options.words[1], proof).is_err() {
            let event = text::watched("AuthFailed", "None", None, -1);
            return self.tell(&event).or_else(|failure| stop(failure.what));
        }
        Ok(())
    }

    pub(super) fn get_ephemerals(&mut self, options: &Options) -> Done {
        let given = path(options.words.get(1).map_or("/", String::as_str))?;
        let list = self.conn().ephemerals(given).map_err(|failure| said(given, &failure))?;
        Ok(writeln!(self.out, "[{}]", list.join(", "))?)
    }

    pub(super) fn get_all_children_number(&mut self, options: &Options) -> Done {
        let given = path(&options.words[1])?;
        let count = self.conn().all_children_number(given);
        let count = count.map_err(|failure| said(given, &failure))?;
        Ok(writeln!(self.out, "{count}")?)
    }

    pub(super) fn set_quota(&mut self, options: &Options) -> Done {
        let given = options.words[1].as_str();
        if given.starts_with(ROOT) {
            eprintln!("cannot set a quota under the path: {ROOT}");
            return Ok(());
        }
        let limits = match limits(options) {
            Ok(limits) => limits,
            Err(told) => {
                if let Some(told) = told {
                    eprintln!("{told}");
                }
                return Ok(());
            }
        };
        let given = path(given)?;
        let conn = self.conn();
        let failed = |failure: Failure| said(given, &failure);
        if conn.exists(given, false).map_err(failed)?.is_none() {
            return stop(format!("{given} does not exist."));
        }
        self.other_quotas(given)?;
        let conn = self.conn();
        let base = place(given);
        for (at, _) in
            base.match_indices('/').skip(ROOT.matches('/').count()).chain([(base.len(), "")])
        {
            let above = &base[..at];
            let at_above = |failure: Failure| said(above, &failure);
            if above.len() > ROOT.len() && conn.exists(above, false).map_err(at_above)?.is_none() {
                match conn.create(above, None, &Acl::open(), Mode::Persistent) {
                    Err(failure) if !failure.is_exists() => return Err(at_above(failure)),
                    _ => {}
                }
            }
        }
        self.write_quota(&child(&base, LIMITS), &child(&base, SUMS), limits)
    }

    fn write_quota(&mut self, limits_path: &str, sums_path: &str, limits: Track) -> Done {
        let conn = self.conn();
        let failed = |failure: Failure| said(limits_path, &failure);
        let read = |path: &str| {
            let got = conn.get(path, false).map_err(|failure| said(path, &failure))?;
            Ok::<Track, Stop>(Track::parse(&got.0.unwrap_or_default()))
        };
        let open = Acl::open();
        let fresh = conn.exists(limits_path, false).map_err(failed)?.is_none();
        let mut now = limits.clone();
        if fresh {
            let text = limits.to_string();
            conn.create(limits_path, Some(text.as_bytes()), &open, Mode::Persistent)
                .map_err(failed)?;
            let zero = Track { count: 0, bytes: 0, ..Track::none() }.to_string();
            conn.create(sums_path, Some(zero.as_bytes()), &open, Mode::Persistent)
                .map_err(|failure| said(sums_path, &failure))?;
        } else {
            now = read(limits_path)?;
            now.count = if limits.count > -1 { limits.count } else { now.count };
            now.bytes = if limits.bytes > -1 { limits.bytes } else { now.bytes };
            if limits.count_hard() > -1 {
                now.set_count_hard(limits.count_hard());
            }
            if limits.bytes_hard() > -1 {
                now.set_bytes_hard(limits.bytes_hard());
            }
        }
        let sums = read(sums_path)?;
        let under = |limit: i64, is: i64| limit > -1 && limit < is;
        let count = under(now.count, sums.count) || under(now.count_hard(), sums.count);
        let bytes = under(now.bytes, sums.bytes) || under(now.bytes_hard(), sums.bytes);
        if !fresh {
            let text = now.to_string();
            conn.set(limits_path, Some(text.as_bytes()), -1).map_err(failed)?;
        }
        for (is_over, what, is) in [(count, "count", sums.count), (bytes, "bytes", sums.bytes)] {
            if is_over {
                writeln!(
                    self.out,
                    "[Warning]: the {what} quota you create is less than the existing {what}:{is}"
                )?;
            }
        }
        Ok(())
    }

    /// Quotas below or above a path exclude one of its own.
    fn other_quotas(&mut self, given: &str) -> Done {
        let own = place(given);
        let conn = self.conn();
        let mut below = None;
        let walked = walk::visit(conn, &own, usize::MAX, |visit| {
            let has = visit.children.iter().any(|name| name == LIMITS);
            if has && visit.path != own && below.is_none() {
                below = Some(visit.path[ROOT.len()..].to_owned());
            }
            Ok(())
        });
        match walked {
            Err(failure) if !failure.is_no_node() => return Err(said(&own, &failure)),
            _ => {}
        }
        if let Some(below) = below {
            return stop(format!("{given} has a child {below} which has a quota"));
        }
        for (at, _) in given.match_indices('/').filter(|(at, _)| *at > 0) {
            let above = &given[..at];
            match conn.children(&place(above), false) {
                Ok((names, _)) if names.iter().any(|name| name == LIMITS) => {
                    return stop(format!("{given} has a parent {above} which has a quota"));
                }
                Ok((names, _)) if names.is_empty() => return Ok(()),
                Ok(_) => {}
                Err(failure) if failure.is_no_node() => return Ok(()),
                Err(failure) => return Err(said(&place(above), &failure)),
            }
        }
        Ok(())
    }

    pub(super) fn list_quota(&mut self, options: &Options) -> Done {
        let given = options.words[1].as_str();
        let limits_path = format!("{ROOT}{given}/{LIMITS}");
        self.out.flush()?;
        eprintln!("absolute path is {limits_path}");
        let paths = [limits_path, format!("{ROOT}{given}/{SUMS}")];
        for (path_of, what) in paths.iter().zip(["quota", "stat"]) {
            match self.conn().get(path(path_of)?, false) {
                Ok((data, _)) => {
                    let track = Track::parse(&data.unwrap_or_default());
                    writeln!(self.out, "Output {what} for {given} {track}")?;
                }
                Err(failure) if failure.is_no_node() => {
                    eprintln!("quota for {given} does not exist.");
                    return Ok(());
                }
                Err(failure) => return Err(said(path_of, &failure)),
            }
        }
        Ok(())
    }

    pub(super) fn del_quota(&mut self, options: &Options) -> Done {
        let given = options.words[1].as_str();
        let limits_path = format!("{ROOT}{given}/{LIMITS}");
        let there = self.conn().exists(path(&limits_path)?, false);
        if there.map_err(|failure| said(&limits_path, &failure))?.is_none() {
            return Ok(writeln!(self.out, "Quota does not exist for {given}")?);
        }
        let which = ["n", "b", "N", "B"].map(|name| options.has(name));
        match crate::quota::remove(self.conn(), given, which) {
            Err(failure) if failure.is_no_node() => {
                eprintln!("quota for {given} does not exist.");
                Ok(())
            }
            done => done.map_err(|failure| said(&limits_path, &failure)),
        }
    }

    pub(super) fn config(&mut self, options: &Options) -> Done {
        let got = self.conn().get(CONFIG, options.has("w"));
        let (data, stat) = got.map_err(|failure| said(CONFIG, &failure))?;
        if options.has("w") {
            self.watches.data.insert(CONFIG.to_owned());
        }
        let data = data.unwrap_or_else(|| b"null".to_vec());
        let shown = String::from_utf8_lossy(&data);
        match options.has("c") {
            false => writeln!(self.out, "{shown}")?,
            true => writeln!(self.out, "{}", for_clients(&shown))?,
        }
        if options.has("s") {
            write!(self.out, "{}", text::stat(&stat))?;
        }
        Ok(())
    }

    pub(super) fn reconfig(&mut self, options: &Options, usage: &str) -> Done {
        let has = |name| options.has(name);
        let whole = has("file") || has("members");
        if !whole && !has("add") && !has("remove") {
            return stop(usage);
        }
        let config_id = match options.value("v").map(|text| i64::from_str_radix(text, 16)) {
            None => -1,
            Some(Ok(id)) => id,
            Some(Err(_)) => {
                return stop("-v must be followed by a long (configuration version)");
            }
        };
        if whole && (has("add") || has("remove")) {
            return stop(
                "Can't use -file or -members together with -add or -remove (mixing incremental and \
                 non-incremental modes is not allowed)",
            );
        }
        if has("file") && has("members") {
            return stop(
                "Can't use -file and -members together (conflicting non-incremental modes)",
            );
        }
        let value = |name: &str| options.value(name).map(str::to_lowercase);
        let members = match options.value("file") {
            Some(file) => Some(members_of(file)?),
            None => value("members"),
        };
        let (joining, leaving) = (value("add"), value("remove"));
        let request = ReconfigRequest {
            joining: joining.as_deref().map(Into::into),
            leaving: leaving.as_deref().map(Into::into),
            members: members.as_deref().map(Into::into),
            config_id,
        };
        let (data, stat) = self.conn().reconfig(&request).map_err(|failure| said("", &failure))?;
        writeln!(self.out, "Committed new configuration:\n{}", String::from_utf8_lossy(&data))?;
        if has("s") {
            write!(self.out, "{}", text::stat(&stat))?;
        }
        Ok(())
    }
}

/// The members that a dynamic configuration file names.
fn members_of(file: &str) -> Result<String, Stop> {
    let wrong = |error: String| Stop { said: format!("Error processing {file}{error}"), code: 1 };
    let text = crate::node::read_file(file).map_err(|failure| wrong(failure.what))?;
    let rules = Rules { standalone: true, several_addresses: true, secure_clients: true };
    let ensemble = Ensemble::parse(&String::from_utf8_lossy(&text), &rules);
    Ok(ensemble.map_err(|error| wrong(error.to_string()))?.to_string())
}

/// The version and the addresses for clients, as `config -c` prints them.
fn for_clients(config: &str) -> String {
    let mut version = "";
    let mut clients = Vec::new();
    for line in config.lines() {
        match line.split_once('=') {
            Some(("version", value)) => version = value.trim(),
            Some((key, value)) if key.starts_with("server.") => {
                let client = value.split(';').nth(1).unwrap_or("").trim();
                clients.push(match client.contains(':') || client.is_empty() {
                    true => client.to_owned(),
                    false => format!("0.0.0.0:{client}"),
                });
            }
            _ => {}
        }
    }
    format!("{version} {}", clients.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_for_clients() {
        let config = "server.1=a:1:2:participant;0.0.0.0:2181\nserver.2=b:1:2;99\nversion=1f";
        assert_eq!(for_clients(config), "1f 0.0.0.0:2181,0.0.0.0:99");
        assert_eq!(for_clients(""), " ");
    }
}
