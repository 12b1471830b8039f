//! Who lives: what becomes of a message that arrives (`wire.md` 4.2), becoming active, death and return (`wire.md` 6.2 to
//! 6.5).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cluster::Status;
use crate::time::Mono;
use crate::wire::{Kind, Message, field};

use super::{Original, Version};

/// After so long a node that heard another return from a partition gives everything up and restarts.
const PARTITION_ENDS_AFTER: Duration = Duration::from_secs(2);

/// What is known of the other node.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) status: Status,
    pub(super) heard: bool,
    generation: u64,
    last: Option<u64>,
    /// Numbers missed, and when to ask for them.
    pub(super) missing: BTreeMap<u64, Mono>,
    last_status: Option<Mono>,
    last_status_number: u64,
    patience: Duration,
    /// It may run something: so it is unless it said otherwise in this life of its.
    pub(super) may_hold: bool,
}

impl Peer {
    pub(super) fn unknown(patience: Duration) -> Peer {
        Peer {
            status: Status::Init,
            heard: false,
            generation: 0,
            last: None,
            missing: BTreeMap::new(),
            last_status: None,
            last_status_number: 0,
            patience,
            may_hold: true,
        }
    }

    pub(super) fn next_request(&self) -> Option<Mono> {
        self.missing.values().min().copied()
    }

    pub(super) fn is_dead(&self) -> bool {
        self.status == Status::Dead
    }

    fn forget_numbers(&mut self) {
        self.last = None;
        self.missing.clear();
    }
}

/// What is known of a ping node.
#[derive(Debug, Default)]
pub(super) struct Ping {
    heard: Option<Mono>,
    dead: bool,
}

/// What the number of a message says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Count {
    New,
    Late,
    Known,
}

impl Original {
    /// A message from a medium.
    pub(super) fn receive(&mut self, message: &Message) {
        let from = message.get(field::SRC).unwrap_or_default();
        if let Some((_, ping)) = self.pings.iter_mut().find(|(node, _)| node.as_str() == from) {
            *ping = Ping { heard: Some(self.now.mono), dead: false };
            return;
        }
        if from != self.other.as_str() {
            return;
        }
        self.peer.heard = true;
        let for_me = message.get(field::DEST).is_none_or(|dest| dest == self.settings.me.as_str());
        if message.kind().is_unsequenced() {
            if for_me {
                self.on_unnumbered(message);
            }
            return;
        }
        let (Some(generation), Some(number)) = (message.generation(), message.sequence()) else { return };
        if generation.0 < self.peer.generation {
            return self.log(format!("should_drop_message: attempted replay attack [{from}]?"));
        }
        let is_status = message.kind() == Kind::Status;
        if is_status && !self.accepts_life(generation.0, number.0) {
            return;
        }
        let count = self.count(number.0);
        if count == Count::Known || !for_me {
            return;
        }
        if is_status {
            self.on_status(message, number.0);
        } else {
            self.on_word(message);
        }
    }

    fn on_unnumbered(&mut self, message: &Message) {
        match message.kind() {
            Kind::Ack => self.on_ack(message),
            Kind::Rexmit => self.on_rexmit(message),
            Kind::NakRexmit => {
                if let Some(number) = message.hex(field::FIRSTSEQ) {
                    self.peer.missing.remove(&number);
                    self.log(format!("Irretrievably lost packet: node {} seq {number}", self.other));
                }
            }
            Kind::Status
            | Kind::NsSt
            | Kind::ReqNodes
            | Kind::RepNodes
            | Kind::Starting
            | Kind::Resource
            | Kind::AskResources
            | Kind::IpRequest
            | Kind::IpRequestResp
            | Kind::Stonith
            | Kind::ShutDone
            | Kind::HbTakeover
            | Kind::IfStat
            | Kind::Other(_) => {}
        }
    }

    /// Whether a status may be of the present life of the other; notices restarts and ends of partitions.
    fn accepts_life(&mut self, generation: u64, number: u64) -> bool {
        if generation > self.peer.generation {
            if self.peer.generation > 0 {
                self.log(format!("Heartbeat restart on node {}", self.other));
            }
            self.peer.generation = generation;
            self.peer.forget_numbers();
            (self.peer.last_status, self.peer.last_status_number) = (None, 0);
            self.peer.may_hold = true;
            return true;
        }
        if !self.peer.is_dead() {
            return true;
        }
        if number <= self.peer.last_status_number {
            return false;
        }
        self.peer.forget_numbers();
        self.log(format!("CRIT: Cluster node {} returning after partition.", self.other));
        self.partition_ends_at.get_or_insert(self.now.mono + PARTITION_ENDS_AFTER);
        true
    }

    /// Counts a message, notes what was missed, acks.
    fn count(&mut self, number: u64) -> Count {
        let most = if self.version == Version::V3_0_6 { 250 } else { 500 };
        let Some(last) = self.peer.last else {
            self.peer.last = Some(number);
            self.ack(number);
            return Count::New;
        };
        if number <= last {
            let known = self.peer.missing.remove(&number).is_none();
            return if known { Count::Known } else { Count::Late };
        }
        self.peer.last = Some(number);
        let gap = number - last - 1;
        if gap > most {
            self.peer.missing.clear();
            self.log("lost a lot of packets!");
        } else {
            // 2.1.3 means to wait and does not (`wire.md` 4.3).
            let pause =
                if self.version == Version::V3_0_6 { self.settings.max_rexmit_delay / 2 } else { Duration::ZERO };
            let at = self.now.mono + pause;
            self.peer.missing.extend((last + 1..number).map(|missed| (missed, at)));
        }
        self.ack(number);
        Count::New
    }

    fn on_status(&mut self, message: &Message, number: u64) {
        let Some(status) = message.get(field::ST).and_then(Status::from_text) else { return };
        if number < self.peer.last_status_number {
            return;
        }
        let silent = self.peer.last_status.map(|at| self.now.mono.since(at));
        if let Some(silent) = silent.filter(|silent| *silent > self.settings.deadtime) {
            self.on_late_heartbeat(silent);
        }
        self.peer.last_status = Some(self.now.mono);
        self.peer.last_status_number = number;
        self.peer.patience = message.hex(field::DT).map_or(self.settings.deadtime, Duration::from_millis);
        if self.peer.status != status {
            self.log(format!("Status update for node {}: status {}", self.other, status.as_str()));
        }
        self.peer.status = status;
    }

    /// 3.0.6 takes it for a death, though the node is there (`resources.md` 12.2 b).
    fn on_late_heartbeat(&mut self, silent: Duration) {
        let level = if self.version == Version::V3_0_6 { "CRIT" } else { "WARN" };
        self.log(format!("{level}: Late heartbeat: Node {}: interval {} ms", self.other, silent.as_millis()));
        if self.version == Version::V3_0_6 {
            self.declare_dead();
        }
    }

    /// Anything numbered that is no status.
    fn on_word(&mut self, message: &Message) {
        match message.kind() {
            Kind::ReqNodes => {
                let list: String = self.settings.nodes.iter().map(|node| format!("{node} ")).collect();
                let answer = Message::new(&Kind::RepNodes).with(field::NODELIST, list).with(field::DELNODELIST, " ");
                self.send(answer.with(field::DEST, self.other.as_str()));
            }
            Kind::RepNodes if self.status != Status::Active => self.become_active(),
            Kind::Starting => self.on_starting(),
            Kind::Resource => self.on_resource(message, false),
            Kind::AskResources => self.on_ask(message, false),
            Kind::ShutDone => self.on_other_left(),
            Kind::HbTakeover => self.on_hb_takeover(message),
            Kind::IpRequest => self.on_ip_request(message),
            Kind::IpRequestResp => self.on_ip_request_resp(message),
            Kind::Status
            | Kind::NsSt
            | Kind::Ack
            | Kind::Rexmit
            | Kind::NakRexmit
            | Kind::RepNodes
            | Kind::Stonith
            | Kind::IfStat
            | Kind::Other(_) => {}
        }
    }

    /// What it said itself comes round as if it had been received.
    pub(super) fn hear_self(&mut self, message: &Message) {
        self.look_at_standby();
        match message.kind() {
            Kind::Resource => self.on_resource(message, true),
            Kind::AskResources => self.on_ask(message, true),
            Kind::ShutDone => self.on_own_shutdone(),
            Kind::IpRequestResp => self.on_ip_request_resp(message),
            Kind::Status
            | Kind::NsSt
            | Kind::Ack
            | Kind::Rexmit
            | Kind::NakRexmit
            | Kind::ReqNodes
            | Kind::RepNodes
            | Kind::Starting
            | Kind::IpRequest
            | Kind::Stonith
            | Kind::HbTakeover
            | Kind::IfStat
            | Kind::Other(_) => {}
        }
    }

    /// Everybody was heard or given up: asks for the list of nodes, each second; whatever had arrived is answered first.
    fn try_to_become_active(&mut self) {
        let known = |ping: &Ping| ping.heard.is_some() || ping.dead;
        let all_known = self.peer.is_dead() || self.peer.heard;
        if self.status != Status::Up || !all_known || !self.pings.values().all(known) {
            return;
        }
        if self.peer.is_dead() {
            self.become_active();
        } else if self.now.mono >= self.asks_nodes_at {
            self.asks_nodes_at = self.now.mono + Duration::from_secs(1);
            self.send(Message::new(&Kind::ReqNodes).with(field::DEST, self.other.as_str()));
        }
    }

    fn become_active(&mut self) {
        self.status = Status::Active;
        self.log("Comm_now_up(): updating status to active");
        self.log("Local status now set to: 'active'");
        self.beat(Duration::ZERO);
        self.on_communication_up();
    }

    /// Whose silence has lasted too long.
    pub(super) fn look_for_the_dead(&mut self) {
        let (now, active) = (self.now.mono, self.status == Status::Active);
        let (initdead, deadping, started) = (self.settings.initdead, self.settings.deadping, self.started);
        let limit = if active { deadping } else { initdead.max(deadping) };
        for ping in self.pings.values_mut() {
            ping.dead |= now.since(ping.heard.unwrap_or(started)) > limit;
        }
        let patience = if active { self.peer.patience } else { initdead.max(self.peer.patience) };
        if !self.peer.is_dead() && now.since(self.peer.last_status.unwrap_or(started)) > patience {
            self.peer.status = Status::Dead;
            self.declare_dead();
        }
        self.try_to_become_active();
        if self.partition_ends_at.is_some_and(|at| at <= now) {
            self.partition_ends_at = None;
            self.restart_itself();
        }
    }

    fn declare_dead(&mut self) {
        self.log(format!("WARN: node {}: is dead", self.other));
        self.peer.forget_numbers();
        self.on_death();
    }
}
