//! What may be asked at the control socket, and the answers: one JSON object a line, each way (`status.md`).

use serde::{Deserialize, Serialize};

use super::document::Status;

/// What may be asked: `{"ask":"status"}`, `{"ask":"standby","set":"all"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "lowercase")]
pub enum Ask {
    /// How things are.
    Status,
    /// Give groups to the other node; answered when it is over.
    Standby {
        /// `all`, `local`, `foreign` or `failback`.
        set: String,
    },
    /// Forget that a group failed here; answered at once.
    Retry {
        /// The group's first resource, or any of its resources.
        group: String,
    },
    /// Move one group; answered when it is over.
    Move {
        /// The group's first resource, or any of its resources.
        group: String,
        /// The node it shall run on; the one that does not run it when none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// See that a group runs on this node, and start what of it does not; answered at once.
    Bring {
        /// The group's first resource.
        group: String,
    },
    /// Count the other node's lives from anew; answered at once.
    Forget {
        /// The other node.
        node: String,
    },
    /// Read the files again; answered at once.
    Reload,
    /// Take groups from the other node; answered when it is over.
    Takeover {
        /// `all`, `local`, `foreign` or `failback`.
        set: String,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// To [`Ask::Status`].
    Status(Box<Status>),
    /// The keys of the groups that moved.
    Moved(Vec<String>),
    /// The files were read again.
    Reread {
        /// Whether they are in force; else everything goes on as before.
        accepted: bool,
        /// What is to be known about them, or what is wrong with them, a sentence each.
        said: Vec<String>,
    },
    /// Why not, or why only in part.
    Refused(String),
}
