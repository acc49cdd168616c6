//! The call engine behind candidate interviews: `mr-hire-backend`.

mod client;
mod evidence;
mod fields;
mod leave;
mod mend;
mod search;
mod wire;

pub use client::{MrHire, MrHireSettings};
pub use evidence::MrHireReader;
