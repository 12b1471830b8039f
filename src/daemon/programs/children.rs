//! The scripts and programs that run now, and how each ended (`resources.md` 3.2).

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::haresources::{Exit, Outcome};
use crate::host::environment::Environment;
use crate::host::lookup::Call;
use crate::host::script::{Output, spawn, supervise};
use crate::names::JobId;

/// A child that ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Ended {
    /// A resource script.
    Resource(JobId, Outcome),
    /// An agent of ours in a process of its own, with what it was called.
    Agent(JobId, String, Outcome),
    /// The `notify` command, with the number of what it was told.
    NotifyCommand(u64, Exit),
    /// A notification script, with the type of the message it was for.
    NotificationScript(String, Exit),
}

/// The children that run now.
#[derive(Debug, Default)]
pub(crate) struct Children {
    tasks: JoinSet<Ended>,
    cancels: BTreeMap<JobId, oneshot::Sender<()>>,
}

impl Children {
    /// Starts a script and returns its pid; its end comes out of [`Children::next`], made into what `ended` says.
    ///
    /// # Errors
    /// When it cannot be run at all.
    pub(crate) fn start(
        &mut self,
        call: &Call,
        output: Output,
        limit: Duration,
        environment: &Environment,
        ended: impl FnOnce(Outcome) -> Ended + Send + 'static,
    ) -> io::Result<u32> {
        self.supervised(call, output, limit, environment, std::future::pending(), ended)
    }

    /// As [`Children::start`], for a job that [`Children::cancel`] may end.
    ///
    /// # Errors
    /// When it cannot be run at all.
    pub(crate) fn start_job(
        &mut self,
        job: JobId,
        call: &Call,
        output: Output,
        limit: Duration,
        environment: &Environment,
        ended: impl FnOnce(Outcome) -> Ended + Send + 'static,
    ) -> io::Result<u32> {
        let (cancel, cancelled) = oneshot::channel();
        let cancelled = async move {
            if cancelled.await.is_err() {
                // Nobody can cancel it any more.
                std::future::pending::<()>().await;
            }
        };
        let pid = self.supervised(call, output, limit, environment, cancelled, ended)?;
        self.cancels.retain(|_, sender| !sender.is_closed());
        self.cancels.insert(job, cancel);
        Ok(pid)
    }

    fn supervised(
        &mut self,
        call: &Call,
        output: Output,
        limit: Duration,
        environment: &Environment,
        cancelled: impl Future<Output = ()> + Send + 'static,
        ended: impl FnOnce(Outcome) -> Ended + Send + 'static,
    ) -> io::Result<u32> {
        let (child, words) = spawn(call, output, environment)?;
        let pid = child.id().unwrap_or(0);
        self.tasks.spawn(async move { ended(supervise(child, words, limit, cancelled).await) });
        Ok(pid)
    }

    /// Ends what runs for a job, as at its time limit; nothing happens when it has ended.
    pub(crate) fn cancel(&mut self, job: JobId) {
        if let Some(cancel) = self.cancels.remove(&job) {
            let _ = cancel.send(());
        }
    }

    /// Something of ours that is no script and ends like one.
    pub(crate) fn spawn(&mut self, ending: impl Future<Output = Ended> + Send + 'static) {
        self.tasks.spawn(ending);
    }

    /// The next child that ends; never, while none runs. Cancel safe.
    pub(crate) async fn next(&mut self) -> Ended {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(ended)) => return ended,
                // A task of ours neither panics nor is aborted.
                Some(Err(_)) => {}
                None => std::future::pending::<()>().await,
            }
        }
    }
}
