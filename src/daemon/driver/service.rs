//! What the loop has to say to the service manager, and when (`systemd.md` 2).

use std::time::Duration;

use sd_notify::NotifyState;

use crate::daemon::life::own_supervisor::ALIVE;
use crate::daemon::life::service::{every, is_there, tell};
use crate::status::text;
use crate::time::Mono;

use super::Driver;

/// How old the line of status may be, and how often it is written when much happens.
const OLDEST: Duration = Duration::from_secs(10);

const NEXT: Duration = Duration::from_millis(250);

/// Longer lines are cut by who shows them.
const LONGEST: usize = 300;

/// What the loop has to say to the service manager, and when.
#[derive(Debug)]
pub(crate) struct ToServiceManager {
    /// `None` without a service manager.
    next: Option<Mono>,
    /// How often to say that the loop turns; `None` when nobody listens.
    alive_every: Option<Duration>,
    looked: Mono,
    told: String,
    /// The first error of files that were refused.
    refused: Option<String>,
}

impl ToServiceManager {
    /// `limit` is the one of [`limit`].
    pub(crate) fn new(limit: Option<Duration>) -> ToServiceManager {
        let next = is_there().then_some(Mono::ZERO);
        ToServiceManager { next, alive_every: limit.map(every), looked: Mono::ZERO, told: String::new(), refused: None }
    }

    /// When [`Driver::tell_service`] wants to be called.
    pub(crate) fn next(&self) -> Option<Mono> {
        self.next
    }

    /// Something happened that the line of status may tell.
    pub(super) fn look_soon(&mut self) {
        self.next = self.next.map(|next| next.min(self.looked + NEXT));
    }

    /// How the last reading of the files went.
    pub(super) fn files_were_read(&mut self, refused: Option<String>) {
        self.refused = refused;
        self.next = self.next.map(|_| Mono::ZERO);
    }
}

impl Driver {
    /// Says that the loop turns, and how things are.
    pub(super) fn tell_service(&mut self) {
        let now = self.clock.mono();
        let mut line = text::in_a_line(&self.status());
        if let Some(why) = &self.service.refused {
            line = format!("files refused, the old ones stay in force: {why}; {line}");
        }
        let line: String = line.chars().take(LONGEST).collect();
        let service = &mut self.service;
        service.looked = now;
        service.next = Some(now + service.alive_every.unwrap_or(OLDEST).min(OLDEST));
        if service.alive_every.is_some() {
            self.own_supervisor.say(&[ALIVE]);
        }
        if line != service.told {
            tell(&[NotifyState::Status(&line)]);
            service.told = line;
        }
    }
}
