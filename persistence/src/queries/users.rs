//! Imports users: all of them, or none.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use domain::ports::{UserImport, UserRefusal, UserReport, UserState, Users};
use domain::{Phone, Role, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::applications::last_of_each;
use super::import::column;
use super::{Answer, Queries, Stored};
use crate::error::PersistenceError;

impl Users for Queries {
    fn import(
        &self,
        tenant: TenantId,
        users: Vec<UserImport>,
        importer: Role,
        at: DateTime<Utc>,
    ) -> Answer<'_, Result<UserReport, UserRefusal>> {
        Box::pin(async move {
            let users = last_of_each(users, |user| user.id);
            let mut connection = self.database.store().await.map_err(PersistenceError::from)?;
            let mut tx = connection.begin().await?;
            let written = put(&mut tx, tenant, &users, importer, at).await?;
            if let Some(kept) = users.iter().find(|user| !written.contains(&user.id)) {
                return Ok(Err(UserRefusal::Superadmin(kept.id))); // Dropped, which undoes it.
            }
            tx.commit().await.map_err(PersistenceError::from)?;
            let is_deleted = |user: &&UserImport| user.state == UserState::Deleted;
            let deleted = users.iter().filter(is_deleted).count();
            Ok(Ok(UserReport { users: users.len(), deleted }))
        })
    }
}

/// Writes users; answers who was written. A SUPERADMIN's row gives way to a SUPERADMIN alone.
async fn put(
    tx: &mut PgConnection,
    tenant: TenantId,
    users: &[UserImport],
    importer: Role,
    at: DateTime<Utc>,
) -> Stored<HashSet<Uuid>> {
    let written = sqlx::query_file_scalar!(
        "queries/import_users.sql",
        tenant.0,
        at,
        importer == Role::Superadmin,
        Role::Superadmin.as_str(),
        &column(users, |user| user.id),
        &column(users, |user| user.role.as_str()) as &[&str],
        &column(users, |user| user.name.as_str()) as &[&str],
        &column(users, |user| user.email.as_deref()) as &[Option<&str>],
        &column(users, |user| user.phone.as_ref().map(Phone::as_str)) as &[Option<&str>],
        &column(users, |user| user.active_head) as &[Option<Uuid>],
        &column(users, |user| user.state == UserState::Deleted),
    );
    Ok(written.fetch_all(tx).await?.into_iter().collect())
}
