//! Two journals on one database: one order, one winner, no deadlock.

mod common;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use common::ledger::{Ledger, assert_gapless, assert_published, first_seq, stored_facts};
use common::{World, steps, with_world};
use domain::ports::{Checkpoints as _, Step, Verdict, VerdictName};
use domain::{DedupeKey, EntityKey};
use futures_util::future::join_all;

/// Versions that each entity is brought to.
const VERSIONS: i64 = 12;
/// Entities that both journals move, and entities that only one does.
const SHARED: u128 = 24;
const OWN: u128 = 24;

/// What one writer saw: the versions it made, and how often somebody else was faster.
#[derive(Default)]
struct Tally {
    won: Vec<i64>,
    stale: u32,
}

/// Makes the step as one journal's own delivery, so that only the version decides.
fn own_step(ledger: &Ledger, entity: EntityKey, expected: i64, at: DateTime<Utc>) -> Step {
    let mut step = steps::moved(entity, expected, "ringing", at);
    let key = DedupeKey::named(entity, &format!("{}/{expected}", ledger.name));
    step.deliveries = vec![steps::pushed(key, VerdictName::Applied, at)];
    step
}

/// Moves `entity` as a shell does: from what it knows, and from what is stored when that is stale.
async fn advance(world: &World, ledger: &Ledger, entity: EntityKey, now: DateTime<Utc>) -> Tally {
    let mut tally = Tally::default();
    let mut version = 0;
    while version < VERSIONS {
        match ledger.submit(own_step(ledger, entity, version, now)).await {
            Verdict::Committed { first_seq } => {
                assert!(first_seq > 0);
                version += 1;
                tally.won.push(version);
            }
            Verdict::Stale => {
                tally.stale += 1;
                let stored = world
                    .store
                    .load(entity.kind, vec![entity.id], now)
                    .await
                    .expect("it is up")
                    .remove(0);
                version = stored.checkpoint.expect("somebody was faster").version;
            }
            other => panic!("{other:?}"),
        }
    }
    tally
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_journals_keep_one_order_and_one_winner_for_each_version() {
    with_world(async |world| {
        let now = world.now().await;
        let second = world.second();
        let (one, two) = (Ledger::start(&world.database, 1), Ledger::start(&second.database, 2));
        let advance = |ledger, numbers: std::ops::Range<u128>| {
            join_all(numbers.map(move |n| advance(world, ledger, steps::interview(n), now)))
        };

        let (mut first, mut other, only_one, only_two) = tokio::join!(
            advance(&one, 0..SHARED),
            advance(&two, 0..SHARED),
            advance(&one, SHARED..SHARED + OWN),
            advance(&two, SHARED + OWN..SHARED + 2 * OWN),
        );

        let all = (1..=VERSIONS).collect::<Vec<_>>();
        for tally in only_one.iter().chain(&only_two) {
            assert_eq!((&tally.won, tally.stale), (&all, 0));
        }
        let lost: u32 = first.iter().chain(&other).map(|tally| tally.stale).sum();
        assert!(lost > 0, "the two never met");
        for (mine, theirs) in first.iter_mut().zip(&mut other) {
            mine.won.append(&mut theirs.won);
            mine.won.sort_unstable();
            assert_eq!(mine.won, all, "each version has one winner");
        }
        assert_gapless(world).await;
        let facts = assert_published(world, &[&one.feed, &two.feed]).await;
        assert_eq!(
            i64::try_from(facts).unwrap(),
            i64::try_from(SHARED + 2 * OWN).unwrap() * VERSIONS
        );
        assert_versions_in_order(world).await;
        let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
        assert_eq!(world.count(deadlocks).await, 0);
        one.stop().await;
        two.stop().await;
        second.database.close().await;
    })
    .await;
}

/// Asserts that the facts of each entity carry the versions 1 to n in the order of their numbers.
async fn assert_versions_in_order(world: &World) {
    let mut versions: HashMap<_, i64> = HashMap::new();
    for (seq, entity, version) in stored_facts(world).await {
        let last = versions.entry(entity).or_default();
        assert_eq!(version, *last + 1, "at the number {seq}");
        *last = version;
    }
}

#[tokio::test]
async fn a_call_id_that_one_gives_up_and_another_takes_goes_through_in_one_batch() {
    with_world(async |world| {
        let now = world.now().await;
        let ledger = Ledger::start(&world.database, 1);
        let (taker, giver) = (steps::interview(1), steps::interview(2));
        let mut given = steps::moved(giver, 0, "queued", now);
        steps::set_call_id(&mut given, "wanted");
        ledger.submit_all(vec![steps::moved(taker, 0, "queued", now), given]).await;
        let mut take = steps::moved(taker, 1, "ringing", now);
        steps::set_call_id(&mut take, "wanted");

        let swapped = vec![steps::moved(giver, 1, "ringing", now), take.clone()];
        let said = ledger.submit_all(swapped).await;
        assert!(said.iter().all(|verdict| first_seq(verdict) > 0));

        let mut wants_too = steps::moved(giver, 2, "ringing", now);
        steps::set_call_id(&mut wants_too, "wanted");
        let said = ledger.submit(wants_too).await;
        assert_eq!(said, Verdict::Refused("voice_interviews_call_id_key".to_owned()));
        assert_gapless(world).await;
    })
    .await;
}
