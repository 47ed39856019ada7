//! A file mapped into memory, shared with the page cache.
//!
//! Stores become dirty pages that the kernel may write at any time and in any order; `fdatasync`
//! on the file makes all of them durable. A page the disk cannot serve raises SIGBUS, see
//! [`sigbus`](super::sigbus).

use std::fs::File;
use std::io;

/// A writable shared mapping of the first bytes of a file.
#[derive(Debug)]
pub struct Map {
    map: memmap2::MmapMut,
}

impl Map {
    /// Maps the first `bytes` bytes of the file, which must have them allocated: a store into a
    /// hole of a full disk is a SIGBUS.
    ///
    /// # Errors
    /// What `mmap` says.
    pub fn new(file: &File, bytes: usize) -> io::Result<Map> {
        // SAFETY: the data directory is locked, so no process of ours changes the file beside us.
        // The bytes are only ever stored to through `&mut self` and never lent out as a slice, so
        // a stranger who writes to the file can break its contents but not the memory of this
        // process; one who truncates it raises SIGBUS, which ends the process.
        let map = unsafe { memmap2::MmapOptions::new().len(bytes).map_mut(file)? };
        Ok(Map { map })
    }

    /// Copies bytes to an offset. It is a bug of the caller to write behind the end: this panics.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.map[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    /// Takes pages out of this process; the page cache keeps them. Whole pages of the range only.
    ///
    /// # Errors
    /// What `madvise` says.
    pub fn forget(&mut self, offset: usize, bytes: usize) -> io::Result<()> {
        // SAFETY: on a shared file mapping DONTNEED only drops the page table entries: the next
        // access faults the same bytes in again from the page cache. Nothing is lost.
        unsafe {
            self.map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, offset, bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Map;

    #[test]
    fn stores_reach_the_file_and_survive_being_forgotten() {
        let path = std::env::temp_dir().join(format!("zk-agent-map-{}", std::process::id()));
        std::fs::write(&path, [0u8; 8192]).unwrap();
        let file = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        let mut map = Map::new(&file, 8192).unwrap();
        map.write(4090, b"across pages");
        map.forget(0, 8192).unwrap();
        map.write(0, b"first");
        file.sync_data().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(&bytes[4090..4102], b"across pages");
        assert_eq!(&bytes[..5], b"first");
    }
}
