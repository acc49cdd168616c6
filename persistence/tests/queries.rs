//! What REST reads, on a real PostgreSQL: pages, figures, tenancy, the sync's questions.

mod common;

use chrono::{DateTime, Duration, Utc};
use common::rows::{self, InterviewRow};
use common::{OTHER, World, with_world};
use domain::interview::{CallStatus, FailureReason, InterviewOutcome};
use domain::ports::{
    InterviewFilter, InterviewQueries as _, KnownCall, PageRequest, Scope, StatusCount, StoreError,
    Transcripts as _,
};
use domain::{Provider, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

const TENANT: Scope = Scope::Tenant(TenantId::DEFAULT);
const HR: Uuid = Uuid::from_u128(0xa);
const COLLEAGUE: Uuid = Uuid::from_u128(0xb);
const ALL: PageRequest = PageRequest { page: 1, limit: 50 };

#[tokio::test]
async fn pages_are_newest_first_and_without_what_was_deleted() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        for n in 0..5 {
            InterviewRow::ringing(n, now + Duration::seconds(i64::try_from(n).unwrap()))
                .insert(&mut journal)
                .await;
        }
        InterviewRow { deleted_at: Some(now), ..InterviewRow::ringing(9, now) }
            .insert(&mut journal)
            .await;

        let second = PageRequest { page: 2, limit: 2 };
        let page = world.queries.page(TENANT, InterviewFilter::default(), second).await.unwrap();

        let ids: Vec<_> = page.rows.iter().map(|row| row.id).collect();
        assert_eq!((ids, page.total), (vec![rows::id(2), rows::id(1)], 5));
        let beyond = PageRequest { page: u32::MAX, limit: 200 };
        let page = world.queries.page(TENANT, InterviewFilter::default(), beyond).await.unwrap();
        assert_eq!((page.rows.len(), page.total), (0, 5));
        let deleted = world.queries.detail(TENANT, rows::id(9)).await.unwrap();
        assert!(deleted.is_none());
        assert_eq!(world.queries.transcript(rows::id(9)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_filter_narrows_a_scope_and_never_widens_it() {
    with_world(async |world| {
        let now = world.now().await;
        seed_filtered(&mut world.journal().await, now).await;
        let hr = Scope::Owner(TenantId::DEFAULT, HR);
        let none = InterviewFilter::default;

        assert_eq!(found(world, TENANT, none()).await, [4, 3, 2, 1]);
        assert_eq!(found(world, hr, none()).await, [2, 1]);
        let colleague = InterviewFilter { belongs_to: Some(COLLEAGUE), ..none() };
        assert_eq!(found(world, TENANT, colleague.clone()).await, [3]);
        assert!(found(world, hr, colleague).await.is_empty());
        let statuses = vec![CallStatus::Ended, CallStatus::Failed];
        assert_eq!(found(world, TENANT, InterviewFilter { statuses, ..none() }).await, [2]);
        let providers = vec![Provider::Elevenlabs];
        assert_eq!(found(world, TENANT, InterviewFilter { providers, ..none() }).await, [3]);
        let (from, to) = (Some(now + Duration::seconds(2)), Some(now + Duration::seconds(3)));
        assert_eq!(found(world, TENANT, InterviewFilter { from, to, ..none() }).await, [3, 2]);
        assert!(world.queries.detail(hr, rows::id(3)).await.unwrap().is_none());
        assert!(world.queries.detail(hr, rows::id(2)).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_page_its_total_and_its_number_are_of_one_moment() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        let writing = async {
            for n in 1..=150 {
                sqlx::raw_sql("begin").execute(&mut journal).await.unwrap();
                sqlx::raw_sql("update journal_head set seq = seq + 1")
                    .execute(&mut journal)
                    .await
                    .unwrap();
                InterviewRow::ringing(n, now).insert(&mut journal).await;
                sqlx::raw_sql("commit").execute(&mut journal).await.unwrap();
            }
        };
        let reading = async {
            let mut last = 0;
            while last < 150 {
                let wanted = PageRequest { page: 1, limit: 200 };
                let filter = InterviewFilter::default();
                let page = world.queries.page(TENANT, filter, wanted).await.unwrap();
                let stats = world.queries.stats(TENANT, InterviewFilter::default()).await.unwrap();
                assert_eq!(page.total, page.seq, "each commit adds one row and one to the number");
                assert_eq!(i64::try_from(page.rows.len()).unwrap(), page.seq);
                assert_eq!(stats.total, stats.seq);
                last = page.seq;
            }
        };
        tokio::join!(writing, reading);
    })
    .await;
}

#[tokio::test]
async fn a_detail_has_its_turns_in_order() {
    with_world(async |world| {
        let now = world.now().await;
        InterviewRow::ringing(1, now).insert(&mut world.journal().await).await;

        let detail = world.queries.detail(TENANT, rows::id(1)).await.unwrap().unwrap();

        let turns: Vec<_> = detail
            .turns
            .iter()
            .map(|turn| (turn.sequence_order, turn.role.as_str(), turn.message.as_str()))
            .collect();
        assert_eq!(turns, [(0, "assistant", "hello"), (1, "user", "hi")]);
        assert_eq!(detail.transcript.as_deref(), Some("hello"));
        assert_eq!(detail.summary.call_id.as_deref(), Some("call-1"));
        let transcript = world.queries.transcript(rows::id(1)).await.unwrap();
        assert_eq!(transcript.as_deref(), Some("hello"));
    })
    .await;
}

#[tokio::test]
async fn owners_are_told_of_what_was_deleted_too_and_of_no_other_tenants() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        let user = Uuid::from_u128(0xa);
        let row = |n| InterviewRow { belongs_to: Some(user), ..InterviewRow::ringing(n, now) };
        row(1).insert(&mut journal).await;
        InterviewRow { deleted_at: Some(now), ..row(2) }.insert(&mut journal).await;
        InterviewRow::ringing(3, now).insert(&mut journal).await;
        InterviewRow { tenant: OTHER, ..row(4) }.insert(&mut journal).await;

        let asked = (1..=5).map(rows::id).collect();
        let found = world.queries.owners(TenantId::DEFAULT, asked).await.unwrap();

        let mut owners = found.owners;
        owners.sort();
        let expected = [(rows::id(1), Some(user)), (rows::id(2), Some(user)), (rows::id(3), None)];
        assert_eq!((owners.as_slice(), found.seq), (&expected[..], 0));
    })
    .await;
}

#[tokio::test]
async fn figures_count_by_status_provider_and_outcome() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        let paid = |n, cost, duration| InterviewRow {
            cost: Some(cost),
            duration: Some(duration),
            ..InterviewRow::ended(n, "completed", now)
        };
        let rows = [
            paid(1, 0.25, 100.0),
            paid(2, 0.5, 200.0),
            InterviewRow { provider: None, ..InterviewRow::ringing(3, now) },
            InterviewRow { deleted_at: Some(now), ..paid(4, 9.0, 9.0) },
        ];
        for row in rows {
            row.insert(&mut journal).await;
        }

        let stats = world.queries.stats(TENANT, InterviewFilter::default()).await.unwrap();

        assert_eq!((stats.total, stats.average_duration, stats.total_cost), (3, Some(150.0), 0.75));
        assert_eq!(pairs(&stats.by_status), [("ended", 2), ("ringing", 1)]);
        assert_eq!(pairs(&stats.by_provider), [("vapi", 2), ("unknown", 1)]);
        assert_eq!(pairs(&stats.by_outcome), [("completed", 2)]);

        let nobody = InterviewFilter { belongs_to: Some(HR), ..InterviewFilter::default() };
        let stats = world.queries.stats(TENANT, nobody).await.unwrap();
        assert_eq!((stats.total, stats.average_duration, stats.total_cost), (0, None, 0.0));
        assert!(stats.by_status.is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_sync_learns_what_is_known_of_the_calls_it_names() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        let rows = [
            InterviewRow::ringing(1, now - Duration::minutes(5)),
            InterviewRow::ended(2, "completed", now),
            InterviewRow::ended(3, "awaiting_transcript", now),
            InterviewRow { deleted_at: Some(now), ..InterviewRow::ringing(4, now) },
            InterviewRow { tenant: OTHER, ..InterviewRow::ringing(5, now) },
        ];
        for row in &rows {
            row.insert(&mut journal).await;
        }
        let calls: Vec<String> = (1..=6).map(|n| format!("call-{n}")).collect();

        let mut known = world.queries.known(TenantId::DEFAULT, calls).await.unwrap();

        known.sort_by(|one, other| one.call_id.cmp(&other.call_id));
        let call = |n: u128, status, awaits_transcript, is_deleted, updated_at| KnownCall {
            call_id: format!("call-{n}"),
            status,
            awaits_transcript,
            is_deleted,
            updated_at,
        };
        assert_eq!(
            known,
            [
                call(1, CallStatus::Ringing, false, false, now - Duration::minutes(5)),
                call(2, CallStatus::Ended, false, false, now),
                call(3, CallStatus::Ended, true, false, now),
                call(4, CallStatus::Ringing, false, true, now),
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_tenant_is_stale_while_a_call_that_is_not_over_brings_no_news() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        let stale = async || world.queries.stale(TenantId::DEFAULT, now).await.unwrap();
        let before = now - Duration::seconds(1);
        let fine = [
            InterviewRow::ended(1, "awaiting_transcript", before),
            InterviewRow { deleted_at: Some(now), ..InterviewRow::ringing(2, before) },
            InterviewRow { tenant: OTHER, ..InterviewRow::ringing(3, before) },
            InterviewRow::ringing(4, now),
        ];
        for row in &fine {
            insert_awake(&mut journal, row, now).await;
        }
        assert!(!stale().await);

        insert_awake(&mut journal, &InterviewRow::ringing(5, before), now).await;
        assert!(stale().await);
    })
    .await;
}

#[tokio::test]
async fn a_value_that_its_set_does_not_have_is_an_error_and_not_another_value() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        InterviewRow::ended(1, "not_reached", now).insert(&mut journal).await;
        let reason = "update voice_interviews set failure_reason = 'busy'";
        sqlx::raw_sql(reason).execute(&mut journal).await.unwrap();
        let detail = world.queries.detail(TENANT, rows::id(1)).await.unwrap().unwrap();
        let busy = InterviewOutcome::NotReached(Some(FailureReason::Busy));
        assert_eq!(detail.summary.outcome, Some(busy));

        let outcome = "update voice_interviews set outcome = 'hung'";
        sqlx::raw_sql(outcome).execute(&mut journal).await.unwrap();
        let refused = world.queries.detail(TENANT, rows::id(1)).await;
        assert!(matches!(refused, Err(StoreError::Broken(_))));
    })
    .await;
}

#[tokio::test]
async fn a_reader_sees_its_own_tenant_and_nothing_else() {
    with_world(async |world| {
        let now = world.now().await;
        let row = InterviewRow::ringing(1, now);
        insert_awake(&mut world.journal().await, &row, now).await;
        let other = Scope::Tenant(OTHER);

        let none = InterviewFilter::default;
        let page = world.queries.page(other, none(), ALL).await.unwrap();
        assert_eq!((page.rows.len(), page.total), (0, 0));
        assert!(world.queries.detail(other, rows::id(1)).await.unwrap().is_none());
        assert_eq!(world.queries.stats(other, none()).await.unwrap().total, 0);
        assert!(!world.queries.stale(OTHER, now + Duration::hours(1)).await.unwrap());

        let mut reader = world.database.login().await.unwrap();
        sqlx::raw_sql("set role ringmaster_read").execute(&mut reader).await.unwrap();
        let unnamed: i64 = sqlx::query_scalar("select count(*) from voice_interviews")
            .fetch_one(&mut reader)
            .await
            .unwrap();
        assert_eq!(unnamed, 0, "without a tenant there is nothing to see");
    })
    .await;
}

/// Four interviews, a second apart: two of HR, one of a colleague, one of nobody.
async fn seed_filtered(journal: &mut PgConnection, now: DateTime<Utc>) {
    let at = |seconds| now + Duration::seconds(seconds);
    let all = [
        InterviewRow { belongs_to: Some(HR), ..InterviewRow::ringing(1, at(1)) },
        InterviewRow { belongs_to: Some(HR), ..InterviewRow::ended(2, "completed", at(2)) },
        InterviewRow {
            belongs_to: Some(COLLEAGUE),
            provider: Some("elevenlabs"),
            ..InterviewRow::ringing(3, at(3))
        },
        InterviewRow::ringing(4, at(4)),
    ];
    for row in all {
        row.insert(journal).await;
    }
}

/// Returns the numbers of the rows that a filter finds, newest first.
async fn found(world: &World, scope: Scope, filter: InterviewFilter) -> Vec<u128> {
    let page = world.queries.page(scope, filter, ALL).await.expect("the page is read");
    assert_eq!(usize::try_from(page.total), Ok(page.rows.len()));
    page.rows.iter().map(|row| row.id.0.as_u128() - rows::id(0).0.as_u128()).collect()
}

async fn insert_awake(journal: &mut PgConnection, row: &InterviewRow, due_at: DateTime<Utc>) {
    row.insert(journal).await;
    let key = domain::EntityKey { kind: domain::Kind::Interview, id: row.id };
    rows::wake(journal, key, due_at).await;
}

fn pairs(counts: &[StatusCount]) -> Vec<(&str, i64)> {
    counts.iter().map(|count| (count.value.as_str(), count.count)).collect()
}
