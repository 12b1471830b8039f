//! Runs stories. A story is one machine, or two, and the scenes that are played on it one after the other; each scene is a
//! test of its own, named by a sentence. Whatever a failed scene left, the next one gets a machine that was just booted.
//! Speaks enough of libtest's command line for `cargo test`, a name to filter by, `--list` and `--ignored`.

use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use super::cgroup;
use super::clock::instant;
use super::host::{self, Host};
use super::{root, shell};

/// One test.
#[derive(Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) play: fn(&mut [Host]),
}

/// The machines, and what is played on them. Without a machine for scenes that need none.
#[derive(Clone, Copy)]
pub(crate) struct Story {
    pub(crate) set: fn() -> Vec<Host>,
    pub(crate) scenes: &'static [Scene],
    /// Only with `--ignored`: it takes long.
    pub(crate) long: bool,
    /// What a machine here must be able to do; the reason when it is not.
    pub(crate) missing: fn() -> Option<String>,
}

/// Lists functions as scenes, each named as it is called.
#[macro_export]
macro_rules! scenes {
    ($($name:ident),+ $(,)?) => {
        &[$($crate::runner::Scene { name: stringify!($name), play: $name }),+]
    };
}

struct Asked {
    filters: Vec<String>,
    exact: bool,
    ignored: Option<bool>,
    list: bool,
}

/// Runs what was asked for; succeeds when nothing failed and nothing was left behind.
pub(crate) fn run(stories: &[Story]) -> ExitCode {
    let asked = asked();
    let chosen: VecDeque<(Story, Vec<Scene>)> = stories.iter().filter_map(|story| asked.of(story)).collect();
    if asked.list {
        let scenes = chosen.iter().flat_map(|(_, scenes)| scenes);
        scenes.for_each(|scene| shell::print(&format!("{}: test", scene.name)));
        return ExitCode::SUCCESS;
    }
    if chosen.is_empty() {
        return ExitCode::SUCCESS;
    }
    cgroup::sweep();
    let impossible = host::missing().or_else(|| root::with(&[]).err());
    let (waiting, failed) = (Mutex::new(chosen), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..jobs() {
            scope.spawn(|| {
                while let Some((story, scenes)) = take(&waiting) {
                    match impossible.clone().or_else(story.missing) {
                        Some(why) => scenes.iter().for_each(|scene| {
                            shell::print(&format!("test {} ... left out: {why}", scene.name));
                        }),
                        None => {
                            let those = play(&story, &scenes);
                            lock(&failed).extend(those);
                        }
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.extend(cgroup::left_behind());
    failed.iter().for_each(|name| shell::print(&format!("failed: {name}")));
    let required = std::env::var("LATIDO_MACHINE").is_ok_and(|value| value == "required");
    if failed.is_empty() && (impossible.is_none() || !required) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plays the scenes of one story; gives back the names of those that failed. All in this thread: the machines end with it.
fn play(story: &Story, scenes: &[Scene]) -> Vec<String> {
    let mut failed = Vec::new();
    let mut machines: Option<Vec<Host>> = None;
    for scene in scenes {
        let begun = instant();
        let played = panic::catch_unwind(AssertUnwindSafe(|| {
            (scene.play)(machines.get_or_insert_with(story.set));
        }));
        let verdict = if played.is_ok() { "ok" } else { "FAILED" };
        shell::print(&format!("test {} ... {verdict} ({:.1} s)", scene.name, begun.elapsed().as_secs_f64()));
        if played.is_err() {
            machines.iter().flatten().for_each(|machine| shell::print(&machine.last_words()));
            machines = None;
            failed.push(scene.name.to_owned());
        }
    }
    failed
}

impl Asked {
    fn of(&self, story: &Story) -> Option<(Story, Vec<Scene>)> {
        let named = |scene: &&Scene| {
            let fits =
                |filter: &String| if self.exact { scene.name == filter } else { scene.name.contains(filter.as_str()) };
            self.filters.is_empty() || self.filters.iter().any(fits)
        };
        let scenes: Vec<Scene> = story.scenes.iter().filter(named).copied().collect();
        (self.ignored.is_none_or(|ignored| ignored == story.long) && !scenes.is_empty()).then_some((*story, scenes))
    }
}

fn asked() -> Asked {
    let mut asked = Asked { filters: Vec::new(), exact: false, ignored: Some(false), list: false };
    for word in std::env::args().skip(1) {
        match word.as_str() {
            "--ignored" => asked.ignored = Some(true),
            "--include-ignored" => asked.ignored = None,
            "--exact" => asked.exact = true,
            "--list" => asked.list = true,
            word if word.starts_with('-') => {}
            _ => asked.filters.push(word),
        }
    }
    asked
}

/// How many stories at a time: they wait more than they work.
fn jobs() -> usize {
    std::env::var("LATIDO_MACHINE_JOBS").ok().and_then(|n| n.parse().ok()).unwrap_or(3)
}

/// The next one; nobody else is kept from his meanwhile.
fn take<T>(waiting: &Mutex<VecDeque<T>>) -> Option<T> {
    lock(waiting).pop_front()
}

fn lock<T>(what: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
