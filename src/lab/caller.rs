//! The caller: a client of the service. It asks the service addresses every few milliseconds, from a host of its own,
//! and knows how long nobody answered.
//!
//! Its neighbour cache is left alone, so that the gratuitous ARP of a takeover is part of what it sees. An outage is the
//! time from the last good answer to the next good one; its resolution is the interval of asking.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::clock::Clock;
use crate::sys;
use crate::time::Mono;

use super::host::in_network;
use super::printer::{Happening, What};
use super::witness;

/// One answer: when it came, and who gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    at: Mono,
    by: String,
}

/// All answers of each address, oldest first.
type Answers = BTreeMap<Ipv4Addr, Vec<Answer>>;

/// A running caller; its thread ends on drop.
#[derive(Debug)]
pub struct Caller {
    answers: Arc<Mutex<Answers>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Caller {
    /// Starts asking these addresses, from within this network, every `interval`. Answers after a silence longer than
    /// three intervals, and answers by another host than before, are told to `tell`.
    ///
    /// # Errors
    /// When there is no socket or thread to be had.
    pub fn start(
        network: BorrowedFd<'_>,
        addresses: &[Ipv4Addr],
        interval: Duration,
        clock: Clock,
        tell: Sender<Happening>,
    ) -> io::Result<Caller> {
        let socket = in_network(network, || UdpSocket::bind("0.0.0.0:0"))??;
        socket.set_nonblocking(true)?;
        let answers: Arc<Mutex<Answers>> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let for_thread = CallerThread {
            socket,
            addresses: addresses.to_vec(),
            interval,
            clock,
            tell,
            answers: Arc::clone(&answers),
            stop: Arc::clone(&stop),
        };
        let thread = thread::Builder::new().name("client".into()).spawn(move || for_thread.run())?;
        Ok(Caller { answers, stop, thread: Some(thread) })
    }

    /// The longest time without an answer that touches the time from `since` to `until`, of the address that had it
    /// worst; what has not ended counts up to `until`.
    pub fn worst_outage(&self, since: Mono, until: Mono) -> Duration {
        let answers = lock(&self.answers);
        answers.values().map(|answers| longest_gap(answers, since, until)).max().unwrap_or(until.since(since))
    }

    /// Who answered last at this address, and when.
    pub fn last_answer(&self, address: Ipv4Addr) -> Option<(String, Mono)> {
        let answers = lock(&self.answers);
        answers.get(&address)?.last().map(|answer| (answer.by.clone(), answer.at))
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(answers: &Mutex<Answers>) -> MutexGuard<'_, Answers> {
    answers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Between two answers, or between the last one and now.
fn longest_gap(answers: &[Answer], since: Mono, until: Mono) -> Duration {
    let first = answers.partition_point(|answer| answer.at <= since).saturating_sub(1);
    let times = answers[first..].iter().map(|answer| answer.at).take_while(|at| *at <= until);
    let mut last = times.clone().next().filter(|at| *at <= since).unwrap_or(since);
    let mut longest = Duration::ZERO;
    for at in times.chain([until]) {
        longest = longest.max(at.since(last));
        last = at;
    }
    longest
}

/// What the thread works with.
struct CallerThread {
    socket: UdpSocket,
    addresses: Vec<Ipv4Addr>,
    interval: Duration,
    clock: Clock,
    tell: Sender<Happening>,
    answers: Arc<Mutex<Answers>>,
    stop: Arc<AtomicBool>,
}

impl CallerThread {
    fn run(self) {
        let _ = sys::set_realtime(2);
        let mut next = self.clock.mono();
        while !self.stop.load(Ordering::Relaxed) {
            if self.clock.mono() >= next {
                self.ask();
                // After a stall of ours there is no use in asking for the past.
                next = (next + self.interval).max(self.clock.mono());
            }
            self.wait(next.since(self.clock.mono()));
            self.hear();
        }
    }

    fn ask(&self) {
        for address in &self.addresses {
            let _ = self.socket.send_to(b"?", (*address, witness::PORT));
        }
    }

    fn wait(&self, time: Duration) {
        let timeout = PollTimeout::try_from(time + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
        let _ = poll(&mut [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)], timeout);
    }

    fn hear(&self) {
        let mut buffer = [0; 128];
        // An ICMP error about one address is an error of the socket: the next datagram may still be good.
        for _ in 0..64 {
            match self.socket.recv_from(&mut buffer) {
                Ok((length, from)) => self.tell(&buffer[..length], from),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {}
            }
        }
    }

    fn tell(&self, reply: &[u8], from: SocketAddr) {
        let IpAddr::V4(address) = from.ip() else { return };
        if !self.addresses.contains(&address) {
            return;
        }
        let text = String::from_utf8_lossy(reply);
        let by = text.split(' ').next().unwrap_or_default().to_owned();
        let answer = Answer { at: self.clock.mono(), by };
        let mut answers = lock(&self.answers);
        let known = answers.entry(address).or_default();
        let news = self.news(address, known.last(), &answer);
        let at = answer.at;
        known.push(answer);
        drop(answers);
        if let Some(what) = news {
            let _ = self.tell.send(Happening { at, host: "client".to_owned(), what });
        }
    }

    fn news(&self, address: Ipv4Addr, last: Option<&Answer>, answer: &Answer) -> Option<What> {
        let Some(last) = last else {
            return Some(What::Answers { address, by: answer.by.clone(), outage: None });
        };
        let gap = answer.at.since(last.at);
        let noticed = gap > self.interval * 3 || last.by != answer.by;
        noticed.then(|| What::Answers { address, by: answer.by.clone(), outage: Some(gap) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(at: &[u64]) -> Vec<Answer> {
        at.iter().map(|ms| Answer { at: ms_at(*ms), by: "alpha".into() }).collect()
    }

    fn ms_at(ms: u64) -> Mono {
        Mono::at(Duration::from_millis(ms))
    }

    fn gap(at: &[u64], since: u64, until: u64) -> u64 {
        u64::try_from(longest_gap(&answers(at), ms_at(since), ms_at(until)).as_millis()).unwrap()
    }

    #[test]
    fn an_outage_is_counted_from_the_last_good_answer_before_the_event() {
        assert_eq!(gap(&[0, 5, 10, 510, 515], 12, 515), 500);
    }

    #[test]
    fn an_outage_that_has_not_ended_counts_up_to_now() {
        assert_eq!(gap(&[0, 5, 10], 12, 300), 290);
        assert_eq!(gap(&[], 12, 300), 288);
    }

    #[test]
    fn what_was_over_before_the_event_does_not_count() {
        assert_eq!(gap(&[0, 700, 705, 710], 706, 712), 5);
    }
}
