//! The effective `ha.cf`, printed so that it reads back to the same configuration (`config.md` 3, ordering rules). Pure.

use std::fmt::Write as _;

use super::{Config, FenceDevice, RespawnLine};

/// Directives that are printed in a place of their own, because their order matters.
const ORDERED: [&str; 3] = ["udpport", "baud", "auto_failback"];

/// `ha.cf` for this configuration.
pub(super) fn ha_cf(config: &Config) -> String {
    let mut text = String::new();
    let parameters = &config.parameters[..config.parameters.len() - config.env.len()];
    for (name, value) in parameters.iter().filter(|(name, _)| !ORDERED.contains(&name.as_str())) {
        line(&mut text, name, value);
    }
    failback(&mut text, config);
    media(&mut text, config);
    for node in &config.settings.nodes {
        line(&mut text, "node", node.as_str());
    }
    for fence in &config.fences {
        match fence {
            FenceDevice::File { device, file } => line(&mut text, "stonith", &format!("{device} {file}")),
            FenceDevice::Parameters { device, parameters } => {
                line(&mut text, "stonith_host", &format!("* {device} {parameters}"));
            }
            // Of another file.
            FenceDevice::Command(_) => {}
        }
    }
    for RespawnLine { user, command, failfast } in &config.respawn {
        let name = if *failfast { "failfast" } else { "respawn" };
        line(&mut text, name, &format!("{user} {}", command.join(" ")));
    }
    for rule in &config.apiauth {
        let mut value = rule.client.clone();
        for (key, list) in [("uid", &rule.uids), ("gid", &rule.gids)] {
            if !list.is_empty() || (key == "uid" && rule.gids.is_empty()) {
                let _ = write!(value, " {key}={}", list.join(","));
            }
        }
        line(&mut text, "apiauth", &value);
    }
    for (name, value) in &config.env {
        line(&mut text, "env", &format!("{name}={value}"));
    }
    text
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "{name} {value}");
}

fn parameter<'a>(config: &'a Config, name: &str) -> Option<&'a str> {
    config.parameters.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

/// `nice_failback` changes what `auto_failback` said and leaves the recorded word alone.
fn failback(text: &mut String, config: &Config) {
    use crate::cluster::AutoFailback;
    let word = match config.settings.auto_failback {
        AutoFailback::On => "on",
        AutoFailback::Off => "off",
        AutoFailback::Legacy => "legacy",
    };
    line(text, "auto_failback", word);
}

/// Media with the `udpport` and `baud` that were in force when each kind was named first.
fn media(text: &mut String, config: &Config) {
    let (mut port, mut baud) = (None, None);
    for spec in &config.media {
        let wanted = spec.port().filter(|_| !spec.names_its_port());
        if let Some(wanted) = wanted.filter(|wanted| port != Some(*wanted)) {
            line(text, "udpport", &wanted.to_string());
            port = Some(wanted);
        }
        if let Some((_, wanted)) = spec.serial_line()
            && baud.is_none()
        {
            baud = Some(wanted);
            if parameter(config, "baud") == Some(&wanted.to_string()) {
                line(text, "baud", &wanted.to_string());
            }
        }
        line(text, spec.directive(), &spec.words());
    }
    let last_port = parameter(config, "udpport");
    if let Some(last) = last_port.filter(|last| port.map(|port| port.to_string()).as_deref() != Some(*last)) {
        line(text, "udpport", last);
    }
    if let Some(last) =
        parameter(config, "baud").filter(|last| baud.map(|baud| baud.to_string()).as_deref() != Some(*last))
    {
        line(text, "baud", last);
    }
}
