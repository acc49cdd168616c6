//! Asking Ringmaster for everything it knows of some applications.

use futures_util::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::{Record, Records};
use crate::cast::Candidate;
use crate::product::{Api, ApiError};

/// How many applications are asked about at once.
const AT_ONCE: usize = 4;

/// Asks for all there is about the applications of `cast`.
///
/// # Errors
/// [`ApiError`] when an answer is missing.
pub async fn collect(api: &Api, cast: &[Candidate]) -> Result<Records, ApiError> {
    let ids: Vec<Uuid> = cast.iter().map(Candidate::id).collect();
    stream::iter(ids)
        .map(|id| async move { Ok((id, record(api, id).await?)) })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn record(api: &Api, application: Uuid) -> Result<Record, ApiError> {
    let mut interviews = Vec::new();
    for row in api.interviews(Some(application)).await? {
        interviews.push(api.interview(row.id).await?);
    }
    Ok(Record { interviews, screening: api.screening(application).await? })
}
