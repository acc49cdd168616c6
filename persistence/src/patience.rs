//! Nobody waits for the database for ever.

use std::time::Duration;

use anyhow::anyhow;
use domain::ports::{BoxFuture, StoreError};
use tokio::time::timeout;

/// How long a question may take, the wait for a connection included: the server ends a statement after
/// 5 s, so beyond this the line is dead, and no error will ever say so.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Bounds what is asked of the database; beyond the bound it counts as away.
pub(crate) fn in_time<'a, T: 'a>(
    asked: impl Future<Output = Result<T, StoreError>> + Send + 'a,
) -> BoxFuture<'a, Result<T, StoreError>> {
    Box::pin(async move {
        let silent = || StoreError::Away(anyhow!("the database said nothing for {ANSWER_MAX:?}"));
        timeout(ANSWER_MAX, asked).await.unwrap_or_else(|_| Err(silent()))
    })
}
