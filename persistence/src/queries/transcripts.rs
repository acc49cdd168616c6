//! What was said, for whoever scores it.

use domain::EntityId;
use domain::ports::Transcripts;

use super::{Answer, Queries, interviews};
use crate::error::PersistenceError;
use crate::patience::in_time;

impl Transcripts for Queries {
    /// Reads as the journal role: the asker knows the interview and not its tenant.
    fn transcript(&self, interview: EntityId) -> Answer<'_, Option<String>> {
        in_time(async move {
            let mut connection = self.database.store().await.map_err(PersistenceError::from)?;
            Ok(interviews::transcript(&mut connection, interview).await?)
        })
    }
}
