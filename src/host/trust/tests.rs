use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

use super::*;

/// A directory of our own below one that is everybody's and sticky.
fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    (dir, path)
}

fn script(path: &Path, text: &str, mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    set_mode(path, mode);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Where the walk to a program ends because of somebody else.
fn refused(path: &Path) -> Option<PathBuf> {
    program(path).err().map(|refusal| refusal.exposed.place)
}

#[test]
fn a_program_of_root_s_behind_links_of_root_s_is_run_and_named_without_links() {
    let (_dir, at) = place();
    script(&at.join("real/web"), "#!/bin/sh\n", 0o755);
    symlink("../real/web", at.join("real/again")).unwrap();
    symlink(at.join("real"), at.join("there")).unwrap();
    fs::create_dir(at.join("d")).unwrap();
    symlink("../there/again", at.join("d/web")).unwrap();
    assert_eq!(program(&at.join("d/web")).unwrap().unwrap().path, at.join("real/web"));
    assert_eq!(program(&at.join("d/../d/./web")).unwrap().unwrap().path, at.join("real/web"));
}

#[test]
fn each_directory_between_two_links_counts() {
    let (_dir, at) = place();
    script(&at.join("real/web"), "#!/bin/sh\n", 0o755);
    fs::create_dir_all(at.join("open/middle")).unwrap();
    symlink(at.join("real/web"), at.join("open/middle/web")).unwrap();
    fs::create_dir(at.join("d")).unwrap();
    symlink(at.join("open/middle/web"), at.join("d/web")).unwrap();
    assert_eq!(refused(&at.join("d/web")), None);
    for between in ["open", "open/middle"] {
        set_mode(&at.join(between), 0o777);
        assert_eq!(refused(&at.join("d/web")), Some(at.join(between)));
        set_mode(&at.join(between), 0o755);
    }
    if nix::unistd::geteuid().is_root() {
        chown(at.join("open"), Some(1000), None).unwrap();
        let refusal = program(&at.join("d/web")).unwrap_err();
        assert!(refusal.to_string().contains("/open may be written by user 1000 (mode 0755, owner 1000"), "{refusal}");
        assert!(refusal.to_string().contains("chown root"), "{refusal}");
        chown(at.join("open"), Some(0), Some(1000)).unwrap();
        assert_eq!(refused(&at.join("d/web")), None);
        set_mode(&at.join("open"), 0o775);
        assert_eq!(refused(&at.join("d/web")), Some(at.join("open")));
    }
}

#[test]
fn in_a_sticky_directory_the_owner_of_a_link_counts() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let (_dir, at) = place();
    script(&at.join("real"), "#!/bin/sh\n", 0o755);
    fs::create_dir(at.join("sticky")).unwrap();
    set_mode(&at.join("sticky"), 0o1777);
    let link = at.join("sticky/web");
    symlink(at.join("real"), &link).unwrap();
    assert_eq!(refused(&link), None);
    std::os::unix::fs::lchown(&link, Some(1000), None).unwrap();
    assert_eq!(refused(&link), Some(link));
    // What may be there tomorrow is another matter.
    assert!(matches!(directory(&at.join("sticky")).unwrap(), FoundAt::Exposed(_)));
    assert!(matches!(directory(&at).unwrap(), FoundAt::Trusted(_)));
}

#[test]
fn the_interpreter_is_looked_at_as_well() {
    let (_dir, at) = place();
    script(&at.join("open/sh"), "#!/bin/sh\n", 0o755);
    script(&at.join("web"), &format!("#! {}/open/sh -e\n", at.display()), 0o755);
    assert_eq!(refused(&at.join("web")), None);
    set_mode(&at.join("open"), 0o777);
    let refusal = program(&at.join("web")).unwrap_err().to_string();
    assert!(refusal.contains("/web will not be run: its interpreter: ") && refusal.contains("chmod go-w"), "{refusal}");
    script(&at.join("second"), &format!("#!{}/web\n", at.display()), 0o755);
    assert_eq!(refused(&at.join("second")), Some(at.join("open")));
}

#[test]
fn what_the_first_line_gives_the_interpreter_is_looked_at_and_no_way_is_guessed() {
    let (_dir, at) = place();
    script(&at.join("open/body"), "", 0o755);
    for line in ["#!/bin/sh", "#! /usr/bin/env\t", "#!/bin/sh -e"] {
        script(&at.join("web"), &format!("{line} {}/open/body\n", at.display()), 0o755);
        set_mode(&at.join("open"), 0o755);
        assert_eq!(refused(&at.join("web")), None, "{line}");
        set_mode(&at.join("open"), 0o777);
        assert_eq!(refused(&at.join("web")), Some(at.join("open")), "{line}");
    }
    for line in ["#!../../../open/body", "#!sh", "#! ./sh"] {
        script(&at.join("web"), &format!("{line}\n"), 0o755);
        assert!(program(&at.join("web")).unwrap().is_none(), "{line}");
    }
}

#[test]
fn what_is_not_there_or_no_program_is_nothing_and_nothing_is_waited_for() {
    let (_dir, at) = place();
    assert!(program(&at.join("nothing")).unwrap().is_none());
    script(&at.join("plain"), "", 0o644);
    assert!(program(&at.join("plain")).unwrap().is_none() && program(&at.join("plain/web")).unwrap().is_none());
    nix::unistd::mkfifo(&at.join("fifo"), Mode::from_bits_truncate(0o700)).unwrap();
    assert!(program(&at.join("fifo")).unwrap().is_none());
    let FoundAt::Trusted(fifo) = walk(&at.join("fifo")).unwrap() else { panic!("our own") };
    assert!(fifo.open().is_err());
    symlink("ring", at.join("ring")).unwrap();
    assert!(program(&at.join("ring")).unwrap().is_none());
    // Of an open directory of root's only the name is looked at.
    fs::create_dir(at.join("open")).unwrap();
    set_mode(&at.join("open"), 0o777);
    assert!(program(&at.join("open/nothing")).unwrap().is_none());
    script(&at.join("open/web"), "", 0o755);
    assert_eq!(refused(&at.join("open/web")), Some(at.join("open")));
}
