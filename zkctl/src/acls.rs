//! ACLs as text: `scheme:id:perms`, several between commas, as zkCli.sh has them.

use serde_json::{Value, json};
use zk_wire::{Acl, perms};

use crate::failure::{Failure, Result};

/// The letters of the permissions, in the order in which they are printed.
const LETTERS: [(char, i32); 5] = [
    ('c', perms::CREATE),
    ('d', perms::DELETE),
    ('r', perms::READ),
    ('w', perms::WRITE),
    ('a', perms::ADMIN),
];

/// Permissions as letters.
pub fn letters(perms: i32) -> String {
    LETTERS.iter().filter(|(_, bit)| perms & bit != 0).map(|(letter, _)| *letter).collect()
}

/// Letters as permissions.
fn bits(text: &str) -> Result<i32> {
    let mut perms = 0;
    for c in text.chars() {
        let Some((_, bit)) = LETTERS.iter().find(|(letter, _)| *letter == c) else {
            let what = format!("permission {c:?} of {text:?} is none; there are c, d, r, w and a");
            return Err(Failure::usage(what));
        };
        perms |= bit;
    }
    Ok(perms)
}

/// Scheme, id and permissions of one entry. The id may hold colons, so that it ends at the last one.
pub fn split(entry: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = entry.split_once(':')?;
    let (id, perms) = rest.rsplit_once(':')?;
    Some((scheme, id, perms))
}

/// Reads a list.
pub fn parse(text: &str) -> Result<Vec<Acl>> {
    let mut list = Vec::new();
    for entry in text.split(',') {
        let Some((scheme, id, perms)) = split(entry) else {
            let what = format!("acl {entry:?} does not read scheme:id:perms, as world:anyone:r");
            return Err(Failure::usage(what));
        };
        list.push(Acl::new(bits(perms)?, scheme, id));
    }
    Ok(list)
}

/// One entry as text.
pub fn entry(acl: &Acl) -> String {
    format!("{}:{}:{}", acl.id.scheme(), acl.id.id(), letters(acl.perms))
}

/// A list as JSON: an array of entries.
pub fn to_json(list: &[Acl]) -> Value {
    list.iter().map(|acl| json!(entry(acl))).collect()
}

/// Reads such an array.
pub fn from_json(value: &Value) -> Result<Vec<Acl>> {
    let wrong = || Failure::usage(format!("acl {value}: not an array of scheme:id:perms"));
    let mut list = Vec::new();
    for item in value.as_array().ok_or_else(wrong)? {
        list.extend(parse(item.as_str().ok_or_else(wrong)?)?);
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written() {
        let list = parse("world:anyone:r,digest:ann:abc=:cdrwa,ip:::1:r").unwrap();
        assert_eq!(list.len(), 3);
        assert_eq!(entry(&list[1]), "digest:ann:abc=:cdrwa");
        assert_eq!((list[2].id.id(), list[2].perms), ("::1", perms::READ));
        assert_eq!(from_json(&to_json(&list)).unwrap(), list);
    }

    #[test]
    fn wrong_lists_are_named() {
        for text in ["", "world:anyone", "world:anyone:x", "a:b:r,,"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(from_json(&json!("world:anyone:r")).is_err());
        assert!(from_json(&json!([5])).is_err());
    }
}
