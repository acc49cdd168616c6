//! The one generic shell that runs every machine, and per kind what its intents do.

mod decide;
mod delivery;
mod inlet;
pub mod kinds;
mod live;
mod performer;
#[cfg(feature = "planted-defects")]
mod planted;
mod shell;

pub use delivery::{Admission, Answer, Delivery, Replied};
pub use inlet::{Bar, Inlet, Pushed, QUEUE_MAX, Rest};
pub use performer::{Found, Performed, Performer, Sent};
pub use shell::{AfterCommit, Context, Crash, EntityActor, Start, WakeUp};
