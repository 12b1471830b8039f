//! What a running daemon leaves for its successor (`resources.md` 5.3, 12.2 n): `latido-state` in `/run/latido`.
//!
//! A text of lines, replaced as a whole before each step it describes; only the moment we were last heard is written in
//! place, with each heartbeat. It need not survive the machine: what ran ends with it, and the boot it names is gone.
//!
//! ```text
//! alive          123456789       2000     last status sent, ms since boot; the silence asked for, ms
//! latido 1
//! boot 9f2c…-… 37                          boot id, start of the first process
//! leaving | failback
//! group held - alpha drbddisk::r0 IPaddr::10.0.0.10
//! why Filesystem start: exit 1
//! job 4711 8231456 123500000               pid, its start in clock ticks, when its time is over
//! client 4712 8231500
//! ```
//!
//! Notes outlive versions, both ways: a line of a new kind is one an older program passes over, and the lack of it must
//! mean to a newer one what it meant before there were such lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cluster::{GroupState, Handover, NotedGroup, Notes, Set};
use crate::host::process::{Process, boot_id};
use crate::host::spare;
use crate::names::{JobId, NodeName};
use crate::wire::Sequence;

/// Longest file we read; far above what any `haresources` can cause.
const LONGEST: u64 = 1 << 20;

/// All that is written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NotesOnDisk {
    /// When we last said that we live, since boot.
    pub alive: Duration,
    /// The silence we asked for then.
    pub patience: Duration,
    /// Of which boot.
    pub boot: String,
    /// The core's part.
    pub kept: Notes,
    /// Scripts at work, and when their time is over, since boot.
    pub jobs: Vec<(Process, Duration)>,
    /// Programs of `respawn`.
    pub respawned: Vec<Process>,
}

impl NotesOnDisk {
    fn first_line(&self) -> String {
        format!("alive {:>18} {:>10}\n", self.alive.as_millis(), self.patience.as_millis())
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = self.first_line();
        let _ = writeln!(text, "latido 1\nboot {}", self.boot);
        let Notes { leaving, needs_failback, peer_gone, handover, lost, .. } = self.kept;
        for (set, word) in
            [(leaving, "leaving"), (needs_failback, "failback"), (peer_gone, "peer-gone"), (lost, "lost")]
        {
            if set {
                let _ = writeln!(text, "{word}");
            }
        }
        if let Some(patience) = self.kept.patience {
            let _ = writeln!(text, "bears {}", patience.as_millis());
        }
        if let Some(Handover { giving, set, done, begun, overdue, heard }) = handover {
            let side = if giving { "gives" } else { "takes" };
            let step = match (overdue, done, begun) {
                (true, _, _) => "overdue",
                (false, true, _) => "done",
                (false, false, true) => "begun",
                (false, false, false) => "asked",
            };
            let _ = writeln!(text, "handover {side} {set} {step} {}", heard.0);
        }
        for group in &self.kept.groups {
            let marks: String = [(group.since_partition, 'p'), (group.offered, 'o')]
                .into_iter()
                .filter_map(|(set, mark)| set.then_some(mark))
                .collect();
            let marks = if marks.is_empty() { "-" } else { &marks };
            let _ = writeln!(text, "group {} {marks} {} {}", group.state.as_str(), group.owner, group.words.join(" "));
            if let Some(why) = &group.failure {
                let _ = writeln!(text, "why {}", why.replace('\n', " "));
            }
        }
        for (Process { pid, start }, until) in &self.jobs {
            let _ = writeln!(text, "job {pid} {start} {}", until.as_millis());
        }
        for Process { pid, start } in &self.respawned {
            let _ = writeln!(text, "client {pid} {start}");
        }
        text
    }

    /// Reads it back; `None` when it is not ours or of another version.
    pub(crate) fn from_text(text: &str) -> Option<NotesOnDisk> {
        let mut lines = text.lines();
        let mut alive = lines.next()?.strip_prefix("alive ")?.split_ascii_whitespace();
        let mut notes =
            NotesOnDisk { alive: millis(alive.next()?)?, patience: millis(alive.next()?)?, ..NotesOnDisk::default() };
        if lines.next()?.trim_end() != "latido 1" {
            return None;
        }
        for line in lines {
            let line = line.trim_end();
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "boot" => rest.clone_into(&mut notes.boot),
                "leaving" => notes.kept.leaving = true,
                "failback" => notes.kept.needs_failback = true,
                "peer-gone" => notes.kept.peer_gone = true,
                "lost" => notes.kept.lost = true,
                "bears" => notes.kept.patience = millis(rest),
                "handover" => notes.kept.handover = handover(rest),
                "group" => notes.kept.groups.push(group(rest)?),
                "why" => notes.kept.groups.last_mut()?.failure = Some(rest.to_owned()),
                "job" => {
                    let (process, until) = rest.rsplit_once(' ')?;
                    notes.jobs.push((process_of(process)?, millis(until)?));
                }
                "client" => notes.respawned.push(process_of(rest)?),
                // Of a later version, from which somebody went back: what runs is still known.
                _ => {}
            }
        }
        Some(notes)
    }
}

fn millis(word: &str) -> Option<Duration> {
    word.parse().ok().map(Duration::from_millis)
}

fn process_of(text: &str) -> Option<Process> {
    let (pid, start) = text.split_once(' ')?;
    // 1 and what is below it would mean somebody else, or everybody.
    let pid = pid.parse().ok().filter(|pid| *pid > 1)?;
    Some(Process { pid, start: start.parse().ok()? })
}

fn handover(text: &str) -> Option<Handover> {
    let words: Vec<&str> = text.split(' ').collect();
    let [side @ ("gives" | "takes"), set, step @ ("done" | "begun" | "asked" | "overdue"), heard] = words[..] else {
        return None;
    };
    let (set, heard) = (Set::from_text(set)?, Sequence(heard.parse().ok()?));
    let (giving, overdue) = (side == "gives", step == "overdue");
    let done = step == "done" || overdue && giving;
    Some(Handover { giving, set, done, begun: step != "asked", overdue, heard })
}

fn group(text: &str) -> Option<NotedGroup> {
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let (state, marks, owner) = (words.next()?, words.next()?, words.next()?);
    Some(NotedGroup {
        state: GroupState::ALL.into_iter().find(|known| known.as_str() == state)?,
        since_partition: marks.contains('p'),
        offered: marks.contains('o'),
        owner: NodeName::new(owner)?,
        words: words.map(str::to_owned).collect(),
        failure: None,
    })
}

/// The file, and what it says now.
#[derive(Debug)]
pub(crate) struct NotesFile {
    path: PathBuf,
    notes: NotesOnDisk,
    jobs: BTreeMap<JobId, (Process, Duration)>,
    file: Option<File>,
    told: bool,
    /// The end has come, and nobody has to know anything.
    closed: bool,
}

impl NotesFile {
    /// Where it lies.
    pub(crate) fn path(own_dir: &Path) -> PathBuf {
        own_dir.join("latido-state")
    }

    /// Goes on from what a predecessor left; nothing is written before the first [`NotesFile::keep`].
    pub(crate) fn new(own_dir: &Path, alive: Duration, patience: Duration) -> NotesFile {
        let notes = NotesOnDisk { boot: boot_id(), alive, patience, ..NotesOnDisk::default() };
        NotesFile {
            path: NotesFile::path(own_dir),
            notes,
            jobs: BTreeMap::new(),
            file: None,
            told: false,
            closed: false,
        }
    }

    /// What a predecessor left, of whatever boot; `None` when there is nothing that makes sense.
    pub(crate) fn read(own_dir: &Path) -> Option<NotesOnDisk> {
        // It has us run scripts and end processes: nobody else may write it.
        NotesOnDisk::from_text(&spare::read(&NotesFile::path(own_dir), LONGEST)?)
    }

    /// Writes down the core's part.
    ///
    /// # Errors
    /// A sentence for the log, once until it works again: our own death would not be survived.
    pub(crate) fn keep(&mut self, kept: Notes) -> Result<(), String> {
        self.notes.kept = kept;
        self.write()
    }

    /// A script has been started and is to end `until` then, since boot.
    ///
    /// # Errors
    /// As [`NotesFile::keep`].
    pub(crate) fn job_started(&mut self, job: JobId, pid: u32, until: Duration) -> Result<(), String> {
        let Some(process) = Process::running(pid) else { return Ok(()) };
        self.jobs.insert(job, (process, until));
        self.write()
    }

    /// It has ended; who reads of it before the next change finds no such process.
    pub(crate) fn job_ended(&mut self, job: JobId) {
        self.jobs.remove(&job);
    }

    /// These programs of `respawn` run.
    ///
    /// # Errors
    /// As [`NotesFile::keep`].
    pub(crate) fn respawned(&mut self, respawned: Vec<Process>) -> Result<(), String> {
        self.notes.respawned = respawned;
        self.write()
    }

    /// We said that we live, and asked for this patience.
    pub(crate) fn alive(&mut self, since_boot: Duration, patience: Duration) {
        (self.notes.alive, self.notes.patience) = (since_boot, patience);
        if let Some(file) = &self.file {
            // A failure shows at the next change; an older moment only makes a successor more careful.
            let _ = file.write_all_at(self.notes.first_line().as_bytes(), 0);
        }
    }

    /// Whether anything may run that nobody else may start.
    pub(crate) fn claims_anything(&self) -> bool {
        self.notes.kept.claims_anything()
    }

    /// At the end: what nobody has to know is removed.
    pub(crate) fn close(&mut self) {
        if !self.notes.kept.claims_anything() {
            // Whoever finds it still finds that nothing was held. Programs of `respawn` that end only now are not told of:
            // written down again, the file would have our successor leave as we do.
            self.closed = true;
            spare::remove(&self.path);
        }
    }

    fn write(&mut self) -> Result<(), String> {
        if self.closed {
            return Ok(());
        }
        self.notes.jobs = self.jobs.values().copied().collect();
        let written = spare::replace(&self.path, self.notes.to_text().as_bytes())
            .and_then(|()| fs::OpenOptions::new().write(true).open(&self.path));
        match written {
            Ok(file) => {
                self.file = Some(file);
                self.told = false;
                Ok(())
            }
            Err(error) => {
                self.file = None;
                // What is not true any more is worse than nothing.
                let _ = fs::remove_file(&self.path);
                if std::mem::replace(&mut self.told, true) { Ok(()) } else { Err(self.sentence(&error)) }
            }
        }
    }

    fn sentence(&self, error: &io::Error) -> String {
        let path = self.path.display();
        format!("cannot write {path}: {error}; if this daemon dies now, what it runs is not adopted. Free some space")
    }
}

#[cfg(test)]
mod tests;
