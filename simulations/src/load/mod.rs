//! The load generator: plays many calls against a webhook receiver and measures its answers.
//!
//! Each call has its own order of events, and the next one is sent only when the one before was
//! answered, as a provider does it. With a rate, latency counts from the moment an event was meant
//! to be sent, so a receiver that stalls is charged for everything that waited.

mod connection;
mod generator;
mod plan;
mod report;

pub(crate) use self::plan::{Mix, events};

pub use self::connection::{Target, TargetError};
pub use self::generator::{Counters, LoadSettings, Pace, WebhookLoad};
pub use self::plan::{DUPLICATES, REORDER, Story, bodies_of};
pub use self::report::{Latency, LoadReport, Model, NothingAccepted};
