//! The notification scripts of `rc.d`: run for messages, one at a time, in order (`resources.md` 1.4).
//!
//! A script that hangs is ended after its limit; the next one waits for it, and the loop for none.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cluster::{AutoFailback, Level};
use crate::daemon::programs::children::Ended;
use crate::haresources::{Exit, Outcome};
use crate::host::environment::Environment;
use crate::host::lookup::Call;
use crate::host::rc_d::{self, Script};
use crate::host::script::Output;
use crate::host::trust;
use crate::wire::{Kind, Message, Value, field};

use super::Driver;

/// A notification script that takes longer is ended: the next one waits for it.
const LIMIT: Duration = Duration::from_secs(60);
/// No more wait.
const MOST_WAITING: usize = 200;
/// Of one type no more wait: who floods with one leaves room for the others.
const MOST_OF_A_TYPE: usize = 50;

/// More fields than any message of a daemon has.
const MOST_FIELDS: usize = 100;

/// One that waits for its turn.
#[derive(Debug)]
struct WaitingScript {
    message: Message,
    program: PathBuf,
    /// For a changed script of the original's: where the helper programs are that it may call.
    helpers: Option<PathBuf>,
}

/// Messages offered to `rc.d`, one script at a time, in order (`resources.md` 1.4).
#[derive(Debug, Default)]
pub(crate) struct NotificationScripts {
    waiting: VecDeque<WaitingScript>,
    running: bool,
    /// What runs is a changed script of the original's.
    helpers_run: bool,
    /// Types of which it was said what becomes of the original's script.
    told: BTreeSet<String>,
}

impl NotificationScripts {
    /// Whether a message from the FIFO is the word of a helper program that does the daemon's work there.
    pub(super) fn is_said_by_a_helper(&self, kind: &Kind) -> bool {
        let of_groups = [Kind::AskResources, Kind::Resource, Kind::IpRequest, Kind::IpRequestResp];
        self.helpers_run && of_groups.contains(kind)
    }
}

/// Each field as `HA_<field>`, as far as there is room; none replaces what scripts go by.
fn add_fields(environment: &mut Environment, message: &Message) {
    let text = |(name, value): (_, &Value)| match value {
        Value::Text(text) if name != field::AUTH => Some((name, text.clone())),
        Value::Text(_) | Value::Binary(_) | Value::Opaque { .. } => None,
    };
    for (name, value) in message.fields().filter_map(text).take(MOST_FIELDS) {
        environment.add_from_outside(&format!("HA_{name}"), &value);
    }
}

impl Driver {
    pub(crate) fn run_notification_script(&mut self, message: Message) {
        let kind = message.kind();
        let mut program = match self.places.notification_script(kind.as_str()) {
            Ok(Some(program)) => program,
            Ok(None) => return,
            Err(why) => return self.log_limited("rc.d", kind.as_str(), Level::Error, why),
        };
        let script = match rc_d::script(&kind, &program) {
            Ok(script) => script,
            Err(error) => {
                let why = format!("{}: {error}: not run", program.display());
                return self.log_limited("rc.d", kind.as_str(), Level::Error, why);
            }
        };
        let mut helpers = None;
        match script {
            Script::Own => {}
            Script::Stock => {
                self.tell_of(&kind, &program, "the original's own script: not run, this daemon does its work itself");
                match self.giving_hook(&message) {
                    Some(hook) => program = hook,
                    None => return,
                }
            }
            Script::Changed => match rc_d::helper_programs(&self.options.paths) {
                Ok(dir) => {
                    let how = "not as it was distributed: it is run. mach_down, req_resource and ResourceManager start and \
                               stop nothing there, because this daemon does";
                    self.tell_of(&kind, &program, how);
                    helpers = Some(dir);
                }
                Err(why) => {
                    let program = program.display();
                    let why = format!("{program} is not run: it could start groups a second time: {why}");
                    return self.log_limited("rc.d", kind.as_str(), Level::Error, why);
                }
            },
        }
        let waiting = &mut self.notification_scripts.waiting;
        let of_its_type = waiting.iter().filter(|other| other.message.kind() == kind).count();
        if waiting.len() < MOST_WAITING && of_its_type < MOST_OF_A_TYPE {
            waiting.push_back(WaitingScript { message, program, helpers });
        } else {
            let why = format!("rc.d/{kind} is not run for a message: too many wait for their turn");
            self.log_limited("rc.d", "too many", Level::Warn, why);
        }
        self.run_next_notification_script();
    }

    fn tell_of(&mut self, kind: &Kind, program: &Path, what: &str) {
        if self.notification_scripts.told.insert(kind.as_str().to_owned()) {
            self.log.info(format!("{} is {what}", program.display()));
        }
    }

    /// `rc.d/local_giveip`, which the original's `ip-request` runs before it gives a group that runs.
    fn giving_hook(&self, message: &Message) -> Option<PathBuf> {
        let key = message.get(field::IPADDR).filter(|_| message.kind() == Kind::IpRequest)?;
        let view = self.cluster.view(self.clock.mono());
        view.groups.iter().find(|group| group.key == key && group.state.is_claimed())?;
        self.places.notification_script("local_giveip").ok()?
    }

    fn run_next_notification_script(&mut self) {
        while !self.notification_scripts.running {
            let Some(WaitingScript { message, program, helpers }) = self.notification_scripts.waiting.pop_front()
            else {
                return;
            };
            let kind = message.kind().as_str().to_owned();
            let environment = self.environment_of(&message, helpers.as_deref());
            // Time has passed since it was looked at.
            if let Err(why) = trust::refuse(&program) {
                self.log.error(why);
                continue;
            }
            // As the original spells it, which is what the script sees as its own name.
            let dir = self.environment.get("HA_RCDIR").map(PathBuf::from);
            let program = dir.zip(program.file_name()).map(|(dir, name)| dir.join(name)).unwrap_or(program);
            let call = Call { program: program.into_os_string(), name: None, arguments: vec![kind.clone().into()] };
            let ended = move |outcome: Outcome| Ended::NotificationScript(kind, outcome.exit);
            match self.children.start(&call, Output::Log, LIMIT, &environment, ended) {
                Ok(_) => {
                    (self.notification_scripts.running, self.notification_scripts.helpers_run) =
                        (true, helpers.is_some())
                }
                Err(error) => {
                    let why = format!("cannot run {}: {error}", call.program.to_string_lossy());
                    self.log_limited("rc.d", "start", Level::Error, why);
                }
            }
        }
    }

    /// What the script for a message finds around it (`resources.md` 6).
    fn environment_of(&self, message: &Message, helpers: Option<&Path>) -> Environment {
        let mut environment = self.environment.clone();
        add_fields(&mut environment, message);
        // The status of this node, whatever its name suggests.
        environment.set("HA_OSTATUS", self.cluster.local_status().as_str());
        if self.config.settings.auto_failback != AutoFailback::Legacy {
            environment.set("HA_NICEFAILBACK", "yes");
        }
        if let Some(dir) = helpers {
            rc_d::offer_helper_programs(&mut environment, &message.kind(), dir);
        }
        environment
    }

    pub(super) fn on_notification_script_ended(&mut self, kind: &str, exit: &Exit) {
        if *exit != Exit::Code(0) {
            self.log_limited("rc.d", kind, Level::Info, format!("rc.d/{kind}: {exit}"));
        }
        (self.notification_scripts.running, self.notification_scripts.helpers_run) = (false, false);
        self.run_next_notification_script();
    }
}
