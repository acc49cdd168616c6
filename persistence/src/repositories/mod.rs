//! How each kind's machine becomes columns: the one place where a kind meets its table.

mod interview;
mod screening;
mod text;

pub use interview::InterviewRepository;
pub use screening::ScreeningRepository;
