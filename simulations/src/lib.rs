//! Simulated outside platforms, spoken to over real HTTP, and the load harness.
//!
//! Everything drawn at random comes from a seed and a number, so a run can be repeated; everything
//! timed goes through a [`clock::SimClock`], so hours of calls fit into minutes.

pub mod audit;
pub mod cast;
pub mod clock;
pub mod crash;
pub mod engine;
pub mod load;
pub mod product;

mod dice;
mod talk;
mod units;

pub use talk::{Role, Turn};
pub use units::{Rate, RateError, Span};
