//! Goal: after a power cut the log holds everything that was acknowledged, in order, and nothing
//! that was not written; and no flipped bit changes that in silence.
//! Method: the real writer fills a small segment; its file is taken when a sync has returned and
//! again after one more batch. The sectors that differ are what a power cut may lose, in any subset:
//! each of them is put together and scanned, for longer batches each subset of pages and many of
//! sectors. Then every bit of an image is flipped.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use zk_wire::Zxid;

use super::DiskError;
use super::prepare::Site;
use super::record::{Kind, draft, seal};
use super::scan::{End, Outcome, Part, scan_log};
use super::segment::{Header, RECORDS_START};
use super::testing::{Log, TestDir, txn};
use super::writer::{LogPosition, LogWriter};

const PAGE: usize = 4096;
/// What a disk writes wholly or not at all.
const SECTOR: usize = 512;

/// A batch: the first and the last zxid, and how long each txn is.
type Batch = (i64, i64, fn(i64) -> usize);

/// Txns by zxid.
type Txns = Vec<(i64, Vec<u8>)>;

/// Runs the writer over a new segment of `size` bytes; the file after each batch, and at the end.
fn write(name: &str, size: u64, batches: &[Batch]) -> Vec<Vec<u8>> {
    let test = TestDir::new(name);
    let made = site(&test).make(1, size, &|| ()).unwrap();
    live(&test, (made.path, made.header), batches)
}

/// As [`write`], in a segment that had a life before and is full of its records.
fn write_again(name: &str, size: u64, batches: &[Batch]) -> Vec<Vec<u8>> {
    let test = TestDir::new(name);
    let made = site(&test).make(1, size, &|| ()).unwrap();
    let count = ((size - RECORDS_START) / 160) as i64;
    live(&test, (made.path.clone(), made.header), &[(1, count, |_| 120)]);
    let header = Header { salt: made.header.salt ^ 0x5_0000_0006, ..made.header };
    let file = fs::File::options().write(true).open(&made.path).unwrap();
    file.write_all_at(&header.encode(), 0).unwrap();
    file.sync_all().unwrap();
    live(&test, (made.path, header), batches)
}

fn site(test: &TestDir) -> Site {
    Site { dir: test.0.clone(), cluster: 1, force_sync: true }
}

fn live(test: &TestDir, segment: (PathBuf, Header), batches: &[Batch]) -> Vec<Vec<u8>> {
    let path = segment.0.clone();
    let current = Some((segment.0, segment.1, RECORDS_START));
    let (segments, spares, site) = (Vec::new(), Vec::new(), site(test));
    let position = LogPosition { site, last: Zxid::ZERO, current, segments, spares };
    let mut log = Log::start_at(position);
    let mut images = vec![fs::read(&path).unwrap()];
    for (first, last, bytes) in batches {
        for zxid in *first..=*last {
            log.writer.append(Zxid(zxid), &txn(zxid, bytes(zxid)));
        }
        log.writer.submit();
        log.wait_durable(*last);
        images.push(fs::read(&path).unwrap());
    }
    LogWriter::close(log.writer).unwrap();
    images.push(fs::read(&path).unwrap());
    images
}

/// What a scan finds: the txns in order and where the log ends.
fn scan(image: &Vec<u8>) -> Result<(Txns, Outcome), String> {
    let header = Header::read(image).unwrap()?;
    let part = Part { path: Path::new("log"), header, source: image };
    let mut found = Vec::new();
    let outcome = scan_log(&[part], Some(Zxid::ZERO), &mut |_, _, zxid, bytes| {
        found.push((zxid.0, bytes.to_vec()));
        Ok(())
    });
    match outcome {
        Ok(outcome) => Ok((found, outcome)),
        Err(error @ DiskError::Corrupt { .. }) => Err(error.to_string()),
        Err(error) => panic!("{error}"),
    }
}

/// At least `acked` txns, at most `written`, each as it was written.
fn check(found: &[(i64, Vec<u8>)], acked: i64, written: i64, bytes: fn(i64) -> usize) {
    let count = found.len() as i64;
    assert!(count >= acked, "{count} txns are left of {acked} acknowledged");
    assert!(count <= written, "{count} txns, but only {written} were written");
    for (index, (zxid, txn_bytes)) in found.iter().enumerate() {
        assert_eq!(*zxid, index as i64 + 1);
        assert!(*txn_bytes == txn(*zxid, bytes(*zxid)), "txn {zxid} is not what was written");
    }
}

/// What recovery does with a dirty end, and then one more txn: nothing old may come back behind it.
fn go_on(mut image: Vec<u8>, outcome: &Outcome, found: usize) {
    let fresh = End { index: 0, offset: RECORDS_START, dirty: false, dropped: 0 };
    let end = outcome.end.unwrap_or(fresh);
    let at = end.offset as usize;
    if end.dirty {
        image[at..].fill(0);
    }
    let header = Header::read(&image).unwrap().unwrap();
    let last = outcome.last.unwrap_or(Zxid::ZERO);
    let mut record = Vec::new();
    draft(&mut record, Kind::Txn, last.next().unwrap(), b"after the cut");
    seal(&mut record, header.salt, end.offset, last);
    image[at..at + record.len()].copy_from_slice(&record);
    let (again, outcome) = scan(&image).unwrap();
    assert_eq!(again.len(), found + 1);
    assert_eq!(again[found].1, b"after the cut");
    assert_eq!(outcome.end.unwrap().offset as usize, at + record.len());
}

fn mixed_bytes(zxid: i64) -> usize {
    [30, 700, 5, 2600, 64, 5000, 1, 333][zxid as usize % 8]
}

/// The units of `bytes` bytes in which two images differ.
fn differing(synced: &[u8], written: &[u8], bytes: usize) -> Vec<usize> {
    let pairs = synced.chunks(bytes).zip(written.chunks(bytes));
    pairs.enumerate().filter(|(_, (a, b))| a != b).map(|(index, _)| index).collect()
}

/// Recovers what is left when only the `kept` units of a batch came to the disk, and goes on.
/// Returns how many txns there are.
fn recover_with(
    images: (&[u8], &[u8]),
    kept: impl Iterator<Item = usize>,
    bytes: usize,
    (acked, batch): (i64, &Batch),
) -> usize {
    let mut image = images.0.to_vec();
    for unit in kept {
        let range = unit * bytes..(unit + 1) * bytes;
        image[range.clone()].copy_from_slice(&images.1[range]);
    }
    let (found, outcome) = scan(&image).unwrap();
    check(&found, acked, batch.1, batch.2);
    go_on(image, &outcome, found.len());
    found.len()
}

fn small_bytes(zxid: i64) -> usize {
    [300, 64, 1, 1500, 8, 470, 1100][zxid as usize % 7]
}

/// The last block of the batch before is written again in place: the sectors of it that hold
/// acknowledged records must be worth the same before and after, wherever the power goes.
#[test]
fn every_subset_of_unwritten_sectors_keeps_what_was_acknowledged() {
    let batches: [Batch; 2] = [(1, 9, small_bytes), (10, 18, small_bytes)];
    for images in
        [write("crash-zeros", 32 << 10, &batches), write_again("crash-former", 32 << 10, &batches)]
    {
        let (synced, written) = (&images[1][..], &images[2][..]);
        let sectors = differing(synced, written, SECTOR);
        let blocks = differing(synced, written, PAGE);
        assert!((9..=17).contains(&sectors.len()), "{} sectors", sectors.len());
        // The first one holds acknowledged records; there is one behind it.
        assert!(blocks.len() >= 2, "{blocks:?}");
        let first = &synced[blocks[0] * PAGE..sectors[0] * SECTOR];
        assert!(first.iter().any(|byte| *byte != 0), "the batch must begin within a block");
        let mut seen = [false; 19];
        for subset in 0..1u32 << sectors.len() {
            let kept = sectors.iter().enumerate().filter(|(i, _)| subset >> i & 1 != 0);
            let kept = kept.map(|(_, sector)| *sector);
            seen[recover_with((synced, written), kept, SECTOR, (9, &batches[1]))] = true;
        }
        assert!(seen[9] && seen[18], "the test must reach both ends");
        assert!(seen[10..18].contains(&true), "a cut in the batch must be seen");
    }
}

#[test]
fn subsets_of_the_pages_and_sectors_of_a_long_batch_keep_what_was_acknowledged() {
    let batches: [Batch; 2] = [(1, 12, mixed_bytes), (13, 42, mixed_bytes)];
    let images = write("crash-pages", 96 << 10, &batches);
    let (synced, written) = (&images[1][..], &images[2][..]);
    let mut pages = differing(synced, written, PAGE);
    assert!(pages.len() > 8, "{} pages", pages.len());
    // The last pages of a longer batch are either all there or all missing.
    let rest = pages.split_off(pages.len().min(11));
    let mut seen = [false; 43];
    for subset in 0..1u32 << (pages.len() + 1) {
        let rest = rest.iter().filter(|_| subset >> pages.len() != 0);
        let kept = pages.iter().enumerate().filter(|(i, _)| subset >> i & 1 != 0);
        let kept = kept.map(|(_, page)| *page).chain(rest.copied());
        seen[recover_with((synced, written), kept, PAGE, (12, &batches[1]))] = true;
    }
    assert!(seen[12] && seen[42], "the test must reach both ends");
    let sectors = differing(synced, written, SECTOR);
    assert!(sectors.len() > 40, "{} sectors", sectors.len());
    let mut seen = [false; 43];
    let mut state = 0x2545_f491_4f6c_dd1du64;
    for round in 0..4000u64 {
        // From nearly all of the sectors to few of them, in random choice.
        let lost_of_64 = [1, 2, 4, 8, 16, 32][round as usize % 6];
        let kept = sectors.iter().copied().filter(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % 64 >= lost_of_64
        });
        seen[recover_with((synced, written), kept, SECTOR, (12, &batches[1]))] = true;
    }
    assert!(seen.iter().filter(|seen| **seen).count() > 15, "{seen:?}");
}

#[test]
fn every_prefix_of_an_unsynced_batch_keeps_what_was_acknowledged() {
    let batches: [Batch; 2] = [(1, 3, mixed_bytes), (4, 12, mixed_bytes)];
    let images = write("crash-prefix", 32 << 10, &batches);
    let (synced, written) = (&images[1], &images[2]);
    let changed = |i: &usize| synced[*i] != written[*i];
    let first = (0..synced.len()).find(changed).unwrap();
    let last = (0..synced.len()).rev().find(changed).unwrap();
    let mut counts = Vec::new();
    for length in (first..=last + 1).step_by(7).chain([last + 1]) {
        let mut image = synced.clone();
        image[first..length].copy_from_slice(&written[first..length]);
        let (found, outcome) = scan(&image).unwrap();
        check(&found, 3, 12, mixed_bytes);
        counts.push(found.len());
        go_on(image, &outcome, found.len());
    }
    assert!(counts.is_sorted());
    assert_eq!((counts[0], counts[counts.len() - 1]), (3, 12));
}

fn short(_: i64) -> usize {
    100
}

/// The highest watermark of the image below: what a cut must never lose.
fn flip_all(image: &[u8], txns: i64, watermark: i64) -> [u64; 3] {
    let (mut same, mut cut, mut refused) = (0, 0, 0);
    let mut bad = image.to_vec();
    for bit in 0..image.len() * 8 {
        bad[bit / 8] ^= 1 << (bit % 8);
        match scan(&bad) {
            Err(_) => refused += 1,
            Ok((found, _)) => {
                check(&found, watermark, txns, short);
                if found.len() as i64 == txns { same += 1 } else { cut += 1 }
            }
        }
        bad[bit / 8] ^= 1 << (bit % 8);
    }
    [same, cut, refused]
}

#[test]
fn every_flipped_bit_of_a_log_is_harmless_or_a_cut_above_the_watermark_or_refused() {
    let batches: [Batch; 3] = [(1, 4, short), (5, 9, short), (10, 14, short)];
    let images = write("crash-bits", 8 << 10, &batches);
    let record = super::record::bytes_for(100) as u64 * 8;
    let header = super::segment::HEADER_BYTES as u64 * 8;
    // The process was killed: the last batch says of itself only that 9 was durable.
    let [same, cut, refused] = flip_all(&images[3], 14, 9);
    assert_eq!((cut, refused), (5 * record, header + 9 * record));
    assert_eq!(same, (8 << 10) * 8 - cut - refused);
    // A clean stop leaves a mark: nothing at all can be lost in silence but the mark itself.
    let [_, cut, refused] = flip_all(&images[4], 14, 14);
    assert_eq!((cut, refused), (0, header + 14 * record));
}
