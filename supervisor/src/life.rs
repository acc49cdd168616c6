//! Whether the tree lives: what is under way, what must begin nothing more, and what ends at once.

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Shared by everything that the tree starts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    closing: CancellationToken,
    ended: CancellationToken,
    work: TaskTracker,
    duties: TaskTracker,
}

impl Life {
    /// Is cancelled when nothing new begins any more.
    pub fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Returns what tracks the duties.
    pub fn duties(&self) -> &TaskTracker {
        &self.duties
    }

    /// Counts as work under way until it is dropped.
    pub fn under_way(&self) -> TaskTrackerToken {
        self.work.token()
    }

    /// Starts work that a stop waits for.
    pub fn work(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let ended = self.ended.clone();
        self.work.spawn(async move {
            ended.run_until_cancelled(task).await;
        })
    }

    /// Starts a duty: a stop does not wait for what it still has to do.
    pub fn duty(&self, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let ended = self.ended.clone();
        self.duties.spawn(async move {
            ended.run_until_cancelled(task).await;
        })
    }

    /// Waits until no work is under way.
    pub async fn settle(&self) {
        self.work.close();
        self.work.wait().await;
    }

    /// Ends everything.
    pub fn end(&self) {
        self.closing.cancel();
        self.ended.cancel();
        self.duties.close();
    }
}
