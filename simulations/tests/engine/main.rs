//! The simulated engine, point by point of its contract's fidelity checklist, over real HTTP.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod analyzer;
mod bench;
mod control;
mod orders;
mod pulls;
mod webhooks;
