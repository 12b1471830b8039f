//! `ha.cf`, `latido.cf`, `haresources` and `authkeys`: read, checked, assembled (`config.md`).

mod media;

use std::path::PathBuf;
use std::time::Duration;

use crate::auth::Keyring;
use crate::cluster::Settings;
use crate::diagnostic::Problem;
use crate::haresources::ResourceGroup;

pub use media::{MediumSpec, literal_address};

/// The whole configuration, complete and consistent.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the core needs.
    pub settings: Settings,
    /// The groups in file order.
    pub groups: Vec<ResourceGroup>,
    /// The keys.
    pub keyring: Keyring,
    /// The media in file order.
    pub media: Vec<MediumSpec>,
    /// Where the log goes.
    pub logging: LogTargets,
    /// `realtime`
    pub realtime: bool,
    /// `rtprio`; `None` is the middle of the range.
    pub rtprio: Option<u8>,
    /// `watchdog`
    pub watchdog: Option<PathBuf>,
    /// `msgfmt netstring`
    pub netstring: bool,
    /// `hbgenmethod time`
    pub generation_from_time: bool,
    /// `uuidfrom nodename`
    pub uuid_from_name: bool,
    /// `env NAME=VALUE`, and every parameter as `HA_<directive>` for scripts, as written (`resources.md` 3.3).
    pub parameters: Vec<(String, String)>,
    /// `announce COUNT TIME`
    pub announce: (u32, Duration),
    /// Legal but unwise things found on the way.
    pub warnings: Vec<Problem>,
}

/// Where the log goes (`config.md` 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogTargets {
    /// `logfile`
    pub logfile: Option<PathBuf>,
    /// `debugfile`
    pub debugfile: Option<PathBuf>,
    /// `logfacility`: the word, such as `local0`; `None` for none.
    pub facility: Option<String>,
    /// `debug`
    pub debug: u8,
    /// `syslogmsgfmt`: `Nov 20 23:16:34 alpha heartbeat: [26]: ERROR: text`, else the form of 2.1.
    pub syslog_format: bool,
    /// `use_logd`: accepted; our messages go to the other targets, or to syslog `daemon` when there is none.
    pub use_logd: bool,
}
