//! The live feed over a WebSocket, as a client without a browser reads it.

use futures_util::{SinkExt, StreamExt};
use http::HeaderValue;
use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// The protocol spoken.
const PROTOCOL: &str = "ringmaster.v1";

/// One connection. Dropping it cuts it without a goodbye.
pub struct Feed {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Changes when the log was reset, and all positions with it.
    pub epoch: String,
    /// Where the log stood when the connection was made.
    pub seq: i64,
}

/// Why a feed ended.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The connection is gone.
    #[error("the feed is cut")]
    Cut(#[source] Option<Box<tungstenite::Error>>),
    /// The server does not speak as agreed.
    #[error("the feed says what was not agreed: {0}")]
    Strange(String),
}

/// What the server said.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum Frame {
    /// The first one.
    Welcome {
        /// See [`Feed::epoch`].
        epoch: String,
        /// See [`Feed::seq`].
        seq: i64,
    },
    /// All there is at a position.
    Snap {
        /// The position.
        seq: i64,
        /// What there is.
        data: Value,
    },
    /// Something happened.
    Ev {
        /// What.
        #[serde(flatten)]
        event: Event,
    },
    /// Several things happened, in this order.
    Batch {
        /// What.
        events: Vec<Event>,
    },
    /// What lies between is not held any more; a snapshot follows.
    Gap {
        /// After this position.
        from: i64,
        /// Up to this one.
        to: i64,
    },
    /// A subscription was taken or refused.
    Res {
        /// Whether it was taken.
        ok: bool,
        /// Why not.
        problem: Option<Value>,
    },
    /// The server says goodbye.
    Bye {
        /// The close code.
        code: u16,
    },
    /// Anything else.
    #[serde(other)]
    Other,
}

/// One fact.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Event {
    /// Its position in the log.
    pub seq: i64,
    /// When it was decided.
    pub ts: String,
    /// Its kind and name.
    #[serde(rename = "type")]
    pub name: String,
    /// What it says.
    pub data: Value,
}

impl Feed {
    /// Connects to the server at `base`, an `http://` URL, and waits for its welcome.
    ///
    /// # Errors
    /// [`FeedError`] when it does not welcome us.
    pub async fn open(base: &str, token: &str) -> Result<Self, FeedError> {
        let url = format!("{}/ws/v1", base.replacen("http://", "ws://", 1));
        let mut request = url.into_client_request().map_err(cut)?;
        let bearer = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| FeedError::Strange("a token that fits no header".to_owned()))?;
        request.headers_mut().insert(AUTHORIZATION, bearer);
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
        let (socket, _) = connect_async(request).await.map_err(cut)?;
        let mut feed = Self { socket, epoch: String::new(), seq: 0 };
        match feed.next().await? {
            Frame::Welcome { epoch, seq } => Ok(Self { epoch, seq, ..feed }),
            other => Err(FeedError::Strange(format!("{other:?} instead of a welcome"))),
        }
    }

    /// Subscribes to `topic`: to all that follows the position `from`, or to a snapshot and what
    /// follows that.
    ///
    /// # Errors
    /// [`FeedError`] when the connection is gone.
    pub async fn subscribe(&mut self, topic: &str, from: Option<i64>) -> Result<(), FeedError> {
        let mut frame = json!({"t": "sub", "id": 1, "topic": topic});
        if let Some(from) = from {
            frame["from"] = from.into();
            frame["epoch"] = self.epoch.as_str().into();
        }
        self.socket.send(Message::text(frame.to_string())).await.map_err(cut)
    }

    /// Waits for the next message, and does not read it.
    ///
    /// # Errors
    /// [`FeedError`] when there will be none.
    pub async fn pass(&mut self) -> Result<(), FeedError> {
        match self.socket.next().await {
            Some(Ok(Message::Close(_))) | None => Err(FeedError::Cut(None)),
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(cut(error)),
        }
    }

    /// Waits for the next frame.
    ///
    /// # Errors
    /// [`FeedError`] when there will be none.
    pub async fn next(&mut self) -> Result<Frame, FeedError> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(&text)
                        .map_err(|error| FeedError::Strange(format!("{error} in {text}")));
                }
                Some(Ok(Message::Close(_))) | None => return Err(FeedError::Cut(None)),
                Some(Ok(_)) => {} // Pings are answered by the library.
                Some(Err(error)) => return Err(cut(error)),
            }
        }
    }
}

fn cut(error: tungstenite::Error) -> FeedError {
    FeedError::Cut(Some(Box::new(error)))
}
