//! The bounds of the server loop.

use std::time::Duration;

/// How much the server takes, and for how long.
///
/// The defaults end a shutdown within 12 s, which leaves the rest of the process 8 s of the 20 s
/// that it has in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once, WebSockets included: 10,000 screens and what else there is.
    pub connections_max: usize,
    /// Connections of one address at once: all screens may sit behind one proxy. An IPv6 network of
    /// 64 bits counts as one address.
    pub connections_per_address_max: usize,
    /// From the first wait for a request to the end of its head; so an idle connection, too, is
    /// closed after this time.
    pub header_timeout: Duration,
    /// For a client that takes nothing of an answer any more; what it does take, however little, gives
    /// it this time again.
    pub write_timeout: Duration,
    /// For the requests under way at a shutdown.
    pub request_drain: Duration,
    /// For the WebSockets at a shutdown, after the requests.
    pub socket_drain: Duration,
    /// The first wait when connections cannot be accepted; it doubles.
    pub accept_wait_min: Duration,
    /// The longest such wait.
    pub accept_wait_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 12_000,
            connections_per_address_max: 10_100,
            header_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            request_drain: Duration::from_secs(8),
            socket_drain: Duration::from_secs(4),
            accept_wait_min: Duration::from_millis(5),
            accept_wait_max: Duration::from_secs(1),
        }
    }
}
