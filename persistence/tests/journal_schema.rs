//! Where the journal's rows land, and as whom it writes them.

mod common;

use chrono::{DateTime, TimeDelta, Utc};
use common::ledger::{Ledger, assert_gapless, first_seq, traces};
use common::{World, steps, with_world};
use futures_util::future::join_all;
use persistence::{Database, Limits, PersistenceError, check_login};
use sqlx::Executor as _;

/// Databases of one server that migrate at the same moment.
const MIGRATED_AT_ONCE: usize = 8;

/// Returns the partitions that hold rows, with how many.
async fn filled(world: &World) -> Vec<(String, i64)> {
    sqlx::query_as(
        "select tableoid::regclass::text, count(*) from webhook_deliveries group by 1
         union all
         select tableoid::regclass::text, count(*) from call_events group by 1
         order by 1",
    )
    .fetch_all(&mut world.journal().await)
    .await
    .expect("the partitions can be counted")
}

async fn ensure_partitions(world: &World, at: DateTime<Utc>) {
    let mut journal = world.journal().await;
    let ensured = sqlx::query("select ensure_partitions($1)").bind(at).execute(&mut journal).await;
    ensured.expect("the journal's role may call it");
}

#[tokio::test]
async fn deliveries_and_facts_land_in_the_partition_of_their_day_and_month() {
    with_world(async |world| {
        let now = world.now().await;
        let ledger = Ledger::start(&world.database, 1);
        let tomorrow = now + TimeDelta::days(1);

        ledger.submit(steps::moved(steps::interview(1), 0, "queued", now)).await;
        ledger.submit(steps::moved(steps::interview(1), 1, "ringing", tomorrow)).await;

        let mut expected = vec![
            format!("webhook_deliveries_{}", now.format("%Y%m%d")),
            format!("webhook_deliveries_{}", tomorrow.format("%Y%m%d")),
            format!("call_events_{}", now.format("%Y%m")),
            format!("call_events_{}", tomorrow.format("%Y%m")),
        ];
        expected.sort();
        expected.dedup();
        let names: Vec<_> = filled(world).await.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, expected);
    })
    .await;
}

#[tokio::test]
async fn rows_of_a_time_without_partition_go_to_the_default_and_move_when_it_is_made() {
    with_world(async |world| {
        let ledger = Ledger::start(&world.database, 1);
        let early: DateTime<Utc> = "2031-02-28T23:59:59.999999Z".parse().unwrap();
        let late = early + TimeDelta::microseconds(1);
        let entity = steps::interview(1);
        for (version, at) in [(0, early), (1, late)] {
            first_seq(&ledger.submit(steps::moved(entity, version, "ringing", at)).await);
        }
        let in_default = [("call_events_default", 2), ("webhook_deliveries_default", 2)];
        assert_eq!(filled(world).await, in_default.map(|(name, n)| (name.to_owned(), n)));

        // Two makers at once, while the journal goes on writing.
        let write = async {
            for version in 2..20 {
                let step = steps::moved(entity, version, "ringing", late);
                first_seq(&ledger.submit(step).await);
            }
        };
        tokio::join!(ensure_partitions(world, early), ensure_partitions(world, early), write);
        ensure_partitions(world, early).await;

        let made = [
            ("call_events_203102", 1),
            ("call_events_203103", 19),
            ("webhook_deliveries_20310228", 1),
            ("webhook_deliveries_20310301", 19),
        ];
        assert_eq!(filled(world).await, made.map(|(name, n)| (name.to_owned(), n)));
        assert_eq!(assert_gapless(world).await, 20);
        assert_eq!(traces(world, entity).await.deliveries, 20);
    })
    .await;
}

#[tokio::test]
async fn the_journal_writes_as_its_own_role_and_durably_whatever_the_database_is_set_to() {
    with_world(async |world| {
        let mut login = world.database.login().await.unwrap();
        let watched = "
            create table seen (who text, durable text, isolation text);
            grant insert on seen to public;
            create function note() returns trigger language plpgsql as $$
            begin
                insert into seen values (current_user, current_setting('synchronous_commit'),
                    current_setting('transaction_isolation'));
                return null;
            end $$;
            create trigger note after update on journal_head execute function note();
            do $$ begin
                execute format('alter database %I set synchronous_commit = off', current_database());
                execute format('alter database %I set default_transaction_isolation = serializable',
                    current_database());
            end $$";
        login.execute(sqlx::raw_sql(watched)).await.unwrap();
        let ledger = Ledger::start(&world.database, 1);

        first_seq(&ledger.submit(steps::moved(steps::interview(1), 0, "queued", world.now().await)).await);

        let seen: Vec<(String, String, String)> =
            sqlx::query_as("select who, durable, isolation from seen")
                .fetch_all(&mut login)
                .await
                .unwrap();
        let own = ("ringmaster_journal", "on", "read committed");
        assert_eq!(seen, [(own.0.to_owned(), own.1.to_owned(), own.2.to_owned())]);
    })
    .await;
}

#[tokio::test]
async fn a_login_that_row_level_security_does_not_bind_is_refused() {
    with_world(async |world| {
        let mut login = world.database.login().await.unwrap();
        check_login(&mut login).await.expect("the tests' own login is bound");

        let options = world.database.options().clone();
        let superuser = Database::new(options.clone().username("postgres"), Limits::default());
        let Ok(mut superuser) = superuser.login().await else {
            assert!(std::env::var_os("REQUIRE_ALL").is_none(), "a superuser login is required");
            eprintln!("SKIPPED (needs a superuser login)");
            return;
        };
        let name = format!("bypasser_{}", std::process::id());
        assert_refused(check_login(&mut superuser).await, "postgres", "is a superuser");
        for sql in ["drop role if exists ", "create role "] {
            let mut statement = sqlx::QueryBuilder::new(sql);
            statement.push(&name);
            if sql.starts_with("create") {
                statement.push(" login bypassrls");
            }
            statement.build().execute(&mut superuser).await.unwrap();
        }
        let bypasser = Database::new(options.username(&name), Limits::default());
        let said = check_login(&mut bypasser.login().await.unwrap()).await;
        sqlx::QueryBuilder::new("drop role ")
            .push(&name)
            .build()
            .execute(&mut superuser)
            .await
            .unwrap();
        assert_refused(said, &name, "bypasses row-level security");
    })
    .await;
}

fn assert_refused(said: Result<(), PersistenceError>, name: &str, reason: &str) {
    match said {
        Err(PersistenceError::LoginTooPowerful { role, why }) => {
            assert_eq!((role.as_str(), why), (name, reason));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn many_databases_of_one_server_migrate_at_the_same_moment() {
    let worlds = (0..MIGRATED_AT_ONCE).map(|_| {
        with_world(async |world| {
            assert_eq!(world.count("select seq from journal_head").await, 0);
        })
    });
    join_all(worlds).await;
}
