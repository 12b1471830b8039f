//! What hostile bytes cost (`wire.md` 3): a compressed bomb is refused without being unpacked into memory.
//!
//! A program of its own, for it looks at the high-water mark of the whole process.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::Write;

use latido::auth::{KeyId, Keyring, Method};
use latido::names::MediumId;
use latido::wire::{Form, Intake, Malformed, Message, Reject, Value, open, seal};

const MIB: usize = 1 << 20;

/// The most memory this process ever held, in bytes.
fn high_water() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

fn bomb(algorithm: &str, keyring: &Keyring) -> Vec<u8> {
    let megabyte = vec![b'x'; MIB];
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    let mut bz2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    for _ in 0..32 {
        match algorithm {
            "zlib" => zlib.write_all(&megabyte).unwrap(),
            _ => bz2.write_all(&megabyte).unwrap(),
        }
    }
    let packed = if algorithm == "zlib" { zlib.finish() } else { bz2.finish() };
    let mut message = Message::empty().with("_compression_algorithm", algorithm);
    message.set_value("_compressed_payload", Value::Binary(packed.unwrap()));
    seal(&message, keyring, Form::Netstring)
}

/// One test, for two at a time would measure each other.
#[test]
fn hostile_bytes_do_not_make_the_process_grow() {
    a_compressed_bomb_is_refused_without_being_held();
    unsigned_rubbish_costs_nothing_however_much_of_it_comes();
}

fn a_compressed_bomb_is_refused_without_being_held() {
    let keyring = Keyring::single(KeyId::new(1).unwrap(), Method::Sha1, "SuperSecret");
    for algorithm in ["zlib", "bz2"] {
        let bytes = bomb(algorithm, &keyring);
        assert!(bytes.len() < MIB / 4, "{}", bytes.len());
        let before = high_water();
        for _ in 0..20 {
            assert_eq!(open(&bytes, &keyring), Err(Reject::Malformed(Malformed::UnpackTooLong)));
        }
        let grown = high_water() - before;
        // bzip2 itself works in blocks of 900 kB, some four bytes of memory for each of them.
        assert!(grown < 8 * MIB, "{algorithm}: {grown} bytes more");
    }
}

fn unsigned_rubbish_costs_nothing_however_much_of_it_comes() {
    let keyring = Keyring::single(KeyId::new(1).unwrap(), Method::Sha1, "SuperSecret");
    let mut intake = Intake::new(keyring);
    let (tty, eth) = (MediumId::new("/dev/ttyS0"), MediumId::new("eth0"));
    let stream = [b">>>\n".to_vec(), vec![b'x'; 100_000]].concat();
    let before = high_water();
    for _ in 0..200 {
        intake.take(&tty, true, &stream);
        intake.take(&eth, false, &stream);
    }
    let grown = high_water() - before;
    assert!(grown < 4 * MIB, "{grown} bytes more");
}
