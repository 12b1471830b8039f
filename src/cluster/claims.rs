//! What a node says it holds, and its spelling in `resource` messages (`wire.md` 5.1, `resources.md` 1.1).
//!
//! The original says `none`, `local`, `foreign` or `all`: a claim for all groups of a side. A Latido adds a field
//! `latido` = version, digest of `haresources`, and one letter a group in file order, which the original ignores.

use crate::wire::{Message, field};

/// The name of our own field.
pub(super) const LATIDO: &str = "latido";
const VERSION: &str = "1";

/// What the peer says of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerHold {
    /// It has not said anything since it (or we) started.
    Unknown,
    /// It does not run it.
    No,
    /// It could not start it.
    Failed,
    /// It could not start it and is told not to move it.
    FailedStays,
    /// It runs it, starts it, or has not finished stopping it.
    Yes,
    /// As `Yes`, because we were dead to it.
    SincePartition,
}

impl PeerHold {
    /// Whether starting it here might run it twice.
    pub(super) const fn may_run(self) -> bool {
        matches!(self, PeerHold::Unknown | PeerHold::Yes | PeerHold::SincePartition)
    }

    /// Whether the peer says it runs it.
    pub(super) const fn is_claimed(self) -> bool {
        matches!(self, PeerHold::Yes | PeerHold::SincePartition)
    }

    /// The letter in our own field.
    pub(super) const fn letter(self) -> char {
        match self {
            PeerHold::Unknown | PeerHold::No => '-',
            PeerHold::Failed => 'f',
            PeerHold::FailedStays => 's',
            PeerHold::Yes => 'h',
            PeerHold::SincePartition => 't',
        }
    }

    fn from_letter(letter: char) -> PeerHold {
        match letter {
            '-' => PeerHold::No,
            'f' => PeerHold::Failed,
            's' => PeerHold::FailedStays,
            't' => PeerHold::SincePartition,
            // A letter of a later version: whatever it means, it is not "free".
            _ => PeerHold::Yes,
        }
    }
}

/// A claim for whole sides, in its speaker's terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sides {
    /// The speaker's own groups.
    pub(super) local: bool,
    /// The other groups.
    pub(super) foreign: bool,
}

impl Sides {
    /// The word in `rsc_hold`.
    pub(super) const fn as_str(self) -> &'static str {
        match (self.local, self.foreign) {
            (false, false) => "none",
            (true, false) => "local",
            (false, true) => "foreign",
            (true, true) => "all",
        }
    }

    /// What `rsc_hold` means; `None` for an unknown word.
    pub(super) fn from_text(text: &str) -> Option<Sides> {
        let (local, foreign) = match text {
            "none" => (false, false),
            "local" => (true, false),
            "foreign" => (false, true),
            "all" => (true, true),
            _ => return None,
        };
        Some(Sides { local, foreign })
    }
}

/// What the original understands of a `resource` message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// For whole sides.
    pub(super) sides: Sides,
    /// Whether the speaker has finished deciding; absent in the original's mach_down message.
    pub(super) stable: Option<bool>,
    /// False when `sides` adds to what was known.
    pub(super) replaces: bool,
}

/// One letter a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Detail {
    /// Of the speaker's `haresources`; without the same file the letters mean nothing to us.
    pub(super) digest: String,
    /// In the order of the file.
    pub(super) holds: Vec<PeerHold>,
}

impl Detail {
    /// Our field's value.
    pub(super) fn to_text(&self) -> String {
        let letters: String = self.holds.iter().map(|hold| hold.letter()).collect();
        format!("{VERSION} {} {letters}", self.digest)
    }

    /// Reads our field; `None` when it is absent or of another shape.
    pub(super) fn from_message(message: &Message) -> Option<Detail> {
        let mut words = message.get(LATIDO)?.split(' ');
        words.next()?;
        let digest = words.next()?.to_owned();
        let holds = words.next().unwrap_or("").chars().map(PeerHold::from_letter).collect();
        Some(Detail { digest, holds })
    }
}

impl Claim {
    /// Reads a `resource` message; `None` when `rsc_hold` is missing or unknown.
    pub(super) fn from_message(message: &Message) -> Option<Claim> {
        Some(Claim {
            sides: Sides::from_text(message.get(field::RSC_HOLD)?)?,
            stable: message.get(field::ISSTABLE).map(|text| text == "1"),
            replaces: message.get(field::RTYPE) == Some("full"),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::wire::Kind;

    use super::*;

    #[test]
    fn our_detail_survives_the_wire_and_a_later_letter_is_not_taken_for_free() {
        use PeerHold::{Failed, FailedStays, No, SincePartition, Yes};
        let detail = Detail { digest: "0badcafe".into(), holds: vec![No, Yes, SincePartition, Failed, FailedStays] };
        let message = Message::new(&Kind::Resource).with(LATIDO, detail.to_text());
        assert_eq!(Detail::from_message(&message), Some(detail));
        let message = Message::new(&Kind::Resource).with(LATIDO, "2 x z-");
        assert_eq!(Detail::from_message(&message).map(|d| d.holds), Some(vec![Yes, No]));
    }

    #[test]
    fn all_words_of_rsc_hold_are_understood_and_no_others() {
        for word in ["none", "local", "foreign", "all"] {
            assert_eq!(Sides::from_text(word).map(Sides::as_str), Some(word));
        }
        assert_eq!(Sides::from_text("transition"), None);
    }
}
