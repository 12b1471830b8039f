//! keepalived on the same hosts, asked by the same client: one address, `advert_int` 0.05 (the fastest that is stable on a
//! busy machine), VRRP version 3.

use std::fs;
use std::path::Path;
use std::process::Child;

use super::day::{ADDRESS, FASTEST, stamp};
use super::idle;
use super::probe::Probe;
use super::support::clock::{epoch, pass, secs, wait_for};
use super::support::pair::NAMES;
use super::support::{Kind, Pair, Plan};
use super::table::Figures;

const PROGRAM: &str = "/usr/sbin/keepalived";
const WHO: &str = "keepalived";
/// In seconds.
const ADVERT: f64 = 0.05;
/// Of alpha and beta.
const PRIORITIES: [u16; 2] = [150, 100];

/// Whether it is installed.
pub(crate) fn is_there() -> bool {
    Path::new(PROGRAM).exists()
}

/// Two hosts under keepalived.
struct Keepers {
    pair: Pair,
    probe: Probe,
    helpers: Vec<Child>,
}

/// Everything, with that many runs.
pub(crate) fn measure(runs: usize, figures: &mut Figures) {
    for (advert, label) in [(1.0, "keepalive 2 s"), (ADVERT, "keepalive 100 ms")] {
        let keepers = Keepers::new(advert);
        keepers.answered("alpha", 0.0);
        pass(secs(2.0));
        idle::watch(WHO, &keepers.pair, Path::new(PROGRAM), label, figures);
        keepers.end();
    }
    let mut keepers = Keepers::new(ADVERT);
    keepers.answered("alpha", 0.0);
    for _ in 0..runs {
        keepers.power_off(figures);
        keepers.come_back("return after power-off", figures);
        keepers.hand_over(figures);
        keepers.stop(figures);
        keepers.come_back("return after stop", figures);
    }
    keepers.end();
}

impl Keepers {
    fn new(advert: f64) -> Keepers {
        let pair = Pair::new(&Plan::new(Kind::Latido, Kind::Latido));
        let probe = Probe::new(&pair.switch, ADDRESS);
        let mut keepers = Keepers { pair, probe, helpers: Vec::new() };
        for (name, priority) in NAMES.into_iter().zip(PRIORITIES) {
            let dir = keepers.pair.host(name).dir.display().to_string();
            fs::write(keepers.pair.host(name).dir.join("keepalived.conf"), configuration(&dir, priority, advert))
                .expect("a file of our own");
            keepers.equip(name);
            keepers.start(name);
        }
        keepers
    }

    fn equip(&mut self, name: &str) {
        let host = self.pair.host(name);
        let own = std::env::current_exe().expect("this program has a path");
        fs::write(host.dir.join("weight"), "0\n").expect("a file of our own");
        let watch = format!("TZ=UTC exec ip -ts -o monitor address >>{}/addresses", host.dir.display());
        self.helpers.push(host.spawn(&watch));
        self.helpers.push(host.spawn(&format!("exec {} echo {name}", own.display())));
    }

    fn start(&mut self, name: &str) {
        let host = self.pair.host(name);
        let dir = host.dir.display();
        let _ = fs::remove_file(host.dir.join("keepalived.pid"));
        let run = format!("exec {PROGRAM} -n -P -f {dir}/keepalived.conf -p {dir}/keepalived.pid -r {dir}/vrrp.pid");
        self.helpers.push(host.spawn(&run));
    }

    fn power_off(&mut self, figures: &mut Figures) {
        pass(secs(0.5));
        let begun = epoch();
        self.pair.power_off("alpha");
        let answered = self.answered("beta", begun);
        let mut adverts =
            self.pair.tap.heard().into_iter().filter(|heard| heard.get("t") == "vrrp" && heard.at < begun);
        let last = adverts.next_back().expect("alpha advertised").at;
        // Three adverts and the skew of beta's priority.
        let expiry = last + ADVERT * (3.0 + f64::from(256 - PRIORITIES[1]) / 256.0);
        let row = |what: &str| format!("power-off, {FASTEST}: {what}");
        let text = fs::read_to_string(self.pair.host("beta").dir.join("addresses")).unwrap_or_default();
        let lines = text.lines().filter(|line| line.contains(ADDRESS) && !line.contains("Deleted"));
        if let Some(present) = lines.filter_map(|line| stamp(line, begun)).find(|at| *at > begun) {
            note(figures, &row("deadtime over to address present"), present - expiry);
            note(figures, &row("address present to client answered"), answered - present);
        }
        note(figures, &row("outage at the client"), self.probe.outage(begun - 0.2));
    }

    fn come_back(&mut self, what: &str, figures: &mut Figures) {
        if self.pair.is_off("alpha") {
            self.pair.power_on("alpha");
            self.equip("alpha");
        }
        let begun = epoch();
        self.start("alpha");
        let answered = self.answered("alpha", begun);
        note(figures, &format!("{what}: start to client answered by it"), answered - begun);
        note(figures, &format!("{what}: outage at the client"), self.probe.outage(begun - 0.2));
        pass(secs(0.5));
    }

    /// The documented way: a file it watches lowers the priority.
    fn hand_over(&self, figures: &mut Figures) {
        for (weight, to, program) in [("-100\n", "beta", "hb_standby"), ("0\n", "alpha", "hb_takeover")] {
            let begun = epoch();
            fs::write(self.pair.host("alpha").dir.join("weight"), weight).expect("a file of our own");
            let answered = self.answered(to, begun);
            note(figures, &format!("{program}: to client answered by the other"), answered - begun);
            note(figures, &format!("{program}: outage at the client"), self.probe.outage(begun - 0.2));
            pass(secs(0.5));
        }
    }

    fn stop(&self, figures: &mut Figures) {
        let begun = epoch();
        let dir = self.pair.host("alpha").dir.display().to_string();
        self.pair.host("alpha").run(&format!("kill $(cat {dir}/keepalived.pid)"));
        let answered = self.answered("beta", begun);
        note(figures, "heartbeat -k: to client answered by the other", answered - begun);
        note(figures, "heartbeat -k: outage at the client", self.probe.outage(begun - 0.2));
        pass(secs(1.5));
    }

    fn answered(&self, host: &str, from: f64) -> f64 {
        let at = wait_for("an answer of the service", 20.0, || self.probe.first(host, from));
        pass(secs(0.2));
        at
    }

    fn end(mut self) {
        for name in NAMES.into_iter().filter(|name| !self.pair.is_off(name)).collect::<Vec<_>>() {
            self.pair.power_off(name);
        }
        for helper in &mut self.helpers {
            let _ = helper.kill();
            let _ = helper.wait();
        }
    }
}

fn configuration(dir: &str, priority: u16, advert: f64) -> String {
    let version = if advert < 1.0 { 3 } else { 2 };
    format!(
        "global_defs {{\n  vrrp_version {version}\n  script_user root\n}}\n\
         track_file weight {{\n  file {dir}/weight\n  weight 1\n}}\n\
         vrrp_instance one {{\n  state BACKUP\n  interface eth0\n  virtual_router_id 51\n  priority {priority}\n  \
         advert_int {advert}\n  virtual_ipaddress {{\n    {ADDRESS}/24 dev eth0\n  }}\n  \
         track_file {{\n    weight weight 1\n  }}\n}}\n"
    )
}

fn note(figures: &mut Figures, row: &str, seconds: f64) {
    figures.note(WHO, row, seconds * 1000.0);
}
