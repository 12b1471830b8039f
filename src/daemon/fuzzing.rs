//! Ways for `fuzz/` to parsers that are private here; built with the feature `fuzzing` alone.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::host::pidfile;

use super::doors::fifo::Fifo;
use super::doors::question::QuestionSender;
use super::doors::status_page;
use super::driver::probe;
use super::life::identity;
use super::life::notes::NotesOnDisk;

/// The notes of a dead predecessor: as they are written down again, if they can be read.
pub fn notes(text: &str) -> Option<String> {
    let notes = NotesOnDisk::from_text(text)?;
    let written = notes.to_text();
    let again = NotesOnDisk::from_text(&written);
    assert_eq!(again.as_ref().map(NotesOnDisk::to_text), Some(written.clone()), "{text:?}");
    Some(written)
}

/// A line of `latido-peers`, a pid file, the answer of a telephone exchange.
pub fn lines(text: &str) {
    text.lines().for_each(|line| drop(identity::parse_peer(line)));
    assert!(pidfile::pid_in(text).is_none_or(|pid| pid > 0));
    probe::is_answer(text, 7);
}

/// What the FIFO holds after each of these was written into it: the messages that are whole.
pub fn fifo<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let mut fifo = Fifo::absent();
    pieces.flat_map(|piece| fifo.written(piece)).collect()
}

/// A request for the status page that comes at once: whether it is meant for this machine, alpha, and its answer while
/// the daemon ends.
pub fn page(mut bytes: &[u8]) -> Option<(bool, String)> {
    let asking = async {
        let request = status_page::read_request(&mut bytes).await?;
        let first = request.lines().next().unwrap_or_default();
        let ours = status_page::is_for_us(&request, &["alpha".to_owned()]);
        Some((ours, status_page::answer(first, &QuestionSender::of_nobody()).await))
    };
    match pin!(asking).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => None,
    }
}
