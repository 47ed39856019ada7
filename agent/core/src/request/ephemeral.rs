//! Whether a request is for an ephemeral: a session that only its own server knows has to become one
//! of the ensemble's first.

use zk_wire::Op;
use zk_wire::jute::Reader;
use zk_wire::multi::{SubRequest, SubRequests};
use zk_wire::request::{CreateRequest, flags};

/// Whether create or create2, by itself or in a multi, makes an ephemeral. What does not decode does
/// not: it is judged elsewhere.
pub fn creates_ephemeral(op: Op, mut reader: Reader<'_>) -> bool {
    match op {
        Op::CREATE | Op::CREATE2 => {
            CreateRequest::decode(&mut reader).is_ok_and(|create| is_ephemeral(create.flags))
        }
        Op::MULTI => multi_creates_ephemeral(SubRequests::new(reader)),
        _ => false,
    }
}

fn is_ephemeral(flags: i32) -> bool {
    matches!(flags, flags::EPHEMERAL | flags::EPHEMERAL_SEQUENTIAL)
}

fn multi_creates_ephemeral(mut subs: SubRequests<'_>) -> bool {
    let mut found = false;
    loop {
        match subs.read_next() {
            Ok(None) => return found,
            Err(_) => return false,
            Ok(Some(SubRequest::Create(Op::CREATE | Op::CREATE2, create))) => {
                found |= is_ephemeral(create.flags);
            }
            Ok(Some(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zk_wire::Acl;
    use zk_wire::multi::{encode_end, encode_header};
    use zk_wire::request::{encode_create, encode_path_int};

    fn multi(creates: &[i32]) -> Vec<u8> {
        let mut out = Vec::new();
        for flags in creates {
            encode_header(&mut out, Op::CREATE.0, false, -1);
            encode_create(&mut out, "/a", None, &Acl::open(), *flags, None);
        }
        encode_header(&mut out, Op::CHECK.0, false, -1);
        encode_path_int(&mut out, "/a", -1);
        encode_end(&mut out);
        out
    }

    #[test]
    fn only_creates_of_ephemerals_count() {
        for (flags, expected) in [(0, false), (1, true), (2, false), (3, true), (4, false)] {
            let mut body = Vec::new();
            encode_create(&mut body, "/a", None, &Acl::open(), flags, None);
            for (op, counts) in
                [(Op::CREATE, true), (Op::CREATE2, true), (Op::CREATE_CONTAINER, false)]
            {
                let found = creates_ephemeral(op, Reader::new(&body));
                assert_eq!(found, expected && counts, "{op:?} {flags}");
            }
            assert!(!creates_ephemeral(Op::CREATE, Reader::new(&body[..body.len() - 1])));
        }
    }

    #[test]
    fn a_multi_is_looked_through_to_its_end() {
        for (creates, expected) in [
            (&[][..], false),
            (&[0, 2], false),
            (&[0, 3], true),
            (&[1, 0], true),
            (&[7, 1], false),
            (&[1, 7], false),
        ] {
            let body = multi(creates);
            assert_eq!(creates_ephemeral(Op::MULTI, Reader::new(&body)), expected, "{creates:?}");
            let cut = &body[..body.len() - 10];
            assert!(!creates_ephemeral(Op::MULTI, Reader::new(cut)), "{creates:?}");
        }
    }
}
