//! Access control lists, each kept once and named by a number.
//!
//! A list is found by its jute bytes, so that a create with a known list takes nothing apart. The
//! open list (world:anyone, all permissions) is number 0 and always there.

use std::collections::BTreeMap;

use zk_wire::Acl;
use zk_wire::jute::Reader;

/// Number of the open list.
pub const OPEN: u32 = 0;

#[derive(Debug)]
struct Entry {
    bytes: Box<[u8]>,
    list: Vec<Acl>,
    /// Znodes that have it.
    uses: u64,
}

/// The table.
#[derive(Debug)]
pub struct AclTable {
    entries: Vec<Option<Entry>>,
    by_bytes: BTreeMap<Box<[u8]>, u32>,
    free: Vec<u32>,
    open_bytes: Vec<u8>,
}

impl Default for AclTable {
    fn default() -> AclTable {
        let mut open_bytes = Vec::new();
        Acl::encode_list(&Acl::open(), &mut open_bytes);
        let mut table = AclTable {
            entries: Vec::new(),
            by_bytes: BTreeMap::new(),
            free: Vec::new(),
            open_bytes: open_bytes.clone(),
        };
        let number = table.insert(&open_bytes);
        assert_eq!(number, OPEN, "the open list is the first one");
        table
    }
}

impl AclTable {
    /// The number of a list given as jute bytes of the whole vector.
    pub fn intern(&mut self, bytes: &[u8]) -> u32 {
        if bytes == self.open_bytes {
            return OPEN;
        }
        match self.by_bytes.get(bytes) {
            Some(number) => *number,
            None => self.insert(bytes),
        }
    }

    fn insert(&mut self, bytes: &[u8]) -> u32 {
        let list = Acl::decode_list(&mut Reader::new(bytes)).expect("the list was scanned before");
        let entry = Entry { bytes: bytes.into(), list: list.unwrap_or_default(), uses: 0 };
        let number = match self.free.pop() {
            Some(number) => {
                self.entries[number as usize] = Some(entry);
                number
            }
            None => {
                self.entries.push(Some(entry));
                (self.entries.len() - 1) as u32
            }
        };
        self.by_bytes.insert(bytes.into(), number);
        number
    }

    fn entry(&self, number: u32) -> &Entry {
        self.entries[number as usize].as_ref().expect("the number of a list that is in use")
    }

    /// The entries of a list.
    pub fn list(&self, number: u32) -> &[Acl] {
        &self.entry(number).list
    }

    /// The jute bytes of a list.
    pub fn bytes(&self, number: u32) -> &[u8] {
        &self.entry(number).bytes
    }

    /// One znode more has this list.
    pub fn hold(&mut self, number: u32) {
        self.entries[number as usize].as_mut().expect("a list in use").uses += 1;
    }

    /// One znode less has this list. Lists that nobody has are dropped by `sweep`, not here: a
    /// request under way may know the number.
    pub fn release(&mut self, number: u32) {
        let entry = self.entries[number as usize].as_mut().expect("a list in use");
        assert!(entry.uses > 0, "ACL list {number} is released more often than held");
        entry.uses -= 1;
    }

    /// Number of lists that are kept.
    pub fn len(&self) -> usize {
        self.by_bytes.len()
    }

    /// Never: the open list is always there.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Drops the lists that no znode has. To be called when no request is under way.
    pub fn sweep(&mut self) {
        for number in 1..self.entries.len() {
            if self.entries[number].as_ref().is_some_and(|entry| entry.uses == 0) {
                let entry = self.entries[number].take().expect("looked at just now");
                self.by_bytes.remove(&entry.bytes);
                self.free.push(number as u32);
            }
        }
    }

    /// The lists that znodes have, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> + '_ {
        self.entries.iter().enumerate().filter_map(|(number, entry)| {
            let entry = entry.as_ref().filter(|entry| entry.uses > 0)?;
            Some((number as u32, &*entry.bytes))
        })
    }
}
