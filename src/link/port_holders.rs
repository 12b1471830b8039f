//! Whose sockets hold a UDP port: `/proc/net/udp` and `udp6` (proc(5)). A port above 1023 is anybody's who comes first.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};

/// More sockets than a machine has; in bytes.
const LONGEST: u64 = 16 << 20;

/// Whether the port is root's: held by a process of root's, by nobody, or nobody can say.
pub(super) fn is_roots(port: u16) -> bool {
    let holders: Vec<u32> = ["/proc/net/udp", "/proc/net/udp6"].iter().flat_map(|path| holders(path, port)).collect();
    holders.is_empty() || holders.contains(&0)
}

fn holders(path: &str, port: u16) -> Vec<u32> {
    let Ok(file) = File::open(path) else { return Vec::new() };
    let lines = BufReader::new(file.take(LONGEST)).lines().map_while(Result::ok);
    lines.filter_map(|line| holder(&line, port)).collect()
}

/// `sl local_address:port rem_address:port st tx:rx tr:when retrnsmt uid …`, addresses and ports in hex.
fn holder(line: &str, port: u16) -> Option<u32> {
    let mut words = line.split_ascii_whitespace();
    let (_, local) = words.nth(1)?.rsplit_once(':')?;
    (u16::from_str_radix(local, 16).ok()? == port).then(|| words.nth(5)?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_of_a_socket_is_found_by_its_port() {
        let line = " 5038: 00000000:069E 00000000:0000 07 00000000:00000000 00:00000000 00000000 65534        0 36513 2 0000 0";
        assert_eq!((holder(line, 1694), holder(line, 694)), (Some(65534), None));
        assert_eq!(
            holder("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid", 1694),
            None
        );
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        assert!(holders("/proc/net/udp", port).contains(&nix::unistd::geteuid().as_raw()));
    }
}
