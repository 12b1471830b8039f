//! Doors for `fuzz/` to parsers that are private here; built with the feature `fuzzing` alone.

use super::{parse_address, parse_link, route, six, spell_address, take_messages};

/// A datagram of the kernel with the answer to the question of this number.
pub fn datagram(bytes: &[u8], sequence: u32) {
    let mut parts = Vec::new();
    let _ = take_messages(bytes, sequence, &mut parts);
    assert!(parts.iter().map(Vec::len).sum::<usize>() <= bytes.len());
    parts.iter().for_each(|one| part(one));
}

/// One message of such a datagram, of whatever kind.
pub fn part(bytes: &[u8]) {
    parse_link(bytes);
    if let Some(address) = parse_address(bytes) {
        assert!(parse_address(&spell_address(&address)).is_some());
    }
    route::parse_route(bytes);
    six::parse_address(bytes);
    six::parse_route(bytes);
}
