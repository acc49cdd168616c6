//! What a batch costs does not depend on how much is stored.

mod common;

use chrono::{DateTime, TimeDelta, Utc};
use common::ledger::{Ledger, eventually, first_seq, watch};
use common::{World, rows, steps, with_world};
use domain::policy::CallingWindow;
use domain::ports::{Ends, Inbox as _, IntentRow, IntentStep, SignalRow, Step, Verdict};
use domain::{Alias, Cause, Claim, DedupeKey, EntityKey, IntentId, OperationClass, Reach};
use sqlx::Executor as _;
use uuid::Uuid;

/// Interviews that go through one round.
const FAMILIES: u128 = 8;
/// Rows that a step may read, and blocks that it may touch, whatever the tables hold. A step reads
/// 10 rows and touches 44 blocks; a single walk through a grown table is thousands for each.
const ROWS_PER_STEP_MAX: i64 = 40;
const BLOCKS_PER_STEP_MAX: i64 = 120;
/// Calls that begin together, how many such groups there are, and batches between two steps of a call.
const GROUP: u128 = 16;
const GROUPS: u128 = 48;
const TICKS_BETWEEN_STEPS: u128 = 4;
/// The share of updates that must stay within their page. Measured: 0.82, because a call's neighbours are at
/// other points of their lives; of calls that all move at once half do not fit. With an index on a column
/// that every commit changes it is none.
const HOT_SHARE_MIN: f64 = 0.25;

/// How many rows each table gets.
const GROWN: i64 = 200_000;
/// Lets the tables grow without anybody counting again. All rows are of the one tenant that is asked about:
/// whoever looks something up by its tenant walks all of them.
///
/// No temporary table: the schema made for the first one has every session plan anew.
const GROW: &str = "
    insert into dedupe_keys (key, tenant_id) select gen_random_uuid(), '00000000-0000-0000-0000-000000000001' from generate_series(1, 200000) as n;
    insert into voice_interviews (id, tenant_id, version, schema, state, call_id, status,
        answered_by, created_at, updated_at)
    select gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 1, 1, '{}', 'grown-' || n, 'queued', 'unknown', now(), now()
    from generate_series(1, 200000) as n;
    insert into inbox (id, tenant_id, kind, entity_id, schema, event, hops, received_at)
    select gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 'interview', gen_random_uuid(), 1, '{}', 0, now()
    from generate_series(1, 200000) as n;
    insert into wakes (entity_id, kind, tenant_id, due_at, version)
    select gen_random_uuid(), 'interview', '00000000-0000-0000-0000-000000000001', now(), 1 from generate_series(1, 200000) as n;
    insert into intents (id, tenant_id, kind, entity_id, operation, class, reach, callee, schema,
        effect, status, attempt, due_at, look_at, held_until, planned_at)
    select gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 'interview', gen_random_uuid(), 'dial', 'searchable', 'rings',
        '+91' || n, 1, '{}', (array['planned', 'sending', 'ambiguous'])[n % 3 + 1], 1, now(), now(),
        now() - interval '1 day', now()
    from generate_series(1, 200000) as n;
    insert into call_aliases (source, external, tenant_id, entity_id)
    select 'grown', n::text, '00000000-0000-0000-0000-000000000001', gen_random_uuid() from generate_series(1, 200000) as n;
    insert into screening_results (id, tenant_id, version, schema, state, application_id, status,
        call_status, attempts, created_at, updated_at)
    select gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 1, 1, '{}', gen_random_uuid(), 'pending', 'none', 0, now(), now()
    from generate_series(1, 200000) as n;
    insert into call_events (seq, tenant_id, kind, entity_id, version, name, schema, data, at)
    select -n, '00000000-0000-0000-0000-000000000001', 'interview', gen_random_uuid(), 1, 'grown', 1, '{}', now()
    from generate_series(1, 200000) as n;
    insert into webhook_deliveries (key, tenant_id, kind, entity_id, verdict, received_at)
    select gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 'interview', gen_random_uuid(), 'applied', now()
    from generate_series(1, 200000) as n";

const STOP_COUNTING: &str = "
    alter table dedupe_keys set (autovacuum_enabled = off);
    alter table voice_interviews set (autovacuum_enabled = off);
    alter table inbox set (autovacuum_enabled = off);
    alter table wakes set (autovacuum_enabled = off);
    alter table intents set (autovacuum_enabled = off);
    alter table call_aliases set (autovacuum_enabled = off);
    alter table screening_results set (autovacuum_enabled = off)";

const ROWS_READ: &str = "
    select (select coalesce(sum(seq_tup_read), 0) from pg_stat_user_tables)::bigint
        + (select coalesce(sum(idx_tup_read), 0) from pg_stat_user_indexes)::bigint";

const BLOCKS_TOUCHED: &str = "
    select coalesce(sum(coalesce(heap_blks_read, 0) + coalesce(heap_blks_hit, 0)
        + coalesce(idx_blks_read, 0) + coalesce(idx_blks_hit, 0)), 0)::bigint
    from pg_statio_user_tables";

const INTERVIEWS_WRITTEN: &str = "
    select (n_tup_ins + n_tup_upd)::bigint from pg_stat_user_tables
    where relname = 'voice_interviews'";

/// Sends every sort of step through the journal, in a few batches; answers how many there were.
async fn round(world: &World, ledger: &Ledger, base: u128, now: DateTime<Utc>) -> i64 {
    let numbers = base..base + FAMILIES;
    let mut count = 0;
    for version in 0..4 {
        let mut batch = Vec::new();
        for n in numbers.clone() {
            let entity = steps::interview(n);
            batch.push(owing(entity, version, now));
            batch.push(steps::screened(steps::screening(n), version, now));
            batch.push(steps::refused(
                steps::interview(n + FAMILIES),
                0,
                &version.to_string(),
                now,
            ));
            batch.push(from_inbox(world, n + 2 * FAMILIES, version, now).await);
        }
        count += batch.len() as i64;
        for verdict in ledger.submit_all(batch).await {
            first_seq(&verdict);
        }
    }
    count + careful_round(world, ledger, base, now).await
}

/// Sends a batch that has to be taken apart.
async fn careful_round(world: &World, ledger: &Ledger, base: u128, now: DateTime<Utc>) -> i64 {
    let applied = from_inbox(world, base + 2 * FAMILIES, 4, now).await;
    first_seq(&ledger.submit(applied.clone()).await);
    let said = ledger
        .submit_all(vec![
            steps::refused(steps::interview(base), 4, "careful", now),
            Step { expected: 5, ..applied },
            steps::moved(steps::interview(base + 1), 1, "ringing", now),
        ])
        .await;
    let erased = Step { erase: true, ..steps::refused(steps::interview(base), 4, "erased", now) };
    first_seq(&ledger.submit(erased).await);
    assert!(matches!(said[0], Verdict::Committed { .. }), "{said:?}");
    assert!(matches!(said[1..], [Verdict::Duplicate(_), Verdict::Duplicate(_)]), "{said:?}");
    5
}

/// Makes a step whose cause lay in the inbox.
async fn from_inbox(world: &World, n: u128, version: i64, now: DateTime<Utc>) -> Step {
    let entity = steps::interview(n);
    let id = n * 16 + version as u128;
    let row = rows::delivery(id, entity, now);
    let (id, key) = (row.key.0, row.key);
    world.store.park(row).await.expect("the row is stored");
    let mut step = steps::moved(entity, version, "ringing", now);
    step.deliveries[0].cause = Cause::Inbox { row: id, key };
    step
}

/// Makes the step of a life in which intents are planned, sent, moved and ended.
fn owing(entity: EntityKey, version: i64, now: DateTime<Utc>) -> Step {
    let id = |ordinal| IntentId::derived(entity.id, "fetch", ordinal);
    let due = now + TimeDelta::hours(1);
    let callee = |ordinal: u32| format!("+9195{:08}{ordinal}", entity.id.0.as_u128() % 100_000_000);
    let plan = |ordinal| {
        IntentStep::Plan(IntentRow {
            id: id(ordinal),
            operation: "fetch",
            class: OperationClass::Idempotent,
            reach: Reach::Rings,
            callee: Some(callee(ordinal)),
            schema: 1,
            effect: "{}".to_owned(),
            due,
        })
    };
    let noon = "2026-11-20T06:30:00Z".parse().expect("an instant");
    let verdict = CallingWindow::default().judge(noon, noon).expect("a good time to ring");
    let claim = Claim::Callee { until: due, verdict };
    let send = |ordinal| IntentStep::Send {
        id: id(ordinal),
        attempt: 1,
        not_after: due,
        look_at: due,
        claim: claim.clone(),
    };
    let mut step = match version {
        3 => steps::ended(entity, version, now),
        _ => steps::moved(entity, version, "ringing", now),
    };
    step.intents = match version {
        0 => (0..4).map(plan).collect(),
        1 => vec![send(0), send(1), IntentStep::Postpone { id: id(2), due }],
        2 => vec![
            IntentStep::Settle { id: id(0), attempt: 1, ends: Ends::Attempt },
            IntentStep::Close { id: id(1) },
            IntentStep::Release { id: id(0) },
            IntentStep::Release { id: id(1) },
        ],
        _ => vec![IntentStep::Cancel { id: id(2) }, IntentStep::Close { id: id(3) }],
    };
    step.signals = vec![SignalRow {
        id: DedupeKey::named(entity, &format!("signal/{version}")),
        to: entity,
        schema: 1,
        event: "{}".to_owned(),
        hops: 1,
    }];
    step.aliases = vec![Alias { source: "engine", external: format!("{}/{version}", entity.id) }];
    step
}

async fn grow(world: &World) {
    let before = watch(world, INTERVIEWS_WRITTEN).await;
    let mut journal = world.journal().await;
    journal.execute(sqlx::raw_sql(GROW)).await.expect("the tables grow");
    drop(journal); // What a session counted is known when it ends.
    eventually("the growth is counted", async || {
        watch(world, INTERVIEWS_WRITTEN).await >= before + GROWN
    })
    .await;
}

/// Ends the journal and waits for its session's end: then all that it did is counted.
async fn stop_and_count(world: &World, ledger: Ledger, now: DateTime<Utc>) {
    let last = steps::moved(steps::interview(1_000_000), 0, "queued", now);
    first_seq(&ledger.submit(last).await);
    ledger.stop().await;
    eventually("the journal's session is over", async || {
        let sessions = watch(
            world,
            "select count(*) from pg_stat_activity
             where datname = current_database() and query like 'select journal_commit%'",
        );
        sessions.await == 0
    })
    .await;
}

#[tokio::test]
async fn a_batch_reads_as_little_from_large_tables_as_from_small_ones() {
    with_world(async |world| {
        let now = world.now().await;
        let mut login = world.database.login().await.unwrap();
        login.execute(sqlx::raw_sql(STOP_COUNTING)).await.unwrap();
        let ledger = Ledger::start(&world.database, 1);

        let (rows, blocks) = read_once_grown(world, ledger, now).await;

        println!("{rows} rows and {blocks} blocks a step");
        assert!(rows <= ROWS_PER_STEP_MAX, "{rows} rows a step");
        assert!(blocks <= BLOCKS_PER_STEP_MAX, "{blocks} blocks a step");
    })
    .await;
}

#[tokio::test]
async fn a_batch_reads_as_little_when_its_plans_were_made_for_tables_of_a_row() {
    with_world(async |world| {
        let now = world.now().await;
        let mut login = world.database.login().await.unwrap();
        login.execute(sqlx::raw_sql(STOP_COUNTING)).await.unwrap();
        let ledger = Ledger::start(&world.database, 1);
        first_seq(&ledger.submit(steps::ended(steps::interview(900_000), 0, now)).await);
        first_seq(&ledger.submit(steps::screened(steps::screening(900_000), 0, now)).await);
        // Counting has every session plan anew: for tables of a row, of which any walk is short.
        login.execute("analyze").await.unwrap();

        let (rows, blocks) = read_once_grown(world, ledger, now).await;

        assert!(rows <= ROWS_PER_STEP_MAX, "{rows} rows a step");
        assert!(blocks <= BLOCKS_PER_STEP_MAX, "{blocks} blocks a step");
    })
    .await;
}

/// Has the plans made, lets the tables grow, and answers what a step then reads: rows and blocks.
async fn read_once_grown(world: &World, ledger: Ledger, now: DateTime<Utc>) -> (i64, i64) {
    // Plans are made now, while the tables are small, and nothing that follows makes them anew.
    round(world, &ledger, 0, now).await;
    grow(world).await;
    let (rows, blocks) = (watch(world, ROWS_READ).await, watch(world, BLOCKS_TOUCHED).await);
    let steps = round(world, &ledger, 1000, now).await;
    stop_and_count(world, ledger, now).await;
    let rows = (watch(world, ROWS_READ).await - rows) / steps;
    let blocks = (watch(world, BLOCKS_TOUCHED).await - blocks) / steps;
    (rows, blocks)
}

#[tokio::test]
async fn most_updates_of_an_interview_stay_within_its_page() {
    with_world(async |world| {
        let now = world.now().await;
        let ledger = Ledger::start(&world.database, 1);
        // Ids are spread as derived ones are, and a batch holds calls at every point of their lives.
        let entity = |n: u128| steps::interview(n.wrapping_mul(Uuid::NAMESPACE_OID.as_u128()));
        for tick in 0..GROUPS + 3 * TICKS_BETWEEN_STEPS {
            let mut batch = Vec::new();
            for stage in 0..4_u8 {
                let group = tick.checked_sub(u128::from(stage) * TICKS_BETWEEN_STEPS);
                let Some(group) = group.filter(|group| *group < GROUPS) else { continue };
                for n in group * GROUP..(group + 1) * GROUP {
                    batch.push(match stage {
                        0 => steps::moved(entity(n), 0, "queued", now),
                        1 => steps::moved(entity(n), 1, "ringing", now),
                        2 => steps::moved(entity(n), 2, "in-progress", now),
                        _ => steps::ended(entity(n), 3, now),
                    });
                }
            }
            for verdict in ledger.submit_all(batch).await {
                first_seq(&verdict);
            }
        }

        stop_and_count(world, ledger, now).await;
        let percent = watch(
            world,
            "select n_tup_hot_upd * 100 / n_tup_upd from pg_stat_user_tables
             where relname = 'voice_interviews'",
        );
        let share = percent.await as f64 / 100.0;
        println!("{share} of the updates were HOT");
        assert!(share > HOT_SHARE_MIN, "only {share} of the updates were HOT");
    })
    .await;
}
