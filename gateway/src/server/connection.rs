//! One connection, from its acceptance to its end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;
use tracing::trace;

use super::Remote;
use super::admission::Place;

/// Bytes of a request's head, and of what is read ahead of a body.
const BUFFER_MAX: usize = 32 * 1024;

/// An accepted connection with its place and its orders.
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) place: Place,
    pub(super) router: Router,
    /// Take no further request, and close after the one under way.
    pub(super) stopping: CancellationToken,
    /// Close now.
    pub(super) cut: CancellationToken,
}

impl Connection {
    /// Serves its requests, one after the other.
    pub(super) async fn serve(self, header_timeout: Duration, write_timeout: Duration) {
        let Self { stream, place, router, stopping, cut } = self;
        // Small answers must not wait for more; where that cannot be had they wait a little.
        let _ = stream.set_nodelay(true);
        let remote = Remote(place.address());
        let io = Guarded {
            io: TokioIo::new(stream),
            patience: Patience::new(write_timeout),
            _place: place,
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(header_timeout)
            .max_buf_size(BUFFER_MAX)
            .serve_connection(io, Named { router: TowerToHyperService::new(router), remote })
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    result = connection.as_mut() => result,
                    () = cut.cancelled() => return,
                }
            }
        };
        if let Err(error) = result {
            trace!(%error, "connection ended early: {error}");
        }
    }
}

/// The router, told who is at the other end.
struct Named {
    router: TowerToHyperService<Router>,
    remote: Remote,
}

impl Service<Request<Incoming>> for Named {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.remote);
        self.router.call(request)
    }
}

/// A stream that holds its place for as long as it is open, also after an upgrade took it over, and
/// that fails when its client takes nothing for too long: nothing else ends an answer nobody reads.
struct Guarded {
    io: TokioIo<TcpStream>,
    patience: Patience,
    _place: Place,
}

/// How long a write may wait.
struct Patience {
    limit: Duration,
    /// Runs while a write waits.
    over: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    const fn new(limit: Duration) -> Self {
        Self { limit, over: None }
    }

    /// Passes on what a write came to, unless it has waited for too long.
    fn bound<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.over = None;
            return written;
        }
        let over = self.over.get_or_insert_with(|| Box::pin(sleep(self.limit)));
        over.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Read for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl Write for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.patience.bound(written, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.patience.bound(written, context)
    }
}
