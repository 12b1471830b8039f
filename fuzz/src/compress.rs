//! Compressed messages behind a right signature: what does not unpack, what unpacks to too much, what unpacks to a message.

use std::io::Write as _;

use latido::auth::Method;
use latido::wire::{Form, MAX_MESSAGE, Message, Value, open, seal};

use super::{Seed, bytes::Bytes, samples, wire::keyring};

/// The first byte says which algorithm, and whether the rest is compressed already.
pub fn run(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let mode = bytes.byte();
    let algorithm = ["zlib", "bz2", "lzma", ""][usize::from(mode & 3)];
    let times = if mode & 16 == 0 { 1 } else { 1 + usize::from(bytes.byte()) * 8 };
    let plain = bytes.rest();
    let payload = match (mode & 4 == 0, algorithm) {
        (false, "zlib") => zlib(&plain.repeat(times)),
        (false, "bz2") => bz2(&plain.repeat(times)),
        (_, _) => plain.to_vec(),
    };
    let mut message = Message::empty();
    message.set_value("_compressed_payload", Value::Binary(payload));
    let message = message.with("_compression_algorithm", algorithm);
    let ring = keyring(Method::Sha1);
    let form = if mode & 8 == 0 { Form::ClassicNul } else { Form::Netstring };
    let sealed = seal(&message, &ring, form);
    match open(&sealed, &ring) {
        Ok(inside) => {
            assert!(inside.value("_compressed_payload").is_none(), "compressed within compressed");
            assert!(inside.value("auth").is_none(), "an unsigned signature");
            let size: usize = inside.fields().map(|(name, value)| name.len() + size(value)).sum();
            // Bytes that are no text grow to three when they are made text.
            assert!(size <= 3 * MAX_MESSAGE, "{size} bytes came out");
        }
        Err(reject) => drop(reject.to_string()),
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Binary(bytes) | Value::Opaque { raw: bytes, .. } => bytes.len(),
    }
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).and_then(|()| encoder.finish()).unwrap_or_default()
}

fn bz2(plain: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(plain).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// Every sample of `tests/wire`, compressed both ways.
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (name, bytes) in samples("tests/wire", "msg") {
        seeds.push((format!("zlib-{name}"), [&[0], &zlib(&bytes)[..]].concat()));
        seeds.push((format!("bz2-{name}"), [&[1], &bz2(&bytes)[..]].concat()));
        seeds.push((format!("to-zlib-{name}"), [&[4], &bytes[..]].concat()));
        seeds.push((format!("to-bz2-{name}"), [&[8 | 5], &bytes[..]].concat()));
    }
    seeds.push(("bomb-zlib".into(), [&[16 | 4, 255], &[b'x'; 200][..]].concat()));
    seeds.push(("bomb-bz2".into(), [&[16 | 5, 255], &[b'x'; 200][..]].concat()));
    seeds
}
