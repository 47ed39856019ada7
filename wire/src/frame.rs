//! Cuts a byte stream into frames: four bytes of length, then that many bytes.

/// What stands at the front of the bytes received so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Not even the length is complete; so many bytes are missing at least.
    Wait { missing: usize },
    /// A whole frame: its body is `bytes[4..4 + length]`.
    Frame { length: usize },
    /// A length that is negative or above the limit.
    TooLong { length: i32 },
}

/// Looks at the front of `bytes`. `length_max` is the largest body that is accepted.
#[inline]
pub fn cut(bytes: &[u8], length_max: usize) -> Cut {
    let Some(prefix) = bytes.first_chunk::<4>() else {
        return Cut::Wait { missing: 4 - bytes.len() };
    };
    let length = i32::from_be_bytes(*prefix);
    match usize::try_from(length) {
        Ok(count) if count <= length_max => {
            let have = bytes.len() - 4;
            if have < count {
                Cut::Wait { missing: count - have }
            } else {
                Cut::Frame { length: count }
            }
        }
        _ => Cut::TooLong { length },
    }
}

/// Reserves the length of a frame in `out` and returns where it stands.
#[inline]
pub fn begin(out: &mut Vec<u8>) -> usize {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    at
}

/// Fills in the length of the frame that was begun at `at`.
#[inline]
pub fn end(out: &mut [u8], at: usize) {
    let length = i32::try_from(out.len() - at - 4).expect("a frame is below 2 GiB");
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_judged_before_the_body_is_there() {
        assert_eq!(cut(&[0, 0], 10), Cut::Wait { missing: 2 });
        assert_eq!(cut(&[0, 0, 0, 2, 7], 10), Cut::Wait { missing: 1 });
        assert_eq!(cut(&[0, 0, 0, 0], 10), Cut::Frame { length: 0 });
        assert_eq!(cut(&[0, 0, 0, 11], 10), Cut::TooLong { length: 11 });
        assert_eq!(cut(&[0xff, 0xff, 0xff, 0xff], 10), Cut::TooLong { length: -1 });
    }

    #[test]
    fn a_frame_is_closed_with_its_length() {
        let mut out = vec![9];
        let at = begin(&mut out);
        out.extend_from_slice(b"abc");
        end(&mut out, at);
        assert_eq!(out, [9, 0, 0, 0, 3, b'a', b'b', b'c']);
    }
}
