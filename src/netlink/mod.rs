//! The little of rtnetlink we need: links by name, addresses, routes. One socket, answers awaited, every length checked;
//! nothing waits longer than two seconds.
//!
//! ```text
//! mod.rs: the socket, links, addresses ──> route, six ──> attribute: the bytes of one
//! ```

mod attribute;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod route;
mod six;

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use attribute::{attributes, ip, name, push, u16_at, u32_at, value};

pub use route::Route;
pub use six::{Address6, Route6};

const NLM_REQUEST: u16 = 1;
const NLM_ACK: u16 = 4;
const NLM_DUMP: u16 = 0x300;
const NLM_CREATE_EXCL: u16 = 0x600;
/// `AF_INET` as netlink headers carry it.
const INET: u8 = 2;
const DONE: u16 = 3;
const ERROR: u16 = 2;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_BROADCAST: u16 = 4;
const IFF_UP: u32 = 1;
const IFF_LOWER_UP: u32 = 0x1_0000;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number.
    pub index: u32,
    /// `eth0`
    pub name: String,
    /// Its hardware address; six bytes for Ethernet.
    pub mac: Vec<u8>,
    /// Whether it is switched on.
    pub up: bool,
    /// Whether something is at the other end of its cable.
    pub carrier: bool,
}

/// An IPv4 address on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The interface's number.
    pub index: u32,
    /// The address.
    pub ip: Ipv4Addr,
    /// Length of the netmask.
    pub prefix: u8,
    /// `eth0:0`, what old tools show as an interface of its own.
    pub label: Option<String>,
    /// The highest address of the net, usually.
    pub broadcast: Option<Ipv4Addr>,
}

/// A conversation with the kernel about the network namespace it was opened in.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// Opens it.
    ///
    /// # Errors
    /// Whatever `socket(2)` says.
    pub fn open() -> io::Result<Netlink> {
        let socket = Socket::new(
            Domain::from(libc::AF_NETLINK),
            Type::RAW.cloexec(),
            Some(Protocol::from(libc::NETLINK_ROUTE)),
        )?;
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
        Ok(Netlink { socket, sequence: 0 })
    }

    /// All interfaces.
    ///
    /// # Errors
    /// What the kernel answers, or no answer.
    pub fn links(&mut self) -> io::Result<Vec<Link>> {
        let parts = self.ask(libc::RTM_GETLINK, NLM_DUMP, &[0; 16])?;
        Ok(parts.iter().filter_map(|part| parse_link(part)).collect())
    }

    /// All IPv4 addresses.
    ///
    /// # Errors
    /// As [`Netlink::links`].
    pub fn addresses(&mut self) -> io::Result<Vec<Address>> {
        let parts = self.ask(libc::RTM_GETADDR, NLM_DUMP, &[INET, 0, 0, 0, 0, 0, 0, 0])?;
        Ok(parts.iter().filter_map(|part| parse_address(part)).collect())
    }

    /// Switches an interface on.
    ///
    /// # Errors
    /// As [`Netlink::links`].
    pub fn switch_on(&mut self, index: u32) -> io::Result<()> {
        let mut header = vec![0; 4];
        header.extend_from_slice(&index.to_ne_bytes());
        header.extend_from_slice(&IFF_UP.to_ne_bytes());
        header.extend_from_slice(&IFF_UP.to_ne_bytes());
        self.ask(libc::RTM_NEWLINK, NLM_ACK, &header).map(drop)
    }

    /// Adds an address.
    ///
    /// # Errors
    /// `EEXIST` when it is there already.
    pub fn add_address(&mut self, address: &Address) -> io::Result<()> {
        self.ask(libc::RTM_NEWADDR, NLM_CREATE_EXCL | NLM_ACK, &spell_address(address)).map(drop)
    }

    /// Removes an address.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` when it is not there.
    pub fn delete_address(&mut self, address: &Address) -> io::Result<()> {
        self.ask(libc::RTM_DELADDR, NLM_ACK, &spell_address(address)).map(drop)
    }

    fn ask(&mut self, kind: u16, flags: u16, payload: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut request = Vec::with_capacity(16 + payload.len());
        let length = u32::try_from(16 + payload.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        request.extend_from_slice(&length.to_ne_bytes());
        request.extend_from_slice(&kind.to_ne_bytes());
        request.extend_from_slice(&(flags | NLM_REQUEST).to_ne_bytes());
        request.extend_from_slice(&self.sequence.to_ne_bytes());
        request.extend_from_slice(&[0; 4]);
        request.extend_from_slice(payload);
        self.socket.send(&request)?;
        let mut parts = Vec::new();
        loop {
            let buffer = self.receive()?;
            if take_messages(&buffer, self.sequence, &mut parts)? {
                return Ok(parts);
            }
        }
    }

    fn receive(&self) -> io::Result<Vec<u8>> {
        use io::Read;

        let mut buffer = vec![0; 65_536];
        let length = (&self.socket).read(&mut buffer)?;
        buffer.truncate(length);
        Ok(buffer)
    }
}

/// Collects the payloads of one datagram; `true` when the answer is complete.
fn take_messages(mut buffer: &[u8], sequence: u32, parts: &mut Vec<Vec<u8>>) -> io::Result<bool> {
    while let Some(head) = buffer.get(..16) {
        let length = u32_at(head, 0) as usize;
        let (kind, seq) = (u16_at(head, 4), u32_at(head, 8));
        let Some(payload) = buffer.get(16..length.max(16)) else { return Ok(true) };
        if seq == sequence {
            match kind {
                DONE => return Ok(true),
                ERROR => {
                    let code = payload.get(..4).map_or(0, |bytes| u32_at(bytes, 0).cast_signed());
                    return if code == 0 { Ok(true) } else { Err(io::Error::from_raw_os_error(code.saturating_neg())) };
                }
                _ => parts.push(payload.to_vec()),
            }
        }
        buffer = buffer.get(length.max(16).next_multiple_of(4)..).unwrap_or(&[]);
    }
    Ok(false)
}

fn parse_link(part: &[u8]) -> Option<Link> {
    let found = attributes(part.get(16..)?);
    let mac = value(&found, IFLA_ADDRESS).unwrap_or(&[]).to_vec();
    let flags = u32_at(part, 8);
    let (up, carrier) = (flags & IFF_UP != 0, flags & IFF_LOWER_UP != 0);
    Some(Link { index: u32_at(part, 4), name: name(value(&found, IFLA_IFNAME)?)?, mac, up, carrier })
}

fn parse_address(part: &[u8]) -> Option<Address> {
    let found = attributes(part.get(8..)?);
    Some(Address {
        index: u32_at(part, 4),
        ip: ip(value(&found, IFA_LOCAL).or_else(|| value(&found, IFA_ADDRESS))?)?,
        prefix: *part.get(1)?,
        label: value(&found, IFA_LABEL).and_then(name),
        broadcast: value(&found, IFA_BROADCAST).and_then(ip),
    })
}

fn spell_address(address: &Address) -> Vec<u8> {
    // In one network the kernel takes one scope, and gives its own addresses there that of the host.
    let scope = if address.ip.is_loopback() { libc::RT_SCOPE_HOST } else { libc::RT_SCOPE_UNIVERSE };
    let mut bytes = vec![INET, address.prefix, 0, scope];
    bytes.extend_from_slice(&address.index.to_ne_bytes());
    push(&mut bytes, IFA_LOCAL, &address.ip.octets());
    push(&mut bytes, IFA_ADDRESS, &address.ip.octets());
    if let Some(broadcast) = address.broadcast {
        push(&mut bytes, IFA_BROADCAST, &broadcast.octets());
    }
    if let Some(label) = &address.label {
        let mut text = label.clone().into_bytes();
        text.truncate(15);
        text.push(0);
        push(&mut bytes, IFA_LABEL, &text);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_loopback_interface_is_found_with_its_address() {
        let mut netlink = Netlink::open().unwrap();
        let lo = netlink.links().unwrap().into_iter().find(|link| link.name == "lo").unwrap();
        let addresses = netlink.addresses().unwrap();
        let expected = Ipv4Addr::LOCALHOST;
        assert!(addresses.iter().any(|address| address.index == lo.index && address.ip == expected), "{addresses:?}");
    }

    #[test]
    fn a_refusal_may_have_any_number() {
        for code in [i32::MIN, i32::MIN + 1, -17, 17, i32::MAX] {
            let (length, kind) = (20_u32.to_ne_bytes(), ERROR.to_ne_bytes());
            let answer = [&length[..], &kind, &[0; 2], &1_u32.to_ne_bytes(), &[0; 4], &code.to_ne_bytes()].concat();
            assert!(take_messages(&answer, 1, &mut Vec::new()).is_err(), "{code}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut parts = Vec::new();
            let _ = take_messages(&bytes, 1, &mut parts);
            parse_link(&bytes);
            parse_address(&bytes);
        }
    }
}
