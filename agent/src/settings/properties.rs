//! The syntax of `zoo.cfg`: a Java properties file in ISO-8859-1, with the line of each key.
//!
//! Pure. Says what stands in the file, not what it means.

use std::fmt;

/// One `key=value`, in the file's order. Duplicates are kept; the last one wins by convention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key, trimmed.
    pub key: String,
    /// The value, trimmed.
    pub value: String,
    /// The line that the key begins on, from 1.
    pub line: usize,
}

/// A `\u` that isn't followed by four hexadecimal digits. Java refuses the whole file then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadEscape {
    /// The line that the entry begins on, from 1.
    pub line: usize,
}

impl fmt::Display for BadEscape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: \\u wants four hexadecimal digits", self.line)
    }
}

/// Reads a whole properties file.
pub fn parse_properties(bytes: &[u8]) -> Result<Vec<Entry>, BadEscape> {
    let mut entries = Vec::new();
    let mut lines = NaturalLines { rest: bytes, line: 0 };
    while let Some(first) = lines.next() {
        let line = lines.line;
        let first = skip_blank(first);
        if matches!(first.first(), None | Some(b'#' | b'!')) {
            continue;
        }
        let mut logical = first.to_vec();
        while ends_with_open_backslash(&logical) {
            logical.pop();
            match lines.next() {
                Some(more) => logical.extend_from_slice(skip_blank(more)),
                None => break,
            }
        }
        let (key, value) = split(&logical);
        let key = unescape(key).ok_or(BadEscape { line })?;
        let value = unescape(value).ok_or(BadEscape { line })?;
        entries.push(Entry { key: trim(&key), value: trim(&value), line });
    }
    Ok(entries)
}

struct NaturalLines<'a> {
    rest: &'a [u8],
    line: usize,
}

impl<'a> NaturalLines<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        self.line += 1;
        let end = self.rest.iter().position(|b| matches!(b, b'\n' | b'\r'));
        let end = end.unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at(end);
        self.rest = match rest {
            [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
            [] => &[],
        };
        Some(line)
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0c)
}

fn skip_blank(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|&b| !is_blank(b)).unwrap_or(line.len());
    &line[start..]
}

fn ends_with_open_backslash(line: &[u8]) -> bool {
    line.iter().rev().take_while(|&&b| b == b'\\').count() % 2 == 1
}

/// Cuts at the first `=`, `:` or blank that no backslash protects.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    while at < line.len() && !is_blank(line[at]) && !matches!(line[at], b'=' | b':') {
        at += if line[at] == b'\\' { 2 } else { 1 };
    }
    let at = at.min(line.len());
    let mut value = skip_blank(&line[at..]);
    if let [b'=' | b':', rest @ ..] = value {
        value = skip_blank(rest);
    }
    (&line[..at], value)
}

fn unescape(bytes: &[u8]) -> Option<String> {
    let mut units: Vec<u16> = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'\\' {
            units.push(u16::from(*byte));
            continue;
        }
        let [escaped, after @ ..] = rest else { break };
        rest = after;
        units.push(match escaped {
            b't' => 9,
            b'n' => 10,
            b'r' => 13,
            b'f' => 12,
            b'u' => {
                let (digits, after) = rest.split_at_checked(4)?;
                rest = after;
                let mut unit = 0;
                for &digit in digits {
                    unit = unit * 16 + char::from(digit).to_digit(16)? as u16;
                }
                unit
            }
            other => u16::from(*other),
        });
    }
    Some(String::from_utf16_lossy(&units))
}

/// Java's `trim`: everything up to the blank goes, at both ends.
fn trim(text: &str) -> String {
    text.trim_matches(|c| c <= ' ').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &[u8]) -> Vec<(String, String, usize)> {
        let entries = parse_properties(text).unwrap();
        entries.into_iter().map(|e| (e.key, e.value, e.line)).collect()
    }

    fn one(text: &[u8]) -> (String, String) {
        let all = pairs(text);
        assert_eq!(all.len(), 1, "{all:?}");
        (all[0].0.clone(), all[0].1.clone())
    }

    #[test]
    fn separators_and_blanks() {
        for text in ["a=b", "a = b", "  a\t:\tb  ", "a b", "a:b", "a   b", "a=b\r\n", "\x0ca=b\r"] {
            assert_eq!(one(text.as_bytes()), ("a".into(), "b".into()), "{text:?}");
        }
        assert_eq!(one(b"a==b"), ("a".into(), "=b".into()));
        assert_eq!(one(b"a = : b"), ("a".into(), ": b".into()));
        assert_eq!(one(b"a"), ("a".into(), String::new()));
        assert_eq!(one(b"=b"), (String::new(), "b".into()));
    }

    #[test]
    fn comments_and_empty_lines_are_not_entries() {
        assert_eq!(pairs(b"# a=b\n\n  ! c=d\n \t\n"), []);
        assert_eq!(one(b"a=b # not a comment"), ("a".into(), "b # not a comment".into()));
    }

    #[test]
    fn lines_are_counted_and_duplicates_kept() {
        let text = b"a=1\r\n#\r\nb=2\\\n  2\n\na=3";
        let expected = [("a", "1", 1), ("b", "22", 3), ("a", "3", 6)];
        assert_eq!(pairs(text), expected.map(|(k, v, l)| (k.to_string(), v.to_string(), l)));
    }

    #[test]
    fn continuation_needs_an_odd_number_of_backslashes() {
        assert_eq!(one(b"a=b\\\\\n"), ("a".into(), "b\\".into()));
        assert_eq!(one(b"a=b\\\n # c"), ("a".into(), "b# c".into()));
        assert_eq!(one(b"a=b\\"), ("a".into(), "b".into()));
    }

    #[test]
    fn escapes() {
        assert_eq!(one(b"a\\=b\\ c=\\u0041\\t\\q\\\\"), ("a=b c".into(), "A\tq\\".into()));
        assert_eq!(one(b"a=\\uD83D\\uDE00"), ("a".into(), "\u{1f600}".into()));
        assert_eq!(parse_properties(b"\na=\\u00g0"), Err(BadEscape { line: 2 }));
        assert_eq!(parse_properties(b"a=\\u00"), Err(BadEscape { line: 1 }));
    }

    #[test]
    fn bytes_are_latin_1() {
        assert_eq!(one(b"a=\xfc"), ("a".into(), "\u{fc}".into()));
    }

    #[test]
    fn no_input_panics() {
        let alphabet = b"a=:\\ \tu0\n\r#!\xff";
        let mut state = 1u64;
        for _ in 0..20_000 {
            let mut text = Vec::new();
            for _ in 0..12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text.push(alphabet[(state >> 33) as usize % alphabet.len()]);
            }
            if let Ok(entries) = parse_properties(&text) {
                assert!(entries.len() <= 12);
            }
        }
    }
}
