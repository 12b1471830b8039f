//! Five minutes of hardship for two Latidos at keepalive 100 ms, deadtime 500 ms: nobody may be declared dead, nothing may
//! move. Only with `--ignored`.

use std::process::{Child, Stdio};

use super::runner::{Pace, Test};
use super::scenarios;
use super::support::Kind::Latido;
use super::support::clock::{pass, secs};
use super::support::pair::NAMES;
use super::support::{Pair, Plan, record, shell};
use crate::tests;

/// The tests of this file.
pub(crate) const TESTS: &[Test] = tests!(
    false,
    Pace::Long,
    [
        five_minutes_with_two_busy_loops_a_core_move_nothing,
        five_minutes_with_thirty_percent_of_packets_lost_each_way_move_nothing,
    ]
);

/// Drops three packets in ten as they arrive at a host.
const LOSSY: &str = "nft add table inet lossy && \
    nft add chain inet lossy in '{ type filter hook input priority 0; }' && \
    nft add rule inet lossy in udp dport 694 numgen random mod 10 '<' 3 drop";

fn plan() -> Plan {
    Plan::new(Latido, Latido).timed(100, 500)
}

fn five_minutes_with_two_busy_loops_a_core_move_nothing() {
    let pair = scenarios::cold_start(&plan());
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let _loops = BusyLoops::begin(cores * 2);
    five_minutes(&pair);
}

fn five_minutes_with_thirty_percent_of_packets_lost_each_way_move_nothing() {
    let pair = scenarios::cold_start(&plan());
    for name in NAMES {
        let output = pair.host(name).run(LOSSY);
        assert!(output.status.success(), "nft (Debian: nftables) loses the packets: {}", shell::said(&output));
    }
    five_minutes(&pair);
}

fn five_minutes(pair: &Pair) {
    let held = pair.held();
    let from = super::support::clock::epoch();
    pass(secs(300.0));
    for name in NAMES {
        let log = pair.host(name).log();
        let deaths = log.matches("is dead").count();
        let late = log.matches("Late heartbeat").count();
        shell::print(&format!("{name}: {deaths} deaths, {late} late heartbeats in five minutes"));
    }
    assert_eq!(pair.held(), held);
    for name in NAMES {
        let calls = record::counted(&pair.host(name).dir, from);
        assert!(calls.is_empty(), "scripts ran on {name}: {calls:?}");
        assert!(!pair.host(name).log().contains("is dead"), "{name} declared its living peer dead");
    }
}

/// Processes that do nothing as fast as they can; they end with this value.
struct BusyLoops(Vec<Child>);

impl BusyLoops {
    fn begin(n: usize) -> BusyLoops {
        let busy = || shell::clean("sh").args(["-c", "while :; do :; done"]).stdout(Stdio::null()).spawn().ok();
        BusyLoops((0..n).filter_map(|_| busy()).collect())
    }
}

impl Drop for BusyLoops {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
