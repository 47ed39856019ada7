//! What was given for each key, where, and typed readings of it that refuse nonsense.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::settings::keys::{self, Fate, Shape};

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In a file, on this line.
    File(PathBuf, usize),
    /// In a file, which lacks something.
    WholeFile(PathBuf),
    /// As `-Dname=value`.
    CommandLine,
    /// In the environment variable of this name.
    Environment(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::WholeFile(path) => write!(f, "{}", path.display()),
            Origin::CommandLine => f.write_str("command line"),
            Origin::Environment(name) => write!(f, "${name}"),
        }
    }
}

/// Why the settings can't be used: where, which key and value, what is wrong, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Where it stands.
    pub origin: Origin,
    /// The key and its value as given, `key=value`; only the key when it is missing.
    pub given: String,
    /// What is wrong with it.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}; {}", self.origin, self.given, self.reason, self.remedy)
    }
}

impl std::error::Error for Refusal {}

/// Something the operator should know, but no reason not to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where it stands.
    pub origin: Origin,
    /// The key.
    pub key: String,
    /// What to know about it.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.origin, self.key, self.text)
    }
}

#[derive(Clone, Debug)]
struct Given {
    value: String,
    origin: Origin,
}

/// All values, the last one of each key.
#[derive(Debug, Default)]
pub struct Values {
    /// The file that most of them come from.
    file: Option<PathBuf>,
    given: BTreeMap<String, Given>,
    warnings: RefCell<Vec<Warning>>,
    asked: RefCell<BTreeSet<String>>,
}

/// Keys that must not show their value anywhere.
fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.contains("password") || key.contains("superdigest")
}

impl Values {
    /// None yet; `file` is where most of them will come from.
    pub fn of(file: Option<PathBuf>) -> Values {
        Values { file, ..Values::default() }
    }

    /// Sets a value; a later one wins.
    pub fn set(&mut self, key: &str, value: &str, origin: Origin) {
        self.given.insert(key.to_owned(), Given { value: value.to_owned(), origin });
    }

    /// Sets a value unless there is one.
    pub fn set_default(&mut self, key: &str, value: &str, origin: Origin) {
        if !self.given.contains_key(key) {
            self.set(key, value, origin);
        }
    }

    /// Whether a key is given.
    pub fn has(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    /// Where a key was given; the whole file when it wasn't.
    pub fn origin(&self, key: &str) -> Origin {
        match self.given.get(key) {
            Some(given) => given.origin.clone(),
            None => self.file.clone().map_or(Origin::CommandLine, Origin::WholeFile),
        }
    }

    /// The value of a key. An empty one counts as given.
    pub fn text(&self, key: &str) -> Option<&str> {
        assert!(keys::find(key).is_some_and(|known| known.fate == Fate::Honoured), "{key}");
        self.asked.borrow_mut().insert(key.to_owned());
        self.given.get(key).map(|given| given.value.as_str())
    }

    /// All keys with this prefix and their values.
    pub fn with_prefix(&self, prefix: &str) -> Vec<(&str, &str)> {
        let all = self.given.iter().filter(|(key, _)| key.starts_with(prefix));
        all.map(|(key, given)| (key.as_str(), given.value.as_str())).collect()
    }

    /// A whole number within `range`, or `default` when the key isn't given.
    pub fn int(&self, key: &str, default: i64, range: RangeInclusive<i64>) -> Result<i64, Refusal> {
        let Some(text) = self.text(key) else { return Ok(default) };
        let remedy = || match (*range.start(), *range.end()) {
            (0, i64::MAX) => "give 0 or more".to_owned(),
            (least, i64::MAX) => format!("give {least} or more"),
            (least, most) => format!("give a number from {least} to {most}"),
        };
        match whole_number(text) {
            Some(number) if range.contains(&number) => Ok(number),
            Some(_) => Err(self.refuse(key, "out of range", remedy())),
            None => Err(self.refuse(key, "not a whole number", remedy())),
        }
    }

    /// A decimal number, or `default`.
    pub fn decimal(&self, key: &str, default: f64) -> Result<f64, Refusal> {
        let Some(text) = self.text(key) else { return Ok(default) };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(self.refuse(key, "not a number", "give one such as 0.33".into())),
        }
    }

    /// A decimal number from 0 to 1, or `default`.
    pub fn fraction(&self, key: &str, default: f64) -> Result<f64, Refusal> {
        let Some(text) = self.text(key) else { return Ok(default) };
        match text.parse::<f64>() {
            Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
            _ => Err(self.refuse(key, "not a fraction", "give a number from 0 to 1".into())),
        }
    }

    /// `true` or `false`, or `default`.
    pub fn flag(&self, key: &str, default: bool) -> bool {
        self.text(key).map_or(default, |text| text.eq_ignore_ascii_case("true"))
    }

    /// A refusal of a key that is given; or missing, then of the whole file.
    pub fn refuse(&self, key: &str, reason: &str, remedy: String) -> Refusal {
        let (given, origin) = match self.given.get(key) {
            Some(given) if is_secret(key) => (format!("{key}=..."), given.origin.clone()),
            Some(given) => (format!("{key}={}", given.value), given.origin.clone()),
            None => (key.to_owned(), self.origin(key)),
        };
        Refusal { origin, given, reason: reason.to_owned(), remedy }
    }

    /// Adds a warning about a key.
    pub fn warn(&self, key: &str, text: impl Into<String>) {
        if let Some(given) = self.given.get(key) {
            self.warn_at(given.origin.clone(), key, text);
        }
    }

    /// Adds a warning about something that may stand in another file.
    pub fn warn_at(&self, origin: Origin, key: &str, text: impl Into<String>) {
        let key = key.to_owned();
        self.warnings.borrow_mut().push(Warning { origin, key, text: text.into() });
    }

    /// All warnings so far, which are forgotten then.
    pub fn take_warnings(&self) -> Vec<Warning> {
        self.warnings.take()
    }

    /// The names that have been asked for.
    pub fn asked(&self) -> BTreeSet<String> {
        self.asked.borrow().clone()
    }

    /// Looks at every key: is it known, is its value of the right shape, does it have an effect.
    pub fn check_names(&self) -> Result<(), Refusal> {
        for (name, given) in &self.given {
            match keys::find(name) {
                Some(key) => self.check_known(name, &given.value, key)?,
                None => self.check_unknown(name)?,
            }
        }
        Ok(())
    }

    fn check_known(&self, name: &str, value: &str, key: keys::Key) -> Result<(), Refusal> {
        let is_true = value.eq_ignore_ascii_case("true");
        let is_false = value.eq_ignore_ascii_case("false");
        match key.shape {
            Shape::Int if whole_number(value).is_none() => {
                return Err(self.refuse(name, "not a whole number", "give digits only".into()));
            }
            Shape::Decimal if value.parse::<f64>().is_err() => {
                return Err(self.refuse(name, "not a number", "give one such as 0.33".into()));
            }
            Shape::Flag if !is_true && !is_false => {
                let remedy = "give true or false".into();
                return Err(self.refuse(name, "neither true nor false", remedy));
            }
            Shape::Switch if !is_true && !is_false => {
                self.warn(name, "only true switches it on, so it is off");
            }
            _ => {}
        }
        let off = matches!(key.shape, Shape::Flag | Shape::Switch) && !is_true;
        match key.fate {
            Fate::Later(reason) if !off => self.warn(name, format!("has no effect yet: {reason}")),
            Fate::Moot(reason) if !off => self.warn(name, format!("has no effect: {reason}")),
            _ => {}
        }
        Ok(())
    }

    fn check_unknown(&self, name: &str) -> Result<(), Refusal> {
        if let Some(rest) = name.strip_prefix("zookeeper.")
            && keys::find(rest).is_some()
        {
            self.warn(name, format!("has no effect; in a file write {rest}"));
            return Ok(());
        }
        if let Some(meant) = keys::nearest(name) {
            let remedy = format!("did you mean {meant}?");
            return Err(self.refuse(name, "no such key", remedy));
        }
        self.warn(name, "has no effect: no such key is known");
        Ok(())
    }
}

/// Reads decimal digits, or hexadecimal ones after `0x` or `#` as Java's properties may have it.
fn whole_number(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hex = ["0x", "0X", "#"].iter().find_map(|prefix| digits.strip_prefix(prefix));
    let (digits, radix) = hex.map_or((digits, 10), |hex| (hex, 16));
    if digits.starts_with(['-', '+']) {
        return None;
    }
    let number = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_javas() {
        for (text, number) in [
            ("12", Some(12)),
            ("-1", Some(-1)),
            ("+7", Some(7)),
            ("0x10", Some(16)),
            ("-0X10", Some(-16)),
            ("#ff", Some(255)),
            ("", None),
            ("1k", None),
            ("--1", None),
            ("0x-1", None),
            ("1.0", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(whole_number(text), number, "{text:?}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let mut values = Values::default();
        let key = "DigestAuthenticationProvider.superDigest";
        values.set(key, "super:abc", Origin::CommandLine);
        let refusal = values.refuse(key, "bad", "fix it".into());
        assert!(!refusal.to_string().contains("abc"));
    }
}
