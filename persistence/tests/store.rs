//! The store beside the journal, on a real PostgreSQL: loading, claiming, timers, the red button.

mod common;

use std::collections::HashSet;

use chrono::Duration;
use common::rows::{self, IntentRow, InterviewRow};
use common::{OTHER, World, with_world};
use domain::ports::{
    Checkpoints as _, DialScope, Dialing as _, Facts as _, Inbox as _, Intents as _, NewInboxRow,
    Parking, Quarantine as _, Timers as _,
};
use domain::{EntityKey, IntentId, Kind, Reach, TenantId};
use uuid::Uuid;

/// Longer than taken work is held.
const PAST_HOLD: Duration = Duration::seconds(31);
/// How long anything may take before a test calls it a failure.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

#[tokio::test]
async fn loading_answers_for_every_id_in_the_order_asked() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        InterviewRow::ringing(1, now).insert(&mut journal).await;
        for (n, to) in [(1, 2), (2, 1), (3, 1), (4, 3)] {
            park(world, rows::delivery(n, rows::interview(to), now)).await;
        }
        let quarantined = rows::interview(3);
        let reason = "it panicked".to_owned();
        world.store.put(quarantined, TenantId::DEFAULT, reason, None, now).await.unwrap();

        let asked = vec![rows::id(3), rows::id(1), rows::id(2), rows::id(9)];
        let loaded = world.store.load(Kind::Interview, asked.clone(), now).await.unwrap();

        assert_eq!(loaded.iter().map(|one| one.id).collect::<Vec<_>>(), asked);
        assert_eq!(loaded[0].quarantine.as_deref(), Some("it panicked"));
        assert!(loaded[0].inbox.is_empty(), "rows of the quarantined are not claimed");
        let checkpoint = loaded[1].checkpoint.as_ref().unwrap();
        assert_eq!((checkpoint.version, checkpoint.schema), (3, 1));
        let events: Vec<_> = loaded[1].inbox.iter().map(|row| row.event.as_str()).collect();
        assert_eq!(events, ["{\"n\": 2}", "{\"n\": 3}"], "in the order they came in");
        assert!(loaded[1].inbox.iter().all(|row| row.hops == 2));
        assert!(loaded[2].checkpoint.is_none() && loaded[2].inbox.len() == 1);
        assert!(loaded[3].checkpoint.is_none() && loaded[3].inbox.is_empty());
    })
    .await;
}

#[tokio::test]
async fn every_claim_counts_an_attempt_and_leaves_what_waits_or_was_set_aside() {
    with_world(async |world| {
        let now = world.now().await;
        let to = rows::interview(1);
        let set_aside = park(world, rows::delivery(1, to, now)).await;
        let waiting = IntentId(Uuid::from_u128(7));
        park(world, NewInboxRow { waits_for: Some(waiting), ..rows::delivery(2, to, now) }).await;
        let open = park(world, NewInboxRow { attempts: 1, ..rows::delivery(3, to, now) }).await;
        world.store.set_aside(set_aside, "undecodable".to_owned()).await.unwrap();

        for attempts in [2, 3] {
            let claimed = world.store.claim(Kind::Interview, vec![to.id], now).await.unwrap();
            assert_eq!(claimed.iter().map(|row| row.row).collect::<Vec<_>>(), [open]);
            let counted = world.count("select max(attempts)::bigint from inbox").await;
            assert_eq!(counted, attempts);
        }
        let other = world.store.claim(Kind::Screening, vec![to.id], now).await.unwrap();
        assert!(other.is_empty(), "an id is claimed for the kind that is asked for");
    })
    .await;
}

#[tokio::test]
async fn a_row_that_another_claim_holds_is_passed_over() {
    with_world(async |world| {
        let now = world.now().await;
        let held = park(world, rows::delivery(1, rows::interview(1), now)).await;
        let free = park(world, rows::delivery(2, rows::interview(1), now)).await;
        let mut other = world.journal().await;
        sqlx::raw_sql("begin").execute(&mut other).await.unwrap();
        sqlx::query("select id from inbox where id = $1 for update")
            .bind(held)
            .execute(&mut other)
            .await
            .unwrap();

        let claimed = world.store.claim(Kind::Interview, vec![rows::id(1)], now).await.unwrap();

        assert_eq!(claimed.iter().map(|row| row.row).collect::<Vec<_>>(), [free]);
    })
    .await;
}

#[tokio::test]
async fn one_key_is_parked_once_whoever_comes_with_it() {
    with_world(async |world| {
        let now = world.now().await;
        let second = world.second();
        let row = rows::delivery(1, rows::interview(1), now);

        let (one, two) =
            tokio::join!(world.store.park(row.clone()), second.store.park(row.clone()));

        let outcomes = [one.unwrap(), two.unwrap()];
        assert!(outcomes.contains(&Parking::Stored) && outcomes.contains(&Parking::Duplicate));
        assert_eq!(world.store.park(row).await.unwrap(), Parking::Duplicate);
        assert_eq!(world.count("select count(*) from inbox").await, 1);
        second.database.close().await;
    })
    .await;
}

#[tokio::test]
async fn open_entities_come_in_pages_by_id() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        for n in [3, 1, 2] {
            rows::wake(&mut journal, rows::interview(n), now).await;
        }

        let first = world.store.open(Kind::Interview, None, 2).await.unwrap();
        let rest = world.store.open(Kind::Interview, first.last().copied(), 2).await.unwrap();

        assert_eq!((first, rest), (vec![rows::id(1), rows::id(2)], vec![rows::id(3)]));
        assert!(world.store.open(Kind::Screening, None, 9).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn two_takers_of_due_wakes_share_none_and_a_crash_only_delays() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        for n in 0..200 {
            rows::wake(&mut journal, rows::interview(n), now - Duration::seconds(1)).await;
        }
        rows::wake(&mut journal, rows::interview(200), now + PAST_HOLD * 2).await;
        let second = world.second();

        let (one, two) =
            tokio::join!(world.store.take_due(now, 100), second.store.take_due(now, 100));

        let (one, two) = (one.unwrap(), two.unwrap());
        let distinct: HashSet<_> = one.iter().chain(&two).map(|wake| wake.key).collect();
        assert_eq!((one.len(), two.len(), distinct.len()), (100, 100, 200));
        assert!(one.iter().all(|wake| wake.due < now), "the answer says when it was due");
        assert!(world.store.take_due(now, 500).await.unwrap().is_empty());
        assert_eq!(world.store.take_due(now + PAST_HOLD, 500).await.unwrap().len(), 200);
        second.database.close().await;
    })
    .await;
}

#[tokio::test]
async fn the_backlog_names_each_receiver_once_and_then_lets_it_work() {
    with_world(async |world| {
        let now = world.now().await;
        for (n, to) in [(1, 1), (2, 1), (3, 2), (4, 3)] {
            park(world, rows::delivery(n, rows::interview(to), now)).await;
        }
        let gone = rows::interview(3);
        world.store.put(gone, TenantId::DEFAULT, "poison".to_owned(), None, now).await.unwrap();
        let now = world.now().await;

        let mut receivers = world.store.backlog(now, 10).await.unwrap();

        receivers.sort();
        assert_eq!(receivers, [rows::interview(1), rows::interview(2)]);
        assert!(world.store.backlog(now, 10).await.unwrap().is_empty());
        assert_eq!(world.store.backlog(now + PAST_HOLD, 10).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_released_entity_may_be_claimed_again_and_is_woken() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        let key = rows::interview(1);
        let poison = park(world, NewInboxRow { attempts: 5, ..rows::delivery(1, key, now) }).await;
        rows::wake(&mut journal, key, now).await;
        let reason = "restarted too often".to_owned();
        let put = world.store.put(key, TenantId::DEFAULT, reason, Some(poison), now);
        put.await.unwrap();
        assert!(world.store.take_due(now, 10).await.unwrap().is_empty(), "its wake went away");
        let listed = world.store.list(10).await.unwrap();
        assert_eq!((listed[0].key, listed[0].poison, listed[0].waiting), (key, Some(poison), 1));

        assert!(!world.store.release(key, Some(OTHER), now).await.unwrap(), "it is not theirs");
        assert!(world.store.release(key, Some(TenantId::DEFAULT), now).await.unwrap());
        assert!(
            !world.store.release(key, None, now).await.unwrap(),
            "only the first one lets it go"
        );

        assert!(world.store.list(10).await.unwrap().is_empty());
        assert_eq!(world.store.take_due(now, 10).await.unwrap()[0].key, key);
        assert_eq!(world.store.backlog(now, 10).await.unwrap(), [key]);
        let loaded = world.store.load(Kind::Interview, vec![key.id], now).await.unwrap();
        assert_eq!(loaded[0].inbox.len(), 1);
        let counted = world.count("select attempts::bigint from inbox").await;
        assert_eq!(counted, 1, "attempts count from zero again");
    })
    .await;
}

#[tokio::test]
async fn rows_are_held_by_the_clock_that_is_passed_in_and_not_by_the_databases() {
    with_world(async |world| {
        // A simulated world is ahead of the database, or behind it.
        for (n, offset) in [(1, Duration::days(300)), (2, Duration::days(-300))] {
            let now = world.now().await + offset;
            let key = rows::interview(n);
            park(world, rows::delivery(n, key, now)).await;

            assert_eq!(world.store.backlog(now, 10).await.unwrap(), [key], "{offset}");
            let claimed = world.store.claim(Kind::Interview, vec![key.id], now).await.unwrap();
            assert_eq!(claimed.len(), 1);
            let soon = now + Duration::seconds(29);
            assert!(world.store.backlog(soon, 10).await.unwrap().is_empty(), "{offset}");
            assert_eq!(world.store.backlog(now + PAST_HOLD, 10).await.unwrap(), [key]);
            world.store.set_aside(claimed[0].row, "seen".to_owned()).await.unwrap();
        }
        assert_eq!(world.store.aside().await.unwrap(), [(Kind::Interview, 2)]);
    })
    .await;
}

#[tokio::test]
async fn what_befalls_one_kind_spares_an_entity_of_another_with_the_same_id() {
    with_world(async |world| {
        let now = world.now().await;
        let interview = rows::interview(1);
        let screening = EntityKey { kind: Kind::Screening, ..interview };
        let mut journal = world.journal().await;
        for (n, key) in [(1, interview), (2, screening)] {
            rows::wake(&mut journal, key, now).await;
            park(world, rows::delivery(n, key, now)).await;
        }
        IntentRow::planned(1, now).insert(&mut journal).await;
        let put = world.store.put(screening, TenantId::DEFAULT, "poison".to_owned(), None, now);
        put.await.unwrap();

        assert_eq!(world.store.backlog(now, 10).await.unwrap(), [interview]);
        let loaded = world.store.load(Kind::Interview, vec![interview.id], now).await.unwrap();
        assert!(loaded[0].quarantine.is_none() && loaded[0].inbox.len() == 1);
        assert_eq!(world.store.take_planned(now, Reach::Silent, 9).await.unwrap().len(), 1);
        let due = world.store.take_due(now, 10).await.unwrap();
        assert_eq!(due.iter().map(|wake| wake.key).collect::<Vec<_>>(), [interview]);
        assert_eq!(world.store.list(10).await.unwrap()[0].waiting, 1);

        assert!(!world.store.release(interview, None, now).await.unwrap());
        assert!(world.store.release(screening, None, now).await.unwrap());
        assert_eq!(world.store.take_due(now, 10).await.unwrap()[0].key, screening);
        assert_eq!(world.store.open(Kind::Interview, None, 9).await.unwrap(), [interview.id]);
    })
    .await;
}

#[tokio::test]
async fn one_tenants_many_do_not_hide_anothers_few() {
    with_world(async |world| {
        let now = world.now().await;
        for n in 1..=5 {
            let tenant = if n == 5 { OTHER } else { TenantId::DEFAULT };
            let since = now + Duration::seconds(i64::try_from(n).unwrap());
            let reason = "it panicked".to_owned();
            world.store.put(rows::interview(n), tenant, reason, None, since).await.unwrap();
        }

        let listed = world.store.list(2).await.unwrap();

        let listed: Vec<_> = listed.iter().map(|one| (one.key, one.tenant)).collect();
        let ours = |n| (rows::interview(n), TenantId::DEFAULT);
        assert_eq!(listed, [ours(1), ours(2), (rows::interview(5), OTHER)]);
    })
    .await;
}

#[tokio::test]
async fn a_stop_waits_for_the_batch_under_way() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        sqlx::raw_sql("begin; select seq from journal_head where id = 1 for update")
            .execute(&mut journal)
            .await
            .unwrap();
        let scope = DialScope::Tenant(TenantId::DEFAULT);
        let reason = Some("a complaint".to_owned());
        let stop = world.store.stop(scope.clone(), "admin".to_owned(), reason, now);

        let (stopped, ()) = tokio::join!(stop, async {
            until_somebody_waits_for_a_lock(world).await;
            assert!(world.store.stops().await.unwrap().is_empty(), "it is not in force yet");
            sqlx::raw_sql("commit").execute(&mut journal).await.unwrap();
        });

        stopped.unwrap();
        let stops = world.store.stops().await.unwrap();
        assert_eq!((stops.len(), &stops[0].scope), (1, &scope));
        assert_eq!(stops[0].reason.as_deref(), Some("a complaint"));
        assert!(world.store.resume(scope.clone()).await.unwrap());
        assert!(!world.store.resume(scope).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn facts_are_read_after_a_number_of_all_or_of_one() {
    with_world(async |world| {
        let mut journal = world.journal().await;
        sqlx::raw_sql(
            "insert into call_events (seq, tenant_id, kind, entity_id, version, name, schema,
                 data, at)
             select n, '00000000-0000-0000-0000-000000000001',
                 case when n = 3 then 'of_a_newer_release' else 'interview' end,
                 lpad(to_hex(4096 + n % 2), 32, '0')::uuid, n, 'moved', 1, '{}',
                 now() - make_interval(days => 40 - n)
             from generate_series(1, 6) as n;
             update journal_head set seq = 6",
        )
        .execute(&mut journal)
        .await
        .unwrap();
        let seqs = |facts: Vec<domain::ports::StoredFact>| -> Vec<i64> {
            facts.into_iter().map(|fact| fact.seq).collect()
        };

        let page = world.store.after(1, 3).await.unwrap();
        assert_eq!((page.after, page.to), (1, 4));
        assert_eq!(seqs(page.facts), [2, 4], "what is known of 2, 3, 4");
        let unknown = world.store.after(2, 1).await.unwrap();
        assert_eq!((unknown.facts, unknown.after, unknown.to), (vec![], 2, 3));
        let beyond = world.store.after(6, 3).await.unwrap();
        assert_eq!((beyond.facts, beyond.after, beyond.to), (vec![], 6, 6));
        let aged_out = world.store.after(-5, 1).await.unwrap();
        assert_eq!((aged_out.after, aged_out.to), (0, 1), "nothing is held before 1");
        assert_eq!(seqs(world.store.of(rows::interview(1), 1, 9).await.unwrap()), [5]);
        let (seq, epoch) = world.store.head().await.unwrap();
        assert_eq!(seq, 6);
        assert!(Uuid::parse_str(&epoch).is_ok());
    })
    .await;
}

/// Asks the database itself, as the login role, which may see its own sessions.
async fn until_somebody_waits_for_a_lock(world: &World) {
    let waiting = tokio::time::timeout(PATIENCE, poll_for_a_waiter(world));
    waiting.await.expect("somebody waits for a lock");
}

async fn poll_for_a_waiter(world: &World) {
    let mut login = world.database.login().await.expect("the test database is up");
    loop {
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'",
        )
        .fetch_one(&mut login)
        .await
        .expect("the sessions are listed");
        if waiting > 0 {
            return;
        }
    }
}

async fn park(world: &World, row: NewInboxRow) -> Uuid {
    let id = row.key.0;
    assert_eq!(world.store.park(row).await.expect("the inbox takes it"), Parking::Stored);
    id
}
