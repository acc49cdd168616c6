//! The interview: one call to a candidate, from the order to dial or the first report to its end.
//!
//! Reports of one call may come in any order, twice, late or never; what is known only grows, so all
//! orders end alike. An interview that nobody reports on asks by itself, and ends as unknown at last.

mod asked;
mod decide;
mod dial;
mod event;
mod evolve;
mod fact;
mod fetch;
mod follow;
mod hear;
mod import;
mod record;
mod report;
mod state;
mod status;
#[cfg(test)]
mod tests;
mod timing;
mod turns;
mod view;

pub use asked::{Asked, Tally};
pub use event::{DialOrder, FetchFailure, InterviewEvent};
pub use fact::{Document, Effect, Fact, Ordered, Reported};
pub use fetch::FETCH_SEND_TIMEOUT_S;
pub use record::{DURATION_REAL_S, Record, TRANSCRIPT_CHARS_REAL, TextMark, TurnsMark};
pub use report::CallReport;
pub use state::Interview;
pub use status::{AnswerClass, CallStatus, FailureReason, Grade, InterviewOutcome};
pub use timing::{
    DIAL_DOUBT_HOURS_MAX, DIAL_PLANNED_HOURS_MAX, DIAL_SEND_TIMEOUT_S, GIVE_UP_HOURS,
    IN_PROGRESS_MINUTES_MAX, QUEUED_MINUTES_MAX, RINGING_MINUTES_MAX, TRANSCRIPT_PATIENCE_MINUTES,
    TRANSCRIPT_WATCH_HOURS,
};
pub use turns::{SaidTurn, Turn, TurnRole, Turns};
pub use view::InterviewView;
