//! Whether all is well, and if not, what is not: behind the exit code of `latido status`, the status page and `latido_healthy`.
//!
//! A status in which something cannot be told is not a healthy one.

use super::{Group, Node, Status};

/// Nothing at all is wrong.
pub fn is_healthy(status: &Status) -> bool {
    troubles(status).is_empty()
}

/// Everything that keeps a pair from being healthy, a few words each, the worst first.
pub fn troubles(status: &Status) -> Vec<String> {
    let mut troubles: Vec<String> = status.groups.iter().filter_map(|group| group_trouble(status, group)).collect();
    // A hand-over of a moment, and whoever leaves: neither can be relied on.
    if status.leaving {
        troubles.push("this node is leaving".to_owned());
    } else if !status.stable {
        troubles.push("something is being decided or moved".to_owned());
    }
    troubles.extend(status.waiting_for.iter().cloned());
    for node in &status.nodes {
        if !["active", "ping"].contains(&node.status.as_str()) {
            troubles.push(format!("node {} is {}", node.name, node.status));
        }
        let dead = node.links.iter().filter(|link| !link.up);
        troubles.extend(dead.map(|link| format!("link {}:{} is dead", node.name, link.medium)));
    }
    troubles.extend(unheard(status));
    troubles.extend(status.sick.iter().chain(&status.impostor).chain(&status.doubted).cloned());
    troubles.extend(status.broken_fencing.iter().map(|device| format!("STONITH device {device} does not work")));
    troubles.extend(status.peer.iter().flat_map(|peer| &peer.failed).map(|what| format!("on the other node: {what}")));
    troubles.extend(status.drift.iter().cloned());
    troubles.extend(status.going_on.iter().cloned());
    troubles
}

/// Whether it runs on this node and, as far as is known, on the other.
pub(super) fn runs_on_both(status: &Status, group: &Group) -> bool {
    group.held_by_peer && may_run_here(group) && other(status).is_some_and(|node| node.status != "dead")
}

/// Whether any of it may be running here.
pub(super) fn may_run_here(group: &Group) -> bool {
    ["held", "starting", "stopping", "blocked"].contains(&group.state.as_str())
}

/// The node that is neither this one nor a ping node.
pub(super) fn other(status: &Status) -> Option<&Node> {
    status.nodes.iter().find(|node| !node.here && !node.ping)
}

fn group_trouble(status: &Status, group: &Group) -> Option<String> {
    let key = &group.key;
    if runs_on_both(status, group) {
        return Some(format!("{key} runs on BOTH nodes"));
    }
    match (group.state.as_str(), group.held_by_peer) {
        ("held", _) | ("free", true) => None,
        ("free", false) => Some(format!("{key} runs nowhere")),
        ("failed", _) => Some(format!("{key} failed here")),
        (state, _) => Some(format!("{key} is {state}")),
    }
}

/// A cable may carry in one direction only: what the other node does not hear, though we hear it.
fn unheard(status: &Status) -> Vec<String> {
    let (Some(node), Some(peer)) = (other(status), &status.peer) else { return Vec::new() };
    let deaf = node.links.iter().filter(|link| link.up && peer.links.get(&link.medium) == Some(&false));
    deaf.map(|link| format!("{} does not hear this node over {}", node.name, link.medium)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Link, Peer};
    use super::*;

    fn group(key: &str, state: &str, held_by_peer: bool) -> Group {
        Group { key: key.into(), state: state.into(), held_by_peer, ..Group::default() }
    }

    fn node(name: &str, here: bool) -> Node {
        let links = if here { vec![] } else { vec![Link { medium: "eth0".into(), up: true, ..Link::default() }] };
        Node { name: name.into(), here, status: "active".into(), links, ..Node::default() }
    }

    fn well() -> Status {
        Status {
            stable: true,
            nodes: vec![node("alpha", true), node("beta", false)],
            groups: vec![group("ra", "held", false), group("rb", "free", true)],
            peer: Some(Peer { links: [("eth0".to_owned(), true)].into(), ..Peer::default() }),
            ..Status::default()
        }
    }

    #[test]
    fn a_pair_is_healthy_only_while_nothing_at_all_is_wrong() {
        assert_eq!(troubles(&well()), Vec::<String>::new());
        type Change = fn(&mut Status);
        let wrong: [(&str, Change); 18] = [
            ("ra runs on BOTH nodes", |status| status.groups[0].held_by_peer = true),
            ("ra runs on BOTH nodes", |status| status.groups[0] = group("ra", "starting", true)),
            ("rb runs nowhere", |status| status.groups[1].held_by_peer = false),
            ("rb failed here", |status| status.groups[1].state = "failed".into()),
            ("ra is blocked", |status| status.groups[0].state = "blocked".into()),
            ("something is being decided or moved", |status| status.stable = false),
            ("this node is leaving", |status| status.leaving = true),
            ("node beta is dead", |status| status.nodes[1].status = "dead".into()),
            ("node alpha is up", |status| status.nodes[0].status = "up".into()),
            ("link beta:eth0 is dead", |status| status.nodes[1].links[0].up = false),
            ("does not hear this node over eth0", |status| {
                status.peer = Some(Peer { links: [("eth0".to_owned(), false)].into(), ..Peer::default() });
            }),
            ("haresources is not the same", |status| status.drift = vec!["haresources is not the same".into()]),
            ("on the other node: ra: exit 1", |status| {
                status.peer.as_mut().unwrap().failed = vec!["ra: exit 1".into()];
            }),
            ("two machines", |status| status.impostor = Some("two machines".into())),
            ("may be old", |status| status.doubted = Some("what is heard of beta may be old".into())),
            ("ra does not work", |status| status.sick = vec!["ra does not work".into()]),
            ("STONITH device power does not work", |status| status.broken_fencing = vec!["power".into()]),
            ("ha.cf has errors", |status| status.going_on = vec!["ha.cf has errors".into()]),
        ];
        for (words, change) in wrong {
            let mut status = well();
            change(&mut status);
            let found = troubles(&status);
            assert!(found.iter().any(|trouble| trouble.contains(words)), "{words}: {found:?}");
            assert!(!is_healthy(&status));
        }
    }

    #[test]
    fn what_a_dead_node_said_last_is_no_second_owner() {
        let mut status = well();
        status.groups[0].held_by_peer = true;
        status.nodes[1].status = "dead".into();
        assert!(!troubles(&status).iter().any(|trouble| trouble.contains("BOTH")), "{:?}", troubles(&status));
    }
}
