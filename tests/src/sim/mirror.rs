//! What a client hears by a persistent recursive watch of the whole tree.
//!
//! Every change while it is connected, once, in the order of the log; nothing else. What happened
//! while it was away is not told again: a persistent watch says only what comes.

use std::collections::BTreeMap;

use crate::history::record::Touch;

/// A stretch of time in which the watch stood: what came, and between which zxids.
#[derive(Clone, Debug, Default)]
pub struct Stretch {
    /// The watch stands for changes above this zxid.
    pub from: i64,
    /// Events in the order in which they came.
    pub events: Vec<(i64, Touch, String)>,
}

/// The watch of one client.
#[derive(Clone, Debug, Default)]
pub struct Mirror {
    /// The watch was set in this session.
    pub armed: bool,
    /// The xid of the request that sets it.
    pub asked: Option<i32>,
    live: bool,
    /// All stretches so far, the last one open while the client is connected.
    pub stretches: Vec<Stretch>,
}

impl Mirror {
    /// The watch stands from here on.
    pub fn arm(&mut self, zxid: i64) {
        self.armed = true;
        self.asked = None;
        if !self.live {
            self.live = true;
            self.stretches.push(Stretch { from: zxid, events: Vec::new() });
        }
    }

    /// The connection is gone, and with it what was on its way.
    pub fn detached(&mut self) {
        self.live = false;
        self.asked = None;
    }

    /// The session is over; what was heard is kept.
    pub fn over(&mut self) {
        self.detached();
        self.armed = false;
    }

    /// An event has come.
    ///
    /// # Errors
    /// When it cannot be one of this watch.
    pub fn told(&mut self, zxid: i64, touch: Touch, path: String) -> Result<(), String> {
        if touch == Touch::Children {
            return Err(format!("a recursive watch hears of the children of {path}"));
        }
        if zxid <= 0 {
            return Err(format!("an event at {path} without a zxid"));
        }
        match self.stretches.last_mut() {
            Some(stretch) if self.live => stretch.events.push((zxid, touch, path)),
            // Between the request that sets the watch and its answer.
            _ => return Err(format!("an event at {path} before the watch stands")),
        }
        Ok(())
    }

    /// Holds what came against what happened to each path.
    ///
    /// # Errors
    /// What is missing, doubled, invented or out of order.
    pub fn check(&self, touches: &BTreeMap<String, Vec<(i64, Touch)>>) -> Result<usize, String> {
        let mut count = 0;
        for stretch in &self.stretches {
            let Some((last, ..)) = stretch.events.last() else { continue };
            let mut due: Vec<(i64, Touch, &str)> = Vec::new();
            for (path, list) in touches {
                let fresh = list.iter().filter(|(zxid, touch)| {
                    *zxid > stretch.from && zxid <= last && *touch != Touch::Children
                });
                due.extend(fresh.map(|(zxid, touch)| (*zxid, *touch, path.as_str())));
            }
            let mut told: Vec<(i64, Touch, &str)> =
                stretch.events.iter().map(|(z, touch, path)| (*z, *touch, path.as_str())).collect();
            if let Some(pair) = told.windows(2).find(|pair| pair[0].0 > pair[1].0) {
                return Err(format!("{:?} came before {:?}", pair[0], pair[1]));
            }
            count += told.len();
            // The rest of the last txn may have been on its way when the connection went.
            due.sort_unstable();
            told.sort_unstable();
            let extra = told.iter().find(|event| due.binary_search(event).is_err());
            if let Some(extra) = extra {
                return Err(format!("nothing happened that says {extra:?}"));
            }
            let missing =
                due.iter().find(|event| event.0 < *last && told.binary_search(event).is_err());
            if let Some(missing) = missing {
                return Err(format!("{missing:?} was not told"));
            }
        }
        Ok(count)
    }
}
