//! What is done to a pair, whoever its nodes are: the same steps for two real nodes, a mixed pair and two Latidos.
//! What must come of it is in `resources.md` 10 and in `takeover.md`; where kinds differ, the step says how.

use nix::sys::signal::Signal;

use super::support::clock::{epoch, pass, secs, wait_until};
use super::support::host::Host;
use super::support::pair::NAMES;
use super::support::{Failback, Kind, Pair, Plan, record};

/// Groups at home.
const HOME: [&[&str]; 2] = [&["ra", "rb"], &["rc", "rd"]];
const ALL: &[&str] = &["ra", "rb", "rc", "rd"];
const NONE: &[&str] = &[];

/// How long a real node may need for anything but a cold start or a partition; a Latido needs a fraction.
const SOON: f64 = 8.0;

/// Cold start of both, a hand-over there and back from either side, power-off and return of either, and a graceful
/// stop at the end: what happens to a pair in its life, each step after the last.
pub(crate) fn a_life(plan: &Plan) {
    let mut pair = cold_start(plan);
    for n in [0, 1] {
        give_and_take_back(&pair, n);
    }
    for n in [0, 1] {
        power_off_and_return(&mut pair, plan, n);
    }
    stop_and_start(&pair, 1);
    pair.assert_never_double();
    pair.assert_real_content();
}

/// Both daemons in the same second; both groups at home, both nodes active in the eyes of both.
pub(crate) fn cold_start(plan: &Plan) -> Pair {
    let pair = Pair::running(plan);
    pair.both_active(SOON);
    pair.assert_never_double();
    pair
}

/// `hb_standby` on one, then `hb_takeover local` on the same.
pub(crate) fn give_and_take_back(pair: &Pair, n: usize) {
    let host = pair.host(NAMES[n]);
    // A real node refuses a request while the last one is still being settled.
    stable(pair);
    host.run(&host.program("hb_standby"));
    settle_at(pair, 1 - n, SOON);
    stable(pair);
    host.run(&format!("{} local", host.program("hb_takeover")));
    pair.settle(HOME[0], HOME[1], SOON);
    stable(pair);
}

/// Power-off of one and its return, after which failback decides.
pub(crate) fn power_off_and_return(pair: &mut Pair, plan: &Plan, n: usize) {
    let name = NAMES[n];
    pair.power_off(name);
    settle_at(pair, 1 - n, SOON);
    stable_at(pair, 1 - n);
    pair.power_on(name);
    pair.host(name).start();
    if plan.failback == Failback::Off {
        pair.both_active(SOON);
        stable(pair);
        pair.nothing_moves_for(1.0);
    } else {
        pair.settle(HOME[0], HOME[1], SOON);
        pair.both_active(SOON);
        stable(pair);
    }
}

/// `heartbeat -k` on one: the other has everything before the command returns; then it comes back.
pub(crate) fn stop_and_start(pair: &Pair, n: usize) {
    let host = pair.host(NAMES[n]);
    let mut stopping = host.stop();
    settle_at(pair, 1 - n, SOON);
    assert!(stopping.wait().is_ok_and(|status| status.success()), "heartbeat -k on {}", host.name);
    assert_eq!(host.daemon(), None, "heartbeat -k returned before the daemon was gone");
    pair.nothing_moves_for(2.0);
    host.start();
    pair.settle(HOME[0], HOME[1], SOON);
    pair.both_active(SOON);
}

/// One of the plan's two media is cut, then the other: nothing moves, nobody dies.
pub(crate) fn one_cable_at_a_time(plan: &Plan, cables: &[fn(&Pair, bool)]) {
    let pair = cold_start(plan);
    for cut in cables {
        cut(&pair, true);
        pair.nothing_moves_for(f64::from(plan.deadtime_ms) / 1000.0 + 1.5);
        pair.both_active(0.5);
        cut(&pair, false);
        pair.nothing_moves_for(1.0);
    }
    pair.assert_real_content();
}

/// All cables are cut until both have everything, then mended: one owner again, and no Latido stopped what was its own.
/// A real node then restarts itself, as it always does after a partition (`resources.md` 2.5), and gets its own back.
/// Returns the seconds from the mending to one owner.
pub(crate) fn partition(plan: &Plan) -> f64 {
    let pair = cold_start(plan);
    let from = epoch();
    pair.cut_all(true);
    pair.settle(ALL, ALL, SOON);
    stable(&pair);
    pair.take_doubles();
    let (mended, logs) = (epoch(), NAMES.map(|name| pair.host(name).log().len()));
    pair.cut_all(false);
    wait_until("one owner", 45.0, || one_owner(&pair));
    let took = epoch() - mended;
    for (n, name) in NAMES.into_iter().enumerate().filter(|(n, _)| plan.kinds[*n] == Kind::Real) {
        pair.await_log(name, logs[n], "Performing heartbeat restart exec", 15.0);
    }
    pair.settle(HOME[0], HOME[1], 45.0);
    pair.both_active(SOON);
    stable(&pair);
    for (n, own) in HOME.iter().enumerate().filter(|(n, _)| plan.kinds[*n] == Kind::Latido) {
        let calls = record::counted(&pair.host(NAMES[n]).dir, from);
        for resource in *own {
            assert!(!calls.contains_key(&format!("{resource} stop")), "{} stopped its own: {calls:?}", NAMES[n]);
        }
    }
    pair.nothing_moves_for(3.0);
    pair.assert_never_double();
    // That both owned everything is the truth of the moment, and it makes the real node give up in time.
    pair.assert_real_content_but(&["Both machines own"]);
    took
}

/// `kill -STOP` of alpha's daemon for three deadtimes, then `-CONT`: the other takes over in time, the sleeper never
/// declares its punctual peer dead, and there is one owner again. Returns the seconds from waking to that.
pub(crate) fn stopped_and_woken(plan: &Plan) -> f64 {
    let pair = cold_start(plan);
    // Past the five seconds in which a starting real node announces a longer deadtime.
    pair.nothing_moves_for(5.0);
    let logs = NAMES.map(|name| pair.host(name).log().len());
    let slept = epoch();
    let sleepers = pair.host("alpha").signal(Signal::SIGSTOP);
    wait_until("beta to take over", SOON, || pair.host("beta").held() == ALL);
    pass(secs(f64::from(plan.deadtime_ms) * 3.0 / 1000.0 - (epoch() - slept)));
    pair.take_doubles();
    let woken = epoch();
    Host::send(&sleepers, Signal::SIGCONT);
    wait_until("one owner", 10.0, || one_owner(&pair));
    let took = epoch() - woken;
    if plan.kinds[1] == Kind::Real {
        pair.await_log("beta", logs[1], "Performing heartbeat restart exec", 15.0);
    }
    pair.settle(HOME[0], HOME[1], 15.0);
    pair.both_active(SOON);
    let said = pair.host("alpha").log().split_off(logs[0]);
    assert!(!said.contains("beta: is dead"), "the sleeper declared its punctual peer dead: {said}");
    pair.nothing_moves_for(2.0);
    pair.assert_never_double();
    pair.assert_real_content_but(&["Both machines own"]);
    took
}

/// Does each resource run on exactly one host?
fn one_owner(pair: &Pair) -> bool {
    let [alpha, beta] = pair.held();
    alpha.iter().all(|name| !beta.contains(name)) && alpha.len() + beta.len() == ALL.len()
}

/// A restart that keeps the resources: a real node's `-r` after a change of ha.cf; a Latido's reload, and its process
/// killed and started again within deadtime. Nothing moves, nobody is declared dead.
pub(crate) fn quick_restart(plan: &Plan, n: usize) {
    let pair = cold_start(plan);
    let (host, other) = (pair.host(NAMES[n]), pair.host(NAMES[1 - n]));
    // Past the five seconds in which a starting node announces a longer deadtime.
    pair.nothing_moves_for(5.0);
    let (log, other_log) = (host.log().len(), other.log().len());
    host.run("touch /etc/ha.d/ha.cf");
    let output = host.run(&format!("{} -r", host.program("heartbeat")));
    assert!(output.status.success(), "heartbeat -r: {output:?}");
    if host.kind == Kind::Real {
        pair.await_log(host.name, log, "Local status now set to: 'active'", SOON);
    }
    pair.nothing_moves_for(2.0);
    if host.kind == Kind::Latido {
        let core = host.core().expect("a core");
        Host::send(&[core], Signal::SIGKILL);
        pair.nothing_moves_for(2.0);
        assert_ne!(host.core(), Some(core));
    }
    pair.both_active(SOON);
    let said = other.log().split_off(other_log);
    assert!(!said.contains("is dead"), "{} declared {} dead: {said}", other.name, host.name);
    // What is left must still work.
    give_and_take_back(&pair, n);
    pair.assert_never_double();
    pair.assert_real_content();
}

/// Everything is at that node.
fn settle_at(pair: &Pair, n: usize, limit: f64) -> f64 {
    if n == 0 { pair.settle(ALL, NONE, limit) } else { pair.settle(NONE, ALL, limit) }
}

/// Both nodes have finished what they were doing.
fn stable(pair: &Pair) {
    stable_at(pair, 0);
    stable_at(pair, 1);
}

/// That node has finished what it was doing, by its own account.
fn stable_at(pair: &Pair, n: usize) {
    pair.stable(NAMES[n], SOON);
}
