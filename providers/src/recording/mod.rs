//! Fetches recordings from the platforms that keep them.
//!
//! An address comes from outside, so this is the one client that could be led somewhere. It goes to a
//! closed list of places (`places`), over addresses that were looked at by the look-up that connects
//! (`resolver`), follows no redirect unseen (`client`), and passes on audio of a bounded length alone
//! (`head`, `body`).

mod address;
mod body;
mod client;
mod head;
mod places;
mod resolver;
#[cfg(test)]
mod tests;

pub use client::{RecordingClient, RecordingSettings, TwilioLogin};
