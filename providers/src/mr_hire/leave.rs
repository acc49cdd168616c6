//! A request that asks at the last moment whether it still may leave.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use domain::ports::Leave;
use http_body::{Body, Frame, SizeHint};

/// A body whose bytes are let go only while they may leave.
///
/// It is asked for them when the connection stands, so the time that connecting took is counted too.
/// Without them the request is broken off before its head is flushed: an engine never sees it whole.
pub(super) struct LastMoment {
    bytes: Option<Bytes>,
    leave: Leave,
    withheld: Withheld,
}

/// Whether a body's bytes were kept back.
#[derive(Clone, Debug, Default)]
pub(super) struct Withheld(Arc<AtomicBool>);

/// The bytes were kept back.
#[derive(Debug, thiserror::Error)]
#[error("it may not leave any more")]
pub(super) struct MayNotLeave;

impl Withheld {
    pub fn is_so(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl LastMoment {
    pub fn new(bytes: Vec<u8>, leave: Leave) -> (Self, Withheld) {
        let withheld = Withheld::default();
        (Self { bytes: Some(bytes.into()), leave, withheld: withheld.clone() }, withheld)
    }
}

impl Body for LastMoment {
    type Data = Bytes;
    type Error = MayNotLeave;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, MayNotLeave>>> {
        let Some(bytes) = self.bytes.take() else { return Poll::Ready(None) };
        if self.leave.is_granted() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        self.withheld.0.store(true, Ordering::Release);
        Poll::Ready(Some(Err(MayNotLeave)))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.bytes.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(left as u64)
    }
}
