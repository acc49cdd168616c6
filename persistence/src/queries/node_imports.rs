//! What an import from the Node backend writes beside the journal.

use chrono::{DateTime, Utc};
use domain::ports::{ImportedTimes, NewPrompt, NodeImports, UserImport, UserState};
use domain::prompt::Platform;
use domain::{Phone, TenantId};
use serde_json::Value;
use uuid::Uuid;

use super::{Answer, Queries, Stored};
use crate::patience::in_time;

impl NodeImports for Queries {
    fn backdate(&self, tenant: TenantId, times: Vec<ImportedTimes>) -> Answer<'_, ()> {
        in_time(async move { Ok(self.write_times(tenant, &times).await?) })
    }

    fn put_prompt(
        &self,
        tenant: TenantId,
        id: Uuid,
        prompt: NewPrompt,
        at: DateTime<Utc>,
    ) -> Answer<'_, bool> {
        in_time(async move { Ok(self.write_prompt(tenant, id, &prompt, at).await?) })
    }

    fn put_user(&self, tenant: TenantId, user: UserImport, at: DateTime<Utc>) -> Answer<'_, bool> {
        in_time(async move { Ok(self.write_user(tenant, &user, at).await?) })
    }

    fn put_setting(
        &self,
        tenant: TenantId,
        key: String,
        value: Value,
        at: DateTime<Utc>,
    ) -> Answer<'_, bool> {
        in_time(async move { Ok(self.write_setting(tenant, &key, &value, at).await?) })
    }
}

impl Queries {
    /// These are the only columns that no fact speaks of, so no machine is asked.
    async fn write_times(&self, tenant: TenantId, times: &[ImportedTimes]) -> Stored<()> {
        let ids: Vec<_> = times.iter().map(|row| row.id.0).collect();
        let created: Vec<_> = times.iter().map(|row| row.created_at).collect();
        let updated: Vec<_> = times.iter().map(|row| row.updated_at).collect();
        sqlx::query!(
            "update voice_interviews i
             set created_at = n.created_at,
                 updated_at = case when i.version = 1 then n.updated_at else i.updated_at end
             from unnest($2::uuid[], $3::timestamptz[], $4::timestamptz[])
                 as n (id, created_at, updated_at)
             where i.id = n.id and i.tenant_id = $1 and i.deleted_at is null
                 and i.created_at <> n.created_at",
            tenant.0,
            &ids,
            &created,
            &updated,
        )
        .execute(&mut *self.database.store().await?)
        .await?;
        Ok(())
    }

    async fn write_prompt(
        &self,
        tenant: TenantId,
        id: Uuid,
        prompt: &NewPrompt,
        at: DateTime<Utc>,
    ) -> Stored<bool> {
        let written = sqlx::query!(
            "insert into ai_call_prompts (id, tenant_id, version, name, system_prompt, platform,
                 belongs_to_id, is_active, created_at, updated_at)
             values ($1, $2, 1, $3, $4, $5, $6, $7, $8, $8)
             on conflict (id) do nothing",
            id,
            tenant.0,
            prompt.name.as_str(),
            prompt.text.as_str(),
            prompt.platform.map(Platform::as_str),
            prompt.belongs_to,
            prompt.is_active,
            at,
        );
        let written = written.execute(&mut *self.database.store().await?).await?;
        Ok(written.rows_affected() > 0)
    }

    async fn write_user(
        &self,
        tenant: TenantId,
        user: &UserImport,
        at: DateTime<Utc>,
    ) -> Stored<bool> {
        let written = sqlx::query!(
            "insert into users as u (tenant_id, id, role, name, email, phone, active_head, deleted_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, case when $8 then $9::timestamptz end, $9)
             on conflict (tenant_id, id) do update
             set deleted_at = excluded.deleted_at, updated_at = excluded.updated_at
             where u.deleted_at is null and excluded.deleted_at is not null",
            tenant.0,
            user.id,
            user.role.as_str(),
            user.name,
            user.email,
            user.phone.as_ref().map(Phone::as_str),
            user.active_head,
            user.state == UserState::Deleted,
            at,
        );
        let written = written.execute(&mut *self.database.store().await?).await?;
        Ok(written.rows_affected() > 0)
    }

    /// A value that was never set here is null, or not there at all.
    async fn write_setting(
        &self,
        tenant: TenantId,
        key: &str,
        value: &Value,
        at: DateTime<Utc>,
    ) -> Stored<bool> {
        let written = sqlx::query!(
            "insert into system_configs as c (tenant_id, key, value, updated_at)
             values ($1, $2, $3, $4)
             on conflict (tenant_id, key) do update
             set value = excluded.value, updated_at = excluded.updated_at
             where c.value = 'null'::jsonb and excluded.value <> 'null'::jsonb",
            tenant.0,
            key,
            value,
            at,
        );
        let written = written.execute(&mut *self.database.store().await?).await?;
        Ok(written.rows_affected() > 0)
    }
}
