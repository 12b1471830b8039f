//! `latido lab --random`: faults by chance, with real processes, for as long as one likes; and a judge.
//!
//! `fault` is what can happen and how it is drawn from a seed, `carry_out` does it, `script_lines` is what resource
//! scripts write down when they are called, `run` collects the `fact`s, `judge` asks the promises of `takeover.md` 0.
//!
//! ```text
//! run ──> fault ──> carry_out ──> the hosts ──> script_lines ──> fact ──> judge (causes) ──> broken promises
//! ```

mod carry_out;
mod causes;
mod fact;
mod fault;
mod judge;
mod run;
mod script_lines;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::files::LabFiles;
use super::plan::LabPlan;
use super::printer::{Outcome, Row};
use super::run::LabRun;
use crate::dice::Dice;
use crate::time::Mono;

use fault::Vocabulary;
use judge::{Bounds, JudgedGroup};
use run::RandomRun;
use script_lines::ScriptReader;

/// A random lab as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Random {
    /// For how long faults are drawn, quiet phases included.
    pub time: Duration,
    /// Of the dice.
    pub seed: u64,
}

/// Which groups a pair has: one a line, each with its owner.
const LAYOUTS: [&str; 4] = [
    "alpha 10.9.1.100/24/eth0 one two\nbeta three\n",
    "alpha one\nalpha two\nbeta three four\n",
    "alpha one two\nbeta three\nbeta four\n",
    "alpha one\nbeta 10.9.1.100/24/eth0 two\nbeta three\n",
];

/// The files of a seed.
pub(super) fn files(seed: u64) -> LabFiles {
    let mut dice = Dice::new(seed);
    let mode = dice.pick(&["on", "on", "off", "legacy"]);
    let layout = dice.pick(&LAYOUTS);
    LabFiles {
        ha_cf: HA_CF.replace("MODE", mode),
        haresources: layout.to_owned(),
        latido_cf: Some(LATIDO_CF.to_owned()),
        ..LabFiles::own()
    }
}

/// Whether the nodes of a seed can switch each other off.
pub(super) fn has_fence(seed: u64) -> bool {
    Dice::new(seed.wrapping_mul(31)).one_in(3)
}

/// The resource scripts of a plan, by name.
pub(super) fn scripts(plan: &LabPlan) -> Vec<(String, String)> {
    plan.recorded.iter().map(|name| (name.clone(), script_lines::script(name))).collect()
}

/// Makes the directory for what is kept when something went wrong.
///
/// # Errors
/// As the file system says.
pub(super) fn make_kept(seed: u64) -> io::Result<PathBuf> {
    let name = format!("latido-lab-{seed}-{}", crate::clock::since_boot().as_millis());
    let path = std::env::temp_dir().join(name);
    fs::create_dir(&path)?;
    Ok(path)
}

/// Faults are drawn for so long, in milliseconds, and then nothing happens for a while.
const FAULTS_FOR: (u64, u64) = (5_000, 25_000);
const QUIET: Duration = Duration::from_secs(10);
/// An original restarts itself after a partition.
const QUIET_BESIDE_ORIGINAL: Duration = Duration::from_secs(35);

/// Plays it; the promises that were broken are on the time line and in `lab_run.wrong`.
///
/// # Errors
/// When the file for the lines of scripts cannot be made.
pub(super) fn perform(lab_run: &mut LabRun, random: Random, kept: &Path) -> io::Result<ExitCode> {
    let bounds = bounds(&lab_run.pair.plan);
    let notes = ScriptReader::create(kept, lab_run.now())?;
    let plan = &lab_run.pair.plan;
    let words = Vocabulary {
        media: plan.media.clone(),
        interfaces: plan.interfaces.clone(),
        scripts: plan.recorded.iter().cloned().collect(),
    };
    carry_out::give_fence(&lab_run.pair, 0)?;
    carry_out::give_fence(&lab_run.pair, 1)?;
    // Only the judge says who may run what.
    lab_run.what_runs.set_divided(true);
    let quiet = if plan.original.is_some() { QUIET_BESIDE_ORIGINAL } else { QUIET };
    let mut run = RandomRun::new(lab_run, Dice::new(random.seed.wrapping_add(1)), words, notes, bounds.groups.clone());
    run.begin();
    let end = run.lab_run.now() + random.time;
    let mut said = BTreeMap::new();
    loop {
        let left = end.since(run.lab_run.now()).saturating_sub(quiet);
        let faults_for = run.dice.time(FAULTS_FOR.0, FAULTS_FOR.1).min(left);
        run.draw_faults(faults_for);
        run.quiet(quiet);
        run.ask_lawfully();
        tell(&mut run, &bounds, &mut said);
        if left <= faults_for + quiet {
            break;
        }
    }
    let counts = std::mem::take(&mut run.counts);
    table(lab_run, &counts);
    Ok(conclude(lab_run, &said, random, kept))
}

/// Says what is to be complained of and was not said yet.
fn tell(run: &mut RandomRun<'_>, bounds: &Bounds, said: &mut BTreeMap<String, Mono>) {
    let mut facts = run.facts.clone();
    facts.sort_by_key(|entry| entry.at);
    for broken in judge::judge(bounds, &facts) {
        let text = broken.to_string();
        if said.insert(text.clone(), broken.at).is_none() {
            run.lab_run.complain(text);
        }
    }
}

fn table(lab_run: &mut LabRun, counts: &BTreeMap<&'static str, usize>) {
    for (kind, count) in counts {
        let times = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
        lab_run.rows.push(Row { event: (*kind).to_owned(), outage: None, remark: None, decided_by: times });
    }
    let stood_still = lab_run.stall_watch.worst(Mono::ZERO, lab_run.now());
    lab_run
        .printer
        .table(&lab_run.rows, &Outcome { wrong: &lab_run.wrong, speed: lab_run.pair.plan.speed, stood_still });
}

/// For so long a machine that stood still may be the reason.
const AFTERMATH: Duration = Duration::from_secs(20);

/// What becomes of the records, and the exit code.
fn conclude(lab_run: &LabRun, said: &BTreeMap<String, Mono>, random: Random, kept: &Path) -> ExitCode {
    if lab_run.wrong.is_empty() {
        let _ = fs::remove_dir_all(kept);
        return ExitCode::SUCCESS;
    }
    super::complain(&format!(
        "seed {}: {} promises were broken:\n  {}\nthe records of both daemons are in {} (`latido replay FILE` plays them)",
        random.seed,
        lab_run.wrong.len(),
        lab_run.wrong.join("\n  "),
        kept.display()
    ));
    let deadtime = lab_run.pair.plan.config.settings.deadtime;
    let is_shaky = |at: &Mono| lab_run.stall_watch.worst(at.before(AFTERMATH), *at) * super::SHAKY >= deadtime;
    if said.len() == lab_run.wrong.len() && said.values().all(is_shaky) {
        super::complain("the machine stood still shortly before each: that judges the machine, not the pair");
        return ExitCode::from(super::NOT_JUDGED);
    }
    ExitCode::FAILURE
}

fn bounds(plan: &LabPlan) -> Bounds {
    let settings = &plan.config.settings;
    let groups = plan.config.groups.iter().map(|group| JudgedGroup {
        key: group.key().to_owned(),
        owner: plan.node(group.owner.as_str()).unwrap_or(0),
        resources: group
            .resources
            .iter()
            .filter(|resource| plan.recorded.contains(&resource.agent))
            .map(|resource| resource.agent.clone())
            .collect(),
    });
    Bounds {
        names: plan.nodes.clone(),
        deadtime: settings.deadtime,
        keepalive: settings.keepalive,
        initdead: settings.initdead,
        script_limit: settings.script_timeout.start.max(settings.script_timeout.stop),
        groups: groups.collect(),
        fenced: !settings.fences.is_empty(),
        original: plan.original,
    }
}

const HA_CF: &str = "\
# A pair that is played with by chance.
logfile /var/log/ha-log
logfacility none
keepalive 150ms
warntime 500ms
deadtime 1
initdead 3
baud 115200
serial /dev/ttyS1
bcast eth0
auto_failback MODE
node alpha
node beta
";

const LATIDO_CF: &str = "\
script-timeout start 3
script-timeout stop 3
script-timeout status 3
";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_seed_has_good_files_with_groups_of_both_nodes() {
        for seed in 0..40 {
            let plan = LabPlan::new(files(seed), Some(1.0), false).unwrap();
            let owners: BTreeSet<&str> = plan.config.groups.iter().map(|group| group.owner.as_str()).collect();
            assert_eq!(owners.len(), 2, "{seed}");
            assert!(bounds(&plan).groups.iter().all(|group| !group.resources.is_empty()), "{seed}");
        }
    }
}
