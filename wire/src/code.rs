//! The error numbers of ZooKeeper (`KeeperException.Code`), which are also ours.

/// An error number of the protocol. `Code::OK` is 0, everything else is negative.
///
/// A newtype and not an enum, because numbers arrive from peers and files that we do not choose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub i32);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $value:expr, $text:expr;)*) => {
        impl Code {
            $($(#[$doc])* pub const $name: Code = Code($value);)*

            /// The name of the number as ZooKeeper spells it, or `None` for a number it never gave.
            pub fn name(self) -> Option<&'static str> {
                match self.0 { $($value => Some($text),)* _ => None }
            }
        }
    };
}

codes! {
    /// No error.
    OK = 0, "OK";
    /// Practically never sent.
    SYSTEM_ERROR = -1, "SYSTEMERROR";
    /// Result of each operation of a failed multi that stands after the one that failed.
    RUNTIME_INCONSISTENCY = -2, "RUNTIMEINCONSISTENCY";
    /// Client side only.
    DATA_INCONSISTENCY = -3, "DATAINCONSISTENCY";
    /// Client side only: the connection was lost before the answer came.
    CONNECTION_LOSS = -4, "CONNECTIONLOSS";
    /// The request's record does not decode.
    MARSHALLING_ERROR = -5, "MARSHALLINGERROR";
    /// The operation is not known here, or is switched off.
    UNIMPLEMENTED = -6, "UNIMPLEMENTED";
    /// Client side only.
    OPERATION_TIMEOUT = -7, "OPERATIONTIMEOUT";
    /// A path, flag or other argument is invalid.
    BAD_ARGUMENTS = -8, "BADARGUMENTS";
    /// Client side only: the handle is not in a state to do this.
    INVALID_STATE = -9, "INVALIDSTATE";
    /// The session is not known (a race in a standalone server).
    UNKNOWN_SESSION = -12, "UNKNOWNSESSION";
    /// Reconfiguration: no quorum of the new configuration is connected.
    NEW_CONFIG_NO_QUORUM = -13, "NEWCONFIGNOQUORUM";
    /// Reconfiguration: another one is under way.
    RECONFIG_IN_PROGRESS = -14, "RECONFIGINPROGRESS";
    /// The znode does not exist.
    NO_NODE = -101, "NONODE";
    /// The identities of the connection do not permit this.
    NO_AUTH = -102, "NOAUTH";
    /// The expected version is not the znode's.
    BAD_VERSION = -103, "BADVERSION";
    /// An ephemeral znode cannot have children.
    NO_CHILDREN_FOR_EPHEMERALS = -108, "NOCHILDRENFOREPHEMERALS";
    /// The znode exists already.
    NODE_EXISTS = -110, "NODEEXISTS";
    /// The znode has children.
    NOT_EMPTY = -111, "NOTEMPTY";
    /// The session has expired.
    SESSION_EXPIRED = -112, "SESSIONEXPIRED";
    /// Client side only.
    INVALID_CALLBACK = -113, "INVALIDCALLBACK";
    /// The ACL list is empty or names an id that its scheme refuses.
    INVALID_ACL = -114, "INVALIDACL";
    /// Authentication failed; the connection is closed after this reply.
    AUTH_FAILED = -115, "AUTHFAILED";
    /// The session has moved to another connection. Never sent: the connection is closed.
    SESSION_MOVED = -118, "SESSIONMOVED";
    /// A write was sent to a read-only server.
    NOT_READ_ONLY = -119, "NOTREADONLY";
    /// A local session cannot own ephemerals.
    EPHEMERAL_ON_LOCAL_SESSION = -120, "EPHEMERALONLOCALSESSION";
    /// There is no such watch on this connection.
    NO_WATCHER = -121, "NOWATCHER";
    /// Client side only.
    REQUEST_TIMEOUT = -122, "REQUESTTIMEOUT";
    /// Reconfiguration is disabled.
    RECONFIG_DISABLED = -123, "RECONFIGDISABLED";
    /// Authentication is enforced and missing; the connection is closed after this reply.
    SESSION_CLOSED_REQUIRE_SASL_AUTH = -124, "SESSIONCLOSEDREQUIRESASLAUTH";
    /// A hard quota would be exceeded.
    QUOTA_EXCEEDED = -125, "QUOTAEXCEEDED";
    /// The request waited too long in the throttle and was not executed.
    THROTTLED_OP = -127, "THROTTLEDOP";
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name}({})", self.0),
            None => write!(f, "Code({})", self.0),
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f)
    }
}
