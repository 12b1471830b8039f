//! The classic form: `>>>`, one `name=value` line a field, `<<<` (`wire.md` 1.1). Knows nothing of signatures.

use super::base64;
use super::field;
use super::message::{Message, Value};
use super::reject::Malformed;

/// First line of a message.
pub(super) const START: &[u8] = b">>>\n";
/// Last line of a message.
pub(super) const END: &[u8] = b"<<<\n";
/// Stands for a newline within a value.
const NEWLINE: u8 = 0x13;
/// More than any message has; keeps reading a message cheap whatever it holds.
pub(super) const MAX_FIELDS: usize = 512;

/// The whole unsigned message, marks included, as clients and compressed messages carry it.
pub fn encode(message: &Message) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(START);
    encode_fields(message, &mut out);
    out.extend_from_slice(END);
    out
}

/// Appends the lines between the marks, without `auth`: exactly the text a signature covers.
///
/// Fields that have no spelling here (a name with `=`, types 2 to 4) are left out rather than written wrongly.
pub(super) fn encode_fields(message: &Message, out: &mut Vec<u8>) {
    for (name, value) in message.fields() {
        if name == field::AUTH || !is_name(name) {
            continue;
        }
        match value {
            Value::Text(text) => {
                out.extend_from_slice(name.as_bytes());
                out.push(b'=');
                out.extend(text.bytes().filter(|&byte| byte != 0).map(|b| if b == b'\n' { NEWLINE } else { b }));
            }
            Value::Binary(bytes) => {
                out.extend_from_slice(b"(1)");
                out.extend_from_slice(name.as_bytes());
                out.push(b'=');
                base64::encode(bytes, out);
            }
            Value::Opaque { .. } => continue,
        }
        out.push(b'\n');
    }
}

/// Whether a name can be written in both forms and read back.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('(') && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'=')
}

/// Reads a whole unsigned message, from `>>>` to `<<<`; NULs may follow it.
pub fn decode(bytes: &[u8]) -> Result<Message, Malformed> {
    let lines = body(bytes).ok_or(Malformed::EarlyEnd)?;
    decode_fields(lines)
}

/// What stands between the marks of one whole message; `None` when a mark is missing. Only NULs may follow the end.
pub(super) fn body(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().rposition(|&byte| byte != 0)? + 1;
    let lines = bytes.get(..end)?.strip_prefix(START)?.strip_suffix(END)?;
    (lines.is_empty() || lines.ends_with(b"\n")).then_some(lines)
}

/// Reads the lines between the marks; an `auth` line is left out.
pub(super) fn decode_fields(lines: &[u8]) -> Result<Message, Malformed> {
    let mut message = Message::empty();
    for (count, line) in lines.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\n").ok_or(Malformed::EarlyEnd)?;
        if count >= MAX_FIELDS {
            return Err(Malformed::TooManyFields);
        }
        if line == b"<<<" || line.contains(&0) {
            return Err(Malformed::EarlyEnd);
        }
        let (tag, line) = split_tag(line)?;
        let equals = line.iter().position(|&byte| byte == b'=').filter(|&at| at > 0).ok_or(Malformed::NoName)?;
        let (name, value) = (text_of(&line[..equals]), &line[equals + 1..]);
        if name != field::AUTH {
            message.push(&name, decode_value(tag, value)?);
        }
    }
    Ok(message)
}

/// Takes the `(T)` off a line; without one it is text.
fn split_tag(line: &[u8]) -> Result<(u8, &[u8]), Malformed> {
    match line {
        [b'(', digit @ b'0'..=b'4', b')', rest @ ..] => Ok((digit - b'0', rest)),
        [b'(', ..] => Err(Malformed::Tag),
        _ => Ok((0, line)),
    }
}

fn decode_value(tag: u8, value: &[u8]) -> Result<Value, Malformed> {
    match tag {
        0 => {
            let bytes: Vec<u8> = value.iter().map(|&b| if b == NEWLINE { b'\n' } else { b }).collect();
            Ok(Value::Text(text_of(&bytes)))
        }
        1 => base64::decode(value).map(Value::Binary).ok_or(Malformed::Base64),
        _ => Ok(Value::Opaque { tag, raw: value.to_vec() }),
    }
}

/// Text from outside: what is not UTF-8 is replaced, for the signature was checked over the bytes already.
pub(super) fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;

    #[test]
    fn newlines_in_values_and_binary_fields_come_back() {
        let mut message = Message::new(&Kind::Status).with("info", "two\nlines").with("empty", "");
        message.set_value("srcuuid", Value::Binary((0..16).collect()));
        let bytes = encode(&message);
        assert_eq!(bytes, b">>>\nt=status\ninfo=two\x13lines\nempty=\n(1)srcuuid=AAECAwQFBgcICQoLDA0ODw==\n<<<\n");
        assert_eq!(decode(&bytes), Ok(message));
    }

    #[test]
    fn of_two_fields_with_one_name_the_first_is_looked_at() {
        let message = decode(b">>>\nt=status\nst=up\nst=dead\n<<<\n").unwrap();
        assert_eq!(message.get("st"), Some("up"));
    }

    #[test]
    fn each_kind_of_broken_text_is_named() {
        let cases: [(&[u8], Malformed); 9] = [
            (b">>>\nt=status\n", Malformed::EarlyEnd),
            (b"t=status\n<<<\n", Malformed::EarlyEnd),
            (b">>>\nt=sta<<<\n", Malformed::EarlyEnd),
            (b">>>\n<<<\nt=status\n<<<\n", Malformed::EarlyEnd),
            (b">>>\nt=sta\0tus\n<<<\n", Malformed::EarlyEnd),
            (b">>>\nstatus\n<<<\n", Malformed::NoName),
            (b">>>\n=status\n<<<\n", Malformed::NoName),
            (b">>>\n(9)t=status\n<<<\n", Malformed::Tag),
            (b">>>\n(1)t=!\n<<<\n", Malformed::Base64),
        ];
        for (bytes, expected) in cases {
            assert_eq!(decode(bytes), Err(expected), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_field_that_has_no_spelling_is_left_out_rather_than_written_wrongly() {
        let mut message =
            Message::new(&Kind::Status).with("a=b", "x").with("(9)c", "x").with("d\ne", "x").with("", "x");
        message.set_value("s", Value::Opaque { tag: 2, raw: b"x".to_vec() });
        message.set("z", "nul\0nul");
        assert_eq!(encode(&message), b">>>\nt=status\nz=nulnul\n<<<\n");
    }

    #[test]
    fn a_message_of_nothing_but_fields_is_refused_cheaply() {
        let mut bytes = START.to_vec();
        (0..=MAX_FIELDS).for_each(|n| bytes.extend_from_slice(format!("f{n}=\n").as_bytes()));
        bytes.extend_from_slice(END);
        assert_eq!(decode(&bytes), Err(Malformed::TooManyFields));
    }
}
