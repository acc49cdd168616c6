//! Replies that are lost on the way: what committed is told from what did not.

mod common;

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::ledger::{Ledger, assert_gapless, assert_published, is_taken, stored_facts, traces};
use common::proxy::Proxy;
use common::{steps, with_world};
use domain::EntityKey;
use domain::ports::{Step, Verdict};
use futures_util::future::join_all;
use persistence::JournalSettings;
use sqlx::Connection as _;

/// How often the line is cut.
const CUTS: u32 = 200;
/// Where the cuts fall.
const SEED: u64 = 0x5eed;
/// Entities that are moved meanwhile.
const ENTITIES: u128 = 12;
/// Long enough that no step is given up in this test.
const PATIENCE: Duration = Duration::from_secs(60);

/// What one entity's writer was answered: the version of each committed move, and its number.
type Answers = Vec<(i64, i64)>;

/// Moves `entity` until the line holds; one that repeats also sends every fourth step again, and a refusal.
async fn keep_moving(
    ledger: &Ledger,
    proxy: &Proxy,
    entity: EntityKey,
    repeats: bool,
    now: DateTime<Utc>,
) -> Answers {
    let mut answers = Vec::new();
    let mut version = 0;
    while proxy.cuts_left() > 0 {
        match ledger.submit(steps::moved(entity, version, "ringing", now)).await {
            Verdict::Committed { first_seq } => answers.push((version + 1, first_seq)),
            other => panic!("version {version} of {entity}: {other:?}"),
        }
        version += 1;
        if repeats && version % 4 == 1 {
            let refusal = steps::refused(entity, version, &format!("refused/{version}"), now);
            let said = ledger.submit(refusal).await;
            assert!(matches!(said, Verdict::Committed { .. }), "{said:?}");
            assert_repeats_are_told(ledger, steps::moved(entity, version - 1, "ringing", now))
                .await;
        }
    }
    answers
}

/// Asserts that the same step again is a duplicate, and that the version is told when its key is new.
async fn assert_repeats_are_told(ledger: &Ledger, step: Step) {
    let key = steps::push_key(step.key, step.expected);
    let mut anew = step.clone();
    anew.deliveries.clear();
    assert_eq!(ledger.submit(step).await, Verdict::Duplicate(vec![key]));
    assert_eq!(ledger.submit(anew).await, Verdict::Stale);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_lost_two_hundred_times_lose_nothing_and_double_nothing() {
    with_world(async |world| {
        let now = world.now().await;
        let proxy = Proxy::start(&world.database, SEED, CUTS);
        let away = proxy.database();
        let settings = JournalSettings { patience: PATIENCE, ..JournalSettings::default() };
        let ledger = Ledger::with(&away, 1, settings);

        let entities: Vec<_> = (0..ENTITIES).map(steps::interview).collect();
        let repeating = entities[0];
        let moving = entities
            .iter()
            .map(|entity| keep_moving(&ledger, &proxy, *entity, *entity == repeating, now));
        let answers: HashMap<_, _> = entities.iter().copied().zip(join_all(moving).await).collect();

        assert_eq!(proxy.cuts_left(), 0);
        assert_gapless(world).await;
        assert_published(world, &[&ledger.feed]).await;
        let mut stored: HashMap<_, Answers> = HashMap::new();
        for (seq, entity, version) in stored_facts(world).await {
            stored.entry(entity).or_default().push((version, seq));
        }
        for (entity, said) in answers {
            assert_eq!(stored[&entity.id.0], said, "what {entity} was told is what is stored");
            let moves = i64::try_from(said.len()).unwrap();
            let refusals = if entity == repeating { (moves + 3) / 4 } else { 0 };
            let traces = traces(world, entity).await;
            assert_eq!((traces.version, traces.deliveries), (Some(moves), moves + refusals));
        }
        ledger.stop().await;
        away.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_batch_taken_for_lost_that_comes_late_changes_nothing() {
    with_world(async |world| {
        let now = world.now().await;
        let ledger = Ledger::start(&world.database, 1);
        let entity = steps::interview(1);
        ledger.submit(steps::moved(entity, 0, "queued", now)).await;
        ledger.submit(steps::refused(entity, 1, "one", now)).await;
        let mut late = world.journal().await;

        let said = sqlx::query("select journal_answer($1, 1, '0')")
            .bind(ledger.name)
            .execute(&mut late)
            .await
            .unwrap_err();

        let code = said.as_database_error().and_then(|answer| answer.code().map(String::from));
        assert_eq!(code.as_deref(), Some("RM004"));
        late.close().await.unwrap();
        ledger.submit(steps::moved(entity, 1, "ringing", now)).await;
        assert_eq!(world.count("select batch from journal_writers").await, 3);
        assert!(is_taken(world, steps::push_key(entity, 1)).await);
    })
    .await;
}
