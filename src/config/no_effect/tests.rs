//! What does nothing is said, and what does something is not.

use super::*;
use crate::config::{Config, OnlyName, Sources};
use crate::names::NodeName;

const HA_CF: &str = "logfacility daemon\nauto_failback on\nserial /dev/ttyS0\nbcast eth0\nnode alpha beta\n";

/// Every complaint, one a line, about these files.
fn said(ha_cf: &str, latido_cf: &str, haresources: &str) -> String {
    let text = |name: &str, text: &str| Some(SourceText::new(name, text));
    let sources = Sources {
        ha_cf: text("ha.cf", ha_cf),
        latido_cf: text("latido.cf", latido_cf),
        haresources: text("haresources", haresources),
        authkeys: text("authkeys", "auth 1\n1 sha1 L0ng-4nd-R4nd0m\n"),
        ..Sources::default()
    };
    let facts = OnlyName(NodeName::new("alpha").unwrap());
    let config = Config::assemble(&sources, &facts).unwrap_or_else(|problems| panic!("refused: {problems:?}"));
    config.warnings.iter().map(|problem| format!("{problem}\n")).collect()
}

fn of_ha_cf(more: &str) -> String {
    said(&format!("{HA_CF}{more}"), "", "alpha 10.0.0.10/24/eth0 asterisk\n")
}

fn of_latido_cf(text: &str) -> String {
    said(HA_CF, text, "alpha 10.0.0.10/24/eth0 asterisk\nbeta Filesystem::/dev/drbd0::/data::ext4\n")
}

#[test]
fn a_ping_host_without_ipfail_decides_nothing_and_the_line_to_add_is_named() {
    for ping in ["ping 10.0.0.254", "ping6 fe80::1", "ping_group routers 10.0.0.254 10.0.0.253"] {
        let text = of_ha_cf(&format!("{ping}\n"));
        assert!(text.contains("ha.cf:6: warning:") && text.contains("no line starts ipfail"), "{text}");
        assert!(text.contains("add the line \"respawn hacluster /usr/lib/heartbeat/ipfail\""), "{text}");
        for path in ["/usr/lib/heartbeat/ipfail", "/usr/lib64/heartbeat/ipfail"] {
            assert_eq!(of_ha_cf(&format!("{ping}\nrespawn hacluster {path}\n")), "", "{ping}");
        }
    }
}

#[test]
fn ipfail_without_a_ping_host_or_with_the_old_failback_decides_nothing_either() {
    let text = of_ha_cf("respawn hacluster /usr/lib/heartbeat/ipfail\n");
    assert!(text.contains("ha.cf:6: warning: ipfail decides nothing"), "{text}");
    let legacy = HA_CF.replace("auto_failback on", "auto_failback legacy");
    let ha_cf = format!("{legacy}ping 10.0.0.254\nrespawn hacluster /usr/lib/heartbeat/ipfail\n");
    let text = said(&ha_cf, "", "alpha asterisk\n");
    assert!(text.contains("ha.cf:7: warning: ipfail ends at once"), "{text}");
}

#[test]
fn a_time_a_speed_or_a_port_that_nothing_uses_is_said() {
    assert!(of_ha_cf("deadping 20\n").contains("no ping host is named: deadping has no effect"));
    assert!(of_ha_cf("realtime off\nrtprio 5\n").contains("realtime is off: rtprio has no effect"));
    let no_serial = HA_CF.replace("serial /dev/ttyS0", "baud 9600\nmcast eth1 225.0.0.1 694 1 0");
    assert!(said(&no_serial, "", "alpha asterisk\n").contains("baud has no effect"));
    let no_udp = HA_CF.replace("bcast eth0", "udpport 700\nserial /dev/ttyS1");
    assert!(said(&no_udp, "", "alpha asterisk\n").contains("udpport has no effect"));
    let all = HA_CF.replace("serial", "baud 9600\nserial").replace("bcast", "udpport 700\nbcast");
    assert_eq!(said(&all, "", "alpha 10.0.0.10/24/eth0\n"), "");
}

#[test]
fn a_fence_for_a_host_that_is_no_node_is_used_by_nobody() {
    let text = of_ha_cf("stonith_host betta external/ipmi x\n");
    assert!(text.contains("betta is no node: this device is used by nobody (did you mean \"beta\"?)"), "{text}");
    for host in ["beta", "ALPHA", "*"] {
        assert_eq!(of_ha_cf(&format!("stonith_host {host} external/ipmi x\n")), "");
    }
}

#[test]
fn a_monitor_of_nothing_is_an_error_that_costs_itself_alone_and_the_nearest_name_is_proposed() {
    let text = of_latido_cf("monitor * 30\nmonitor asterix 10\n");
    assert!(text.contains("latido.cf:2: error: haresources has no resource \"asterix\""), "{text}");
    assert!(text.contains("did you mean \"asterisk\"?"), "{text}");
    assert!(of_latido_cf("monitor filesystem 10\n").contains("did you mean \"Filesystem\"?"));
    let text = of_latido_cf("monitor mysql 10\n");
    assert!(text.contains("it has IPaddr, 10.0.0.10/24/eth0, asterisk, Filesystem"), "{text}");
    for name in ["*", "asterisk", "IPaddr", "10.0.0.10/24/eth0", "Filesystem::/dev/drbd0::/data::ext4", "Filesystem"] {
        assert_eq!(of_latido_cf(&format!("monitor {name} 10\n")), "", "{name}");
    }
}

#[test]
fn a_second_monitor_of_one_name_has_no_effect() {
    let text = of_latido_cf("monitor asterisk 10\nmonitor asterisk 20 with sip 127.0.0.1:5060\n");
    assert!(text.contains("latido.cf:2: warning: asterisk is watched as an earlier line says"), "{text}");
}

#[test]
fn what_latido_cf_asks_for_in_vain_is_said() {
    assert_eq!(of_latido_cf("failback-delay 60\nannounce 3 100ms\non-stop-failure fence\nfence /bin/off %n\n"), "");
    let text = of_latido_cf("on-stop-failure fence\n");
    assert!(text.contains("latido.cf:1: warning: nothing is named to fence with"), "{text}");
    let off = HA_CF.replace("auto_failback on", "auto_failback off");
    let text = said(&off, "failback-delay 60\nannounce 3 100ms\n", "alpha asterisk\n");
    assert!(text.contains("failback-delay has no effect") && text.contains("announce has no effect"), "{text}");
    assert_eq!(said(&off, "failback-delay 0\n", "alpha asterisk\n"), "");
    for (word, announced) in [("SendArp::10.0.0.5/eth0", true), ("IPsrcaddr::10.0.0.1", false)] {
        let text = said(HA_CF, "announce 3 100ms\n", &format!("alpha {word}\n"));
        assert_eq!(!text.contains("announce has no effect"), announced, "{word}: {text}");
    }
}
