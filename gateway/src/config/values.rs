//! The types of single settings.

use std::convert::Infallible;
use std::fmt;
use std::io::IsTerminal as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::http::Uri;
use chrono::Duration;
use chrono::{DateTime, Utc};
use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use domain::ports::RecordingHost;
use domain::{InvalidValue, Provider, Role, TenantId};
use secrecy::SecretString;
use tracing_subscriber::EnvFilter;
use uuid::Uuid;

/// The longest life of a token that is written by hand.
const TTL_DAYS_MAX: i64 = 366;

/// Not an `http://` or `https://` URL.
#[derive(Debug, thiserror::Error)]
#[error("must be an http:// or https:// URL without a query")]
pub struct InvalidUrl;

/// Not a filter.
#[derive(Debug, thiserror::Error)]
#[error("must be a filter such as `info` or `warn,gateway=debug`")]
pub struct InvalidFilter(#[source] anyhow::Error);

/// Not a duration.
#[derive(Debug, thiserror::Error)]
#[error("must be a number with s, m, h or d, more than nothing and at most {TTL_DAYS_MAX}d")]
pub struct InvalidTtl;

/// Where the call engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineUrl {
    /// Nowhere: it is switched off.
    Off,
    /// At this base URL, without a slash at its end.
    At(String),
}

impl EngineUrl {
    /// Whether nothing outside this machine can be reached through it.
    pub fn is_local(&self) -> bool {
        let Self::At(url) = self else { return true };
        let host = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let host = host.split('/').next().unwrap_or_default();
        let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
        host == "localhost"
            || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Returns the base URL, if the engine is on.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Off => None,
            Self::At(url) => Some(url),
        }
    }
}

impl FromStr for EngineUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        match text.trim() {
            "" => Ok(Self::Off),
            url => base_url(url).map(Self::At),
        }
    }
}

/// What `CALL_PROVIDER` is until it is data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstProvider {
    /// Not said.
    Unset,
    /// This one.
    Named(Provider),
}

impl FromStr for FirstProvider {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text.trim() {
            "" => Ok(Self::Unset),
            name => Provider::parse(name).map(Self::Named),
        }
    }
}

/// Where a running server is: a base URL without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// Returns where a client on this machine finds what listens on `address`.
    pub fn of_listener(address: SocketAddr) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        Self(format!("http://{}", SocketAddr::new(ip, address.port())))
    }

    /// Returns the URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServerUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        base_url(text).map(Self)
    }
}

/// Time of a simulated world: `REAL,SIMULATED,SPEED`, two RFC 3339 instants and a factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimulatedClock {
    /// The real instant.
    pub real: DateTime<Utc>,
    /// What time it was in the world then.
    pub simulated: DateTime<Utc>,
    /// Simulated seconds a real second, above 0 and at most 100,000.
    pub speed: f64,
}

/// Text that is no [`SimulatedClock`].
#[derive(Debug, thiserror::Error)]
#[error("must be REAL,SIMULATED,SPEED: two RFC 3339 instants and a factor")]
pub struct InvalidClock;

impl FromStr for SimulatedClock {
    type Err = InvalidClock;

    fn from_str(text: &str) -> Result<Self, InvalidClock> {
        let instant = |text: &str| {
            DateTime::parse_from_rfc3339(text.trim())
                .map(|at| at.to_utc())
                .map_err(|_| InvalidClock)
        };
        let parts: Vec<&str> = text.split(',').collect();
        let [real, simulated, speed] = parts.as_slice() else { return Err(InvalidClock) };
        let speed: f64 = speed.trim().parse().map_err(|_| InvalidClock)?;
        if !(speed > 0.0 && speed <= 100_000.0) {
            return Err(InvalidClock);
        }
        Ok(Self { real: instant(real)?, simulated: instant(simulated)?, speed })
    }
}

/// Hosts that recordings are fetched from, as they stand in the setting: separated by commas, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordingHosts(pub Vec<RecordingHost>);

impl FromStr for RecordingHosts {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let hosts = text.split(',').map(str::trim).filter(|host| !host.is_empty());
        hosts.map(RecordingHost::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// What is logged when nothing is said: of the database's chatter only what somebody should see.
pub(super) const LOG_DEFAULT: &str = "info,sqlx=warn";

/// A tracing filter that was parsed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// Returns the filter.
    pub fn to_filter(&self) -> EnvFilter {
        EnvFilter::new(&self.0)
    }
}

impl FromStr for LogFilter {
    type Err = InvalidFilter;

    fn from_str(text: &str) -> Result<Self, InvalidFilter> {
        let text = if text.trim().is_empty() { LOG_DEFAULT } else { text };
        match EnvFilter::try_new(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(InvalidFilter(error.into())),
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// For machines: one object a line.
    Json,
}

impl LogFormat {
    /// Returns what suits whoever reads the standard error stream.
    pub(super) fn of_terminal() -> Self {
        if std::io::stderr().is_terminal() { Self::Pretty } else { Self::Json }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pretty => "pretty",
            Self::Json => "json",
        })
    }
}

pub(super) fn secret(text: &str) -> Result<SecretString, Infallible> {
    Ok(SecretString::from(text))
}

/// Reads a role, and names all of them where it is none.
pub(super) fn role() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::as_str))
        .map(|name| name.parse().expect("it is one of the names"))
}

pub(super) fn tenant(text: &str) -> Result<TenantId, uuid::Error> {
    text.parse::<Uuid>().map(TenantId)
}

/// The largest recording that is passed on when nothing is said: an hour of good WAV.
pub(super) const RECORDING_BYTES_MAX_DEFAULT: u64 = 512 * 1024 * 1024;

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "must be ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080".into())
}

pub(super) fn ttl(text: &str) -> Result<Duration, InvalidTtl> {
    if text.is_empty() || !text.is_ascii() {
        return Err(InvalidTtl);
    }
    let (digits, unit) = text.split_at(text.len() - 1);
    let number: i64 = digits.parse().map_err(|_| InvalidTtl)?;
    let duration = match unit {
        "s" => Duration::try_seconds(number),
        "m" => Duration::try_minutes(number),
        "h" => Duration::try_hours(number),
        "d" => Duration::try_days(number),
        _ => None,
    };
    let fits = |ttl: &Duration| (Duration::seconds(1)..=Duration::days(TTL_DAYS_MAX)).contains(ttl);
    duration.filter(fits).ok_or(InvalidTtl)
}

fn base_url(text: &str) -> Result<String, InvalidUrl> {
    let uri: Uri = text.parse().map_err(|_| InvalidUrl)?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    if !is_web || !has_host || uri.query().is_some() || text.contains('#') {
        return Err(InvalidUrl);
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_read_with_their_unit() {
        assert_eq!(ttl("90s").unwrap(), Duration::seconds(90));
        assert_eq!(ttl("30d").unwrap(), Duration::days(30));
        for bad in ["", "h", "8", "0s", "-1h", "9999d", "99999999999999999999d", "1é", "é"] {
            assert!(ttl(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn urls_are_http_and_lose_their_last_slash() {
        assert_eq!("http://a:1/".parse::<ServerUrl>().unwrap().as_str(), "http://a:1");
        for bad in ["", "localhost:8001", "ftp://a", "http://", "http://a?b=c", "http://a#b"] {
            assert!(bad.parse::<ServerUrl>().is_err(), "{bad}");
        }
        assert_eq!(" ".parse::<EngineUrl>().unwrap(), EngineUrl::Off);
    }

    #[test]
    fn server_that_listens_everywhere_is_found_at_home() {
        let url = ServerUrl::of_listener("0.0.0.0:80".parse().unwrap());
        assert_eq!(url.as_str(), "http://127.0.0.1:80");
    }

    #[test]
    fn filter_is_checked_when_it_is_read() {
        assert!("warn,gateway=debug".parse::<LogFilter>().is_ok());
        assert!("gateway=loud".parse::<LogFilter>().is_err());
        assert_eq!("".parse::<LogFilter>().unwrap(), LogFilter(LOG_DEFAULT.into()));
    }
}
