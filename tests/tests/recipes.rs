//! The recipes of the client library against a real server: their promises, and what becomes of
//! them when a holder dies or the server goes away.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use zk_tests::fixture;
use zk_tests::server::Server;
use zk_wire::Code;
use zkclient::calls::Mode;
use zkclient::recipes::{
    Barrier, Cache, CacheEvent, Counter, DoubleBarrier, Election, Holding, Lock, Queue, RwLock,
    Semaphore,
};
use zkclient::{Client, Error, Settings};

const LIMIT: Duration = Duration::from_secs(20);
const WAIT: Option<Duration> = Some(LIMIT);
const NOW: Option<Duration> = Some(Duration::ZERO);

fn connect(server: &Server) -> Client {
    let servers = server.address().to_string();
    Client::connect(Settings { servers, ..Settings::default() }).expect("a session")
}

/// Waits for the thing itself.
fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < LIMIT, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Goal: at most one of many holds the lock, tokens only grow, and everybody gets it.
#[test]
fn one_holds_the_lock() {
    let Some(server) = fixture::server() else { return };
    let (inside, newest, rounds) = (AtomicUsize::new(0), AtomicI64::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let client = connect(&server);
                let lock = Lock::new(&client, "/locks/one");
                for _ in 0..10 {
                    let held = lock.acquire(WAIT).unwrap().expect("in time");
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two are inside");
                    let before = newest.swap(held.token(), Ordering::SeqCst);
                    assert!(before < held.token(), "{before} before {}", held.token());
                    assert_eq!(held.holding(), Holding::Held);
                    inside.fetch_sub(1, Ordering::SeqCst);
                    rounds.fetch_add(1, Ordering::SeqCst);
                    held.release().unwrap();
                }
            });
        }
    });
    assert_eq!(rounds.into_inner(), 40);
}

#[test]
fn a_lock_is_lost_with_its_znode_and_passed_on_with_its_session() {
    let Some(server) = fixture::server() else { return };
    let (one, other) = (connect(&server), connect(&server));
    let held = Lock::new(&one, "/l").acquire(WAIT).unwrap().unwrap();
    let lock = Lock::new(&other, "/l");
    assert!(lock.acquire(NOW).unwrap().is_none(), "it is taken");
    assert_eq!(other.children("/l", false).unwrap().len(), 1, "who gave up has left the line");
    other.set(held.path(), Some(b"x"), -1).unwrap();
    assert_eq!(held.holding(), Holding::Held);
    other.delete(held.path(), -1).unwrap();
    until("the loss is noticed", || held.holding() == Holding::Lost);
    let next = lock.acquire(NOW).unwrap().expect("it is free");
    assert!(next.token() > held.token());
    let waiting = Lock::new(&one, "/l");
    std::thread::scope(|scope| {
        let waiter = scope.spawn(move || waiting.acquire(WAIT).unwrap().is_some());
        until("two stand in line", || other.children("/l", false).unwrap().len() == 2);
        other.close().unwrap();
        assert!(waiter.join().unwrap());
    });
    assert_eq!(next.holding(), Holding::Lost);
}

#[test]
fn a_lock_outlives_a_restart_of_the_server() {
    let Some(mut server) = fixture::server() else { return };
    let client = connect(&server);
    let held = Lock::new(&client, "/l").acquire(WAIT).unwrap().unwrap();
    let token = held.token();
    server.kill();
    until("the loss of the connection is noticed", || held.holding() == Holding::Suspect);
    server.restart();
    until("it is held again", || held.holding() == Holding::Held);
    assert_eq!(client.exists(held.path(), false).unwrap().czxid, token);
    held.release().unwrap();
    assert_eq!(client.children("/l", false).unwrap().len(), 0);
}

#[test]
fn readers_share_and_writers_do_not() {
    let Some(server) = fixture::server() else { return };
    let client = connect(&server);
    let lock = RwLock::new(&client, "/rw");
    let readers = [lock.read(NOW).unwrap().unwrap(), lock.read(NOW).unwrap().unwrap()];
    assert!(lock.write(NOW).unwrap().is_none());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| lock.write(WAIT).unwrap().unwrap());
        until("the writer waits", || client.children("/rw", false).unwrap().len() == 3);
        assert!(lock.read(NOW).unwrap().is_none(), "a reader does not pass a writer that waits");
        readers.into_iter().for_each(|reader| reader.release().unwrap());
        let writer = writer.join().unwrap();
        assert!(lock.read(NOW).unwrap().is_none());
        drop(writer);
        assert!(lock.read(WAIT).unwrap().is_some());
    });
}

#[test]
fn a_semaphore_has_so_many_permits() {
    let Some(server) = fixture::server() else { return };
    let client = connect(&server);
    assert!(matches!(Semaphore::new(&client, "/s", 0), Err(Error::BadArgument { .. })));
    let semaphore = Semaphore::new(&client, "/s", 2).unwrap();
    let one = semaphore.acquire(NOW).unwrap().unwrap();
    let _other = semaphore.acquire(NOW).unwrap().unwrap();
    assert!(semaphore.acquire(NOW).unwrap().is_none());
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| semaphore.acquire(WAIT).unwrap().is_some());
        until("three stand in line", || client.children("/s", false).unwrap().len() == 3);
        one.release().unwrap();
        assert!(waiter.join().unwrap());
    });
}

#[test]
fn a_leader_is_followed_by_the_next_candidate() {
    let Some(server) = fixture::server() else { return };
    let (one, other) = (connect(&server), connect(&server));
    let election = Election::new(&one, "/e");
    assert_eq!(election.leader().unwrap(), None);
    let first = election.campaign(b"one", WAIT).unwrap().unwrap();
    assert_eq!(election.leader().unwrap(), Some((b"one".to_vec(), first.term())));
    let second = Election::new(&other, "/e");
    std::thread::scope(|scope| {
        let candidate = scope.spawn(move || second.campaign(b"other", WAIT).unwrap().unwrap());
        until("both stand", || election.candidates(9).unwrap().len() == 2);
        let term = first.term();
        first.resign().unwrap();
        let leader = candidate.join().unwrap();
        assert!(leader.term() > term && leader.holding() == Holding::Held);
        assert_eq!(election.leader().unwrap().unwrap().0, b"other");
    });
}

#[test]
fn items_leave_a_queue_in_order_and_once() {
    let Some(server) = fixture::server() else { return };
    let client = connect(&server);
    let queue = Queue::new(&client, "/jobs/queue");
    assert!(queue.take(NOW).unwrap().is_none() && queue.is_empty().unwrap());
    for number in 0..50u8 {
        queue.put(&[number]).unwrap();
    }
    queue.put_with(b"last", 999).unwrap();
    queue.put_with(b"first", 0).unwrap();
    assert!(matches!(queue.put_with(b"", 1000), Err(Error::BadArgument { .. })));
    assert_eq!((queue.len().unwrap(), queue.take(NOW).unwrap()), (52, Some(b"first".to_vec())));
    let (send, taken) = channel();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let (server, send) = (&server, send.clone());
            scope.spawn(move || {
                let client = connect(server);
                let queue = Queue::new(&client, "/jobs/queue");
                while let Some(item) = queue.take(NOW).unwrap() {
                    send.send(item).unwrap();
                }
            });
        }
    });
    drop(send);
    let mut items: Vec<_> = taken.iter().collect();
    assert_eq!(items.pop().unwrap(), b"last");
    items.sort();
    assert_eq!(items, (0..50u8).map(|number| vec![number]).collect::<Vec<_>>());
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| queue.take(WAIT).unwrap());
        queue.put(b"late").unwrap();
        assert_eq!(waiter.join().unwrap(), Some(b"late".to_vec()));
    });
}

#[test]
fn a_claim_ends_with_its_session_and_the_item_stays() {
    let Some(server) = fixture::server() else { return };
    let (one, other) = (connect(&server), connect(&server));
    let (first, second) = (Queue::new(&one, "/q"), Queue::new(&other, "/q"));
    first.put(b"x").unwrap();
    let claimed = first.claim(NOW).unwrap().unwrap();
    assert!(second.claim(NOW).unwrap().is_none(), "it is claimed");
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| second.claim(WAIT).unwrap().unwrap());
        one.close().unwrap();
        let again = waiter.join().unwrap();
        assert_eq!((again.data(), again.token() > claimed.token()), (&b"x"[..], true));
        again.done().unwrap();
    });
    assert!(claimed.done().is_err(), "the claim was lost");
    assert!(second.is_empty().unwrap());
    second.put(b"y").unwrap();
    drop(second.claim(NOW).unwrap().unwrap());
    second.claim(WAIT).unwrap().expect("it went back").done().unwrap();
}

#[test]
fn barriers_hold_until_they_are_removed_or_enough_have_come() {
    let Some(server) = fixture::server() else { return };
    let client = connect(&server);
    let barrier = Barrier::new(&client, "/gates/one");
    assert!(barrier.wait(NOW).unwrap());
    barrier.set().unwrap();
    assert!(!barrier.wait(Some(Duration::from_millis(20))).unwrap());
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| barrier.wait(WAIT).unwrap());
        barrier.remove().unwrap();
        assert!(waiter.join().unwrap());
    });
    let alone = DoubleBarrier::new(&client, "/gates/two", 3).unwrap();
    assert!(!alone.enter(Some(Duration::from_millis(50))).unwrap(), "two are missing");
    let inside = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let client = connect(&server);
                let barrier = DoubleBarrier::new(&client, "/gates/two", 3).unwrap();
                inside.fetch_add(1, Ordering::SeqCst);
                assert!(barrier.enter(WAIT).unwrap());
                assert_eq!(inside.load(Ordering::SeqCst), 3, "all came before one went in");
                assert!(barrier.leave(WAIT).unwrap());
            });
        }
    });
}

#[test]
fn a_counter_loses_nothing() {
    let Some(server) = fixture::server() else { return };
    let client = connect(&server);
    let counter = Counter::new(&client, "/counters/c");
    assert_eq!(counter.get().unwrap(), 0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let client = connect(&server);
                let counter = Counter::new(&client, "/counters/c");
                for _ in 0..25 {
                    counter.add(2).unwrap();
                }
            });
        }
    });
    assert_eq!(counter.get().unwrap(), 200);
    assert!(!counter.compare_and_set(1, 2).unwrap());
    assert!(counter.compare_and_set(200, i64::MAX).unwrap());
    assert!(matches!(counter.add(1), Err(Error::BadArgument { .. })));
    client.set("/counters/c", Some(b"many"), -1).unwrap();
    assert!(matches!(counter.get(), Err(Error::BadArgument { .. })));
}

/// Goal: the copy is the subtree, before and after a lost connection, whatever changed meanwhile.
#[test]
fn a_cache_follows_its_subtree() {
    let Some(mut server) = fixture::server() else { return };
    let (client, writer) = (connect(&server), connect(&server));
    writer.create("/c", b"root", Mode::Persistent).unwrap();
    writer.create("/c/a", b"1", Mode::Persistent).unwrap();
    writer.create("/d", b"", Mode::Persistent).unwrap();
    let (send, told) = channel();
    let cache = Cache::with_listener(&client, "/c", move |event| {
        let _ = send.send(event.clone());
    })
    .unwrap();
    assert!(cache.wait_ready(LIMIT).unwrap());
    assert_eq!(cache.paths(), ["/c", "/c/a"]);
    writer.set("/c/a", Some(b"2"), -1).unwrap();
    writer.create("/c/b", b"", Mode::Persistent).unwrap();
    writer.create("/c/b/deep", b"x", Mode::Persistent).unwrap();
    let data = |path: &str| cache.get(path).and_then(|cached| cached.data).map(|d| d.to_vec());
    until("changes arrive", || data("/c/b/deep").is_some() && data("/c/a") == Some(b"2".into()));
    assert_eq!(cache.children("/c"), ["a", "b"]);
    server.kill();
    until("the loss is noticed", || !cache.is_current());
    server.restart();
    // Whichever of the two is first to be back: the change may fall before the cache is.
    until("the writer is back", || writer.delete("/c/a", -1).is_ok());
    assert!(cache.wait_ready(LIMIT).unwrap());
    until("what went is gone", || cache.get("/c/a").is_none());
    assert_eq!(cache.paths(), ["/c", "/c/b", "/c/b/deep"]);
    // The listener is told behind the change itself, which may come before or after the second reading.
    let mut events = Vec::new();
    until("both readings and the removal are told", || {
        events.extend(told.try_iter());
        events.iter().filter(|event| **event == CacheEvent::Ready).count() >= 2
            && events.contains(&CacheEvent::Removed("/c/a".to_owned()))
    });
    drop(cache);
    let watch = zkclient::calls::WatcherType::PersistentRecursive;
    until("the watch is removed", || {
        client.check_watches("/c", watch).is_err_and(|error| error.code() == Code::NO_WATCHER)
    });
}
