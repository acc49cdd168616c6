//! Reads what a handler left of a body.
//!
//! A server that answers early, a 401 or a 413, and closes with unread bytes in its buffer makes
//! the kernel reset the connection, and the client never sees the answer. So a bounded rest is read
//! and thrown away first.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::EXPECT;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use tokio::time::timeout;

/// Larger rests are not worth reading: the connection is closed instead.
const REST_MAX: u64 = 8 * 1024 * 1024;
/// A client that sends its rest more slowly is not waited for.
const REST_TIMEOUT: Duration = Duration::from_secs(2);

/// A body that its handler reads, and that can be read on after it.
#[derive(Clone)]
struct Shared(Arc<Mutex<State>>);

struct State {
    body: Body,
    is_read: bool,
}

/// What may be left of a body once the handler is done; nothing, for most.
pub(crate) struct Leftover {
    shared: Option<Shared>,
    waits_for_permission: bool,
}

/// Lets the body be read on after the handler.
pub(crate) fn split(request: Request) -> (Request, Leftover) {
    if request.body().is_end_stream() {
        return (request, Leftover { shared: None, waits_for_permission: false });
    }
    let waits_for_permission = request.headers().contains_key(EXPECT);
    let (parts, body) = request.into_parts();
    let shared = Shared(Arc::new(Mutex::new(State { body, is_read: false })));
    let request = Request::from_parts(parts, Body::new(shared.clone()));
    (request, Leftover { shared: Some(shared), waits_for_permission })
}

impl Leftover {
    /// Reads and throws away the rest, within bounds.
    pub(crate) async fn discard(self) {
        let Some(mut shared) = self.shared else {
            return;
        };
        let is_read = shared.lock(|state| state.is_read);
        let too_large = shared.size_hint().lower() > REST_MAX;
        if too_large || (self.waits_for_permission && !is_read) {
            return;
        }
        let rest = async {
            let mut read = 0;
            while let Some(Ok(frame)) = shared.frame().await {
                read += frame.data_ref().map_or(0, |data| data.len() as u64);
                if read > REST_MAX {
                    return;
                }
            }
        };
        // Beyond the time the answer goes out all the same; the connection closes after it.
        let _ = timeout(REST_TIMEOUT, rest).await;
    }
}

impl Shared {
    fn lock<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.lock(|state| {
            state.is_read = true;
            Pin::new(&mut state.body).poll_frame(context)
        })
    }

    fn is_end_stream(&self) -> bool {
        self.lock(|state| state.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.lock(|state| state.body.size_hint())
    }
}
