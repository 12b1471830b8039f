//! Messages the table of clients makes itself, and what a client may make (`api.md` 2.2, 2.4.1, 2.5).

use crate::names::{ClientId, NodeName};
use crate::wire::{Kind, Message, field as wire};

use super::answer::response;
use super::effect::{ApiEffect, complain};
use super::field;
use super::request::Refusal;

/// What Latidos tell each other of themselves.
const OURS: &str = "latido";

/// Types by which the nodes decide who runs what are not a client's to say; standing by is (`ipfail`).
pub(super) fn may_be_sent(kind: &Kind) -> bool {
    match kind {
        Kind::AskResources | Kind::HbTakeover => true,
        Kind::Other(t) => {
            !t.is_empty()
                && !t.starts_with("NS_")
                && ![field::CLIENT_STATUS, field::RESPOND, OURS].contains(&t.as_str())
        }
        Kind::Status
        | Kind::NsSt
        | Kind::Ack
        | Kind::Rexmit
        | Kind::NakRexmit
        | Kind::ReqNodes
        | Kind::RepNodes
        | Kind::Starting
        | Kind::Resource
        | Kind::IpRequest
        | Kind::IpRequestResp
        | Kind::Stonith
        | Kind::ShutDone
        | Kind::IfStat => false,
    }
}

/// `cs=`
pub(super) const fn on_or_off(online: bool) -> &'static str {
    if online { "online" } else { "offline" }
}

/// That a client joined or left.
pub(super) fn joined(client: (&str, u64), st: &str, info: &str, me: &NodeName) -> Message {
    let (name, generation) = client;
    Message::new(&Kind::Other(field::CLIENT_STATUS.into()))
        .with(wire::ST, st)
        .with(field::FROM_ID, name)
        .with(field::TO_ID, name)
        .with(wire::SRC, me.as_str())
        .with(wire::INFO, info)
        .with(field::CLIENT_GEN, generation.to_string())
}

/// Asks another node whether a client is signed on there.
pub(super) fn ask_remote(node: &NodeName, name: &str, asker: &str) -> ApiEffect {
    let query = Message::new(&Kind::Other(field::QUERY.into()))
        .with(wire::DEST, node.as_str())
        .with(field::CN, name)
        .with(field::FROM_ID, asker);
    ApiEffect::Send { message: query, by: None }
}

/// An answer, each message with its `result`.
pub(super) fn finish(id: ClientId, answers: Vec<Message>) -> Vec<ApiEffect> {
    let last = answers.len().saturating_sub(1);
    let result = |at: usize| if at == last { field::OK } else { field::MORE };
    let say = |(at, message): (usize, Message)| ApiEffect::Say {
        to: vec![id],
        message: message.with(wire::RESULT, result(at)),
    };
    answers.into_iter().enumerate().map(say).collect()
}

/// A `badreq`, and what the log says of it.
pub(super) fn refuse(id: ClientId, reqtype: &str, refusal: Refusal, message: &Message) -> Vec<ApiEffect> {
    let mut answer = response(reqtype).with(wire::RESULT, field::BAD);
    if let Some(info) = refusal.0 {
        answer.set(wire::INFO, info);
    }
    let shown: String = message.to_string().chars().take(300).collect();
    let text = format!("api_process_request: bad request [{reqtype}]: {shown}");
    vec![complain("bad request", text), ApiEffect::Say { to: vec![id], message: answer }]
}
