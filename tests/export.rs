//! `latido export pacemaker`: what a pair's files become, as files; and what `pcs` says to it where that is installed.
//! `UPDATE_EXPECTED=1 cargo test --test export` rewrites the files; read the difference before keeping it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const LATIDO: &str = env!("CARGO_BIN_EXE_latido");

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}

/// A copy whose `authkeys` nobody else may read, as a clone may not have it.
fn copy(from: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    for entry in fs::read_dir(fixture(from)).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        fs::copy(&entry, dir.path().join(entry.file_name().unwrap())).unwrap();
    }
    fs::set_permissions(dir.path().join("authkeys"), fs::Permissions::from_mode(0o600)).unwrap();
    dir
}

fn export(dir: &Path) -> Output {
    Command::new(LATIDO).args(["export", "pacemaker"]).arg(dir).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_pair_becomes_commands_and_what_has_no_counterpart_is_said() {
    let (from, expected) = ("export/rich", "export/rich.sh");
    let dir = copy(from);
    let output = export(dir.path());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let said = text(&output.stdout).replace(dir.path().to_str().unwrap(), "/etc/ha.d");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(fixture(expected), &said).unwrap();
    }
    assert_eq!(said, fs::read_to_string(fixture(expected)).unwrap(), "{expected}");
    let open = said.lines().filter(|line| line.starts_with("# !")).count();
    assert!(text(&output.stderr).contains(&format!("{open} line(s)")), "{}", text(&output.stderr));
}

#[test]
fn files_with_errors_are_not_exported() {
    let dir = copy("export/rich");
    fs::write(dir.path().join("haresources"), "gamma web\n").unwrap();
    let output = export(dir.path());
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]));
    assert!(text(&output.stderr).contains("gamma"), "{}", text(&output.stderr));
}

#[test]
fn pcs_takes_every_command_about_resources() {
    let run = |program: &str, word: &str| Command::new(program).arg(word).output();
    let (Ok(empty), Ok(_)) = (run("cibadmin", "--empty"), run("pcs", "--version")) else {
        return eprintln!("not tested: pacemaker's cibadmin and pcs are not both installed");
    };
    let dir = copy("export/rich");
    let file = dir.path().join("cib.xml");
    fs::write(&file, empty.stdout).unwrap();
    let script = text(&export(dir.path()).stdout);
    let about = ["pcs resource ", "pcs constraint ", "pcs property "];
    let commands = script.lines().filter(|line| about.iter().any(|start| line.starts_with(start)));
    let on_file = format!("pcs -f {} ", file.display());
    let commands: Vec<String> = commands.map(|line| line.replacen("pcs ", &on_file, 1)).collect();
    assert!(commands.len() > 15, "{script}");
    for command in commands {
        let output = Command::new("sh").args(["-c", &command]).output().unwrap();
        assert!(output.status.success(), "{command}\n{}", text(&output.stderr));
    }
}
