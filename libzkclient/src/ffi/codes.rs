//! The numbers of the C API.

use std::ffi::{CStr, c_char};

/// Done.
pub const ZKC_OK: i32 = 0;
/// The operating system or the library itself failed.
pub const ZKC_SYSTEM_ERROR: i32 = -1;
/// A reply that was none; in a multi: behind the operation that failed.
pub const ZKC_RUNTIME_INCONSISTENCY: i32 = -2;
/// From a server only.
pub const ZKC_DATA_INCONSISTENCY: i32 = -3;
/// The connection ended before the answer came.
pub const ZKC_CONNECTION_LOSS: i32 = -4;
/// A record does not decode.
pub const ZKC_MARSHALLING_ERROR: i32 = -5;
/// The server does not know the operation.
pub const ZKC_UNIMPLEMENTED: i32 = -6;
/// No answer in time, or the call was cancelled.
pub const ZKC_OPERATION_TIMEOUT: i32 = -7;
/// An argument is NULL, too long, unknown or otherwise wrong.
pub const ZKC_BAD_ARGUMENTS: i32 = -8;
/// The handle cannot do this: it is driven by a loop, or is not.
pub const ZKC_INVALID_STATE: i32 = -9;
/// No quorum of the new configuration is connected.
pub const ZKC_NEW_CONFIG_NO_QUORUM: i32 = -13;
/// Another reconfiguration is under way.
pub const ZKC_RECONFIG_IN_PROGRESS: i32 = -14;
/// A call that this thread (inside a callback) or process (after a fork) may not make.
pub const ZKC_API_ERROR: i32 = -100;
/// The znode does not exist.
pub const ZKC_NO_NODE: i32 = -101;
/// The identities of the session do not permit this.
pub const ZKC_NO_AUTH: i32 = -102;
/// The znode has another version.
pub const ZKC_BAD_VERSION: i32 = -103;
/// An ephemeral znode cannot have children.
pub const ZKC_NO_CHILDREN_FOR_EPHEMERALS: i32 = -108;
/// The znode exists already.
pub const ZKC_NODE_EXISTS: i32 = -110;
/// The znode has children.
pub const ZKC_NOT_EMPTY: i32 = -111;
/// The session has expired.
pub const ZKC_SESSION_EXPIRED: i32 = -112;
/// From a server only.
pub const ZKC_INVALID_CALLBACK: i32 = -113;
/// The ACL is empty or names an id that its scheme refuses.
pub const ZKC_INVALID_ACL: i32 = -114;
/// The server refused an identity.
pub const ZKC_AUTH_FAILED: i32 = -115;
/// The handle is closed, or was closed before the answer came.
pub const ZKC_CLOSING: i32 = -116;
/// There was nothing: a lock that is taken, a queue that is empty.
pub const ZKC_NOTHING: i32 = -117;
/// The session has moved to another connection.
pub const ZKC_SESSION_MOVED: i32 = -118;
/// A write was sent to a server that only answers reads.
pub const ZKC_NOT_READ_ONLY: i32 = -119;
/// A local session cannot have ephemerals.
pub const ZKC_EPHEMERAL_ON_LOCAL_SESSION: i32 = -120;
/// There is no such watch.
pub const ZKC_NO_WATCHER: i32 = -121;
/// From a server only.
pub const ZKC_REQUEST_TIMEOUT: i32 = -122;
/// Reconfiguration is disabled on the server.
pub const ZKC_RECONFIG_DISABLED: i32 = -123;
/// The server demands an authentication that was not made.
pub const ZKC_REQUIRE_SASL_AUTH: i32 = -124;
/// A quota would be exceeded.
pub const ZKC_QUOTA_EXCEEDED: i32 = -125;
/// Too much is under way: in the server, or in this handle (`pending_max`).
pub const ZKC_THROTTLED: i32 = -127;

fn text(code: i32) -> &'static CStr {
    match code {
        ZKC_OK => c"ok",
        ZKC_SYSTEM_ERROR => c"system error",
        ZKC_RUNTIME_INCONSISTENCY => c"run time inconsistency",
        ZKC_DATA_INCONSISTENCY => c"data inconsistency",
        ZKC_CONNECTION_LOSS => c"connection loss",
        ZKC_MARSHALLING_ERROR => c"marshalling error",
        ZKC_UNIMPLEMENTED => c"unimplemented",
        ZKC_OPERATION_TIMEOUT => c"operation timeout",
        ZKC_BAD_ARGUMENTS => c"bad arguments",
        ZKC_INVALID_STATE => c"invalid handle state",
        ZKC_NEW_CONFIG_NO_QUORUM => c"no quorum of the new configuration is connected",
        ZKC_RECONFIG_IN_PROGRESS => c"another reconfiguration is in progress",
        ZKC_API_ERROR => c"not allowed in a callback or after a fork",
        ZKC_NO_NODE => c"no node",
        ZKC_NO_AUTH => c"not authenticated",
        ZKC_BAD_VERSION => c"bad version",
        ZKC_NO_CHILDREN_FOR_EPHEMERALS => c"no children for ephemerals",
        ZKC_NODE_EXISTS => c"node exists",
        ZKC_NOT_EMPTY => c"not empty",
        ZKC_SESSION_EXPIRED => c"session expired",
        ZKC_INVALID_CALLBACK => c"invalid callback",
        ZKC_INVALID_ACL => c"invalid acl",
        ZKC_AUTH_FAILED => c"authentication failed",
        ZKC_CLOSING => c"the handle is closed",
        ZKC_NOTHING => c"nothing in time",
        ZKC_SESSION_MOVED => c"session moved to another server",
        ZKC_NOT_READ_ONLY => c"a write was sent to a read-only server",
        ZKC_EPHEMERAL_ON_LOCAL_SESSION => c"no ephemerals on a local session",
        ZKC_NO_WATCHER => c"no such watcher",
        ZKC_REQUEST_TIMEOUT => c"request timeout",
        ZKC_RECONFIG_DISABLED => c"reconfiguration is disabled",
        ZKC_REQUIRE_SASL_AUTH => c"the server requires authentication",
        ZKC_QUOTA_EXCEEDED => c"quota exceeded",
        ZKC_THROTTLED => c"too many requests under way",
        _ => c"unknown error",
    }
}

/// Words for a code; never NULL, static. Any number may be given.
#[unsafe(no_mangle)]
pub extern "C" fn zkc_strerror(code: i32) -> *const c_char {
    text(code).as_ptr()
}

/// The version of the library that runs, as `major.minor.patch`; static.
#[unsafe(no_mangle)]
pub extern "C" fn zkc_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
