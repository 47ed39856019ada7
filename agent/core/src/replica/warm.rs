//! What is about to be stepped, told beforehand: its look-ups then wait for memory side by side.

use zk_wire::header::RequestHeader;
use zk_wire::jute::Reader;
use zk_wire::multi::SubRequests;
use zk_wire::{Op, frame};

use super::Replica;
use crate::tree::Warmer;

/// Names the znodes that a request will look up. What does not decode is judged elsewhere.
fn warm_request(body: &[u8], warmer: &mut Warmer<'_>) {
    let mut reader = Reader::new(body);
    let Ok(header) = RequestHeader::decode(&mut reader) else { return };
    match header.op {
        Op::GET_DATA | Op::SET_DATA | Op::EXISTS => {
            if let Ok(Some(path)) = reader.buffer("path") {
                warmer.add(path);
            }
        }
        Op::MULTI => {
            let mut requests = SubRequests::new(reader);
            while let Ok(Some(request)) = requests.read_next() {
                if let Some(path) = request.path() {
                    warmer.add(path.as_bytes());
                }
            }
        }
        _ => {}
    }
}

impl Replica {
    /// Tells what is about to be stepped: for each of some clients its frames, each with its
    /// length, the last one perhaps not whole. Changes nothing; what they will look up is brought
    /// into the cache.
    pub fn warm<'a>(&self, clients: impl Iterator<Item = &'a [u8]>) {
        let mut warmer = Warmer::new(&self.tree);
        for frames in clients {
            let mut rest = frames;
            while let frame::Cut::Frame { length } = frame::cut(rest, frames.len()) {
                let (body, behind) = rest[4..].split_at(length);
                rest = behind;
                warm_request(body, &mut warmer);
            }
        }
        warmer.finish();
    }
}
