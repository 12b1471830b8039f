//! How a time line tells an event (`latido lab`, `latido simulate`): in a few words of its own, as the log does, or not at
//! all where its other lines say it already.

use super::EventName;

/// How an event is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Not: others say it.
    Hidden,
    /// In these words.
    Short(Short),
    /// As in the log.
    AsLogged,
}

/// A few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    /// How they are meant.
    pub mood: Mood,
    /// What happened.
    pub what: String,
    /// More about it, or nothing.
    pub detail: String,
}

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// As it should be.
    Good,
    /// Something fails.
    Bad,
    /// One step of many.
    Plain,
}

impl EventName {
    /// How a time line of `me` tells it. `words` are what its phrase in the log leaves open: a node, a link or a group, then a
    /// status, a set or a time.
    #[allow(clippy::wildcard_enum_match_arm, reason = "most are told as the log does")]
    pub fn shown(self, me: &str, words: &[&str]) -> Shown {
        use EventName as E;
        let short = |mood, what: String, detail: String| Shown::Short(Short { mood, what, detail });
        let none = String::new;
        match (self, words) {
            (E::LocalStatus, ["active"]) => short(Mood::Good, "active".to_owned(), none()),
            (E::LinkUp, [link]) => short(Mood::Good, format!("link {link} up"), none()),
            (E::LinkDead, [link]) => short(Mood::Bad, format!("link {link} dead"), none()),
            // The next line of the log says it with the reason.
            (E::NodeDead, [_]) => Shown::Hidden,
            (E::NodeDead, [node, time]) => {
                short(Mood::Bad, format!("node {node} is dead"), format!("silent for {time} on every link"))
            }
            (E::GroupHeld, [group, time]) => short(Mood::Good, format!("group {group} up"), format!("in {time}")),
            (E::GroupReleased, [group, time]) => {
                short(Mood::Plain, format!("group {group} down"), format!("in {time}"))
            }
            (E::WantsStandby, [node, set]) if *node == me => {
                let groups = match *set {
                    "local" => "its own groups",
                    "foreign" => "the other's groups",
                    "one" => "one group",
                    _ => "all groups",
                };
                short(Mood::Plain, format!("gives {groups} away"), none())
            }
            (E::ShutdownNotice, [node]) => short(Mood::Plain, format!("{node} is leaving"), none()),
            (E::NodeRestarted, [node]) => short(Mood::Plain, format!("{node} has started again"), none()),
            (E::ShutdownBegins, _) => short(Mood::Plain, "is leaving".to_owned(), none()),
            _ if self.is_hidden() => Shown::Hidden,
            _ => Shown::AsLogged,
        }
    }
}
