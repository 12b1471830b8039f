//! Ways in for `fuzz/` to parsers that are private here; built with the feature `fuzzing` alone.

use super::{arp, ndp};

/// An ARP packet and an ICMPv6 packet as the kernel hands them over.
pub fn packet(bytes: &[u8]) -> bool {
    arp::parse(bytes).is_some() | ndp::parse(bytes).is_some()
}
