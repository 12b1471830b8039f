//! What a node claims to hold, as a set of two: its own groups and the others (`resources.md` 1.1).

use crate::cluster::Set;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hold(u8);

impl Hold {
    pub(super) const NONE: Hold = Hold(0);
    pub(super) const LOCAL: Hold = Hold(1);
    pub(super) const FOREIGN: Hold = Hold(2);
    pub(super) const ALL: Hold = Hold(3);

    pub(super) fn from_text(text: &str) -> Option<Hold> {
        if text == "none" { Some(Hold::NONE) } else { Set::from_text(text).map(Hold::from) }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self.0 {
            0 => "none",
            1 => "local",
            2 => "foreign",
            _ => "all",
        }
    }

    pub(super) const fn has(self, other: Hold) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) const fn with(self, other: Hold) -> Hold {
        Hold(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Hold) -> Hold {
        Hold(self.0 & !other.0)
    }

    /// The same groups in the other node's words.
    pub(super) const fn inverted(self) -> Hold {
        Hold((self.0 & 1) << 1 | self.0 >> 1)
    }
}

impl From<Set> for Hold {
    fn from(set: Set) -> Hold {
        match set {
            // Never asked of an original.
            Set::All | Set::One(_) => Hold::ALL,
            Set::Local => Hold::LOCAL,
            Set::Foreign => Hold::FOREIGN,
        }
    }
}
