//! The client API of heartbeat (`api.md` 1 and 2): what programs linked with the original's library may ask, and the
//! answers. Pure: sockets, credentials of the kernel and signals are `daemon/doors/api_socket.rs`'s affair.
//!
//! Bytes become bodies in [`frame`], bodies become messages in [`body`], a message of a client becomes a [`ApiRequest`], and
//! [`ApiClients`] knows who is signed on, answers, and says what is to be done as a list of [`ApiEffect`]s.
//!
//! ```text
//! bytes ──> frame ──> body ──> clients ──> signon ──> rules     who may
//!                                      ──> request ──> answer   what is asked, and what it comes to
//!                                      ──> say, deliver         messages to the other node and to other clients
//! clients ──> effect: what the caller is to do
//! field: names of fields that only this API has
//! ```

mod answer;
pub mod body;
mod clients;
mod deliver;
mod effect;
pub mod field;
pub mod frame;
mod request;
mod rules;
mod say;
mod signon;

pub use answer::ApiContext;
pub use clients::ApiClients;
pub use effect::{ApiEffect, CloseReason, Limits};
pub use frame::{ApiFrameError, ApiFramer, MAX_BODY};
pub use request::{ApiRequest, Refusal};
pub use rules::{ApiRules, Credentials};
pub use signon::facility_number;
