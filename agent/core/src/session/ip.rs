//! The `ip` scheme: addresses with an optional number of bits.

/// An address as bytes: 4 or 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// IPv4.
    V4([u8; 4]),
    /// IPv6.
    V6([u8; 16]),
}

impl Address {
    fn bytes(&self) -> &[u8] {
        match self {
            Address::V4(bytes) => bytes,
            Address::V6(bytes) => bytes,
        }
    }
}

/// Reads a dotted quad or an IPv6 address without embedded IPv4 and without zone.
pub fn parse_address(text: &str) -> Option<Address> {
    if text.contains(':') {
        parse_v6(text).map(Address::V6)
    } else {
        parse_v4(text).map(Address::V4)
    }
}

fn parse_v4(text: &str) -> Option<[u8; 4]> {
    let mut bytes = [0u8; 4];
    let mut parts = text.split('.');
    for byte in &mut bytes {
        let part = parts.next()?;
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *byte = part.parse::<u32>().ok().and_then(|n| u8::try_from(n).ok())?;
    }
    parts.next().is_none().then_some(bytes)
}

fn parse_v6(text: &str) -> Option<[u8; 16]> {
    let groups = |text: &str| -> Option<Vec<u16>> {
        if text.is_empty() {
            return Some(Vec::new());
        }
        text.split(':')
            .map(|group| {
                let hex = !group.is_empty() && group.len() <= 4;
                let hex = hex && group.bytes().all(|b| b.is_ascii_hexdigit());
                if hex { u16::from_str_radix(group, 16).ok() } else { None }
            })
            .collect()
    };
    let all = match text.split_once("::") {
        None => groups(text)?,
        Some((left, right)) => {
            let (left, right) = (groups(left)?, groups(right)?);
            let gap = 8usize.checked_sub(left.len() + right.len()).filter(|gap| *gap >= 1)?;
            [left, vec![0; gap], right].concat()
        }
    };
    if all.len() != 8 {
        return None;
    }
    let mut bytes = [0u8; 16];
    for (pair, group) in bytes.chunks_exact_mut(2).zip(all) {
        pair.copy_from_slice(&group.to_be_bytes());
    }
    Some(bytes)
}

fn parse_rule(text: &str) -> Option<(Address, u32)> {
    let (address, bits) = match text.split_once('/') {
        None => (parse_address(text)?, None),
        Some((address, bits)) => (parse_address(address)?, Some(bits)),
    };
    let most = address.bytes().len() as u32 * 8;
    match bits {
        None => Some((address, most)),
        Some(bits) if bits.bytes().all(|b| b.is_ascii_digit()) => {
            bits.parse().ok().filter(|bits| *bits <= most).map(|bits| (address, bits))
        }
        Some(_) => None,
    }
}

/// Whether an id of the scheme is well formed.
pub fn is_valid(rule: &str) -> bool {
    parse_rule(rule).is_some()
}

/// Whether a peer's address falls under a rule: equal in the first bits.
///
/// As Apache's server has it, an IPv4 peer is compared with the first four bytes of an IPv6 rule:
/// `::/0` is for everybody.
pub fn matches(peer: &str, rule: &str) -> bool {
    let (Some(peer), Some((address, bits))) = (parse_address(peer), parse_rule(rule)) else {
        return false;
    };
    let (peer, address) = (peer.bytes(), address.bytes());
    if peer.len() > address.len() {
        return false;
    }
    let bits = bits.min(peer.len() as u32 * 8);
    let address = &address[..peer.len()];
    let whole = bits as usize / 8;
    if peer[..whole] != address[..whole] {
        return false;
    }
    let rest = bits % 8;
    rest == 0 || (peer[whole] ^ address[whole]) >> (8 - rest) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_id_of_the_scheme() {
        for good in
            ["1.2.3.4", "0.0.0.0/0", "1.2.3.4/32", "::", "::1/128", "1:2:3:4:5:6:7:8", "fe80::1/64"]
        {
            assert!(is_valid(good), "{good}");
        }
        for bad in [
            "",
            "1.2.3",
            "1.2.3.4.5",
            "256.1.1.1",
            "1.2.3.4/33",
            "a",
            "::1/129",
            "1:2:3:4:5:6:7::8",
            "1:2:3:4:5:6:7",
            "::ffff:1.2.3.4",
            "fe80::1%eth0",
            "1.2.3.4/",
            "12345::",
            ":::",
            "1.2.3.4/-1",
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
    }

    #[test]
    fn masks() {
        assert!(matches("10.1.2.3", "10.0.0.0/8"));
        assert!(matches("10.1.2.3", "10.1.2.2/31"));
        assert!(!matches("10.1.2.3", "10.1.2.2"));
        assert!(matches("1.2.3.4", "9.9.9.9/0"));
        assert!(matches("::1", "::1"));
        assert!(matches("fe80:0:0:0:0:0:0:1", "fe80::/10"));
        assert!(!matches("::1", "0.0.0.0/0"));
        assert!(matches("1.2.3.4", "::/0"));
        assert!(!matches("1.2.3.4", "::1"));
    }
}
