//! Every parameter with its value, as scripts and `cl_status hbparameter` see them (`api.md` 2.4.2). Pure.

use super::directive::DIRECTIVES;
use super::ha_cf::HaCf;
use super::value::in_ms;

/// Defaults the original records as if they had been written.
const DEFAULTS: [(&str, &str); 24] = [
    ("auto_failback", "legacy"),
    ("autojoin", "none"),
    ("baud", "19200"),
    ("cluster", "linux-ha"),
    ("compression", "zlib"),
    ("compression_threshold", "2"),
    ("conn_logd_time", "60"),
    ("coredumps", "true"),
    ("deadtime", "30000ms"),
    ("debug", "0"),
    ("enable_config_writes", "on"),
    ("hbgenmethod", "file"),
    ("hopfudge", "1"),
    ("keepalive", "1000ms"),
    ("log_badpack", "true"),
    ("max_rexmit_delay", "250"),
    ("memreserve", "6500"),
    ("msgfmt", "classic"),
    ("pacemaker", "false"),
    ("realtime", "true"),
    ("record_config_changes", "on"),
    ("record_pengine_inputs", "on"),
    ("syslogmsgfmt", "true"),
    ("traditional_compression", "no"),
];

/// As written, defaults filled in, in the order of names; then `env`.
pub(super) fn all(cf: &HaCf) -> Vec<(String, String)> {
    let computed = [
        ("deadping", in_ms(cf.effective_deadping())),
        ("initdead", in_ms(cf.effective_initdead())),
        ("udpport", cf.udpport.to_string()),
        ("uuidfrom", "file".to_owned()),
        ("warntime", in_ms(cf.effective_warntime())),
    ];
    // The original records what it assumes: its logging daemon when nothing says where the log goes, else nowhere.
    let targets = cf.has_log_target();
    let assumed = |name: &str| match name {
        "use_logd" if !targets => Some("yes".to_owned()),
        "logfile" | "debugfile" if targets => Some("/dev/null".to_owned()),
        _ => None,
    };
    let mut names: Vec<&str> = DIRECTIVES.iter().map(|directive| directive.name).collect();
    names.sort_unstable();
    let value = |name: &str| {
        let default = DEFAULTS.iter().find(|(default, _)| *default == name).map(|(_, value)| (*value).to_owned());
        let computed = || computed.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone());
        cf.text(name).map(str::to_owned).or(default).or_else(computed).or_else(|| assumed(name))
    };
    let scalars = names.into_iter().filter_map(|name| Some((name.to_owned(), value(name)?)));
    scalars.chain(cf.env.iter().cloned()).collect()
}
