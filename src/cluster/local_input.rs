//! The ways in for what is asked on this machine: requests at the control socket, and messages that programs write into the
//! FIFO or hand to the daemon (`wire.md` 1.6). Each is told apart here, and here only; messages of other nodes come in by
//! `membership`.

use crate::names::ClientId;
use crate::wire::{Kind, Message, field};

use super::{Action, Cluster, Request, Response};

impl Cluster {
    pub(super) fn on_request(&mut self, client: ClientId, request: Request, by: &str) {
        match request {
            Request::Retry(group) => {
                let done = self.retry_group(&group).map(|group| vec![group]);
                self.answer(client, done);
            }
            Request::Bring(group) => {
                let done = self.bring(&group).map(|()| vec![group]);
                self.answer(client, done);
            }
            Request::Forget(node) => {
                let done = self.forget_peer(&node).map(|()| vec![]);
                self.answer(client, done);
            }
            Request::Standby(set) => {
                if let Some(why) = self.reason_to_move(client, &request, by) {
                    self.on_standby_request(client, set, why);
                }
            }
            Request::Takeover(set) => {
                if let Some(why) = self.reason_to_move(client, &request, by) {
                    self.on_takeover_request(client, set, why);
                }
            }
            Request::Move(ref group, ref to) => {
                let Some(why) = self.reason_to_move(client, &request, by) else { return };
                match self.way_of_move(group, to.clone()) {
                    Ok((true, set)) => self.on_takeover_request(client, set, why),
                    Ok((false, set)) => self.on_standby_request(client, set, why),
                    Err(why) => self.refuse(client, why),
                }
            }
        }
    }

    /// What became of a request that is answered at once.
    fn answer(&mut self, client: ClientId, done: Result<Vec<String>, String>) {
        match done {
            Ok(groups) => self.out.push(Action::Reply { client, response: Response::Moved { groups } }),
            Err(why) => self.refuse(client, why),
        }
    }

    pub(super) fn refuse(&mut self, client: ClientId, why: String) {
        self.out.push(Action::Reply { client, response: Response::Refused(why) });
    }

    /// Something somebody on this machine wrote into the FIFO.
    pub(super) fn on_local(&mut self, message: Message) {
        // What has no type is no message, and nobody could read it.
        let has_type = message.get(field::T).is_some_and(|kind| !kind.is_empty());
        if !has_type || self.on_helper(&message) {
            return;
        }
        match message.kind() {
            Kind::AskResources => self.on_local_offer(&message),
            Kind::HbTakeover => self.on_local_wish(message),
            // Nobody but the daemon says these.
            Kind::Status
            | Kind::Starting
            | Kind::Resource
            | Kind::ShutDone
            | Kind::Stonith
            | Kind::IpRequest
            | Kind::IpRequestResp
            | Kind::NsSt
            | Kind::Ack
            | Kind::Rexmit
            | Kind::NakRexmit
            | Kind::ReqNodes
            | Kind::RepNodes
            | Kind::IfStat => {}
            Kind::Other(_) => self.send(message),
        }
    }
}
