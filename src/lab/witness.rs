//! The witness: a small process on each host that answers the caller with the host's name, and tells the bench, a line
//! each on its standard output, which addresses come and go and what the recorder scripts were asked to do.
//!
//! What it says is how the kernel sees the host, whatever the daemon says. It ends with
//! its host.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType,
    SockaddrIn, bind, recv, recvmsg, sendmsg, setsockopt, socket, sockopt,
};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::sys;

/// Where the witness answers.
pub const PORT: u16 = 7;
/// The FIFO recorder scripts write a line into.
pub const RECORD: &str = "/run/lab/record";

/// What the witness of a host said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It answers from now on.
    Ready,
    /// The host has this address now.
    Gained(IpAddr),
    /// It has it no more.
    Lost(IpAddr),
    /// A recorder script was called: `asterisk start`.
    Called(String),
}

impl Said {
    /// Reads a line of a witness; `None` when it is not one.
    pub fn from_line(line: &str) -> Option<Said> {
        let (word, rest) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
        match word {
            "ready" => Some(Said::Ready),
            "+" => rest.parse().ok().map(Said::Gained),
            "-" => rest.parse().ok().map(Said::Lost),
            "script" => Some(Said::Called(rest.to_owned())),
            _ => None,
        }
    }
}

/// Runs the witness of the host called `name` until it is killed.
///
/// # Errors
/// When a socket cannot be had.
pub fn run(name: &str) -> io::Result<()> {
    let _ = sys::set_realtime(2);
    let echo = echo_socket()?;
    let addresses = address_socket()?;
    let mut record = open_record()?;
    let mut stdout = io::stdout();
    writeln!(stdout, "ready")?;
    loop {
        let mut watched = [&echo, &addresses].map(OwnedFd::as_fd).map(|fd| PollFd::new(fd, PollFlags::POLLIN)).to_vec();
        watched.push(PollFd::new(record.as_fd(), PollFlags::POLLIN));
        match poll(&mut watched, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        answer(&echo, name);
        for line in address_changes(&addresses) {
            writeln!(stdout, "{line}")?;
        }
        let mut lines = [0; 4096];
        if let Ok(count) = record.read(&mut lines) {
            for call in String::from_utf8_lossy(&lines[..count]).lines() {
                writeln!(stdout, "script {call}")?;
            }
        }
    }
}

fn echo_socket() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let echo = socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
    setsockopt(&echo, sockopt::Ipv4PacketInfo, &true)?;
    bind(echo.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, PORT))?;
    Ok(echo)
}

/// Answers each datagram from the address it was sent to, with this host's name before what it said.
fn answer(echo: &OwnedFd, name: &str) {
    let mut buffer = [0; 64];
    let mut space = nix::cmsg_space!(libc::in_pktinfo);
    loop {
        let mut parts = [io::IoSliceMut::new(&mut buffer)];
        let Ok(asked) = recvmsg::<SockaddrIn>(echo.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::empty()) else {
            return;
        };
        let (length, from) = (asked.bytes, asked.address);
        let info = asked.cmsgs().ok().into_iter().flatten().find_map(|control| {
            if let ControlMessageOwned::Ipv4PacketInfo(info) = control { Some(info) } else { None }
        });
        let reply = [name.as_bytes(), b" ", &buffer[..length]].concat();
        let parts = [io::IoSlice::new(&reply)];
        let source = info.map(|info| libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: info.ipi_spec_dst, ..info });
        let control: Vec<ControlMessage> = source.iter().map(ControlMessage::Ipv4PacketInfo).collect();
        // An address that has just left cannot be answered from; the caller shall notice.
        let _ = sendmsg(echo.as_raw_fd(), &parts, &control, MsgFlags::empty(), from.as_ref());
    }
}

/// A socket on which the kernel tells of addresses.
fn address_socket() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let route = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkRoute)?;
    let groups = libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR;
    bind(route.as_raw_fd(), &NetlinkAddr::new(0, groups.cast_unsigned()))?;
    Ok(route)
}

fn address_changes(route: &OwnedFd) -> Vec<String> {
    let mut buffer = vec![0; 16_384];
    let mut lines = Vec::new();
    while let Ok(length) = recv(route.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
        lines.extend(read_changes(&buffer[..length]));
    }
    lines
}

/// `+ ADDRESS` and `- ADDRESS` for the changes in a datagram of rtnetlink.
fn read_changes(mut bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some((length, kind)) = u32_at(bytes, 0).zip(u16_at(bytes, 4)) {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some(message) = bytes.get(16..length) else { break };
        let sign = match kind {
            libc::RTM_NEWADDR => "+",
            libc::RTM_DELADDR => "-",
            _ => "",
        };
        if let Some(address) = local_address(message).filter(|_| !sign.is_empty()) {
            lines.push(format!("{sign} {address}"));
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    lines
}

/// The address an `ifaddrmsg` and its attributes are about.
fn local_address(message: &[u8]) -> Option<IpAddr> {
    let mut rest = message.get(8..)?;
    let mut found = None;
    while let Some((length, kind)) = u16_at(rest, 0).zip(u16_at(rest, 2)) {
        let length = usize::from(length);
        let value = rest.get(4..length)?;
        // IFA_LOCAL is the host's own on every kind of interface; IPv6 has only IFA_ADDRESS.
        if kind == libc::IFA_LOCAL || (kind == libc::IFA_ADDRESS && found.is_none()) {
            found = address(value);
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

fn address(value: &[u8]) -> Option<IpAddr> {
    if let Ok(bytes) = <[u8; 4]>::try_from(value) {
        return Some(Ipv4Addr::from(bytes).into());
    }
    <[u8; 16]>::try_from(value).ok().map(|bytes| Ipv6Addr::from(bytes).into())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

/// Opened for writing too, so that it does not end when a script closes it.
fn open_record() -> io::Result<std::fs::File> {
    let path = Path::new(RECORD);
    match mkfifo(path, Mode::from_bits_truncate(0o622)) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(error) => return Err(error.into()),
    }
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_witness_prints_is_understood() {
        assert_eq!(Said::from_line("+ 10.9.1.100\n"), Some(Said::Gained("10.9.1.100".parse().unwrap())));
        assert_eq!(Said::from_line("- fd00::1"), Some(Said::Lost("fd00::1".parse().unwrap())));
        assert_eq!(Said::from_line("script asterisk start"), Some(Said::Called("asterisk start".into())));
        assert_eq!(Said::from_line("ready\n"), Some(Said::Ready));
        assert_eq!(Said::from_line("+ nonsense"), None);
    }

    #[test]
    fn an_address_message_of_the_kernel_is_read_and_a_cut_one_is_not() {
        let mut message = 32_u32.to_ne_bytes().to_vec();
        message.extend(libc::RTM_NEWADDR.to_ne_bytes());
        message.extend([0; 10]);
        message.extend([2, 24, 0, 0, 2, 0, 0, 0]);
        message.extend(8_u16.to_ne_bytes());
        message.extend(libc::IFA_LOCAL.to_ne_bytes());
        message.extend([10, 9, 1, 100]);
        assert_eq!(read_changes(&message), ["+ 10.9.1.100"]);
        for length in 0..message.len() {
            assert!(read_changes(&message[..length]).is_empty(), "{length}");
        }
    }
}
