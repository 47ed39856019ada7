//! `zerror`: a text for each result.

use std::ffi::{CStr, c_char, c_int};

/// The text of a result. Wording is Apache's where programs print and compare it.
pub fn text(code: c_int) -> &'static CStr {
    match code {
        0 => c"ok",
        -1 => c"system error",
        -2 => c"run time inconsistency",
        -3 => c"data inconsistency",
        -4 => c"connection loss",
        -5 => c"marshalling error",
        -6 => c"unimplemented",
        -7 => c"operation timeout",
        -8 => c"bad arguments",
        -9 => c"invalid zhandle state",
        -13 => NO_QUORUM,
        -14 => IN_PROGRESS,
        -100 => c"api error",
        -101 => c"no node",
        -102 => c"not authenticated",
        -103 => c"bad version",
        -108 => c"no children for ephemerals",
        -110 => c"node exists",
        -111 => c"not empty",
        -112 => c"session expired",
        -113 => c"invalid callback",
        -114 => c"invalid acl",
        -115 => c"authentication failed",
        -116 => c"zookeeper is closing",
        -117 => c"(not error) no server responses to process",
        -118 => c"session moved to another server, so operation is ignored",
        -119 => c"state-changing request is passed to read-only server",
        -120 => c"attempt to create ephemeral node on a local session",
        -121 => c"the watcher couldn't be found",
        -123 => DISABLED,
        -124 => SASL_REQUIRED,
        -127 => c"Operation was throttled due to high load",
        _ => c"unknown error",
    }
}

const NO_QUORUM: &CStr = c"no quorum of new config is connected and up-to-date with the leader of \
last committed config - try invoking reconfiguration after new servers are connected and synced";
const IN_PROGRESS: &CStr =
    c"Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)";
const DISABLED: &CStr =
    c"attempts to perform a reconfiguration operation when reconfiguration feature is disable";
const SASL_REQUIRED: &CStr =
    c"session closed by server because client is required to do SASL authentication";

/// `zerror`.
pub fn zerror(code: c_int) -> *const c_char {
    if code <= 0 {
        return text(code).as_ptr();
    }
    // SAFETY: strerror takes any number and answers with a string of libc's.
    unsafe { libc::strerror(code) }
}
