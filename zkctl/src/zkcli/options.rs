//! Options as commons-cli's parser takes them, of which zkCli.sh's commands are made: anywhere in the
//! line, one letter or more behind one dash, letters together (`-sw`), values behind a blank, at once
//! (`-v3`) or behind `=`. The texts of its exceptions are what people see.

/// An option: its name, and whether it has a value.
pub type Spec = &'static [(&'static str, bool)];

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// What is no option; the command's name first.
    pub words: Vec<String>,
    found: Vec<(&'static str, Option<String>)>,
}

impl Options {
    /// Whether an option was there.
    pub fn has(&self, name: &str) -> bool {
        self.found.iter().any(|(found, _)| *found == name)
    }

    /// The value of an option, the first if there are several.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.found.iter().find(|(found, _)| *found == name).and_then(|(_, value)| value.as_deref())
    }
}

fn unrecognized(word: &str) -> String {
    format!("org.apache.commons.cli.UnrecognizedOptionException: Unrecognized option: {word}")
}

struct Parser {
    spec: Spec,
    options: Options,
    /// The option whose value is due.
    open: Option<&'static str>,
}

impl Parser {
    fn find(&self, name: &str) -> Option<(&'static str, bool)> {
        self.spec.iter().copied().find(|(known, _)| *known == name)
    }

    fn is_option(&self, word: &str) -> bool {
        let Some(name) = word.strip_prefix('-').filter(|name| !name.is_empty()) else {
            return false;
        };
        let name = name.split('=').next().unwrap_or("");
        let first = name.chars().next().map(String::from).unwrap_or_default();
        self.find(name).is_some() || self.find(&first).is_some()
    }

    fn close(&mut self) -> Result<(), String> {
        match self.open.take() {
            Some(name) => Err(format!(
                "org.apache.commons.cli.MissingArgumentException: Missing argument for option: {name}"
            )),
            None => Ok(()),
        }
    }

    fn option(&mut self, name: &'static str, has_value: bool) -> Result<(), String> {
        self.close()?;
        self.options.found.push((name, None));
        if has_value {
            self.open = Some(name);
        }
        Ok(())
    }

    fn give(&mut self, value: &str) {
        if let Some(last) = self.options.found.last_mut() {
            last.1 = Some(value.to_owned());
        }
        self.open = None;
    }

    fn word(&mut self, word: &str) -> Result<(), String> {
        let number = word.parse::<f64>().is_ok();
        if self.open.is_some() && (!self.is_option(word) || number) {
            self.give(word);
            return Ok(());
        }
        let Some(text) = word.strip_prefix('-').filter(|text| !text.is_empty()) else {
            self.close()?;
            self.options.words.push(word.to_owned());
            return Ok(());
        };
        if let Some((name, has_value)) = self.find(text) {
            return self.option(name, has_value);
        }
        if let Some((name, value)) = text.split_once('=') {
            return match self.find(name) {
                Some((name, true)) => {
                    self.option(name, true)?;
                    self.give(value);
                    Ok(())
                }
                _ => Err(unrecognized(word)),
            };
        }
        // Letters together; behind one that has a value stands the value.
        for (at, c) in text.char_indices() {
            match self.find(&c.to_string()) {
                Some((name, has_value)) => {
                    self.option(name, has_value)?;
                    let rest = &text[at + c.len_utf8()..];
                    if has_value && !rest.is_empty() {
                        self.give(rest);
                        return Ok(());
                    }
                }
                None => return Err(unrecognized(word)),
            }
        }
        Ok(())
    }
}

/// Reads the words of a command; the error is the text of the exception.
pub fn parse(spec: Spec, words: &[String]) -> Result<Options, String> {
    let mut parser = Parser { spec, options: Options::default(), open: None };
    let mut words = words.iter();
    for word in words.by_ref() {
        if word == "--" {
            break;
        }
        parser.word(word)?;
    }
    parser.close()?;
    parser.options.words.extend(words.cloned());
    Ok(parser.options)
}

/// Breaks a line into words as zkCli does: quotes of either kind around a whole word keep it
/// together, and nothing else means anything.
pub fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let quote = Some(first).filter(|c| matches!(c, '"' | '\''));
        if let Some((quote, end)) = quote.and_then(|q| Some((q, rest[1..].find(q)?))) {
            words.push(rest[1..=end].to_owned());
            rest = rest[end + 2..].trim_start_matches(quote).trim_start();
            continue;
        }
        // A quote that is never closed is skipped.
        let text = if quote.is_some() { &rest[1..] } else { rest };
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        if end > 0 {
            words.push(text[..end].to_owned());
        }
        rest = text[end..].trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: Spec = &[("s", false), ("w", false), ("v", true), ("members", true)];

    fn read(line: &str) -> Result<Options, String> {
        parse(SPEC, &split(line))
    }

    #[test]
    fn options_stand_anywhere() {
        let options = read("get -sw /a -v 3 b -members=x").unwrap();
        assert_eq!(options.words, ["get", "/a", "b"]);
        assert!(options.has("s") && options.has("w"));
        assert_eq!((options.value("v"), options.value("members")), (Some("3"), Some("x")));
        assert_eq!(read("get -v3").unwrap().value("v"), Some("3"));
        assert_eq!(read("get -v -1").unwrap().value("v"), Some("-1"));
        assert_eq!(read("get -- -s").unwrap().words, ["get", "-s"]);
        assert_eq!(read("get - x").unwrap().words, ["get", "-", "x"]);
    }

    #[test]
    fn wrong_options_have_their_exception() {
        assert!(read("get -q").unwrap_err().ends_with("Unrecognized option: -q"));
        assert!(read("get --long").unwrap_err().ends_with("Unrecognized option: --long"));
        assert!(read("get -v").unwrap_err().ends_with("Missing argument for option: v"));
        assert!(read("get -v -s").unwrap_err().ends_with("Missing argument for option: v"));
    }

    #[test]
    fn lines_come_apart() {
        assert_eq!(split("create \"/a b\" 'c d' e"), ["create", "/a b", "c d", "e"]);
        assert_eq!(split("  "), Vec::<String>::new());
        assert_eq!(split("set /a x\"y\""), ["set", "/a", "x\"y\""]);
    }
}
