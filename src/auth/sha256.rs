//! The `sha256` method, which Latido alone knows: HMAC of RFC 2104 with SHA-256, 64 hex digits.

use ::sha2::Sha256;
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

fn mac(key: &[u8], data: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length").chain_update(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_cases_of_rfc_4231_are_met() {
        let counted: Vec<u8> = (1..=25).collect();
        let long_key = b"Test Using Larger Than Block-Size Key - Hash Key First".as_slice();
        let long_both =
            b"This is a test using a larger than block-size key and a larger than block-size data. The key \
            needs to be hashed before being used by the HMAC algorithm."
                .as_slice();
        let cases: [(&[u8], &[u8], &str); 6] = [
            (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
            (&counted, &[0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
            (&[0xaa; 131], long_key, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
            (&[0xaa; 131], long_both, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
        ];
        for (key, data, expected) in cases {
            assert_eq!(digest(key, data), expected);
            assert!(verify(key, data, expected));
        }
        // The fifth case is cut to 128 bits.
        assert!(digest(&[0x0c; 20], b"Test With Truncation").starts_with("a3b6167473100ee06e0c796c2955552b"));
    }

    #[test]
    fn a_shortened_or_capitalised_digest_is_wrong() {
        let right = digest(b"Jefe", b"what do ya want for nothing?");
        assert!(!verify(b"Jefe", b"what do ya want for nothing?", &right[..62]));
        assert!(!verify(b"Jefe", b"what do ya want for nothing?", &right.to_uppercase()));
        assert!(!verify(b"Jefe", b"what do ya want for nothing?", ""));
    }
}
