//! The tenants of this installation.

use chrono::{DateTime, Utc};
use domain::TenantId;
use domain::ports::{NewTenant, PageRequest, Tenant, TenantPage, TenantRefusal, Tenants};
use uuid::Uuid;

use super::{Answer, Queries, Stored, seq};
use crate::patience::in_time;

/// A row of the table.
struct Row {
    id: Uuid,
    name: String,
    created_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
}

impl From<Row> for Tenant {
    fn from(row: Row) -> Self {
        let Row { id, name, created_at, closed_at } = row;
        Self { id: TenantId(id), name, created_at, closed_at }
    }
}

impl Tenants for Queries {
    fn tenants(&self, page: PageRequest) -> Answer<'_, TenantPage> {
        in_time(async move { Ok(self.page_of_tenants(page).await?) })
    }

    fn create(
        &self,
        tenant: NewTenant,
        at: DateTime<Utc>,
    ) -> Answer<'_, Result<Tenant, TenantRefusal>> {
        in_time(async move { Ok(self.create_tenant(tenant, at).await?) })
    }

    fn close(&self, id: TenantId, at: DateTime<Utc>) -> Answer<'_, Option<Tenant>> {
        in_time(async move { Ok(self.close_tenant(id, at).await?) })
    }
}

impl Queries {
    async fn page_of_tenants(&self, request: PageRequest) -> Stored<TenantPage> {
        let mut connection = self.database.store().await?;
        let limit = i64::from(request.limit);
        let rows = sqlx::query_as!(
            Row,
            "select id, name, created_at, closed_at from tenants
             order by created_at, id limit $1 offset $2",
            limit,
            i64::from(request.page.saturating_sub(1)) * limit,
        );
        let rows = rows.fetch_all(&mut *connection).await?;
        let total = sqlx::query_scalar!(r#"select count(*) as "total!" from tenants"#);
        let total = total.fetch_one(&mut *connection).await?;
        let rows = rows.into_iter().map(Tenant::from).collect();
        Ok(TenantPage { rows, total, seq: seq(&mut connection).await? })
    }

    async fn create_tenant(
        &self,
        tenant: NewTenant,
        at: DateTime<Utc>,
    ) -> Stored<Result<Tenant, TenantRefusal>> {
        let mut connection = self.database.store().await?;
        sqlx::query!(
            "insert into tenants (id, name, created_at) values ($1, $2, $3)
             on conflict on constraint tenants_pkey do nothing",
            tenant.id.0,
            tenant.name,
            at,
        )
        .execute(&mut *connection)
        .await?;
        let stored = sqlx::query_as!(
            Row,
            "select id, name, created_at, closed_at from tenants where id = $1",
            tenant.id.0,
        );
        let stored = Tenant::from(stored.fetch_one(&mut *connection).await?);
        let is_the_same = stored.name == tenant.name && stored.closed_at.is_none();
        Ok(if is_the_same { Ok(stored) } else { Err(TenantRefusal::IdTaken) })
    }

    async fn close_tenant(&self, id: TenantId, at: DateTime<Utc>) -> Stored<Option<Tenant>> {
        let mut connection = self.database.store().await?;
        let closed = sqlx::query_as!(
            Row,
            "update tenants set closed_at = coalesce(closed_at, $2) where id = $1
             returning id, name, created_at, closed_at",
            id.0,
            at,
        );
        Ok(closed.fetch_optional(&mut *connection).await?.map(Tenant::from))
    }
}
