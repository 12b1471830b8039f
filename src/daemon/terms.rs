//! On what terms a daemon starts: what it may do without, and who else runs here (`takeover.md` 9).

use crate::config::Sources;
use crate::host::pidfile::Running;

use super::driver::wants::{Want, Wants};
use super::writing::logging::Log;

/// On what terms a daemon starts.
#[derive(Debug, Default)]
pub(super) struct Terms {
    /// Something may run here: whatever is refused is done without, or waited for (`takeover.md` 9).
    pub resolute: bool,
    /// Who else runs here, as far as that was looked at.
    pub other: Option<Running>,
    /// It stops what was left, without files and media, and is no daemon.
    pub only_to_clean: bool,
    /// The files it was read from, to be kept.
    pub sources: Option<Sources>,
    /// What it does without so far.
    pub wants: Wants,
    /// Errors to be logged as soon as it is known where to.
    pub untold: Vec<String>,
    /// Why the attempt before this one failed, which is said already.
    pub said: Option<String>,
}

impl Terms {
    /// What cannot be had is done without while something runs here, and what no node needs always; otherwise it is the
    /// end.
    pub(super) fn do_without(&mut self, want: Want, why: String, log: &Log) -> Result<(), String> {
        if !self.resolute && !Wants::may_lack_at_first(want) {
            return Err(why);
        }
        let why = format!("{why}: going on without");
        log.error(&why);
        self.wants.add(want, why);
        Ok(())
    }
}
