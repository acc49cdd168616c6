//! The pure core: state machines, policies, value types, and the ports the outside implements.
//!
//! Nothing here reads a clock, draws a random number, awaits I/O or knows a database. Time and ids
//! are passed in, so every run can be replayed bit for bit.

pub mod calling;
mod ids;
pub mod interview;
mod machine;
pub mod policy;
pub mod ports;
pub mod prompt;
pub mod screening;
mod signal;
#[cfg(test)]
mod testing;
mod value;

pub use ids::{DedupeKey, EntityId, EntityKey, IntentId, Kind, TenantId, UnknownKind};
pub use machine::{
    Alias, Attempt, Cause, Certainty, Claim, Decision, IntentMove, Machine, Named, NewIntent,
    Nudge, OperationClass, Reach, Rejected, Transition,
};
pub use signal::{HOPS_MAX, Signal};
pub use value::{CallId, CostUsd, InvalidValue, MR_HIRE, Phone, Provider, Seconds};
