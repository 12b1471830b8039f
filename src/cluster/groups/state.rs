//! What a group does on this node, and what is not known of it (`resources.md` 3.1). Rests on nothing else of the core.

/// What a group is doing on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupState {
    /// Not running here.
    Free,
    /// Being started here.
    Starting,
    /// Every resource of it was started here.
    Held,
    /// Being stopped here.
    Stopping,
    /// It could not be started here, or died again and again, and is stopped.
    Failed,
    /// It could not be stopped here: it may be running, and nobody else may start it.
    Blocked,
}

impl GroupState {
    /// All of them.
    pub const ALL: [GroupState; 6] = [
        GroupState::Free,
        GroupState::Starting,
        GroupState::Held,
        GroupState::Stopping,
        GroupState::Failed,
        GroupState::Blocked,
    ];

    /// Whether it runs here, is to run here, or has not finished stopping.
    pub const fn is_claimed(self) -> bool {
        match self {
            GroupState::Starting | GroupState::Held | GroupState::Stopping | GroupState::Blocked => true,
            GroupState::Free | GroupState::Failed => false,
        }
    }

    /// As `latido status` and the files of a node spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            GroupState::Free => "free",
            GroupState::Starting => "starting",
            GroupState::Held => "held",
            GroupState::Stopping => "stopping",
            GroupState::Failed => "failed",
            GroupState::Blocked => "blocked",
        }
    }
}

/// Whether the peer may have taken a group that we claim without our knowing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cluster) enum Doubt {
    No,
    /// A predecessor had only begun to start it, or it was found running: it goes on when nobody else claims it.
    Inherited,
    /// We stood still for longer than deadtime: if the peer has it, it keeps it.
    Overslept,
}
