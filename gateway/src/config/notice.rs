//! What whoever starts the server should be told about its configuration.

use std::fmt;

use secrecy::ExposeSecret;

use super::{Config, EngineUrl};
use crate::readiness::Report;

/// Shorter keys can be guessed from one token. Source: RFC 7518, 3.2 (as long as the hash).
const JWT_SECRET_BYTES_MIN: usize = 32;

/// Something that works differently than one might think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// No bearer token can be verified.
    JwtSecretUnset,
    /// Bearer tokens can be forged with patience.
    JwtSecretShort,
    /// Every webhook of the engine is refused.
    WebhookSecretUnset,
    /// Our own services are not recognised.
    ServiceTokenUnset,
    /// No credentials can be saved.
    SealKeyUnset,
    /// Nothing is dialled.
    EngineOff,
    /// Recordings at Twilio are not passed on.
    TwilioUnset,
    /// Redis is configured and not used.
    RedisUnused,
}

impl Notice {
    /// Whether something does not work until it is changed.
    pub const fn is_warning(self) -> bool {
        matches!(self, Self::JwtSecretUnset | Self::JwtSecretShort | Self::WebhookSecretUnset)
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JwtSecretUnset => {
                "neither JWT_SECRET nor JWT_PUBLIC_KEY is set: every route that needs a bearer token answers 401"
            }
            Self::JwtSecretShort => "JWT_SECRET is shorter than 32 bytes: tokens can be forged",
            Self::WebhookSecretUnset => {
                "MR_HIRE_WEBHOOK_SECRET is not set: every webhook is refused and its event is lost"
            }
            Self::ServiceTokenUnset => {
                "INTERNAL_SERVICE_TOKEN is not set: routes for our own services answer 401"
            }
            Self::SealKeyUnset => {
                "RINGMASTER_SEAL_KEY is not set: providers' credentials cannot be saved"
            }
            Self::EngineOff => {
                "MR_HIRE_BACKEND_URL is empty: the call engine is off, nothing is dialled or synced"
            }
            Self::TwilioUnset => {
                "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN are not both set: recordings at Twilio are answered 503"
            }
            Self::RedisUnused => "REDIS_HOST and REDIS_PORT are accepted and not used",
        })
    }
}

pub(super) fn of(config: &Config) -> Vec<Notice> {
    let is_keyless = config.identity.keys.is_none();
    let jwt_bytes = config.jwt_secret.as_ref().map(|secret| secret.expose_secret().len());
    let candidates = [
        (is_keyless, Notice::JwtSecretUnset),
        (jwt_bytes.is_some_and(|bytes| bytes < JWT_SECRET_BYTES_MIN), Notice::JwtSecretShort),
        (config.webhook_secret.is_none(), Notice::WebhookSecretUnset),
        (config.service_token.is_none(), Notice::ServiceTokenUnset),
        (config.seal_keys.current.is_none(), Notice::SealKeyUnset),
        (config.engine == EngineUrl::Off, Notice::EngineOff),
        (config.twilio.is_none(), Notice::TwilioUnset),
        (config.redis_named, Notice::RedisUnused),
    ];
    candidates.into_iter().filter(|(holds, _)| *holds).map(|(_, notice)| notice).collect()
}

pub(super) fn report(notices: &[Notice]) -> Report {
    let texts: Vec<_> = notices.iter().map(ToString::to_string).collect();
    let warning = notices.iter().find(|notice| notice.is_warning());
    let report = warning.map_or_else(Report::good, |notice| Report::bad(notice.to_string()));
    report.details(texts.into())
}
