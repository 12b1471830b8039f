//! SIGHUP: the configuration read again while the node runs (`config.md` 5, 7).

use crate::cluster::Event;
use crate::config::Config;

use super::driver::Driver;
use super::environment::Environment;
use super::read_config::{self, Options};

impl Driver {
    /// All files anew; a fault in any of them leaves everything as it was.
    pub(super) fn reload(&mut self) {
        self.log.reopen();
        let read =
            Options { without_resources: self.options.without_resources, without_resolver: true, ..Options::default() };
        match read_config::load_with(&self.options.paths, &read).1 {
            Err(problems) => {
                problems.iter().for_each(|problem| self.log.error(problem.to_string()));
                self.log.error("Configuration not reread: it has errors. Everything goes on as before.");
            }
            Ok(config) => {
                self.log.info("Rereading authentication file.");
                config.warnings.iter().for_each(|warning| self.log.warn(warning.to_string()));
                for what in waits_for_a_start(&self.config, &config) {
                    self.log.warn(format!("{what} changed: that takes effect at the next start."));
                }
                self.intake.set_keyring(config.keyring.clone());
                let fresh = (config.settings.clone(), config.groups.clone());
                let media = std::mem::take(&mut self.config.media);
                self.config = Config { media, ..config };
                self.api.set_rules(&self.config.apiauth);
                self.environment = Environment::new(&self.options.paths, &self.config, std::env::vars_os());
                let deadtime = self.config.settings.deadtime;
                if let Some((level, text)) = self.watchdog.as_mut().and_then(|watchdog| watchdog.follow(deadtime)) {
                    self.log.write(level, text);
                }
                self.tell(Event::Reconfigure(Box::new(fresh)));
            }
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
