//! How somebody stands: their tenant, and they themselves in it.

use domain::ports::{PersonStanding, Standing, Standings, TenantStanding};
use domain::{Role, TenantId, UnknownRole};
use uuid::Uuid;

use super::{Answer, Queries, Stored};
use crate::database::Database;
use crate::error::PersistenceError;
use crate::patience::in_time;

impl Standings for Queries {
    fn standing(&self, tenant: TenantId, user: Uuid) -> Answer<'_, Standing> {
        in_time(async move { Ok(self.standing_of(tenant, user).await?) })
    }
}

/// What the statement answers: a left join, so one row whatever there is.
struct Row {
    tenant_open: Option<bool>,
    role: Option<String>,
    deleted: Option<bool>,
}

impl Queries {
    async fn standing_of(&self, tenant: TenantId, user: Uuid) -> Stored<Standing> {
        let mut reader = self.reader().await?;
        let mut tx = Database::read(&mut reader, tenant).await?;
        let row = sqlx::query_as!(
            Row,
            r#"select (select t.closed_at is null from tenants t where t.id = $1) as tenant_open,
                   u.role as "role?", u.deleted_at is not null as deleted
               from (select) as one
               left join users u on u.tenant_id = $1 and u.id = $2"#,
            tenant.0,
            user,
        );
        row.fetch_one(&mut *tx).await?.read()
    }
}

impl Row {
    fn read(self) -> Stored<Standing> {
        let tenant = match self.tenant_open {
            None => TenantStanding::Unknown,
            Some(true) => TenantStanding::Open,
            Some(false) => TenantStanding::Closed,
        };
        let person = match (self.role, self.deleted) {
            (None, _) => PersonStanding::Unlisted,
            (Some(_), Some(true)) => PersonStanding::Deleted,
            (Some(role), _) => PersonStanding::Listed(stored_role(&role)?),
        };
        Ok(Standing { tenant, person })
    }
}

fn stored_role(name: &str) -> Stored<Role> {
    let unknown = |why: UnknownRole| sqlx::Error::Decode(why.into());
    name.parse().map_err(|why| PersistenceError::from(unknown(why)))
}
