//! The client's end of the client API (`api.md` 2): what `cl_status`, `ipfail` and `dopd` of ours speak, to a Latido or to a
//! heartbeat of either generation.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;
use std::{fmt, io};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::api::body::{Spelling, decode, encode};
use crate::api::frame::{ApiFramer, MAX_BODY, frame};
use crate::api::{Credentials, field};
use crate::wire::{Kind, Message, field as wire};

/// A signed-on connection. Messages that come while an answer is awaited are kept for [`ApiSession::next`].
#[derive(Debug)]
pub struct ApiSession {
    stream: UnixStream,
    framer: ApiFramer,
    inbox: VecDeque<Message>,
    name: String,
    pid: u32,
    sign_on_answer: Message,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum ApiFailure {
    /// Nobody listens at the socket.
    Stopped,
    /// Somebody listens and lets us not in; the reason, if there is one.
    Refused(String),
    /// A request was answered with `badreq`; the reason, if there is one.
    Bad(String),
    /// The connection broke.
    Lost(io::Error),
}

impl fmt::Display for ApiFailure {
    /// The words of the original's library.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApiFailure::Stopped => f.write_str("hb_api_signon: Can't initiate connection to heartbeat"),
            ApiFailure::Refused(why) | ApiFailure::Bad(why) => f.write_str(why),
            ApiFailure::Lost(error) => write!(f, "the connection to heartbeat broke: {error}"),
        }
    }
}

impl ApiSession {
    /// Connects and signs on as `who`, under a name or as a casual client.
    ///
    /// # Errors
    /// [`ApiFailure::Stopped`] or [`ApiFailure::Refused`].
    pub async fn sign_on(socket: &Path, name: Option<&str>, who: Credentials) -> Result<ApiSession, ApiFailure> {
        log::debug!("connecting to {}", socket.display());
        let stream = UnixStream::connect(socket).await.map_err(|_| ApiFailure::Stopped)?;
        let name = name.map_or_else(|| who.pid.to_string(), str::to_owned);
        let mut session = ApiSession {
            stream,
            framer: ApiFramer::default(),
            inbox: VecDeque::new(),
            name,
            pid: who.pid,
            sign_on_answer: Message::empty(),
        };
        let (uid, gid) = (who.uid.to_string(), who.gid.to_string());
        let answer = session.exchange("signon", &[(field::UID, &uid), (field::GID, &gid)]).await;
        session.sign_on_answer = answer.map_err(|_| ApiFailure::Stopped)?;
        match session.sign_on_answer.get(wire::RESULT) {
            Some(field::OK) => Ok(session),
            _ => Err(ApiFailure::Refused(session.sign_on_answer.get(wire::INFO).unwrap_or("").to_owned())),
        }
    }

    /// The node's name.
    pub fn node(&self) -> &str {
        self.sign_on_answer.get(wire::NODE).unwrap_or("")
    }

    /// A field of the answer to the sign-on.
    pub fn sign_on_field(&self, name: &str) -> Option<&str> {
        self.sign_on_answer.get(name)
    }

    /// `keepalive` or `deadtime` of the node.
    pub fn time(&self, name: &str) -> Duration {
        Duration::from_millis(self.sign_on_answer.hex(name).unwrap_or(0))
    }

    /// Asks what has one answer.
    ///
    /// # Errors
    /// [`ApiFailure::Bad`] when the daemon refuses, [`ApiFailure::Lost`].
    pub async fn ask(&mut self, reqtype: &str, fields: &[(&str, &str)]) -> Result<Message, ApiFailure> {
        judge(self.exchange(reqtype, fields).await?)
    }

    /// Asks what has a list for an answer.
    ///
    /// # Errors
    /// As [`ApiSession::ask`].
    pub async fn list(&mut self, reqtype: &str, fields: &[(&str, &str)]) -> Result<Vec<Message>, ApiFailure> {
        let mut answers = vec![judge(self.exchange(reqtype, fields).await?)?];
        while answers.last().is_some_and(|answer| answer.get(wire::RESULT) == Some(field::MORE)) {
            let answer = self.answer().await?;
            answers.push(judge(answer)?);
        }
        Ok(answers)
    }

    /// Asks without waiting; the answer is some message to come.
    ///
    /// # Errors
    /// [`ApiFailure::Lost`].
    pub async fn send_request(&mut self, reqtype: &str, fields: &[(&str, &str)]) -> Result<(), ApiFailure> {
        let pid = self.pid.to_string();
        let mut message = Message::new(&Kind::Other(field::REQUEST.into()))
            .with(field::REQTYPE, reqtype)
            .with(wire::DEST, self.node())
            .with(field::PID, pid)
            .with(field::FROM_ID, self.name.as_str());
        fields.iter().for_each(|(name, value)| message.set(name, *value));
        self.say(&message).await
    }

    /// Says something to the cluster, or anything else.
    ///
    /// # Errors
    /// [`ApiFailure::Lost`].
    pub async fn say(&mut self, message: &Message) -> Result<(), ApiFailure> {
        let bytes = frame(&encode(message, Spelling::Classic));
        self.stream.write_all(&bytes).await.map_err(ApiFailure::Lost)
    }

    /// The next message that is no answer; cancel safe.
    ///
    /// # Errors
    /// [`ApiFailure::Lost`].
    pub async fn next(&mut self) -> Result<Message, ApiFailure> {
        match self.inbox.pop_front() {
            Some(message) => Ok(message),
            None => self.receive().await,
        }
    }

    /// Leaves in order.
    pub async fn sign_off(mut self) {
        // Who does not hear it sees the end of the connection.
        let _ = self.send_request("signoff", &[]).await;
    }

    async fn exchange(&mut self, reqtype: &str, fields: &[(&str, &str)]) -> Result<Message, ApiFailure> {
        self.send_request(reqtype, fields).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> Result<Message, ApiFailure> {
        loop {
            let message = self.receive().await?;
            if message.get(wire::T) == Some(field::RESPONSE) {
                return Ok(message);
            }
            self.inbox.push_back(message);
        }
    }

    async fn receive(&mut self) -> Result<Message, ApiFailure> {
        let broken = |what: String| ApiFailure::Lost(io::Error::new(io::ErrorKind::InvalidData, what));
        loop {
            match self.framer.next_body(MAX_BODY).map_err(|error| broken(error.to_string()))? {
                Some(body) => {
                    if let Ok(message) = decode(&body) {
                        return Ok(message);
                    }
                }
                None => {
                    let mut chunk = [0; 4096];
                    let read = self.stream.read(&mut chunk).await.map_err(ApiFailure::Lost)?;
                    if read == 0 {
                        return Err(ApiFailure::Lost(io::ErrorKind::UnexpectedEof.into()));
                    }
                    self.framer.push(&chunk[..read]);
                }
            }
        }
    }
}

fn judge(answer: Message) -> Result<Message, ApiFailure> {
    match answer.get(wire::RESULT) {
        Some(field::OK | field::MORE) => Ok(answer),
        _ => Err(ApiFailure::Bad(answer.get(wire::INFO).unwrap_or("").to_owned())),
    }
}

/// Who this process is.
pub fn myself() -> Credentials {
    Credentials { pid: std::process::id(), uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() }
}
