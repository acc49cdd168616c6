//! The database goes away, or makes the journal wait.

mod common;

use std::time::Duration;

use common::ledger::{
    Ledger, assert_gapless, assert_published, eventually, first_seq, traces, until_a_batch_waits,
    watch,
};
use common::proxy::Proxy;
use common::{World, steps, with_world};
use domain::ports::{Journal as _, JournalError, Step, Verdict};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use persistence::JournalSettings;
use sqlx::{Connection as _, PgConnection, Postgres, Transaction};
use tokio::time::Instant;

/// Steps that wait through the outages.
const STEPS: u128 = 64;
/// How long they are fought for.
const PATIENCE: Duration = Duration::from_secs(1);
/// What the machine may add to it.
const MARGIN: Duration = Duration::from_secs(3);

/// Takes the lock that every batch needs.
async fn hold_head(connection: &mut PgConnection) -> Transaction<'_, Postgres> {
    let mut held = connection.begin().await.expect("it is up");
    let lock = "select seq from journal_head for update";
    sqlx::query(lock).execute(&mut *held).await.expect("the head is there");
    held
}

async fn queued(world: &World, numbers: std::ops::Range<u128>) -> Vec<Step> {
    let now = world.now().await;
    numbers.map(|n| steps::moved(steps::interview(n), 0, "queued", now)).collect()
}

#[tokio::test]
async fn a_backend_that_is_terminated_in_the_middle_of_a_batch_is_replaced() {
    with_world(async |world| {
        let ledger = Ledger::start(&world.database, 1);
        let mut other = world.journal().await;
        let held = hold_head(&mut other).await;
        let steps = queued(world, 0..STEPS).await;

        let terminated = async {
            until_a_batch_waits(world).await;
            let terminated = watch(
                world,
                "select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity
                 where datname = current_database() and query like 'select journal_commit%'",
            );
            assert_eq!(terminated.await, 1);
            held.rollback().await.unwrap();
        };
        let (said, ()) = tokio::join!(ledger.submit_all(steps), terminated);

        assert!(said.iter().all(|verdict| first_seq(verdict) > 0));
        assert_eq!(assert_gapless(world).await, i64::try_from(STEPS).unwrap());
        assert_published(world, &[&ledger.feed]).await;
    })
    .await;
}

#[tokio::test]
async fn in_an_outage_everybody_is_answered_in_time_and_afterwards_all_is_well() {
    with_world(async |world| {
        let proxy = Proxy::start(&world.database, 0, 0);
        let away = proxy.database();
        let settings =
            JournalSettings { batch_max: 4, patience: PATIENCE, ..JournalSettings::default() };
        let ledger = Ledger::with(&away, 1, settings);
        ledger.submit_all(queued(world, 1000..1001).await).await;
        let steps = queued(world, 0..STEPS).await;

        proxy.set_down(true);
        let began = Instant::now();
        let answers = ledger.answers(steps.clone()).await;
        let took = began.elapsed();

        assert!(answers.iter().all(|answer| matches!(answer, Err(JournalError::Away))));
        assert!(took < PATIENCE + MARGIN, "all {STEPS} had to wait {took:?}");
        assert!(proxy.accepted() > 2, "it went on trying");
        assert_eq!(traces(world, steps[0].key).await.version, None);

        proxy.set_down(false);
        let said = ledger.submit_all(steps).await;
        assert!(said.iter().all(|verdict| first_seq(verdict) > 0));
        assert_gapless(world).await;
        ledger.stop().await;
        away.close().await;
    })
    .await;
}

#[tokio::test]
async fn an_outage_shorter_than_the_patience_is_not_noticed() {
    with_world(async |world| {
        let proxy = Proxy::start(&world.database, 0, 0);
        let away = proxy.database();
        let ledger = Ledger::start(&away, 1);
        ledger.submit_all(queued(world, 1000..1001).await).await;

        proxy.set_down(true);
        let tried = proxy.accepted();
        let back = async {
            eventually("it tries in vain", async || proxy.accepted() > tried + 2).await;
            proxy.set_down(false);
        };
        let (said, ()) = tokio::join!(ledger.submit_all(queued(world, 0..STEPS).await), back);

        assert!(said.iter().all(|verdict| first_seq(verdict) > 0));
        assert_published(world, &[&ledger.feed]).await;
        ledger.stop().await;
        away.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_stalled_journal_lets_its_bound_wait_and_turns_the_next_away_at_once() {
    with_world(async |world| {
        let (batch_max, queue_max) = (4, 10);
        let settings = JournalSettings { batch_max, queue_max, ..JournalSettings::default() };
        let ledger = Ledger::with(&world.database, 1, settings);
        let mut other = world.journal().await;
        let held = hold_head(&mut other).await;
        let mut steps = queued(world, 0..15).await.into_iter();
        let mut submit = |count| -> Vec<_> {
            steps.by_ref().take(count).map(|step| ledger.journal.submit(step)).collect()
        };

        let mut waiting = submit(batch_max);
        until_a_batch_waits(world).await;
        waiting.extend(submit(queue_max));
        let mut too_many = submit(1);

        let answer = too_many.remove(0).now_or_never();
        assert!(matches!(answer, Some(Err(JournalError::Busy))), "{answer:?}");
        for wait in &mut waiting {
            assert!(wait.now_or_never().is_none());
        }
        held.rollback().await.unwrap();
        for answer in join_all(waiting).await {
            assert!(matches!(answer, Ok(Verdict::Committed { .. })));
        }
        assert_eq!(assert_gapless(world).await, 14);
    })
    .await;
}

#[tokio::test]
async fn a_journal_that_ends_answers_everybody_first() {
    with_world(async |world| {
        let ledger = Ledger::start(&world.database, 1);
        let submitted: Vec<_> = queued(world, 0..STEPS)
            .await
            .into_iter()
            .map(|step| ledger.journal.submit(step))
            .collect();

        ledger.stop().await;

        for answer in join_all(submitted).await {
            assert!(matches!(answer, Ok(Verdict::Committed { .. })));
        }
    })
    .await;
}
