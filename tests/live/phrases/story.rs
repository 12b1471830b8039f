//! What is played on a pair, whoever its nodes are, and what it logged.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::super::support::clock::{pass, secs, wait_until};
use super::super::support::host::Host;
use super::super::support::pair::NAMES;
use super::super::support::{Failback, Kind, Medium, Pair, Plan};
use super::line;

const HOME: [&[&str]; 2] = [&["ra", "rb"], &["rc", "rd"]];
const ALL: &[&str] = &["ra", "rb", "rc", "rd"];
const NONE: &[&str] = &[];
/// Far longer than anything of an original takes.
const LONG: f64 = 60.0;
/// Puts a new `/dev` in the place of the machine's, with what a daemon needs of it.
const OWN_DEV: &str = r#"
set -e
mkdir -p "$dir/dev"
mount -t tmpfs -o mode=755 host "$dir/dev"
for node in null zero full random urandom tty ptmx; do
    : >"$dir/dev/$node"
    mount --bind "/dev/$node" "$dir/dev/$node"
done
mkdir "$dir/dev/pts" "$dir/dev/shm"
mount --bind /dev/pts "$dir/dev/pts"
mount --move "$dir/dev" /dev
"#;

/// The phrases that a pair of that kind logs.
pub(super) fn phrases(kind: Kind) -> BTreeSet<String> {
    std::thread::scope(|scope| {
        let lonely = scope.spawn(move || nothing_at_home(kind));
        let mut phrases = a_life(kind);
        phrases.extend(lonely.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        phrases
    })
}

fn a_life(kind: Kind) -> BTreeSet<String> {
    let plan = Plan::new(kind, kind).over(&[Medium::Bcast(0), Medium::Bcast(1)]).timed(200, 3000).initdead(4000);
    let mut stage = Stage::new(&plan);
    // The two of them take over differently: one has a device, the other must do without.
    stage.pair.host("beta").add_to_ha_cf("stonith_host beta null alpha\n");
    stage.pair.start_both();
    stage.settle(HOME[0], HOME[1]);
    hand_over_and_reload(&stage);
    late_and_forged(&stage);
    deaths_and_returns(&mut stage);
    stage.pair.cut_all(true);
    stage.pair.settle(ALL, ALL, LONG);
    NAMES.iter().for_each(|name| stage.pair.stable(name, LONG));
    let from = stage.logged();
    stage.pair.cut_all(false);
    if kind == Kind::Real {
        (0..2).for_each(|n| stage.pair.await_log(NAMES[n], from[n], "Performing heartbeat restart exec", LONG));
    }
    stage.settle(HOME[0], HOME[1]);
    failures_and_farewells(&stage);
    stage.end()
}

fn hand_over_and_reload(stage: &Stage) {
    let pair = &stage.pair;
    stage.program("alpha", "hb_standby", "");
    stage.settle(NONE, ALL);
    stage.program("beta", "hb_standby", "foreign");
    stage.settle(HOME[0], HOME[1]);
    stage.program("alpha", "hb_standby", "local");
    stage.settle(NONE, ALL);
    stage.program("alpha", "hb_takeover", "local");
    stage.settle(HOME[0], HOME[1]);
    for (file, said) in [
        (None, "Configuration unchanged."),
        (Some("authkeys"), "Rereading authentication file."),
        (Some("ha.cf"), "Heartbeat restart triggered."),
    ] {
        if let Some(file) = file {
            let path = pair.host("alpha").dir.join("ha.d").join(file);
            let text = fs::read_to_string(&path).expect("a file of ours");
            fs::write(&path, text + "# a remark\n").expect("a file of ours");
        }
        let from = stage.logged();
        stage.program("alpha", "heartbeat", "-r");
        pair.await_log("alpha", from[0], said, LONG);
    }
    if pair.host("alpha").kind == Kind::Real {
        pair.await_log("alpha", 0, "Initial resource acquisition complete (T_RESOURCES(us))", LONG);
    }
    stage.settle(HOME[0], HOME[1]);
    // Past the time in which a starting node asks for more patience.
    pair.nothing_moves_for(5.0);
}

fn late_and_forged(stage: &Stage) {
    let pair = &stage.pair;
    pair.cut_all(true);
    pass(secs(2.0));
    pair.cut_all(false);
    pair.await_log("alpha", 0, "Late heartbeat: Node beta", LONG);
    pair.await_log("beta", 0, "Late heartbeat: Node alpha", LONG);
    stage.settle(HOME[0], HOME[1]);
    let forged = ">>>\nt=status\nst=active\ndt=7530\nprotocol=1\nsrc=beta\nseq=7fffffff\n\
                  hg=1\nts=1\nld=0.00 0.00 0.00 1/1 1\nttl=3\nauth=1 0123456789012345678901234567890123456789\n<<<\n";
    let path = pair.host("beta").dir.join("forged");
    fs::write(&path, forged).expect("a file of our own");
    let from = stage.logged();
    let sent = pair.host("beta").run(&format!("bash -c 'cat {} >/dev/udp/10.21.0.1/694'", path.display()));
    assert!(sent.status.success(), "{sent:?}");
    let said = ["failed authentication", "wrong signature"];
    let logged = |needle: &&str| pair.host("alpha").log()[from[0]..].contains(*needle);
    wait_until("the forged message to be refused", LONG, || said.iter().any(logged));
}

fn deaths_and_returns(stage: &mut Stage) {
    stage.pair.power_off("beta");
    stage.pair.settle(ALL, NONE, LONG);
    stage.pair.stable("alpha", LONG);
    let from = stage.logged();
    stage.program("alpha", "hb_standby", "");
    let said = ["No reply to standby request", "the other node is not there"];
    let logged = |needle: &&str| stage.pair.host("alpha").log()[from[0]..].contains(*needle);
    wait_until("a standby without a peer to be given up", LONG, || said.iter().any(logged));
    stage.bring_back("beta");
    stage.pair.power_off("alpha");
    stage.pair.settle(NONE, ALL, LONG);
    stage.pair.stable("beta", LONG);
    stage.bring_back("alpha");
}

fn failures_and_farewells(stage: &Stage) {
    let (alpha, beta) = (stage.pair.host("alpha"), stage.pair.host("beta"));
    fs::write(beta.dir.join("fail.ra.start"), "").expect("a file of our own");
    let from = stage.logged();
    let mut stopping = alpha.stop();
    stage.pair.await_log("beta", from[1], "Giving up resources due to failure of ra", LONG);
    assert!(stopping.wait().is_ok_and(|status| status.success()));
    stage.pair.await_log("beta", from[1], "alpha: is dead", LONG);
    fs::write(beta.dir.join("fail.rd.stop"), "").expect("a file of our own");
    let mut stopping = beta.stop();
    stage.pair.await_log("beta", from[1], "Retrying failed stop operation", LONG);
    fs::remove_file(beta.dir.join("fail.rd.stop")).expect("a file of our own");
    assert!(stopping.wait().is_ok_and(|status| status.success()));
}

/// Nothing is at home on alpha, nothing goes back, and a resource has arguments.
fn nothing_at_home(kind: Kind) -> BTreeSet<String> {
    let plan = Plan::new(kind, kind)
        .over(&[Medium::Bcast(0), Medium::Bcast(1)])
        .failback(Failback::Off)
        .resources("beta rc rx::one::two\n")
        .initdead(4000);
    let stage = Stage::new(&plan);
    for name in NAMES {
        let scripts = stage.pair.host(name).dir.join("ha.d/resource.d");
        fs::copy(scripts.join("rc"), scripts.join("rx")).expect("a script of our own");
    }
    stage.pair.host("alpha").start();
    stage.pair.settle(&["rc", "rx"], NONE, LONG);
    stage.pair.host("beta").start();
    stage.pair.both_active(LONG);
    stage.pair.await_log("beta", 0, "Initial resource acquisition complete", LONG);
    NAMES.iter().for_each(|name| stage.pair.stable(name, LONG));
    let mut stopping = stage.pair.host("alpha").stop();
    stage.pair.settle(NONE, &["rc", "rx"], LONG);
    assert!(stopping.wait().is_ok_and(|status| status.success()));
    stage.pair.await_log("beta", 0, "alpha: is dead", LONG);
    stage.end()
}

/// A pair, and who listens where its hosts have their syslog.
struct Stage {
    pair: Pair,
    syslog: [Syslog; 2],
}

impl Stage {
    fn new(plan: &Plan) -> Stage {
        let pair = Pair::new(plan);
        NAMES.iter().for_each(|name| pair.host(name).add_to_ha_cf("logfacility local3\n"));
        let syslog = NAMES.map(|name| Syslog::new(pair.host(name)));
        Stage { pair, syslog }
    }

    fn settle(&self, alpha: &[&str], beta: &[&str]) {
        self.pair.settle(alpha, beta, LONG);
        self.pair.both_active(LONG);
        NAMES.iter().for_each(|name| self.pair.stable(name, LONG));
    }

    fn program(&self, name: &str, program: &str, word: &str) {
        let host = self.pair.host(name);
        let output = host.run(&format!("{} {word}", host.program(program)));
        assert!(output.status.success(), "{program} {word} on {name}: {output:?}");
    }

    fn bring_back(&mut self, name: &str) {
        self.pair.power_on(name);
        self.syslog[usize::from(name == NAMES[1])].listen(self.pair.host(name));
        self.pair.host(name).start();
        self.settle(HOME[0], HOME[1]);
    }

    fn logged(&self) -> [usize; 2] {
        NAMES.map(|name| self.pair.host(name).log().len())
    }

    /// What was logged; the debug file and syslog have the same phrases as the log.
    fn end(self) -> BTreeSet<String> {
        let mut phrases = BTreeSet::new();
        for (name, syslog) in NAMES.into_iter().zip(&self.syslog) {
            let host = self.pair.host(name);
            let log = host.log();
            let of_log: BTreeSet<String> = log.lines().filter_map(|line| line::of_logfile(line, name)).collect();
            // An original may write a message it refuses, with all its lines.
            let formless = log.lines().find(|line| line::of_logfile(line, name).is_none());
            assert!(host.kind == Kind::Real || formless.is_none(), "{name} writes {formless:?}");
            let debug = fs::read_to_string(host.dir.join("log/ha-debug")).unwrap_or_default();
            let of_debug: BTreeSet<String> = debug.lines().filter_map(|line| line::of_debugfile(line, name)).collect();
            assert_eq!(of_log, of_debug, "{name}'s log and debug file");
            // Before it has read ha.cf nobody knows a facility.
            let of_syslog = syslog.phrases();
            let unheard: Vec<_> = of_log.difference(&of_syslog).collect();
            // A socket holds ten lines: what comes in while the machine stands still is lost, and no daemon waits for it.
            assert!(unheard.len() <= of_log.len() / 10, "syslog of {name} did not hear {unheard:#?}");
            phrases.extend(of_log);
        }
        phrases
    }
}

/// Hears what a host's programs send to `/dev/log`.
struct Syslog {
    heard: Arc<Mutex<Vec<String>>>,
    ends: Arc<AtomicBool>,
    ears: Vec<JoinHandle<()>>,
}

impl Syslog {
    fn new(host: &Host) -> Syslog {
        let mut syslog = Syslog { heard: Arc::default(), ends: Arc::new(AtomicBool::new(false)), ears: Vec::new() };
        syslog.listen(host);
        syslog
    }

    /// The host was switched on: it gets a `/dev` of its own first.
    fn listen(&mut self, host: &Host) {
        let made = host.run(&format!("dir={}\n{OWN_DEV}", host.dir.display()));
        assert!(made.status.success(), "a /dev of its own: {made:?}");
        let path = format!("/proc/{}/root/dev/log", host.init());
        let socket = UnixDatagram::bind(Path::new(&path)).expect("a /dev of the host's own");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("a socket of our own");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a socket waits");
        let (heard, ends) = (Arc::clone(&self.heard), Arc::clone(&self.ends));
        self.ears.push(std::thread::spawn(move || {
            let mut bytes = vec![0; 1 << 16];
            while !ends.load(Ordering::Relaxed) {
                match socket.recv(&mut bytes) {
                    Ok(n) => {
                        let text = String::from_utf8_lossy(&bytes[..n]).into_owned();
                        heard.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                    }
                    Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                    Err(_) => return,
                }
            }
        }));
    }

    fn phrases(&self) -> BTreeSet<String> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().filter_map(|datagram| line::of_syslog(datagram)).collect()
    }
}

impl Drop for Syslog {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        for ear in self.ears.drain(..) {
            let _ = ear.join();
        }
    }
}
