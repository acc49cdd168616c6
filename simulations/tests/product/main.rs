//! Ringmaster and its simulated world as real processes over real HTTP, WebSockets and signals.
//!
//! Everything is on loopback. A test waits for what it expects, with a deadline, and never for time to
//! pass; what the server logged is shown when it fails.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic as it does")]

mod bench;
mod button;
mod calling;
mod crowd;
mod demo;
mod feed;
mod harness;
mod hostile;
mod identity;
mod matrix;
mod mute;
mod outages;
mod pair;
mod placing;
mod recordings;
mod routes;
mod stopping;
mod tenants;
