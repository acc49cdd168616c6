//! What a screening's intents do: have a transcript scored.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::EntityId;
use domain::ports::{AnalysisRequest, Analyzer, BoxFuture, EngineError, Transcripts};
use domain::screening::{AnalysisFailure, Effect, Screening, ScreeningEvent};
use tracing::warn;

use crate::performer::{Found, Performed, Performer, Sent};

/// The analyzer answers within 60 s; beyond twice that it will not.
const SETTLING: Duration = Duration::from_secs(120);

/// Does what screenings owe, at the analyzer.
pub struct ScreeningPerformer {
    analyzer: Arc<dyn Analyzer>,
    transcripts: Arc<dyn Transcripts>,
}

impl ScreeningPerformer {
    /// Makes a performer that reads from `transcripts` and asks `analyzer`.
    pub fn new(analyzer: Arc<dyn Analyzer>, transcripts: Arc<dyn Transcripts>) -> Self {
        Self { analyzer, transcripts }
    }

    async fn analyze(&self, effect: Effect) -> Result<domain::ports::Analysis, Failed> {
        let Effect::Analyze { interview, call_id, application, job_title, job_description } =
            effect;
        let transcript = self.transcript(interview).await?;
        let request =
            AnalysisRequest { call_id, application, job_title, job_description, transcript };
        self.analyzer.analyze(request).await.map_err(Failed::from)
    }

    async fn transcript(&self, interview: EntityId) -> Result<String, Failed> {
        let why = |why| Failed { why, retry_after_s: None };
        match self.transcripts.transcript(interview).await {
            Ok(Some(transcript)) => Ok(transcript),
            Ok(None) => Err(why(AnalysisFailure::NoTranscript)),
            Err(failure) => {
                warn!(
                    error = &failure as &dyn std::error::Error,
                    "the transcript of {interview} cannot be read"
                );
                Err(why(AnalysisFailure::Unreachable))
            }
        }
    }
}

struct Failed {
    why: AnalysisFailure,
    retry_after_s: Option<u32>,
}

impl From<EngineError> for Failed {
    fn from(failure: EngineError) -> Self {
        let (why, retry_after_s) = match failure {
            EngineError::Off => (AnalysisFailure::Off, None),
            EngineError::Throttled { retry_after } | EngineError::NotAdmitted { retry_after } => {
                (AnalysisFailure::Throttled, u32::try_from(retry_after.num_seconds()).ok())
            }
            EngineError::Refused { .. } => (AnalysisFailure::Refused, None),
            EngineError::NotSent | EngineError::NotFound | EngineError::Unsure(_) => {
                (AnalysisFailure::Unreachable, None)
            }
        };
        Self { why, retry_after_s }
    }
}

impl Performer<Screening> for ScreeningPerformer {
    fn perform(&self, sent: Sent<Effect>) -> BoxFuture<'_, Performed<Screening>> {
        Box::pin(async move {
            let intent = sent.id;
            Performed::Settled(match self.analyze(sent.effect).await {
                Ok(analysis) => {
                    ScreeningEvent::Analyzed { intent, result: Box::new(analysis.into()) }
                }
                Err(Failed { why, retry_after_s }) => {
                    warn!(intent.id = %intent, "the analysis {intent} brought nothing: {why}");
                    ScreeningEvent::AnalysisFailed { intent, retry_after_s, why }
                }
            })
        })
    }

    fn withheld(&self, sent: &Sent<Effect>, _: DateTime<Utc>) -> ScreeningEvent {
        ScreeningEvent::AnalysisFailed {
            intent: sent.id,
            retry_after_s: None,
            why: AnalysisFailure::Unreachable,
        }
    }

    /// Scoring twice harms nobody: an open analysis is asked for again.
    fn look_up(&self, _: Sent<Effect>) -> BoxFuture<'_, Found<Screening>> {
        Box::pin(async { Found::Unsure })
    }

    fn settling(&self) -> Duration {
        SETTLING
    }
}
