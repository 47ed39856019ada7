//! The database for a learner, in Apache's form, by the same cursor that writes snapshots.
//!
//! There parents must come before their children. So a znode takes with it those above it that are
//! not sent yet; they are still as they were when the cursor began, or they would have been sent.

use zk_wire::Writer;

use super::acl_table::OPEN;
use super::data_tree::DataTree;
use super::znode::ROOT;

/// What stands behind the last znode.
pub const SIGNATURE: &[u8] = b"BenWasHere";
/// Number of the open ACL in Apache's form.
const OPEN_ACL: i64 = -1;

impl DataTree {
    /// Begins to send the state of this moment: writes what stands before the znodes.
    pub fn wire_begin(&mut self, sessions: &[(i64, i32)], out: &mut Vec<u8>) {
        self.cursor.begin(self.nodes.slots(), true);
        out.put_int(sessions.len() as i32);
        for (session, timeout_ms) in sessions {
            out.put_long(*session);
            out.put_int(*timeout_ms);
        }
        let count = self.acls.iter().filter(|(number, _)| *number != OPEN).count();
        out.put_int(count as i32);
        for (number, list) in self.acls.iter().filter(|(number, _)| *number != OPEN) {
            out.put_long(i64::from(number));
            out.extend_from_slice(list);
        }
    }

    /// Writes about `bytes_max` more bytes, with at least one znode while there is one, and the end
    /// behind the last; true then.
    pub fn wire_slice(&mut self, bytes_max: usize, out: &mut Vec<u8>) -> bool {
        assert!(self.cursor.active && self.cursor.wire, "nothing is being sent");
        let start = out.len();
        out.append(&mut self.cursor.images);
        while self.cursor.at < self.cursor.end && out.len() - start < bytes_max {
            let number = self.cursor.at;
            self.cursor.at += 1;
            if self.nodes.get(number).live {
                self.put_with_parents(number, out);
            }
        }
        if self.cursor.at < self.cursor.end {
            return false;
        }
        self.cursor.active = false;
        out.put_string("/");
        out.put_buffer(Some(SIGNATURE));
        true
    }

    /// Writes a znode unless it is sent, and before it those above it.
    pub(super) fn put_with_parents(&mut self, number: u32, out: &mut Vec<u8>) {
        let generation = self.cursor.generation();
        let (mut chain, mut at) = (Vec::new(), number);
        while self.nodes.get(at).generation != generation {
            chain.push(at);
            if at == ROOT {
                break;
            }
            at = self.nodes.get(at).parent;
        }
        for number in chain.into_iter().rev() {
            let path = if number == ROOT { String::new() } else { self.path(number) };
            let node = self.nodes.get(number);
            out.put_string(&path);
            out.put_buffer(self.data(number));
            out.put_long(if node.acl == OPEN { OPEN_ACL } else { i64::from(node.acl) });
            node.persisted().encode(out);
            self.nodes.get_mut(number).generation = generation;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Rng;
    use crate::tree::acl_table::OPEN;
    use zk_wire::StatPersisted;
    use zk_wire::jute::Reader;

    fn read(bytes: &[u8]) -> Vec<String> {
        let mut reader = Reader::new(bytes);
        assert_eq!(reader.int("sessions"), Ok(0));
        for _ in 0..reader.int("acls").unwrap() {
            reader.long("number").unwrap();
            zk_wire::request::AclList::scan(&mut reader).unwrap();
        }
        let mut paths = Vec::new();
        loop {
            let path = reader.string("path").unwrap().into_owned();
            if path == "/" {
                assert_eq!(reader.buffer("signature"), Ok(Some(SIGNATURE)));
                assert!(reader.is_empty());
                return paths;
            }
            reader.buffer("data").unwrap();
            reader.long("acl").unwrap();
            StatPersisted::decode(&mut reader).unwrap();
            paths.push(path);
        }
    }

    /// Goal: whatever happens meanwhile, every znode of the beginning is sent once, parents first.
    #[test]
    fn parents_come_first_and_changes_meanwhile_do_not_show() {
        let mut rng = Rng::new(5);
        for round in 0..30 {
            let mut tree = DataTree::fresh(round, false);
            let stat = StatPersisted::default();
            let mut paths = vec![String::new()];
            for number in 0..300 {
                let parent = paths[rng.below(paths.len() as u64) as usize].clone();
                let path = format!("{parent}/n{number}");
                tree.load(&path, Some(b"x"), OPEN, &stat).unwrap();
                paths.push(path);
            }
            let mut expected: Vec<String> = paths.clone();
            expected.extend(["/zookeeper".into(), "/zookeeper/quota".into()]);
            expected.push("/zookeeper/config".into());
            let mut out = Vec::new();
            tree.wire_begin(&[], &mut out);
            while !tree.wire_slice(200, &mut out) {
                let path = &paths[1 + rng.below(paths.len() as u64 - 1) as usize];
                let zxid = zk_wire::Zxid(9);
                let Some(number) = tree.find(path) else { continue };
                if tree.node(number).children == 0 && rng.below(3) == 0 {
                    tree.delete(path, zxid).unwrap();
                } else {
                    tree.set_data(path, Some(b"y"), 1, zxid, 0).unwrap();
                }
            }
            let mut sent = read(&out);
            for (at, path) in sent.iter().enumerate() {
                let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
                assert!(path.is_empty() || sent[..at].iter().any(|p| p == parent), "{path}");
            }
            sent.sort();
            expected.sort();
            assert_eq!(sent, expected);
        }
    }
}
