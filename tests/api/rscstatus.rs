//! What `cl_status rscstatus` says of every state of a pair: `docs/compared/rscstatus.md`, which two originals wrote
//! (`UPDATE_EXPECTED=1 cargo test --test api -- --ignored the_original_tells`), and which two of ours must repeat.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use latido::auth::{KeyId, Keyring, Method};
use latido::clock::Clock;
use latido::wire::{Form, Kind as Type, Message, field, seal};
use nix::sched::{CloneFlags, setns};

use super::rig::{NAMES, run};
use super::runner::{Pace, Test};
use super::support::Kind::{Latido, Real};
use super::support::clock::{epoch, instant, pass, secs, wait_until};
use super::support::{Failback, Kind, Pair, Plan, record};
use crate::tests;

/// Two of ours, the layouts and modes that pairs have.
pub(crate) const OURS: &[Test] = tests!(
    false,
    Pace::Unhurried,
    [
        ours_tell_of_the_groups_of_one_owner_with_failback_what_the_original_tells,
        ours_tell_of_the_groups_of_one_owner_without_failback_what_the_original_tells,
        ours_tell_of_the_groups_of_one_owner_in_legacy_what_the_original_tells,
        ours_tell_of_groups_of_both_with_failback_what_the_original_tells,
        ours_tell_of_groups_of_both_without_failback_what_the_original_tells,
        ours_tell_of_groups_of_both_in_legacy_what_the_original_tells,
    ]
);

/// Those that few pairs know.
pub(crate) const RARE: &[Test] = tests!(false, Pace::Long, [ours_tell_of_no_groups_what_the_original_tells,]);

/// One story of the originals: that the table is theirs.
pub(crate) const ORIGINAL: &[Test] =
    tests!(true, Pace::Unhurried, [the_original_tells_in_legacy_of_the_groups_of_one_owner_what_the_table_says,]);

/// All the others.
pub(crate) const ORIGINALS: &[Test] =
    tests!(true, Pace::Long, [the_original_tells_of_every_layout_and_mode_what_the_table_says]);

/// Who is home of what.
#[derive(Clone, Copy)]
struct Layout {
    name: &'static str,
    groups: [&'static [&'static str]; 2],
}

const ONE: Layout = Layout { name: "all groups at home on alpha", groups: [&["ra", "rb"], &[]] };
const BOTH: Layout = Layout { name: "groups at home on both", groups: [&["ra", "rb"], &["rc", "rd"]] };
const NONE: Layout = Layout { name: "no groups", groups: [&[], &[]] };

const FILE: &str = "docs/compared/rscstatus.md";
const HEAD: &str = "# What `cl_status rscstatus` says

Written by `tests/api/rscstatus.rs`: two heartbeats 3.0.6, each asked at each step of a story; two Latidos are led through
the same and must say the same. `-`: nothing answers there, the daemon is not up. Where everything is at home on alpha, beta's own groups are
none, and it holds that none like any other.
";

/// The file while several stories rewrite it.
static WRITING: Mutex<()> = Mutex::new(());

/// What was asked of both nodes, when.
struct Row {
    when: String,
    words: [String; 2],
}

struct Story {
    pair: Pair,
    layout: Layout,
    failback: Failback,
    rows: Vec<Row>,
    /// How long nothing must change before it counts.
    quiet: f64,
}

impl Story {
    fn new(kind: Kind, layout: Layout, failback: Failback) -> Story {
        let lines = NAMES.iter().zip(layout.groups).filter(|(_, groups)| !groups.is_empty());
        let text = lines
            .fold("# groups\n".to_owned(), |text, (name, groups)| text + &format!("{name} {}\n", groups.join(" ")));
        let plan = Plan::new(kind, kind).failback(failback).resources(&text).timed(50, 1500).initdead(4000);
        let quiet = if kind == Real { 1.2 } else { 0.3 };
        Story { pair: Pair::new(&plan), layout, failback, rows: Vec::new(), quiet }
    }

    fn words(&self) -> [String; 2] {
        NAMES.map(|name| {
            if self.pair.is_off(name) {
                return "-".to_owned();
            }
            let (code, out, _) = run(self.pair.host(name), "/usr/bin/cl_status rscstatus");
            if code == 0 { out.trim_end().to_owned() } else { "-".to_owned() }
        })
    }

    fn note(&mut self, when: &str, words: [String; 2]) {
        self.rows.push(Row { when: when.to_owned(), words });
    }

    /// Waits until each node's groups are where they belong now ("ab": at home), and nothing changes any more.
    fn settles(&mut self, when: &str, at: &str) {
        let held = [0, 1].map(|node| {
            let here = at.chars().map(|c| c == ['a', 'b'][node]);
            here.zip(self.layout.groups)
                .filter(|(here, _)| *here)
                .flat_map(|(_, groups)| groups.to_vec())
                .collect::<Vec<_>>()
        });
        let words = self.settled(when, |pair| pair.held() == held);
        self.note(when, words);
    }

    fn settled(&self, when: &str, is: impl Fn(&Pair) -> bool) -> [String; 2] {
        let (mut last, mut since) = (self.words(), instant());
        let what = format!("{when}, {}, {:?}", self.layout.name, self.failback);
        wait_until(&what, 40.0, || {
            let now = self.words();
            let moves = now.iter().any(|word| word == "transition") || !is(&self.pair);
            if moves || now != last {
                (last, since) = (now, instant());
            }
            since.elapsed() >= secs(self.quiet)
        });
        last
    }

    fn program(&mut self, node: usize, program: &str, set: &str, at: &str) {
        let host = self.pair.host(NAMES[node]);
        host.run(&format!("{} {set}", host.program(program)));
        self.settles(&format!("{}: {program} {set}", NAMES[node]), at);
    }

    /// Home again where nothing goes home by itself; the row says what is held until then.
    fn comes_back(&mut self, node: usize) {
        let (name, away) = (NAMES[node], ["bb", "aa"][node]);
        self.pair.host(name).start();
        self.active(name);
        let returns = format!("{name} has come back");
        if self.failback == Failback::Off {
            self.settles(&returns, away);
            self.program(node, "hb_takeover", "local", "ab");
        } else {
            self.settles(&returns, "ab");
        }
    }

    /// Both see it.
    fn active(&self, name: &str) {
        for host in NAMES.map(|name| self.pair.host(name)) {
            wait_until(&format!("{name} to be active"), 40.0, || {
                run(host, &format!("/usr/bin/cl_status nodestatus {name}")).1 == "active\n"
            });
        }
    }

    fn dies(&mut self, node: usize) {
        self.pair.power_off(NAMES[node]);
        self.is_dead(node);
    }

    fn is_dead(&self, node: usize) {
        let host = self.pair.host(NAMES[1 - node]);
        let question = format!("/usr/bin/cl_status nodestatus {}", NAMES[node]);
        wait_until("it to be dead", 20.0, || run(host, &question).1 == "dead\n");
    }

    /// That script of that node takes two seconds; while it runs both are asked.
    fn during(&mut self, when: &str, node: usize, script: &str, begin: impl FnOnce(&mut Story)) {
        self.slow(node, script, true);
        let from = epoch();
        begin(self);
        self.asked_while(when, node, script, from);
        self.slow(node, script, false);
    }

    fn asked_while(&mut self, when: &str, node: usize, script: &str, from: f64) {
        let dir = self.pair.host(NAMES[node]).dir.clone();
        wait_until(script, 30.0, || record::counted(&dir, from).contains_key(script));
        let words = self.words();
        self.note(when, words);
    }

    fn slow(&self, node: usize, script: &str, slow: bool) {
        let path = self.pair.host(NAMES[node]).dir.join(format!("delay.{}", script.replace(' ', ".")));
        if slow {
            fs::write(path, "2").expect("a file of our own")
        } else {
            fs::remove_file(path).expect("it is there")
        }
    }

    fn has(&self, node: usize) -> bool {
        !self.layout.groups[node].is_empty()
    }
}

/// All that happens to a pair.
fn tell(kind: Kind, layout: Layout, failback: Failback) -> Vec<Row> {
    let mut story = Story::new(kind, layout, failback);
    let nice = failback != Failback::Legacy;
    story.pair.host("alpha").start();
    let words = story.words();
    story.note("alpha has just started, beta was never seen", words);
    story.is_dead(1);
    story.settles("alpha has waited for beta in vain", "aa");
    story.comes_back(1);
    if nice {
        hand_over(&mut story);
    }
    die_and_leave(&mut story, nice);
    story.rows
}

fn hand_over(story: &mut Story) {
    for (node, program, set, at) in [
        (0, "hb_standby", "all", "bb"),
        (0, "hb_takeover", "local", "ab"),
        (1, "hb_standby", "all", "aa"),
        (1, "hb_takeover", "local", "ab"),
        (0, "hb_standby", "local", "bb"),
        (0, "hb_takeover", "all", "aa"),
        (0, "hb_standby", "foreign", "ab"),
        (1, "hb_standby", "local", "aa"),
        (1, "hb_takeover", "all", "bb"),
        (1, "hb_standby", "foreign", "ab"),
        (0, "hb_takeover", "foreign", "aa"),
        (0, "hb_standby", "foreign", "ab"),
        (1, "hb_takeover", "foreign", "bb"),
        (1, "hb_standby", "foreign", "ab"),
        // What it does not hold.
        (1, "hb_standby", "foreign", "ab"),
    ] {
        story.program(node, program, set, at);
    }
    if story.has(0) {
        story.slow(1, "ra start", true);
        story.during("alpha stops what it gives", 0, "ra stop", |story| {
            let host = story.pair.host("alpha");
            host.run(&host.program("hb_standby"));
        });
        story.asked_while("beta starts what it was given", 1, "ra start", 0.0);
        story.slow(1, "ra start", false);
        story.settles("beta has started it", "bb");
        story.program(0, "hb_takeover", "local", "ab");
    }
}

fn die_and_leave(story: &mut Story, nice: bool) {
    if story.has(1) {
        story.during("beta stops its groups to leave", 1, "rc stop", |story| drop(story.pair.host("beta").stop()));
    } else {
        let _ = story.pair.host("beta").stop().wait();
    }
    wait_until("beta to be gone", 30.0, || story.pair.host("beta").daemon().is_none());
    story.settles("beta has left", "aa");
    story.comes_back(1);
    if story.has(1) {
        story.during("alpha takes over the groups of a dead beta", 0, "rc start", |story| story.dies(1));
    } else {
        story.dies(1);
    }
    story.settles("beta is dead", "aa");
    for (status, from) in [("init", 1), ("up", 100)] {
        claim_to_be_beta(&story.pair, status, from);
        let words = story.words();
        story.note(&format!("beta was dead and says {status}"), words);
    }
    story.is_dead(1);
    story.settles("beta is dead again", "aa");
    story.pair.power_on("beta");
    story.comes_back(1);
    let _ = story.pair.host("alpha").stop().wait();
    story.settles("alpha has left", "bb");
    story.comes_back(0);
    story.dies(0);
    story.settles("alpha is dead", "bb");
    story.pair.power_on("alpha");
    story.comes_back(0);
    if nice {
        story.program(0, "hb_standby", "all", "bb");
        story.dies(0);
        story.settles("alpha is dead, after it had given everything away", "bb");
        story.pair.power_on("alpha");
        story.comes_back(0);
    }
    for name in NAMES {
        story.pair.power_off(name);
    }
    NAMES.into_iter().for_each(|name| story.pair.power_on(name));
    story.pair.start_both();
    NAMES.into_iter().for_each(|name| story.active(name));
    story.settles("both were off and started together", "ab");
}

/// Beats for beta, which is off, with this status, for longer than a look takes.
fn claim_to_be_beta(pair: &Pair, status: &str, from: usize) {
    let heard = pair.tap.heard();
    let before =
        heard.iter().rev().find(|heard| heard.node == "beta" && !heard.get("hg").is_empty()).expect("beta spoke");
    let generation = u64::from_str_radix(before.get("hg"), 16).expect("a number") + 1;
    fs::write(pair.host("beta").dir.join("lib/hb_generation"), format!("{generation}\n")).expect("a file of our own");
    let keys = Keyring::single(KeyId::new(1).expect("a number of a key"), Method::Sha1, "SuperSecret");
    let namespace = pair.switch.namespace();
    let frames = (from..from + 6).map(|seq| {
        let message = Message::new(&Type::Status)
            .with(field::ST, status)
            .with(field::DT, "5dc")
            .with(field::PROTOCOL, "1")
            .with(field::SRC, "beta")
            .with(field::SEQ, format!("{seq:x}"))
            .with(field::HG, format!("{generation:x}"))
            .with(field::TS, format!("{:x}", Clock::start().since_1970().as_secs()))
            .with(field::TTL, "3");
        seal(&message, &keys, Form::ClassicNul)
    });
    let frames: Vec<_> = frames.collect();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            setns(&namespace, CloneFlags::CLONE_NEWNET).expect("this thread may enter a network of ours");
            let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
            socket.set_broadcast(true).expect("a broadcasting socket");
            for frame in frames {
                socket.send_to(&frame, "10.21.0.255:694").expect("a network of ours");
                pass(secs(0.05));
            }
        });
    });
    let question = "/usr/bin/cl_status nodestatus beta";
    wait_until("beta to be heard", 5.0, || run(pair.host("alpha"), question).1 == format!("{status}\n"));
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)
}

fn title(layout: Layout, failback: Failback) -> String {
    let mode = match failback {
        Failback::On => "on",
        Failback::Off => "off",
        Failback::Legacy => "legacy",
    };
    format!("## {}, auto_failback {mode}", layout.name)
}

fn table(rows: &[Row]) -> String {
    let mut text = "| when | alpha | beta |\n| --- | --- | --- |\n".to_owned();
    for Row { when, words } in rows {
        let _ = writeln!(text, "| {when} | {} | {} |", words[0], words[1]);
    }
    text
}

/// The part of the file below this title.
fn expected(title: &str) -> String {
    let text = fs::read_to_string(path()).unwrap_or_default();
    let part = text.split_once(&format!("{title}\n\n")).map_or("", |(_, rest)| rest);
    part.split("\n## ").next().unwrap_or_default().trim_end().to_owned() + "\n"
}

fn same(kind: Kind, layout: Layout, failback: Failback) {
    let (title, found) = (title(layout, failback), table(&tell(kind, layout, failback)));
    if kind == Real && std::env::var_os("UPDATE_EXPECTED").is_some() {
        return rewrite(&title, &found);
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (expected, found) = (lines(&expected(&title)), lines(&found));
    let different = expected.iter().filter(|line| !found.contains(line)).map(|line| format!("the original {line}"));
    let ours = found.iter().filter(|line| !expected.contains(line)).map(|line| format!("here         {line}"));
    let different: Vec<_> = different.chain(ours).collect();
    assert!(expected == found, "{FILE}, {title}:\n{}", different.join("\n"));
}

fn rewrite(title: &str, table: &str) {
    let _guard = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let parts = every().map(|(layout, failback)| self::title(layout, failback)).map(|one| {
        let table = if one == title { table.to_owned() } else { expected(&one) };
        format!("\n{one}\n\n{table}")
    });
    let text = HEAD.to_owned() + &parts.concat();
    fs::create_dir_all(path().parent().expect("docs")).expect("a directory of our own");
    fs::write(path(), text).expect("a file of our own");
}

fn every() -> [(Layout, Failback); 9] {
    use Failback::{Legacy, Off, On};
    [
        (ONE, On),
        (ONE, Off),
        (ONE, Legacy),
        (BOTH, On),
        (BOTH, Off),
        (BOTH, Legacy),
        (NONE, On),
        (NONE, Off),
        (NONE, Legacy),
    ]
}

fn the_original_tells_of_every_layout_and_mode_what_the_table_says() {
    std::thread::scope(|scope| {
        for (layout, failback) in every() {
            let name = title(layout, failback);
            std::thread::Builder::new()
                .name(name)
                .spawn_scoped(scope, move || same(Real, layout, failback))
                .expect("a thread");
        }
    });
}

fn the_original_tells_in_legacy_of_the_groups_of_one_owner_what_the_table_says() {
    same(Real, ONE, Failback::Legacy);
}

fn ours_tell_of_the_groups_of_one_owner_with_failback_what_the_original_tells() {
    same(Latido, ONE, Failback::On);
}

fn ours_tell_of_the_groups_of_one_owner_without_failback_what_the_original_tells() {
    same(Latido, ONE, Failback::Off);
}

fn ours_tell_of_the_groups_of_one_owner_in_legacy_what_the_original_tells() {
    same(Latido, ONE, Failback::Legacy);
}

fn ours_tell_of_groups_of_both_with_failback_what_the_original_tells() {
    same(Latido, BOTH, Failback::On);
}

fn ours_tell_of_groups_of_both_without_failback_what_the_original_tells() {
    same(Latido, BOTH, Failback::Off);
}

fn ours_tell_of_groups_of_both_in_legacy_what_the_original_tells() {
    same(Latido, BOTH, Failback::Legacy);
}

fn ours_tell_of_no_groups_what_the_original_tells() {
    [Failback::On, Failback::Off, Failback::Legacy].into_iter().for_each(|failback| same(Latido, NONE, failback));
}
