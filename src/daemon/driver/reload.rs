//! SIGHUP: the configuration read again while the node runs (`resources.md` 5.3, `config.md` 5).

use crate::cluster::Event;
use crate::config::{Config, Sources};
use crate::daemon::life::in_force::{self, Changed};
use crate::host::environment::Environment;
use crate::host::read_config::{self, ReadOptions};

use super::Driver;
use super::wants::Want;

impl Driver {
    /// All files anew; a fault in any of them leaves everything as it was.
    ///
    /// Returns what is to be known about them, a sentence each.
    ///
    /// # Errors
    /// What is wrong with them, the first first.
    pub(crate) fn reload(&mut self) -> Result<Vec<String>, Vec<String>> {
        self.log.reopen();
        self.environment.log.look_later();
        let read = ReadOptions {
            without_resources: self.options.without_resources,
            without_resolver: true,
            ..ReadOptions::default()
        };
        let (mut sources, config) = read_config::load_with(&self.options.paths, &read);
        let accepted = config
            .map_err(|mut problems| {
                problems.sort_by_key(|problem| !problem.is_error());
                problems.iter().map(ToString::to_string).collect::<Vec<_>>()
            })
            .and_then(|config| {
                // A cable or an interface that was there, or is waited for already, is no fault of the files.
                let new = in_force::lacking_anew(&config, &self.config.media);
                if new.is_empty() { Ok(config) } else { Err(new.iter().map(ToString::to_string).collect()) }
            })
            .and_then(|config| self.deaf_to_it(&config).map_or(Ok(config), |why| Err(vec![why])))
            .map(|config| self.go_by(config, &read, &sources));
        sources.forget_keys();
        if let Err(errors) = &accepted {
            errors.iter().for_each(|error| self.log.error(error));
            self.log.error("Configuration not reread: it has errors. Everything goes on as before.");
        }
        self.service.files_were_read(accepted.as_ref().err().and_then(|errors| errors.first()).cloned());
        accepted
    }

    fn go_by(&mut self, config: Config, read: &ReadOptions, sources: &Sources) -> Vec<String> {
        self.say_what_changed(in_force::changed(&self.options.paths, read, sources));
        config.warnings.iter().for_each(|problem| self.log.tell(problem));
        let mut notes: Vec<_> = config.warnings.iter().map(ToString::to_string).collect();
        for what in waits_for_a_start(&self.config, &config) {
            let note = format!("{what} changed: that takes effect at the next start.");
            self.log.warn(&note);
            notes.push(note);
        }
        self.intake.set_keyring(config.keyring.clone());
        let fresh = (config.settings.clone(), config.groups.clone());
        let media = std::mem::take(&mut self.config.media);
        self.config = Config { media, ..config };
        self.api_clients.set_rules(&self.config.apiauth);
        let scripts = self.environment.log.follow(&self.config.logging);
        self.environment = Environment::new(&self.options.paths, &self.config, std::env::vars_os(), scripts);
        let deadtime = self.config.settings.deadtime;
        if let Some((level, text)) = self.watchdog.as_mut().and_then(|watchdog| watchdog.follow(deadtime)) {
            self.log.write(level, text);
        }
        self.respawned.try_refused(self.clock.mono());
        self.wants.remove(Want::Files);
        self.wants.remove(Want::Key);
        let kept = in_force::keep(&self.options.paths, sources);
        self.complain(kept);
        self.order_units();
        self.tell(Event::Reconfigure(Box::new(fresh)));
        notes
    }
}

impl Driver {
    /// The phrases scripts wait for after a reload. The original goes by the times of the files, we by what they say.
    fn say_what_changed(&self, changed: Option<Changed>) {
        let Some(changed) = changed else { return self.log.info("Rereading authentication file.") };
        if changed.settings {
            self.log.info("Heartbeat restart triggered.");
            self.log.info("ha.cf and latido.cf take effect as they are now; nothing is restarted or stopped for that.");
        }
        if changed.keys {
            self.log.info("Rereading authentication file.");
        }
        if !changed.settings && !changed.keys && !changed.resources {
            self.log.info("Configuration unchanged.");
        }
    }
}

/// What is different in the files and stays as it is until this node starts again.
fn waits_for_a_start(before: &Config, after: &Config) -> Vec<&'static str> {
    [
        ("ha.cf: media", before.media != after.media),
        ("ha.cf: node", before.settings.nodes != after.settings.nodes),
        ("ha.cf: logfile, debugfile, logfacility or debug", before.logging != after.logging),
        ("ha.cf: realtime or rtprio", (before.realtime, before.rtprio) != (after.realtime, after.rtprio)),
        ("ha.cf: watchdog", before.watchdog != after.watchdog),
        ("ha.cf: respawn or failfast", before.respawn != after.respawn),
        ("latido.cf: announce", before.announce != after.announce),
        ("latido.cf: listen", before.latido.listen != after.latido.listen),
    ]
    .into_iter()
    .filter_map(|(what, differs)| differs.then_some(what))
    .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use crate::names::NodeName;
    use crate::paths::Paths;

    use super::*;

    const HA_CF: &str = "keepalive 1\ndeadtime 10\ninitdead 60\nbcast eth0\nauto_failback on\nnode alpha beta\n";

    fn config(ha_cf: &str, latido_cf: &str) -> Config {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        let files = [(paths.ha_cf(), ha_cf), (paths.latido_cf(), latido_cf), (paths.haresources(), "alpha web\n")];
        files.into_iter().for_each(|(path, text)| fs::write(path, text).unwrap());
        fs::write(paths.authkeys(), "auth 1\n1 sha1 Xk29ab7Qw\n").unwrap();
        fs::set_permissions(paths.authkeys(), fs::Permissions::from_mode(0o600)).unwrap();
        let options = ReadOptions { as_node: NodeName::new("alpha"), ..ReadOptions::default() };
        read_config::load_with(&paths, &options).1.unwrap()
    }

    #[test]
    fn what_waits_for_a_start_is_named_and_nothing_else() {
        let before = config(HA_CF, "");
        let changed = |more: &str, latido: &str| waits_for_a_start(&before, &config(&format!("{HA_CF}{more}"), latido));
        assert_eq!(changed("debugfile /var/log/d\n", ""), ["ha.cf: logfile, debugfile, logfacility or debug"]);
        assert_eq!(changed("serial /dev/ttyS0\n", "listen 127.0.0.1:8080\n"), ["ha.cf: media", "latido.cf: listen"]);
        assert_eq!(changed("respawn root /bin/true\n", "announce 3 100ms\n").len(), 2);
        assert!(changed("warntime 5\nenv FOO=bar\n", "monitor web 10\n").is_empty());
    }
}
