//! What really runs where, by the witnesses' account, and whether that was ever more than allowed. Pure.

#![allow(clippy::wildcard_enum_match_arm, reason = "each reader looks for its own few of many happenings")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::timeline::{Happening, What};
use super::witness::Said;
use crate::time::Mono;

/// The world as the witnesses see it.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    /// Service addresses and recorded resources (`asterisk`, `drbddisk r0`), with the hosts they are on.
    holders: BTreeMap<String, BTreeSet<String>>,
    services: Vec<Ipv4Addr>,
    /// Since when something has been on both hosts.
    both_since: BTreeMap<String, Mono>,
    /// Whether that is to be expected for now: the nodes cannot hear each other.
    divided: bool,
    /// When something last was on both hosts.
    both_until: Option<Mono>,
    history: Vec<Happening>,
}

impl World {
    pub(super) fn new(services: &[Ipv4Addr]) -> World {
        World { services: services.to_vec(), ..World::default() }
    }

    /// Takes note; a sentence when something runs twice that must not.
    pub(super) fn note(&mut self, happening: &Happening) -> Option<String> {
        self.history.push(happening.clone());
        let (at, host) = (happening.at, &happening.host);
        match &happening.what {
            What::Witness(Said::Gained(address)) => self.gained(&self.service(*address)?, host, at),
            What::Witness(Said::Lost(address)) => {
                self.lost(&self.service(*address)?, host, at);
                None
            }
            What::Witness(Said::Called(call)) => match call.rsplit_once(' ') {
                Some((resource, "start")) => self.gained(resource, host, at),
                Some((resource, "stop")) => {
                    self.lost(resource, host, at);
                    None
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// A host went off: nothing is on it any more.
    pub(super) fn off(&mut self, host: &str, at: Mono) {
        let names: Vec<String> = self.holders.keys().cloned().collect();
        names.iter().for_each(|name| self.lost(name, host, at));
    }

    /// The nodes cannot hear each other from now on, or can again.
    pub(super) fn set_divided(&mut self, divided: bool) {
        self.divided = divided;
    }

    /// Hosts on which this resource or address is.
    pub(super) fn holders(&self, name: &str) -> Vec<&str> {
        self.holders.get(name).into_iter().flatten().map(String::as_str).collect()
    }

    /// Whether anything is on both hosts.
    pub(super) fn anything_twice(&self) -> bool {
        !self.both_since.is_empty()
    }

    /// When the last thing that was on both hosts left one of them.
    pub(super) fn both_until(&self) -> Option<Mono> {
        self.both_until
    }

    /// Everything from `since` on, oldest first.
    pub(super) fn since(&self, since: Mono) -> impl Iterator<Item = &Happening> {
        self.history.iter().filter(move |happening| happening.at >= since)
    }

    /// Whether any address or resource moved since then.
    pub(super) fn moved_since(&self, since: Mono) -> bool {
        self.since(since).any(|happening| match &happening.what {
            What::Witness(Said::Called(_)) => true,
            What::Witness(Said::Gained(address) | Said::Lost(address)) => self.service(*address).is_some(),
            _ => false,
        })
    }

    fn service(&self, address: std::net::IpAddr) -> Option<String> {
        self.services.iter().find(|service| address == std::net::IpAddr::V4(**service)).map(ToString::to_string)
    }

    fn gained(&mut self, name: &str, host: &str, at: Mono) -> Option<String> {
        let holders = self.holders.entry(name.to_owned()).or_default();
        holders.insert(host.to_owned());
        if holders.len() < 2 {
            return None;
        }
        let names: Vec<&str> = holders.iter().map(String::as_str).collect();
        let sentence = format!("{name} is on {} at once", names.join(" and "));
        self.both_since.entry(name.to_owned()).or_insert(at);
        (!self.divided).then_some(sentence)
    }

    fn lost(&mut self, name: &str, host: &str, at: Mono) {
        let Some(holders) = self.holders.get_mut(name) else { return };
        holders.remove(host);
        if holders.len() < 2 && self.both_since.remove(name).is_some() {
            self.both_until = Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn witnessed(host: &str, ms: u64, said: Said) -> Happening {
        Happening { at: Mono::at(Duration::from_millis(ms)), host: host.into(), what: What::Witness(said) }
    }

    fn called(host: &str, ms: u64, call: &str) -> Happening {
        witnessed(host, ms, Said::Called(call.into()))
    }

    #[test]
    fn what_starts_on_a_second_host_before_it_stopped_on_the_first_is_told() {
        let mut world = World::new(&[]);
        assert_eq!(world.note(&called("alpha", 1, "asterisk start")), None);
        assert_eq!(
            world.note(&called("beta", 2, "asterisk start")).as_deref(),
            Some("asterisk is on alpha and beta at once")
        );
        assert!(world.anything_twice());
        assert_eq!(world.note(&called("alpha", 9, "asterisk stop")), None);
        assert_eq!((world.anything_twice(), world.both_until()), (false, Some(Mono::at(Duration::from_millis(9)))));
        assert_eq!(world.holders("asterisk"), ["beta"]);
    }

    #[test]
    fn a_divided_pair_may_run_things_twice_and_a_dead_host_runs_nothing() {
        let mut world = World::new(&["10.0.0.9".parse().unwrap()]);
        let address = "10.0.0.9".parse().unwrap();
        world.set_divided(true);
        assert_eq!(world.note(&witnessed("alpha", 1, Said::Gained(address))), None);
        assert_eq!(world.note(&witnessed("beta", 2, Said::Gained(address))), None);
        world.off("alpha", Mono::at(Duration::from_millis(3)));
        assert_eq!(world.holders("10.0.0.9"), ["beta"]);
        assert!(world.moved_since(Mono::at(Duration::from_millis(2))));
        assert!(!world.moved_since(Mono::at(Duration::from_millis(3))));
    }

    #[test]
    fn addresses_nobody_asks_for_are_none_of_our_business() {
        let mut world = World::new(&[]);
        world.note(&witnessed("alpha", 1, Said::Gained("10.0.0.1".parse().unwrap())));
        assert!(!world.moved_since(Mono::ZERO));
    }
}
