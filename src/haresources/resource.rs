//! The nouns of `haresources`: a resource, and the group of them on one line (`config.md` 6, `resources.md` 3.2).

use std::fmt;

use crate::names::NodeName;

/// Something one node runs at a time: a script and its arguments.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Resource {
    /// The word as it stands in the file, such as `Filesystem::/dev/drbd0::/data::ext4`.
    pub word: String,
    /// The script's name: `Filesystem`; `IPaddr` for a bare address.
    pub agent: String,
    /// Its arguments, without the verb.
    pub args: Vec<String>,
}

impl Resource {
    /// Reads one word: `::` separates arguments, empty ones vanish, a bare address means `IPaddr`.
    pub fn from_word(word: &str) -> Resource {
        if is_bare_address(word) {
            return Resource { word: word.to_owned(), agent: "IPaddr".to_owned(), args: vec![word.to_owned()] };
        }
        let mut parts = word.split("::").filter(|part| !part.is_empty());
        let agent = parts.next().unwrap_or("").to_owned();
        Resource { word: word.to_owned(), agent, args: parts.map(str::to_owned).collect() }
    }
}

/// In a record: the word, from which the rest follows.
impl From<String> for Resource {
    fn from(word: String) -> Resource {
        Resource::from_word(&word)
    }
}

impl From<Resource> for String {
    fn from(resource: Resource) -> String {
        resource.word
    }
}

/// The shell glob `[0-9]*.[0-9]*.[0-9]*.[0-9]*` of the original: a digit after the start and after three dots.
fn is_bare_address(word: &str) -> bool {
    let mut rest = word;
    for _ in 0..3 {
        if !rest.starts_with(|c: char| c.is_ascii_digit()) {
            return false;
        }
        let Some(next) = rest
            .char_indices()
            .find(|(at, c)| *c == '.' && rest[at + 1..].starts_with(|c: char| c.is_ascii_digit()))
            .map(|(at, _)| at + 1)
        else {
            return false;
        };
        rest = &rest[next..];
    }
    rest.starts_with(|c: char| c.is_ascii_digit())
}

/// As a script is called, without its verb: `Filesystem /dev/drbd0 /data ext4`.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.agent)?;
        self.args.iter().try_for_each(|arg| write!(f, " {arg}"))
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word)
    }
}

/// One line of `haresources`: resources that move together, started left to right, stopped right to left.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ResourceGroup {
    /// The node named first: where the group belongs.
    pub owner: NodeName,
    /// The resources in order; may be empty.
    pub resources: Vec<Resource>,
    /// The line it starts on, from 1.
    pub line: usize,
}

impl ResourceGroup {
    /// The group's name everywhere: its first resource, verbatim; empty for a line without resources.
    pub fn key(&self) -> &str {
        self.resources.first().map_or("", |resource| &resource.word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_split_at_double_colons_and_empty_ones_vanish() {
        let resource = Resource::from_word("Fs::::x::y");
        assert_eq!((resource.agent.as_str(), resource.args), ("Fs", vec!["x".to_owned(), "y".to_owned()]));
    }

    #[test]
    fn a_bare_address_means_ipaddr_and_other_words_with_dots_do_not() {
        for word in ["10.0.0.1", "10.0.0.1/24/eth0", "192.168.1.13/24/eth0/192.168.1.255", "1x.2.3.4"] {
            assert_eq!(Resource::from_word(word).agent, "IPaddr", "{word}");
        }
        for word in ["1.2.3", "10.a.b.c", "httpd", "::", ""] {
            assert_ne!(Resource::from_word(word).agent, "IPaddr", "{word}");
        }
    }
}
