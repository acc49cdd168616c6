//! Rows as the journal would have written them.

use chrono::{DateTime, Utc};
use domain::ports::NewInboxRow;
use domain::{DedupeKey, EntityId, EntityKey, IntentId, Kind, TenantId};
use sqlx::PgConnection;
use uuid::Uuid;

/// Returns the `n`-th id of a test.
pub fn id(n: u128) -> EntityId {
    EntityId(Uuid::from_u128(0x1000 + n))
}

/// Returns the `n`-th interview's key.
pub fn interview(n: u128) -> EntityKey {
    EntityKey { kind: Kind::Interview, id: id(n) }
}

/// One row of `voice_interviews`.
#[derive(Clone)]
pub struct InterviewRow {
    pub id: EntityId,
    pub tenant: TenantId,
    pub call_id: Option<String>,
    pub status: &'static str,
    pub outcome: Option<&'static str>,
    pub provider: Option<&'static str>,
    pub duration: Option<f64>,
    pub cost: Option<f64>,
    pub belongs_to: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub deleted_at: Option<DateTime<Utc>>,
}

impl InterviewRow {
    /// A call of the default tenant that rings.
    pub fn ringing(n: u128, created_at: DateTime<Utc>) -> Self {
        Self {
            id: id(n),
            tenant: TenantId::DEFAULT,
            call_id: Some(format!("call-{n}")),
            status: "ringing",
            outcome: None,
            provider: Some("vapi"),
            duration: None,
            cost: None,
            belongs_to: None,
            created_at,
            ended_at: None,
            deleted_at: None,
        }
    }

    /// A call of the default tenant that ended.
    pub fn ended(n: u128, outcome: &'static str, created_at: DateTime<Utc>) -> Self {
        Self {
            status: "ended",
            outcome: Some(outcome),
            ended_at: Some(created_at),
            ..Self::ringing(n, created_at)
        }
    }

    /// Writes the row.
    pub async fn insert(&self, connection: &mut PgConnection) {
        sqlx::query(
            "insert into voice_interviews (id, tenant_id, version, schema, state, call_id, status,
                 answered_by, outcome, provider, duration, cost, belongs_to, transcript, messages,
                 created_at, updated_at, ended_at, deleted_at)
             values ($1, $2, 3, 1, '{}', $3, $4, 'unknown', $5, $6, $7, $8, $9, 'hello',
                 '[{\"role\": \"assistant\", \"message\": \"hello\"},
                   {\"role\": \"user\", \"message\": \"hi\"}]',
                 $10, $10, $11, $12)",
        )
        .bind(self.id.0)
        .bind(self.tenant.0)
        .bind(&self.call_id)
        .bind(self.status)
        .bind(self.outcome)
        .bind(self.provider)
        .bind(self.duration)
        .bind(self.cost)
        .bind(self.belongs_to)
        .bind(self.created_at)
        .bind(self.ended_at)
        .bind(self.deleted_at)
        .execute(connection)
        .await
        .expect("the interview is stored");
    }
}

/// Writes a wake time.
pub async fn wake(connection: &mut PgConnection, key: EntityKey, due_at: DateTime<Utc>) {
    sqlx::query(
        "insert into wakes (entity_id, kind, tenant_id, due_at, version)
         values ($1, $2, $3, $4, 1)",
    )
    .bind(key.id.0)
    .bind(key.kind.as_str())
    .bind(TenantId::DEFAULT.0)
    .bind(due_at)
    .execute(connection)
    .await
    .expect("the wake is stored");
}

/// Returns the `n`-th delivery to `to`.
pub fn delivery(n: u128, to: EntityKey, at: DateTime<Utc>) -> NewInboxRow {
    NewInboxRow {
        key: DedupeKey(Uuid::from_u128(0x2000 + n)),
        tenant: TenantId::DEFAULT,
        to,
        waits_for: None,
        schema: 1,
        event: format!("{{\"n\": {n}}}"),
        remarks: Some("cost: is no number".to_owned()),
        raw: Some(b"raw".to_vec()),
        hops: 2,
        attempts: 0,
        received_at: at,
    }
}

/// One row of `intents`.
#[derive(Clone)]
pub struct IntentRow {
    pub id: IntentId,
    pub tenant: TenantId,
    pub owner: EntityKey,
    pub status: &'static str,
    pub reach: &'static str,
    pub callee: Option<&'static str>,
    pub attempt: i32,
    pub due_at: DateTime<Utc>,
}

impl IntentRow {
    /// A planned fetch of the `n`-th interview.
    pub fn planned(n: u128, due_at: DateTime<Utc>) -> Self {
        Self {
            id: IntentId(Uuid::from_u128(0x3000 + n)),
            tenant: TenantId::DEFAULT,
            owner: interview(n),
            status: "planned",
            reach: "silent",
            callee: None,
            attempt: 0,
            due_at,
        }
    }

    /// A dial of the `n`-th interview that is being sent.
    pub fn sending(n: u128, callee: &'static str, due_at: DateTime<Utc>) -> Self {
        Self {
            status: "sending",
            reach: "rings",
            callee: Some(callee),
            attempt: 1,
            ..Self::planned(n, due_at)
        }
    }

    /// Writes the row; what is sent is looked at from its due time on.
    pub async fn insert(&self, connection: &mut PgConnection) {
        sqlx::query(
            "insert into intents (id, tenant_id, kind, entity_id, operation, class, reach, callee,
                 schema, effect, status, attempt, due_at, not_after, look_at, planned_at)
             values ($1, $2, $3, $4, 'dial', 'searchable', $5, $6, 1, '{}', $7, $8, $9, $9, $9, $9)",
        )
        .bind(self.id.0)
        .bind(self.tenant.0)
        .bind(self.owner.kind.as_str())
        .bind(self.owner.id.0)
        .bind(self.reach)
        .bind(self.callee)
        .bind(self.status)
        .bind(self.attempt)
        .bind(self.due_at)
        .execute(connection)
        .await
        .expect("the intent is stored");
    }
}
