//! How many independent paths there are (`config.md` 10): two names of one card are one cable. Pure.

use std::collections::BTreeSet;

use crate::diagnostic::Problem;

use super::facts::Facts;
use super::ha_cf::{Given, HaCf};
use super::media::MediumSpec;

/// Media that fail together.
struct Cable<'a> {
    hardware: BTreeSet<String>,
    media: Vec<&'a Given<MediumSpec>>,
}

/// Warns of media that are one cable, and of a pair that has one cable only.
pub(super) fn check(cf: &HaCf, file: &str, facts: &dyn Facts) -> Vec<Problem> {
    let cables = cables(cf, facts);
    let mut problems: Vec<Problem> = cables.iter().flat_map(|cable| twins(cable, file)).collect();
    if let [only] = cables.as_slice()
        && let Some(first) = only.media.first()
    {
        let what = format!("{} is the only path: when it fails, both nodes become active", first.value.id());
        let problem = Problem::warning(file, what).remedy("add a second: a serial cable or another card");
        problems.push(Problem { place: Some(first.place.clone()), ..problem });
    }
    problems
}

fn cables<'a>(cf: &'a HaCf, facts: &dyn Facts) -> Vec<Cable<'a>> {
    let mut cables: Vec<Cable<'_>> = Vec::new();
    for medium in cf.media.iter().filter(|medium| medium.value.ping_node().is_none()) {
        let mut hardware = hardware(&medium.value, facts);
        let (same, mut others): (Vec<_>, Vec<_>) =
            cables.into_iter().partition(|cable| !cable.hardware.is_disjoint(&hardware));
        let mut media = Vec::new();
        for cable in same {
            hardware.extend(cable.hardware);
            media.extend(cable.media);
        }
        media.push(medium);
        others.push(Cable { hardware, media });
        cables = others;
    }
    cables
}

/// What has to work for it.
fn hardware(medium: &MediumSpec, facts: &dyn Facts) -> BTreeSet<String> {
    let id = medium.id().to_string();
    let known = facts.hardware(&id).filter(|cards| !cards.is_empty());
    known.unwrap_or_else(|| vec![by_its_name(&id).to_owned()]).into_iter().collect()
}

/// `eth0` of `eth0:1`, and of `eth0.5`.
fn by_its_name(id: &str) -> &str {
    let card = id.split(':').next().unwrap_or(id);
    match card.rsplit_once('.') {
        Some((below, vlan)) if !below.is_empty() && vlan.parse::<u16>().is_ok() => below,
        _ => card,
    }
}

/// Several `ucast` lines of one card let both nodes have the same file: no word about those.
fn twins(cable: &Cable<'_>, file: &str) -> Option<Problem> {
    let name = |medium: &MediumSpec| format!("{} {}", medium.directive(), medium.id());
    let first = cable.media.first()?;
    let mut names = vec![name(&first.value)];
    let mut second = None;
    for medium in &cable.media {
        let name = name(&medium.value);
        if !names.contains(&name) {
            names.push(name);
            second = second.or(Some(medium));
        }
    }
    let what = format!("{} are one cable: when it fails, all of them fail", names.join(" and "));
    let remedy = "count them as one; a second path needs another card or a serial cable";
    Some(Problem { place: Some(second?.place.clone()), ..Problem::warning(file, what).remedy(remedy) })
}

#[cfg(test)]
mod tests;
