//! exploration

use std::fs;
use std::os::unix::net::UnixDatagram;

use nix::sys::signal::Signal;

use super::runner::{Pace, Test};
use super::scenarios;
use super::support::clock::{pass, secs, wait_until};
use super::support::pair::NAMES;
use super::support::{Kind, Medium, Pair, Plan};
use crate::tests;

pub(crate) const TESTS: &[Test] =
    tests!(true, Pace::Together, [explore_real, explore_ours, explore_off, explore_legacy]);

const HOME: [&[&str]; 2] = [&["ra", "rb"], &["rc", "rd"]];
const ALL: &[&str] = &["ra", "rb", "rc", "rd"];
const NONE: &[&str] = &[];

fn explore_real() {
    explore(Kind::Real, "real");
}
fn explore_ours() {
    explore(Kind::Latido, "ours");
}

struct Marks {
    out: String,
    at: [[usize; 3]; 2],
}

fn listen(pair: &Pair, name: &'static str, tag: &str) {
    let path = format!("/proc/{}/root/dev/log", pair.host(name).init());
    let socket = UnixDatagram::bind(&path).expect("dev log");
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let file = pair.host(name).dir.join("log/syslog");
    let _ = tag;
    std::thread::spawn(move || {
        let mut buf = [0u8; 65536];
        while let Ok(n) = socket.recv(&mut buf) {
            use std::io::Write as _;
            let Ok(mut f) = fs::OpenOptions::new().append(true).create(true).open(&file) else { return };
            f.write_all(&buf[..n]).unwrap();
            f.write_all(b"\n").unwrap();
        }
    });
}

fn explore(kind: Kind, tag: &str) {
    let plan = Plan::new(kind, kind).over(&[Medium::Bcast(0), Medium::Serial]).timed(200, 2000);
    let mut pair = Pair::new(&plan);
    for name in NAMES {
        pair.host(name).add_to_ha_cf("logfacility local3\n");
        listen(&pair, name, tag);
    }
    pair.host("beta").add_to_ha_cf("stonith_host beta null alpha\n");
    let mut marks = Marks { out: String::new(), at: [[0; 3]; 2] };
    let mut mark = |pair: &Pair, what: &str| {
        pass(secs(1.5));
        for (n, name) in NAMES.into_iter().enumerate() {
            for (m, file) in ["ha-log", "ha-debug", "syslog"].into_iter().enumerate() {
                let text = fs::read_to_string(pair.host(name).dir.join("log").join(file)).unwrap_or_default();
                let from = std::mem::replace(&mut marks.at[n][m], text.len());
                marks.out += &format!("==== {what} | {name} | {file}\n{}", &text[from.min(text.len())..]);
            }
        }
        fs::write(format!("/tmp/w5-out/{tag}.txt"), &marks.out).unwrap();
    };
    let stable = |pair: &Pair| {
        pair.stable("alpha", 20.0);
        pair.stable("beta", 20.0);
    };
    pair.start_both();
    pair.settle(HOME[0], HOME[1], 40.0);
    pair.both_active(20.0);
    stable(&pair);
    mark(&pair, "cold start");
    let run = |pair: &Pair, name: &str, program: &str, arg: &str| {
        let host = pair.host(name);
        let out = host.run(&format!("{} {arg}", host.program(program)));
        eprintln!("{tag} {name} {program} {arg}: {:?}", out);
    };
    run(&pair, "alpha", "hb_standby", "");
    pair.settle(NONE, ALL, 20.0);
    stable(&pair);
    mark(&pair, "alpha standby all");
    run(&pair, "beta", "hb_standby", "foreign");
    pair.settle(HOME[0], HOME[1], 20.0);
    stable(&pair);
    mark(&pair, "beta standby foreign");
    run(&pair, "alpha", "hb_standby", "local");
    pair.settle(NONE, ALL, 20.0);
    stable(&pair);
    mark(&pair, "alpha standby local");
    run(&pair, "alpha", "hb_takeover", "local");
    pair.settle(HOME[0], HOME[1], 20.0);
    stable(&pair);
    mark(&pair, "alpha takeover local");
    run(&pair, "alpha", "heartbeat", "-r");
    mark(&pair, "reload unchanged -r");
    let alpha = pair.host("alpha");
    if kind == Kind::Real {
        alpha.signal(Signal::SIGHUP);
    } else {
        super::support::host::Host::send(&[alpha.daemon().unwrap()], Signal::SIGHUP);
    }
    mark(&pair, "reload unchanged SIGHUP");
    alpha.run("touch /etc/ha.d/authkeys");
    run(&pair, "alpha", "heartbeat", "-r");
    mark(&pair, "reload authkeys");
    alpha.run("touch /etc/ha.d/ha.cf");
    run(&pair, "alpha", "heartbeat", "-r");
    pass(secs(3.0));
    pair.both_active(20.0);
    stable(&pair);
    mark(&pair, "reload ha.cf");
    pair.cut_all(true);
    pass(secs(1.3));
    pair.cut_all(false);
    pair.both_active(20.0);
    mark(&pair, "late heartbeat");
    pair.host("beta").run(
        "bash -c 'printf \">>>\\nt=status\\nst=active\\nsrc=beta\\nauth=1 deadbeef\\n<<<\\n\" >/dev/udp/10.21.0.1/694'",
    );
    pair.host("beta").run("bash -c 'printf \"rubbish\" >/dev/udp/10.21.0.1/694'");
    mark(&pair, "bad auth");
    pair.power_off("beta");
    pair.settle(ALL, NONE, 20.0);
    pair.stable("alpha", 20.0);
    mark(&pair, "beta power off");
    run(&pair, "alpha", "hb_standby", "");
    pair.await_log("alpha", 0, "No reply to standby request", 20.0);
    mark(&pair, "standby with no peer");
    pair.power_on("beta");
    listen(&pair, "beta", tag);
    pair.host("beta").start();
    pair.settle(HOME[0], HOME[1], 40.0);
    pair.both_active(20.0);
    stable(&pair);
    mark(&pair, "beta returns");
    pair.power_off("alpha");
    pair.settle(NONE, ALL, 20.0);
    pair.stable("beta", 20.0);
    mark(&pair, "alpha power off (stonith)");
    pair.power_on("alpha");
    listen(&pair, "alpha", tag);
    pair.host("alpha").start();
    pair.settle(HOME[0], HOME[1], 40.0);
    pair.both_active(20.0);
    stable(&pair);
    mark(&pair, "alpha returns");
    pair.cut_all(true);
    pair.settle(ALL, ALL, 20.0);
    pair.stable("alpha", 20.0);
    pair.stable("beta", 20.0);
    mark(&pair, "cut");
    pair.cut_all(false);
    if kind == Kind::Real {
        for name in NAMES {
            pair.await_log(name, 0, "Performing heartbeat restart exec", 30.0);
        }
    }
    pair.settle(HOME[0], HOME[1], 60.0);
    pair.both_active(20.0);
    stable(&pair);
    mark(&pair, "healed");
    fs::write(pair.host("beta").dir.join("fail.ra.start"), "").unwrap();
    let mut stopping = pair.host("alpha").stop();
    wait_until("beta gives up", 20.0, || pair.host("beta").log().contains("Giving up resources due to failure"));
    stopping.wait().unwrap();
    pass(secs(3.0));
    mark(&pair, "alpha stops, beta cannot start ra");
    fs::write(pair.host("beta").dir.join("fail.rd.stop"), "").unwrap();
    let mut stopping = pair.host("beta").stop();
    wait_until("retry", 20.0, || pair.host("beta").log().contains("Retrying failed stop"));
    fs::remove_file(pair.host("beta").dir.join("fail.rd.stop")).unwrap();
    stopping.wait().unwrap();
    mark(&pair, "beta stops, stop of rd fails at first");
    let _ = scenarios::cold_start;
}

use super::support::Failback;
fn dump(pair: &Pair, tag: &str) {
    let mut out = String::new();
    for name in NAMES {
        for file in ["ha-log", "ha-debug", "syslog"] {
            let text = fs::read_to_string(pair.host(name).dir.join("log").join(file)).unwrap_or_default();
            out += &format!("==== {name} | {file}\n{text}");
        }
    }
    fs::write(format!("/tmp/w5-out/{tag}.txt"), out).unwrap();
}
fn extra(pair: &Pair) {
    for name in NAMES {
        let dir = pair.host(name).dir.join("ha.d/resource.d");
        let text = fs::read_to_string(dir.join("rc")).unwrap();
        fs::write(dir.join("rx"), text).unwrap();
        let mut mode = fs::metadata(dir.join("rc")).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
        fs::set_permissions(dir.join("rx"), mode).unwrap();
    }
}
fn explore_off() {
    let plan = Plan::new(Kind::Real, Kind::Real).failback(Failback::Off).resources("beta rc rx::one::two\nbeta rd\n");
    let pair = Pair::new(&plan);
    extra(&pair);
    pair.host("alpha").start();
    pair.settle(&["rc", "rd", "rx"], NONE, 40.0);
    pass(secs(2.0));
    pair.host("beta").start();
    pair.both_active(20.0);
    pass(secs(3.0));
    fs::write(pair.host("alpha").dir.join("fail.rx.stop"), "").unwrap();
    let mut stopping = pair.host("alpha").stop();
    wait_until("retry", 20.0, || pair.host("alpha").log().contains("Retrying failed stop"));
    fs::remove_file(pair.host("alpha").dir.join("fail.rx.stop")).unwrap();
    stopping.wait().unwrap();
    pass(secs(2.0));
    dump(&pair, "off");
}
fn explore_legacy() {
    let plan = Plan::new(Kind::Real, Kind::Real).failback(Failback::Legacy);
    let mut pair = Pair::new(&plan);
    pair.start_both();
    pair.settle(HOME[0], HOME[1], 40.0);
    pass(secs(2.0));
    pair.power_off("beta");
    pair.settle(ALL, NONE, 20.0);
    pass(secs(2.0));
    pair.power_on("beta");
    pair.host("beta").start();
    pair.settle(HOME[0], HOME[1], 40.0);
    pass(secs(2.0));
    let mut stopping = pair.host("beta").stop();
    stopping.wait().unwrap();
    pass(secs(2.0));
    dump(&pair, "legacy");
}
