//! Just enough JSON to write: objects with fields in order.

use std::fmt::Write;

/// An object or list that is being written.
#[derive(Debug, Default)]
pub struct Json {
    out: String,
}

impl Json {
    /// Begins an object.
    pub fn object() -> Json {
        Json { out: "{".into() }
    }

    /// Begins a list.
    pub fn list() -> Json {
        Json { out: "[".into() }
    }

    /// Ends an object; the text of it.
    pub fn end_object(mut self) -> String {
        self.out.push('}');
        self.out
    }

    /// Ends a list; the text of it.
    pub fn end_list(mut self) -> String {
        self.out.push(']');
        self.out
    }

    fn comma(&mut self) {
        if self.out.len() > 1 {
            self.out.push(',');
        }
    }

    fn key(&mut self, key: &str) {
        self.comma();
        self.out.push_str(&quoted(key));
        self.out.push(':');
    }

    /// Adds a text.
    pub fn text(&mut self, key: &str, value: &str) -> &mut Json {
        self.key(key);
        self.out.push_str(&quoted(value));
        self
    }

    /// Adds what is JSON already: numbers, `true`, `null`, objects and lists.
    pub fn raw(&mut self, key: &str, value: impl std::fmt::Display) -> &mut Json {
        self.key(key);
        write!(self.out, "{value}").expect("a string takes everything");
        self
    }

    /// Adds an element to a list, which is JSON already.
    pub fn element(&mut self, value: impl std::fmt::Display) -> &mut Json {
        self.comma();
        write!(self.out, "{value}").expect("a string takes everything");
        self
    }
}

/// A text as JSON: quoted, with what must be escaped.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("a string takes everything");
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_order_and_texts_are_escaped() {
        let mut list = Json::list();
        list.element(1).element("null");
        let mut object = Json::object();
        object.text("a\"b", "line\nü\u{1}\\").raw("n", -5).raw("l", list.end_list());
        assert_eq!(object.end_object(), r#"{"a\"b":"line\nü\u0001\\","n":-5,"l":[1,null]}"#);
        assert_eq!(Json::object().end_object(), "{}");
    }
}
