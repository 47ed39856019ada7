//! Reads the log back and decides what its end means.
//!
//! No record where one should start, and
//! - none further on: the end;
//! - records further on, none of them written after the missing one had become durable (their
//!   watermarks are below it): pages of the last, unsynced batch that the disk wrote out of order.
//!   The end, and what follows is to be wiped;
//! - a record further on whose watermark is at or above the missing one: durable data is damaged,
//!   refused.
//!
//! A good record whose zxid does not follow, or whose watermark is above everything before it, is
//! a lost write: refused. A record of another life of the segment, or of another place, is no
//! record: its crc does not fit.
//!
//! The search for records further on covers the rest of that segment and all later ones.

use std::path::Path;

use zk_wire::Zxid;

use super::error::{Context, DiskError, Result};
use super::record::{HEAD_BYTES, Kind, Record, claimed_bytes, parse};
use super::segment::{Header, RECORDS_START};
use super::source::{Source, Window};

/// Bytes that are looked through at once for records behind a bad one.
const SEARCH_BYTES: u64 = 256 << 10;
/// Bytes read for a look at the first record.
const LOOK_BYTES: usize = 4096;

/// An open segment to be read.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// Its file, for messages.
    pub path: &'a Path,
    /// Its header, already checked.
    pub header: Header,
    /// Its bytes.
    pub source: &'a dyn Source,
}

/// What takes the txns: path and offset of the record, zxid, bytes. An error stops the scan.
pub type Visit<'v> = dyn FnMut(&Path, u64, Zxid, &[u8]) -> std::result::Result<(), String> + 'v;

/// Where the log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Which of the parts.
    pub index: usize,
    /// Offset at which the next record belongs.
    pub offset: u64,
    /// Something of an unfinished batch stands behind it and must be wiped before new records are
    /// written.
    pub dirty: bool,
    /// Whole records of that batch, which were never acknowledged.
    pub dropped: u64,
}

/// What a scan found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The newest txn that is good; `None` when there is none.
    pub last: Option<Zxid>,
    /// Txns handed on: those above the base.
    pub txns: u64,
    /// The end; `None` when there is no record at all.
    pub end: Option<End>,
    /// The first zxid of each part.
    pub firsts: Vec<Option<Zxid>>,
}

/// The zxid of the first record of a segment, if that is good.
///
/// # Errors
/// When the file cannot be read.
pub fn first_zxid(part: &Part<'_>) -> Result<Option<Zxid>> {
    let mut window = Window::with_chunks(part.source, LOOK_BYTES).context("read", part.path)?;
    Ok(record_at(&mut window, part, RECORDS_START)?.map(|record| record.zxid))
}

/// What was durable before the first record, if there is one.
///
/// # Errors
/// When the file cannot be read.
pub fn first_watermark(part: &Part<'_>) -> Result<Option<Zxid>> {
    let mut window = Window::with_chunks(part.source, LOOK_BYTES).context("read", part.path)?;
    Ok(record_at(&mut window, part, RECORDS_START)?.map(|record| record.watermark))
}

/// Reads the parts, which are in the order of their serial numbers and without holes.
///
/// - `base`: what the snapshot holds. Txns up to it are checked but not handed on; the first one
///   above it must follow it. `None`: hand on everything, begin anywhere.
///
/// # Errors
/// [`DiskError::Corrupt`] by the table above; [`DiskError::Replay`] when `visit` refuses.
pub fn scan_log<'p>(
    parts: &[Part<'p>],
    base: Option<Zxid>,
    visit: &mut Visit<'_>,
) -> Result<Outcome> {
    scan_through(parts, base, None, visit)
}

/// As `scan_log`; the log is being cut behind `through`, so that what stands behind it is to be
/// wiped, whole or not.
///
/// # Errors
/// As `scan_log`.
pub fn scan_through<'p>(
    parts: &[Part<'p>],
    base: Option<Zxid>,
    through: Option<Zxid>,
    visit: &mut Visit<'_>,
) -> Result<Outcome> {
    let outcome = Outcome { last: None, txns: 0, end: None, firsts: vec![None; parts.len()] };
    let mut scan = Scan { base, through, outcome, broken: None };
    for (index, part) in parts.iter().enumerate() {
        let mut window = Window::new(part.source).context("read", part.path)?;
        let from = if scan.broken.is_some() {
            RECORDS_START
        } else {
            scan.walk(index, part, &mut window, visit)?
        };
        scan.judge_rest(index, part, &mut window, from)?;
    }
    Ok(scan.outcome)
}

struct Scan<'p> {
    base: Option<Zxid>,
    through: Option<Zxid>,
    outcome: Outcome,
    /// The end was found, here, and something stands behind it: no later record can be good.
    broken: Option<(&'p Path, u64)>,
}

impl<'p> Scan<'p> {
    /// Takes records as long as they are good; returns the offset behind the last one.
    fn walk(
        &mut self,
        index: usize,
        part: &Part<'_>,
        window: &mut Window<'_>,
        visit: &mut Visit<'_>,
    ) -> Result<u64> {
        let mut offset = RECORDS_START;
        while let Some(record) = record_at(window, part, offset)? {
            if self.through.is_some_and(|through| record.zxid > through) {
                break;
            }
            self.check(part, offset, &record)?;
            if record.kind == Kind::Txn {
                self.outcome.last = Some(record.zxid);
                self.outcome.firsts[index].get_or_insert(record.zxid);
                if self.base.is_none_or(|base| record.zxid > base) {
                    self.outcome.txns += 1;
                    visit(part.path, offset, record.zxid, record.txn).map_err(|detail| {
                        let detail = format!("txn {} at offset {offset}: {detail}", record.zxid);
                        DiskError::Replay { path: part.path.to_owned(), detail }
                    })?;
                }
            }
            offset += record.bytes() as u64;
            self.outcome.end = Some(End { index, offset, dirty: false, dropped: 0 });
        }
        Ok(offset)
    }

    /// A record with a good crc must also fit what came before it.
    fn check(&self, part: &Part<'_>, offset: u64, record: &Record<'_>) -> Result<()> {
        let known = match (self.outcome.last, self.base) {
            (Some(last), _) => last,
            (None, Some(base)) if record.zxid > base => base,
            (None, _) => return Ok(()),
        };
        let follows = match record.kind {
            Kind::Txn => known.next() == Some(record.zxid) || record.zxid.epoch() > known.epoch(),
            Kind::Mark => record.zxid == known,
        };
        if !follows {
            let detail = format!("txn {} does not follow {known}", record.zxid);
            return Err(corrupt(part, offset, known, detail));
        }
        if record.watermark > known {
            let detail = format!(
                "txn {} says that {} was durable before it, but the log before it ends at {known}",
                record.zxid, record.watermark
            );
            return Err(corrupt(part, offset, known, detail));
        }
        Ok(())
    }

    /// Looks at what stands behind the last good record of this part.
    fn judge_rest(
        &mut self,
        index: usize,
        part: &Part<'p>,
        window: &mut Window<'_>,
        from: u64,
    ) -> Result<()> {
        let rest = search(window, part, from)?;
        let torn = match window.view(from, HEAD_BYTES).context("read", part.path)? {
            Some(head) => claimed_bytes(head, part.header.salt).is_some(),
            None => false,
        };
        if !torn && rest.records == 0 {
            return Ok(());
        }
        let base = self.base.unwrap_or(Zxid::ZERO);
        let last = self.outcome.last.unwrap_or(base);
        let known = last.max(base);
        let lost = rest.watermark_max > known || (last < base && rest.zxid_max > base);
        if lost && self.through.is_none() {
            let detail = format!(
                "no good record here, but {} further on, up to zxid {}, which were written when \
                 {} was durable",
                rest.records, rest.zxid_max, rest.watermark_max
            );
            let (path, offset) = self.broken.unwrap_or((part.path, from));
            return Err(DiskError::Corrupt {
                path: path.to_owned(),
                offset,
                last_good: last,
                detail,
            });
        }
        if self.outcome.end.is_none() && index == 0 {
            self.outcome.end = Some(End { index, offset: from, dirty: true, dropped: 0 });
        }
        if let Some(end) = &mut self.outcome.end {
            end.dirty |= end.index == index;
            end.dropped += rest.records;
        }
        self.broken.get_or_insert((part.path, from));
        Ok(())
    }
}

fn corrupt(part: &Part<'_>, offset: u64, last_good: Zxid, detail: String) -> DiskError {
    DiskError::Corrupt { path: part.path.to_owned(), offset, last_good, detail }
}

/// The record at an offset, if there is a good one.
pub(super) fn record_at<'w>(
    window: &'w mut Window<'_>,
    part: &Part<'_>,
    offset: u64,
) -> Result<Option<Record<'w>>> {
    let salt = part.header.salt;
    let head = window.view(offset, HEAD_BYTES).context("read", part.path)?;
    let Some(bytes) = head.and_then(|head| claimed_bytes(head, salt)) else { return Ok(None) };
    let record = window.view(offset, bytes).context("read", part.path)?;
    Ok(record.and_then(|record| parse(record, salt, offset)))
}

/// Records behind a place where none could be read.
#[derive(Default)]
struct Rest {
    records: u64,
    watermark_max: Zxid,
    zxid_max: Zxid,
}

fn search(window: &mut Window<'_>, part: &Part<'_>, from: u64) -> Result<Rest> {
    let tag = (part.header.salt as u32).to_le_bytes();
    let mut rest = Rest::default();
    let mut offset = from;
    while offset + (HEAD_BYTES as u64) <= window.size() {
        let bytes = SEARCH_BYTES.min(window.size() - offset) as usize;
        let Some(view) = window.view(offset, bytes).context("read", part.path)? else { break };
        let last = (bytes - HEAD_BYTES) / 8 * 8;
        // The tag stands in the second eight bytes of a record.
        let mut eights = view[8..last + 16].chunks_exact(8);
        match eights.position(|eight| eight[..4] == tag).map(|index| index * 8) {
            None => offset += last as u64 + 8,
            Some(at) => {
                offset += at as u64;
                match record_at(window, part, offset)? {
                    None => offset += 8,
                    Some(record) => {
                        rest.records += 1;
                        rest.watermark_max = rest.watermark_max.max(record.watermark);
                        rest.zxid_max = rest.zxid_max.max(record.zxid);
                        offset += record.bytes() as u64;
                    }
                }
            }
        }
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::super::record::{draft, seal};
    use super::super::segment::HEADER_BYTES;
    use super::*;

    const SIZE: u64 = 16 << 10;

    /// An image of a segment whose records are (zxid, watermark).
    fn image(serial: u64, records: &[(i64, i64)]) -> (Header, Vec<u8>) {
        let header = Header { serial, salt: 0xabcd_0000 + serial, size: SIZE, cluster: 1 };
        let mut bytes = vec![0u8; SIZE as usize];
        bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
        let mut at = RECORDS_START as usize;
        for (zxid, watermark) in records {
            let mut record = Vec::new();
            draft(&mut record, Kind::Txn, Zxid(*zxid), format!("txn {zxid}").as_bytes());
            seal(&mut record, header.salt, at as u64, Zxid(*watermark));
            bytes[at..at + record.len()].copy_from_slice(&record);
            at += record.len();
        }
        (header, bytes)
    }

    fn scan(images: &[(Header, Vec<u8>)], base: i64) -> Result<(Outcome, Vec<i64>)> {
        let parts: Vec<Part<'_>> = images
            .iter()
            .map(|(header, source)| Part { path: Path::new("log"), header: *header, source })
            .collect();
        let mut seen = Vec::new();
        let outcome = scan_log(&parts, Some(Zxid(base)), &mut |_, _, zxid, _| {
            seen.push(zxid.0);
            Ok(())
        })?;
        Ok((outcome, seen))
    }

    fn hole(image: &mut (Header, Vec<u8>), record: usize) {
        let at = RECORDS_START as usize + record * 48;
        image.1[at + 33] ^= 1;
    }

    #[test]
    fn an_empty_log_and_a_clean_end_are_read() {
        let (outcome, seen) = scan(&[image(1, &[])], 0).unwrap();
        assert_eq!((outcome.last, outcome.end, seen.len()), (None, None, 0));
        let images = [image(1, &[(1, 0), (2, 1)]), image(2, &[(3, 2)]), image(3, &[])];
        let (outcome, seen) = scan(&images, 1).unwrap();
        assert_eq!((outcome.last, seen), (Some(Zxid(3)), vec![2, 3]));
        let offset = RECORDS_START + 48;
        assert_eq!(outcome.end, Some(End { index: 1, offset, dirty: false, dropped: 0 }));
        assert_eq!(outcome.firsts, [Some(Zxid(1)), Some(Zxid(3)), None]);
    }

    #[test]
    fn a_hole_in_the_last_batch_is_the_end_and_one_below_the_watermark_is_refused() {
        let mut torn = image(1, &[(1, 0), (2, 1), (3, 1), (4, 1)]);
        hole(&mut torn, 1);
        let (outcome, seen) = scan(&[torn], 0).unwrap();
        assert_eq!(seen, [1]);
        let offset = RECORDS_START + 48;
        assert_eq!(outcome.end, Some(End { index: 0, offset, dirty: true, dropped: 2 }));
        let mut damaged = image(1, &[(1, 0), (2, 1), (3, 1), (4, 2)]);
        hole(&mut damaged, 1);
        let error = scan(&[damaged], 0).unwrap_err();
        let DiskError::Corrupt { offset: at, last_good, .. } = error else { panic!("{error}") };
        assert_eq!((at, last_good), (offset, Zxid(1)));
    }

    #[test]
    fn a_hole_is_judged_by_later_segments_too() {
        let mut first = image(1, &[(1, 0), (2, 1)]);
        hole(&mut first, 1);
        let later = image(2, &[(3, 2)]);
        assert!(matches!(scan(&[first, later], 0), Err(DiskError::Corrupt { .. })));
        let mut first = image(1, &[(1, 0)]);
        hole(&mut first, 0);
        let (outcome, seen) = scan(&[first, image(2, &[])], 0).unwrap();
        assert_eq!((seen.len(), outcome.end.unwrap().dirty), (0, true));
    }

    #[test]
    fn gaps_duplicates_and_a_lost_tail_are_refused() {
        for records in [&[(1, 0), (3, 1)][..], &[(1, 0), (1, 0)], &[(2, 0)], &[(1, 0), (2, 5)]] {
            let result = scan(&[image(1, records)], 0);
            assert!(matches!(result, Err(DiskError::Corrupt { .. })), "{records:?}");
        }
        let epoch = Zxid::new(1, 1).0;
        let (_, seen) = scan(&[image(1, &[(1, 0), (epoch, 1)])], 0).unwrap();
        assert_eq!(seen, [1, epoch]);
        let lost = [image(1, &[(1, 0)]), image(2, &[(epoch, 9)])];
        assert!(matches!(scan(&lost, 0), Err(DiskError::Corrupt { .. })));
    }

    #[test]
    fn a_log_that_ends_below_the_snapshot_may_do_so_only_when_nothing_follows() {
        let mut short = image(1, &[(1, 0), (2, 1), (3, 2)]);
        hole(&mut short, 1);
        let (outcome, seen) = scan(&[short.clone()], 5).unwrap();
        assert_eq!((outcome.last, seen.len()), (Some(Zxid(1)), 0));
        assert!(matches!(scan(&[short], 2), Err(DiskError::Corrupt { .. })));
    }

    #[test]
    fn records_of_a_former_life_are_not_seen() {
        for (change, dirty) in [(2, None), (1 << 32, Some(true))] {
            let (mut header, mut bytes) = image(1, &[(1, 0), (2, 1), (3, 2)]);
            header.salt += change;
            bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
            let (outcome, seen) = scan(&[(header, bytes)], 0).unwrap();
            assert_eq!((outcome.end.map(|end| end.dirty), seen.len()), (dirty, 0));
        }
    }
}
