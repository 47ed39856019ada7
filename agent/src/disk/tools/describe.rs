//! A txn in words and as JSON.

use zk_core::txn::{Body, CreateTxn, Txn};
use zk_wire::{Acl, Op, Zxid};

use super::json::{Json, quoted};

/// Whether to show what clients stored, which may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// Only how many bytes.
    Length,
    /// The bytes as hex digits.
    Hex,
}

/// One line of text, without its end.
pub fn text_line(zxid: Zxid, bytes: &[u8], data: Data) -> String {
    let txn = match Txn::decode(bytes) {
        Ok(txn) => txn,
        Err(error) => return format!("{zxid} cannot be decoded: {error}"),
    };
    let header = &txn.header;
    let mut line = format!(
        "{} session={:#018x} cxid={:#x} zxid={} {}",
        utc(header.time_ms),
        header.session,
        header.cxid,
        zxid,
        name(header.op)
    );
    for (key, value) in fields(&txn.body, data) {
        let value = match value {
            Value::Text(text) if text.contains([' ', '"', '=', '\n']) => quoted(&text),
            Value::Text(text) | Value::Json(text) => text,
        };
        line.push_str(&format!(" {key}={value}"));
    }
    if let Some(digest) = txn.digest {
        line.push_str(&format!(" digest={digest:#x}"));
    }
    line
}

/// One object, without a line end.
pub fn json_line(zxid: Zxid, bytes: &[u8], data: Data) -> String {
    let mut json = Json::object();
    json.text("zxid", &zxid.to_string());
    match Txn::decode(bytes) {
        Err(error) => {
            json.text("error", &error.to_string());
        }
        Ok(txn) => {
            let header = &txn.header;
            json.text("session", &format!("{:#018x}", header.session));
            json.raw("cxid", header.cxid).raw("time_ms", header.time_ms);
            json.text("type", name(header.op));
            put_fields(&mut json, &txn.body, data);
            if let Some(digest) = txn.digest {
                json.text("digest", &format!("{digest:#x}"));
            }
        }
    }
    json.end_object()
}

enum Value {
    Text(String),
    Json(String),
}

fn name(op: Op) -> &'static str {
    op.name().unwrap_or("unknown")
}

fn put_fields(json: &mut Json, body: &Body<'_>, data: Data) {
    for (key, value) in fields(body, data) {
        match value {
            Value::Text(text) => json.text(key, &text),
            Value::Json(raw) => json.raw(key, raw),
        };
    }
}

fn fields(body: &Body<'_>, data: Data) -> Vec<(&'static str, Value)> {
    let path = |path: &str| ("path", Value::Text(path.to_owned()));
    let number = |n: i64| Value::Json(n.to_string());
    match body {
        Body::CreateSession(timeout_ms) => vec![("timeout_ms", number((*timeout_ms).into()))],
        Body::CloseSession(None) => vec![],
        Body::CloseSession(Some(paths)) => {
            let mut list = Json::list();
            for path in paths {
                list.element(quoted(path));
            }
            vec![("paths", Value::Json(list.end_list()))]
        }
        Body::Error(code) => {
            let text = code.name().map_or_else(|| code.0.to_string(), str::to_owned);
            vec![("code", Value::Text(text))]
        }
        Body::Create(create) => create_fields(create, data),
        Body::Delete(of) | Body::Check(of) => vec![path(of)],
        Body::SetData(of, bytes, version) => {
            vec![path(of), data_field(*bytes, data), ("version", number((*version).into()))]
        }
        Body::SetAcl(of, acl, version) => vec![
            path(of),
            ("acl", Value::Json(acl_json(&acl.decode()))),
            ("version", number((*version).into())),
        ],
        Body::Multi(list) => {
            let mut all = Json::list();
            for (op, body) in list {
                let mut one = Json::object();
                one.text("type", name(*op));
                put_fields(&mut one, body, data);
                all.element(one.end_object());
            }
            vec![("txns", Value::Json(all.end_list()))]
        }
    }
}

fn create_fields(create: &CreateTxn<'_>, data: Data) -> Vec<(&'static str, Value)> {
    let number = |n: i64| Value::Json(n.to_string());
    let mut list = vec![
        ("path", Value::Text(create.path.to_string())),
        data_field(create.data, data),
        ("acl", Value::Json(acl_json(&create.acl.decode()))),
        ("ephemeral", Value::Json(create.ephemeral.to_string())),
        ("parent_cversion", number(create.parent_cversion.into())),
    ];
    if create.op == Op::CREATE_TTL {
        list.push(("ttl_ms", number(create.ttl_ms)));
    }
    list
}

fn data_field(bytes: Option<&[u8]>, data: Data) -> (&'static str, Value) {
    match (bytes, data) {
        (None, Data::Length) => ("data_bytes", Value::Json("null".into())),
        (None, Data::Hex) => ("data", Value::Json("null".into())),
        (Some(bytes), Data::Length) => ("data_bytes", Value::Json(bytes.len().to_string())),
        (Some(bytes), Data::Hex) => (
            "data",
            Value::Json(quoted(&bytes.iter().map(|b| format!("{b:02x}")).collect::<String>())),
        ),
    }
}

/// A list of ACL entries as JSON.
pub fn acl_json(list: &[Acl]) -> String {
    let mut json = Json::list();
    for acl in list {
        let mut one = Json::object();
        one.raw("perms", acl.perms).text("scheme", acl.id.scheme()).text("id", acl.id.id());
        json.element(one.end_object());
    }
    json.end_list()
}

/// A wall clock reading in ms since 1970 as `2026-11-23T07:38:34.912Z`.
pub fn utc(time_ms: i64) -> String {
    let (days, ms) = (time_ms.div_euclid(86_400_000), time_ms.rem_euclid(86_400_000));
    // Days are counted from 1 March of year 0, so that a leap day ends its year.
    let shifted = i128::from(days) + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i128::from(month <= 2);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::unhex;
    use super::*;

    fn create() -> Vec<u8> {
        unhex(
            "0100000000000001 00000001 0000000100000002 0000018bcfe56801 00000001
             00000002 2f61 00000001 78 00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65
             01 00000001 00000002 000000019c98d1c4",
        )
    }

    #[test]
    fn a_create_in_words_and_as_json() {
        let zxid = Zxid::new(1, 2);
        assert_eq!(
            text_line(zxid, &create(), Data::Length),
            "2023-11-14T22:13:20.001Z session=0x0100000000000001 cxid=0x1 zxid=0x100000002 create \
             path=/a data_bytes=1 acl=[{\"perms\":31,\"scheme\":\"world\",\"id\":\"anyone\"}] \
             ephemeral=true parent_cversion=1 digest=0x19c98d1c4"
        );
        assert_eq!(
            json_line(zxid, &create(), Data::Hex),
            "{\"zxid\":\"0x100000002\",\"session\":\"0x0100000000000001\",\"cxid\":1,\
             \"time_ms\":1700000000001,\"type\":\"create\",\"path\":\"/a\",\"data\":\"78\",\
             \"acl\":[{\"perms\":31,\"scheme\":\"world\",\"id\":\"anyone\"}],\"ephemeral\":true,\
             \"parent_cversion\":1,\"digest\":\"0x19c98d1c4\"}"
        );
        assert!(text_line(zxid, &create()[..40], Data::Length).contains("cannot be decoded"));
        assert!(json_line(zxid, &create()[..40], Data::Length).contains("\"error\""));
    }

    #[test]
    fn dates_are_right_around_leap_days() {
        for (time_ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_868_799_000, "2000-02-29T23:59:59.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
        ] {
            assert_eq!(utc(time_ms), expected);
        }
        assert!(utc(i64::MAX).ends_with('Z'));
        assert!(utc(i64::MIN).ends_with('Z'));
    }
}
