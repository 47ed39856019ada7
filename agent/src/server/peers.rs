//! The loop's dealings with the other servers. A server that is alone has none of it.

use zk_core::{Effect, Event, Now};

use crate::admin::ensemble::{EnsembleFacts, Proposals};
use crate::net::{News, Peers};
use crate::server::{Core, Disk, LOG_QUEUED_BYTES_MAX, Parts, Server};
use crate::systemd::Systemd;

/// Bytes handed to the log and not yet on disk above which other servers are not read: four times
/// what clients may make of it, so that the ensemble goes on while they wait.
const PEERS_QUEUED_BYTES_MAX: usize = 4 * LOG_QUEUED_BYTES_MAX;
/// Times in a turn that a drained connection is asked for more.
const REFILLS_PER_TURN: usize = 8;

/// What the effects of an ensemble need.
pub(super) struct Ensemble<'a> {
    pub peers: Option<&'a mut Peers>,
    pub facts: Option<&'a mut EnsembleFacts>,
    pub systemd: &'a mut Systemd,
}

impl Ensemble<'_> {
    /// Carries out an effect that only a server of an ensemble has.
    pub fn carry_out(self, effect: Effect, bytes: &[u8], now: Now) {
        let peers = self.peers.expect("only a server with peers has such effects");
        match effect {
            Effect::SendPeer { peer, bytes: range } => peers.send(peer, &bytes[range]),
            Effect::Dial { peer, addresses, port } => {
                peers.dial(peer, addresses, port, now.mono_ms);
            }
            Effect::ClosePeer { peer } => peers.close(peer, now.mono_ms),
            Effect::Serve { on } => {
                log::info!("server: serves={on}");
                if let Some(facts) = self.facts {
                    facts.since_ms = now.mono_ms;
                    facts.proposals = Proposals::default();
                }
                self.systemd.status_is_due();
            }
            other => unreachable!("{other:?} is carried out by the loop"),
        }
    }
}

impl<C: Core, D: Disk> Server<C, D> {
    fn peers_are_held(&self) -> bool {
        self.parts.disk.queued_bytes() > PEERS_QUEUED_BYTES_MAX
    }

    /// Whether another server is to be heard or told something at once.
    #[inline]
    pub(super) fn peers_have_work(&self) -> bool {
        match &self.parts.peers {
            Some(peers) => peers.has_work(self.now.mono_ms, self.peers_are_held()),
            None => false,
        }
    }

    /// Hears the other servers, each one a share of the turn.
    #[inline]
    pub(super) fn serve_peers(&mut self) {
        let Some(peers) = &mut self.parts.peers else { return };
        peers.begin_turn(self.now.mono_ms);
        let held = self.peers_are_held();
        loop {
            let Parts { peers, core, .. } = &mut self.parts;
            let Some(news) = peers.as_mut().and_then(|peers| peers.next(held)) else { return };
            let event = match news {
                News::Accepted(peer, port) => Event::PeerAccepted { peer, port },
                News::Connected(peer) => Event::PeerConnected { peer },
                News::Bytes(peer, bytes) => Event::PeerBytes { peer, bytes },
                News::Closed(peer) => Event::PeerClosed { peer },
            };
            core.step(self.now, event, &mut self.effects);
            self.carry_out();
        }
    }

    /// Sends what was queued for the other servers, and what the core has for those who took all.
    #[inline]
    pub(super) fn flush_peers(&mut self) {
        if self.parts.peers.is_none() {
            return;
        }
        for _ in 0..REFILLS_PER_TURN {
            let Some(peers) = &mut self.parts.peers else { return };
            peers.flush();
            let mut refilled = false;
            while let Some(peer) = self.parts.peers.as_mut().and_then(|peers| peers.pop_drained()) {
                refilled = true;
                self.step(Event::PeerDrained { peer });
            }
            if !refilled {
                return;
            }
        }
    }
}
