//! What the journal answers each member of a batch, and what it writes, on a real PostgreSQL.

mod common;

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use common::ledger::{
    Ledger, Traces, assert_gapless, assert_published, first_seq, is_taken, traces,
};
use common::{steps, with_world};
use domain::policy::CallingWindow;
use domain::ports::{
    Ends, Inbox as _, IntentRow, IntentStep, Quarantine as _, Step, Verdict, VerdictName,
};
use domain::{
    Cause, Claim, DedupeKey, EntityKey, IntentId, Kind, OperationClass, Reach, Rejected, TenantId,
};

/// Steps in the batch with the culprits.
const MEMBERS: u128 = 64;
/// Which of them is which culprit.
const STALE: u128 = 9;
const DUPLICATE: u128 = 20;
const REFUSED: u128 = 33;
const UNDECODABLE: u128 = 50;
const CULPRITS: [u128; 4] = [STALE, DUPLICATE, REFUSED, UNDECODABLE];

/// Commits what two of the culprits run into, then submits the batch around `undecodable`.
async fn plant(world: &common::World, undecodable: fn(&mut Step)) -> HashMap<u128, Verdict> {
    let now = world.now().await;
    let ledger = Ledger::start(&world.database, 1);
    for n in [STALE, DUPLICATE] {
        ledger.submit(steps::moved(steps::interview(n), 0, "queued", now)).await;
    }
    let mut before = HashMap::new();
    for n in CULPRITS {
        before.insert(n, traces(world, steps::interview(n)).await);
    }
    let batch: Vec<Step> = (0..MEMBERS)
        .map(|n| {
            let entity = steps::interview(n);
            let mut step = steps::moved(entity, 0, "queued", now);
            match n {
                STALE => step = steps::moved(entity, 7, "ringing", now),
                DUPLICATE => {
                    step = steps::moved(entity, 1, "ringing", now);
                    let taken = steps::push_key(entity, 0);
                    step.deliveries = vec![steps::pushed(taken, VerdictName::Applied, now)];
                }
                REFUSED => {
                    steps::set_call_id(&mut step, &format!("call-{}", steps::interview(STALE).id));
                }
                UNDECODABLE => undecodable(&mut step),
                _ => {}
            }
            step
        })
        .collect();

    let said = ledger.submit_all(batch).await;

    let last = world.count("select batch from journal_writers").await;
    assert_eq!(last, 3, "two steps alone, then all {MEMBERS} in one batch");
    for n in CULPRITS {
        assert_eq!(
            traces(world, steps::interview(n)).await,
            before[&n],
            "nothing of {n} is written"
        );
    }
    assert_published(world, &[&ledger.feed]).await;
    (0..MEMBERS).zip(said).collect()
}

/// Asserts that everyone but the culprits committed with all that belongs to a step.
async fn assert_others_committed(world: &common::World, said: &HashMap<u128, Verdict>) {
    for n in (0..MEMBERS).filter(|n| !CULPRITS.contains(n)) {
        let entity = steps::interview(n);
        first_seq(&said[&n]);
        let whole = Traces { version: Some(1), facts: 1, deliveries: 1, wake_version: Some(1) };
        assert_eq!(traces(world, entity).await, whole, "of member {n}");
        assert!(is_taken(world, steps::push_key(entity, 0)).await);
    }
    let committed = (0..MEMBERS).count() as i64 - 4 + 2;
    assert_eq!(assert_gapless(world).await, committed, "one fact each, and no number lost");
    assert_eq!(world.count("select count(*) from dedupe_keys").await, committed);
}

#[tokio::test]
async fn each_culprit_in_a_batch_gets_its_own_verdict_and_the_others_commit() {
    with_world(async |world| {
        let said = plant(world, |step| steps::set(step, steps::MESSAGES, "[{no json")).await;

        assert_eq!(said[&STALE], Verdict::Stale);
        let taken = steps::push_key(steps::interview(DUPLICATE), 0);
        assert_eq!(said[&DUPLICATE], Verdict::Duplicate(vec![taken]));
        assert_eq!(said[&REFUSED], Verdict::Refused("voice_interviews_call_id_key".to_owned()));
        let Verdict::Undecodable(why) = &said[&UNDECODABLE] else {
            panic!("{:?}", said[&UNDECODABLE])
        };
        assert_eq!(why, "invalid input syntax for type json");
        assert_others_committed(world, &said).await;
    })
    .await;
}

#[tokio::test]
async fn a_member_that_cannot_even_be_bound_is_undecodable_alone() {
    with_world(async |world| {
        let said = plant(world, |step| steps::set(step, steps::TRANSCRIPT, "zero\0byte")).await;

        assert_eq!(said[&STALE], Verdict::Stale);
        assert!(matches!(&said[&DUPLICATE], Verdict::Duplicate(keys) if keys.len() == 1));
        assert!(matches!(said[&REFUSED], Verdict::Refused(_)));
        assert!(matches!(&said[&UNDECODABLE], Verdict::Undecodable(why) if why.contains("0x00")));
        assert_others_committed(world, &said).await;
    })
    .await;
}

#[tokio::test]
async fn a_batch_of_nothing_but_unbindable_members_is_answered() {
    with_world(async |world| {
        let now = world.now().await;
        let ledger = Ledger::start(&world.database, 1);
        let bad = |n| {
            let mut step = steps::moved(steps::interview(n), 0, "queued", now);
            steps::set(&mut step, steps::MESSAGES, r#"[{"role": "user\u0000"}]"#);
            steps::set(&mut step, steps::TRANSCRIPT, "\0");
            step
        };

        let said = ledger.submit_all((0..MEMBERS).map(bad).collect()).await;

        assert!(said.iter().all(|verdict| matches!(verdict, Verdict::Undecodable(_))));
        let fine = steps::moved(steps::interview(0), 0, "queued", now);
        assert_eq!(first_seq(&ledger.submit(fine).await), 1, "no number was used up");
    })
    .await;
}

#[tokio::test]
async fn a_refusal_commits_its_verdict_and_bytes_only_where_the_version_holds() {
    with_world(async |world| {
        let now = world.now().await;
        let ledger = Ledger::start(&world.database, 1);
        let (holds, moved_on, absent) =
            (steps::interview(1), steps::interview(2), steps::interview(3));
        for entity in [holds, moved_on] {
            ledger.submit(steps::moved(entity, 0, "ringing", now)).await;
        }
        ledger.submit(steps::moved(moved_on, 1, "ended", now)).await;
        let refusals = vec![
            steps::refused(holds, 1, "late", now),
            steps::refused(moved_on, 1, "late", now),
            steps::refused(absent, 0, "late", now),
        ];
        let bytes = match &refusals[0].deliveries[0].cause {
            Cause::Pushed { raw, .. } => raw.to_vec(),
            other => panic!("{other:?}"),
        };

        let said = ledger.submit_all(refusals).await;

        assert_eq!(said[0], Verdict::Committed { first_seq: 3 }, "the last number before it");
        assert_eq!(said[1], Verdict::Stale);
        assert_eq!(said[2], Verdict::Committed { first_seq: 3 });
        let key = |entity| DedupeKey::named(entity, "late");
        assert!(is_taken(world, key(holds)).await && !is_taken(world, key(moved_on)).await);
        let stored: Vec<(String, Vec<u8>)> =
            sqlx::query_as("select verdict, raw from webhook_deliveries where key = any ($1)")
                .bind(vec![key(holds).0, key(moved_on).0])
                .fetch_all(&mut world.journal().await)
                .await
                .unwrap();
        assert_eq!(stored, [("rejected(backward)".to_owned(), bytes)]);
        let unmoved = Traces { version: Some(1), facts: 1, deliveries: 2, wake_version: Some(1) };
        assert_eq!(traces(world, holds).await, unmoved);
        let recorded = Traces { deliveries: 1, ..Traces::default() };
        assert_eq!(traces(world, absent).await, recorded, "a refusal creates nothing");
        assert_gapless(world).await;
    })
    .await;
}

#[tokio::test]
async fn a_repeat_that_was_known_as_one_is_recorded_without_its_key() {
    with_world(async |world| {
        let now = world.now().await;
        let ledger = Ledger::start(&world.database, 1);
        let entity = steps::interview(1);
        ledger.submit(steps::moved(entity, 0, "ringing", now)).await;
        let mut repeat = steps::refused(entity, 1, "repeat", now);
        let known = VerdictName::Rejected(Rejected::Duplicate);
        repeat.deliveries = vec![steps::pushed(steps::push_key(entity, 0), known, now)];

        first_seq(&ledger.submit(repeat).await);

        assert_eq!(traces(world, entity).await.deliveries, 2);
    })
    .await;
}

#[tokio::test]
async fn an_inbox_row_leaves_once_and_its_bytes_and_remarks_stay_with_the_verdict() {
    with_world(async |world| {
        let now = world.now().await;
        let ledger = Ledger::start(&world.database, 1);
        let entity = steps::interview(1);
        let row = common::rows::delivery(1, entity, now);
        let (id, key) = (row.key.0, row.key);
        world.store.park(row).await.unwrap();
        let from_inbox = |expected| {
            let mut step = steps::moved(entity, expected, "ringing", now);
            let mut delivery = step.deliveries[0].clone();
            delivery.cause = Cause::Inbox { row: id, key };
            step.deliveries = vec![delivery.clone(), delivery];
            step
        };

        first_seq(&ledger.submit(from_inbox(0)).await);
        let again = ledger.submit(from_inbox(1)).await;

        assert_eq!(again, Verdict::Duplicate(vec![key]), "the row is not there any more");
        assert_eq!(world.count("select count(*) from inbox").await, 0);
        let kept = world.count(
            "select count(*) from webhook_deliveries
             where raw = 'raw' and remarks = 'cost: is no number'",
        );
        assert_eq!(kept.await, 1, "handed over twice in one step, it is one delivery");
        assert_eq!(traces(world, entity).await.version, Some(1));
    })
    .await;
}

#[tokio::test]
async fn a_step_wakes_or_silences_its_own_kind_alone() {
    with_world(async |world| {
        let now = world.now().await;
        let ledger = Ledger::start(&world.database, 1);
        let interview = steps::interview(1);
        let screening = EntityKey { kind: Kind::Screening, id: interview.id };
        ledger.submit(steps::moved(interview, 0, "ringing", now)).await;
        ledger.submit(steps::screened(screening, 0, now)).await;
        assert_eq!(world.count("select count(*) from wakes").await, 2);

        ledger.submit(steps::ended(interview, 1, now)).await;

        let left = world.count("select count(*) from wakes where kind = 'screening'");
        assert_eq!(left.await, 1);
        assert_eq!(world.count("select count(*) from wakes").await, 1);
    })
    .await;
}

#[tokio::test]
async fn two_steps_of_one_entity_in_the_queue_commit_one_after_the_other() {
    with_world(async |world| {
        let now = world.now().await;
        let ledger = Ledger::start(&world.database, 1);
        let (one, other) = (steps::interview(1), steps::interview(2));
        let mut rival = steps::moved(one, 0, "failed", now);
        rival.deliveries.clear();

        let said = ledger.submit_all(vec![
            steps::moved(one, 0, "queued", now),
            steps::refused(one, 1, "early", now),
            steps::moved(other, 0, "queued", now),
            steps::moved(one, 1, "ringing", now),
            rival,
            steps::refused(one, 2, "late", now),
        ]);

        let said = said.await;
        let (mut stale, mut committed) = (0, 0);
        for verdict in &said {
            match verdict {
                Verdict::Stale => stale += 1,
                verdict => committed += i32::from(first_seq(verdict) > 0),
            }
        }
        assert_eq!((stale, committed), (1, 5), "{said:?}");
        assert_eq!(said[4], Verdict::Stale);
        assert_eq!(traces(world, one).await.version, Some(2));
        assert_gapless(world).await;
        assert_published(world, &[&ledger.feed]).await;
    })
    .await;
}

#[tokio::test]
async fn kinds_mixed_in_one_batch_get_their_own_numbers_and_rows() {
    with_world(async |world| {
        let now = world.now().await;
        let ledger = Ledger::start(&world.database, 1);
        let step = |n: u128| match n % 4 {
            0 => steps::screened(steps::screening(n), 0, now),
            1 => steps::ended(steps::interview(n), 0, now),
            2 => steps::refused(steps::screening(n), 0, "early", now),
            _ => steps::refused(steps::interview(n), 0, "early", now),
        };

        let said = ledger.submit_all((0..MEMBERS).map(step).collect()).await;

        for (n, verdict) in (0..MEMBERS).zip(&said) {
            let step = step(n);
            let stored: Vec<(i64, String)> = sqlx::query_as(
                "select seq, kind from call_events where entity_id = $1 order by seq",
            )
            .bind(step.key.id.0)
            .fetch_all(&mut world.journal().await)
            .await
            .unwrap();
            let kind = step.key.kind.as_str().to_owned();
            let first = first_seq(verdict);
            let expected: Vec<_> =
                (first..).take(step.facts.len()).map(|seq| (seq, kind.clone())).collect();
            assert_eq!(stored, expected, "of member {n}");
        }
        assert_eq!(world.count("select count(*) from screening_results").await, 16);
        assert_eq!(world.count("select count(*) from voice_interviews").await, 16);
        assert_eq!(world.count("select batch from journal_writers").await, 1, "all in one batch");
        assert_eq!(assert_gapless(world).await, 16 + 2 * 16);
        assert_published(world, &[&ledger.feed]).await;
    })
    .await;
}

/// Plans a dial of `entity`, or another one beside it.
fn plan(entity: EntityKey, ordinal: u32, now: DateTime<Utc>) -> IntentStep {
    IntentStep::Plan(IntentRow {
        id: IntentId::derived(entity.id, "dial", ordinal),
        operation: "dial",
        class: OperationClass::Searchable,
        reach: Reach::Rings,
        callee: Some(format!("+9195{:08}", entity.id.0.as_u128() % 100_000_000)),
        schema: 1,
        effect: r#"{"candidate_name":"Asha Rao"}"#.to_owned(),
        due: now,
    })
}

fn send(id: IntentId, now: DateTime<Utc>) -> IntentStep {
    let noon = "2026-11-20T06:30:00Z".parse().expect("an instant");
    let verdict = CallingWindow::default().judge(noon, noon).expect("a good time to ring");
    let claim = Claim::Callee { until: now + TimeDelta::hours(2), verdict };
    IntentStep::Send { id, attempt: 1, not_after: now, look_at: now, claim }
}

/// Counts, of one kind's entity: facts that say something, bytes, intents and set-aside rows that do,
/// and its quarantine.
async fn said_of(world: &common::World, key: EntityKey) -> [i64; 5] {
    const SAID: [&str; 5] = [
        "select count(*) from call_events
         where entity_id = $1 and kind = $2 and data <> '{\"type\":\"erased\"}'",
        "select count(*) from webhook_deliveries
         where entity_id = $1 and kind = $2 and (raw is not null or remarks is not null)",
        "select count(*) from intents
         where entity_id = $1 and kind = $2 and (effect <> '{}' or callee is not null)",
        "select count(*) from inbox
         where entity_id = $1 and kind = $2
             and (event <> '{}' or raw is not null or remarks is not null)",
        "select count(*) from quarantine where entity_id = $1 and kind = $2",
    ];
    let mut journal = world.journal().await;
    let mut said = [0; 5];
    for (count, sql) in said.iter_mut().zip(SAID) {
        let counted = sqlx::query_scalar(sql).bind(key.id.0).bind(key.kind.as_str());
        *count = counted.fetch_one(&mut journal).await.expect("it is counted");
    }
    said
}

#[tokio::test]
async fn a_delete_erases_what_was_stored_in_its_commit_and_what_comes_later_in_that_one() {
    with_world(async |world| {
        let now = world.now().await;
        let ledger = Ledger::start(&world.database, 1);
        let (gone, other) = (steps::interview(1), steps::interview(2));
        let namesake = EntityKey { kind: Kind::Screening, ..gone };
        for (n, key) in [(1, gone), (2, other), (3, namesake)] {
            let begun = match key.kind {
                Kind::Interview => steps::moved(key, 0, "queued", now),
                Kind::Screening => steps::screened(key, 0, now),
            };
            let open = IntentId::derived(key.id, "dial", 2);
            let send = send(open, now);
            let intents = match key.kind {
                Kind::Interview => vec![plan(key, 1, now), plan(key, 2, now), send],
                Kind::Screening => vec![plan(key, 3, now)],
            };
            first_seq(&ledger.submit(Step { intents, ..begun }).await);
            let row = common::rows::delivery(n, key, now);
            let id = row.key.0;
            world.store.park(row).await.unwrap();
            world.store.set_aside(id, "poison".to_owned()).await.unwrap();
            let put = world.store.put(key, TenantId::DEFAULT, "poison".to_owned(), None, now);
            put.await.unwrap();
        }
        let namesakes = said_of(world, namesake).await;

        let dial = |ordinal| IntentId::derived(gone.id, "dial", ordinal);
        let deleted = Step {
            facts: vec![steps::fact("reported", now), steps::fact("deleted", now)],
            intents: vec![IntentStep::Cancel { id: dial(1) }],
            erase: true,
            ..steps::moved(gone, 1, "queued", now)
        };
        first_seq(&ledger.submit(deleted).await);

        assert_eq!(said_of(world, gone).await, [1, 0, 1, 0, 0], "of its dials one is under way");
        assert_eq!(said_of(world, other).await, [1, 1, 2, 1, 1]);
        assert_eq!(said_of(world, namesake).await, namesakes);
        let late = Step {
            intents: vec![IntentStep::Settle { id: dial(2), attempt: 1, ends: Ends::Attempt }],
            erase: true,
            ..steps::refused(gone, 2, "late", now)
        };
        first_seq(&ledger.submit(late).await);
        assert_eq!(said_of(world, gone).await, [1, 0, 1, 0, 0], "its call may be under way");
        let over = Step {
            intents: vec![IntentStep::Release { id: dial(2) }],
            erase: true,
            ..steps::refused(gone, 2, "over", now)
        };
        first_seq(&ledger.submit(over).await);
        assert_eq!(said_of(world, gone).await, [1, 0, 0, 0, 0]);
        let known = traces(world, gone).await.deliveries;
        assert_eq!(known, 5, "that they came stays known; one is its namesake's");
    })
    .await;
}

#[tokio::test]
async fn whoever_gives_up_waiting_takes_nobody_with_him() {
    with_world(async |world| {
        let now = world.now().await;
        let ledger = Ledger::start(&world.database, 1);
        let gone = steps::interview(1);
        drop(domain::ports::Journal::submit(&ledger.journal, steps::moved(gone, 0, "queued", now)));

        first_seq(&ledger.submit(steps::moved(steps::interview(2), 0, "queued", now)).await);

        assert_eq!(traces(world, gone).await.version, Some(1), "what was handed over is decided");
    })
    .await;
}
