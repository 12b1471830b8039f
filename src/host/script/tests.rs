//! Real small scripts: what they see, how they end, and that nothing of them stays.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::config::LogTargets;
use crate::daemon::programs::children::{Children, Ended};
use crate::host::disk_thread::DiskThread;
use crate::host::script_log::ScriptLog;
use crate::names::JobId;

use super::*;

struct Stage {
    dir: tempfile::TempDir,
    environment: Environment,
}

impl Stage {
    fn new() -> Stage {
        let dir = tempfile::tempdir().unwrap();
        let mut environment = Environment::default();
        environment.directory = dir.path().to_owned();
        let targets = LogTargets { debugfile: Some(dir.path().join("ha-debug")), ..LogTargets::default() };
        environment.log = ScriptLog::open(&targets, DiskThread::at_once());
        environment.set("PATH", "/usr/bin:/bin");
        environment.set("HA_CURHOST", "alpha");
        Stage { dir, environment }
    }

    fn script(&self, text: &str) -> Call {
        let path = self.dir.path().join("script");
        // Written beside and moved: a descriptor for writing held by a forking test would make it "text file busy".
        fs::write(path.with_extension("new"), text).unwrap();
        fs::set_permissions(path.with_extension("new"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(path.with_extension("new"), &path).unwrap();
        Call { program: path.into(), name: None, arguments: vec!["one".into(), "status".into()] }
    }

    async fn run(&self, text: &str, output: Output, limit: Duration) -> Outcome {
        let mut children = Children::default();
        let call = self.script(text);
        let ended = |outcome| Ended::Resource(JobId(7), outcome);
        // A test that forks just now may hold our script open for writing for a moment ("text file busy").
        for attempt in 0.. {
            match children.start(&call, output, limit, &self.environment, ended) {
                Ok(_) => break,
                Err(error) => assert!(attempt < 100, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        match children.next().await {
            Ended::Resource(JobId(7), outcome) => outcome,
            other @ (Ended::Resource(..)
            | Ended::Agent(..)
            | Ended::NotifyCommand(..)
            | Ended::NotificationScript(..)) => {
                panic!("{other:?}")
            }
        }
    }

    async fn said(&self, text: &str) -> String {
        self.run(text, Output::Kept, Duration::from_secs(20)).await.said
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

#[tokio::test]
async fn what_status_prints_is_kept_and_its_exit_code_told() {
    let stage = Stage::new();
    let outcome = stage.run("#!/bin/sh\necho \"$@\"; exit 3\n", Output::Kept, Duration::from_secs(20)).await;
    assert_eq!(outcome, Outcome { exit: Exit::Code(3), said: "one status\n".to_owned() });
}

#[tokio::test]
async fn what_start_prints_goes_to_the_debug_log() {
    let stage = Stage::new();
    let outcome = stage.run("#!/bin/sh\necho out; echo err >&2\n", Output::Log, Duration::from_secs(20)).await;
    assert_eq!(outcome, Outcome::code(0));
    assert_eq!(fs::read_to_string(stage.file("ha-debug")).unwrap(), "out\nerr\n");
}

#[tokio::test]
async fn a_script_sees_exactly_the_environment_it_is_given() {
    let stage = Stage::new();
    let mut seen: Vec<String> = stage.said("#!/bin/sh\nenv\n").await.lines().map(str::to_owned).collect();
    // The shell's own.
    seen.retain(|line| !["PWD=", "OLDPWD=", "SHLVL=", "_="].iter().any(|own| line.starts_with(own)));
    seen.sort();
    assert_eq!(seen, ["HA_CURHOST=alpha", "PATH=/usr/bin:/bin"]);
}

#[tokio::test]
async fn no_descriptor_of_ours_reaches_a_script() {
    let stage = Stage::new();
    crate::sys::keep_descriptors_from_children().unwrap();
    let _open = fs::File::open("/proc/self/stat").unwrap();
    let said = stage.said("#!/bin/sh\nls /proc/$$/fd\n").await;
    let extra: Vec<&str> = said.lines().filter(|fd| !["0", "1", "2", "10", "255"].contains(fd)).collect();
    assert!(extra.is_empty(), "{said}");
}

#[tokio::test]
async fn a_script_stands_in_its_directory_in_a_group_of_its_own() {
    let stage = Stage::new();
    let said = stage.said("#!/bin/sh\npwd; cut -d' ' -f1,5 /proc/$$/stat | tr ' ' '\\n'\n").await;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], stage.dir.path().canonicalize().unwrap().to_str().unwrap());
    assert_eq!(lines[1], lines[2]);
}

#[tokio::test]
async fn a_script_without_an_interpreter_line_is_run_by_a_shell() {
    let stage = Stage::new();
    assert_eq!(stage.said("echo hello $1\n").await, "hello one\n");
}

#[tokio::test]
async fn a_signal_is_told_apart_from_an_exit_code() {
    let stage = Stage::new();
    let outcome = stage.run("#!/bin/sh\nkill -9 $$\n", Output::Log, Duration::from_secs(20)).await;
    assert_eq!(outcome.exit, Exit::Signal(9));
}

#[tokio::test]
async fn a_script_that_takes_too_long_is_killed_with_all_it_started() {
    let stage = Stage::new();
    let text = "#!/bin/sh\ntrap '' TERM\necho said\n(trap '' TERM; echo $$ >pid; exec sleep 1000) &\n\
                echo $! >child\nwhile :; do sleep 1000; done\n";
    let outcome = stage.run(text, Output::Kept, Duration::from_millis(300)).await;
    assert_eq!(outcome, Outcome { exit: Exit::TimedOut, said: "said\n".to_owned() });
    for name in ["pid", "child"] {
        let pid: i32 = fs::read_to_string(stage.file(name)).unwrap().trim().parse().unwrap();
        assert!(dies(pid).await, "{name} {pid} lives");
    }
}

#[tokio::test]
async fn what_it_started_is_ended_even_when_the_script_itself_went_at_the_first_word() {
    let stage = Stage::new();
    let text = "#!/bin/sh\n(trap '' TERM; while :; do sleep 1000; done) &\necho $! >child\nwait\n";
    let outcome = stage.run(text, Output::Log, Duration::from_millis(300)).await;
    assert_eq!(outcome.exit, Exit::TimedOut);
    let pid: i32 = fs::read_to_string(stage.file("child")).unwrap().trim().parse().unwrap();
    // Ended, but its burial is the business of init.
    assert!(dies(pid).await, "{pid} lives");
}

#[tokio::test]
async fn a_service_left_running_by_a_script_is_left_alone_and_not_waited_for() {
    let stage = Stage::new();
    let text = "#!/bin/sh\nsleep 1000 &\necho $! >child\necho started\n";
    let outcome = stage.run(text, Output::Kept, Duration::from_secs(20)).await;
    assert_eq!(outcome, Outcome { exit: Exit::Code(0), said: "started\n".to_owned() });
    let pid: i32 = fs::read_to_string(stage.file("child")).unwrap().trim().parse().unwrap();
    assert!(crate::process::is_alive(pid));
    nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn a_talkative_script_is_neither_blocked_nor_believed_for_ever() {
    let stage = Stage::new();
    let said = stage.said("#!/bin/sh\nhead -c 300000 /dev/zero | tr '\\0' x\n").await;
    assert_eq!(said.len(), MOST_SAID);
}

#[tokio::test]
async fn what_is_not_there_cannot_be_started() {
    let stage = Stage::new();
    let call = Call { program: stage.file("missing").into(), name: None, arguments: Vec::new() };
    let limit = Duration::from_secs(1);
    let mut children = Children::default();
    let ended = |outcome| Ended::Resource(JobId(1), outcome);
    assert!(children.start(&call, Output::Log, limit, &stage.environment, ended).is_err());
}

/// A killed process that is not our child ends a moment after the signal, and offers no event to wait for.
async fn dies(pid: i32) -> bool {
    for _ in 0..200 {
        if !crate::process::is_alive(pid) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn a_script_finds_the_core_limit_that_coredumps_says_and_we_keep_ours() {
    let mut stage = Stage::new();
    let (soft, hard) = getrlimit(Resource::RLIMIT_CORE).unwrap();
    let shown =
        |limit: u64| if limit == libc::RLIM_INFINITY { "unlimited".to_owned() } else { (limit / 512).to_string() };
    for (allowed, limit) in [(Some(true), hard), (Some(false), 0), (None, soft)] {
        stage.environment.core_files = allowed;
        assert_eq!(stage.said("#!/bin/sh\nulimit -c\n").await.trim(), shown(limit), "{allowed:?}");
        assert_eq!(getrlimit(Resource::RLIMIT_CORE).unwrap(), (soft, hard));
    }
}
