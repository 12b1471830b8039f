//! What can go wrong on a pair, and how it is drawn. Pure. `carry_out` does it.

use std::fmt;
use std::time::Duration;

use crate::dice::Dice;
use crate::haresources::Verb;

/// What a direction of a medium suffers, as the node sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Direction {
    Both,
    Sends,
    Hears,
}

/// Which processes of a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DaemonPart {
    Core,
    Supervisor,
    All,
}

/// What a script does instead of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Behaviour {
    Fail,
    Hang,
    Slow,
}

/// Which of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SpoiledFile {
    HaCf,
    Haresources,
}

/// Which place of a node is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FullPlace {
    Disk,
    Run,
}

/// A request somebody types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TypedRequest {
    Standby,
    Takeover,
}

/// Something that is done to a node and, unless it is over at once, undone after a while.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// Of one medium, or (`None`) of all.
    Cut(Option<String>, Direction),
    Loss(String, u8),
    CardGone(String),
    Stall,
    Kill(DaemonPart),
    /// The core, so often, one soon after the other.
    KillStorm(u8),
    PowerOff,
    Full(FullPlace),
    KeyFileOpen,
    WrongFile(SpoiledFile),
    Script(String, Verb, Behaviour),
    Leave,
    Upgrade,
    Reload,
    Typed(TypedRequest, &'static str),
    /// Standby of these sets, on both nodes at once.
    BothTyped(&'static str, &'static str),
}

/// A fault that was drawn: on which node, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DrawnFault {
    pub(super) node: usize,
    pub(super) fault: Fault,
    pub(super) lasts: Duration,
}

impl Fault {
    /// What kind it is, without its particulars: for the table.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Fault::Cut(Some(_), Direction::Both) => "a medium cut",
            Fault::Cut(Some(_), _) => "a medium cut one way",
            Fault::Cut(None, Direction::Both) => "every medium cut",
            Fault::Cut(None, _) => "every medium cut one way",
            Fault::Loss(..) => "frames lost",
            Fault::CardGone(_) => "network card gone",
            Fault::Stall => "daemon stopped by a signal",
            Fault::Kill(DaemonPart::Core) => "core killed",
            Fault::Kill(DaemonPart::Supervisor) => "supervisor killed",
            Fault::Kill(DaemonPart::All) => "core and supervisor killed",
            Fault::KillStorm(_) => "core killed again and again",
            Fault::PowerOff => "power-off",
            Fault::Full(FullPlace::Disk) => "disk full",
            Fault::Full(FullPlace::Run) => "/run full",
            Fault::KeyFileOpen => "key file open to others",
            Fault::WrongFile(SpoiledFile::HaCf) => "ha.cf wrong, reread",
            Fault::WrongFile(SpoiledFile::Haresources) => "haresources wrong, reread",
            Fault::Script(_, _, Behaviour::Fail) => "script fails",
            Fault::Script(_, _, Behaviour::Hang) => "script hangs",
            Fault::Script(_, _, Behaviour::Slow) => "script slow",
            Fault::Leave => "heartbeat -k",
            Fault::Upgrade => "upgrade",
            Fault::Reload => "files reread",
            Fault::Typed(TypedRequest::Standby, _) => "standby typed",
            Fault::Typed(TypedRequest::Takeover, _) => "takeover typed",
            Fault::BothTyped(..) => "standby typed on both at once",
        }
    }

    /// Whether it is over when it is done.
    pub(super) const fn is_moment(&self) -> bool {
        matches!(
            self,
            Fault::Upgrade
                | Fault::Reload
                | Fault::Typed(..)
                | Fault::BothTyped(..)
                | Fault::KillStorm(_)
                | Fault::Kill(DaemonPart::Core | DaemonPart::Supervisor)
        )
    }

    /// Whether a daemon that dies meanwhile comes back to a machine that refuses something.
    pub(super) const fn is_refusal(&self) -> bool {
        matches!(self, Fault::CardGone(_) | Fault::Full(_) | Fault::KeyFileOpen | Fault::WrongFile(_))
    }

    /// Whether it means anything to an original. One that is killed forgets what it ran, and nobody can know.
    pub(super) const fn befalls_originals(&self) -> bool {
        matches!(
            self,
            Fault::Cut(..)
                | Fault::Loss(..)
                | Fault::Stall
                | Fault::PowerOff
                | Fault::Script(_, _, Behaviour::Slow)
                | Fault::Leave
                | Fault::Typed(TypedRequest::Standby, _)
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = |direction: &Direction| match direction {
            Direction::Both => "",
            Direction::Sends => ", what it sends",
            Direction::Hears => ", what it hears",
        };
        match self {
            Fault::Cut(Some(medium), direction) => write!(f, "{medium} cut{}", way(direction)),
            Fault::Cut(None, direction) => write!(f, "every medium cut{}", way(direction)),
            Fault::Loss(medium, share) => write!(f, "{medium} loses {share} % each way"),
            Fault::CardGone(interface) => write!(f, "{interface} gone"),
            Fault::Script(name, verb, how) => {
                let how = match how {
                    Behaviour::Fail => "fails",
                    Behaviour::Hang => "hangs",
                    Behaviour::Slow => "is slow",
                };
                write!(f, "{name} {} {how}", verb.as_str())
            }
            Fault::Typed(TypedRequest::Standby, set) => write!(f, "standby {set}"),
            Fault::Typed(TypedRequest::Takeover, set) => write!(f, "takeover {set}"),
            Fault::KillStorm(times) => write!(f, "core killed {times} times"),
            Fault::BothTyped(here, there) => write!(f, "standby {here}, and standby {there} on the other node"),
            Fault::Stall
            | Fault::Kill(_)
            | Fault::PowerOff
            | Fault::Full(_)
            | Fault::KeyFileOpen
            | Fault::WrongFile(_)
            | Fault::Leave
            | Fault::Upgrade
            | Fault::Reload => f.write_str(self.kind()),
        }
    }
}

/// What the faults are drawn from.
#[derive(Clone, Debug)]
pub(super) struct Vocabulary {
    pub(super) media: Vec<String>,
    pub(super) interfaces: Vec<String>,
    pub(super) scripts: Vec<String>,
}

impl Vocabulary {
    /// A second fault of a node to which this has happened, before the machine is whole again.
    pub(super) fn draw_after(&self, dice: &mut Dice, drawn: &DrawnFault) -> Option<DrawnFault> {
        if !drawn.fault.is_refusal() || dice.one_in(2) {
            return None;
        }
        let fault = dice.pick(&[Fault::Kill(DaemonPart::Core), Fault::Kill(DaemonPart::All), Fault::KillStorm(3)]);
        Some(DrawnFault { node: drawn.node, fault, lasts: dice.time(50, 3_000) })
    }

    /// The next fault.
    pub(super) fn draw(&self, dice: &mut Dice) -> DrawnFault {
        let node = dice.node();
        let (fault, least, most) = match dice.below(30) {
            0 | 1 => (Fault::Cut(Some(dice.pick(&self.media)), dice.direction()), 500, 6_000),
            2 | 3 => (Fault::Cut(None, dice.direction()), 300, 7_000),
            4 => {
                let share = u8::try_from(10 + dice.below(60)).unwrap_or(50);
                (Fault::Loss(dice.pick(&self.interfaces), share), 1_000, 8_000)
            }
            5 => (Fault::CardGone(dice.pick(&self.interfaces)), 300, 6_000),
            6 | 7 => (Fault::Stall, 200, 5_000),
            8 | 9 => (Fault::Kill(DaemonPart::Core), 0, 1),
            10 => (Fault::KillStorm(u8::try_from(2 + dice.below(4)).unwrap_or(2)), 0, 1),
            11 => (Fault::Kill(DaemonPart::Supervisor), 0, 1),
            12 | 13 => (Fault::Kill(DaemonPart::All), 100, 4_000),
            14 | 15 => (Fault::PowerOff, 500, 6_000),
            16 => (Fault::Full(dice.pick(&[FullPlace::Disk, FullPlace::Run])), 1_000, 8_000),
            17 => (Fault::KeyFileOpen, 1_000, 8_000),
            18 => (Fault::WrongFile(dice.pick(&[SpoiledFile::HaCf, SpoiledFile::Haresources])), 1_000, 8_000),
            19..22 => {
                let verb = dice.pick(&[Verb::Start, Verb::Start, Verb::Stop, Verb::Status]);
                let how = dice.pick(&[Behaviour::Fail, Behaviour::Hang, Behaviour::Slow]);
                (Fault::Script(dice.pick(&self.scripts), verb, how), 1_000, 8_000)
            }
            22 | 23 => (Fault::Leave, 200, 5_000),
            24 => (Fault::Upgrade, 0, 1),
            25 => (Fault::Reload, 0, 1),
            26 => (Fault::Typed(TypedRequest::Standby, dice.pick(&SETS)), 0, 1),
            27 => (Fault::BothTyped(dice.pick(&SETS), dice.pick(&SETS)), 0, 1),
            _ => (Fault::Typed(TypedRequest::Takeover, dice.pick(&SETS)), 0, 1),
        };
        DrawnFault { node, fault, lasts: dice.time(least, most) }
    }
}

/// What may be asked for.
pub(super) const SETS: [&str; 3] = ["all", "local", "foreign"];

impl Dice {
    /// One of the two nodes.
    pub(super) fn node(&mut self) -> usize {
        usize::from(self.one_in(2))
    }

    fn direction(&mut self) -> Direction {
        self.pick(&[Direction::Both, Direction::Both, Direction::Sends, Direction::Hears])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn vocabulary() -> Vocabulary {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Vocabulary { media: words(&["/dev/ttyS1", "eth0"]), interfaces: words(&["eth0"]), scripts: words(&["one"]) }
    }

    #[test]
    fn a_seed_draws_the_same_blows_each_time_and_another_seed_others() {
        let draw = |seed| {
            let mut dice = Dice::new(seed);
            (0..50).map(|_| vocabulary().draw(&mut dice)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn every_kind_is_drawn_sooner_or_later() {
        let mut dice = Dice::new(7);
        let kinds: BTreeSet<&str> = (0..3_000).map(|_| vocabulary().draw(&mut dice).fault.kind()).collect();
        assert_eq!(kinds.len(), 26, "{kinds:?}");
    }
}
