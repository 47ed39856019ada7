//! The numbers of the C API.

use std::ffi::{CStr, c_char};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        $($(#[$doc])* pub const $name: i32 = $value;)*

        fn text(code: i32) -> &'static CStr {
            match code {
                $($value => $text,)*
                _ => c"unknown error",
            }
        }
    };
}

codes! {
    /// Done.
    ZKC_OK = 0, c"ok";
    /// The operating system or the library itself failed.
    ZKC_SYSTEM_ERROR = -1, c"system error";
    /// A reply that was none; in a multi: behind the operation that failed.
    ZKC_RUNTIME_INCONSISTENCY = -2, c"run time inconsistency";
    /// From a server only.
    ZKC_DATA_INCONSISTENCY = -3, c"data inconsistency";
    /// The connection ended before the answer came.
    ZKC_CONNECTION_LOSS = -4, c"connection loss";
    /// A record does not decode.
    ZKC_MARSHALLING_ERROR = -5, c"marshalling error";
    /// The server does not know the operation.
    ZKC_UNIMPLEMENTED = -6, c"unimplemented";
    /// No answer in time, or the call was cancelled.
    ZKC_OPERATION_TIMEOUT = -7, c"operation timeout";
    /// An argument is NULL, too long, unknown or otherwise wrong.
    ZKC_BAD_ARGUMENTS = -8, c"bad arguments";
    /// The handle cannot do this: it is driven by a loop, or is not.
    ZKC_INVALID_STATE = -9, c"invalid handle state";
    /// No quorum of the new configuration is connected.
    ZKC_NEW_CONFIG_NO_QUORUM = -13, c"no quorum of the new configuration is connected";
    /// Another reconfiguration is under way.
    ZKC_RECONFIG_IN_PROGRESS = -14, c"another reconfiguration is in progress";
    /// A call that this thread (inside a callback) or process (after a fork) may not make.
    ZKC_API_ERROR = -100, c"not allowed in a callback or after a fork";
    /// The znode does not exist.
    ZKC_NO_NODE = -101, c"no node";
    /// The identities of the session do not permit this.
    ZKC_NO_AUTH = -102, c"not authenticated";
    /// The znode has another version.
    ZKC_BAD_VERSION = -103, c"bad version";
    /// An ephemeral znode cannot have children.
    ZKC_NO_CHILDREN_FOR_EPHEMERALS = -108, c"no children for ephemerals";
    /// The znode exists already.
    ZKC_NODE_EXISTS = -110, c"node exists";
    /// The znode has children.
    ZKC_NOT_EMPTY = -111, c"not empty";
    /// The session has expired.
    ZKC_SESSION_EXPIRED = -112, c"session expired";
    /// From a server only.
    ZKC_INVALID_CALLBACK = -113, c"invalid callback";
    /// The ACL is empty or names an id that its scheme refuses.
    ZKC_INVALID_ACL = -114, c"invalid acl";
    /// The server refused an identity.
    ZKC_AUTH_FAILED = -115, c"authentication failed";
    /// The handle is closed, or was closed before the answer came.
    ZKC_CLOSING = -116, c"the handle is closed";
    /// There was nothing: a lock that is taken, a queue that is empty.
    ZKC_NOTHING = -117, c"nothing in time";
    /// The session has moved to another connection.
    ZKC_SESSION_MOVED = -118, c"session moved to another server";
    /// A write was sent to a server that only answers reads.
    ZKC_NOT_READ_ONLY = -119, c"a write was sent to a read-only server";
    /// A local session cannot have ephemerals.
    ZKC_EPHEMERAL_ON_LOCAL_SESSION = -120, c"no ephemerals on a local session";
    /// There is no such watch.
    ZKC_NO_WATCHER = -121, c"no such watcher";
    /// From a server only.
    ZKC_REQUEST_TIMEOUT = -122, c"request timeout";
    /// Reconfiguration is disabled on the server.
    ZKC_RECONFIG_DISABLED = -123, c"reconfiguration is disabled";
    /// The server demands an authentication that was not made.
    ZKC_REQUIRE_SASL_AUTH = -124, c"the server requires authentication";
    /// A quota would be exceeded.
    ZKC_QUOTA_EXCEEDED = -125, c"quota exceeded";
    /// Too much is under way: in the server, or in this handle (`pending_max`).
    ZKC_THROTTLED = -127, c"too many requests under way";
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
