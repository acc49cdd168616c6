//! How an engine is set up.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::faults::Faults;
use super::profile::Profile;
use super::wire::Provider;
use super::world::World;
use crate::clock::Speed;

/// Everything about an engine that is decided before it starts.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Where an engine of its own listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The path below which everything is mounted.
    pub prefix: String,
    /// How the outside reaches the listener, for recording URLs; known by itself when the engine
    /// has its own.
    pub public_url: Option<String>,
    /// What everything random comes from.
    pub seed: u64,
    /// Simulated seconds per real second.
    pub speed: Speed,
    /// The simulated instant of the start; the wall clock's when absent.
    pub simulated_start: Option<DateTime<Utc>>,
    /// Where webhooks go; without it none are sent.
    pub webhook_url: Option<String>,
    /// The value of `x-webhook-secret`; without it the header is missing.
    pub webhook_secret: Option<SecretString>,
    /// How long the engine waits for a webhook's answer, in real time: the receiver is real.
    pub webhook_timeout: Duration,
    /// The bearer token: needed for analyses, checked elsewhere when one is sent.
    pub internal_token: SecretString,
    /// The account that recordings at Twilio belong to.
    pub recording_account: String,
    /// Its password.
    pub recording_token: SecretString,
    /// How many lines there are; beyond that `POST /call` is answered 429.
    pub calls_live_max: usize,
    /// The platform of a call for which nobody chose one.
    pub default_provider: Provider,
    /// The platforms an HR user may use; all, where a user is not listed.
    pub providers_allowed: BTreeMap<Uuid, Vec<Provider>>,
    /// How long things take and how calls come out.
    pub profile: Profile,
    /// What goes wrong.
    pub faults: Faults,
    /// Whom the engine calls of its own accord.
    pub world: World,
}

impl EngineSettings {
    /// Returns what a server finds in its environment that may fetch the recordings at Twilio.
    pub fn twilio_login(&self) -> Vec<(&'static str, String)> {
        let token = self.recording_token.expose_secret().to_owned();
        vec![("TWILIO_ACCOUNT_SID", self.recording_account.clone()), ("TWILIO_AUTH_TOKEN", token)]
    }
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            prefix: "/mr-hire".to_owned(),
            public_url: None,
            seed: 1,
            speed: Speed::REAL,
            simulated_start: None,
            webhook_url: None,
            webhook_secret: None,
            webhook_timeout: Duration::from_secs(10),
            internal_token: SecretString::from("internal-token"),
            recording_account: "ACsimulated".to_owned(),
            recording_token: SecretString::from("recording-token"),
            calls_live_max: 50,
            default_provider: Provider::default(),
            providers_allowed: BTreeMap::new(),
            profile: Profile::default(),
            faults: Faults::default(),
            world: World::default(),
        }
    }
}
