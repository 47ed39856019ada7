//! Names to addresses, on threads of its own: the system's resolver may block for many seconds.
//!
//! Threads are started when the first name is asked for; addresses that are literals need none.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use mio::Waker;

/// One name that takes its time must not keep the others waiting.
const THREADS: usize = 3;
const STACK_BYTES: usize = 512 << 10;

type Names = Vec<(String, u16)>;
type Found<K> = (K, Vec<SocketAddr>);

/// Looks names up. `K` says for whom.
#[derive(Debug)]
pub struct Resolver<K> {
    waker: Arc<Waker>,
    asks: Option<Sender<(K, Names)>>,
    found: Receiver<Found<K>>,
    tell: Sender<Found<K>>,
    waiting: usize,
}

/// The addresses themselves, when none of them is a name.
pub fn literals(names: &[(String, u16)]) -> Option<Vec<SocketAddr>> {
    let literal = |(host, port): &(String, u16)| {
        let ip: IpAddr = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
        Some(SocketAddr::new(ip, *port))
    };
    names.iter().map(literal).collect()
}

/// All addresses of all names, each once, in their order. Waits for the system's resolver.
pub fn look_up(names: &[(String, u16)]) -> Vec<SocketAddr> {
    let mut all: Vec<SocketAddr> = Vec::new();
    for (host, port) in names {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        for address in (host, *port).to_socket_addrs().into_iter().flatten() {
            if !all.contains(&address) {
                all.push(address);
            }
        }
    }
    all
}

impl<K: Send + 'static> Resolver<K> {
    /// `waker` is woken when something was found, or found not to be there.
    pub fn new(waker: Arc<Waker>) -> Resolver<K> {
        let (tell, found) = channel();
        Resolver { waker, asks: None, found, tell, waiting: 0 }
    }

    /// Begins to look names up.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn ask(&mut self, key: K, names: Names) -> io::Result<()> {
        if self.asks.is_none() {
            self.asks = Some(self.start()?);
        }
        if let Some(asks) = &self.asks
            && asks.send((key, names)).is_ok()
        {
            self.waiting += 1;
        }
        Ok(())
    }

    fn start(&self) -> io::Result<Sender<(K, Names)>> {
        let (asks, asked) = channel::<(K, Names)>();
        let asked = Arc::new(Mutex::new(asked));
        for _ in 0..THREADS {
            let (asked, tell) = (Arc::clone(&asked), self.tell.clone());
            let waker = Arc::clone(&self.waker);
            let work = move || {
                loop {
                    let next = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((key, names)) = next else { return };
                    if tell.send((key, look_up(&names))).is_err() {
                        return;
                    }
                    let _ = waker.wake();
                }
            };
            let thread = std::thread::Builder::new().name("resolver".to_owned());
            thread.stack_size(STACK_BYTES).spawn(work)?;
        }
        Ok(asks)
    }

    /// The next answer, if there is one; without an address when there is no such name.
    #[inline]
    pub fn next_found(&mut self) -> Option<Found<K>> {
        if self.waiting == 0 {
            return None;
        }
        let found = self.found.try_recv().ok()?;
        self.waiting -= 1;
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_need_no_resolver() {
        let names = [("127.0.0.1".to_owned(), 1), ("[::1]".to_owned(), 2), ("::1".to_owned(), 3)];
        let text: Vec<String> = literals(&names).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(text, ["127.0.0.1:1", "[::1]:2", "[::1]:3"]);
        assert!(literals(&[("localhost".to_owned(), 1)]).is_none());
    }

    #[test]
    fn a_name_that_is_not_there_has_no_address() {
        let names = [("no.such.host.invalid".to_owned(), 1), ("127.0.0.1".to_owned(), 2)];
        assert_eq!(look_up(&names[..1]), []);
        assert_eq!(look_up(&names).len(), 1, "the others are still found");
    }
}
