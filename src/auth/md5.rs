//! The `md5` method (`wire.md` 2): HMAC of RFC 2104 with MD5, 32 hex digits.

use ::md5::Md5;
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

fn mac(key: &[u8], data: &[u8]) -> Hmac<Md5> {
    Hmac::<Md5>::new_from_slice(key).expect("HMAC takes a key of any length").chain_update(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_cases_of_rfc_2202_are_met() {
        let counted: Vec<u8> = (1..=25).collect();
        let long_key = b"Test Using Larger Than Block-Size Key - Hash Key First".as_slice();
        let long_both = b"Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data".as_slice();
        let cases: [(&[u8], &[u8], &str); 7] = [
            (&[0x0b; 16], b"Hi There", "9294727a3638bb1c13f48ef8158bfc9d"),
            (b"Jefe", b"what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db738"),
            (&[0xaa; 16], &[0xdd; 50], "56be34521d144c88dbb8c733f0e8b3f6"),
            (&counted, &[0xcd; 50], "697eaf0aca3a3aea3a75164746ffaa79"),
            (&[0x0c; 16], b"Test With Truncation", "56461ef2342edc00f9bab995690efd4c"),
            (&[0xaa; 80], long_key, "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"),
            (&[0xaa; 80], long_both, "6f630fad67cda0ee1fb1f562db3aa53e"),
        ];
        for (key, data, expected) in cases {
            assert_eq!(digest(key, data), expected);
            assert!(verify(key, data, expected));
        }
    }

    #[test]
    fn a_shortened_or_capitalised_digest_is_wrong() {
        assert!(!verify(b"Jefe", b"what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db7"));
        assert!(!verify(b"Jefe", b"what do ya want for nothing?", "750C783E6AB0B503EAA86E310A5DB738"));
        assert!(!verify(b"Jefe", b"what do ya want for nothing?", ""));
    }
}
