//! What a predecessor on this machine left: judged here, handed to the core as its past (`cluster::Past`). Its scripts
//! that are still at work are waited for, its `respawn` programs ended, before anything is started in their place.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::clock::since_boot;
use crate::cluster::Past;
use crate::haresources::Invocation;
use crate::host::process::{Process, boot_id};
use crate::names::JobId;
use crate::paths::Paths;

use super::in_force;
use super::notes::{NotesFile, NotesOnDisk};

/// Between the request to end and the end.
const TIME_TO_END: Duration = Duration::from_secs(2);
/// Nobody tells us of the end of a process that is not our child.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What was found.
#[derive(Debug)]
pub(crate) struct FromPredecessor {
    /// For the core.
    pub past: Past,
    /// Its scripts that are still at work.
    pub left_scripts: LeftProcesses,
    /// Its programs of `respawn`.
    pub left_programs: LeftProcesses,
    /// The file, to be written on.
    pub file: NotesFile,
    /// When the predecessor last sent a status, since boot, and the patience it had asked for.
    pub last_status: Option<(Duration, Duration)>,
}

impl FromPredecessor {
    /// Reads what was left. `alone`: the cluster has no other node; `hopeless`: we are only here to clean up; `was_here`:
    /// a daemon that has not left in order was here since the machine was started.
    pub(crate) fn take(own_dir: &Path, now: Duration, alone: bool, hopeless: bool, was_here: bool) -> FromPredecessor {
        let found = of_this_boot(own_dir);
        let lost = found.is_none() && was_here && !hopeless;
        let notes = found.unwrap_or_default();
        let file = NotesFile::new(own_dir, notes.alive, notes.patience);
        let jobs = notes.jobs.iter().map(|(process, until)| (*process, until.saturating_sub(now)));
        let left_scripts = LeftProcesses::of(jobs);
        let left_programs = LeftProcesses::of(notes.respawned.iter().map(|process| (*process, Duration::ZERO)));
        let last_status = (!alone && notes.alive <= now).then_some((notes.alive, notes.patience));
        let past = if lost { Past::Lost } else { judge(notes, now, alone, hopeless) };
        let last_status = last_status.filter(|_| !matches!(past, Past::Fresh | Past::Lost));
        FromPredecessor { last_status, past, left_scripts, left_programs, file }
    }
}

/// What a daemon knows of its predecessor before it knows anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FirstLook {
    /// Something may run here that nobody else may start.
    pub claims: bool,
    /// The other node may have noticed the silence, or will before anything can be done about it.
    pub is_late: bool,
}

impl FirstLook {
    /// Looks at the notes; `was_here` as for [`FromPredecessor::take`]: then notes that are lost say nothing.
    pub(crate) fn look(own_dir: &Path, now: Duration, was_here: bool) -> FirstLook {
        let found = of_this_boot(own_dir);
        let claims = found.as_ref().map_or(was_here, |notes| notes.kept.claims_anything());
        let notes = found.unwrap_or_default();
        let is_late = matches!(judge(notes, now, false, false), Past::Late(_));
        FirstLook { claims, is_late }
    }
}

/// Whether something may run on this machine that a daemon which died had started: no time to refuse anything.
pub fn something_runs(paths: &Paths) -> bool {
    FirstLook::look(&paths.own_dir, since_boot(), in_force::is_kept(paths)).claims
}

fn of_this_boot(own_dir: &Path) -> Option<NotesOnDisk> {
    NotesFile::read(own_dir).filter(|notes| notes.boot == boot_id())
}

fn judge(notes: NotesOnDisk, now: Duration, alone: bool, hopeless: bool) -> Past {
    if hopeless {
        return Past::Hopeless(notes.kept);
    }
    if !notes.kept.is_worth_keeping() {
        return Past::Fresh;
    }
    // A clock that ran backwards says nothing about how long we were silent.
    let silent_for = now.checked_sub(notes.alive).unwrap_or(Duration::MAX);
    Past::judge(notes.kept, silent_for, notes.patience, alone)
}

/// Processes of a dead predecessor, and what waits for their end.
#[derive(Debug, Default)]
pub(crate) struct LeftProcesses {
    found: Vec<(Process, Duration)>,
    tasks: JoinSet<()>,
    waiting: VecDeque<(JobId, Invocation, Duration)>,
}

impl LeftProcesses {
    /// Those of them that still run, each with the time it has left.
    fn of(processes: impl Iterator<Item = (Process, Duration)>) -> LeftProcesses {
        let found = processes.filter(|(process, _)| process.is_alive()).collect();
        LeftProcesses { found, tasks: JoinSet::new(), waiting: VecDeque::new() }
    }

    /// Begins to wait for them; must be called inside the runtime. Returns how many there are.
    pub(crate) fn watch(&mut self) -> usize {
        for (process, patience) in std::mem::take(&mut self.found) {
            self.tasks.spawn(end_process(process, patience));
        }
        self.tasks.len()
    }

    /// Whether any is left.
    pub(crate) fn any(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// This run comes when all are gone.
    pub(crate) fn hold_back(&mut self, job: JobId, invocation: Invocation, limit: Duration) {
        self.waiting.push_back((job, invocation, limit));
    }

    /// Returns when all are gone, with what waited for it; never, if there were none. Cancel safe.
    pub(crate) async fn gone(&mut self) -> Vec<(JobId, Invocation, Duration)> {
        if self.tasks.is_empty() {
            std::future::pending::<()>().await;
        }
        while self.tasks.join_next().await.is_some() {}
        self.waiting.drain(..).collect()
    }
}

/// Lets a process end by itself for as long as it had, then ends it and all it started.
async fn end_process(process: Process, patience: Duration) {
    if ended_within(process, patience).await {
        return;
    }
    process.signal_group(Signal::SIGTERM);
    if !ended_within(process, TIME_TO_END).await {
        process.signal_group(Signal::SIGKILL);
        // Something in the kernel may hold it still; what it worked on is asked next.
        ended_within(process, TIME_TO_END).await;
    }
}

async fn ended_within(process: Process, time: Duration) -> bool {
    let looks = u32::try_from(time.as_millis() / LOOK_EVERY.as_millis()).unwrap_or(u32::MAX);
    for _ in 0..looks {
        if !process.is_alive() {
            return true;
        }
        sleep(LOOK_EVERY).await;
    }
    !process.is_alive()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command};

    use crate::cluster::{GroupState, NotedGroup, Notes};
    use crate::names::NodeName;

    use super::*;

    fn kept() -> Notes {
        let group = NotedGroup {
            owner: NodeName::new("alpha").unwrap(),
            words: vec!["ra".into()],
            state: GroupState::Held,
            since_partition: false,
            offered: false,
            failure: None,
        };
        Notes { groups: vec![group], ..Notes::default() }
    }

    /// A state file written `alive` seconds after boot, of this boot, asking for two seconds.
    fn left(alive: u64) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let mut file = NotesFile::new(dir.path(), Duration::from_secs(alive), Duration::from_secs(2));
        file.keep(kept()).unwrap();
        dir
    }

    fn past(dir: &Path, now: u64) -> Past {
        FromPredecessor::take(dir, Duration::from_secs(now), false, false, false).past
    }

    #[test]
    fn the_silence_since_the_last_heartbeat_decides() {
        let dir = left(100);
        assert_eq!(past(dir.path(), 101), Past::Crashed(kept()));
        assert_eq!(past(dir.path(), 102), Past::Late(kept()));
        // Nobody else could have taken anything.
        assert_eq!(
            FromPredecessor::take(dir.path(), Duration::from_secs(500), true, false, false).past,
            Past::Crashed(kept())
        );
        assert_eq!(
            FromPredecessor::take(dir.path(), Duration::from_secs(101), false, true, false).past,
            Past::Hopeless(kept())
        );
        assert_eq!(past(dir.path(), 99), Past::Late(kept()), "a clock that ran backwards vouches for nothing");
    }

    #[test]
    fn another_boot_of_the_machine_is_no_crash() {
        let dir = left(100);
        let path = NotesFile::path(dir.path());
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("boot ", "boot 0")).unwrap();
        assert_eq!(past(dir.path(), 101), Past::Fresh);
    }

    #[test]
    fn a_file_others_can_write_is_not_believed() {
        use std::os::unix::fs::PermissionsExt;
        let dir = left(100);
        std::fs::set_permissions(NotesFile::path(dir.path()), std::fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(past(dir.path(), 101), Past::Fresh);
        let after_a_death = FromPredecessor::take(dir.path(), Duration::from_secs(101), false, false, true);
        assert_eq!(after_a_death.past, Past::Lost, "but somebody was here");
        let claims = |was_here| FirstLook::look(dir.path(), Duration::from_secs(101), was_here).claims;
        assert_eq!((claims(true), claims(false)), (true, false), "and what he ran may run");
    }

    fn sleeper(script: &str) -> (Child, Process) {
        let child = Command::new("/bin/sh").args(["-c", script]).process_group(0).spawn().unwrap();
        let process = Process::running(child.id()).unwrap();
        (child, process)
    }

    #[tokio::test]
    async fn a_script_at_work_is_waited_for_and_one_that_exceeds_its_time_is_ended() {
        let (mut quick, quick_process) = sleeper("sleep 0.1");
        let (mut slow, slow_process) = sleeper("sleep 60");
        let both = [(quick_process, Duration::from_secs(60)), (slow_process, Duration::from_millis(200))];
        let mut left_scripts = LeftProcesses::of(both.into_iter());
        assert_eq!(left_scripts.watch(), 2);
        left_scripts.gone().await;
        assert!(!left_scripts.any());
        assert!(quick.wait().unwrap().success());
        assert!(!slow.wait().unwrap().success());
    }

    #[tokio::test]
    async fn a_number_that_somebody_else_has_by_now_is_left_alone() {
        let (mut child, process) = sleeper("sleep 60");
        let other = Process { start: process.start + 1, ..process };
        let mut left_scripts = LeftProcesses::of([(other, Duration::ZERO)].into_iter());
        assert_eq!(left_scripts.watch(), 0);
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
