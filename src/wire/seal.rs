//! Signing and checking whole messages (`wire.md` 1.3 and 2).
//!
//! The signature comes before the meaning: [`open`] finds the frame and the signature from the end, checks it over the
//! bytes as they came, and reads the fields only of what proved genuine.

use std::borrow::Cow;

use crate::auth::{AuthError, KeyId, Keyring, Signature};
use crate::names::NodeName;

use super::field::{self, Kind};
use super::message::{Message, Value};
use super::reject::{Malformed, Reject};
use super::{MAX_MESSAGE, classic, compress, netstring};

/// How a message is spelled for a medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lines of seven-bit text: what a serial line carries.
    Classic,
    /// The same with a NUL behind it: what 2.1 sends over UDP, and 3.0 understands.
    ClassicNul,
    /// `msgfmt netstring`: raw values, one signature behind the end.
    Netstring,
}

impl Form {
    /// The form for UDP: as `msgfmt netstring` says, or classic.
    pub const fn for_datagrams(netstring: bool) -> Form {
        if netstring { Form::Netstring } else { Form::ClassicNul }
    }
}

/// The message signed and spelled for the wire. An `auth` field it may hold is replaced.
pub fn seal(message: &Message, keyring: &Keyring, form: Form) -> Vec<u8> {
    match form {
        Form::Classic => seal_classic(&seven_bit(message), keyring),
        Form::ClassicNul => {
            let mut out = seal_classic(message, keyring);
            out.push(0);
            out
        }
        Form::Netstring => seal_netstring(message, keyring),
    }
}

/// The payload of an echo request: the very status message we want to read when it comes back (`wire.md` 7, `ping`).
pub fn seal_ping(host: &NodeName, status: &Message, info: &str, keyring: &Keyring, form: Form) -> Vec<u8> {
    let mut message =
        Message::new(&Kind::NsSt).with(field::ST, "ping").with(field::INFO, info).with(field::SRC, host.as_str());
    for name in [field::TS, field::HG, field::SEQ] {
        message.set(name, status.get(name).unwrap_or_default());
    }
    seal(&message, keyring, form)
}

/// Checks one whole message in any of the forms either generation sends, then reads it. The `auth` field is left out.
pub fn open(bytes: &[u8], keyring: &Keyring) -> Result<Message, Reject> {
    open_signed(bytes, keyring).map(|(message, _)| message)
}

/// As [`open`], with the number of the key it was signed with.
pub(super) fn open_signed(bytes: &[u8], keyring: &Keyring) -> Result<(Message, KeyId), Reject> {
    if bytes.len() >= MAX_MESSAGE {
        return Err(Reject::TooLong(bytes.len()));
    }
    let sealed = Sealed::locate(bytes)?;
    let no_signature = || Reject::NoSignature(claimed_source(bytes));
    let signature = Signature::from_text(sealed.signature.ok_or_else(no_signature)?).ok_or_else(no_signature)?;
    keyring.verify(&signature, &sealed.signed).map_err(|error| match error {
        AuthError::UnknownKey(key) => Reject::UnknownKey { key, claimed: claimed_source(bytes) },
        AuthError::Mismatch(key) => Reject::BadSignature { key, claimed: claimed_source(bytes) },
        AuthError::OtherMethod { key, theirs, ours } => {
            Reject::OtherMethod { key, theirs, ours, claimed: claimed_source(bytes) }
        }
    })?;
    Ok((compress::unpack(sealed.decode()?)?, signature.key()))
}

fn seal_classic(message: &Message, keyring: &Keyring) -> Vec<u8> {
    let mut out = Vec::with_capacity(320);
    out.extend_from_slice(classic::START);
    classic::encode_fields(message, &mut out);
    let signature = keyring.sign(out.get(classic::START.len()..).unwrap_or_default());
    out.extend_from_slice(format!("{}={signature}\n", field::AUTH).as_bytes());
    out.extend_from_slice(classic::END);
    out
}

fn seal_netstring(message: &Message, keyring: &Keyring) -> Vec<u8> {
    let mut unsigned = message.clone();
    unsigned.remove(field::AUTH);
    let mut out = netstring::encode(&unsigned);
    let signature = keyring.sign(&out).to_string();
    netstring::append(signature.as_bytes(), &mut out);
    out
}

/// A serial line of the original strips the eighth bit and carriage returns, which would break the signature.
fn seven_bit(message: &Message) -> Cow<'_, Message> {
    let survives = |c: char| c.is_ascii() && c != '\r';
    let clean = |value: &Value| !matches!(value, Value::Text(text) if !text.chars().all(survives));
    if message.fields().all(|(_, value)| clean(value)) {
        return Cow::Borrowed(message);
    }
    let mut plain = Message::empty();
    for (name, value) in message.fields() {
        let value = match value {
            Value::Text(text) => Value::Text(text.chars().map(|c| if survives(c) { c } else { '?' }).collect()),
            Value::Binary(_) | Value::Opaque { .. } => value.clone(),
        };
        plain.push(name, value);
    }
    Cow::Owned(plain)
}

/// A framed message, its parts found but not yet believed.
struct Sealed<'a> {
    signature: Option<&'a [u8]>,
    signed: Cow<'a, [u8]>,
    body: Body<'a>,
}

enum Body<'a> {
    /// The lines between the marks.
    Classic(&'a [u8]),
    /// From `###\n` to `%%%\n`.
    Netstring(&'a [u8]),
}

impl<'a> Sealed<'a> {
    fn locate(bytes: &'a [u8]) -> Result<Sealed<'a>, Reject> {
        let found = match bytes.get(..4) {
            Some(classic::START) => Sealed::locate_classic(bytes),
            Some(netstring::START) => Sealed::locate_netstring(bytes),
            _ => None,
        };
        found.ok_or(Reject::NotAMessage)
    }

    /// `auth` is nearly always the last line: looked for there first, then everywhere.
    fn locate_classic(bytes: &'a [u8]) -> Option<Sealed<'a>> {
        let lines = classic::body(bytes)?;
        let body = Body::Classic(lines);
        let last =
            lines.get(..lines.len().saturating_sub(1))?.iter().rposition(|&byte| byte == b'\n').map_or(0, |n| n + 1);
        let start = if auth_value(&lines[last..]).is_some() { Some(last) } else { auth_line(lines) };
        let Some(start) = start else {
            return Some(Sealed { signature: None, signed: Cow::Borrowed(b""), body });
        };
        let (before, rest) = lines.split_at(start);
        let length = rest.iter().position(|&byte| byte == b'\n')? + 1;
        let (line, after) = rest.split_at(length);
        let signed = if after.is_empty() { Cow::Borrowed(before) } else { Cow::Owned([before, after].concat()) };
        Some(Sealed { signature: auth_value(line), signed, body })
    }

    /// The signature is the last netstring: at most 71 bytes, right behind `%%%\n`.
    fn locate_netstring(bytes: &'a [u8]) -> Option<Sealed<'a>> {
        let end = bytes.iter().rposition(|&byte| byte != 0)? + 1;
        let tail = end.saturating_sub(netstring::END.len() + "00:,".len() + Signature::MAX_TEXT);
        let mark = bytes.get(tail..end)?.windows(netstring::END.len()).rposition(|window| window == netstring::END)?;
        let (signed, rest) = bytes.get(..end)?.split_at_checked(tail + mark + netstring::END.len())?;
        let signature = netstring::take(rest).filter(|(_, after)| after.is_empty()).map(|(inside, _)| inside);
        Some(Sealed { signature, signed: Cow::Borrowed(signed), body: Body::Netstring(signed) })
    }

    fn decode(&self) -> Result<Message, Malformed> {
        match self.body {
            Body::Classic(lines) => classic::decode_fields(lines),
            Body::Netstring(bytes) => match netstring::decode(bytes)? {
                (mut message, []) => {
                    message.remove(field::AUTH);
                    Ok(message)
                }
                (_, _) => Err(Malformed::EarlyEnd),
            },
        }
    }
}

/// What an `auth` line carries.
fn auth_value(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(field::AUTH.as_bytes())?.strip_prefix(b"=")?.strip_suffix(b"\n")
}

/// Where the first `auth` line begins.
fn auth_line(lines: &[u8]) -> Option<usize> {
    let mut start = 0;
    lines.split_inclusive(|&byte| byte == b'\n').find_map(|line| {
        let here = start;
        start += line.len();
        auth_value(line).map(|_| here)
    })
}

/// Whom bytes that prove nothing say they are from: only to tell an operator where to look.
fn claimed_source(bytes: &[u8]) -> Option<NodeName> {
    let head = bytes.get(..bytes.len().min(512))?;
    let at = head.windows(5).position(|window| matches!(window, [b'\n' | b')', b's', b'r', b'c', b'=']))?;
    let name = head.get(at + 5..)?.split(|byte| matches!(byte, b'\n' | b',')).next()?;
    let printable = name.iter().all(u8::is_ascii_graphic);
    NodeName::new(str::from_utf8(name).ok().filter(|_| printable)?)
}

#[cfg(test)]
mod tests;
