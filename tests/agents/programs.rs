//! `drbddisk`, `MailTo` and `Delay`, with stand-ins for the programs they call.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::called::{Said, ended, there_and_back};
use super::tap::now;

const LATIDO: &str = env!("CARGO_BIN_EXE_latido");

/// A directory with stand-ins, first in `PATH`, and what they note.
struct Stage(tempfile::TempDir);

impl Stage {
    fn new() -> Stage {
        Stage(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A program; `$D` is the stage.
    fn program(&self, name: &str, body: &str) {
        let path = self.path().join(name);
        fs::write(&path, format!("#!/bin/sh\nD={}\n{body}\n", self.path().display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn call(&self, words: &str) -> Said {
        let path = format!("{}:{}", self.path().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(LATIDO);
        command.arg("agent").args(words.split(' ')).env("PATH", path).env("HA_RSCTMP", self.path().join("notes"));
        ended(command)
    }

    fn noted(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap_or_default()
    }

    fn note(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// Waits until a stand-in has noted this.
    #[allow(clippy::disallowed_methods, reason = "a mailer nobody waits for is looked at again and again")]
    fn await_note(&self, name: &str, text: &str) {
        let begun = now();
        while !self.noted(name).contains(text) {
            assert!(begun.elapsed() < Duration::from_secs(10), "no {text} in {}", self.noted(name));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A DRBD whose role is a file: promotion fails as often as another file has lines.
fn drbd(format: &str) -> Stage {
    let stage = Stage::new();
    let body = format!(
        r#"echo "$*" >>$D/calls
case $1 in
role) role=$(cat $D/role); {format};;
primary|secondary)
    if [ -s $D/refusals ]; then
        sed -i 1d $D/refusals; echo "State change failed: (-1) Multiple primaries not allowed by config" >&2; exit 11
    fi
    [ $1 = primary ] && echo Primary >$D/role || echo Secondary >$D/role;;
esac"#
    );
    stage.program("drbdadm", &body);
    stage.note("role", "Secondary\n");
    stage
}

#[test]
fn drbddisk_promotes_and_demotes_whatever_the_version() {
    for format in ["echo $role/Unknown", "echo $role", "echo $role; echo $role"] {
        let stage = drbd(format);
        let call = |verb: &str| stage.call(&format!("drbddisk r0 {verb}"));
        let said = |code, words: &str| Said { code, words: words.into(), why: String::new() };
        assert_eq!(call("status"), said(3, "stopped (Secondary)"));
        assert_eq!((call("start"), call("start")), (said(0, ""), said(0, "")));
        assert_eq!(call("status"), said(0, "running (Primary)"));
        assert_eq!((call("stop"), call("stop")), (said(0, ""), said(0, "")));
        assert_eq!(call("status"), said(3, "stopped (Secondary)"));
        assert!(stage.noted("calls").contains("primary r0\n") && stage.noted("calls").contains("secondary r0\n"));
    }
}

#[test]
fn drbddisk_tries_again_until_the_dead_peer_is_forgotten() {
    let stage = drbd("echo $role");
    stage.note("refusals", "1\n2\n3\n");
    let begun = now();
    let started = stage.call("drbddisk start");
    assert_eq!(started.code, 0, "{started:?}");
    assert!(started.why.contains("Multiple primaries not allowed"), "{started:?}");
    assert_eq!(stage.noted("calls"), "primary all\n".repeat(4));
    eprintln!("drbddisk start after three refusals: {:?}", begun.elapsed());
    assert_eq!(stage.call("drbddisk status").code, 10);
}

#[test]
fn drbddisk_gives_up_in_time_and_says_what_drbd_said() {
    let stage = drbd("echo $role");
    stage.note("refusals", &"x\n".repeat(1000));
    let begun = now();
    let stopped = stage.call("--within 2500 drbddisk r0 stop");
    assert_eq!((stopped.code, stopped.words.as_str()), (1, ""));
    assert!(stopped.why.contains("did not succeed within 2 s: State change failed"), "{stopped:?}");
    assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());

    stage.program("drbdadm", "echo \"'r0' not defined in your config (for this host).\" >&2; exit 3");
    let begun = now();
    let hopeless = stage.call("drbddisk r0 start");
    assert!(hopeless.code == 1 && hopeless.why.contains("not defined in your config"), "{hopeless:?}");
    assert_eq!(stage.call("drbddisk r0 status").words, "stopped (Unconfigured)");
    assert!(begun.elapsed() < Duration::from_secs(3), "what cannot succeed is not tried again");

    stage.program("drbdadm", "exec sleep 30");
    let begun = now();
    let status = stage.call("--within 2500 drbddisk r0 status");
    assert!(status.why.contains("no answer within 2s") && status.code != 0, "{status:?}");
    assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
}

#[test]
fn mailto_mails_once_for_coming_and_once_for_going_and_waits_for_nobody() {
    let stage = Stage::new();
    stage.program("mail", "echo \"$*\" >>$D/mailed; exec sleep 2");
    let begun = now();
    let path = format!("{}:{}", stage.path().display(), std::env::var("PATH").unwrap());
    assert_eq!(stage.call("MailTo root,admin@example.org stop").code, 0);
    let call = |verb: &str| stage.call(&format!("MailTo root,admin@example.org Lab {verb}"));
    assert_eq!((call("status").words, call("start").code), ("stopped\nINFO:  Resource is stopped".into(), 0));
    assert_eq!((call("start").code, call("status").words), (0, "running\nINFO:  Running OK".into()));
    assert_eq!((call("stop").code, call("stop").code, call("status").runs()), (0, 0, false), "{path}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    stage.await_note("mailed", "Migrating");
    let mailed = stage.noted("mailed");
    let subjects: Vec<&str> = mailed.lines().collect();
    assert_eq!(subjects.len(), 2, "{mailed}");
    assert!(
        mailed.contains("-s Lab Takeover in progress at ") && mailed.contains("-s Lab Migrating resource away at ")
    );
    assert!(subjects.iter().all(|subject| subject.ends_with("root,admin@example.org")), "{mailed}");
}

#[test]
fn mailto_that_cannot_mail_says_so_and_succeeds() {
    let stage = Stage::new();
    stage.note("notes", "not a directory");
    for words in ["MailTo root start", "MailTo root stop", "MailTo start", "MailTo stop"] {
        let said = stage.call(words);
        assert_eq!((said.code, said.words.as_str()), (0, "INFO:  Success"), "{words}: {said:?}");
    }
    let said = stage.call("MailTo start");
    assert!(said.why.contains("was not mailed"), "{said:?}");
}

#[test]
fn delay_waits_once_and_its_status_never() {
    let stage = Stage::new();
    let begun = now();
    there_and_back(stage.path(), "Delay 1 0.5", || {});
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(1500) && took < Duration::from_secs(5), "{took:?}");
    assert_eq!((stage.call("Delay x start").code, stage.call("Delay x stop").code), (2, 0));
}
