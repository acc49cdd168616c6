//! The server loop: accepts connections within limits and lets go of them within a deadline.
//!
//! It drives hyper itself, since the framework's own loop has no header timeout, waits without
//! limit for a stuck request, and forgets the WebSockets when it stops.

mod admission;
mod backoff;
mod connection;
mod files;
mod limits;
mod remote;
mod signals;
mod sockets;

pub use limits::Limits;
pub use remote::Remote;
pub use signals::{ExitPlan, watch};
pub use sockets::Sockets;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use admission::Admission;
use backoff::Backoff;
use connection::Connection;

/// The listening address cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    address: SocketAddr,
    #[source]
    source: io::Error,
}

/// What was still open when the server let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abandoned {
    /// Connections with a request that did not end in time.
    pub connections: usize,
    /// WebSockets that did not close in time.
    pub sockets: usize,
}

/// A listening socket and its limits.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
}

impl Server {
    /// Starts to listen; connections wait in the kernel's queue until [`Self::run`].
    ///
    /// # Errors
    /// [`BindError`] when the address cannot be had.
    pub async fn bind(address: SocketAddr, limits: Limits) -> Result<Self, BindError> {
        let refused = |source| BindError { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address, limits })
    }

    /// Returns the address, with the port that the system chose if it was asked to.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves `router` until `shutdown`, then lets go in order: no new connections; the requests
    /// under way may end; the WebSockets are told to close; what is left is cut off.
    ///
    /// Returns within the sum of the two drain limits after `shutdown`.
    pub async fn run(
        self,
        router: Router,
        shutdown: CancellationToken,
        sockets: Sockets,
    ) -> Abandoned {
        let Self { listener, limits, .. } = self;
        let desk = Desk {
            admission: Admission::new(&limits),
            router,
            stopping: CancellationToken::new(),
            cut: CancellationToken::new(),
            open: TaskTracker::new(),
            limits,
        };
        tokio::select! {
            () = desk.accept(&listener) => {}
            () = shutdown.cancelled() => {}
        }
        drop(listener);
        desk.let_go(&sockets).await
    }
}

/// One run of the server.
struct Desk {
    admission: Arc<Admission>,
    router: Router,
    stopping: CancellationToken,
    cut: CancellationToken,
    open: TaskTracker,
    limits: Limits,
}

impl Desk {
    /// Accepts for ever. Out of file descriptors it waits, longer each time, and never spins: the
    /// pending connection would make the next call fail at once.
    async fn accept(&self, listener: &TcpListener) {
        let mut backoff = Backoff::new(self.limits.accept_wait_min, self.limits.accept_wait_max);
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    backoff.reset();
                    self.welcome(stream, peer);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    let wait = backoff.next();
                    warn!(%error, wait_ms = wait.as_millis(), "cannot accept connections: {error}");
                    sleep(wait).await;
                }
            }
        }
    }

    fn welcome(&self, stream: TcpStream, peer: SocketAddr) {
        match self.admission.admit(peer.ip()) {
            Ok(place) => {
                let connection = Connection {
                    stream,
                    place,
                    router: self.router.clone(),
                    stopping: self.stopping.clone(),
                    cut: self.cut.clone(),
                };
                let Limits { header_timeout, write_timeout, .. } = self.limits;
                self.open.spawn(connection.serve(header_timeout, write_timeout));
            }
            Err(full) => full.turn_away(&stream),
        }
    }

    async fn let_go(self, sockets: &Sockets) -> Abandoned {
        self.stopping.cancel();
        self.open.close();
        let connections = left_after(&self.open, self.limits.request_drain).await;
        self.cut.cancel();
        sockets.close();
        let left = left_after(sockets.tracker(), self.limits.socket_drain).await;
        let abandoned = Abandoned { connections, sockets: left };
        info!(connections, sockets = left, "server stopped, {connections} connections were cut");
        abandoned
    }
}

/// Waits for the tasks, and tells how many are left at the end of `limit`.
async fn left_after(tasks: &TaskTracker, limit: Duration) -> usize {
    match timeout(limit, tasks.wait()).await {
        Ok(()) => 0,
        Err(_) => tasks.len(),
    }
}

/// Whether the error is about a connection that ended before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lack_of_file_descriptors_is_no_matter_of_one_connection() {
        // EMFILE, ENFILE, ENOMEM: numbers, since they have no kind of their own.
        for number in [24, 23, 12] {
            assert!(!is_of_one_connection(&io::Error::from_raw_os_error(number)));
        }
        assert!(is_of_one_connection(&io::ErrorKind::ConnectionAborted.into()));
    }
}
