use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use crate::cluster::StartFacts;
use crate::record::{Player, ShowLevel};
use crate::simulate::{groups, settings};
use crate::wire::Generation;

use super::*;

fn life() -> RecordStart {
    let start_facts = StartFacts::new(Generation(7), [1; 16], 3);
    RecordStart::new(&settings("alpha").unwrap(), &groups("alpha ra"), &start_facts, Now::default())
}

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("record");
    (dir, path)
}

fn open(path: &Path) -> Result<Recorder, String> {
    Recorder::open(path, DiskThread::behind().unwrap())
}

/// How many lives and events there are; every line is whole.
fn play(path: &Path) -> usize {
    let text = fs::read_to_string(path).unwrap();
    let mut player = Player::new(ShowLevel::Changes);
    text.lines().for_each(|line| drop(player.play(line).unwrap()));
    player.end().unwrap();
    text.lines().count()
}

fn one_life(path: &Path) {
    let mut recorder = open(path).unwrap();
    recorder.begin(&life()).unwrap();
    recorder.record_event(Now::default(), &Event::Tick).unwrap();
}

#[test]
fn each_life_goes_on_behind_the_one_before_even_if_that_was_cut_off() {
    let (_dir, path) = place();
    one_life(&path);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    one_life(&path);
    assert_eq!(play(&path), 4);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() - 9]).unwrap();
    one_life(&path);
    assert_eq!(play(&path), 6);
}

#[test]
fn a_file_that_others_could_read_is_closed_to_them() {
    let (_dir, path) = place();
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    one_life(&path);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_link_a_second_name_a_directory_a_strangers_file_and_one_in_use_are_refused() {
    let (dir, path) = place();
    fs::write(&path, "precious\n").unwrap();
    let other = dir.path().join("other");
    let refused = |path: &Path, why: &str| {
        let said = open(path).unwrap_err();
        assert!(said.contains(why) && said.contains("nothing is recorded"), "{said}");
    };
    symlink(&path, &other).unwrap();
    refused(&other, "symbolic link");
    fs::remove_file(&other).unwrap();
    fs::hard_link(&path, &other).unwrap();
    refused(&path, "second name");
    fs::remove_file(&other).unwrap();
    refused(dir.path(), "directory");
    refused(Path::new("/no/such/directory/record"), "No such file");
    if std::os::unix::fs::chown(&path, Some(65534), None).is_ok() {
        refused(&path, "somebody else");
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
    }
    let held = open(&path).unwrap();
    refused(&path, "another daemon");
    drop(held);
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious\n");
}

/// The sentence with which the record ends.
fn end_of(recorder: &mut Recorder) -> String {
    loop {
        if let Err(why) = recorder.record_event(Now::default(), &Event::Tick) {
            return why;
        }
        assert!(recorder.disk.settle());
    }
}

#[test]
fn a_record_that_is_long_enough_ends_with_a_whole_line_and_is_not_taken_up_again() {
    let (_dir, path) = place();
    let mut recorder = Recorder::open_for(&path, DiskThread::behind().unwrap(), 4000).unwrap();
    recorder.begin(&life()).unwrap();
    let why = end_of(&mut recorder);
    assert!(why.contains("which is enough: the record ends here"), "{why}");
    drop(recorder);
    let length = fs::metadata(&path).unwrap().len();
    assert!(length > 3900 && length <= 4000, "{length}");
    assert!(play(&path) > 20);
    assert!(Recorder::open_for(&path, DiskThread::at_once(), length).unwrap_err().contains("bytes already"));
}

#[test]
fn a_full_disk_ends_the_record_with_a_sentence() {
    let (_dir, path) = place();
    let file = open_file(&path).unwrap();
    let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
    let full = Flock::lock(full, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno).unwrap();
    drop(file);
    let mut writer = Writer { path, file: full, written: 0, most: 100, complaints: None };
    let why = writer.write(b"{}\n").unwrap_err();
    assert!(why.contains("No space left") && why.contains("the record ends here"), "{why}");
}

#[test]
fn what_happened_before_a_panic_is_on_disk_when_the_panic_goes_on() {
    let (_dir, path) = place();
    let mut recorder = open(&path).unwrap();
    let panicked = std::thread::spawn(move || {
        recorder.begin(&life()).unwrap();
        // As an abort would: nothing is dropped.
        let _recorder = std::mem::ManuallyDrop::new(recorder);
        panic!("as wanted");
    });
    assert!(panicked.join().is_err());
    assert_eq!(play(&path), 1);
}

#[test]
fn a_disk_that_hangs_ends_the_record_and_nobody_waits_for_it() {
    let (_dir, path) = place();
    let disk = DiskThread::behind().unwrap();
    let mut recorder = Recorder::open(&path, disk.clone()).unwrap();
    recorder.begin(&life()).unwrap();
    let (free, hangs) = channel::<()>();
    assert!(disk.later(move || hangs.recv().unwrap_or_default()));
    let mut said = (0..).map(|_| recorder.record_event(Now::default(), &Event::Tick));
    let why = said.find_map(Result::err).unwrap();
    assert!(why.contains("the disk does not keep up: the record ends here"), "{why}");
    drop(free);
}
