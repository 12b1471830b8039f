//! How a resource script is called and what its end means (`resources.md` 3.2 and 3.3).

use std::fmt;

use super::Resource;

/// What a script is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Bring it up.
    Start,
    /// Take it down; must succeed when it is down already.
    Stop,
    /// Say whether it runs, in words on standard output.
    Status,
}

impl Verb {
    /// The script's last argument.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Start => "start",
            Verb::Stop => "stop",
            Verb::Status => "status",
        }
    }
}

/// One call of one script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Which resource.
    pub resource: Resource,
    /// What it shall do.
    pub verb: Verb,
}

/// As in the original's log: `IPaddr 10.0.0.10 start`.
impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.resource, self.verb.as_str())
    }
}

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal, not sent by us.
    Signal(i32),
    /// It took longer than its limit; we killed its process group.
    TimedOut,
    /// It could not be run at all; the text says why and where we looked.
    NotFound(String),
}

/// What a `status` proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusAnswer {
    /// It said that it runs.
    Running,
    /// It ended by itself and said that it does not.
    Stopped,
    /// It hung, was killed, could not be run, said nothing or does not know: no evidence of anything.
    Unknown,
}

/// Words of scripts for something that does not run, beside "not running".
const STOPPED: [&str; 5] = ["stopped", "inactive", "is down", "is dead", "unused"];

/// A script's end: how, and what it printed (only `status` is read, at most the first few kilobytes).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub exit: Exit,
    /// Standard output, lossily decoded.
    pub said: String,
}

impl Outcome {
    /// Ended with this code and said nothing.
    pub fn code(code: i32) -> Outcome {
        Outcome { exit: Exit::Code(code), said: String::new() }
    }

    /// Could not be run at all, for this reason.
    pub fn not_found(why: String) -> Outcome {
        Outcome { exit: Exit::NotFound(why), said: String::new() }
    }

    /// Whether it exited with 0.
    pub fn succeeded(&self) -> bool {
        self.exit == Exit::Code(0)
    }

    /// What the end of a `status` proves (`takeover.md` 6): only one that ended by itself and said something is evidence.
    pub fn told(&self) -> StatusAnswer {
        let Exit::Code(code) = self.exit else { return StatusAnswer::Unknown };
        if self.says_running() {
            return StatusAnswer::Running;
        }
        let said = self.said.to_ascii_lowercase();
        let denies = says_not_running(&self.said) || STOPPED.iter().any(|word| said.contains(word));
        // LSB and OCF: it does not know, may not look, has no program or no sense; a shell: nothing was run.
        let cannot_say = matches!(code, 2 | 4 | 5 | 6) || code >= 126;
        if said.trim().is_empty() || cannot_say && !denies { StatusAnswer::Unknown } else { StatusAnswer::Stopped }
    }

    /// Whether what `status` printed means *running*: "not running" (any one blank, n or N, r or R) beats
    /// "running", "Running" and "OK"; the exit code is ignored (`resources.md` 3.2).
    pub fn says_running(&self) -> bool {
        !says_not_running(&self.said) && ["running", "Running", "OK"].iter().any(|word| self.said.contains(word))
    }
}

fn says_not_running(said: &str) -> bool {
    said.match_indices(['n', 'N']).any(|(at, _)| {
        let Some(rest) = said[at + 1..].strip_prefix("ot") else { return false };
        let mut chars = rest.chars();
        let blank = chars.next().is_some_and(|c| c.is_ascii_whitespace());
        let rest = chars.as_str();
        blank && (rest.starts_with("running") || rest.starts_with("Running"))
    })
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit {code}"),
            Exit::Signal(signal) => write!(f, "killed by signal {signal}"),
            Exit::TimedOut => f.write_str("timed out"),
            Exit::NotFound(why) => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(text: &str) -> bool {
        Outcome { exit: Exit::Code(0), said: text.to_owned() }.says_running()
    }

    #[test]
    fn only_a_status_that_ended_by_itself_and_said_so_proves_that_nothing_runs() {
        let told = |exit: Exit, said: &str| Outcome { exit, said: said.to_owned() }.told();
        for (code, said) in
            [(0, "stopped"), (3, "unused"), (7, "INFO:  Resource is stopped"), (4, "not running"), (1, "x")]
        {
            assert_eq!(told(Exit::Code(code), said), StatusAnswer::Stopped, "{code} {said}");
        }
        for (code, said) in [(0, ""), (3, " \n"), (4, "ERROR: insufficient privilege"), (127, "no such file")] {
            assert_eq!(told(Exit::Code(code), said), StatusAnswer::Unknown, "{code} {said}");
        }
        for exit in [Exit::TimedOut, Exit::Signal(9), Exit::NotFound("no fork".into())] {
            assert_eq!(told(exit.clone(), "stopped"), StatusAnswer::Unknown, "{exit}");
            assert_eq!(told(exit, "running"), StatusAnswer::Unknown);
        }
        assert_eq!(told(Exit::Code(0), "running"), StatusAnswer::Running);
    }

    #[test]
    fn running_is_judged_by_words_and_not_running_wins() {
        for text in ["running", "INFO:  Running OK", "OK", "may be running (X)", "Active: active (running)"] {
            assert!(says(text), "{text}");
        }
        for text in
            ["", "stopped", "not running", "Not Running but OK", "asterisk is not running", "not\trunning", "ok"]
        {
            assert!(!says(text), "{text}");
        }
    }
}
