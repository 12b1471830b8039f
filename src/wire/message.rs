//! A message: an ordered list of typed fields (`wire.md` 1). Knows nothing of bytes; see `classic` and `netstring`.

use std::fmt;

use super::field::{self, Generation, Kind, Sequence};

/// One field's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Tag 0: text.
    Text(String),
    /// Tag 1: bytes, base64 in the classic form.
    Binary(Vec<u8>),
    /// Tags 2 to 4, which haresources mode never sends: kept as they came so that the signature can be rebuilt.
    Opaque {
        /// The tag, 2 to 4.
        tag: u8,
        /// The value's bytes as they stood in the message.
        raw: Vec<u8>,
    },
}

/// An ordered list of `name=value`.
///
/// A name stands at most once: setting it again replaces the value in place.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    fields: Vec<(String, Value)>,
}

impl Message {
    /// A message of this kind, `t` being its first field.
    pub fn new(kind: &Kind) -> Message {
        let mut message = Message::empty();
        message.set(field::T, kind.as_str());
        message
    }

    /// A message without fields, for decoders.
    pub fn empty() -> Message {
        Message { fields: Vec::new() }
    }

    /// What it is about; [`Kind::Other`] of nothing when there is no `t`.
    pub fn kind(&self) -> Kind {
        Kind::from_text(self.get(field::T).unwrap_or(""))
    }

    /// A text field's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            Value::Binary(_) | Value::Opaque { .. } => None,
        }
    }

    /// A binary field's value.
    pub fn binary(&self, name: &str) -> Option<&[u8]> {
        match self.value(name)? {
            Value::Binary(bytes) => Some(bytes),
            Value::Text(_) | Value::Opaque { .. } => None,
        }
    }

    /// Any field's value.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// Sets a text field.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.set_value(name, Value::Text(value.into()));
    }

    /// Sets a field of any type.
    pub fn set_value(&mut self, name: &str, value: Value) {
        match self.fields.iter_mut().find(|(n, _)| n == name) {
            Some(slot) => slot.1 = value,
            None => self.fields.push((name.to_owned(), value)),
        }
    }

    /// The same message with a text field set; for building.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Message {
        self.set(name, value);
        self
    }

    /// Appends a field as a decoder finds it: of two with one name the first wins.
    pub fn push(&mut self, name: &str, value: Value) {
        if self.value(name).is_none() {
            self.fields.push((name.to_owned(), value));
        }
    }

    /// Removes a field.
    pub fn remove(&mut self, name: &str) {
        self.fields.retain(|(n, _)| n != name);
    }

    /// The fields in wire order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// `seq`, if it is there and is hex.
    pub fn sequence(&self) -> Option<Sequence> {
        self.hex(field::SEQ).map(Sequence)
    }

    /// `hg`, if it is there and is hex.
    pub fn generation(&self) -> Option<Generation> {
        self.hex(field::HG).map(Generation)
    }

    /// A field of lower-case hex digits without `0x`.
    pub fn hex(&self, name: &str) -> Option<u64> {
        u64::from_str_radix(self.get(name)?, 16).ok()
    }

    /// A field of decimal digits.
    pub fn decimal(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }
}

/// One line, without `auth`: what a transcript or a trace log shows.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (name, value) in self.fields() {
            let Value::Text(text) = value else { continue };
            if name == field::AUTH {
                continue;
            }
            if !first {
                f.write_str(" ")?;
            }
            first = false;
            write!(f, "{name}={text}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{self}>")
    }
}
