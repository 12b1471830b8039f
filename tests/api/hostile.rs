//! Clients that mean harm: many that come and go, some that never read, some that send rubbish, all at once for half a
//! minute. The daemon's beat, its memory and its other clients must not notice (`api.md` 1.6, 7).

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, ExitCode, Stdio};
use std::time::Duration;

use latido::api::body::{Spelling, encode};
use latido::api::frame::frame;
use latido::wire::{Kind as Type, Message};

use super::rig::{self, run};
use super::runner::{Pace, Test};
use super::support::Kind::Latido;
use super::support::clock::{epoch, instant, pass, secs};
use super::support::host::Host;
use super::support::{Pair, shell};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] =
    tests!(true, Pace::Alone, [clients_that_mean_harm_delay_no_heartbeat_and_no_other_client]);

/// The word by which this program is one of them.
pub(crate) const ROLE: &str = "as-clients";

const SECONDS: f64 = 30.0;
const SOCKET: &str = "/run/heartbeat/register";
/// Kind, and how many of it.
const CROWD: [(&str, usize); 3] = [("coming-and-going", 200), ("never-reading", 50), ("rubbish", 10)];
/// What the core may need more than before, in KiB.
const MORE_MEMORY: u64 = 24 * 1024;

fn clients_that_mean_harm_delay_no_heartbeat_and_no_other_client() {
    let plan = rig::plan(Latido, Latido);
    let pair = rig::pair(&plan, "apiauth default uid=root\n");
    rig::start(&pair);
    let host = pair.host("alpha");
    let (memory, files, log) = (memory(host), files(host), host.log().len());
    let from = epoch();
    let mut crowd = CROWD.map(|(kind, _)| begin(host, kind));
    let slowest = ask_meanwhile(host);
    for child in &mut crowd {
        assert!(child.wait().expect("our child").success(), "the crowd could not do its worst");
    }
    let until = epoch();
    let worst = worst_gap(&pair, from, until);
    let (grown, lines) = (self::memory(host).saturating_sub(memory), host.log()[log..].lines().count());
    shell::print(&format!(
        "worst gap {:.0} ms, slowest cl_status {:.0} ms, {grown} KiB more, {lines} lines of log",
        worst * 1000.0,
        slowest * 1000.0
    ));
    assert!(worst < 2.0 * f64::from(plan.keepalive_ms) / 1000.0, "a gap of {worst} s");
    assert!(slowest < 1.0, "cl_status waited {slowest} s");
    assert!(grown < MORE_MEMORY, "{grown} KiB more");
    assert!(lines < 20 * 30, "{lines} lines of log");
    pass(secs(2.0));
    assert_eq!(self::files(host), files, "connections were left open");
    assert_eq!(pair.held(), [vec!["ra", "rb"], vec![]]);
    pair.assert_never_double();
}

/// Runs this program in the host.
fn begin(host: &Host, kind: &str) -> Child {
    let program = std::env::current_exe().expect("this program");
    let mut command = shell::inside(host.init(), true);
    // What they take of the processor is not the question, and who measures must not wait for it.
    command.args(["nice", "-n", "19"]).arg(program).args([ROLE, kind, &SECONDS.to_string()]).stdout(Stdio::null());
    command.spawn().expect("nsenter is part of util-linux")
}

/// Asks all the time; the longest it took, in seconds.
fn ask_meanwhile(host: &Host) -> f64 {
    let begun = instant();
    let mut slowest: f64 = 0.0;
    while begun.elapsed().as_secs_f64() < SECONDS {
        let asked = instant();
        let (code, out, errors) = run(host, "cl_status nodestatus beta");
        let waited = asked.elapsed();
        assert!((code, out.as_str()) == (0, "active\n"), "after {waited:?}: {code} {out}{errors}");
        slowest = slowest.max(asked.elapsed().as_secs_f64());
        pass(secs(0.1));
    }
    slowest
}

/// The longest time between two heartbeats of alpha, in seconds.
fn worst_gap(pair: &Pair, from: f64, until: f64) -> f64 {
    let beats: Vec<f64> = pair.tap.beats("alpha").into_iter().filter(|at| (from..until).contains(at)).collect();
    assert!(beats.len() > 100, "{} beats", beats.len());
    beats.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
}

/// Resident memory of the daemon's core in KiB.
fn memory(host: &Host) -> u64 {
    let core = host.core().expect("a core");
    let status = std::fs::read_to_string(format!("/proc/{core}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// How many descriptors the core holds.
fn files(host: &Host) -> usize {
    let core = host.core().expect("a core");
    std::fs::read_dir(format!("/proc/{core}/fd")).expect("a running process").count()
}

/// The life of one kind of client, each of its number in a thread of its own.
pub(crate) fn client(kind: &str, seconds: &str) -> ExitCode {
    let Ok(seconds) = seconds.parse::<f64>() else { return ExitCode::FAILURE };
    let Some((kind, number)) = CROWD.into_iter().find(|known| known.0 == kind) else { return ExitCode::FAILURE };
    let begun = instant();
    // Whoever comes and goes is announced to the cluster: more of them a second than this, and the test's own ear on
    // the wire loses packets.
    let (worst, pause): (fn(usize) -> std::io::Result<()>, f64) = match kind {
        "coming-and-going" => (come_and_go, 0.2),
        "never-reading" => (never_read, 0.02),
        _ => (rubbish, 0.02),
    };
    std::thread::scope(|scope| {
        for n in 0..number {
            scope.spawn(move || {
                while begun.elapsed().as_secs_f64() < seconds {
                    // Whatever becomes of it: it was turned away, cut off, or has had enough.
                    let _ = worst(n);
                    pass(secs(pause));
                }
            });
        }
    });
    ExitCode::SUCCESS
}

fn connect() -> std::io::Result<UnixStream> {
    let stream = UnixStream::connect(SOCKET)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}

fn request(name: &str, reqtype: &str) -> Vec<u8> {
    let pid = std::process::id();
    let gid = nix::unistd::getegid();
    let message = Message::new(&Type::Other("hbapi-req".into()))
        .with("reqtype", reqtype)
        .with("pid", pid.to_string())
        .with("from_id", name)
        .with("uid", "0")
        .with("gid", gid.to_string());
    frame(&encode(&message, Spelling::Classic))
}

fn come_and_go(n: usize) -> std::io::Result<()> {
    let name = format!("guest{n}");
    let mut stream = connect()?;
    stream.write_all(&request(&name, "signon"))?;
    let mut answer = [0; 1024];
    if stream.read(&mut answer)? > 0 {
        stream.write_all(&request(&name, "nodelist"))?;
        let _ = stream.read(&mut answer)?;
    }
    // Every other goes without a word.
    if n.is_multiple_of(2) { stream.write_all(&request(&name, "signoff")) } else { Ok(()) }
}

fn never_read(n: usize) -> std::io::Result<()> {
    let name = format!("deaf{n}");
    let mut stream = connect()?;
    stream.write_all(&request(&name, "signon"))?;
    let question = request(&name, "nodelist");
    for _ in 0..10_000 {
        stream.write_all(&question)?;
    }
    Ok(())
}

fn rubbish(n: usize) -> std::io::Result<()> {
    let header = |length: i32, magic: u32| [length.to_ne_bytes(), magic.to_ne_bytes()].concat();
    let mut stream = connect()?;
    match n % 5 {
        0 => stream.write_all(&header(300_000, 0xabcd))?,
        1 => stream.write_all(&header(-1, 0xabcd))?,
        2 => stream.write_all(&[0xff; 4096])?,
        3 => {
            for body in [b"junk".as_slice(), b"", b">>>\njunk\n<<<\n", b"###\n5:hello,%%%\n", &[b'='; 5000]] {
                stream.write_all(&frame(body))?;
            }
        }
        // Half a frame, and then nothing.
        _ => stream.write_all(&frame(&[b'x'; 8000])[..4000])?,
    }
    if n % 5 == 4 {
        pass(secs(1.0));
        return Ok(());
    }
    // Until it is cut off, or for a moment.
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    let _ = stream.read(&mut [0; 64])?;
    Ok(())
}
