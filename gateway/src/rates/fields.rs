//! What an answer says about the rates that it counted against.

use std::fmt::Write as _;
use std::num::NonZeroU32;

use axum::http::header::{HeaderMap, HeaderName, HeaderValue};
use governor::Quota;

use super::shares::Share;

/// Source: draft-ietf-httpapi-ratelimit-headers-10, 3 and 4.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// One rate, and its name on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    name: &'static str,
    times: NonZeroU32,
    window: Window,
}

/// In what time a whole share comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Window {
    Second,
    Minute,
}

impl Policy {
    pub const fn per_second(name: &'static str, times: NonZeroU32) -> Self {
        Self { name, times, window: Window::Second }
    }

    pub const fn per_minute(name: &'static str, times: NonZeroU32) -> Self {
        Self { name, times, window: Window::Minute }
    }

    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub const fn quota(&self) -> Quota {
        match self.window {
            Window::Second => Quota::per_second(self.times),
            Window::Minute => Quota::per_minute(self.times),
        }
    }

    pub const fn window_s(&self) -> u64 {
        match self.window {
            Window::Second => 1,
            Window::Minute => 60,
        }
    }

    pub const fn times(&self) -> u32 {
        self.times.get()
    }

    /// Says what was too much.
    pub fn sentence(&self) -> String {
        let what = match self.name {
            "token" => "requests with one token",
            "tenant" => "requests of one tenant",
            "source" => "webhooks of one source",
            "failures" => "refused credentials from one address",
            _ => "ids that do not exist, asked for with one token",
        };
        let window = match self.window {
            Window::Second => "second",
            Window::Minute => "minute",
        };
        format!("more than {} {what} in one {window}", self.times)
    }
}

/// The two fields, written out.
#[derive(Clone, Debug)]
pub(crate) struct RateFields {
    policy: HeaderValue,
    limit: HeaderValue,
}

impl RateFields {
    /// Writes what is left of `shares`; none where nothing is counted.
    pub(super) fn of(shares: &[Share<'_>]) -> Option<Self> {
        let (mut policy, mut limit) = (String::new(), String::new());
        for share in shares {
            let Share { policy: of, left, reset_s, .. } = share;
            let comma = if policy.is_empty() { "" } else { ", " };
            let (name, times, window) = (of.name(), of.times(), of.window_s());
            // Writing to a text does not fail.
            let _ = write!(policy, "{comma}\"{name}\";q={times};w={window}");
            let _ = write!(limit, "{comma}\"{name}\";r={left};t={reset_s}");
        }
        if shares.is_empty() {
            return None;
        }
        Some(Self { policy: policy.parse().ok()?, limit: limit.parse().ok()? })
    }

    /// Puts them on an answer.
    pub(crate) fn put(&self, headers: &mut HeaderMap) {
        headers.insert(RATE_LIMIT_POLICY, self.policy.clone());
        headers.insert(RATE_LIMIT, self.limit.clone());
    }
}
