//! Where a commit's consequences go: from one branch to the others and to the duties.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

use actors::AfterCommit;
use domain::{Attempt, EntityId, EntityKey, IntentId, Kind};
use tokio::sync::{Notify, mpsc};
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::warn;
use uuid::Uuid;

use crate::erased::AnyBranch;
use crate::life::Life;

/// Sets of intents that may wait to be handed out; the dispatcher's own pace keeps it far below.
const SENDS_MAX: usize = 16_384;
/// Rows that may wait to be set aside; one that does not fit is claimed again and tried again.
const ASIDE_MAX: usize = 1_024;

/// Attempts of intents that go out now. The drain waits until they are handed on.
pub(crate) struct Outgoing {
    pub attempts: Vec<(IntentId, Attempt)>,
    #[expect(dead_code, reason = "held for its drop")]
    under_way: TaskTrackerToken,
}

/// Ties branches and duties together without either knowing the other.
pub(crate) struct Hub {
    branches: OnceLock<HashMap<Kind, Weak<dyn AnyBranch>>>,
    pub owed: Notify,
    life: Life,
    sends: mpsc::Sender<Outgoing>,
    aside: mpsc::Sender<(Uuid, String)>,
}

/// The receiving ends of the hub.
pub(crate) struct Outlets {
    pub sends: mpsc::Receiver<Outgoing>,
    pub aside: mpsc::Receiver<(Uuid, String)>,
}

impl Hub {
    pub fn new(life: Life) -> (Arc<Self>, Outlets) {
        let (sends, sends_out) = mpsc::channel(SENDS_MAX);
        let (aside, aside_out) = mpsc::channel(ASIDE_MAX);
        let hub = Self { branches: OnceLock::new(), owed: Notify::new(), life, sends, aside };
        (Arc::new(hub), Outlets { sends: sends_out, aside: aside_out })
    }

    /// Makes the branches known; once, before anything is routed.
    pub fn connect(&self, branches: &[Arc<dyn AnyBranch>]) {
        let by_kind = branches.iter().map(|branch| (branch.kind(), Arc::downgrade(branch)));
        // A second tree on one hub cannot be built: `Tree::build` makes both together.
        let _ = self.branches.set(by_kind.collect());
    }

    pub fn branch(&self, kind: Kind) -> Option<Arc<dyn AnyBranch>> {
        self.branches.get()?.get(&kind)?.upgrade()
    }

    pub fn branches(&self) -> impl Iterator<Item = Arc<dyn AnyBranch>> {
        self.branches.get().into_iter().flat_map(HashMap::values).filter_map(Weak::upgrade)
    }

    /// Says that rows lie in the inboxes of some entities of one kind.
    pub fn look_into_inboxes(&self, kind: Kind, ids: &[EntityId]) {
        if let Some(branch) = self.branch(kind) {
            for id in ids {
                branch.look_into_inbox(*id);
            }
        }
    }
}

impl AfterCommit for Hub {
    fn signalled(&self, receivers: Vec<EntityKey>) {
        for key in receivers {
            self.look_into_inboxes(key.kind, &[key.id]);
        }
    }

    fn send(&self, attempts: Vec<(IntentId, Attempt)>) {
        let outgoing = Outgoing { attempts, under_way: self.life.under_way() };
        if self.sends.try_send(outgoing).is_err() {
            warn!("intents wait for their class: too many go out at once");
        }
    }

    fn owed(&self) {
        self.owed.notify_one();
    }

    fn set_aside(&self, row: Uuid, reason: String) {
        if self.aside.try_send((row, reason)).is_err() {
            warn!("a row of the inbox will be tried again: too many are set aside at once");
        }
    }
}
