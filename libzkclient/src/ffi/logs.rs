//! What the library has to say, for whoever wants to hear it.

use std::ffi::{CString, c_char, c_void};

use super::border::{UserData, border};
use super::codes::{ZKC_BAD_ARGUMENTS, ZKC_INVALID_STATE, ZKC_OK};
use super::types::zkc_drop_fn;
use crate::sync::RwLock;

/// Nothing.
pub const ZKC_LOG_OFF: i32 = 0;
/// What has failed and will not mend itself.
pub const ZKC_LOG_ERROR: i32 = 1;
/// What has failed and is tried again.
pub const ZKC_LOG_WARN: i32 = 2;
/// What an operator would want to know.
pub const ZKC_LOG_INFO: i32 = 3;
/// What somebody who looks for a fault would want to know.
pub const ZKC_LOG_DEBUG: i32 = 4;

/// Gets a line, without a line end: its level (`ZKC_LOG_*`), the part of the library that says it,
/// and the words. Both texts are borrowed. Runs on any thread, and must not call the library. No
/// data of znodes and no credentials are in it.
pub type zkc_log_fn = Option<
    unsafe extern "C" fn(
        level: i32,
        part: *const c_char,
        line: *const c_char,
        user_data: *mut c_void,
    ),
>;

struct Sink {
    told: unsafe extern "C" fn(i32, *const c_char, *const c_char, *mut c_void),
    data: UserData,
}

struct Logger {
    sink: RwLock<Option<Sink>>,
}

static LOGGER: Logger = Logger { sink: RwLock::new(None) };

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let Ok(sink) = self.sink.read() else { return };
        let Some(sink) = &*sink else { return };
        let part = CString::new(record.target()).unwrap_or_default();
        let line = CString::new(record.args().to_string()).unwrap_or_default();
        let level = (record.level() as i32).min(ZKC_LOG_DEBUG);
        // SAFETY: the caller's function, with the caller's data, which are kept while it is set.
        unsafe { (sink.told)(level, part.as_ptr(), line.as_ptr(), sink.data.get()) };
    }

    fn flush(&self) {}
}

/// Says who hears the lines of all handles of this process up to a level, in the place of who heard
/// them before; NULL for nobody. `drop` frees `user_data` when another takes its place, or at once
/// when this fails. `ZKC_INVALID_STATE` in a program of Rust that has a logger of its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zkc_set_log(
    level: i32,
    told: zkc_log_fn,
    user_data: *mut c_void,
    drop: zkc_drop_fn,
) -> i32 {
    border(|| {
        let data = UserData::new(user_data, drop);
        let filter = match level {
            ZKC_LOG_OFF => log::LevelFilter::Off,
            ZKC_LOG_ERROR => log::LevelFilter::Error,
            ZKC_LOG_WARN => log::LevelFilter::Warn,
            ZKC_LOG_INFO => log::LevelFilter::Info,
            ZKC_LOG_DEBUG => log::LevelFilter::Debug,
            _ => return ZKC_BAD_ARGUMENTS,
        };
        static FIRST: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        if !FIRST.get_or_init(|| log::set_logger(&LOGGER).is_ok()) {
            return ZKC_INVALID_STATE;
        }
        let sink = told.map(|told| Sink { told, data });
        log::set_max_level(if sink.is_some() { filter } else { log::LevelFilter::Off });
        let Ok(mut now) = LOGGER.sink.write() else { return ZKC_INVALID_STATE };
        let before = std::mem::replace(&mut *now, sink);
        // The old data are freed without the lock: their function may be long.
        std::mem::drop(now);
        std::mem::drop(before);
        ZKC_OK
    })
}
