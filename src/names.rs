//! The small identities everybody shares. Pure.

use std::fmt;

/// A node's name as `uname -n` gives it: lower case, never empty, at most 99 bytes (`wire.md` 1.4).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(String);

impl NodeName {
    /// Lower-cases and checks a name; `None` when it is empty, longer than 99 bytes or holds white space.
    pub fn new(name: &str) -> Option<NodeName> {
        let usable = !name.is_empty() && name.len() <= 99 && !name.contains(char::is_whitespace);
        usable.then(|| NodeName(name.to_ascii_lowercase()))
    }

    /// The name, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for NodeName {
    type Error = String;

    fn try_from(name: String) -> Result<NodeName, String> {
        NodeName::new(&name).ok_or_else(|| format!("{name:?} is no node's name"))
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> String {
        name.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A medium by the name of its link: an interface (`eth0`), a tty path, or a ping host (`wire.md` 6.6).
///
/// Two `ucast` lines on one interface are two sockets but one link, hence one `MediumId`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct MediumId(String);

impl MediumId {
    /// Names a medium.
    pub fn new(name: impl Into<String>) -> MediumId {
        MediumId(name.into())
    }

    /// The link's name as the original prints it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MediumId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for MediumId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One script run the core asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct JobId(pub u64);

/// One connection to the control socket or the client API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct ClientId(pub u64);
