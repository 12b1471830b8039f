//! `notify COMMAND` of `latido.cf`: run for each change of state, one at a time, in order, none left out.
//!
//! A command that hangs is ended after its limit; meanwhile the others wait, up to a bound.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use crate::cluster::Level;
use crate::daemon::programs::children::Ended;
use crate::haresources::{Exit, Outcome};
use crate::host::lookup::Call;
use crate::host::script::Output;
use crate::host::trust;
use crate::journal::EventEntry;

use super::Driver;

const LIMIT: Duration = Duration::from_secs(30);
const MOST_WAITING: usize = 2000;
/// What outside can cause at will waits in fewer places, so that it takes none of what moves groups.
const MOST_FROM_OUTSIDE: usize = 100;

/// How much it matters that a change is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Groups move, or may.
    Move,
    /// Outside can cause it at will.
    Noise,
}

/// What waits to be told to the `notify` command.
#[derive(Debug, Default)]
pub(crate) struct NotifyQueue {
    waiting: VecDeque<(u64, EventEntry)>,
    next: u64,
    running: bool,
    lost: u64,
}

impl Driver {
    /// Tells the command of a change, after all earlier ones.
    pub(crate) fn queue_notify(&mut self, entry: &EventEntry, weight: Weight) {
        if self.config.latido.notify.is_none() {
            return;
        }
        self.notify_queue.next += 1;
        let most = if weight == Weight::Noise { MOST_FROM_OUTSIDE } else { MOST_WAITING };
        if self.notify_queue.waiting.len() < most {
            let number = self.notify_queue.next;
            self.notify_queue.waiting.push_back((number, entry.clone()));
        } else {
            self.notify_queue.lost += 1;
        }
        self.start_next_notify_command();
    }

    pub(super) fn on_notify_command_ended(&mut self, number: u64, exit: &Exit) {
        self.notify_queue.running = false;
        if *exit != Exit::Code(0) {
            let text = format!("notify command: {exit} (notice {number})");
            self.log_limited("notify", "exit", Level::Warn, text);
        }
        if self.notify_queue.waiting.is_empty() && self.notify_queue.lost > 0 {
            self.log.error(format!("{} notices were lost: the notify command is too slow", self.notify_queue.lost));
            self.notify_queue.lost = 0;
        }
        self.start_next_notify_command();
    }

    fn start_next_notify_command(&mut self) {
        while !self.notify_queue.running {
            let Some(words) = self.config.latido.notify.clone() else { return self.notify_queue.waiting.clear() };
            let Some((number, entry)) = self.notify_queue.waiting.pop_front() else { return };
            if let Err(why) = self.start_notify_command(&words, number, &entry) {
                self.log_limited("notify", "start", Level::Error, format!("notify command: {why}"));
            }
        }
    }

    fn start_notify_command(&mut self, words: &[String], number: u64, entry: &EventEntry) -> Result<(), String> {
        let Some((program, rest)) = words.split_first() else { return Err("there is none".to_owned()) };
        trust::refuse(Path::new(program))?;
        let mut environment = self.environment.clone();
        environment.set("LATIDO_SEQUENCE", number.to_string());
        environment.set("LATIDO_TIME", format!("{:.3}", entry.t));
        environment.set("LATIDO_NODE", &entry.node);
        environment.set("LATIDO_LEVEL", &entry.level);
        environment.set("LATIDO_EVENT", &entry.event);
        // Of these some words may be a stranger's.
        environment.add_from_outside("LATIDO_TEXT", &entry.text);
        for (name, value) in entry.data.as_object().into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            environment.add_from_outside(&format!("LATIDO_ABOUT_{}", name.to_ascii_uppercase()), &text);
        }
        let call = Call { program: program.into(), name: None, arguments: rest.iter().map(Into::into).collect() };
        let ended = move |outcome: Outcome| Ended::NotifyCommand(number, outcome.exit);
        self.children
            .start(&call, Output::Log, LIMIT, &environment, ended)
            .map_err(|error| format!("cannot run {program}: {error}"))?;
        self.notify_queue.running = true;
        Ok(())
    }
}
