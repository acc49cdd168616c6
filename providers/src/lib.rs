//! One typed client per outside platform, behind the ports of `domain`.

mod mr_hire;
mod recording;
mod retry;

pub use mr_hire::{MrHire, MrHireReader, MrHireSettings};
pub use recording::{RecordingClient, RecordingSettings, TwilioLogin};
