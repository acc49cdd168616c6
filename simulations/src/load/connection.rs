//! One keep-alive connection, without the comforts that cost time.

use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use http::uri::{PathAndQuery, Scheme};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The receiver's path where a target names none.
const WEBHOOK_PATH: &str = "/api/voice-interviews/webhook";
/// The header that carries the secret.
const SECRET_HEADER: &str = "x-webhook-secret";
/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Where events are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What to connect to.
    address: String,
    /// What to say in `Host`.
    host: HeaderValue,
    path: PathAndQuery,
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(url: &str) -> Result<Self, TargetError> {
        let uri: Uri = url.parse().map_err(|_| TargetError::NoUrl)?;
        if uri.scheme() != Some(&Scheme::HTTP) {
            return Err(TargetError::NotHttp); // TLS would be measured, not the receiver.
        }
        let authority = uri.authority().ok_or(TargetError::NoUrl)?;
        let address = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| TargetError::NoUrl)?;
        let path = match uri.path_and_query() {
            Some(path) if path.as_str() != "/" => path.clone(),
            _ => PathAndQuery::from_static(WEBHOOK_PATH),
        };
        Ok(Self { address, host, path })
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}{}", self.address, self.path)
    }
}

/// A text that is no [`Target`].
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It is no URL with a host.
    #[error("the target is no URL")]
    NoUrl,
    /// It wants something other than plain HTTP.
    #[error("the target must begin with http://")]
    NotHttp,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    #[error("cannot connect")]
    Connect(#[source] std::io::Error),
    #[error("the connection broke")]
    Broken(#[from] hyper::Error),
    #[error("no answer within {}s", ANSWER_TIMEOUT.as_secs())]
    TimedOut,
}

/// A connection to the target, opened when it is needed and again when it broke.
pub(super) struct Connection {
    target: Target,
    headers: HeaderMap,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    pub(super) fn new(target: Target, secret: &HeaderValue) -> Self {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(HOST, target.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(SECRET_HEADER, secret.clone());
        Self { target, headers, sender: None }
    }

    /// Sends one event and waits for the whole answer.
    pub(super) async fn post(&mut self, body: Bytes) -> Result<StatusCode, PostError> {
        let posted = tokio::time::timeout(ANSWER_TIMEOUT, self.post_unbounded(body)).await;
        let answer = posted.unwrap_or(Err(PostError::TimedOut));
        if answer.is_err() {
            self.sender = None; // An answer that comes late must not be taken for the next one's.
        }
        answer
    }

    async fn post_unbounded(&mut self, body: Bytes) -> Result<StatusCode, PostError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from(self.target.path.clone());
        *request.headers_mut() = self.headers.clone();
        let sender = self.ready_sender().await?;
        let mut answer = sender.send_request(request).await?;
        while let Some(frame) = answer.frame().await {
            frame?;
        }
        Ok(answer.status())
    }

    async fn ready_sender(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, PostError> {
        let kept = match self.sender.take() {
            Some(mut sender) => sender.ready().await.is_ok().then_some(sender),
            None => None,
        };
        let sender = match kept {
            Some(sender) => sender,
            None => self.open().await?,
        };
        Ok(self.sender.insert(sender))
    }

    async fn open(&self) -> Result<SendRequest<Full<Bytes>>, PostError> {
        let stream = TcpStream::connect(&self.target.address).await.map_err(PostError::Connect)?;
        stream.set_nodelay(true).map_err(PostError::Connect)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            let _told_to_the_sender = connection.await;
        });
        Ok(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_without_a_path_means_the_webhook_route() {
        let target: Target = "http://127.0.0.1:8080".parse().unwrap();
        assert_eq!(target.to_string(), "http://127.0.0.1:8080/api/voice-interviews/webhook");
        let target: Target = "http://localhost/other".parse().unwrap();
        assert_eq!(target.to_string(), "http://localhost:80/other");
        assert!("https://localhost".parse::<Target>().is_err());
        assert!("localhost".parse::<Target>().is_err());
    }
}
