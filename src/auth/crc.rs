//! The `crc` method (`wire.md` 2): the polynomial of the cksum program, but without its length bytes.

use crc::{CRC_32_CKSUM, Crc};

const CKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_CKSUM);

/// One to eight hex digits, no leading zeros.
pub(super) fn digest(data: &[u8]) -> String {
    format!("{:x}", CKSUM.checksum(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_answers_of_the_original_are_met() {
        assert_eq!(digest(b"123456789"), "765e7680");
        assert_eq!(digest(b""), "ffffffff");
    }

    #[test]
    fn leading_zeros_are_not_printed() {
        let starting = b"t=starting\nsrc=alpha\n(1)srcuuid=FD8tMgIPSvy921L4bFJxnw==\nseq=8\nhg=6b00d539\nts=6b00d539\n\
            ld=4.42 3.03 1.36 12/504 35\nttl=3\n";
        assert_eq!(digest(starting), "1a0912c");
    }
}
