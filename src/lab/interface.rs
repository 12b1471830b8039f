//! Interfaces and addresses of the lab, by rtnetlink: just the requests the lab makes, each acknowledged by the kernel.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::net::if_::if_nametoindex;
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket};

/// Makes a veth pair: `here` in the caller's network, switched on, and `there` in the network `space`, with this hardware
/// address. Returns the index of the end here.
///
/// # Errors
/// As the kernel says; a missing veth driver is named.
pub(super) fn create_veth(here: &str, there: &str, mac: [u8; 6], space: BorrowedFd<'_>) -> io::Result<u32> {
    let mut request = Request::new(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL);
    request.put(&interface_header(0, 0));
    request.text(libc::IFLA_IFNAME, here);
    request.nest(libc::IFLA_LINKINFO, |info| {
        info.text(IFLA_INFO_KIND, "veth");
        info.nest(IFLA_INFO_DATA, |data| {
            data.nest(VETH_INFO_PEER, |peer| {
                peer.put(&interface_header(0, 0));
                peer.text(libc::IFLA_IFNAME, there);
                peer.attribute(libc::IFLA_ADDRESS, &mac);
                peer.attribute(libc::IFLA_NET_NS_FD, &space.as_raw_fd().to_ne_bytes());
            });
        });
    });
    request.send().map_err(|error| match error.raw_os_error() {
        Some(libc::EOPNOTSUPP) => io::Error::new(error.kind(), "the kernel has no veth driver (CONFIG_VETH)"),
        _ => error,
    })?;
    let index = index_of(here)?;
    set_up(index, true)?;
    Ok(index)
}

/// Switches an interface on or off; a veth that is off takes the carrier from its other end.
///
/// # Errors
/// As the kernel says.
pub(super) fn set_up(index: u32, up: bool) -> io::Result<()> {
    let mut request = Request::new(libc::RTM_NEWLINK, 0);
    let flag = libc::IFF_UP.cast_unsigned();
    request.put(&interface_header(index, if up { flag } else { 0 }));
    request.send()
}

/// Removes an interface, a veth together with its other end.
///
/// # Errors
/// As the kernel says.
pub(super) fn delete(index: u32) -> io::Result<()> {
    let mut request = Request::new(libc::RTM_DELLINK, 0);
    request.put(&interface_header(index, 0));
    request.send()
}

/// Gives an interface an address with `prefix` bits of network and the broadcast address of that network.
///
/// # Errors
/// As the kernel says.
pub(super) fn add_address(index: u32, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
    let mut request = Request::new(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_EXCL);
    request.put(&[byte(libc::AF_INET), prefix, 0, 0]);
    request.put(&index.to_ne_bytes());
    request.attribute(libc::IFA_LOCAL, &address.octets());
    request.attribute(libc::IFA_ADDRESS, &address.octets());
    if prefix < 31 {
        let hosts = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
        request.attribute(libc::IFA_BROADCAST, &Ipv4Addr::from(u32::from(address) | hosts).octets());
    }
    request.send()
}

/// Sends what has no other route to this gateway.
///
/// # Errors
/// As the kernel says, for instance when the gateway is in no network of ours.
#[allow(dead_code, reason = "for configurations whose addresses lie in several nets")]
pub(super) fn add_default_route(gateway: Ipv4Addr) -> io::Result<()> {
    let mut request = Request::new(libc::RTM_NEWROUTE, libc::NLM_F_CREATE);
    request.put(&[byte(libc::AF_INET), 0, 0, 0]);
    request.put(&[libc::RT_TABLE_MAIN, libc::RTPROT_STATIC, libc::RT_SCOPE_UNIVERSE, libc::RTN_UNICAST]);
    request.put(&0_u32.to_ne_bytes());
    request.attribute(libc::RTA_GATEWAY, &gateway.octets());
    request.send()
}

/// The kernel's number of an interface of the caller's network.
///
/// # Errors
/// When there is no such interface.
pub(super) fn index_of(name: &str) -> io::Result<u32> {
    if_nametoindex(name).map_err(|error| io::Error::new(io::Error::from(error).kind(), format!("{name}: {error}")))
}

// linux/if_link.h, linux/veth.h
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const HEADER: usize = 16;

/// A request being built.
struct Request(Vec<u8>);

impl Request {
    fn new(kind: u16, flags: i32) -> Request {
        let flags = u16::try_from(flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK).unwrap_or_default();
        let mut request = Request(vec![0; 4]);
        request.put(&kind.to_ne_bytes());
        request.put(&flags.to_ne_bytes());
        request.put(&[0; 8]);
        request
    }

    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.nest(kind, |inner| inner.put(value));
    }

    fn text(&mut self, kind: u16, text: &str) {
        self.attribute(kind, &[text.as_bytes(), b"\0"].concat());
    }

    fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Request)) {
        let start = self.0.len();
        self.put(&[0; 2]);
        self.put(&kind.to_ne_bytes());
        fill(self);
        let length = u16::try_from(self.0.len() - start).unwrap_or(u16::MAX);
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    /// Sends it from the caller's network and waits for the kernel's answer.
    fn send(mut self) -> io::Result<()> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        let route = open()?;
        sendto(route.as_raw_fd(), &self.0, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        let mut answer = [0; 4096];
        let length = recv(route.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        let code = answer[..length].get(HEADER..HEADER + 4).and_then(|code| code.try_into().ok());
        match code.map(i32::from_ne_bytes) {
            Some(0) => Ok(()),
            Some(code) => Err(io::Error::from_raw_os_error(-code)),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn open() -> io::Result<OwnedFd> {
    Ok(socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?)
}

/// An `ifinfomsg`; of the flags only `IFF_UP` is touched.
fn interface_header(index: u32, flags: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..16].copy_from_slice(&libc::IFF_UP.to_ne_bytes());
    header
}

fn byte(value: i32) -> u8 {
    u8::try_from(value).unwrap_or_default()
}
