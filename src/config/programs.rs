//! The programs `ha.cf` names, and who may talk to the node: what `respawn`, `apiauth` and `stonith` say (`config.md` 3).

/// A program kept running beside the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RespawnLine {
    /// Whose rights it has.
    pub user: String,
    /// Its path and arguments, separated by blanks.
    pub command: Vec<String>,
    /// Whether this node is rebooted when it dies (`failfast`).
    pub failfast: bool,
}

/// Who may sign on as one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRule {
    /// The client's name; `default` stands for all others.
    pub client: String,
    /// Users, by name or number.
    pub uids: Vec<String>,
    /// Groups, by name or number.
    pub gids: Vec<String>,
}

/// A fencing device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FenceDevice {
    /// `stonith TYPE FILE`: a plugin of cluster-glue with its parameters in a file.
    File {
        /// The plugin.
        device: String,
        /// Its configuration file.
        file: String,
    },
    /// `stonith_host HOST TYPE PARAMETERS`
    Parameters {
        /// The plugin.
        device: String,
        /// As the plugin wants them.
        parameters: String,
    },
    /// `fence COMMAND` of `latido.cf`: `%n` stands for the node; exit 0 means that it is off.
    Command(Vec<String>),
}

impl FenceDevice {
    /// How the log calls it. Parameters may be passwords: they are not part of it.
    pub fn name(&self) -> String {
        match self {
            FenceDevice::File { device, .. } | FenceDevice::Parameters { device, .. } => device.clone(),
            FenceDevice::Command(words) => words.first().cloned().unwrap_or_default(),
        }
    }
}
