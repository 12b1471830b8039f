//! The few instructions of the kernel's packet filter that we need (linux/filter.h).

use socket2::SockFilter;

/// Takes the packet.
pub(super) const ACCEPT: fn() -> SockFilter = || SockFilter::new(0x06, 0, 0, 0xffff);
/// Throws it away.
pub(super) const REJECT: fn() -> SockFilter = || SockFilter::new(0x06, 0, 0, 0);

/// Loads four bytes from there.
pub(super) fn load_word(offset: u32) -> SockFilter {
    SockFilter::new(0x20, 0, 0, offset)
}

/// Loads a byte from there.
pub(super) fn load_byte(offset: u32) -> SockFilter {
    SockFilter::new(0x30, 0, 0, offset)
}

/// Skips `yes` instructions when what was loaded equals `value`, `no` otherwise.
pub(super) fn if_equal(value: u32, yes: u8, no: u8) -> SockFilter {
    SockFilter::new(0x15, yes, no, value)
}
