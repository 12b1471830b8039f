//! Every parameter with its value, as scripts and `cl_status hbparameter` see them (`api.md` 2.4.2). Pure.

use super::directive::{DIRECTIVES, default_of};
use super::ha_cf::HaCf;
use super::value::in_ms;

/// Defaults that the original does not record: `crm` is `pacemaker` there.
const UNRECORDED: [&str; 2] = ["crm", "use_apphbd"];

/// As written, defaults filled in as if they had been written, in the order of names; then `env`.
pub(super) fn all(cf: &HaCf) -> Vec<(String, String)> {
    let computed = [
        ("deadping", in_ms(cf.effective_deadping())),
        ("initdead", in_ms(cf.effective_initdead())),
        ("udpport", cf.udpport.to_string()),
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
        let computed = || computed.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone());
        let default =
            || Some(default_of(name).to_owned()).filter(|default| !default.is_empty() && !UNRECORDED.contains(&name));
        cf.text(name).map(str::to_owned).or_else(computed).or_else(default).or_else(|| assumed(name))
    };
    let scalars = names.into_iter().filter_map(|name| Some((name.to_owned(), value(name)?)));
    scalars.chain(cf.env.iter().cloned()).collect()
}
