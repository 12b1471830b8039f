//! Messages as bytes and back (`wire.md` 1 to 3).

pub mod field;
mod message;

pub use field::{Generation, Kind, Sequence};
pub use message::{Message, Value};
