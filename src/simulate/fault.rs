//! The kinds of fault a pair can be played through, counted as they happen: a schedule that never met one of them
//! proves nothing about it.

use std::collections::BTreeMap;

use crate::cluster::{AutoFailback, OnStartFailure, OnStopFailure, Request, Set, Settings};
use crate::haresources::{ResourceGroup, Verb};

use super::{Behaviour, SimulatedPair};

/// From so many messages in a row on that reach nobody, no retransmission brings them back.
pub(super) const LOST_A_LOT: u64 = 250;

/// One list for the kinds, their order and their names.
macro_rules! faults {
    ($($kind:ident $words:literal,)*) => {
        /// A kind of fault, of order or of layout.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $(#[doc = $words] $kind,)*
        }

        impl Fault {
            /// Every kind there is.
            pub const ALL: &[Fault] = &[$(Fault::$kind,)*];

            /// The kind in words.
            pub const fn words(self) -> &'static str {
                match self { $(Fault::$kind => $words,)* }
            }
        }
    };
}

faults! {
    CutMedium "a medium was cut both ways",
    CutDirection "a medium was cut one way only",
    CutAll "no medium carried anything either way",
    CutPing "a ping host did not answer",
    Loss "a message was lost on a medium",
    LossBesideCut "a message was lost while another medium was cut",
    LostALot "more than 250 messages in a row reached nobody",
    Delay "a message took longer than its medium needs",
    Overtaken "a message was overtaken by a later one on the same medium",
    Repeated "a message arrived twice",
    Replayed "a message of long ago arrived again",
    PowerOff "a node lost its power",
    PowerCycle "a node was on again within a deadtime of losing its power",
    Fenced "a node was switched off by a device",
    Stall "a daemon stood still",
    StallBeyondDeadtime "a daemon stood still for longer than deadtime",
    Suspend "a machine stood still, daemon and scripts",
    Freeze "a machine stood still, and its clock with it",
    Kill "a daemon was killed",
    KillTwice "a daemon was killed twice within a deadtime",
    KillStorm "a daemon was killed five times within a minute",
    KillBoth "both daemons were killed within a deadtime",
    BackInTime "a daemon was back within deadtime",
    BackTooLate "a daemon was back after deadtime",
    Hopeless "a daemon came back only to clean up",
    KilledWithScript "a daemon was killed while a script of it was at work",
    KilledStarting "a daemon was killed before its first word",
    SlowStart "a daemon needed time before its first word",
    SlowStartBeyondDeadtime "a daemon needed longer than deadtime before its first word",
    SlowNotes "a note blocked the daemon",
    NotesLost "a daemon did not find its notes",
    NotesOld "a daemon found old notes",
    NotesUnreadable "a daemon could not read its notes",
    SameGeneration "a daemon started with the generation of its last life",
    SmallerGeneration "a daemon started with a smaller generation",
    ClockForward "a wall clock was set forward",
    ClockBack "a wall clock was set back",
    Upgrade "a program was exchanged",
    UpgradeBoth "both programs were exchanged within a deadtime",
    ReloadSame "files were reread and were the same",
    ReloadGroups "files were reread and had other groups",
    ReloadSettings "files were reread and had other settings",
    Edited "a file was edited and not reread yet",
    FilesDiffer "the two nodes had different groups",
    StartSlow "a start script was slow",
    StartFails "a start script failed",
    StartHangs "a start script hung",
    StartLies "a start script lied",
    StartSilent "a start script said nothing",
    StartUnrunnable "a start script could not be run",
    StartKilled "a start script was killed by a signal",
    StartLate "a start timed out and the service came up later",
    StopSlow "a stop script was slow",
    StopFails "a stop script failed",
    StopHangs "a stop script hung",
    StopLies "a stop script lied",
    StopSilent "a stop script said nothing",
    StopUnrunnable "a stop script could not be run",
    StopKilled "a stop script was killed by a signal",
    StatusSlow "a status script was slow",
    StatusFails "a status script failed",
    StatusHangs "a status script hung",
    StatusLies "a status script lied",
    StatusSilent "a status script said nothing",
    StatusUnrunnable "a status script could not be run",
    StatusKilled "a status script was killed by a signal",
    ServiceDies "a service ended by itself",
    ServiceComesUp "somebody started a service by hand",
    StandbyAll "a client asked for `standby all`",
    StandbyLocal "a client asked for `standby local`",
    StandbyForeign "a client asked for `standby foreign`",
    TakeoverAll "a client asked for `takeover all`",
    TakeoverLocal "a client asked for `takeover local`",
    TakeoverForeign "a client asked for `takeover foreign`",
    MoveOne "a client asked for `move`",
    Retry "a client asked for `resource retry`",
    TwoRequests "two requests waited for their answers at once",
    Fifo "somebody wrote into the FIFO",
    Leave "a node was asked to leave",
    LeaveTwice "a node that was leaving was asked again",
    LeaveWithCrash "a daemon that was leaving was killed",
    FenceFails "a fencing device failed",
    FenceHangs "a fencing device hung",
    FenceSlow "a fencing device needed longer than usual",
    FenceCancelled "a fencing was given up half-way",
    FenceLate "a fencing that had been given up switched the node off all the same",
    FenceOrphaned "a daemon was killed while it fenced",
    OneGroup "there was one group",
    OneEach "each node had one group",
    TwoAndOne "one node had two groups, the other one",
    TwoEach "both nodes had two groups",
    FailbackOn "auto_failback was on",
    FailbackOff "auto_failback was off",
    FailbackLegacy "auto_failback was legacy",
    StartFailureMove "on-start-failure was move",
    StartFailureStay "on-start-failure was stay",
    StopFailureReboot "on-stop-failure was reboot",
    StopFailureFence "on-stop-failure was fence",
    StopFailureBlock "on-stop-failure was block",
    Unequal "the settings of the nodes were unequal",
    OneMedium "there was one medium",
    Original "a peer was an original",
}

impl Fault {
    /// A script that does not simply work.
    pub(super) fn of_script(verb: Verb, behaviour: Behaviour) -> Fault {
        use Behaviour as B;
        let [start, stop, status] = match behaviour {
            B::Slow(_) => [Fault::StartSlow, Fault::StopSlow, Fault::StatusSlow],
            B::Fails => [Fault::StartFails, Fault::StopFails, Fault::StatusFails],
            B::Hangs => [Fault::StartHangs, Fault::StopHangs, Fault::StatusHangs],
            B::Lies => [Fault::StartLies, Fault::StopLies, Fault::StatusLies],
            B::Silent => [Fault::StartSilent, Fault::StopSilent, Fault::StatusSilent],
            B::Unrunnable => [Fault::StartUnrunnable, Fault::StopUnrunnable, Fault::StatusUnrunnable],
            B::Killed => [Fault::StartKilled, Fault::StopKilled, Fault::StatusKilled],
            // Only a start can be late; anything else that is said to be hangs.
            B::Late(_) => [Fault::StartLate, Fault::StopHangs, Fault::StatusHangs],
        };
        match verb {
            Verb::Start => start,
            Verb::Stop => stop,
            Verb::Status => status,
        }
    }

    /// What a client asks for.
    pub(super) fn of_request(request: &Request) -> Fault {
        match request {
            Request::Move(..) | Request::Standby(Set::One(_)) | Request::Takeover(Set::One(_)) => Fault::MoveOne,
            Request::Standby(Set::All) => Fault::StandbyAll,
            Request::Standby(Set::Local) => Fault::StandbyLocal,
            Request::Standby(Set::Foreign) => Fault::StandbyForeign,
            Request::Takeover(Set::All) => Fault::TakeoverAll,
            Request::Takeover(Set::Local) => Fault::TakeoverLocal,
            Request::Takeover(Set::Foreign) => Fault::TakeoverForeign,
            Request::Retry(_) | Request::Bring(_) | Request::Forget(_) => Fault::Retry,
        }
    }

    /// How a pair is laid out.
    pub(super) fn of_layout(settings: &[Settings; 2], groups: &[ResourceGroup]) -> Vec<Fault> {
        let owned = |node: usize| groups.iter().filter(|group| group.owner == settings[node].me).count();
        let mut of_both = [owned(0), owned(1)];
        of_both.sort_unstable();
        let mut kinds: Vec<Fault> = match of_both {
            [0, 1] => vec![Fault::OneGroup],
            [1, 1] => vec![Fault::OneEach],
            [1, 2] => vec![Fault::TwoAndOne],
            [2, 2] => vec![Fault::TwoEach],
            _ => Vec::new(),
        };
        kinds.extend(settings.iter().flat_map(Fault::of_settings));
        if settings[0].media.iter().filter(|medium| medium.ping_node.is_none()).count() == 1 {
            kinds.push(Fault::OneMedium);
        }
        let second = Settings { me: settings[0].me.clone(), ..settings[1].clone() };
        if settings[0] != second {
            kinds.push(Fault::Unequal);
        }
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    fn of_settings(settings: &Settings) -> [Fault; 3] {
        [
            match settings.auto_failback {
                AutoFailback::On => Fault::FailbackOn,
                AutoFailback::Off => Fault::FailbackOff,
                AutoFailback::Legacy => Fault::FailbackLegacy,
            },
            match settings.on_start_failure {
                OnStartFailure::Move => Fault::StartFailureMove,
                OnStartFailure::Stay => Fault::StartFailureStay,
            },
            match settings.on_stop_failure {
                OnStopFailure::Reboot => Fault::StopFailureReboot,
                OnStopFailure::Fence => Fault::StopFailureFence,
                OnStopFailure::Block => Fault::StopFailureBlock,
            },
        ]
    }
}

impl SimulatedPair {
    /// How often each kind of fault happened; kinds that never did are not in it.
    pub fn faults(&self) -> &BTreeMap<Fault, u64> {
        &self.faults
    }

    pub(super) fn count(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }
}
