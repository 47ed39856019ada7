//! The connections of the election port: who dials, which of two is kept, what is sent when it is up.
//!
//! Pure: bytes and connections come in, bytes and wishes go out. Of two servers the one with the
//! larger id dials; who has the smaller one knocks, so that it is dialed.

use std::collections::BTreeMap;

use zk_wire::Writer;
use zk_wire::jute::Reader;

use super::Sid;
use crate::ids::PeerId;

/// First long of the initial message when it names one address.
const VERSION_ONE: i64 = -65536;
/// First long when it names several.
const VERSION_SEVERAL: i64 = -65535;
/// Longest text of addresses, in bytes.
const ADDRESS_BYTES_MAX: i32 = 2048;
/// Longest notification, in bytes.
const FRAME_BYTES_MAX: i32 = 512 << 10;
/// What an observer without an id calls itself.
const ANONYMOUS: Sid = i64::MAX;

/// What must be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Dial a server; at the addresses that it named, when it named some.
    Dial(PeerId, Sid, Vec<(String, u16)>),
    /// Send bytes.
    Send(PeerId, Vec<u8>),
    /// Close a connection once everything is sent.
    Close(PeerId),
    /// A server said this.
    Heard(Sid, Vec<u8>),
    /// A connection is closed because of what came over it.
    Fault(PeerId, String),
}

#[derive(Debug, Default)]
struct Link {
    /// Whom we dial.
    dialed: Option<Sid>,
    /// Who is there, once that is known.
    sid: Option<Sid>,
    bytes: Vec<u8>,
}

/// All connections of the election port.
#[derive(Debug)]
pub struct Links {
    me: Sid,
    address: String,
    links: BTreeMap<PeerId, Link>,
    active: BTreeMap<Sid, PeerId>,
    last: BTreeMap<Sid, Vec<u8>>,
    next: u64,
    anonymous: Sid,
}

impl Links {
    /// No connections. `address`: the own election address, as `host:port`.
    pub fn new(me: Sid, address: String) -> Links {
        let (links, active, last) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Links { me, address, links, active, last, next: 0, anonymous: 0 }
    }

    /// This server takes votes elsewhere from now on.
    pub fn set_address(&mut self, address: String) {
        self.address = address;
    }

    /// Everyone who is connected, or was told something.
    pub fn known(&self) -> std::collections::BTreeSet<Sid> {
        self.active.keys().chain(self.last.keys()).copied().collect()
    }

    /// A server is no member any more, or is somewhere else: its connection goes.
    pub fn forget(&mut self, sid: Sid, out: &mut Vec<Wish>) {
        self.last.remove(&sid);
        self.active.remove(&sid);
        let of = |link: &Link| link.sid == Some(sid) || link.dialed == Some(sid);
        let gone: Vec<PeerId> =
            self.links.iter().filter(|(_, link)| of(link)).map(|(peer, _)| *peer).collect();
        for peer in gone {
            self.links.remove(&peer);
            out.push(Wish::Close(peer));
        }
    }

    /// Whether this connection is one of these.
    pub fn has(&self, peer: PeerId) -> bool {
        self.links.contains_key(&peer)
    }

    /// Whether a server can be spoken to.
    pub fn is_up(&self, sid: Sid) -> bool {
        self.active.contains_key(&sid)
    }

    /// Sends a notification. It replaces one that could not be sent yet.
    pub fn send(&mut self, sid: Sid, payload: &[u8], out: &mut Vec<Wish>) {
        let mut frame = Vec::with_capacity(4 + payload.len());
        frame.put_buffer(Some(payload));
        match self.active.get(&sid) {
            Some(peer) => out.push(Wish::Send(*peer, frame.clone())),
            None => self.dial(sid, Vec::new(), out),
        }
        self.last.insert(sid, frame);
    }

    /// What was said last is not said again on new connections: it was a vote, and this server votes
    /// no more. Who lost its disk must not take it for one of now.
    pub fn forget_said(&mut self) {
        self.last.clear();
    }

    /// Dials a server unless it is there, or dialed already.
    pub fn dial(&mut self, sid: Sid, addresses: Vec<(String, u16)>, out: &mut Vec<Wish>) {
        let dialing = self.links.values().any(|link| link.dialed == Some(sid));
        if sid < 0 || sid == self.me || self.active.contains_key(&sid) || dialing {
            return;
        }
        // Even numbers are the election port's, odd ones the quorum port's.
        self.next += 2;
        let peer = PeerId(self.next);
        self.links.insert(peer, Link { dialed: Some(sid), ..Link::default() });
        out.push(Wish::Dial(peer, sid, addresses));
    }

    /// A connection that was dialed is there.
    pub fn on_connected(&mut self, peer: PeerId, out: &mut Vec<Wish>) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        let Some(sid) = link.dialed.take() else { return };
        let mut hello = Vec::new();
        hello.put_long(VERSION_ONE);
        hello.put_long(self.me);
        hello.put_string(&self.address);
        out.push(Wish::Send(peer, hello));
        if self.me < sid {
            // It will dial us.
            self.links.remove(&peer);
            out.push(Wish::Close(peer));
        } else {
            self.adopt(peer, sid, out);
        }
    }

    /// Somebody has connected.
    pub fn on_accepted(&mut self, peer: PeerId) {
        self.links.insert(peer, Link::default());
    }

    /// A connection is gone.
    pub fn on_closed(&mut self, peer: PeerId) {
        let Some(link) = self.links.remove(&peer) else { return };
        if let Some(sid) = link.sid
            && self.active.get(&sid) == Some(&peer)
        {
            self.active.remove(&sid);
        }
    }

    fn adopt(&mut self, peer: PeerId, sid: Sid, out: &mut Vec<Wish>) {
        if let Some(link) = self.links.get_mut(&peer) {
            link.sid = Some(sid);
        }
        if let Some(old) = self.active.insert(sid, peer) {
            self.links.remove(&old);
            out.push(Wish::Close(old));
        }
        if let Some(frame) = self.last.get(&sid) {
            out.push(Wish::Send(peer, frame.clone()));
        }
    }

    fn fault(&mut self, peer: PeerId, why: String, out: &mut Vec<Wish>) {
        self.on_closed(peer);
        out.push(Wish::Fault(peer, why));
        out.push(Wish::Close(peer));
    }

    /// Takes bytes of a connection.
    pub fn on_bytes(&mut self, peer: PeerId, bytes: &[u8], out: &mut Vec<Wish>) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        link.bytes.extend_from_slice(bytes);
        if link.sid.is_none() {
            let mut reader = Reader::new(&link.bytes);
            match hello(&mut reader) {
                Ok(Some((sid, addresses))) => {
                    let used = reader.position();
                    link.bytes.drain(..used);
                    self.on_hello(peer, sid, addresses, out);
                }
                Ok(None) => return,
                Err(why) => return self.fault(peer, why, out),
            }
        }
        self.take_frames(peer, out);
    }

    fn on_hello(
        &mut self,
        peer: PeerId,
        sid: Sid,
        addresses: Vec<(String, u16)>,
        out: &mut Vec<Wish>,
    ) {
        if sid == self.me {
            let why = format!("server id {sid} is ours: two servers have the same id");
            return self.fault(peer, why, out);
        }
        if sid == ANONYMOUS {
            self.anonymous -= 1;
            return self.adopt(peer, self.anonymous, out);
        }
        if sid > self.me {
            return self.adopt(peer, sid, out);
        }
        self.links.remove(&peer);
        out.push(Wish::Close(peer));
        if let Some(old) = self.active.remove(&sid) {
            self.links.remove(&old);
            out.push(Wish::Close(old));
        }
        self.dial(sid, addresses, out);
    }

    fn take_frames(&mut self, peer: PeerId, out: &mut Vec<Wish>) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        let Some(sid) = link.sid else { return };
        let mut used = 0;
        while let Some(head) = link.bytes[used..].first_chunk::<4>() {
            let length = i32::from_be_bytes(*head);
            if !(1..=FRAME_BYTES_MAX).contains(&length) {
                let why = format!("server {sid} sent a notification of {length} bytes");
                return self.fault(peer, why, out);
            }
            let Some(payload) = link.bytes.get(used + 4..used + 4 + length as usize) else { break };
            out.push(Wish::Heard(sid, payload.to_vec()));
            used += 4 + length as usize;
        }
        link.bytes.drain(..used);
    }
}

/// Who is there, and where it can be dialed. `None` when more must come.
type Hello = Result<Option<(Sid, Vec<(String, u16)>)>, String>;

fn hello(reader: &mut Reader<'_>) -> Hello {
    let Ok(first) = reader.long("version") else { return Ok(None) };
    if first >= 0 {
        return Ok(Some((first, Vec::new())));
    }
    if first != VERSION_ONE && first != VERSION_SEVERAL {
        return Err(format!("an initial message of version {first}"));
    }
    let Ok(sid) = reader.long("sid") else { return Ok(None) };
    let Some(head) = reader.rest().first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(*head);
    if !(1..=ADDRESS_BYTES_MAX).contains(&length) {
        return Err(format!("an initial message with an address of {length} bytes"));
    }
    let Ok(text) = reader.string("address") else { return Ok(None) };
    let several: Result<Vec<_>, String> = text.split('|').map(address).collect();
    let usable = several?.into_iter().filter(|(host, _)| !is_wildcard(host));
    Ok(Some((sid, usable.collect())))
}

/// Whether a host stands for every address: there is nobody to be dialed. Java writes it in full.
fn is_wildcard(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_unspecified())
}

fn address(text: &str) -> Result<(String, u16), String> {
    let parsed = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = parsed.ok_or_else(|| format!("an initial message from {text:?}"))?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zab::packet::tests::hex;

    const ME: Sid = 2;

    fn links() -> Links {
        Links::new(ME, "me:3888".to_owned())
    }

    fn hello_of(sid: Sid) -> Vec<u8> {
        let mut hello = Vec::new();
        hello.put_long(VERSION_ONE);
        hello.put_long(sid);
        hello.put_string("zk1:3888");
        hello
    }

    fn accepted(number: u64) -> PeerId {
        PeerId(PeerId::ACCEPTED + number)
    }

    #[test]
    fn the_initial_message_is_apaches_and_is_read_in_pieces() {
        let golden = hex("ffffffffffff0000 0000000000000001 00000008 7a6b313a33383838");
        assert_eq!(hello_of(1), golden);
        for cut in 0..golden.len() {
            let (mut links, mut out) = (links(), Vec::new());
            links.on_accepted(accepted(1));
            links.on_bytes(accepted(1), &golden[..cut], &mut out);
            assert_eq!(out, []);
            links.on_bytes(accepted(1), &golden[cut..], &mut out);
            let named = vec![("zk1".to_owned(), 3888)];
            // The smaller id knocked: it is dialed where it said.
            assert_eq!(out, [Wish::Close(accepted(1)), Wish::Dial(PeerId(2), 1, named)]);
        }
    }

    #[test]
    fn the_connection_of_the_larger_id_stays_and_carries_what_was_said_last() {
        let (mut links, mut out) = (links(), Vec::new());
        links.send(3, b"first", &mut out);
        links.send(3, b"second", &mut out);
        assert_eq!(out, [Wish::Dial(PeerId(2), 3, Vec::new())]);
        out.clear();
        links.on_connected(PeerId(2), &mut out);
        assert!(matches!(&out[..], [Wish::Send(_, _), Wish::Close(PeerId(2))]), "{out:?}");
        out.clear();
        links.on_accepted(accepted(1));
        links.on_bytes(accepted(1), &hello_of(3), &mut out);
        assert_eq!(out, [Wish::Send(accepted(1), b"\0\0\0\x06second".to_vec())]);
        out.clear();
        links.on_bytes(accepted(1), b"\0\0\0\x02hi\0\0", &mut out);
        assert_eq!(out, [Wish::Heard(3, b"hi".to_vec())]);
        out.clear();
        // A newer one takes its place.
        links.on_accepted(accepted(2));
        links.on_bytes(accepted(2), &hello_of(3), &mut out);
        assert_eq!(out[0], Wish::Close(accepted(1)));
        assert!(!links.has(accepted(1)) && links.is_up(3));
        links.on_closed(accepted(2));
        assert!(!links.is_up(3));
    }

    #[test]
    fn what_is_no_message_costs_the_connection() {
        let several = hex("ffffffffffff0001 0000000000000003 00000001 78");
        let unknown = hex("fffffffffffe0000 0000000000000003");
        let long = hex("ffffffffffff0000 0000000000000003 00000801");
        let mut empty_frame = hello_of(3);
        empty_frame.extend_from_slice(&[0; 4]);
        for bytes in [several, unknown, long, empty_frame, hello_of(ME)] {
            let (mut links, mut out) = (links(), Vec::new());
            links.on_accepted(accepted(1));
            links.on_bytes(accepted(1), &bytes, &mut out);
            assert!(matches!(&out[..], [Wish::Fault(..), Wish::Close(_)]), "{bytes:?}: {out:?}");
            assert!(!links.has(accepted(1)));
        }
    }

    #[test]
    fn old_and_nameless_servers_are_taken() {
        let (mut links, mut out) = (links(), Vec::new());
        links.on_accepted(accepted(1));
        links.on_bytes(accepted(1), &7i64.to_be_bytes(), &mut out);
        assert!(links.is_up(7));
        links.on_accepted(accepted(2));
        links.on_bytes(accepted(2), &hello_of(ANONYMOUS), &mut out);
        assert!(links.is_up(-1));
    }
}
