//! The keys this node holds, signing and checking (`wire.md` 2, `config.md` 5).
//!
//! A message is checked with the key whose number it carries, whichever key we sign with ourselves: that is what makes
//! changing keys one node at a time possible. No secret and no right digest ever leaves this room in words.
//!
//! ```text
//! authkeys ──> mod.rs (the keys) ──> method ──> crc, md5, sha1, sha256 ──> hex
//! secret: where a key lies in memory        strength: what is said of a weak one
//! ```

pub mod authkeys;
mod crc;
mod hex;
mod md5;
mod method;
mod secret;
mod sha1;
mod sha256;
mod strength;

use std::collections::BTreeMap;
use std::fmt;

pub use method::Method;

use secret::Secret;

/// SHA-1 of some bytes, as `sha1sum` prints it, to tell files apart.
pub fn fingerprint(data: &[u8]) -> String {
    sha1::fingerprint(data)
}

/// The keys of `authkeys`, and which of them signs.
#[derive(Clone, PartialEq, Eq)]
pub struct Keyring {
    keys: BTreeMap<KeyId, Key>,
    signing: KeyId,
}

impl Keyring {
    /// A ring of one key, which signs; for tests, simulations and the lab.
    pub fn single(id: KeyId, method: Method, secret: impl Into<Vec<u8>>) -> Keyring {
        Keyring { keys: BTreeMap::from([(id, Key::new(method, secret))]), signing: id }
    }

    /// A ring that signs with `signing`; `None` when that key is not among `keys`.
    pub fn new(keys: BTreeMap<KeyId, Key>, signing: KeyId) -> Option<Keyring> {
        keys.contains_key(&signing).then_some(Keyring { keys, signing })
    }

    /// The same keys, of which `signing` signs; `None` when it is not among them.
    pub fn signing_with(&self, signing: KeyId) -> Option<Keyring> {
        Keyring::new(self.keys.clone(), signing)
    }

    /// The numbers of all keys, ascending.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys.keys().copied()
    }

    /// The number of the key that signs.
    pub fn signing_id(&self) -> KeyId {
        self.signing
    }

    /// The method of a key.
    pub fn method(&self, id: KeyId) -> Option<Method> {
        self.keys.get(&id).map(|key| key.method)
    }

    /// A key, whether it signs or not, that makes an original refuse the whole file.
    pub fn latido_only(&self) -> Option<(KeyId, Method)> {
        let method = |(id, key): (&KeyId, &Key)| key.method.is_latido_only().then_some((*id, key.method));
        self.keys.iter().find_map(method)
    }

    /// The method of the key that signs.
    pub fn signing_method(&self) -> Option<Method> {
        self.method(self.signing)
    }

    /// At most how many bits somebody who tries secrets must guess of the key that signs; `None` for a method that has
    /// no secret. An upper bound: a word of a dictionary is worth less than its letters.
    pub fn signing_strength(&self) -> Option<u32> {
        let key = self.keys.get(&self.signing).filter(|key| key.method.needs_key())?;
        Some(strength::bits(key.secret.bytes()))
    }

    /// Signs with the `auth N` key.
    pub fn sign(&self, data: &[u8]) -> Signature {
        let digest =
            self.keys.get(&self.signing).map(|key| key.method.digest(key.secret.bytes(), data)).unwrap_or_default();
        Signature { key: self.signing, digest }
    }

    /// Checks with the key the signature names, in time that does not depend on how much of the digest is right.
    pub fn verify(&self, signature: &Signature, data: &[u8]) -> Result<(), AuthError> {
        let key = self.keys.get(&signature.key).ok_or(AuthError::UnknownKey(signature.key))?;
        if key.method.verify(key.secret.bytes(), data, &signature.digest) {
            Ok(())
        } else {
            let theirs = Method::of_digits(signature.digest.len()).filter(|theirs| *theirs != key.method);
            Err(theirs.map_or(AuthError::Mismatch(signature.key), |theirs| AuthError::OtherMethod {
                key: signature.key,
                theirs,
                ours: key.method,
            }))
        }
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("signing", &self.signing).field("keys", &self.keys).finish()
    }
}

/// One key: a method and its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    method: Method,
    secret: Secret,
}

impl Key {
    /// Pairs a method with its secret, which `crc` does not look at.
    pub fn new(method: Method, secret: impl Into<Vec<u8>>) -> Key {
        Key { method, secret: Secret::new(secret.into()) }
    }

    /// Its method.
    pub fn method(&self) -> Method {
        self.method
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, secret hidden)", self.method)
    }
}

/// A key's number, 0 to 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(u8);

impl KeyId {
    /// The highest number.
    pub const MAX: KeyId = KeyId(15);

    /// Checks the range.
    pub fn new(number: u8) -> Option<KeyId> {
        (number <= Self::MAX.0).then_some(KeyId(number))
    }

    /// The plain number.
    pub fn number(self) -> u8 {
        self.0
    }

    /// Reads one or two decimal digits, nothing else.
    fn from_digits(digits: &[u8]) -> Option<KeyId> {
        let number = match digits {
            [ones @ b'0'..=b'9'] => ones - b'0',
            [b'1', ones @ b'0'..=b'5'] => 10 + ones - b'0',
            _ => return None,
        };
        KeyId::new(number)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What stands in an `auth` field and behind a netstring message: `KEYID DIGEST`.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    key: KeyId,
    digest: String,
}

impl Signature {
    /// The longest text: two digits, a space and the digits of sha256.
    pub const MAX_TEXT: usize = 3 + Method::Sha256.digits();

    /// Reads `KEYID DIGEST`: a number, one space, 1 to 64 lower-case hex digits, nothing around them.
    pub fn from_text(text: &[u8]) -> Option<Signature> {
        if text.len() > Self::MAX_TEXT {
            return None;
        }
        let space = text.iter().position(|&byte| byte == b' ')?;
        let (id, digest) = (text.get(..space)?, text.get(space + 1..)?);
        let hex = (1..=Method::Sha256.digits()).contains(&digest.len())
            && digest.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let digest = hex.then(|| str::from_utf8(digest).ok())??.to_owned();
        Some(Signature { key: KeyId::from_digits(id)?, digest })
    }

    /// The number of the key it was made with, as it claims.
    pub fn key(&self) -> KeyId {
        self.key
    }
}

/// The text that goes on the wire.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.digest)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature(key {})", self.key)
    }
}

/// Why a signature is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthError {
    /// Our `authkeys` has no key of that number.
    UnknownKey(KeyId),
    /// The digest is not the one that key gives.
    Mismatch(KeyId),
    /// It was made by another method than that of our key.
    OtherMethod {
        /// The number.
        key: KeyId,
        /// How it was signed.
        theirs: Method,
        /// What our `authkeys` says.
        ours: Method,
    },
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuthError::UnknownKey(id) => write!(f, "signed with key {id}, which our authkeys does not have"),
            AuthError::Mismatch(id) => write!(f, "the signature is not the one our key {id} gives"),
            AuthError::OtherMethod { key, theirs, ours } => {
                write!(f, "signed with {theirs}, and our key {key} is {ours}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> KeyId {
        KeyId::new(number).unwrap()
    }

    fn two_keys() -> Keyring {
        let keys = [(id(1), Key::new(Method::Sha1, "one")), (id(2), Key::new(Method::Md5, "two"))];
        Keyring::new(BTreeMap::from(keys), id(1)).unwrap()
    }

    #[test]
    fn a_message_is_checked_with_the_key_it_names_not_with_the_one_we_sign_with() {
        let other = Keyring::single(id(2), Method::Md5, "two");
        assert_eq!(two_keys().verify(&other.sign(b"text"), b"text"), Ok(()));
        assert_eq!(two_keys().verify(&other.sign(b"text"), b"texT"), Err(AuthError::Mismatch(id(2))));
    }

    #[test]
    fn a_key_number_we_do_not_have_is_named_in_the_refusal() {
        let stranger = Keyring::single(id(3), Method::Crc, "");
        assert_eq!(two_keys().verify(&stranger.sign(b""), b""), Err(AuthError::UnknownKey(id(3))));
    }

    #[test]
    fn a_digest_of_another_method_is_told_from_a_wrong_one() {
        let strong = Keyring::single(id(1), Method::Sha256, "one");
        let (theirs, ours) = (Method::Sha1, Method::Sha256);
        let refused = strong.verify(&two_keys().sign(b"text"), b"text");
        assert_eq!(refused, Err(AuthError::OtherMethod { key: id(1), theirs, ours }));
        let other = Keyring::single(id(1), Method::Sha256, "two").sign(b"text");
        assert_eq!(strong.verify(&other, b"text"), Err(AuthError::Mismatch(id(1))));
        let text = strong.sign(b"text").to_string();
        assert_eq!(text.len(), "1 ".len() + 64);
        assert_eq!(strong.verify(&Signature::from_text(text.as_bytes()).unwrap(), b"text"), Ok(()));
    }

    #[test]
    fn a_ring_cannot_sign_with_a_key_it_does_not_hold() {
        assert_eq!(Keyring::new(BTreeMap::new(), id(1)), None);
    }

    #[test]
    fn a_signature_is_read_back_from_its_text_and_from_nothing_else() {
        let signature = two_keys().sign(b"text");
        assert_eq!(Signature::from_text(signature.to_string().as_bytes()), Some(signature));
        for bad in ["", "1", "1 ", " 1 ab", "1  ab", "1 AB", "1 ab ", "16 ab", "01 ab", "+1 ab", "1 abg", "a b"] {
            assert_eq!(Signature::from_text(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn no_secret_and_no_digest_shows_in_debug_output() {
        let ring = two_keys();
        let shown = format!("{ring:?} {:?}", ring.sign(b"text"));
        assert!(!shown.contains("one") && !shown.contains("two"), "{shown}");
        assert!(!shown.contains(&ring.sign(b"text").digest), "{shown}");
    }
}
