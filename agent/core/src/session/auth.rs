//! Identities and permissions: the schemes, the check, and what becomes of a list that is set.

use zk_wire::{Acl, Code, Id, jute, perms};

use super::ip;
use crate::config::Config;
use crate::tree::acl_table::{AclTable, OPEN};

/// What came of an auth packet.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// These identities are added.
    Accepted(Vec<Id>),
    /// AUTHFAILED, then close.
    Failed,
    /// Close without a usable answer, so that the client tries another server.
    CloseNow,
}

/// Judges an auth packet.
pub fn authenticate(config: &Config, scheme: &str, auth: Option<&[u8]>) -> Verdict {
    match (scheme, auth) {
        // The address was added when the connection was made.
        ("ip", _) => Verdict::Accepted(Vec::new()),
        ("digest", Some(bytes)) => match digest_id(config, bytes) {
            Some(ids) => Verdict::Accepted(ids),
            None => Verdict::Failed,
        },
        ("ensemble", auth) => match &config.ensemble_names {
            None => Verdict::Failed,
            Some(names) => {
                let name = jute::text(auth.unwrap_or(&[]));
                let known = name.is_empty() || names.is_empty() || names.iter().any(|n| *n == name);
                if known { Verdict::Accepted(Vec::new()) } else { Verdict::CloseNow }
            }
        },
        _ => Verdict::Failed,
    }
}

fn digest_id(config: &Config, bytes: &[u8]) -> Option<Vec<Id>> {
    let hash = config.password_digest?;
    let text = jute::text(bytes);
    let user = text.split(':').next().unwrap_or("");
    let id = format!("{user}:{}", hash(text.as_bytes()));
    let mut ids = Vec::new();
    if config.super_digest.as_deref().is_some_and(|wanted| same(wanted.as_bytes(), id.as_bytes())) {
        ids.push(Id::new("super", ""));
    }
    ids.push(Id::new("digest", &id));
    Some(ids)
}

/// Compares without telling by its duration where the difference is.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    let pairs = a.iter().zip(b);
    a.len() == b.len() && pairs.fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// Whether the identities have one of the wanted permissions on a list.
#[inline]
pub fn permitted(config: &Config, acls: &AclTable, acl: u32, wanted: i32, ids: &[Id]) -> bool {
    if acl == OPEN && wanted & perms::ALL != 0 {
        return true;
    }
    permitted_by(config, acls.list(acl), wanted, ids)
}

fn permitted_by(config: &Config, list: &[Acl], wanted: i32, ids: &[Id]) -> bool {
    if config.skip_acl || list.is_empty() || ids.iter().any(|id| id.scheme() == "super") {
        return true;
    }
    list.iter().filter(|acl| acl.perms & wanted != 0).any(|acl| {
        if acl.id.scheme() == "world" && acl.id.id() == "anyone" {
            return true;
        }
        ids.iter().filter(|id| id.scheme() == acl.id.scheme()).any(|id| match id.scheme() {
            "ip" => ip::matches(id.id(), acl.id.id()),
            "digest" => config.password_digest.is_some() && id.id() == acl.id.id(),
            _ => false,
        })
    })
}

/// Whether an equal entry stands in the list. Apache's comparison trips over a null scheme or id,
/// once it comes that far, and the request counts as undecodable.
fn is_known(list: &[&Acl], acl: &Acl) -> Result<bool, Code> {
    for known in list.iter().filter(|known| known.perms == acl.perms) {
        if acl.id.scheme.is_none() {
            return Err(Code::MARSHALLING_ERROR);
        }
        if acl.id.scheme == known.id.scheme {
            if acl.id.id.is_none() {
                return Err(Code::MARSHALLING_ERROR);
            }
            if acl.id.id == known.id.id {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether ids of the scheme are looked at.
fn is_provided(config: &Config, scheme: &str) -> bool {
    matches!(scheme, "ip" | "world") || (scheme == "digest" && config.password_digest.is_some())
}

/// Whether `id` is well formed for its scheme.
fn is_valid(config: &Config, id: &Id) -> bool {
    match (id.scheme.as_deref(), id.id.as_deref()) {
        (Some("ip"), Some(id)) => ip::is_valid(id),
        (Some("digest"), Some(id)) if config.password_digest.is_some() => {
            // Two parts once empty ones at the end are left out.
            id.trim_end_matches(':').split(':').count() == 2
        }
        _ => false,
    }
}

/// Makes the list that is stored of the list that was asked for: duplicates go, `auth` becomes the
/// caller's identities, and what no scheme accepts is refused.
pub fn fix_up(config: &Config, asked: &[Acl], ids: &[Id]) -> Result<Vec<Acl>, Code> {
    let mut unique: Vec<&Acl> = Vec::with_capacity(asked.len());
    for acl in asked {
        if !is_known(&unique, acl)? {
            unique.push(acl);
        }
    }
    if unique.is_empty() {
        return Err(Code::INVALID_ACL);
    }
    let mut list = Vec::with_capacity(unique.len());
    for acl in unique {
        if acl.id.scheme.as_deref() == Some("auth") {
            let before = list.len();
            let own = ids.iter().filter(|id| id.scheme() == "digest");
            list.extend(own.map(|id| Acl { perms: acl.perms, id: id.clone() }));
            if list.len() == before {
                return Err(Code::INVALID_ACL);
            }
            continue;
        }
        if acl.id.id.is_none() && is_provided(config, acl.id.scheme()) {
            // Apache's server trips over a null id, and the request counts as undecodable.
            return Err(Code::MARSHALLING_ERROR);
        }
        let anyone = acl.id.scheme() == "world" && acl.id.id() == "anyone";
        if !anyone && !is_valid(config, &acl.id) {
            return Err(Code::INVALID_ACL);
        }
        list.push(acl.clone());
    }
    Ok(list)
}

/// The part of an identity that names somebody, as whoAmI shows it.
pub fn user_of(id: &Id) -> &str {
    match id.scheme() {
        "digest" => id.id().split(':').next().unwrap_or(""),
        "ip" => id.id(),
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let digest = |bytes: &[u8]| format!("h{}", bytes.len());
        let super_digest = Some("root:h8".to_owned());
        Config { password_digest: Some(digest), super_digest, ..Config::default() }
    }

    #[test]
    fn digest_identities() {
        let accepted = |ids| Verdict::Accepted(ids);
        let ids = vec![Id::new("digest", "bob:h5")];
        assert_eq!(authenticate(&config(), "digest", Some(b"bob:x")), accepted(ids));
        let ids = vec![Id::new("super", ""), Id::new("digest", "root:h8")];
        assert_eq!(authenticate(&config(), "digest", Some(b"root:abc")), accepted(ids));
        assert_eq!(authenticate(&config(), "digest", None), Verdict::Failed);
        assert_eq!(authenticate(&Config::default(), "digest", Some(b"a:b")), Verdict::Failed);
        for scheme in ["world", "auth", "super", "sasl", "x509", "ensemble", "nonsense", ""] {
            assert_eq!(authenticate(&config(), scheme, Some(b"x")), Verdict::Failed, "{scheme}");
        }
    }

    #[test]
    fn lists_are_mended_or_refused() {
        let me = [Id::new("ip", "127.0.0.1"), Id::new("digest", "bob:h")];
        let fix = |list: &[Acl]| fix_up(&config(), list, &me);
        let open = Acl::new(31, "world", "anyone");
        assert_eq!(fix(&[open.clone(), open.clone()]), Ok(vec![open]));
        assert_eq!(fix(&[Acl::new(1, "auth", "")]), Ok(vec![Acl::new(1, "digest", "bob:h")]));
        assert_eq!(fix_up(&config(), &[Acl::new(1, "auth", "")], &me[..1]), Err(Code::INVALID_ACL));
        for good in ["a:b", "a:b:", ":b"] {
            assert!(fix(&[Acl::new(1, "digest", good)]).is_ok(), "{good}");
        }
        for (scheme, id) in [
            ("digest", "a"),
            ("digest", "a:"),
            ("world", "x"),
            ("super", ""),
            ("ip", "x"),
            ("sasl", "u"),
            ("nonsense", ""),
        ] {
            assert_eq!(fix(&[Acl::new(1, scheme, id)]), Err(Code::INVALID_ACL), "{scheme}:{id}");
        }
        assert_eq!(fix(&[]), Err(Code::INVALID_ACL));
    }
}
