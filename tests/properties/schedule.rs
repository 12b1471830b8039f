//! Random plays: a pair of some kind, what befalls it, and how it is mended in the end.

use super::dice::Dice;

const NODES: [&str; 2] = ["alpha", "beta"];
const MEDIA: [&str; 2] = ["eth0", "/dev/ttyS0"];
const LAYOUTS: [&[&str]; 4] = [
    &["alpha ra rb"],
    &["alpha ra rb", "beta rc"],
    &["alpha ra", "alpha rb", "beta rc"],
    &["alpha ra", "alpha rb", "beta rc", "beta rd"],
];
/// Long enough for everything that was begun to end.
const MENDED_FOR: &str = "wait 75";
/// Ten minutes after a failure it is tried again.
const TRIED_AGAIN_AFTER: &str = "wait 800";

/// A play under way.
struct Writer {
    dice: Dice,
    lines: Vec<String>,
    words: Vec<&'static str>,
    legacy: bool,
}

/// The lines of the play of a seed.
pub(crate) fn schedule(seed: u64) -> Vec<String> {
    let mut writer = Writer { dice: Dice::new(seed), lines: Vec::new(), words: Vec::new(), legacy: false };
    writer.add(format!("seed {}", seed % 4_000_000_000));
    writer.pair();
    writer.add("promises");
    writer.begin();
    for _ in 0..3 + writer.dice.below(8) {
        writer.wait(9_000);
        writer.fault();
    }
    writer.mend();
    writer.lines
}

impl Writer {
    fn add(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    fn wait(&mut self, most: u64) {
        let time = self.dice.time(most);
        self.add(format!("wait {time}"));
    }

    fn node(&mut self) -> &'static str {
        self.dice.pick(&NODES)
    }

    fn word(&mut self) -> &'static str {
        self.dice.pick(&self.words)
    }

    fn set(&mut self) -> &'static str {
        self.dice.pick(&["all", "local", "foreign"])
    }

    /// What the pair is made of.
    fn pair(&mut self) {
        let mode = self.dice.pick(&["on", "on", "off", "legacy"]);
        self.legacy = mode == "legacy";
        self.add(format!("set auto_failback {mode}"));
        let layout = self.dice.below(LAYOUTS.len() as u64);
        for group in LAYOUTS[usize::try_from(layout).unwrap_or(0)] {
            self.add(format!("group {group}"));
            self.words.extend(group.split(' ').skip(1));
        }
        for (times, setting) in [
            (4, "fence power"),
            (12, "fence second"),
            (4, "monitor * 2 1"),
            (8, "monitor * 3 0"),
            (4, "on-start-failure stay"),
            (4, "on-stop-failure block"),
            (6, "on-stop-failure fence"),
            (4, "script-timeout 4"),
            (6, "script-timeout 20"),
            (6, "keepalive 500ms"),
            (6, "deadtime 3"),
            (8, "deadtime 10"),
            (6, "initdead 30"),
        ] {
            if self.dice.one_in(times) {
                self.add(format!("set {setting}"));
            }
        }
    }

    fn begin(&mut self) {
        let (first, second) = if self.dice.one_in(2) { ("alpha", "beta") } else { ("beta", "alpha") };
        self.add(format!("start {first}"));
        if self.dice.one_in(2) {
            self.wait(15_000);
        }
        self.add(format!("start {second}"));
        if self.dice.one_in(2) {
            self.add("wait 20");
        }
    }

    /// Something befalls the pair.
    fn fault(&mut self) {
        match self.dice.below(20) {
            0..3 => self.on_a_link(),
            3..9 => self.on_a_node(),
            9..14 => self.in_a_script(),
            14..19 => self.by_an_order(),
            _ => {
                let times = self.dice.below(4);
                self.add(format!("fence-fails {times}"));
            }
        }
    }

    fn on_a_link(&mut self) {
        let medium = self.dice.pick(&MEDIA);
        match self.dice.below(7) {
            0 => self.add("cut all"),
            1 => self.add(format!("cut {medium}")),
            2 | 3 => self.add("mend all"),
            4 => {
                let share = self.dice.below(40);
                self.add(format!("loss {share}"));
            }
            5 => self.add("loss 0"),
            _ => {
                self.add("cut all");
                self.wait(12_000);
                self.add("mend all");
            }
        }
    }

    fn on_a_node(&mut self) {
        let node = self.node();
        match self.dice.below(12) {
            0 => self.add(format!("power-off {node}")),
            1 => self.add(format!("start {node}")),
            2 => {
                self.add(format!("power-off {node}"));
                self.wait(4_000);
                self.add(format!("start {node}"));
            }
            3 | 4 => {
                let time = self.dice.time(12_000);
                self.add(format!("stall {node} {time}"));
            }
            5 => self.back(node, 9_000),
            6 => self.back(node, 200),
            7 => {
                for _ in 0..2 + self.dice.below(3) {
                    self.back(node, 300);
                    self.wait(600);
                }
            }
            8 => self.add(format!("kill {node}")),
            9 => {
                self.add(format!("upgrade {node}"));
                self.wait(3_000);
                self.add(format!("start {node}"));
            }
            10 => {
                self.back("alpha", 400);
                self.back("beta", 400);
            }
            _ => {
                let word = self.word();
                self.add(format!("dies {node} {word}"));
            }
        }
    }

    /// Its core is killed and is back after a while.
    fn back(&mut self, node: &str, most: u64) {
        self.add(format!("kill {node}"));
        self.wait(most);
        self.add(format!("start {node}"));
    }

    fn in_a_script(&mut self) {
        let (node, word) = (self.node(), self.word());
        match self.dice.below(8) {
            0 | 1 => self.add("scripts-work"),
            2 => {
                let time = self.dice.time(5_000);
                self.add(format!("scripts-take {time}"));
            }
            3 => self.add("scripts-take 10ms"),
            _ => {
                let how = self.dice.pick(&["fails", "hangs"]);
                let verb = self.dice.pick(&["start", "start", "stop", "status"]);
                self.add(format!("{how} {node} {word} {verb}"));
            }
        }
    }

    fn by_an_order(&mut self) {
        let (node, set, word) = (self.node(), self.set(), self.word());
        match self.dice.below(10) {
            0 | 1 => self.add(format!("standby {node} {set}")),
            2 | 3 => self.add(format!("takeover {node} {set}")),
            4 => self.add(format!("leave {node}")),
            5 => {
                self.add(format!("leave {node}"));
                self.wait(6_000);
                self.add(format!("leave {node}"));
            }
            6 => self.add(format!("retry {node} {word}")),
            7 => self.add(format!("fifo {node} ask_resources rsc_hold={set} info=me")),
            8 => self.add(format!("fifo {node} hb_takeover rsc_hold={set}")),
            _ => {
                self.add(format!("standby alpha {set}"));
                self.add(format!("standby beta {set}"));
            }
        }
    }

    /// All is mended, both nodes are on, and time passes; then a lawful request is made.
    fn mend(&mut self) {
        for line in ["mend all", "loss 0", "scripts-work", "scripts-take 10ms", "fence-fails 0", "wait 15"] {
            self.add(line);
        }
        self.add("start alpha beta");
        self.add(MENDED_FOR);
        if self.dice.one_in(8) {
            self.add(TRIED_AGAIN_AFTER);
        }
        let (node, order, set) = (self.node(), self.dice.pick(&["standby", "takeover"]), self.set());
        self.add(format!("{order} {node} {set}"));
        self.add("wait 30");
    }
}
