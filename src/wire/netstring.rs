//! The netstring form: `###\n`, `LEN:(T)name=value,` a field, `%%%\n` (`wire.md` 1.2). Knows nothing of signatures.
//!
//! What is written here must be flawless: a field without `(`, digit and `)` kills a heartbeat of either generation
//! before it has looked at the signature (`wire.md` 10.1).

use super::classic::{MAX_FIELDS, is_name, text_of};
use super::message::{Message, Value};
use super::reject::Malformed;

/// First bytes of a message.
pub(super) const START: &[u8] = b"###\n";
/// Last bytes before the signature.
pub(super) const END: &[u8] = b"%%%\n";

/// The message without its signature; an `auth` field is written like any other.
///
/// Fields that could not be read back (a name with `=`, types 2 to 4) are left out.
pub fn encode(message: &Message) -> Vec<u8> {
    let mut out = Vec::with_capacity(320);
    out.extend_from_slice(START);
    for (name, value) in message.fields().filter(|(name, _)| is_name(name)) {
        let (tag, bytes) = match value {
            Value::Text(text) => ("(0)", text.as_bytes()),
            Value::Binary(bytes) => ("(1)", bytes.as_slice()),
            Value::Opaque { .. } => continue,
        };
        let length = tag.len() + name.len() + 1 + bytes.len();
        out.extend_from_slice(format!("{length}:{tag}{name}=").as_bytes());
        out.extend_from_slice(bytes);
        out.push(b',');
    }
    out.extend_from_slice(END);
    out
}

/// Appends one netstring.
pub(super) fn append(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{}:", bytes.len()).as_bytes());
    out.extend_from_slice(bytes);
    out.push(b',');
}

/// Reads a message from `###\n` to the `%%%\n` its lengths lead to, an `auth` field included; also what follows it.
pub fn decode(bytes: &[u8]) -> Result<(Message, &[u8]), Malformed> {
    let mut rest = bytes.strip_prefix(START).ok_or(Malformed::EarlyEnd)?;
    let mut message = Message::empty();
    for _ in 0..=MAX_FIELDS {
        if let Some(after) = rest.strip_prefix(END) {
            return Ok((message, after));
        }
        let (field, after) = take(rest).ok_or(Malformed::Length)?;
        let (tag, field) = match field {
            [b'(', digit @ b'0'..=b'4', b')', rest @ ..] => (digit - b'0', rest),
            _ => return Err(Malformed::Tag),
        };
        let equals = field.iter().position(|&byte| byte == b'=').filter(|&at| at > 0).ok_or(Malformed::NoName)?;
        let value = &field[equals + 1..];
        let value = match tag {
            0 => Value::Text(text_of(value)),
            1 => Value::Binary(value.to_vec()),
            _ => Value::Opaque { tag, raw: value.to_vec() },
        };
        message.push(&text_of(&field[..equals]), value);
        rest = after;
    }
    Err(Malformed::TooManyFields)
}

/// One netstring, `LEN:bytes,`, and what follows it.
pub(super) fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = bytes.iter().take(8).position(|&byte| byte == b':')?;
    let digits = bytes.get(..colon).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let length: usize = str::from_utf8(digits).ok()?.parse().ok()?;
    let (inside, rest) = bytes.get(colon + 1..)?.split_at_checked(length)?;
    Some((inside, rest.strip_prefix(b",")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;

    #[test]
    fn raw_values_come_back_whatever_bytes_they_hold() {
        let mut message = Message::new(&Kind::Status).with("info", "two\nlines, and %%%\n");
        message.set_value("srcuuid", Value::Binary(b"\0,%%%\n3:a=,\xff\xfe\n()x".to_vec()));
        let bytes = encode(&message);
        assert_eq!(decode(&bytes), Ok((message, b"".as_slice())));
    }

    #[test]
    fn the_field_that_kills_the_original_is_only_malformed_here() {
        for killer in ["5:hello,", "9:(9)a=bcde,", "9:(x)a=bcde,", "0:,", "3:(0),x"] {
            let bytes = format!("###\n{killer}%%%\n");
            assert!(decode(bytes.as_bytes()).is_err(), "{killer}");
        }
        assert_eq!(decode(b"###\n5:hello,%%%\n"), Err(Malformed::Tag));
    }

    #[test]
    fn nothing_is_ever_written_that_kills_the_original() {
        let mut message = Message::new(&Kind::Status).with("", "x").with("(x", "y").with("a=b", "z");
        message.set_value("s", Value::Opaque { tag: 2, raw: b"x".to_vec() });
        assert_eq!(encode(&message), b"###\n11:(0)t=status,%%%\n");
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        for bad in
            ["99:(0)t=x,", "-1:(0)t=x,", "+6:(0)t=x,", ":(0)t=x,", "7:(0)t=x,", "5:(0)t=x,", "99999999999:(0)t=x,"]
        {
            let bytes = format!("###\n{bad}%%%\n");
            assert_eq!(decode(bytes.as_bytes()), Err(Malformed::Length), "{bad}");
        }
    }
}
