//! What a run came to.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use http::StatusCode;
use serde::{Deserialize, Serialize};

/// Digits that the histograms keep exactly.
const DIGITS: u8 = 3;

/// The longest time told apart: beyond an hour of backlog the number says nothing more.
const RECORDED_MAX: Duration = Duration::from_secs(3_600);

/// How the moments of sending were chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Model {
    /// By a rate, whatever the answers do.
    Open,
    /// By the answers: each connection sends as soon as it can.
    Closed,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadReport {
    /// How the moments of sending were chosen.
    pub model: Model,
    /// Where the events went.
    pub target: String,
    /// What everything random came from.
    pub seed: u64,
    /// Calls played.
    pub calls: u64,
    /// Connections used.
    pub connections: usize,
    /// Events per second asked for, in the open model.
    pub rate_asked: Option<f64>,
    /// Events sent.
    pub sent: u64,
    /// Events answered 2xx.
    pub ok: u64,
    /// Events answered otherwise, by status.
    pub other_statuses: BTreeMap<u16, u64>,
    /// Events without an answer.
    pub errors: u64,
    /// What the first error was.
    pub first_error: Option<String>,
    /// How long it took.
    pub seconds: f64,
    /// Answers per second.
    pub rate: f64,
    /// From the intended moment to the answer in the open model, from the sending in the closed.
    /// The open model's timer is exact to a millisecond only, which is in these numbers.
    pub latency_ms: Latency,
    /// From the sending to the answer.
    pub service_ms: Latency,
}

/// None of the events was taken: what was measured are refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("none of {sent} webhooks was accepted: {refused} were refused, {unanswered} not answered")]
pub struct NothingAccepted {
    /// Events sent.
    pub sent: u64,
    /// Events answered, but not 2xx.
    pub refused: u64,
    /// Events without an answer.
    pub unanswered: u64,
}

impl LoadReport {
    /// Says whether the receiver took anything.
    ///
    /// # Errors
    /// [`NothingAccepted`] when something was sent and nothing was taken.
    pub fn accepted(&self) -> Result<(), NothingAccepted> {
        if self.ok > 0 || self.sent == 0 {
            return Ok(());
        }
        let refused = self.other_statuses.values().sum();
        Err(NothingAccepted { sent: self.sent, refused, unanswered: self.errors })
    }
}

/// Percentiles in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    /// Half were faster.
    pub p50: f64,
    /// Nine in ten were faster.
    pub p90: f64,
    /// 99 % were faster.
    pub p99: f64,
    /// 99.9 % were faster.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
}

impl From<&Histogram<u64>> for Latency {
    fn from(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max() as f64 / 1e3,
        }
    }
}

/// What one worker saw; added up at the end, so that workers share nothing while they run.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub sent: u64,
    pub ok: u64,
    pub other_statuses: BTreeMap<u16, u64>,
    pub errors: u64,
    pub first_error: Option<String>,
    latency: Histogram<u64>,
    service: Histogram<u64>,
}

impl Tally {
    pub(super) fn new() -> Self {
        let histogram = Histogram::new(DIGITS).expect("three digits are within what it can keep");
        Self {
            sent: 0,
            ok: 0,
            other_statuses: BTreeMap::new(),
            errors: 0,
            first_error: None,
            latency: histogram.clone(),
            service: histogram,
        }
    }

    /// Counts an answer.
    pub(super) fn answered(&mut self, status: StatusCode, latency: Duration, service: Duration) {
        if status.is_success() {
            self.ok += 1;
        } else {
            *self.other_statuses.entry(status.as_u16()).or_default() += 1;
        }
        record(&mut self.latency, latency);
        record(&mut self.service, service);
    }

    /// Counts an event without an answer.
    pub(super) fn failed(&mut self, error: &dyn std::error::Error) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        });
    }

    /// Adds what another worker saw.
    pub(super) fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.ok += other.ok;
        self.errors += other.errors;
        for (status, count) in &other.other_statuses {
            *self.other_statuses.entry(*status).or_default() += count;
        }
        self.first_error = self.first_error.take().or_else(|| other.first_error.clone());
        // Both have the same precision and grow by themselves, so adding cannot fail.
        let _added = self.latency.add(&other.latency);
        let _added = self.service.add(&other.service);
    }

    pub(super) fn latency(&self) -> Latency {
        Latency::from(&self.latency)
    }

    pub(super) fn service(&self) -> Latency {
        Latency::from(&self.service)
    }
}

/// Records in microseconds. Not `saturating_record`: that clamps to what a histogram can keep at
/// present instead of letting it grow.
fn record(histogram: &mut Histogram<u64>, duration: Duration) {
    let micros = u64::try_from(duration.min(RECORDED_MAX).as_micros()).unwrap_or(u64::MAX);
    histogram.record(micros).expect("a histogram grows up to the longest time recorded");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_recorded_by_all_workers() {
        let mut total = Tally::new();
        for worker in 0..2_u64 {
            let mut tally = Tally::new();
            for answer in 1..=500 {
                let latency = Duration::from_millis(worker * 500 + answer);
                tally.answered(StatusCode::OK, latency, Duration::from_micros(10));
            }
            total.add(&tally);
        }
        let latency = total.latency();
        let close = |is: f64, wanted: f64| (is / wanted - 1.0).abs() < 0.002;
        assert!(close(latency.p50, 500.0) && close(latency.p90, 900.0), "{latency:?}");
        assert!(close(latency.p99, 990.0) && close(latency.max, 1000.0), "{latency:?}");
        assert!(close(total.service().p999, 0.01));
        assert_eq!(total.ok, 1_000);
    }
}
