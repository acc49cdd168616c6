//! Passes a recording on, within bounds.

use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use domain::ports::{BoxFuture, RecordingBody, RecordingError};
use reqwest::Response;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

/// The rest of an answer. Dropping it closes the connection that it comes over.
pub(super) struct Bounded {
    pub(super) response: Response,
    /// How many bytes may still come.
    pub(super) left: u64,
    /// How long the next ones may take.
    pub(super) idle: Duration,
    /// When all of them must be here.
    pub(super) deadline: Instant,
    /// One place among those that fetch; given back with the last byte, or with whoever reads.
    pub(super) _place: OwnedSemaphorePermit,
}

impl Bounded {
    async fn read(&mut self) -> Result<Option<Bytes>, RecordingError> {
        let until = self.deadline.min(Instant::now() + self.idle);
        let chunk = match timeout_at(until, self.response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => return Ok(None),
            Ok(Err(error)) => {
                return Err(RecordingError::Unavailable(error.without_url().into()));
            }
            Err(_) => {
                return Err(RecordingError::Unavailable(anyhow!("the recording came too slowly")));
            }
        };
        let came = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        let Some(left) = self.left.checked_sub(came) else {
            return Err(RecordingError::Unavailable(anyhow!("the recording does not end")));
        };
        self.left = left;
        Ok(Some(chunk))
    }
}

impl RecordingBody for Bounded {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, RecordingError>> {
        Box::pin(self.read())
    }
}
