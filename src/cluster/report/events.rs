//! Everything that is said about an event apart from its words: one row each. Its name in the journal, in journald and for
//! `notify`; how loud it is; who hears of it; what it is in an explanation by `latido why`. `docs/events.md` is this table.

use super::{Level, Report};

/// The names of everything that is written into the journal (`latido-events`), sent to journald (`LATIDO_EVENT`) and told
/// to `notify`, and what is to be known of each.
macro_rules! events {
    (reports { $($report:ident: $about:expr,)* } besides { $($other:ident: $beside:expr,)* }) => {
        /// The name of an event: each [`Report`] has one, and so has what the daemon alone knows of.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "each is the report of that name, or stands below with its words")]
        pub enum EventName {
            $($report,)*
            $($other,)*
        }

        impl EventName {
            /// All of them, in the order of the reports.
            pub const ALL: &[EventName] = &[$(EventName::$report,)* $(EventName::$other,)*];

            const fn about(self) -> About {
                match self {
                    $(EventName::$report => $about,)*
                    $(EventName::$other => $beside,)*
                }
            }
        }

        impl Report {
            /// Its name, and with it all that does not depend on its particulars.
            pub const fn event(&self) -> EventName {
                match self {
                    $(Report::$report { .. } => EventName::$report,)*
                }
            }
        }
    };
}

// `change`: something is not what it was. `moves`, `step`, `cause`: for `latido why`. `hidden`: no line on a time line, for
// others say it already. `may_stop`: for its sake what works may be stopped; `settles`: that is over.
events! {
    reports {
        // This node, its links and media.
        LocalStatus: info("local-status").change().hidden(),
        CommUp: info("comm-up").hidden(),
        LinkUp: info("link-up").change(),
        LinkDead: info("link-dead").change(),
        MediumFailed: error("medium-failed").change(),
        MediumWorks: info("medium-works").change(),
        // Who lives.
        NodeStatus: info("node-status").change().hidden().may_stop(Scope::ForeignInLegacy),
        NodeRestarted: info("node-restarted").change(),
        NodeDead: warn("node-dead").change().cause().id("5f4869d0286a407f9f3a7d313c044c80"),
        NodeReturned: crit("node-returned").change().cause(),
        LateHeartbeat: warn("late-heartbeat"),
        OwnStall: warn("own-stall"),
        // Messages lost and asked for again.
        LostPackets: warn("lost-packets"),
        LostALot: error("lost-a-lot"),
        NoneMissing: info("none-missing"),
        Irretrievable: warn("irretrievable"),
        CannotRexmit: debug("cannot-rexmit").hidden(),
        Replay: warn("replay"),
        GenerationWentBack: warn("generation-went-back"),
        MayBeOld: warn("may-be-old"),
        PeerForgotten: warn("peer-forgotten"),
        // What does not fit together.
        UnknownNode: warn("unknown-node"),
        NameTaken: error("name-taken"),
        TwoMachines: error("two-machines"),
        Refused: error("refused").cause().may_stop(Scope::All),
        FlowControlOff: warn("flow-control-off"),
        UuidChanged: info("uuid-changed"),
        NodeListDiffers: warn("node-list-differs"),
        ResourcesDiffer: error("resources-differ"),
        PeerIsLegacy: warn("peer-is-legacy"),
        // Who takes what.
        RemoteComplete: info("remote-complete").hidden(),
        LocalComplete: info("local-complete").cause().hidden(),
        TakingOverFrom: info("taking-over-from").change().hidden(),
        DeadNodeGaveUp: info("dead-node-gave-up").hidden(),
        NoStonith: warn("no-stonith").hidden(),
        ShutdownNotice: info("shutdown-notice").change().cause(),
        TakeoverCancelled: info("takeover-cancelled"),
        TakingOverGroup: info("taking-over-group").hidden(),
        TakeoverComplete: info("takeover-complete").hidden(),
        LocalAcquired: info("local-acquired").hidden(),
        InitialComplete: info("initial-complete").hidden(),
        IpRequest: info("ip-request").cause().may_stop(Scope::ItsGroup),
        Orphan: warn("orphan").cause(),
        FailbackBegins: info("failback-begins").cause(),
        // Groups and their scripts.
        Acquiring: info("acquiring").step().hidden(),
        Releasing: info("releasing").step().hidden(),
        GroupHeld: info("group-held").change().moves().settles(Scope::ItsGroup).id("5200ae0fbc434fb7bd669aceab3a8747"),
        GroupReleased:
            info("group-released").change().moves().settles(Scope::ItsGroup).id("63151e402bf04dec8bdeeae707171152"),
        Running: info("running").hidden(),
        ScriptFailed: error("script-failed").step(),
        GivingUp: crit("giving-up").step().may_stop(Scope::GroupOfItsResource),
        GroupFailed: error("group-failed").change().moves().settles(Scope::ItsGroup).id("cd86ed355bdd4d66906d89e2e34c349d"),
        FailureForgotten: info("failure-forgotten").cause(),
        RetryingStop: info("retrying-stop").step(),
        NotLsb: error("not-lsb"),
        StopFailed: crit("stop-failed").step(),
        GroupBlocked: crit("group-blocked").change().moves().id("8cb601039d334f20878251e7c87f68db"),
        FailedThere: info("failed-there").change().cause(),
        // Standby.
        Given: info("given").change().cause(),
        GoingStandby: info("going-standby").hidden(),
        WantsStandby: info("wants-standby").cause().hidden(),
        StandbyAccepted: info("standby-accepted").step().hidden().may_stop(Scope::ItsSet),
        StandbyAcquire: info("standby-acquire").hidden(),
        ReleaseDone: info("release-done").hidden(),
        AcquireDone: info("acquire-done").hidden(),
        StandbyDone: info("standby-done").hidden(),
        OtherCompleted: info("other-completed").hidden(),
        StandbyNoReply: warn("standby-no-reply"),
        StandbyCancelled: info("standby-cancelled"),
        StandbyBusy: warn("standby-busy"),
        StandbyInFlux: warn("standby-in-flux"),
        StandbyLegacy: info("standby-legacy"),
        StandbyRefused: warn("standby-refused"),
        BadSet: error("bad-set"),
        // After a partition.
        OneWay: crit("one-way").change().cause(),
        PartitionKept: info("partition-kept").change().moves().id("1ceb3fd550bc4fb5aaead373f69cc6ee"),
        PartitionLetGo: warn("partition-let-go").change().step().cause().may_stop(Scope::ItsGroup),
        BothOwn: error("both-own"),
        // Leaving.
        ShutdownBegins: info("shutdown-begins").change().cause().may_stop(Scope::All),
        ShutdownUnderway: info("shutdown-underway"),
        ShutdownWaits: warn("shutdown-waits"),
        ShutdownBlocked: error("shutdown-blocked"),
        GivingUpAll: info("giving-up-all").hidden(),
        AllReleased: info("all-released").hidden(),
        ShutdownComplete: info("shutdown-complete").change().hidden(),
        // Coming back, or going on with another file or program.
        Reconfigured: info("reconfigured").cause(),
        Adopting: info("adopting").cause(),
        Checking: info("checking").hidden(),
        Adopted: info("adopted").change().moves().hidden().id("44f3357204b94dfca3c7e11b195ba664"),
        StoppingLeftovers: warn("stopping-leftovers").change().cause().may_stop(Scope::All),
        LeftoversStopped: info("leftovers-stopped").settles(Scope::All),
        RunsAlready: crit("runs-already"),
        Upgrading: info("upgrading"),
        // Fencing.
        Resetting: info("resetting"),
        NodeReset: info("node-reset").change().cause(),
        NotReset: error("not-reset"),
        FencingRetries: error("fencing-retries").change(),
        FencingCancelled: warn("fencing-cancelled").change(),
        FenceDeviceBroken: error("fence-device-broken").change(),
        FenceDeviceWorks: info("fence-device-works").change(),
        // Resources that fail while they are held.
        ResourceSick: error("resource-sick").cause(),
        Restarting: warn("restarting").change().step().may_stop(Scope::GroupOfItsResource),
        ResourceStays: warn("resource-stays"),
        GroupGivenUp: error("group-given-up").change().cause().may_stop(Scope::ItsGroup),
        RunsHereToo: error("runs-here-too"),
        NotBrought: error("not-brought"),
        TakenByHand: error("taken-by-hand"),
    }
    besides {
        // Somebody asks for something that moves groups.
        Asked: info("asked").cause(),
        // A script that ran for the cluster has ended.
        Script: info("script").step(),
        // Another machine answers for an address of ours.
        AddressConflict: error("address-conflict"),
    }
}

/// A row.
#[derive(Clone, Copy, Debug)]
struct About {
    name: &'static str,
    level: Level,
    is_change: bool,
    is_move: bool,
    is_step: bool,
    is_cause: bool,
    is_hidden: bool,
    may_stop: Option<Scope>,
    settles: Option<Scope>,
    message_id: Option<&'static str>,
}

/// Which groups are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of this node.
    All,
    /// The `group` it names.
    ItsGroup,
    /// The group of the `resource` it names.
    GroupOfItsResource,
    /// The `set` it names, in the terms of this node.
    ItsSet,
    /// With `auto_failback legacy`, when the `status` it names is `active`: the other node's.
    ForeignInLegacy,
}

const fn row(name: &'static str, level: Level) -> About {
    About {
        name,
        level,
        is_change: false,
        is_move: false,
        is_step: false,
        is_cause: false,
        is_hidden: false,
        may_stop: None,
        settles: None,
        message_id: None,
    }
}

const fn debug(name: &'static str) -> About {
    row(name, Level::Debug)
}

const fn info(name: &'static str) -> About {
    row(name, Level::Info)
}

const fn warn(name: &'static str) -> About {
    row(name, Level::Warn)
}

const fn error(name: &'static str) -> About {
    row(name, Level::Error)
}

const fn crit(name: &'static str) -> About {
    row(name, Level::Crit)
}

impl About {
    const fn change(self) -> About {
        About { is_change: true, ..self }
    }

    const fn moves(self) -> About {
        About { is_move: true, ..self }
    }

    const fn step(self) -> About {
        About { is_step: true, ..self }
    }

    const fn cause(self) -> About {
        About { is_cause: true, ..self }
    }

    const fn hidden(self) -> About {
        About { is_hidden: true, ..self }
    }

    const fn may_stop(self, scope: Scope) -> About {
        About { may_stop: Some(scope), ..self }
    }

    const fn settles(self, scope: Scope) -> About {
        About { settles: Some(scope), ..self }
    }

    const fn id(self, id: &'static str) -> About {
        About { message_id: Some(id), ..self }
    }
}

impl EventName {
    /// The name, such as `node-dead`.
    pub const fn name(self) -> &'static str {
        self.about().name
    }

    /// The event of this name; `None` for one of another release.
    pub fn from_name(name: &str) -> Option<EventName> {
        EventName::ALL.iter().copied().find(|event| event.name() == name)
    }

    /// How loud.
    pub const fn level(self) -> Level {
        self.about().level
    }

    /// Whether `notify` is told: something is not what it was, or is wrong.
    pub const fn is_news(self) -> bool {
        self.about().is_change || matches!(self.level(), Level::Error | Level::Crit)
    }

    /// Whether it can set groups moving.
    pub const fn is_cause(self) -> bool {
        self.about().is_cause
    }

    /// Whether what is known at that moment is kept with it, for `latido why`: whatever began a move is to be judged by it.
    pub const fn needs_evidence(self) -> bool {
        self.is_cause()
    }

    /// Whether a group has moved, or was to move.
    pub const fn is_move(self) -> bool {
        self.about().is_move
    }

    /// Whether it is a part of a move, or the move itself.
    pub const fn is_part_of_move(self) -> bool {
        self.is_move() || self.about().is_step
    }

    /// Whether the other lines of a time line say it already.
    pub const fn is_hidden(self) -> bool {
        self.about().is_hidden
    }

    /// What may be stopped for its sake, although it works (S6 of `docs/takeover.md`).
    pub const fn may_stop(self) -> Option<Scope> {
        self.about().may_stop
    }

    /// For what it is over that something may be stopped.
    pub const fn settles(self) -> Option<Scope> {
        self.about().settles
    }

    /// The number of its kind in the journal of systemd, made once for all time; those for which a program may wait have one.
    pub const fn message_id(self) -> Option<&'static str> {
        self.about().message_id
    }
}

impl Report {
    /// How loud.
    pub const fn level(&self) -> Level {
        self.event().level()
    }
}
