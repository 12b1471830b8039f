//! How a node is, as values and as words (`status.md`): the document, the questions, and what they are made into. Pure.
//!
//! ```text
//! daemon ──> document <── text, metrics ──> health (what is wrong, in sentences)
//!               ^
//! client, daemon: ask (what may be asked, and the answers)
//! ```

pub mod health;
pub mod metrics;
pub mod text;

mod ask;
mod document;

pub use ask::{Answer, Ask};
pub use document::{Gaps, Group, Link, Node, Peer, Status, Traffic};
