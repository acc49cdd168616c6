//! One socket: its handshake, its loop, its end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use axum::response::Response;
use tokio::time::timeout;

use super::frames::{ClientFrame, ServerFrame};
use super::hub::LiveHub;
use super::session::Session;
use crate::auth::{Principal, bearer};
use crate::error::ApiError;
use crate::problem::Code;
use crate::routes::RECRUITERS;
use crate::state::AppState;

const PROTOCOL: &str = "ringmaster.v1";
/// The longest frame a client may send, in bytes.
const FRAME_BYTES_MAX: usize = 64 * 1024;
/// What may wait in the socket's own buffer, in bytes; beyond it a send waits.
const WRITE_BYTES_MAX: usize = 1024 * 1024;
/// How long a client may take to say who it is.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// The clients of a closing server come back spread over this time, in ms.
const RETURN_SPREAD_MS: u64 = 5_000;
/// Between one client's return and the next one's; prime to the spread, so that all of it is used.
const RETURN_STEP_MS: u64 = 617;
/// Nobody comes back before this, in ms: the server has to be up again.
const RETURN_MIN_MS: u64 = 500;
/// The sum of the steps so far.
static RETURNING: AtomicU64 = AtomicU64::new(0);

/// What a socket stands on.
#[derive(Clone)]
pub struct LiveState {
    /// Keys, clock, and when to close.
    pub app: AppState,
    /// The rendered feed.
    pub hub: LiveHub,
}

/// Why a socket ends, as its close code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bye {
    Restart,
    Unknown,
    Expired,
    Slow,
    Protocol,
    Gone,
}

impl Bye {
    const fn code(self) -> u16 {
        match self {
            Self::Restart => 1012,
            Self::Unknown | Self::Expired => 4001,
            Self::Slow => 4008,
            Self::Protocol => 4010,
            Self::Gone => 1000,
        }
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::Restart => "the server restarts",
            Self::Unknown => "no hello with a token came within 5 s",
            Self::Expired => "the token is over or cannot be trusted",
            Self::Slow => "nothing was read for too long",
            Self::Protocol => "that is not the protocol",
            Self::Gone => "goodbye",
        }
    }
}

/// `GET /ws/v1`: opens the live feed, a WebSocket. Who it is says the `Authorization` header, else the first frame;
/// its frames are described in `docs/live.md`.
#[utoipa::path(
    get, path = "/ws/v1", tag = "live",
    responses(
        (status = 101, description = "The socket is open."),
        (status = 426, description = "The request asks for no WebSocket"),
    ),
    extensions(("x-roles" = json!(RECRUITERS))),
)]
pub(crate) async fn upgrade(
    State(live): State<LiveState>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|_| ApiError::new(Code::UpgradeRequired))?;
    if is_foreign(&headers) {
        return Err(ApiError::new(Code::Forbidden).detail("the page is of another origin"));
    }
    let principal = match bearer(&headers) {
        Some(token) => Some(known(&live.app, token)?),
        None => None,
    };
    let closing = live.app.sockets.tracker().clone();
    Ok(upgrade
        .protocols([PROTOCOL])
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_write_buffer_size(WRITE_BYTES_MAX)
        .on_upgrade(move |socket| closing.track_future(serve(socket, live, principal))))
}

/// A browser says where its page came from; other clients send no such header.
fn is_foreign(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN).and_then(|value| value.to_str().ok()) else {
        return headers.contains_key(ORIGIN);
    };
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    origin.split_once("://").map(|(_, of)| of) != Some(host)
}

pub(super) fn known(app: &AppState, token: &str) -> Result<Principal, ApiError> {
    let keys = app.keys.jwt.as_ref().ok_or_else(|| ApiError::new(Code::AuthNotConfigured))?;
    let principal = keys.verify(token, app.clock.now())?;
    if RECRUITERS.contains(&principal.role) {
        Ok(principal)
    } else {
        Err(ApiError::new(Code::Forbidden))
    }
}

async fn serve(mut socket: WebSocket, live: LiveState, principal: Option<Principal>) {
    let principal = match principal {
        Some(principal) => principal,
        None => match timeout(HELLO_TIMEOUT, introduced(&mut socket, &live.app)).await {
            Ok(Ok(principal)) => principal,
            Ok(Err(bye)) => return close(&mut socket, bye).await,
            Err(_) => return close(&mut socket, Bye::Unknown).await,
        },
    };
    let mut session = Session::new(socket, live, principal);
    let bye = session.run().await;
    close(&mut session.socket, bye).await;
}

/// Waits for the first frame, which says who it is.
async fn introduced(socket: &mut WebSocket, app: &AppState) -> Result<Principal, Bye> {
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { continue };
        let Ok(ClientFrame::Hello { token: Some(token) }) = serde_json::from_str(&text) else {
            return Err(Bye::Unknown);
        };
        return known(app, &token).map_err(|_| Bye::Expired);
    }
    Err(Bye::Gone)
}

async fn close(socket: &mut WebSocket, bye: Bye) {
    let retry_after_ms = (bye == Bye::Restart).then(|| {
        // Each socket that is sent away comes back at a moment of its own.
        RETURN_MIN_MS + RETURNING.fetch_add(RETURN_STEP_MS, Ordering::Relaxed) % RETURN_SPREAD_MS
    });
    let frame = ServerFrame::Bye { code: bye.code(), reason: bye.reason(), retry_after_ms };
    let goodbye = async {
        // A client that is gone already needs no goodbye.
        let _ = socket.send(Message::Text(frame.text().into())).await;
        let close = CloseFrame { code: bye.code(), reason: bye.reason().into() };
        let _ = socket.send(Message::Close(Some(close))).await;
    };
    let _ = timeout(Duration::from_secs(1), goodbye).await;
}
