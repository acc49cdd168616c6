//! What each kind's intents do.

mod interview;
mod screening;

pub use interview::InterviewPerformer;
pub use screening::ScreeningPerformer;
