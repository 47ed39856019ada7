//! The handshake: ConnectRequest and ConnectResponse, without request or reply headers.

use crate::jute::{Reader, Result, Writer};

/// Bytes of a session password.
pub const PASSWORD_BYTES: usize = 16;

/// What a client says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest<'a> {
    /// Clients send 0; nobody looks.
    pub protocol_version: i32,
    /// The newest zxid that the client has seen; a server behind it must not serve the client.
    pub last_zxid_seen: i64,
    /// The session timeout that the client would like, in ms.
    pub timeout_ms: i32,
    /// 0 for a new session, else the session to go on with.
    pub session_id: i64,
    /// The password of that session; ignored for a new one.
    pub password: Option<&'a [u8]>,
    /// Whether a read-only server will do. `None` when the client is too old to say.
    pub read_only: Option<bool>,
}

impl<'a> ConnectRequest<'a> {
    /// Reads a request of either form.
    pub fn decode(reader: &mut Reader<'a>) -> Result<ConnectRequest<'a>> {
        Ok(ConnectRequest {
            protocol_version: reader.int("ConnectRequest.protocolVersion")?,
            last_zxid_seen: reader.long("ConnectRequest.lastZxidSeen")?,
            timeout_ms: reader.int("ConnectRequest.timeOut")?,
            session_id: reader.long("ConnectRequest.sessionId")?,
            password: reader.buffer("ConnectRequest.passwd")?,
            read_only: match reader.is_empty() {
                true => None,
                false => Some(reader.boolean("ConnectRequest.readOnly")?),
            },
        })
    }

    /// Writes a request; the trailing byte only when `read_only` is given.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_int(self.protocol_version);
        out.put_long(self.last_zxid_seen);
        out.put_int(self.timeout_ms);
        out.put_long(self.session_id);
        out.put_buffer(self.password);
        if let Some(read_only) = self.read_only {
            out.put_boolean(read_only);
        }
    }
}

/// What the server answers. Timeout and session id 0 mean that the session is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectResponse {
    /// Always 0.
    pub protocol_version: i32,
    /// The session timeout that holds, in ms; 0 when refused.
    pub timeout_ms: i32,
    /// The session; 0 when refused.
    pub session_id: i64,
    /// The session's password; zeros when refused.
    pub password: Vec<u8>,
    /// Whether this server is read-only. Written only when the client sent its byte.
    pub read_only: Option<bool>,
}

impl ConnectResponse {
    /// Reads a response of either form.
    pub fn decode(reader: &mut Reader<'_>) -> Result<ConnectResponse> {
        Ok(ConnectResponse {
            protocol_version: reader.int("ConnectResponse.protocolVersion")?,
            timeout_ms: reader.int("ConnectResponse.timeOut")?,
            session_id: reader.long("ConnectResponse.sessionId")?,
            password: reader.buffer("ConnectResponse.passwd")?.unwrap_or(&[]).to_vec(),
            read_only: match reader.is_empty() {
                true => None,
                false => Some(reader.boolean("ConnectResponse.readOnly")?),
            },
        })
    }

    /// Writes a response.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_int(self.protocol_version);
        out.put_int(self.timeout_ms);
        out.put_long(self.session_id);
        out.put_buffer(Some(&self.password));
        if let Some(read_only) = self.read_only {
            out.put_boolean(read_only);
        }
    }
}

/// The password of a session, as Apache's servers derive it from the id (`java.util.Random` seeded
/// with `id ^ 0xB3415C00`), so that sessions survive a migration. A checksum, not a secret.
pub fn session_password(session_id: i64) -> [u8; PASSWORD_BYTES] {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = ((session_id as u64) ^ 0xB341_5C00 ^ MULTIPLIER) & MASK;
    let mut password = [0u8; PASSWORD_BYTES];
    for word in password.chunks_exact_mut(4) {
        state = (state.wrapping_mul(MULTIPLIER).wrapping_add(0xB)) & MASK;
        word.copy_from_slice(&((state >> 16) as u32).to_le_bytes());
    }
    password
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn passwords_are_apaches() {
        for (id, password) in [
            (0x1, "054cc74a37327db215e702e20c73f005"),
            (0x0100_0000_0000_0001, "054cc74a37327db215e702e20c73f005"),
            (0x0100_0000_0000_0000, "f22acd4a97e69d6d20a49bb638eadb38"),
            (0x0100_0001_2345_abcd, "251813360d1e8504219c31bb3837bea4"),
            (-1, "20f62cb5648dc2d771471c8a2486a9ee"),
            (0x0100_00A1_B2C3_0000, "1f00d00ac018d54595d5f8280917d5b2"),
            (0x2FF0_1234_5678_0000, "fae18b1fff04a3066806fbaee07225b6"),
        ] {
            assert_eq!(hex(&session_password(id)), password, "{id:#x}");
        }
    }

    #[test]
    fn both_forms_of_the_handshake() {
        for (read_only, bytes) in [(None, 44), (Some(true), 45)] {
            let request = ConnectRequest {
                protocol_version: 0,
                last_zxid_seen: 7,
                timeout_ms: 30_000,
                session_id: 5,
                password: Some(&[1; 16]),
                read_only,
            };
            let mut out = Vec::new();
            request.encode(&mut out);
            assert_eq!(out.len(), bytes);
            assert_eq!(ConnectRequest::decode(&mut Reader::new(&out)), Ok(request));
        }
    }
}
