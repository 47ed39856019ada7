//! The tools that work on the files of a stopped server: `log`, `snapshot`, `verify`, `export`.
//!
//! Reads arguments, opens files, prints. What the files mean is said by `disk` and the core; nothing
//! here is changed but by `log --cut` and by `export`, which writes a new directory.

pub mod arguments;
pub mod snapshot;
pub mod export;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::disk::tools::cut::cut;
use crate::disk::tools::dump::{DumpOptions, dump};
use crate::disk::tools::verify::verify;
use crate::settings;
use arguments::{Arguments, Places};

/// Why a tool ended otherwise than well.
#[derive(Debug)]
pub enum Trouble {
    /// The arguments make no sense.
    Usage(String),
    /// Something is damaged or missing; what was found has been printed.
    Found(String),
    /// The reader of our output has gone: no trouble of ours.
    Gone,
}

impl Trouble {
    /// 78 for arguments, 1 for what was found, 0 when nobody listens any more.
    pub fn exit_code(&self) -> u8 {
        match self {
            Trouble::Usage(_) => 78,
            Trouble::Found(_) => 1,
            Trouble::Gone => 0,
        }
    }
}

/// What a tool gives.
pub type Done = Result<(), Trouble>;

/// An error of writing to standard output.
fn output(error: io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Trouble::Gone,
        _ => Trouble::Found(format!("cannot write the output: {error}")),
    }
}

fn found(error: impl std::fmt::Display) -> Trouble {
    Trouble::Found(error.to_string())
}

/// Shows on a terminal how far long work has come; says nothing during the first second.
fn progress() -> impl FnMut(u64, u64) {
    let (began, terminal) = (Instant::now(), io::stderr().is_terminal());
    let mut last = Instant::now();
    move |done, total| {
        let old = began.elapsed() > Duration::from_secs(1);
        if terminal && old && (last.elapsed() > Duration::from_millis(200) || done == total) {
            last = Instant::now();
            let percent = (done * 100).checked_div(total).unwrap_or(100);
            let end = if done == total { "\n" } else { "" };
            eprint!("\r{percent:3} % of {} MiB{end}", total >> 20);
        }
    }
}

/// `zk-agent log [--json] [--hex] [--from ZXID] [--to ZXID] PATH`, `zk-agent log --cut OFFSET FILE`.
///
/// # Errors
/// See [`Trouble`].
pub fn log(arguments: Arguments) -> Done {
    let path = arguments.one_path()?;
    if let Some(offset) = arguments.cut {
        let aside = cut(&path, offset).map_err(found)?;
        println!("{} is cut at offset {offset}", path.display());
        for path in aside {
            println!("set aside: {}", path.display());
        }
        return Ok(());
    }
    let options = DumpOptions {
        json: arguments.json,
        data: arguments.data(),
        from: arguments.from,
        to: arguments.to,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let shown = dump(&path, &options, &mut out, &mut progress());
    out.flush().map_err(output)?;
    drop(out);
    let shown = shown.map_err(found)?;
    if !arguments.json {
        eprintln!("{shown} txns");
    }
    Ok(())
}

/// `zk-agent verify [--config FILE | DATADIR [LOGDIR]]`: 0 when everything is good, 1 when not.
///
/// # Errors
/// See [`Trouble`].
pub fn check(arguments: Arguments) -> Done {
    let Places { data, logs, .. } = arguments.places()?;
    let logs = (logs != data).then_some(logs.as_path());
    let mut tell = |finding: crate::disk::tools::verify::Finding| {
        println!("{} {}", if finding.good { "good" } else { "BAD " }, finding.line);
    };
    match verify(&data, logs, &mut tell, &mut progress()).map_err(found)? {
        true => Ok(()),
        false => Err(Trouble::Found(format!("{} is damaged, see above", data.display()))),
    }
}

/// Settings for a tool, which says nothing about warnings.
fn settings_of(arguments: &Arguments) -> Result<settings::Settings, Trouble> {
    let source = settings::Source {
        file: arguments.config.clone(),
        overrides: Vec::new(),
        state_dir: arguments.state_dir.clone(),
    };
    settings::load(&source).map_err(|refusal| Trouble::Usage(refusal.to_string()))
}
