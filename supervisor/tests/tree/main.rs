//! The tree and the shell on virtual time, over a store in memory that fails by switch.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as it does")]

mod crashes;
mod dialing;
mod drain;
mod feed;
mod handover;
mod intents;
mod interviews;
mod memory;
mod panics;
mod passivation;
mod ractor_facts;
mod signals;
mod slow_way;
mod timers;
mod toy;
mod world;
