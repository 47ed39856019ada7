//! Four-letter words over plain TCP: what a server says of itself without a session.
//!
//! A word may be forbidden by the server's `4lw.commands.whitelist`; Apache allows `srvr` only unless
//! told otherwise. That is an answer, not a failure. The admin server is not needed.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Longest answer that is read, in bytes; `cons` and `dump` of a large server are long.
const ANSWER_BYTES_MAX: u64 = 256 << 20;

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The text.
    Text(String),
    /// The server's whitelist forbids the word.
    Forbidden,
    /// The server runs and does not serve: it has no quorum.
    NotServing,
    /// No connection, or no answer: why.
    Unreached(String),
}

/// What a label of the settings has to read for the word to be allowed.
pub fn remedy(word: &str) -> String {
    format!("{word} is forbidden there; add it to 4lw.commands.whitelist of the server")
}

fn exchange(address: &str, word: &str, limit: Duration) -> std::io::Result<String> {
    let mut last = std::io::Error::other("the name has no address");
    for address in address.to_socket_addrs()? {
        let mut stream = match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => stream,
            Err(error) => {
                last = error;
                continue;
            }
        };
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        stream.write_all(word.as_bytes())?;
        let mut bytes = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes)?;
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    Err(last)
}

/// Sends a word and takes everything until the server closes.
pub fn ask(address: &str, word: &str, limit: Duration) -> Answer {
    let limit = limit.max(Duration::from_millis(1));
    match exchange(address, word, limit) {
        Ok(text) if text.contains("is not executed because it is not in the whitelist") => {
            Answer::Forbidden
        }
        Ok(text) if text.contains("is not currently serving requests") => Answer::NotServing,
        Ok(text) if text.is_empty() => Answer::Unreached("it closed without an answer".to_owned()),
        Ok(text) => Answer::Text(text),
        Err(error) => Answer::Unreached(match error.kind() {
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
                format!("no answer within {} ms", limit.as_millis())
            }
            _ => error.to_string(),
        }),
    }
}

/// The lines `Label: value` of srvr and stat, or `label=value` of conf, or `label<tab>value` of mntr.
pub fn fields(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| {
            let at = line.find([':', '=', '\t'])?;
            Some((line[..at].trim().to_owned(), line[at + 1..].trim().to_owned()))
        })
        .collect()
}

/// A connection as `cons` tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Where the client is.
    pub client: String,
    /// Fields by name: sid, to, est, queued, recved, sent, lop, avglat, maxlat...
    pub fields: BTreeMap<String, String>,
}

/// Reads `cons`: ` /host:port[ops](name=value,...)` line by line.
pub fn connections(text: &str) -> Vec<Connection> {
    text.lines()
        .filter_map(|line| {
            let (client, rest) = line.trim().strip_prefix('/')?.rsplit_once('(')?;
            let client = client.rsplit_once('[').map_or(client, |(address, _)| address);
            let fields = rest.trim_end_matches(')').split(',');
            let fields = fields.filter_map(|field| field.split_once('='));
            let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
            Some(Connection { client: client.to_owned(), fields: fields.collect() })
        })
        .collect()
}

/// Reads `dump`: how many ephemerals each session owns, by its id as text.
pub fn ephemerals(text: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    let mut owner: Option<String> = None;
    for line in text.lines() {
        match (line.starts_with("0x") && line.ends_with(':'), &owner) {
            (true, _) => {
                let id = line.trim_end_matches(':').to_owned();
                counts.insert(id.clone(), 0);
                owner = Some(id);
            }
            (false, Some(id)) if line.starts_with(['\t', ' ']) && line.trim().starts_with('/') => {
                *counts.entry(id.clone()).or_default() += 1;
            }
            _ => owner = None,
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_three_words() {
        let of = |text: &str| fields(text);
        assert_eq!(of("Zxid: 0x5\nMode: leader\n")["Mode"], "leader");
        assert_eq!(of("clientPort=2181\n")["clientPort"], "2181");
        assert_eq!(of("zk_server_state\tfollower\n")["zk_server_state"], "follower");
    }

    #[test]
    fn connections_of_both_kinds() {
        let text = " /127.0.0.1:5[1](queued=0,recved=3,sent=3,sid=0x10,lop=PING,to=30000)\n \
             /[0:0:0:0:0:0:0:1]:7[0](queued=0,recved=1,sent=0)\n\n";
        let list = connections(text);
        assert_eq!(list.len(), 2);
        assert_eq!(
            (list[0].client.as_str(), list[0].fields["sid"].as_str()),
            ("127.0.0.1:5", "0x10")
        );
        assert_eq!(list[1].client, "[0:0:0:0:0:0:0:1]:7");
    }

    #[test]
    fn ephemerals_are_counted_by_owner() {
        let text = "SessionTracker dump:\nSession Sets (1)/(1):\n1 expire at x:\n\t0x10\n\
            ephemeral nodes dump:\nSessions with Ephemerals (2):\n0x10:\n\t/a\n\t/b\n0x11:\n\t/c\n\
            Connections dump:\n";
        let counts = ephemerals(text);
        assert_eq!((counts["0x10"], counts["0x11"]), (2, 1));
    }
}
