//! The types of `include/zookeeper/`, as Rust sees them, and its numbers.
//!
//! Sizes and offsets are the ABI; the tests compare them with Apache's header. Enums of C are
//! integers here: what comes in is any number.

use std::ffi::{c_char, c_int, c_void};

use super::zoo::Zoo;

/// `watcher_fn`.
pub type WatcherFn = extern "C" fn(*const Zoo, c_int, c_int, *const c_char, *mut c_void);
/// `log_callback_fn`.
pub type LogFn = extern "C" fn(*const c_char);
/// `void_completion_t`.
pub type VoidFn = extern "C" fn(c_int, *const c_void);
/// `stat_completion_t`.
pub type StatFn = extern "C" fn(c_int, *const Stat, *const c_void);
/// `data_completion_t`.
pub type DataFn = extern "C" fn(c_int, *const c_char, c_int, *const Stat, *const c_void);
/// `strings_completion_t`.
pub type StringsFn = extern "C" fn(c_int, *const StringVector, *const c_void);
/// `strings_stat_completion_t`.
pub type StringsStatFn = extern "C" fn(c_int, *const StringVector, *const Stat, *const c_void);
/// `string_completion_t`.
pub type StringFn = extern "C" fn(c_int, *const c_char, *const c_void);
/// `string_stat_completion_t`.
pub type StringStatFn = extern "C" fn(c_int, *const c_char, *const Stat, *const c_void);
/// `acl_completion_t`.
pub type AclFn = extern "C" fn(c_int, *mut AclVector, *mut Stat, *const c_void);

/// `struct Stat`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Stat {
    /// Zxid of the creation.
    pub czxid: i64,
    /// Zxid of the last change of the data.
    pub mzxid: i64,
    /// Wall clock of the creation, in ms since 1970.
    pub ctime: i64,
    /// Wall clock of the last change of the data, in ms since 1970.
    pub mtime: i64,
    /// Changes of the data.
    pub version: i32,
    /// Changes of the children.
    pub cversion: i32,
    /// Changes of the ACL.
    pub aversion: i32,
    /// The session that owns an ephemeral znode.
    pub ephemeral_owner: i64,
    /// Bytes of data.
    pub data_length: i32,
    /// Number of children.
    pub num_children: i32,
    /// Zxid of the last change of the children.
    pub pzxid: i64,
}

impl From<zk_wire::Stat> for Stat {
    fn from(stat: zk_wire::Stat) -> Stat {
        Stat {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            ctime: stat.ctime_ms,
            mtime: stat.mtime_ms,
            version: stat.version,
            cversion: stat.cversion,
            aversion: stat.aversion,
            ephemeral_owner: stat.ephemeral_owner,
            data_length: stat.data_length,
            num_children: stat.num_children,
            pzxid: stat.pzxid,
        }
    }
}

/// `struct String_vector`.
#[repr(C)]
#[derive(Debug)]
pub struct StringVector {
    /// Number of strings.
    pub count: i32,
    /// The strings, libc's.
    pub data: *mut *mut c_char,
}

/// `struct Id`.
#[repr(C)]
#[derive(Debug)]
pub struct Id {
    /// How the identity was proven.
    pub scheme: *mut c_char,
    /// Whose it is.
    pub id: *mut c_char,
}

/// `struct ACL`.
#[repr(C)]
#[derive(Debug)]
pub struct Acl {
    /// What is allowed, as bits.
    pub perms: i32,
    /// To whom.
    pub id: Id,
}

/// `struct ACL_vector`.
#[repr(C)]
#[derive(Debug)]
pub struct AclVector {
    /// Number of entries.
    pub count: i32,
    /// The entries, libc's.
    pub data: *mut Acl,
}

/// `clientid_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientId {
    /// The session; 0 before there is one.
    pub client_id: i64,
    /// Its password.
    pub passwd: [u8; 16],
}

/// The branch `create_op` of `zoo_op_t`, the largest one.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CreateOp {
    /// The path.
    pub path: *const c_char,
    /// The data.
    pub data: *const c_char,
    /// Bytes of data, -1 for none.
    pub datalen: c_int,
    /// Where the created path goes.
    pub buf: *mut c_char,
    /// Size of `buf`.
    pub buflen: c_int,
    /// The ACL.
    pub acl: *const AclVector,
    /// The mode.
    pub flags: c_int,
    /// Time to live in ms.
    pub ttl: i64,
}

/// The branches `delete_op` and `check_op`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct VersionOp {
    /// The path.
    pub path: *const c_char,
    /// The version, -1 for any.
    pub version: c_int,
}

/// The branch `set_op`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SetOp {
    /// The path.
    pub path: *const c_char,
    /// The data.
    pub data: *const c_char,
    /// Bytes of data, -1 for none.
    pub datalen: c_int,
    /// The version, -1 for any.
    pub version: c_int,
    /// Where the stat goes.
    pub stat: *mut Stat,
}

/// The branches.
#[repr(C)]
#[derive(Clone, Copy)]
pub union OpBranch {
    /// For types 1, 15, 19 and 21.
    pub create: CreateOp,
    /// For types 2 and 13.
    pub version: VersionOp,
    /// For type 5.
    pub set: SetOp,
}

/// `zoo_op_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ZooOp {
    /// Which branch.
    pub kind: c_int,
    /// Its arguments.
    pub branch: OpBranch,
}

/// `zoo_op_result_t`.
#[repr(C)]
#[derive(Debug)]
pub struct ZooOpResult {
    /// The operation's result.
    pub err: c_int,
    /// The buffer of a create.
    pub value: *mut c_char,
    /// Its size.
    pub valuelen: c_int,
    /// The stat of a set.
    pub stat: *mut Stat,
}

const _: () = {
    assert!(size_of::<Stat>() == 72 && size_of::<Acl>() == 24);
    assert!(size_of::<StringVector>() == 16 && size_of::<AclVector>() == 16);
    assert!(size_of::<ClientId>() == 24);
    assert!(size_of::<ZooOp>() == 72 && size_of::<ZooOpResult>() == 32);
};

/// Results that the library gives by itself.
pub mod rc {
    use std::ffi::c_int;

    /// `ZOK`.
    pub const OK: c_int = 0;
    /// `ZSYSTEMERROR`.
    pub const SYSTEM_ERROR: c_int = -1;
    /// `ZRUNTIMEINCONSISTENCY`.
    pub const RUNTIME_INCONSISTENCY: c_int = -2;
    /// `ZCONNECTIONLOSS`.
    pub const CONNECTION_LOSS: c_int = -4;
    /// `ZMARSHALLINGERROR`.
    pub const MARSHALLING_ERROR: c_int = -5;
    /// `ZUNIMPLEMENTED`.
    pub const UNIMPLEMENTED: c_int = -6;
    /// `ZOPERATIONTIMEOUT`.
    pub const OPERATION_TIMEOUT: c_int = -7;
    /// `ZBADARGUMENTS`.
    pub const BAD_ARGUMENTS: c_int = -8;
    /// `ZINVALIDSTATE`.
    pub const INVALID_STATE: c_int = -9;
    /// `ZNONODE`.
    pub const NO_NODE: c_int = -101;
    /// `ZSESSIONEXPIRED`.
    pub const SESSION_EXPIRED: c_int = -112;
    /// `ZAUTHFAILED`.
    pub const AUTH_FAILED: c_int = -115;
    /// `ZCLOSING`.
    pub const CLOSING: c_int = -116;
    /// `ZNOTHING`.
    pub const NOTHING: c_int = -117;
    /// `ZNOWATCHER`.
    pub const NO_WATCHER: c_int = -121;
}

/// States of a handle.
pub mod state {
    use std::ffi::c_int;

    /// The session is gone for ever.
    pub const EXPIRED: c_int = -112;
    /// An identity was refused; for ever.
    pub const AUTH_FAILED: c_int = -113;
    /// Between two connections.
    pub const DISCONNECTED: c_int = 0;
    /// A connection is being made; also what watchers are told when one is lost.
    pub const CONNECTING: c_int = 1;
    /// The handshake is under way.
    pub const ASSOCIATING: c_int = 2;
    /// Connected.
    pub const CONNECTED: c_int = 3;
    /// Connected with a server that takes no writes.
    pub const READ_ONLY: c_int = 5;
    /// Before the first connection.
    pub const NOT_CONNECTED: c_int = 999;
}

/// `ZOO_SESSION_EVENT`.
pub const SESSION_EVENT: c_int = -1;
/// `ZOO_READONLY`, a flag of `zookeeper_init`.
pub const FLAG_READ_ONLY: c_int = 1;
/// `ZOO_NO_LOG_CLIENTENV`, a flag of `zookeeper_init`.
pub const FLAG_NO_LOG_CLIENTENV: c_int = 2;
/// `ZOOKEEPER_WRITE`.
pub const INTEREST_WRITE: c_int = 1;
/// `ZOOKEEPER_READ`.
pub const INTEREST_READ: c_int = 2;
