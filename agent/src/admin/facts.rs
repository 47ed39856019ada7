//! What operators are told that the core doesn't know.

use std::net::SocketAddr;

use zk_core::Now;

use crate::admin::ensemble::EnsembleFacts;
use crate::settings::Settings;

/// What doesn't change while the server runs, and the trace mask, which means nothing here.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Where clients connect.
    pub address: SocketAddr,
    /// Absolute directory of the snapshots, as Apache names it.
    pub data_dir: String,
    /// Absolute directory of the log.
    pub log_dir: String,
    /// `tickTime` in ms.
    pub tick_ms: i32,
    /// Least and largest session timeout in ms.
    pub timeouts_ms: (i32, i32),
    /// As configured; -1 when not.
    pub backlog: i32,
    /// When the server was started, `Now::mono_ms`.
    pub started_ms: i64,
    /// Set by `stmk`, told by `gtmk`.
    pub trace_mask: i64,
    /// Its place in its ensemble; `None` for a server that is alone.
    pub ensemble: Option<EnsembleFacts>,
}

impl Facts {
    /// Apache's mask at the start.
    pub const TRACE_MASK: i64 = 306;

    /// From the settings, and the address that was bound.
    pub fn new(settings: &Settings, address: SocketAddr, now: Now) -> Facts {
        let version_2 = |dir: &std::path::Path| {
            let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
            dir.join("version-2").display().to_string()
        };
        Facts {
            address,
            data_dir: version_2(&settings.data_dir),
            log_dir: version_2(&settings.log_dir),
            tick_ms: settings.core.tick_ms,
            timeouts_ms: {
                (settings.core.session_timeout_min_ms, settings.core.session_timeout_max_ms)
            },
            backlog: settings.backlog.unwrap_or(-1),
            started_ms: now.mono_ms,
            trace_mask: Facts::TRACE_MASK,
            ensemble: { EnsembleFacts::new(&settings.core, settings.peers.as_ref(), now.mono_ms) },
        }
    }
}
