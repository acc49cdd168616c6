//! Imports of jobs and applications, on a real PostgreSQL.

mod common;

use chrono::Duration;
use common::rows::InterviewRow;
use common::{OTHER, World, with_world};
use domain::interview::InterviewEvent;
use domain::policy::{Score, StageWeights};
use domain::ports::{
    ApplicationImport, Applications as _, ImportRefusal, Inbox as _, JobPostImport, PageRequest,
    Scope, ScreeningQueries as _,
};
use domain::screening::{ApplicationProfile, JobPolicy, ScreeningEvent, StageScores};
use domain::{EntityId, Kind, Phone, TenantId};
use uuid::Uuid;

const TENANT: TenantId = TenantId::DEFAULT;
/// Everything an import may write.
const WRITTEN: &str = "select (select count(*) from job_posts)
    + (select count(*) from job_applications)
    + (select count(*) from inbox)
    + (select count(*) from dedupe_keys)";

#[tokio::test]
async fn an_import_tells_each_screening_once_however_often_it_is_repeated() {
    with_world(async |world| {
        let now = world.now().await;
        let applications = vec![application(1, 1), application(2, 1)];

        let first = import(world, vec![post(1)], applications.clone(), 0).await.unwrap();
        assert_eq!((first.job_posts, first.applications), (1, 2));
        let mut told = first.told;
        told.sort();
        assert_eq!(told, [screening(1), screening(2)]);

        let again = import(world, vec![post(1)], applications, 1).await.unwrap();
        assert_eq!((again.job_posts, again.applications, again.told.len()), (0, 0, 0));
        assert_eq!(world.count(WRITTEN).await, 7);
        let told = world.store.backlog(now + Duration::hours(1), 10).await.unwrap();
        assert!(told.iter().all(|key| key.kind == Kind::Screening) && told.len() == 2);
    })
    .await;
}

#[tokio::test]
async fn interviews_from_before_the_import_are_asked_once_after_it() {
    with_world(async |world| {
        let now = world.now().await;
        let mut journal = world.journal().await;
        let ours = InterviewRow::ended(1, "completed", now);
        let deleted = InterviewRow { deleted_at: Some(now), ..InterviewRow::ringing(2, now) };
        let strangers = InterviewRow { tenant: OTHER, ..InterviewRow::ringing(3, now) };
        let other = InterviewRow::ringing(4, now);
        for (row, application) in [(&ours, 1), (&deleted, 1), (&strangers, 1), (&other, 9)] {
            row.insert(&mut journal).await;
            sqlx::query("update voice_interviews set application_id = $2 where id = $1")
                .bind(row.id.0)
                .bind(screening(application).0)
                .execute(&mut journal)
                .await
                .unwrap();
        }

        let first = import(world, vec![post(1)], vec![application(1, 1)], 0).await.unwrap();
        assert_eq!(first.asked, [ours.id]);
        let asked = world.store.claim(Kind::Interview, vec![ours.id], now).await.unwrap();
        let event: InterviewEvent = serde_json::from_str(&asked[0].event).unwrap();
        let InterviewEvent::ApplicationImported { application: known } = event else {
            panic!("{event:?}")
        };
        assert_eq!(known, screening(1));

        let again = import(world, vec![post(1)], vec![application(1, 1)], 1).await.unwrap();
        assert_eq!(again.asked, []);
    })
    .await;
}

#[tokio::test]
async fn what_changed_is_told_and_so_is_what_changed_back() {
    with_world(async |world| {
        let corrected =
            ApplicationImport { candidate_name: "Asha Rao".into(), ..application(1, 1) };
        import(world, vec![post(1)], vec![application(1, 1)], 0).await.unwrap();

        let changed = import(world, vec![], vec![corrected], 1).await.unwrap();
        assert_eq!((changed.applications, changed.told), (1, vec![screening(1)]));
        let back = import(world, vec![], vec![application(1, 1)], 2).await.unwrap();
        assert_eq!((back.applications, back.told), (1, vec![screening(1)]));
        let retitled = JobPostImport { title: "Lead".into(), ..post(1) };
        let retitled = import(world, vec![retitled], vec![application(1, 1)], 3).await.unwrap();
        assert_eq!((retitled.job_posts, retitled.applications, retitled.told.len()), (1, 0, 1));

        let names: Vec<_> = profiles(world, 1)
            .await
            .into_iter()
            .map(|profile| (profile.candidate_name, profile.job_title))
            .collect();
        let expected = [
            ("Asha", "Engineer"),
            ("Asha Rao", "Engineer"),
            ("Asha", "Engineer"),
            ("Asha", "Lead"),
        ];
        assert_eq!(names, expected.map(|(name, title)| (name.to_owned(), title.to_owned())));
    })
    .await;
}

#[tokio::test]
async fn an_unknown_job_post_undoes_the_whole_import() {
    with_world(async |world| {
        let applications = vec![application(1, 1), application(2, 404)];

        let refused = import(world, vec![post(1)], applications, 0).await;

        assert_eq!(refused.unwrap_err(), ImportRefusal::JobPostUnknown(Uuid::from_u128(404)));
        assert_eq!(world.count(WRITTEN).await, 0);
    })
    .await;
}

#[tokio::test]
async fn another_tenants_rows_are_neither_used_nor_changed() {
    with_world(async |world| {
        import(world, vec![post(1)], vec![application(1, 1)], 0).await.unwrap();
        let written = world.count(WRITTEN).await;
        let at = world.now().await;
        let theirs = |posts, applications| world.queries.import(OTHER, posts, applications, at);

        let used = theirs(vec![], vec![application(2, 1)]).await.unwrap();
        assert_eq!(used.unwrap_err(), ImportRefusal::JobPostUnknown(Uuid::from_u128(1)));
        let taken = theirs(vec![JobPostImport { title: "Mine".into(), ..post(1) }], vec![]);
        let refusal = taken.await.unwrap().unwrap_err();
        assert_eq!(refusal, ImportRefusal::JobPostIdUnusable(Uuid::from_u128(1)));
        let taken = theirs(vec![post(2)], vec![application(1, 2)]).await.unwrap();
        assert_eq!(taken.unwrap_err(), ImportRefusal::ApplicationIdUnusable(Uuid::from_u128(1)));

        assert_eq!(world.count(WRITTEN).await, written);
        assert_eq!(world.count("select count(*) from job_posts where title = 'Mine'").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_job_without_a_policy_takes_the_tenants() {
    with_world(async |world| {
        let mut journal = world.journal().await;
        sqlx::raw_sql(
            "update system_configs set value = '{\"resume\": 1, \"quiz\": 2, \"call\": 3}'
             where key = 'SCREENING_WEIGHTS';
             update system_configs set value = '60' where key = 'SCREENING_THRESHOLD'",
        )
        .execute(&mut journal)
        .await
        .unwrap();
        let own = JobPolicy { weights: None, threshold: Some(Score::parse(75.0).unwrap()) };
        let posts = vec![post(1), JobPostImport { policy: own, ..post(2) }];
        let applications = vec![application(1, 1), application(2, 2)];
        import(world, posts, applications, 0).await.unwrap();

        let weights = Some(StageWeights::parse(1.0, 2.0, 3.0).unwrap());
        let threshold = |value| Some(Score::parse(value).unwrap());
        let policies = [profiles(world, 1).await[0].policy, profiles(world, 2).await[0].policy];
        let expected = [
            JobPolicy { weights, threshold: threshold(60.0) },
            JobPolicy { weights, threshold: threshold(75.0) },
        ];
        assert_eq!(policies, expected);
    })
    .await;
}

#[tokio::test]
async fn of_one_id_given_twice_the_last_counts() {
    with_world(async |world| {
        let last = ApplicationImport { candidate_name: "Last".into(), ..application(1, 1) };
        let applications = vec![application(1, 1), last];

        let report = import(world, vec![post(1), post(1)], applications, 0).await.unwrap();

        assert_eq!((report.job_posts, report.applications, report.told.len()), (1, 1, 1));
        assert_eq!(profiles(world, 1).await[0].candidate_name, "Last");
    })
    .await;
}

#[tokio::test]
async fn a_users_screenings_are_those_of_their_applications() {
    with_world(async |world| {
        let hr = Uuid::from_u128(0xa);
        let owned = ApplicationImport { belongs_to: Some(hr), ..application(2, 1) };
        let applications = vec![application(1, 1), owned, application(3, 1)];
        import(world, vec![post(1)], applications, 0).await.unwrap();
        sqlx::raw_sql(
            "insert into screening_results (id, tenant_id, version, schema, state, application_id,
                 status, call_status, attempts, call_score, candidate_info, created_at, updated_at)
             select a.id, a.tenant_id, 1, 1, '{}', a.id, 'in_progress', 'completed', 2, 71.5,
                 '{\"location\": \"Pune\"}',
                 now() + make_interval(secs => right(a.id::text, 1)::integer), now()
             from job_applications a",
        )
        .execute(&mut world.journal().await)
        .await
        .unwrap();
        let application = Uuid::from_u128;
        let (tenant, owner) = (Scope::Tenant(TENANT), Scope::Owner(TENANT, hr));
        let page = |page| PageRequest { page, limit: 2 };

        let first = world.queries.screenings(tenant, page(1)).await.unwrap();
        let ids: Vec<_> = first.rows.iter().map(|row| row.application_id).collect();
        assert_eq!((ids, first.total), (vec![application(3), application(2)], 3));
        assert_eq!(world.queries.screenings(tenant, page(2)).await.unwrap().rows.len(), 1);
        let theirs = world.queries.screenings(owner, page(1)).await.unwrap();
        assert_eq!((theirs.rows[0].application_id, theirs.total), (application(2), 1));
        assert!(world.queries.screening(owner, application(1)).await.unwrap().is_none());
        let one = world.queries.screening(owner, application(2)).await.unwrap().unwrap();
        assert_eq!((one.attempts, one.call_score), (2, Some(71.5)));
        assert_eq!(one.candidate_info.unwrap()["location"], "Pune");
        let other = Scope::Tenant(OTHER);
        assert!(world.queries.screening(other, application(2)).await.unwrap().is_none());
    })
    .await;
}

/// Imports for the default tenant, some seconds after the test began.
async fn import(
    world: &World,
    posts: Vec<JobPostImport>,
    applications: Vec<ApplicationImport>,
    seconds: i64,
) -> Result<domain::ports::ImportReport, ImportRefusal> {
    let at = world.now().await + Duration::seconds(seconds);
    let imported = world.queries.import(TENANT, posts, applications, at);
    imported.await.expect("the store answers")
}

/// Returns what the `n`-th application's screening was told, in order.
async fn profiles(world: &World, n: u128) -> Vec<ApplicationProfile> {
    let rows = world.store.claim(Kind::Screening, vec![screening(n)], world.now().await).await;
    let rows = rows.expect("the inbox is read");
    let profile = |event: &str| match serde_json::from_str(event) {
        Ok(ScreeningEvent::ApplicationImported(profile)) => *profile,
        other => panic!("a screening is told of its application, not {other:?}"),
    };
    rows.iter().map(|row| profile(&row.event)).collect()
}

fn screening(n: u128) -> EntityId {
    EntityId(Uuid::from_u128(n))
}

fn post(n: u128) -> JobPostImport {
    JobPostImport {
        id: Uuid::from_u128(n),
        title: "Engineer".to_owned(),
        description: "Builds".to_owned(),
        policy: JobPolicy::default(),
    }
}

fn application(n: u128, job_post: u128) -> ApplicationImport {
    ApplicationImport {
        id: Uuid::from_u128(n),
        job_post: Uuid::from_u128(job_post),
        candidate_name: "Asha".to_owned(),
        phone: Phone::parse("+919529117230").expect("it is a number"),
        zone: Some("Asia/Kolkata".to_owned()),
        belongs_to: None,
        stages: StageScores { resume: Score::parse(80.0).ok(), quiz: None },
    }
}
