//! The interface that the arguments of an address agent name, or leave open.

use std::io;

use crate::netlink::{Link, Netlink};

/// Says of an interface's index whether an address there is the one meant: without a name every interface is meant, with
/// the name of one that is not there, none.
///
/// # Errors
/// When the interfaces cannot be listed.
pub(super) fn meant(netlink: &mut Netlink, nic: Option<&str>) -> io::Result<impl Fn(u32) -> bool + use<>> {
    let index = match nic {
        Some(nic) => Some(netlink.links()?.into_iter().find(|link| link.name == nic).map(|link| link.index)),
        None => None,
    };
    Ok(move |there| index.is_none_or(|index| index == Some(there)))
}

/// The interface of that name.
///
/// # Errors
/// A sentence with the names there are.
pub(super) fn named<'a>(links: &'a [Link], nic: &str) -> Result<&'a Link, String> {
    links.iter().find(|link| link.name == nic).ok_or_else(|| {
        let have: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
        format!("Device \"{nic}\" does not exist. (have: {})", have.join(", "))
    })
}
