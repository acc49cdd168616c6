//! The projection of an interview.

use domain::Machine;
use domain::interview::{Document, Interview, InterviewView};
use domain::ports::Repository;

use super::text::{number, time};

/// Columns of the projection, documents included.
const COLUMNS: usize = 18;
/// The text that empties a stored document.
const CLEARED: &str = "";

/// Writes the rows of `voice_interviews`.
#[derive(Clone, Copy, Debug, Default)]
pub struct InterviewRepository;

impl Repository<Interview> for InterviewRepository {
    /// Follows the order documented above `advance_interview`.
    ///
    /// An interview that is not there yet has no columns worth storing: its nulls are refused.
    fn columns(
        &self,
        machine: &Interview,
        documents: &[<Interview as Machine>::Document],
    ) -> Vec<Option<String>> {
        let Some(view) = machine.view() else { return vec![None; COLUMNS] };
        let stored = if view.deleted_at.is_some() {
            Documents::cleared()
        } else {
            Documents::latest(documents)
        };
        let mut columns = projection(view);
        columns.extend([stored.transcript, stored.turns, stored.summary]);
        columns
    }
}

fn projection(view: InterviewView) -> Vec<Option<String>> {
    let deleted = view.deleted_at.is_some();
    let personal = |value: Option<String>| value.filter(|_| !deleted);
    vec![
        view.call_id.map(|id| id.as_str().to_owned()),
        Some(view.status.as_str().to_owned()),
        Some(view.answered_by.as_str().to_owned()),
        view.outcome.map(|outcome| outcome.as_str().to_owned()),
        view.provider.map(|provider| provider.as_str().to_owned()),
        personal(view.phone.map(|phone| phone.as_str().to_owned())),
        personal(view.candidate_name),
        view.duration.map(number),
        view.cost.map(number),
        personal(view.recording_url),
        view.failure_reason.map(|reason| reason.as_str().to_owned()),
        view.application.map(|id| id.to_string()),
        view.belongs_to.map(|id| id.to_string()),
        view.ended_at.map(time),
        view.deleted_at.map(time),
    ]
}

/// What becomes of the stored documents: none keeps one as it is.
#[derive(Default)]
struct Documents {
    transcript: Option<String>,
    turns: Option<String>,
    summary: Option<String>,
}

impl Documents {
    fn cleared() -> Self {
        let cleared = || Some(CLEARED.to_owned());
        Self { transcript: cleared(), turns: cleared(), summary: cleared() }
    }

    /// Takes the last of each sort: it was judged the fullest.
    fn latest(documents: &[Document]) -> Self {
        let mut latest = Self::default();
        for document in documents {
            match document {
                Document::Transcript(text) => latest.transcript = Some(text.clone()),
                Document::Turns(turns) => latest.turns = serde_json::to_string(turns).ok(),
                Document::Summary(text) => latest.summary = Some(text.clone()),
            }
        }
        latest
    }
}
