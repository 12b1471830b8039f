//! The client's end of our control socket, and the words spoken over it: one JSON object a line, each way.
//!
//! The document of `status` is versioned: fields may be added within a version, never changed or removed.

pub mod health;
pub mod metrics;
pub mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{amount, printable};

/// What may be asked: `{"ask":"status"}`, `{"ask":"standby","set":"all"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "lowercase")]
pub enum Ask {
    /// How things are.
    Status,
    /// Give groups to the other node; answered when it is over.
    Standby {
        /// `all`, `local`, `foreign` or `failback`.
        set: String,
    },
    /// Forget that a group failed here; answered at once.
    Retry {
        /// The group's first resource, or any of its resources.
        group: String,
    },
    /// Move one group; answered when it is over.
    Move {
        /// The group's first resource, or any of its resources.
        group: String,
        /// The node it shall run on; the one that does not run it when none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// See that a group runs on this node, and start what of it does not; answered at once.
    Bring {
        /// The group's first resource.
        group: String,
    },
    /// Count the other node's lives from anew; answered at once.
    Forget {
        /// The other node.
        node: String,
    },
    /// Read the files again; answered at once.
    Reload,
    /// Take groups from the other node; answered when it is over.
    Takeover {
        /// `all`, `local`, `foreign` or `failback`.
        set: String,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// To [`Ask::Status`].
    Status(Box<Status>),
    /// The keys of the groups that moved.
    Moved(Vec<String>),
    /// The files were read again.
    Reread {
        /// Whether they are in force; else everything goes on as before.
        accepted: bool,
        /// What is to be known about them, or what is wrong with them, a sentence each.
        said: Vec<String>,
    },
    /// Why not, or why only in part.
    Refused(String),
}

/// Everything `latido status` shows. Durations are in milliseconds and count back from the answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of this document: 1.
    pub version: u32,
    /// The daemon's program version.
    pub program: String,
    /// Its process id.
    pub pid: u32,
    /// The process that does the work, a child of that one.
    #[serde(default)]
    pub core: u32,
    /// How long it has run.
    pub up_for_ms: u64,
    /// This node's name.
    pub me: String,
    /// All nodes, ping nodes too, in the order of `ha.cf`.
    pub nodes: Vec<Node>,
    /// All groups, in the order of `haresources`.
    pub groups: Vec<Group>,
    /// `none`, `local`, `foreign`, `all` or `transition`.
    pub rscstatus: String,
    /// What a takeover waits for, in a sentence; absent when it waits for nothing.
    pub waiting_for: Option<String>,
    /// Whether nothing is being decided or moved.
    pub stable: bool,
    /// Whether the daemon is leaving.
    pub leaving: bool,
    /// `on`, `off` or `legacy`.
    pub auto_failback: String,
    /// Why groups are not at home though their home is alive, in a sentence; absent when all are.
    #[serde(default)]
    pub away: Option<String>,
    /// What the daemon was refused and goes on without, in sentences: files with errors, a disk that takes no number.
    #[serde(default)]
    pub going_on: Vec<String>,
    /// What the files of the two nodes say differently, in sentences, as far as known.
    #[serde(default)]
    pub drift: Vec<String>,
    /// The fencing devices in the order they are tried.
    #[serde(default)]
    pub fencing: Vec<String>,
    /// Those of them that did not answer when they were last asked.
    #[serde(default)]
    pub broken_fencing: Vec<String>,
    /// What does not work of what is watched here, in sentences.
    #[serde(default)]
    pub sick: Vec<String>,
    /// That another machine speaks in our name, in a sentence, if so.
    #[serde(default)]
    pub impostor: Option<String>,
    /// That what is heard of the other node may be old, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubted: Option<String>,
    /// What keeps the pair from being healthy, a few words each; empty when all is well.
    #[serde(default)]
    pub troubles: Vec<String>,
    /// The configured silence after which a node is dead.
    #[serde(default)]
    pub deadtime_ms: u64,
    /// A deadtime that would do on each link alone, from the heartbeat gaps measured; absent until there are enough.
    #[serde(default)]
    pub enough_deadtime_ms: Option<u64>,
    /// The same of the best link: a shorter one asks for trouble.
    #[serde(default)]
    pub least_deadtime_ms: Option<u64>,
    /// How late the daemon came to its own deadlines in the last minute or two, at worst.
    #[serde(default)]
    pub loop_late_ms: f64,
    /// What passed over each medium since the daemon's process that does the work was started, in the order of `ha.cf`.
    #[serde(default)]
    pub traffic: Vec<Traffic>,
    /// What the other node says of itself, when it is a Latido.
    #[serde(default)]
    pub peer: Option<Peer>,
    /// When groups of a node that died or left were last taken over; absent when never.
    pub last_takeover_ms: Option<u64>,
    /// When anything last changed.
    pub last_change_ms: u64,
}

impl Status {
    /// With each text on one line and nothing in it that does something to a terminal: much of it is said by others.
    pub fn made_printable(self) -> Status {
        let fit = serde_json::to_value(&self).and_then(|mut value| {
            printable::clean(&mut value);
            serde_json::from_value(value)
        });
        fit.unwrap_or(self)
    }
}

/// One node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Whether it is this one.
    pub here: bool,
    /// Whether it is a ping node.
    pub ping: bool,
    /// `init`, `up`, `active`, `dead` or `ping`.
    pub status: String,
    /// Age of its last heartbeat; absent when none was heard in this life.
    pub last_heard_ms: Option<u64>,
    /// Its generation, if known.
    pub generation: Option<u64>,
    /// After how long a silence it is dead.
    pub deadtime_ms: u64,
    /// Whether it runs Latido.
    pub latido: bool,
    /// Whether its `haresources` means something else than ours; absent when it does not say.
    #[serde(default)]
    pub resources_differ: Option<bool>,
    /// By how many seconds its wall clock is ahead of ours; absent when nothing was heard.
    #[serde(default)]
    pub clock_ahead_s: Option<i64>,
    /// One for each medium.
    pub links: Vec<Link>,
}

/// One node over one medium.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// `eth0`, `/dev/ttyS0`, a ping host.
    pub medium: String,
    /// Whether it is up.
    pub up: bool,
    /// Age of the last message over it.
    pub last_heard_ms: Option<u64>,
    /// Why the medium fails, if it does.
    pub failure: Option<String>,
    /// How regularly heartbeats come in over it; absent until there are enough.
    #[serde(default)]
    pub gaps: Option<Gaps>,
}

/// Times between heartbeats on a link.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gaps {
    /// How many were measured.
    pub count: u32,
    /// Half are shorter.
    pub median_ms: f64,
    /// 99.9 % are shorter.
    pub p999_ms: f64,
    /// None was longer.
    pub worst_ms: f64,
}

/// What passed over one medium. Only ever grows, and begins at 0 with each start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traffic {
    /// `eth0`, `/dev/ttyS0`, a ping host.
    pub medium: String,
    /// Messages that were whole and rightly signed, our own coming back included; of a ping host its answers.
    pub accepted: u64,
    /// What was refused, by cause (`bad_signature`, …); empty for a ping host.
    pub rejected: BTreeMap<String, u64>,
    /// Bytes on a serial line that belonged to no message.
    pub noise_bytes: u64,
    /// Messages handed to the medium.
    pub sent: u64,
    /// Messages thrown away because there was no room in the medium.
    pub dropped: u64,
    /// Messages that met a medium that did not work.
    pub failed: u64,
}

/// The other node's own view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// How long ago it said so.
    pub said_ms: u64,
    /// Its program version.
    pub program: String,
    /// Each of its media, and whether it hears us over it.
    pub links: BTreeMap<String, bool>,
    /// The groups that failed there, with the reason.
    pub failed: Vec<String>,
}

/// One resource group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its first resource.
    pub key: String,
    /// The node it belongs to.
    pub owner: String,
    /// All its resources as written in `haresources`.
    pub resources: Vec<String>,
    /// Here: `free`, `starting`, `held`, `stopping`, `failed` or `blocked`.
    pub state: String,
    /// Since when it is in that state.
    pub for_ms: u64,
    /// Whether the other node says it holds it.
    pub held_by_peer: bool,
    /// The script being run for it, if any.
    pub running: Option<String>,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum ClientError {
    /// Nobody listens at the socket.
    NotRunning(PathBuf),
    /// The socket does not let us.
    NotAllowed(PathBuf),
    /// No answer in time.
    TimedOut,
    /// Anything else.
    Broken(String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::NotRunning(path) => {
                write!(f, "no daemon answers at {}: latido is not running here", path.display())
            }
            ClientError::NotAllowed(path) => {
                write!(f, "not allowed to open {}: become root or a member of group haclient", path.display())
            }
            ClientError::TimedOut => f.write_str("the daemon did not answer in time"),
            ClientError::Broken(why) => write!(f, "talking to the daemon failed: {why}"),
        }
    }
}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the control socket at `path`.
    ///
    /// # Errors
    /// When nobody listens there or we may not.
    #[allow(clippy::wildcard_enum_match_arm, reason = "std's error kinds are without end")]
    pub fn connect(path: &Path) -> Result<Client, ClientError> {
        log::debug!("connecting to {}", path.display());
        match UnixStream::connect(path) {
            Ok(stream) => Ok(Client { stream: BufReader::new(stream) }),
            Err(error) => Err(match error.kind() {
                io::ErrorKind::PermissionDenied => ClientError::NotAllowed(path.to_owned()),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning(path.to_owned()),
                _ => ClientError::Broken(format!("{}: {error}", path.display())),
            }),
        }
    }

    /// One question and its answer, over a connection to `path` that ends with it.
    ///
    /// # Errors
    /// As [`Client::connect`] and [`Client::ask`].
    pub fn ask_once(path: &Path, ask: &Ask, timeout: Duration) -> Result<Answer, ClientError> {
        Client::connect(path)?.ask(ask, timeout)
    }

    /// Asks and waits for the answer, at most this long.
    ///
    /// # Errors
    /// When there is no answer in time, or none that can be read.
    pub fn ask(&mut self, ask: &Ask, timeout: Duration) -> Result<Answer, ClientError> {
        let line = serde_json::to_string(ask).map_err(|error| ClientError::Broken(error.to_string()))?;
        let timeout = timeout.max(Duration::from_millis(1));
        log::debug!("asking {line}, and waiting at most {}", amount::exact(timeout));
        let stream = self.stream.get_mut();
        stream.set_read_timeout(Some(timeout)).map_err(from_io)?;
        stream.write_all(format!("{line}\n").as_bytes()).map_err(from_io)?;
        let mut answer = String::new();
        if self.stream.read_line(&mut answer).map_err(from_io)? == 0 {
            return Err(ClientError::Broken("it closed the connection".to_owned()));
        }
        log::debug!("answered with {} bytes", answer.len());
        // It repeats what others said.
        let fit = serde_json::from_str(&answer).and_then(|mut value: serde_json::Value| {
            printable::clean(&mut value);
            serde_json::from_value(value)
        });
        fit.map_err(|error| ClientError::Broken(error.to_string()))
    }
}

#[allow(clippy::needless_pass_by_value, clippy::wildcard_enum_match_arm, reason = "the shape map_err wants")]
fn from_io(error: io::Error) -> ClientError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::TimedOut,
        _ => ClientError::Broken(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_answers_have_the_documented_spelling() {
        let spelled = |ask: &Ask| serde_json::to_string(ask).unwrap();
        assert_eq!(spelled(&Ask::Status), r#"{"ask":"status"}"#);
        assert_eq!(spelled(&Ask::Standby { set: "all".into() }), r#"{"ask":"standby","set":"all"}"#);
        let answer = serde_json::to_string(&Answer::Refused("no".into())).unwrap();
        assert_eq!(answer, r#"{"refused":"no"}"#);
    }

    #[test]
    fn a_daemon_that_is_not_there_is_named_as_such() {
        let dir = tempfile::tempdir().unwrap();
        let error = Client::connect(&dir.path().join("latido.sock")).unwrap_err();
        assert!(matches!(error, ClientError::NotRunning(_)), "{error}");
    }
}
