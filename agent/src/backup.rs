//! `zk-agent backup`: asks the server what is committed, and has that copied.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use zk_wire::Zxid;

use crate::disk::tools::backup::{Backup, Wanted, backup};
use crate::disk::tools::command::Failure;
use crate::settings::Settings;
use crate::sys::clock;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer that is looked at, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Runs it. `arguments`: `--to DIR [--keep N]`. Says what was made, line by line; `say` gets warnings.
///
/// # Errors
/// As the other tools.
pub fn run(
    settings: &Settings,
    arguments: Vec<OsString>,
    say: &mut dyn FnMut(&str),
) -> Result<String, Failure> {
    let (to, keep) = parse(arguments)?;
    let through = committed(settings.client_address);
    let wanted = Wanted {
        data_dir: &settings.data_dir,
        log_dir: &settings.log_dir,
        through,
        to: &to,
        keep,
        now_ms: clock::now().wall_ms,
    };
    let Backup { path, zxid, znodes, removed, member } = backup(&wanted, &settings.core)?;
    if let (None, Some(member)) = (through, member) {
        say(&format!(
            "warning: server {member} does not serve: its newest txns up to {zxid} may not be \
             committed, which no disk knows"
        ));
    }
    let mut text = format!("backup={} zxid={zxid} znodes={znodes}\n", path.display());
    for path in removed {
        text.push_str(&format!("removed={}\n", path.display()));
    }
    Ok(text)
}

fn parse(arguments: Vec<OsString>) -> Result<(PathBuf, Option<usize>), Failure> {
    let usage =
        || Failure::Usage("backup wants --config FILE --to DIR [--keep N], N from 1".into());
    let (mut to, mut keep) = (None, None);
    let mut arguments = arguments.into_iter();
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(usage)?;
        match name.to_str() {
            Some("--to") => to = Some(PathBuf::from(value)),
            Some("--keep") => {
                let count = value.to_str().and_then(|text| text.parse().ok());
                keep = Some(count.filter(|count| *count >= 1).ok_or_else(usage)?);
            }
            _ => return Err(usage()),
        }
    }
    Ok((to.ok_or_else(usage)?, keep))
}

/// The newest txn that the server at this address has applied, and so committed; `None` when it does
/// not run or does not serve.
fn committed(address: SocketAddr) -> Option<Zxid> {
    let ip = match address.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    let mut socket =
        TcpStream::connect_timeout(&SocketAddr::new(ip, address.port()), PATIENCE).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.write_all(b"srvr").ok()?;
    let mut answer = String::new();
    socket.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).ok()?;
    zxid_of(&answer)
}

fn zxid_of(answer: &str) -> Option<Zxid> {
    let digits = answer.lines().find_map(|line| line.strip_prefix("Zxid: 0x"))?;
    i64::from_str_radix(digits.trim(), 16).ok().map(Zxid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read() {
        let parsed = |line: &str| parse(line.split_whitespace().map(OsString::from).collect());
        assert_eq!(parsed("--to /b").ok(), Some(("/b".into(), None)));
        assert_eq!(parsed("--keep 3 --to /b").ok(), Some(("/b".into(), Some(3))));
        for wrong in ["", "--keep 3", "--to", "--to /b --keep 0", "--to /b --keep x", "/b"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_answer_of_a_server_says_what_is_committed() {
        let answer = "Zookeeper version: 3.9\nZxid: 0x700000003\nMode: follower\n";
        assert_eq!(zxid_of(answer), Some(Zxid(0x7_0000_0003)));
        assert_eq!(zxid_of("This ZooKeeper instance is not currently serving requests\n"), None);
    }
}
