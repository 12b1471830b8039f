use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::host::read_config::{self, ReadOptions};
use crate::names::NodeName;

use super::*;

fn node() -> (tempfile::TempDir, Paths) {
    let dir = tempfile::tempdir().unwrap();
    let paths = Paths::under(&dir.path().join("ha.d"));
    fs::create_dir_all(paths.rc_dir()).unwrap();
    fs::create_dir_all(paths.resource_dir()).unwrap();
    let me = read_config::host_name(&paths.ha_dir).unwrap();
    let ha_cf = format!("keepalive 1\ndeadtime 10\nbcast lo\nauto_failback on\nlogfacility daemon\nnode {me} other\n");
    for (path, text) in [
        (paths.ha_cf(), ha_cf),
        (paths.haresources(), format!("{me} IPaddr::192.0.2.7/24/lo\n")),
        (paths.latido_cf(), String::new()),
        (paths.ha_dir.join("nodeinfo"), format!("{me}\n")),
        (paths.authkeys(), "auth 1\n1 sha1 Xk29ab7Qw\n".to_owned()),
    ] {
        fs::write(&path, text).unwrap();
        set_mode(&path, 0o600);
    }
    (dir, paths)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Why a daemon does not start there; what costs one thing alone is left out.
fn fatal(paths: &Paths) -> Vec<String> {
    match read_config::load_with(paths, &ReadOptions { without_resolver: true, ..ReadOptions::default() }).1 {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().filter(|problem| problem.is_fatal()).map(ToString::to_string).collect(),
    }
}

#[test]
fn a_file_or_directory_that_others_may_write_is_no_configuration() {
    let (dir, paths) = node();
    assert_eq!(fatal(&paths), Vec::<String>::new());
    let above = dir.path().to_owned();
    let places = [paths.ha_cf(), paths.haresources(), paths.latido_cf(), paths.ha_dir.join("nodeinfo")];
    for place in places.iter().chain([&paths.ha_dir, &above]) {
        let before = fs::metadata(place).unwrap().permissions();
        for mode in [0o666, 0o602, 0o777] {
            set_mode(place, mode | before.mode() & 0o700);
            let said = fatal(&paths).join("\n");
            assert!(said.contains(&format!("{} may be written by everybody", place.display())), "{said}");
            assert!(said.contains("chmod go-w"), "{said}");
        }
        fs::set_permissions(place, before).unwrap();
    }
    // Root's own group is root.
    set_mode(&paths.ha_cf(), 0o664);
    assert_eq!(fatal(&paths), Vec::<String>::new());
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(paths.ha_cf(), None, Some(1000)).unwrap();
        assert!(fatal(&paths).join("").contains("may be written by group 1000"));
        std::os::unix::fs::chown(paths.ha_cf(), Some(1000), Some(0)).unwrap();
        assert!(fatal(&paths).join("").contains("chown root"));
    }
}

#[test]
fn a_link_is_judged_by_its_whole_way() {
    let (dir, paths) = node();
    let open = dir.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::rename(paths.ha_cf(), dir.path().join("ha.cf")).unwrap();
    symlink("../ha.cf", open.join("ha.cf")).unwrap();
    symlink("../open/ha.cf", paths.ha_cf()).unwrap();
    assert_eq!(fatal(&paths), Vec::<String>::new());
    set_mode(&open, 0o777);
    assert!(fatal(&paths).join("").contains("/open may be written by everybody"));
}

#[test]
fn a_directory_where_others_may_put_files_is_none_for_a_configuration_though_it_is_sticky() {
    let (_dir, paths) = node();
    set_mode(&paths.ha_dir, 0o1777);
    assert!(fatal(&paths).join("").contains("ha.d may be written by everybody"));
}

#[test]
fn keys_that_others_may_read_or_write_are_refused() {
    let (_dir, paths) = node();
    for (mode, what) in [(0o640, "read"), (0o604, "read"), (0o620, "change"), (0o602, "change"), (0o666, "change")] {
        set_mode(&paths.authkeys(), mode);
        let said = fatal(&paths).join("\n");
        assert!(
            said.contains(&format!("others can {what} the keys")) && said.contains("chmod 600"),
            "{mode:o}: {said}"
        );
    }
}

#[test]
fn on_another_node_s_behalf_files_are_read_whoever_wrote_them() {
    let (_dir, paths) = node();
    set_mode(&paths.ha_cf(), 0o666);
    let options = ReadOptions { as_node: NodeName::new("other"), ..ReadOptions::default() };
    assert!(read_config::load_with(&paths, &options).1.is_ok());
    assert!(read_config::nothing_but_a_name(&paths).is_some(), "without a word of what is in it");
}

#[test]
fn a_fifo_in_the_place_of_a_file_is_not_waited_for() {
    let (_dir, paths) = node();
    fs::remove_file(paths.ha_cf()).unwrap();
    nix::unistd::mkfifo(&paths.ha_cf(), nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    assert!(fatal(&paths).join("").contains("no plain file"));
}

#[test]
fn scripts_that_others_may_write_are_named_and_cost_no_start() {
    let (_dir, paths) = node();
    for (path, mode) in [
        (paths.rc_dir().join("status"), 0o777),
        (paths.rc_dir().join("good"), 0o755),
        (paths.shellfuncs(), 0o666),
        (paths.ha_dir.join("harc"), 0o757),
    ] {
        fs::write(&path, "#!/bin/sh\n").unwrap();
        set_mode(&path, mode);
    }
    assert_eq!(fatal(&paths), Vec::<String>::new());
    let problems = script_problems(&paths);
    let said: Vec<_> = problems.iter().map(|problem| problem.file.rsplit('/').next().unwrap()).collect();
    assert_eq!(said, ["shellfuncs", "harc", "status"]);
    assert!(problems.iter().all(|problem| problem.is_error() && !problem.is_fatal()));
    set_mode(&paths.resource_dir(), 0o777);
    set_mode(&paths.rc_dir(), 0o1777);
    assert_eq!(script_problems(&paths).len(), 4);
}
