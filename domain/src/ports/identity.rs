//! Who is known here: tenants, their users, and how somebody stands with us now.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{BoxFuture, PageRequest, StoreError};
use crate::ids::TenantId;
use crate::role::Role;
use crate::value::Phone;

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// How a tenant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantStanding {
    /// There is none of this id.
    Unknown,
    /// Its people may come in.
    Open,
    /// It was closed.
    Closed,
}

/// How a person stands in a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonStanding {
    /// Nothing is stored of them: what their token says holds.
    Unlisted,
    /// They have this role now.
    Listed(Role),
    /// They were deleted.
    Deleted,
}

/// How somebody stands at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The tenant they come for.
    pub tenant: TenantStanding,
    /// They themselves.
    pub person: PersonStanding,
}

/// Tells how somebody stands.
pub trait Standings: Send + Sync {
    /// Returns how `user` of `tenant` stands, read from one snapshot.
    fn standing(&self, tenant: TenantId, user: Uuid) -> Answer<'_, Standing>;
}

/// Whether a user may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserState {
    /// They may.
    Active,
    /// They were deleted, and may not.
    Deleted,
}

/// A user as an import describes them, whole: what is not said is forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserImport {
    /// Their id, which tokens carry as `sub`.
    pub id: Uuid,
    /// What they may do.
    pub role: Role,
    /// Their name.
    pub name: String,
    /// Where mail reaches them.
    pub email: Option<String>,
    /// Their number.
    pub phone: Option<Phone>,
    /// The sales head in whose pool an administrator works; none is all pools.
    pub active_head: Option<Uuid>,
    /// Whether they may come in.
    pub state: UserState,
}

/// What an import of users did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserReport {
    /// Users written.
    pub users: usize,
    /// Those of them that are deleted now.
    pub deleted: usize,
}

/// Why an import of users was undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserRefusal {
    /// This one is a SUPERADMIN as stored, and whoever imports is none.
    Superadmin(Uuid),
}

/// Imports users.
pub trait Users: Send + Sync {
    /// Writes all or nothing for somebody who is `importer`. Of two with one id the last counts.
    fn import(
        &self,
        tenant: TenantId,
        users: Vec<UserImport>,
        importer: Role,
        at: DateTime<Utc>,
    ) -> Answer<'_, Result<UserReport, UserRefusal>>;
}

/// One tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its id, which tokens carry as `tenant`.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was closed; none while it is open.
    pub closed_at: Option<DateTime<Utc>>,
}

/// A tenant to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTenant {
    /// Its id.
    pub id: TenantId,
    /// Its name.
    pub name: String,
}

/// A page of tenants.
#[derive(Clone, Debug)]
pub struct TenantPage {
    /// The rows, oldest first.
    pub rows: Vec<Tenant>,
    /// How many there are.
    pub total: i64,
    /// The number of the last fact when it was read.
    pub seq: i64,
}

/// Why a tenant was not created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantRefusal {
    /// One of another name has this id, or one that was closed.
    IdTaken,
}

/// Keeps the tenants. They are the installation's own, so none of this is confined to one of them.
pub trait Tenants: Send + Sync {
    /// Returns a page.
    fn tenants(&self, page: PageRequest) -> Answer<'_, TenantPage>;
    /// Creates one; the same one again is left as it is.
    fn create(
        &self,
        tenant: NewTenant,
        at: DateTime<Utc>,
    ) -> Answer<'_, Result<Tenant, TenantRefusal>>;
    /// Closes one, once; none when there is none.
    fn close(&self, id: TenantId, at: DateTime<Utc>) -> Answer<'_, Option<Tenant>>;
}
