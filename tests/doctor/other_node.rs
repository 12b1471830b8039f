//! The other node's files and its own doctor, with an `ssh` that leads to another directory of this machine.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::support::{Findings, Node, read};

const SSH: &str = "#!/bin/sh\n[ -z \"$FAKE_FAILURE\" ] || { echo 'Permission denied (publickey).' >&2; exit 255; }\n\
                   for last; do :; done\nuname() { echo beta; }\n\
                   [ -z \"$FAKE_BARE\" ] || command() { return 1; }\n\
                   eval \"$(echo \"$last\" | sed \"s#$HERE#$THERE#g\")\"\n";

/// Two nodes with the same files, and how to get from the first to the second.
fn pair() -> [Node; 2] {
    let nodes = [Node::new(), Node::new()];
    let [alpha, beta] = &nodes;
    for name in ["ha.cf", "haresources", "authkeys"] {
        fs::copy(alpha.path().join(name), beta.path().join(name)).unwrap();
    }
    beta.write("nodeinfo", "beta\n", 0o644);
    alpha.write("bin/ssh", SSH, 0o755);
    nodes
}

fn examine([alpha, beta]: &[Node; 2], faults: &[(&str, &str)]) -> Findings {
    let path = format!("{}:/usr/bin:/bin", alpha.path().join("bin").display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_latido"));
    command.args(["doctor", "--json", "--both", "--root"]).arg(alpha.path().join("root")).arg("-d").arg(alpha.path());
    command.env("PATH", path).env("HERE", alpha.path()).env("THERE", beta.path()).envs(faults.iter().copied());
    read(&mut command)
}

fn install_latido(alpha: &Node) {
    symlink(Path::new(env!("CARGO_BIN_EXE_latido")), alpha.path().join("bin/latido")).unwrap();
}

#[test]
fn the_other_node_is_compared_and_examined_too() {
    let nodes = pair();
    install_latido(&nodes[0]);
    let found = examine(&nodes, &[]);
    for name in ["ha.cf", "haresources", "authkeys"] {
        found.assert("pass", "files", &format!("{name} is the same on beta"));
    }
    found.assert("pass", "name", "beta: this is beta");
    found.assert("pass", "scripts", "beta: web: ");
}

#[test]
fn what_is_wrong_over_there_is_found_from_here() {
    let nodes = pair();
    install_latido(&nodes[0]);
    let [_, beta] = &nodes;
    beta.write("haresources", "beta web other\n", 0o644);
    beta.write("authkeys", "auth 1\n1 sha1 0th3r-s3cr3t-0f-b3ta-4lone\n", 0o644);
    let found = examine(&nodes, &[]);
    found.assert("fail", "files", "haresources on beta is another");
    found.assert("fail", "files", "authkeys on beta is another");
    found.assert("fail", "authkeys", "beta: ");
    found.assert("fail", "scripts", "beta: Cannot locate resource script other");
    assert!(!found.mentions("0th3r-s3cr3t"));
}

#[test]
fn a_node_without_latido_has_its_files_compared() {
    let nodes = pair();
    nodes[1].write("ha.cf", "# another\n", 0o644);
    let found = examine(&nodes, &[("FAKE_BARE", "1")]);
    found.assert("warn", "files", "ha.cf on beta is another");
    found.assert("warn", "daemon", "beta: no latido there");
}

#[test]
fn a_node_that_cannot_be_reached_is_a_failure_with_what_ssh_said() {
    let found = examine(&pair(), &[("FAKE_FAILURE", "1")]);
    found.assert("fail", "ssh", "Permission denied (publickey).");
}
