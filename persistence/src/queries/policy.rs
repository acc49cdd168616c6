//! How a tenant's jobs are scored where they do not say so themselves.

use domain::TenantId;
use domain::policy::{Score, StageWeights};
use domain::screening::JobPolicy;
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;
use tracing::warn;

use super::Stored;

/// The key of the weights in `system_configs`.
const WEIGHTS: &str = "SCREENING_WEIGHTS";
/// The key of the threshold in `system_configs`.
const THRESHOLD: &str = "SCREENING_THRESHOLD";

/// Returns what the tenant's `system_configs` say; what is missing there stays open.
pub(super) async fn defaults(tx: &mut PgConnection, tenant: TenantId) -> Stored<JobPolicy> {
    let rows = sqlx::query!(
        "select key, value from system_configs where tenant_id = $1 and key = any ($2)",
        tenant.0,
        &[WEIGHTS.to_owned(), THRESHOLD.to_owned()],
    );
    let mut policy = JobPolicy::default();
    for row in rows.fetch_all(tx).await? {
        if row.key == WEIGHTS {
            policy.weights = weights(&row.value);
        } else {
            policy.threshold = threshold(&row.value);
        }
    }
    Ok(policy)
}

/// Reads stored weights; unusable ones count as not given, and are logged.
pub(super) fn weights(stored: &Value) -> Option<StageWeights> {
    #[derive(Deserialize)]
    struct Weights {
        resume: f64,
        quiz: f64,
        call: f64,
    }
    if stored.is_null() {
        return None;
    }
    let read = Weights::deserialize(stored).ok();
    let usable = read.and_then(|read| StageWeights::parse(read.resume, read.quiz, read.call).ok());
    if usable.is_none() {
        warn!(
            config.key = WEIGHTS,
            "stored screening weights are unusable: all stages count alike"
        );
    }
    usable
}

/// Reads a stored threshold; an unusable one counts as not given, and is logged.
fn threshold(stored: &Value) -> Option<Score> {
    if stored.is_null() {
        return None;
    }
    let usable = stored.as_f64().and_then(|value| Score::parse(value).ok());
    if usable.is_none() {
        warn!(config.key = THRESHOLD, "the stored screening threshold is unusable: none applies");
    }
    usable
}
