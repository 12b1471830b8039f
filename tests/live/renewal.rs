//! The renewal in place: a pair of heartbeat 3.0.6 with Debian's files becomes a pair of Latidos, one node after the other,
//! while a client uses the address. No file of `/etc/ha.d` is touched.

use std::fmt::Write as _;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use socket2::{Domain, Protocol, Socket, Type};

use super::runner::{Pace, Test};
use super::support::Kind::Real;
use super::support::clock::{epoch, wait_until};
use super::support::network::Switch;
use super::support::{Pair, Plan};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] =
    tests!(true, Pace::Together, [a_pair_of_originals_is_renewed_in_place_without_an_outage_beyond_a_hand_over]);

const ADDRESS: &str = "10.21.0.100";
/// How often the client asks.
const ASKS: Duration = Duration::from_millis(20);

fn a_pair_of_originals_is_renewed_in_place_without_an_outage_beyond_a_hand_over() {
    let pair = Pair::new(&Plan::new(Real, Real).resources(&format!("alpha {ADDRESS}\n")));
    let files = ["alpha", "beta"].map(|name| files_of(&pair, name));
    let mut tale = Tale { pair: &pair, client: Client::new(&pair.switch), text: String::new() };
    pair.start_both();
    tale.holds("alpha");
    tale.begin("Two heartbeats 3.0.6 with Debian's files. A hand-over between them, there and back, is the measure.");
    tale.shell("alpha", "cat /etc/ha.d/ha.cf /etc/ha.d/haresources; ls -l /etc/ha.d/resource.d/IPaddr");
    // Who was heard to be settled may be asked to give.
    pair.stable("alpha", 30.0);
    pair.stable("beta", 30.0);
    let give = tale.step("alpha", "/usr/share/heartbeat/hb_standby", "beta");
    pair.stable("alpha", 30.0);
    pair.stable("beta", 30.0);
    let take = tale.step("alpha", "/usr/share/heartbeat/hb_takeover local", "alpha");
    pair.stable("alpha", 30.0);
    pair.stable("beta", 30.0);
    let hand_over = give.max(take);

    tale.begin("alpha is renewed: its heartbeat is stopped, Latido is looked at and started on the same files.");
    let left = tale.step("alpha", "/usr/libexec/heartbeat/heartbeat -k", "beta");
    tale.shell("alpha", "latido check");
    let back = tale.step("alpha", "heartbeat", "alpha");
    pair.stable("beta", 30.0);
    tale.settled("alpha");
    tale.shell("alpha", "latido status; ip -o -4 addr show eth0; latido doctor | grep -v PASS");

    tale.begin("beta is renewed. alpha holds the address meanwhile.");
    let beta_left = tale.step("beta", "/usr/libexec/heartbeat/heartbeat -k", "alpha");
    tale.shell("beta", "latido check");
    let beta_back = tale.step("beta", "heartbeat", "alpha");
    tale.settled("beta");
    tale.settled("alpha");

    tale.begin("Two Latidos: a hand-over there and back, with the old package's IPaddr.");
    let ours = [tale.step("alpha", "hb_standby", "beta"), {
        tale.settled("alpha");
        tale.settled("beta");
        tale.step("alpha", "hb_takeover local", "alpha")
    }];
    tale.settled("alpha");
    tale.shell("alpha", "latido status; latido events | tail -n 12");
    let _ = writeln!(
        tale.text,
        "\nLongest time without an answer, in seconds: hand-over of two originals {give:.2} and {take:.2}; renewal of alpha \
         {left:.2} and {back:.2}, of beta {beta_left:.2} and {beta_back:.2}; hand-over of two Latidos {:.2} and {:.2}.",
        ours[0], ours[1]
    );
    if let Some(path) = std::env::var_os("LATIDO_LIVE_TRANSCRIPT") {
        std::fs::write(path, &tale.text).expect("the transcript can be written");
    }

    assert_eq!(files, ["alpha", "beta"].map(|name| files_of(&pair, name)), "a file of /etc/ha.d was changed");
    // On a machine with other work a hand-over may take a few times as long as the one before it; one that failed would
    // take as long as a deadtime and a start of the daemon, or for ever.
    let bearable = hand_over * 4.0 + 2.0;
    for outage in [left, back, ours[0], ours[1]] {
        assert!(
            outage < bearable,
            "{outage:.2} s without an answer, a hand-over takes {hand_over:.2} s\n{}",
            tale.text
        );
    }
    assert!(beta_left.max(beta_back) < hand_over.max(1.0), "the address stays where it is\n{}", tale.text);
    pair.assert_real_content();
}

/// All files a node was given, with what is in them and when they were changed.
fn files_of(pair: &Pair, name: &str) -> Vec<(String, u64, i64)> {
    fn walk(dir: &Path, found: &mut Vec<(String, u64, i64)>) {
        for entry in std::fs::read_dir(dir).expect("a directory of our own").flatten() {
            let meta = entry.metadata().expect("a file of our own");
            match meta.is_dir() {
                true => walk(&entry.path(), found),
                false => found.push((entry.path().display().to_string(), meta.ino(), meta.mtime_nsec())),
            }
        }
    }
    let mut found = Vec::new();
    walk(&pair.host(name).dir.join("ha.d"), &mut found);
    found.sort();
    found
}

/// What was done, and what was printed.
struct Tale<'a> {
    pair: &'a Pair,
    client: Client,
    text: String,
}

impl Tale<'_> {
    fn begin(&mut self, what: &str) {
        let _ = write!(self.text, "\n# {what}\n");
    }

    /// One command, and what it printed.
    fn shell(&mut self, name: &str, command: &str) {
        let host = self.pair.host(name);
        // The renewed node finds our programs by their names.
        let output = host.run(&format!("PATH={}/bin:$PATH; {command}", host.dir.display()));
        let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
        let code = output.status.code().filter(|code| *code != 0).map(|code| format!("[exit {code}]\n"));
        let _ = write!(self.text, "{name}# {command}\n{said}{}", code.unwrap_or_default());
    }

    /// The same; then the address must be answered for by this host. Returns the longest time nobody answered.
    fn step(&mut self, name: &str, command: &str, holder: &str) -> f64 {
        let from = epoch();
        self.shell(name, command);
        self.holds(holder);
        let outage = self.client.longest_silence(from);
        let _ = writeln!(self.text, "  -> {ADDRESS} is on {holder}; longest time without an answer: {outage:.2} s");
        outage
    }

    /// Waits until one host has the address, the other has not, and the client has an answer.
    fn holds(&self, holder: &str) {
        let has = |name: &str| {
            let shown = self.pair.host(name).run("ip -o -4 addr show eth0").stdout;
            String::from_utf8_lossy(&shown).contains(&format!("{ADDRESS}/"))
        };
        let alone = || has(holder) && !has(if holder == "alpha" { "beta" } else { "alpha" });
        wait_until(&format!("{ADDRESS} on {holder}"), 60.0, alone);
        let now = epoch();
        wait_until("the client to be answered", 60.0, || self.client.last_answer() > now);
    }

    /// Waits until the Latido of this host has nothing left to do.
    fn settled(&self, name: &str) {
        let host = self.pair.host(name);
        let ask = format!("{}/bin/latido status --json", host.dir.display());
        wait_until(&format!("{name} to be stable"), 60.0, || {
            let json: serde_json::Value = serde_json::from_slice(&host.run(&ask).stdout).unwrap_or_default();
            json.get("stable").and_then(serde_json::Value::as_bool) == Some(true)
        });
    }
}

/// Pings the address from the switch, and remembers when it was answered. Its neighbour cache is its own affair: who takes
/// the address over must tell it.
struct Client {
    answers: Arc<Mutex<Vec<f64>>>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    fn new(switch: &Switch) -> Client {
        let (answers, end) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (into, ends, namespace) = (Arc::clone(&answers), Arc::clone(&end), switch.namespace());
        let thread = std::thread::spawn(move || {
            setns(&namespace, CloneFlags::CLONE_NEWNET).expect("this thread may enter a network of ours");
            ping(&into, &ends);
        });
        Client { answers, end, thread: Some(thread) }
    }

    fn answers(&self) -> Vec<f64> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn last_answer(&self) -> f64 {
        self.answers().last().copied().unwrap_or(0.0)
    }

    /// From the last answer before `from` on.
    fn longest_silence(&self, from: f64) -> f64 {
        let answers = self.answers();
        let first = answers.partition_point(|at| *at <= from).saturating_sub(1);
        answers[first..].windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn ping(answers: &Mutex<Vec<f64>>, end: &AtomicBool) {
    let mut socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).expect("a raw socket");
    socket.set_read_timeout(Some(ASKS)).expect("a read timeout");
    let address: std::net::SocketAddr = format!("{ADDRESS}:0").parse().expect("an address");
    // Echo request, identifier 0x4c61, no data; the checksum makes the sum of all words zero.
    let (kind, identifier) = (0x0800_u16, 0x4c61_u16);
    let mut asked = 0.0;
    while !end.load(Ordering::Relaxed) {
        if epoch() - asked >= ASKS.as_secs_f64() {
            asked = epoch();
            let words = [kind, !(kind + identifier), identifier, 0];
            let request: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            let _ = socket.send_to(&request, &address.into());
        }
        let mut packet = [0; 128];
        let Ok(length) = socket.read(&mut packet) else { continue };
        let header = usize::from(packet[0] & 0x0f) * 4;
        let is_answer = packet
            .get(header..length)
            .is_some_and(|icmp| icmp.starts_with(&[0, 0]) && icmp[4..6] == identifier.to_be_bytes());
        if is_answer {
            answers.lock().unwrap_or_else(PoisonError::into_inner).push(epoch());
        }
    }
}
