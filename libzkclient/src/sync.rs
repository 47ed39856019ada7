//! The locks of this library: the standard library's.
//!
//! ThreadSanitizer sees only what was compiled with it, and the standard library's locks were not:
//! each lock that is fought over would be told as a race. So a build with `--cfg tsan` (the stage
//! `races` of `.ci/run`) takes parking_lot's, compiled with the rest. What is the same under both is
//! all that the library may use. Nothing here knows what a lock is for.

#[cfg(all(not(tsan), feature = "capi"))]
pub use std::sync::RwLock;
#[cfg(not(tsan))]
pub use std::sync::{Condvar, Mutex, MutexGuard};
#[cfg(all(tsan, feature = "capi"))]
pub use watched::RwLock;
#[cfg(tsan)]
pub use watched::{Condvar, Mutex, MutexGuard};

#[cfg(tsan)]
mod watched {
    use std::sync::{LockResult, TryLockError, TryLockResult};
    use std::time::Duration;

    pub use parking_lot::MutexGuard;
    use parking_lot::{RwLockReadGuard, RwLockWriteGuard};

    /// `std::sync::Mutex`, never poisoned.
    #[derive(Debug, Default)]
    pub struct Mutex<T>(parking_lot::Mutex<T>);

    impl<T> Mutex<T> {
        pub const fn new(value: T) -> Mutex<T> {
            Mutex(parking_lot::Mutex::new(value))
        }

        pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
            Ok(self.0.lock())
        }

        pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
            self.0.try_lock().ok_or(TryLockError::WouldBlock)
        }
    }

    /// `std::sync::RwLock`, never poisoned.
    #[derive(Debug, Default)]
    pub struct RwLock<T>(parking_lot::RwLock<T>);

    impl<T> RwLock<T> {
        pub const fn new(value: T) -> RwLock<T> {
            RwLock(parking_lot::RwLock::new(value))
        }

        pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
            Ok(self.0.read())
        }

        pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
            Ok(self.0.write())
        }
    }

    /// `std::sync::Condvar`.
    #[derive(Debug, Default)]
    pub struct Condvar(parking_lot::Condvar);

    impl Condvar {
        pub const fn new() -> Condvar {
            Condvar(parking_lot::Condvar::new())
        }

        pub fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
            self.0.wait(&mut guard);
            Ok(guard)
        }

        pub fn wait_timeout<'a, T>(
            &self,
            mut guard: MutexGuard<'a, T>,
            at_most: Duration,
        ) -> LockResult<(MutexGuard<'a, T>, bool)> {
            let waited = self.0.wait_for(&mut guard, at_most);
            Ok((guard, waited.timed_out()))
        }

        pub fn notify_one(&self) {
            self.0.notify_one();
        }

        pub fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}
