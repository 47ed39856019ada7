//! A server that says anything: for what a client must stand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::rng::Rng;
use crate::server::free_address;

/// A server that answers a connection with chance: nothing, garbage, a handshake and then garbage,
/// each in pieces, now and then slowly; and hangs up at any moment.
pub fn hostile(seed: u64) -> SocketAddr {
    let listener = TcpListener::bind(free_address()).expect("a free port");
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut rng = Rng::new(seed);
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let seed = rng.next_u64();
            std::thread::spawn(move || insult(stream, seed));
        }
    });
    address
}

fn insult(mut stream: TcpStream, seed: u64) {
    let mut rng = Rng::new(seed);
    let mut heard = [0u8; 4096];
    let _ = stream.set_read_timeout(Some(Duration::from_millis(100)));
    let _ = stream.read(&mut heard);
    let mut bytes = Vec::new();
    if rng.below(4) > 0 {
        // A handshake that is good: what comes behind it is looked at.
        bytes.extend_from_slice(&37u32.to_be_bytes());
        bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 1, 0x90, 0, 0, 0, 0, 0, 0, 0, 7]);
        bytes.extend_from_slice(&16u32.to_be_bytes());
        bytes.extend_from_slice(&[1; 17]);
    }
    for _ in 0..rng.below(40) {
        match rng.below(4) {
            0 => bytes.extend((0..rng.below(64)).map(|_| rng.next_u64() as u8)),
            kind => {
                // A frame with a header that could be: xids of requests, events, pings, identities.
                let xid = [1i32, 2, -1, -2, -4, -8][rng.below(6)] + (kind == 3) as i32;
                let length = 16 + rng.below(80) as u32;
                bytes.extend_from_slice(&length.to_be_bytes());
                bytes.extend_from_slice(&xid.to_be_bytes());
                bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0]);
                bytes.extend((16..length).map(|_| rng.below(3) as u8));
            }
        }
    }
    for piece in bytes.chunks(1 + rng.below(60)) {
        if stream.write_all(piece).is_err() {
            return;
        }
        if rng.below(20) == 0 {
            std::thread::sleep(Duration::from_millis(rng.below(30) as u64));
        }
    }
    std::thread::sleep(Duration::from_millis(rng.below(200) as u64));
}
