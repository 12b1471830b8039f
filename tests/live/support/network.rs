//! The network between the hosts: a namespace with one bridge for each cable, whose ports can be taken off and put back.

use std::fs::File;
use std::process::{Child, Stdio};

use super::clock::wait_until;
use super::shell;

/// What the switch's first process does: makes the bridges, and lives until this process lets go of its input. Without an
/// address of its own a bridge takes the lowest of its ports', and changes it when one is plugged in or goes: the hosts
/// would then ping an address that is no longer there until their neighbour tables notice.
const SWITCH: &str = "
set -e
ip link set lo up
for n in 0 1; do
    ip link add name br$n address 02:00:00:00:00:0$n type bridge mcast_snooping 0
    ip addr add 10.2$((n + 1)).0.254/24 brd 10.2$((n + 1)).0.255 dev br$n
    ip link set br$n up
done
exec cat
";

/// Two bridges, `br0` and `br1`, and the ports of the hosts: `alpha0` is `alpha`'s `eth0`.
pub(crate) struct Switch {
    holder: Child,
}

impl Switch {
    /// Makes the namespace and the bridges. The switch is `10.21.0.254` and `10.22.0.254`.
    pub(crate) fn new() -> Switch {
        let holder = shell::clean("unshare")
            .args(["--net", "sh", "-c", SWITCH])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("unshare is part of util-linux");
        let switch = Switch { holder };
        wait_until("the bridges of the switch", 10.0, || {
            switch.try_ip("link show br1 up").is_some_and(|out| out.contains("br1"))
        });
        switch
    }

    /// Plugs interface `eth<n>` of the host whose first process is `init` into bridge `n`.
    pub(crate) fn plug(&self, host: &str, init: u32, n: usize, address: u8) {
        let port = format!("{host}{n}");
        self.ip(&format!("link add name {port} type veth peer name eth{n} netns {init}"));
        self.ip(&format!("link set {port} master br{n} up"));
        let mut command = shell::inside(init, false);
        let net = n + 1;
        command.args(["sh", "-c"]).arg(format!(
            "ip addr add 10.2{net}.0.{address}/24 brd 10.2{net}.0.255 dev eth{n} && ip link set eth{n} up && \
             ip route add 224.0.0.0/4 dev eth{n} metric {n}"
        ));
        shell::must(command);
    }

    /// Takes the host's cable `n` off the switch; its interface keeps its carrier, as behind a dead switch.
    pub(crate) fn cut(&self, host: &str, n: usize) {
        self.ip(&format!("link set {host}{n} nomaster"));
    }

    /// Switches the far end of the host's cable off: its interface loses its carrier, as with a cable that is pulled out.
    pub(crate) fn drop_carrier(&self, host: &str, n: usize) {
        self.ip(&format!("link set {host}{n} down"));
    }

    /// Puts it back.
    pub(crate) fn mend(&self, host: &str, n: usize) {
        self.ip(&format!("link set {host}{n} master br{n}"));
    }

    /// The switch no longer answers that address: who pings it from there is cut off, and nobody else.
    pub(crate) fn ignore(&self, address: &str, ignore: bool) {
        self.ip(&format!("route {} blackhole {address}/32", if ignore { "add" } else { "del" }));
    }

    /// The end of the host's cable disappears with the host; the kernel may have been quicker.
    pub(crate) fn unplug(&self, host: &str, n: usize) {
        let _ = self.try_ip(&format!("link del {host}{n}"));
    }

    /// The switch's network namespace, for a thread that wants to be in it.
    pub(crate) fn namespace(&self) -> File {
        File::open(format!("/proc/{}/ns/net", self.holder.id())).expect("the switch lives")
    }

    fn ip(&self, what: &str) {
        let mut command = shell::inside(self.holder.id(), false);
        command.arg("ip").args(what.split(' '));
        shell::must(command);
    }

    fn try_ip(&self, what: &str) -> Option<String> {
        let mut command = shell::inside(self.holder.id(), false);
        let output = command.arg("ip").args(what.split(' ')).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
