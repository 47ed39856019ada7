//! The functions of `zookeeper.h` about handles, servers, identities and the log.

use std::cell::RefCell;
use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::net::SocketAddr;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::abi::*;
use super::calls::{Call, Completion, Done, Shape};
use super::open::{IN_ORDER, Settings};
use super::zoo::{self, Zoo};
use super::{errors, log, memory};

/// A handle that can be asked, or what the call answers.
pub fn alive(zh: *const Zoo) -> Result<Arc<Zoo>, c_int> {
    let zoo = Zoo::enter(zh).ok_or(rc::BAD_ARGUMENTS)?;
    if zoo.is_foreign() { Err(rc::INVALID_STATE) } else { Ok(zoo) }
}

/// The result of a call that may fail on its way.
pub fn code(result: Result<c_int, c_int>) -> c_int {
    result.unwrap_or_else(|rc| rc)
}

export! {
    /// `zookeeper_init` and `zookeeper_init2`, for a library with or without threads.
    fn zkd_init(
        threaded: c_int,
        host: *const c_char,
        watcher: Option<WatcherFn>,
        timeout_ms: c_int,
        id: *const ClientId,
        context: *mut c_void,
        flags: c_int,
        log: Option<LogFn>,
    ) -> *const Zoo [std::ptr::null()] {
        let opened = Zoo::open(&Settings {
            threaded: threaded != 0,
            host: memory::text(host),
            watcher,
            timeout_ms,
            id: memory::get(id),
            context,
            flags,
            log,
        });
        match opened {
            Ok(zoo) => Arc::into_raw(zoo),
            Err(errno) => {
                memory::set_errno(errno);
                std::ptr::null()
            }
        }
    }

    /// Ends the session and releases the handle.
    fn zookeeper_close(zh: *const Zoo) -> c_int [rc::SYSTEM_ERROR] {
        Zoo::close(zh)
    }

    /// The state.
    fn zoo_state(zh: *const Zoo) -> c_int [0] {
        alive(zh).map_or(0, |zoo| zoo.state())
    }

    /// Whether the handle can only be closed.
    fn is_unrecoverable(zh: *const Zoo) -> c_int [rc::INVALID_STATE] {
        code(alive(zh).map(|zoo| if zoo.state() < 0 { rc::INVALID_STATE } else { rc::OK }))
    }

    /// What takes the session over.
    fn zoo_client_id(zh: *const Zoo) -> *const ClientId [std::ptr::null()] {
        Zoo::enter(zh).map_or(std::ptr::null(), |zoo| zoo.client_id())
    }

    /// The session timeout in ms.
    fn zoo_recv_timeout(zh: *const Zoo) -> c_int [rc::SYSTEM_ERROR] {
        code(alive(zh).map(|zoo| zoo.core().with(|session| session.timeout_ms())))
    }

    /// What watchers are given.
    fn zoo_get_context(zh: *const Zoo) -> *const c_void [std::ptr::null()] {
        Zoo::enter(zh).map_or(std::ptr::null(), |zoo| zoo.context().cast_const())
    }

    /// Sets what watchers are given.
    fn zoo_set_context(zh: *const Zoo, context: *mut c_void) -> () [()] {
        if let Some(zoo) = Zoo::enter(zh) {
            zoo.set_context(context);
        }
    }

    /// Sets the default watcher; returns the old one.
    fn zoo_set_watcher(zh: *const Zoo, watcher: Option<WatcherFn>) -> Option<WatcherFn> [None] {
        Zoo::enter(zh).map(|zoo| zoo.set_watcher(watcher.unwrap_or(zoo::nobody)))
    }

    /// The address of the server, once connected.
    fn zookeeper_get_connected_host(
        zh: *const Zoo,
        to: *mut libc::sockaddr,
        length: *mut libc::socklen_t,
    ) -> *mut libc::sockaddr [null_mut()] {
        let Ok(zoo) = alive(zh) else { return null_mut() };
        if zoo.state() != state::CONNECTED {
            return null_mut();
        }
        let address = zoo.core().with(|session| session.address());
        match (address, memory::get(length)) {
            (Some(address), Some(room)) if put_address(address, to, room, length) => to,
            _ => null_mut(),
        }
    }

    /// Another list of servers.
    fn zoo_set_servers(zh: *const Zoo, hosts: *const c_char) -> c_int [rc::SYSTEM_ERROR] {
        code(alive(zh).map(|zoo| match memory::text(hosts) {
            Some(hosts) => zoo.set_servers(hosts),
            None => rc::BAD_ARGUMENTS,
        }))
    }

    /// How often names are looked up. They are looked up when a connection is lost, which is as
    /// seldom as anybody asks for, so that only the arguments are checked.
    fn zoo_set_servers_resolution_delay(zh: *const Zoo, delay_ms: c_int) -> c_int
        [rc::SYSTEM_ERROR]
    {
        match alive(zh) {
            Ok(_) if delay_ms < -1 => rc::BAD_ARGUMENTS,
            Ok(_) => rc::OK,
            Err(rc) => rc,
        }
    }

    /// The next connection goes one server further.
    fn zoo_cycle_next_server(zh: *const Zoo) -> () [()] {
        if let Ok(zoo) = alive(zh) {
            zoo.core().change(|_, session| session.skip_server());
        }
    }

    /// The server in use.
    fn zoo_get_current_server(zh: *const Zoo) -> *const c_char [std::ptr::null()] {
        thread_local! {
            static TEXT: RefCell<CString> = RefCell::default();
        }
        let address = alive(zh).ok().and_then(|zoo| zoo.core().with(|session| session.address()));
        let text = address.map_or(":0".to_owned(), |address| address.to_string());
        TEXT.with(|kept| {
            *kept.borrow_mut() = CString::new(text).unwrap_or_default();
            kept.borrow().as_ptr()
        })
    }

    /// Whether handles try their servers in the order of the list.
    fn zoo_deterministic_conn_order(yes: c_int) -> () [()] {
        IN_ORDER.store(yes != 0, Ordering::Relaxed);
    }

    /// Adds an identity.
    fn zoo_add_auth(
        zh: *const Zoo,
        scheme: *const c_char,
        cert: *const c_char,
        length: c_int,
        completion: Option<VoidFn>,
        data: *const c_void,
    ) -> c_int [rc::SYSTEM_ERROR] {
        let Ok(zoo) = alive(zh) else { return rc::BAD_ARGUMENTS };
        let Some(scheme) = memory::text(scheme) else { return rc::BAD_ARGUMENTS };
        let auth = memory::bytes(cert, length).unwrap_or(b"");
        let done = completion.map(|completion| Done {
            completion: Completion::Call(Call { shape: Shape::Void(completion), data }),
            unwatch: None,
        });
        let scheme = String::from_utf8_lossy(scheme);
        let added = zoo.core().change(|now_ms, session| {
            session.add_auth(now_ms, &scheme, auth, done)
        });
        if added.is_ok() { rc::OK } else { rc::INVALID_STATE }
    }

    /// What to wait for, in a library without threads.
    fn zookeeper_interest(
        zh: *const Zoo,
        fd: *mut c_int,
        interest: *mut c_int,
        wait: *mut libc::timeval,
    ) -> c_int [rc::SYSTEM_ERROR] {
        memory::put(fd, -1);
        memory::put(interest, 0);
        memory::put(wait, libc::timeval { tv_sec: 0, tv_usec: 0 });
        let zoo = match alive(zh) {
            Ok(zoo) => zoo,
            Err(rc) => return rc,
        };
        let Some((descriptor, wait_ms, result)) = zoo.turn() else { return rc::INVALID_STATE };
        if result != rc::INVALID_STATE && descriptor >= 0 {
            memory::put(fd, descriptor);
            memory::put(interest, INTEREST_READ);
        }
        let wait_ms = wait_ms.min(3_600_000) as libc::time_t;
        let (tv_sec, tv_usec) = (wait_ms / 1000, wait_ms % 1000 * 1000);
        memory::put(wait, libc::timeval { tv_sec, tv_usec });
        if result == rc::NOTHING { rc::OK } else { result }
    }

    /// Does what is due, in a library without threads.
    fn zookeeper_process(zh: *const Zoo, events: c_int) -> c_int [rc::SYSTEM_ERROR] {
        let result = alive(zh).map(|zoo| zoo.turn().map_or(rc::INVALID_STATE, |turn| turn.2));
        match code(result) {
            rc::NOTHING if events & INTEREST_READ == 0 => rc::OK,
            result => result,
        }
    }

    /// The text of a result.
    fn zerror(number: c_int) -> *const c_char [c"".as_ptr()] {
        errors::zerror(number)
    }

    /// What is logged.
    fn zoo_set_debug_level(level: c_uint) -> () [()] {
        log::set_level(level);
    }

    /// Where to.
    fn zoo_set_log_stream(stream: *mut libc::FILE) -> () [()] {
        log::set_stream(stream);
    }

    /// Where the log of the process goes.
    fn zoo_get_log_stream() -> *mut libc::FILE [null_mut()] {
        log::stream()
    }

    /// Where the log of a handle goes.
    fn zoo_get_log_callback(zh: *const Zoo) -> Option<LogFn> [None] {
        Zoo::enter(zh).and_then(|zoo| zoo.log())
    }

    /// Sets where the log of a handle goes.
    fn zoo_set_log_callback(zh: *const Zoo, callback: Option<LogFn>) -> () [()] {
        if let Some(zoo) = Zoo::enter(zh) {
            zoo.set_log(callback);
        }
    }

    /// A line of the program's, in the form of ours.
    fn zkd_log(
        threaded: c_int,
        callback: Option<LogFn>,
        level: c_int,
        line: c_int,
        function: *const c_char,
        text: *const c_char,
    ) -> () [()] {
        log::set_threaded(threaded != 0);
        let (function, text) = (memory::text(function), memory::text(text));
        log::write(callback, level, line, function.unwrap_or(b""), text.unwrap_or(b""));
    }
}

/// Writes an address as the system's functions do. False when there is no room.
fn put_address(
    address: SocketAddr,
    to: *mut libc::sockaddr,
    room: libc::socklen_t,
    length: *mut libc::socklen_t,
) -> bool {
    let port = address.port().to_be();
    match address {
        SocketAddr::V4(v4) => {
            let value = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: port,
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            };
            put_sized(value, to, room, length)
        }
        SocketAddr::V6(v6) => {
            let value = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: port,
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            put_sized(value, to, room, length)
        }
    }
}

fn put_sized<T>(
    value: T,
    to: *mut libc::sockaddr,
    room: libc::socklen_t,
    length: *mut libc::socklen_t,
) -> bool {
    let size = size_of::<T>() as libc::socklen_t;
    if to.is_null() || room < size {
        return false;
    }
    memory::put(to.cast::<T>(), value);
    memory::put(length, size);
    true
}
