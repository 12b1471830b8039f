//! The node on a machine: its files as a package installs them, stand-in resources that write down each call, and what
//! systemd and the node say of themselves.

use std::fs;
use std::path::{Path, PathBuf};

use super::host::{Host, Said};

/// Where the files of the package come from.
const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");

/// The unit.
pub(crate) const UNIT: &str = "latido.service";

/// A resource without a process; writes down each call, and takes as long for it as `/machine/delay.NAME.VERB` says.
/// Notes, too, when it is started while another machine that shares `/machine` runs it.
const DISK: &str = r#"#!/bin/bash
name=${0##*/} verb=${@: -1} here=/machine/state/$HOSTNAME.${0##*/}
echo "$name $verb" >>"/machine/record.$HOSTNAME"
echo "$name $verb" >>/machine/order
[ -e "/machine/delay.$name.$verb" ] && sleep "$(cat "/machine/delay.$name.$verb")"
case $verb in
start)
    for there in /machine/state/*."$name"; do
        [ "$there" = "$here" ] || [ ! -e "$there" ] || echo "$HOSTNAME $name" >>/machine/double
    done
    : >"$here"
    ;;
stop) rm -f "$here" ;;
status) if [ -e "$here" ]; then echo running; else echo stopped; fi ;;
esac
exit 0
"#;

/// A resource with a process, which nobody but its script may end.
const PHONE: &str = r#"#!/bin/bash
name=${0##*/} verb=${@: -1} pid=/machine/state/$HOSTNAME.${0##*/}
echo "$name $verb" >>"/machine/record.$HOSTNAME"
echo "$name $verb" >>/machine/order
runs() { [ -e "$pid" ] && kill -0 "$(cat "$pid")" 2>/dev/null; }
case $verb in
start) runs || { setsid sleep infinity </dev/null >/dev/null 2>&1 & echo $! >"$pid"; } ;;
stop) runs && kill "$(cat "$pid")"; rm -f "$pid" ;;
status) if runs; then echo running; else echo stopped; fi ;;
esac
exit 0
"#;

/// The one card a machine alone has.
const CARD: &str = "[Unit]
DefaultDependencies=no
Before=network-online.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip link add eth0 type veth peer name wall0
ExecStart=ip link set wall0 up
ExecStart=ip link set eth0 up
ExecStart=ip addr add 10.9.0.1/24 brd 10.9.0.255 dev eth0
[Install]
WantedBy=network-online.target
";

/// A node without another: what happens to it is decided here, and at once.
pub(crate) const ALONE: &str = "logfacility daemon
keepalive 500ms
deadtime 30
initdead 30
bcast eth0
node alpha
";

/// The executable under test: this build's, or the one `LATIDO_LIVE_PROGRAM` names.
pub(crate) fn latido() -> PathBuf {
    std::env::var_os("LATIDO_LIVE_PROGRAM").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_latido")), PathBuf::from)
}

/// A file of the checkout.
pub(crate) fn checkout(path: &str) -> PathBuf {
    Path::new(CHECKOUT).join(path)
}

impl Host {
    /// Puts the executable and the unit where a package puts them.
    pub(crate) fn install(&self) {
        self.copy(&latido(), "usr/sbin/latido", 0o755);
        self.copy(&checkout("etc/systemd/latido.service"), "usr/lib/systemd/system/latido.service", 0o644);
    }

    /// Writes the files of a node, and the stand-in resources `disk` and `phone`, and `disk2` and `phone2`.
    pub(crate) fn configure(&self, ha_cf: &str, haresources: &str) {
        self.put("etc/ha.d/ha.cf", ha_cf, 0o644);
        self.put("etc/ha.d/haresources", haresources, 0o644);
        self.put("etc/ha.d/authkeys", "auth 1\n1 sha1 ASecretThatIsAsLongAsNobodyWouldEverGuess\n", 0o600);
        for (name, text) in [("disk", DISK), ("disk2", DISK), ("phone", PHONE), ("phone2", PHONE)] {
            self.put(&format!("etc/ha.d/resource.d/{name}"), text, 0o755);
        }
    }

    /// A card of its own, up before the network counts as there.
    pub(crate) fn with_card(&self) {
        self.put("etc/systemd/system/card.service", CARD, 0o644);
        self.link("etc/systemd/system/network-online.target.wants/card.service", "/etc/systemd/system/card.service");
    }

    /// Enables a unit before the first boot.
    pub(crate) fn enable(&self, unit: &str) {
        let link = format!("etc/systemd/system/multi-user.target.wants/{unit}");
        self.link(&link, &format!("/usr/lib/systemd/system/{unit}"));
    }

    /// The same with a unit of the machine's own.
    pub(crate) fn enable_own(&self, unit: &str) {
        let link = format!("etc/systemd/system/multi-user.target.wants/{unit}");
        self.link(&link, &format!("/etc/systemd/system/{unit}"));
    }

    /// One property of the unit.
    pub(crate) fn show(&self, property: &str) -> String {
        self.must(&format!("systemctl show --value -p {property} {UNIT}")).trim().to_owned()
    }

    /// Whether systemd calls the unit active, failed, …
    pub(crate) fn active(&self) -> String {
        self.show("ActiveState")
    }

    /// The process systemd watches.
    pub(crate) fn main_pid(&self) -> u32 {
        self.show("MainPID").parse().unwrap_or(0)
    }

    /// What `latido status --json` says, if anybody answers.
    pub(crate) fn status(&self) -> Option<serde_json::Value> {
        let Said { text, .. } = self.run("latido status --json");
        serde_json::from_str(&text).ok()
    }

    /// The process that does the work.
    pub(crate) fn core(&self) -> Option<u32> {
        u32::try_from(self.status()?.get("core")?.as_u64()?).ok()
    }

    /// Waits until every group is held here and nothing is at work.
    pub(crate) fn await_held(&mut self) {
        self.wait("every group to be held", |host| {
            let status = host.status()?;
            let groups = status.get("groups")?.as_array()?;
            let held = groups.iter().all(|group| group.get("state").is_some_and(|state| state == "held"));
            held.then_some(())
        });
    }

    /// What the stand-ins of this machine were told since it was last forgotten, `status` left out: `disk start`.
    pub(crate) fn calls(&self) -> Vec<String> {
        lines(&self.outside(&format!("record.{}", self.name)))
            .into_iter()
            .filter(|line| !line.ends_with(" status"))
            .collect()
    }

    /// Forgets what they were told until now.
    pub(crate) fn forget_calls(&self) {
        let _ = fs::remove_file(self.outside(&format!("record.{}", self.name)));
        let _ = fs::remove_file(self.outside("order"));
    }

    /// The lines of the file in which everybody on the machine writes down what he does, `status` left out.
    pub(crate) fn order(&self) -> Vec<String> {
        lines(&self.outside("order")).into_iter().filter(|line| !line.ends_with(" status")).collect()
    }

    /// The process of the stand-in `phone`, if one is noted.
    pub(crate) fn phone(&self) -> Option<u32> {
        let pid = fs::read_to_string(self.outside(&format!("state/{}.phone", self.name))).ok()?.trim().parse().ok()?;
        (self.run(&format!("kill -0 {pid}")).code == Some(0)).then_some(pid)
    }

    /// The journal of the unit.
    pub(crate) fn journal(&self) -> String {
        self.must(&format!("journalctl --no-pager -o cat -u {UNIT}"))
    }
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}
