//! The old names this executable answers to (`resources.md` 3, `api.md` 3): `heartbeat`, `cl_status`, `ipfail`, `dopd` and the
//! small helpers, in their own words and with their own exit codes. They talk to the same sockets as the new commands.

pub(super) mod cl_status;
pub(super) mod dopd;
pub(super) mod drbd_peer_outdater;
pub(super) mod heartbeat;
pub(super) mod helpers;
pub(super) mod ipfail;
pub(super) mod log;
pub(super) mod programs;
