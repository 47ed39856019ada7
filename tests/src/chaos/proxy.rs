//! A TCP proxy between two servers that delays, cuts and damages what goes through it.
//!
//! One listener for each pair of servers and port. Bytes of one connection keep their order; those of
//! two connections overtake each other, because each has its own delay.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, socket};

use crate::rng::Rng;

/// Bytes that are taken at once.
const CHUNK: usize = 16 << 10;

/// What happens to the connections of one pair of servers. All is well when everything is 0.
#[derive(Debug, Default)]
pub struct Faults {
    /// The longest delay of a chunk, in ms.
    pub delay_ms: AtomicU64,
    /// After so many more bytes every connection ends; 0 for never.
    pub cut_after: AtomicI64,
    /// Whether the next bytes are followed by garbage, and then by the end.
    pub garbage: AtomicBool,
    /// How often a connection was cut or fed.
    pub done: AtomicU64,
}

impl Faults {
    /// Nothing goes wrong from now on.
    pub fn clear(&self) {
        self.delay_ms.store(0, Ordering::Relaxed);
        self.cut_after.store(0, Ordering::Relaxed);
        self.garbage.store(false, Ordering::Relaxed);
    }
}

/// Listens at `via` for what is meant for `to`, and dials that from the address of `via`.
pub fn listen(via: SocketAddrV4, to: SocketAddrV4, faults: Arc<Faults>, seed: u64) {
    let listener = TcpListener::bind(via).expect("the hub has this address");
    std::thread::spawn(move || {
        let mut rng = Rng::new(seed);
        for client in listener.incoming().flatten() {
            let (faults, seed) = (Arc::clone(&faults), rng.next_u64());
            std::thread::spawn(move || {
                if let Ok(server) = dial(*via.ip(), to) {
                    relay(client, server, &faults, seed);
                }
            });
        }
    });
}

fn dial(from: Ipv4Addr, to: SocketAddrV4) -> nix::Result<TcpStream> {
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(std::os::fd::AsRawFd::as_raw_fd(&fd), &SockaddrIn::from(SocketAddrV4::new(from, 0)))?;
    connect(std::os::fd::AsRawFd::as_raw_fd(&fd), &SockaddrIn::from(to))?;
    Ok(TcpStream::from(fd))
}

fn relay(client: TcpStream, server: TcpStream, faults: &Arc<Faults>, seed: u64) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ends = (client.try_clone(), server.try_clone());
    let (Ok(from), Ok(to)) = ends else { return };
    let there = Arc::clone(faults);
    let other = std::thread::spawn(move || pump(from, to, &there, seed));
    pump(server, client, faults, seed + 1);
    let _ = other.join();
}

/// Carries bytes one way until the connection ends.
fn pump(mut from: TcpStream, mut to: TcpStream, faults: &Faults, seed: u64) {
    let mut rng = Rng::new(seed);
    let mut chunk = [0u8; CHUNK];
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        let delay_ms = faults.delay_ms.load(Ordering::Relaxed);
        if delay_ms > 0 {
            std::thread::sleep(Duration::from_millis(rng.below(delay_ms as usize) as u64));
        }
        let mut bytes = &chunk[..count];
        let left = faults.cut_after.load(Ordering::Relaxed);
        if left > 0 {
            faults.cut_after.store((left - count as i64).max(1), Ordering::Relaxed);
            bytes = &bytes[..count.min(left as usize)];
        }
        let feed = faults.garbage.swap(false, Ordering::Relaxed);
        let wrong = if feed { rng.bytes(1 + count % 200) } else { Vec::new() };
        if to.write_all(bytes).and_then(|()| to.write_all(&wrong)).is_err() {
            break;
        }
        if feed || (left > 0 && left <= count as i64) {
            faults.done.fetch_add(1, Ordering::Relaxed);
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
