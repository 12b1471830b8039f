//! What a signed-on client may ask (`api.md` 2.4): from a message to a [`ApiRequest`], or the reason why not.

use crate::names::NodeName;
use crate::wire::{Message, field as wire};

use super::field;

/// A request that is understood. Nodes are not looked up yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiRequest {
    /// `signon` again: never allowed.
    SignOn,
    /// It leaves; no answer.
    SignOff,
    /// Which classes of messages it wants, 1 to 3f.
    SetFilter(u8),
    /// Which signal follows each message; 0 for none.
    SetSignal(i32),
    /// How many messages may wait for it; no answer.
    SetQueue(usize),
    /// All nodes.
    NodeList,
    /// One node's status.
    NodeStatus(NodeName),
    /// Its kind.
    NodeType(NodeName),
    /// Its weight.
    NodeWeight(NodeName),
    /// Its site.
    NodeSite(NodeName),
    /// How many normal nodes there are.
    NumNodes,
    /// One node's interfaces.
    IfList(NodeName),
    /// One of them.
    IfStatus(NodeName, String),
    /// Whether a client is signed on at a node.
    ClientStatus(NodeName, String),
    /// A parameter of `ha.cf`.
    Parameter(String),
    /// What this node holds.
    Resources,
    /// The uuid of a node.
    Uuid(String),
    /// The node of a uuid.
    NodeOfUuid(Vec<u8>),
}

/// Why a request is answered with `badreq`: the text of `info`, if it has any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal(pub Option<&'static str>);

impl Refusal {
    /// A field is missing or means nothing.
    pub const EINVAL: Refusal = Refusal(Some("EINVAL"));
    /// This client may not.
    pub const EPERM: Refusal = Refusal(Some("EPERM"));
    /// Nothing is said.
    pub const BARE: Refusal = Refusal(None);
    const NO_NAME: Refusal = Refusal(Some("no query node name found"));
}

/// However long a queue a client wants.
const MOST_QUEUED: usize = 1024;

impl ApiRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn from_message(message: &Message) -> Result<ApiRequest, Refusal> {
        let node = || message.get(wire::NODE).and_then(NodeName::new).ok_or(Refusal::EINVAL);
        let text = |name: &str| message.get(name).map(str::to_owned).ok_or(Refusal::EINVAL);
        Ok(match message.get(field::REQTYPE).unwrap_or_default() {
            "signon" => ApiRequest::SignOn,
            "signoff" => ApiRequest::SignOff,
            "setfilter" => ApiRequest::SetFilter(mask(message).ok_or(Refusal::EINVAL)?),
            "setsignal" => ApiRequest::SetSignal(signal(message)?),
            "set_sendqlen" => ApiRequest::SetQueue(queue(message)),
            "nodelist" => ApiRequest::NodeList,
            "nodestatus" => ApiRequest::NodeStatus(node()?),
            "nodetype" => ApiRequest::NodeType(node()?),
            "nodeweight" => ApiRequest::NodeWeight(node()?),
            "nodesite" => ApiRequest::NodeSite(node()?),
            "numnodes" => ApiRequest::NumNodes,
            "iflist" => ApiRequest::IfList(node()?),
            "ifstatus" => ApiRequest::IfStatus(node()?, text(wire::IFNAME)?),
            "clientstatus" => ApiRequest::ClientStatus(node()?, text(field::CN)?),
            "getparm" => ApiRequest::Parameter(text("pname")?),
            "getrsc" => ApiRequest::Resources,
            "getuuid" => ApiRequest::Uuid(text("queryname").map_err(|_| Refusal::NO_NAME)?),
            "getnodename" => {
                let uuid = message.binary("queryuuid").ok_or(Refusal::NO_NAME)?;
                ApiRequest::NodeOfUuid(uuid.to_vec())
            }
            _ => return Err(Refusal::BARE),
        })
    }
}

fn mask(message: &Message) -> Option<u8> {
    u8::try_from(message.hex("fmask")?).ok().filter(|mask| (1..=0x3f).contains(mask))
}

/// Signals nobody can catch are refused, as real-time ones are.
fn signal(message: &Message) -> Result<i32, Refusal> {
    let text = message.get("signal").ok_or(Refusal::BARE)?;
    let signal: i32 = text.parse().map_err(|_| Refusal::EINVAL)?;
    let usable = (0..32).contains(&signal) && signal != 9 && signal != 19;
    usable.then_some(signal).ok_or(Refusal::EINVAL)
}

fn queue(message: &Message) -> usize {
    let wanted = message.decimal("sendqlen").and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    wanted.min(MOST_QUEUED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Kind, Value};

    fn parse(fields: &[(&str, &str)]) -> Result<ApiRequest, Refusal> {
        let mut message = Message::new(&Kind::Other(field::REQUEST.into()));
        fields.iter().for_each(|(name, value)| message.set(name, *value));
        ApiRequest::from_message(&message)
    }

    #[test]
    fn names_of_nodes_are_lowered() {
        let beta = NodeName::new("beta").unwrap();
        assert_eq!(parse(&[("reqtype", "nodestatus"), ("node", "BETA")]), Ok(ApiRequest::NodeStatus(beta.clone())));
        let asked = parse(&[("reqtype", "ifstatus"), ("node", "beta"), ("ifname", "eth0")]);
        assert_eq!(asked, Ok(ApiRequest::IfStatus(beta, "eth0".into())));
    }

    #[test]
    fn what_is_missing_is_refused_with_the_words_of_the_original() {
        let cases: [(&[(&str, &str)], Refusal); 10] = [
            (&[("reqtype", "nodestatus")], Refusal::EINVAL),
            (&[("reqtype", "ifstatus"), ("node", "beta")], Refusal::EINVAL),
            (&[("reqtype", "getparm")], Refusal::EINVAL),
            (&[("reqtype", "setfilter"), ("fmask", "0")], Refusal::EINVAL),
            (&[("reqtype", "setfilter"), ("fmask", "40")], Refusal::EINVAL),
            (&[("reqtype", "setsignal")], Refusal::BARE),
            (&[("reqtype", "setsignal"), ("signal", "9")], Refusal::EINVAL),
            (&[("reqtype", "setsignal"), ("signal", "32")], Refusal::EINVAL),
            (&[("reqtype", "getuuid")], Refusal(Some("no query node name found"))),
            (&[("reqtype", "reboot")], Refusal::BARE),
        ];
        for (fields, refusal) in cases {
            assert_eq!(parse(fields), Err(refusal), "{fields:?}");
        }
    }

    #[test]
    fn a_uuid_is_asked_for_in_binary() {
        let mut message = Message::empty().with("reqtype", "getnodename");
        assert!(ApiRequest::from_message(&message).is_err());
        message.set_value("queryuuid", Value::Binary(vec![1; 16]));
        assert_eq!(ApiRequest::from_message(&message), Ok(ApiRequest::NodeOfUuid(vec![1; 16])));
    }

    #[test]
    fn a_queue_can_be_long_but_not_endless() {
        assert_eq!(parse(&[("reqtype", "set_sendqlen"), ("sendqlen", "256")]), Ok(ApiRequest::SetQueue(256)));
        assert_eq!(parse(&[("reqtype", "set_sendqlen"), ("sendqlen", "99999999")]), Ok(ApiRequest::SetQueue(1024)));
    }
}
