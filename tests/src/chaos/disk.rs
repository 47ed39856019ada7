//! A disk of a server's own: an ext4 filesystem in a file, on a loop device.

use std::path::{Path, PathBuf};

use super::tool::run;

/// Bytes of the filesystem: room for a few segments of the log and what comes with them.
const BYTES: u64 = 640 << 20;

/// Shuts a filesystem down without flushing its journal: what was not synced is gone, as after a
/// power cut. In Python because an ioctl is unsafe code.
const SHUTDOWN: &str = "import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";

/// A filesystem, mounted.
#[derive(Debug)]
pub struct Disk {
    image: PathBuf,
    place: PathBuf,
}

impl Disk {
    /// Makes one below `home`.
    pub fn new(home: &Path) -> Disk {
        let (image, place) = (home.join("image"), home.join("disk"));
        std::fs::create_dir_all(&place).expect("a directory of our own");
        let file = std::fs::File::create(&image).expect("a file of our own");
        file.set_len(BYTES).expect("a hole costs nothing");
        run("mkfs.ext4", &["-q", "-F", text(&image)]);
        let disk = Disk { image, place };
        disk.mount();
        disk
    }

    /// Where it is mounted.
    pub fn place(&self) -> &Path {
        &self.place
    }

    fn mount(&self) {
        // The device goes with the mount.
        run("mount", &["-o", "loop", text(&self.image), text(&self.place)]);
    }

    /// The power goes.
    pub fn cut_power(&self) {
        run("python3", &["-c", SHUTDOWN, text(&self.place)]);
    }

    /// The power is back; nobody may use the disk.
    pub fn power_on(&self) {
        run("umount", &[text(&self.place)]);
        self.mount();
    }

    /// No byte is left.
    pub fn fill(&self) {
        let free = run("df", &["--output=avail", "-B1", text(&self.place)]);
        let bytes: u64 = free.lines().last().and_then(|n| n.trim().parse().ok()).expect("a number");
        let filler = self.place.join("filler");
        // Metadata takes some of it: the rest is taken in smaller and smaller pieces.
        let mut size = bytes;
        let mut at = 0u64;
        while size >= 4096 {
            let done = std::process::Command::new("fallocate")
                .args(["-o", &at.to_string(), "-l", &size.to_string(), text(&filler)])
                .output();
            match done.expect("fallocate runs").status.success() {
                true => at += size,
                false => size /= 2,
            }
        }
    }

    /// There is room again.
    pub fn empty(&self) {
        let _ = std::fs::remove_file(self.place.join("filler"));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.place).output();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of our own is text")
}
