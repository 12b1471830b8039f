//! Which clients hear a message (`api.md` 2.6 and 2.7).

use crate::wire::Message;

use super::field;

/// What kind of news a message is; a client's filter is a set of these. The others of the original (duplicates, the
/// protocol's own messages, requests of clients) are accepted in a filter and never delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// What clients see by default.
    Keep,
    /// A heartbeat that changes nothing.
    NoChange,
    /// For another node.
    Drop,
}

impl Class {
    /// Its bit in `fmask`.
    pub const fn bit(self) -> u8 {
        match self {
            Class::Keep => 1,
            Class::NoChange => 2,
            Class::Drop => 4,
        }
    }
}

/// Every client starts with this.
pub(super) const DEFAULT_FILTER: u8 = Class::Keep.bit();

/// Whether a client of this name and filter hears the message.
pub(super) fn hears(name: &str, filter: u8, class: Class, message: &Message) -> bool {
    let addressed = message.get(field::TO_ID).is_none_or(|to| to == name);
    filter & class.bit() != 0 && addressed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;

    #[test]
    fn an_addressed_message_reaches_that_name_alone_and_only_classes_asked_for() {
        let message = Message::new(&Kind::Other("num_ping_nodes".into())).with("to_id", "ipfail");
        assert!(hears("ipfail", DEFAULT_FILTER, Class::Keep, &message));
        assert!(!hears("3605", DEFAULT_FILTER, Class::Keep, &message));
        assert!(hears("3605", DEFAULT_FILTER, Class::Keep, &Message::new(&Kind::Status)));
        assert!(!hears("3605", DEFAULT_FILTER, Class::NoChange, &Message::new(&Kind::Status)));
        assert!(hears("3605", 0xf, Class::Drop, &Message::new(&Kind::Status)));
    }
}
