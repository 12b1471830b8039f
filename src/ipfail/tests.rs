//! Two deciders and the moments at which each learns what.

use super::*;

const KEEPALIVE: Duration = Duration::from_secs(1);
const DEADPING: Duration = Duration::from_secs(6);

fn decider(failback: bool) -> Decider {
    Decider::new(Settings {
        me: "alpha".into(),
        peer: "beta".into(),
        pings: vec!["10.0.0.254".into()],
        failback,
        keepalive: KEEPALIVE,
        deadping: DEADPING,
    })
}

fn facts(pings: u32, holds: &str) -> Facts {
    Facts { pings, holds: holds.into() }
}

fn at(seconds: f64) -> Mono {
    Mono::at(Duration::from_secs_f64(seconds))
}

fn message(t: &str, fields: &[(&str, &str)]) -> Message {
    fields.iter().fold(Message::new(&Kind::from_text(t)), |message, (name, value)| message.with(name, *value))
}

fn from_beta(t: &str, fields: &[(&str, &str)]) -> Message {
    message(t, fields).with("src", "beta")
}

fn ping_dead() -> Message {
    message("status", &[("src", "10.0.0.254"), ("st", "dead"), ("info", "ping")])
}

fn link_dead(node: &str, link: &str) -> Message {
    message("ifstat", &[("node", node), ("ifname", link), ("st", "dead")])
}

/// What is said, one message a line.
fn said(orders: &[Order]) -> Vec<String> {
    let mut lines = Vec::new();
    for order in orders {
        if let Order::Say(message) = order {
            lines.push(message.to_string());
        }
    }
    lines
}

const SILENCE: [&str; 0] = [];

#[test]
fn a_lost_ping_node_is_told_at_once_and_once() {
    let mut alpha = decider(false);
    let told = ["t=num_ping_nodes src=alpha num_ping=0 dest=beta"];
    assert_eq!(said(&alpha.hear(at(0.0), &ping_dead(), &facts(0, "local"))), told);
    assert_eq!(said(&alpha.hear(at(0.1), &link_dead("10.0.0.254", "10.0.0.254"), &facts(0, "local"))), SILENCE);
}

#[test]
fn who_is_told_that_it_sees_less_gives_up_within_two_beats() {
    let mut alpha = decider(false);
    alpha.hear(at(0.0), &ping_dead(), &facts(0, "local"));
    assert_eq!(said(&alpha.hear(at(0.5), &from_beta("you_are_dead", &[]), &facts(0, "local"))), SILENCE);
    let due = alpha.next_deadline().unwrap();
    assert!(due > at(1.5) && due <= at(2.5));
    let give_up = ["t=ask_resources rsc_hold=all src=alpha info=me"];
    assert_eq!(said(&alpha.tick(due, &facts(0, "local"))), give_up);
    for info in ["other", "done"] {
        let word = from_beta("ask_resources", &[("rsc_hold", "all"), ("info", info)]);
        assert_eq!(said(&alpha.hear(due + KEEPALIVE, &word, &facts(0, "transition"))), SILENCE);
    }
    assert_eq!(alpha.next_deadline(), None);
}

#[test]
fn a_give_up_that_came_to_nothing_is_asked_for_again_and_one_that_happened_is_not() {
    let mut alpha = decider(false);
    alpha.hear(at(0.0), &from_beta("num_ping_nodes", &[("num_ping", "1")]), &facts(0, "local"));
    let give_up = ["t=ask_resources rsc_hold=all src=alpha info=me"];
    let due = alpha.next_deadline().unwrap();
    assert_eq!(said(&alpha.tick(due, &facts(0, "local"))), give_up);
    // It was refused, or beta asked for the same at that moment.
    let again = alpha.next_deadline().unwrap();
    assert!(again >= due + Duration::from_secs(5));
    assert_eq!(said(&alpha.tick(again, &facts(0, "transition"))), SILENCE);
    let again = alpha.next_deadline().unwrap();
    assert_eq!(said(&alpha.tick(again, &facts(0, "local"))), give_up);
    // What beta gives away by itself is no answer to it.
    let word = |info| from_beta("ask_resources", &[("rsc_hold", "all"), ("info", info)]);
    for info in ["me", "done"] {
        alpha.hear(again + KEEPALIVE, &word(info), &facts(0, "transition"));
    }
    let last = alpha.next_deadline().unwrap();
    assert!(last.since(again) > again.since(due), "not ever faster");
    assert_eq!(said(&alpha.tick(last, &facts(0, "local"))), give_up);
    // Now it happened; what a person takes back by hand stays.
    for info in ["other", "done"] {
        alpha.hear(last + KEEPALIVE, &word(info), &facts(0, "transition"));
    }
    assert_eq!(alpha.next_deadline(), None);
}

#[test]
fn who_sees_more_says_so_and_who_sees_less_gives_up() {
    let mut alpha = decider(false);
    let count = |n: &str| from_beta("num_ping_nodes", &[("num_ping", n)]);
    assert_eq!(said(&alpha.hear(at(0.0), &count("0"), &facts(1, "none"))), ["t=you_are_dead dest=beta"]);
    assert_eq!(said(&alpha.hear(at(1.0), &count("1"), &facts(1, "none"))), ["t=abort_giveup dest=beta"]);
    assert_eq!(said(&alpha.hear(at(2.0), &count("2"), &facts(1, "local"))), SILENCE);
    let due = alpha.next_deadline().unwrap();
    assert_eq!(said(&alpha.tick(due, &facts(1, "local"))).len(), 1);
}

#[test]
fn a_ping_node_both_have_lost_moves_nothing() {
    let mut alpha = decider(false);
    alpha.hear(at(0.0), &ping_dead(), &facts(0, "local"));
    alpha.hear(at(0.1), &from_beta("you_are_dead", &[]), &facts(0, "local"));
    // A beat later beta has lost it too.
    let orders = alpha.hear(at(1.0), &from_beta("num_ping_nodes", &[("num_ping", "0")]), &facts(0, "local"));
    assert_eq!(said(&orders), ["t=abort_giveup dest=beta"]);
    assert_eq!(alpha.next_deadline(), None);
}

#[test]
fn a_healthy_node_does_not_give_its_foreign_resources_to_one_whose_ping_node_is_about_to_die() {
    let mut alpha = decider(true);
    alpha.hear(at(0.0), &link_dead("beta", "eth0"), &facts(1, "all"));
    // An original counts at once: as many as before, for now.
    let orders = alpha.hear(at(0.1), &from_beta("num_ping_nodes", &[("num_ping", "1")]), &facts(1, "all"));
    assert_eq!(said(&orders), ["t=abort_giveup dest=beta"]);
    assert!(alpha.next_deadline().unwrap() > at(6.0));
    let orders = alpha.hear(at(5.9), &from_beta("num_ping_nodes", &[("num_ping", "0")]), &facts(1, "all"));
    assert_eq!(said(&orders), ["t=you_are_dead dest=beta"]);
    assert_eq!(alpha.next_deadline(), None);
}

#[test]
fn a_dead_link_is_not_told_of_but_the_ping_node_behind_it_is() {
    let mut alpha = decider(true);
    assert_eq!(said(&alpha.hear(at(0.0), &link_dead("beta", "eth0"), &facts(1, "all"))), SILENCE);
    assert_eq!(said(&alpha.hear(at(4.0), &ping_dead(), &facts(0, "all"))).len(), 1);
    assert_eq!(alpha.next_deadline(), None);
}

#[test]
fn with_auto_failback_balanced_counts_bring_foreign_resources_home_when_nothing_stirs() {
    let mut alpha = decider(true);
    let balanced = from_beta("num_ping_nodes", &[("num_ping", "1")]);
    alpha.hear(at(0.0), &balanced, &facts(1, "all"));
    let due = alpha.next_deadline().unwrap();
    let give_up = ["t=ask_resources rsc_hold=foreign src=alpha info=me"];
    assert_eq!(said(&alpha.tick(due, &facts(1, "all"))), give_up);
    // Without it they stay.
    let mut alpha = decider(false);
    alpha.hear(at(0.0), &balanced, &facts(1, "all"));
    assert_eq!(alpha.next_deadline(), None);
}

#[test]
fn a_give_up_waits_until_resources_have_come_to_rest() {
    let mut alpha = decider(false);
    alpha.hear(at(0.0), &from_beta("num_ping_nodes", &[("num_ping", "1")]), &facts(0, "transition"));
    assert_eq!(said(&alpha.tick(at(1.6), &facts(0, "transition"))), SILENCE);
    let stable = from_beta("resource", &[("rsc_hold", "none"), ("isstable", "1")]);
    assert_eq!(said(&alpha.hear(at(2.7), &stable, &facts(0, "all"))).len(), 1);
}

#[test]
fn a_ping_node_that_came_back_before_the_give_up_keeps_everything_here() {
    let mut alpha = decider(false);
    alpha.hear(at(0.0), &ping_dead(), &facts(0, "local"));
    alpha.hear(at(0.1), &from_beta("you_are_dead", &[]), &facts(0, "local"));
    let again = ["t=num_ping_nodes src=alpha num_ping=1 dest=beta"];
    assert_eq!(said(&alpha.tick(at(2.0), &facts(1, "local"))), again);
    assert_eq!(alpha.next_deadline(), None);
}

#[test]
fn a_count_is_not_told_twice_and_what_it_makes_wrong_is_dropped() {
    let mut alpha = decider(true);
    alpha.hear(at(0.0), &ping_dead(), &facts(0, "local"));
    alpha.hear(at(0.1), &from_beta("you_are_dead", &[]), &facts(0, "local"));
    let returned = message("NS_st", &[("src", "10.0.0.254"), ("st", "ping")]);
    assert_eq!(said(&alpha.hear(at(0.2), &returned, &facts(1, "local"))).len(), 1);
    assert_eq!(alpha.next_deadline(), None);
    assert_eq!(said(&alpha.hear(at(0.3), &returned, &facts(1, "local"))), SILENCE);
}

#[test]
fn words_of_anybody_but_the_partner_count_for_nothing() {
    let mut alpha = decider(true);
    for t in ["you_are_dead", "abort_giveup", "num_ping_nodes", "hbapi-clstat"] {
        let own = message(t, &[("src", "alpha"), ("num_ping", "7"), ("st", "join")]);
        assert_eq!(alpha.hear(at(0.0), &own, &facts(0, "all")), []);
    }
    alpha.hear(at(0.0), &from_beta("num_ping_nodes", &[("num_ping", "many")]), &facts(0, "all"));
    assert_eq!(alpha.next_deadline(), None);
}
