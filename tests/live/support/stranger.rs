//! The third host, which is the switch itself: it can send anything to anyone, and has heard everything.

use std::net::{SocketAddr, UdpSocket};

use nix::sched::{CloneFlags, setns};

use super::Pair;

/// A datagram socket of the third host.
pub(crate) struct Stranger {
    socket: UdpSocket,
    everybody: SocketAddr,
}

impl Stranger {
    /// Sends a datagram to both nodes.
    pub(crate) fn send(&self, bytes: &[u8]) {
        // A full queue of our own host, or a datagram too long to be one, is no concern of the test.
        let _ = self.socket.send_to(bytes, self.everybody);
    }
}

/// Does something on the third host.
pub(crate) fn as_stranger<T: Send>(pair: &Pair, act: impl FnOnce(&Stranger) -> T + Send) -> T {
    let namespace = pair.switch.namespace();
    std::thread::scope(|scope| {
        let stranger = scope.spawn(move || {
            setns(&namespace, CloneFlags::CLONE_NEWNET).expect("this thread may enter a network of ours");
            let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
            socket.set_broadcast(true).expect("a broadcasting socket");
            act(&Stranger { socket, everybody: SocketAddr::from(([10, 21, 0, 255], 694)) })
        });
        stranger.join().expect("the stranger comes back")
    })
}

/// The last heartbeat of `beta` as it went over the wire, whole.
pub(crate) fn overheard(pair: &Pair) -> Vec<u8> {
    let heard = pair.tap.heard();
    let last = heard.iter().rev().find(|heard| heard.node == "beta" && heard.get("t") == "status");
    last.expect("beta beats").bytes.clone()
}
