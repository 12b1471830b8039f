//! Two machines and a cable: a power-off that is a hand-over, and Latido in the place of Debian's heartbeat, and back.

use std::fs;

use super::host::{Host, cable};
use super::root;
use super::runner::Story;
use crate::scenes;

const HA_CF: &str = "logfacility daemon
keepalive 500ms
deadtime 15
initdead 30
bcast eth1
auto_failback on
node alpha
node beta
";

/// `disk` is at home on alpha.
const HARESOURCES: &str = "alpha disk phone\n";

pub(crate) const STORY: Story = Story {
    set: two_latidos,
    missing: || None,
    long: false,
    scenes: scenes![
        a_machine_that_powers_off_hands_its_group_to_the_other_one,
        a_machine_that_comes_back_gets_its_group_home,
    ],
};

pub(crate) const RENEWAL: Story = Story {
    set: two_originals,
    missing: || root::deb().and_then(|_| root::with(&["heartbeat"])).and_then(|_| root::packages(&["heartbeat"])).err(),
    long: true,
    scenes: scenes![latido_takes_the_place_of_debians_heartbeat_beside_an_original_and_gives_it_back],
};

/// Two machines that share `/machine`, where each start is seen by both.
fn pair(packages: &[&str], prepare: fn(&Host)) -> Vec<Host> {
    let root = root::with(packages).expect("a Debian root");
    let alpha = Host::new("alpha", &root);
    let beta = Host::beside(&alpha, "beta", &root);
    // The last one is the first to go: it uses what the first one has.
    let mut machines = vec![beta, alpha];
    for machine in &mut machines {
        prepare(machine);
        machine.boot();
    }
    cable(&machines[1], &machines[0]);
    machines
}

fn start(machines: &mut [Host], unit: &str) {
    let begun: Vec<_> = machines.iter().map(|machine| machine.begin(&format!("systemctl start {unit}"))).collect();
    begun.into_iter().for_each(|start| assert!(start.wait_with_output().is_ok_and(|output| output.status.success())));
    await_owner(machines, "alpha");
}

/// Waits until the whole group runs on this machine, and nothing of it on the other.
fn await_owner(machines: &mut [Host], owner: &str) {
    let beta = &mut machines[0];
    beta.wait(&format!("the group to run on {owner} alone"), |host| {
        let up = |machine: &str, name: &str| host.outside(&format!("state/{machine}.{name}")).exists();
        let other = if owner == "alpha" { "beta" } else { "alpha" };
        let all = ["disk", "phone"];
        (all.iter().all(|name| up(owner, name)) && !all.iter().any(|name| up(other, name))).then_some(())
    });
    assert!(!beta.outside("double").exists(), "never on both: {:?}", fs::read_to_string(beta.outside("double")));
}

fn two_latidos() -> Vec<Host> {
    let mut machines = pair(&[], |machine| {
        machine.install();
        machine.configure(HA_CF, HARESOURCES);
    });
    start(&mut machines, "latido");
    machines
}

fn two_originals() -> Vec<Host> {
    let mut machines = pair(&["heartbeat"], |machine| machine.configure(HA_CF, HARESOURCES));
    start(&mut machines, "heartbeat");
    machines
}

fn a_machine_that_powers_off_hands_its_group_to_the_other_one(machines: &mut [Host]) {
    let alpha = &mut machines[1];
    alpha.forget_calls();
    alpha.power_off_in_order();
    assert_eq!(alpha.calls(), ["phone stop", "disk stop"]);
    await_owner(machines, "beta");
    let order = machines[0].order();
    assert_eq!(
        order,
        ["phone stop", "disk stop", "disk start", "phone start"],
        "released there before it was started here"
    );
    assert!(!machines[0].journal().contains("is dead"), "it said goodbye");
}

fn a_machine_that_comes_back_gets_its_group_home(machines: &mut [Host]) {
    if machines[1].is_on() {
        a_machine_that_powers_off_hands_its_group_to_the_other_one(machines);
    }
    machines[1].boot();
    cable(&machines[1], &machines[0]);
    machines[1].must("latido start");
    await_owner(machines, "alpha");
}

fn latido_takes_the_place_of_debians_heartbeat_beside_an_original_and_gives_it_back(machines: &mut [Host]) {
    let deb = root::deb().expect("a package");
    let theirs = root::packages(&["heartbeat"]).expect("the packages of the original");
    for from in fs::read_dir(theirs).expect("packages").flatten().map(|entry| entry.path()).chain([deb]) {
        let name = from.file_name().expect("a name").to_string_lossy().into_owned();
        fs::copy(&from, machines[0].outside(&name)).expect("a file of our own");
    }
    let files =
        "cd /etc/ha.d && md5sum ha.cf haresources authkeys resource.d/disk && cat /var/lib/heartbeat/hb_uuid | md5sum";
    let before = machines[1].must(files);

    // There: one command, and one that a person gives when he has looked at it.
    machines[1].must("cd /machine && apt-get -y install ./latido_*.deb");
    await_owner(machines, "beta");
    assert_eq!(machines[1].must(files), before, "nothing that is the administrator's was touched");
    assert_eq!(
        machines[1].run("dpkg-query -W -f '${db:Status-Status}' heartbeat").text.replace("config-files", ""),
        ""
    );
    machines[1].must("systemctl enable --now latido");
    await_owner(machines, "alpha");
    for (order, owner) in [("latido standby", "beta"), ("latido takeover", "alpha")] {
        machines[1].wait("Latido and the original to have settled", |alpha| {
            let said = alpha.run("latido status").text;
            (said.contains("runs heartbeat") && said.contains("settled")).then_some(())
        });
        machines[1].must(order);
        await_owner(machines, owner);
    }

    // And back.
    machines[1].must("cd /machine && apt-get -y --no-install-recommends install ./heartbeat_*.deb");
    await_owner(machines, "beta");
    assert_eq!(machines[1].must(files), before, "nothing that is the administrator's was touched");
    machines[1].must("systemctl start heartbeat");
    await_owner(machines, "alpha");
}
