//! The socket of the original's client library, `/var/run/heartbeat/register` (`api.md` 1): connections, credentials,
//! frames, queues. What is said over it is in `api`, and `api_clients` connects the two.
//!
//! Nothing a client does can delay the loop: each connection is a task of its own, their number, their frames and what
//! waits for them are bounded, and who does not read is dropped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, io};

use nix::sys::signal::Signal;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::api::{ApiFramer, CloseReason, Credentials, Limits, frame};
use crate::host::process::Process;
use crate::names::ClientId;

use super::connection_limit::{self, ConnectionLimit, Slot, Standing};
use super::socket;

/// All connections together, signed on or not.
const MOST_CONNECTIONS: usize = 400;
/// One in so many of them is root's alone, and so much of them is anybody else's share.
const FOR_ROOT: usize = 8;
const SHARE: usize = 4;
/// Of the kernel's waiting line: who finds it full is told at once that there is no heartbeat. The original's is 128.
const BACKLOG: i32 = 1024;
/// No queue can become longer, whatever a client asks for.
const LONGEST_QUEUE: usize = 1024;
/// Between two looks whether the clients' processes are still there.
const AUDIT: Duration = Duration::from_secs(9);
/// Who has not signed on after so many looks never will.
const MOST_AUDITS: u8 = 3;
/// What waits when a connection is ended in order may still go out.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the loop hears of the clients.
#[derive(Debug)]
pub(crate) enum SocketEvent {
    /// Somebody connected.
    Connected {
        /// A new number.
        client: ClientId,
        /// Who, by the kernel.
        caller: Credentials,
        /// Its connection.
        connection: Connection,
    },
    /// A whole frame came.
    Body {
        /// From whom.
        client: ClientId,
        /// What is in it.
        body: Vec<u8>,
    },
    /// A connection ended.
    Gone {
        /// Whose.
        client: ClientId,
        /// Why.
        why: CloseReason,
    },
    /// It is time to look who is still there.
    Audit,
}

/// The loop's side of a connection. Dropped, it ends when what waits was sent, or soon.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Arc<UnixStream>,
    /// What the kernel did not take at once.
    outbox: mpsc::Sender<Arc<[u8]>>,
    waiting: Arc<AtomicUsize>,
    longest_queue: usize,
    longest_body: Arc<AtomicUsize>,
    /// A permit for each body that may be read behind the last one.
    next: Arc<Semaphore>,
    slot: Arc<Slot<u32>>,
    end: oneshot::Sender<()>,
    process: Option<Process>,
    /// Who it was when it connected.
    user: u32,
    audits: u8,
}

/// The listening socket, removed when dropped, and its connections.
#[derive(Debug)]
pub(crate) struct ApiSocket {
    path: PathBuf,
    heard: mpsc::Receiver<SocketEvent>,
    connections: BTreeMap<ClientId, Connection>,
    listener: JoinHandle<()>,
}

impl ApiSocket {
    /// Listens at `path`, for everybody who can reach its directory; must be called inside the runtime. `own_dir` is
    /// where only root may write.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub(crate) fn open(path: &Path, own_dir: &Path) -> io::Result<ApiSocket> {
        // Who runs here was settled by the pid file: what lies there is a leftover.
        let listener = socket::listen(path, own_dir, 0o777, None, BACKLOG)?;
        // Short: each connection waits here with its next request, so that no one overtakes the others.
        let (sender, heard) = mpsc::channel(16);
        let listener = tokio::spawn(listen(listener, sender));
        Ok(ApiSocket { path: path.to_owned(), heard, connections: BTreeMap::new(), listener })
    }

    /// The next that happens; cancel safe.
    pub(crate) async fn next(&mut self) -> SocketEvent {
        match self.heard.recv().await {
            Some(heard) => heard,
            // The listening task never ends before we do.
            None => std::future::pending().await,
        }
    }

    /// A connection may be used from now on.
    pub(crate) fn keep(&mut self, client: ClientId, connection: Connection) {
        self.connections.insert(client, connection);
    }

    /// Sends bytes to a client, or queues what the kernel does not take.
    ///
    /// # Errors
    /// Its queue is full: how many wait, and how many may.
    pub(crate) fn say(&mut self, client: ClientId, bytes: &Arc<[u8]>) -> Result<(), CloseReason> {
        self.connections.get(&client).map_or(Ok(()), |connection| connection.say(bytes))
    }

    /// What a client said last is done: its next words may be read.
    pub(crate) fn go_on(&self, client: ClientId) {
        if let Some(connection) = self.connections.get(&client) {
            connection.next.add_permits(1);
        }
    }

    /// It is signed on: it does not have to make room for somebody who is not.
    pub(crate) fn is_known(&self, client: ClientId) {
        if let Some(connection) = self.connections.get(&client) {
            connection.slot.set(Standing::Known);
        }
    }

    /// Changes what a connection may cost.
    pub(crate) fn limit(&mut self, client: ClientId, limits: Limits) {
        if let Some(connection) = self.connections.get_mut(&client) {
            connection.longest_queue = limits.queue.min(LONGEST_QUEUE);
            connection.longest_body.store(limits.body, Ordering::Relaxed);
        }
    }

    /// Sends the client's process a signal, if it is still the one that connected, and its user's.
    pub(crate) fn signal(&self, client: ClientId, signal: i32) {
        let Some(Connection { process: Some(process), user, .. }) = self.connections.get(&client) else { return };
        if let Ok(signal) = Signal::try_from(signal) {
            process.signal_for(*user, signal);
        }
    }

    /// Ends a connection when what waits was sent, or soon.
    pub(crate) fn close(&mut self, client: ClientId) {
        self.connections.remove(&client);
    }

    /// Ends a connection at once.
    pub(crate) fn cut(&mut self, client: ClientId) {
        if let Some(connection) = self.connections.remove(&client) {
            let _ = connection.end.send(());
        }
    }

    /// Those whose process is gone, and those that have long been silent without having signed on.
    pub(crate) fn audit(&mut self, is_signed_on: impl Fn(ClientId) -> bool) -> Vec<(ClientId, CloseReason)> {
        let mut gone = Vec::new();
        for (client, connection) in &mut self.connections {
            connection.audits = connection.audits.saturating_add(1);
            if connection.process.is_none_or(|process| !process.is_alive()) {
                gone.push((*client, CloseReason::Died));
            } else if connection.audits > MOST_AUDITS && !is_signed_on(*client) {
                gone.push((*client, CloseReason::Rubbish("it never signed on".to_owned())));
            }
        }
        gone
    }
}

impl Connection {
    fn say(&self, bytes: &Arc<[u8]>) -> Result<(), CloseReason> {
        let (waiting, most) = (self.waiting.load(Ordering::Relaxed), self.longest_queue);
        // A burst must not fill the queue before the connection's own task has had its turn.
        let sent = if waiting == 0 { self.stream.try_write(bytes).unwrap_or(0) } else { 0 };
        if sent == bytes.len() {
            return Ok(());
        }
        if waiting >= most {
            return Err(CloseReason::Slow { waiting, most });
        }
        let rest = if sent == 0 { Arc::clone(bytes) } else { Arc::from(&bytes[sent..]) };
        match self.outbox.try_send(rest) {
            Ok(()) => self.waiting.store(waiting + 1, Ordering::Relaxed),
            Err(mpsc::error::TrySendError::Full(_)) => return Err(CloseReason::Slow { waiting, most }),
            // Its end is on the way to us.
            Err(mpsc::error::TrySendError::Closed(_)) => {}
        }
        Ok(())
    }
}

impl Drop for ApiSocket {
    fn drop(&mut self) {
        self.listener.abort();
        // A socket that stays is removed by the next start.
        let _ = fs::remove_file(&self.path);
    }
}

async fn listen(listener: UnixListener, heard: mpsc::Sender<SocketEvent>) {
    let most = connection_limit::affordable(MOST_CONNECTIONS);
    let limit = ConnectionLimit::new(most, most / FOR_ROOT, (most / SHARE).max(1));
    let mut audit = interval(AUDIT);
    audit.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut number = 0;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = audit.tick() => {
                if heard.send(SocketEvent::Audit).await.is_err() {
                    return;
                }
                continue;
            }
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors: the next attempt may find one.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Some(caller) = caller(&stream) else { continue };
        // No place left: who comes sees the connection closed.
        let Some(slot) = limit.admit(caller.uid, caller.uid == 0) else { continue };
        let (client, heard) = (ClientId(number), heard.clone());
        number += 1;
        tokio::spawn(serve(client, stream, caller, Arc::new(slot), heard));
        // Its first word is heard before the next one is let in.
        tokio::task::yield_now().await;
    }
}

async fn serve(
    client: ClientId,
    stream: UnixStream,
    caller: Credentials,
    slot: Arc<Slot<u32>>,
    heard: mpsc::Sender<SocketEvent>,
) {
    let stream = Arc::new(stream);
    let (outbox, queue) = mpsc::channel(LONGEST_QUEUE);
    let waiting = Arc::new(AtomicUsize::new(0));
    let (end, ended) = oneshot::channel();
    let longest_body = Arc::new(AtomicUsize::new(Limits::FIRST.body));
    let next = Arc::new(Semaphore::new(0));
    let connection = Connection {
        stream: Arc::clone(&stream),
        outbox,
        waiting: Arc::clone(&waiting),
        longest_queue: Limits::FIRST.queue,
        longest_body: Arc::clone(&longest_body),
        next: Arc::clone(&next),
        slot: Arc::clone(&slot),
        end,
        process: Process::running(caller.pid),
        user: caller.uid,
        audits: 0,
    };
    if heard.send(SocketEvent::Connected { client, caller, connection }).await.is_err() {
        return;
    }
    let why = tokio::select! {
        why = read(client, &stream, &longest_body, &next, &heard) => why,
        () = write(&stream, queue, &waiting) => CloseReason::Eof,
        () = slot.out() => CloseReason::Rubbish("its place went to somebody else: it was the one silent for longest".to_owned()),
        () = last_words(ended) => CloseReason::Eof,
    };
    // Where it was we who ended it, nobody listens for this.
    let _ = heard.send(SocketEvent::Gone { client, why }).await;
}

fn caller(stream: &UnixStream) -> Option<Credentials> {
    let who = stream.peer_cred().ok()?;
    let pid = who.pid().and_then(|pid| u32::try_from(pid).ok())?;
    Some(Credentials { pid, uid: who.uid(), gid: who.gid() })
}

async fn read(
    client: ClientId,
    stream: &UnixStream,
    longest: &AtomicUsize,
    next: &Semaphore,
    heard: &mpsc::Sender<SocketEvent>,
) -> CloseReason {
    let mut framer = ApiFramer::default();
    let mut chunk = [0; 4096];
    loop {
        if stream.readable().await.is_err() {
            return CloseReason::Eof;
        }
        match stream.try_read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Ok(0) | Err(_) => return CloseReason::Eof,
            Ok(read) => framer.push(&chunk[..read]),
        }
        loop {
            match framer.next_body(longest.load(Ordering::Relaxed)) {
                Ok(None) => break,
                Ok(Some(body)) => {
                    if heard.send(SocketEvent::Body { client, body }).await.is_err() {
                        return CloseReason::Eof;
                    }
                    // Until that is done nothing more is read: who says more than there is room for waits, and only he.
                    match next.acquire().await {
                        Ok(permit) => permit.forget(),
                        Err(_) => return CloseReason::Eof,
                    }
                }
                Err(error) => return CloseReason::Rubbish(error.to_string()),
            }
        }
    }
}

/// Ends when the loop let go of the connection and everything was sent, or when nothing can be sent any more.
async fn write(stream: &UnixStream, mut queue: mpsc::Receiver<Arc<[u8]>>, waiting: &AtomicUsize) {
    while let Some(bytes) = queue.recv().await {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            if stream.writable().await.is_err() {
                return;
            }
            match stream.try_write(rest) {
                Ok(sent) => rest = &rest[sent..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
        waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Ends when the loop wants an end at once, or let go of the connection a while ago.
async fn last_words(ended: oneshot::Receiver<()>) {
    if ended.await.is_err() {
        sleep(LAST_WORDS).await;
    }
}

/// A body as it travels, shared by all who hear it.
pub(crate) fn parcel(body: &[u8]) -> Arc<[u8]> {
    Arc::from(frame::frame(body))
}

#[cfg(test)]
mod tests;
