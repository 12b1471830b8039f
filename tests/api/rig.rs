//! A pair with a ping node and programs beside the daemons, and what they print.

use std::process::Output;

use super::support::clock::wait_until;
use super::support::host::Host;
use super::support::{Failback, Kind, Pair, Plan};

/// The switch itself: both nodes reach it.
pub(crate) const PING: &str = "10.21.0.254";

/// The names of the nodes, in the order of the plan.
pub(crate) const NAMES: [&str; 2] = ["alpha", "beta"];

/// Two nodes with a ping node; `auto_failback off`, one address-like resource at home on alpha.
pub(crate) fn plan(alpha: Kind, beta: Kind) -> Plan {
    Plan::new(alpha, beta).failback(Failback::Off).resources("alpha ra rb\n").timed(200, 1500)
}

/// The pair, not started, with these lines more in `ha.cf`.
pub(crate) fn pair(plan: &Plan, lines: &str) -> Pair {
    let pair = Pair::new(plan);
    for name in NAMES {
        pair.host(name).add_to_ha_cf(&format!("deadping 1500ms\nping {PING}\n{lines}"));
    }
    pair
}

/// Adds lines to each node's own `ha.cf`.
pub(crate) fn add(pair: &Pair, lines: [&str; 2]) {
    NAMES.into_iter().zip(lines).for_each(|(name, lines)| pair.host(name).add_to_ha_cf(lines));
}

/// Started, both active, the resources up on alpha.
pub(crate) fn start(pair: &Pair) {
    pair.start_both();
    active(pair);
    wait_until("the resources", 30.0, || pair.held()[0] == ["ra", "rb"]);
    settled(pair);
}

/// Waits until both see both.
pub(crate) fn active(pair: &Pair) {
    for name in NAMES {
        let host = pair.host(name);
        wait_until(&format!("both to be up in the eyes of {name}"), 20.0, || {
            NAMES.iter().all(|node| said(&host.run(&format!("cl_status nodestatus {node}"))).1 == "active\n")
        });
    }
}

/// Waits until both say by the client API that they have nothing left to do.
pub(crate) fn settled(pair: &Pair) {
    for name in NAMES {
        wait_until(&format!("{name} to be settled"), 15.0, || {
            let (code, out, _) = said(&pair.host(name).run("cl_status rscstatus"));
            code == 0 && out != "transition\n"
        });
    }
}

/// Exit code, standard output, and standard error without what differs from run to run.
pub(crate) fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let errors: String = text(&output.stderr).lines().map(|line| undated(line) + "\n").collect();
    (output.status.code().unwrap_or(-1), text(&output.stdout), errors)
}

/// `Nov 20 23:12:46 alpha cl_status: [390]: ERROR: text` without date, host and pid.
pub(crate) fn undated(line: &str) -> String {
    line.split_once("]: ").map_or_else(|| line.to_owned(), |(_, rest)| rest.to_owned())
}

/// The same, run in that host.
pub(crate) fn run(host: &Host, what: &str) -> (i32, String, String) {
    said(&host.run(what))
}
