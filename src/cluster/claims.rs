//! What a node says it holds, and its spelling in `resource` messages (`wire.md` 5.1, `resources.md` 1.1).
//!
//! The original says `none`, `local`, `foreign` or `all`: a claim for all groups of a side. A Latido adds a field
//! `latido` = version, digest of `haresources`, and one letter a group in file order, which the original ignores; while the
//! two files differ, or a group that is gone from the file is being stopped, the groups' keys follow, so that each letter is
//! still understood (`takeover.md` 11).

use crate::wire::{Message, field};

/// The name of our own field.
pub(super) const LATIDO: &str = "latido";
/// In the claim of a Latido to another: the number of the last message of the other it has heard.
pub(super) const HEARD: &str = "heard";
/// In the claim of a Latido to another: a side without groups that it has besides what `rsc_hold` says.
pub(super) const EMPTY: &str = "empty";
/// In the status of a Latido: the number of the last status of the other it has heard; 0: none, or it holds it dead.
pub(super) const HEARS: &str = "hears";
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
    /// As `Yes`, but it stood still for longer than its deadtime: whoever else has it keeps it.
    Overslept,
    /// As `Overslept`, but it had taken it from us: whoever did not, and slept as well, lets go.
    OversleptTaken,
    /// As `Yes`, but its predecessor had only begun to start it, or it was found running: who does not sleep keeps it.
    Inherited,
    /// As `Yes`, and it cannot stop it.
    Blocked,
}

impl PeerHold {
    /// Whether starting it here might run it twice.
    pub(super) const fn may_run(self) -> bool {
        matches!(self, PeerHold::Unknown) || self.is_claimed()
    }

    /// Whether the peer says it runs it.
    pub(super) const fn is_claimed(self) -> bool {
        use PeerHold::{Blocked, Inherited, Overslept, OversleptTaken, SincePartition, Yes};
        matches!(self, Yes | SincePartition | Overslept | OversleptTaken | Inherited | Blocked)
    }

    /// Whether the peer says that it cannot run it.
    pub(super) const fn has_failed(self) -> bool {
        matches!(self, PeerHold::Failed | PeerHold::FailedStays)
    }

    /// The letter in our own field.
    pub(super) const fn letter(self) -> char {
        match self {
            PeerHold::Unknown | PeerHold::No => '-',
            PeerHold::Failed => 'f',
            PeerHold::FailedStays => 's',
            PeerHold::Yes => 'h',
            PeerHold::SincePartition => 't',
            PeerHold::Overslept => 'o',
            PeerHold::OversleptTaken => 'u',
            PeerHold::Inherited => 'd',
            PeerHold::Blocked => 'b',
        }
    }

    fn from_letter(letter: char) -> PeerHold {
        match letter {
            '-' => PeerHold::No,
            'f' => PeerHold::Failed,
            's' => PeerHold::FailedStays,
            't' => PeerHold::SincePartition,
            'o' => PeerHold::Overslept,
            'u' => PeerHold::OversleptTaken,
            'd' => PeerHold::Inherited,
            'b' => PeerHold::Blocked,
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
    /// [`key_hash`] of each group, when the order of the file says too little; else empty.
    pub(super) keys: Vec<u32>,
}

/// A group's key in few bytes (FNV-1a), for a slow line.
pub(super) fn key_hash(key: &str) -> u32 {
    key.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl Detail {
    /// Our field's value.
    pub(super) fn to_text(&self) -> String {
        let letters: String = self.holds.iter().map(|hold| hold.letter()).collect();
        let keys: String = self.keys.iter().map(|key| format!(" {key:x}")).collect();
        format!("{VERSION} {} {letters}{keys}", self.digest)
    }

    /// Reads our field; `None` when it is absent or of another shape.
    pub(super) fn from_message(message: &Message) -> Option<Detail> {
        let mut words = message.get(LATIDO)?.split(' ');
        words.next()?;
        let digest = words.next()?.to_owned();
        let holds: Vec<_> = words.next().unwrap_or("").chars().map(PeerHold::from_letter).collect();
        let keys: Vec<_> = words.map_while(|word| u32::from_str_radix(word, 16).ok()).collect();
        let keys = if keys.len() == holds.len() { keys } else { Vec::new() };
        Some(Detail { digest, holds, keys })
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
        use PeerHold::{Blocked, Failed, FailedStays, Inherited, No, Overslept, SincePartition, Yes};
        let holds = vec![No, Yes, SincePartition, Failed, FailedStays, Overslept, Inherited, Blocked];
        let keys = (0..8).map(|at| key_hash(&format!("r{at}"))).collect();
        for keys in [Vec::new(), keys] {
            let detail = Detail { digest: "0badcafe".into(), holds: holds.clone(), keys };
            let message = Message::new(&Kind::Resource).with(LATIDO, detail.to_text());
            assert_eq!(Detail::from_message(&message), Some(detail));
        }
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
