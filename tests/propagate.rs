//! `latido propagate` and `ha_propagate`, with an `ssh` and an `scp` that lead to another directory of this machine.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const HA_CF: &str = "logfacility daemon\nkeepalive 1\ndeadtime 10\ninitdead 30\nauto_failback on\n\
                     serial /dev/ttyS7\nbcast eth7\nnode alpha beta\n";
const KEYS: &str = "auth 1\n1 sha1 S0-s3cr3t-a-w0rd\n";

/// Runs the script in the far directory, where `uname -n` says the far name; a password is never asked for.
const SSH: &str = r#"#!/bin/sh
[ -z "$FAKE_FAILURE" ] || { echo "connect to host beta: No route to host" >&2; exit 255; }
for last; do :; done
echo "ssh $*" >>"$FAKE/log"
uname() { echo "${FAKE_NAME:-beta}"; }
eval "$(echo "$last" | sed "s#$FAKE/alpha#$FAKE/beta#g")"
"#;
const SCP: &str = r#"#!/bin/sh
echo "scp $*" >>"$FAKE/log"
[ -z "$FAKE_SCP_FAILURE" ] || { echo "No space left on device" >&2; exit 1; }
while [ "$1" != -- ]; do shift; done
shift
for last; do :; done
to=$(echo "${last#*:}" | sed "s#$FAKE/alpha#$FAKE/beta#g")
while [ $# -gt 1 ]; do
    cp -p "$1" "$to" || exit 1
    [ -z "$FAKE_DAMAGE" ] || echo damage >>"$to/$(basename "$1")"
    shift
done
"#;

struct Pair(TempDir);

impl Pair {
    fn new() -> Pair {
        let pair = Pair(TempDir::new().unwrap());
        for (name, text, mode) in [
            ("bin/ssh", SSH, 0o755),
            ("bin/scp", SCP, 0o755),
            ("alpha/ha.cf", HA_CF, 0o644),
            ("alpha/haresources", "alpha 10.0.0.1/24/eth7\n", 0o644),
            ("alpha/authkeys", KEYS, 0o600),
            ("alpha/nodeinfo", "alpha\n", 0o644),
        ] {
            pair.write(name, text, mode);
        }
        pair
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok()
    }

    fn run(&self, words: &[&str], faults: &[(&str, &str)]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latido"));
        self.finish(command.arg("propagate").arg("-d").arg(self.path("alpha")).args(words), faults)
    }

    fn finish(&self, command: &mut Command, faults: &[(&str, &str)]) -> (i32, String) {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        command.env_remove("HA_DIR").env("PATH", path).env("FAKE", self.0.path()).envs(faults.iter().copied());
        let output = command.output().unwrap();
        let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
        (output.status.code().unwrap(), said)
    }

    fn assert_same(&self) {
        for name in ["ha.cf", "haresources", "authkeys"] {
            let [here, there] = ["alpha", "beta"].map(|node| self.text(&format!("{node}/{name}")));
            assert!(here.is_some() && here == there, "{name}");
        }
        let leftovers: Vec<PathBuf> =
            fs::read_dir(self.path("beta")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(leftovers.iter().all(|path| !path.ends_with(".latido-propagate")), "{leftovers:?}");
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_new_node_gets_the_files_with_their_modes() {
    let pair = Pair::new();
    let (code, said) = pair.run(&[], &[]);
    assert_eq!(code, 0, "{said}");
    pair.assert_same();
    assert_eq!((mode(&pair.path("beta/authkeys")), mode(&pair.path("beta/ha.cf"))), (0o600, 0o644));
    assert_eq!(pair.text("beta/nodeinfo"), None, "a node's name is its own");
    assert!(said.contains("authkeys, ha.cf, haresources copied, and the same as here"), "{said}");
}

#[test]
fn files_that_are_the_same_are_left_alone() {
    let pair = Pair::new();
    pair.run(&[], &[]);
    let _ = fs::remove_file(pair.path("log"));
    let (code, said) = pair.run(&[], &[]);
    assert!(code == 0 && said.contains("the same"), "{said}");
    assert!(!pair.text("log").unwrap().contains("scp"));
    assert_eq!(pair.text("beta/ha.cf.old"), None);
}

#[test]
fn a_file_that_differs_is_shown_and_overwritten_only_with_yes() {
    let pair = Pair::new();
    pair.run(&[], &[]);
    pair.write("beta/ha.cf", &HA_CF.replace("deadtime 10", "deadtime 20"), 0o644);
    for words in [&["--check"][..], &[]] {
        let (code, said) = pair.run(words, &[]);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("- deadtime 20\n+ deadtime 10"), "{said}");
        assert!(pair.text("beta/ha.cf").unwrap().contains("deadtime 20"));
    }
    let (code, said) = pair.run(&["--yes"], &[]);
    assert_eq!(code, 0, "{said}");
    pair.assert_same();
    assert!(pair.text("beta/ha.cf.old").unwrap().contains("deadtime 20"));
    assert_eq!(pair.text("beta/haresources.old"), None, "what was the same was not copied");
}

#[test]
fn another_key_is_told_and_never_shown() {
    let pair = Pair::new();
    pair.run(&[], &[]);
    pair.write("beta/authkeys", "auth 1\n1 sha1 0th3r-s3cr3t\n", 0o600);
    let (code, said) = pair.run(&[], &[]);
    assert!(code == 1 && said.contains("authkeys differs"), "{said}");
    let log = pair.text("log").unwrap();
    for secret in ["S0-s3cr3t-a-w0rd", "0th3r-s3cr3t"] {
        assert!(!said.contains(secret) && !log.contains(secret));
    }
    assert!(log.lines().all(|line| !(line.contains(" cat ") && line.ends_with("authkeys"))), "nor fetched: {log}");
}

#[test]
fn a_file_that_only_the_other_node_has_is_left_and_told() {
    let pair = Pair::new();
    pair.run(&[], &[]);
    pair.write("beta/latido.cf", "announce 3 100ms\n", 0o644);
    let (code, said) = pair.run(&[], &[]);
    assert!(code == 1 && said.contains("latido.cf is there and not here"), "{said}");
    assert!(pair.text("beta/latido.cf").is_some());
}

#[test]
fn files_with_errors_go_nowhere() {
    let pair = Pair::new();
    pair.write("alpha/ha.cf", &HA_CF.replace("deadtime", "deadtme"), 0o644);
    let (code, said) = pair.run(&["--yes"], &[]);
    assert!(code == 2 && said.contains("go nowhere") && said.contains("deadtme"), "{said}");
    assert_eq!(pair.text("log"), None, "nobody was called");
}

#[test]
fn a_machine_that_does_not_answer_is_named_with_what_ssh_said() {
    let pair = Pair::new();
    let (code, said) = pair.run(&[], &[("FAKE_FAILURE", "1")]);
    assert!(code == 2 && said.contains("ssh to beta failed") && said.contains("No route to host"), "{said}");
}

#[test]
fn a_copy_that_fails_leaves_the_other_node_as_it_was() {
    let pair = Pair::new();
    pair.write("beta/ha.cf", "old\n", 0o644);
    let (code, said) = pair.run(&["--yes"], &[("FAKE_SCP_FAILURE", "1")]);
    assert!(code == 2 && said.contains("No space left"), "{said}");
    assert_eq!(pair.text("beta/ha.cf").as_deref(), Some("old\n"));
    assert!(!pair.path("beta/.latido-propagate").exists() && !pair.path("beta/authkeys").exists());
}

#[test]
fn what_arrives_as_something_else_is_found_by_its_digest() {
    let pair = Pair::new();
    let (code, said) = pair.run(&["--yes"], &[("FAKE_DAMAGE", "1")]);
    assert!(code == 2 && said.contains("arrived as something else"), "{said}");
}

#[test]
fn a_name_that_leads_back_here_is_refused() {
    let pair = Pair::new();
    let (code, said) = pair.run(&["--yes"], &[("FAKE_NAME", "alpha")]);
    assert!(code == 2 && said.contains("leads back to this machine"), "{said}");
    assert_eq!(pair.text("beta/ha.cf"), None);
}

#[test]
fn words_a_shell_would_not_take_as_they_are_are_refused() {
    let pair = Pair::new();
    for host in ["-oProxyCommand=touch", "beta;touch", "be ta"] {
        let (code, said) = pair.run(&[&format!("--to={host}")], &[]);
        assert!(code == 2 && said.contains("not a host name"), "{said}");
    }
    assert_eq!(pair.text("log"), None);
}

#[test]
fn another_way_to_the_node_is_taken_when_given() {
    let pair = Pair::new();
    assert_eq!(pair.run(&["--to", "root@10.0.0.2"], &[]).0, 0);
    let log = pair.text("log").unwrap();
    assert!(log.contains("-- root@10.0.0.2 ") && log.contains(" root@10.0.0.2:"), "{log}");
}

#[test]
fn the_old_program_copies_without_a_question_and_says_when_there_is_nothing() {
    let pair = Pair::new();
    symlink(env!("CARGO_BIN_EXE_latido"), pair.path("bin/ha_propagate")).unwrap();
    pair.write("beta/ha.cf", "old\n", 0o644);
    let run = |dir: &str| {
        let mut command = Command::new(pair.path("bin/ha_propagate"));
        pair.finish(&mut command, &[("HA_DIR", pair.path(dir).to_str().unwrap())])
    };
    let (code, said) = run("alpha");
    assert_eq!(code, 0, "{said}");
    pair.assert_same();
    assert_eq!(run("empty"), (1, "HA Linux not configured on this node.  Can not propagate.\n".to_owned()));
}
