//! What people ask of a pair: requests of clients and when they are answered, the FIFO, orders to leave, files that are
//! reread.

use crate::cluster::{Event, Request, Response, Settings};
use crate::config::resources_digest;
use crate::haresources::ResourceGroup;
use crate::names::ClientId;
use crate::time::Mono;
use crate::wire::Message;

use super::{Fault, Intervention, Observed, SimulatedPair, groups, manual_node};

/// A request that has not been answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRequest {
    /// Who waits for the answer.
    pub client: ClientId,
    /// Which node was asked.
    pub node: usize,
    /// For what.
    pub request: Request,
    /// Since when it waits.
    pub since: Mono,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnsweredRequest {
    /// What was asked, and when.
    pub asked: OpenRequest,
    /// When it was answered.
    pub at: Mono,
    /// The answer; `None` when the daemon ended before it gave one, or was not there.
    pub response: Option<Response>,
}

impl SimulatedPair {
    /// A client asks a node for something; by the number the answer is known.
    pub fn request(&mut self, node: usize, request: Request) -> ClientId {
        self.observe(node, Observed::Asked(request.clone()));
        self.count(Fault::of_request(&request));
        self.clients += 1;
        let client = ClientId(self.clients);
        if !self.pending.is_empty() {
            self.count(Fault::TwoRequests);
        }
        self.pending.push(OpenRequest { client, node, request: request.clone(), since: self.now });
        if self.is_on(node) {
            self.tell_soon(node, Event::Request { client, request, by: String::new() });
        } else {
            self.close(client, None);
        }
        client
    }

    /// The requests that wait for an answer, oldest first.
    pub fn pending_requests(&self) -> &[OpenRequest] {
        &self.pending
    }

    /// Every request that was answered, or whose daemon ended before, in that order.
    pub fn answers_given(&self) -> &[AnsweredRequest] {
        &self.answered
    }

    /// The answer to a request, once there is one.
    pub fn answer_to(&self, client: ClientId) -> Option<&AnsweredRequest> {
        self.answered.iter().find(|answered| answered.asked.client == client)
    }

    /// What clients were answered, taken once.
    pub fn take_replies(&mut self) -> Vec<(usize, Response)> {
        std::mem::take(&mut self.replies)
    }

    pub(super) fn on_reply(&mut self, node: usize, client: ClientId, response: Response) {
        self.replies.push((node, response.clone()));
        self.close(client, Some(response.clone()));
        self.observe(node, Observed::Replied(response));
    }

    /// The connections to a daemon that has ended.
    pub(super) fn forget_requests(&mut self, node: usize) {
        let of_node = self.pending.iter().filter(|asked| asked.node == node).map(|asked| asked.client);
        of_node.collect::<Vec<_>>().into_iter().for_each(|client| self.close(client, None));
    }

    pub(super) fn close(&mut self, client: ClientId, response: Option<Response>) {
        let Some(place) = self.pending.iter().position(|asked| asked.client == client) else { return };
        let asked = self.pending.remove(place);
        self.answered.push(AnsweredRequest { asked, at: self.now, response });
    }

    /// The operator asks a node to leave.
    pub fn leave(&mut self, node: usize) {
        self.observe_intervention(node, Intervention::AskedToLeave);
        if self.is_on(node) || self.is_starting(node) {
            let again = std::mem::replace(&mut self.hosts[node].asked_to_leave, true);
            self.hosts[node].told = true;
            self.count(if again { Fault::LeaveTwice } else { Fault::Leave });
        }
        self.tell_soon(node, Event::Leave);
    }

    /// Somebody on a node writes this into the FIFO: a type, and fields as `name=value`.
    pub fn write_fifo(&mut self, node: usize, text: &str) {
        self.observe_intervention(node, Intervention::Fifo(text.to_owned()));
        self.count(Fault::Fifo);
        self.tell_soon(node, Event::Local(manual_node::message(text)));
    }

    /// A node reads its files again, and they are the same.
    pub fn reload(&mut self, node: usize) {
        self.count(Fault::ReloadSame);
        self.reread(node);
    }

    /// A node reads its files again and finds these groups, in the words of `haresources`.
    pub fn reload_groups(&mut self, node: usize, haresources: &str) {
        self.put_groups(node, groups(haresources));
        self.count(Fault::ReloadGroups);
        self.reread(node);
    }

    /// A node reads its files again and finds other settings.
    pub fn reload_settings(&mut self, node: usize, edit: impl Fn(&mut Settings)) {
        edit(&mut self.settings[node]);
        self.count(Fault::ReloadSettings);
        self.reread(node);
    }

    /// Somebody edits the groups in a node's file; they are in force when it is read.
    pub fn edit_groups(&mut self, node: usize, haresources: &str) {
        self.observe_intervention(node, Intervention::Edited);
        self.count(Fault::Edited);
        self.put_groups(node, groups(haresources));
    }

    fn put_groups(&mut self, node: usize, groups: Vec<ResourceGroup>) {
        let digest = if groups == self.groups { self.first_digest.clone() } else { resources_digest(&groups) };
        self.settings[node].resources_digest = digest;
        self.hosts[node].groups = groups;
        if self.settings[node].resources_digest != self.settings[1 - node].resources_digest {
            self.count(Fault::FilesDiffer);
        }
    }

    fn reread(&mut self, node: usize) {
        self.observe_intervention(node, Intervention::Reload);
        let fresh = (self.settings[node].clone(), self.hosts[node].groups.clone());
        self.tell_soon(node, Event::Reconfigure(Box::new(fresh)));
    }

    /// Something that somebody noted in a message a node sent long ago reaches the other node once more.
    pub fn replay(&mut self, to: usize, message: &Message) {
        self.observe_intervention(to, Intervention::Replayed);
        let Some(medium) = self.media().iter().find(|medium| medium.ping_node.is_none()) else { return };
        let medium = medium.id.clone();
        self.count(Fault::Replayed);
        self.tell_soon(to, Event::Message { medium, at: self.now, message: message.clone() });
    }
}
