//! Where logs and metrics go.

use std::io;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::LogFormat;

/// In seconds. Source: OpenTelemetry's advice for `http.server.request.duration`.
const DURATION_BUCKETS_S: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Sends logs to the standard error stream.
///
/// # Errors
/// When logs already go somewhere.
pub fn init_logs(filter: EnvFilter, format: LogFormat) -> Result<(), TryInitError> {
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Pretty => builder.with_target(false).finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    }
}

/// Collects the metrics of this process. Whoever starts the process calls `run_upkeep` on the
/// handle every few seconds.
///
/// # Errors
/// When they are already collected.
pub fn init_metrics() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &DURATION_BUCKETS_S)?
        .install_recorder()
}
