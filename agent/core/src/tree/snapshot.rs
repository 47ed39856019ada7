//! A snapshot that stands at one zxid, taken while the tree goes on changing.
//!
//! A cursor walks over the slots of the tree a slice at a time. A znode that is about to change or
//! go before the cursor came by is written out first, as it was; one that is created meanwhile is
//! passed over. So every znode is written exactly once, in the state of the beginning, whatever the
//! traffic. The cost is one byte in each znode: the generation of the snapshot that has it.
//!
//! ```text
//! piece  = tag u8, records to the end of the piece
//! 'H'      format u32 (1), zxid i64, digest u64, slots u32, znodes u32
//! 'S'      { session i64, timeout_ms i32 }*
//! 'A'      { number u32, length u32, jute vector<ACL> }*
//! 'N'      { number, parent, acl, crc, name length, data length u32 (-1 null), stat 60, name, data }*
//! 'E'      znodes u32
//! ```

use zk_wire::jute::Reader;
use zk_wire::{StatPersisted, Writer, Zxid};

use super::data_tree::DataTree;
use super::digest::digested;
use super::znode::{NIL, NULL_DATA, ROOT, Znode};
use crate::hash::hash;

const FORMAT: i32 = 1;

/// Where a running snapshot is.
#[derive(Debug, Default)]
pub struct Cursor {
    generation: u8,
    pub(super) active: bool,
    /// For a learner, in Apache's form.
    pub(super) wire: bool,
    pub(super) at: u32,
    pub(super) end: u32,
    taken: u32,
    /// Znodes that changed before the cursor came to them.
    pub(super) images: Vec<u8>,
}

impl Cursor {
    /// The mark of znodes that the running snapshot has or need not have.
    pub fn generation(&self) -> u8 {
        self.generation
    }

    pub(super) fn begin(&mut self, end: u32, wire: bool) {
        assert!(!self.active, "a snapshot begins while one runs");
        self.generation = self.generation.wrapping_add(1);
        self.active = true;
        self.wire = wire;
        self.at = 0;
        self.end = end;
        self.taken = 0;
    }
}

impl DataTree {
    /// Begins a snapshot at the state of this moment and writes the pieces that stand before the
    /// znodes: `emit` gets each.
    pub fn snapshot_begin(
        &mut self,
        sessions: impl Iterator<Item = (i64, i32)>,
        mut emit: impl FnMut(&[u8]),
    ) -> Zxid {
        self.cursor.begin(self.nodes.slots(), false);
        let mut piece = vec![b'H'];
        piece.put_int(FORMAT);
        piece.put_long(self.last_zxid.0);
        piece.put_long(self.digest as i64);
        piece.put_int(self.nodes.slots() as i32);
        piece.put_int(self.nodes.len() as i32);
        emit(&piece);
        piece.clear();
        piece.push(b'S');
        for (session, timeout_ms) in sessions {
            piece.put_long(session);
            piece.put_int(timeout_ms);
        }
        emit(&piece);
        piece.clear();
        piece.push(b'A');
        for (number, bytes) in self.acls.iter() {
            piece.put_int(number as i32);
            piece.put_buffer(Some(bytes));
        }
        emit(&piece);
        self.last_zxid
    }

    /// Whether a snapshot runs.
    pub fn snapshot_runs(&self) -> bool {
        self.cursor.active
    }

    /// Gives the snapshot up.
    pub fn snapshot_abort(&mut self) {
        self.cursor.active = false;
        self.cursor.images = Vec::new();
        // Znodes beyond the cursor keep older marks; all equal again, no mark can come round.
        for number in 0..self.nodes.slots() {
            self.nodes.get_mut(number).generation = self.cursor.generation;
        }
    }

    /// Writes about `bytes_max` more bytes to `out`, with at least one znode; true at the end.
    pub fn snapshot_slice(&mut self, bytes_max: usize, out: &mut Vec<u8>) -> bool {
        assert!(self.cursor.active && !self.cursor.wire, "a slice is asked for and none runs");
        let start = out.len();
        out.push(b'N');
        out.append(&mut self.cursor.images);
        let generation = self.cursor.generation;
        while self.cursor.at < self.cursor.end && out.len() - start < bytes_max {
            let number = self.cursor.at;
            self.cursor.at += 1;
            let node = self.nodes.get(number);
            if node.live && node.generation != generation {
                encode(number, node, self.content(number), out);
                self.nodes.get_mut(number).generation = generation;
                self.cursor.taken += 1;
            }
        }
        self.cursor.at == self.cursor.end
    }

    /// The last piece, after the slice that said that it is the end.
    pub fn snapshot_end(&mut self, out: &mut Vec<u8>) {
        assert!(
            self.cursor.active && self.cursor.images.is_empty(),
            "the snapshot is not at its end"
        );
        self.cursor.active = false;
        self.cursor.images = Vec::new();
        out.push(b'E');
        out.put_int(self.cursor.taken as i32);
    }

    /// To be called before a znode changes: a snapshot that has not come by takes it as it is.
    #[inline]
    pub(super) fn take_image(&mut self, number: u32) {
        if self.cursor.active && self.nodes.get(number).generation != self.cursor.generation {
            let mut images = std::mem::take(&mut self.cursor.images);
            if self.cursor.wire {
                self.put_with_parents(number, &mut images);
                self.cursor.images = images;
                return;
            }
            encode(number, self.nodes.get(number), self.content(number), &mut images);
            self.cursor.images = images;
            self.cursor.taken += 1;
            self.nodes.get_mut(number).generation = self.cursor.generation;
        }
    }
}

fn encode(number: u32, node: &Znode, content: &[u8], out: &mut Vec<u8>) {
    out.reserve(84 + content.len());
    for word in [number, node.parent, node.acl, node.crc, node.name_length, node.data_length] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    node.persisted().encode(out);
    out.extend_from_slice(content);
}

/// What a snapshot says about itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head {
    /// The zxid it stands at.
    pub zxid: Zxid,
    digest: u64,
    slots: u32,
    znodes: u32,
}

/// Puts the pieces of a snapshot together again.
#[derive(Debug, Default)]
pub struct Assembly {
    head: Option<Head>,
    /// Sessions and their timeouts in ms.
    pub sessions: Vec<(i64, i32)>,
    acls: std::collections::BTreeMap<u32, u32>,
    ended: bool,
    /// A bit for each znode that hangs on the root.
    attached: Vec<u64>,
    attached_count: u32,
    digest: u64,
    /// Paths of parents, by the lower bits of their numbers.
    paths: Vec<(u32, String)>,
    path: String,
    /// Entries on their way to the index.
    entries: Vec<(u64, u32)>,
}

/// Parents whose paths are kept while a snapshot is read.
const PATHS: usize = 4096;
/// Entries whose places in the index are fetched side by side.
const ENTRIES: usize = 64;

type Loaded<T> = Result<T, String>;

fn field<T>(read: zk_wire::jute::Result<T>) -> Loaded<T> {
    read.map_err(|error| format!("snapshot piece: {error}"))
}

impl Assembly {
    /// What the snapshot said about itself, once the first piece is there.
    pub fn head(&self) -> Option<Head> {
        self.head
    }

    /// Takes the next piece into a bare tree. The error names what is wrong; the tree is then of no
    /// use.
    pub fn piece(&mut self, tree: &mut DataTree, bytes: &[u8]) -> Loaded<()> {
        let (tag, rest) = bytes.split_first().ok_or("an empty snapshot piece")?;
        let mut reader = Reader::new(rest);
        if self.ended || (self.head.is_none() != (*tag == b'H')) {
            return Err(format!("snapshot piece {:?} out of order", char::from(*tag)));
        }
        match tag {
            b'H' => self.take_head(tree, &mut reader),
            b'S' => {
                while !reader.is_empty() {
                    let session = field(reader.long("session"))?;
                    self.sessions.push((session, field(reader.int("timeout"))?));
                }
                Ok(())
            }
            b'A' => {
                while !reader.is_empty() {
                    let number = field(reader.int("acl number"))? as u32;
                    let list = field(reader.buffer("acl list"))?.unwrap_or(&[]);
                    let mut check = Reader::new(list);
                    field(zk_wire::request::AclList::scan(&mut check))?;
                    self.acls.insert(number, tree.acls.intern(list));
                }
                Ok(())
            }
            b'N' => self.take_znodes(tree, reader),
            b'E' => {
                self.ended = true;
                let count = field(reader.int("znodes"))? as u32;
                self.finish(tree, count)
            }
            other => Err(format!("unknown snapshot piece {:?}", char::from(*other))),
        }
    }

    /// Whether the last piece was there and everything fitted.
    pub fn is_complete(&self) -> bool {
        self.ended
    }

    fn take_head(&mut self, tree: &mut DataTree, reader: &mut Reader<'_>) -> Loaded<()> {
        let format = field(reader.int("format"))?;
        if format != FORMAT {
            return Err(format!("snapshot format {format}, this version reads {FORMAT}"));
        }
        let head = Head {
            zxid: Zxid(field(reader.long("zxid"))?),
            digest: field(reader.long("digest"))? as u64,
            slots: field(reader.int("slots"))? as u32,
            znodes: field(reader.int("znodes"))? as u32,
        };
        tree.index.reserve(head.znodes.min(1 << 28) as usize);
        self.head = Some(head);
        Ok(())
    }

    fn take_znodes(&mut self, tree: &mut DataTree, mut reader: Reader<'_>) -> Loaded<()> {
        let slots = self.head.expect("checked before").slots;
        while !reader.is_empty() {
            let mut words = [0u32; 6];
            for word in &mut words {
                *word = field(reader.int("znode"))? as u32;
            }
            let [number, parent, acl, crc, name_length, data_length] = words;
            let stat = field(StatPersisted::decode(&mut reader))?;
            let data_bytes = if data_length == NULL_DATA { 0 } else { data_length as usize };
            let bytes = name_length as usize + data_bytes;
            let content = reader.rest().get(..bytes).ok_or("a znode ends too early")?;
            reader = Reader::new(&reader.rest()[bytes..]);
            if number >= slots || (parent >= slots && parent != NIL) {
                return Err(format!("znode {number} below {parent} of {slots} slots"));
            }
            let name = &content[..name_length as usize];
            let named = std::str::from_utf8(name).is_ok_and(|n| !n.contains('/'));
            if !named || name.is_empty() != (number == ROOT) || (parent == NIL) != (number == ROOT)
            {
                return Err(format!("znode {number} has no proper name or parent"));
            }
            let given = acl;
            let acl = self.acls.get(&given).copied();
            let acl = acl.ok_or_else(|| format!("znode {number}: unknown ACL {given}"))?;
            let block = tree.arena.alloc(bytes);
            tree.arena.get_mut(block, bytes).copy_from_slice(content);
            let node =
                Znode { block, name_length, data_length, crc, ..Znode::alone(&stat, parent, acl) };
            if !tree.nodes.insert_at(number, node) {
                return Err(format!("znode {number} comes twice"));
            }
            // As a rule parents come first, and all of the znode is in the cache now.
            if number == ROOT || self.is_attached(parent) {
                self.attach(tree, number);
            }
        }
        Ok(())
    }

    fn is_attached(&self, number: u32) -> bool {
        let word = self.attached.get(number as usize / 64).copied().unwrap_or(0);
        word >> (number % 64) & 1 != 0
    }

    /// Hangs a znode below its parent, which hangs on the root already, and enters it everywhere.
    fn attach(&mut self, tree: &mut DataTree, number: u32) {
        let word = number as usize / 64;
        if self.attached.len() <= word {
            self.attached.resize(word + 1, 0);
        }
        self.attached[word] |= 1 << (number % 64);
        self.attached_count += 1;
        self.path.clear();
        if number != ROOT {
            let parent = tree.nodes.get(number).parent;
            tree.link(parent, number);
            self.paths.resize_with(PATHS, || (ROOT, String::new()));
            let (kept, path) = &mut self.paths[parent as usize % PATHS];
            if *kept != parent {
                *kept = parent;
                *path = if parent == ROOT { String::new() } else { tree.path(parent) };
            }
            self.path.push_str(path);
            self.path.push('/');
            self.path.push_str(tree.name(number));
            self.entries.push((hash(tree.seed, self.path.as_bytes()), number));
            if self.entries.len() == ENTRIES {
                self.enter(tree);
            }
        }
        tree.enroll(number, self.path.len());
        if digested(&self.path) {
            self.digest = self.digest.wrapping_add(tree.digest_of(number));
        }
    }

    fn enter(&mut self, tree: &mut DataTree) {
        let touched = self.entries.iter().fold(0, |all, (hash, _)| all ^ tree.index.touch(*hash));
        std::hint::black_box(touched);
        for (hash, number) in self.entries.drain(..) {
            tree.index.insert(hash, number);
        }
    }

    fn finish(&mut self, tree: &mut DataTree, count: u32) -> Loaded<()> {
        let head = self.head.expect("checked before");
        if count != head.znodes || tree.nodes.len() != head.znodes as usize {
            let have = tree.nodes.len();
            return Err(format!("{have} znodes where the snapshot says {}", head.znodes));
        }
        if tree.nodes.slots() == 0 || !tree.nodes.get(ROOT).live {
            return Err("the snapshot has no root".to_owned());
        }
        if self.attached_count < head.znodes {
            self.attach_rest(tree)?;
        }
        self.enter(tree);
        tree.nodes.link_free();
        if self.digest != head.digest {
            return Err(format!("the tree's digest is {:#x}, not {:#x}", self.digest, head.digest));
        }
        tree.digest = self.digest;
        tree.last_zxid = head.zxid;
        self.paths = Vec::new();
        Ok(())
    }

    /// Znodes that stood before their parents: walks up from each to one that hangs on the root.
    fn attach_rest(&mut self, tree: &mut DataTree) -> Loaded<()> {
        let mut above = Vec::new();
        for start in 0..tree.nodes.slots() {
            let mut number = start;
            while tree.nodes.get(start).live && !self.is_attached(number) {
                above.push(number);
                let parent = tree.nodes.get(number).parent;
                if parent >= tree.nodes.slots() || !tree.nodes.get(parent).live {
                    return Err(format!("znode {number}: its parent {parent} is not there"));
                }
                if above.len() > tree.nodes.len() {
                    return Err(format!("znode {start} hangs on itself, not on the root"));
                }
                number = parent;
            }
            while let Some(number) = above.pop() {
                self.attach(tree, number);
            }
        }
        Ok(())
    }
}
