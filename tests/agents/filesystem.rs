//! `Filesystem`: mounted and unmounted in a mount namespace, with holders that go when asked, when made to, or never.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::bench::on_a_bench;
use super::called::{Said, agent, ended, there_and_back};
use super::surroundings::{Sleeper, is_root_of_the_machine};
use super::tap::now;

const LATIDO: &str = env!("CARGO_BIN_EXE_latido");

/// A directory of the bench; what is still mounted below goes with it.
struct Place(tempfile::TempDir);

impl Drop for Place {
    fn drop(&mut self) {
        let dir = self.0.path().canonicalize().unwrap_or_default();
        let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let points = table.lines().rev().filter_map(|line| line.split(' ').nth(1)).map(Path::new);
        for point in points.filter(|point| point.starts_with(&dir)) {
            let _ = nix::mount::umount2(point, nix::mount::MntFlags::MNT_DETACH);
        }
    }
}

fn place() -> (Place, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    (Place(dir), path)
}

fn call(dir: &Path, words: &str) -> Said {
    agent(dir, &format!("Filesystem {words}"))
}

fn is_mounted(dir: &Path) -> bool {
    let table = fs::read_to_string("/proc/self/mounts").unwrap();
    table.lines().any(|line| line.split(' ').nth(1) == dir.to_str())
}

fn mount(words: &[&str]) {
    assert!(Command::new("mount").args(words).status().unwrap().success(), "mount {words:?}");
}

#[test]
fn a_file_system_comes_and_goes_with_its_options_and_its_directory_is_made() {
    on_a_bench("filesystem::a_file_system_comes_and_goes_with_its_options_and_its_directory_is_made", || {
        let (_keep, dir) = place();
        let data = dir.join("a/b c");
        let spaced = |verb: &str| {
            let mut command = Command::new(LATIDO);
            command.args(["agent", "Filesystem", "tmpfs"]).arg(&data).args(["tmpfs", "noatime,size=1m", verb]);
            ended(command)
        };
        assert_eq!((spaced("status").code, spaced("start").code, spaced("status").code), (7, 0, 0));
        let table = fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(table.contains("b\\040c tmpfs rw,noatime,size=1024k"), "{table}");
        assert_eq!((spaced("stop").code, spaced("stop").code, spaced("status").code), (0, 0, 7));

        let plain = dir.join("plain");
        there_and_back(&dir, &format!("Filesystem tmpfs {}/ tmpfs", plain.display()), || assert!(is_mounted(&plain)));
        let link = dir.join("link");
        std::os::unix::fs::symlink(&plain, &link).unwrap();
        there_and_back(&dir, &format!("Filesystem tmpfs {} tmpfs", link.display()), || assert!(is_mounted(&plain)));
    });
}

#[test]
fn an_image_is_mounted_through_a_loop_device_which_goes_with_it() {
    on_a_bench("filesystem::an_image_is_mounted_through_a_loop_device_which_goes_with_it", || {
        let (_keep, dir) = place();
        let (image, data) = (dir.join("image"), dir.join("data"));
        fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
        let made = Command::new("mkfs.ext4").arg("-q").arg(&image).status();
        let loops = Path::new("/dev/loop-control").exists() && is_root_of_the_machine();
        if !made.is_ok_and(|status| status.success()) || !loops {
            eprintln!("not tested: no mkfs.ext4, no loop devices, or not root");
            return;
        }
        let words = format!("{} {} ext4 loop,noatime", image.display(), data.display());
        let started = call(&dir, &format!("{words} start"));
        assert_eq!(started.code, 0, "{started:?}");
        assert!(is_mounted(&data));
        // A container, as it were, that sees the disk although nobody mounts it there.
        let elsewhere = Sleeper::of(
            &dir,
            "exec unshare -m --propagation private sh -c 'echo ready; exec >/dev/null; while :; do sleep 0.05; done'",
        );
        let stopped = call(&dir, &format!("{words} stop"));
        assert_eq!((stopped.code, is_mounted(&data)), (0, false));
        assert!(stopped.why.contains("stays in use: it is mounted on"), "{stopped:?}");
        drop(elsewhere);
        let wrong = call(&dir, &format!("{} {} xfs loop start", image.display(), data.display()));
        assert!(wrong.code == 1 && wrong.why.contains("Couldn't mount device"), "{wrong:?}");
    });
}

#[test]
fn what_cannot_be_mounted_is_refused_with_the_reason() {
    on_a_bench("filesystem::what_cannot_be_mounted_is_refused_with_the_reason", || {
        let (_keep, dir) = place();
        let data = dir.join("data");
        let show = data.display();
        let missing = call(&dir, &format!("/dev/nothere {show} ext4 start"));
        assert!(missing.code == 5 && missing.why.contains("Couldn't find device [/dev/nothere]"), "{missing:?}");
        assert_eq!(call(&dir, &format!("/dev/nothere {show} ext4 stop")).code, 0);
        assert_eq!(call(&dir, "tmpfs start").code, 1);

        fs::create_dir_all(data.join("sub")).unwrap();
        mount(&["-t", "tmpfs", "x", data.join("sub").to_str().unwrap()]);
        let hidden = call(&dir, &format!("tmpfs {show} tmpfs start"));
        assert!(hidden.code == 6 && hidden.why.contains("data/sub would be hidden"), "{hidden:?}");
    });
}

#[test]
fn a_directory_of_the_system_is_no_resource_and_its_stop_touches_nothing() {
    on_a_bench("filesystem::a_directory_of_the_system_is_no_resource_and_its_stop_touches_nothing", || {
        let (_keep, dir) = place();
        let link = dir.join("link");
        std::os::unix::fs::symlink("/", &link).unwrap();
        let mut sleeper = Sleeper::new(Path::new("/"), ":");
        let before = fs::read_to_string("/proc/self/mounts").unwrap();
        for target in ["/", "//", "/usr", "/bin", link.to_str().unwrap()] {
            let code = |verb: &str| call(&dir, &format!("/dev/null {target} ext4 {verb}")).code;
            assert_eq!((code("start"), code("stop"), code("status")), (6, 0, 7), "{target}");
        }
        assert_eq!(fs::read_to_string("/proc/self/mounts").unwrap(), before);
        assert!(sleeper.lives());
    });
}

#[test]
fn everything_below_goes_first() {
    on_a_bench("filesystem::everything_below_goes_first", || {
        let (_keep, dir) = place();
        let data = dir.join("data");
        assert_eq!(call(&dir, &format!("tmpfs {} tmpfs start", data.display())).code, 0);
        for below in ["a", "a/b", "c"] {
            fs::create_dir_all(data.join(below)).unwrap();
            mount(&["-t", "tmpfs", "x", data.join(below).to_str().unwrap()]);
        }
        mount(&["-t", "tmpfs", "x", data.join("c").to_str().unwrap()]);
        let stopped = call(&dir, &format!("tmpfs {} tmpfs stop", data.display()));
        assert_eq!(stopped.code, 0, "{stopped:?}");
        assert!(!fs::read_to_string("/proc/self/mounts").unwrap().contains(data.to_str().unwrap()));
    });
}

#[test]
fn a_file_system_that_fsck_cannot_mend_is_not_mounted() {
    on_a_bench("filesystem::a_file_system_that_fsck_cannot_mend_is_not_mounted", || {
        let (_keep, dir) = place();
        let Some(device) = (0..8).map(|n| format!("/dev/loop{n}")).find(|device| Path::new(device).exists()) else {
            eprintln!("not tested: no block device to name");
            return;
        };
        let fake = |name: &str, body: &str| {
            let path = dir.join(name);
            fs::write(&path, format!("#!/bin/sh\necho {name} \"$@\" >>{}/called\n{body}\n", dir.display())).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        };
        let data = dir.join("data");
        let show = data.display();
        fake("mount", "exit 0");
        let start = |fsck: i32, words: &str| {
            fake("fsck", &format!("echo fsck says so\nexit {fsck}"));
            let _ = fs::remove_file(dir.join("called"));
            let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
            let mut command = Command::new(LATIDO);
            command.args(["agent", "Filesystem", &device]).arg(&data).args(words.split_whitespace()).env("PATH", path);
            let said = ended(command);
            (said.code, fs::read_to_string(dir.join("called")).unwrap_or_default())
        };
        let checked = format!("fsck -a -t ext2 {device}\n");
        assert_eq!(start(1, "ext2 start"), (0, format!("{checked}mount -t ext2 {device} {show}\n")));
        assert_eq!(start(4, "ext2 start"), (1, checked));
        assert_eq!(start(4, "start"), (1, format!("fsck -a {device}\n")));
        assert_eq!(start(4, "ext3 noatime start"), (0, format!("mount -t ext3 -o noatime {device} {show}\n")));
    });
}

#[test]
fn a_holder_is_asked_to_end_and_named() {
    on_a_bench("filesystem::a_holder_is_asked_to_end_and_named", || {
        let (_keep, dir) = place();
        let data = dir.join("data");
        let words = format!("tmpfs {} tmpfs", data.display());
        assert_eq!(call(&dir, &format!("{words} start")).code, 0);
        let mut beside = Sleeper::new(&dir, ":");
        let mut by_directory = Sleeper::new(&data, ":");
        let mut by_file = Sleeper::new(&dir, &format!("exec 7>{}/open", data.display()));
        let begun = now();
        let stopped = call(&dir, &format!("{words} stop"));
        eprintln!("busy with two holders that obey, released after {:?}", begun.elapsed());
        assert_eq!(stopped.code, 0, "{stopped:?}");
        assert!(!by_directory.lives() && !by_file.lives() && beside.lives());
        for (holder, what) in [(&by_directory, "working directory"), (&by_file, "open file")] {
            let line = format!("sending signal TERM to: {} sh", holder.pid());
            let found = stopped.why.lines().find(|text| text.contains(&line)).unwrap_or_else(|| panic!("{stopped:?}"));
            assert!(found.contains(what), "{found}");
        }
        assert!(begun.elapsed() < Duration::from_secs(5));
    });
}

#[test]
fn through_a_bind_mount_only_holders_of_that_mount_are_ended() {
    on_a_bench("filesystem::through_a_bind_mount_only_holders_of_that_mount_are_ended", || {
        let (_keep, dir) = place();
        let (disk, data) = (dir.join("disk"), dir.join("data"));
        fs::create_dir(&disk).unwrap();
        mount(&["-t", "tmpfs", "x", disk.to_str().unwrap()]);
        fs::create_dir(disk.join("sub")).unwrap();
        let words = format!("{} {} none bind", disk.join("sub").display(), data.display());
        assert_eq!(call(&dir, &format!("{words} start")).code, 0);
        let mut elsewhere = Sleeper::new(&disk, &format!("exec 7>{}/open", disk.display()));
        let mut there = Sleeper::new(&data, ":");
        let mut open = Sleeper::new(&dir, &format!("exec 7>{}/open", data.display()));
        let stopped = call(&dir, &format!("{words} stop"));
        assert_eq!(stopped.code, 0, "{stopped:?}");
        assert!(elsewhere.lives() && !there.lives() && !open.lives(), "{stopped:?}");
    });
}

#[test]
fn a_service_in_a_mount_namespace_of_its_own_is_ended_when_it_keeps_ours_busy() {
    on_a_bench("filesystem::a_service_in_a_mount_namespace_of_its_own_is_ended_when_it_keeps_ours_busy", || {
        let (_keep, dir) = place();
        // As systemd has it: what is mounted below is seen, and unmounted, in the services' namespaces as well.
        mount(&["--bind", dir.to_str().unwrap(), dir.to_str().unwrap()]);
        mount(&["--make-shared", dir.to_str().unwrap()]);
        let disk = dir.join("disk");
        fs::create_dir(&disk).unwrap();
        mount(&["-t", "tmpfs", "x", disk.to_str().unwrap()]);
        fs::create_dir(disk.join("sub")).unwrap();
        for (name, device, options) in
            [("own", "tmpfs".to_owned(), "tmpfs"), ("bound", disk.join("sub").display().to_string(), "none bind")]
        {
            let data = dir.join(name);
            let words = format!("{device} {} {options}", data.display());
            assert_eq!(call(&dir, &format!("{words} start")).code, 0);
            let inside = |what: &str| {
                let body = format!("{what}; echo ready; exec >/dev/null; while :; do sleep 0.05; done");
                Sleeper::of(&dir, &format!("exec unshare -m --propagation slave sh -c '{body}'"))
            };
            let mut by_directory = inside(&format!("cd {}", data.display()));
            let mut by_file = inside(&format!("exec 7>{}/open", data.display()));
            let mut private = inside(&format!("mount --make-private {}; cd {}", dir.display(), data.display()));
            let stopped = call(&dir, &format!("{words} stop"));
            assert!(stopped.code == 0 && !is_mounted(&data), "{name}: {stopped:?}");
            assert!(!by_directory.lives() && !by_file.lives(), "{name}: {stopped:?}");
            // What does not keep us is left alone where mounts tell it apart; by device it holds the disk as well.
            assert_eq!(private.lives(), name == "bound", "{name}: {stopped:?}");
        }
    });
}

#[test]
fn who_does_not_obey_is_killed_and_whoever_started_us_is_not() {
    on_a_bench("filesystem::who_does_not_obey_is_killed_and_whoever_started_us_is_not", || {
        let (_keep, dir) = place();
        let start = |name: &str| {
            let data = dir.join(name);
            assert_eq!(call(&dir, &format!("tmpfs {} tmpfs start", data.display())).code, 0);
            data
        };
        let (stubborn, ours) = (start("stubborn"), start("ours"));
        let mut holder = Sleeper::new(&stubborn, "trap '' TERM");
        let parent = thread::spawn(move || {
            // The shell that calls us sits in the directory, and so does another of its process group.
            let script = format!(
                "cd {0}; sleep 60 & {LATIDO} agent --within 2500 Filesystem tmpfs {0} tmpfs stop; code=$?; \
                 kill $! || exit 99; exit $code",
                ours.display()
            );
            let mut command = Command::new("sh");
            command.args(["-c", &script]);
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
            ended(command)
        });
        let begun = now();
        let stopped = agent(&dir, &format!("--within 5000 Filesystem tmpfs {} tmpfs stop", stubborn.display()));
        eprintln!("busy with a holder that ignores TERM, released after {:?}", begun.elapsed());
        assert!(stopped.code == 0 && !holder.lives(), "{stopped:?}");
        // Asked for the first two of the four seconds it takes itself of its caller's five.
        assert!((2..4).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
        assert!(stopped.why.contains(&format!("sending signal KILL to: {}", holder.pid())), "{stopped:?}");

        let refused = parent.join().unwrap();
        assert_eq!(refused.code, 1, "{refused:?}");
        assert!(refused.why.contains("it started us") && refused.why.contains("own process group"), "{refused:?}");
        assert!(refused.why.contains("giving up") && refused.why.contains("sleep 60"), "{refused:?}");
    });
}
