//! The WebSockets: who they are, and when they have to go.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Handed to whatever outlives its request. Cheap to clone; clones share.
///
/// A handler that upgrades spawns its task on [`Self::tracker`], and the task says goodbye and ends
/// when [`Self::closing`] is cancelled: the server waits for it, for a while.
#[derive(Clone, Debug, Default)]
pub struct Sockets {
    closing: CancellationToken,
    tracker: TaskTracker,
}

impl Sockets {
    /// Has none yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Is cancelled when every socket has to close.
    pub const fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Counts the tasks behind the sockets.
    pub const fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }

    /// Tells every socket to close.
    pub(super) fn close(&self) {
        self.closing.cancel();
        self.tracker.close();
    }
}
