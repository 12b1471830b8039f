//! Which key signs beside a node that does not know them all (`threat-model.md`): what no original can read is never
//! what an original that is there hears of us, or it would take over what runs here.

use crate::auth::KeyId;
use crate::cluster::{NodeView, Status};
use crate::config::Config;
use crate::names::NodeName;

use super::Driver;
use super::wants::Want;

impl Driver {
    /// Why the other node, as we know it, would hear nothing of us any more with these keys.
    pub(super) fn deaf_to_it(&self, config: &Config) -> Option<String> {
        let method = config.keyring.signing_method().filter(|method| method.is_latido_only())?;
        let name = self.original_that_is_there()?;
        Some(format!(
            "authkeys: key {} uses {method}, which only Latido knows, and {name} runs heartbeat: it would believe nothing we \
             say and take over. Sign with sha1 until {name} is a Latido too",
            config.keyring.signing_id()
        ))
    }

    /// Signs so that whoever said something signed with `key` can read the answer.
    pub(super) fn choose_key(&mut self, node: &str, key: KeyId) {
        let keyring = &self.config.keyring;
        let wanted = keyring.signing_id();
        let Some(method) = keyring.signing_method().filter(|method| method.is_latido_only()) else { return };
        if node.eq_ignore_ascii_case(self.config.settings.me.as_str()) {
            return;
        }
        let original = self.original_that_is_there().filter(|name| name.as_str().eq_ignore_ascii_case(node));
        let theirs = keyring.method(key).filter(|theirs| original.is_some() && !theirs.is_latido_only());
        let signing = if theirs.is_some() { key } else { wanted };
        if signing == self.intake.keyring().signing_id() {
            return;
        }
        let Some(ring) = keyring.signing_with(signing) else { return };
        self.intake.set_keyring(ring);
        match theirs {
            Some(theirs) => {
                let why = format!(
                    "authkeys: {node} runs heartbeat, which does not know the {method} of key {wanted}: what we say is \
                     signed with key {key} ({theirs}), as {node} signs, until it is a Latido"
                );
                self.log.error(&why);
                self.wants.add(Want::Key, why);
            }
            None => {
                self.log.info(format!("{node} is a Latido: what we say is signed with key {wanted} ({method})"));
                self.wants.remove(Want::Key);
            }
        }
    }

    fn original_that_is_there(&self) -> Option<NodeName> {
        let is_original = |node: &NodeView| {
            let is_there = matches!(node.status, Status::Up | Status::Active);
            !node.is_me && !node.is_ping && is_there && !node.is_latido
        };
        let view = self.cluster.view(self.clock.mono());
        view.nodes.into_iter().find(is_original).map(|node| node.name)
    }
}
