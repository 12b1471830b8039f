//! What goes over the switch, read by a reader of its own: it shares no code with what it watches.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IoSliceMut;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::net::if_::{if_indextoname, if_nametoindex};
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::sockopt::{RcvBufForce, ReceiveTimestampns};
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, RecvMsg, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

use super::clock::epoch;
use super::network::Switch;

/// `PACKET_OUTGOING` of the kernel: the copy of a frame on its way out of a port.
const OUTGOING: u8 = 4;

/// One message seen entering the switch.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// Seconds since 1970.
    pub(crate) at: f64,
    pub(crate) node: String,
    pub(crate) fields: BTreeMap<String, String>,
    /// The whole datagram.
    pub(crate) bytes: Vec<u8>,
}

impl Heard {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// Reads everything that enters the switch until it is dropped.
pub(crate) struct Tap {
    heard: Arc<Mutex<Vec<Heard>>>,
    end: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Tap {
    pub(crate) fn new(switch: &Switch) -> Tap {
        let (heard, end) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (into, ends, namespace) = (Arc::clone(&heard), Arc::clone(&end), switch.namespace());
        let reader = std::thread::spawn(move || {
            setns(&namespace, CloneFlags::CLONE_NEWNET).expect("this thread may enter a network of ours");
            read(&into, &ends);
        });
        Tap { heard, end, reader: Some(reader) }
    }

    /// Everything heard so far, oldest first.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When the statuses of a node were seen.
    pub(crate) fn beats(&self, node: &str) -> Vec<f64> {
        self.heard()
            .iter()
            .filter(|heard| heard.node == node && heard.get("t") == "status")
            .map(|heard| heard.at)
            .collect()
    }

    /// How many gratuitous ARPs for an address came from a host.
    pub(crate) fn announcements(&self, node: &str, address: &str) -> usize {
        let of = |heard: &&Heard| heard.node == node && heard.get("t") == "arp" && heard.get("ip") == address;
        self.heard().iter().filter(of).count()
    }

    /// The dialogue without heartbeats and acks, one message a line.
    pub(crate) fn talk(&self) -> String {
        let mut text = String::new();
        let mut last: BTreeMap<String, String> = BTreeMap::new();
        for heard in self.heard() {
            let kind = heard.get("t");
            if kind == "arp" {
                continue;
            }
            let shown: Vec<String> = heard
                .fields
                .iter()
                .filter(|(name, _)| {
                    !["t", "src", "srcuuid", "destuuid", "ts", "ld", "ttl", "auth", "protocol"].contains(&name.as_str())
                })
                .filter(|(name, _)| kind != "status" || ["st", "dt", "hg"].contains(&name.as_str()))
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let line = format!("{:8} {kind} {}", heard.node, shown.join(" "));
            let again = kind == "status" && last.insert(heard.node.clone(), line.clone()).as_ref() == Some(&line);
            if !again && kind != "NS_ackmsg" {
                let _ = writeln!(text, "{:.3} {line}", heard.at);
            }
        }
        text
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn read(heard: &Mutex<Vec<Heard>>, end: &AtomicBool) {
    // All Ethernet protocols; the number stands in network order.
    let everything = Protocol::from(i32::from(0x0003_u16.to_be()));
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(everything)).expect("a packet socket");
    socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a read timeout");
    // What the kernel drops before it is read would pass for silence.
    setsockopt(&socket, RcvBufForce, &(64 << 20)).expect("root may have a large buffer");
    // In a flood we read late; what counts is when a frame came.
    setsockopt(&socket, ReceiveTimestampns, &true).expect("the kernel tells when a frame came");
    let bridges = ["br0", "br1"].map(|name| if_nametoindex(name).unwrap_or(0) as usize);
    let (mut frame, mut control) = (vec![0; 65536], nix::cmsg_space!(TimeSpec));
    while !end.load(Ordering::Relaxed) {
        let mut into = [IoSliceMut::new(&mut frame)];
        let received = recvmsg::<LinkAddr>(socket.as_raw_fd(), &mut into, Some(&mut control), MsgFlags::empty());
        let Some((n, at, from)) = received.ok().and_then(|got| Some((got.bytes, arrival(&got), got.address?))) else {
            continue;
        };
        if from.pkttype() == OUTGOING || bridges.contains(&from.ifindex()) {
            continue;
        }
        if let Some(node) = advertiser(&frame[..n]) {
            let fields = BTreeMap::from([("t".to_owned(), "vrrp".to_owned())]);
            let advert = Heard { at, node, fields, bytes: Vec::new() };
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(advert);
            continue;
        }
        if let Some(address) = announced(&frame[..n]) {
            let port = if_indextoname(u32::try_from(from.ifindex()).unwrap_or(0)).unwrap_or_default();
            let node = port.to_string_lossy().trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
            let fields = BTreeMap::from([("t".to_owned(), "arp".to_owned()), ("ip".to_owned(), address)]);
            let announcement = Heard { at, node, fields, bytes: Vec::new() };
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(announcement);
            continue;
        }
        let bytes = payload(&frame[..n]).unwrap_or_default();
        if let Some(fields) = message(bytes) {
            let node = fields.get("src").cloned().unwrap_or_default();
            heard.lock().unwrap_or_else(PoisonError::into_inner).push(Heard {
                at,
                node,
                fields,
                bytes: bytes.to_vec(),
            });
        }
    }
}

/// When the kernel had it, in seconds since 1970.
fn arrival(got: &RecvMsg<'_, '_, LinkAddr>) -> f64 {
    let stamp = got.cmsgs().into_iter().flatten().find_map(|control| {
        let ControlMessageOwned::ScmTimestampns(at) = control else { return None };
        Some(Duration::from(at).as_secs_f64())
    });
    stamp.unwrap_or_else(epoch)
}

/// Who sent this advertisement of VRRP, by its address.
fn advertiser(frame: &[u8]) -> Option<String> {
    let ip = frame.get(14..)?;
    let vrrp = frame[12..14] == [0x08, 0x00] && *ip.get(9)? == 112;
    let from: [u8; 4] = ip.get(12..16)?.try_into().ok()?;
    vrrp.then(|| std::net::Ipv4Addr::from(from).to_string())
}

/// The address of a gratuitous ARP: whoever says where an address is that it asks about itself.
fn announced(frame: &[u8]) -> Option<String> {
    let arp = frame.get(14..42)?;
    let from: [u8; 4] = arp[14..18].try_into().ok()?;
    let is_announcement = frame[12..14] == [0x08, 0x06] && arp[24..28] == from && from != [0; 4];
    is_announcement.then(|| std::net::Ipv4Addr::from(from).to_string())
}

/// The data of an IPv4 UDP frame.
fn payload(frame: &[u8]) -> Option<&[u8]> {
    let ip = frame.strip_prefix(frame.get(..14)?)?;
    let header = usize::from(ip.first()? & 0x0f) * 4;
    let udp = frame[12..14] == [0x08, 0x00] && *ip.get(9)? == 17;
    udp.then(|| ip.get(header + 8..)).flatten()
}

/// The fields of a message in either form, unchecked; text only, a binary value is shown as it is.
fn message(bytes: &[u8]) -> Option<BTreeMap<String, String>> {
    if let Some(body) = bytes.strip_prefix(b">>>\n") {
        let text = String::from_utf8_lossy(body);
        return Some(text.lines().take_while(|line| *line != "<<<").filter_map(field).collect());
    }
    let mut rest = bytes.strip_prefix(b"###\n")?;
    let mut fields = BTreeMap::new();
    while !rest.starts_with(b"%%%\n") {
        let colon = rest.iter().position(|byte| *byte == b':')?;
        let length: usize = std::str::from_utf8(&rest[..colon]).ok()?.parse().ok()?;
        let value = rest.get(colon + 1..colon + 1 + length)?;
        rest = rest.get(colon + 2 + length..)?;
        let (name, value) = field(&String::from_utf8_lossy(value.get(3..)?))?;
        fields.entry(name).or_insert(value);
    }
    Some(fields)
}

fn field(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once('=')?;
    Some((name.trim_start_matches("(1)").to_owned(), value.to_owned()))
}
