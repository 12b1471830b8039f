//! Messages as bytes and back (`wire.md` 1 to 3).
//!
//! One message has two spellings. The classic one is lines of text, the only one a serial line carries:
//!
//! ```text
//! >>>
//! t=status
//! st=active
//! (1)srcuuid=tyfQrMNYSoWFhUM7l+DNFw==
//! auth=1 e5d6649558a102916380023b7d05fecc4d0566a4
//! <<<
//! ```
//!
//! The other is netstrings, `###\n11:(0)t=status,…%%%\n42:1 eb68…,`, signed as a whole behind the end. Bytes from
//! outside go through [`Intake`]: find the frame, find the signature, check it over the bytes as they came, and only
//! then ask what they mean. Nothing here panics on any bytes, nor holds more than a few hundred kilobytes of them.
//!
//! ```text
//! bytes ──> intake ──> frame ──> seal (base64) ──> classic, netstring (compress) ──> message ──> field
//!                  ──> reject: what was refused, and why        fifo: lines from this machine; json: for records
//! ```

mod base64;
mod classic;
mod compress;
pub mod field;
mod fifo;
mod frame;
mod intake;
mod json;
mod message;
mod netstring;
mod reject;
mod seal;

pub use field::{Generation, Kind, Sequence};
pub use fifo::{FifoReader, parse_fifo};
pub use frame::MAX_MESSAGE;
pub use frame::{Framer, MAX_SERIAL_FRAME};
pub use intake::{Intake, IntakeCounters};
pub use message::{Message, Value};
pub use reject::{Cause, Malformed, Reject};
pub use seal::{Form, open, seal, seal_ping};

/// The spelling of unsigned messages, for those who sign by other means or not at all.
pub mod plain {
    pub use super::classic::{decode as decode_classic, encode as encode_classic};
    pub use super::netstring::{decode as decode_netstring, encode as encode_netstring};
}
