//! Bodies of the client socket (`api.md` 1.3): the classic form with a NUL behind it, or netstrings without; unsigned.

use crate::wire::{Malformed, Message, plain};

/// The spelling of what we send to clients; they understand both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spelling {
    /// Lines of text and a NUL.
    #[default]
    Classic,
    /// `msgfmt netstring`
    Netstring,
}

/// Reads a body of either form.
///
/// # Errors
/// What is wrong with it.
pub fn decode(body: &[u8]) -> Result<Message, Malformed> {
    if body.starts_with(b"###\n") {
        return plain::decode_netstring(body).map(|(message, _)| message);
    }
    plain::decode_classic(&without_blank_lines(body))
}

/// Writes a body.
pub fn encode(message: &Message, spelling: Spelling) -> Vec<u8> {
    match spelling {
        Spelling::Netstring => plain::encode_netstring(message),
        Spelling::Classic => {
            let mut body = plain::encode_classic(message);
            body.push(0);
            body
        }
    }
}

/// The original skips runs of line ends between fields, here and nowhere else.
fn without_blank_lines(body: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let start = line.iter().take_while(|byte| **byte == b'\r').count();
        if line[start..] != *b"\n" {
            kept.extend_from_slice(&line[start..]);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_sign_on_of_cl_status_is_read_and_the_answer_that_was_seen_is_written() {
        let body = b">>>\nt=hbapi-req\nreqtype=signon\ndest=alpha\npid=3605\nfrom_id=3605\nuid=0\ngid=106\n<<<\n\0";
        let message = decode(body).unwrap();
        assert_eq!((message.get("reqtype"), message.get("gid")), (Some("signon"), Some("106")));
        assert_eq!(encode(&message, Spelling::Classic), body);
    }

    #[test]
    fn hb_api_py_leaves_out_the_nul_and_a_blank_line_does_no_harm() {
        let message = decode(b">>>\nt=hbapi-req\n\n\r\nreqtype=signon\n<<<\n").unwrap();
        assert_eq!(message.get("reqtype"), Some("signon"));
    }

    #[test]
    fn netstrings_are_read_and_written_without_a_nul() {
        let body = b"###\n15:(0)t=hbapi-resp,19:(0)reqtype=nodelist,9:(0)node=z,%%%\n";
        let message = decode(body).unwrap();
        assert_eq!(message.get("node"), Some("z"));
        assert_eq!(encode(&message, Spelling::Netstring), body);
    }

    #[test]
    fn junk_is_an_error() {
        for junk in [b"".as_slice(), b"\0", b"junk", b">>>\njunk\n<<<\n\0", b">>>\nt=x\n", b"###\n1:x,%%%\n"] {
            assert!(decode(junk).is_err(), "{}", String::from_utf8_lossy(junk));
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&body);
            let _ = decode(&[b">>>\n", body.as_slice(), b"<<<\n\0"].concat());
            let _ = decode(&[b"###\n", body.as_slice(), b"%%%\n"].concat());
        }

        #[test]
        fn text_fields_come_back_in_both_forms(
            fields in prop::collection::btree_map("[a-z_]{1,8}", "[ -~\n]{0,20}", 0..8)
        ) {
            let mut message = Message::empty();
            fields.iter().filter(|(name, _)| *name != "auth").for_each(|(name, value)| message.set(name, value.clone()));
            for spelling in [Spelling::Classic, Spelling::Netstring] {
                prop_assert_eq!(decode(&encode(&message, spelling)), Ok(message.clone()));
            }
        }
    }
}
