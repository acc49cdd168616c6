//! Tenants, users, and how people stand, on a real PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as it does")]

mod common;

use chrono::{DateTime, Duration, Utc};
use common::{OTHER, World, with_world};
use domain::ports::{
    NewTenant, PageRequest, PersonStanding, Standing, Standings as _, TenantRefusal,
    TenantStanding, Tenants as _, UserImport, UserRefusal, UserReport, UserState, Users as _,
};
use domain::{Phone, Role, TenantId};
use sqlx::Executor as _;
use uuid::Uuid;

const TENANT: TenantId = TenantId::DEFAULT;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

fn user(n: u128, role: Role) -> UserImport {
    UserImport {
        id: Uuid::from_u128(n),
        role,
        name: format!("User {n}"),
        email: Some(format!("u{n}@mentor.example")),
        phone: Some(Phone::parse("+919529117230").unwrap()),
        active_head: (role == Role::Admin).then_some(Uuid::from_u128(0x5a1e)),
        state: UserState::Active,
    }
}

fn deleted(n: u128, role: Role) -> UserImport {
    UserImport { state: UserState::Deleted, ..user(n, role) }
}

async fn import(
    world: &World,
    tenant: TenantId,
    users: Vec<UserImport>,
    importer: Role,
) -> Result<UserReport, UserRefusal> {
    world.queries.import(tenant, users, importer, at(0)).await.unwrap()
}

async fn stands(world: &World, tenant: TenantId, n: u128) -> Standing {
    world.queries.standing(tenant, Uuid::from_u128(n)).await.unwrap()
}

async fn create(world: &World, id: TenantId, name: &str) -> Result<(), TenantRefusal> {
    let tenant = NewTenant { id, name: name.to_owned() };
    world.queries.create(tenant, at(0)).await.unwrap().map(drop)
}

#[tokio::test]
async fn person_stands_as_the_last_import_says() {
    with_world(async |world| {
        let open = |person| Standing { tenant: TenantStanding::Open, person };
        assert_eq!(stands(world, TENANT, 1).await, open(PersonStanding::Unlisted));
        let report =
            import(world, TENANT, vec![user(1, Role::Hr), deleted(2, Role::Hr)], Role::Admin);
        assert_eq!(report.await, Ok(UserReport { users: 2, deleted: 1 }));
        assert_eq!(stands(world, TENANT, 1).await, open(PersonStanding::Listed(Role::Hr)));
        assert_eq!(stands(world, TENANT, 2).await, open(PersonStanding::Deleted));

        // Of two with one id the last counts.
        let twice = vec![user(1, Role::Student), user(2, Role::Agent), user(1, Role::BatchLead)];
        assert_eq!(import(world, TENANT, twice, Role::Admin).await.unwrap().users, 2);
        assert_eq!(stands(world, TENANT, 1).await, open(PersonStanding::Listed(Role::BatchLead)));
        assert_eq!(stands(world, TENANT, 2).await, open(PersonStanding::Listed(Role::Agent)));
        assert_eq!(import(world, TENANT, Vec::new(), Role::Admin).await, Ok(UserReport::default()));
    })
    .await;
}

#[tokio::test]
async fn user_is_deleted_once_however_often_it_is_said() {
    with_world(async |world| {
        let deleted_at = async || -> Option<DateTime<Utc>> {
            let mut journal = world.journal().await;
            let asked = sqlx::query_scalar("select deleted_at from users");
            asked.fetch_one(&mut journal).await.unwrap()
        };
        for second in [1, 2] {
            let users = vec![deleted(1, Role::Hr)];
            world.queries.import(TENANT, users, Role::Admin, at(second)).await.unwrap().unwrap();
            assert_eq!(deleted_at().await, Some(at(1)));
        }
        import(world, TENANT, vec![user(1, Role::Hr)], Role::Admin).await.unwrap();
        assert_eq!(deleted_at().await, None);
    })
    .await;
}

#[tokio::test]
async fn one_person_in_two_tenants_has_two_rows() {
    with_world(async |world| {
        create(world, OTHER, "Other").await.unwrap();
        import(world, TENANT, vec![user(1, Role::Admin)], Role::Admin).await.unwrap();
        import(world, OTHER, vec![deleted(1, Role::Hr)], Role::Admin).await.unwrap();
        assert_eq!(stands(world, TENANT, 1).await.person, PersonStanding::Listed(Role::Admin));
        assert_eq!(stands(world, OTHER, 1).await.person, PersonStanding::Deleted);
    })
    .await;
}

#[tokio::test]
async fn superadmin_gives_way_to_a_superadmin_alone() {
    with_world(async |world| {
        let root = vec![user(1, Role::Superadmin)];
        import(world, TENANT, root.clone(), Role::Superadmin).await.unwrap();
        for change in [user(1, Role::Hr), deleted(1, Role::Superadmin)] {
            let rows = vec![user(2, Role::Hr), change];
            let refused = import(world, TENANT, rows, Role::Admin).await;
            assert_eq!(refused, Err(UserRefusal::Superadmin(Uuid::from_u128(1))));
        }
        assert_eq!(world.count("select count(*) from users").await, 1, "all or nothing");
        import(world, TENANT, vec![user(1, Role::Hr)], Role::Superadmin).await.unwrap();
        import(world, TENANT, vec![user(1, Role::Student)], Role::Admin).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn tenant_is_created_once_and_closed_once() {
    with_world(async |world| {
        assert_eq!(stands(world, OTHER, 1).await.tenant, TenantStanding::Unknown);
        create(world, OTHER, "Other").await.unwrap();
        create(world, OTHER, "Other").await.unwrap();
        assert_eq!(create(world, OTHER, "Another").await, Err(TenantRefusal::IdTaken));
        assert_eq!(stands(world, OTHER, 1).await.tenant, TenantStanding::Open);
        let page = PageRequest { page: 1, limit: 1 };
        let first = world.queries.tenants(page).await.unwrap();
        assert_eq!((first.rows.len(), first.total), (1, 2));
        let second = world.queries.tenants(PageRequest { page: 2, ..page }).await.unwrap();
        assert_ne!(first.rows[0].id, second.rows[0].id);

        for second in [1, 2] {
            let closed = world.queries.close(OTHER, at(second)).await.unwrap().unwrap();
            assert_eq!(closed.closed_at, Some(at(1)));
        }
        assert_eq!(stands(world, OTHER, 1).await.tenant, TenantStanding::Closed);
        assert_eq!(create(world, OTHER, "Other").await, Err(TenantRefusal::IdTaken));
        assert_eq!(world.queries.close(TenantId(Uuid::from_u128(9)), at(3)).await.unwrap(), None);
        assert_eq!(stands(world, TENANT, 1).await.tenant, TenantStanding::Open);
    })
    .await;
}

#[tokio::test]
async fn no_row_points_into_another_tenant() {
    with_world(async |world| {
        let mut journal = world.journal().await;
        let now = world.now().await + Duration::hours(1);
        sqlx::query(
            "insert into job_posts (id, tenant_id, title, description, created_at, updated_at)
             values ($1, $2, '', '', $3, $3)",
        )
        .bind(Uuid::from_u128(5))
        .bind(TENANT.0)
        .bind(now)
        .execute(&mut journal)
        .await
        .unwrap();
        let theirs = sqlx::query(
            "insert into job_applications (id, tenant_id, job_post_id, candidate_name, phone_number,
                 created_at, updated_at) values ($1, $2, $1, '', '', $3, $3)",
        );
        let theirs = theirs.bind(Uuid::from_u128(5)).bind(OTHER.0).bind(now);
        let refused = theirs.execute(&mut journal).await.unwrap_err();
        let constraint = refused.into_database_error().unwrap().constraint().map(str::to_owned);
        assert_eq!(constraint.as_deref(), Some("job_applications_tenant_fkey"));
        let strangers = "insert into users (tenant_id, id, role, name, active_head, updated_at)
            values ('00000000-0000-0000-0000-000000000009', gen_random_uuid(), 'HR', '', null, now())";
        assert!(journal.execute(strangers).await.is_err(), "a user of a tenant that does not exist");
    })
    .await;
}
