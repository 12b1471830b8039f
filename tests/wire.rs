//! The original's own messages (`tests/wire/*.msg`) verify, read and are written again byte for byte; and hostile bytes
//! neither panic nor pass (`wire.md` 1 to 3 and 10).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use latido::auth::{KeyId, Keyring, Method, Signature};
use latido::diagnostic::SourceText;
use latido::names::MediumId;
use latido::wire::{Form, Framer, Intake, MAX_SERIAL_FRAME, Message, Reject, Value, open, parse_fifo, plain, seal};

/// One message of the original.
struct Fixture {
    name: String,
    bytes: Vec<u8>,
    keyring: Keyring,
}

fn fixtures() -> Vec<Fixture> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
    let table = fs::read_to_string(dir.join("keys.txt")).unwrap();
    let rows = table.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    rows.map(|row| fixture(&dir, row)).collect()
}

fn fixture(dir: &Path, row: &str) -> Fixture {
    let mut words = row.split_whitespace();
    let mut word = || words.next();
    let (name, length) = (word().unwrap().to_owned(), word().unwrap().parse::<usize>().unwrap());
    let bytes = fs::read(dir.join(&name)).unwrap();
    assert_eq!(bytes.len(), length, "{name}");
    let (id, method, secret) = (word().unwrap(), word().unwrap(), word().unwrap_or(""));
    let id = KeyId::new(id.parse().unwrap()).unwrap();
    let keyring = Keyring::single(id, Method::from_name(method).unwrap(), secret);
    Fixture { name, bytes, keyring }
}

fn ring() -> Keyring {
    Keyring::single(KeyId::new(1).unwrap(), Method::Sha1, "SuperSecret")
}

#[test]
fn every_message_of_the_original_is_heard() {
    for Fixture { name, bytes, keyring } in fixtures() {
        let message = open(&bytes, &keyring).unwrap_or_else(|reject| panic!("{name}: {reject}"));
        assert_eq!(message.get("src"), Some("alpha"), "{name}");
        assert_eq!(message.binary("srcuuid").map(<[u8]>::len), Some(16), "{name}");
        assert!(message.sequence().is_some() && message.generation().is_some(), "{name}");
        assert_eq!(message.get("auth"), None, "{name}");
    }
}

#[test]
fn what_the_original_said_is_read_field_by_field() {
    let all = fixtures();
    let serial = all.iter().find(|fixture| fixture.name == "status-serial.msg").unwrap();
    let shown = open(&serial.bytes, &serial.keyring).unwrap().to_string();
    let expected = "t=status st=active dt=1388 protocol=1 src=alpha seq=22 hg=6b00d5f1 ts=6b00d606 \
                    ld=8.25 4.81 2.31 7/563 352 ttl=3";
    assert_eq!(shown, expected);
}

#[test]
fn every_message_of_the_original_is_written_again_byte_for_byte() {
    for Fixture { name, bytes, keyring } in fixtures() {
        let message = open(&bytes, &keyring).unwrap();
        let again = match name.as_str() {
            "status-serial.msg" => seal(&message, &keyring, Form::Classic),
            "status-2.1.msg" => seal(&message, &keyring, Form::ClassicNul),
            _ => seal_with_both_signatures(&message, &keyring),
        };
        assert_eq!(again, bytes, "{name}");
    }
}

/// As 3.0 writes by default; we only read it.
fn seal_with_both_signatures(message: &Message, keyring: &Keyring) -> Vec<u8> {
    let text = plain::encode_classic(message);
    let lines = &text[4..text.len() - 4];
    let inner = message.clone().with("auth", keyring.sign(lines).to_string());
    let mut bytes = plain::encode_netstring(&inner);
    let outer = keyring.sign(&bytes).to_string();
    bytes.extend_from_slice(format!("{}:{outer},", outer.len()).as_bytes());
    bytes
}

#[test]
fn the_inner_signature_of_the_3_0_form_covers_the_classic_text() {
    for Fixture { name, bytes, keyring } in fixtures().into_iter().filter(|fixture| fixture.bytes.starts_with(b"###")) {
        let (mut message, _) = plain::decode_netstring(&bytes).unwrap();
        let inner = Signature::from_text(message.get("auth").unwrap().as_bytes()).unwrap();
        message.remove("auth");
        let text = plain::encode_classic(&message);
        assert_eq!(keyring.verify(&inner, &text[4..text.len() - 4]), Ok(()), "{name}");
    }
}

#[test]
fn every_flipped_bit_of_every_message_of_the_original_is_refused() {
    for Fixture { name, bytes, keyring } in fixtures() {
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&bad, &keyring).is_err(), "{name} bit {bit}");
        }
    }
}

#[test]
fn a_nul_behind_or_not_is_the_same_message() {
    for Fixture { name, mut bytes, keyring } in fixtures() {
        let message = open(&bytes, &keyring);
        match bytes.last() {
            Some(0) => drop(bytes.pop()),
            _ => bytes.push(0),
        }
        assert_eq!(open(&bytes, &keyring), message, "{name}");
    }
}

#[test]
fn a_refusal_shows_neither_the_secret_nor_the_right_digest() {
    for Fixture { name, bytes, keyring } in fixtures() {
        let message = open(&bytes, &keyring).unwrap();
        let mut forged = bytes.clone();
        let at = forged.windows(5).position(|window| window == b"alpha").unwrap();
        forged[at] = b'b';
        let right = keyring.sign(&forged).to_string();
        let shown = open(&forged, &keyring).map_err(|reject| format!("{reject} {reject:?}")).unwrap_err();
        let digest = right.split(' ').nth(1).unwrap();
        assert!(!shown.contains(digest) && !shown.contains("SuperSecret"), "{name}: {shown}");
        assert!(shown.contains("blpha"), "{name}: {shown} {message}");
    }
}

/// A name as it may stand in a message; never `auth`, `t` or a compressed one.
fn any_name() -> impl Strategy<Value = String> {
    "[a-z_][a-z_-]{1,11}".prop_filter("auth is the signature", |name| name != "auth")
}

/// Text both forms can carry: 0x13 stands for a newline, and NUL ends a message.
fn any_text() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[^\\x00\\x13]{0,40}").unwrap()
}

fn any_message() -> impl Strategy<Value = Message> {
    let value = prop_oneof![
        any_text().prop_map(Value::Text),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Binary)
    ];
    prop::collection::vec((any_name(), value), 0..12).prop_map(|fields| {
        let mut message = Message::empty().with("t", "status");
        fields.into_iter().for_each(|(name, value)| message.set_value(&name, value));
        message
    })
}

/// Bytes that look enough like a message to get past the first checks.
fn almost_a_message() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b">>>\n".to_vec()),
        Just(b"<<<\n".to_vec()),
        Just(b"###\n".to_vec()),
        Just(b"%%%\n".to_vec()),
        Just(b"auth=1 00\n".to_vec()),
        Just(b"4:1 00,".to_vec()),
        Just(b"11:(0)t=status,".to_vec()),
        Just(b"(1)a=AAAA\n".to_vec()),
        Just(b"t=status\n".to_vec()),
        Just(b"auth 1\n".to_vec()),
        Just(b"1 sha1 x\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![prop::collection::vec(any::<u8>(), 0..300), almost_a_message()]
}

/// `bytes` with a right outer signature for the form they claim.
fn signed(bytes: &[u8]) -> Vec<u8> {
    if bytes.starts_with(b"###\n") {
        let inside = [bytes, b"%%%\n"].concat();
        let signature = ring().sign(&inside).to_string();
        return [&inside[..], format!("{}:{signature},", signature.len()).as_bytes()].concat();
    }
    let mut lines = bytes.strip_prefix(b">>>\n").unwrap_or(bytes).to_vec();
    lines.push(b'\n');
    let signature = ring().sign(&lines).to_string();
    [b">>>\n", &lines[..], format!("auth={signature}\n<<<\n").as_bytes()].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_message_comes_back_from_both_datagram_forms(message in any_message()) {
        for form in [Form::ClassicNul, Form::Netstring] {
            prop_assert_eq!(open(&seal(&message, &ring(), form), &ring()), Ok(message.clone()));
        }
    }

    #[test]
    fn a_serial_line_carries_seven_bits_and_what_was_ascii_comes_back(message in any_message()) {
        let bytes = seal(&message, &ring(), Form::Classic);
        prop_assert!(bytes.iter().all(|byte| byte.is_ascii() && *byte != b'\r'));
        let heard = open(&bytes, &ring()).unwrap();
        for (name, value) in message.fields() {
            match value {
                Value::Text(text) if text.is_ascii() && !text.contains('\r') => prop_assert_eq!(heard.get(name), Some(text.as_str())),
                Value::Text(_) => prop_assert!(heard.get(name).is_some()),
                Value::Binary(_) | Value::Opaque { .. } => prop_assert_eq!(heard.value(name), Some(value)),
            }
        }
    }

    #[test]
    fn unsigned_bytes_are_refused_whatever_they_are(bytes in any_bytes()) {
        prop_assert!(open(&bytes, &ring()).is_err());
    }

    #[test]
    fn signed_bytes_never_panic_whatever_they_are(bytes in any_bytes()) {
        let _ = open(&signed(&bytes), &ring());
        let _ = open(&signed(&[b"###\n", bytes.as_slice()].concat()), &ring());
    }

    #[test]
    fn what_a_signed_message_is_read_as_can_be_sent_again(bytes in any_bytes()) {
        if let Ok(message) = open(&signed(&bytes), &ring()) {
            for form in [Form::ClassicNul, Form::Classic, Form::Netstring] {
                prop_assert!(open(&seal(&message, &ring(), form), &ring()).is_ok());
            }
        }
    }

    #[test]
    fn packed_messages_never_panic(bytes in any_bytes(), bz2 in any::<bool>()) {
        let mut message = Message::empty().with("_compression_algorithm", if bz2 { "bz2" } else { "zlib" });
        message.set_value("_compressed_payload", Value::Binary(bytes));
        prop_assert!(open(&seal(&message, &ring(), Form::Netstring), &ring()).is_err());
    }

    #[test]
    fn a_stream_is_cut_the_same_way_however_it_crumbles(pieces in prop::collection::vec(any_bytes(), 0..8)) {
        let whole = Framer::new().push(&pieces.concat());
        let mut framer = Framer::new();
        let crumbled: Vec<_> = pieces.iter().flat_map(|piece| framer.push(piece)).collect();
        prop_assert_eq!(&whole, &crumbled);
        for frame in whole {
            let frame = frame.unwrap();
            prop_assert!(frame.starts_with(b">>>\n") && frame.ends_with(b"\n<<<\n") && frame.len() <= MAX_SERIAL_FRAME);
        }
    }

    #[test]
    fn a_good_message_in_noise_on_a_serial_line_is_heard(before in any_bytes(), message in any_message()) {
        let mut intake = Intake::new(ring());
        let tty = MediumId::new("/dev/ttyS0");
        intake.take(&tty, true, &before);
        let line = seal(&message, &ring(), Form::Classic);
        let heard = intake.take(&tty, true, &line);
        prop_assert!(heard.iter().any(Result::is_ok), "{:?}", heard);
    }

    #[test]
    fn the_fifo_takes_any_bytes(bytes in any_bytes()) {
        for message in parse_fifo(&bytes).into_iter().flatten() {
            prop_assert!(message.get("t").is_some_and(|kind| !kind.is_empty()));
        }
    }

    #[test]
    fn the_plain_forms_read_back_what_they_accept(bytes in any_bytes()) {
        if let Ok(message) = plain::decode_classic(&bytes) {
            prop_assert_eq!(plain::decode_classic(&plain::encode_classic(&message)).is_ok(), true);
        }
        if let Ok((message, _)) = plain::decode_netstring(&bytes) {
            prop_assert!(plain::decode_netstring(&plain::encode_netstring(&message)).is_ok());
        }
    }

    #[test]
    fn authkeys_of_any_text_end_in_keys_or_in_an_error(bytes in any_bytes()) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (keyring, problems) = latido::auth::authkeys::parse(&SourceText::new("authkeys", text.clone()));
        prop_assert_eq!(keyring.is_none(), problems.iter().any(|problem| problem.is_error()));
        for place in problems.iter().filter_map(|problem| problem.place.as_ref()) {
            prop_assert!(place.line >= 1 && text.get(place.span.clone()).is_some());
        }
    }
}

#[test]
fn a_datagram_as_large_as_any_is_judged_not_feared() {
    let huge = seal(&Message::empty().with("t", "x").with("info", "y".repeat(300_000)), &ring(), Form::ClassicNul);
    assert_eq!(open(&huge, &ring()), Err(Reject::TooLong(huge.len())));
}
