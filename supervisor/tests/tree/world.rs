//! One database, one outside, and as many processes as a test starts one after or beside the other.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::ports::{Clock, Store};
use domain::{Cause, DedupeKey, EntityId, EntityKey, Kind, Machine, TenantId};
use supervisor::{Branch, Feed, Incoming, Ports, Routed, Stored, Tree, TreeSettings, Unavailable};
use tokio::time::Instant;
use uuid::Uuid;

use crate::memory::Memory;
use crate::panics;
use crate::toy::{Event, NoColumns, Outside, Toy};

/// The time of tokio, from noon in India on a Friday.
pub struct VirtualClock {
    base: DateTime<Utc>,
    start: Instant,
}

impl VirtualClock {
    pub fn start() -> Arc<Self> {
        let base = DateTime::parse_from_rfc3339("2026-11-20T06:30:00Z").unwrap().to_utc();
        Arc::new(Self { base, start: Instant::now() })
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> DateTime<Utc> {
        self.base + self.start.elapsed()
    }
}

pub struct World {
    pub clock: Arc<dyn Clock>,
    pub memory: Memory,
    pub outside: Arc<Outside>,
}

/// One process. Dropped, it is killed.
pub struct House {
    pub tree: Arc<Tree>,
    pub toys: Arc<Branch<Toy>>,
    clock: Arc<dyn Clock>,
}

impl World {
    pub fn new() -> Self {
        panics::watch();
        let clock: Arc<dyn Clock> = VirtualClock::start();
        let memory = Memory::new(Arc::clone(&clock));
        let outside = Outside::new(Arc::clone(&clock));
        Self { clock, memory, outside }
    }

    pub fn ports(&self) -> Ports {
        Ports {
            journal: Arc::new(self.memory.clone()),
            store: Arc::new(self.memory.clone()) as Arc<dyn Store>,
            clock: Arc::clone(&self.clock),
        }
    }

    /// Starts a process that holds nothing yet and does not dial.
    pub async fn start(&self) -> House {
        self.start_with(TreeSettings::default()).await
    }

    pub async fn start_with(&self, settings: TreeSettings) -> House {
        let tree = Arc::new(Tree::build(self.ports(), settings));
        let toys = tree.add(Arc::new(NoColumns), Arc::clone(&self.outside) as Arc<_>);
        tree.start().await.unwrap();
        House { tree, toys, clock: Arc::clone(&self.clock) }
    }

    /// Starts a process that is up: it dials.
    pub async fn start_up(&self) -> House {
        let house = self.start().await;
        house.tree.come_up(async {}).await;
        house
    }

    /// Starts the feed of a process.
    pub fn start_feed(&self, house: &House) -> Arc<Feed> {
        let feed = Feed::new();
        self.memory.publish_to(Arc::clone(&feed) as Arc<_>);
        let facts = Arc::new(self.memory.clone());
        tokio::spawn(Arc::clone(&feed).run(facts, house.tree.shutdown().clone()));
        feed
    }

    pub fn toy(&self, id: EntityId) -> Toy {
        self.memory.state(id)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let unplanned = panics::unplanned();
            assert!(unplanned.is_empty(), "nobody planned that: {unplanned:?}");
        }
    }
}

/// Returns the id of the `n`-th entity.
pub fn entity(n: u128) -> EntityId {
    EntityId(Uuid::from_u128(0xe000_0000 + n))
}

pub fn key_of(id: EntityId) -> EntityKey {
    EntityKey { kind: Kind::Interview, id }
}

/// Returns the key of the `n`-th delivery.
pub fn delivery_key(n: u128) -> DedupeKey {
    DedupeKey(Uuid::from_u128(0xd000_0000_0000 + n))
}

pub fn incoming<M: Machine>(
    id: EntityId,
    cause: Cause,
    event: M::Event,
    now: DateTime<Utc>,
) -> Incoming<M> {
    let (tenant, remarks) = (TenantId::DEFAULT, None);
    let stored = Stored::Unasked;
    Incoming { id, tenant, event: Arc::new(event), cause, received_at: now, remarks, stored }
}

impl House {
    /// Pushes an event under the `n`-th key.
    pub async fn push(&self, id: EntityId, n: u128, event: Event) -> Result<Routed, Unavailable> {
        let cause = Cause::Pushed { key: delivery_key(n), raw: Arc::from(*b"{}") };
        self.toys.route(incoming(id, cause, event, self.clock.now())).await
    }

    pub async fn command(&self, id: EntityId, event: Event) -> Result<Routed, Unavailable> {
        self.toys.route(incoming(id, Cause::Command, event, self.clock.now())).await
    }

    /// Ends the process as `kill -9` does.
    pub async fn kill(self) {
        let Self { tree, toys, .. } = self;
        drop((tree, toys));
        pass(Duration::from_millis(1)).await;
    }
}

/// Lets virtual time pass.
pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

pub async fn pass_s(seconds: u64) {
    pass(Duration::from_secs(seconds)).await;
}

pub fn is_applied(routed: &Result<Routed, Unavailable>) -> bool {
    matches!(routed, Ok(Routed::Applied { .. }))
}
