//! Reads the log back for learners while it is written, in a thread of its own.
//!
//! Only what is durable is asked for. A piece begins anywhere: where the last one ended the place is
//! known, else it is looked for. Segments are not held back for it: one that is used again or
//! removed meanwhile has records that do not fit its salt or do not follow, and the piece is none.
//! Nothing is ever written here.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use zk_core::{LogPiece, PeerId};
use zk_wire::Zxid;

use super::error::{Context, DiskError, Result};
use super::layout::{list_segments, segment_path};
use super::record::Kind;
use super::scan::{Part, first_zxid, record_at};
use super::segment::{Header, RECORDS_START};
use super::source::Window;

/// Places that are remembered; the one that was not asked for the longest goes.
const PLACES_MAX: usize = 8;
/// After so long without a request nothing is remembered, and no file is open.
const IDLE: Duration = Duration::from_secs(10);
/// The thread's stack in bytes.
const STACK_BYTES: usize = 128 << 10;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// For whom.
    pub peer: PeerId,
    /// Behind which txn.
    pub after: Zxid,
    /// Up to which one.
    pub through: Zxid,
    /// Bytes of txns after which the piece ends.
    pub bytes_max: usize,
    /// Bytes of the newest segment that hold no records yet.
    pub free_bytes: u64,
}

/// What was found; no piece when the log cannot be read there.
#[derive(Debug)]
pub struct Answer {
    /// For whom.
    pub peer: PeerId,
    /// Behind which txn.
    pub after: Zxid,
    /// The piece.
    pub piece: Option<Box<LogPiece>>,
}

/// The loop's end of it.
#[derive(Debug)]
pub struct LogReader {
    asks: Option<Sender<Ask>>,
    answers: Receiver<Answer>,
    thread: Option<JoinHandle<()>>,
}

impl LogReader {
    /// Begins to read the log in this directory. `wake` is called when there is an answer.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(dir: PathBuf, wake: Arc<dyn Fn() + Send + Sync>) -> io::Result<LogReader> {
        let (asks, asked) = channel::<Ask>();
        let (answer, answers) = channel();
        let thread = std::thread::Builder::new()
            .name("zk-log-read".into())
            .stack_size(STACK_BYTES)
            .spawn(move || answer_all(&dir, &asked, &answer, &*wake))?;
        Ok(LogReader { asks: Some(asks), answers, thread: Some(thread) })
    }

    /// Asks for a piece.
    pub fn ask(&self, ask: Ask) {
        let asks = self.asks.as_ref().expect("it is open until it is dropped");
        asks.send(ask).expect("the thread runs until it is told to end");
    }

    /// The next answer, if there is one.
    pub fn next_answer(&self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        self.asks = None;
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

fn answer_all(dir: &Path, asked: &Receiver<Ask>, answers: &Sender<Answer>, wake: &dyn Fn()) {
    let mut places: Vec<(PeerId, Place)> = Vec::new();
    loop {
        let ask = match asked.recv_timeout(IDLE) {
            Ok(ask) => ask,
            Err(RecvTimeoutError::Timeout) => {
                places.clear();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let known = places
            .iter()
            .position(|(peer, place)| *peer == ask.peer && place.last == Some(ask.after));
        let known = known.map(|at| places.remove(at).1);
        let read = match known {
            Some(place) => place.read(dir, &ask, 0),
            None => Place::find(dir, ask.after).and_then(|place| {
                let bytes_above = place.bytes_above(dir, ask.free_bytes)?;
                place.read(dir, &ask, bytes_above)
            }),
        };
        let piece = match read {
            Ok((piece, place)) => {
                if places.len() == PLACES_MAX {
                    places.remove(0);
                }
                places.push((ask.peer, place));
                Some(Box::new(piece))
            }
            Err(error) => {
                log::warn!("disk: log_not_read after={} error=\"{error}\"", ask.after);
                None
            }
        };
        let answer = Answer { peer: ask.peer, after: ask.after, piece };
        if answers.send(answer).is_err() {
            return;
        }
        wake();
    }
}

/// A place in the log, behind a txn.
struct Place {
    /// The txn before it; none at the beginning of the log.
    last: Option<Zxid>,
    path: PathBuf,
    file: File,
    header: Header,
    offset: u64,
}

impl Place {
    fn open(path: &Path) -> Result<Place> {
        let file = File::open(path).context("open", path)?;
        let header = Header::read(&file).context("read", path)?;
        let header =
            header.map_err(|detail| DiskError::Replay { path: path.to_owned(), detail })?;
        let offset = RECORDS_START;
        Ok(Place { last: None, path: path.to_owned(), file, header, offset })
    }

    /// Behind the newest txn that is not above this one.
    fn find(dir: &Path, after: Zxid) -> Result<Place> {
        let mut found = None;
        for (_, path) in list_segments(dir)?.into_iter().rev() {
            let place = Place::open(&path)?;
            let first = first_zxid(&place.part())?;
            let begins_below = first.is_some_and(|first| first <= after);
            if first.is_some() || found.is_none() {
                found = Some(place);
            }
            if begins_below {
                break;
            }
        }
        let Some(mut place) = found else {
            let detail = "there is no segment".to_owned();
            return Err(DiskError::Replay { path: dir.to_owned(), detail });
        };
        let mut window = Window::new(&place.file).context("read", &place.path)?;
        let (mut offset, mut last) = (place.offset, None);
        while let Some(record) = record_at(&mut window, &place.part(), offset)? {
            if record.zxid > after {
                // What directly precedes the first txn of the log is not in it, and known.
                last = last.or((after.next() == Some(record.zxid)).then_some(after));
                break;
            }
            last = Some(record.zxid);
            offset += record.bytes() as u64;
        }
        drop(window);
        (place.offset, place.last) = (offset, last);
        Ok(place)
    }

    fn part(&self) -> Part<'_> {
        Part { path: &self.path, header: self.header, source: &self.file }
    }

    /// The next piece, and the place behind it.
    fn read(mut self, dir: &Path, ask: &Ask, bytes_above: u64) -> Result<(LogPiece, Place)> {
        let mut piece = LogPiece::new(self.last, bytes_above);
        while self.read_segment(ask, &mut piece)? {
            let Some(next) = self.next_segment(dir)? else { break };
            // The old segment is whole once the new one has a record; perhaps it was not before.
            if !self.read_segment(ask, &mut piece)? {
                break;
            }
            self = Place { last: self.last, ..next };
        }
        Ok((piece, self))
    }

    /// The beginning of the next segment, once that has a record.
    fn next_segment(&self, dir: &Path) -> Result<Option<Place>> {
        let path = segment_path(dir, self.header.serial + 1);
        if !path.exists() {
            return Ok(None);
        }
        let place = Place::open(&path)?;
        let used = first_zxid(&place.part())?.is_some();
        Ok(Some(place).filter(|_| used))
    }

    /// Takes txns of this segment; true when it has no more of them.
    fn read_segment(&mut self, ask: &Ask, piece: &mut LogPiece) -> Result<bool> {
        let mut window = Window::new(&self.file).context("read", &self.path)?;
        let (mut offset, mut last) = (self.offset, self.last);
        let ended = loop {
            if piece.bytes() >= ask.bytes_max {
                break false;
            }
            let Some(record) = record_at(&mut window, &self.part(), offset)? else { break true };
            if record.zxid > ask.through {
                break false;
            }
            if record.kind == Kind::Txn {
                let follows = last.is_none_or(|last| {
                    last.next() == Some(record.zxid) || record.zxid.epoch() > last.epoch()
                });
                if !follows {
                    let detail = format!("txn {} does not follow at {offset}", record.zxid);
                    return Err(DiskError::Replay { path: self.path.clone(), detail });
                }
                piece.push(record.zxid, record.txn);
                last = Some(record.zxid);
            }
            offset += record.bytes() as u64;
        };
        drop(window);
        (self.offset, self.last) = (offset, last);
        Ok(ended)
    }

    /// Bytes of records from here to the end of the log.
    fn bytes_above(&self, dir: &Path, free_bytes: u64) -> Result<u64> {
        let mut bytes = self.header.size.saturating_sub(self.offset);
        for (serial, path) in list_segments(dir)? {
            if serial > self.header.serial {
                let place = Place::open(&path)?;
                // The next segment is there before it is needed.
                let used = first_zxid(&place.part())?.is_some();
                bytes += if used { place.header.size } else { 0 };
            }
        }
        Ok(bytes.saturating_sub(free_bytes))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::super::testing::{Log, TestDir, recover_all, txn};
    use super::*;

    const TXN_BYTES: usize = 1000;

    struct Reading {
        reader: LogReader,
        wakes: Receiver<()>,
    }

    impl Reading {
        fn start(test: &TestDir) -> Reading {
            let (sender, wakes) = channel();
            let sender = std::sync::Mutex::new(sender);
            let wake = Arc::new(move || sender.lock().unwrap().send(()).unwrap());
            let reader = LogReader::start(test.0.join("zk-agent"), wake).unwrap();
            Reading { reader, wakes }
        }

        fn ask(&self, after: i64, through: i64) -> Option<Box<LogPiece>> {
            let (after, through) = (Zxid(after), Zxid(through));
            let ask = Ask { peer: PeerId(1), after, through, bytes_max: 50_000, free_bytes: 0 };
            self.reader.ask(ask);
            self.wakes.recv_timeout(Duration::from_secs(30)).unwrap();
            self.reader.next_answer().unwrap().piece
        }
    }

    fn zxids(piece: &LogPiece) -> Vec<i64> {
        piece.txns().map(|(zxid, _)| zxid.0).collect()
    }

    /// Goal: the log is read in pieces, over several segments, while it grows.
    #[test]
    fn pieces_follow_each_other_while_the_log_is_written() {
        let test = TestDir::new("read-on");
        let (_dir, recovery, _) = recover_all(&test.0).unwrap();
        let mut log = Log::start(recovery);
        log.write(1..=4000, TXN_BYTES);
        assert!(list_segments(&test.0.join("zk-agent")).unwrap().len() >= 3);
        let reading = Reading::start(&test);
        let (mut last, mut end, mut pieces) = (17, 4000, 0);
        while last < 4500 {
            let piece = reading.ask(last, end).expect("it can be read");
            assert_eq!(piece.before, Some(Zxid(last)));
            assert!(piece.bytes() <= 51_000);
            for (zxid, bytes) in piece.txns() {
                last += 1;
                assert_eq!((zxid.0, bytes), (last, &txn(last, TXN_BYTES)[..]));
            }
            pieces += 1;
            if last == 4000 {
                assert_eq!(zxids(&reading.ask(last, end).unwrap()), [0i64; 0]);
                log.write(4001..=4500, TXN_BYTES);
                end = 4500;
            }
        }
        assert!(pieces >= 80, "{pieces}");
        // What is above is known when a place is looked for; the last segment counts as full.
        let above = |after| reading.ask(after, 4500).unwrap().bytes_above;
        let (all, half) = (above(1), above(2250));
        assert!((4_500_000..9_500_000).contains(&all) && all - half >= 2_200_000, "{all} {half}");
        // One that comes back to another place.
        assert_eq!(zxids(&reading.ask(9, 11).unwrap()), [10, 11]);
        assert_eq!(reading.ask(0, 11).unwrap().before, Some(Zxid(0)), "the first txn follows it");
        assert_eq!(zxids(&reading.ask(11, 12).unwrap()), [12]);
    }

    /// Goal: what a learner has and the log has not is seen, and so is a log that begins later.
    #[test]
    fn what_stands_before_a_piece_is_told() {
        let test = TestDir::new("read-gap");
        let (_dir, recovery, _) = recover_all(&test.0).unwrap();
        let mut log = Log::start(recovery);
        let second = Zxid::new(1, 1).0;
        log.write(5..=9, TXN_BYTES);
        log.write(second..=second + 1, TXN_BYTES);
        let reading = Reading::start(&test);
        let of = |after| {
            let piece = reading.ask(after, second + 1).unwrap();
            (piece.before.map(|zxid| zxid.0), piece.txns().next().map(|(zxid, _)| zxid.0))
        };
        assert_eq!(of(3), (None, Some(5)));
        assert_eq!(of(4), (Some(4), Some(5)));
        assert_eq!(of(30), (Some(9), Some(second)));
        assert_eq!(of(second + 1), (Some(second + 1), None));
    }

    /// Goal: segments that go while they are read end the reading, and give nothing wrong.
    #[test]
    fn a_log_that_is_let_go_cannot_be_read_on() {
        let test = TestDir::new("read-purged");
        let (_dir, recovery, _) = recover_all(&test.0).unwrap();
        let mut log = Log::start(recovery);
        log.write(1..=6000, TXN_BYTES);
        let reading = Reading::start(&test);
        assert_eq!(zxids(&reading.ask(1, 6000).unwrap())[0], 2);
        log.writer.purge(Zxid(5500));
        let dir = test.0.join("zk-agent");
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while list_segments(&dir).unwrap()[0].0 == 1 {
            assert!(std::time::Instant::now() < deadline, "the log is not let go");
            std::thread::sleep(Duration::from_millis(5));
        }
        log.write(6001..=9000, TXN_BYTES);
        let mut last = 51;
        // What is still open may be read to its end.
        let ended = loop {
            match reading.ask(last, 9000) {
                Some(piece) if piece.before == Some(Zxid(last)) && piece.bytes() > 0 => {
                    for (zxid, bytes) in piece.txns() {
                        last += 1;
                        assert_eq!((zxid.0, bytes), (last, &txn(last, TXN_BYTES)[..]));
                    }
                }
                _ => break last,
            }
        };
        assert!(ended < 9000, "nothing was let go");
        let piece = reading.ask(2, 9000).unwrap();
        assert_eq!(piece.before, None, "the log begins later now");
    }
}
