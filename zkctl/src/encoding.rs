//! Data of znodes as text, hex, base64 and JSON, and back.
//!
//! What is UTF-8 is shown as it is; what is not is base64, and says so.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::failure::Failure;

/// How data is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Show {
    /// UTF-8 as it is; other data as a hex dump.
    #[default]
    Auto,
    /// As text; what is no UTF-8 becomes U+FFFD.
    Text,
    /// The bytes and nothing else, without a newline.
    Raw,
    /// A hex dump.
    Hex,
    /// Base64.
    Base64,
    /// As JSON, indented; an error when the data is none.
    Json,
}

/// Bytes as base64.
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Base64 as bytes.
pub fn from_base64(text: &str) -> Result<Vec<u8>, Failure> {
    STANDARD
        .decode(text.trim())
        .map_err(|error| Failure::usage(format!("{text:?} is no base64: {error}")))
}

/// Bytes as lines of offset, sixteen bytes and their characters.
pub fn hex_dump(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (line, chunk) in bytes.chunks(16).enumerate() {
        out.push_str(&format!("{:08x} ", line * 16));
        for at in 0..16 {
            if at == 8 {
                out.push(' ');
            }
            match chunk.get(at) {
                Some(byte) => out.push_str(&format!(" {byte:02x}")),
                None => out.push_str("   "),
            }
        }
        let shown = |byte: &u8| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' };
        let text: String = chunk.iter().map(shown).collect();
        out.push_str(&format!("  |{text}|\n"));
    }
    out
}

/// Puts data into a JSON object: `data` when it is text or null, else `data64`.
pub fn put_data(object: &mut Map<String, Value>, data: Option<&[u8]>) {
    match data.map(std::str::from_utf8) {
        None => object.insert("data".to_owned(), Value::Null),
        Some(Ok(text)) => object.insert("data".to_owned(), json!(text)),
        Some(Err(_)) => {
            object.insert("data64".to_owned(), json!(to_base64(data.unwrap_or_default())))
        }
    };
}

/// Takes the data out of such an object; null and nothing are both null data.
pub fn take_data(object: &Map<String, Value>) -> Result<Option<Vec<u8>>, Failure> {
    match (object.get("data"), object.get("data64")) {
        (Some(_), Some(_)) => Err(Failure::usage("data and data64 stand in one object; keep one")),
        (None | Some(Value::Null), None) => Ok(None),
        (Some(Value::String(text)), None) => Ok(Some(text.clone().into_bytes())),
        (None, Some(Value::String(text))) => from_base64(text).map(Some),
        (data, data64) => {
            let value = data.or(data64).map(ToString::to_string).unwrap_or_default();
            Err(Failure::usage(format!("data {value} is no string; put it in quotes")))
        }
    }
}

/// Data on one line, at most `chars` characters of it.
pub fn short(data: &[u8], chars: usize) -> String {
    let Ok(text) = std::str::from_utf8(data) else {
        return format!("({} bytes, no text)", data.len());
    };
    let mut out: String = text.chars().take(chars).collect::<String>().escape_debug().to_string();
    if text.chars().nth(chars).is_some() {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_goes_through_json() {
        for data in [None, Some(&b""[..]), Some(b"text \"x\""), Some(&[0, 0xff, 0xfe])] {
            let mut object = Map::new();
            put_data(&mut object, data);
            assert_eq!(take_data(&object).unwrap().as_deref(), data, "{object:?}");
        }
        let wrong: Value = json!({"data": 5});
        assert!(take_data(wrong.as_object().unwrap()).is_err());
        let both: Value = json!({"data": "a", "data64": "YQ=="});
        assert!(take_data(both.as_object().unwrap()).is_err());
    }

    #[test]
    fn dumps_have_sixteen_bytes_a_line() {
        let dump = hex_dump(b"0123456789abcdefg\x01");
        let lines: Vec<&str> = dump.lines().collect();
        assert_eq!(
            lines[0],
            "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|"
        );
        assert!(lines[1].starts_with("00000010  67 01 ") && lines[1].ends_with("|g.|"), "{dump}");
    }

    #[test]
    fn long_data_is_cut_and_binary_data_is_counted() {
        assert_eq!(short(b"abcdef", 3), "abc...");
        assert_eq!(short(b"a\nb", 10), "a\\nb");
        assert_eq!(short(&[0xff, 0xfe], 10), "(2 bytes, no text)");
    }
}
