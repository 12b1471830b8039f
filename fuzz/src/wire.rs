//! What comes in over a medium: datagrams and a serial line's bytes, raw, and rightly signed so that what lies behind the
//! signature is reached. What is accepted must survive being sent on, and nothing may be kept without bound.

use latido::auth::{KeyId, Keyring, Method};
use latido::names::MediumId;
use latido::wire::{Form, MAX_MESSAGE, Message, Value, open, plain, seal};

use super::{Seed, bytes::Bytes, samples};

const METHODS: [Method; 4] = [Method::Sha1, Method::Md5, Method::Crc, Method::Sha256];

pub(super) fn keyring(method: Method) -> Keyring {
    let key = KeyId::MAX;
    Keyring::single(key, method, if method == Method::Crc { "" } else { "ThisIsASharedSecret" })
}

/// The first byte says what is done with the others.
pub fn run(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let mode = bytes.byte();
    let ring = keyring(METHODS[usize::from(mode >> 4) % METHODS.len()]);
    match mode & 7 {
        0 => raw(bytes.rest(), &ring),
        1 => stream(&mut bytes, &ring),
        2 => signed_classic(bytes.rest(), &ring),
        3 => signed_netstring(bytes.rest(), &ring),
        _ => fields(&mut bytes, &ring),
    }
}

fn raw(bytes: &[u8], ring: &Keyring) {
    let mut intake = latido::wire::Intake::new(ring.clone());
    for result in intake.take(&MediumId::new("eth0"), false, bytes) {
        result.map_or_else(|reject| drop(reject.to_string()), |(message, _)| accepted(&message, ring));
    }
}

fn stream(bytes: &mut Bytes<'_>, ring: &Keyring) {
    let mut intake = latido::wire::Intake::new(ring.clone());
    let tty = MediumId::new("/dev/ttyS0");
    while !bytes.is_over() {
        let piece = bytes.some();
        for result in intake.take(&tty, true, piece) {
            result.map_or_else(|reject| drop(reject.to_string()), |(message, _)| accepted(&message, ring));
        }
        if piece.is_empty() {
            intake.hung_up(&tty);
        }
    }
}

/// The lines between the marks, signed as a peer would.
fn signed_classic(lines: &[u8], ring: &Keyring) {
    let whole = [b">>>\n", lines, b"auth=", ring.sign(lines).to_string().as_bytes(), b"\n<<<\n"].concat();
    if let Ok(message) = open(&whole, ring) {
        accepted(&message, ring);
    }
}

fn signed_netstring(fields: &[u8], ring: &Keyring) {
    let body = [b"###\n", fields, b"%%%\n"].concat();
    let signature = ring.sign(&body).to_string();
    let whole = [&body, format!("{}:{signature},", signature.len()).as_bytes()].concat();
    if let Ok(message) = open(&whole, ring) {
        accepted(&message, ring);
    }
}

/// Names and values chosen one by one, in all three forms.
fn fields(bytes: &mut Bytes<'_>, ring: &Keyring) {
    let mut message = Message::empty();
    while !bytes.is_over() {
        let (kind, name) = (bytes.byte(), bytes.text());
        let value = match kind % 3 {
            0 => Value::Text(bytes.text()),
            1 => Value::Binary(bytes.some().to_vec()),
            _ => Value::Opaque { tag: kind % 5, raw: bytes.some().to_vec() },
        };
        message.set_value(&name, value);
    }
    accepted(&message, ring);
}

/// A message that was heard is printed, and sent on in every form; each form is understood by whoever has the key.
fn accepted(message: &Message, ring: &Keyring) {
    let _ = (message.to_string(), message.kind().to_string(), message.sequence(), message.generation());
    let json = serde_json::to_string(message).unwrap_or_default();
    let back: Message = serde_json::from_str(&json).expect("what was written into a record can be read");
    assert!(message.fields().count() >= back.fields().count());
    for form in [Form::Classic, Form::ClassicNul, Form::Netstring] {
        let sealed = seal(message, ring, form);
        if sealed.len() >= MAX_MESSAGE {
            continue;
        }
        match open(&sealed, ring) {
            // What has passed once is the same ever after.
            Ok(heard) => {
                let again = seal(&heard, ring, form);
                if again.len() < MAX_MESSAGE {
                    assert_eq!(open(&again, ring).as_ref(), Ok(&heard));
                }
            }
            Err(reject) => {
                // Compressed parts, too many fields and values that look like marks are refused for what they are.
                let _ = reject.to_string();
            }
        }
    }
    assert!(plain::decode_netstring(&plain::encode_netstring(message)).is_ok() || message.fields().count() >= 512);
}

/// Every sample of `tests/wire` as a datagram and on a line, and what lies between its marks to be signed.
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (name, bytes) in samples("tests/wire", "msg") {
        for method in 0..4_u8 {
            seeds.push((format!("raw-{method}-{name}"), [&[method << 4], &bytes[..]].concat()));
        }
        let pieces: Vec<u8> =
            bytes.chunks(100).flat_map(|piece| [&[u8::try_from(piece.len()).unwrap_or(0)], piece].concat()).collect();
        seeds.push((format!("line-{name}"), [&[1], &pieces[..]].concat()));
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let inside: Vec<&[u8]> = lines
            .filter(|line| !line.starts_with(b"auth=") && *line != b">>>\n" && !line.starts_with(b"<<<"))
            .filter(|line| line.ends_with(b"\n"))
            .collect();
        seeds.push((format!("signed-{name}"), [&[2], &inside.concat()[..]].concat()));
        for (method, mode) in [("md5", 0x12), ("sha256", 0x32)] {
            seeds.push((format!("signed-{method}-{name}"), [&[mode], &inside.concat()[..]].concat()));
        }
    }
    let heartbeat = "13:(0)t=resource,12:(0)src=alpha,10:(0)seq=ff,8:(0)hg=1,\
        39:(0)ts=5f000000 (1)srcuuid=0123456789abcd,";
    seeds.push(("netstring".into(), [&[3], heartbeat.as_bytes()].concat()));
    let good = plain::encode_netstring(&Message::empty().with("t", "status").with("src", "alpha").with("seq", "1"));
    seeds.push(("netstring-good".into(), [&[3], &good[4..good.len() - 4]].concat()));
    seeds.push(("fields".into(), b"\x04\x00\x01t\x06status\x01\x04uuid\x04\x00\x01\x02\x03\x02\x01s\x01x".to_vec()));
    seeds
}

/// Marks, names and values of messages.
pub fn words() -> Vec<String> {
    let text = ">>> <<< ### %%% auth= t= src= seq= hg= ts= ttl= srcuuid= (0) (1) (2) (4) (1)srcuuid= status NS_st resource 1: 12:(0)t= \
        _compressed_payload= _compression_algorithm=zlib =AAECAw==";
    let mut words = super::words_of(text);
    words.extend([">>>\n", "\n<<<\n", "###\n", "%%%\n", "\nauth=15 "].map(str::to_owned));
    words
}
