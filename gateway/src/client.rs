//! The commands that talk to a running server.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::config::{DialingVerb, ServerUrl};

/// Longer than any answer of the server takes.
const TIMEOUT: Duration = Duration::from_secs(35);
/// A probe wants to know it sooner.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a command got no good answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answered.
    #[error("no answer from {server}")]
    Unreachable {
        /// Where.
        server: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The server said no.
    #[error("{status}: {message}")]
    Refused {
        /// How.
        status: StatusCode,
        /// In its own words, and what can be done about it from here.
        message: String,
    },
}

impl ClientError {
    /// Returns the process's exit code: 1 failed, 3 not authorised, 4 not found, 5 conflict,
    /// 6 unavailable.
    pub fn exit_code(&self) -> u8 {
        let Self::Refused { status, .. } = self else {
            return 6;
        };
        match status.as_u16() {
            401 | 403 => 3,
            404 => 4,
            409 | 412 => 5,
            429 | 502..=504 => 6,
            _ => 1,
        }
    }
}

/// A server and how it is talked to.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    server: ServerUrl,
    token: Option<SecretString>,
}

impl Client {
    /// Talks to `server`, with `token` where one is needed.
    pub fn new(server: ServerUrl, token: Option<SecretString>) -> Self {
        Self { http: reqwest::Client::new(), server, token }
    }

    /// Presses or releases the red button, or asks for it; returns the answer's `data`. Without a
    /// `scope` it is all that the caller may stop.
    ///
    /// # Errors
    /// [`ClientError`] when that was not done.
    pub async fn dialing(
        &self,
        verb: DialingVerb,
        scope: Option<&str>,
        reason: Option<&str>,
    ) -> Result<Value, ClientError> {
        let (method, path) = match verb {
            DialingVerb::Stop => (Method::POST, "/api/v1/dialing/stop"),
            DialingVerb::Resume => (Method::POST, "/api/v1/dialing/resume"),
            DialingVerb::Status => (Method::GET, "/api/v1/dialing"),
        };
        let mut request = self.request(method.clone(), path, TIMEOUT);
        if method == Method::POST {
            let said = [("scope", scope), ("reason", reason)];
            let said =
                said.into_iter().filter_map(|(name, text)| Some((name.into(), text?.into())));
            request = request.json(&Map::from_iter(said));
        }
        self.answer(request).await
    }

    /// Asks whether the server is ready.
    ///
    /// # Errors
    /// [`ClientError`] when it is not, or does not answer.
    pub async fn health(&self) -> Result<Value, ClientError> {
        self.answer(self.request(Method::GET, "/readyz", PROBE_TIMEOUT)).await
    }

    fn request(&self, method: Method, path: &str, timeout: Duration) -> reqwest::RequestBuilder {
        let request =
            self.http.request(method, format!("{}{path}", self.server.as_str())).timeout(timeout);
        match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Value, ClientError> {
        let unreachable =
            |source| ClientError::Unreachable { server: self.server.as_str().to_owned(), source };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let text = response.text().await.map_err(unreachable)?;
        let mut body: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(body["data"].take());
        }
        Err(ClientError::Refused { status, message: self.refusal(&body) })
    }

    /// Puts the server's own words together with what can be done about them from here.
    fn refusal(&self, problem: &Value) -> String {
        let mut said =
            problem["message"].as_str().unwrap_or("the server gave no reason").to_owned();
        if let Some(detail) = problem["detail"].as_str().filter(|detail| *detail != said) {
            said.push_str("; ");
            said.push_str(detail.trim_end_matches('.'));
        }
        if let Some(hint) = self.hint(problem["code"].as_str().unwrap_or_default()) {
            said.push_str("; ");
            said.push_str(hint);
        }
        said
    }

    fn hint(&self, code: &str) -> Option<&'static str> {
        Some(match code {
            "unauthenticated" if self.token.is_none() => {
                "set RINGMASTER_TOKEN (--token); `ringmaster token` writes one"
            }
            "unauthenticated" | "invalid_token" | "token_expired" => {
                "RINGMASTER_TOKEN (--token) is not good for that server; `ringmaster token` writes one, \
                 with the server's own JWT_SECRET"
            }
            "forbidden" => {
                "RINGMASTER_TOKEN (--token) is of a role that may not: it takes ADMIN or SUPERADMIN"
            }
            "scope_forbidden" => {
                "leave --scope out, or take a RINGMASTER_TOKEN (--token) of the scope's own tenant"
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn client(token: Option<&str>) -> Client {
        Client::new("http://127.0.0.1:1".parse().unwrap(), token.map(SecretString::from))
    }

    #[test]
    fn refusal_keeps_the_servers_detail_and_says_what_lacks() {
        let problem = |code: &str| json!({"code": code, "message": "No.", "detail": "Because."});
        let said = |token, code| client(token).refusal(&problem(code));
        assert_eq!(said(None, "conflict"), "No.; Because");
        for (token, code, hint) in [
            (None, "unauthenticated", "set RINGMASTER_TOKEN (--token)"),
            (Some("t"), "invalid_token", "is not good for that server"),
            (Some("t"), "forbidden", "is of a role that may not"),
            (Some("t"), "scope_forbidden", "leave --scope out"),
        ] {
            let said = said(token, code);
            assert!(said.starts_with("No.; Because; ") && said.contains(hint), "{said}");
        }
        assert_eq!(client(None).refusal(&json!(null)), "the server gave no reason");
    }
}
