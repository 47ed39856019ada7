//! Four-letter words as an operator sends them.

use std::net::SocketAddr;
use std::time::Duration;

use crate::raw::{Late, PATIENCE, Raw};

/// Sends the word and returns everything until the server closes.
pub fn ask(address: SocketAddr, word: &str) -> String {
    ask_within(address, word, PATIENCE).expect("an answer within the patience of a test")
}

/// As [`ask`]; an error when the server has not closed in time.
pub fn ask_within(address: SocketAddr, word: &str, limit: Duration) -> Result<String, Late> {
    let mut raw = Raw::open(address);
    raw.send(word.as_bytes());
    Ok(String::from_utf8(raw.rest_within(limit)?).expect("text"))
}

/// The value behind a label of `srvr`, `mntr` or `conf`, whatever stands between.
pub fn field<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let rest = line.strip_prefix(label)?;
        rest.strip_prefix([':', '=', '\t']).map(str::trim)
    })
}
