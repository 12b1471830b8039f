//! What is believed and what is not (`wire.md` 2).

use super::*;
use crate::auth::{KeyId, Method};

fn ring(secret: &str) -> Keyring {
    Keyring::single(KeyId::new(1).unwrap(), Method::Sha1, secret)
}

fn status() -> Message {
    let mut message = Message::new(&Kind::Status).with("src", "alpha").with("info", "two\nlines");
    message.set_value("srcuuid", Value::Binary(b"\0%%%\n<<<\n,=()\xff\xfe\0".to_vec()));
    message
}

const FORMS: [Form; 3] = [Form::Classic, Form::ClassicNul, Form::Netstring];

#[test]
fn each_form_comes_back_as_the_message_it_was() {
    for form in FORMS {
        assert_eq!(open(&seal(&status(), &ring("s"), form), &ring("s")), Ok(status()), "{form:?}");
    }
}

#[test]
fn the_form_of_3_0_with_both_signatures_is_taken_and_its_inner_one_not_looked_at() {
    let mut out = netstring::encode(&status().with("auth", "1 0000"));
    let signature = ring("s").sign(&out).to_string();
    netstring::append(signature.as_bytes(), &mut out);
    assert_eq!(open(&out, &ring("s")), Ok(status()));
}

#[test]
fn every_flipped_bit_of_every_form_is_refused() {
    for method in Method::ALL {
        let ring = Keyring::single(KeyId::new(1).unwrap(), method, "s");
        for form in FORMS {
            let good = seal(&status(), &ring, form);
            for bit in 0..good.len() * 8 {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(open(&bad, &ring).is_err(), "{method} {form:?} bit {bit}");
            }
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    for form in FORMS {
        let good = seal(&status(), &ring("s"), form);
        let whole = good.len() - usize::from(form == Form::ClassicNul);
        for length in 0..whole {
            assert!(open(&good[..length], &ring("s")).is_err(), "{form:?} {length}");
        }
    }
}

#[test]
fn a_signature_that_is_not_the_last_line_is_found_too() {
    let signature = ring("s").sign(b"t=status\nsrc=alpha\n");
    let moved = format!(">>>\nt=status\nauth={signature}\nsrc=alpha\n<<<\n");
    assert_eq!(open(moved.as_bytes(), &ring("s")), Ok(Message::new(&Kind::Status).with("src", "alpha")));
}

#[test]
fn refusals_say_what_an_operator_can_act_on() {
    let wrong = seal(&status(), &ring("other"), Form::ClassicNul);
    assert_eq!(
        open(&wrong, &ring("s")).unwrap_err().to_string(),
        "message with a wrong signature: authkeys differ in key 1, or bytes were changed (it says it is from alpha)"
    );
    let stranger = Keyring::single(KeyId::new(7).unwrap(), Method::Md5, "s");
    assert_eq!(
        open(&seal(&status(), &stranger, Form::Netstring), &ring("s")).unwrap_err().to_string(),
        "message signed with key 7, which our authkeys does not define: copy authkeys from one node to the other (latido \
         propagate) and reread it on both (kill -HUP) (it says it is from alpha)"
    );
    let unsigned = open(b">>>\nt=status\nsrc=\x1b[2Jalpha\n<<<\n\0", &ring("s"));
    assert_eq!(unsigned.unwrap_err(), Reject::NoSignature(None));
    assert_eq!(open(b"", &ring("s")), Err(Reject::NotAMessage));
    assert_eq!(open(&vec![b'#'; MAX_MESSAGE], &ring("s")), Err(Reject::TooLong(MAX_MESSAGE)));
}

#[test]
fn the_datagrams_that_kill_the_original_are_refused_before_anything_is_read() {
    for killer in ["###\n5:hello,%%%\n", "###\n9:(9)a=bcde,%%%\n", "###\n0:,%%%\n"] {
        assert_eq!(open(killer.as_bytes(), &ring("s")), Err(Reject::NoSignature(None)));
        let mut signed = killer.as_bytes().to_vec();
        let signature = ring("s").sign(&signed).to_string();
        netstring::append(signature.as_bytes(), &mut signed);
        assert_eq!(open(&signed, &ring("s")), Err(Reject::Malformed(Malformed::Tag)));
    }
}

#[test]
fn bytes_that_are_not_utf8_verify_and_are_replaced() {
    let lines = b"t=status\ninfo=\xff\xfe\n";
    let sealed =
        [b">>>\n", lines.as_slice(), b"auth=", ring("s").sign(lines).to_string().as_bytes(), b"\n<<<\n"].concat();
    assert_eq!(open(&sealed, &ring("s")).unwrap().get("info"), Some("\u{fffd}\u{fffd}"));
}

#[test]
fn a_serial_line_gets_seven_bits_and_no_carriage_return() {
    let sealed = seal(&Message::new(&Kind::Status).with("info", "naïve\r"), &ring("s"), Form::Classic);
    assert!(sealed.is_ascii() && !sealed.contains(&b'\r'));
    assert_eq!(open(&sealed, &ring("s")).unwrap().get("info"), Some("na?ve?"));
}

#[test]
fn an_echo_carries_the_status_we_want_to_hear() {
    let host = NodeName::new("10.21.122.2").unwrap();
    let status = Message::new(&Kind::Status).with("seq", "1f").with("hg", "2a").with("ts", "6b00d8d8");
    let sealed = seal_ping(&host, &status, "ping", &ring("s"), Form::Netstring);
    let head = b"###\n10:(0)t=NS_st,10:(0)st=ping,12:(0)info=ping,18:(0)src=10.21.122.2,14:(0)ts=6b00d8d8,\
        8:(0)hg=2a,9:(0)seq=1f,%%%\n42:1 ";
    assert!(sealed.starts_with(head), "{}", String::from_utf8_lossy(&sealed));
    assert_eq!(open(&sealed, &ring("s")).unwrap().kind(), Kind::NsSt);
}
