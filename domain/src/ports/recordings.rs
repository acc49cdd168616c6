//! The recordings of calls: where they lie, and fetching them.

use std::fmt;

use bytes::Bytes;
use uuid::Uuid;

use super::queries::Scope;
use super::{BoxFuture, StoreError};
use crate::ids::EntityId;
use crate::value::InvalidValue;

/// The longest name of a host. Source: RFC 1035, 2.3.4.
const HOST_BYTES_MAX: usize = 253;
/// The longest label of such a name. Source: RFC 1035, 2.3.4.
const LABEL_BYTES_MAX: usize = 63;
/// The most digits of a position in a range: no recording has 10^18 bytes.
const POSITION_DIGITS_MAX: usize = 18;

/// A host that recordings are fetched from: a name in lower case, neither an address nor a single label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordingHost(String);

impl RecordingHost {
    /// Parses a host as it must stand in an address, character by character.
    ///
    /// # Errors
    /// [`InvalidValue`] when it is an IP address in whatever form, has a port, a dot at its end, capitals,
    /// or fewer than two labels.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let invalid = |why| InvalidValue { what: "host of recordings", why };
        if text.len() > HOST_BYTES_MAX {
            return Err(invalid("is longer than 253 bytes"));
        }
        let labels: Vec<&str> = text.split('.').collect();
        if !labels.iter().all(|label| is_label(label)) {
            return Err(invalid(
                "is no host name in lower case, without port and without a last dot",
            ));
        }
        // A last label that begins with a digit makes it an IPv4 address to some readers: `10`, `0x7f`.
        let last = labels.last().copied().unwrap_or_default();
        if labels.len() < 2 || last.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(invalid("is an address or has one label only"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_label(label: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !label.is_empty()
        && label.len() <= LABEL_BYTES_MAX
        && label.bytes().all(plain)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// The one range of bytes that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// From this position to the end.
    From(u64),
    /// From the first position to the last, both included.
    Between(u64, u64),
    /// So many at the end.
    Last(u64),
}

impl ByteRange {
    /// Parses the value of a `Range` header; none when its unit is another one, which is to be ignored.
    ///
    /// # Errors
    /// [`InvalidValue`] when it is malformed, runs backward, is empty, or names several ranges.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidValue> {
        let invalid = |why| InvalidValue { what: "range", why };
        let Some((unit, set)) = text.split_once('=') else {
            return Err(invalid("has no unit"));
        };
        if !unit.eq_ignore_ascii_case("bytes") {
            return Ok(None);
        }
        if set.contains(',') {
            return Err(invalid("names several ranges; one at a time is served"));
        }
        let Some((first, last)) = set.trim_matches([' ', '\t']).split_once('-') else {
            return Err(invalid("has no hyphen"));
        };
        match (position(first), position(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Some(Self::Between(first, last))),
            (Some(_), Some(_)) => Err(invalid("ends before it begins")),
            (Some(first), None) if last.is_empty() => Ok(Some(Self::From(first))),
            (None, Some(count)) if first.is_empty() && count > 0 => Ok(Some(Self::Last(count))),
            _ => Err(invalid("has positions that are no numbers")),
        }
    }
}

fn position(digits: &str) -> Option<u64> {
    let fits = (1..=POSITION_DIGITS_MAX).contains(&digits.len());
    let plain = fits && digits.bytes().all(|digit| digit.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From(first) => write!(f, "bytes={first}-"),
            Self::Between(first, last) => write!(f, "bytes={first}-{last}"),
            Self::Last(count) => write!(f, "bytes=-{count}"),
        }
    }
}

/// What a recording is. Whatever else a platform may call audio is not served: a playlist, say, would
/// have the player fetch what we never looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// WAV.
    Wav,
    /// MP3.
    Mpeg,
    /// AAC in an MP4 file.
    Mp4,
    /// AAC as it is.
    Aac,
    /// Ogg, whatever is in it.
    Ogg,
    /// WebM.
    Webm,
    /// FLAC.
    Flac,
    /// Eight kHz of µ-law.
    Basic,
    /// What a store does not know better; browsers save it and show it nowhere.
    Bytes,
}

impl Media {
    /// Reads the value of a `Content-Type` header; none when it is nothing that is served.
    pub fn read(text: &str) -> Option<Self> {
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Some(match essence.as_str() {
            "audio/wav" | "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => Self::Wav,
            "audio/mpeg" | "audio/mp3" | "audio/x-mp3" => Self::Mpeg,
            "audio/mp4" | "audio/m4a" | "audio/x-m4a" => Self::Mp4,
            "audio/aac" | "audio/x-aac" => Self::Aac,
            "audio/ogg" | "audio/opus" => Self::Ogg,
            "audio/webm" => Self::Webm,
            "audio/flac" | "audio/x-flac" => Self::Flac,
            "audio/basic" => Self::Basic,
            "application/octet-stream" | "binary/octet-stream" => Self::Bytes,
            _ => return None,
        })
    }

    /// Returns the type as it is served.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Mpeg => "audio/mpeg",
            Self::Mp4 => "audio/mp4",
            Self::Aac => "audio/aac",
            Self::Ogg => "audio/ogg",
            Self::Webm => "audio/webm",
            Self::Flac => "audio/flac",
            Self::Basic => "audio/basic",
            Self::Bytes => "application/octet-stream",
        }
    }

    /// Returns how the name of a file of it ends.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Mpeg => "mp3",
            Self::Mp4 => "m4a",
            Self::Aac => "aac",
            Self::Ogg => "ogg",
            Self::Webm => "webm",
            Self::Flac => "flac",
            Self::Basic => "au",
            Self::Bytes => "bin",
        }
    }
}

/// How much of a recording an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// What was asked for.
    Part {
        /// The first position.
        first: u64,
        /// The last one.
        last: u64,
        /// How long all of it is, where that is known.
        complete: Option<u64>,
    },
}

/// A recording on its way.
pub struct Recording {
    /// What it is.
    pub media: Media,
    /// How much of it.
    pub extent: Extent,
    /// How many bytes come, where that is known.
    pub length: Option<u64>,
    /// The bytes.
    pub body: Box<dyn RecordingBody>,
}

/// The bytes of a recording, as they come in. Whoever drops it ends the request behind it.
pub trait RecordingBody: Send {
    /// Returns what came next; none at the end.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, RecordingError>>;
}

/// Why a recording cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// Nothing was sent: recordings are fetched from no such address.
    #[error("recordings are not fetched from there: the address {0}")]
    Refused(&'static str),
    /// Nothing was sent: the platform asks for a login, and none is configured.
    #[error("no login of the platform is configured")]
    NotConfigured,
    /// Nothing was sent: as many recordings are on their way as may be.
    #[error("too many recordings are on their way")]
    Busy,
    /// The platform has no such recording, not yet or no longer.
    #[error("the platform has no such recording")]
    Absent,
    /// The range lies outside of the recording.
    #[error("the recording has no such range")]
    NoSuchRange {
        /// How long the recording is, where the platform said so.
        complete: Option<u64>,
    },
    /// The platform did not answer as agreed.
    #[error("the platform did not answer as agreed")]
    Unavailable(#[source] anyhow::Error),
}

/// Fetches recordings from where platforms keep them.
pub trait Recordings: Send + Sync {
    /// Whether recordings are fetched from `address` at all; sends nothing.
    ///
    /// # Errors
    /// [`RecordingError::Refused`].
    fn admit(&self, address: &str) -> Result<(), RecordingError>;
    /// Begins to fetch one; comes back when its first bytes may be read.
    fn fetch(
        &self,
        address: String,
        range: Option<ByteRange>,
    ) -> BoxFuture<'_, Result<Recording, RecordingError>>;
}

/// Where the recording of an interview lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// There is no such interview in that scope.
    NoInterview,
    /// Nothing was reported of a recording.
    Nowhere,
    /// At this address, as the platform reported it.
    At(String),
}

/// Reads where recordings lie.
pub trait RecordingQueries: Send + Sync {
    /// Returns where the recording of an interview lies.
    fn recorded(
        &self,
        scope: Scope,
        interview: EntityId,
    ) -> BoxFuture<'_, Result<Recorded, StoreError>>;
    /// Returns an interview in that scope whose recording lies at exactly `address`.
    fn recorded_at(
        &self,
        scope: Scope,
        address: String,
    ) -> BoxFuture<'_, Result<Option<Uuid>, StoreError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_and_nothing_else() {
        for good in ["api.twilio.com", "storage.vapi.ai", "xn--bcher-kva.example", "a-1.b2c"] {
            assert_eq!(RecordingHost::parse(good).unwrap().as_str(), good);
        }
        let long = format!("{}.example", "a".repeat(64));
        for bad in [
            "",
            ".",
            "localhost",
            "API.twilio.com",
            "api.twilio.com.",
            ".api.twilio.com",
            "api..com",
            "api.twilio.com:443",
            "user@api.twilio.com",
            "127.0.0.1",
            "2130706433",
            "0x7f.0.0.0x1",
            "127.1",
            "[::1]",
            "::1",
            "a.b/c",
            "a.b?c",
            "a b.c",
            "\u{ff41}.com",
            "-a.com",
            "a-.com",
            "a.com\0",
            &long,
        ] {
            assert!(RecordingHost::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_range_is_read_and_everything_else_refused_or_ignored() {
        use ByteRange::{Between, From, Last};
        for (text, range) in [
            ("bytes=0-", From(0)),
            ("bytes=0-0", Between(0, 0)),
            ("BYTES=5-99", Between(5, 99)),
            ("bytes=-500", Last(500)),
            ("bytes= 1-2 ", Between(1, 2)),
        ] {
            assert_eq!(ByteRange::parse(text), Ok(Some(range)), "{text}");
            let written = range.to_string();
            assert_eq!(ByteRange::parse(&written), Ok(Some(range)), "{written}");
        }
        assert_eq!(ByteRange::parse("seconds=1-2"), Ok(None));
        for bad in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=-0",
            "bytes=2-1",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=0-1,2-3",
            "bytes=0-0,0-0,0-0",
            "bytes=--1",
            "bytes=0x1-2",
            "bytes=1 -2",
            "bytes=9999999999999999999-",
            "bytes=18446744073709551616-",
            "bytes=0-\u{0661}",
        ] {
            assert!(ByteRange::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn audio_is_a_closed_set() {
        assert_eq!(Media::read("Audio/X-WAV; charset=binary"), Some(Media::Wav));
        for other in [
            "",
            "text/html",
            "audio",
            "audio/",
            "audio/x-mpegurl",
            "audio/mpegurl",
            "image/svg+xml",
            "audio/wav,text/html",
            "video/mp4",
            "application/json",
        ] {
            assert_eq!(Media::read(other), None, "{other}");
        }
    }
}
