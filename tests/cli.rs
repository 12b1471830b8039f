//! The executable under each of its names: what it does, prints and exits with.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Does what its third argument says to a file named after the resource, and notes the call.
const SCRIPT: &str = r#"#!/bin/sh
cd "${0%/*}" || exit 9
name=${0##*/}
for verb; do :; done
echo "$name $*" >>../calls
[ -e "../fails-$name-$verb" ] && exit 1
case $verb in
    start) : >"../up-$name" ;;
    stop) rm -f "../up-$name" ;;
    status) if [ -e "../up-$name" ]; then echo running; else echo stopped; exit 3; fi ;;
esac
"#;

fn uname() -> String {
    nix::unistd::gethostname().unwrap().to_string_lossy().to_lowercase()
}

/// A node's directory with two groups, `first second::a` of this node and `third` of another.
fn node() -> TempDir {
    // Others may write /tmp, but not replace what is ours in it.
    let dir = TempDir::new().unwrap();
    let me = uname();
    write(dir.path(), "ha.cf", &format!("bcast lo\nauto_failback on\nnode {me} other\n"), 0o644);
    write(dir.path(), "haresources", &format!("{me} first second::a\nother third\n"), 0o644);
    write(dir.path(), "authkeys", "auth 1\n1 sha1 L0ng-4nd-R4nd0m\n", 0o600);
    fs::create_dir(dir.path().join("resource.d")).unwrap();
    for name in ["first", "second", "third"] {
        write(&dir.path().join("resource.d"), name, SCRIPT, 0o755);
    }
    dir
}

fn write(dir: &Path, name: &str, text: &str, mode: u32) {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs the executable under a name of its own.
fn called(name: &str, dir: &Path, words: &[&str]) -> Output {
    let link = dir.join(name);
    if !link.exists() {
        symlink(env!("CARGO_BIN_EXE_latido"), &link).unwrap();
    }
    let mut command = Command::new(link);
    command.args(words).env("HA_DIR", dir).env("HA_CURHOST", uname());
    command.output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it exited by itself")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The scripts called so far; forgotten by asking.
fn calls(dir: &Path) -> Vec<String> {
    let text = fs::read_to_string(dir.join("calls")).unwrap_or_default();
    let _ = fs::remove_file(dir.join("calls"));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn resource_start_and_stop_run_a_group_in_its_order() {
    let dir = node();
    let started = called("latido", dir.path(), &["resource", "start", "first"]);
    assert_eq!(code(&started), 0, "{}", err(&started));
    assert_eq!(calls(dir.path()), ["first status", "first start", "second a status", "second a start"]);
    assert!(out(&started).contains("second a start: exit 0"), "{}", out(&started));

    let stopped = called("latido", dir.path(), &["resource", "stop", "second::a"]);
    assert_eq!((code(&stopped), calls(dir.path())), (0, vec!["second a stop".into(), "first stop".into()]));
}

#[test]
fn a_start_that_fails_is_undone_and_said() {
    let dir = node();
    write(dir.path(), "fails-second-start", "", 0o644);
    let started = called("latido", dir.path(), &["resource", "start", "first"]);
    assert_eq!(code(&started), 1);
    assert!(err(&started).contains("second a did not start: exit 1"), "{}", err(&started));
    assert!(!dir.path().join("up-first").exists());
}

#[test]
fn resource_status_asks_the_scripts_and_exits_with_three_when_something_is_down() {
    let dir = node();
    let down = called("latido", dir.path(), &["resource", "status"]);
    assert_eq!((code(&down), out(&down).matches("not running").count()), (3, 3));
    assert_eq!(code(&called("latido", dir.path(), &["resource", "start", "first"])), 0);
    let up = called("latido", dir.path(), &["resource", "status", "first"]);
    assert_eq!((code(&up), out(&up).contains("not running")), (0, false));
    let unknown = called("latido", dir.path(), &["resource", "status", "nothing"]);
    assert_eq!((code(&unknown), err(&unknown)), (1, "latido: haresources has no nothing\n".to_owned()));
}

#[test]
fn by_hand_groups_are_asked_started_and_stopped_whatever_is_wrong_beside_haresources() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage, &str); 8] = [
        ("a wrong line", |dir| write(dir, "ha.cf", "keepalive soon\n", 0o644), "keepalive"),
        ("another host's", |dir| write(dir, "ha.cf", "node somebody\nnode else\nbcast lo\n", 0o644), "somebody"),
        ("no such card", |dir| write(dir, "ha.cf", "bcast eth77\nnode a b\n", 0o644), "eth77"),
        ("empty", |dir| write(dir, "ha.cf", "", 0o644), "ha.cf"),
        ("missing", |dir| fs::remove_file(dir.join("ha.cf")).unwrap(), "cannot read the file"),
        ("unreadable", |dir| fs::create_dir(dir.join("ha.cf")).unwrap(), "cannot read the file"),
        ("no keys", |dir| fs::remove_file(dir.join("authkeys")).unwrap(), "authkeys"),
        (
            "open keys and a wrong latido.cf",
            |dir| {
                write(dir, "authkeys", "auth 1\n", 0o666);
                write(dir, "latido.cf", "monitr * 5\n", 0o644);
            },
            "others can read the keys",
        ),
    ];
    for (what, damage, said) in damages {
        let dir = node();
        if what == "unreadable" {
            fs::remove_file(dir.path().join("ha.cf")).unwrap();
        }
        damage(dir.path());
        let ask = |words: &[&str]| called("latido", dir.path(), &[&["resource"], words].concat());
        let started = ask(&["start", "first"]);
        assert_eq!((code(&started), calls(dir.path()).len()), (0, 4), "{what}: {}", err(&started));
        assert!(err(&started).contains("went by haresources and the scripts alone"), "{what}: {}", err(&started));
        assert!(
            err(&started).contains(said) && !err(&started).contains("is not a node of"),
            "{what}: {}",
            err(&started)
        );
        assert_eq!(code(&ask(&["status", "first"])), 0, "{what}");
        assert_eq!(out(&ask(&["list"])), "first\nthird\n", "{what}");
        calls(dir.path());
        assert_eq!((code(&ask(&["stop", "first"])), calls(dir.path()).len()), (0, 2), "{what}");
    }
}

#[test]
fn haresources_itself_is_needed_and_its_faults_are_said() {
    let dir = node();
    let me = uname();
    write(dir.path(), "haresources", &format!("{me} first\n{me} first third\n"), 0o644);
    let started = called("latido", dir.path(), &["resource", "start", "first"]);
    assert!(err(&started).contains("haresources:2:"), "{}", err(&started));
    fs::remove_file(dir.path().join("haresources")).unwrap();
    for verb in ["start", "stop", "status"] {
        let output = called("latido", dir.path(), &["resource", verb, "first"]);
        assert_eq!(code(&output), 1);
        assert!(
            err(&output).contains("haresources: No such file") && err(&output).contains("latido init -d"),
            "{}",
            err(&output)
        );
    }
    assert!(err(&called("latido", dir.path(), &["resource", "list"])).contains("latido init -d"));
}

#[test]
fn a_relative_directory_means_the_same_as_its_full_path() {
    let dir = node();
    let tells = "#!/bin/sh\n[ \"$1\" = status ] || echo \"$HA_DIR $HA_RESOURCEDIR\" >>\"${HA_DIR}told\"\n";
    write(&dir.path().join("resource.d"), "first", tells, 0o755);
    let (parent, name) = (dir.path().parent().unwrap(), dir.path().file_name().unwrap());
    let latido = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latido"));
        command.current_dir(parent).env_remove("HA_DIR").args(words).output().unwrap()
    };
    let name = name.to_str().unwrap();
    let full = dir.path().display();
    let started = latido(&["resource", "-d", name, "start", "first"]);
    assert_eq!(code(&started), 0, "{}", err(&started));
    let told = fs::read_to_string(dir.path().join("told")).unwrap();
    assert_eq!(told, format!("{full}/ {full}//resource.d\n"));
    for words in [&["status", "-d", name][..], &["standby", "-d", name], &["events", "-d", name], &["why", "-d", name]]
    {
        let said = err(&latido(words));
        assert!(said.contains(&format!("{full}/var/")), "{words:?}: {said}");
    }
    for words in [&["check", name][..], &["export", "pacemaker", name], &["simulate", name]] {
        fs::remove_file(dir.path().join("ha.cf")).ok();
        let output = latido(words);
        assert!(
            format!("{}{}", out(&output), err(&output)).contains(&format!("{full}/ha.cf")),
            "{words:?}: {}",
            err(&output)
        );
    }
}

#[test]
fn on_a_machine_without_files_every_command_says_what_to_type() {
    let dir = TempDir::new().unwrap();
    let name = dir.path().join("none");
    let none = name.to_str().unwrap();
    for words in [
        &["status", "-d", none][..],
        &["check", none],
        &["doctor", "-d", none],
        &["daemon", "-d", none],
        &["simulate", none],
        &["lab", "--config", none],
        &["standby", "-d", none],
        &["takeover", "-d", none],
        &["move", "-d", none, "first"],
        &["resource", "-d", none, "status"],
        &["resource", "-d", none, "start", "first"],
        &["resource", "-d", none, "list"],
        &["resource", "-d", none, "retry", "first"],
        &["propagate", "-d", none],
        &["export", "pacemaker", none],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_latido"));
        let output = command.args(words).env_remove("HA_DIR").output().unwrap();
        let said = format!("{}{}", out(&output), err(&output));
        assert_ne!(code(&output), 0, "{words:?}: {said}");
        assert!(said.contains(&format!("latido init -d {none}")), "{words:?}: {said}");
        assert!(said.contains(none), "{words:?}: {said}");
    }
    for words in [&["-f"][..], &[]] {
        let started = called("heartbeat", dir.path(), words);
        assert!(err(&started).contains("latido init -d"), "{}", err(&started));
    }
}

#[test]
fn a_lab_that_may_not_make_namespaces_says_what_to_type() {
    // As in a container that forbids them: a root without any right, in a user namespace where no other can be made.
    let powerless = "setpriv --bounding-set -all --inh-caps -all --no-new-privs \"$0\" lab --scenario power-off";
    let forbidden = format!("echo 0 >/proc/sys/user/max_user_namespaces; {powerless}");
    for (script, part) in
        [(powerless, "docker and podman: `run --privileged`"), (&forbidden, "sysctl user.max_user_namespaces")]
    {
        let output = Command::new("unshare").args(["-Ur", "sh", "-c", script, env!("CARGO_BIN_EXE_latido")]).output();
        let Ok(output) = output.ok().filter(|output| err(output).contains("latido lab: ")).ok_or(()) else {
            eprintln!("not tested: no user namespaces here to be powerless in");
            return;
        };
        assert_eq!(code(&output), 2, "{}", err(&output));
        assert!(err(&output).contains(part), "{}", err(&output));
        assert!(!err(&output).contains("panicked"), "{}", err(&output));
    }
}

#[test]
fn who_is_not_root_is_told_to_be() {
    let nobody = |words: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg("/proc/self/fd/3").args(words);
        command
    };
    // The executable may lie where only root may look: it is handed over open.
    let script = format!("exec 3<{}; exec \"$@\"", env!("CARGO_BIN_EXE_latido"));
    for (words, part) in [(&["daemon"][..], "sudo latido daemon"), (&["doctor"], "sudo latido doctor")] {
        let inner = nobody(words);
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh"]).arg(inner.get_program()).args(inner.get_args()).env_remove("HA_DIR");
        let output = command.output().unwrap();
        let said = format!("{}{}", out(&output), err(&output));
        if !said.contains("latido") && !said.contains("root") {
            eprintln!("not tested, nobody else can be played here: {said}");
            return;
        }
        assert!(code(&output) != 0 && said.contains(part), "{words:?}: {said}");
    }
}

#[test]
fn without_a_daemon_the_command_that_starts_it_is_named() {
    let dir = node();
    for words in [&["status"][..], &["standby"], &["takeover"], &["resource", "retry", "first"]] {
        let said = err(&called("latido", dir.path(), words));
        assert!(said.contains(&format!("start it: latido start -d {}", dir.path().display())), "{words:?}: {said}");
    }
    assert!(err(&called("latido", dir.path(), &["events"])).contains("latido status"));
}

#[test]
fn the_old_resource_manager_takes_and_gives_groups_whatever_is_wrong_with_ha_cf() {
    let dir = node();
    for ha_cf in ["keepalive soon\n", "node somebody\nnode else\nbcast lo\n", ""] {
        write(dir.path(), "ha.cf", ha_cf, 0o644);
        for (words, ran) in [(["takegroup", "first"], 4), (["status", "first"], 1), (["givegroup", "first"], 2)] {
            let output = called("ResourceManager", dir.path(), &words);
            assert_eq!((code(&output), calls(dir.path()).len()), (0, ran), "{ha_cf} {words:?}: {}", err(&output));
            assert_eq!(err(&output), "", "{words:?}");
        }
    }
    fs::remove_file(dir.path().join("ha.cf")).unwrap();
    assert_eq!(code(&called("ResourceManager", dir.path(), &["status", "first"])), 3);
}

#[test]
fn without_a_daemon_retry_status_standby_and_takeover_say_so_at_once() {
    let dir = node();
    for words in [&["resource", "retry", "first"][..], &["standby"], &["takeover"], &["status"]] {
        let output = called("latido", dir.path(), words);
        assert!(code(&output) != 0, "{words:?}");
        assert!(err(&output).contains("latido is not running here"), "{words:?}: {}", err(&output));
    }
}

#[test]
fn resource_manager_takes_and_gives_groups_and_says_nothing() {
    let dir = node();
    let manager = |words: &[&str]| called("ResourceManager", dir.path(), words);
    assert_eq!(out(&manager(&["statgroup", "first"])), "NONE\n");
    assert_eq!(code(&manager(&["status", "first"])), 3);
    let taken = manager(&["takegroup", "first"]);
    assert_eq!((code(&taken), out(&taken)), (0, String::new()));
    assert_eq!(out(&manager(&["statgroup", "first"])), "ALL\n");
    assert_eq!(code(&manager(&["status", "second::a"])), 0);
    let active = manager(&["verifyallidle"]);
    assert_eq!(code(&active), 1);
    assert!(err(&active).contains("CRITICAL: Resource first is active, and should not be!"), "{}", err(&active));
    assert_eq!(code(&manager(&["givegroup", "first"])), 0);
    assert_eq!(code(&manager(&["verifyallidle"])), 0);
    assert_eq!(code(&manager(&["takegroup", "unknown"])), 0);
    let usage = manager(&["resourcelist"]);
    assert_eq!(code(&usage), 1);
    assert!(err(&usage).contains("listkeys machine | takegroup key | givegroup key|status resource"));
}

#[test]
fn heartbeat_answers_as_ever_when_nothing_runs() {
    let dir = node();
    let status = called("heartbeat", dir.path(), &["-s"]);
    assert_eq!((code(&status), out(&status).trim_end()), (3, "heartbeat is stopped. No process"));
    let stop = called("heartbeat", dir.path(), &["-k"]);
    assert_eq!(code(&stop), 0);
    assert!(err(&stop).contains("Heartbeat already stopped."), "{}", err(&stop));
    assert!(out(&called("heartbeat", dir.path(), &["-V"])).starts_with("3.0.6"));
    assert_eq!(code(&called("heartbeat", dir.path(), &["-X"])), 2);
}

#[test]
fn hb_standby_and_hb_takeover_refuse_bad_words_and_never_hang_without_a_daemon() {
    let dir = node();
    for name in ["hb_standby", "hb_takeover"] {
        let path = dir.path().join(name);
        let path = path.display();
        let bad = called(name, dir.path(), &["everything"]);
        assert_eq!((code(&bad), out(&bad)), (1, format!("{path}: wrong resources(everything).\nusage:\n")));
        assert_eq!(err(&bad), format!("{path} [all|foreign|local|failback]\n"));
        let many = called(name, dir.path(), &["all", "all"]);
        assert_eq!((code(&many), out(&many)), (1, format!("{path}: too many arguments\nusage:\n")));
        let alone = called(name, dir.path(), &[]);
        assert_eq!(code(&alone), 1);
        assert!(err(&alone).contains("heartbeat does not run here"), "{}", err(&alone));
    }
}

#[test]
fn every_subcommand_has_help_with_what_it_is_for() {
    let dir = node();
    let help = called("latido", dir.path(), &["--help"]);
    let subcommands: Vec<String> = out(&help)
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect();
    assert!(subcommands.len() > 8, "{subcommands:?}");
    for name in subcommands {
        let output = called("latido", dir.path(), &[&name, "--help"]);
        assert_eq!(code(&output), 0, "{name}");
        assert!(out(&output).contains("Usage:"), "{name}");
    }
}
