//! Four-letter words as an operator sends them.

use std::net::SocketAddr;

use crate::raw::Raw;

/// Sends the word and returns everything until the server closes.
pub fn ask(address: SocketAddr, word: &str) -> String {
    let mut raw = Raw::open(address);
    raw.send(word.as_bytes());
    String::from_utf8(raw.rest()).expect("text")
}

/// The value behind a label of `srvr`, `mntr` or `conf`, whatever stands between.
pub fn field<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let rest = line.strip_prefix(label)?;
        rest.strip_prefix([':', '=', '\t']).map(str::trim)
    })
}
