//! Questions answered from the view and the configuration alone (`api.md` 2.4).

use crate::cluster::{LinkView, NodeView, Status, View};
use crate::config::{Config, DIRECTIVES};
use crate::names::NodeName;
use crate::wire::{Kind, Message, Value, field as wire};

use super::field;
use super::request::{ApiRequest, Refusal};

/// The version whose library our clients were built with; some look at its number.
pub(super) const SPOKEN_VERSION: &str = "3.0.6";

/// What is true at this moment.
#[derive(Clone, Copy, Debug)]
pub struct ApiContext<'a> {
    /// Nodes, links, groups.
    pub view: &'a View,
    /// The files.
    pub config: &'a Config,
}

/// An answer without its `result`.
pub(super) fn response(reqtype: &str) -> Message {
    Message::new(&Kind::Other(field::RESPONSE.into())).with(field::REQTYPE, reqtype)
}

/// The messages of an answer, without their `result`; never empty. Requests that change or ask for something else than
/// what is true now are answered by `clients`.
pub(super) fn answer(request: &ApiRequest, reqtype: &str, context: ApiContext<'_>) -> Result<Vec<Message>, Refusal> {
    let say = |name: &str, value: &str| Ok(vec![response(reqtype).with(name, value)]);
    let known = |node: &NodeName| context.node(node).ok_or(Refusal::EINVAL);
    match request {
        ApiRequest::NodeList => Ok(context.nodes().map(|node| node_entry(reqtype, node)).collect()),
        ApiRequest::NodeStatus(node) => say(wire::ST, known(node)?.status.as_str()),
        ApiRequest::NodeType(node) => say("nodetype", node_type(known(node)?)),
        ApiRequest::NodeWeight(node) => known(node).and_then(|_| say("weight", "100")),
        ApiRequest::NodeSite(node) => known(node).and_then(|_| say("site", "")),
        ApiRequest::NumNodes => say("numnodes", &context.config.settings.nodes.len().to_string()),
        ApiRequest::IfList(node) => {
            let links = context.links(known(node)?);
            let entry = |(name, up): &(String, bool)| {
                response(reqtype).with(wire::IFNAME, name.as_str()).with(wire::ST, up_or_dead(*up))
            };
            // An empty list has no last message: the client would wait for ever.
            if links.is_empty() { Err(Refusal::EINVAL) } else { Ok(links.iter().map(entry).collect()) }
        }
        ApiRequest::IfStatus(node, interface) => {
            let links = context.links(known(node)?);
            let (_, up) = links.iter().find(|(name, _)| name == interface).ok_or(Refusal::EINVAL)?;
            say(wire::ST, up_or_dead(*up))
        }
        ApiRequest::Parameter(name) => match parameter(context.config, name) {
            Some(value) => say("pvalue", value),
            None => Ok(vec![response(reqtype)]),
        },
        ApiRequest::Resources => say(wire::RSC_HOLD, &context.view.rscstatus),
        ApiRequest::Uuid(name) => Ok(vec![context.uuid(response(reqtype), name)]),
        ApiRequest::NodeOfUuid(uuid) => match context.view.nodes.iter().find(|node| node.uuid.as_ref() == Some(uuid)) {
            Some(node) => say("queryname", node.name.as_str()),
            None => Ok(vec![response(reqtype)]),
        },
        ApiRequest::SignOn
        | ApiRequest::SignOff
        | ApiRequest::SetFilter(_)
        | ApiRequest::SetSignal(_)
        | ApiRequest::SetQueue(_)
        | ApiRequest::ClientStatus(..) => Err(Refusal::BARE),
    }
}

impl ApiContext<'_> {
    /// A node of the configuration.
    pub(super) fn node(&self, name: &NodeName) -> Option<&NodeView> {
        self.view.nodes.iter().find(|node| node.name == *name)
    }

    /// All nodes in the order of `ha.cf`, ping nodes at their place.
    fn nodes(&self) -> impl Iterator<Item = &NodeView> {
        self.config.node_order.iter().filter_map(|name| self.node(name))
    }

    /// A node's interfaces and whether they are up.
    fn links(&self, node: &NodeView) -> Vec<(String, bool)> {
        if node.is_ping {
            // The original's one link of a ping node has the node's name, also for a group.
            let up = node.links.iter().any(|link| link.up);
            return vec![(node.name.to_string(), up)];
        }
        if node.is_me {
            return self.own_links();
        }
        node.links.iter().map(|link| (link.medium.to_string(), link.up)).collect()
    }

    /// The original's own links are up when it hears itself: at once where packets come back, elsewhere with the peer.
    fn own_links(&self) -> Vec<(String, bool)> {
        let mut links: Vec<(String, bool)> = Vec::new();
        for spec in self.config.media.iter().filter(|spec| spec.ping_node().is_none()) {
            let id = spec.id();
            let others = self.view.nodes.iter().flat_map(|node| &node.links);
            let same: Vec<&LinkView> = others.filter(|link| link.medium == id).collect();
            let fails = same.iter().any(|link| link.failure.is_some());
            let up = !fails && (spec.hears_itself() || same.iter().any(|link| link.up));
            match links.iter_mut().find(|(name, _)| name == id.as_str()) {
                Some(link) => link.1 |= up,
                None => links.push((id.to_string(), up)),
            }
        }
        links
    }

    fn uuid(&self, response: Message, name: &str) -> Message {
        let Some(node) = NodeName::new(name).and_then(|name| self.node(&name)) else { return response };
        let nobody = || vec![0; 16];
        let uuid = node.uuid.clone().unwrap_or_else(nobody);
        let mut response = response;
        response.set_value("queryuuid", Value::Binary(uuid));
        response
    }
}

fn node_entry(reqtype: &str, node: &NodeView) -> Message {
    response(reqtype)
        .with(wire::NODE, node.name.as_str())
        .with("nodetype", node_type(node))
        .with(wire::ST, node.status.as_str())
}

fn node_type(node: &NodeView) -> &'static str {
    if node.is_ping { "ping" } else { "normal" }
}

const fn up_or_dead(up: bool) -> &'static str {
    if up { "up" } else { Status::Dead.as_str() }
}

/// A directive that has one value (`api.md` 2.4.2); `env` is nobody's parameter.
fn parameter<'a>(config: &'a Config, name: &str) -> Option<&'a str> {
    let name = if name == "crm" { "pacemaker" } else { name };
    if name == "hbversion" {
        return Some(SPOKEN_VERSION);
    }
    let given = config.parameters.iter().find(|(known, _)| known == name)?;
    DIRECTIVES.iter().any(|directive| directive.name == name).then_some(given.1.as_str())
}
