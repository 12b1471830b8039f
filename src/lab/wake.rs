//! Waking a thread that waits in `poll`.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// Readable once [`Wake::ring`] was called, until [`Wake::clear`].
#[derive(Debug)]
pub(super) struct Wake {
    bell: UnixStream,
    ear: UnixStream,
}

impl Wake {
    pub(super) fn new() -> io::Result<Wake> {
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        Ok(Wake { bell, ear })
    }

    pub(super) fn ring(&self) {
        // Full means that it rings already.
        let _ = (&self.bell).write(&[1]);
    }

    pub(super) fn clear(&self) {
        let _ = (&self.ear).read(&mut [0; 256]);
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ear.as_fd()
    }
}
