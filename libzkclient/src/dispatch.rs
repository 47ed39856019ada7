//! Threads that run callbacks, so that a callback may call the library and hold up nobody's I/O.
//!
//! Each handle has a lane; the jobs of a lane run one at a time and in order. One thread serves all
//! lanes. Where callbacks may block (the drop-in allows it, as Apache's client does), another
//! thread is started when a lane has waited for a while, and ends when it has nothing to do: the
//! callbacks of two handles may then wait for each other.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crate::clock::now_ms;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// What a lane runs.
pub type Job = Box<dyn FnOnce() + Send>;

/// Stack of a thread that runs callbacks, in bytes: what a pthread has by default, because C
/// callbacks put large arrays there. Reserved, not used, until a callback needs it.
const STACK_BYTES: usize = 8 << 20;

/// How long a lane waits for a thread before another is started, in ms.
const RELIEF_MS: u64 = 20;

/// Most threads, whatever waits.
const THREADS_MAX: usize = 256;

thread_local! {
    static LANE: Cell<usize> = const { Cell::new(0) };
}

/// Whether this thread runs a callback just now.
pub fn in_callback() -> bool {
    LANE.get() != 0
}

/// Runs callbacks in the caller's own thread, which then counts as one that runs callbacks.
pub fn inline(run: impl FnOnce()) {
    let before = LANE.replace(usize::MAX);
    run();
    LANE.set(before);
}

/// All lanes and their threads.
pub struct Dispatch {
    state: Mutex<State>,
    wake: Condvar,
    /// Lanes that have work or are at work.
    busy: AtomicUsize,
}

#[derive(Default)]
struct State {
    ready: VecDeque<(Arc<Lane>, u64)>,
    threads: Vec<JoinHandle<()>>,
    running: usize,
    idle: usize,
    stop: bool,
}

/// The callbacks of one handle.
pub struct Lane {
    number: usize,
    dispatch: Arc<Dispatch>,
    jobs: Mutex<Jobs>,
}

#[derive(Default)]
struct Jobs {
    queue: VecDeque<Job>,
    /// Whether the lane stands in `ready` or is being run.
    scheduled: bool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code of ours panics while it holds one of these; callbacks run without any.
    mutex.lock().expect("a lock of the dispatcher is never poisoned")
}

impl Dispatch {
    /// A dispatcher without threads: the first job starts one.
    pub fn new() -> Arc<Dispatch> {
        let (state, wake) = (Mutex::default(), Condvar::new());
        Arc::new(Dispatch { state, wake, busy: AtomicUsize::new(0) })
    }

    /// A lane for another handle.
    pub fn lane(self: &Arc<Dispatch>) -> Arc<Lane> {
        static NUMBER: AtomicUsize = AtomicUsize::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Arc::new(Lane { number, dispatch: self.clone(), jobs: Mutex::default() })
    }

    /// Whether any callback is running or due.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }

    /// Starts another thread when a lane has waited too long for one. To be called now and then
    /// while the dispatcher is busy.
    pub fn relieve(self: &Arc<Dispatch>) {
        let mut state = locked(&self.state);
        let late = state.ready.front().is_some_and(|(_, since)| now_ms() >= since + RELIEF_MS);
        if late && state.idle == 0 && state.running < THREADS_MAX {
            self.start(&mut state);
        }
    }

    fn start(self: &Arc<Dispatch>, state: &mut State) {
        let dispatch = self.clone();
        let builder = std::thread::Builder::new().name("zkc-callbacks".to_owned());
        match builder.stack_size(STACK_BYTES).spawn(move || dispatch.run()) {
            Ok(thread) => {
                state.running += 1;
                state.threads.retain(|thread| !thread.is_finished());
                state.threads.push(thread);
            }
            // The next relief tries again; what waits is not lost.
            Err(error) => log::error!("callbacks: no thread for them, trying again: {error}"),
        }
    }

    fn schedule(self: &Arc<Dispatch>, lane: Arc<Lane>) {
        self.busy.fetch_add(1, Ordering::Relaxed);
        let mut state = locked(&self.state);
        state.ready.push_back((lane, now_ms()));
        if state.running == 0 {
            self.start(&mut state);
        } else if state.idle > 0 {
            self.wake.notify_one();
        }
    }

    fn run(&self) {
        let mut state = locked(&self.state);
        loop {
            let Some((lane, _)) = state.ready.pop_front() else {
                if state.stop || state.running > 1 {
                    state.running -= 1;
                    return;
                }
                state.idle += 1;
                state = self.wake.wait(state).expect("a lock of the dispatcher is never poisoned");
                state.idle -= 1;
                continue;
            };
            drop(state);
            let more = lane.run_once();
            state = locked(&self.state);
            match more {
                true => state.ready.push_back((lane, now_ms())),
                false => {
                    self.busy.fetch_sub(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Ends the threads once nothing is due, and waits for that unless the caller is one of them.
    pub fn stop(&self) {
        let threads = {
            let mut state = locked(&self.state);
            state.stop = true;
            std::mem::take(&mut state.threads)
        };
        self.wake.notify_all();
        // Callbacks of the last handle may end it: their thread ends by itself.
        for thread in threads.into_iter().filter(|_| !in_callback()) {
            // A callback's panic was caught and told where it happened.
            let _ = thread.join();
        }
    }
}

impl Lane {
    /// Adds a job behind those of this lane.
    pub fn push(self: &Arc<Lane>, job: Job) {
        let mut jobs = locked(&self.jobs);
        jobs.queue.push_back(job);
        if !std::mem::replace(&mut jobs.scheduled, true) {
            drop(jobs);
            self.dispatch.schedule(self.clone());
        }
    }

    /// Whether no job of this lane is due or running.
    pub fn is_idle(&self) -> bool {
        !locked(&self.jobs).scheduled
    }

    /// Whether this thread runs a callback of this lane.
    pub fn is_current(&self) -> bool {
        LANE.get() == self.number
    }

    /// Runs what is due. Returns whether more has come meanwhile.
    fn run_once(&self) -> bool {
        let due = std::mem::take(&mut locked(&self.jobs).queue);
        LANE.set(self.number);
        for job in due {
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                log::error!("callbacks: a callback has panicked; the others go on");
            }
        }
        LANE.set(0);
        let mut jobs = locked(&self.jobs);
        jobs.scheduled = !jobs.queue.is_empty();
        jobs.scheduled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_lane_runs_in_order_and_survives_a_panic() {
        let dispatch = Dispatch::new();
        let lane = dispatch.lane();
        let (send, seen) = mpsc::channel();
        for number in 0..100 {
            let send = send.clone();
            lane.push(Box::new(move || {
                send.send((number, in_callback())).unwrap();
                assert!(number != 50, "a callback's own failure");
            }));
        }
        for number in 0..100 {
            assert_eq!(seen.recv().unwrap(), (number, true));
        }
        assert!(!in_callback());
        dispatch.stop();
        assert_eq!(locked(&dispatch.state).running, 0);
    }

    /// The callback of one handle waits for that of another: Apache's client has a thread for each
    /// and permits it.
    #[test]
    fn lanes_may_wait_for_each_other() {
        let dispatch = Dispatch::new();
        let (one, other) = (dispatch.lane(), dispatch.lane());
        let (send, wait) = mpsc::channel();
        let (done, seen) = mpsc::channel();
        one.push(Box::new(move || done.send(wait.recv()).unwrap()));
        other.push(Box::new(move || send.send(7).unwrap()));
        let result = loop {
            dispatch.relieve();
            match seen.recv_timeout(std::time::Duration::from_millis(5)) {
                Ok(result) => break result,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(result, Ok(7));
        dispatch.stop();
    }
}
