//! `latido check`, `latido resource list` and `ResourceManager` as programs: what they print and how they exit.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use assert_cmd::Command;
use tempfile::TempDir;

const HA_CF: &str = "logfacility daemon\nkeepalive 1\ndeadtime 10\ninitdead 30\nauto_failback on\n\
                     serial /dev/ttyS7\nbcast eth7\nnode alpha beta\n";
const HARESOURCES: &str = "# c\nAlpha 10.0.0.1 web # note\nbeta Fs::/a::/b   web2\nalpha c \\\n   d\nalpha\n";

fn latido() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("latido"));
    command.env_remove("HA_DIR").env_remove("HA_CURHOST");
    command
}

fn directory(ha_cf: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    write(dir.path(), "ha.cf", ha_cf, 0o644);
    write(dir.path(), "haresources", HARESOURCES, 0o644);
    write(dir.path(), "authkeys", "auth 1\n1 sha1 L0ng-4nd-R4nd0m\n", 0o600);
    dir
}

fn write(dir: &Path, name: &str, text: &str, mode: u32) {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Exit status and standard output.
fn check(dir: &Path, words: &[&str]) -> (i32, String) {
    let output = latido().arg("check").arg(dir).args(words).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_clean_configuration_exits_with_zero_and_says_so() {
    let dir = directory(HA_CF);
    write(dir.path(), "haresources", "alpha 10.0.0.1/24/eth7\n", 0o644);
    let (code, text) = check(dir.path(), &["--as", "alpha"]);
    assert_eq!((code, text.contains("no problems found")), (0, true), "{text}");
}

#[test]
fn latido_log_names_the_files_read_on_standard_error_and_changes_nothing_else() {
    let dir = directory(HA_CF);
    let run = |level: Option<&str>| {
        let mut command = latido();
        command.args(["check", "--as", "alpha"]).arg(dir.path()).env_remove("LATIDO_LOG");
        let output = command.envs(level.map(|level| ("LATIDO_LOG", level))).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, said, quiet) = run(None);
    assert_eq!(quiet, "", "nobody asked");
    let (with_code, with_said, told) = run(Some("debug"));
    assert_eq!((with_code, with_said), (code, said));
    for name in ["ha.cf", "haresources", "authkeys"] {
        let read = format!("read {}, ", dir.path().join(name).display());
        assert!(told.lines().any(|line| line.contains("DEBUG latido::") && line.contains(&read)), "{read}: {told}");
    }
    assert!(!told.contains("latido.cf"), "it is not there: {told}");
    assert!(!told.contains("L0ng-4nd-R4nd0m"), "a key: {told}");
    assert_eq!(run(Some("off")).2, "");
}

#[test]
fn latido_log_names_the_socket_that_is_tried() {
    let dir = directory(HA_CF);
    let output = latido().args(["status", "-d"]).arg(dir.path()).env("LATIDO_LOG", "latido=debug").output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let line = told.lines().find(|line| line.contains("connecting to ") && line.contains("latido.sock"));
    assert!(line.is_some_and(|line| line.contains("DEBUG latido::client")), "{told}");
    assert!(told.contains("latido status: no daemon answers"), "{told}");
}

#[test]
fn the_daemon_does_not_look_at_latido_log() {
    let dir = directory("node alpha beta\nno such directive\n");
    let run = |level: Option<&str>| {
        let mut command = latido();
        command.args(["daemon", "--foreground", "-d"]).arg(dir.path()).env_remove("LATIDO_LOG");
        let output = command.envs(level.map(|level| ("LATIDO_LOG", level))).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        // Without the time and the pid before each.
        let words = |line: &str| line.split_once("]: ").map_or(line.to_owned(), |(_, words)| words.to_owned());
        (output.status.code(), told.lines().map(words).collect::<Vec<_>>())
    };
    let quiet = run(None);
    assert!(quiet.1.iter().any(|line| line.contains("directive")), "{quiet:?}");
    assert_eq!(run(Some("trace")), quiet);
}

#[test]
fn warnings_alone_exit_with_one() {
    let dir = directory(&HA_CF.replace("serial /dev/ttyS7\n", ""));
    let (code, text) = check(dir.path(), &["--as", "alpha"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("eth7 is the only path") && text.contains("no errors"), "{text}");
}

#[test]
fn errors_exit_with_two_and_show_file_line_caret_remedy_and_phrase() {
    let dir = directory(&HA_CF.replace("deadtime 10", "deadtme 10"));
    let (code, text) = check(dir.path(), &["--as", "alpha"]);
    assert_eq!(code, 2, "{text}");
    for part in ["ha.cf:3:1", "3 | deadtme 10", "^^^^^^^", "did you mean \"deadtime\"?", "Illegal directive [deadtme]"]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours without a terminal: {text:?}");
}

#[test]
fn json_is_an_array_with_file_line_column_severity_message_remedy_and_phrase() {
    let dir = directory(&HA_CF.replace("deadtime 10", "  deadtime 10s"));
    let (code, text) = check(dir.path(), &["--as", "alpha", "--format", "json"]);
    assert_eq!(code, 2, "{text}");
    let problems: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let first = problems.iter().find(|problem| problem["severity"] == "error").unwrap();
    assert!(first["file"].as_str().unwrap().ends_with("/ha.cf"));
    assert_eq!((first["line"].as_u64(), first["column"].as_u64()), (Some(3), Some(12)));
    assert!(first["message"].as_str().unwrap().contains("10s"));
    assert!(first["remedy"].is_string() && first["original"].is_null());
}

#[test]
fn json_of_a_clean_configuration_is_an_empty_array() {
    let dir = directory(HA_CF);
    write(dir.path(), "haresources", "alpha 10.0.0.1/24/eth7\n", 0o644);
    assert_eq!(check(dir.path(), &["--as", "alpha", "--format", "json"]), (0, "[]\n".to_owned()));
}

#[test]
fn on_this_host_what_is_not_here_is_an_error_and_as_another_node_it_is_not() {
    let dir = directory(HA_CF);
    let (code, text) = check(dir.path(), &[]);
    assert_eq!(code, 2);
    for part in ["interface eth7 does not exist", "/dev/ttyS7: no such device", "and the nodes are alpha, beta"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(check(dir.path(), &["--as", "beta"]).0 < 2);
    let (code, text) = check(dir.path(), &["--as", "gamma"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("gamma is not a node of this file"), "{text}");
}

#[test]
fn a_helper_that_a_script_will_not_find_is_a_warning_at_its_place_with_what_it_costs() {
    let dir = directory(HA_CF);
    write(dir.path(), "haresources", "alpha SendArp::10.0.0.1/eth7 site\n", 0o644);
    write(dir.path(), "nodeinfo", "alpha\n", 0o644);
    fs::create_dir(dir.path().join("resource.d")).unwrap();
    write(dir.path(), "resource.d/SendArp", "#!/bin/sh\nsend_arp -A\n", 0o755);
    write(dir.path(), "resource.d/site", "#!/bin/sh\n[ -d /etc ] && $HA_BIN/no-such-helper\n", 0o755);
    let output = latido().env("HA_BIN", "/nowhere").arg("check").arg(dir.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let arp =
        "resource.d/SendArp needs send_arp, which is not in /nowhere: the address comes up without a gratuitous ARP";
    for part in [arp, "haresources:1:7", "resource.d/site needs no-such-helper, which is not in /nowhere"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn nodeinfo_names_this_host() {
    let dir = directory(HA_CF);
    write(dir.path(), "nodeinfo", "ALPHA\n", 0o644);
    assert!(!check(dir.path(), &[]).1.contains("and the nodes are"));
    write(dir.path(), "nodeinfo", "alpha", 0o644);
    assert!(check(dir.path(), &[]).1.contains("and the nodes are"), "without a newline the file does not count");
}

#[test]
fn keys_that_others_can_read_or_write_are_refused() {
    let dir = directory(HA_CF);
    let keys = "auth 1\n1 sha1 L0ng-4nd-R4nd0m\n";
    for mode in [0o640, 0o644, 0o604, 0o660, 0o666] {
        write(dir.path(), "authkeys", keys, mode);
        let (_, text) = check(dir.path(), &[]);
        assert!(text.contains("Bad permissions on keyfile") && text.contains("chmod 600"), "{mode:o}: {text}");
    }
    for (mode, complaint) in [(0o600, false), (0o400, false), (0o711, false), (0o620, true), (0o602, true)] {
        write(dir.path(), "authkeys", keys, mode);
        let (_, text) = check(dir.path(), &[]);
        assert!(!text.contains("Bad permissions"), "{mode:o}: {text}");
        assert_eq!(text.contains("others can change the keys"), complaint, "{mode:o}: {text}");
    }
}

#[test]
fn a_secret_is_never_shown() {
    let dir = directory(HA_CF);
    for keys in ["auth 1\n1 sha1 Sup3rS3cret\n1 sha1 other\n", "auth 1\n1 sha1Sup3rS3cret\n", "Sup3rS3cret\n"] {
        write(dir.path(), "authkeys", keys, 0o600);
        for format in ["text", "json"] {
            let (code, text) = check(dir.path(), &["--as", "alpha", "--format", format]);
            assert!(code > 0 && !text.contains("Sup3rS3cret"), "{text}");
        }
    }
}

#[test]
fn missing_files_are_all_named_at_once() {
    let dir = TempDir::new().unwrap();
    let (code, text) = check(dir.path(), &["--as", "alpha"]);
    assert_eq!(code, 2);
    for part in ["Cannot open config file", "Cannot open keyfile", "Cannot open resources file"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn bytes_that_are_no_text_are_complained_about_and_never_fatal_to_the_program() {
    let dir = directory(HA_CF);
    for name in ["ha.cf", "haresources", "authkeys", "latido.cf"] {
        let old = fs::read(dir.path().join(name)).ok();
        fs::write(dir.path().join(name), [0xff, 0xfe, b'\n', 0, b'#', 0xc3, b'\n', b'1', b' ', 0xe9]).unwrap();
        assert_eq!(check(dir.path(), &["--as", "alpha"]).0, 2, "{name}");
        match old {
            Some(bytes) => fs::write(dir.path().join(name), bytes).unwrap(),
            None => fs::remove_file(dir.path().join(name)).unwrap(),
        }
    }
}

#[test]
fn the_samples_and_the_asterisk_pair_have_no_errors() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (dir, node) in [("etc/ha.d", "alpha"), ("etc/ha.d", "beta"), ("tests/config/asterisk", "asterisk1")] {
        let (code, text) = check(&root.join(dir), &["--as", node]);
        assert!(code <= 1, "{dir}: {text}");
    }
}

#[test]
fn resource_list_prints_keys_and_with_long_whole_groups() {
    let dir = directory(HA_CF);
    let list = |words: &[&str]| {
        let output = latido().args(["resource", "list", "-d"]).arg(dir.path()).args(words).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(list(&[]), "10.0.0.1\nFs::/a::/b\nc\n\n");
    assert_eq!(list(&["--node", "BETA"]), "Fs::/a::/b\n");
    assert_eq!(list(&["--node", "alpha", "--long"]), "alpha 10.0.0.1 web\nalpha c d\nalpha \n");
    let missing = latido().args(["resource", "list", "-d", "/nowhere"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
}

/// Every expectation was taken from ResourceManager of heartbeat 3.0.6 with this file.
#[test]
fn resource_manager_prints_what_the_original_prints() {
    let dir = directory(HA_CF);
    let program = dir.path().join("ResourceManager");
    std::os::unix::fs::symlink(assert_cmd::cargo::cargo_bin!("latido"), &program).unwrap();
    let run = |here: &str, words: &[&str]| {
        let mut command = Command::new(&program);
        let output = command.env("HA_DIR", dir.path()).env("HA_CURHOST", here).args(words).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let prints = |here: &str, words: &[&str], expected: &str| {
        assert_eq!(run(here, words), (0, expected.to_owned(), String::new()), "{words:?}");
    };
    prints("", &["allkeys"], "10.0.0.1\nFs::/a::/b\nc\n\n");
    prints("", &["listkeys", "ALPHA"], "10.0.0.1\nc\n\n");
    prints("", &["listkeys", ".*"], "10.0.0.1\nFs::/a::/b\nc\n\n");
    prints("", &["listkeys", "al"], "");
    prints("", &["listkeys"], "");
    prints("", &["ourkeys"], "");
    prints("Alpha", &["ourkeys"], "10.0.0.1 web \nc d \n\n");
    prints("Alpha", &["otherkeys"], "Fs::/a::/b web2 \n");
    prints("", &["otherkeys"], "10.0.0.1 web \nFs::/a::/b web2 \nc d \n\n");
    for words in [&[][..], &["resourcelist"]] {
        let (code, out, err) = run("", words);
        assert_eq!((code, out.as_str()), (1, ""));
        let usage = "listkeys machine | takegroup key | givegroup key|status resource\n\n";
        assert_eq!(err, format!("usage: {} {usage}", program.display()));
    }
    assert_eq!(run("", &["takegroup", "c"]).0, 1);
    fs::remove_file(dir.path().join("haresources")).unwrap();
    prints("", &["allkeys"], "");
}
