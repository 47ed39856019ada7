//! The syntax of Java's properties: `key=value` lines, comments, continuations and escapes.
//!
//! `zoo.cfg`, the dynamic configuration and what servers tell each other of it are written in it.
//! Says what stands in a text, not what it means. Takes memory for what is there.

use std::fmt;

/// One `key=value`, in the text's order. Duplicates are kept; the last one wins by convention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value, with the blanks behind it.
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

/// Reads a whole text.
pub fn parse(text: &str) -> Result<Vec<Entry>, BadEscape> {
    let mut entries = Vec::new();
    let mut lines = NaturalLines { rest: text, line: 0 };
    while let Some(first) = lines.next() {
        let line = lines.line;
        let first = first.trim_start_matches(is_blank);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        while ends_with_open_backslash(&logical) {
            logical.pop();
            match lines.next() {
                Some(more) => logical.push_str(more.trim_start_matches(is_blank)),
                None => break,
            }
        }
        let (key, value) = split(&logical);
        let key = unescape(key).ok_or(BadEscape { line })?;
        let value = unescape(value).ok_or(BadEscape { line })?;
        entries.push(Entry { key, value, line });
    }
    Ok(entries)
}

struct NaturalLines<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> NaturalLines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        self.line += 1;
        let end = self.rest.find(['\n', '\r']).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at(end);
        let ends = ["\r\n", "\r", "\n"].into_iter();
        self.rest = ends.filter_map(|end| rest.strip_prefix(end)).next().unwrap_or("");
        Some(line)
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

fn ends_with_open_backslash(line: &str) -> bool {
    line.bytes().rev().take_while(|&b| b == b'\\').count() % 2 == 1
}

/// Cuts at the first `=`, `:` or blank that no backslash protects.
fn split(line: &str) -> (&str, &str) {
    let mut protected = false;
    let end = line.find(|c: char| {
        let ends = !protected && (is_blank(c) || matches!(c, '=' | ':'));
        protected = !protected && c == '\\';
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let value = rest.trim_start_matches(is_blank);
    match value.strip_prefix(['=', ':']) {
        Some(value) => (key, value.trim_start_matches(is_blank)),
        None => (key, value),
    }
}

fn unescape(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    // Escapes are UTF-16 units: two of them may be one character.
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut buffer = [0; 2];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut buffer));
            continue;
        }
        let Some(escaped) = chars.next() else { break };
        units.push(match escaped {
            't' => 9,
            'n' => 10,
            'r' => 13,
            'f' => 12,
            'u' => {
                let mut unit = 0;
                for _ in 0..4 {
                    unit = unit * 16 + chars.next()?.to_digit(16)? as u16;
                }
                unit
            }
            other => {
                units.extend_from_slice(other.encode_utf16(&mut buffer));
                continue;
            }
        });
    }
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String, usize)> {
        let entries = parse(text).unwrap();
        entries.into_iter().map(|e| (e.key, e.value, e.line)).collect()
    }

    fn one(text: &str) -> (String, String) {
        let all = pairs(text);
        assert_eq!(all.len(), 1, "{all:?}");
        (all[0].0.clone(), all[0].1.clone())
    }

    #[test]
    fn separators_and_blanks() {
        for text in ["a=b", "a = b", "  a\t:\tb", "a b", "a:b", "a   b", "a=b\r\n", "\x0ca=b\r"] {
            assert_eq!(one(text), ("a".into(), "b".into()), "{text:?}");
        }
        assert_eq!(one("a==b"), ("a".into(), "=b".into()));
        assert_eq!(one("a = : b"), ("a".into(), ": b".into()));
        assert_eq!(one("a"), ("a".into(), String::new()));
        assert_eq!(one("=b"), (String::new(), "b".into()));
    }

    #[test]
    fn comments_and_empty_lines_are_not_entries() {
        assert_eq!(pairs("# a=b\n\n  ! c=d\n \t\n"), []);
        assert_eq!(one("a=b # not a comment"), ("a".into(), "b # not a comment".into()));
    }

    #[test]
    fn lines_are_counted_and_duplicates_kept() {
        let text = "a=1\r\n#\r\nb=2\\\n  2\n\na=3";
        let expected = [("a", "1", 1), ("b", "22", 3), ("a", "3", 6)];
        assert_eq!(pairs(text), expected.map(|(k, v, l)| (k.to_string(), v.to_string(), l)));
    }

    #[test]
    fn continuation_needs_an_odd_number_of_backslashes() {
        assert_eq!(one("a=b\\\\\n"), ("a".into(), "b\\".into()));
        assert_eq!(one("a=b\\\n # c"), ("a".into(), "b# c".into()));
        assert_eq!(one("a=b\\"), ("a".into(), "b".into()));
    }

    #[test]
    fn escapes() {
        assert_eq!(one("a\\=b\\ c=\\u0041\\t\\q\\\\"), ("a=b c".into(), "A\tq\\".into()));
        assert_eq!(one("a=\\uD83D\\uDE00"), ("a".into(), "\u{1f600}".into()));
        assert_eq!(parse("\na=\\u00g0"), Err(BadEscape { line: 2 }));
        assert_eq!(parse("a=\\u00"), Err(BadEscape { line: 1 }));
    }

    #[test]
    fn no_input_panics() {
        let alphabet: Vec<char> = "a=:\\ \tu0\n\r#!\u{fc}".chars().collect();
        let mut state = 1u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text.push(alphabet[(state >> 33) as usize % alphabet.len()]);
            }
            if let Ok(entries) = parse(&text) {
                assert!(entries.len() <= 12);
            }
        }
    }
}
