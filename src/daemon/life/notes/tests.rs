use std::os::unix::fs::MetadataExt;

use proptest::prelude::*;

use super::*;

fn kept() -> Notes {
    let group = |state, words: &[&str], failure: Option<&str>| NotedGroup {
        owner: NodeName::new("alpha").unwrap(),
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        state,
        since_partition: state == GroupState::Held,
        offered: state == GroupState::Failed,
        failure: failure.map(str::to_owned),
    };
    let groups = vec![
        group(GroupState::Held, &["drbddisk::r0", "IPaddr::10.0.0.10/24/eth0"], None),
        group(GroupState::Failed, &["asterisk"], Some("asterisk start: exit 1")),
        group(GroupState::Stopping, &["rc"], None),
    ];
    let handover =
        Handover { giving: true, set: Set::Foreign, done: false, begun: false, overdue: false, heard: Sequence(77) };
    let patience = Some(Duration::from_secs(8));
    Notes {
        groups,
        leaving: true,
        needs_failback: true,
        peer_gone: true,
        handover: Some(handover),
        lost: true,
        patience,
    }
}

#[test]
fn everything_written_down_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = NotesFile::new(dir.path(), Duration::from_millis(77), Duration::from_secs(2));
    file.keep(kept()).unwrap();
    file.job_started(JobId(1), std::process::id(), Duration::from_secs(9)).unwrap();
    file.respawned(vec![Process { pid: 4711, start: 12 }]).unwrap();
    let notes = NotesFile::read(dir.path()).unwrap();
    assert_eq!((notes.alive, notes.patience), (Duration::from_millis(77), Duration::from_secs(2)));
    assert_eq!((notes.kept, notes.boot), (kept(), boot_id()));
    assert_eq!(notes.jobs, [(Process::running(std::process::id()).unwrap(), Duration::from_secs(9))]);
    assert_eq!(notes.respawned, [Process { pid: 4711, start: 12 }]);
}

#[test]
fn every_step_of_a_hand_over_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = NotesFile::new(dir.path(), Duration::ZERO, Duration::ZERO);
    let steps = [(true, false, true, false), (true, true, true, false), (true, true, true, true)];
    let taking = [(false, false, false, false), (false, false, true, false), (false, true, true, false)];
    for (giving, done, begun, overdue) in steps.into_iter().chain(taking).chain([(false, false, true, true)]) {
        let handover = Some(Handover { giving, set: Set::Local, done, begun, overdue, heard: Sequence(3) });
        file.keep(Notes { handover, ..kept() }).unwrap();
        assert_eq!(NotesFile::read(dir.path()).unwrap().kept.handover, handover);
    }
}

#[test]
fn a_heartbeat_is_noted_in_place_and_changes_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = NotesFile::new(dir.path(), Duration::ZERO, Duration::ZERO);
    file.keep(kept()).unwrap();
    let path = NotesFile::path(dir.path());
    let before = fs::metadata(&path).unwrap();
    file.alive(Duration::from_secs(123_456), Duration::from_secs(30));
    let after = fs::metadata(&path).unwrap();
    assert_eq!((before.ino(), before.len()), (after.ino(), after.len()));
    let notes = NotesFile::read(dir.path()).unwrap();
    assert_eq!((notes.alive, notes.patience), (Duration::from_secs(123_456), Duration::from_secs(30)));
    assert_eq!(notes.kept, kept());
}

#[test]
fn a_file_nobody_needs_goes_and_one_that_names_a_blocked_group_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = NotesFile::new(dir.path(), Duration::ZERO, Duration::ZERO);
    file.keep(kept()).unwrap();
    file.close();
    assert!(NotesFile::path(dir.path()).exists());
    file.keep(Notes::default()).unwrap();
    file.close();
    assert!(!NotesFile::path(dir.path()).exists());
}

#[test]
fn a_program_that_ends_after_the_end_of_the_daemon_leaves_no_order_to_leave_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = NotesFile::new(dir.path(), Duration::ZERO, Duration::ZERO);
    file.respawned(vec![Process { pid: 4711, start: 12 }]).unwrap();
    file.keep(Notes { leaving: true, ..Notes::default() }).unwrap();
    file.close();
    file.respawned(Vec::new()).unwrap();
    assert_eq!(NotesFile::read(dir.path()), None);
}

#[test]
fn a_full_disk_is_told_once_and_leaves_no_old_news_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = NotesFile::new(dir.path(), Duration::ZERO, Duration::ZERO);
    file.keep(kept()).unwrap();
    fs::remove_dir_all(dir.path()).unwrap();
    let why = file.keep(Notes::default()).unwrap_err();
    assert!(why.contains("latido-state") && why.contains("is not adopted"), "{why}");
    file.keep(kept()).unwrap();
    fs::create_dir(dir.path()).unwrap();
    file.keep(kept()).unwrap();
    assert_eq!(NotesFile::read(dir.path()).unwrap().kept, kept());
}

#[test]
fn a_process_is_known_by_its_start_not_by_its_number() {
    let me = Process::running(std::process::id()).unwrap();
    assert!(me.is_alive());
    assert!(!Process { start: me.start + 1, ..me }.is_alive());
    assert_eq!(Process::running(u32::MAX), None);
}

#[test]
fn notes_of_version_0_1_0_and_of_a_later_one_are_read() {
    // Never edited: what is added to the notes later is not in here.
    let of_0_1_0 = "alive             123456       2000\nlatido 1\nboot 9f2c 37\nleaving\nfailback\n\
        group held p alpha drbddisk::r0 IPaddr::10.0.0.10/24/eth0\n\
        group failed o alpha asterisk\nwhy asterisk start: exit 1\ngroup stopping - alpha rc\n\
        job 4711 8231456 123500\nclient 4712 8231500\n";
    let mut kept = kept();
    kept.groups[1].since_partition = false;
    (kept.peer_gone, kept.handover, kept.lost, kept.patience) = (false, None, false, None);
    let notes = NotesOnDisk::from_text(of_0_1_0).unwrap();
    assert_eq!((notes.kept.clone(), notes.boot.as_str()), (kept, "9f2c 37"));
    assert_eq!((notes.alive, notes.patience), (Duration::from_millis(123_456), Duration::from_secs(2)));
    assert_eq!((notes.jobs.len(), notes.respawned.len()), (1, 1));
    let later = of_0_1_0.replace("leaving\n", "leaving\nmood good\n");
    assert_eq!(NotesOnDisk::from_text(&later), Some(notes));
}

#[test]
fn what_a_broken_disk_adds_to_the_end_of_a_line_is_not_part_of_it() {
    let notes =
        NotesOnDisk::from_text("alive 1 1\r\nlatido 1\r\r\nboot 9f2c\r\r\r\ngroup held - alpha ra\r\r\n").unwrap();
    assert_eq!((notes.boot.as_str(), &notes.kept.groups[0].words[..]), ("9f2c", &["ra".to_owned()][..]));
    assert_eq!(NotesOnDisk::from_text(&notes.to_text()), Some(notes));
}

#[test]
fn numbers_that_would_mean_everybody_are_refused() {
    for line in ["job -1 5 5", "job 0 5 5", "job 1 5 5", "client -4711 5"] {
        assert_eq!(NotesOnDisk::from_text(&format!("alive 1 1\nlatido 1\n{line}\n")), None, "{line}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(alive|latido 1|group|why|job|client|boot|held|[ -~]|\n){0,80}") {
        let _ = NotesOnDisk::from_text(&text);
    }

    #[test]
    fn what_it_writes_it_reads(alive in 0u64..1 << 50, patience in 0u64..86_400_000, pid in 2i32..i32::MAX, start: u64) {
        let notes = NotesOnDisk {
            alive: Duration::from_millis(alive),
            patience: Duration::from_millis(patience),
            boot: "b 1".into(),
            kept: kept(),
            jobs: vec![(Process { pid, start }, Duration::from_millis(alive))],
            respawned: vec![Process { pid, start }],
        };
        prop_assert_eq!(NotesOnDisk::from_text(&notes.to_text()), Some(notes));
    }
}
