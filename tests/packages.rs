//! The packages (`docs/packages.md`): they hold what `pkg/manifest` lists, start nothing, overwrite nothing, take the place of
//! Debian's heartbeat and give it back. Made from the executable that is tested, installed as root into a Debian system
//! that `scripts/debian-root` keeps, whose files are the kept ones below a layer in memory. Where that is impossible a test
//! says a word and passes.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and says what it could not try")]

#[path = "packages/elf.rs"]
mod elf;
#[path = "packages/list.rs"]
mod list;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use list::{Kind, held, run, wanted};

const LATIDO: &str = env!("CARGO_BIN_EXE_latido");
/// The newest C library that may be asked for.
const OLDEST: [u32; 2] = [2, 17];
const MOST_BYTES: u64 = 6 << 20;

/// The packages, made once for all tests of this file; why not, otherwise.
fn packages() -> Result<&'static Path, String> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    MADE.get_or_init(make).as_deref().map_err(Clone::clone)
}

fn make() -> Result<PathBuf, String> {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("packages");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    let program = dir.join("latido");
    run("strip", &["-o", program.to_str().unwrap(), LATIDO])?;
    let made = Command::new("scripts/package")
        .args(["--program", program.to_str().unwrap()])
        .arg(&dir)
        .env("PACKAGE_FAST", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    match made.status.code() {
        Some(0) => Ok(dir),
        // A tool that is missing.
        Some(3) => Err(said),
        _ => panic!("scripts/package: {said}"),
    }
}

fn package(ending: &str) -> Result<PathBuf, String> {
    let found = fs::read_dir(packages()?).unwrap().map(|entry| entry.unwrap().path());
    Ok(found.into_iter().find(|path| path.to_str().is_some_and(|name| name.ends_with(ending))).unwrap())
}

fn skipped(why: &str) {
    println!("skipped: {why}");
}

/// Plays a script in a Debian system with these packages.
fn play(script: &str, with: &[&str]) {
    let packages = match packages() {
        Ok(dir) => dir,
        Err(why) => return skipped(&why),
    };
    if !nix::unistd::geteuid().is_root() {
        return skipped("only root can install packages into a Debian system");
    }
    let root = match run("scripts/debian-root", &[&["--kept"], with].concat()) {
        Ok(path) => path.trim().to_owned(),
        Err(why) => return skipped(&why),
    };
    let script = format!("tests/packages/{script}");
    let output =
        Command::new("sh").args(["tests/packages/inside.sh", &root]).arg(packages).arg(&script).output().unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
    if said.contains("unshare: ") || said.contains("mount: ") {
        return skipped(&said);
    }
    assert!(output.status.success() && said.contains("WELL\n"), "{script}:\n{said}");
}

#[test]
fn each_package_holds_what_the_manifest_lists_and_nothing_else() {
    for (kind, ending) in [(Kind::Deb, ".deb"), (Kind::Rpm, ".rpm"), (Kind::Tar, ".tar.gz")] {
        match package(ending).and_then(|file| held(kind, &file)) {
            Ok(held) => {
                let wanted = wanted(kind);
                let difference: Vec<&String> = held.symmetric_difference(&wanted).collect();
                assert!(difference.is_empty(), "{kind:?}: {difference:#?}");
            }
            Err(why) => skipped(&why),
        }
    }
}

#[test]
fn the_manifest_names_nothing_twice_and_only_files_that_are_there() {
    let manifest = fs::read_to_string("pkg/manifest").unwrap();
    let mut seen = BTreeSet::new();
    for line in manifest.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(seen.insert(words[3]), "twice: {line}");
        if ["file", "debfile", "conffile", "etc", "ours", "doc"].contains(&words[0]) {
            assert!(Path::new(words[4].trim_end_matches("**")).exists(), "not there: {line}");
        }
    }
}

#[test]
fn nothing_starts_at_installation_and_removal_leaves_what_people_wrote() {
    play("alone.sh", &[]);
}

#[test]
fn heartbeat_of_debian_is_replaced_without_a_question_and_comes_back() {
    play("replaced.sh", &["heartbeat"]);
}

#[test]
fn an_upgrade_moves_nothing_and_a_program_that_cannot_be_run_keeps_the_old_one() {
    play("upgrade.sh", &[]);
}

#[test]
fn the_rpm_installs_and_goes() {
    if let Err(why) = run("rpm", &["--version"]) {
        return skipped(&why);
    }
    play("rpm.sh", &[]);
}

#[test]
fn the_tar_installs_below_a_directory_and_leaves_only_what_people_wrote() {
    let tar = match package(".tar.gz") {
        Ok(tar) => tar,
        Err(why) => return skipped(&why),
    };
    let dir = tempfile::tempdir().unwrap();
    run("tar", &["-xzf", tar.to_str().unwrap(), "-C", dir.path().to_str().unwrap()]).unwrap();
    let top = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
    let dest = dir.path().join("dest");
    let install = |args: &[&str]| {
        let output = Command::new(top.join("install")).args(args).env("DESTDIR", &dest).output().unwrap();
        let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
        assert!(output.status.success(), "install {args:?}: {said}");
    };
    install(&[]);
    assert_eq!(fs::read_link(dest.join("usr/lib64/heartbeat/ipfail")).unwrap(), Path::new("/usr/sbin/latido"));
    for file in ["usr/sbin/latido", "usr/lib/systemd/system/latido.service", "etc/init.d/heartbeat", "etc/ha.d/harc"] {
        assert!(dest.join(file).exists(), "{file}");
    }
    fs::write(dest.join("etc/ha.d/ha.cf"), "node alpha beta\n").unwrap();
    fs::write(dest.join("etc/ha.d/harc"), "#!/bin/sh\n# mine\n").unwrap();
    install(&[]);
    install(&["--remove"]);
    let left = run("find", &[dest.to_str().unwrap(), "!", "-type", "d", "-printf", "%P\n"]).unwrap();
    let left: BTreeSet<&str> = left.lines().collect();
    assert_eq!(left, BTreeSet::from(["etc/ha.d/ha.cf", "etc/ha.d/harc"]));
}

#[test]
fn the_reader_of_executables_finds_what_the_linker_wrote() {
    let versions = elf::versions_needed(&fs::read(LATIDO).unwrap()).unwrap();
    assert!(
        versions.iter().filter_map(|version| elf::glibc(version)).any(|version| *version >= OLDEST[..]),
        "{versions:?}"
    );
    assert!(elf::versions_needed(b"\x7fELF\x02\x01cut off").is_err());
    assert!(elf::versions_needed(b"#!/bin/sh").is_err());
    assert!(elf::glibc("GLIBC_2.9").unwrap() < elf::glibc("GLIBC_2.17").unwrap());
}

/// `scripts/release` has the same limits; this looks at what it left, whenever it ran.
#[test]
fn a_released_executable_asks_for_no_newer_c_library_than_2_17_and_is_small() {
    let target = Path::new(LATIDO).ancestors().nth(2).unwrap();
    let mut looked_at = 0;
    for arch in ["x86_64", "aarch64"] {
        let program = target.join(format!("{arch}-unknown-linux-gnu/release/latido"));
        let Ok(bytes) = fs::read(&program) else { continue };
        let versions = elf::versions_needed(&bytes).unwrap();
        for version in &versions {
            let numbers = elf::glibc(version);
            assert!(
                numbers.is_none_or(|numbers| *numbers <= OLDEST[..]),
                "{}: {version} is too new",
                program.display()
            );
        }
        assert!(!versions.is_empty() && fs::metadata(&program).unwrap().len() < MOST_BYTES, "{}", program.display());
        looked_at += 1;
    }
    if looked_at == 0 {
        skipped("scripts/release has built nothing here");
    }
}

#[test]
fn the_alert_rules_and_the_dashboard_name_only_metrics_there_are() {
    let known = fs::read_to_string("src/status/metrics.rs").unwrap();
    for file in ["pkg/prometheus/latido.rules.yml", "pkg/grafana/latido.json"] {
        let text = fs::read_to_string(file).unwrap();
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|w| w.starts_with("latido_")) {
            assert!(known.contains(&format!("\"{word}\"")), "{file}: there is no metric {word}");
        }
    }
    serde_json::from_str::<serde_json::Value>(&fs::read_to_string("pkg/grafana/latido.json").unwrap()).unwrap();
    match run("promtool", &["check", "rules", "pkg/prometheus/latido.rules.yml"]) {
        Ok(_) => {}
        Err(why) if why.contains("No such file") => skipped("promtool is not there (apt install prometheus)"),
        Err(why) => panic!("{why}"),
    }
}

#[test]
fn lintian_and_rpmlint_find_no_error() {
    let checks: [(&str, &[&str], &str); 2] = [
        ("lintian", &["--allow-root", "--fail-on", "error"], ".deb"),
        ("rpmlint", &["--config", "pkg/rpm/rpmlint.toml"], ".rpm"),
    ];
    for (program, args, ending) in checks {
        let file = match package(ending) {
            Ok(file) => file,
            Err(why) => return skipped(&why),
        };
        match Command::new(program).args(args).arg(&file).output() {
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(output.status.success(), "{said}");
            }
            Err(error) => skipped(&format!("{program}: {error} (apt install {program})")),
        }
    }
}

/// Takes two builds with link-time optimisation: `scripts/check --all`.
#[test]
#[ignore = "many minutes"]
fn two_builds_in_different_folders_have_the_same_bytes() {
    let status = Command::new("scripts/release").arg("--compare").status().unwrap();
    assert!(status.success());
}
