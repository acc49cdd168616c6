//! Whose call a report is about.

use domain::ports::{Resolution, Resolver, Whose};
use domain::{EntityId, IntentId, MR_HIRE};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Answer, PgStore, Stored};
use crate::patience::in_time;

impl Resolver for PgStore {
    fn resolve(&self, asked: Vec<Whose>) -> Answer<'_, Vec<Resolution>> {
        in_time(async move { Ok(resolve(&mut *self.connection().await?, &asked).await?) })
    }
}

/// Answers for all of `asked`, in their order, with one statement.
///
/// Every source is looked into for the asker's tenant only: an intent of another tenant is unknown here.
async fn resolve(connection: &mut PgConnection, asked: &[Whose]) -> Stored<Vec<Resolution>> {
    let tenants: Vec<Uuid> = asked.iter().map(|whose| whose.tenant.0).collect();
    let calls: Vec<&str> = asked.iter().map(|whose| whose.call_id.as_str()).collect();
    let intents: Vec<Option<Uuid>> =
        asked.iter().map(|whose| whose.intent.map(|id| id.0)).collect();
    let phones: Vec<Option<&str>> =
        asked.iter().map(|whose| whose.phone.as_ref().map(|phone| phone.as_str())).collect();
    let named = |whose: &Whose| EntityId::derived(whose.tenant, MR_HIRE, whose.call_id.as_str());
    let names: Vec<Uuid> = asked.iter().map(|whose| named(whose).0).collect();
    let rows = sqlx::query_file!(
        "queries/resolve.sql",
        &tenants,
        &calls as &[&str],
        &intents as &[Option<Uuid>],
        &phones as &[Option<&str>],
        MR_HIRE,
        &names,
    );
    let rows = rows.fetch_all(connection).await?;
    let answers = asked.iter().zip(rows).map(|(whose, row)| match (row.known, row.ringing) {
        (Some(id), _) => Resolution::Known(EntityId(id)),
        (None, Some(intent)) => Resolution::Waits(IntentId(intent)),
        (None, None) if row.stored => Resolution::Known(named(whose)),
        (None, None) => Resolution::New(named(whose)),
    });
    Ok(answers.collect())
}
