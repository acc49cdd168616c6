//! The closed table of what can go wrong: one code, its status, and the page that explains it.

mod pages;
mod view;

use axum::http::StatusCode;
use clap::ValueEnum;

pub use pages::Page;
pub(crate) use view::{__path_show, show};

/// Every failure the API can answer; the name in snake case is the stable `code` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Code {
    /// A path, query or body does not fit what the route takes.
    InvalidRequest,
    /// The body is not JSON.
    MalformedJson,
    /// No credentials were sent where some are needed.
    Unauthenticated,
    /// A bearer token was sent that cannot be trusted.
    InvalidToken,
    /// A bearer token was good once.
    TokenExpired,
    /// The user whom a bearer token names was deleted.
    UserDeleted,
    /// The user whom a bearer token names has another role by now.
    RoleChanged,
    /// A bearer token is of a tenant that does not exist, or was closed.
    UnknownTenant,
    /// This server has no key to verify bearer tokens with.
    AuthNotConfigured,
    /// A webhook's shared secret is missing, wrong, or not configured here.
    WebhookUnauthorized,
    /// The caller is known and may not do this.
    Forbidden,
    /// The caller's token does not open the page that this belongs to.
    PageForbidden,
    /// The caller may do this, but not for that scope.
    ScopeForbidden,
    /// No route has this path.
    RouteNotFound,
    /// The path is served, what it names does not exist.
    NotFound,
    /// There is no such interview, or not for this caller.
    InterviewNotFound,
    /// The interview has no recording, or no interview of the caller's has it.
    RecordingNotFound,
    /// The platform has no such recording, not yet or no longer.
    RecordingAbsent,
    /// The recording lies where this server does not fetch from.
    RecordingRefused,
    /// There is nothing to release: no such entity is in quarantine.
    NotInQuarantine,
    /// The path exists, with other methods.
    MethodNotAllowed,
    /// Every provider that could carry the call is switched off.
    NoProviderEnabled,
    /// The thing changed, or is in a state that does not allow this.
    Conflict,
    /// Dialing is stopped, so no call is placed.
    DialingStopped,
    /// `If-Match` names another version.
    VersionMismatch,
    /// The body is larger than the route takes.
    BodyTooLarge,
    /// The body's content type is not JSON.
    UnsupportedMediaType,
    /// The range is malformed, or lies outside of the recording.
    RangeNotSatisfiable,
    /// An `Idempotency-Key` came back with another request.
    IdempotencyKeyReused,
    /// The route only speaks WebSocket.
    UpgradeRequired,
    /// The caller asked too often.
    RateLimited,
    /// A fault of ours.
    Internal,
    /// The call engine answered something unusable.
    EngineFailed,
    /// Nobody answers where the call engine should be.
    EngineUnreachable,
    /// No call engine is configured.
    EngineOff,
    /// The platform that keeps a recording answered something unusable.
    RecordingUnavailable,
    /// The platform that keeps a recording asks for a login, and none is configured.
    RecordingsNotConfigured,
    /// It is not known whether a call was planned, and asking again could plan another one.
    CallUnconfirmed,
    /// The journal cannot commit at the moment.
    JournalUnavailable,
    /// Every place for this kind of work is taken.
    Overloaded,
    /// There is no key that credentials could be sealed or opened with.
    SealingNotConfigured,
    /// The server is not ready to take work.
    NotReady,
    /// The server is on its way out.
    ShuttingDown,
    /// The request took longer than any request may.
    TimedOut,
}

/// How loud the log is about a failure; only meant for those that are the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loudness {
    /// Part of normal life: a probe during the start, a switched-off integration.
    Quiet,
    /// A person should look.
    Loud,
}

impl Code {
    /// Returns every code there is.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// Finds the code called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().iter().copied().find(|code| code.name() == name)
    }

    /// Returns the HTTP status.
    pub const fn status(self) -> StatusCode {
        self.row().0
    }

    /// Returns the stable name, as it stands on the wire.
    pub const fn name(self) -> &'static str {
        self.row().1
    }

    /// Returns the page that explains this code.
    pub const fn page(self) -> Page {
        pages::page(self)
    }

    /// Returns after how many seconds asking again makes sense; `None` means that it does not.
    pub const fn retry_after_s(self) -> Option<u64> {
        match self {
            Self::RateLimited | Self::Overloaded => Some(1),
            Self::JournalUnavailable | Self::NotReady | Self::TimedOut => Some(2),
            Self::ShuttingDown | Self::EngineUnreachable => Some(5),
            _ => None,
        }
    }

    /// Returns how loud the log should be.
    pub const fn loudness(self) -> Loudness {
        match self {
            // That the engine is away was said when it went.
            Self::EngineOff
            | Self::RecordingsNotConfigured
            | Self::EngineUnreachable
            | Self::SealingNotConfigured
            | Self::NotReady
            | Self::ShuttingDown
            | Self::Overloaded => Loudness::Quiet,
            _ => Loudness::Loud,
        }
    }

    /// The table itself; exhaustive, so a new code does not compile without its line.
    const fn row(self) -> (StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::InvalidRequest => (S::BAD_REQUEST, "invalid_request"),
            Self::MalformedJson => (S::BAD_REQUEST, "malformed_json"),
            Self::Unauthenticated => (S::UNAUTHORIZED, "unauthenticated"),
            Self::InvalidToken => (S::UNAUTHORIZED, "invalid_token"),
            Self::TokenExpired => (S::UNAUTHORIZED, "token_expired"),
            Self::UserDeleted => (S::UNAUTHORIZED, "user_deleted"),
            Self::RoleChanged => (S::UNAUTHORIZED, "role_changed"),
            Self::UnknownTenant => (S::UNAUTHORIZED, "unknown_tenant"),
            Self::AuthNotConfigured => (S::UNAUTHORIZED, "auth_not_configured"),
            Self::WebhookUnauthorized => (S::UNAUTHORIZED, "webhook_unauthorized"),
            Self::Forbidden => (S::FORBIDDEN, "forbidden"),
            Self::PageForbidden => (S::FORBIDDEN, "page_forbidden"),
            Self::ScopeForbidden => (S::FORBIDDEN, "scope_forbidden"),
            Self::RouteNotFound => (S::NOT_FOUND, "route_not_found"),
            Self::NotFound => (S::NOT_FOUND, "not_found"),
            Self::InterviewNotFound => (S::NOT_FOUND, "interview_not_found"),
            Self::RecordingNotFound => (S::NOT_FOUND, "recording_not_found"),
            Self::RecordingAbsent => (S::NOT_FOUND, "recording_absent"),
            Self::RecordingRefused => (S::NOT_FOUND, "recording_refused"),
            Self::NotInQuarantine => (S::NOT_FOUND, "not_in_quarantine"),
            Self::MethodNotAllowed => (S::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Conflict => (S::CONFLICT, "conflict"),
            Self::DialingStopped => (S::CONFLICT, "dialing_stopped"),
            Self::NoProviderEnabled => (S::CONFLICT, "no_provider_enabled"),
            Self::VersionMismatch => (S::PRECONDITION_FAILED, "version_mismatch"),
            Self::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::UnsupportedMediaType => (S::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::RangeNotSatisfiable => (S::RANGE_NOT_SATISFIABLE, "range_not_satisfiable"),
            Self::IdempotencyKeyReused => (S::UNPROCESSABLE_ENTITY, "idempotency_key_reused"),
            Self::UpgradeRequired => (S::UPGRADE_REQUIRED, "upgrade_required"),
            Self::RateLimited => (S::TOO_MANY_REQUESTS, "rate_limited"),
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "internal"),
            Self::EngineFailed => (S::BAD_GATEWAY, "engine_failed"),
            Self::EngineUnreachable => (S::SERVICE_UNAVAILABLE, "engine_unreachable"),
            Self::EngineOff => (S::SERVICE_UNAVAILABLE, "engine_off"),
            Self::RecordingUnavailable => (S::BAD_GATEWAY, "recording_unavailable"),
            Self::RecordingsNotConfigured => (S::SERVICE_UNAVAILABLE, "recordings_not_configured"),
            Self::CallUnconfirmed => (S::SERVICE_UNAVAILABLE, "call_unconfirmed"),
            Self::JournalUnavailable => (S::SERVICE_UNAVAILABLE, "journal_unavailable"),
            Self::Overloaded => (S::SERVICE_UNAVAILABLE, "overloaded"),
            Self::SealingNotConfigured => (S::SERVICE_UNAVAILABLE, "sealing_not_configured"),
            Self::NotReady => (S::SERVICE_UNAVAILABLE, "not_ready"),
            Self::ShuttingDown => (S::SERVICE_UNAVAILABLE, "shutting_down"),
            Self::TimedOut => (S::SERVICE_UNAVAILABLE, "timed_out"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_has_a_page_with_words_of_its_own() {
        let mut seen = HashSet::new();
        for code in Code::all() {
            let page = code.page();
            for text in [page.title, page.meaning, page.cause, page.fix] {
                assert!(!text.trim().is_empty(), "{} has an empty text", code.name());
            }
            assert!(page.meaning.ends_with('.'), "{}: a sentence ends", code.name());
            assert!(seen.insert(page.meaning), "{}: copied meaning", code.name());
        }
    }

    #[test]
    fn a_code_on_the_wire_is_its_variant_in_snake_case() {
        for code in Code::all() {
            let value = code.to_possible_value().unwrap();
            assert_eq!(value.get_name(), code.name());
            assert_eq!(Code::named(code.name()), Some(*code));
        }
        assert_eq!(Code::named("no_such_code"), None);
    }

    #[test]
    fn what_may_be_retried_is_asked_too_often_or_lacks_room() {
        for code in Code::all().iter().filter(|code| code.retry_after_s().is_some()) {
            assert!(matches!(code.status().as_u16(), 429 | 503), "{}", code.name());
        }
    }
}
