//! Hands on what the engine pushes, so that it is written down like everything else that is told.
//!
//! It has more patience than the simulated engine, whose minutes pass in a moment.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use super::history::Outcome;
use super::load::event_of;
use super::sender::Sender;

/// How long one delivery is handed on again and again; below the engine's own timeout.
const PATIENCE: Duration = Duration::from_secs(7);
/// The pause before it is handed on again.
const PAUSE: Duration = Duration::from_millis(120);

/// What the engine pushes to. It ends with its owner.
pub(super) struct Relay {
    pub url: String,
    task: AbortHandle,
}

struct Shared {
    sender: Sender,
    turns: AtomicUsize,
}

impl Relay {
    pub async fn start(sender: Sender) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let shared = Arc::new(Shared { sender, turns: AtomicUsize::new(0) });
        let router = Router::new().fallback(hand_on).with_state(shared);
        let task = tokio::spawn(axum::serve(listener, router).into_future()).abort_handle();
        Ok(Self { url, task })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn hand_on(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    let Some(event) = event_of(body) else { return StatusCode::BAD_REQUEST };
    let began = Instant::now();
    loop {
        let turn = shared.turns.fetch_add(1, Ordering::Relaxed);
        match shared.sender.push(&event, shared.sender.turn(turn)).await {
            Outcome::Ok { .. } => return StatusCode::OK,
            Outcome::Info(_) | Outcome::Fail(_) if began.elapsed() > PATIENCE => {
                return StatusCode::SERVICE_UNAVAILABLE;
            }
            Outcome::Info(_) | Outcome::Fail(_) => sleep(PAUSE).await,
        }
    }
}
