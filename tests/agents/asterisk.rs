//! `scripts/resource.d/asterisk` with a stand-in: a process that is named asterisk, and a program that asks it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::bench::on_a_bench;
use super::called::{Said, ended};
use super::tap::now;

/// A machine whose Asterisk lives while `ctl` exists, and hangs while `hangs` does.
struct Machine {
    _keep: tempfile::TempDir,
    dir: PathBuf,
    init: bool,
}

const PROGRAM: &str = r#"case "$*" in
"-rx core stop now") [ -e $D/hangs ] && exec sleep 60; [ -e $D/stubborn ] || kill "$(cat $D/pid)"; exit 0;;
-rx*)
    [ -e $D/hangs ] && exec sleep 60
    if [ -e $D/pid ] && [ -n "$(readlink /proc/$(cat $D/pid)/exe)" ]; then echo "System uptime: 1 second"; exit 0; fi
    echo "Unable to connect to remote asterisk (does /var/run/asterisk/asterisk.ctl exist?)"; exit 1;;
*)
    echo "start $*" >>$D/calls
    [ -e $D/broken ] && exit 1
    $D/real/asterisk 600 </dev/null >/dev/null 2>&1 &
    echo $! >$D/pid;;
esac"#;

const INIT: &str = r#"echo "init $1" >>$D/calls
case $1 in start) $D/asterisk -U x;; stop) $D/asterisk -rx "core stop now";; esac"#;

impl Machine {
    fn new(init: bool) -> Machine {
        let keep = tempfile::tempdir().unwrap();
        let dir = keep.path().canonicalize().unwrap();
        fs::create_dir(dir.join("real")).unwrap();
        fs::copy("/bin/sleep", dir.join("real/asterisk")).unwrap();
        fs::create_dir(dir.join("resource.d")).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/resource.d/asterisk");
        fs::copy(script, dir.join("resource.d/asterisk")).unwrap();
        let machine = Machine { _keep: keep, dir, init };
        machine.program("asterisk", PROGRAM);
        machine.program("init", INIT);
        machine
    }

    fn program(&self, name: &str, body: &str) {
        let path = self.dir.join(name);
        fs::write(&path, format!("#!/bin/sh\nD={}\n{body}\n", self.dir.display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn call(&self, verb: &str) -> Said {
        let mut command = Command::new(self.dir.join("resource.d/asterisk"));
        let at = |name: &str| self.dir.join(name);
        command.arg(verb).env("ASTERISK", at("asterisk")).env("ASTERISK_PIDFILE", at("pid")).env("HA_DIR", &self.dir);
        command.env("ASTERISK_INIT", at(if self.init { "init" } else { "none" })).env("ASTERISK_UNIT", "none.service");
        command.env("ASTERISK_ANSWER", "1").env("ASTERISK_START", "3").env("ASTERISK_STOP", "2");
        ended(command)
    }

    fn set(&self, name: &str) {
        fs::write(self.dir.join(name), "").unwrap();
    }

    fn unset(&self, name: &str) {
        fs::remove_file(self.dir.join(name)).unwrap();
    }

    fn calls(&self) -> String {
        fs::read_to_string(self.dir.join("calls")).unwrap_or_default()
    }

    /// The processes of the bench that run a program of that name.
    fn processes(&self) -> usize {
        let real = self.dir.join("real/asterisk");
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries.filter(|entry| fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe == real)).count()
    }
}

#[test]
fn asterisk_comes_and_goes_by_its_init_script_or_by_itself() {
    on_a_bench("asterisk::asterisk_comes_and_goes_by_its_init_script_or_by_itself", || {
        for init in [true, false] {
            let machine = Machine::new(init);
            let call = |verb: &str| machine.call(verb);
            assert_eq!((call("status").words.as_str(), call("status").code), ("asterisk is stopped", 3));
            assert_eq!((call("stop").code, machine.calls()), (0, String::new()));
            assert_eq!((call("start").code, call("start").code), (0, 0), "{}", machine.calls());
            assert_eq!((call("status").words.as_str(), call("status").runs()), ("asterisk is running", true));
            assert_eq!(machine.calls().matches("start").count(), if init { 2 } else { 1 }, "{}", machine.calls());
            assert_eq!((call("stop").code, machine.processes(), call("stop").code), (0, 0, 0));
            assert!(!call("status").runs());
            assert_eq!(call("bogus").code, 1);
        }
    });
}

#[test]
fn an_asterisk_that_hangs_is_not_running_and_is_replaced_in_time() {
    on_a_bench("asterisk::an_asterisk_that_hangs_is_not_running_and_is_replaced_in_time", || {
        let machine = Machine::new(true);
        assert_eq!(machine.call("start").code, 0);
        machine.set("hangs");
        let begun = now();
        let status = machine.call("status");
        assert!(!status.runs() && status.code == 3, "{status:?}");
        assert_eq!(status.words, "asterisk is not running: a process is there and does not answer");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        let stopped = machine.call("stop");
        assert_eq!((stopped.code, machine.processes()), (0, 0), "{stopped:?}");
        machine.unset("hangs");

        assert_eq!(machine.call("start").code, 0);
        machine.set("stubborn");
        let begun = now();
        assert_eq!((machine.call("stop").code, machine.processes()), (0, 0));
        eprintln!("an Asterisk that ignores its stop is ended after {:?}", begun.elapsed());
    });
}

#[test]
fn an_asterisk_that_does_not_come_up_fails_to_start_in_time() {
    on_a_bench("asterisk::an_asterisk_that_does_not_come_up_fails_to_start_in_time", || {
        let machine = Machine::new(false);
        machine.set("broken");
        let begun = now();
        let started = machine.call("start");
        assert!(started.code == 1 && started.why.contains("does not answer"), "{started:?}");
        assert!(begun.elapsed() < Duration::from_secs(3), "a failure is not waited for: {:?}", begun.elapsed());
        machine.unset("broken");
        machine.set("hangs");
        let begun = now();
        assert_eq!(machine.call("start").code, 1);
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    });
}
