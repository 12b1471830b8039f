//! Between the client socket and the core: what clients say goes to `api`, what follows from it is done here.

use std::collections::VecDeque;
use std::sync::Arc;

use nix::unistd::{Group, User};

use crate::api::body::{Spelling, encode};
use crate::api::{ApiClients, ApiContext, ApiEffect, ApiRules, CloseReason, field};
use crate::cluster::{Class, Event, Level, WHY};
use crate::config::ApiRule;
use crate::daemon::doors::api_socket::{ApiSocket, SocketEvent, parcel};
use crate::host::directories;
use crate::names::ClientId;
use crate::process::is_alive;
use crate::wire::{Kind, Message, field as wire};

use super::Driver;
use super::wants::Want;

/// Who is signed on, and where they speak.
#[derive(Debug)]
pub(crate) struct ApiConnections {
    clients: ApiClients,
    /// Not before the communication is up.
    socket: Option<ApiSocket>,
    tried: bool,
    paused: bool,
}

impl ApiConnections {
    /// Nobody may connect yet.
    pub(crate) fn new(apiauth: &[ApiRule]) -> ApiConnections {
        ApiConnections { clients: ApiClients::new(rules(apiauth)), socket: None, tried: false, paused: false }
    }

    /// `ha.cf` was read again.
    pub(crate) fn set_rules(&mut self, apiauth: &[ApiRule]) {
        self.clients.set_rules(rules(apiauth));
    }

    /// The next that happens at the socket; never, while nothing can. Cancel safe.
    pub(crate) async fn next(&mut self) -> SocketEvent {
        match &mut self.socket {
            Some(socket) => socket.next().await,
            None => std::future::pending().await,
        }
    }

    /// Whether more is on its way to another node than it has acknowledged.
    pub(super) const fn is_paused(&self) -> bool {
        self.paused
    }
}

/// Names of users and groups become numbers here.
fn rules(apiauth: &[ApiRule]) -> ApiRules {
    let uid_of = |name: &str| User::from_name(name).ok().flatten().map(|user| user.uid.as_raw());
    let gid_of = |name: &str| Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw());
    ApiRules::new(apiauth, uid_of, gid_of)
}

impl Driver {
    /// The communication is up: clients may sign on. Only the first call counts.
    pub(super) fn open_api(&mut self) {
        if std::mem::replace(&mut self.api_clients.tried, true) {
            return;
        }
        self.make_room_for_dopd();
        if let Err(why) = self.try_to_open_api() {
            self.log.error(&why);
            self.wants.add(Want::Api, why);
        }
    }

    /// Opens the socket, now or again.
    pub(super) fn try_to_open_api(&mut self) -> Result<(), String> {
        let path = self.options.paths.api_socket();
        let say =
            |error| format!("{}: {error}; cl_status, ipfail and their like find no heartbeat here", path.display());
        self.api_clients.socket = Some(ApiSocket::open(&path, &self.options.paths.own_dir).map_err(say)?);
        Ok(())
    }

    /// A directory below ours in which `dopd`, which is not root, may listen.
    fn make_room_for_dopd(&self) {
        let is_dopd = |path: &String| path.rsplit('/').next() == Some("dopd");
        let wanted = self.config.respawn.iter().any(|line| line.command.first().is_some_and(is_dopd));
        let socket = self.options.paths.dopd_socket();
        let Some(dir) = socket.parent().filter(|dir| wanted && dir.symlink_metadata().is_err()) else { return };
        if let Err(error) = directories::make_for_clients(&self.options.paths, dir) {
            self.log.warn(format!("{error}; dopd cannot listen there"));
        }
    }

    /// Something happened at the socket.
    pub(super) fn on_heard(&mut self, heard: SocketEvent) {
        let (client, effects) = match heard {
            SocketEvent::Connected { client, caller, connection } => {
                self.api_clients.clients.connected(client, caller);
                if let Some(socket) = &mut self.api_clients.socket {
                    socket.keep(client, connection);
                }
                return;
            }
            SocketEvent::Body { client, body } => {
                let view = self.cluster.view(self.clock.mono());
                let picture = ApiContext { view: &view, config: &self.config };
                (Some(client), self.api_clients.clients.heard(client, &body, picture, &|pid: u32| is_alive(pid)))
            }
            SocketEvent::Gone { client, why } => (None, self.lose(client, &why)),
            SocketEvent::Audit => (None, self.audit()),
        };
        self.obey(client, effects.into(), true, false);
    }

    /// Hands a message of the cluster to those who want it.
    pub(crate) fn deliver(&mut self, class: Class, message: &Message) {
        let effects = self.api_clients.clients.deliver(class, message, &self.config.settings.me);
        // The core is at work: what clients cause is heard after it.
        self.obey(None, effects.into(), false, false);
    }

    /// A program of `respawn` ended: its successor finds its name free.
    pub(super) fn audit_clients(&mut self) {
        let effects = self.audit();
        self.obey(None, effects.into(), true, false);
    }

    fn audit(&mut self) -> Vec<ApiEffect> {
        let Some(socket) = &mut self.api_clients.socket else { return Vec::new() };
        let gone = socket.audit(|client| self.api_clients.clients.is_signed_on(client));
        gone.into_iter().flat_map(|(client, why)| self.lose(client, &why)).collect()
    }

    fn lose(&mut self, client: ClientId, why: &CloseReason) -> Vec<ApiEffect> {
        self.api_clients.socket.iter_mut().for_each(|socket| socket.cut(client));
        self.api_clients.clients.gone(client, why, &self.config.settings.me)
    }

    /// Does what is asked, in order, and lets the client it is done for go on. `at_once` lets the core hear a message
    /// before the next effect. What follows from a message for which there is no room waits with it in `send_queue`, unless it
    /// has waited for this moment.
    pub(crate) fn obey(
        &mut self,
        client: Option<ClientId>,
        mut effects: VecDeque<ApiEffect>,
        at_once: bool,
        mut has_waited: bool,
    ) {
        while let Some(effect) = effects.pop_front() {
            match effect {
                ApiEffect::Send { message, by } if !std::mem::take(&mut has_waited) && !self.may_send() => {
                    let can_be_missed = client.is_none() && message.get(wire::T) == Some(field::RESPOND);
                    effects.push_front(ApiEffect::Send { message, by });
                    self.send_queue.add(client, effects, can_be_missed);
                    return;
                }
                ApiEffect::Say { to, message } => {
                    let lost = self.say_to_clients(&to, &message);
                    lost.into_iter().rev().for_each(|effect| effects.push_front(effect));
                }
                ApiEffect::Signal { client, signal } => {
                    self.api_clients.socket.iter().for_each(|socket| socket.signal(client, signal));
                }
                ApiEffect::Limits { client, limits } => {
                    self.api_clients.socket.iter_mut().for_each(|socket| socket.limit(client, limits));
                }
                ApiEffect::Close(client) => self.api_clients.socket.iter_mut().for_each(|socket| socket.close(client)),
                ApiEffect::Send { message, by } => {
                    self.send_for_client(message, by);
                    if at_once {
                        self.hear_what_that_caused();
                    }
                }
                ApiEffect::Log { level, cause, text } => self.log_limited("client", cause, level, text),
            }
        }
        if let (Some(client), Some(socket)) = (client, &self.api_clients.socket) {
            if self.api_clients.clients.is_signed_on(client) {
                socket.is_known(client);
            }
            socket.go_on(client);
        }
    }

    fn send_for_client(&mut self, mut message: Message, by: Option<String>) {
        let whose = by.as_ref().map_or_else(|| "a client".to_owned(), |name| format!("client {name}"));
        if !self.may_be_said(&message, &whose) {
            return;
        }
        if let Some(name) = by.filter(|_| matches!(message.kind(), Kind::AskResources | Kind::HbTakeover)) {
            if !self.send_queue.take_order(self.clock.mono()) {
                let text = format!("client {name} wants resources moved more often than six times a minute: not done");
                return self.log_limited("client", "orders", Level::Warn, text);
            }
            let words: String = message.to_string().chars().take(120).collect();
            self.keep_request(&format!("client {name}"), &words);
            // It says what it wants; who wants it we say.
            message.set(WHY, format!("asked for on {} by client {name}", self.config.settings.me));
        }
        self.soon.push_back(Event::Local(message));
    }

    /// What follows for those who do not read.
    fn say_to_clients(&mut self, to: &[ClientId], message: &Message) -> Vec<ApiEffect> {
        let spelling = if self.config.netstring { Spelling::Netstring } else { Spelling::Classic };
        let parcel: Arc<[u8]> = parcel(&encode(message, spelling));
        let mut slow = Vec::new();
        for client in to {
            if let Some(Err(why)) = self.api_clients.socket.as_mut().map(|socket| socket.say(*client, &parcel)) {
                slow.push((*client, why));
            }
        }
        slow.into_iter().flat_map(|(client, why)| self.lose(client, &why)).collect()
    }

    /// Clients have to wait with what they say while more is on its way to another node than it has acknowledged.
    pub(super) fn pause_clients(&mut self) {
        let paused = self.cluster.has_too_much_on_its_way(self.api_clients.paused);
        if paused != self.api_clients.paused {
            self.api_clients.paused = paused;
            let now = if paused { "paused" } else { "resumed" };
            self.log_limited("clients-paced", "", Level::Info, format!("all clients are now {now}"));
        }
    }
}
