//! What was asked for on the command line.

use zkclient::calls::Mode;

/// Shown for `--help`.
pub const USAGE: &str = "\
usage: zkctl [-s HOST:PORT] [--timeout SECONDS] [--output plain|json] COMMAND

  ls [-R] PATH                      names of the children; -R: all paths below
  get PATH                          data
  stat PATH                         stat
  set PATH DATA [-v VERSION]        set data; answers with the stat
  create PATH [DATA] [-e|-q|-c|-t MS]
                                    create: ephemeral (gone when zkctl ends), sequential, container, TTL
  rm [-R] PATH [-v VERSION]         delete; -R: with everything below
  srvr                              what the server says of itself
  wait PATH [--gone]                wait until PATH exists, or is gone

exit codes: 0 done, 1 failed, 2 wrong call, 3 no such node, 4 node exists, 5 version differs,
6 not permitted, 7 server not reached, 8 timed out
";

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// For people.
    Plain,
    /// For programs: one JSON value.
    Json,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// List children; all paths below when true.
    Ls(String, bool),
    /// Print data.
    Get(String),
    /// Print the stat.
    Stat(String),
    /// Set data of this version.
    Set(String, Vec<u8>, i32),
    /// Create.
    Create(String, Vec<u8>, Mode),
    /// Delete this version; everything below too when true.
    Rm(String, i32, bool),
    /// Ask the server about itself.
    Srvr,
    /// Wait until the path exists, or until it is gone when true.
    Wait(String, bool),
}

/// A whole call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Where the server is.
    pub server: String,
    /// How long anything may take, in ms.
    pub timeout_ms: u64,
    /// How to print.
    pub output: Output,
    /// What to do.
    pub command: Command,
}

/// Why there is no call.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// Help was asked for.
    Help,
    /// The call is wrong: what, and what would be right.
    Bad(String),
}

fn bad<T>(what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Bad(what.into()))
}

/// The options and the other words of a command line.
#[derive(Default)]
struct Words {
    plain: Vec<String>,
    recursive: bool,
    gone: bool,
    version: Option<i32>,
    mode: Option<Mode>,
    server: Option<String>,
    timeout_ms: Option<u64>,
    output: Option<Output>,
}

/// Reads the words behind the program's name.
pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Call, Stop> {
    let words = sort(arguments)?;
    let mut plain = words.plain.into_iter();
    let name = plain.next().ok_or_else(|| Stop::Bad("no command".to_owned()))?;
    let path = match name.as_str() {
        "srvr" => String::new(),
        _ => plain.next().ok_or_else(|| Stop::Bad(format!("{name} needs a path")))?,
    };
    let data = plain.next();
    let version = words.version.unwrap_or(-1);
    let command = match (name.as_str(), data) {
        ("set", Some(data)) => Command::Set(path, data.into_bytes(), version),
        ("set", None) => return bad("set needs a path and data"),
        ("create", data) => {
            let mode = words.mode.unwrap_or(Mode::Persistent);
            Command::Create(path, data.unwrap_or_default().into_bytes(), mode)
        }
        (_, Some(more)) => return bad(format!("{name} takes no {more:?}")),
        ("ls", None) => Command::Ls(path, words.recursive),
        ("get", None) => Command::Get(path),
        ("stat", None) => Command::Stat(path),
        ("rm", None) => Command::Rm(path, version, words.recursive),
        ("srvr", None) => Command::Srvr,
        ("wait", None) => Command::Wait(path, words.gone),
        _ => return bad(format!("{name} is no command")),
    };
    if let Some(more) = plain.next() {
        return bad(format!("{name} takes no {more:?}"));
    }
    Ok(Call {
        server: words.server.unwrap_or_else(|| "127.0.0.1:2181".to_owned()),
        timeout_ms: words.timeout_ms.unwrap_or(10_000),
        output: words.output.unwrap_or(Output::Plain),
        command,
    })
}

fn sort(mut arguments: impl Iterator<Item = String>) -> Result<Words, Stop> {
    let mut words = Words::default();
    while let Some(word) = arguments.next() {
        let mut value =
            || arguments.next().ok_or_else(|| Stop::Bad(format!("{word} needs a value")));
        match word.as_str() {
            "-h" | "--help" => return Err(Stop::Help),
            "-R" => words.recursive = true,
            "--gone" => words.gone = true,
            "-e" => words.mode = Some(Mode::Ephemeral),
            "-q" => words.mode = Some(Mode::PersistentSequential),
            "-c" => words.mode = Some(Mode::Container),
            "-t" => words.mode = Some(Mode::Ttl(number(&word, &value()?)?)),
            "-v" => words.version = Some(number(&word, &value()?)?),
            "-s" | "--server" => words.server = Some(value()?),
            "--timeout" => {
                let seconds: u32 = number(&word, &value()?)?;
                words.timeout_ms = Some(u64::from(seconds) * 1000);
            }
            "--output" => {
                words.output = Some(match value()?.as_str() {
                    "plain" => Output::Plain,
                    "json" => Output::Json,
                    other => return bad(format!("--output {other}: plain or json")),
                });
            }
            "--" => {
                words.plain.extend(arguments);
                break;
            }
            option if option.starts_with('-') && option.len() > 1 => {
                return bad(format!("{option} is no option"));
            }
            _ => words.plain.push(word),
        }
    }
    Ok(words)
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, Stop> {
    text.parse().map_err(|_| Stop::Bad(format!("{name} {text}: not a number that fits")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(words: &[&str]) -> Result<Call, Stop> {
        parse(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn calls_are_understood() {
        let get = call(&["-s", "h:1", "--output", "json", "get", "/a"]).unwrap();
        assert_eq!((get.server.as_str(), get.output), ("h:1", Output::Json));
        assert_eq!(get.command, Command::Get("/a".to_owned()));
        let set = call(&["set", "/a", "-v", "3", "--", "-x"]).unwrap();
        assert_eq!(set.command, Command::Set("/a".to_owned(), b"-x".to_vec(), 3));
        let create = call(&["create", "/a", "-t", "500"]).unwrap();
        assert_eq!(create.command, Command::Create("/a".to_owned(), Vec::new(), Mode::Ttl(500)));
        assert_eq!(call(&["srvr"]).unwrap().command, Command::Srvr);
    }

    #[test]
    fn wrong_calls_are_named() {
        assert_eq!(call(&["--help"]), Err(Stop::Help));
        for (words, what) in [
            (&[][..], "no command"),
            (&["get"], "needs a path"),
            (&["set", "/a"], "and data"),
            (&["get", "/a", "/b"], "takes no \"/b\""),
            (&["fly", "/a"], "no command"),
            (&["get", "/a", "-v", "x"], "not a number"),
            (&["get", "/a", "--output", "xml"], "plain or json"),
            (&["get", "/a", "--what"], "no option"),
            (&["get", "/a", "-s"], "needs a value"),
        ] {
            let Err(Stop::Bad(said)) = call(words) else { panic!("{words:?} was accepted") };
            assert!(said.contains(what), "{words:?}: {said}");
        }
    }
}
