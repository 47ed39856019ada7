//! Answers as a table, as JSON and as plain lines.
//!
//! Rooms hand over fields and rows; how they look is decided here alone, so that every command looks
//! the same. Plain is for scripts: fields between tabs, no headings. JSON is one value, or one a
//! line where an answer has no end.

use std::io::Write;

use serde_json::{Map, Value, json};
use zk_wire::Stat;

use crate::failure::Result;

/// How answers look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Aligned columns with headings, for people.
    Table,
    /// One JSON value; one a line for what goes on.
    Json,
    /// Fields between tabs, one record a line, for scripts.
    Plain,
}

/// Where answers go.
pub struct Printer<'a> {
    /// How they look.
    pub output: Output,
    out: &'a mut dyn Write,
}

impl<'a> Printer<'a> {
    /// Prints to `out`.
    pub fn new(output: Output, out: &'a mut dyn Write) -> Printer<'a> {
        Printer { output, out }
    }

    /// True for JSON.
    pub fn json(&self) -> bool {
        self.output == Output::Json
    }

    /// Text as it is.
    pub fn text(&mut self, text: &str) -> Result<()> {
        Ok(self.out.write_all(text.as_bytes())?)
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.out.write_all(bytes)?)
    }

    /// One line, flushed: for what goes on while others read it.
    pub fn line(&mut self, line: &str) -> Result<()> {
        writeln!(self.out, "{line}")?;
        Ok(self.out.flush()?)
    }

    /// Hands on what was printed so far.
    pub fn flush(&mut self) -> Result<()> {
        Ok(self.out.flush()?)
    }

    /// A JSON value on a line.
    pub fn value(&mut self, value: &Value) -> Result<()> {
        self.line(&value.to_string())
    }

    /// A list of single values: one a line, or a JSON array.
    pub fn list(&mut self, values: Vec<Value>) -> Result<()> {
        match self.output {
            Output::Json => self.value(&Value::Array(values)),
            _ => values.iter().try_for_each(|value| {
                writeln!(self.out, "{}", cell(value))?;
                Ok(())
            }),
        }
    }

    /// One record: a field a line, or a JSON object.
    pub fn record(&mut self, fields: Map<String, Value>) -> Result<()> {
        match self.output {
            Output::Json => self.value(&Value::Object(fields)),
            Output::Plain => fields.iter().try_for_each(|(name, value)| {
                writeln!(self.out, "{name}\t{}", cell(value))?;
                Ok(())
            }),
            Output::Table => {
                let width = fields.keys().map(|name| name.chars().count()).max().unwrap_or(0);
                fields.iter().try_for_each(|(name, value)| {
                    writeln!(self.out, "{name:width$}  {}", cell(value))?;
                    Ok(())
                })
            }
        }
    }

    /// Records of the same fields.
    pub fn rows(&mut self, columns: &[&str], rows: Vec<Vec<Value>>) -> Result<()> {
        match self.output {
            Output::Json => {
                let object = |row: Vec<Value>| -> Value {
                    columns.iter().map(|name| (*name).to_owned()).zip(row).collect()
                };
                self.value(&Value::Array(rows.into_iter().map(object).collect()))
            }
            Output::Plain => rows.iter().try_for_each(|row| {
                let cells: Vec<String> = row.iter().map(cell).collect();
                writeln!(self.out, "{}", cells.join("\t"))?;
                Ok(())
            }),
            Output::Table => {
                let text = table(columns, &rows);
                self.text(&text)
            }
        }
    }
}

/// A value without quotes. Absent ones are `-`.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// Rows below headings, columns aligned: numbers to the right.
pub fn table(columns: &[&str], rows: &[Vec<Value>]) -> String {
    let cells: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let heads: Vec<String> = columns.iter().map(|name| name.to_uppercase()).collect();
    let width = |at: usize| {
        let widths = cells.iter().map(|row| row[at].chars().count());
        widths.chain([heads[at].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let right: Vec<bool> = (0..columns.len())
        .map(|at| !rows.is_empty() && rows.iter().all(|row| row[at].is_number()))
        .collect();
    let mut out = String::new();
    for row in std::iter::once(&heads).chain(&cells) {
        let mut line = String::new();
        for (at, text) in row.iter().enumerate() {
            let width = widths[at];
            match right[at] {
                true => line.push_str(&format!("{text:>width$}")),
                false => line.push_str(&format!("{text:width$}")),
            }
            line.push_str("  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The fields of a stat. Times are ms since 1970, zxids numbers.
pub fn stat_fields(stat: &Stat) -> Map<String, Value> {
    let fields = [
        ("czxid", stat.czxid),
        ("mzxid", stat.mzxid),
        ("pzxid", stat.pzxid),
        ("ctime", stat.ctime_ms),
        ("mtime", stat.mtime_ms),
        ("version", stat.version.into()),
        ("cversion", stat.cversion.into()),
        ("aversion", stat.aversion.into()),
        ("ephemeralOwner", stat.ephemeral_owner),
        ("dataLength", stat.data_length.into()),
        ("numChildren", stat.num_children.into()),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
}

/// The fields of a stat for people: zxids and owners in hex, times as dates.
pub fn stat_shown(stat: &Stat) -> Map<String, Value> {
    let mut fields = stat_fields(stat);
    for (name, value) in [
        ("czxid", stat.czxid),
        ("mzxid", stat.mzxid),
        ("pzxid", stat.pzxid),
        ("ephemeralOwner", stat.ephemeral_owner),
    ] {
        fields[name] = json!(hex(value));
    }
    fields["ctime"] = json!(date(stat.ctime_ms));
    fields["mtime"] = json!(date(stat.mtime_ms));
    fields.insert("kind".to_owned(), json!(kind(stat)));
    fields
}

/// A zxid or session id as everybody writes them.
pub fn hex(number: i64) -> String {
    format!("{number:#x}")
}

/// Ms since 1970 as local date and time.
pub fn date(ms: i64) -> String {
    date_as(ms, "%Y-%m-%d %H:%M:%S")
}

/// Ms since 1970 in the local time zone, by strftime's letters; the number itself where no calendar
/// reaches.
pub fn date_as(ms: i64, format: &str) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(time) => {
            let local = jiff::ZonedDateTime::new(time, jiff::tz::TimeZone::system());
            local.strftime(format).to_string()
        }
        Err(_) => ms.to_string(),
    }
}

/// What a znode is, as far as servers tell: containers and TTL znodes have no owner, and look like
/// persistent ones.
pub fn kind(stat: &Stat) -> &'static str {
    if stat.ephemeral_owner == 0 { "persistent" } else { "ephemeral" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(output: Output, print: impl FnOnce(&mut Printer<'_>)) -> String {
        let mut out = Vec::new();
        print(&mut Printer::new(output, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_look_as_asked() {
        let rows = || vec![vec![json!("a"), json!(7)], vec![json!("long"), json!(123)]];
        let show = |output| printed(output, |p| p.rows(&["name", "n"], rows()).unwrap());
        assert_eq!(show(Output::Plain), "a\t7\nlong\t123\n");
        assert_eq!(
            show(Output::Json),
            "[{\"name\":\"a\",\"n\":7},{\"name\":\"long\",\"n\":123}]\n"
        );
        assert_eq!(show(Output::Table), "NAME    N\na       7\nlong  123\n");
    }

    #[test]
    fn records_look_as_asked() {
        let fields = || -> Map<String, Value> {
            [("a".to_owned(), json!("x y")), ("bcd".to_owned(), Value::Null)].into_iter().collect()
        };
        let show = |output| printed(output, |p| p.record(fields()).unwrap());
        assert_eq!(show(Output::Plain), "a\tx y\nbcd\t-\n");
        assert_eq!(show(Output::Json), "{\"a\":\"x y\",\"bcd\":null}\n");
        assert_eq!(show(Output::Table), "a    x y\nbcd  -\n");
    }
}
