//! The package on an empty Debian: what its installation does and does not, what a person then types and sees, and an upgrade
//! while a group runs.

use std::fmt::Write as _;
use std::fs;

use super::host::Host;
use super::kill::Untouched;
use super::node::ALONE;
use super::root;
use super::runner::Story;
use crate::scenes;

/// Two versions later, and one that does not work.
const NEXT: &str = "99.1-1";
const BROKEN: &str = "99.2-1";

pub(crate) const STORY: Story = Story {
    set: booted,
    missing: || root::deb().err(),
    long: false,
    scenes: scenes![
        an_empty_debian_has_a_node_after_four_commands,
        an_upgrade_of_the_package_exchanges_the_daemon_and_moves_nothing,
        an_upgrade_to_a_program_that_does_not_start_keeps_the_old_daemon,
        a_removal_of_the_package_releases_the_groups_and_leaves_the_files,
    ],
};

fn booted() -> Vec<Host> {
    let mut host = Host::new("alpha", &root::with(&[]).expect("a Debian root"));
    host.with_card();
    host.enable_own("card.service");
    let deb = root::deb().expect("a package");
    for from in [deb, root::later_deb(NEXT, None), root::later_deb(BROKEN, Some("#!/bin/sh\nexit 1\n"))] {
        let name = from.file_name().expect("a name").to_string_lossy().into_owned();
        fs::copy(&from, host.outside(&name)).expect("a file of our own");
    }
    host.boot();
    vec![host]
}

fn ours() -> String {
    format!("latido_{}-1_amd64.deb", env!("CARGO_PKG_VERSION"))
}

/// A machine where the package is installed and the node holds `disk phone`.
fn running(machines: &mut [Host]) -> &mut Host {
    let host = &mut machines[0];
    if host.run("command -v latido").code != Some(0) {
        host.must(&format!("dpkg -i /machine/{}", ours()));
    }
    if host.run("systemctl is-active latido").code != Some(0) || host.phone().is_none() {
        host.run("systemctl stop latido");
        host.configure(ALONE, "alpha disk phone\n");
        host.must("systemctl start latido");
    }
    host.await_held();
    host
}

/// With `LATIDO_MACHINE_TRANSCRIPT=FILE` what is seen is written there.
fn an_empty_debian_has_a_node_after_four_commands(machines: &mut [Host]) {
    let host = &mut machines[0];
    let mut transcript = String::new();
    let mut type_in = |host: &Host, what: &str| {
        let said = host.run(&format!("cd /machine && {what}"));
        // What dpkg writes over itself on a terminal.
        let text = said.text.lines().map(|line| {
            line.rsplit("(Reading database").next().map_or(line, |last| {
                if line.starts_with("(Reading database") {
                    &line[line.len() - last.len() - "(Reading database".len()..]
                } else {
                    line
                }
            })
        });
        let _ = writeln!(transcript, "alpha# {what}");
        text.for_each(|line| transcript.extend([line, "\n"]));
        said
    };
    let said = type_in(host, &format!("apt-get -y install ./{}", ours()));
    assert_eq!(said.code, Some(0), "{}", said.text);
    let said = type_in(host, "systemctl is-enabled latido; systemctl is-active latido");
    assert_eq!(said.text, "disabled\ninactive\n", "nothing is started by installing it");
    let init = "latido init --yes --nodes alpha,beta --bcast eth0 --address 10.9.0.100/24/eth0";
    let said = type_in(host, init);
    assert_eq!(said.code, Some(0), "{}", said.text);
    let said = type_in(host, "latido check");
    assert!(said.code < Some(2), "{}", said.text);
    let said = type_in(host, "systemctl enable --now latido");
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert_eq!(host.active(), "active");
    let said = type_in(host, "systemctl --no-pager status latido");
    assert!(said.text.contains("active (running)"), "{}", said.text);
    type_in(host, "latido status");
    let said = type_in(host, "latido doctor");
    assert!(said.code.is_some_and(|code| code < 3), "{}", said.text);
    if let Some(file) = std::env::var_os("LATIDO_MACHINE_TRANSCRIPT") {
        fs::write(file, &transcript).expect("the transcript");
    }
}

fn an_upgrade_of_the_package_exchanges_the_daemon_and_moves_nothing(machines: &mut [Host]) {
    let host = running(machines);
    let untouched = Untouched::since(host);
    let (main, core) = (host.main_pid(), host.core());
    host.must(&format!("dpkg -i /machine/latido_{NEXT}_amd64.deb"));
    assert_eq!(host.must("dpkg-query -W -f '${Version}' latido"), NEXT);
    assert_eq!((host.main_pid(), host.active().as_str()), (main, "active"));
    assert_ne!(host.core(), core, "another core");
    assert_eq!(
        host.must(&format!("readlink /proc/{main}/exe")).trim(),
        "/usr/sbin/latido",
        "of the program that is installed now"
    );
    untouched.holds(host);
}

fn an_upgrade_to_a_program_that_does_not_start_keeps_the_old_daemon(machines: &mut [Host]) {
    let host = running(machines);
    let untouched = Untouched::since(host);
    let main = host.main_pid();
    host.run(&format!("dpkg -i /machine/latido_{BROKEN}_amd64.deb"));
    assert_eq!((host.main_pid(), host.active().as_str()), (main, "active"));
    // The broken one cannot be asked how it is.
    assert_eq!(host.calls(), Vec::<String>::new());
    host.must(&format!("dpkg -i --force-downgrade /machine/latido_{NEXT}_amd64.deb"));
    assert_eq!((host.main_pid(), host.active().as_str()), (main, "active"));
    untouched.holds(host);
}

fn a_removal_of_the_package_releases_the_groups_and_leaves_the_files(machines: &mut [Host]) {
    let host = running(machines);
    host.forget_calls();
    host.must("apt-get -y remove latido");
    assert_eq!(host.calls(), ["phone stop", "disk stop"]);
    assert_eq!(host.run("pgrep -x latido").code, Some(1));
    host.must("test -e /etc/ha.d/ha.cf && test -e /etc/ha.d/resource.d/phone && test -e /var/lib/heartbeat/hb_uuid");
    host.must("apt-get -y purge latido");
    host.must("test -e /etc/ha.d/ha.cf && test -e /etc/ha.d/resource.d/phone && test -e /var/lib/heartbeat/hb_uuid");
}
