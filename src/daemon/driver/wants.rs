//! What a daemon does without because it was refused when its predecessor had died, or at a first start that can do
//! without it (`takeover.md` 9): said in `latido status`, tried again every other second until it is there.
//!
//! As long as there is anything it also stands in a file in the run directory, where `latido status` finds it when nobody
//! answers: `latido-waits`, one sentence a line. A first start that failed leaves in `latido-refused` why: `latido status`
//! shows it, and whoever is started for the same in vain again does not say it again.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use crate::daemon::doors::control::Control;
use crate::daemon::doors::fifo::Fifo;
use crate::daemon::life::{generation, identity, in_force};
use crate::host::read_config::ReadOptions;
use crate::host::{directories, files, pidfile};
use crate::paths::Paths;
use crate::time::Mono;
use crate::wire::Generation;

use super::Driver;

const RETRY: Duration = Duration::from_secs(2);

/// One thing that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// The configuration files have errors: until they are reread, or say again what is in force.
    Files,
    /// The other node does not know the method of the key that is to sign: until it does.
    Key,
    /// The generation of this life is not on disk.
    Generation(Generation),
    /// `hb_uuid` can be neither read nor written: what we are called by meanwhile is to be kept there.
    Uuid,
    /// Some directory of ours.
    Directories,
    /// The pid file does not name our supervisor.
    PidFile,
    /// Our control socket.
    Control,
    /// The FIFO for scripts.
    Fifo,
    /// The socket of the original's client library.
    Api,
    /// A log file.
    Log,
    /// The status page: somebody else has its port.
    Page,
}

/// All of them, each with a sentence.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    list: Vec<(Want, String)>,
    next: Mono,
    published: bool,
    /// Attempts on the disk's thread, for which the loop must not wait: whether they succeeded.
    attempts: Vec<(Want, Receiver<bool>)>,
}

impl Wants {
    /// One more thing that is done without.
    pub(crate) fn add(&mut self, want: Want, why: impl Into<String>) {
        self.list.retain(|(known, _)| *known != want);
        self.list.push((want, why.into()));
        self.published = false;
    }

    /// It is there.
    pub(crate) fn remove(&mut self, want: Want) {
        let before = self.list.len();
        self.list.retain(|(known, _)| *known != want);
        self.published &= before == self.list.len();
    }

    /// Whether it is done without.
    pub(crate) fn has(&self, want: Want) -> bool {
        self.list.iter().any(|(known, _)| *known == want)
    }

    /// For the status.
    pub(crate) fn sentences(&self) -> Vec<String> {
        self.list.iter().map(|(_, why)| why.clone()).collect()
    }

    fn retried(want: Want) -> bool {
        match want {
            Want::Files
            | Want::Generation(_)
            | Want::Uuid
            | Want::Directories
            | Want::PidFile
            | Want::Control
            | Want::Fifo
            | Want::Api
            | Want::Log
            | Want::Page => true,
            Want::Key => false,
        }
    }

    /// What is in the directories: until those are there, and were looked at, nothing is put into them.
    fn lies_in_directories(want: Want) -> bool {
        match want {
            Want::Generation(_) | Want::Uuid | Want::Fifo => true,
            Want::Files
            | Want::Key
            | Want::Directories
            | Want::PidFile
            | Want::Control
            | Want::Api
            | Want::Log
            | Want::Page => false,
        }
    }

    /// Whether a first start, with nothing running here yet, does without it too.
    pub(crate) fn may_lack_at_first(want: Want) -> bool {
        match want {
            Want::Generation(_) | Want::Uuid | Want::Directories | Want::Fifo => true,
            Want::Files | Want::Key | Want::PidFile | Want::Control | Want::Api | Want::Log | Want::Page => false,
        }
    }

    /// When [`Driver::get_what_is_wanted`] is to be called.
    pub(crate) fn next_attempt(&self) -> Option<Mono> {
        let any = !self.published || self.list.iter().any(|(want, _)| Wants::retried(*want));
        any.then_some(self.next)
    }
}

/// Where the sentences stand for those who find no daemon to ask.
pub(super) fn waits_file(paths: &Paths) -> PathBuf {
    paths.own_dir.join("latido-waits")
}

/// Leaves the sentences there; none: nothing is waited for.
pub(crate) fn publish(paths: &Paths, sentences: &[String]) {
    let path = waits_file(paths);
    let text: String = sentences.iter().map(|sentence| format!("{sentence}\n")).collect();
    // Whoever cannot write it is told about by the log alone.
    let _ = if sentences.is_empty() {
        files::remove_leftover(&path)
    } else {
        // It may quote the files, which are not everybody's to read.
        files::replace_shared(&path, text.as_bytes())
    };
}

/// What a daemon that answers nobody waits for, or goes on without.
pub fn read_waits(paths: &Paths) -> Vec<String> {
    let bytes = files::read_bounded(&waits_file(paths), 65_536).unwrap_or_default();
    String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
}

fn refusal_file(paths: &Paths) -> PathBuf {
    paths.own_dir.join("latido-refused")
}

/// Leaves there why this node could not start.
pub(crate) fn publish_refusal(paths: &Paths, why: &str) {
    let _ = files::replace_shared(&refusal_file(paths), format!("{why}\n").as_bytes());
}

/// This node has started.
pub(crate) fn forget_refusal(paths: &Paths) {
    let _ = files::remove_leftover(&refusal_file(paths));
}

/// Why the last start failed; `None` when it did not, or when the machine was started since.
pub fn read_refusal(paths: &Paths) -> Option<String> {
    let bytes = files::read_bounded(&refusal_file(paths), 65_536).ok()?;
    String::from_utf8_lossy(&bytes).lines().next().map(str::to_owned)
}

impl Driver {
    /// Tries again what was refused, and says what has come of it.
    pub(super) fn get_what_is_wanted(&mut self) {
        self.wants.next = self.clock.mono() + RETRY;
        let wanted: Vec<Want> = self.wants.list.iter().map(|(want, _)| *want).collect();
        for want in wanted.into_iter().filter(|want| Wants::retried(*want)) {
            if Wants::lies_in_directories(want) && self.wants.has(Want::Directories) {
                continue;
            }
            if self.get(want) {
                let (_, why) =
                    self.wants.list.iter().find(|(known, _)| *known == want).cloned().unwrap_or((want, String::new()));
                self.wants.remove(want);
                self.log.info(format!("no longer: {why}"));
            }
        }
        if !std::mem::replace(&mut self.wants.published, true) {
            publish(&self.options.paths, &self.wants.sentences());
        }
    }

    fn get(&mut self, want: Want) -> bool {
        match want {
            Want::Generation(number) => {
                let paths = self.options.paths.clone();
                self.get_from_disk(want, move || generation::write_down(&paths, number).is_ok())
            }
            Want::Files => {
                let (paths, without_resources) = (self.options.paths.clone(), self.options.without_resources);
                let options = ReadOptions { without_resources, ..ReadOptions::default() };
                self.get_from_disk(want, move || in_force::says_the_same(&paths, &options))
            }
            Want::Directories => {
                let paths = self.options.paths.clone();
                let made = move || directories::make_directories(&paths).is_ok_and(|made| made.lacking.is_none());
                self.get_from_disk(want, made)
            }
            Want::Uuid => {
                let paths = self.options.paths.clone();
                let uuid = identity::uuid_from_name(&self.config.settings.me);
                self.get_from_disk(want, move || identity::keep_uuid(&paths, &uuid).is_ok())
            }
            Want::PidFile => pidfile::write(&self.options.paths.pid_file, self.own_supervisor.pid()).is_ok(),
            Want::Control => {
                let opened = Control::open(&self.options.paths);
                opened.map(|control| self.control = control).map(|()| _ = self.serve_page()).is_ok()
            }
            Want::Page => self.serve_page(),
            Want::Fifo => Fifo::open(&self.options.paths.fifo()).map(|fifo| self.fifo = fifo).is_ok(),
            Want::Api => self.try_to_open_api().is_ok(),
            Want::Log => {
                let log = self.log.clone();
                self.get_from_disk(want, move || log.open_what_is_missing().is_empty())
            }
            Want::Key => false,
        }
    }

    /// On the disk's thread: the loop must not wait for it. `true` once an attempt has succeeded.
    fn get_from_disk(&mut self, want: Want, attempt: impl FnOnce() -> bool + Send + 'static) -> bool {
        if let Some(at) = self.wants.attempts.iter().position(|(whose, _)| *whose == want) {
            let answer = self.wants.attempts[at].1.try_recv();
            if answer != Err(TryRecvError::Empty) {
                self.wants.attempts.remove(at);
            }
            if answer != Err(TryRecvError::Disconnected) {
                return answer == Ok(true);
            }
        }
        let (tell, answer) = channel();
        let job = move || {
            let _ = tell.send(attempt());
        };
        if self.log.disk().later(job) {
            self.wants.attempts.push((want, answer));
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn why_a_start_failed_is_known_until_one_succeeds() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        fs::create_dir_all(&paths.own_dir).unwrap();
        assert_eq!(read_refusal(&paths), None);
        publish_refusal(&paths, "no medium");
        publish_refusal(&paths, "ha.cf:3 has an error");
        assert_eq!(read_refusal(&paths).as_deref(), Some("ha.cf:3 has an error"));
        forget_refusal(&paths);
        assert_eq!((read_refusal(&paths), fs::read_dir(&paths.own_dir).unwrap().count()), (None, 0));
    }

    #[test]
    fn what_is_wanted_is_said_in_a_file_until_it_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        fs::create_dir_all(&paths.own_dir).unwrap();
        let mut wants = Wants::default();
        assert!(wants.next_attempt().is_some(), "an old file is removed");
        wants.add(Want::Fifo, "no FIFO");
        wants.add(Want::Files, "ha.cf:3 has an error");
        wants.add(Want::Fifo, "still no FIFO");
        publish(&paths, &wants.sentences());
        assert_eq!(read_waits(&paths), ["ha.cf:3 has an error", "still no FIFO"]);
        wants.published = true;
        assert!(wants.next_attempt().is_some());
        wants.remove(Want::Fifo);
        assert!(!wants.published);
        wants.published = true;
        assert!(wants.next_attempt().is_some());
        wants.remove(Want::Files);
        wants.add(Want::Key, "no such method there");
        wants.published = true;
        assert_eq!(wants.next_attempt(), None, "the other node has to say something");
        wants.remove(Want::Key);
        publish(&paths, &wants.sentences());
        assert!(!waits_file(&paths).exists());
    }
}
