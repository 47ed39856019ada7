//! The tools as an operator calls them: arguments in, text out.

use std::ffi::OsString;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lexopt::{Arg, Parser};
use zk_core::Config;
use zk_wire::Zxid;

use super::super::error::DiskError;
use super::cut::cut;
use super::describe::Data;
use super::dump::{DumpOptions, dump};
use super::state::{Show, export, load_snapshot, show};
use super::verify::verify;

/// What each tool takes.
pub const HELP: &str = "\
usage: zk-agent log [--json] [--data] [--from ZXID] [--to ZXID] [PATH]
       zk-agent log --cut OFFSET FILE
       zk-agent snapshot [--tree | --json] [--data] [PATH]
       zk-agent verify [--log-dir DIR] [DATADIR]
       zk-agent export [--data-dir DIR] [--log-dir DIR] DIR

PATH is a file of zk-agent or of an Apache server, a dataDir, or a version-2 directory. Without one
the directories of --config FILE are used, or those that a server without --config would use. Data is shown only with --data.
";

/// Time without a line of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// Why a tool ended without success.
#[derive(Debug)]
pub enum Failure {
    /// The arguments make no sense; a line that says why.
    Usage(String),
    /// The files.
    Disk(DiskError),
    /// Something was found that is not as it should be; it was told already.
    Found,
}

impl Failure {
    /// The exit code of the process.
    pub fn exit_code(&self) -> i32 {
        match self {
            Failure::Usage(_) => super::super::EXIT_REFUSED,
            Failure::Disk(error) => error.exit_code(),
            Failure::Found => 1,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Usage(line) => write!(f, "{line}; see --help"),
            Failure::Disk(error) => write!(f, "{error}"),
            Failure::Found => write!(f, "not everything is good"),
        }
    }
}

impl From<DiskError> for Failure {
    fn from(error: DiskError) -> Failure {
        Failure::Disk(error)
    }
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Failure {
        Failure::Usage(error.to_string())
    }
}

#[derive(Default)]
struct Arguments {
    json: bool,
    tree: bool,
    data: bool,
    help: bool,
    from: Option<Zxid>,
    to: Option<Zxid>,
    cut: Option<u64>,
    data_dir: Option<PathBuf>,
    log_dir: Option<PathBuf>,
    path: Option<PathBuf>,
}

/// Runs one of `log`, `snapshot`, `verify` and `export`.
///
/// - `default_dir`: the data directory when none is named.
/// - `out`: gets what was asked for.
/// - `say`: gets lines of progress and of what is wrong.
///
/// # Errors
/// See [`Failure`]; its line is for the operator.
pub fn run(
    tool: &str,
    arguments: impl IntoIterator<Item = OsString>,
    default_dir: Option<PathBuf>,
    out: &mut dyn Write,
    say: &mut dyn FnMut(&str),
) -> Result<(), Failure> {
    let given = parse(arguments)?;
    if given.help {
        return put(out, HELP);
    }
    let usage = |line: &str| Failure::Usage(line.to_owned());
    let data = if given.data { Data::Hex } else { Data::Length };
    let path = given.path.clone().or(default_dir.clone());
    let place = path.ok_or_else(|| usage("no data directory is named"));
    let config = Config::default();
    match tool {
        "log" => match given.cut {
            Some(offset) => {
                let file = given.path.ok_or_else(|| usage("--cut wants the file"))?;
                let aside = cut(&file, offset)?;
                aside.iter().for_each(|path| say(&format!("set aside as {}", path.display())));
                put(out, &format!("{} ends at offset {offset} now\n", file.display()))
            }
            None => {
                let (from, to) = (given.from.unwrap_or(Zxid(i64::MIN)), given.to);
                let to = to.unwrap_or(Zxid(i64::MAX));
                let options = DumpOptions { json: given.json, data, from, to };
                dump(&place?, &options, &mut BufWriter::new(out), &mut progress(say))?;
                Ok(())
            }
        },
        "snapshot" => {
            let what = match (given.json, given.tree) {
                (true, _) => Show::Json,
                (_, true) => Show::Tree,
                _ => Show::Summary,
            };
            let place = place?;
            let state = load_snapshot(&place, &config)?;
            show(&state, what, data, &mut BufWriter::new(out)).map_err(|e| cannot_write(&e))
        }
        "verify" => run_verify(&place?, given.log_dir.as_deref(), out, say),
        "export" => {
            let target = given.path.ok_or_else(|| usage("export wants a directory to write to"))?;
            let from = given.data_dir.or(default_dir);
            let from = from.ok_or_else(|| usage("no data directory is named"))?;
            let done = export(&from, given.log_dir.as_deref(), &config, &target)?;
            if let Some(member) = done.member {
                say(&uncommitted(member, done.zxid));
            }
            put(
                out,
                &format!(
                    "exported zxid={} znodes={} sessions={} to {}\n",
                    done.zxid,
                    done.znodes,
                    done.sessions,
                    target.display()
                ),
            )
        }
        _ => Err(usage(&format!("no tool {tool:?}"))),
    }
}

/// What is committed is known to the leader alone, and to nobody's disk.
fn uncommitted(member: i64, zxid: Zxid) -> String {
    format!(
        "warning: server {member} was a member of an ensemble: its newest txns up to {zxid} may not \
         be committed, which no disk knows; start from this while the others serve, or, when all \
         are stopped, with the one of the newest zxid among the first"
    )
}

fn run_verify(
    dir: &Path,
    log_dir: Option<&Path>,
    out: &mut dyn Write,
    say: &mut dyn FnMut(&str),
) -> Result<(), Failure> {
    let mut lines = Vec::new();
    let mut tell = |finding: super::verify::Finding| {
        let verdict = if finding.good { "good" } else { "BAD" };
        lines.push(format!("{verdict:4} {}\n", finding.line));
    };
    let good = verify(dir, log_dir, &mut tell, &mut progress(say))?;
    if lines.is_empty() {
        return Err(Failure::Usage(format!("{} holds nothing to verify", dir.display())));
    }
    put(out, &lines.concat())?;
    if good { Ok(()) } else { Err(Failure::Found) }
}

/// Says how far the work is, every few seconds.
fn progress<'s>(say: &'s mut dyn FnMut(&str)) -> impl FnMut(u64, u64) + 's {
    let mut last = Instant::now();
    move |done, total| {
        if last.elapsed() >= PROGRESS_EVERY {
            last = Instant::now();
            say(&format!("{} of {} MiB", done >> 20, total >> 20));
        }
    }
}

fn put(out: &mut dyn Write, text: &str) -> Result<(), Failure> {
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| cannot_write(&e))
}

fn cannot_write(error: &std::io::Error) -> Failure {
    Failure::Usage(format!("cannot write: {error}"))
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, Failure> {
    let mut parser = Parser::from_args(arguments);
    let mut given = Arguments::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("json") => given.json = true,
            Arg::Long("tree") => given.tree = true,
            Arg::Long("data") => given.data = true,
            Arg::Long("help") | Arg::Short('h') => given.help = true,
            Arg::Long("from") => given.from = Some(zxid(&parser.value()?)?),
            Arg::Long("to") => given.to = Some(zxid(&parser.value()?)?),
            Arg::Long("cut") => {
                let value = parser.value()?;
                let offset = value.to_str().and_then(|text| text.parse().ok());
                let bad = || Failure::Usage(format!("--cut {value:?} is no offset in bytes"));
                given.cut = Some(offset.ok_or_else(bad)?);
            }
            Arg::Long("data-dir") => given.data_dir = Some(parser.value()?.into()),
            Arg::Long("log-dir") => given.log_dir = Some(parser.value()?.into()),
            Arg::Value(path) if given.path.is_none() => given.path = Some(path.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(given)
}

/// A zxid in hex, with or without `0x`, as everything of ours prints it.
fn zxid(text: &OsString) -> Result<Zxid, Failure> {
    let digits = text.to_str().map(|text| text.strip_prefix("0x").unwrap_or(text));
    let number = digits.and_then(|digits| i64::from_str_radix(digits, 16).ok());
    let bad = || Failure::Usage(format!("{text:?} is no zxid, which looks like 0x700000003"));
    number.map(Zxid).ok_or_else(bad)
}
