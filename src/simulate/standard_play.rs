//! The standard play of a pair: what can befall it, one thing after the other, and where its groups must
//! be after each.

use std::fmt::Write as _;
use std::time::Duration;

use crate::cluster::{AutoFailback, OnStartFailure, OnStopFailure, Settings};
use crate::config::value::as_written;
use crate::haresources::{Resource, ResourceGroup, known};

use super::entries::{label, service};
use super::{Ipfail, NonCoreSettings};

/// Between two chapters.
const CALM: Duration = Duration::from_secs(10);
/// What an operator needs to mend something.
const MENDED_AFTER: Duration = Duration::from_secs(60);

/// The standard play of a pair with these settings, groups and programs, to be read by
/// [`super::Play::parse_with`].
pub fn standard_play(settings: &[Settings; 2], groups: &[ResourceGroup], non_core: &NonCoreSettings) -> String {
    let first = groups.iter().find(|group| !group.resources.is_empty());
    let owner = first.and_then(|group| settings.iter().position(|node| node.me == group.owner)).unwrap_or(0);
    let mut writer = PlayWriter {
        settings: &settings[owner],
        owner: settings[owner].me.as_str(),
        other: settings[1 - owner].me.as_str(),
        groups,
        ipfail: non_core.ipfail.as_ref(),
        text: "# The standard story of this pair. Change it as you like: latido simulate --play FILE\n".to_owned(),
    };
    writer.cold_start();
    writer.power_off();
    writer.cables();
    writer.client_cable();
    writer.partition();
    writer.hand_over();
    writer.graceful_stop();
    if let Some((group, service)) = first.and_then(|group| Some((group, service(group)?))) {
        let name = label(group);
        writer.failing_start(&name, service);
        writer.hanging_stop(&name, service);
        writer.dead_service(&name, service);
    }
    writer.killed_daemon();
    writer.text
}

struct PlayWriter<'a> {
    settings: &'a Settings,
    owner: &'a str,
    other: &'a str,
    groups: &'a [ResourceGroup],
    ipfail: Option<&'a Ipfail>,
    text: String,
}

impl PlayWriter<'_> {
    fn chapter(&mut self, title: &str) {
        let _ = write!(self.text, "\nchapter {title}\n");
    }

    fn say(&mut self, line: &str) {
        let _ = writeln!(self.text, "{line}");
    }

    fn wait(&mut self, time: Duration) {
        self.say(&format!("wait {}", as_written(time)));
    }

    /// It becomes so, and then nothing moves any more.
    fn becomes(&mut self, expectation: &str, bound: Duration) {
        self.say(&format!("within {} {expectation}", as_written(bound)));
        self.say(&format!("settle {}", as_written(self.bound())));
        self.wait(CALM);
    }

    /// Every deadline that may have to pass before something is decided, and the scripts.
    fn bound(&self) -> Duration {
        let limits = self.settings.script_timeout;
        let silence = self.settings.deadtime.max(self.settings.deadping);
        silence * 2 + self.settings.initdead + limits.start + Duration::from_secs(120)
    }

    /// Long enough that a silent node would be dead.
    fn silence(&self) -> Duration {
        self.settings.deadtime + self.settings.keepalive * 2 + CALM
    }

    fn mode(&self) -> AutoFailback {
        self.settings.auto_failback
    }

    fn is_fenced(&self) -> bool {
        !self.settings.fences.is_empty()
    }

    /// Groups go home by themselves, or are taken home by the owner of the first; by `either` node where both may have
    /// lost theirs.
    fn home(&mut self, either: bool) {
        let bound = self.bound();
        match self.mode() {
            AutoFailback::On | AutoFailback::Legacy => self.becomes("home", bound),
            AutoFailback::Off => {
                self.becomes("once", bound);
                let (owner, other) = (self.owner, self.other);
                self.chapter(&format!("taken home by hand (latido takeover local, on {owner})"));
                self.say(&format!("takeover {owner} local"));
                if either {
                    self.say(&format!("settle {}", as_written(bound)));
                    self.say(&format!("takeover {other} local"));
                }
                self.becomes("home", bound);
            }
        }
    }

    fn cold_start(&mut self) {
        self.chapter("cold start of both");
        self.say(&format!("start {} {}", self.owner, self.other));
        self.becomes("home", self.bound());
    }

    fn power_off(&mut self) {
        let owner = self.owner;
        self.chapter(&format!("power-off of {owner}"));
        self.say("# Just after a heartbeat: the worst moment.");
        self.say(&format!("beat {owner}\npower-off {owner}"));
        self.wait(self.settings.deadtime);
        self.becomes("once", self.bound());
        self.chapter(&format!("{owner} is back"));
        self.say(&format!("start {owner}"));
        self.home(false);
    }

    /// Each medium cut alone, where another one is left.
    fn cables(&mut self) {
        let media: Vec<String> = self.beating();
        if media.len() < 2 {
            return;
        }
        for medium in media {
            self.chapter(&format!("{medium} is cut"));
            self.say(&format!("cut {medium}"));
            self.wait(self.silence());
            self.say(&format!("expect home\nmend {medium}"));
            self.wait(self.settings.keepalive * 2 + CALM);
        }
    }

    fn beating(&self) -> Vec<String> {
        let media = self.settings.media.iter().filter(|medium| medium.ping_node.is_none());
        media.map(|medium| medium.id.to_string()).collect()
    }

    /// The cable by which clients, and ping hosts, reach the owner.
    fn client_cable(&mut self) {
        let first = self.groups.iter().find(|group| !group.resources.is_empty());
        if first.is_none() {
            return;
        }
        let own = self.groups.iter().filter(|group| group.owner == self.settings.me);
        let named = own.flat_map(|group| &group.resources).find_map(known::interface);
        let named = named.as_deref();
        let beating = self.beating();
        let medium = match named {
            Some(name) => beating.iter().find(|medium| medium.as_str() == name),
            // The route decides: most probably it is the first network.
            None => beating.iter().find(|medium| !medium.starts_with('/')),
        };
        let cable = named.or(medium.map(String::as_str)).map_or(String::new(), |name| format!(" ({name})"));
        let (owner, other) = (self.owner, self.other);
        self.chapter(&format!("the client cable of {owner} is cut{cable}"));
        if let (None, Some(medium)) = (named, medium) {
            self.say(&format!("# The address names no interface: clients are taken to come by {medium}."));
        }
        let which = medium.map_or(owner.to_owned(), |medium| format!("{owner} {medium}"));
        self.say(&format!("unplug {which}"));
        let divides = medium.is_some() && beating.len() == 1;
        if divides {
            self.say(&format!("within {} served", as_written(self.bound())));
            self.wait(self.silence() + MENDED_AFTER);
        } else if self.has_ipfail() {
            self.becomes(&format!("{other} runs {}", self.everything()), self.bound());
        } else {
            self.wait(self.silence() + MENDED_AFTER);
            self.say("expect once\nexpect unserved");
        }
        self.chapter("it is plugged in again");
        self.say(&format!("plug {which}"));
        if divides && self.is_fenced() {
            self.say("# Whoever was fenced has booted meanwhile.");
            self.say(&format!("start {owner} {other}"));
        }
        self.wait(CALM);
        if divides || self.has_ipfail() {
            self.home(divides && self.is_fenced());
        } else {
            self.say("expect served");
        }
    }

    /// Whether an ipfail runs that acts.
    fn has_ipfail(&self) -> bool {
        let pings = self.settings.media.iter().any(|medium| medium.ping_node.is_some());
        pings && self.mode() != AutoFailback::Legacy && self.ipfail.is_some_and(|ipfail| ipfail.is_admitted)
    }

    fn partition(&mut self) {
        match &self.beating()[..] {
            [only] => self.chapter(&format!("{only} is cut, the only medium")),
            _ => self.chapter("all media are cut"),
        }
        self.say("cut all");
        self.wait(self.silence() + MENDED_AFTER);
        self.chapter(if self.beating().len() > 1 { "all media are mended" } else { "it is mended" });
        self.say("mend all");
        if self.is_fenced() {
            self.say("# Whoever was fenced has booted meanwhile.");
            self.say(&format!("start {} {}", self.owner, self.other));
        }
        self.wait(CALM);
        self.home(self.is_fenced());
    }

    fn hand_over(&mut self) {
        // With `auto_failback legacy` there is none.
        if self.groups.is_empty() || self.mode() == AutoFailback::Legacy {
            return;
        }
        let (owner, other) = (self.owner, self.other);
        self.chapter(&format!("hand-over (latido standby all, on {owner})"));
        self.say(&format!("standby {owner} all"));
        self.becomes(&format!("{other} runs {}", self.everything()), self.bound());
        self.chapter(&format!("and back (latido takeover local, on {owner})"));
        self.say(&format!("takeover {owner} local"));
        self.becomes("home", self.bound());
    }

    /// All resources, as `expect` wants them.
    fn everything(&self) -> String {
        let mut words: Vec<&str> =
            self.groups.iter().flat_map(|group| &group.resources).map(|resource| resource.word.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        words.join(" ")
    }

    fn graceful_stop(&mut self) {
        let owner = self.owner;
        self.chapter(&format!("graceful stop of {owner}"));
        self.say(&format!("leave {owner}"));
        self.say(&format!("within {} silent {owner}", as_written(self.bound())));
        self.becomes("once", self.bound());
        self.chapter(&format!("{owner} is started again"));
        self.say(&format!("start {owner}"));
        self.home(false);
    }

    fn failing_start(&mut self, name: &str, service: &Resource) {
        if self.mode() == AutoFailback::Legacy {
            return;
        }
        let (owner, other, word) = (self.owner, self.other, service.word.as_str());
        self.chapter(&format!("{name} does not start on {other}"));
        self.say(&format!("fails {other} {word} start\nstandby {owner} all"));
        self.say(&format!("settle {}", as_written(self.bound())));
        self.wait(MENDED_AFTER);
        if self.settings.on_start_failure == OnStartFailure::Move {
            self.say("expect once");
        }
        self.chapter(&format!("{name} is mended (latido resource retry)"));
        self.say(&format!("scripts-work\nretry {other} {word}"));
        self.becomes("once", self.bound());
        // Its only group came back at once.
        let own = self.groups.iter().filter(|group| group.owner == self.settings.me && !group.resources.is_empty());
        if own.count() > 1 || self.settings.on_start_failure == OnStartFailure::Stay {
            self.say(&format!("takeover {owner} local"));
        }
        self.becomes("home", self.bound());
    }

    fn hanging_stop(&mut self, name: &str, service: &Resource) {
        let (owner, word) = (self.owner, service.word.as_str());
        self.chapter(&format!("{name} does not stop on {owner}"));
        let ask = if self.mode() == AutoFailback::Legacy { "leave {}" } else { "standby {} all" };
        self.say(&format!("hangs {owner} {word} stop\n{}", ask.replace("{}", owner)));
        let limit = self.settings.script_timeout.stop;
        // Without a device nobody falls silent to be fenced.
        let leaves = match self.settings.on_stop_failure {
            OnStopFailure::Reboot => true,
            OnStopFailure::Fence => self.is_fenced(),
            OnStopFailure::Block => false,
        };
        if leaves {
            self.say(&format!("within {} silent {owner}", as_written(limit * 2 + CALM)));
            self.wait(self.silence());
            self.becomes("once", self.bound());
        } else {
            self.wait(limit * 2 + MENDED_AFTER);
            self.say("expect once");
        }
        self.chapter(&format!("{owner} is switched off and on"));
        self.say(&format!("scripts-work\npower-off {owner}"));
        self.say(&format!("within {} once\nstart {owner}", as_written(self.bound())));
        self.home(false);
    }

    fn dead_service(&mut self, name: &str, service: &Resource) {
        let (owner, word) = (self.owner, service.word.as_str());
        self.chapter(&format!("{name} dies"));
        self.say(&format!("dies {owner} {word}"));
        let named = |resource: &str| resource == word || resource == service.agent;
        let lines = &self.settings.monitors;
        let line = lines.iter().find(|line| named(&line.resource)).or(lines.iter().find(|line| line.resource == "*"));
        let Some(line) = line else {
            self.say("# Nobody asks whether it works.");
            self.wait(MENDED_AFTER);
            self.say(&format!("comes-up {owner} {word}"));
            return self.wait(CALM);
        };
        self.becomes("once", line.every * (line.failures + 2) + self.bound());
        if line.restarts == 0 && self.mode() != AutoFailback::Legacy {
            self.chapter(&format!("{name} is mended (latido resource retry)"));
            self.say(&format!("retry {owner} {word}\ntakeover {owner} local"));
            self.becomes("home", self.bound());
        }
    }

    fn killed_daemon(&mut self) {
        let owner = self.owner;
        self.chapter(&format!("the daemon of {owner} is killed"));
        self.say("# Its supervisor starts another one within 50 ms.");
        self.say(&format!("kill {owner}\nwait 50ms\nstart {owner}"));
        self.becomes("once", self.bound());
        self.wait(self.silence());
        let home = self.mode() != AutoFailback::Legacy;
        self.say(if home { "expect home" } else { "expect once" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceText;
    use crate::simulate::{NAMES, Play, Setting, groups, settings};

    #[test]
    fn the_standard_play_goes_well_whatever_the_settings() {
        let stops = [OnStopFailure::Reboot, OnStopFailure::Block, OnStopFailure::Fence];
        for mode in [AutoFailback::On, AutoFailback::Off, AutoFailback::Legacy] {
            for (stop, fences) in stops.into_iter().flat_map(|stop| [(stop, 0), (stop, 1)]) {
                for start in [OnStartFailure::Move, OnStartFailure::Stay] {
                    let both = NAMES.map(|name| Settings {
                        auto_failback: mode,
                        on_stop_failure: stop,
                        on_start_failure: start,
                        fences: vec!["power".to_owned(); fences],
                        ..settings(name).unwrap()
                    });
                    let what = format!("{mode:?} {stop:?} {start:?} {fences}");
                    goes_well(&both, "alpha ra rb\nbeta rc", &NonCoreSettings::default(), &what);
                    goes_well(&both, "beta ra", &NonCoreSettings::default(), &format!("one group {what}"));
                }
            }
        }
    }

    #[test]
    fn the_standard_play_goes_well_with_ping_hosts_and_whoever_runs_ipfail() {
        let alone = |settings: Settings| Settings { media: settings.media[..1].to_vec(), ..settings };
        for mode in [AutoFailback::On, AutoFailback::Off, AutoFailback::Legacy] {
            for fences in [0, 1] {
                let both = NAMES.map(|name| {
                    let fences = vec!["power".to_owned(); fences];
                    Settings { auto_failback: mode, fences, ..settings(name).unwrap() }
                });
                let pinging = both.clone().map(|mut settings| {
                    Setting::parse("ping", &["10.0.0.254"]).unwrap().apply(&mut settings);
                    settings
                });
                for user in ["hacluster", "root"] {
                    let non_core = NonCoreSettings { ipfail: Some(Ipfail::of(user)), ..NonCoreSettings::default() };
                    let what = format!("{mode:?} {fences} {user}");
                    for groups in
                        ["alpha ra rb\nbeta rc", "beta 10.0.0.1/24/eth0:1", "alpha 10.0.0.1/24/eth5 ra\nbeta rb"]
                    {
                        goes_well(&pinging, groups, &non_core, &format!("{groups} {what}"));
                    }
                    goes_well(&both, "alpha ra", &non_core, &format!("no ping host {what}"));
                    goes_well(&pinging.clone().map(alone), "alpha ra", &non_core, &format!("one medium {what}"));
                }
            }
        }
    }

    fn goes_well(settings: &[Settings; 2], text: &str, non_core: &NonCoreSettings, what: &str) {
        let groups = groups(text);
        let source = SourceText::new("story", standard_play(settings, &groups, non_core));
        let play = Play::parse_with(&source, settings, &groups, non_core).unwrap();
        let performance = play.perform(settings, &groups, None);
        assert!(
            performance.complaints.is_empty(),
            "{what}: {:?}\n{}",
            performance.complaints,
            performance.pair.transcript()
        );
    }
}
