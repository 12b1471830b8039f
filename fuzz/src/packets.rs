//! Packets that anybody on the segment can send, and what the kernel answers: ARP, neighbour advertisements, echo replies,
//! netlink.

use super::{Seed, bytes::Bytes};

/// The first byte says who reads the rest; all of it is cheap, so that the packet readers read everything.
pub fn run(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let mode = bytes.byte();
    let packet = bytes.rest();
    latido::agent::fuzzing::packet(packet);
    for v6 in [false, true] {
        for id in [0, 77, u16::MAX] {
            if let Some(data) = latido::link::fuzzing::echo(packet, v6, id) {
                assert!(data <= packet.len(), "the data begins behind the packet");
            }
        }
    }
    match mode % 3 {
        0 => latido::netlink::fuzzing::datagram(packet, 1),
        1 => latido::netlink::fuzzing::part(packet),
        _ => {}
    }
}

/// One packet of each kind.
pub fn seeds() -> Vec<Seed> {
    let arp =
        [&[2, 0, 1, 8, 0, 6, 4, 0, 2][..], &[2, 0, 0, 0, 0, 1, 10, 0, 0, 10], &[255; 6], &[10, 0, 0, 10]].concat();
    let mut advertisement = vec![2, 0x60, 0, 0, 0, 0, 32, 58, 255];
    advertisement.extend([0xfe; 32]);
    advertisement.extend([136, 0, 0, 0, 0x20, 0, 0, 0]);
    advertisement.extend([0xfd; 16]);
    advertisement.extend([2, 1, 2, 0, 0, 0, 0, 1]);
    let mut echo = vec![2, 0x45];
    echo.extend([0; 19]);
    echo.extend([0, 0, 0, 0, 77, 0, 0, 1, b'b', b'e', b'a', b't']);
    let attribute = |kind: u16, value: &[u8]| {
        let length = u16::try_from(4 + value.len()).unwrap_or(4);
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let message = |kind: u16, payload: &[u8]| {
        let length = u32::try_from(16 + payload.len()).unwrap_or(16);
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0, 0], &1_u32.to_ne_bytes(), &[0; 4], payload].concat()
    };
    let link =
        [&[0; 8][..], &[1, 0, 1, 0], &[0; 4], &attribute(3, b"eth0\0"), &attribute(1, &[2, 0, 0, 0, 0, 1])].concat();
    let address = [&[2, 24, 0, 0, 2, 0, 0, 0][..], &attribute(2, &[10, 0, 0, 10]), &attribute(3, b"eth0:0\0")].concat();
    let address6 = [&[10, 64, 0, 0, 2, 0, 0, 0][..], &attribute(1, &[0xfd; 16])].concat();
    let route =
        [&[2, 24, 0, 0, 254, 2, 0, 1, 0, 0, 0, 0][..], &attribute(1, &[10, 0, 0, 0]), &attribute(4, &[2, 0, 0, 0])];
    let route = route.concat();
    let dump =
        [message(16, &link), message(20, &address), message(20, &address6), message(24, &route), message(3, &[0; 4])];
    let with = |mode: u8, bytes: &[u8]| [&[mode], bytes].concat();
    vec![
        ("arp".into(), arp),
        ("advertisement".into(), advertisement),
        ("echo".into(), echo),
        ("dump".into(), with(0, &dump.concat())),
        ("refused".into(), with(0, &message(2, &(-17_i32).to_ne_bytes()))),
        ("link".into(), with(1, &link)),
        ("address".into(), with(1, &address)),
        ("address6".into(), with(1, &address6)),
        ("route".into(), with(1, &route)),
    ]
}
