//! The notification scripts of `rc.d`: run for messages, one at a time, in order (`resources.md` 1.4).
//!
//! A script that hangs is ended after its limit; the next one waits for it, and the loop for none.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cluster::AutoFailback;
use crate::haresources::{Exit, Outcome};
use crate::wire::{Kind, Message, Value, field};

use super::child::{Call, Ended, Output};
use super::driver::Driver;

/// A notification script that takes longer is ended: the next one waits for it.
const NOTIFY_LIMIT: Duration = Duration::from_secs(60);
/// More waiting notifications than this help nobody.
const MOST_NOTIFICATIONS: usize = 200;

/// Messages offered to `rc.d`, one script at a time, in order (`resources.md` 1.4).
#[derive(Debug, Default)]
pub(super) struct Notifications {
    waiting: VecDeque<(Message, PathBuf)>,
    running: bool,
    told: bool,
}

impl Driver {
    pub(super) fn notify(&mut self, message: Message) {
        let kind = message.kind();
        let program = match self.places.notification(kind.as_str()) {
            Ok(Some(program)) => program,
            Ok(None) => return,
            Err(why) => return self.log.error(why),
        };
        if kind == Kind::Status && is_takeover_script(&program) {
            if !std::mem::replace(&mut self.notifications.told, true) {
                let program = program.display();
                self.log.info(format!(
                    "{program} is the original's own takeover script: not run, this daemon takes over itself"
                ));
            }
            return;
        }
        if self.notifications.waiting.len() < MOST_NOTIFICATIONS {
            self.notifications.waiting.push_back((message, program));
        }
        self.run_next_notification();
    }

    fn run_next_notification(&mut self) {
        while !self.notifications.running {
            let Some((message, program)) = self.notifications.waiting.pop_front() else { return };
            let kind = message.kind().as_str().to_owned();
            let mut environment = self.environment.clone();
            for (name, value) in message.fields() {
                if let Value::Text(text) = value
                    && name != field::AUTH
                {
                    environment.set(&format!("HA_{name}"), text);
                }
            }
            if self.config.settings.auto_failback != AutoFailback::Legacy {
                environment.set("HA_NICEFAILBACK", "yes");
            }
            let call = Call { program: program.into_os_string(), name: None, arguments: vec![kind.clone().into()] };
            let ended = move |outcome: Outcome| Ended::Notification(kind, outcome.exit);
            match self.children.start(&call, Output::Log, NOTIFY_LIMIT, &environment, ended) {
                Ok(_) => self.notifications.running = true,
                Err(error) => self.log.error(format!("cannot run {}: {error}", call.program.to_string_lossy())),
            }
        }
    }

    pub(super) fn on_notified(&mut self, kind: &str, exit: &Exit) {
        if *exit != Exit::Code(0) {
            self.log.info(format!("rc.d/{kind}: {exit}"));
        }
        self.notifications.running = false;
        self.run_next_notification();
    }
}

/// The original's `rc.d/status` moves groups by itself; beside this daemon that would start them twice.
fn is_takeover_script(program: &Path) -> bool {
    std::fs::read(program).is_ok_and(|text| text.windows(9).any(|word| word == b"mach_down"))
}
