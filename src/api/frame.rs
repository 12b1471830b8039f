//! Frames of the client socket (`api.md` 1.2): eight bytes of header in host byte order, then the body. Bounded: a header
//! that claims too much ends the connection before a byte of its body is kept.

use std::fmt;

/// Longest body of the protocol, its final NUL included.
pub const MAX_BODY: usize = 262_144;
const MAGIC: u32 = 0x0000_abcd;
const HEADER: usize = 8;

/// Why a connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiFrameError {
    /// Whoever speaks does not speak this protocol.
    Magic(u32),
    /// The header claims this length, which is negative or more than this client may send.
    Length(i32),
}

impl fmt::Display for ApiFrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApiFrameError::Magic(magic) => write!(f, "magic number mismatch: {magic:#x} instead of {MAGIC:#x}"),
            ApiFrameError::Length(length) => write!(f, "a frame of {length} bytes is not allowed"),
        }
    }
}

/// Finds bodies in a byte stream that may be cut anywhere. Holds at most one body and what came with it.
#[derive(Debug, Default)]
pub struct ApiFramer {
    bytes: Vec<u8>,
}

impl ApiFramer {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole body, if it has come; none longer than `most` is accepted.
    ///
    /// # Errors
    /// The stream is worthless from here on.
    pub fn next_body(&mut self, most: usize) -> Result<Option<Vec<u8>>, ApiFrameError> {
        let Some((header, rest)) = self.bytes.split_first_chunk::<HEADER>() else { return Ok(None) };
        let [a, b, c, d, e, f, g, h] = *header;
        let magic = u32::from_ne_bytes([e, f, g, h]);
        if magic != MAGIC {
            return Err(ApiFrameError::Magic(magic));
        }
        let claimed = i32::from_ne_bytes([a, b, c, d]);
        let length = usize::try_from(claimed).map_err(|_| ApiFrameError::Length(claimed))?;
        if length > most.min(MAX_BODY) {
            return Err(ApiFrameError::Length(claimed));
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let body = body.to_vec();
        self.bytes.drain(..HEADER + length);
        if self.bytes.is_empty() {
            // After a large message the room is given back.
            self.bytes = Vec::new();
        }
        Ok(Some(body))
    }
}

/// A body with its header.
pub fn frame(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&MAGIC.to_ne_bytes());
    bytes.extend_from_slice(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Everything the bytes hold, handed over in pieces of these sizes.
    fn read(bytes: &[u8], crumbs: &[usize]) -> Result<Vec<Vec<u8>>, ApiFrameError> {
        let (mut framer, mut bodies, mut rest) = (ApiFramer::default(), Vec::new(), bytes);
        let mut crumbs = crumbs.iter().cycle();
        while !rest.is_empty() {
            let (crumb, after) = rest.split_at((*crumbs.next().unwrap_or(&1)).clamp(1, rest.len()));
            framer.push(crumb);
            rest = after;
            while let Some(body) = framer.next_body(MAX_BODY)? {
                bodies.push(body);
            }
        }
        Ok(bodies)
    }

    fn header(length: i32, magic: u32) -> Vec<u8> {
        [length.to_ne_bytes(), magic.to_ne_bytes()].concat()
    }

    #[test]
    fn the_sign_on_of_cl_status_has_the_header_that_was_seen() {
        assert_eq!(&frame(&[b'x'; 0x53])[..8], &[0x53, 0, 0, 0, 0xcd, 0xab, 0, 0]);
    }

    #[test]
    fn two_frames_in_one_read_are_two_bodies_and_an_empty_one_is_a_body() {
        let bytes = [frame(b"one"), frame(b""), frame(b"two")].concat();
        assert_eq!(read(&bytes, &[1000]), Ok(vec![b"one".to_vec(), vec![], b"two".to_vec()]));
    }

    #[test]
    fn a_false_header_is_refused_before_its_body_has_come() {
        assert_eq!(read(&header(300_000, MAGIC), &[8]), Err(ApiFrameError::Length(300_000)));
        assert_eq!(read(&header(-1, MAGIC), &[8]), Err(ApiFrameError::Length(-1)));
        assert_eq!(read(&header(3, 0xabce), &[8]), Err(ApiFrameError::Magic(0xabce)));
        let mut framer = ApiFramer::default();
        framer.push(&header(5000, MAGIC));
        assert_eq!(framer.next_body(4096), Err(ApiFrameError::Length(5000)));
    }

    proptest! {
        #[test]
        fn bodies_come_back_however_the_bytes_are_cut(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..8),
            crumbs in prop::collection::vec(1_usize..20, 1..6),
        ) {
            let bytes: Vec<u8> = bodies.iter().flat_map(|body| frame(body)).collect();
            prop_assert_eq!(read(&bytes, &crumbs), Ok(bodies));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&bytes, &[7]);
        }
    }
}
