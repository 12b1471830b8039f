//! The closed set of signing methods (`wire.md` 2). A new one is a variant here and a file beside this one.

use std::fmt;

use super::{crc, md5, sha1, sha256};

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// A checksum: guards against noise, not against anybody.
    Crc,
    /// HMAC with MD5.
    Md5,
    /// HMAC with SHA-1.
    Sha1,
    /// HMAC with SHA-256: between two Latidos, for no original can read it.
    Sha256,
}

impl Method {
    /// All of them.
    pub const ALL: [Method; 4] = [Method::Crc, Method::Md5, Method::Sha1, Method::Sha256];

    /// The method spelled so in `authkeys`, lower case only.
    pub fn from_name(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|method| method.name() == name)
    }

    /// Its spelling in `authkeys`.
    pub const fn name(self) -> &'static str {
        match self {
            Method::Crc => "crc",
            Method::Md5 => "md5",
            Method::Sha1 => "sha1",
            Method::Sha256 => "sha256",
        }
    }

    /// Whether it works with a secret.
    pub const fn needs_key(self) -> bool {
        !matches!(self, Method::Crc)
    }

    /// Whether no original heartbeat knows it: one refuses an `authkeys` that names it, and believes nothing signed so.
    pub const fn is_latido_only(self) -> bool {
        matches!(self, Method::Sha256)
    }

    /// How many hex digits a digest has, at most.
    pub const fn digits(self) -> usize {
        match self {
            Method::Crc => 8,
            Method::Md5 => 32,
            Method::Sha1 => 40,
            Method::Sha256 => 64,
        }
    }

    /// By which method a digest of so many hex digits was made; `crc` prints no leading zeros.
    pub fn of_digits(digits: usize) -> Option<Method> {
        if (1..=Method::Crc.digits()).contains(&digits) {
            return Some(Method::Crc);
        }
        Method::ALL.into_iter().find(|method| method.digits() == digits)
    }

    /// The digest in lower-case hex; `crc` without leading zeros.
    pub fn digest(self, key: &[u8], data: &[u8]) -> String {
        match self {
            Method::Crc => crc::digest(data),
            Method::Md5 => md5::digest(key, data),
            Method::Sha1 => sha1::digest(key, data),
            Method::Sha256 => sha256::digest(key, data),
        }
    }

    /// Whether `digest` is the one [`Method::digest`] would give, in constant time where there is a secret to guard.
    pub fn verify(self, key: &[u8], data: &[u8], digest: &str) -> bool {
        match self {
            Method::Crc => crc::digest(data) == digest,
            Method::Md5 => md5::verify(key, data, digest),
            Method::Sha1 => sha1::verify(key, data, digest),
            Method::Sha256 => sha256::verify(key, data, digest),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
