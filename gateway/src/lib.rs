//! The way in: HTTP, WebSockets and the command line.
//!
//! A handler parses, asks once and translates. It knows neither SQL nor the outside platforms, and
//! decides nothing: what a request means is the machines' business.

mod accept;
pub mod auth;
pub mod client;
pub mod config;
mod edge;
pub mod engine;
pub mod envelope;
pub mod error;
pub mod extract;
mod linger;
pub mod live;
mod ops;
pub mod output;
pub mod problem;
pub mod readiness;
pub mod refresh;
pub mod request_id;
pub mod router;
pub mod routes;
pub mod server;
pub mod state;
mod suggest;
pub mod telemetry;
pub mod wiring;

pub use error::ApiError;
pub use problem::Code;
pub use state::AppState;
