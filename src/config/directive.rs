//! The table of `ha.cf` words (`config.md` 3): what each is for, what holds without it, how a line is applied. Pure.

use super::line::{FileLine, Word};
use super::reader::Reader;
use super::suggest::suggestion_among;
use super::{Apply, Directive, media_lines as media, program_lines, scalar};

const fn each(
    name: &'static str,
    default: Option<&'static str>,
    about: &'static str,
    apply: fn(&mut Reader<'_>, &'static Directive, &Word<'_>),
) -> Directive {
    Directive { name, default, about, apply: Apply::EachWord(apply) }
}

const fn whole(
    name: &'static str,
    about: &'static str,
    apply: fn(&mut Reader<'_>, &'static Directive, &FileLine<'_>),
) -> Directive {
    Directive { name, default: None, about, apply: Apply::WholeLine(apply) }
}

/// Every directive of `ha.cf` in heartbeat 1 to 3.
pub static DIRECTIVES: &[Directive] = &[
    each("node", None, "A node of the cluster, as `uname -n` prints it there.", scalar::node),
    each("keepalive", Some("1000ms"), "Interval between two heartbeats.", scalar::some_time),
    each("deadtime", Some("30000ms"), "Silence after which a node is dead.", scalar::time),
    each("warntime", Some("half of deadtime"), "A gap longer than this is reported.", scalar::some_time),
    each("initdead", Some("computed from deadtime"), "Deadtime while starting.", scalar::time),
    each("deadping", Some("deadtime"), "Silence after which a ping node is dead.", scalar::time),
    each("hopfudge", Some("1"), "Added to the number of nodes for `ttl`.", scalar::number::<0, 255>),
    each("baud", Some("19200"), "Speed of the serial lines below.", scalar::baud),
    each("serial", None, "A null-modem cable.", media::serial),
    each("udpport", Some("694"), "UDP port of the media below.", scalar::udpport),
    each("bcast", None, "UDP broadcast on an interface.", media::bcast),
    each("udp", None, "Old name of `bcast`.", media::udp),
    whole("ucast", "UDP to one address: INTERFACE ADDRESS.", media::ucast),
    whole("mcast", "UDP multicast: INTERFACE GROUP PORT TTL LOOP.", media::mcast),
    whole("ucast6", "UDP to one IPv6 address: INTERFACE ADDRESS.", media::ucast6),
    whole("mcast6", "UDP multicast over IPv6: INTERFACE GROUP PORT HOPS LOOP.", media::mcast6),
    each("ping", None, "An outside host whose answers show that the network works.", media::ping),
    each("ping6", None, "The same over IPv6.", media::ping6),
    whole("ping_group", "Several outside hosts that count as one: NAME HOST...", media::ping_group),
    each("hbaping", None, "A fibre channel target as ping node.", scalar::refused_medium),
    each("rds", None, "Reliable datagram sockets.", scalar::refused_medium),
    each("tipc", None, "TIPC as medium.", scalar::refused_medium),
    each("openais", None, "OpenAIS as medium.", scalar::refused_medium),
    each(
        "auto_failback",
        Some("legacy"),
        "Whether groups go home by themselves: on, off, legacy.",
        scalar::auto_failback,
    ),
    each("nice_failback", None, "Obsolete; use auto_failback.", scalar::nice_failback),
    each("watchdog", None, "A watchdog device that resets this node when it hangs.", scalar::watchdog),
    each("logfile", None, "Where messages go.", scalar::logfile),
    each("debugfile", None, "Where messages and what scripts print go.", scalar::logfile),
    each("logfacility", None, "Syslog facility, or none.", scalar::logfacility),
    each("use_logd", None, "Logging daemon of the original.", scalar::flag),
    each("conn_logd_time", Some("60"), "Interval of attempts to reach the logging daemon.", scalar::conn_logd_time),
    each("debug", Some("0"), "Debug level.", scalar::number::<0, 255>),
    each("syslogmsgfmt", Some("true"), "Log lines in syslog form.", scalar::flag),
    each("log_badpack", Some("true"), "Whether malformed packets are logged.", scalar::flag),
    each("msgfmt", Some("classic"), "Form of messages on the wire: classic or netstring.", scalar::msgfmt),
    each("compression", Some("zlib"), "Compression module for large messages.", scalar::compression),
    each(
        "compression_threshold",
        Some("2"),
        "Size in kB from which messages are compressed.",
        scalar::compression_threshold,
    ),
    each("traditional_compression", Some("no"), "Compress whole messages.", scalar::idle_flag),
    each("realtime", Some("true"), "Run at real-time priority with locked memory.", scalar::flag),
    each("rtprio", None, "Real-time priority, 1 to 99.", scalar::number::<1, 99>),
    each("memreserve", Some("6500"), "Memory in kB set aside at start.", scalar::memreserve),
    each(
        "max_rexmit_delay",
        Some("250"),
        "Longest wait before a repeated request for lost messages, in ms.",
        scalar::number::<1, { i64::MAX }>,
    ),
    each("hbgenmethod", Some("file"), "Where the generation number comes from: file or time.", scalar::hbgenmethod),
    each("uuidfrom", Some("file"), "Where the node's uuid comes from: file or nodename.", scalar::uuidfrom),
    each("autojoin", Some("none"), "Whether unknown nodes may join: none, other, any.", scalar::autojoin),
    each("cluster", Some("linux-ha"), "Name of the cluster, for people.", scalar::text),
    each("quorum_server", None, "Host of a quorum server.", scalar::idle_text),
    each("coredumps", Some("true"), "Whether scripts and what they start may write core files.", scalar::flag),
    each("coreroot", None, "Where core files go.", scalar::idle_text),
    whole("respawn", "A program kept running beside the daemon: USER /PATH [ARGS].", program_lines::respawn),
    whole("failfast", "As respawn; the node is rebooted when it dies.", program_lines::respawn),
    whole("apiauth", "Who may use the client API: CLIENT [uid=LIST] [gid=LIST].", program_lines::apiauth),
    each("env", None, "A variable for scripts: NAME=VALUE, seen as HA_NAME.", program_lines::env),
    each("use_apphbd", Some("no"), "Application heartbeat daemon of the original.", scalar::idle_flag),
    whole("stonith", "A fencing device: TYPE CONFIGFILE.", program_lines::stonith),
    whole("stonith_host", "A fencing device: HOST|* TYPE PARAMETERS.", program_lines::stonith_host),
    each("crm", Some("false"), "Cluster resource manager; must be off.", scalar::crm),
    each("pacemaker", Some("false"), "The same by its newer name.", scalar::crm),
    each("crm_daemon_dir", None, "Where the resource manager's programs are.", scalar::idle_text),
    each("crmd_spawns_pengine", None, "Who starts the policy engine.", scalar::pacemaker_flag),
    each("record_config_changes", Some("on"), "For the resource manager.", scalar::pacemaker_flag),
    each("record_pengine_inputs", Some("on"), "For the resource manager.", scalar::pacemaker_flag),
    each("enable_config_writes", Some("on"), "For the resource manager.", scalar::pacemaker_flag),
];

/// What holds without the directive, as the table has it; empty for one that has no default.
pub(super) fn default_of(name: &str) -> &'static str {
    DIRECTIVES.iter().find(|directive| directive.name == name).and_then(|directive| directive.default).unwrap_or("")
}

/// The directive somebody most likely meant.
pub(super) fn suggestion(word: &str, directives: &[Directive]) -> Option<&'static str> {
    suggestion_among(word, directives.iter().map(|directive| directive.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_directives_find_their_name_and_strange_ones_do_not() {
        for (word, name) in [
            ("deadtme", "deadtime"),
            ("undport", "udpport"),
            ("autofailback", "auto_failback"),
            ("keep_alive", "keepalive"),
        ] {
            assert_eq!(suggestion(word, DIRECTIVES), Some(name), "{word}");
        }
        for word in ["tim2", ";", "恢复正常之后", "nice"] {
            assert_eq!(suggestion(word, DIRECTIVES), None, "{word}");
        }
    }

    #[test]
    fn no_directive_is_listed_twice() {
        let mut names: Vec<_> = DIRECTIVES.iter().map(|directive| directive.name).collect();
        names.sort_unstable();
        let length = names.len();
        names.dedup();
        assert_eq!(names.len(), length);
    }
}
