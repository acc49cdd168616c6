//! Connections that go dead without a word: nobody waits for them for ever, and others take their place.

mod common;

use std::time::Duration;

use common::proxy::Proxy;
use common::with_world;
use domain::Kind;
use domain::ports::{Checkpoints as _, InterviewQueries as _, Scope, Timers as _};
use domain::{EntityId, TenantId};
use futures_util::future::join_all;
use persistence::{PgStore, Queries};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

/// More callers than a pool has connections.
const CALLERS: usize = 12;
/// How long a caller may wait at most: the bound of one question.
const ANSWER_MAX: Duration = Duration::from_secs(11);
/// How long the pools may take until all is as before, and to close.
const WELL_WITHIN: Duration = Duration::from_secs(15);

#[tokio::test]
async fn dead_connections_are_replaced_whether_they_were_idle_or_at_work() {
    with_world(async |world| {
        let proxy = Proxy::start(&world.database, 0, 0);
        let over_there = proxy.database();
        let store = PgStore::new(over_there.clone());
        let queries = Queries::new(over_there.clone());
        let now = world.now().await;
        let scope = Scope::Tenant(TenantId::DEFAULT);
        let ask = async |number: usize| {
            let id = EntityId(Uuid::from_u128(number as u128));
            let asked = Instant::now();
            let answers = (
                store.load(Kind::Interview, vec![id], now).await.is_ok(),
                store.take_due(now, 10).await.is_ok(),
                queries.detail(scope, id).await.is_ok(),
            );
            assert!(asked.elapsed() < 3 * ANSWER_MAX, "{:?}", asked.elapsed());
            answers == (true, true, true)
        };
        let all = async || join_all((0..CALLERS).map(&ask)).await.into_iter().all(|well| well);
        assert!(all().await);
        for _ in 0..3 {
            // Idle ones first, then those that are in the middle of a question.
            proxy.forget();
            let (_, ()) = tokio::join!(all(), async { proxy.forget() });
            let began = Instant::now();
            while !all().await {
                assert!(began.elapsed() < WELL_WITHIN, "the pools stay without connections");
            }
        }
        proxy.forget();
        timeout(WELL_WITHIN, over_there.close()).await.expect("dead connections let it close");
    })
    .await;
}
