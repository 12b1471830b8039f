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
