//! Calling an agent as heartbeat calls a script: words, code and reasons.

use std::path::Path;
use std::process::{Command, Stdio};

const LATIDO: &str = env!("CARGO_BIN_EXE_latido");

/// How a call ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) words: String,
    pub(crate) why: String,
}

impl Said {
    /// What ResourceManager makes of `status`.
    pub(crate) fn runs(&self) -> bool {
        latido::haresources::Outcome { exit: latido::haresources::Exit::Code(self.code), said: self.words.clone() }
            .says_running()
    }
}

/// `latido agent LINE`, with notes in `state`.
pub(crate) fn agent(state: &Path, line: &str) -> Said {
    let mut command = Command::new(LATIDO);
    command.arg("agent").args(line.split(' ')).env("HA_RSCTMP", state);
    ended(command)
}

pub(crate) fn ended(mut command: Command) -> Said {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    Said { code: output.status.code().unwrap_or(-1), words: text(&output.stdout), why: text(&output.stderr) }
}

/// status, start, start, status, stop, stop, status: each as often as one likes.
pub(crate) fn there_and_back(state: &Path, line: &str, mut meanwhile: impl FnMut()) {
    let call = |verb: &str| agent(state, &format!("{line} {verb}"));
    let stopped = call("status");
    assert!(!stopped.runs() && stopped.code != 0, "{line}: {stopped:?}");
    for _ in 0..2 {
        let started = call("start");
        assert_eq!((started.code, started.words.as_str()), (0, "INFO:  Success"), "{line}: {started:?}");
    }
    let running = call("status");
    assert!(running.runs() && running.code == 0, "{line}: {running:?}");
    meanwhile();
    for _ in 0..2 {
        let ended = call("stop");
        assert_eq!((ended.code, ended.words.as_str()), (0, "INFO:  Success"), "{line}: {ended:?}");
    }
    let stopped = call("status");
    assert!(!stopped.runs() && stopped.code != 0, "{line}: {stopped:?}");
}
