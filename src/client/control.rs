//! The asker's end of our control socket: one JSON object a line, each way (`status.md`).

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::status::{Answer, Ask};
use crate::{amount, printable};

/// Why there is no answer.
#[derive(Debug)]
pub enum AskError {
    /// Nobody listens at the socket.
    NotRunning(PathBuf),
    /// The socket does not let us.
    NotAllowed(PathBuf),
    /// No answer in time.
    TimedOut,
    /// Anything else.
    Broken(String),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskError::NotRunning(path) => {
                write!(f, "no daemon answers at {}: latido is not running here", path.display())
            }
            AskError::NotAllowed(path) => {
                write!(f, "not allowed to open {}: become root or a member of group haclient", path.display())
            }
            AskError::TimedOut => f.write_str("the daemon did not answer in time"),
            AskError::Broken(why) => write!(f, "talking to the daemon failed: {why}"),
        }
    }
}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Asker {
    stream: BufReader<UnixStream>,
}

impl Asker {
    /// Connects to the control socket at `path`.
    ///
    /// # Errors
    /// When nobody listens there or we may not.
    #[allow(clippy::wildcard_enum_match_arm, reason = "std's error kinds are without end")]
    pub fn connect(path: &Path) -> Result<Asker, AskError> {
        log::debug!(target: "latido::client", "connecting to {}", path.display());
        match UnixStream::connect(path) {
            Ok(stream) => Ok(Asker { stream: BufReader::new(stream) }),
            Err(error) => Err(match error.kind() {
                io::ErrorKind::PermissionDenied => AskError::NotAllowed(path.to_owned()),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NotRunning(path.to_owned()),
                _ => AskError::Broken(format!("{}: {error}", path.display())),
            }),
        }
    }

    /// One question and its answer, over a connection to `path` that ends with it.
    ///
    /// # Errors
    /// As [`Asker::connect`] and [`Asker::ask`].
    pub fn ask_once(path: &Path, ask: &Ask, timeout: Duration) -> Result<Answer, AskError> {
        Asker::connect(path)?.ask(ask, timeout)
    }

    /// Asks and waits for the answer, at most this long.
    ///
    /// # Errors
    /// When there is no answer in time, or none that can be read.
    pub fn ask(&mut self, ask: &Ask, timeout: Duration) -> Result<Answer, AskError> {
        let line = serde_json::to_string(ask).map_err(|error| AskError::Broken(error.to_string()))?;
        let timeout = timeout.max(Duration::from_millis(1));
        log::debug!(target: "latido::client", "asking {line}, and waiting at most {}", amount::exact(timeout));
        let stream = self.stream.get_mut();
        stream.set_read_timeout(Some(timeout)).map_err(from_io)?;
        stream.write_all(format!("{line}\n").as_bytes()).map_err(from_io)?;
        let mut answer = String::new();
        if self.stream.read_line(&mut answer).map_err(from_io)? == 0 {
            return Err(AskError::Broken("it closed the connection".to_owned()));
        }
        log::debug!(target: "latido::client", "answered with {} bytes", answer.len());
        // It repeats what others said.
        let fit = serde_json::from_str(&answer).and_then(|mut value: serde_json::Value| {
            printable::clean(&mut value);
            serde_json::from_value(value)
        });
        fit.map_err(|error| AskError::Broken(error.to_string()))
    }
}

#[allow(clippy::needless_pass_by_value, clippy::wildcard_enum_match_arm, reason = "the shape map_err wants")]
fn from_io(error: io::Error) -> AskError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AskError::TimedOut,
        _ => AskError::Broken(error.to_string()),
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
        let error = Asker::connect(&dir.path().join("latido.sock")).unwrap_err();
        assert!(matches!(error, AskError::NotRunning(_)), "{error}");
    }
}
