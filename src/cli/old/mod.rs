//! The old names this executable answers to (`resources.md` 3, `api.md` 3): `heartbeat`, `cl_status`, `ipfail`, `dopd` and the
//! small helpers, in their own words and with their own exit codes. They talk to the same sockets as the new commands.
//! Old names that are no more than a command of `latido` (`hb_standby`, `ResourceManager`, …) are with that command.
//!
//! ```text
//! cli ──> program, client: by the name that was called
//!           ├ heartbeat, helpers (req_resource, mach_down), programs (send_arp, …; what is refused)
//!           └ cl_status, ipfail, dopd, drbd_peer_outdater      the client API
//! log     what the daemons of old write, and where: ipfail, dopd, programs
//! ```

mod cl_status;
mod dopd;
mod drbd_peer_outdater;
mod heartbeat;
pub(super) mod helpers;
mod ipfail;
mod log;
mod programs;

use std::process::ExitCode;

/// Runs the old program of that name; `None` when there is none. Those of `client` are none here.
pub(super) fn program(name: &str, words: &[String]) -> Option<ExitCode> {
    Some(match name {
        "heartbeat" => heartbeat::heartbeat(words),
        "req_resource" => helpers::req_resource(words),
        "mach_down" => helpers::mach_down(words),
        "send_arp" => programs::send_arp(words),
        "ha_logger" => programs::ha_logger(words),
        "cl_respawn" => programs::cl_respawn(words),
        name if programs::is_refused(name) => programs::refuse(name),
        _ => return None,
    })
}

/// The same for those that speak the client API; they serve as commands of `latido` as well.
pub(super) fn client(name: &str, words: &[String]) -> Option<ExitCode> {
    Some(match name {
        "cl_status" => cl_status::cl_status(words),
        "ipfail" => ipfail::ipfail(),
        "dopd" => dopd::dopd(),
        "drbd-peer-outdater" => drbd_peer_outdater::drbd_peer_outdater(words),
        _ => return None,
    })
}
