//! Who is connected and signed on, and what follows from each thing they say or that happens to them.
//!
//! Nothing here waits or keeps what a client does not read: the queues are the caller's, who reports one that is full as
//! [`CloseReason::Slow`]. Each connection is heard in its own order and answered in it (`api.md` 2.1).

use std::collections::BTreeMap;

use crate::cluster::{Class, Level, Status};
use crate::names::{ClientId, NodeName};
use crate::wire::{Kind, Message, field as wire};

use super::answer::{ApiContext, answer, response};
use super::deliver::{DEFAULT_FILTER, hears};
use super::effect::{ApiEffect, CloseReason, Limits, QUEUE, SMALL_BODY, log};
use super::frame::MAX_BODY;
use super::request::{ApiRequest, Refusal};
use super::rules::{ApiRules, Credentials};
use super::say::{ask_remote, finish, joined, may_be_sent, on_or_off, refuse};
use super::signon::{SignOn, welcome};
use super::{body, field};

/// So many bodies in a row that mean nothing end a connection.
const MOST_RUBBISH: u8 = 10;

/// More does not fit into a packet.
const LONGEST_MESSAGE: usize = 49_152;

#[derive(Debug)]
struct ApiClient {
    credentials: Credentials,
    signed: Option<SignedOn>,
    filter: u8,
    signal: i32,
    rubbish: u8,
}

#[derive(Clone, Debug)]
struct SignedOn {
    name: String,
    casual: bool,
    generation: u64,
}

impl SignedOn {
    fn key(&self) -> (&str, u64) {
        (&self.name, self.generation)
    }
}

/// Everybody at the socket.
#[derive(Debug, Default)]
pub struct ApiClients {
    list: BTreeMap<ClientId, ApiClient>,
    rules: ApiRules,
    sign_ons: u64,
}

impl ApiClients {
    /// Nobody yet.
    pub fn new(rules: ApiRules) -> ApiClients {
        ApiClients { list: BTreeMap::new(), rules, sign_ons: 0 }
    }

    /// `apiauth` was read again; who is signed on stays so.
    pub fn set_rules(&mut self, rules: ApiRules) {
        self.rules = rules;
    }

    /// Somebody connected.
    pub fn connected(&mut self, id: ClientId, credentials: Credentials) {
        let client = ApiClient { credentials, signed: None, filter: DEFAULT_FILTER, signal: 0, rubbish: 0 };
        self.list.insert(id, client);
    }

    /// Whether it has signed on.
    pub fn is_signed_on(&self, id: ClientId) -> bool {
        self.list.get(&id).is_some_and(|client| client.signed.is_some())
    }

    /// Whether a client of this name is signed on.
    pub fn is_online(&self, name: &str) -> bool {
        self.list.values().any(|client| client.signed.as_ref().is_some_and(|signed| signed.name == name))
    }

    /// Everybody who connected, with the process that did.
    pub fn everybody(&self) -> impl Iterator<Item = (ClientId, Credentials)> {
        self.list.iter().map(|(id, client)| (*id, client.credentials))
    }

    /// Somebody sent a whole body.
    pub fn heard(
        &mut self,
        id: ClientId,
        body: &[u8],
        context: ApiContext<'_>,
        is_alive: &dyn Fn(u32) -> bool,
    ) -> Vec<ApiEffect> {
        let Some(client) = self.list.get_mut(&id) else { return Vec::new() };
        let (signed, me) = (client.signed.clone(), &context.config.settings.me);
        let message = match body::decode(body) {
            Ok(message) if message.get(wire::T).is_some() => message,
            Ok(_) | Err(_) => return self.rubbish(id, "No message", me),
        };
        match signed {
            None if is_sign_on(&message) => self.sign_on(id, &message, context, is_alive),
            None => self.rubbish(id, "api_process_registration_msg: bad message", me),
            Some(signed) => {
                client.rubbish = 0;
                if message.get(wire::T) == Some(field::REQUEST) {
                    self.request(id, &signed, &message, context)
                } else {
                    self.general(id, &signed, message, body.len(), context)
                }
            }
        }
    }

    /// The connection is no more.
    pub fn gone(&mut self, id: ClientId, why: &CloseReason, me: &NodeName) -> Vec<ApiEffect> {
        let Some(client) = self.list.get(&id) else { return Vec::new() };
        let pid = client.credentials.pid;
        match why {
            CloseReason::Eof => self.remove(id, "EOF", me),
            CloseReason::Died => self.remove(id, "died", me),
            CloseReason::Slow { waiting, most } => {
                let reason = format!("send failed,farside_pid={pid}, sendq length={waiting}(max is {most})");
                let text = format!("Removing client pid {pid}: {reason}");
                let mut effects = vec![log(Level::Warn, "slow client", text)];
                effects.extend(self.remove(id, &reason, me));
                effects
            }
            CloseReason::Rubbish(what) => {
                let text = format!("Removing client pid {pid}: {what}");
                let mut effects = vec![log(Level::Error, "rubbish from a client", text)];
                effects.extend(self.remove(id, "EOF", me));
                effects
            }
        }
    }

    /// A message of the cluster reached this node, or left it.
    pub fn deliver(&mut self, class: Class, message: &Message, me: &NodeName) -> Vec<ApiEffect> {
        if class == Class::Keep && message.get(wire::T) == Some(field::QUERY) {
            return self.answer_query(message, me).into_iter().collect();
        }
        let mut to = Vec::new();
        let mut signals = Vec::new();
        for (id, client) in &self.list {
            let Some(signed) = &client.signed else { continue };
            if hears(&signed.name, client.filter, class, message) {
                to.push(*id);
                if client.signal != 0 {
                    signals.push(ApiEffect::Signal { client: *id, signal: client.signal });
                }
            }
        }
        if to.is_empty() {
            return Vec::new();
        }
        let mut effects = vec![ApiEffect::Say { to, message: message.clone() }];
        effects.extend(signals);
        effects
    }

    /// Another node's client, or one of ours, wants to know whether somebody is signed on here (`api.md` 2.4.1).
    fn answer_query(&self, query: &Message, me: &NodeName) -> Option<ApiEffect> {
        let (name, asker) = (query.get(field::CN)?, query.get(field::FROM_ID)?);
        let dest = query.get(wire::SRC).unwrap_or(me.as_str());
        let answer = Message::new(&Kind::Other(field::RESPOND.into()))
            .with(wire::DEST, dest)
            .with(wire::RESULT, field::OK)
            .with(field::CN, name)
            .with(field::TO_ID, asker)
            .with(field::CS, on_or_off(self.is_online(name)));
        Some(ApiEffect::Send { message: answer, by: None })
    }

    fn rubbish(&mut self, id: ClientId, what: &'static str, me: &NodeName) -> Vec<ApiEffect> {
        let Some(client) = self.list.get_mut(&id) else { return Vec::new() };
        client.rubbish += 1;
        let pid = client.credentials.pid;
        let mut effects = vec![log(Level::Error, what, format!("{what} from pid {pid}"))];
        if client.rubbish >= MOST_RUBBISH {
            effects.push(log(Level::Error, "rubbish from a client", format!("Removing client pid {pid}")));
            effects.push(ApiEffect::Close(id));
            effects.extend(self.remove(id, "EOF", me));
        }
        effects
    }

    fn sign_on(
        &mut self,
        id: ClientId,
        message: &Message,
        context: ApiContext<'_>,
        is_alive: &dyn Fn(u32) -> bool,
    ) -> Vec<ApiEffect> {
        let generation = self.sign_ons;
        self.sign_ons += 1;
        let sign_on = SignOn::from_message(message);
        let me = &context.config.settings.me;
        let mut effects = self.make_room(&sign_on.name, is_alive, me);
        let taken = self.is_online(&sign_on.name);
        let Some(client) = self.list.get_mut(&id) else { return effects };
        if let Err(refused) = sign_on.check(message, client.credentials, &self.rules, taken, is_alive) {
            effects.push(log(Level::Warn, refused.info, refused.why.clone()));
            let text = format!("api_process_registration_msg: cannot add client({})", sign_on.name);
            effects.push(log(Level::Error, "cannot add client", text));
            effects.push(ApiEffect::Say { to: vec![id], message: welcome(context.config, Some(&refused)) });
            effects.push(ApiEffect::Close(id));
            self.list.remove(&id);
            return effects;
        }
        let signed = SignedOn { name: sign_on.name, casual: sign_on.casual, generation };
        client.rubbish = 0;
        client.signed = Some(signed.clone());
        if !signed.casual {
            effects.push(ApiEffect::Limits { client: id, limits: Limits { queue: QUEUE, body: MAX_BODY } });
            // Before the answer: a named client reads its own join first.
            effects.push(ApiEffect::Send { message: joined(signed.key(), "join", "signon", me), by: None });
        }
        effects.push(ApiEffect::Say { to: vec![id], message: welcome(context.config, None) });
        effects
    }

    /// A name whose holder died without our having heard of it is free.
    fn make_room(&mut self, name: &str, is_alive: &dyn Fn(u32) -> bool, me: &NodeName) -> Vec<ApiEffect> {
        let holds = |client: &ApiClient| client.signed.as_ref().is_some_and(|signed| signed.name == name);
        let dead = self.list.iter().find(|(_, client)| holds(client) && !is_alive(client.credentials.pid));
        let Some(id) = dead.map(|(id, _)| *id) else { return Vec::new() };
        let mut effects = self.gone(id, &CloseReason::Died, me);
        effects.push(ApiEffect::Close(id));
        effects
    }

    fn remove(&mut self, id: ClientId, info: &str, me: &NodeName) -> Vec<ApiEffect> {
        let signed = self.list.remove(&id).and_then(|client| client.signed).filter(|signed| !signed.casual);
        let left = |signed: SignedOn| ApiEffect::Send { message: joined(signed.key(), "leave", info, me), by: None };
        signed.map(left).into_iter().collect()
    }

    /// Whether a request names the client of this connection.
    fn is_itself(&self, id: ClientId, signed: &SignedOn, message: &Message) -> Result<(), ApiEffect> {
        let claimed = message.get(field::FROM_ID).or_else(|| message.get(field::PID)).unwrap_or_default();
        if claimed == signed.name {
            return Ok(());
        }
        let pid = self.list.get(&id).map_or(0, |client| client.credentials.pid);
        let text = if self.is_online(claimed) {
            format!("Client mismatch! (impersonation?) pid {pid} is {} and says it is {claimed}", signed.name)
        } else {
            format!("api_process_request: msg from non-client: pid {pid} says it is {claimed}")
        };
        Err(log(Level::Error, "impersonation", text))
    }

    fn request(
        &mut self,
        id: ClientId,
        signed: &SignedOn,
        message: &Message,
        context: ApiContext<'_>,
    ) -> Vec<ApiEffect> {
        if let Err(complaint) = self.is_itself(id, signed, message) {
            return vec![complaint];
        }
        let Some(reqtype) = message.get(field::REQTYPE) else {
            return vec![log(Level::Error, "bad request", "api_process_request: no request type".into())];
        };
        let request = ApiRequest::from_message(message);
        let answered = match request {
            Ok(ApiRequest::SignOff) => {
                let mut effects = self.remove(id, "signoff", &context.config.settings.me);
                effects.insert(0, ApiEffect::Close(id));
                return effects;
            }
            Ok(ApiRequest::SetQueue(queue)) => {
                let limits =
                    Limits { queue: queue.max(QUEUE), body: if signed.casual { SMALL_BODY } else { MAX_BODY } };
                return vec![ApiEffect::Limits { client: id, limits }];
            }
            Ok(ApiRequest::ClientStatus(node, name)) => match self.client_status(&node, &name, context) {
                Ok(Some(answer)) => Ok(vec![answer]),
                Ok(None) => return vec![ask_remote(&node, &name, &signed.name)],
                Err(refusal) => Err(refusal),
            },
            Ok(request) => self.change_or_answer(id, &request, reqtype, context),
            Err(refusal) => Err(refusal),
        };
        match answered {
            Ok(answers) => finish(id, answers),
            Err(refusal) => refuse(id, reqtype, refusal, message),
        }
    }

    fn change_or_answer(
        &mut self,
        id: ClientId,
        request: &ApiRequest,
        reqtype: &str,
        context: ApiContext<'_>,
    ) -> Result<Vec<Message>, Refusal> {
        let Some(client) = self.list.get_mut(&id) else { return Err(Refusal::BARE) };
        if let ApiRequest::SetFilter(mask) = request {
            if *mask != DEFAULT_FILTER && client.credentials.uid != 0 {
                return Err(Refusal::EPERM);
            }
            client.filter = *mask;
        } else if let ApiRequest::SetSignal(signal) = request {
            client.signal = *signal;
        } else {
            return answer(request, reqtype, context);
        }
        Ok(vec![response(reqtype)])
    }

    /// The answer; `None` when the other node has to be asked, which then answers itself.
    fn client_status(&self, node: &NodeName, name: &str, context: ApiContext<'_>) -> Result<Option<Message>, Refusal> {
        let known = context.node(node).ok_or(Refusal::EINVAL)?;
        let online = known.is_me && self.is_online(name);
        if !known.is_me && known.status == Status::Active {
            return Ok(None);
        }
        let answer = response("clientstatus").with("subt", field::RESPOND).with(field::CS, on_or_off(online));
        Ok(Some(answer))
    }

    /// Anything that is not a request is for the cluster (`api.md` 2.5).
    fn general(
        &mut self,
        id: ClientId,
        signed: &SignedOn,
        mut message: Message,
        length: usize,
        context: ApiContext<'_>,
    ) -> Vec<ApiEffect> {
        let name = &signed.name;
        if signed.casual {
            let text = format!("api_process_request: general message from casual client! (pid {name})");
            let mut effects = vec![log(Level::Error, "casual client", text), ApiEffect::Close(id)];
            effects.extend(self.remove(id, "EOF", &context.config.settings.me));
            return effects;
        }
        let kind = message.kind();
        if !may_be_sent(&kind) {
            let text = format!("client {name} may not send a message of type \"{kind}\"");
            return vec![log(Level::Warn, "forbidden message", text)];
        }
        let Some(ApiClient { credentials, .. }) = self.list.get(&id) else { return Vec::new() };
        let by = format!("{name} (user {})", credentials.uid);
        let is_order = matches!(kind, Kind::AskResources | Kind::HbTakeover);
        if is_order && !self.rules.let_order(name, *credentials) {
            let text = format!(
                "client {by} may not move resources: that is for root, and for users that apiauth of ha.cf lets in as \
                 {name} by uid="
            );
            return vec![log(Level::Warn, "forbidden order", text)];
        }
        if length > LONGEST_MESSAGE {
            let text =
                format!("client {name} sends a message of {length} bytes: more than {LONGEST_MESSAGE} do not fit");
            return vec![log(Level::Warn, "long message", text)];
        }
        message.set(field::FROM_ID, name.as_str());
        message.set(field::TO_ID, name.as_str());
        message.set(field::CLIENT_GEN, signed.generation.to_string());
        message.remove(wire::DEST_UUID);
        message.remove(wire::AUTH);
        vec![ApiEffect::Send { message, by: Some(by) }]
    }
}

fn is_sign_on(message: &Message) -> bool {
    message.get(wire::T) == Some(field::REQUEST) && message.get(field::REQTYPE) == Some("signon")
}

#[cfg(test)]
mod tests;
