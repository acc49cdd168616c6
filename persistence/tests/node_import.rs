//! The import from the Node backend, between two schemas of a real PostgreSQL: one as that backend has it,
//! with rows that nobody would like, and ours.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as it does")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use common::rows::InterviewRow;
use common::{World, with_world};
use domain::ports::{
    CallConfigs as _, Clock, ConfigAccess, FactSink, InterviewQueries as _, NodeTable, Resolution,
    Resolver as _, Scope, StoredFact, Whose,
};
use domain::{CallId, EntityId, TenantId};
use persistence::{
    CallingStore, GroupJournal, InterviewRepository, JournalSettings, Keyring, NodeDatabase,
};
use providers::MrHireReader;
use sqlx::Executor as _;
use supervisor::{ImportSummary, NodeImport, TableReport};
use uuid::Uuid;

const TENANT: TenantId = TenantId::DEFAULT;

/// The tables there, as their page describes them; what is theirs alone is left out.
const NODE_SCHEMA: &str = r#"
    create schema node;
    create schema mas_crm;
    create table node.voice_interviews (
        id uuid primary key, "callId" varchar unique, status varchar not null, provider varchar,
        "phoneNumber" varchar, "candidateName" varchar, duration double precision,
        cost double precision, transcript text, "recordingUrl" text, summary text,
        application_id uuid, "belongsTo" uuid,
        "createdAt" timestamp not null default '2025-03-01T04:05:06',
        "updatedAt" timestamp not null default '2025-03-02T04:05:06'
    );
    create table node.voice_interview_messages (
        id uuid primary key default gen_random_uuid(), voice_interview_id uuid not null,
        role varchar not null, message text, "sequenceOrder" int not null
    );
    create table node.system_configs (
        id uuid primary key default gen_random_uuid(), key varchar unique, value text
    );
    create table node.ai_call_prompts (
        id uuid primary key, name varchar, "systemPrompt" text, platform varchar,
        "belongsToId" uuid, "isActive" boolean not null default true,
        "createdAt" timestamp not null default '2025-03-01T04:05:06'
    );
    create table node.hr_call_configs (
        id uuid primary key, "userId" uuid unique, "allowedProviders" jsonb,
        "defaultProvider" varchar, credentials jsonb, "isActive" boolean not null default true
    );
    create table node.users (
        id uuid primary key, role varchar, name varchar, email varchar, phone varchar,
        "deletedAt" timestamp
    );
    create table mas_crm.aarya_call_batches (id uuid primary key);
    insert into mas_crm.aarya_call_batches values (gen_random_uuid()), (gen_random_uuid());
"#;

/// Rows that can be taken over.
const GOOD: &str = r#"
    insert into node.voice_interviews (id, "callId", status, provider, "phoneNumber",
        "candidateName", duration, cost, transcript, "recordingUrl", summary, application_id, "belongsTo")
    values
        ('00000000-0000-0000-0000-0000000000a1', 'call_real', 'ended', 'vapi', '+919529117230',
            E'Asha \U0001F600 "Rao"', 214.6, 0.38, repeat('assistant: Hello. user: Hi. ', 20),
            'https://storage.vapi.ai/a.wav', 'Good.', '00000000-0000-0000-0000-00000000aaaa',
            '00000000-0000-0000-0000-00000000bbbb'),
        ('00000000-0000-0000-0000-0000000000a2', 'call_failed', 'failed', 'openai_twilio',
            '+91 95291 17231', null, null, null, null, null, null,
            '00000000-0000-0000-0000-00000000aaaa', null),
        ('00000000-0000-0000-0000-0000000000a3', 'call_running', 'in-progress', null,
            null, '', null, null, '', null, null, '00000000-0000-0000-0000-00000000aaaa', null),
        ('00000000-0000-0000-0000-0000000000a4', 'call_silent', 'ended', 'elevenlabs',
            '+14155550100', 'No Transcript', 95, 1e-9, null, null, null,
            '00000000-0000-0000-0000-00000000aaaa', null);
    insert into node.voice_interview_messages (voice_interview_id, role, message, "sequenceOrder")
    values
        ('00000000-0000-0000-0000-0000000000a1', 'user', 'Hi.', 1),
        ('00000000-0000-0000-0000-0000000000a1', 'assistant', 'Hello.', 0),
        ('00000000-0000-0000-0000-0000000000a1', 'tool', '   ', 2),
        ('00000000-0000-0000-0000-0000000000a2', 'user', null, 0);
"#;

/// Rows that cannot, one reason each.
const BAD: &str = r#"
    insert into node.voice_interviews (id, "callId", status, provider, "phoneNumber", duration, cost)
    values
        ('00000000-0000-0000-0000-0000000000b1', 'bad_status', 'melted', 'vapi', null, null, null),
        ('00000000-0000-0000-0000-0000000000b2', 'bad_phone', 'ended', 'vapi', '110', null, null),
        ('00000000-0000-0000-0000-0000000000b3', 'bad_provider', 'ended', 'skype', null, null, null),
        ('00000000-0000-0000-0000-0000000000b4', 'bad_duration', 'ended', 'vapi', null, 'NaN', null),
        ('00000000-0000-0000-0000-0000000000b5', 'bad_cost', 'ended', 'vapi', null, null, -1),
        ('00000000-0000-0000-0000-0000000000b6', null, 'ended', 'vapi', null, null, null),
        ('00000000-0000-0000-0000-0000000000b7', '  ', 'ended', 'vapi', null, null, null);
"#;

struct Unheard;

impl FactSink for Unheard {
    fn publish(&self, _: Vec<StoredFact>) {}
}

/// A clock that stands still.
struct Still(DateTime<Utc>);

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

fn node(number: u128) -> EntityId {
    EntityId(Uuid::from_u128(number))
}

/// Imports once; a journal of its own each time, as each run of the command has.
async fn import(world: &World) -> ImportSummary {
    static RUN: AtomicU64 = AtomicU64::new(1);
    let options = world.database.options().clone().options([("search_path", "node")]);
    let (journal, task) = GroupJournal::start(
        world.database.clone(),
        Uuid::from_u128(RUN.fetch_add(1, Ordering::Relaxed).into()),
        JournalSettings::default(),
        Arc::new(Unheard),
    );
    let import = NodeImport {
        source: Arc::new(NodeDatabase::open(options).await.unwrap()),
        journal: Arc::new(journal),
        store: Arc::new(world.store.clone()),
        target: Arc::new(world.queries.clone()),
        configs: Arc::new(calling(world)),
        repository: Arc::new(InterviewRepository),
        evidence: Arc::new(MrHireReader),
        clock: Arc::new(Still(world.now().await)),
        tenant: TENANT,
    };
    let summary = import.run().await.unwrap();
    task.abort();
    summary
}

fn calling(world: &World) -> CallingStore {
    let key: [u8; 32] = std::array::from_fn(|place| u8::try_from(place).unwrap());
    CallingStore::new(world.database.clone(), Arc::new(Keyring::new(Some(&key), &[])))
}

fn table(summary: &ImportSummary, table: NodeTable) -> &TableReport {
    summary.tables.iter().find(|report| report.table == table).unwrap()
}

fn counts(report: &TableReport) -> [u64; 4] {
    [report.read, report.written, report.unchanged, report.refused]
}

async fn prepare(world: &World, rows: &[&'static str]) {
    let mut login = world.database.login().await.unwrap();
    for sql in [&[NODE_SCHEMA], rows].concat() {
        login.execute(sqlx::raw_sql(sql)).await.unwrap();
    }
}

#[tokio::test]
async fn interviews_come_as_they_were_and_nobody_is_told_or_rung() {
    with_world(async |world| {
        prepare(world, &[GOOD]).await;
        let first = import(world).await;
        assert_eq!(counts(table(&first, NodeTable::Interviews)), [4, 4, 0, 0], "{first:?}");

        let detail = world.queries.detail(Scope::Tenant(TENANT), node(0xa1)).await.unwrap().unwrap();
        let row = &detail.summary;
        assert_eq!(row.call_id.as_deref(), Some("call_real"));
        assert_eq!(row.outcome.map(|outcome| outcome.as_str()), Some("completed"));
        assert_eq!((row.duration, row.cost), (Some(214.6), Some(0.38)));
        assert_eq!(row.candidate_name.as_deref(), Some("Asha \u{1F600} \"Rao\""));
        assert_eq!(row.belongs_to, Some(Uuid::from_u128(0xbbbb)));
        assert_eq!(row.created_at.to_rfc3339(), "2025-03-01T04:05:06+00:00");
        assert_eq!(row.updated_at.to_rfc3339(), "2025-03-02T04:05:06+00:00");
        assert_eq!(detail.transcript.map(|text| text.len()), Some(560));
        let said: Vec<_> = detail.turns.iter().map(|turn| turn.message.as_str()).collect();
        assert_eq!(said, ["Hello.", "Hi."], "in order, and without blanks");

        for (what, expected) in [
            ("select count(*) from intents", 0),
            ("select count(*) from inbox", 0),
            ("select count(*) from screening_results", 0),
            ("select count(*) from call_events where name = 'imported'", 4),
            ("select count(*) from wakes", 1),
            ("select count(*) from wakes where due_at < now() and entity_id = '00000000-0000-0000-0000-0000000000a3'", 1),
        ] {
            assert_eq!(world.count(what).await, expected, "{what}");
        }
    })
    .await;
}

#[tokio::test]
async fn second_run_changes_nothing_and_says_so() {
    with_world(async |world| {
        prepare(world, &[GOOD, BAD]).await;
        let written =
            "select sum(version)::bigint + (select seq from journal_head) from voice_interviews";
        let first = import(world).await;
        assert_eq!(counts(table(&first, NodeTable::Interviews)), [11, 4, 0, 7]);
        let before = world.count(written).await;
        let second = import(world).await;
        assert_eq!(counts(table(&second, NodeTable::Interviews)), [11, 0, 4, 7]);
        assert_eq!(second.written, 0);
        assert_eq!(world.count(written).await, before);
    })
    .await;
}

#[tokio::test]
async fn rows_that_make_no_sense_are_refused_by_name() {
    with_world(async |world| {
        prepare(world, &[BAD]).await;
        let summary = import(world).await;
        let report = table(&summary, NodeTable::Interviews);
        let whys: Vec<_> = report.refusals.iter().map(|refusal| refusal.why.as_str()).collect();
        for (why, word) in whys.iter().zip([
            "status",
            "phoneNumber",
            "provider",
            "duration",
            "cost",
            "callId",
            "call id",
        ]) {
            assert!(why.contains(word), "{word}: {why}");
        }
        assert_eq!((whys.len(), report.refused), (7, 7), "{whys:?}");
        assert!(!whys.concat().contains("110"), "no number is shown");
        assert_eq!(world.count("select count(*) from voice_interviews").await, 0);
    })
    .await;
}

#[tokio::test]
async fn call_that_is_known_here_stays_ours() {
    with_world(async |world| {
        prepare(world, &[GOOD]).await;
        let now = world.now().await;
        let mut journal = world.journal().await;
        // The engine told us of one call before the import, and one was deleted here.
        InterviewRow::ringing(1, now).insert(&mut journal).await;
        let gone = InterviewRow { deleted_at: Some(now), ..InterviewRow::ringing(2, now) };
        gone.insert(&mut journal).await;
        for (id, call) in
            [(InterviewRow::ringing(1, now).id, "call_real"), (gone.id, "call_failed")]
        {
            sqlx::query("update voice_interviews set call_id = $2 where id = $1")
                .bind(id.0)
                .bind(call)
                .execute(&mut journal)
                .await
                .unwrap();
        }
        let summary = import(world).await;
        assert_eq!(counts(table(&summary, NodeTable::Interviews)), [4, 2, 2, 0]);
        assert!(world.queries.detail(Scope::Tenant(TENANT), node(0xa1)).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn reports_find_an_imported_interview_and_a_later_import_brings_its_end() {
    with_world(async |world| {
        prepare(world, &[GOOD]).await;
        import(world).await;
        let asked = Whose {
            tenant: TENANT,
            call_id: CallId::parse("call_running").unwrap(),
            intent: None,
            phone: None,
        };
        let found = world.store.resolve(vec![asked]).await.unwrap();
        assert_eq!(found, [Resolution::Known(node(0xa3))], "it keeps the id that it had there");

        let mut login = world.database.login().await.unwrap();
        let ended = r#"update node.voice_interviews
            set status = 'ended', duration = 90, transcript = repeat('user: Yes. ', 20),
                "updatedAt" = '2025-03-03T00:00:00'
            where "callId" = 'call_running'"#;
        login.execute(ended).await.unwrap();
        let again = import(world).await;
        assert_eq!(counts(table(&again, NodeTable::Interviews)), [4, 1, 3, 0]);
        let detail =
            world.queries.detail(Scope::Tenant(TENANT), node(0xa3)).await.unwrap().unwrap();
        assert_eq!(detail.summary.outcome.map(|outcome| outcome.as_str()), Some("completed"));
        assert_eq!(world.count("select count(*) from wakes").await, 0);
        assert_eq!(world.count("select count(*) from inbox").await, 0);
    })
    .await;
}

#[tokio::test]
async fn users_come_once_and_who_is_deleted_there_later_is_shut_out_here() {
    with_world(async |world| {
        let rows = r#"
            insert into node.users (id, role, name, email, phone, "deletedAt") values
                ('00000000-0000-0000-0000-0000000000e1', 'HR', 'Asha', 'asha@b.example', '+919529117230', null),
                ('00000000-0000-0000-0000-0000000000e2', 'admin', null, 'ravi@b.example', 'none', null),
                ('00000000-0000-0000-0000-0000000000e3', 'STUDENT', 'Gone', null, null, '2025-01-01'),
                ('00000000-0000-0000-0000-0000000000e4', 'WIZARD', 'Strange', null, null, null),
                ('00000000-0000-0000-0000-0000000000e5', null, 'Nobody', null, null, null);
        "#;
        prepare(world, &[rows]).await;
        let first = import(world).await;
        assert_eq!(counts(table(&first, NodeTable::Users)), [5, 3, 0, 2], "{first:?}");
        let out = "select count(*) from users where deleted_at is not null";
        assert_eq!(world.count(out).await, 1);
        let mut login = world.database.login().await.unwrap();
        let later = r#"update node.users set name = 'Another', "deletedAt" = now() where role = 'HR'"#;
        login.execute(later).await.unwrap();
        let second = import(world).await;
        assert_eq!(counts(table(&second, NodeTable::Users)), [5, 1, 2, 2]);
        assert_eq!(world.count(out).await, 2);
        let kept = "select count(*) from users where name = 'Asha' and phone = '+919529117230'";
        assert_eq!(world.count(kept).await, 1, "what is known here stays");
        assert_eq!(import(world).await.written, 0);
    })
    .await;
}

#[tokio::test]
async fn prompts_and_configurations_come_once_and_credentials_are_sealed() {
    with_world(async |world| {
        let rows = r#"
            insert into node.ai_call_prompts (id, name, "systemPrompt", platform, "belongsToId") values
                ('00000000-0000-0000-0000-0000000000c1', 'All', 'Hello {{candidateName}}.', null, null),
                ('00000000-0000-0000-0000-0000000000c2', 'Mine', 'Hi.', 'vapi',
                    '00000000-0000-0000-0000-00000000bbbb'),
                ('00000000-0000-0000-0000-0000000000c3', 'Broken', 'Hello {{#if x}}', null, null),
                ('00000000-0000-0000-0000-0000000000c4', 'Strange', 'Hi.', 'skype', null),
                ('00000000-0000-0000-0000-0000000000c5', '   ', 'Hi.', null, null);
            insert into node.hr_call_configs (id, "userId", "allowedProviders", "defaultProvider",
                credentials) values
                ('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-00000000bbbb',
                    '["vapi", "elevenlabs"]', 'elevenlabs', '{"vapi": {"key": "hunter2"}}'),
                ('00000000-0000-0000-0000-0000000000d2', gen_random_uuid(), '["skype"]', null, null),
                ('00000000-0000-0000-0000-0000000000d3', gen_random_uuid(), '[]', 'vapi', null),
                ('00000000-0000-0000-0000-0000000000d4', gen_random_uuid(), '["vapi"]', 'elevenlabs', null);
        "#;
        prepare(world, &[rows]).await;
        let first = import(world).await;
        assert_eq!(counts(table(&first, NodeTable::Prompts)), [5, 2, 0, 3], "{first:?}");
        assert_eq!(counts(table(&first, NodeTable::CallConfigs)), [4, 1, 0, 3], "{first:?}");
        let kept = "select count(*) from ai_call_prompts
            where id = '00000000-0000-0000-0000-0000000000c1' and created_at = '2025-03-01T04:05:06Z'";
        assert_eq!(world.count(kept).await, 1);
        let bare = "select count(*) from hr_call_configs where position('hunter2'::bytea in credentials) > 0";
        assert_eq!(world.count(bare).await, 0, "what is stored is sealed");
        let user = Uuid::from_u128(0xbbbb);
        let (access, _) = calling(world).opened_config(TENANT, user).await.unwrap().unwrap();
        let ConfigAccess::Active { config, credentials } = access else { panic!("{access:?}") };
        assert_eq!(config.providers.default().as_str(), "elevenlabs");
        assert_eq!(credentials.unwrap().expose(), r#"{"vapi":{"key":"hunter2"}}"#);
        assert!(!format!("{first:?}").contains("hunter2"));

        let second = import(world).await;
        assert_eq!(counts(table(&second, NodeTable::Prompts)), [5, 0, 2, 3]);
        assert_eq!(counts(table(&second, NodeTable::CallConfigs)), [4, 0, 1, 3]);
        assert_eq!(second.written, 0);
    })
    .await;
}

#[tokio::test]
async fn more_rows_than_a_page_all_come() {
    with_world(async |world| {
        let many = r#"insert into node.voice_interviews (id, "callId", status, "createdAt")
            select gen_random_uuid(), 'call_' || n, 'failed', '2025-01-01'::timestamp + n * interval '1 minute'
            from generate_series(1, 2100) n"#;
        prepare(world, &[many]).await;
        let summary = import(world).await;
        assert_eq!(counts(table(&summary, NodeTable::Interviews)), [2_100, 2_100, 0, 0]);
        assert_eq!(world.count("select count(*) from voice_interviews").await, 2_100);
        let year = "select count(*) from voice_interviews where created_at < '2025-01-03'";
        assert_eq!(world.count(year).await, 2_100, "each has the time that it had there");
    })
    .await;
}

#[tokio::test]
async fn settings_are_copied_where_there_are_none_and_other_tables_are_counted() {
    with_world(async |world| {
        let settings = r#"insert into node.system_configs (key, value) values
            ('CALL_PROVIDER', 'elevenlabs'), ('SCREENING_THRESHOLD', '62.5'),
            ('SCREENING_WEIGHTS', '{"resume": 9}'), ('ENABLED_CALL_PROVIDERS', '["skype"]'),
            ('SOMETHING_ELSE', 'x')"#;
        prepare(world, &[settings]).await;
        let summary = import(world).await;
        let report = table(&summary, NodeTable::SystemConfigs);
        assert_eq!((counts(report), report.left), ([5, 2, 1, 1], 1), "{report:?}");
        assert_eq!(report.refusals[0].id, "ENABLED_CALL_PROVIDERS");
        let kept = r#"select count(*) from system_configs where (key, value) in (
            ('CALL_PROVIDER', '"elevenlabs"'), ('SCREENING_THRESHOLD', '62.5'),
            ('SCREENING_WEIGHTS', '{"resume": 1, "quiz": 1, "call": 1}'))"#;
        assert_eq!(world.count(kept).await, 3);
        assert_eq!(counts(table(&import(world).await, NodeTable::SystemConfigs)), [5, 0, 3, 1]);

        let fate = |which| serde_json::to_value(table(&summary, which)).unwrap();
        assert_eq!(fate(NodeTable::AaryaBatches)["fate"], "not_copied");
        assert_eq!(fate(NodeTable::AaryaBatches)["read"], 2);
        assert_eq!(fate(NodeTable::MissOzoneCalls)["fate"], "absent");
        assert_eq!(fate(NodeTable::Interviews)["table"], "voice_interviews");
    })
    .await;
}
