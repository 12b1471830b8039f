//! The name this program was called by, as `ps`, `pgrep` and `pidof` show it: it stays with every process
//! of a daemon, whichever of them starts the other, and with the program that is exchanged for the next one.
//!
//! A process that does the work bears the title of the original's, which alarms and panels look for.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::sys;

/// This executable, also when another one lies in its place meanwhile.
pub(crate) const MYSELF: &str = "/proc/self/exe";
/// What follows the name in the title of the process that does the work.
const TITLE: &str = ": master control process";
/// The name of this program, and that of the one it replaces.
pub(crate) const OURS: &str = "latido";
pub(crate) const ORIGINAL: &str = "heartbeat";
/// What is to be recorded, for a name that knows no such option.
pub(crate) const RECORD: &str = "LATIDO_RECORD";

/// How this program was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called(OsString);

impl Called {
    /// As this process was; to be asked before it has a title.
    pub fn now() -> Called {
        std::env::args_os().next().map_or_else(|| Called(OURS.into()), Called::by)
    }

    /// By this word.
    pub(crate) fn by(word: OsString) -> Called {
        // Nobody calls it that: somebody started it by its link in /proc.
        let nameless = word.is_empty() || word == MYSELF;
        Called(if nameless { OURS.into() } else { word })
    }

    /// The word itself.
    pub(crate) fn word(&self) -> &OsStr {
        &self.0
    }

    /// Its last part: the program.
    pub(crate) fn name(&self) -> &OsStr {
        base(&self.0)
    }

    /// Names this process so, which has the name of a link in `/proc` otherwise.
    pub(crate) fn wear(&self) {
        // A process with the wrong name works as well.
        let _ = CString::new(self.name().as_bytes()).map(|name| nix::sys::prctl::set_name(&name));
    }

    /// Gives this process, which has no other thread, the title of the one that does the work.
    ///
    /// # Errors
    /// Where the kernel does not let a process write over its arguments.
    pub(crate) fn take_title(&self) -> io::Result<()> {
        let mut title = self.name().as_bytes().to_vec();
        title.extend_from_slice(TITLE.as_bytes());
        sys::set_title(&title)
    }
}

/// Whether these are the words of a process that bears that title, or another of the original's.
pub(crate) fn is_title(word: &OsStr) -> bool {
    let word = word.as_bytes();
    word.ends_with(TITLE.as_bytes()) || word.starts_with(b"heartbeat: ")
}

/// The last part of a path.
pub(crate) fn base(word: &OsStr) -> &OsStr {
    Path::new(word).file_name().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_started_by_the_link_in_proc_or_by_nothing_is_called_latido() {
        for word in [MYSELF, ""] {
            assert_eq!(Called::by(word.into()).word(), "latido");
        }
        assert_eq!(Called::by("/usr/sbin/latido-2".into()).name(), "latido-2");
    }

    #[test]
    fn the_originals_titles_and_ours_are_known() {
        for title in ["heartbeat: master control process", "heartbeat: FIFO reader", "latido: master control process"] {
            assert!(is_title(OsStr::new(title)), "{title}");
        }
        assert!(!is_title(OsStr::new("/usr/lib/heartbeat/heartbeat")));
    }
}
