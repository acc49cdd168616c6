//! `/api/v1/tree` and `/api/v1/actors`: who is alive, who is not, and letting them go on.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::ports::{DialStop, QuarantinedEntity};
use domain::{EntityId, EntityKey, Kind};
use serde::Serialize;
use serde_json::{Map, Value};
use supervisor::{KindStats, TreeStats};
use uuid::Uuid;

use super::Services;
use crate::envelope::Data;
use crate::error::{ApiError, FieldError, Place};
use crate::extract::Path;
use crate::problem::Code;

/// `GET /api/v1/tree`.
pub(super) async fn show(
    State(services): State<Services>,
) -> Result<Json<Data<TreeView>>, ApiError> {
    Ok(Json(Data::new(services.tree.stats().await?.into())))
}

/// `POST /api/v1/actors/{kind}/{id}/release`. What waited in its inbox is applied, in order.
pub(super) async fn release(
    State(services): State<Services>,
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
    let was_there = services.tree.release(EntityKey { kind, id: EntityId(id) }).await?;
    if !was_there {
        return Err(
            ApiError::new(Code::EntityNotFound).detail(format!("{kind} {id} is not in quarantine"))
        );
    }
    Ok(Json(Data::new(ReleasedView { kind: kind.as_str(), id, released: true })))
}

/// What a release answers.
#[derive(Serialize)]
pub struct ReleasedView {
    kind: &'static str,
    id: Uuid,
    released: bool,
}

/// The tree as clients see it.
#[derive(Serialize)]
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
    intents: Map<String, Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KindView {
    kind: &'static str,
    live: usize,
    mailbox: MailboxView,
    spawned: u64,
    restarts: u64,
    passivated: u64,
    quarantined: usize,
}

#[derive(Serialize)]
struct MailboxView {
    waiting: usize,
    max: usize,
    bound: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QuarantinedView {
    kind: &'static str,
    id: Uuid,
    reason: String,
    /// The inbox row that brought it there.
    poison: Option<Uuid>,
    since: DateTime<Utc>,
    waiting: i64,
}

/// One stop that is in force.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StopView {
    scope: String,
    by: String,
    reason: Option<String>,
    since: DateTime<Utc>,
}

impl From<DialStop> for StopView {
    fn from(stop: DialStop) -> Self {
        Self { scope: stop.scope, by: stop.by, reason: stop.reason, since: stop.since }
    }
}

impl From<TreeStats> for TreeView {
    fn from(stats: TreeStats) -> Self {
        let scopes: Vec<&str> = stats.stops.iter().map(|stop| stop.scope.as_str()).collect();
        let banner = match scopes.as_slice() {
            [] => None,
            scopes if scopes.contains(&"all") => {
                Some("DIALING IS STOPPED: no call is placed".into())
            }
            scopes => Some(format!("DIALING IS STOPPED for {}", scopes.join(", "))),
        };
        let kinds = stats.kinds.iter().map(|kind| kind_view(kind, &stats.quarantined)).collect();
        Self {
            phase: stats.phase.as_str(),
            banner,
            stops: stats.stops.into_iter().map(StopView::from).collect(),
            kinds,
            quarantined: stats.quarantined.into_iter().map(QuarantinedView::from).collect(),
            intents: stats.intents.into_iter().map(|(status, n)| (status, n.into())).collect(),
        }
    }
}

fn kind_view(stats: &KindStats, quarantined: &[QuarantinedEntity]) -> KindView {
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
    }
}

impl From<QuarantinedEntity> for QuarantinedView {
    fn from(entity: QuarantinedEntity) -> Self {
        Self {
            kind: entity.key.kind.as_str(),
            id: entity.key.id.0,
            reason: entity.reason,
            poison: entity.poison,
            since: entity.since,
            waiting: entity.waiting,
        }
    }
}
