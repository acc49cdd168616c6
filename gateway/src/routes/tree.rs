//! `/api/v1/tree` and `/api/v1/actors`: who is alive, who is not, and letting them go on.
//!
//! An administrator who is confined to a tenant sees and releases what is that tenant's. How many actors
//! a kind has is the process's own figure and says nothing of whose they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::ports::{DialScope, DialStop, QuarantinedEntity};
use domain::{EntityId, EntityKey, Kind, TenantId};
use serde::Serialize;
use supervisor::{KindStats, TreeStats};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Services;
use crate::auth::Principal;
use crate::contract::sets;
use crate::envelope::Data;
use crate::error::{ApiError, FieldError, Place};
use crate::extract::Path;
use crate::problem::Code;

/// `GET /api/v1/tree`. Shows who is alive, what waits, and what is in quarantine. Of other tenants it shows nothing
/// but how many actors there are.
#[utoipa::path(
    get, path = "/api/v1/tree", tag = "supervision", operation_id = "tree",
    responses((status = 200, description = "The tree.", body = Data<TreeView>)),
)]
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    principal: Principal,
) -> Result<Json<Data<TreeView>>, ApiError> {
    Ok(Json(Data::new(TreeView::of(&services.tree.stats().await?, &principal))))
}

/// `POST /api/v1/actors/{kind}/{id}/release`. Lets an entity out of quarantine. What waited in its inbox is applied,
/// in order.
#[utoipa::path(
    post, path = "/api/v1/actors/{kind}/{id}/release", tag = "supervision",
    params(("kind" = inline(sets::KindName), Path), ("id" = Uuid, Path)),
    responses((status = 200, description = "It goes on.", body = Data<ReleasedView>)),
)]
pub(super) async fn release(
    State(services): State<Arc<Services>>,
    principal: Principal,
    Path((kind, id)): Path<(String, Uuid)>,
) -> Result<Json<Data<ReleasedView>>, ApiError> {
    let kind: Kind = kind.parse().map_err(|error: domain::UnknownKind| {
        ApiError::invalid(FieldError {
            pointer: "#/kind".to_owned(),
            code: "unknown_value",
            message: error.to_string(),
            place: Place::Path,
        })
    })?;
    let key = EntityKey { kind, id: EntityId(id) };
    let was_there = services.tree.release(key, principal.confined_to()).await?;
    if !was_there {
        return Err(ApiError::new(Code::NotInQuarantine)
            .detail(format!("{kind} {id} is not in quarantine")));
    }
    Ok(Json(Data::new(ReleasedView { kind: kind.as_str(), id, released: true })))
}

/// What a release answers.
#[derive(Serialize, ToSchema)]
pub struct ReleasedView {
    #[schema(schema_with = sets::kind)]
    kind: &'static str,
    id: Uuid,
    #[schema(schema_with = sets::yes)]
    released: bool,
}

/// The tree as clients see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Tree)]
#[serde(rename_all = "camelCase")]
pub struct TreeView {
    /// `observing`, `reconciling`, `dialing`.
    phase: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    banner: Option<String>,
    stops: Vec<StopView>,
    kinds: Vec<KindView>,
    quarantined: Vec<QuarantinedView>,
    /// Open intents by status.
    #[schema(value_type = BTreeMap<String, i64>)]
    intents: BTreeMap<&'static str, i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TreeKind)]
#[serde(rename_all = "camelCase")]
struct KindView {
    #[schema(schema_with = sets::kind)]
    kind: &'static str,
    live: usize,
    mailbox: MailboxView,
    spawned: u64,
    restarts: u64,
    passivated: u64,
    quarantined: usize,
    /// Rows of the inbox that can never be applied, over all tenants; for those who run the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    set_aside: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Mailbox)]
struct MailboxView {
    waiting: usize,
    max: usize,
    bound: usize,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Quarantined)]
#[serde(rename_all = "camelCase")]
struct QuarantinedView {
    #[schema(schema_with = sets::kind)]
    kind: &'static str,
    id: Uuid,
    reason: String,
    /// The inbox row that brought it there.
    poison: Option<Uuid>,
    since: DateTime<Utc>,
    waiting: i64,
}

/// One stop that is in force.
#[derive(Serialize, ToSchema)]
#[schema(as = Stop)]
#[serde(rename_all = "camelCase")]
pub(super) struct StopView {
    scope: String,
    by: Option<String>,
    reason: Option<String>,
    since: DateTime<Utc>,
}

/// Returns the stops that hold somebody's dials: another tenant's do not.
pub(super) fn stops_for(stops: &[DialStop], viewer: &Principal) -> Vec<StopView> {
    let own = viewer.confined_to().map(DialScope::Tenant);
    let holds = |stop: &&DialStop| match &own {
        Some(own) => stop.scope == *own || !matches!(stop.scope, DialScope::Tenant(_)),
        None => true,
    };
    let shown = |stop: &DialStop| match &own {
        // Who stopped more than one tenant, and why, is not that tenant's to read.
        Some(own) if stop.scope != *own => {
            StopView { by: None, reason: None, ..StopView::from(stop) }
        }
        Some(_) | None => StopView::from(stop),
    };
    stops.iter().filter(holds).map(shown).collect()
}

impl From<&DialStop> for StopView {
    fn from(stop: &DialStop) -> Self {
        let DialStop { scope, by, reason, since } = stop.clone();
        Self { scope: scope.as_text(), by: Some(by), reason, since }
    }
}

impl TreeView {
    /// Shows the tree to `viewer`.
    pub fn of(stats: &TreeStats, viewer: &Principal) -> Self {
        let confined = viewer.confined_to();
        let is_shown = |tenant: TenantId| confined.is_none_or(|own| own == tenant);
        let quarantined: Vec<&QuarantinedEntity> =
            stats.quarantined.iter().filter(|entity| is_shown(entity.tenant)).collect();
        let mut intents = BTreeMap::new();
        for one in stats.intents.iter().filter(|one| is_shown(one.tenant)) {
            *intents.entry(one.status.as_str()).or_default() += one.count;
        }
        let stops = stops_for(&stats.stops, viewer);
        let scopes: Vec<&str> = stops.iter().map(|stop| stop.scope.as_str()).collect();
        let banner = match scopes.as_slice() {
            [] => None,
            scopes if scopes.contains(&"all") => {
                Some("DIALING IS STOPPED: no call is placed".into())
            }
            scopes => Some(format!("DIALING IS STOPPED for {}", scopes.join(", "))),
        };
        let kinds = stats
            .kinds
            .iter()
            .map(|kind| {
                let aside = confined.is_none().then(|| set_aside_of(stats, kind.kind));
                kind_view(kind, &quarantined, aside)
            })
            .collect();
        let quarantined = quarantined.into_iter().map(QuarantinedView::from).collect();
        Self { phase: stats.phase.as_str(), banner, stops, kinds, quarantined, intents }
    }
}

fn kind_view(
    stats: &KindStats,
    quarantined: &[&QuarantinedEntity],
    set_aside: Option<i64>,
) -> KindView {
    KindView {
        kind: stats.kind.as_str(),
        live: stats.live,
        mailbox: MailboxView {
            waiting: stats.waiting,
            max: stats.waiting_max,
            bound: supervisor::QUEUE_MAX,
        },
        spawned: stats.spawned,
        restarts: stats.restarted,
        passivated: stats.passivated,
        quarantined: quarantined.iter().filter(|entity| entity.key.kind == stats.kind).count(),
        set_aside,
    }
}

fn set_aside_of(stats: &TreeStats, kind: Kind) -> i64 {
    let counts = stats.set_aside.iter().filter(|(of, _)| *of == kind);
    counts.map(|(_, count)| count).sum()
}

impl From<&QuarantinedEntity> for QuarantinedView {
    fn from(entity: &QuarantinedEntity) -> Self {
        Self {
            kind: entity.key.kind.as_str(),
            id: entity.key.id.0,
            reason: entity.reason.clone(),
            poison: entity.poison,
            since: entity.since,
            waiting: entity.waiting,
        }
    }
}
