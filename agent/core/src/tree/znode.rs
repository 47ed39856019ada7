//! A znode as it lies in memory, and the slab that holds them.
//!
//! 104 bytes and one block of the arena for name and data. Siblings are chained, so that a child
//! costs its parent nothing, and a znode without children nothing either.

use zk_wire::{Stat, StatPersisted};

use super::arena::Block;

/// Number of the root.
pub const ROOT: u32 = 0;
/// No znode.
pub const NIL: u32 = u32::MAX;
/// `data_length` of null data.
pub const NULL_DATA: u32 = u32::MAX;

/// `ephemeral_owner` of a container.
pub const CONTAINER_OWNER: i64 = i64::MIN;
/// Upper byte of the owner of a TTL znode.
const TTL_MARK: u64 = 0xff << 56;
/// Largest TTL in ms.
pub const TTL_MAX_MS: i64 = (1 << 40) - 1;

/// What the owner of a znode says about its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Stays.
    Persistent,
    /// Belongs to this session.
    Ephemeral(i64),
    /// Goes with its last child.
    Container,
    /// Goes when unchanged for so many ms and childless.
    Ttl(i64),
}

impl Kind {
    /// Reads an owner. `emulate_353` also takes the encoding of 3.5.3 for TTL.
    pub fn of(owner: i64, emulate_353: bool) -> Kind {
        let bits = owner as u64;
        match owner {
            0 => Kind::Persistent,
            CONTAINER_OWNER => Kind::Container,
            _ if bits >> 40 == TTL_MARK >> 40 => Kind::Ttl((bits & 0xff_ffff_ffff) as i64),
            _ if emulate_353 && owner < 0 => Kind::Ttl((bits & 0xff_ffff_ffff) as i64),
            session => Kind::Ephemeral(session),
        }
    }

    /// The owner of a TTL znode.
    pub fn ttl_owner(ttl_ms: i64) -> i64 {
        debug_assert!((1..=TTL_MAX_MS).contains(&ttl_ms));
        (TTL_MARK | ttl_ms as u64) as i64
    }
}

/// A znode.
#[derive(Clone, Debug)]
pub struct Znode {
    pub czxid: i64,
    pub mzxid: i64,
    pub pzxid: i64,
    pub ctime_ms: i64,
    pub mtime_ms: i64,
    /// Session, or mark of a container or TTL znode; see [`Kind`].
    pub owner: i64,
    pub version: i32,
    /// Children ever created.
    pub cversion: i32,
    pub aversion: i32,
    /// Number in the ACL table.
    pub acl: u32,
    pub parent: u32,
    /// Next sibling; in a free slot the next free one.
    pub next: u32,
    pub prev: u32,
    pub first_child: u32,
    pub children: u32,
    /// Name, then data.
    pub block: Block,
    pub name_length: u32,
    /// `NULL_DATA` for null.
    pub data_length: u32,
    /// CRC-32 of path and data: where the digest goes on with the stat.
    pub crc: u32,
    /// Snapshot that has taken or need not take this znode.
    pub generation: u8,
    pub live: bool,
}

impl Znode {
    /// A live znode with this stat that is not linked to any other yet and has neither name nor data.
    pub fn alone(stat: &StatPersisted, parent: u32, acl: u32) -> Znode {
        Znode {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            pzxid: stat.pzxid,
            ctime_ms: stat.ctime_ms,
            mtime_ms: stat.mtime_ms,
            owner: stat.ephemeral_owner,
            version: stat.version,
            cversion: stat.cversion,
            aversion: stat.aversion,
            acl,
            parent,
            next: NIL,
            prev: NIL,
            first_child: NIL,
            children: 0,
            block: Block::NONE,
            name_length: 0,
            data_length: NULL_DATA,
            crc: 0,
            generation: 0,
            live: true,
        }
    }

    /// Bytes of data; 0 for null.
    pub fn data_bytes(&self) -> usize {
        if self.data_length == NULL_DATA { 0 } else { self.data_length as usize }
    }

    /// Bytes of the block.
    pub fn block_bytes(&self) -> usize {
        self.name_length as usize + self.data_bytes()
    }

    /// The stat as snapshots and txns know it.
    pub fn persisted(&self) -> StatPersisted {
        StatPersisted {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime_ms: self.ctime_ms,
            mtime_ms: self.mtime_ms,
            version: self.version,
            cversion: self.cversion,
            aversion: self.aversion,
            ephemeral_owner: self.owner,
            pzxid: self.pzxid,
        }
    }

    /// The stat as a client sees it.
    #[inline]
    pub fn stat(&self, emulate_353: bool) -> Stat {
        client_stat(&self.persisted(), self.data_bytes(), self.children, emulate_353)
    }
}

/// Makes a client's stat of a stored one.
#[inline]
pub fn client_stat(
    stored: &StatPersisted,
    data_bytes: usize,
    children: u32,
    emulate_353: bool,
) -> Stat {
    let ephemeral_owner = match Kind::of(stored.ephemeral_owner, emulate_353) {
        Kind::Ephemeral(session) => session,
        _ => 0,
    };
    Stat {
        czxid: stored.czxid,
        mzxid: stored.mzxid,
        ctime_ms: stored.ctime_ms,
        mtime_ms: stored.mtime_ms,
        version: stored.version,
        cversion: stored.cversion.wrapping_mul(2).wrapping_sub(children as i32),
        aversion: stored.aversion,
        ephemeral_owner,
        data_length: data_bytes as i32,
        num_children: children as i32,
        pzxid: stored.pzxid,
    }
}

const CHUNK_BITS: u32 = 12;
const CHUNK: usize = 1 << CHUNK_BITS;

/// All znodes by number. Memory grows a chunk at a time; full chunks never move.
#[derive(Debug)]
pub struct Slab {
    chunks: Vec<Vec<Znode>>,
    free: u32,
    live: u32,
}

impl Default for Slab {
    fn default() -> Slab {
        Slab { chunks: Vec::new(), free: NIL, live: 0 }
    }
}

impl Slab {
    /// Live znodes.
    pub fn len(&self) -> usize {
        self.live as usize
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Slots, live and free: every number is below.
    pub fn slots(&self) -> u32 {
        match self.chunks.last() {
            Some(last) => (((self.chunks.len() - 1) << CHUNK_BITS) + last.len()) as u32,
            None => 0,
        }
    }

    /// The slot of a number, live or not.
    #[inline]
    pub fn get(&self, number: u32) -> &Znode {
        &self.chunks[(number >> CHUNK_BITS) as usize][number as usize & (CHUNK - 1)]
    }

    /// The slot of a number, to be changed.
    #[inline]
    pub fn get_mut(&mut self, number: u32) -> &mut Znode {
        &mut self.chunks[(number >> CHUNK_BITS) as usize][number as usize & (CHUNK - 1)]
    }

    /// Puts a znode into a free slot.
    pub fn insert(&mut self, znode: Znode) -> u32 {
        self.live += 1;
        if self.free != NIL {
            let number = self.free;
            self.free = self.get(number).next;
            *self.get_mut(number) = znode;
            return number;
        }
        self.push(znode)
    }

    fn push(&mut self, znode: Znode) -> u32 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            // The first chunk starts small: most of a fresh server's memory would be this.
            let room = if self.chunks.is_empty() { 64 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        let chunks = self.chunks.len();
        let last = self.chunks.last_mut().expect("pushed just now");
        last.push(znode);
        (((chunks - 1) << CHUNK_BITS) + last.len() - 1) as u32
    }

    /// Puts a znode into the slot of this number; those below it that were never used become free
    /// ones at [`Slab::link_free`]. False when the slot is taken.
    pub fn insert_at(&mut self, number: u32, znode: Znode) -> bool {
        while self.slots() <= number {
            let mut hole = znode.clone();
            hole.live = false;
            self.push(hole);
        }
        let slot = self.get_mut(number);
        if slot.live {
            return false;
        }
        *slot = znode;
        self.live += 1;
        true
    }

    /// Chains all slots that are not live.
    pub fn link_free(&mut self) {
        self.free = NIL;
        for number in (0..self.slots()).rev() {
            let free = self.free;
            let slot = self.get_mut(number);
            if !slot.live {
                slot.next = free;
                self.free = number;
            }
        }
    }

    /// Frees a slot.
    pub fn remove(&mut self, number: u32) {
        let free = self.free;
        let slot = self.get_mut(number);
        assert!(slot.live, "znode {number} is freed twice");
        slot.live = false;
        slot.next = free;
        self.free = number;
        self.live -= 1;
    }
}
