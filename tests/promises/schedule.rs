//! Random plays: a pair of some kind, what befalls it, and how it is mended in the end.

use latido::dice::Dice;

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
    groups: Vec<&'static str>,
    one_medium: bool,
    pings: bool,
}

/// The lines of the play of a seed.
pub(crate) fn schedule(seed: u64) -> Vec<String> {
    let mut writer = Writer {
        dice: Dice::new(seed),
        lines: Vec::new(),
        words: Vec::new(),
        groups: Vec::new(),
        one_medium: false,
        pings: false,
    };
    writer.add(format!("seed {}", seed % 4_000_000_000));
    writer.pair();
    writer.add("promises");
    writer.begin();
    for _ in 0..3 + writer.dice.below(8) {
        writer.wait(9_000);
        writer.fault();
    }
    writer.mend();
    let skip = std::env::var("LATIDO_SKIP").unwrap_or_default();
    let skipped: Vec<&str> = skip.split(',').filter(|word| !word.is_empty()).collect();
    writer.lines.retain(|line| !skipped.iter().any(|word| line.starts_with(word)));
    writer.lines
}

/// What an original does not know, or its supervisor does not do.
/// A node whose generation went back it refuses. Modes that differ do not meet in it.
/// A status that lies on one node is not told from one that is honest by the other's word, which an original does not say.
const NOT_OF_AN_ORIGINAL: [&str; 13] = [
    "edit beta",
    "generation",
    "lies",
    "notes beta",
    "notes-take beta",
    "reload beta",
    "replay-to",
    "restarts beta",
    "retry beta",
    "set alpha auto_failback",
    "set beta",
    "slow-start beta",
    "upgrade beta",
];

/// The same play, with an original in beta's place.
pub(crate) fn beside_an_original(seed: u64) -> Vec<String> {
    let version = if seed.is_multiple_of(2) { "3.0.6" } else { "2.1.3" };
    let boots = format!("original beta boots {version}");
    let mut lines = Vec::new();
    for line in schedule(seed) {
        if NOT_OF_AN_ORIGINAL.iter().any(|known| line.starts_with(known)) {
            continue;
        }
        match line.as_str() {
            "start beta" => lines.push(boots.clone()),
            "start alpha beta" | "start beta alpha" => lines.extend(["start alpha".to_owned(), boots.clone()]),
            _ => lines.push(line),
        }
    }
    lines
}

impl Writer {
    fn add(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    fn wait(&mut self, most: u64) {
        let time = self.time(most);
        self.add(format!("wait {time}"));
    }

    /// Up to so many milliseconds, as plays write it.
    fn time(&mut self, most: u64) -> String {
        self.dice.time(0, most).as_secs_f64().to_string()
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
        self.add(format!("set auto_failback {mode}"));
        let layout = self.dice.below(LAYOUTS.len() as u64);
        for group in LAYOUTS[usize::try_from(layout).unwrap_or(0)] {
            self.add(format!("group {group}"));
            self.groups.push(group);
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
        for (times, setting) in [
            (12, "deadtime 8"),
            (12, "keepalive 700ms"),
            (12, "initdead 20"),
            (12, "script-timeout 6"),
            (12, "on-stop-failure block"),
            (12, "on-start-failure stay"),
            (20, "auto_failback off"),
        ] {
            if self.dice.one_in(times) {
                let node = self.node();
                self.add(format!("set {node} {setting}"));
            }
        }
        if self.dice.one_in(20) {
            self.add("set ping 10.0.0.254");
            self.pings = true;
        }
        if self.dice.one_in(12) {
            // From the beginning on there is one medium only.
            let medium = self.dice.pick(&MEDIA);
            self.add(format!("cut {medium}"));
            self.one_medium = true;
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
        match self.dice.below(24) {
            0..5 => self.on_a_link(),
            5..10 => self.on_a_node(),
            10..12 => self.at_a_start(),
            12..17 => self.in_a_script(),
            17..22 => self.by_an_order(),
            22 => self.in_the_files(),
            _ => self.on_a_fence(),
        }
    }

    fn on_a_link(&mut self) {
        if self.pings && self.dice.one_in(2) {
            return self.add("cut 10.0.0.254");
        }
        if self.dice.one_in(40) {
            // More than 250 messages are lost.
            self.add("cut all");
            self.add("wait 280");
            return self.mend_media();
        }
        let medium = self.dice.pick(&[MEDIA[0], MEDIA[1], "all"]);
        let way = self.dice.pick(&["", "", " alpha>beta", " beta>alpha"]);
        let share = self.dice.below(40);
        match self.dice.below(11) {
            0 | 1 => self.add(format!("cut {medium}{way}")),
            2 | 3 => self.mend_media(),
            4 => self.add(format!("loss {share} {medium}{way}")),
            5 => self.add(format!("loss {share}")),
            6 => {
                let time = self.time(1_500);
                self.add(format!("delay {medium} {time}{way}"));
            }
            7 => self.add(format!("repeats {share} {medium}{way}")),
            8 => self.add(format!("reorders {share} {medium}{way}")),
            _ => {
                self.add(format!("cut all{way}"));
                self.wait(12_000);
                self.mend_media();
            }
        }
    }

    fn mend_media(&mut self) {
        if self.one_medium {
            // Whichever was cut from the beginning.
            let cut = self.lines.iter().find(|line| line.starts_with("cut ")).cloned().unwrap_or_default();
            self.add("mend all");
            self.add(cut);
        } else {
            self.add("mend all");
        }
    }

    fn on_a_node(&mut self) {
        let node = self.node();
        match self.dice.below(15) {
            14 => self.add(format!("replay-to {node}")),
            0 => self.add(format!("power-off {node}")),
            1 => self.add(format!("start {node}")),
            2 => {
                self.add(format!("power-off {node}"));
                self.wait(4_000);
                self.add(format!("start {node}"));
            }
            3 | 4 => {
                let (how, time) = (self.dice.pick(&["stall", "stall", "suspend", "freeze"]), self.time(12_000));
                self.add(format!("{how} {node} {time}"));
            }
            5 => self.back(node, 9_000),
            6 => self.back(node, 200),
            7 => {
                for _ in 0..2 + self.dice.below(4) {
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
            11 => {
                self.add("upgrade alpha");
                self.add("upgrade beta");
                self.wait(2_000);
                self.add("start alpha beta");
            }
            12 => {
                let time = self.dice.below(4_000);
                self.add(format!("clock {node} {}", i64::try_from(time).unwrap_or(0) - 2_000));
            }
            _ => {
                let (word, how) = (self.word(), self.dice.pick(&["dies", "dies", "dies", "comes-up"]));
                self.add(format!("{how} {node} {word}"));
            }
        }
    }

    /// What is not as it was when a node starts the next time.
    fn at_a_start(&mut self) {
        let node = self.node();
        match self.dice.below(8) {
            0 => {
                let time = self.time(8_000);
                self.add(format!("slow-start {node} {time}"));
            }
            1 => {
                let time = self.time(800);
                self.add(format!("notes-take {node} {time}"));
                return;
            }
            2 | 3 => {
                let how = self.dice.pick(&["lost", "old", "unreadable"]);
                self.add(format!("notes {node} {how}"));
            }
            4 => {
                let number = 90 + self.dice.below(20);
                self.add(format!("generation {node} {number}"));
            }
            _ => {
                self.add(format!("slow-start {node} 0"));
                self.add(format!("notes-take {node} 0"));
            }
        }
        self.back(node, 1_500);
    }

    /// Its core is killed and is back after a while.
    fn back(&mut self, node: &str, most: u64) {
        let time = self.time(most);
        self.add(format!("restarts {node} {time}"));
    }

    fn in_a_script(&mut self) {
        let (node, word) = (self.node(), self.word());
        let verb = self.dice.pick(&["start", "start", "stop", "stop", "status"]);
        match self.dice.below(12) {
            0 | 1 => self.add("scripts-work"),
            2 => {
                let time = self.time(5_000);
                self.add(format!("scripts-take {time}"));
            }
            3 => self.add("scripts-take 10ms"),
            4 => self.add(format!("works {node} {word}")),
            5 => {
                let time = self.time(15_000);
                self.add(format!("slow {node} {word} {verb} {time}"));
            }
            6 => {
                let time = self.time(6_000);
                self.add(format!("late {node} {word} {time}"));
            }
            7 => {
                let how = self.dice.pick(&["lies", "silent", "silent"]);
                self.add(format!("{how} {node} {word} {verb}"));
            }
            _ => {
                let how = self.dice.pick(&["fails", "fails", "hangs", "hangs", "unrunnable", "killed"]);
                self.add(format!("{how} {node} {word} {verb}"));
            }
        }
    }

    fn by_an_order(&mut self) {
        let (node, set, word) = (self.node(), self.set(), self.word());
        match self.dice.below(11) {
            0 | 1 => self.add(format!("standby {node} {set}")),
            2 => self.add(format!("takeover {node} {set}")),
            3 => self.add(format!("move {node} {word}")),
            4 => self.add(format!("leave {node}")),
            5 => {
                self.add(format!("leave {node}"));
                self.wait(6_000);
                self.add(format!("leave {node}"));
            }
            6 => self.add(format!("retry {node} {word}")),
            7 => self.add(format!("fifo {node} ask_resources rsc_hold={set} info=me")),
            8 => self.add(format!("fifo {node} hb_takeover rsc_hold={set}")),
            9 => {
                self.add(format!("leave {node}"));
                self.wait(3_000);
                self.back(node, 300);
            }
            _ => {
                let other = self.set();
                self.add(format!("standby alpha {set}"));
                self.add(format!("standby beta {other}"));
            }
        }
    }

    /// Files are read again: the same, another setting, or other groups, which the other node may not read for a while.
    fn in_the_files(&mut self) {
        let (node, other) = if self.dice.one_in(2) { ("alpha", "beta") } else { ("beta", "alpha") };
        match self.dice.below(5) {
            0 | 1 => self.add(format!("reload {node}")),
            2 => self.add(format!("reload {node} set deadtime 6")),
            _ => {
                let groups = format!("{} ; beta re", self.groups.join(" ; "));
                let how = self.dice.pick(&["reload", "reload", "edit"]);
                self.add(format!("{how} {node} {groups}"));
                self.wait(9_000);
                if how == "edit" {
                    self.back(node, 300);
                }
                self.add(format!("reload {other} {groups}"));
            }
        }
    }

    fn on_a_fence(&mut self) {
        match self.dice.below(6) {
            0 => self.add("fence-hangs"),
            1 => self.add("fence-late"),
            2 => {
                let time = self.time(20_000);
                self.add(format!("fence-takes {time}"));
            }
            3 => self.add("fence-works"),
            _ => {
                let times = self.dice.below(4);
                self.add(format!("fence-fails {times}"));
            }
        }
        let (node, other) = if self.dice.one_in(2) { ("alpha", "beta") } else { ("beta", "alpha") };
        match self.dice.below(4) {
            0 => self.add(format!("power-off {node}")),
            1 => {
                self.add("cut all");
                self.wait(9_000);
                self.mend_media();
            }
            2 => {
                self.add(format!("power-off {node}"));
                self.wait(9_000);
                self.back(other, 200);
            }
            _ => {}
        }
    }

    /// All is mended, both nodes are on, and time passes; then a lawful request is made.
    fn mend(&mut self) {
        self.add("mend all");
        for line in ["loss 0", "delay all 0", "repeats 0", "reorders 0"] {
            self.add(line);
        }
        for line in ["scripts-work", "scripts-take 10ms", "fence-works"] {
            self.add(line);
        }
        for node in NODES {
            self.add(format!("slow-start {node} 0"));
            self.add(format!("notes-take {node} 0"));
        }
        self.add("wait 15");
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
