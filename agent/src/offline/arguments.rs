//! The arguments of the offline tools. All of them take the same ones, as far as they make sense.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};
use zk_wire::Zxid;

use super::{Trouble, settings_of};
use crate::disk::tools::describe::Data;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Arguments {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// Where a server without settings keeps its data.
    pub state_dir: Option<PathBuf>,
    /// `--json`.
    pub json: bool,
    /// `--tree`.
    pub tree: bool,
    /// `--hex`: show what clients stored.
    pub hex: bool,
    /// `--from`.
    pub from: Zxid,
    /// `--to`.
    pub to: Zxid,
    /// `--cut`.
    pub cut: Option<u64>,
    /// What stands without a dash.
    pub paths: Vec<PathBuf>,
}

/// Where a server's data lies.
#[derive(Clone, Debug)]
pub struct Places {
    /// `dataDir`.
    pub data: PathBuf,
    /// `dataLogDir`, or `dataDir` again.
    pub logs: PathBuf,
}

/// A zxid as our own output shows it, `0x1a`, or in decimal.
fn zxid(text: &str) -> Result<Zxid, Trouble> {
    let number = match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    number.map(Zxid).map_err(|_| Trouble::Usage(format!("{text:?} is no zxid such as 0x1a")))
}

impl Arguments {
    /// Reads what stands behind the name of the tool.
    ///
    /// # Errors
    /// [`Trouble::Usage`], naming the argument.
    pub fn parse(
        arguments: impl IntoIterator<Item = OsString>,
        state_dir: Option<PathBuf>,
    ) -> Result<Arguments, Trouble> {
        let usage = |error: lexopt::Error| Trouble::Usage(error.to_string());
        let mut parsed = Arguments {
            config: None,
            state_dir,
            json: false,
            tree: false,
            hex: false,
            from: Zxid(i64::MIN),
            to: Zxid(i64::MAX),
            cut: None,
            paths: Vec::new(),
        };
        let mut parser = Parser::from_args(arguments);
        while let Some(argument) = parser.next().map_err(usage)? {
            match argument {
                Arg::Long("config") => parsed.config = Some(parser.value().map_err(usage)?.into()),
                Arg::Long("json") => parsed.json = true,
                Arg::Long("tree") => parsed.tree = true,
                Arg::Long("hex") => parsed.hex = true,
                Arg::Long("from") => {
                    parsed.from = zxid(&parser.value().map_err(usage)?.string().map_err(usage)?)?;
                }
                Arg::Long("to") => {
                    parsed.to = zxid(&parser.value().map_err(usage)?.string().map_err(usage)?)?;
                }
                Arg::Long("cut") => {
                    let value = parser.value().map_err(usage)?;
                    parsed.cut = Some(value.parse().map_err(usage)?);
                }
                Arg::Value(path) => parsed.paths.push(path.into()),
                other => return Err(usage(other.unexpected())),
            }
        }
        Ok(parsed)
    }

    /// How much of what clients stored is shown.
    pub fn data(&self) -> Data {
        if self.hex { Data::Hex } else { Data::Length }
    }

    /// The one path that was given, or else the data directory of the settings.
    ///
    /// # Errors
    /// [`Trouble::Usage`] when there are several.
    pub fn one_path(&self) -> Result<PathBuf, Trouble> {
        match &self.paths[..] {
            [path] => Ok(path.clone()),
            [] => self.places().map(|places| places.logs),
            _ => Err(Trouble::Usage("one file or directory is wanted".to_owned())),
        }
    }

    /// The directories: as given, as in `--config`, or where a server without settings has them.
    ///
    /// # Errors
    /// [`Trouble::Usage`] when there are too many, or the settings are refused.
    pub fn places(&self) -> Result<Places, Trouble> {
        match &self.paths[..] {
            [] => {
                let settings = settings_of(self)?;
                Ok(Places { data: settings.data_dir, logs: settings.log_dir })
            }
            [data] => Ok(Places { data: data.clone(), logs: data.clone() }),
            [data, logs] => Ok(Places { data: data.clone(), logs: logs.clone() }),
            _ => Err(Trouble::Usage("a dataDir and a dataLogDir are all it takes".to_owned())),
        }
    }
}
