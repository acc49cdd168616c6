//! Where the recordings of interviews lie.

use domain::EntityId;
use domain::ports::{Recorded, RecordingQueries, Scope};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Answer, Queries, Stored, owner_of, read, tenant_of};
use crate::patience::in_time;

impl RecordingQueries for Queries {
    fn recorded(&self, scope: Scope, interview: EntityId) -> Answer<'_, Recorded> {
        in_time(async move {
            let mut reader = self.reader().await?;
            let mut tx = read(&mut reader, scope).await?;
            Ok(recorded(&mut tx, scope, interview).await?)
        })
    }

    fn recorded_at(&self, scope: Scope, address: String) -> Answer<'_, Option<Uuid>> {
        in_time(async move {
            let mut reader = self.reader().await?;
            let mut tx = read(&mut reader, scope).await?;
            Ok(recorded_at(&mut tx, scope, &address).await?)
        })
    }
}

async fn recorded(tx: &mut PgConnection, scope: Scope, id: EntityId) -> Stored<Recorded> {
    let found = sqlx::query_scalar!(
        "select recording_url from voice_interviews
         where id = $1 and tenant_id = $2 and deleted_at is null
             and ($3::uuid is null or belongs_to = $3)",
        id.0,
        tenant_of(scope).0,
        owner_of(scope),
    );
    Ok(match found.fetch_optional(tx).await? {
        None => Recorded::NoInterview,
        Some(None) => Recorded::Nowhere,
        Some(Some(address)) => Recorded::At(address),
    })
}

async fn recorded_at(tx: &mut PgConnection, scope: Scope, address: &str) -> Stored<Option<Uuid>> {
    let found = sqlx::query_scalar!(
        "select id from voice_interviews
         where tenant_id = $1 and recording_url is not null
             and md5(recording_url) = md5($2::text) and recording_url = $2 and deleted_at is null
             and ($3::uuid is null or belongs_to = $3)
         limit 1",
        tenant_of(scope).0,
        address,
        owner_of(scope),
    );
    Ok(found.fetch_optional(tx).await?)
}
