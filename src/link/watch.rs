//! Hears from the kernel that something about the interfaces changed, so that nobody has to look again and again.
//!
//! Says only *that* something changed; `interface` says what is there now.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::task::{Context, Poll};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::sys;

/// The kernel's reports of links and of IPv4 addresses that come, change and go (linux/rtnetlink.h).
const GROUPS: u32 = 0x1 | 0x10;

/// So many reports are read in one go.
const AT_ONCE: usize = 64;

/// A subscription to those reports.
#[derive(Debug)]
pub(super) struct Watcher(AsyncFd<OwnedFd>);

impl Watcher {
    /// Subscribes; needs a tokio runtime around it.
    pub(super) fn open() -> io::Result<Watcher> {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
        sys::watch(fd, Interest::READABLE).map(Watcher)
    }

    /// Ready when something changed since the last time.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut changed = false;
        let mut more = true;
        for _ in 0..AT_ONCE {
            let Poll::Ready(Ok(mut ready)) = self.0.poll_read_ready(cx) else {
                more = false;
                break;
            };
            match recv(ready.get_inner().as_raw_fd(), &mut [0; 16], MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC) {
                // Too many reports at once are a report too.
                Ok(_) | Err(Errno::ENOBUFS) => changed = true,
                Err(Errno::EINTR) => {}
                Err(_) => ready.clear_ready(),
            }
        }
        if more {
            // Interfaces that come and go without end hold up nothing else.
            cx.waker().wake_by_ref();
        }
        if changed { Poll::Ready(()) } else { Poll::Pending }
    }
}
