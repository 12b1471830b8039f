//! Whether the interface of a service's address has a carrier (`latido.cf`, `monitor ADDRESS`): an address that is there is
//! of no use on a cable that is pulled out.

use std::io;
use std::net::IpAddr;

use crate::netlink::{Link, Netlink};

/// Looks for the interface that has this address; what is wrong with it is the error, a sentence.
pub(super) fn of_address(address: &str) -> Result<String, String> {
    let ip: IpAddr = address.parse().map_err(|_| format!("\"{address}\" is not an address"))?;
    match link_of(ip) {
        Ok(Some(link)) if !link.up => Err(format!("{} is switched off", link.name)),
        Ok(Some(link)) if !link.carrier => Err(format!("{} has no carrier: is its cable pulled out?", link.name)),
        Ok(Some(link)) => Ok(format!("{} has a carrier", link.name)),
        Ok(None) => Err(format!("{address} is on no interface")),
        Err(error) => Err(format!("cannot ask the kernel for its interfaces: {error}")),
    }
}

fn link_of(ip: IpAddr) -> io::Result<Option<Link>> {
    let mut netlink = Netlink::open()?;
    let index = match ip {
        IpAddr::V4(ip) => netlink.addresses()?.into_iter().find(|there| there.ip == ip).map(|there| there.index),
        IpAddr::V6(ip) => netlink.addresses6()?.into_iter().find(|there| there.ip == ip).map(|there| there.index),
    };
    Ok(netlink.links()?.into_iter().find(|link| Some(link.index) == index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_here_has_a_carrier_and_one_that_is_not_is_named() {
        assert_eq!(of_address("127.0.0.1"), Ok("lo has a carrier".to_owned()));
        assert_eq!(of_address("192.0.2.77"), Err("192.0.2.77 is on no interface".to_owned()));
        assert!(of_address("nowhere").unwrap_err().contains("is not an address"));
    }
}
