//! The service of a host: answers each datagram with the host's name, whatever address it was sent to.

use std::net::UdpSocket;
use std::process::ExitCode;

/// The port of the service.
pub(crate) const PORT: u16 = 7777;

/// Answers until the host ends.
pub(crate) fn run(name: &str) -> ExitCode {
    let Ok(socket) = UdpSocket::bind(("0.0.0.0", PORT)) else {
        return ExitCode::FAILURE;
    };
    let mut bytes = [0; 64];
    loop {
        if let Ok((_, from)) = socket.recv_from(&mut bytes) {
            let _ = socket.send_to(name.as_bytes(), from);
        }
    }
}
