//! The FIFO in which scripts on this machine leave messages (`wire.md` 1.6, `resources.md` 4.1).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use tokio::io::unix::AsyncFd;

use crate::host::files;

/// More than any message a script writes; what exceeds it without an end mark is thrown away.
const LONGEST: usize = 65_536;

/// The reading end.
#[derive(Debug)]
pub(crate) struct Fifo {
    /// `None` while it cannot be made.
    file: Option<AsyncFd<File>>,
    text: Vec<u8>,
}

impl Fifo {
    /// Makes it, mode 600, unless it is there, and opens it.
    ///
    /// # Errors
    /// When it can be neither made nor opened.
    pub(crate) fn open(path: &Path) -> io::Result<Fifo> {
        if !fs::symlink_metadata(path).is_ok_and(|meta| is_ours(&meta)) {
            files::remove_leftover(path)?;
            nix::unistd::mkfifo(path, nix::sys::stat::Mode::from_bits_truncate(0o600))?;
        }
        // Opened for writing too: there is always a writer, so the end of one script is not an end of file for us.
        let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
        if !file.metadata().is_ok_and(|meta| is_ours(&meta)) {
            return Err(io::Error::other("somebody put something else there"));
        }
        Ok(Fifo { file: Some(crate::sys::watch(file, tokio::io::Interest::READABLE)?), text: Vec::new() })
    }

    /// One that nobody can write into.
    pub(crate) const fn absent() -> Fifo {
        Fifo { file: None, text: Vec::new() }
    }

    /// The next message's text, from `>>>` to `<<<`; cancel safe. Whatever stands between messages is dropped.
    pub(crate) async fn next(&mut self) -> String {
        loop {
            if let Some(message) = self.take_message() {
                return message;
            }
            let mut chunk = [0; 4096];
            let ready = match &self.file {
                Some(file) => file.readable().await.ok(),
                None => None,
            };
            let Some(mut ready) = ready else {
                // There is none, or the reactor is gone: we are ending.
                std::future::pending::<()>().await;
                continue;
            };
            if let Ok(Ok(read)) = ready.try_io(|file| file.get_ref().read(&mut chunk)) {
                self.text.extend_from_slice(&chunk[..read]);
            }
        }
    }

    /// As if this had been written into it; all messages that are whole now.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn written(&mut self, bytes: &[u8]) -> Vec<String> {
        self.text.extend_from_slice(bytes);
        assert!(self.text.len() <= LONGEST + bytes.len(), "what has no end is kept");
        std::iter::from_fn(|| self.take_message()).collect()
    }

    fn take_message(&mut self) -> Option<String> {
        let Some(end) = find(&self.text, b"<<<\n").map(|at| at + 4) else {
            if self.text.len() > LONGEST {
                self.text.clear();
            }
            return None;
        };
        let whole: Vec<u8> = self.text.drain(..end).collect();
        // A script that died in the middle left a beginning without an end: the last beginning counts.
        let start = whole.windows(4).rposition(|window| window == b">>>\n")?;
        Some(String::from_utf8_lossy(&whole[start..]).into_owned())
    }
}

fn is_ours(meta: &fs::Metadata) -> bool {
    meta.file_type().is_fifo() && meta.uid() == nix::unistd::geteuid().as_raw() && meta.mode() & 0o077 == 0
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn write(path: &Path, text: &str) {
        OpenOptions::new().write(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[tokio::test]
    async fn messages_of_several_writers_are_read_one_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        let mut fifo = Fifo::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        write(&path, "noise\n>>>\nt=a\n<<<\n>>>\nt=cut off");
        assert_eq!(fifo.next().await, ">>>\nt=a\n<<<\n");
        write(&path, "\n>>>\nt=b\n<<<\n");
        assert_eq!(fifo.next().await, ">>>\nt=b\n<<<\n");
    }

    #[tokio::test]
    async fn an_end_without_a_beginning_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        let mut fifo = Fifo::open(&path).unwrap();
        write(&path, "t=x\n<<<\n>>>\nt=y\n<<<\n");
        assert_eq!(fifo.next().await, ">>>\nt=y\n<<<\n");
    }

    #[tokio::test]
    async fn what_is_not_our_fifo_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        fs::write(&path, "a file").unwrap();
        let _fifo = Fifo::open(&path).unwrap();
        assert!(fs::metadata(&path).unwrap().file_type().is_fifo());
    }
}
