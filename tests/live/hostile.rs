//! Strangers on the wire, and a daemon that is stopped for a while: hostile input. Two Latidos, and a
//! third host that can send anything to anyone; it also is the one that watches the beats.

use std::time::Duration;

use super::runner::{Pace, Test};
use super::scenarios;
use super::support::clock::{epoch, instant, pass, secs};
use super::support::pair::NAMES;
use super::support::stranger::{as_stranger, overheard};
use super::support::{Kind, Pair, Plan, shell};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    false,
    Pace::Alone,
    [
        rubbish_of_every_kind_changes_nothing,
        a_flood_of_rubbish_changes_nothing,
        a_flood_of_replayed_messages_changes_nothing,
        a_flood_of_forged_messages_changes_nothing,
        a_daemon_stopped_for_three_deadtimes_never_leaves_two_owners,
    ]
);

/// Rubbish that must not reach a real node: it would die of it (`wire.md` 10.1). Only Latidos run here.
const RUBBISH: &[&[u8]] = &[
    b"",
    b"x",
    b">>>\n",
    b"###\n",
    b"###\n5:hello,%%%\n",
    b"###\n9:(9)a=bcde,%%%\n",
    b"###\n0:,%%%\n",
    b"###\n99999999999999999999:(0)t=status,%%%\n",
    b"###\n-1:(0)t=status,%%%\n",
    b"###\n12:(0)t=status,%%%\n40:1 aaaa,",
    b">>>\nt=status\n<<<\n",
    b">>>\nt=status\nsrc=beta\nauth=1 0000000000000000000000000000000000000000\n<<<\n",
    b">>>\nt=status\nsrc=beta\nauth=99999999999 0\n<<<\n",
    b">>>\n=\n==\n(1)=\n(4)x=!!!!\n<<<\n",
    b"\0\0\0\0\0\0\0\0",
];

fn plan() -> Plan {
    Plan::new(Kind::Latido, Kind::Latido).timed(100, 500)
}

/// Bad datagrams of every kind, cut and changed copies of good ones among them.
fn rubbish_of_every_kind_changes_nothing() {
    let pair = scenarios::cold_start(&plan());
    let good = overheard(&pair);
    let watch = Watch::begin(&pair);
    as_stranger(&pair, |stranger| {
        RUBBISH.iter().for_each(|bytes| stranger.send(bytes));
        stranger.send(&vec![b'x'; 65_000]);
        stranger.send(&[b">>>\n".as_slice(), &vec![b'a'; 60_000], b"\n<<<\n"].concat());
        for n in (0..good.len()).step_by(7) {
            stranger.send(&good[..n]);
            let mut flipped = good.clone();
            flipped[n] ^= 0x11;
            stranger.send(&flipped);
        }
    });
    pass(secs(1.0));
    watch.nothing_happened(&pair, 200);
}

fn a_flood_of_rubbish_changes_nothing() {
    flood(|_| RUBBISH.iter().map(|bytes| bytes.to_vec()).collect());
}

fn a_flood_of_replayed_messages_changes_nothing() {
    flood(|pair| vec![overheard(pair)]);
}

fn a_flood_of_forged_messages_changes_nothing() {
    flood(|pair| {
        let mut forged = overheard(pair);
        let digest = forged.len() - 20;
        forged[digest] = if forged[digest] == b'0' { b'1' } else { b'0' };
        vec![forged]
    });
}

/// 20,000 packets a second for ten seconds, to both nodes in turn.
fn flood(packets: impl FnOnce(&Pair) -> Vec<Vec<u8>>) {
    let pair = scenarios::cold_start(&plan());
    let packets = packets(&pair);
    let watch = Watch::begin(&pair);
    let sent = as_stranger(&pair, |stranger| {
        let begun = instant();
        let mut sent = 0_u32;
        while begun.elapsed() < Duration::from_secs(10) {
            let due = begun.elapsed().as_secs_f64() * 20_000.0;
            while f64::from(sent) < due {
                stranger.send(&packets[sent as usize % packets.len()]);
                sent += 1;
            }
            pass(Duration::from_millis(1));
        }
        sent
    });
    assert!(sent > 150_000, "the stranger only managed {sent} packets");
    watch.nothing_happened(&pair, 1000);
}

/// A pair before something is done to it.
struct Watch {
    begun: f64,
    held: [Vec<String>; 2],
    log: [usize; 2],
    memory: [u64; 2],
    keepalive: f64,
}

impl Watch {
    fn begin(pair: &Pair) -> Watch {
        pair.nothing_moves_for(1.0);
        Watch {
            begun: epoch(),
            held: pair.held(),
            log: NAMES.map(|name| pair.host(name).log().len()),
            memory: NAMES.map(|name| resident(pair, name)),
            keepalive: 0.1,
        }
    }

    /// Own beats on time, nothing moved, nobody was declared dead, memory and log stayed small.
    fn nothing_happened(&self, pair: &Pair, lines: usize) {
        assert_eq!(pair.held(), self.held);
        for (n, name) in NAMES.into_iter().enumerate() {
            let gap = longest_gap(&pair.tap.beats(name), self.begun);
            let grown = resident(pair, name).saturating_sub(self.memory[n]);
            let log = pair.host(name).log().split_off(self.log[n]);
            shell::print(&format!(
                "{name}: longest gap between beats {:.0} ms, memory +{grown} kB, log +{} lines",
                gap * 1000.0,
                log.lines().count()
            ));
            assert!(gap < 2.0 * self.keepalive, "{name} was silent for {gap:.3} s");
            assert!(grown < 8192, "{name} grew by {grown} kB");
            assert!(log.lines().count() < lines, "{name} filled its log: {}", log.lines().count());
            assert!(!log.contains("is dead"), "{log}");
        }
        pair.both_active(2.0);
        pair.assert_never_double();
    }
}

/// The longest silence of a node since `from`, until now.
fn longest_gap(beats: &[f64], from: f64) -> f64 {
    let mut times: Vec<f64> = beats.iter().copied().filter(|at| *at >= from).collect();
    times.insert(0, from);
    times.push(epoch());
    times.windows(2).map(|two| two[1] - two[0]).fold(0.0, f64::max)
}

/// Resident memory of a daemon in kB.
fn resident(pair: &Pair, name: &str) -> u64 {
    let pid = pair.host(name).daemon().expect("a running daemon");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Two Latidos have one owner again in under a second; the assertion leaves room for a slow machine.
fn a_daemon_stopped_for_three_deadtimes_never_leaves_two_owners() {
    let took = scenarios::stopped_and_woken(&plan());
    shell::print(&format!("one owner again {took:.3} s after waking"));
    assert!(took < 2.0, "{took:.3} s");
}
