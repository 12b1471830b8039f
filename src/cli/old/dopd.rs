//! The old name `dopd`: has the other node mark its copy of a DRBD resource as outdated when DRBD has lost its link and
//! asks for it through `drbd-peer-outdater` (`api.md` 4.5). Speaks with a dopd of the original or with one of ours.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use nix::sys::stat::{Mode, umask};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::api::ApiFramer;
use crate::api::body::{Spelling, decode, encode};
use crate::api::frame::frame;
use crate::client::api::{ApiFailure, ApiSession, myself};
use crate::cluster::Level;
use crate::wire::{Kind, Message, field as wire};

use super::log::{FAILED, NEVER_AGAIN, OldLog, runtime};

/// Exit codes of DRBD's fence-peer handlers.
pub(crate) mod code {
    /// The peer's copy was inconsistent before.
    pub(crate) const INCONSISTENT: u8 = 3;
    /// The peer's copy is outdated now.
    pub(crate) const OUTDATED: u8 = 4;
    /// The peer cannot be reached.
    pub(crate) const UNREACHABLE: u8 = 5;
    /// The peer is primary and refuses.
    pub(crate) const PRIMARY: u8 = 6;
    /// It did not work, for no reason DRBD has a number for.
    pub(crate) const FAILED: u8 = 20;
    /// A request for this resource is under way.
    pub(crate) const BUSY: u8 = 21;
}

/// Requests at a time; DRBD asks once for each resource.
const MOST_REQUESTS: usize = 64;
/// `drbdadm` may wait for a disk.
const DRBDADM_LIMIT: Duration = Duration::from_secs(60);
/// A program that connects says at once what it wants, and waits this long at most.
const ASKING: Duration = Duration::from_secs(5);
const WAITING: Duration = Duration::from_secs(600);
/// Of a request, which is a few names.
const LONGEST_BODY: usize = 4096;

/// What `drbd-peer-outdater` wants.
#[derive(Debug)]
struct OutdateRequest {
    resource: String,
    peer: String,
    answer: oneshot::Sender<u8>,
}

/// What a `drbdadm` of ours came to.
#[derive(Debug)]
struct Outdated {
    resource: String,
    code: u8,
    from: String,
}

/// Runs until it is told to end or the daemon goes.
pub(crate) fn dopd() -> ExitCode {
    let log = OldLog::beside_the_daemon("dopd");
    ExitCode::from(runtime(&log).map_or(FAILED, |runtime| runtime.block_on(run(&log))))
}

async fn run(log: &OldLog) -> u8 {
    let paths = crate::cli::paths_from_environment();
    let session = match sign_on(&paths.api_socket()).await {
        Ok(session) => session,
        Err(failure) => {
            log.error("Cannot sign on with heartbeat");
            log.error(&format!("REASON: {failure}"));
            return if matches!(failure, ApiFailure::Refused(_)) { NEVER_AGAIN } else { FAILED };
        }
    };
    let socket = paths.dopd_socket();
    let listener = match listen(&socket) {
        Ok(listener) => listener,
        Err(error) => {
            log.error(&format!("{}: {error}", socket.display()));
            session.sign_off().await;
            return FAILED;
        }
    };
    let (request, requests) = mpsc::channel(MOST_REQUESTS);
    let listening = tokio::spawn(accept(listener, request));
    let code = serve(session, requests, log).await;
    listening.abort();
    let _ = fs::remove_file(&socket);
    code
}

async fn sign_on(socket: &Path) -> Result<ApiSession, ApiFailure> {
    let mut session = ApiSession::sign_on(socket, Some("dopd"), myself()).await?;
    session.ask("setfilter", &[("fmask", "1")]).await?;
    session.ask("setsignal", &[("signal", "0")]).await?;
    Ok(session)
}

fn listen(path: &Path) -> std::io::Result<UnixListener> {
    if let Some(dir) = path.parent() {
        // The daemon makes it where we may not.
        let _ = fs::create_dir(dir);
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Born with its mode: a name in a directory of others may mean something else a moment later.
    let before = umask(Mode::empty());
    let bound = UnixListener::bind(path);
    umask(before);
    bound
}

async fn accept(listener: UnixListener, requests: mpsc::Sender<OutdateRequest>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let requests = requests.clone();
                tokio::spawn(async move {
                    // Who hangs up has its reasons.
                    let _ = answer(stream, requests).await;
                });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// One `drbd-peer-outdater`.
async fn answer(mut stream: UnixStream, requests: mpsc::Sender<OutdateRequest>) -> std::io::Result<()> {
    let Ok(Some(message)) = timeout(ASKING, request(&mut stream)).await else { return Ok(()) };
    let (answer, answered) = oneshot::channel();
    let text = |name: &str| message.get(name).unwrap_or("").to_owned();
    let request = OutdateRequest { resource: text("outdater_res"), peer: text("outdater_peer"), answer };
    if requests.try_send(request).is_err() {
        return reply(&mut stream, code::FAILED).await;
    }
    let mut nothing = [0; 1];
    tokio::select! {
        answered = timeout(WAITING, answered) => {
            let value = answered.ok().and_then(Result::ok).unwrap_or(code::UNREACHABLE);
            reply(&mut stream, value).await
        }
        // It gave up: the resource is free for its next request.
        _ = stream.read(&mut nothing) => Ok(()),
    }
}

async fn request(stream: &mut UnixStream) -> Option<Message> {
    let mut framer = ApiFramer::default();
    let mut chunk = [0; 1024];
    loop {
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        framer.push(&chunk[..read]);
        if let Some(body) = framer.next_body(LONGEST_BODY).ok()? {
            return decode(&body).ok().filter(|message| message.get(wire::T) == Some("outdater"));
        }
    }
}

async fn reply(stream: &mut UnixStream, value: u8) -> std::io::Result<()> {
    let message = Message::new(&Kind::Other("outdater_rc".into())).with("dop_value", value.to_string());
    stream.write_all(&frame(&encode(&message, Spelling::Classic))).await
}

/// Who waits for the other node, by resource.
type Waiting = BTreeMap<String, (String, oneshot::Sender<u8>)>;

async fn serve(mut session: ApiSession, mut requests: mpsc::Receiver<OutdateRequest>, log: &OldLog) -> u8 {
    let Ok(mut terminated) = signal(SignalKind::terminate()) else { return FAILED };
    let (done, mut outdated) = mpsc::channel(MOST_REQUESTS);
    let mut waiting = Waiting::new();
    loop {
        let step = tokio::select! {
            _ = terminated.recv() => {
                session.sign_off().await;
                return 0;
            }
            Some(request) = requests.recv() => ask_peer(&mut session, &mut waiting, request, log).await,
            Some(result) = outdated.recv() => tell_peer(&mut session, &result, log).await,
            message = session.next() => match message {
                Ok(message) => {
                    on_message(&message, &mut waiting, &done, log);
                    Ok(())
                }
                Err(failure) => Err(failure),
            },
        };
        if let Err(failure) = step {
            log.error(&format!("heartbeat is gone: {failure}"));
            return FAILED;
        }
    }
}

async fn ask_peer(
    session: &mut ApiSession,
    waiting: &mut Waiting,
    request: OutdateRequest,
    log: &OldLog,
) -> Result<(), ApiFailure> {
    waiting.retain(|_, (_, answer)| !answer.is_closed());
    let OutdateRequest { resource, peer, answer } = request;
    let refusal = if waiting.contains_key(&resource) {
        Some(code::BUSY)
    } else if !is_name(&resource) {
        Some(code::FAILED)
    } else if !is_there(session, &peer).await? {
        Some(code::UNREACHABLE)
    } else {
        None
    };
    if let Some(value) = refusal {
        log.write(Level::Info, &format!("request to outdate {resource} on {peer} answered with {value}"));
        // It hung up meanwhile.
        let _ = answer.send(value);
        return Ok(());
    }
    let me = session.node().to_owned();
    log.write(Level::Info, &format!("sending start_outdate message to the other node {me} -> {peer}"));
    let message = Message::new(&Kind::Other("start_outdate".into()))
        .with(wire::SRC, me)
        .with("dop_res", resource.as_str())
        .with(wire::DEST, peer.as_str());
    session.say(&message).await?;
    waiting.insert(resource, (peer, answer));
    Ok(())
}

/// What DRBD calls its resources; they become words of a command line.
fn is_name(resource: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-+:/".contains(&byte);
    !resource.is_empty()
        && resource.len() <= 127
        && !resource.starts_with('-')
        && !resource.contains("..")
        && resource.bytes().all(usual)
}

/// Whether another normal node of that name is not dead.
async fn is_there(session: &mut ApiSession, peer: &str) -> Result<bool, ApiFailure> {
    if peer.is_empty() || peer.eq_ignore_ascii_case(session.node()) {
        return Ok(false);
    }
    for (reqtype, name, bad) in [("nodetype", "nodetype", "ping"), ("nodestatus", wire::ST, "dead")] {
        match session.ask(reqtype, &[(wire::NODE, peer)]).await {
            Ok(answer) if answer.get(name).is_some_and(|value| value != bad) => {}
            Ok(_) | Err(ApiFailure::Bad(_)) => return Ok(false),
            Err(failure @ (ApiFailure::Stopped | ApiFailure::Refused(_) | ApiFailure::Lost(_))) => return Err(failure),
        }
    }
    Ok(true)
}

fn on_message(message: &Message, waiting: &mut Waiting, done: &mpsc::Sender<Outdated>, log: &OldLog) {
    let (Some(t), Some(src)) = (message.get(wire::T), message.get(wire::SRC)) else { return };
    match t {
        "start_outdate" => {
            let Some(resource) = message.get("dop_res").filter(|resource| is_name(resource)) else { return };
            tokio::spawn(outdate(resource.to_owned(), src.to_owned(), done.clone()));
        }
        "outdate_rc" => {
            let (Some(resource), Some(value)) = (message.get("dop_res"), message.get("dop_value")) else { return };
            // Only whom we asked may answer.
            if waiting.get(resource).is_some_and(|(peer, _)| peer.eq_ignore_ascii_case(src))
                && let Some((_, answer)) = waiting.remove(resource)
            {
                let _ = answer.send(value.parse().unwrap_or(code::FAILED));
            }
        }
        "status" if message.get(wire::ST) == Some("dead") => {
            let gone = |(peer, _): &(String, oneshot::Sender<u8>)| peer.eq_ignore_ascii_case(src);
            let resources: Vec<String> =
                waiting.iter().filter(|(_, entry)| gone(entry)).map(|(resource, _)| resource.clone()).collect();
            for (_, answer) in resources.iter().filter_map(|resource| waiting.remove(resource)) {
                log.write(Level::Info, &format!("{src} died before it answered"));
                let _ = answer.send(code::UNREACHABLE);
            }
        }
        _ => {}
    }
}

/// Marks our own copy as outdated.
async fn outdate(resource: String, from: String, done: mpsc::Sender<Outdated>) {
    let mut command = tokio::process::Command::new("drbdadm");
    command.args(["outdate", &resource]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.kill_on_drop(true);
    let ended = match command.spawn() {
        Ok(mut child) => timeout(DRBDADM_LIMIT, child.wait()).await.ok().and_then(Result::ok),
        Err(_) => None,
    };
    let code = value_of(ended.and_then(|status| status.code()));
    // Ends with the program.
    let _ = done.send(Outdated { resource, code, from }).await;
}

/// What DRBD is told, from the exit code of `drbdadm outdate`.
fn value_of(exit: Option<i32>) -> u8 {
    match exit {
        Some(0) => code::OUTDATED,
        Some(5) => code::INCONSISTENT,
        Some(17) => code::PRIMARY,
        _ => code::FAILED,
    }
}

async fn tell_peer(session: &mut ApiSession, result: &Outdated, log: &OldLog) -> Result<(), ApiFailure> {
    let me = session.node().to_owned();
    let Outdated { resource, code, from } = result;
    log.write(Level::Info, &format!("sending return code: {code}, {me} -> {from}"));
    let message = Message::new(&Kind::Other("outdate_rc".into()))
        .with("dop_value", code.to_string())
        .with("dop_res", resource.as_str())
        .with(wire::SRC, me)
        .with(wire::DEST, from.as_str());
    session.say(&message).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_codes_of_drbdadm_become_those_drbd_understands() {
        let values = [Some(0), Some(5), Some(17), Some(1), Some(127), None].map(value_of);
        assert_eq!(values, [4, 3, 6, 20, 20, 20]);
    }

    #[test]
    fn only_names_reach_a_command_line() {
        assert!(["r0", "vm-disk.1", "all"].into_iter().all(is_name));
        assert!(!["", "-f", "r0;reboot", "r 0", "$(id)", "r\n0"].into_iter().any(is_name));
    }
}
