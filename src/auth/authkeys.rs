//! The file `authkeys` (`config.md` 5 and 10): lines to keys, collecting every problem.
//!
//! The verdict is the original's: what it refuses is an error here, what it takes is at most a warning. Problems name
//! key *numbers*; neither a secret nor a line's text is ever repeated, for a secret may stand anywhere in a broken line.

mod lines;

use std::collections::BTreeMap;
use std::ops::Range;

use crate::diagnostic::{Problem, SourceText};

use super::{Key, KeyId, Keyring, Method};
use lines::{Auth, Entry, Kind, Line, Word};

pub use lines::redact;

/// Secrets that samples and tutorials print, in lower case: worth nothing.
const WELL_KNOWN: [&str; 14] = [
    "hello!",
    "hi!",
    "hello",
    "hi",
    "secret",
    "password",
    "changeme",
    "test",
    "123456",
    "heartbeat",
    "key",
    "mykey",
    "mysecret",
    "supersecret",
];

/// Words people write for a method, safe to repeat in a complaint; any other word might be a secret.
const METHOD_LIKE: [&str; 15] = [
    "sha", "sha1", "sha-1", "sha2", "sha224", "sha256", "sha-256", "sha384", "sha512", "md4", "md5", "crc", "crc32",
    "hmac", "none",
];

/// Reads `authkeys`. The keyring is there exactly when no problem is an error.
pub fn parse(source: &SourceText) -> (Option<Keyring>, Vec<Problem>) {
    let mut reader = Reader::new(source);
    if source.text.contains('\r') && !source.text.contains('\n') {
        return (None, vec![reader.one_long_line()]);
    }
    reader.whole_file(source);
    for line in lines::split(&source.text) {
        reader.line(&line);
    }
    reader.finish()
}

struct Reader {
    file: String,
    printed: String,
    keys: BTreeMap<KeyId, (Key, usize)>,
    /// Every `auth N` and its line.
    auths: Vec<(Auth, usize)>,
    /// The key that signs and the line of its `auth N`: a key is chosen when its line comes while the last `auth`
    /// before it names it, and stays chosen until another one is.
    signing: Option<(KeyId, usize)>,
    /// An `auth` line is there but was complained about; that it is missing is not said as well.
    auth_broken: bool,
    /// Key numbers whose line is there but wrong; not worth a second complaint.
    broken: Vec<i64>,
    problems: Vec<Problem>,
}

impl Reader {
    fn new(source: &SourceText) -> Reader {
        Reader {
            file: source.name.clone(),
            printed: as_the_original_prints(&source.name),
            keys: BTreeMap::new(),
            auths: Vec::new(),
            signing: None,
            auth_broken: false,
            broken: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Lines that end in CR alone are one line to the original, whose `auth N` then finds no key.
    fn one_long_line(&self) -> Problem {
        let problem = self.error("the lines end in carriage returns only, so the file is one long line");
        let original = format!("not found in keyfile [{}]", self.printed);
        problem.remedy("save it with Unix line ends").original(original)
    }

    fn whole_file(&mut self, source: &SourceText) {
        if source.text.starts_with('\u{feff}') {
            self.auth_broken = true;
            let problem = self.error("the file starts with a byte order mark").at(1, 0..'\u{feff}'.len_utf8());
            self.problems.push(problem.remedy("save it as plain UTF-8").original("Auth line [...] is invalid."));
        }
    }

    fn line(&mut self, line: &Line<'_>) {
        if line.too_long() {
            let what = format!("the line is longer than {} bytes", Line::MAX);
            let problem = self.error(what).at(line.number, line.span.clone());
            self.problems.push(problem.remedy("the original reads its tail as a line of its own; shorten it"));
            return;
        }
        match line.kind() {
            Kind::Blank => {}
            Kind::Auth(auth) => self.auths.push((auth, line.number)),
            Kind::BadAuth => self.bad_auth(line),
            Kind::Entry(entry) => self.entry(line, &entry),
            Kind::Unreadable => self.unreadable(line),
        }
    }

    fn bad_auth(&mut self, line: &Line<'_>) {
        self.auth_broken = true;
        let problem = self.error("this auth line names no key number").at(line.number, line.span.clone());
        let original = format!("Invalid auth line [...] in {}", self.printed);
        self.problems.push(problem.remedy("write \"auth 1\"").original(original));
    }

    fn unreadable(&mut self, line: &Line<'_>) {
        if line.is_marked() {
            return; // The byte order mark was complained about already.
        }
        let problem = self.error("this is neither \"auth NUMBER\" nor \"NUMBER METHOD [KEY]\"");
        let remedy =
            if line.slash_comment() { "comments start with #" } else { "write, for example, \"1 sha1 SECRET\"" };
        let problem = problem.at(line.number, line.span.clone());
        self.problems.push(problem.remedy(remedy).original("Auth line [...] is invalid."));
    }

    fn entry(&mut self, line: &Line<'_>, entry: &Entry<'_>) {
        match self.key(line, entry) {
            Ok((id, key)) => self.define(line, entry, id, key),
            Err(problem) => {
                self.broken.push(entry.number);
                self.problems.push(*problem);
            }
        }
    }

    fn define(&mut self, line: &Line<'_>, entry: &Entry<'_>, id: KeyId, key: Key) {
        if let Some((_, earlier)) = self.keys.get(&id) {
            let what = format!("key {id} is already defined in line {earlier}");
            self.warn(line, entry.number_span.clone(), what, "this later line is used; remove the other");
        }
        self.keys.insert(id, (key, line.number));
        if let Some((_, chosen_in)) = self.auths.last().filter(|(auth, _)| auth.number == i64::from(id.number())) {
            self.signing = Some((id, *chosen_in));
        }
    }

    fn key(&mut self, line: &Line<'_>, entry: &Entry<'_>) -> Result<(KeyId, Key), Box<Problem>> {
        let number = entry.number;
        let id = u8::try_from(number).ok().and_then(KeyId::new).ok_or_else(|| {
            let problem = self.error(format!("key number {number} is out of range"));
            let original = format!("Invalid authnum [{number}] in {}", self.printed);
            problem.at(line.number, entry.number_span.clone()).remedy("use 1 to 15").original(original)
        })?;
        let method = Method::from_name(entry.method.text).ok_or_else(|| self.unknown_method(line, entry))?;
        let secret = match (&entry.secret, method.needs_key()) {
            (Some(secret), true) => {
                self.judge_secret(line, entry, secret)?;
                secret.text
            }
            (None, false) => {
                let what = format!("key {number} uses crc: anyone on the wire can forge heartbeats");
                self.warn(line, entry.method.span.clone(), what, "use sha1 and a long random key");
                ""
            }
            (None, true) => return Err(self.missing_secret(line, entry, method).into()),
            (Some(extra), false) => return Err(self.useless_secret(line, entry, extra).into()),
        };
        if method.is_latido_only() {
            let what = format!("key {number} uses {method}, which only Latido knows: the other node must be a Latido");
            let problem = Problem::warning(self.file.clone(), what).at(line.number, entry.method.span.clone());
            let problem =
                problem.remedy("write sha1 while the other node is a heartbeat: it does not start with this file");
            self.problems.push(problem.original(format!("Invalid authtype [{method}]")));
        }
        Ok((id, Key::new(method, secret)))
    }

    fn unknown_method(&self, line: &Line<'_>, entry: &Entry<'_>) -> Problem {
        let word = entry.method.text;
        let lower = word.to_ascii_lowercase();
        let shown = METHOD_LIKE.contains(&lower.as_str());
        let what = if shown {
            format!("\"{word}\" is not a signing method")
        } else {
            format!("the word after key number {} is not a signing method", entry.number)
        };
        let glued = Method::ALL.into_iter().find(|method| lower.starts_with(method.name()));
        let remedy = match glued {
            Some(method) if lower == method.name() => format!("methods are lower case: write {method}"),
            Some(method) if method.needs_key() && !shown => format!("put a space between {method} and the key"),
            _ => "use sha1, md5 or crc".to_owned(),
        };
        let original = format!("Invalid authtype [{}]", if shown { word } else { "..." });
        self.error(what).at(line.number, entry.method.span.clone()).remedy(remedy).original(original)
    }

    fn missing_secret(&self, line: &Line<'_>, entry: &Entry<'_>, method: Method) -> Problem {
        self.error(format!("key {} has no secret, and {method} needs one", entry.number))
            .at(line.number, entry.method.span.clone())
            .remedy("write a long random word after the method")
            .original(format!("Auth method [{method}] requires a key"))
    }

    fn useless_secret(&self, line: &Line<'_>, entry: &Entry<'_>, extra: &Word<'_>) -> Problem {
        let (what, remedy) = if extra.text.starts_with('#') {
            ("a comment cannot follow an entry: the # is taken as the key, and crc takes none", "give it its own line")
        } else {
            ("crc takes no key", "remove the key, or write sha1")
        };
        let problem = self.error(format!("key {}: {what}", entry.number)).at(line.number, extra.span.clone());
        problem.remedy(remedy).original("Auth method [crc] doesn't use a key")
    }

    /// What is legal but unwise about a secret; an error only when its bytes were lost on the way here.
    fn judge_secret(&mut self, line: &Line<'_>, entry: &Entry<'_>, secret: &Word<'_>) -> Result<(), Box<Problem>> {
        let number = entry.number;
        if secret.text.contains('\u{fffd}') {
            let problem = self.error(format!("the secret of key {number} is not UTF-8"));
            return Err(problem.at(line.number, secret.span.clone()).remedy("use plain ASCII, on both nodes").into());
        }
        if WELL_KNOWN.contains(&secret.text.to_ascii_lowercase().as_str()) {
            let what =
                format!("the secret of key {number} is a well-known sample: anyone on the wire can forge heartbeats");
            self.warn(line, secret.span.clone(), what, "use a long random word, the same on both nodes");
        } else if secret.text.starts_with('#') {
            let what = format!("the secret of key {number} begins with #: it is the key, not a comment");
            self.warn(line, secret.span.clone(), what, "comments stand on lines of their own");
        } else if secret.text.starts_with(['"', '\'']) {
            let what = format!("the secret of key {number} begins with a quote, which is part of it");
            self.warn(
                line,
                secret.span.clone(),
                what,
                "quotes do not keep blanks together; write one word without them",
            );
        }
        if let Some(rest) = &entry.rest {
            let what = format!("the words after the secret of key {number} are ignored");
            self.warn(line, rest.clone(), what, "a secret is one word; comments stand on lines of their own");
        }
        Ok(())
    }

    fn finish(mut self) -> (Option<Keyring>, Vec<Problem>) {
        self.judge_auth();
        self.problems.sort_by_key(|problem| problem.place.as_ref().map_or((usize::MAX, 0), |p| (p.line, p.span.start)));
        if self.problems.iter().any(Problem::is_error) {
            return (None, self.problems);
        }
        let keys = self.keys.into_iter().map(|(id, (key, _))| (id, key)).collect();
        let keyring = self.signing.and_then(|(id, _)| Keyring::new(keys, id));
        (keyring, self.problems)
    }

    fn judge_auth(&mut self) {
        let mut auths = std::mem::take(&mut self.auths);
        if let Some((id, chosen_in)) = self.signing {
            for (auth, number) in auths.into_iter().filter(|(_, number)| *number != chosen_in) {
                let what = format!("this auth line has no effect: key {id} signs, as line {chosen_in} says");
                let problem = Problem::warning(self.file.clone(), what).at(number, auth.span);
                self.problems.push(problem.remedy("keep one auth line, the first line of the file"));
            }
            return;
        }
        match auths.pop() {
            Some((auth, number)) if auth.number >= 0 => self.chooses_nothing(auth, number),
            Some((auth, number)) => {
                let problem = self.error("a key number is not negative").at(number, auth.span);
                self.problems.push(problem.remedy("write \"auth 1\"").original(self.missing()));
            }
            None if self.auth_broken => {}
            None => {
                let problem = self.error("no auth line says which key signs").remedy("begin the file with \"auth 1\"");
                self.problems.push(problem.original(self.missing()));
            }
        }
    }

    fn missing(&self) -> String {
        format!("Missing auth directive in keyfile [{}]", self.printed)
    }

    fn chooses_nothing(&mut self, auth: Auth, number: usize) {
        if self.broken.contains(&auth.number) {
            return;
        }
        let named = u8::try_from(auth.number).ok().and_then(KeyId::new);
        let (what, remedy) = match named.and_then(|id| Some((id, self.keys.get(&id)?.1))) {
            Some((id, key_line)) => (
                format!("\"auth {id}\" must come before the line of key {id}"),
                format!("move it above line {key_line}"),
            ),
            None => {
                let remedy = match join(self.keys.keys()) {
                    Some(keys) => format!("the file defines {keys}"),
                    None => format!("add the line \"{} sha1 SECRET\"", auth.number.clamp(1, 15)),
                };
                (format!("\"auth {}\" names a key the file does not define", auth.number), remedy)
            }
        };
        let original = format!("Auth Key [{}] not found in keyfile [{}]", auth.number, self.printed);
        let problem = self.error(what).at(number, auth.span);
        self.problems.push(problem.remedy(remedy).original(original));
    }

    fn error(&self, what: impl Into<String>) -> Problem {
        Problem::error(self.file.clone(), what)
    }

    fn warn(&mut self, line: &Line<'_>, span: Range<usize>, what: String, remedy: &str) {
        self.problems.push(Problem::warning(self.file.clone(), what).at(line.number, span).remedy(remedy));
    }
}

/// `key 1` or `keys 1, 2`; `None` when there is none.
fn join<'a>(ids: impl Iterator<Item = &'a KeyId>) -> Option<String> {
    let ids: Vec<String> = ids.map(ToString::to_string).collect();
    let noun = match ids.len() {
        0 => return None,
        1 => "key",
        _ => "keys",
    };
    Some(format!("{noun} {}", ids.join(", ")))
}

/// The original joins directory and file with one slash too many, and people grep for that.
fn as_the_original_prints(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((dir, name)) => format!("{dir}//{name}"),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests;
