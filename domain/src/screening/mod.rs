//! The screening of one job application: what follows its calls.
//!
//! A real interview is analysed and scored; a failed or short one is followed by another call, three at
//! most; what nobody can find out is neither scored nor called again, but shown as unknown.

mod analyze;
mod decide;
mod ended;
mod event;
mod evolve;
mod fact;
mod profile;
mod state;
#[cfg(test)]
mod tests;
mod view;

pub use event::{AnalysisFailure, AnalysisResult, InterviewEnd, ScreeningEvent};
pub use fact::{CallScores, Document, Effect, Fact, Final, FinalVerdict, Shortfall};
pub use profile::{ApplicationProfile, CandidateInfo, JobPolicy, StageScores};
pub use state::{
    ANALYSIS_HOURS_MAX, ANALYSIS_RETRY_MAX_S, ANALYSIS_RETRY_MIN_S, ANALYSIS_SEND_TIMEOUT_S,
    CALLING_HOURS_MAX, ORDERS_MAX, Screening,
};
pub use view::{CallState, ScreeningStatus, ScreeningView};
