//! Ways in for `fuzz/` to parsers that are private here; built with the feature `fuzzing` alone.

use super::ping::parse_reply;

/// An answer to an echo request with this identifier: where its data begins.
pub fn echo(packet: &[u8], v6: bool, id: u16) -> Option<usize> {
    parse_reply(packet, v6, id).map(|(_, data)| data)
}
