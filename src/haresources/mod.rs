//! Resource groups: the file that names them and the order their scripts run in (`config.md` 6, `resources.md` 3.2).
//!
//! ```text
//! parse ──> resource (a word, a group)      known: agents known by name, and their arguments
//! chain ──> agent (a call, and how it ended) ──> resource
//! ```

mod agent;
mod chain;
pub mod known;
pub mod parse;
mod resource;

pub use agent::{Exit, Invocation, Outcome, StatusAnswer, Verb};
pub use chain::{Chain, ChainReport, Step};
pub use resource::{Resource, ResourceGroup};
