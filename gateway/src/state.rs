//! What every handler can reach.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use domain::ports::Clock;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::auth::{Keys, Register};
use crate::rates::Rates;
use crate::readiness::Readiness;
use crate::request_id::RequestIds;
use crate::server::Sockets;

/// Shared by all handlers; cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

/// The parts of the state.
pub struct Parts {
    /// What callers are recognised by.
    pub keys: Keys,
    /// Who may still come in.
    pub register: Register,
    /// How often who may ask.
    pub rates: Rates,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Whether work is taken.
    pub readiness: Readiness,
    /// Names requests that came without a name.
    pub request_ids: RequestIds,
    /// The long-lived connections, and when they have to close.
    pub sockets: Sockets,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    /// The longest that an answer may take to begin.
    pub request_timeout: Duration,
}

impl AppState {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
