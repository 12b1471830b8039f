//! Our control socket: `latido status`, `standby` and `takeover` ask here, one JSON object a line (`status.md`).
//!
//! Nothing an asker does can delay the loop: each connection is a task of its own, their number, their lines and their
//! time are bounded, and who does not read its answer is dropped.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::host::files::client_group;
use crate::host::trust::trusted_owner;
use crate::names::{ClientId, NodeName};
use crate::paths::Paths;
use crate::status::{Answer, Ask};

use super::connection_limit::{ConnectionLimit, Slot, Standing};
use super::question::{PendingQuestion, Question, QuestionSender};
use super::{socket, status_page};

const MOST_ASKERS: usize = 32;
/// Of the kernel's waiting line.
const BACKLOG: i32 = 1024;
/// Of these places so many are root's alone, and so many are anybody else's share.
const FOR_ROOT: usize = 8;
const SHARE: usize = 8;
const LONGEST_LINE: u64 = 4096;
/// How long an asker may take to ask, and to read its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The listening socket; removed when dropped.
#[derive(Debug)]
pub(crate) struct Control {
    path: PathBuf,
    questions: mpsc::Receiver<PendingQuestion>,
    waiting: BTreeMap<ClientId, oneshot::Sender<Answer>>,
    next: u64,
    /// `None` while the socket cannot be made.
    listener: Option<JoinHandle<()>>,
    page: Option<JoinHandle<()>>,
    sender: mpsc::Sender<PendingQuestion>,
}

impl Control {
    /// Listens in our own directory, for root and the group `haclient`; must be called inside the runtime.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub(crate) fn open(paths: &Paths) -> io::Result<Control> {
        // Who runs here was settled by the pid file: what lies there is a leftover.
        let path = &paths.control_socket();
        let listener = socket::listen(path, &paths.own_dir, 0o660, client_group(), BACKLOG)?;
        let (sender, questions) = mpsc::channel(MOST_ASKERS);
        let listener = Some(tokio::spawn(listen(listener, sender.clone())));
        let (path, waiting) = (path.to_owned(), BTreeMap::new());
        Ok(Control { path, questions, waiting, next: 0, listener, page: None, sender })
    }

    /// Where nobody can ask.
    pub(crate) fn deaf(path: &Path) -> Control {
        let (sender, questions) = mpsc::channel(MOST_ASKERS);
        let (path, waiting) = (path.to_owned(), BTreeMap::new());
        Control { path, questions, waiting, next: 0, listener: None, page: None, sender }
    }

    /// Serves the status page at this address, too; it answers to the name of this node.
    ///
    /// # Errors
    /// When nobody can listen there; the daemon does without.
    pub(crate) fn serve_page(&mut self, address: SocketAddr, me: &NodeName) -> io::Result<()> {
        self.page = Some(status_page::open(address, me, QuestionSender(self.sender.clone()))?);
        Ok(())
    }

    /// The next question; cancel safe.
    pub(crate) async fn next(&mut self) -> Question {
        loop {
            let Some(PendingQuestion { ask, by, answer_to }) = self.questions.recv().await else {
                // The listening task never ends before we do.
                std::future::pending::<()>().await;
                continue;
            };
            self.waiting.retain(|_, sender| !sender.is_closed());
            self.next += 1;
            let asker = ClientId(self.next);
            self.waiting.insert(asker, answer_to);
            return Question { asker, ask, by };
        }
    }

    /// Answers; an asker that went away meanwhile is forgotten.
    pub(crate) fn answer(&mut self, asker: ClientId, answer: Answer) {
        if let Some(sender) = self.waiting.remove(&asker) {
            let _ = sender.send(answer);
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.page.iter().for_each(JoinHandle::abort);
        let Some(listener) = &self.listener else { return };
        listener.abort();
        // A socket that stays is removed by the next start.
        let _ = fs::remove_file(&self.path);
    }
}

async fn listen(listener: UnixListener, questions: mpsc::Sender<PendingQuestion>) {
    let limit = ConnectionLimit::new(MOST_ASKERS, FOR_ROOT, SHARE);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let Ok(who) = stream.peer_cred() else { continue };
                // No place left: the asker sees the connection closed.
                let Some(slot) = limit.admit(who.uid(), who.uid() == 0) else { continue };
                let questions = questions.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        () = serve(stream, questions, &slot) => {}
                        () = slot.out() => {}
                    }
                });
                // What it asks is read before the next one is let in.
                tokio::task::yield_now().await;
            }
            // Out of descriptors: the next attempt may find one.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn serve(stream: UnixStream, questions: mpsc::Sender<PendingQuestion>, slot: &Slot<u32>) {
    let (by, may_order) = (who(&stream), stream.peer_cred().is_ok_and(|who| trusted_owner(who.uid())));
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut stream).take(LONGEST_LINE);
        match timeout(PATIENCE, limited.read_until(b'\n', &mut line)).await {
            Ok(Ok(read)) if read > 0 && line.ends_with(b"\n") => {}
            Ok(_) | Err(_) => return,
        }
        slot.set(Standing::Busy);
        let answer = match serde_json::from_slice::<Ask>(&line) {
            Ok(ask) if !may_order && !matches!(ask, Ask::Status) => {
                Answer::Refused("only root may do that; the group haclient may look, and no more".to_owned())
            }
            Ok(ask) => {
                let (answer_to, answer) = oneshot::channel();
                if questions.send(PendingQuestion { ask, by: by.clone(), answer_to }).await.is_err() {
                    return;
                }
                let Ok(answer) = answer.await else { return };
                answer
            }
            Err(error) => Answer::Refused(format!("not a question: {error}")),
        };
        // Who does not read his answer is as silent as who asks nothing.
        slot.set(Standing::Silent);
        let Ok(mut line) = serde_json::to_vec(&answer) else { return };
        line.push(b'\n');
        match timeout(PATIENCE, stream.get_mut().write_all(&line)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

/// The kernel vouches for these; names would have to be asked for, perhaps over the network.
fn who(stream: &UnixStream) -> String {
    let Ok(who) = stream.peer_cred() else { return "somebody".to_owned() };
    let user = if who.uid() == 0 { "root".to_owned() } else { format!("user {}", who.uid()) };
    who.pid().map_or(user.clone(), |pid| format!("{user} (pid {pid})"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    async fn ask(path: &Path, line: &[u8]) -> String {
        let mut stream = UnixStream::connect(path).await.unwrap();
        let mut answer = String::new();
        // Who is turned away may find the connection closed at any of these.
        let _ = stream.write_all(line).await;
        let _ = BufReader::new(stream).read_line(&mut answer).await;
        answer
    }

    fn socket() -> (tempfile::TempDir, PathBuf, Control) {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::under(dir.path());
        crate::host::directories::make_own(&paths).unwrap();
        let (path, control) = (paths.control_socket(), Control::open(&paths).unwrap());
        (dir, path, control)
    }

    #[tokio::test]
    async fn a_question_is_answered_on_its_own_connection() {
        let (_dir, path, mut control) = socket();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        let asker = tokio::spawn({
            let path = path.clone();
            async move { ask(&path, b"{\"ask\":\"standby\",\"set\":\"all\"}\n").await }
        });
        let question = control.next().await;
        assert_eq!(question.ask, Ask::Standby { set: "all".into() });
        control.answer(question.asker, Answer::Moved(vec!["10.0.0.10".into()]));
        assert_eq!(asker.await.unwrap(), "{\"moved\":[\"10.0.0.10\"]}\n");
        drop(control);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn rubbish_is_refused_and_an_endless_line_is_cut() {
        let (_dir, path, control) = socket();
        assert!(ask(&path, b"{\"ask\":\"reboot\"}\n").await.starts_with("{\"refused\":\"not a question"));
        assert_eq!(ask(&path, &[b'x'; 5000]).await, "");
        drop(control);
    }

    #[tokio::test]
    async fn those_who_only_sit_there_make_room_for_those_who_ask() {
        let (_dir, path, mut control) = socket();
        let mut idle = Vec::new();
        for _ in 0..MOST_ASKERS {
            idle.push(UnixStream::connect(&path).await.unwrap());
        }
        for _ in 0..3 {
            let path = path.clone();
            let late = tokio::spawn(async move { ask(&path, b"{\"ask\":\"status\"}\n").await });
            let question = control.next().await;
            control.answer(question.asker, Answer::Refused("later".into()));
            assert_eq!(late.await.unwrap(), "{\"refused\":\"later\"}\n");
        }
        // The one that came last has been silent for the shortest time.
        let last = idle.last_mut().unwrap();
        last.write_all(b"{\"ask\":\"status\"}\n").await.unwrap();
        assert_eq!(control.next().await.ask, Ask::Status);
        let mut one = [0; 1];
        assert_eq!(tokio::io::AsyncReadExt::read(&mut idle[0], &mut one).await.unwrap_or(0), 0);
    }
}
