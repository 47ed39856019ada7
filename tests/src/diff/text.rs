//! Requests and strings as a reader of a transcript wants them.

use zk_wire::{Op, Reader};

/// Bytes as text, with everything unprintable escaped.
pub fn bytes(bytes: &[u8]) -> String {
    const SHOWN: usize = 120;
    let mut text = format!("\"{}\"", bytes[..bytes.len().min(SHOWN)].escape_ascii());
    if bytes.len() > SHOWN {
        // The sum tells two long values apart that begin alike.
        let sum =
            bytes.iter().fold(7u64, |sum, b| sum.wrapping_mul(131).wrapping_add(u64::from(*b)));
        text.push_str(&format!("..{} bytes, sum {sum:x}", bytes.len()));
    }
    text
}

/// A buffer or string that may be null.
pub fn nullable(value: Option<&[u8]>) -> String {
    value.map_or_else(|| "null".to_owned(), bytes)
}

/// A request: operation, first string if there is one, and the whole record.
pub fn request(xid: i32, op: Op, record: &[u8]) -> String {
    let name = op.name().unwrap_or("unknown");
    let path = match op {
        Op::MULTI | Op::MULTI_READ | Op::AUTH | Op::SET_WATCHES | Op::SET_WATCHES2 => None,
        _ => Reader::new(record).buffer("path").ok(),
    };
    let path = path.map_or_else(String::new, |path| format!(" {}", nullable(path)));
    format!("xid={xid} {name}({}){path} record={}", op.0, bytes(record))
}
