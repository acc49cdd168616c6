//! What is old goes, what is young stays, and the journal works all the while.

mod common;

use chrono::{DateTime, Days, Months, TimeDelta, Utc};
use common::ledger::{Ledger, first_seq, stored_facts};
use common::rows::IntentRow;
use common::{steps, with_world};
use domain::ports::Intents as _;
use domain::{IntentId, Reach};

/// How many days of bodies lie in the database at most: seven whole ones, and the one under way.
const BODY_DAYS_MAX: i64 = 8;
const BODIES: &str = "select count(*) from webhook_deliveries";
const KEYS: &str = "select count(*) from dedupe_keys";
const PARTITIONS: &str = "select count(*) from pg_inherits
    where inhparent in ('webhook_deliveries'::regclass, 'call_events'::regclass)";

#[tokio::test]
async fn forty_days_leave_a_week_of_bodies_and_a_month_of_keys() {
    with_world(async |world| {
        let ledger = Ledger::start(&world.database, 1);
        let begun = world.now().await;
        for day in 0..40_u64 {
            let now = begun + Days::new(day);
            world.database.ensure_partitions(now).await.unwrap();
            first_seq(
                &ledger.submit(steps::moved(steps::interview(day.into()), 0, "queued", now)).await,
            );
            // Keys are stamped by the database's time, of which only a moment passed.
            sqlx::query("update dedupe_keys set taken_at = taken_at - interval '1 day'")
                .execute(&mut world.journal().await)
                .await
                .unwrap();
            world.database.retire(now).await.unwrap();
            let bodies = world.count(BODIES).await;
            assert_eq!(bodies, i64::try_from(day + 1).unwrap().min(BODY_DAYS_MAX), "day {day}");
        }
        assert_eq!(world.count(KEYS).await, 29, "those of thirty days ago go in this moment");
        assert_eq!(stored_facts(world).await.len(), 40, "facts are kept");
        // Seven to eight days of bodies and two ahead, two to three months of facts and one ahead, two defaults.
        let partitions = world.count(PARTITIONS).await;
        assert!(partitions <= 17, "{partitions}");
    })
    .await;
}

#[tokio::test]
async fn facts_go_after_four_hundred_days_and_their_numbers_are_not_used_again() {
    with_world(async |world| {
        let ledger = Ledger::start(&world.database, 1);
        let begun = world.now().await;
        for month in 0..18 {
            let now = begun + Months::new(month);
            world.database.ensure_partitions(now).await.unwrap();
            let entity = steps::interview(month.into());
            let seq = first_seq(&ledger.submit(steps::moved(entity, 0, "queued", now)).await);
            assert_eq!(seq, i64::from(month) + 1);
            world.database.retire(now).await.unwrap();
        }
        let kept = stored_facts(world).await;
        let oldest = begun + Months::new(18 - u32::try_from(kept.len()).unwrap());
        let last = begun + Months::new(17);
        assert!(last - oldest >= TimeDelta::days(365), "{oldest}");
        assert!(last - oldest <= TimeDelta::days(400 + 31), "{oldest}");
    })
    .await;
}

#[tokio::test]
async fn what_lies_in_the_default_partition_goes_as_well() {
    with_world(async |world| {
        let ledger = Ledger::start(&world.database, 1);
        let long_ago: DateTime<Utc> = "2020-05-05T05:05:05Z".parse().unwrap();
        first_seq(&ledger.submit(steps::moved(steps::interview(1), 0, "queued", long_ago)).await);
        assert_eq!((world.count(BODIES).await, stored_facts(world).await.len()), (1, 1));
        world.database.retire(world.now().await).await.unwrap();
        assert_eq!((world.count(BODIES).await, stored_facts(world).await.len()), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn claims_whose_time_is_over_go_and_those_in_doubt_stay() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        let old = now - TimeDelta::hours(1);
        for (n, status, effect) in
            [(1, "done", "{}"), (2, "done", "{\"a\":1}"), (3, "sending", "{}")]
        {
            IntentRow { status, ..IntentRow::sending(n, "+919529117230", now) }
                .insert(&mut journal)
                .await;
            sqlx::query("update intents set held_until = $2, effect = $3 where id = $1")
                .bind(IntentId(uuid::Uuid::from_u128(0x3000 + n)).0)
                .bind(old)
                .bind(effect)
                .execute(&mut journal)
                .await
                .unwrap();
        }
        let retired = world.database.retire(now).await.unwrap();
        assert_eq!(retired.claims, 2);
        let held = "select count(*) from intents where held_until is not null";
        assert_eq!(world.count(held).await, 1, "the one in doubt");
        let named = "select count(*) from intents where callee is not null";
        assert_eq!(world.count(named).await, 2, "a deleted call's number went with its claim");
        assert!(world.store.take_planned(now, Reach::Rings, 10).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn sizes_of_all_that_grows_are_known() {
    with_world(async |world| {
        let sizes = world.database.table_sizes().await.unwrap();
        assert_eq!(sizes.len(), 7);
        assert!(sizes.iter().all(|size| size.bytes > 0), "{sizes:?}");
    })
    .await;
}
