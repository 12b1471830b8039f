//! Why bytes from outside are not a message worth hearing, in words for an operator (`wire.md` 2).
//!
//! Never holds a right digest, a secret, or unprintable text from outside.

use std::fmt;

use crate::auth::{KeyId, Method};
use crate::names::NodeName;

/// One refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reject {
    /// Longer than any message may be; the number of bytes, or the limit it passed on a serial line.
    TooLong(usize),
    /// Not framed as a message: something else talks on this port, or it was cut short.
    NotAMessage,
    /// Framed, but without a signature that can be read.
    NoSignature(Option<NodeName>),
    /// Signed with a key number our `authkeys` does not have.
    UnknownKey {
        /// The number.
        key: KeyId,
        /// Whom it says it is from; anybody can write that.
        claimed: Option<NodeName>,
    },
    /// The digest is wrong: another secret, or the bytes changed on the way.
    BadSignature {
        /// The key number it carries.
        key: KeyId,
        /// Whom it says it is from; anybody can write that.
        claimed: Option<NodeName>,
    },
    /// Signed by another method than that of our key with its number.
    OtherMethod {
        /// The number.
        key: KeyId,
        /// How it was signed, by the look of it.
        theirs: Method,
        /// What our `authkeys` says.
        ours: Method,
        /// Whom it says it is from; anybody can write that.
        claimed: Option<NodeName>,
    },
    /// Rightly signed, or local, but not readable.
    Malformed(Malformed),
}

/// What is wrong with the inside of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Malformed {
    /// A line or field without `=`, or without a name before it.
    NoName,
    /// A type tag that does not exist.
    Tag,
    /// A length that does not fit.
    Length,
    /// A binary value that is not base64.
    Base64,
    /// More fields than any message has.
    TooManyFields,
    /// A NUL, or an end mark, before the end.
    EarlyEnd,
    /// A local message without its mark or its type.
    NoType,
    /// A compressed message that does not unpack.
    Unpack,
    /// A compressed message that would unpack to more than a message may be.
    UnpackTooLong,
    /// A compressed message inside a compressed message.
    Nested,
}

/// The kinds of [`Reject`], for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// [`Reject::TooLong`]
    TooLong,
    /// [`Reject::NotAMessage`]
    NotAMessage,
    /// [`Reject::NoSignature`]
    NoSignature,
    /// [`Reject::UnknownKey`]
    UnknownKey,
    /// [`Reject::BadSignature`] and [`Reject::OtherMethod`]
    BadSignature,
    /// [`Reject::Malformed`]
    Malformed,
}

impl Cause {
    /// All of them.
    pub const ALL: [Cause; 6] = [
        Cause::TooLong,
        Cause::NotAMessage,
        Cause::NoSignature,
        Cause::UnknownKey,
        Cause::BadSignature,
        Cause::Malformed,
    ];

    /// A short word for counters and JSON: `bad_signature`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::TooLong => "too_long",
            Cause::NotAMessage => "not_a_message",
            Cause::NoSignature => "no_signature",
            Cause::UnknownKey => "unknown_key",
            Cause::BadSignature => "bad_signature",
            Cause::Malformed => "malformed",
        }
    }
}

impl Reject {
    /// Its kind.
    pub const fn cause(&self) -> Cause {
        match self {
            Reject::TooLong(_) => Cause::TooLong,
            Reject::NotAMessage => Cause::NotAMessage,
            Reject::NoSignature(_) => Cause::NoSignature,
            Reject::UnknownKey { .. } => Cause::UnknownKey,
            Reject::BadSignature { .. } | Reject::OtherMethod { .. } => Cause::BadSignature,
            Reject::Malformed(_) => Cause::Malformed,
        }
    }
}

impl Reject {
    /// The phrase of the original for a message that is not rightly signed, without a word of ours.
    pub fn original(&self) -> Option<String> {
        match self {
            Reject::NoSignature(claimed)
            | Reject::UnknownKey { claimed, .. }
            | Reject::BadSignature { claimed, .. }
            | Reject::OtherMethod { claimed, .. } => {
                let node = claimed.as_ref().map_or("?", NodeName::as_str);
                Some(format!("string2msg_ll: node [{node}] failed authentication"))
            }
            Reject::TooLong(_) | Reject::NotAMessage | Reject::Malformed(_) => None,
        }
    }
}

impl From<Malformed> for Reject {
    fn from(malformed: Malformed) -> Reject {
        Reject::Malformed(malformed)
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, claimed) = match self {
            Reject::TooLong(bytes) => return write!(f, "{bytes} bytes or more: longer than any message"),
            Reject::NotAMessage => {
                return f.write_str("not a heartbeat message; something else uses this port or line");
            }
            Reject::Malformed(malformed) => return write!(f, "unreadable message: {malformed}"),
            Reject::NoSignature(claimed) => ("message without a signature".to_owned(), claimed),
            Reject::UnknownKey { key, claimed } => {
                (format!("message signed with key {key}, which our authkeys does not define: {SAME}"), claimed)
            }
            Reject::BadSignature { key, claimed } => (
                format!("message with a wrong signature: authkeys differ in key {key}, or bytes were changed"),
                claimed,
            ),
            Reject::OtherMethod { key, theirs, ours, claimed } => (
                format!("message signed with {theirs}, while key {key} of our authkeys is {ours}: {}", remedy(*ours)),
                claimed,
            ),
        };
        f.write_str(&text)?;
        match claimed {
            Some(node) => write!(f, " (it says it is from {node})"),
            None => Ok(()),
        }
    }
}

const SAME: &str = "copy authkeys from one node to the other (latido propagate) and reread it on both (kill -HUP)";

/// What to do when the other node signs by another method.
fn remedy(ours: Method) -> String {
    if ours.is_latido_only() {
        format!(
            "only Latido knows {ours}. If the other node is a Latido, {SAME}; if it is a heartbeat, sign with sha1 on both"
        )
    } else {
        SAME.to_owned()
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::NoName => "a field has no name",
            Malformed::Tag => "a field has an unknown type tag",
            Malformed::Length => "a field's length does not fit",
            Malformed::Base64 => "a binary field is not base64",
            Malformed::TooManyFields => "too many fields",
            Malformed::EarlyEnd => "it ends before its end",
            Malformed::NoType => "it has no type (a t= line between >>> and <<<)",
            Malformed::Unpack => "its compressed part does not unpack",
            Malformed::UnpackTooLong => "its compressed part is larger than a message may be",
            Malformed::Nested => "compressed within compressed",
        })
    }
}
