//! Which clients hear a message (`api.md` 2.6 and 2.7).

use crate::cluster::Class;
use crate::wire::Message;

use super::field;

/// Its bit in `fmask`.
const fn bit(class: Class) -> u8 {
    match class {
        Class::Keep => 1,
        Class::NoChange => 2,
        Class::Drop => 4,
    }
}

/// Every client starts with this.
pub(super) const DEFAULT_FILTER: u8 = bit(Class::Keep);

/// Whether a client of this name and filter hears the message.
pub(super) fn hears(name: &str, filter: u8, class: Class, message: &Message) -> bool {
    let addressed = message.get(field::TO_ID).is_none_or(|to| to == name);
    filter & bit(class) != 0 && addressed
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
