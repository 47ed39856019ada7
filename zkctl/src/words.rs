//! Lines of the shell and of files into words, with quotes as in a shell.

use crate::failure::{Failure, Result};

/// Splits a line into words: blanks separate, quotes of both kinds keep together, a backslash takes
/// the next character as it is, except in single quotes.
pub fn split(line: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', None | Some('"')) => {
                let next = chars.next().ok_or_else(|| {
                    Failure::usage("the line ends with a backslash; write \\\\ for one")
                })?;
                word.get_or_insert_default().push(next);
            }
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    match quote {
        Some(open) => Err(Failure::usage(format!("no closing {open}; write \\{open} for one"))),
        None => {
            words.extend(word);
            Ok(words)
        }
    }
}

/// A word as it must be written to be one word again.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/_-.:,@%+=*?".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_in_a_shell() {
        assert_eq!(split("a  b\tc").unwrap(), ["a", "b", "c"]);
        assert_eq!(
            split("set /a 'x y' \"q\\\"r\" \\ z").unwrap(),
            ["set", "/a", "x y", "q\"r", " z"]
        );
        assert_eq!(split("a''b \"\"").unwrap(), ["ab", ""]);
        assert_eq!(split("'\\'").unwrap(), ["\\"]);
        assert!(split("a 'b").is_err());
        assert!(split("a\\").is_err());
        assert!(split("  ").unwrap().is_empty());
    }

    #[test]
    fn quoted_words_come_back() {
        for word in ["", "a", "a b", "a\"b", "a\\b", "/x/y-1", "ä"] {
            assert_eq!(split(&quoted(word)).unwrap(), [word]);
        }
    }
}
