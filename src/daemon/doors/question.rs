//! A question on its way to the loop, and the end of the channel that takes it there: for the control socket and the page.

use tokio::sync::{mpsc, oneshot};

use crate::names::ClientId;
use crate::status::{Answer, Ask, Status};

/// A question that waits for its answer.
#[derive(Debug)]
pub(crate) struct Question {
    /// Whom to answer.
    pub asker: ClientId,
    /// What it asks.
    pub ask: Ask,
    /// Who it is, for the journal.
    pub by: String,
}

/// A question on its way to the loop.
#[derive(Debug)]
pub(crate) struct PendingQuestion {
    pub ask: Ask,
    pub by: String,
    pub answer_to: oneshot::Sender<Answer>,
}

/// Sends questions to the loop, from a task.
#[derive(Clone, Debug)]
pub(crate) struct QuestionSender(pub(crate) mpsc::Sender<PendingQuestion>);

impl QuestionSender {
    /// When the daemon is ending.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn of_nobody() -> QuestionSender {
        QuestionSender(mpsc::channel(1).0)
    }

    /// `None` when the daemon is ending.
    pub(crate) async fn status(&self) -> Option<Status> {
        let (answer_to, answer) = oneshot::channel();
        let pending = PendingQuestion { ask: Ask::Status, by: "the status page".to_owned(), answer_to };
        self.0.send(pending).await.ok()?;
        match answer.await.ok()? {
            Answer::Status(status) => Some(*status),
            Answer::Moved(_) | Answer::Reread { .. } | Answer::Refused(_) => None,
        }
    }
}
