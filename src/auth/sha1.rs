//! The `sha1` method (`wire.md` 2): HMAC of RFC 2104 with SHA-1, 40 hex digits.

use ::sha1::Sha1;
use hmac::{Hmac, KeyInit, Mac};

use super::hex;

/// The digest in lower-case hex.
pub(super) fn digest(key: &[u8], data: &[u8]) -> String {
    hex::encode(&mac(key, data).finalize().into_bytes())
}

/// Compares in constant time; a digest of another length or spelling is wrong.
pub(super) fn verify(key: &[u8], data: &[u8], digest: &str) -> bool {
    hex::decode(digest).is_some_and(|bytes| mac(key, data).verify_slice(&bytes).is_ok())
}

/// The plain SHA-1 of some bytes, as `sha1sum` prints it: tells files apart, proves nothing to an enemy.
pub(super) fn fingerprint(data: &[u8]) -> String {
    use ::sha1::Digest as _;
    hex::encode(&Sha1::digest(data))
}

fn mac(key: &[u8], data: &[u8]) -> Hmac<Sha1> {
    Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes a key of any length").chain_update(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_digest_is_that_of_fips_180() {
        assert_eq!(fingerprint(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    #[test]
    fn the_test_cases_of_rfc_2202_are_met() {
        let counted: Vec<u8> = (1..=25).collect();
        let long_key = b"Test Using Larger Than Block-Size Key - Hash Key First".as_slice();
        let long_both = b"Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data".as_slice();
        let cases: [(&[u8], &[u8], &str); 7] = [
            (&[0x0b; 20], b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
            (b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (&[0xaa; 20], &[0xdd; 50], "125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
            (&counted, &[0xcd; 50], "4c9007f4026250c6bc8414f9bf50c86c2d7235da"),
            (&[0x0c; 20], b"Test With Truncation", "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"),
            (&[0xaa; 80], long_key, "aa4ae5e15272d00e95705637ce8a3b55ed402112"),
            (&[0xaa; 80], long_both, "e8e99d0f45237d786d6bbaa7965c7808bbff1a91"),
        ];
        for (key, data, expected) in cases {
            assert_eq!(digest(key, data), expected);
            assert!(verify(key, data, expected));
        }
    }

    #[test]
    fn a_shortened_or_capitalised_digest_is_wrong() {
        assert!(!verify(b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c"));
        assert!(!verify(b"Jefe", b"what do ya want for nothing?", "EFFCDF6AE5EB2FA2D27416D5F184DF9C259A7C79"));
        assert!(!verify(b"Jefe", b"what do ya want for nothing?", ""));
    }
}
