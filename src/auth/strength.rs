//! How much there is to guess about one letter of a secret. Pure; says nothing about the secret itself.

use std::collections::BTreeSet;

/// At most how many bits there are to guess, from the length, the kinds of letters and how many different ones there are.
pub(super) fn bits(secret: &[u8]) -> u32 {
    // "aaaaaaaaaaaaaaaa" is not long.
    let different = secret.iter().collect::<BTreeSet<_>>().len();
    let length = secret.len().min(different.saturating_mul(4));
    u32::try_from(length).unwrap_or(u32::MAX).saturating_mul(letter(secret)).div_euclid(10)
}

/// Tenths of a bit a letter is worth.
fn letter(secret: &[u8]) -> u32 {
    let all = |kind: fn(&u8) -> bool| secret.iter().all(kind);
    let any = |kind: fn(&u8) -> bool| secret.iter().any(kind);
    if all(u8::is_ascii_digit) {
        33
    } else if all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte)) {
        40
    } else if !all(u8::is_ascii_alphanumeric) {
        65
    } else {
        match (any(u8::is_ascii_lowercase) && any(u8::is_ascii_uppercase), any(u8::is_ascii_digit)) {
            (true, true) => 59,
            (true, false) => 57,
            (false, true) => 51,
            (false, false) => 47,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::auth::{KeyId, Keyring, Method};

    fn bits(secret: &str) -> Option<u32> {
        Keyring::single(KeyId::new(1)?, Method::Sha1, secret).signing_strength()
    }

    #[test]
    fn more_letters_of_more_kinds_are_harder_to_guess() {
        let order =
            ["1234", "asdfgh", "MySecret", "SuperSecret", "L0ng-4nd-R4nd0m", "4b1d0a9cf2c34a6e8d0577b2c0a6ad90"];
        let known: Vec<_> = order.iter().map(|secret| bits(secret).unwrap()).collect();
        assert!(known.windows(2).all(|pair| pair[0] <= pair[1]), "{known:?}");
        assert!(bits("MySecret") < Some(40 + 8) && bits("4b1d0a9cf2c34a6e8d05").unwrap() >= 80);
    }

    #[test]
    fn one_letter_again_and_again_is_no_secret_and_crc_has_none() {
        assert!(bits(&"a".repeat(60)).unwrap() < 20);
        assert_eq!(Keyring::single(KeyId::new(1).unwrap(), Method::Crc, "").signing_strength(), None);
    }
}
