//! Messages that came compressed (`wire.md` 3): unpacked after their signature was checked, never written.

use std::io::Read;

use super::frame::MAX_MESSAGE;
use super::message::{Message, Value};
use super::reject::Malformed;
use super::{classic, netstring};

/// Binary: a whole unsigned message, packed.
pub(super) const PAYLOAD: &str = "_compressed_payload";
/// Text: `zlib` or `bz2`.
pub(super) const ALGORITHM: &str = "_compression_algorithm";

/// The message inside, or the message itself when it is not packed. What it unpacks to is bounded by [`MAX_MESSAGE`].
pub(super) fn unpack(message: Message) -> Result<Message, Malformed> {
    let Some(Value::Binary(packed)) = message.value(PAYLOAD) else {
        return Ok(message);
    };
    let plain = match message.get(ALGORITHM) {
        Some("zlib") => inflate(flate2::read::ZlibDecoder::new(packed.as_slice()))?,
        Some("bz2") => inflate(bzip2::read::BzDecoder::new(packed.as_slice()))?,
        _ => return Err(Malformed::Unpack),
    };
    let mut inside = decode_unsigned(&plain)?;
    if inside.value(PAYLOAD).is_some() {
        return Err(Malformed::Nested);
    }
    inside.remove(super::field::AUTH);
    Ok(inside)
}

/// Reads piece by piece, so that never more than the bound is held.
fn inflate(mut from: impl Read) -> Result<Vec<u8>, Malformed> {
    let mut plain = Vec::new();
    let mut piece = [0; 8192];
    loop {
        let count = from.read(&mut piece).map_err(|_| Malformed::Unpack)?;
        if count == 0 {
            return Ok(plain);
        }
        if plain.len() + count >= MAX_MESSAGE {
            return Err(Malformed::UnpackTooLong);
        }
        plain.extend_from_slice(piece.get(..count).unwrap_or_default());
    }
}

/// Either form, without a signature or with one that nobody needs.
fn decode_unsigned(bytes: &[u8]) -> Result<Message, Malformed> {
    if bytes.starts_with(netstring::START) {
        return netstring::decode(bytes).map(|(message, _)| message);
    }
    classic::decode(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::wire::Kind;

    fn zlib(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn bz2(plain: &[u8]) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn packed(algorithm: &str, payload: Vec<u8>) -> Message {
        let mut message = Message::empty();
        message.set_value(PAYLOAD, Value::Binary(payload));
        message.with(ALGORITHM, algorithm)
    }

    fn status() -> Message {
        Message::new(&Kind::Status).with("src", "alpha")
    }

    #[test]
    fn both_algorithms_and_both_forms_unpack_to_the_message_inside() {
        let mut with_nul = classic::encode(&status());
        with_nul.push(0);
        for plain in [with_nul, netstring::encode(&status())] {
            assert_eq!(unpack(packed("zlib", zlib(&plain))), Ok(status()));
            assert_eq!(unpack(packed("bz2", bz2(&plain))), Ok(status()));
        }
    }

    #[test]
    fn a_bomb_is_refused_at_the_bound() {
        let bomb = vec![b'x'; 8 << 20];
        assert_eq!(unpack(packed("zlib", zlib(&bomb))), Err(Malformed::UnpackTooLong));
        assert_eq!(unpack(packed("bz2", bz2(&bomb))), Err(Malformed::UnpackTooLong));
    }

    #[test]
    fn packed_within_packed_is_refused() {
        let inner = packed("zlib", zlib(&classic::encode(&status())));
        assert_eq!(unpack(packed("zlib", zlib(&classic::encode(&inner)))), Err(Malformed::Nested));
    }

    #[test]
    fn broken_or_unknown_packing_is_refused() {
        assert_eq!(unpack(packed("zlib", b"nonsense".to_vec())), Err(Malformed::Unpack));
        assert_eq!(unpack(packed("lzma", zlib(b""))), Err(Malformed::Unpack));
        let mut cut = zlib(&classic::encode(&status()));
        cut.truncate(cut.len() / 2);
        assert!(unpack(packed("zlib", cut)).is_err());
    }
}
