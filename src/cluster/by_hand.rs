//! What the original's helper programs ask for, or have done without asking: `req_resource KEY` and `mach_down NODE`
//! (`resources.md` 1.2, 3.1; `api.md` 3).
//!
//! There they work for the daemon and start groups themselves. Here the daemon starts them: a request is answered,
//! and what was started without us is looked for.

use crate::haresources::{Invocation, Verb};
use crate::wire::{Kind, Message, field};

use super::{Action, Cluster, GroupState, Report};

impl Cluster {
    /// Somebody on this machine wants this group to run here: what of it does not run is started, where that is safe.
    ///
    /// # Errors
    /// Why not, and which command to use.
    pub(super) fn bring(&mut self, key: &str) -> Result<(), String> {
        if !self.settings.manage_resources {
            return Err("this node manages no resources (-M)".into());
        }
        let index = self.groups.find(key).ok_or_else(|| self.groups.unknown(key))?;
        if self.leaving.is_ordered() {
            return Err("this node is leaving: nothing is started here".into());
        }
        if !self.joining.is_settled() {
            return Err("this node is still starting: it starts what belongs here by itself".into());
        }
        match self.groups.state(index) {
            // Stopped behind our back, maybe.
            GroupState::Held => self.groups.want_checked(index),
            GroupState::Starting => {}
            GroupState::Failed | GroupState::Blocked => drop(self.retry_group(key)?),
            GroupState::Stopping => return Err(format!("{key} is being stopped here; see `latido status`")),
            GroupState::Free => self.bring_free(index)?,
        }
        self.changed();
        Ok(())
    }

    fn bring_free(&mut self, index: usize) -> Result<(), String> {
        let (key, own) = (self.groups.key(index), self.is_own(index));
        if self.is_alone() {
            return Err(format!("{key} is started as soon as that is safe; `latido status` says what is waited for"));
        }
        let peer = self.peer_name().map(|name| name.to_string()).unwrap_or_default();
        let legacy = !self.exchanges_claims() || self.peer.is_legacy();
        if legacy && own {
            // The only way to ask for it in this mode.
            self.request_own_groups();
            return Ok(());
        }
        let set = self.side_of(index);
        Err(if !self.peer.hold(index).may_run() {
            format!("{key} runs nowhere: it is started by itself, here or on {peer}; see `latido status`")
        } else if legacy {
            format!("{key} may run on {peer}, which cannot be asked with auto_failback legacy")
        } else {
            format!("{key} runs on {peer}, or may run there: `latido takeover {set}` moves it here")
        })
    }

    /// What a helper program of the original wrote into the FIFO; `false` when it is none of them.
    pub(super) fn on_helper(&mut self, message: &Message) -> bool {
        let kind = message.kind();
        let asks = matches!(kind, Kind::IpRequest | Kind::IpRequestResp) && self.is_for_me(message);
        let took = kind == Kind::Resource && message.get(field::INFO) == Some("mach_down");
        if asks {
            let key: String = message.get(field::IPADDR).unwrap_or_default().chars().take(99).collect();
            if let Err(why) = self.bring(&key) {
                self.report(Report::NotBrought { group: key, why });
            }
        } else if took {
            self.report(Report::TakenByHand);
            self.look_for_strays();
        }
        asks || took
    }

    /// Asks each resource of what is not held here whether it runs here all the same.
    fn look_for_strays(&mut self) {
        let free = |index: &usize| self.groups.state(*index) == GroupState::Free && self.joining.is_settled();
        for index in (0..self.groups.len()).filter(free).collect::<Vec<_>>() {
            let key = self.groups.key(index);
            for (at, resource) in self.groups.resources(index).to_vec().into_iter().enumerate() {
                let Some(job) = self.begin_stray_check(&key, at) else { continue };
                let limit = self.settings.script_timeout.status;
                self.out.push(Action::Run { job, invocation: Invocation { resource, verb: Verb::Status }, limit });
            }
        }
    }
}
