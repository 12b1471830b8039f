//! What an agent says and how it exits: the words and codes users' scripts and the original's log know
//! (`resources.md` 9). The reason of a failure goes beside the words, never into them: `status` is judged by words.

use crate::haresources::{Exit, Outcome};

/// Not running, as `status` exits.
const NOT_RUNNING: i32 = 7;

/// The answer to one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The exit code.
    pub code: i32,
    /// For standard output.
    pub words: String,
    /// For standard error and the log: why it failed, or what is worth knowing although it did not.
    pub why: Option<String>,
}

impl Answer {
    fn new(code: i32, words: &str) -> Answer {
        Answer { code, words: words.to_owned(), why: None }
    }

    /// A start or stop that did its work, or found it done.
    pub(super) fn success() -> Answer {
        Answer::new(0, "INFO:  Success")
    }

    /// The answer to `status` while it runs.
    pub(super) fn running() -> Answer {
        Answer::new(0, "INFO:  Running OK")
    }

    /// The answer to `status` while it does not.
    pub(super) fn stopped() -> Answer {
        Answer::new(NOT_RUNNING, "INFO:  Resource is stopped")
    }

    /// A failure, with the code's customary words.
    pub(super) fn failed(code: i32, why: impl Into<String>) -> Answer {
        let words = match code {
            1 => "ERROR:  Generic error",
            2 => "ERROR:  Illegal argument",
            3 => "ERROR:  Function unimplemented",
            4 => "ERROR:  User had insufficient privilege",
            5 => "ERROR:  Program is not installed",
            6 => "ERROR:  Program is not configured",
            _ => "ERROR:  Unknown error",
        };
        Answer::new(code, words).because(why)
    }

    /// Too few arguments.
    pub(super) fn usage(agent: &str, arguments: &str) -> Answer {
        let words = format!("usage: {agent} {arguments} (start|stop|status)");
        Answer::new(1, &words).because(format!("{agent}: too few arguments"))
    }

    /// The same, in words of its own.
    pub(super) fn saying(self, words: &str) -> Answer {
        Answer { words: words.to_owned(), ..self }
    }

    /// The same, with a reason.
    pub(super) fn because(self, why: impl Into<String>) -> Answer {
        Answer { why: Some(why.into()), ..self }
    }

    /// As the end of a script.
    pub fn into_outcome(self) -> Outcome {
        Outcome { exit: Exit::Code(self.code), said: self.words }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_running_resource_is_said_to_run_whatever_the_reason_reads() {
        assert!(Answer::running().into_outcome().says_running());
        for code in 1..=8 {
            assert!(!Answer::failed(code, "running OK").into_outcome().says_running(), "{code}");
        }
        assert!(!Answer::stopped().into_outcome().says_running());
        assert!(!Answer::usage("IPaddr", "<ip-address>").into_outcome().says_running());
    }
}
