//! Opening, looking at, driving and closing handles.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use zk_wire::Zxid;
use zk_wire::connect::PASSWORD_BYTES;

use super::border::{UserData, border, sized, text, text_or_none};
use super::call::{fill, watcher};
use super::codes::{ZKC_BAD_ARGUMENTS, ZKC_INVALID_STATE, ZKC_OK};
use super::registry::{self, Entry, zkc_client_t};
use super::types::{zkc_drop_fn, zkc_watcher_fn};
use crate::client::{Client, Settings, Watcher, WeakClient};
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::session::Identity;
use crate::state::State;
use crate::sync::Mutex;

/// A server that has lost the others will do, for reads.
pub const ZKC_OPEN_READ_ONLY: u32 = 1;
/// A session that has expired is made anew, with its watches and identities but without its
/// ephemerals; the watcher is told of both.
pub const ZKC_OPEN_RECREATE: u32 = 2;
/// The servers are tried in the order in which they are written, not in one by chance.
pub const ZKC_OPEN_IN_ORDER: u32 = 4;
/// The caller's own loop drives the handle: `zkc_fd`, `zkc_wait_ms`, `zkc_process`. No thread is
/// started for it, and blocking calls are refused.
pub const ZKC_OPEN_LOOP: u32 = 8;

/// How a handle behaves. Fill it with `zkc_options_init` first. Everything in it is copied.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct zkc_options_t {
    /// `sizeof(zkc_options_t)`, as `zkc_options_init` sets it.
    pub size: usize,
    /// `host[:port][,host[:port]...][/chroot]`; NULL for `localhost:2181`.
    pub servers: *const c_char,
    /// The session timeout to ask for, in ms; at least 1, usually 30000. The server may grant
    /// another.
    pub session_timeout_ms: i32,
    /// `ZKC_OPEN_*`, added.
    pub flags: u32,
    /// How long a call waits for its answer, in ms; 0 for as long as it takes. Usually 30000.
    pub call_timeout_ms: u64,
    /// Most calls without an answer; more get `ZKC_THROTTLED`. 0 for the usual number (1048576).
    pub pending_max: u64,
    /// Most bytes of calls that are not sent yet. 0 for the usual number (256 MiB).
    pub queued_bytes_max: u64,
    /// A session to go on with, from `zkc_session`; 0 for a new one.
    pub session_id: i64,
    /// Its password.
    pub session_password: [u8; 16],
    /// Is told of the session's states; may be NULL.
    pub watcher: zkc_watcher_fn,
    /// For the watcher.
    pub user_data: *mut c_void,
    /// Frees `user_data` when the handle is gone, or at once when opening fails.
    pub drop: zkc_drop_fn,
}

impl zkc_options_t {
    fn blank() -> zkc_options_t {
        let usual = Settings::default();
        zkc_options_t {
            size: size_of::<zkc_options_t>(),
            servers: std::ptr::null(),
            session_timeout_ms: usual.session_timeout_ms,
            flags: 0,
            call_timeout_ms: usual.call_timeout_ms,
            pending_max: 0,
            queued_bytes_max: 0,
            session_id: 0,
            session_password: [0; PASSWORD_BYTES],
            watcher: None,
            user_data: std::ptr::null_mut(),
            drop: None,
        }
    }
}

/// Fills a `zkc_options_t` with the usual values. Give `sizeof(zkc_options_t)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_options_init(options: *mut zkc_options_t, size: usize) -> i32 {
    // SAFETY: the header's promise.
    border(|| unsafe { fill(options, size, zkc_options_t::blank()) })
}

/// # Safety
/// The pointers in `options` are as the header says.
unsafe fn settings(options: &zkc_options_t) -> Result<Settings> {
    const KNOWN: u32 = ZKC_OPEN_READ_ONLY | ZKC_OPEN_RECREATE | ZKC_OPEN_IN_ORDER | ZKC_OPEN_LOOP;
    if options.flags & !KNOWN != 0 {
        let why = format!("{:#x} has bits that mean nothing", options.flags);
        return Err(Error::argument("options.flags", why));
    }
    let usual = Settings::default();
    let limit = |given: u64, usual: usize| match given {
        0 => usual,
        given => usize::try_from(given).unwrap_or(usize::MAX),
    };
    // SAFETY: as promised by the caller.
    let servers = unsafe { text_or_none("options.servers", options.servers) }?;
    Ok(Settings {
        servers: servers.map_or(usual.servers.clone(), str::to_owned),
        session_timeout_ms: options.session_timeout_ms,
        call_timeout_ms: options.call_timeout_ms,
        identity: Identity {
            id: options.session_id,
            password: options.session_password.to_vec(),
            last_zxid: Zxid::ZERO,
        },
        read_only: options.flags & ZKC_OPEN_READ_ONLY != 0,
        recreate: options.flags & ZKC_OPEN_RECREATE != 0,
        shuffle: options.flags & ZKC_OPEN_IN_ORDER == 0,
        pending_max: limit(options.pending_max, usual.pending_max),
        queued_bytes_max: limit(options.queued_bytes_max, usual.queued_bytes_max),
        watcher: None,
    })
}

/// # Safety
/// As the header says.
unsafe fn open(
    options: *const zkc_options_t,
    out: *mut *mut zkc_client_t,
    wait: bool,
) -> Result<()> {
    if out.is_null() {
        return Err(Error::argument("out", "NULL"));
    }
    // SAFETY: not NULL, and as promised by the caller.
    unsafe { out.write(std::ptr::null_mut()) };
    // SAFETY: as promised by the caller.
    let options = unsafe { sized("options", options, zkc_options_t::blank()) }?;
    let data = UserData::new(options.user_data, options.drop);
    // SAFETY: as promised by the caller.
    let mut settings = unsafe { settings(&options) }?;
    // The watcher exists before the client that it asks for the state.
    let session: Arc<Mutex<Option<WeakClient>>> = Arc::default();
    let behind = session.clone();
    let state = move || {
        let client = behind.lock().ok().and_then(|client| client.clone());
        client.map_or(State::NotConnected, |client| client.state())
    };
    // Without a watcher the data are kept all the same, until the handle is gone.
    settings.watcher = Some(match options.watcher {
        Some(told) => watcher(told, data, state),
        None => Watcher::new(move |_| {
            let _kept = &data;
        }),
    });
    let opened = match options.flags & ZKC_OPEN_LOOP {
        0 => Client::open(settings).map(|client| Entry { client, driver: None }),
        _ if wait => Err(Error::argument("options.flags", "ZKC_OPEN_LOOP cannot wait: zkc_open")),
        _ => Driver::open(settings).map(|driver| Entry {
            client: driver.client().clone(),
            driver: Some(Mutex::new(driver)),
        }),
    };
    let waited = opened.and_then(|entry| {
        *session.lock().expect("nobody panics while it holds it") =
            Some(entry.client.clone().downgrade());
        if wait && let Err(error) = entry.client.wait_connected(options.call_timeout_ms) {
            // It fails when it is closed already.
            let _ = entry.client.close();
            return Err(error);
        }
        Ok(entry)
    });
    let handle = waited.and_then(registry::add)?;
    // SAFETY: not NULL, and as promised by the caller.
    unsafe { out.write(handle) };
    Ok(())
}

fn code(result: Result<()>) -> i32 {
    match result {
        Ok(()) => ZKC_OK,
        Err(error) => {
            log::debug!("c api: {error}");
            error.code().0
        }
    }
}

/// Opens a handle without waiting for a server: calls may be made at once. `options` may be NULL.
/// Writes the handle to `out`, which must not be NULL; NULL on an error: `ZKC_BAD_ARGUMENTS` for
/// options that are wrong, `ZKC_SYSTEM_ERROR` when threads or descriptors are missing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_open(
    options: *const zkc_options_t,
    out: *mut *mut zkc_client_t,
) -> i32 {
    // SAFETY: the header's promise.
    border(|| code(unsafe { open(options, out, false) }))
}

/// As `zkc_open`, and waits until the session stands, for at most the call timeout:
/// `ZKC_OPERATION_TIMEOUT` when it does not, `ZKC_SESSION_EXPIRED` when the one to go on with is
/// over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_connect(
    options: *const zkc_options_t,
    out: *mut *mut zkc_client_t,
) -> i32 {
    // SAFETY: the header's promise.
    border(|| code(unsafe { open(options, out, true) }))
}

/// Ends the session and the handle: ephemerals and watches go. Calls before it are answered first;
/// every completion has run when it returns, unless it is called in a callback, which it does not
/// wait for. Waits at most three seconds for the server. A handle that is closed gives
/// `ZKC_CLOSING`. In a forked child the parent's session goes on, and `ZKC_API_ERROR` says so.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_close(client: *mut zkc_client_t) -> i32 {
    border(|| match registry::remove(client) {
        Err(error) => error.code().0,
        Ok(entry) => code(close(&entry)),
    })
}

fn close(entry: &Entry) -> Result<()> {
    let Some(driver) = &entry.driver else { return entry.client.close() };
    entry.client.start_close(|| ())?;
    // Inside one of its callbacks the driver is at work, and does the rest itself.
    let Ok(mut driver) = driver.try_lock() else { return Ok(()) };
    while entry.client.state() != State::Closed {
        driver.process(crate::client::CLOSE_WAIT_MS)?;
    }
    Ok(())
}

fn on(client: *const zkc_client_t, then: impl FnOnce(&Entry) -> i32) -> i32 {
    border(|| match registry::get(client) {
        Ok(entry) => then(&entry),
        Err(error) => error.code().0,
    })
}

/// The state, `ZKC_STATE_*`; `ZKC_STATE_CLOSED` for a handle that is closed or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_state(client: *const zkc_client_t) -> i32 {
    border(|| match registry::get(client) {
        Ok(entry) => entry.client.state() as i32,
        Err(_) => State::Closed as i32,
    })
}

/// Waits until the session stands, for at most so many ms (0: as long as it takes).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_wait_connected(client: *mut zkc_client_t, wait_ms: u64) -> i32 {
    on(client, |entry| code(entry.client.wait_connected(wait_ms)))
}

/// The session: its id (0 before there is one), password and granted timeout in ms, for another
/// handle to go on with. Each of the three may be NULL; `password` is 16 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_session(
    client: *const zkc_client_t,
    id: *mut i64,
    password: *mut u8,
    timeout_ms: *mut i32,
) -> i32 {
    on(client, |entry| {
        let identity = entry.client.identity();
        if !id.is_null() {
            // SAFETY: not NULL, and the header's promise.
            unsafe { id.write(identity.id) };
        }
        if !password.is_null() {
            let bytes = identity.password.len().min(PASSWORD_BYTES);
            // SAFETY: not NULL, and 16 bytes by the header's promise.
            unsafe { std::ptr::copy_nonoverlapping(identity.password.as_ptr(), password, bytes) };
        }
        if !timeout_ms.is_null() {
            // SAFETY: not NULL, and the header's promise.
            unsafe { timeout_ms.write(entry.client.session_timeout_ms()) };
        }
        ZKC_OK
    })
}

/// Writes the address of the server, as `ip:port` with a NUL, into `buffer` of `size` bytes (64
/// are enough); "" when none is connected or being connected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_server(
    client: *const zkc_client_t,
    buffer: *mut c_char,
    size: usize,
) -> i32 {
    on(client, |entry| {
        let text = entry.client.server().map(|server| server.to_string()).unwrap_or_default();
        if buffer.is_null() || size <= text.len() {
            return ZKC_BAD_ARGUMENTS;
        }
        // SAFETY: not NULL, of that size by the header's promise, and the text and a NUL fit.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast(), text.len());
            buffer.add(text.len()).write(0);
        }
        ZKC_OK
    })
}

/// Takes another list of servers, without a chroot. The handle moves with the probability that
/// balances the servers; the session goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_set_servers(client: *mut zkc_client_t, servers: *const c_char) -> i32 {
    on(client, |entry| {
        // SAFETY: the header's promise.
        let servers = unsafe { text("servers", servers) };
        code(servers.and_then(|servers| entry.client.set_servers(servers)))
    })
}

/// Calls without an answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_outstanding(client: *const zkc_client_t) -> u64 {
    registry::get(client).map_or(0, |entry| entry.client.outstanding() as u64)
}

fn driven(client: *const zkc_client_t, then: impl FnOnce(&mut Driver) -> i32) -> i32 {
    on(client, |entry| match &entry.driver {
        None => ZKC_INVALID_STATE,
        Some(driver) => match driver.try_lock() {
            Ok(mut driver) => then(&mut driver),
            // Inside one of its callbacks, or another thread is at it.
            Err(_) => super::codes::ZKC_API_ERROR,
        },
    })
}

/// With `ZKC_OPEN_LOOP`: the descriptor to watch for reading. It stays the same, belongs to the
/// handle, and must not be read or closed. `ZKC_INVALID_STATE` for other handles.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_fd(client: *const zkc_client_t, fd: *mut i32) -> i32 {
    driven(client, |driver| {
        if fd.is_null() {
            return ZKC_BAD_ARGUMENTS;
        }
        // SAFETY: not NULL, and the header's promise.
        unsafe { fd.write(driver.fd()) };
        ZKC_OK
    })
}

/// With `ZKC_OPEN_LOOP`: in how many ms `zkc_process` is due although the descriptor says nothing;
/// -1 for never. Ask again after every `zkc_process`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_wait_ms(client: *mut zkc_client_t, wait_ms: *mut i64) -> i32 {
    driven(client, |driver| {
        if wait_ms.is_null() {
            return ZKC_BAD_ARGUMENTS;
        }
        let wait = driver.wait_ms().map_or(-1, |ms| i64::try_from(ms).unwrap_or(i64::MAX));
        // SAFETY: not NULL, and the header's promise.
        unsafe { wait_ms.write(wait) };
        ZKC_OK
    })
}

/// With `ZKC_OPEN_LOOP`: does what is due and runs callbacks in this thread. Waits at most
/// `wait_ms` for something to do; 0 when the caller's loop has waited. Not inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_process(client: *mut zkc_client_t, wait_ms: u64) -> i32 {
    driven(client, |driver| code(driver.process(wait_ms)))
}
