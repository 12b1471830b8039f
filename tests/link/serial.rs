//! A serial line made of pseudo-terminals: the daemon has the slave ends, the test is the cable between the masters.

use std::fs;
use std::path::Path;
use std::time::Duration;

use latido::clock::Clock;
use latido::config::MediumSpec;
use latido::link::{LinkEvent, Links, Urgency};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{ControlFlags, InputFlags, LocalFlags, tcgetattr};
use nix::unistd::{read, write};

use crate::steady::on_a_steady_machine;
use crate::support::{next, run, until};

/// One end of the cable.
struct Plug {
    master: PtyMaster,
    device: String,
}

impl Plug {
    fn new() -> Plug {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let device = ptsname_r(&master).unwrap();
        Plug { master, device }
    }

    fn read(&self) -> Vec<u8> {
        let mut buffer = [0; 4096];
        match read(&self.master, &mut buffer) {
            Ok(count) => buffer[..count].to_vec(),
            Err(Errno::EAGAIN | Errno::EIO) => Vec::new(),
            Err(error) => panic!("{error}"),
        }
    }

    fn write(&self, bytes: &[u8]) {
        assert_eq!(write(&self.master, bytes), Ok(bytes.len()));
    }

    fn spec(&self) -> MediumSpec {
        MediumSpec::Serial { device: self.device.clone(), baud: 19200 }
    }
}

fn open(plugs: &[&Plug], locks: &Path, clock: &Clock) -> Links {
    let specs: Vec<_> = plugs.iter().map(|plug| plug.spec()).collect();
    Links::open_all(&specs, locks, clock).unwrap()
}

#[test]
fn all_text_passes_a_null_modem_in_both_directions() {
    run(async {
        let (clock, locks) = (Clock::start(), tempfile::tempdir().unwrap());
        let (left, right) = (Plug::new(), Plug::new());
        let mut near = open(&[&left], locks.path(), &clock);
        let mut far = open(&[&right], locks.path(), &clock);
        // Everything seven bits can say but the carriage return, which both generations swallow (IGNCR).
        let text: Vec<u8> = (0..128).filter(|byte| *byte != b'\r').collect();
        near.broadcast(b"not this", &text, Urgency::Beat);
        far.broadcast(b"not this", &text, Urgency::Beat);
        let (mut at_near, mut at_far) = (Vec::new(), Vec::new());
        while at_near.len() < text.len() || at_far.len() < text.len() {
            right.write(&left.read());
            left.write(&right.read());
            let wait = tokio::time::sleep(Duration::from_millis(2));
            tokio::select! {
                event = near.next() => hear(&event, &near, &mut at_near),
                event = far.next() => hear(&event, &far, &mut at_far),
                () = wait => {}
            }
        }
        assert_eq!((&at_near, &at_far), (&text, &text));
    });
}

fn hear(event: &LinkEvent, links: &Links, heard: &mut Vec<u8>) {
    assert!(matches!(event, LinkEvent::Bytes { link: 0, stream: true, .. }), "{event:?}");
    heard.extend_from_slice(links.bytes());
}

#[test]
fn the_line_is_set_as_the_original_sets_it() {
    run(async {
        let (clock, locks) = (Clock::start(), tempfile::tempdir().unwrap());
        let plug = Plug::new();
        let _links = open(&[&plug], locks.path(), &clock);
        let termios = tcgetattr(&plug.master).unwrap();
        let on = InputFlags::ISTRIP | InputFlags::IGNCR | InputFlags::BRKINT | InputFlags::INPCK;
        let off = InputFlags::ICRNL | InputFlags::IXON | InputFlags::IXOFF | InputFlags::IGNBRK;
        assert!(termios.input_flags.contains(on), "{:?}", termios.input_flags);
        assert!(!termios.input_flags.intersects(off), "{:?}", termios.input_flags);
        assert!(termios.control_flags.contains(ControlFlags::CS8 | ControlFlags::CRTSCTS | ControlFlags::CLOCAL));
        assert!(!termios.control_flags.intersects(ControlFlags::PARENB | ControlFlags::CSTOPB));
        assert!(!termios.local_flags.intersects(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG));
    });
}

#[test]
fn a_far_end_that_does_not_read_costs_the_oldest_whole_messages_and_no_time() {
    on_a_steady_machine(|| {
        run(async {
            let (clock, locks) = (Clock::start(), tempfile::tempdir().unwrap());
            let plug = Plug::new();
            let mut links = open(&[&plug], locks.path(), &clock);
            let message = |n: u32| format!("<{n:04}{}>", ".".repeat(194)).into_bytes();
            let started = clock.mono();
            for n in 0..1000 {
                links.broadcast(b"", &message(n), Urgency::Beat);
            }
            assert!(clock.mono().since(started) < Duration::from_millis(500), "sending waited");
            let counters = links.counters(0);
            assert_eq!(counters.sent, 1000);
            assert!(counters.dropped > 800, "{counters:?}");
            assert_eq!(links.failure(0), None, "a silent far end is no fault of the line");

            // Somebody reads again: what waited comes out whole, in order, the newest last.
            let mut heard = Vec::new();
            while !heard.ends_with(&message(999)) {
                heard.extend(plug.read());
                let _ = tokio::time::timeout(Duration::from_millis(1), links.next()).await;
                assert!(clock.mono().since(started) < Duration::from_secs(5), "{} bytes", heard.len());
            }
            assert_eq!(heard.len() % 200, 0);
            let numbers: Vec<u32> =
                heard.chunks(200).map(|frame| std::str::from_utf8(&frame[1..5]).unwrap().parse().unwrap()).collect();
            assert!(numbers.is_sorted());
            assert_eq!(u64::try_from(numbers.len()).unwrap(), counters.sent - counters.dropped);
        });
    });
}

#[test]
fn a_line_that_hung_up_is_told_once_and_reopened() {
    run(async {
        let (clock, locks) = (Clock::start(), tempfile::tempdir().unwrap());
        // A name that survives, as /dev/ttyUSB0 does, for ptys that do not.
        let dir = tempfile::tempdir().unwrap();
        let device = dir.path().join("ttyUSB0");
        let first = Plug::new();
        std::os::unix::fs::symlink(&first.device, &device).unwrap();
        let spec = MediumSpec::Serial { device: device.to_str().unwrap().into(), baud: 9600 };
        let mut links = Links::open_all(&[spec], locks.path(), &clock).unwrap();

        drop(first.master);
        let failed = next(&mut links, &clock).await;
        assert!(matches!(failed, LinkEvent::Failed { link: 0, .. }), "{failed:?}");
        links.broadcast(b"", b"nobody hears this", Urgency::Beat);
        assert_eq!(fs::read_dir(locks.path()).unwrap().count(), 0, "a line we lost is not locked");

        let second = Plug::new();
        fs::remove_file(&device).unwrap();
        std::os::unix::fs::symlink(&second.device, &device).unwrap();
        assert_eq!(next(&mut links, &clock).await, LinkEvent::Restored { link: 0 });
        links.broadcast(b"", b"hello again", Urgency::Beat);
        let mut heard = Vec::new();
        until(&clock, || {
            heard.extend(second.read());
            heard == b"hello again"
        })
        .await;
    });
}

#[test]
fn a_line_in_use_is_refused_with_the_name_of_its_user() {
    run(async {
        let (clock, locks) = (Clock::start(), tempfile::tempdir().unwrap());
        let plug = Plug::new();
        let lock = locks.path().join(format!("LCK..{}", plug.device.replace("/dev/", "").replace('/', "")));
        fs::write(&lock, "         1\n").unwrap();
        let errors = Links::open_all(&[plug.spec()], locks.path(), &clock).unwrap_err();
        let said = errors[0].to_string();
        assert!(said.contains("in use by pid 1"), "{said}");
        assert!(said.contains(&format!("make_io_childpair: cannot open serial {}", plug.device)), "{said}");

        fs::write(&lock, "   4194999\n").unwrap();
        let links = open(&[&plug], locks.path(), &clock);
        assert_eq!(fs::read_to_string(&lock).unwrap(), format!("{:>10}\n", std::process::id()));
        drop(links);
        assert!(!lock.exists());
    });
}

#[test]
fn a_line_open_twice_is_refused() {
    run(async {
        let (clock, locks) = (Clock::start(), tempfile::tempdir().unwrap());
        let plug = Plug::new();
        let _first = open(&[&plug], locks.path(), &clock);
        let errors = Links::open_all(&[plug.spec()], locks.path(), &clock).unwrap_err();
        assert!(errors[0].to_string().contains("in use by pid"), "{}", errors[0]);
        // A program that knows no lock files still meets the kernel's exclusive mode.
        let other_locks = tempfile::tempdir().unwrap();
        let errors = Links::open_all(&[plug.spec()], other_locks.path(), &clock).unwrap_err();
        assert!(errors[0].to_string().contains("exclusively"), "{}", errors[0]);
    });
}

#[test]
fn a_device_that_is_no_line_is_refused() {
    run(async {
        let (clock, locks) = (Clock::start(), tempfile::tempdir().unwrap());
        for device in ["/dev/nosuchtty", "/dev/null"] {
            let spec = MediumSpec::Serial { device: device.into(), baud: 19200 };
            let errors = Links::open_all(&[spec], locks.path(), &clock).unwrap_err();
            assert!(errors[0].to_string().starts_with(&format!("cannot open serial {device}: ")), "{}", errors[0]);
        }
        assert_eq!(fs::read_dir(locks.path()).unwrap().count(), 0);
    });
}

#[test]
fn last_words_leave_before_the_line_is_closed() {
    run(async {
        let (clock, locks) = (Clock::start(), tempfile::tempdir().unwrap());
        let plug = Plug::new();
        let mut links = open(&[&plug], locks.path(), &clock);
        links.broadcast(b"", b"goodbye", Urgency::Beat);
        links.flush(Duration::from_secs(2)).await;
        assert_eq!(plug.read(), b"goodbye");
    });
}
