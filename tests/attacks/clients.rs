//! Clients of the API, of the control socket and of the status page that take more than their share, or say what they should not.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::{Child, ExitCode, Stdio};

use latido::api::body::{Spelling, encode};
use latido::api::frame::frame;
use latido::wire::{Kind as Type, Message, Value};

use super::runner::{Pace, Test};
use super::support::Kind::Latido;
use super::support::clock::{epoch, wait_until};
use super::support::host::Host;
use super::support::pair::NAMES;
use super::support::{Medium, Pair, Plan, shell};

/// The tests of this file.
pub(crate) const TESTS: &[Test] = &[
    test("a_hundred_kilobytes_of_a_client_delay_no_heartbeat_on_a_serial_line", talk_on_a_line, Pace::Alone),
    test("a_client_message_no_medium_could_carry_is_refused_and_asked_for_by_nobody", too_long, Pace::Unhurried),
    test("idle_connections_lock_nobody_out_of_the_sockets_and_the_page", idle_crowds, Pace::Unhurried),
    test("what_a_client_says_does_nothing_to_the_terminal_of_root", escapes, Pace::Unhurried),
    test("who_moves_a_group_as_a_client_is_named_whatever_he_says", named, Pace::Unhurried),
    test("a_member_of_the_group_looks_and_moves_nothing", looks, Pace::Unhurried),
    test("who_has_the_port_of_the_page_is_told_of_and_waited_for", taken, Pace::Unhurried),
    test("no_core_of_the_daemon_holds_the_key", cores, Pace::Unhurried),
];

const fn test(name: &'static str, run: fn(), pace: Pace) -> Test {
    Test { name, run, needs_real: false, pace }
}

/// The word by which this program is a client in a host.
const ROLE: &str = "as-attacking-client";
/// Says that what is said is binary: it grows by a third on its way.
const BLOB: &str = "blob";
const REGISTER: &str = "/run/heartbeat/register";
/// Somebody without any privilege, as Debian numbers him.
const NOBODY: u32 = 65_534;

/// When this program was started as a client of a host: what became of it.
pub(crate) fn as_client() -> Option<ExitCode> {
    let words: Vec<String> = std::env::args().collect();
    let [_, role, kind, rest @ ..] = words.as_slice() else { return None };
    if role != ROLE {
        return None;
    }
    let done = match kind.as_str() {
        "gossip" => gossip(rest),
        "sit" => sit(rest),
        "ask" => ask(rest),
        _ => Err(std::io::ErrorKind::InvalidInput.into()),
    };
    if let Err(error) = &done {
        shell::print(&format!("{kind}: {error}"));
    }
    Some(if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Starts this program in a host as an unprivileged user.
pub(crate) fn begin(host: &Host, words: &[&str]) -> Child {
    begin_as(host, false, words)
}

/// The same, perhaps as one of the group `haclient`.
fn begin_as(host: &Host, in_group: bool, words: &[&str]) -> Child {
    let program = std::env::current_exe().expect("this program").display().to_string();
    as_nobody(host, in_group, &[&[program.as_str(), ROLE], words].concat())
}

/// Runs a program in a host as an unprivileged user, perhaps one of the group `haclient`.
pub(crate) fn as_nobody(host: &Host, in_group: bool, words: &[&str]) -> Child {
    let mut command = shell::inside(host.init(), true);
    let id = NOBODY.to_string();
    let group = if in_group { "haclient" } else { "nogroup" };
    command.args(["setpriv", "--reuid", &id, "--regid", group, "--clear-groups"]).args(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("nsenter and setpriv are part of util-linux")
}

/// Reads a line of what it says: it has come so far.
pub(crate) fn await_word(child: &mut Child) {
    let mut one = [0; 1];
    child.stdout.as_mut().expect("it is piped").read_exact(&mut one).expect("it says how far it is");
}

/// A pair whose clients may be anybody; with these lines more in `ha.cf`.
fn pair(plan: &Plan, lines: &str) -> Pair {
    pair_with(plan, lines, "")
}

/// The same, with a `latido.cf`.
pub(crate) fn pair_with(plan: &Plan, lines: &str, latido_cf: &str) -> Pair {
    let pair = Pair::new(plan);
    for name in ["alpha", "beta"] {
        pair.host(name)
            .add_to_ha_cf(&format!("apiauth gossip uid={NOBODY}\napiauth default uid={NOBODY},root\n{lines}"));
        std::fs::write(pair.host(name).dir.join("ha.d/latido.cf"), latido_cf).expect("latido.cf");
    }
    pair.start_both();
    pair.both_active(60.0);
    pair
}

pub(crate) fn latido(host: &Host, words: &str) -> std::process::Output {
    host.run(&format!("{} {words}", host.program("latido")))
}

fn sign_on(name: &str) -> std::io::Result<UnixStream> {
    let mut stream = UnixStream::connect(REGISTER)?;
    let message = Message::new(&Type::Other("hbapi-req".into()))
        .with("reqtype", "signon")
        .with("pid", std::process::id().to_string())
        .with("from_id", name)
        .with("uid", nix::unistd::geteuid().to_string())
        .with("gid", nix::unistd::getegid().to_string());
    stream.write_all(&frame(&encode(&message, Spelling::Classic)))?;
    let _ = stream.read(&mut [0; 1024])?;
    Ok(stream)
}

/// Says so many messages of so many bytes each, whatever it takes, with this in one of their fields.
fn gossip(words: &[String]) -> std::io::Result<()> {
    let [count, size, more] = words else { return Err(std::io::ErrorKind::InvalidInput.into()) };
    let number = |text: &str| text.parse::<usize>().map_err(std::io::Error::other);
    let (count, size) = (number(count)?, number(size)?);
    let mut stream = sign_on("gossip")?;
    let mut ear = stream.try_clone()?;
    // Somebody has to read what comes, or it is let go.
    let reading = std::thread::spawn(move || while ear.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {});
    for n in 0..count {
        let mut message = Message::new(&Type::Other("gossip".into())).with("number", n.to_string());
        if more == BLOB {
            message.set_value("text", Value::Binary(vec![0xfe; size]));
        } else {
            message.set("text", "x".repeat(size));
            message.set("more", more.as_str());
        }
        stream.write_all(&frame(&encode(&message, Spelling::Netstring)))?;
    }
    // It is heard when the next question is answered.
    let bye = Message::new(&Type::Other("hbapi-req".into())).with("reqtype", "signoff").with("from_id", "gossip");
    stream.write_all(&frame(&encode(&bye, Spelling::Classic)))?;
    let _ = reading.join();
    Ok(())
}

/// Asks for everything, by this kind of message, and says that it was somebody else.
fn ask(words: &[String]) -> std::io::Result<()> {
    let [kind, name] = words else { return Err(std::io::ErrorKind::InvalidInput.into()) };
    let mut stream = sign_on(name)?;
    let message = Message::new(&Type::Other(kind.clone()))
        .with("rsc_hold", "all")
        .with("info", "me")
        .with("why", "asked for on beta by root (pid 1234)");
    stream.write_all(&frame(&encode(&message, Spelling::Classic)))?;
    let bye = Message::new(&Type::Other("hbapi-req".into())).with("reqtype", "signoff").with("from_id", name.as_str());
    stream.write_all(&frame(&encode(&bye, Spelling::Classic)))?;
    while stream.read(&mut [0; 1024])? > 0 {}
    Ok(())
}

/// Connects so many times to a socket or an address, says nothing, and stays until its standard input ends.
fn sit(words: &[String]) -> std::io::Result<()> {
    let [count, place] = words else { return Err(std::io::ErrorKind::InvalidInput.into()) };
    let count: usize = count.parse().map_err(std::io::Error::other)?;
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for _ in 0..count {
        if place.starts_with('/') {
            here.push(UnixStream::connect(place)?)
        } else {
            there.push(TcpStream::connect(place)?)
        }
    }
    let _ = writeln!(std::io::stdout(), "sits");
    let _ = std::io::stdin().read(&mut [0; 1]);
    drop((here, there));
    Ok(())
}

/// 140 messages of 720 bytes with their fields; the line carries 1920 a second.
fn talk_on_a_line() {
    let plan = Plan { baud: 19_200, ..Plan::new(Latido, Latido).over(&[Medium::Serial]).timed(1000, 5000) };
    let pair = pair(&plan, "");
    pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
    let alpha = pair.host("alpha");
    let logs = ["alpha", "beta"].map(|name| pair.host(name).log().len());
    let from = epoch();
    let mut talker = begin(alpha, &["gossip", "140", "500", ""]);
    // Root's question is answered meanwhile, and so is a client's.
    wait_until("the first of it on the line", 20.0, || {
        pair.on_the_line(0).iter().any(|(_, text)| text.contains("t=gossip"))
    });
    assert!(latido(alpha, "status").status.success());
    assert_eq!(String::from_utf8_lossy(&alpha.run("cl_status nodestatus beta").stdout), "active\n");
    assert!(talker.wait().expect("our child").success(), "the talker was sent away");
    let whole = || {
        let text = pair.on_the_line(0);
        (0..140).filter(|n| text.iter().any(|(_, text)| text.contains(&format!("\nnumber={n}\n")))).count()
    };
    wait_until("every message to have been on the line", 60.0, || whole() == 140);
    let beats: Vec<f64> = beats(&pair).into_iter().filter(|at| *at > from).collect();
    let worst = beats.windows(2).map(|two| two[1] - two[0]).fold(0.0, f64::max);
    shell::print(&format!("{} beats in {:.0} s, the worst gap {worst:.3} s", beats.len(), epoch() - from));
    assert!(worst < 1.5, "a gap of {worst} s between two heartbeats");
    for (name, before) in ["alpha", "beta"].into_iter().zip(logs) {
        let log = pair.host(name).log()[before..].to_owned();
        assert!(!log.contains("is dead") && !log.contains("Late heartbeat"), "{log}");
    }
    assert_eq!(pair.held(), [vec!["ra", "rb"], vec!["rc", "rd"]]);
    pair.assert_never_double();
}

/// An original lets a client do that, and so do we.
fn named() {
    let pair = pair(&Plan::new(Latido, Latido), "");
    pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
    let alpha = pair.host("alpha");
    let all = ["ra", "rb", "rc", "rd"];
    for (kind, here, there) in [("hb_takeover", &all[..], &[][..]), ("ask_resources", &[], &all)] {
        begin(alpha, &["ask", kind, "gossip"]).wait().expect("our child");
        pair.settle(here, there, 60.0);
        let by = format!("client gossip (user {NOBODY})");
        let events = shell::said(&latido(alpha, "events"));
        assert!(events.contains(&by), "{events}");
        if kind == "hb_takeover" {
            let why = shell::said(&latido(alpha, "why"));
            assert!(why.contains(&format!("asked for on alpha by {by}")), "{why}");
        }
        for name in NAMES {
            let told = shell::said(&latido(pair.host(name), "why")) + &shell::said(&latido(pair.host(name), "status"));
            assert!(!told.contains("1234"), "{name}: {told}");
        }
        pair.both_active(60.0);
        pair.nothing_moves_for(2.0);
    }
    assert!(!NAMES.iter().any(|name| pair.host(name).log().contains("by root")));
}

/// By the control socket and as a client his group lets in; a user named in `ha.cf` may, but not all the time.
fn looks() {
    let pair = pair(&Plan::new(Latido, Latido), "apiauth panel gid=haclient\n");
    pair.settle(&["ra", "rb"], &["rc", "rd"], 60.0);
    let alpha = pair.host("alpha");
    let mark = alpha.log().len();
    let program = alpha.program("latido");
    for words in ["standby all", "takeover all", "forget-peer beta", "move ra", "resource retry ra"] {
        let child = as_nobody(alpha, true, &[&[program.as_str()][..], &words.split(' ').collect::<Vec<_>>()].concat());
        let said = child.wait_with_output().expect("our child");
        let text = format!("{}{}", shell::said(&said), String::from_utf8_lossy(&said.stderr));
        assert!(!said.status.success(), "{words}: {text}");
    }
    let child = as_nobody(alpha, true, &[program.as_str(), "status"]);
    assert!(shell::said(&child.wait_with_output().expect("our child")).contains("(here)"));
    for kind in ["hb_takeover", "ask_resources"] {
        begin_as(alpha, true, &["ask", kind, "panel"]).wait().expect("our child");
        pair.await_log("alpha", mark, "client panel (user 65534) may not move resources", 20.0);
    }
    pair.nothing_moves_for(2.0);
    assert_eq!(pair.held(), [vec!["ra", "rb"], vec!["rc", "rd"]]);
    // Who may, may six times a minute.
    for n in 0..12 {
        let kind = if n % 2 == 0 { "hb_takeover" } else { "ask_resources" };
        begin(alpha, &["ask", kind, "gossip"]).wait().expect("our child");
        pair.both_active(60.0);
    }
    pair.await_log("alpha", mark, "wants resources moved more often than six times a minute: not done", 20.0);
    pair.assert_never_double();
}

/// He could serve a page that says that all is well.
fn taken() {
    let pair = Pair::new(&Plan::new(Latido, Latido));
    let alpha = pair.host("alpha");
    std::fs::write(alpha.dir.join("ha.d/latido.cf"), "listen 127.0.0.1:8090\n").expect("latido.cf");
    let hold = "import socket, sys
s = socket.socket(); s.bind(('127.0.0.1', 8090)); s.listen(1); print('held', flush=True); sys.stdin.read()";
    let mut holder = as_nobody(alpha, false, &["python3", "-c", hold]);
    await_word(&mut holder);
    pair.start_both();
    pair.both_active(60.0);
    let status = || shell::said(&latido(alpha, "status"));
    let says = "no status page of ours, whatever answers there";
    assert!(status().contains(says), "{}", status());
    drop(holder.stdin.take());
    holder.wait().expect("our child");
    wait_until("the page to be ours", 30.0, || !status().contains(says));
}

/// When each new heartbeat of alpha came out of the line; what was asked for again is none.
pub(crate) fn beats(pair: &Pair) -> Vec<f64> {
    let mut newest = 0;
    let mut beats = Vec::new();
    for (at, text) in pair.on_the_line(0) {
        let seq = text.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("seq=")?, 16).ok());
        if let Some(seq) = seq.filter(|seq| text.contains("t=status\n") && *seq > newest) {
            newest = seq;
            beats.push(at);
        }
    }
    beats
}

fn too_long() {
    let pair = pair(&Plan::new(Latido, Latido), "");
    let alpha = pair.host("alpha");
    let marks = ["alpha", "beta"].map(|name| pair.host(name).log().len());
    for (size, more) in [("47000", ""), ("48900", ""), ("49060", BLOB), ("64900", ""), ("200000", "")] {
        assert!(begin(alpha, &["gossip", "1", size, more]).wait().expect("our child").success());
    }
    pair.await_log("alpha", marks[0], "more than 49152 do not fit", 20.0);
    pair.await_log("alpha", marks[0], "the media of ha.cf carry at most 65507. It is not sent", 20.0);
    assert!(begin(alpha, &["gossip", "3", "100", ""]).wait().expect("our child").success());
    wait_until("a short one to be heard after them", 20.0, || pair.tap.talk().contains(" number=2 "));
    pair.nothing_moves_for(2.0);
    let log = pair.host("beta").log()[marks[1]..].to_owned();
    assert!(!log.contains("rexmit") && !log.contains("lost packet"), "{log}");
}

fn idle_crowds() {
    let pair = Pair::new(&Plan::new(Latido, Latido));
    for name in ["alpha", "beta"] {
        let host = pair.host(name);
        host.add_to_ha_cf(&format!("apiauth default uid={NOBODY},root\n"));
        std::fs::write(host.dir.join("ha.d/latido.cf"), "listen 127.0.0.1:8090\n").expect("latido.cf");
    }
    pair.start_both();
    pair.both_active(60.0);
    let alpha = pair.host("alpha");
    let sitting: Vec<Child> = [("500", REGISTER), ("100", "127.0.0.1:8090")]
        .into_iter()
        .map(|(count, place)| {
            let mut child = begin_as(alpha, false, &["sit", count, place]);
            await_word(&mut child);
            child
        })
        // The control socket is for root and a group: this crowd is of that group.
        .chain(std::iter::once_with(|| {
            let mut child = begin_as(alpha, true, &["sit", "100", "/run/latido/latido.sock"]);
            await_word(&mut child);
            child
        }))
        .collect();
    for _ in 0..5 {
        let said = latido(alpha, "status");
        assert!(said.status.success(), "{}", shell::said(&said));
        assert_eq!(String::from_utf8_lossy(&alpha.run("cl_status nodestatus beta").stdout), "active\n");
        let page = alpha.run("curl -s -m 5 http://127.0.0.1:8090/metrics");
        assert!(String::from_utf8_lossy(&page.stdout).contains("latido"), "{}", shell::said(&page));
    }
    let code = |host: &str| {
        let asked = format!("curl -s -o /dev/null -w '%{{http_code}}' -H 'Host: {host}' http://127.0.0.1:8090/");
        String::from_utf8_lossy(&alpha.run(&asked).stdout).into_owned()
    };
    assert_eq!([code("localhost:8090"), code("alpha"), code("evil.example")], ["200", "200", "421"]);
    assert!(latido(alpha, "standby").status.success());
    for mut child in sitting {
        drop(child.stdin.take());
        let _ = child.wait();
    }
}

/// What does something to a terminal, as bytes; the last two are C1 and a change of direction.
const NASTY: [&str; 4] = ["\u{1b}", "\u{7}", "\u{9b}", "\u{202e}"];

fn escapes() {
    let pair = pair(&Plan::new(Latido, Latido), "");
    let alpha = pair.host("alpha");
    let nasty = "\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}txt\nNov 20 00:00:00 alpha heartbeat: [1]: ERROR: forged";
    // A request to stand by is written down with its words; so is one that is refused.
    let mut child = begin(alpha, &["gossip", "1", "10", nasty]);
    assert!(child.wait().expect("our child").success());
    let question = serde_json::json!({"ask": "move", "group": format!("10.0.0.1{nasty}"), "to": "beta"});
    let script = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect('/run/latido/latido.sock'); \
                  s.sendall(sys.argv[1].encode()+b'\\n'); s.recv(65536)";
    let asked = format!("python3 -c \"{script}\" '{question}'");
    let output = alpha.run(&asked);
    assert!(output.status.success(), "{}", shell::said(&output));
    wait_until("the request to be written down", 20.0, || {
        String::from_utf8_lossy(&latido(alpha, "events").stdout).contains("owned")
    });
    for words in [
        "events",
        "events --json",
        "why",
        "status",
        "status --json",
        "doctor",
        "check",
        "move \"$(printf 'x\\033[2J')\" beta",
    ] {
        let output = latido(alpha, words);
        assert_fit(&format!("latido {words}"), &[output.stdout, output.stderr].concat());
    }
    for words in [
        "nodestatus \"$(printf 'x\\033[2J')\"",
        "listnodes",
        "clientstatus beta \"$(printf 'x\\033')\"",
        "hbparameter -p \"$(printf 'x\\033')\"",
    ] {
        let output = latido(alpha, &format!("cl_status {words}"));
        assert_fit(&format!("cl_status {words}"), &[output.stdout, output.stderr].concat());
    }
    // Files that somebody else wrote, in words that are repeated and in names.
    let evil = "cp -r /etc/ha.d \"/run/evil$(printf '\\033[2J')\" && cd /run/evil* && \
                printf 'dead\\033[2Jtime \\302\\233\\n' >>ha.cf && printf 'x\\033[2J\\033 y::\\342\\200\\256\\n' >>haresources";
    assert!(alpha.run(evil).status.success());
    for words in ["check", "check --format json", "doctor -d"] {
        let output = latido(alpha, &format!("{words} /run/evil*"));
        assert!(!output.stdout.is_empty() && !output.status.success(), "{}", shell::said(&output));
        assert_fit(&format!("latido {words} of another's files"), &[output.stdout, output.stderr].concat());
    }
    let log = alpha.log();
    assert_fit("the log", log.as_bytes());
    assert!(!log.lines().any(|line| line.starts_with("Nov 20 00:00:00")), "a line was forged");
}

fn assert_fit(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let found = NASTY.iter().find(|nasty| text.contains(**nasty));
    assert!(found.is_none(), "{what} shows {found:?}: {text:?}");
}

fn cores() {
    let pair = pair(&Plan::new(Latido, Latido), "coredumps true\n");
    let alpha = pair.host("alpha");
    let core = alpha.core().expect("a core");
    // What root's debugger takes along follows the same marks as a core: the key is on none of those pages.
    let found = readable(core).into_iter().filter(|bytes| contains(bytes, b"SuperSecret")).count();
    assert_eq!(found, 0, "the key lies in memory a core would hold");
    // And the kernel writes none, whatever the limit and `coredumps` say: those are for scripts.
    let place =
        format!("/proc/{core}/root{}", std::fs::read_link(format!("/proc/{core}/cwd")).expect("a place").display());
    let cores = || -> Vec<String> {
        let names = alpha.run(&format!("ls -a {}", place.split_once("/root").map_or("/", |(_, inside)| inside)));
        let names = String::from_utf8_lossy(&names.stdout).into_owned();
        names.lines().filter(|name| name.starts_with("core")).map(str::to_owned).collect()
    };
    let before = cores();
    shell::must({
        let mut command = shell::clean("prlimit");
        command.args(["--core=unlimited", "--pid", &core.to_string()]);
        command
    });
    Host::send(&[core], nix::sys::signal::Signal::SIGABRT);
    wait_until("the daemon to be back", 20.0, || alpha.core().is_some_and(|now| now != core));
    assert_eq!(cores(), before, "a core was written");
}

/// The private memory of a process that a core dump would take along.
fn readable(pid: u32) -> Vec<Vec<u8>> {
    use std::os::unix::fs::FileExt as _;
    let smaps = std::fs::read_to_string(format!("/proc/{pid}/smaps")).expect("a running process");
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).expect("its memory");
    let mut found = Vec::new();
    let mut range = None;
    for line in smaps.lines() {
        let first = line.split(' ').next().unwrap_or_default();
        if let Some((from, to)) = first.split_once('-') {
            let hex = |text: &str| u64::from_str_radix(text, 16).ok();
            range = hex(from).zip(hex(to)).filter(|_| line.contains(" rw-p "));
        } else if line.starts_with("VmFlags:")
            && !line.split(' ').any(|flag| flag == "dd")
            && let Some((from, to)) = range.take()
        {
            let mut bytes = vec![0; usize::try_from(to - from).expect("a mapping")];
            if memory.read_exact_at(&mut bytes, from).is_ok() {
                found.push(bytes);
            }
        }
    }
    assert!(!found.is_empty(), "no memory of pid {pid} can be read");
    found
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|part| part == what)
}
