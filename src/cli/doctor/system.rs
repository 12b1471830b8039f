//! What the system does with the daemon, and what else it runs: is the daemon started at boot, is it the one systemd
//! watches, does another cluster manager move the same things, does a login program use the serial line?

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::logging::runs;
use crate::config::Config;
use crate::daemon::systemctl;
use crate::host::at_boot::{has_unit, started_at_boot};
use crate::paths::Paths;

use super::boot::disable;
use super::finding::Findings;
use super::peer::Here;

/// Programs that move addresses or services by themselves: the unit, and how its process is called.
const OTHERS: [(&str, &str); 4] =
    [("keepalived", "keepalived"), ("pacemaker", "pacemakerd"), ("corosync", "corosync"), ("ucarp", "ucarp")];
/// Where a program of the old name lies.
const OLD_NAMES: [&str; 3] =
    ["usr/lib/heartbeat/heartbeat", "usr/lib64/heartbeat/heartbeat", "usr/libexec/heartbeat/heartbeat"];
/// The units a daemon of ours runs in.
const UNITS: [&str; 2] = ["latido.service", "heartbeat.service"];

/// Looks below `root`, which is `/` but for tests.
pub(super) fn check(config: &Config, paths: &Paths, root: &Path, here: &Here, findings: &mut Findings) {
    // A node in a directory of its own is started by whoever made it.
    if *paths == Paths::system() || root != Path::new("/") {
        at_boot(root, findings);
    }
    for (unit, process) in OTHERS {
        if let Some(starter) = started_at_boot(root, unit) {
            let what =
                format!("{unit} is started at boot ({}): two programs would move the same things", starter.display());
            findings.fail("boot", what, format!("{}; keep one of the two", disable(unit, &starter)));
        }
        if let Some(pid) = process_of(root, process) {
            let what = format!("{process} runs here, pid {pid}: it moves addresses or services by itself");
            findings.fail(
                "daemon",
                what,
                format!("systemctl stop {unit}, unless it minds other things than haresources"),
            );
        }
    }
    for (device, _) in config.media.iter().filter_map(|spec| spec.serial_line()) {
        login_on(device, root, findings);
    }
    if let Here::Latido(status) = here
        && *paths == Paths::system()
    {
        watched(status.pid, root, findings);
    }
}

/// One daemon is started at boot, and it is this one.
fn at_boot(root: &Path, findings: &mut Findings) {
    let (old, new) = (started_at_boot(root, "heartbeat"), started_at_boot(root, "latido"));
    // The init script of the old name starts Latido where the program of the old name is a link to it.
    let old_is_ours = OLD_NAMES.iter().map(|name| root.join(name)).any(|path| leads_to_latido(&path));
    match (old, new) {
        (Some(old), Some(new)) => {
            let what = format!("two daemons are started at boot: {} and {}", old.display(), new.display());
            findings.fail("boot", what, format!("{}; keep latido", disable("heartbeat", &old)));
        }
        (Some(old), None) if !old_is_ours => {
            let what = format!("the old heartbeat is started at boot ({}), and latido is not", old.display());
            findings.fail("boot", what, format!("{}; systemctl enable latido", disable("heartbeat", &old)));
        }
        (Some(starter), None) | (None, Some(starter)) => {
            findings.pass("boot", format!("the daemon is started at boot by {}", starter.display()));
        }
        (None, None) => {
            let what = "no daemon is started at boot: after a power failure this node takes no part";
            let remedy = if has_unit(root, "latido") || !root.join("etc/init.d/heartbeat").exists() {
                "systemctl enable latido"
            } else {
                "update-rc.d heartbeat defaults, or chkconfig heartbeat on"
            };
            findings.warn("boot", what, remedy);
        }
    }
}

fn leads_to_latido(path: &Path) -> bool {
    fs::read_link(path).is_ok_and(|target| target.file_name().is_some_and(|name| name == "latido"))
}

/// The first process of this name.
fn process_of(root: &Path, name: &str) -> Option<u32> {
    let entries = fs::read_dir(root.join("proc")).into_iter().flatten().flatten();
    let mut pids: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids.into_iter()
        .find(|pid| fs::read_to_string(root.join(format!("proc/{pid}/comm"))).is_ok_and(|comm| comm.trim_end() == name))
}

/// A login program reads what the other node says, and answers it.
fn login_on(device: &str, root: &Path, findings: &mut Findings) {
    let real = fs::canonicalize(device).unwrap_or_else(|_| PathBuf::from(device));
    let Some(line) = real.strip_prefix("/dev").ok().and_then(Path::to_str) else { return };
    let mut clean = true;
    let mut fail = |what: String, remedy: String| {
        findings.fail("line", what, remedy);
        clean = false;
    };
    for unit in [format!("serial-getty@{line}"), format!("getty@{line}")] {
        // What asks for a login where the kernel writes is decided anew at each boot.
        let made = root.join(format!("run/systemd/generator/getty.target.wants/{unit}.service"));
        let starter =
            started_at_boot(root, &unit).or_else(|| Some(made).filter(|link| link.symlink_metadata().is_ok()));
        if let Some(starter) = starter {
            let what = format!("a login is asked for on {device} ({}): it garbles the heartbeats", starter.display());
            fail(what, format!("systemctl disable --now {unit}; systemctl mask {unit}"));
        }
    }
    if let Some(text) = words_of(root, "etc/inittab").lines().find(|text| is_login(text, line)) {
        let what = format!("a login is asked for on {device} by /etc/inittab: {}", text.trim());
        fail(what, "put a # before that line, then: telinit q".to_owned());
    }
    if root.join(format!("etc/init/{line}.conf")).exists() {
        let what = format!("a login is asked for on {device} by /etc/init/{line}.conf");
        fail(what, format!("initctl stop {line}; move that file away"));
    }
    if words_of(root, "proc/cmdline").split_whitespace().any(|word| is_console(word, line)) {
        let what = format!("the kernel writes its messages to {device} (console={line}): they garble the heartbeats");
        fail(
            what,
            format!("remove console={line} from the kernel's command line (/etc/default/grub), update-grub, reboot"),
        );
    }
    if clean {
        findings.pass("line", format!("{device}: no login and no kernel messages on it"));
    }
}

fn words_of(root: &Path, file: &str) -> String {
    log::debug!("reading {}", root.join(file).display());
    fs::read(root.join(file)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// `T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100`, unless it is switched off.
fn is_login(text: &str, line: &str) -> bool {
    let fields: Vec<&str> = text.trim().splitn(4, ':').collect();
    let [_, _, action, process] = fields.as_slice() else { return false };
    !text.trim_start().starts_with('#')
        && *action != "off"
        && process.contains("getty")
        && process.split_whitespace().any(|word| word.trim_start_matches("/dev/") == line)
}

fn is_console(word: &str, line: &str) -> bool {
    word.strip_prefix("console=").is_some_and(|to| to.split(',').next() == Some(line))
}

/// Whether systemd knows the daemon that runs.
fn watched(pid: u32, root: &Path, findings: &mut Findings) {
    if !root.join("run/systemd/system").is_dir() || !has_unit(root, "latido") {
        return;
    }
    let groups = words_of(root, &format!("proc/{pid}/cgroup"));
    let Some(unit) = unit_of(&groups) else {
        let what = format!("systemd does not watch the daemon that runs, pid {pid}: it was started by hand");
        let remedy =
            "systemctl stop does not end it, and at shutdown it is killed: latido stop; systemctl start latido";
        return findings.warn("daemon", what, remedy);
    };
    let mut command = Command::new(systemctl());
    runs(command.args(["show", "-p", "MainPID", "-p", "ActiveState", unit]));
    let asked = command.output();
    let said = asked.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    if !said.contains("MainPID=") {
        let what = format!("systemd does not say which process of {unit} it watches");
        return findings.warn("daemon", what, format!("systemctl status {unit}"));
    }
    match disagreement(&said, pid) {
        None => findings.pass("daemon", format!("systemd watches it as {unit}")),
        Some(why) => {
            let remedy = format!("latido stop; systemctl reset-failed {unit}; systemctl start {unit}");
            findings.warn(
                "daemon",
                format!("systemd watches another daemon than the one that runs, pid {pid}: {why}"),
                remedy,
            );
        }
    }
}

/// The unit of ours in whose control group a process is.
fn unit_of(groups: &str) -> Option<&'static str> {
    let parts = || groups.lines().flat_map(|line| line.rsplit(':').next().unwrap_or_default().split('/'));
    UNITS.into_iter().find(|unit| parts().any(|part| part == *unit))
}

/// What systemd says otherwise; nothing when it says nothing.
fn disagreement(said: &str, pid: u32) -> Option<String> {
    let of = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::trim);
    if let Some(state) = of("ActiveState").filter(|state| !["active", "activating", "reloading"].contains(state)) {
        return Some(format!("the unit is {state}"));
    }
    let main = of("MainPID").filter(|main| *main != pid.to_string())?;
    Some(format!("its MainPID is {main}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_inittab_ask_for_a_login_unless_they_are_switched_off() {
        assert!(is_login("T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100", "ttyS0"));
        assert!(is_login("S0:2345:respawn:/sbin/agetty /dev/ttyS0 9600", "ttyS0"));
        for text in [
            "#T0:23:respawn:/sbin/getty -L ttyS0 9600 vt100",
            "T0:23:off:/sbin/getty -L ttyS0 9600 vt100",
            "T1:23:respawn:/sbin/getty -L ttyS1 9600 vt100",
            "id:2:initdefault:",
            "",
        ] {
            assert!(!is_login(text, "ttyS0"), "{text}");
        }
        assert!(is_console("console=ttyS0,115200n8", "ttyS0") && !is_console("console=ttyS1", "ttyS0"));
    }

    #[test]
    fn the_control_group_tells_whether_systemd_started_it() {
        assert_eq!(unit_of("0::/system.slice/latido.service\n"), Some("latido.service"));
        assert_eq!(unit_of("4:cpu:/\n1:name=systemd:/system.slice/heartbeat.service\n"), Some("heartbeat.service"));
        assert_eq!(unit_of("0::/user.slice/user-0.slice/session-3.scope\n"), None);
    }

    #[test]
    fn systemd_and_the_daemon_agree_or_not() {
        assert_eq!(disagreement("MainPID=7\nActiveState=active\n", 7), None);
        assert_eq!(disagreement("", 7), None, "it could not be asked");
        assert!(disagreement("MainPID=8\nActiveState=active\n", 7).is_some_and(|why| why.contains('8')));
        assert!(disagreement("MainPID=0\nActiveState=failed\n", 7).is_some_and(|why| why.contains("failed")));
    }
}
