//! What people build on ZooKeeper, built once: locks, elections, queues, barriers, counters, and a
//! cache of a subtree.
//!
//! All of them are blocking and stand on the public API alone. What each promises when a process
//! dies, a connection is lost or a session expires stands at its type. Whoever holds something
//! holds a *fencing token* with it: a number that grows with every holder. A resource that
//! remembers the largest token it has seen, and refuses smaller ones, is safe even from a holder
//! that was paused for longer than its session and does not know that it has lost.

mod place;
mod lock;
mod election;
mod queue;
mod barrier;
mod counter;
mod cache;

pub use barrier::{Barrier, DoubleBarrier};
pub use cache::{Cache, CacheEvent, Cached};
pub use counter::Counter;
pub use election::{Election, Leader};
pub use lock::{Held, Holding, Lock, RwLock, Semaphore};
pub use queue::{Claimed, Queue};
