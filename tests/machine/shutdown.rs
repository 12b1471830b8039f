//! The end of a machine: groups are released in order, before DRBD is stopped and before systemd takes away units that
//! belong to them (`systemd.md` 3).

use super::host::Host;
use super::node::{ALONE, UNIT};
use super::root;
use super::runner::Story;
use crate::scenes;

pub(crate) const STORY: Story = Story {
    set: booted,
    missing: || None,
    long: false,
    scenes: scenes![
        a_machine_that_powers_off_releases_groups_before_drbd_and_the_units_in_them,
        a_machine_that_reboots_starts_its_groups_again_in_order,
        a_stop_and_a_restart_of_the_node_alone_stop_the_units_in_its_groups_in_their_turn,
        a_supervisor_killed_before_the_power_off_changes_nothing_of_its_order,
    ],
};

/// DRBD as its package has it: a unit that ran, and takes the devices down when it is stopped.
const DRBD: &str = "[Unit]
Before=remote-fs.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'echo drbd up >>/machine/order'
ExecStop=/bin/sh -c 'echo drbd down >>/machine/order'
[Install]
WantedBy=multi-user.target
";

/// A service that nobody but the node starts and stops, but systemd would stop as well.
const WEB: &str = "[Service]
Type=exec
ExecStart=/bin/sleep infinity
ExecStartPost=/bin/sh -c 'echo web up >>/machine/order'
ExecStopPost=/bin/sh -c 'echo web down >>/machine/order'
";

/// A disk of the network that is unmounted at the end.
const REMOTE: &str = "[Unit]
DefaultDependencies=no
Before=remote-fs.target shutdown.target
Conflicts=shutdown.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh -c 'echo remote-fs down >>/machine/order'
[Install]
WantedBy=remote-fs.target
";

const UP: [&str; 4] = ["drbd up", "disk start", "web up", "disk2 start"];
const DOWN: [&str; 3] = ["disk2 stop", "web down", "disk stop"];

fn booted() -> Vec<Host> {
    let mut host = Host::new("alpha", &root::with(&[]).expect("a Debian root"));
    host.install();
    host.configure(ALONE, "alpha disk web disk2\n");
    host.with_card();
    for (name, text) in [("drbd", DRBD), ("web", WEB), ("remote", REMOTE)] {
        host.put(&format!("usr/lib/systemd/system/{name}.service"), text, 0o644);
    }
    host.link("etc/systemd/system/remote-fs.target.wants/remote.service", "/usr/lib/systemd/system/remote.service");
    host.enable("drbd.service");
    host.enable(UNIT);
    // A stop that takes its time is waited for, by all that come after it.
    std::fs::write(host.outside("delay.disk2.stop"), "2").expect("a file of our own");
    host.boot();
    host.await_held();
    vec![host]
}

/// Powers it off and judges what happened in which order.
fn power_off(host: &mut Host) {
    host.forget_calls();
    host.power_off_in_order();
    let order = host.order();
    assert_eq!(order[..DOWN.len().min(order.len())], DOWN, "{order:?}");
    let mut after: Vec<&str> = order[DOWN.len()..].iter().map(String::as_str).collect();
    after.sort_unstable();
    assert_eq!(after, ["drbd down", "remote-fs down"], "{order:?}");
}

fn a_machine_that_powers_off_releases_groups_before_drbd_and_the_units_in_them(machines: &mut [Host]) {
    let host = &mut machines[0];
    assert_eq!(host.order(), UP);
    power_off(host);
}

fn a_machine_that_reboots_starts_its_groups_again_in_order(machines: &mut [Host]) {
    let host = &mut machines[0];
    if host.is_on() {
        power_off(host);
    }
    host.forget_calls();
    host.boot();
    host.await_held();
    assert_eq!(host.order(), UP);
}

fn a_stop_and_a_restart_of_the_node_alone_stop_the_units_in_its_groups_in_their_turn(machines: &mut [Host]) {
    let host = &mut machines[0];
    host.forget_calls();
    host.must("timeout 100 systemctl restart latido");
    host.await_held();
    let mut expected = DOWN.to_vec();
    expected.extend(&UP[1..]);
    assert_eq!(host.order(), expected);
    host.forget_calls();
    host.must("timeout 100 systemctl stop latido");
    assert_eq!(host.order(), DOWN);
    host.must("systemctl start latido");
    host.await_held();
}

fn a_supervisor_killed_before_the_power_off_changes_nothing_of_its_order(machines: &mut [Host]) {
    let host = &mut machines[0];
    let main = host.main_pid();
    host.must(&format!("kill -9 {main}"));
    super::kill::await_main_other_than(host, main);
    power_off(host);
}
