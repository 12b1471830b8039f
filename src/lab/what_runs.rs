//! What runs where, as the witnesses say, and whether that was ever more than allowed. Pure.

#![allow(clippy::wildcard_enum_match_arm, reason = "each reader looks for its own few of many happenings")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::time::Mono;

use super::printer::{Happening, What};
use super::witness::Said;

/// Something that ran on both hosts though they could hear each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RanTwice {
    /// In words.
    pub(super) sentence: String,
    /// When the second host was seen to have it.
    pub(super) since: Mono,
    /// When one of them was seen to have it no more.
    pub(super) until: Mono,
}

/// What runs where, as the witnesses see it.
#[derive(Clone, Debug, Default)]
pub(super) struct WhatRuns {
    /// Service addresses and recorded resources (`asterisk`, `drbddisk r0`), with the hosts they are on.
    holders: BTreeMap<String, BTreeSet<String>>,
    services: Vec<Ipv4Addr>,
    /// Since when something has been on both hosts, and whether that is still to be told.
    both_since: BTreeMap<String, (Mono, bool)>,
    /// Whether that is to be expected for now: the nodes cannot hear each other.
    divided: bool,
    /// When something last was on both hosts.
    both_until: Option<Mono>,
    history: Vec<Happening>,
}

impl WhatRuns {
    pub(super) fn new(services: &[Ipv4Addr]) -> WhatRuns {
        WhatRuns { services: services.to_vec(), ..WhatRuns::default() }
    }

    /// Takes note; tells what ran twice and must not have, when that is over.
    pub(super) fn take(&mut self, happening: &Happening) -> Option<RanTwice> {
        self.history.push(happening.clone());
        let (at, host) = (happening.at, &happening.host);
        match &happening.what {
            What::Witness(Said::Gained(address)) => {
                self.gained(&self.service(*address)?, host, at);
                None
            }
            What::Witness(Said::Lost(address)) => self.lost(&self.service(*address)?, host, at),
            What::Witness(Said::Called(call)) => match call.rsplit_once(' ') {
                Some((resource, "start")) => {
                    self.gained(resource, host, at);
                    None
                }
                Some((resource, "stop")) => self.lost(resource, host, at),
                _ => None,
            },
            _ => None,
        }
    }

    /// A host went off: nothing is on it any more. Tells what ran twice until then.
    pub(super) fn off(&mut self, host: &str, at: Mono) -> Vec<RanTwice> {
        let names: Vec<String> = self.holders.keys().cloned().collect();
        names.iter().filter_map(|name| self.lost(name, host, at)).collect()
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

    /// Everything but the first `count` things that happened, oldest first.
    pub(super) fn after(&self, count: usize) -> impl Iterator<Item = &Happening> {
        self.history.iter().skip(count)
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

    /// What has run twice since `before`, and must not; told once.
    pub(super) fn twice_since(&mut self, before: Mono) -> Option<String> {
        let due = |(_, (since, untold)): &(&String, &mut (Mono, bool))| *untold && *since <= before;
        let (name, (_, untold)) = self.both_since.iter_mut().find(due)?;
        *untold = false;
        let name = name.clone();
        Some(self.sentence(&name))
    }

    fn gained(&mut self, name: &str, host: &str, at: Mono) {
        let holders = self.holders.entry(name.to_owned()).or_default();
        holders.insert(host.to_owned());
        if holders.len() > 1 {
            self.both_since.entry(name.to_owned()).or_insert((at, !self.divided));
        }
    }

    fn lost(&mut self, name: &str, host: &str, at: Mono) -> Option<RanTwice> {
        let sentence = self.sentence(name);
        let holders = self.holders.get_mut(name)?;
        holders.remove(host);
        if holders.len() > 1 {
            return None;
        }
        let (since, untold) = self.both_since.remove(name)?;
        self.both_until = Some(at);
        untold.then_some(RanTwice { sentence, since, until: at })
    }

    fn sentence(&self, name: &str) -> String {
        format!("{name} is on {} at once", self.holders(name).join(" and "))
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
        let mut world = WhatRuns::new(&[]);
        assert_eq!(world.take(&called("alpha", 1, "asterisk start")), None);
        let at = |ms| Mono::at(Duration::from_millis(ms));
        let sentence = "asterisk is on alpha and beta at once".to_owned();
        assert_eq!(world.take(&called("beta", 2, "asterisk start")), None);
        assert!(world.anything_twice());
        assert_eq!(world.twice_since(at(1)), None);
        let twice = RanTwice { sentence, since: at(2), until: at(9) };
        assert_eq!(world.clone().off("alpha", at(9)), vec![twice.clone()]);
        assert_eq!(world.take(&called("alpha", 9, "asterisk stop")), Some(twice));
        assert_eq!((world.anything_twice(), world.both_until()), (false, Some(Mono::at(Duration::from_millis(9)))));
        assert_eq!(world.holders("asterisk"), ["beta"]);
    }

    #[test]
    fn what_goes_on_running_twice_is_told_once() {
        let mut world = WhatRuns::new(&[]);
        let at = |ms| Mono::at(Duration::from_millis(ms));
        world.take(&called("alpha", 1, "asterisk start"));
        world.take(&called("beta", 2, "asterisk start"));
        assert_eq!(world.twice_since(at(2)).as_deref(), Some("asterisk is on alpha and beta at once"));
        assert_eq!(world.twice_since(at(3)), None);
        assert_eq!(world.take(&called("alpha", 9, "asterisk stop")), None);
    }

    #[test]
    fn a_divided_pair_may_run_things_twice_and_a_dead_host_runs_nothing() {
        let mut world = WhatRuns::new(&["10.0.0.9".parse().unwrap()]);
        let address = "10.0.0.9".parse().unwrap();
        world.set_divided(true);
        assert_eq!(world.take(&witnessed("alpha", 1, Said::Gained(address))), None);
        assert_eq!(world.take(&witnessed("beta", 2, Said::Gained(address))), None);
        assert_eq!(world.off("alpha", Mono::at(Duration::from_millis(3))), []);
        assert_eq!(world.holders("10.0.0.9"), ["beta"]);
        assert!(world.moved_since(Mono::at(Duration::from_millis(2))));
        assert!(!world.moved_since(Mono::at(Duration::from_millis(3))));
    }

    #[test]
    fn addresses_nobody_asks_for_are_none_of_our_business() {
        let mut world = WhatRuns::new(&[]);
        world.take(&witnessed("alpha", 1, Said::Gained("10.0.0.1".parse().unwrap())));
        assert!(!world.moved_since(Mono::ZERO));
    }
}
