//! The condition that a list, its total and its figures share.

use domain::ports::{InterviewFilter, Scope};
use sqlx::{Postgres, QueryBuilder};

use super::{owner_of, tenant_of};

/// Appends the `where` of a filter over `voice_interviews i`, without what was deleted.
///
/// Scope and filter are both conditions: a filter for another user's rows finds nothing.
pub(super) fn push(sql: &mut QueryBuilder<Postgres>, scope: Scope, filter: &InterviewFilter) {
    sql.push(" where i.deleted_at is null and i.tenant_id = ").push_bind(tenant_of(scope).0);
    if let Some(owner) = owner_of(scope) {
        sql.push(" and i.belongs_to = ").push_bind(owner);
    }
    if let Some(user) = filter.belongs_to {
        sql.push(" and i.belongs_to = ").push_bind(user);
    }
    if let Some(application) = filter.application {
        sql.push(" and i.application_id = ").push_bind(application);
    }
    if !filter.statuses.is_empty() {
        let statuses: Vec<&'static str> = filter.statuses.iter().map(|s| s.as_str()).collect();
        sql.push(" and i.status = any (").push_bind(statuses).push(")");
    }
    if !filter.providers.is_empty() {
        let providers: Vec<&'static str> = filter.providers.iter().map(|p| p.as_str()).collect();
        sql.push(" and i.provider = any (").push_bind(providers).push(")");
    }
    if let Some(from) = filter.from {
        sql.push(" and i.created_at >= ").push_bind(from);
    }
    if let Some(to) = filter.to {
        sql.push(" and i.created_at <= ").push_bind(to);
    }
}
