//! One typed client per outside platform, behind the ports of `domain`.

mod mr_hire;
mod retry;

pub use mr_hire::{MrHire, MrHireReader, MrHireSettings};
