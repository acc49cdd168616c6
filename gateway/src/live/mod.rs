//! The live feed over WebSockets: topics, snapshots, resumption by number.
//!
//! One task renders each committed fact once; every socket filters and flushes in ticks.

mod frames;
mod hub;
mod owners;
mod sampler;
mod session;
mod socket;
mod subscription;
mod topic;

#[cfg(test)]
mod doubles;
#[cfg(test)]
mod tests;

pub use hub::{LiveHub, LiveServices};
pub use socket::LiveState;
pub(crate) use socket::{__path_upgrade, upgrade};
