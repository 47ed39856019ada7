//! Jute, the serialization of ZooKeeper: big-endian integers, length-prefixed strings, no tags.
//!
//! Decoding never allocates more than the bytes that are there: lengths and counts are checked
//! against what is left before anything is reserved. Strings are UTF-8 on the way in, with U+FFFD
//! for what is malformed; on the way out each UTF-16 code unit is encoded by itself (CESU-8), as
//! Apache's writer does.

use std::borrow::Cow;

/// Why a record could not be decoded: which field, and what was wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes end before the field does.
    End { field: &'static str },
    /// A length below -1.
    Length { field: &'static str, length: i32 },
    /// The field was null where no null can be handled.
    Null { field: &'static str },
    /// A number outside the field's range.
    Value { field: &'static str, value: i64 },
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DecodeError::End { field } => write!(f, "{field}: the bytes end before the field"),
            DecodeError::Length { field, length } => write!(f, "{field}: length {length}"),
            DecodeError::Null { field } => write!(f, "{field}: null"),
            DecodeError::Value { field, value } => write!(f, "{field}: value {value}"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Shorthand of this room.
pub type Result<T> = std::result::Result<T, DecodeError>;

/// Reads jute from a slice and remembers how far it came.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// True when nothing is left.
    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    #[inline]
    fn take<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N]> {
        match self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()) {
            Some(chunk) => {
                self.at += N;
                Ok(*chunk)
            }
            None => Err(DecodeError::End { field }),
        }
    }

    /// One byte; anything but 0 is true.
    #[inline]
    pub fn boolean(&mut self, field: &'static str) -> Result<bool> {
        Ok(self.take::<1>(field)?[0] != 0)
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self, field: &'static str) -> Result<u8> {
        Ok(self.take::<1>(field)?[0])
    }

    /// Four bytes.
    #[inline]
    pub fn int(&mut self, field: &'static str) -> Result<i32> {
        Ok(i32::from_be_bytes(self.take(field)?))
    }

    /// Eight bytes.
    #[inline]
    pub fn long(&mut self, field: &'static str) -> Result<i64> {
        Ok(i64::from_be_bytes(self.take(field)?))
    }

    /// Length and bytes; `None` is the null buffer (length -1), which is not the empty one.
    #[inline]
    pub fn buffer(&mut self, field: &'static str) -> Result<Option<&'a [u8]>> {
        let length = self.int(field)?;
        if length == -1 {
            return Ok(None);
        }
        let count = usize::try_from(length).map_err(|_| DecodeError::Length { field, length })?;
        match self.bytes[self.at..].get(..count) {
            Some(bytes) => {
                self.at += count;
                Ok(Some(bytes))
            }
            None => Err(DecodeError::End { field }),
        }
    }

    /// A string; `None` is the null string. Malformed UTF-8 becomes U+FFFD as in Java.
    #[inline]
    pub fn ustring(&mut self, field: &'static str) -> Result<Option<Cow<'a, str>>> {
        Ok(self.buffer(field)?.map(text))
    }

    /// A string that may not be null.
    #[inline]
    pub fn string(&mut self, field: &'static str) -> Result<Cow<'a, str>> {
        self.ustring(field)?.ok_or(DecodeError::Null { field })
    }

    /// The count of a vector: `None` is null; other negative counts are read as 0.
    ///
    /// The count is not to be trusted for a reservation: use [`Reader::capacity`].
    #[inline]
    pub fn count(&mut self, field: &'static str) -> Result<Option<usize>> {
        match self.int(field)? {
            -1 => Ok(None),
            n if n < 0 => Ok(Some(0)),
            n => Ok(Some(n as usize)),
        }
    }

    /// How many elements of at least `element_bytes` can still come: the bound of a reservation.
    pub fn capacity(&self, count: usize, element_bytes: usize) -> usize {
        count.min((self.bytes.len() - self.at) / element_bytes.max(1))
    }

    /// A vector of strings, `None` when null. A null element is an error.
    pub fn strings(&mut self, field: &'static str) -> Result<Option<Vec<Cow<'a, str>>>> {
        let Some(list) = self.ustrings(field)? else { return Ok(None) };
        let some = list.into_iter().map(|text| text.ok_or(DecodeError::Null { field }));
        some.collect::<Result<_>>().map(Some)
    }

    /// A vector of strings that may be null, `None` when the vector is.
    pub fn ustrings(&mut self, field: &'static str) -> Result<Option<Vec<Option<Cow<'a, str>>>>> {
        let Some(count) = self.count(field)? else { return Ok(None) };
        let mut list = Vec::with_capacity(self.capacity(count, 4));
        for _ in 0..count {
            list.push(self.ustring(field)?);
        }
        Ok(Some(list))
    }
}

/// Decodes UTF-8 as Java's decoder does: an encoded surrogate (three bytes) is one U+FFFD.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(lossy(bytes)),
    }
}

fn lossy(mut bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    loop {
        match std::str::from_utf8(bytes) {
            Ok(rest) => {
                out.push_str(rest);
                return out;
            }
            Err(error) => {
                let (good, bad) = bytes.split_at(error.valid_up_to());
                out.push_str(std::str::from_utf8(good).expect("checked by valid_up_to"));
                out.push('\u{fffd}');
                let skip = match bad {
                    [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => 3,
                    _ => error.error_len().unwrap_or(bad.len()),
                };
                bytes = &bad[skip..];
            }
        }
    }
}

/// Appends jute to a byte vector.
///
/// A plain extension of `Vec<u8>`, so that replies are written straight into the buffer that is
/// sent.
pub trait Writer {
    /// One byte, 0 or 1.
    fn put_boolean(&mut self, value: bool);
    /// Four bytes.
    fn put_int(&mut self, value: i32);
    /// Eight bytes.
    fn put_long(&mut self, value: i64);
    /// Length and bytes; `None` is length -1.
    fn put_buffer(&mut self, value: Option<&[u8]>);
    /// Length and text; code points above U+FFFF as two encoded surrogates, as Java writes them.
    fn put_string(&mut self, value: &str);
    /// As `put_string`; `None` is length -1.
    fn put_ustring(&mut self, value: Option<&str>);
    /// A vector of strings.
    fn put_strings<S: AsRef<str>>(&mut self, values: &[S]);
}

impl Writer for Vec<u8> {
    #[inline]
    fn put_boolean(&mut self, value: bool) {
        self.push(u8::from(value));
    }

    #[inline]
    fn put_int(&mut self, value: i32) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    #[inline]
    fn put_long(&mut self, value: i64) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    #[inline]
    fn put_buffer(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.put_int(-1),
            Some(bytes) => {
                self.put_int(i32::try_from(bytes.len()).expect("a buffer is below 2 GiB"));
                self.extend_from_slice(bytes);
            }
        }
    }

    #[inline]
    fn put_string(&mut self, value: &str) {
        if value.bytes().any(|b| b >= 0xf0) {
            return put_cesu(self, value);
        }
        self.put_buffer(Some(value.as_bytes()));
    }

    fn put_ustring(&mut self, value: Option<&str>) {
        match value {
            None => self.put_int(-1),
            Some(text) => self.put_string(text),
        }
    }

    fn put_strings<S: AsRef<str>>(&mut self, values: &[S]) {
        self.put_int(i32::try_from(values.len()).expect("a vector is below 2^31"));
        for value in values {
            self.put_string(value.as_ref());
        }
    }
}

fn put_cesu(out: &mut Vec<u8>, value: &str) {
    let at = out.len();
    out.put_int(0);
    for c in value.chars() {
        let mut units = [0u16; 2];
        let units = c.encode_utf16(&mut units);
        if let [unit] = units {
            let mut buffer = [0u8; 4];
            let c = char::from_u32(u32::from(*unit)).expect("one unit is one char");
            out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            continue;
        }
        for unit in units.iter().map(|u| u32::from(*u)) {
            out.push(0xe0 | (unit >> 12) as u8);
            out.push(0x80 | ((unit >> 6) & 0x3f) as u8);
            out.push(0x80 | (unit & 0x3f) as u8);
        }
    }
    let length = i32::try_from(out.len() - at - 4).expect("a string is below 2 GiB");
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_empty_are_two_things() {
        let mut out = Vec::new();
        out.put_buffer(None);
        out.put_buffer(Some(b""));
        let mut reader = Reader::new(&out);
        assert_eq!(reader.buffer("a").unwrap(), None);
        assert_eq!(reader.buffer("b").unwrap(), Some(&b""[..]));
        assert!(reader.is_empty());
    }

    #[test]
    fn supplementary_characters_go_out_as_surrogates_and_come_back_replaced() {
        let mut out = Vec::new();
        out.put_string("a\u{1f600}");
        assert_eq!(out, [0, 0, 0, 7, 0x61, 0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]);
        assert_eq!(Reader::new(&out).string("s").unwrap(), "a\u{fffd}\u{fffd}");
    }

    #[test]
    fn bad_lengths_name_the_field() {
        let length = DecodeError::Length { field: "x", length: -2 };
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xfe]).buffer("x"), Err(length));
        let end = DecodeError::End { field: "x" };
        assert_eq!(Reader::new(&[0x7f, 0xff, 0xff, 0xff]).buffer("x"), Err(end.clone()));
        assert_eq!(Reader::new(&[0]).int("x"), Err(end));
        assert_eq!(Reader::new(&[0x80, 0, 0, 0]).count("x"), Ok(Some(0)));
    }
}
