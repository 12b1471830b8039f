//! What is measured of a pair of one kind: a cold start, then power-off, return, hand-over and stop again and again, then
//! partitions, each from the fault to the first script, to the address, and to the client.

use std::fs;
use std::process::Child;

use super::probe::Probe;
use super::recorder::DIRECTORY;
use super::support::clock::{epoch, pass, secs, wait_for, wait_until};
use super::support::pair::NAMES;
use super::support::record::{self, Call};
use super::support::{Kind, Pair, Plan};
use super::table::{Figures, name};

/// The address of the group.
pub(crate) const ADDRESS: &str = "10.21.0.100";
/// Keepalive 20 ms, deadtime 100 ms; keepalived: `advert_int 0.05`.
pub(crate) const FASTEST: &str = "fastest setting";
/// How long after its start a node announces a longer deadtime than configured (`wire.md` 6.1).
const START_UP: f64 = 5.5;

/// A pair under measurement.
struct Subject {
    kind: Kind,
    deadtime: f64,
    pair: Pair,
    probe: Probe,
    helpers: Vec<Child>,
}

/// Everything, with that many runs.
pub(crate) fn measure(kind: Kind, runs: usize, figures: &mut Figures) {
    for _ in 0..runs.min(3) {
        Subject::new(kind, 100, 500).cold_start(figures);
    }
    let mut subject = Subject::new(kind, 100, 500);
    subject.cold_start(figures);
    for _ in 0..runs {
        subject.power_off("deadtime 500 ms", figures);
        subject.come_back("return after power-off", figures);
        subject.hand_over(figures);
        subject.stop(figures);
        subject.come_back("return after stop", figures);
    }
    for _ in 0..runs.min(3) {
        subject.partition(figures);
    }
    drop(subject);
    let mut subject = Subject::new(kind, 1000, 5000);
    subject.cold_start(&mut Figures::default());
    for _ in 0..runs {
        subject.power_off("deadtime 5 s", figures);
        subject.come_back("return, keepalive 1 s", figures);
    }
    if kind == Kind::Latido {
        // The original is not stable at this pace.
        let mut subject = Subject::new(kind, 20, 100);
        subject.cold_start(&mut Figures::default());
        for _ in 0..runs {
            subject.power_off(FASTEST, figures);
            subject.come_back(&format!("return, {FASTEST}"), figures);
        }
    }
}

impl Subject {
    fn new(kind: Kind, keepalive_ms: u32, deadtime_ms: u32) -> Subject {
        let plan = Plan::new(kind, kind)
            .timed(keepalive_ms, deadtime_ms)
            .resources(&format!("alpha ra {ADDRESS}/24/eth0 rb\n"));
        let pair = Pair::new(&plan);
        let probe = Probe::new(&pair.switch, ADDRESS);
        let deadtime = f64::from(deadtime_ms) / 1000.0;
        let mut subject = Subject { kind, deadtime, pair, probe, helpers: Vec::new() };
        for name in NAMES {
            subject.equip(name);
        }
        subject
    }

    /// The recorders, the echo server and the watch over addresses of a host that was switched on.
    fn equip(&mut self, name: &str) {
        let host = self.pair.host(name);
        let own = std::env::current_exe().expect("this program has a path");
        for resource in ["ra", "rb"] {
            let path = host.dir.join("ha.d/resource.d").join(resource);
            let _ = fs::remove_file(&path);
            fs::copy(&own, path).expect("a recorder");
        }
        fs::write(host.dir.join("ha.d").join(DIRECTORY), host.dir.display().to_string()).expect("a file of our own");
        let watch = format!("TZ=UTC exec ip -ts -o monitor address >>{}/addresses", host.dir.display());
        self.helpers.push(host.spawn(&watch));
        self.helpers.push(host.spawn(&format!("exec {} echo {name}", own.display())));
    }

    fn cold_start(&self, figures: &mut Figures) {
        let begun = epoch();
        self.pair.start_both();
        self.settle("alpha", 30.0);
        let answered = self.answered("alpha", begun);
        self.note(figures, "cold start of both: to the group up", self.call("alpha", "rb", "start", begun).at - begun);
        self.note(figures, "cold start of both: to the client answered", answered - begun);
    }

    fn power_off(&mut self, setting: &str, figures: &mut Figures) {
        pass(secs(START_UP));
        let begun = epoch();
        self.pair.power_off("alpha");
        self.settle("beta", self.deadtime + 5.0);
        let answered = self.answered("beta", begun);
        let last = self.pair.tap.beats("alpha").pop().expect("alpha beat");
        let expiry = last + self.deadtime;
        let row = |what: &str| format!("power-off, {setting}: {what}");
        let first = record::calls(&self.pair.host("beta").dir).into_iter().find(|call| call.at > begun);
        self.note(figures, &row("deadtime over to first script"), first.expect("a script ran").at - expiry);
        if let Some(present) = self.present("beta", begun) {
            self.note(figures, &row("deadtime over to address present"), present - expiry);
            self.note(figures, &row("address present to client answered"), answered - present);
        }
        for resource in ["ra", "rb"] {
            let [asked, started] = ["status", "start"].map(|verb| self.call("beta", resource, verb, begun).at);
            self.note(figures, "from a script's `status` to its `start`", started - asked);
        }
        self.note(figures, &row("deadtime over to group up"), self.call("beta", "rb", "start", begun).at - expiry);
        self.note(figures, &row("outage at the client"), self.probe.outage(begun - 0.2));
    }

    fn come_back(&mut self, what: &str, figures: &mut Figures) {
        if self.pair.is_off("alpha") {
            self.pair.power_on("alpha");
            self.equip("alpha");
        }
        let begun = epoch();
        self.pair.host("alpha").start();
        self.settle("alpha", 15.0);
        let answered = self.answered("alpha", begun);
        self.note(figures, &format!("{what}: start to client answered by it"), answered - begun);
        self.note(figures, &format!("{what}: outage at the client"), self.probe.outage(begun - 0.2));
        self.stable();
    }

    fn hand_over(&self, figures: &mut Figures) {
        self.stable();
        for (from, to, program) in [("alpha", "beta", "hb_standby"), ("alpha", "alpha", "hb_takeover")] {
            let begun = epoch();
            let host = self.pair.host(from);
            host.run(&host.program(program));
            self.settle(to, 10.0);
            let answered = self.answered(to, begun);
            self.note(figures, &format!("{program}: to client answered by the other"), answered - begun);
            self.note(figures, &format!("{program}: outage at the client"), self.probe.outage(begun - 0.2));
            self.stable();
        }
    }

    fn stop(&self, figures: &mut Figures) {
        let begun = epoch();
        let mut stopping = self.pair.host("alpha").stop();
        self.settle("beta", 10.0);
        let answered = self.answered("beta", begun);
        assert!(stopping.wait().is_ok_and(|status| status.success()), "heartbeat -k fails");
        self.note(figures, "heartbeat -k: to client answered by the other", answered - begun);
        self.note(figures, "heartbeat -k: outage at the client", self.probe.outage(begun - 0.2));
        self.note(figures, "heartbeat -k: the command takes", epoch() - begun);
    }

    fn partition(&self, figures: &mut Figures) {
        pass(secs(START_UP));
        self.pair.cut_all(true);
        wait_until("both to hold the group", 10.0, || self.pair.held().iter().all(|held| held.len() == 2));
        pass(secs(1.0));
        let begun = epoch();
        self.pair.cut_all(false);
        // A real pair stops everything first and has one owner for a moment only by accident: wait until it lasts.
        wait_until("one owner", 60.0, || {
            self.pair.held() == [vec!["ra".to_owned(), "rb".to_owned()], vec![]] && self.pair.is_stable("alpha")
        });
        let released = self.last_call("beta", "stop", begun);
        let regained = self.last_call("alpha", "start", begun);
        let done = released.into_iter().chain(regained).fold(begun, f64::max);
        self.note(figures, "partition healed: to one owner for good", done - begun);
        self.note(figures, "partition healed: outage at the client", self.probe.outage(begun - 0.2));
        self.stable();
    }

    /// Waits until the group is up at that node and nothing of it elsewhere.
    fn settle(&self, at: &str, limit: f64) {
        let both: &[&str] = &["ra", "rb"];
        if at == "alpha" {
            self.pair.settle(both, &[], limit);
        } else {
            self.pair.settle(&[], both, limit);
        }
    }

    fn stable(&self) {
        for name in NAMES.into_iter().filter(|name| !self.pair.is_off(name)) {
            self.pair.stable(name, 15.0);
        }
    }

    /// When that host's first answer came; a little later the gap is complete.
    fn answered(&self, host: &str, from: f64) -> f64 {
        let at = wait_for("an answer of the service", 10.0, || self.probe.first(host, from));
        pass(secs(0.2));
        at
    }

    fn call(&self, host: &str, resource: &str, verb: &str, from: f64) -> Call {
        let calls = record::calls(&self.pair.host(host).dir);
        let found = calls.into_iter().find(|call| call.at > from && call.resource == resource && call.verb == verb);
        found.unwrap_or_else(|| panic!("no {verb} of {resource} on {host}"))
    }

    fn last_call(&self, host: &str, verb: &str, from: f64) -> Option<f64> {
        let calls = record::calls(&self.pair.host(host).dir);
        calls.into_iter().rev().find(|call| call.at > from && call.verb == verb).map(|call| call.at)
    }

    /// When the address came to that host after `from`, as the kernel told a listener there.
    fn present(&self, host: &str, from: f64) -> Option<f64> {
        let text = fs::read_to_string(self.pair.host(host).dir.join("addresses")).unwrap_or_default();
        let lines = text.lines().filter(|line| line.contains(ADDRESS) && !line.contains("Deleted"));
        lines.filter_map(|line| stamp(line, from)).find(|at| *at > from)
    }

    fn note(&self, figures: &mut Figures, row: &str, seconds: f64) {
        figures.note(name(self.kind), row, seconds * 1000.0);
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        for helper in &mut self.helpers {
            let _ = helper.kill();
            let _ = helper.wait();
        }
    }
}

/// The time of a line `[2026-11-21T03:00:21.123456] ...` of `ip -ts`, UTC, of the same day as `near`.
pub(crate) fn stamp(line: &str, near: f64) -> Option<f64> {
    let (_, time) = line.split_once('T')?;
    let (time, _) = time.split_once(']')?;
    let mut parts = time.split(':').map(|part| part.parse::<f64>().ok());
    let seconds = parts.next()?? * 3600.0 + parts.next()?? * 60.0 + parts.next()??;
    Some((near / 86400.0).floor() * 86400.0 + seconds)
}
