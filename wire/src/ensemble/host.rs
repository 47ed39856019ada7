//! Hosts and ports in the texts of servers, as Java reads and prints them.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::fault::Fault;
use super::split;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// Host, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl HostPort {
    /// Reads `[host:]port`; without a host it is any address.
    pub(super) fn of_client(text: &str) -> Result<HostPort, Fault> {
        match &fields(text)?[..] {
            [port_text] => Ok(HostPort { host: "0.0.0.0".to_owned(), port: port(port_text)? }),
            [host, port_text] => Ok(HostPort { host: normal(host)?, port: port(port_text)? }),
            _ => Err(Fault::Form),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", bracketed(&self.host), self.port)
    }
}

/// What stands between colons; a host in brackets may have colons of its own.
pub fn fields(text: &str) -> Result<Vec<&str>, Fault> {
    let Some(rest) = text.strip_prefix('[') else { return Ok(split(text, ':')) };
    let (host, rest) = rest.split_once(']').ok_or(Fault::Form)?;
    let rest = rest.strip_prefix(':').ok_or(Fault::Form)?;
    let mut fields = vec![host];
    fields.extend(split(rest, ':'));
    Ok(fields)
}

/// A port in decimal.
pub fn port(text: &str) -> Result<u16, Fault> {
    let number: i32 = text.parse().map_err(|_| Fault::Port)?;
    u16::try_from(number).map_err(|_| Fault::PortRange)
}

/// A host as Java prints it: addresses in full, names as they are.
pub fn normal(host: &str) -> Result<String, Fault> {
    // Java takes these; written out again they would be another text.
    let odd = |c: char| c.is_control() || c.is_whitespace() || "\\=#!".contains(c);
    if host.is_empty() || host.contains(odd) {
        return Err(Fault::Form);
    }
    if let Ok(address) = host.parse::<Ipv6Addr>() {
        return Ok(match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => {
                let groups = address.segments().map(|group| format!("{group:x}"));
                groups.join(":")
            }
        });
    }
    Ok(short_ipv4(host).map_or_else(|| host.to_owned(), |address| address.to_string()))
}

/// An IPv4 address in one to four decimal parts, of which the last fills what is left.
fn short_ipv4(host: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = host.split('.').collect();
    let decimal = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if parts.len() > 4 || !parts.iter().all(decimal) {
        return None;
    }
    let (last, first) = parts.split_last()?;
    let mut address: u64 = 0;
    for part in first {
        address = address << 8 | u64::from(part.parse::<u8>().ok()?);
    }
    let bits = 8 * (4 - first.len() as u32);
    let last: u64 = last.parse().ok().filter(|last| *last < 1 << bits)?;
    u32::try_from(address << bits | last).ok().map(Ipv4Addr::from)
}

/// A host as it stands before a colon.
pub fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}
