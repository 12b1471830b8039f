//! The client: asks the address every 2 ms and notes each answer and whose it was. Its neighbour cache is never touched, so
//! the gratuitous ARP of the taker is part of the result.

use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns};

use super::echo::PORT;
use super::support::clock::{epoch, instant};
use super::support::network::Switch;

/// Between two questions.
const EVERY: Duration = Duration::from_millis(2);

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Seconds since 1970.
    pub(crate) at: f64,
    pub(crate) host: String,
}

/// Asks until it is dropped.
pub(crate) struct Probe {
    answers: Arc<Mutex<Vec<Answer>>>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Probe {
    pub(crate) fn new(switch: &Switch, address: &str) -> Probe {
        let (answers, end) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (into, ends, namespace, target) =
            (Arc::clone(&answers), Arc::clone(&end), switch.namespace(), format!("{address}:{PORT}"));
        let thread = std::thread::spawn(move || {
            setns(&namespace, CloneFlags::CLONE_NEWNET).expect("this thread may enter a network of ours");
            ask(&target, &into, &ends);
        });
        Probe { answers, end, thread: Some(thread) }
    }

    /// All answers since `from`.
    pub(crate) fn answers(&self, from: f64) -> Vec<Answer> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.iter().filter(|answer| answer.at >= from).cloned().collect()
    }

    /// The longest time without an answer between `from` and now, in seconds.
    pub(crate) fn outage(&self, from: f64) -> f64 {
        let answers = self.answers(from);
        answers.windows(2).map(|two| two[1].at - two[0].at).fold(0.0, f64::max)
    }

    /// When that host first answered after `from`.
    pub(crate) fn first(&self, host: &str, from: f64) -> Option<f64> {
        self.answers(from).into_iter().find(|answer| answer.host == host).map(|answer| answer.at)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn ask(target: &str, answers: &Mutex<Vec<Answer>>, end: &AtomicBool) {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    socket.set_nonblocking(true).expect("a non-blocking socket");
    let mut bytes = [0; 64];
    let mut next = instant();
    while !end.load(Ordering::Relaxed) {
        if instant() >= next {
            // While nobody has the address there is nobody to send to.
            let _ = socket.send_to(b"?", target);
            next += EVERY;
        }
        let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut fds, PollTimeout::from(1_u8));
        while let Ok((n, _)) = socket.recv_from(&mut bytes) {
            let host = String::from_utf8_lossy(&bytes[..n]).into_owned();
            answers.lock().unwrap_or_else(PoisonError::into_inner).push(Answer { at: epoch(), host });
        }
    }
}
